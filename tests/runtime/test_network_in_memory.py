"""A network in memory is exported without a checkpoint, and stays as it is."""

import hashlib
import json

import onnx
import pytest
import torch
from lighttrack import FAMILY, own

from commands import lt_bench, lt_verify
from conftest import TINY, contents
from converter.api import export, verify
from converter.errors import ArchitectureError, CheckpointError, UsageError, VerificationError
from converter.network.memory import copied, state_sha256

ARGUMENTS = {"path_name": TINY}


@pytest.fixture
def network(tiny):
    """In the middle of its training: gradients, hooks, and what the last step left on it."""
    network = own(TINY, 127)
    network.load_state_dict(torch.load(tiny)["state_dict"])
    network.train()
    network.features.eval()  # as where a backbone is frozen
    network.template(torch.randn(2, 3, 127, 127))
    sum(output.mean() for output in network.track(torch.randn(2, 3, 288, 288))).backward()
    assert network.zf.grad_fn is not None
    network.load_state_dict(torch.load(tiny)["state_dict"])  # the steps above moved running means
    next(network.head.parameters()).requires_grad_(False)
    network.head.register_forward_hook(lambda *_: pytest.fail("a hook of the training was called"))
    return network


def condition(network):
    """Everything that an export could change."""
    return (
        {key: (tensor.data_ptr(), tensor._version, tensor.dtype) for key, tensor in network.state_dict().items()},
        {name: module.training for name, module in network.named_modules()},
        {name: (each.requires_grad, id(each.grad)) for name, each in network.named_parameters()},
        {name: sorted(vars(module)) for name, module in network.named_modules()},
        {name: [len(v) for k, v in vars(module).items() if "_hooks" in k] for name, module in network.named_modules()},
        id(network.zf),
        torch.random.get_rng_state().tolist(),
        (torch.get_num_threads(), torch.is_grad_enabled()),
    )


@pytest.fixture(scope="module")
def in_memory(tiny, tmp_path_factory):
    """An export of a network in memory; copy it before changing it."""
    folder = tmp_path_factory.mktemp("memory") / "export"
    network = own(TINY, 127)
    network.load_state_dict(torch.load(tiny)["state_dict"])
    export(network, folder, formats=["ncnn", "onnx"], golden=folder / "golden", **ARGUMENTS)
    return folder


@pytest.mark.parametrize("wrapped", [lambda network: network, torch.nn.DataParallel], ids=["bare", "DataParallel"])
def test_the_models_are_those_of_a_checkpoint_and_the_network_is_as_before(network, wrapped, tiny_export, tmp_path):
    before, weights = condition(network), state_sha256(network.state_dict())
    exported = export(wrapped(network), tmp_path / "export", **ARGUMENTS)
    assert condition(network) == before
    assert state_sha256(network.state_dict()) == weights
    assert exported
    assert 0 < exported.max_of_range < 1e-4
    ours, theirs = contents(tmp_path / "export"), contents(tiny_export)
    for name in ("lighttrack_init.bin", "lighttrack_update.bin", "lighttrack_init.param", "lighttrack_update.param"):
        assert ours[name] == theirs[name]
    manifest = json.loads(ours["manifest.json"])
    assert manifest["checkpoint"] == {"file": None, "sha256": weights, "epoch": None}
    assert manifest["network"] == "network in memory"
    assert manifest["path_name"] == TINY


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"atol": 0.0, "rtol": 1e-12}, VerificationError),
        ({"path_name": TINY[:-1] + "1"}, CheckpointError),
        ({"template_size": 255, "search_size": 128}, UsageError),
    ],
)
def test_the_network_is_as_before_when_the_export_fails(network, more, error, tmp_path):
    before = condition(network)
    with pytest.raises(error):
        export(network, tmp_path / "export", **{**ARGUMENTS, **more})
    assert condition(network) == before
    assert list(tmp_path.iterdir()) == []


def test_the_digest_is_as_the_page_says(tiny):
    state = {"b": torch.tensor(3), "a": torch.arange(6.0).reshape(2, 3).T, "c": torch.ones(2, dtype=torch.bfloat16)}
    text = b"a\0float32\x003,2\0" + state["a"].contiguous().numpy().tobytes()
    text += b"b\0int64\0\0" + (3).to_bytes(8, "little") + b"c\0bfloat16\x002\0" + b"\x80\x3f\x80\x3f"
    assert state_sha256(state) == hashlib.sha256(text).hexdigest()
    assert state_sha256(dict(reversed(state.items()))) == state_sha256(state)


