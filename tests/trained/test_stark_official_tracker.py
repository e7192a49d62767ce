"""The official tracker beside ours: the same crops, masks and boxes."""

import sys
import types

import numpy as np
import pytest
import torch
from stark import ARCH, FAMILY

from converter.families.stark.tracking import StarkProcedure
from converter.proof.boxes import Box
from converter.spec.config import network_for
from official_patches.checkout import isolated
from official_patches.patching import PatchSpec, patched

pytestmark = pytest.mark.real
SPEC = network_for(ARCH)[1].model_copy(update={"masks": True})
DIMENSIONS = FAMILY.dimensions("any", SPEC.template_size, SPEC.search_size)
FRAMES = 12


class Scripted:
    """Gives seeded boxes, to the official tracker as its network and to ours as its model; keeps what it was shown."""

    def __init__(self, seed):
        self.generator, self.shown = np.random.default_rng(seed), []

    def _box(self):
        centre, sides = self.generator.normal(0.5, 0.12, 2), self.generator.uniform(0.02, 0.5, 2)
        return np.float32([[*centre, *sides]])

    def template(self, z, mask):
        self.shown.append((z, mask))

    def track(self, x, mask):
        self.shown.append((x, mask))
        return {"box": self._box(), "score": np.zeros((1, 2, 20, 20), np.float32)}

    def forward_backbone(self, image, zx, mask):
        self.shown.append((image.numpy(), mask[:, ::16, ::16].flatten(1).float().numpy()))
        tokens = torch.zeros(1, 1, 1)
        return {"feat": tokens, "mask": torch.zeros(1, 1), "pos": tokens}

    def forward_transformer(self, **_):
        return {"pred_boxes": torch.from_numpy(self._box())}, None, None


def official_boxes(root, frames, box, model):
    """The official tracker's own code around a scripted network, on the CPU."""
    on_cpu = PatchSpec(torch.Tensor, "cuda", lambda self: self, "no GPU is needed")
    with isolated(root) as load, patched(on_cpu):
        module = load("lib.test.tracker.stark_lightning_X_trt")
        tracker = object.__new__(module.STARK_LightningXtrt)
        tracker.params = types.SimpleNamespace(
            template_factor=2.0, template_size=128, search_factor=5.0, search_size=320
        )
        tracker.network, tracker.preprocessor = model, module.PreprocessorX()
        tracker.debug = False
        tracker.initialize(frames[0], {"init_bbox": list(box.values)})
        return [tracker.track(frame)["target_bbox"] for frame in frames[1:]]


@pytest.mark.parametrize("seed", range(6))
def test_boxes_and_crops_are_the_official_ones(official_stark, seed):
    generator = np.random.default_rng(100 + seed)
    frames = [generator.integers(0, 256, (180, 240, 3), np.uint8) for _ in range(FRAMES)]
    box = Box(*generator.uniform((0, 0, 12, 12), (200, 140, 60, 60)).tolist())
    theirs, ours = Scripted(seed), Scripted(seed)
    expected = official_boxes(official_stark, frames, box, theirs)
    tracker = StarkProcedure(ours, SPEC, DIMENSIONS)
    tracker.start(frames[0], box)
    for frame, values in zip(frames[1:], expected, strict=True):
        assert tracker.step(frame).box.values == pytest.approx(values, abs=1e-9)
    for (image, mask), (official_image, official_mask) in zip(ours.shown, theirs.shown, strict=True):
        assert np.abs(image - official_image).max() < 1e-6
        assert np.array_equal(mask, official_mask)
    assert any(mask.any() and not mask.all() for _, mask in ours.shown)
    assert not [name for name in sys.modules if name.partition(".")[0] == "lib"]
