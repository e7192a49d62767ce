"""What a trace of NanoTrack has in place besides a forward mode."""

# mypy: allow-subclassing-any
# torch is not followed, so nn.Module is Any

from torch import Tensor, nn

from official_patches.patching import PatchSpec, Shapes

MIDDLE = slice(2, 6)
STRIDE = 4  # of the features that the first squeeze-and-excitation takes the means of
WINDOW = 4  # cells along each side


class MeanOfMeans(nn.Module):
    """The mean of every channel, (N, C, H, W) to (N, C, 1, 1), by way of windows of 4x4; H and W are multiples of 4."""

    def __init__(self) -> None:
        super().__init__()
        self.windows, self.all = nn.AvgPool2d(WINDOW), nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.all(self.windows(x))


def for_trace(network: nn.Module, mode: str, shapes: Shapes) -> tuple[PatchSpec, ...]:
    """V3's crop without its question, and the first means of a backbone summed up in two steps."""
    return (*_unasked_crop(network), *_mean_of_means(network, shapes))


def _unasked_crop(network: nn.Module) -> tuple[PatchSpec, ...]:
    """A patch for V3's official head: it asks whether a template has more than 4 cells, and each has 8.

    A trace warns of a question whose answer it cannot keep.
    """
    if not hasattr(network.ban_head, "crop"):
        return ()
    reason = "every template has 8x8 cells"
    return (PatchSpec(network.ban_head, "crop", lambda zf: zf[:, :, MIDDLE, MIDDLE], reason),)


def _mean_of_means(network: nn.Module, shapes: Shapes) -> tuple[PatchSpec, ...]:
    """A patch for the first squeeze-and-excitation, whose means are of 4,096 cells at a search size of 255.

    ncnn and onnxruntime sum them up one after the other, in float32: where a picture is flat the error is up to a
    hundred times that of all the rest. No patch for a size whose cells do not make whole windows, nor where there is no
    image.
    """
    sides = [-(-side // STRIDE) for shape in shapes if shape[1] == 3 for side in shape[2:]]
    if not sides or any(side % WINDOW for side in sides):
        return ()
    first = next(module for module in network.backbone.modules() if hasattr(module, "avg_pool"))
    return (PatchSpec(first, "avg_pool", MeanOfMeans(), "ncnn and onnxruntime sum up in turn"),)