def test_lt_verify_and_lt_bench_know_the_weights_again(in_memory, tiny, seeded, tmp_path):
    state = torch.load(tiny)["state_dict"]
    torch.save({"net": {f"module.{key}": tensor for key, tensor in state.items()}}, tmp_path / "later.pth")
    done = lt_verify(in_memory, "--resume", tmp_path / "later.pth", "--report", tmp_path / "report.html")
    assert done.code == 0, done.err
    assert "sha256 differs" not in done.err
    assert "a network in memory" in (tmp_path / "report.html").read_text()
    done = lt_bench(in_memory, "--resume", tmp_path / "later.pth", "--rounds", 1, "--runs", 1, "--threads", 1)
    assert done.code == 0, done.err
    assert "sha256" not in done.err


def test_its_golden_vectors_and_lone_files_say_where_it_is_from(in_memory):
    result = verify(in_memory)
    assert result
    assert result.reference.startswith(f"golden vectors in {in_memory / 'golden'}: the network in memory, unpatched")
    assert result.weights.file is None
    model = onnx.load(in_memory / "lighttrack_init.onnx", load_external_data=False)
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert (said["checkpoint"], said["checkpoint_sha256"]) == ("a network in memory", result.weights.sha256)


def test_other_weights_are_noticed(in_memory, tiny, tmp_path):
    state = torch.load(tiny)["state_dict"]
    key = next(key for key in state if key.endswith("running_mean"))
    state[key] += 1e-7
    torch.save(state, tmp_path / "other.pth")
    done = lt_verify(in_memory, "--resume", tmp_path / "other.pth")
    assert "is not the network that was exported from memory: its sha256 differs" in " ".join(done.err.split())


def test_a_network_in_memory_is_a_reference(network, tiny_export):
    before = condition(network)
    result = verify(tiny_export, network)
    assert result
    assert result.reference == "the network in memory, unpatched template() and track(), torch on the CPU"
    assert condition(network) == before
    with torch.no_grad():
        for parameter in network.head.parameters():
            parameter.mul_(1.05)
    failed = verify(tiny_export, network)
    assert not failed
    with pytest.raises(VerificationError, match="verification failed in") as caught:
        failed.raise_if_failed()
    assert caught.value.result is failed


class Stranger(torch.nn.Module):
    """The weights of the network, and none of its methods."""

    def __init__(self, network):
        super().__init__()
        for name, child in network.named_children():
            self.add_module(name, child)


def test_what_is_no_such_network_is_refused(network, tmp_path):
    for given, error, message in (
        (network.state_dict(), CheckpointError, r"is a OrderedDict, expected the path of a file or a torch.nn.Module"),
        (torch.nn.Conv2d(3, 3, 3), CheckpointError, r"the network in memory does not fit LightTrackM_Subnet with path"),
        (Stranger(network), ArchitectureError, r"the network in memory: Stranger has no 'template', expected"),
        (FAMILY.build(TINY, 127, 288), CheckpointError, r"is on the meta device, expected a tensor with values"),
    ):
        with pytest.raises(error, match=message):
            export(given, tmp_path / "export", **ARGUMENTS)
    assert list(tmp_path.iterdir()) == []


def test_a_checkout_beside_a_network_in_memory_is_refused(network, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"--official .*: the network in memory is built already; leave it out"):
        export(network, tmp_path / "export", official=tmp_path, **ARGUMENTS)
    monkeypatch.setenv("LIGHTTRACK_ROOT", str(tmp_path / "nowhere"))
    assert export(network, tmp_path / "export", **ARGUMENTS)


def test_halves_in_another_order_are_copied_as_float32_and_known_as_they_are(network):
    half = own(TINY, 127)
    half.load_state_dict(network.state_dict())
    half.to(torch.bfloat16, memory_format=torch.channels_last)
    module, checkpoint = copied(half)
    assert {(each.dtype, each.is_contiguous()) for each in module.parameters()} == {(torch.float32, True)}
    assert {each.dtype for each in half.parameters()} == {torch.bfloat16}
    assert checkpoint.sha256 == state_sha256(half.state_dict())
