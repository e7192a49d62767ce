"""A wrong call says what the mistake is and what to do about it, in one line."""

import json
import shutil
from importlib.metadata import version

import pytest
import stark
import torch

from commands import lt_bench, lt_cpp, lt_export, lt_setup, lt_track, lt_verify
from conftest import TINY

NCNN = version("ncnn").rpartition(".")[2]  # the release
COMMANDS = {"lt-export": lt_export, "lt-verify": lt_verify, "lt-bench": lt_bench, "lt-track": lt_track}
COMMANDS |= {"lt-setup": lt_setup, "lt-cpp": lt_cpp}


@pytest.fixture(scope="module")
def place(tiny, tiny_both, stark_weights, tmp_path_factory):
    """Checkpoints, an export, its models without a manifest, and folders that are checkouts or none."""
    folder = tmp_path_factory.mktemp("messages")
    shutil.copy(tiny, folder / "tiny.pth")
    shutil.copy(stark_weights["rep_v2"], folder / "stark.pth")
    torch.save({"state_dict": {"backbone.weight": torch.zeros(1)}}, folder / "other.pth")
    shutil.copytree(tiny_both, folder / "exports/tiny")
    shutil.copytree(tiny_both, folder / "loose")
    (folder / "loose/manifest.json").unlink()
    for file in ("stark/lib/models/stark/stark_lightning_x_trt.py", "light/LightTrack/lib/models/models.py"):
        path = folder / file
        path.parent.mkdir(parents=True)
        path.touch()
    (folder / "nothing").mkdir()
    (folder / "key.yaml").write_text("tolerances: {fp32: {cls: {rtoll: 1.0e-3}}}\n")
    (folder / "family.yaml").write_text("family: lightrack\n")
    (folder / "split.yaml").write_text("splits: {two: [init, updat]}\n")
    return folder


EXPORT = f"lt-export tiny.pth --path-name {TINY} -o out"
LOOSE = f"lt-verify -r tiny.pth --path-name {TINY}"
NAMES = "--init loose/lighttrack_init.param --update loose/lighttrack_update.param"
ONNX = [f"loose/lighttrack_{graph}.onnx" for graph in ("init", "backbone", "neck_head")]

# the call, its exit code, what the line ends with
CALLS = [
    # near misses of names
    (f"{EXPORT} --arch LightTrackM_subnet", 2, "; did you mean 'LightTrackM_Subnet'?"),
    (f"{EXPORT} --arch stark", 2, "; did you mean 'STARK_Lightning'?"),
    (f"{EXPORT} --preset lighttrack-nccn", 2, "; did you mean 'lighttrack-ncnn'?"),
    (f"{EXPORT} --format onxn", 2, "; did you mean 'onnx'?"),
    (f"{EXPORT} --split tree", 2, "; did you mean 'three'?"),
    (f"{EXPORT} --runtime ncnn-arm", 2, "; did you mean 'ncnn-arm64'?"),
    (f"{EXPORT} --runtime ncnn-arm64 --arm-mode fp16x", 2, "; did you mean 'fp16'?"),
    (f"{EXPORT} --rename csl=score", 2, "; did you mean 'cls'?"),
    (f"{EXPORT} --rename updat:cls=score", 2, "; did you mean 'update:cls'?"),
    (f"{EXPORT} --rename output.1=cls", 2, "; did you mean cls=output.1?"),
    (f"{EXPORT} --config key.yaml", 2, "; did you mean 'rtol'?"),
    (f"{EXPORT} --config family.yaml", 2, "; did you mean 'lighttrack'?"),
    (f"{EXPORT} --config split.yaml", 2, "; did you mean 'update'?"),
    (f"{EXPORT} --resmue x", 2, "No such option: --resmue; did you mean --resume?"),
    (f"{EXPORT} --int8", 2, "No such option: --int8; see lt-export --help"),
    ("lt-export stark.pth --path-name rep_v3", 2, "; did you mean 'rep_v2'?"),
    (f"{LOOSE} {NAMES} --rename clss=cls", 2, "; did you mean 'cls'?"),
    (f"{LOOSE} {NAMES} --rename cls=clss", 2, "; did you mean 'cls'?"),
    (f"{LOOSE} {NAMES} --rename init:cls=cls", 2, "--rename init:cls=cls: no such input or output; init has z, zf"),
    (f"{LOOSE} {NAMES} --dumps exports", 2, "the device was given: --golden DIR, or in the export"),
    (f"{LOOSE} {NAMES} --dumps nowhere", 2, "--dumps nowhere: no such folder, expected a folder"),
    (f"{EXPORT} --junit report.txt", 2, "error: --junit report.txt: expected .xml; see lt-export --help"),
    (f"{LOOSE} {NAMES} --rename cls=output.1", 2, "; did you mean output.1=cls?"),
    ("lt-verify exports/tiny -r tiny.pth --runtime onnxruntim", 2, "; did you mean 'onnxruntime'?"),
    ("lt-verify exports/tiny -r tiny.pth --golden-from tourch", 2, "; did you mean 'torch'?"),
    ("lt-verify exports/tinny -r tiny.pth", 2, "; did you mean 'tiny'?"),
    ("lt-bench exports/tiny --precision fp23", 2, "; did you mean 'fp32'?"),
    # values and words in the wrong form or place
    (f"{EXPORT} --format onnx,ncnn", 2, "--format onnx,ncnn: pass --format onnx --format ncnn"),
    (f"{EXPORT} --format onnx ncnn", 2, "is repeated, as in --format onnx --format ncnn"),
    (f"{EXPORT} --half yes", 2, "error: --half takes no value; leave yes out"),
    (f"{EXPORT} –-half", 2, "–-half begins with '–', which is no hyphen; did you mean --half?"),
    (f"{EXPORT} -- --half", 2, "unexpected --half: expected one CHECKPOINT, and tiny.pth is it already; a value with "
        "blanks in it needs quotes"),
    ("lt-export tiny.pth stark.pth", 2, "unexpected stark.pth: expected one CHECKPOINT, and tiny.pth is it already"),
    ("lt-bench exports/tiny loose", 2, "measures folders that lt-export wrote; lt-export CHECKPOINT makes one"),
    (f"{EXPORT} --template-size 127 --template-size 128", 2, "and --template-size 128: expected one value, as "
        "--template-size is not repeatable"),
    (f"{EXPORT} --half --no-half", 2, "--half and --no-half contradict each other; pass one of them"),
    (f"{EXPORT} --preset=", 2, "--preset is empty, expected a value (was a variable not set?)"),
    (f"{EXPORT} --search-size 256px", 2, "; pass --search-size 256"),
    (f"{EXPORT} --atol -1", 2, "--atol -1: expected at least 0; see lt-export --help"),
    (f"{EXPORT} --rtol 1%", 2, "--rtol 1%: expected a number; see lt-export --help"),
    (f"{EXPORT} --opset eleven", 2, "--opset eleven: expected a whole number; see lt-export --help"),
    (f"{EXPORT} --clip x.mp4", 2, "No such option: --clip; it is an option of lt-verify, not of lt-export"),
    (f"{EXPORT} --oldest-ncnn 20991231", 2, f"{NCNN}, which cannot check it; pass {NCNN} or earlier, or leave it out"),
    (f"{EXPORT} --format onnx --oldest-ncnn 20210720", 2, "--oldest-ncnn is about ncnn models; add --format ncnn"),
    (f"{EXPORT} --masks", 2, "--masks: no graph of LightTrackM_Subnet takes a mask; leave it out"),
    ("lt-verify exports/tiny -r tiny.pth --preset rknn", 2, "--preset; it is an option of lt-export, not of lt-verify"),
    ("lt-verify exports/tiny -r tiny.pth --search-size 256 288", 2, "--search-size 256 288: --search-size takes one "
        "value"),
    ("lt-verify exports/tiny -r tiny.pth --box 1 2 3 4", 2, "--box 1 2: expected one word without blanks, X,Y,W,H"),
    ("lt-verify exports/tiny --golden exports", 2, "a folder that --golden or --write-golden wrote"),
    ("lt-track exports/tiny a.avi b.avi", 2, "unexpected b.avi: expected EXPORT VIDEO, and exports/tiny a.avi are they "
        "already; a value with blanks in it needs quotes"),
    ("lt-track exports/tiny a.avi --box 1 2 3 4", 2, "--box 1 2: expected one word without blanks, X,Y,W,H"),
    ("lt-track exports/tiny --frames 10 99 --box 1,2,3,4", 2, "camera 99: cannot be opened; is it there, and not used "
        "by another program?"),
    ("lt-track exports/tiny a.avi --clip b.avi", 2, "No such option: --clip; it is an option of lt-verify, not of "
        "lt-track"),
    ("lt-cpp exports/tiny", 2, "Missing option '--output' / '-o'; see lt-cpp --help"),
    ("lt-cpp -o out", 2, "; lt-cpp takes a folder that lt-export wrote; lt-export CHECKPOINT makes one"),
    ("lt-cpp loose -o out", 2, "; lt-cpp takes a folder that lt-export wrote; lt-export CHECKPOINT makes one"),
    ("lt-cpp tiny.pth -o out", 2, "lt-cpp takes a folder that lt-export wrote; lt-export CHECKPOINT makes one"),
    ("lt-cpp exports/tiny exports -o out", 2, "unexpected exports: expected one EXPORT, and exports/tiny is it already"
        ),
    ("lt-cpp exports/tiny -o exports", 2, "move it away or choose another folder"),
    ("lt-cpp exports/tiny -o out --clip b.avi", 2, "No such option: --clip; it is an option of lt-verify, not of "
        "lt-cpp"),
    ("lt-setup arm x", 2, "; a value with blanks in it needs quotes"),
    # which checkpoint
    ("lt-export tyni.pth", 3, "checkpoint tyni.pth: no such file, expected a file written by torch.save; did you mean "
        "tiny.pth?"),
    ("lt-verify exports/tiny -r tyni.pth", 3, "; did you mean tiny.pth?"),
    ("lt-bench exports/tiny -r exports/tiny", 3, "lt-verify verifies exports, lt-bench measures them"),
    ("lt-export https://example.org/x.pth", 3, "expected a file written by torch.save; download it first"),
    ("lt-export exports/tiny/manifest.json", 3, " is part of an export, expected the file that "
        "training wrote; lt-verify verifies exports, lt-bench measures them"),
    ("lt-export loose/lighttrack_init.bin", 3, "expected the file that training wrote; lt-verify verifies models"),
    ("lt-export", 2, "no checkpoint: pass the file that training wrote, lt-export CHECKPOINT"),
    ("lt-export tiny.pth -r stark.pth", 2, "tiny.pth and --resume stark.pth: expected one of them"),
    ("lt-export 288 -r tiny.pth --search-size 256", 2, "repeated, as in --search-size 256 --search-size 288"),
    ("lt-export tiny.pth --search-size 256 288", 2, "repeated, as in --search-size 256 --search-size 288"),
    ("lt-export exports/tiny", 3, "lt-verify verifies exports, lt-bench measures them"),
    ("lt-export loose/lighttrack_init.param", 3, "expected the file that training wrote; lt-verify verifies models"),
    ("lt-export other.pth", 3, "; these are no weights of LightTrackM_Subnet, NanoTrackV1, NanoTrackV2, NanoTrackV3 or "
        "STARK_Lightning"),
    ("lt-verify exports/tiny -r other.pth", 3, "; pass tiny.pth, which was exported"),
    # sizes
    (f"{EXPORT} --template-size 255", 3, "does not fit --template-size 255; its weights fit --template-size 127"),
    (f"{EXPORT} --search-size 288x288", 2, "crops are square, expected the length of one edge in pixels; pass "
        "--search-size 288"),
    (f"{EXPORT} --search-size 288x256", 2, "; pass one of the two"),
    (f"{EXPORT} --template-size 127/288", 2, "; pass --template-size 127 --search-size 288"),
    (f"{LOOSE} {NAMES} --search-size 288X288", 2, "; pass --search-size 288"),
    # presets of the other family
    ("lt-export stark.pth --preset lighttrack-ncnn", 2, "; it is not for STARK_Lightning: leave --preset out"),
    ("lt-export stark.pth --preset android-single", 2, "; it is not for STARK_Lightning: leave --preset out"),
    # sizes of which a preset set one
    (f"{EXPORT} --preset tensorrt --search-size 100", 2, "; --preset tensorrt sets the sizes, and an option beside it"
     " wins"),
    (f"{EXPORT} --search-size 100", 2, "; expected the larger crop, for example 288 beside 127"),
    ("lt-export stark.pth --preset rknn", 3, "; its weights fit --template-size 64 --search-size 128"),
    # checkouts
    (f"{EXPORT} --official stark", 2, "stark: is one of researchmm/Stark, expected one of researchmm/LightTrack; pass "
        "that, or leave --official out: our own definition gives the same answers"),
    (f"{EXPORT} --official light", 2, "; pass light/LightTrack"),
    (f"{EXPORT} --official light/LightTrack/lib", 2, "; pass light/LightTrack"),
    (f"{EXPORT} --official nothing", 2, "our own definition gives the same answers"),
    ("lt-verify exports/tiny -r tiny.pth --official nowhere", 2, "our own definition gives the same answers"),
    # ~ that no shell has seen
    (f"{EXPORT} --output=~/x", 2, "; write --output /home/me/x"),
    ("lt-export --resume=~/x.pth", 2, "; write --resume /home/me/x.pth"),
    ("lt-verify exports/tiny --report=~/x.md -r tiny.pth", 2, "; write --report /home/me/x.md"),
    ("lt-bench ~/x", 2, "; write /home/me/x"),
    # models and folders in each other's place
    ("lt-verify loose/lighttrack_init.onnx", 2, "loose/lighttrack_init.onnx is a single model: say which graph it is, "
        "--init loose/lighttrack_init.onnx or --update loose/lighttrack_init.onnx"),
    ("lt-verify loose/lighttrack_update.param loose/lighttrack_init.bin", 2, f"; these are single models: say which "
        f"graph each is, {NAMES}"),
    ("lt-verify exports/tiny/lighttrack_init.onnx", 2, "is part of an export: pass its folder, exports/tiny"),
    ("lt-verify tiny.pth", 2, "; a checkpoint is passed as --resume tiny.pth"),
    ("lt-verify loose -r tiny.pth", 2, "lighttrack_update.param: for models without one pass --init and --update"),
    ("lt-verify exports -r tiny.pth", 2, "; pass exports/tiny"),
    ("lt-bench loose", 2, "; lt-bench measures folders that lt-export wrote; lt-export CHECKPOINT makes one"),
    ("lt-bench loose/lighttrack_init.onnx", 2, "measures folders that lt-export wrote; lt-export CHECKPOINT makes one"),
    ("lt-track exports/tiny", 2, "; pass a video, a folder of pictures, a camera's number or an address: lt-track "
        "EXPORT VIDEO --box x,y,w,h"),
    ("lt-track loose a.avi --box 1,2,3,4", 2, "; lt-track tracks with folders that lt-export wrote; lt-export "
        "CHECKPOINT makes one"),
    ("lt-track tiny.pth a.avi --box 1,2,3,4", 2, "tracks with folders that lt-export wrote; lt-export CHECKPOINT makes "
        "one"),
    ("lt-bench", 2, "; lt-bench measures folders that lt-export wrote; lt-export CHECKPOINT makes one"),
    (f"{LOOSE} --init loose/lighttrack_update.param --update loose/lighttrack_init.param", 2, "has inputs zf, x and "
        f"outputs cls, reg, which init has not; the files fit {NAMES}"),
    (f"{LOOSE} --update loose/lighttrack_init.param", 2, "; the files fit --init loose/lighttrack_init.param"),
    (f"{LOOSE} --init {ONNX[1]} --backbone {ONNX[0]} --neck-head {ONNX[2]}", 2, f"; the files fit --init {ONNX[0]} "
        f"--backbone {ONNX[1]} --neck-head {ONNX[2]}"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "code", "ending"), CALLS, ids=[call[:70] for call, _, _ in CALLS])
def test_a_wrong_call_names_the_way_out(place, call, code, ending, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    program, *words = call.split()
    done = COMMANDS[program](*words, cwd=place)
    assert (done.code, done.out) == (code, ""), done.err
    assert done.error_line.endswith(ending)
    assert not (place / "out").exists()


def test_words_with_blanks(place):
    for words, ending in (
        (("",), "CHECKPOINT is empty, expected a value (was a variable not set?)"),
        (("tiny.pth", "--output", ""), "--output is empty, expected a value (was a variable not set?)"),
        (("tiny.pth --half",), "; did you mean tiny.pth?"),
        (
            ("tiny.pth", "x" * 5000),
            "xxx: expected one CHECKPOINT, and tiny.pth is it already; a value with blanks in it needs quotes",
        ),
        (("tiny.pth", "--search-size", "256 "), "; pass --search-size 256"),
    ):
        done = lt_export(*words, "--json", cwd=place)
        assert done.error_line.endswith(ending)
        assert json.loads(done.out)["error"]["exit_code"] == done.code


# wrong whatever the weights are; this file holds none
UNREAD = [
    ("--split tree", "did you mean 'three'?"),
    ("--search-size 5", "--search-size 5: expected at least 16"),
    ("--stride 3", "; pass --stride 16 or leave it out"),
    ("--opset 12", "--opset is about ONNX models; add --format onnx"),
    ("--rename cls", "expected OLD=NEW, for example cls=output.1 or init:zf=output.1"),
    ("--output unread.pth", "is a file, expected a folder to create or an earlier export"),
    ("--image nowhere.png", "--image nowhere.png: no such file"),
    ("--official nowhere", "our own definition gives the same answers"),
    ("--config key.yaml", "did you mean 'rtol'?"),
    ("--no-verify --golden g", "leave --no-verify out"),
]


@pytest.mark.parametrize(("words", "ending"), UNREAD, ids=[words for words, _ in UNREAD])
def test_what_is_wrong_for_every_network_is_refused_before_the_weights_are_read(place, words, ending):
    (place / "unread.pth").write_bytes(b"no weights")
    done = lt_export("unread.pth", *words.split(), cwd=place)
    assert (done.code, done.out) == (2, ""), done.err
    assert done.error_line.endswith(ending)
    assert lt_export("unread.pth", cwd=place).code == 3


def test_models_are_refused_before_the_weights_are_read(place):
    (place / "unread.pth").write_bytes(b"no weights")
    for words, ending in (
        ("--init nowhere.param", "--init nowhere.param: no such file"),
        (f"{NAMES} --box 1,2,3,4", "--box is about a clip: pass --clip too"),
        (f"{NAMES} --report x.pdf", "expected .html or .md"),
    ):
        done = lt_verify("-r", "unread.pth", *words.split(), cwd=place)
        assert done.code == 2
        assert done.error_line.endswith(ending)


def test_dumps_without_golden_vectors_are_refused_before_the_proof(place):
    for words in (f"{NAMES} --path-name {TINY}", "exports/tiny"):
        done = lt_verify("-r", "tiny.pth", *words.split(), "--dumps", "exports", cwd=place)
        assert done.code == 2
        assert "the device was given: --golden DIR" in done.error_line
        assert done.err == done.error_line + "\n"


def test_a_variable_that_names_another_checkout_is_named(place):
    done = lt_export("tiny.pth", "--path-name", TINY, cwd=place, LIGHTTRACK_ROOT=str(place / "stark"))
    assert done.code == 2
    assert f"official checkout {place / 'stark'} (from LIGHTTRACK_ROOT): is one of researchmm/Stark" in done.error_line
    assert "or unset LIGHTTRACK_ROOT:" in done.error_line


def test_a_folder_that_is_called_so_is_taken(tiny, tmp_path):
    (tmp_path / "~odd").mkdir()
    shutil.copy(tiny, tmp_path / "~odd/tiny.pth")
    done = lt_export("--resume=~odd/tiny.pth", "--path-name", TINY, "-o", "out", "-q", cwd=tmp_path)
    assert done.code == 0, done.err


@pytest.mark.parametrize("words", [("{}",), ("--resume", "{}"), ("-r", "{}"), ("{}", "--resume", "{}")], ids=" ".join)
def test_the_checkpoint_is_named_with_or_without_an_option(tiny, tmp_path, words):
    done = lt_export(*(word.format(tiny) for word in words), "--path-name", TINY, "-o", tmp_path / "out", "--no-verify")
    assert done.code == 0, done.err


def test_the_weights_say_which_family_they_are_of(place, stark_weights, tmp_path, monkeypatch):
    from converter.network import checkpoint

    reads, load = [], checkpoint._load
    monkeypatch.setattr(checkpoint, "_load", lambda path, *more: reads.append(path) or load(path, *more))
    sizes = ("--template-size", stark.SMALL["template_size"], "--search-size", stark.SMALL["search_size"])
    done = lt_export("stark.pth", *sizes, "-o", tmp_path / "out", cwd=place)
    assert done.code == 0, done.err
    assert "verified STARK_Lightning in " in done.out
    assert len(reads) == 1
    files = [word for name in ("init", "update") for word in (f"--{name}", tmp_path / f"out/stark_{name}.param")]
    done = lt_verify(*files, "--resume", place / "stark.pth", *sizes)
    assert done.code == 0, done.err
    assert "verified STARK_Lightning" in done.out
    assert len(reads) == 2


def test_weights_do_not_overrule_what_was_asked_for(place, tmp_path):
    for words in (("--arch", "LightTrackM_Subnet"), ("--config", tmp_path / "mine.yaml")):
        (tmp_path / "mine.yaml").write_text("archs: [LightTrackM_Subnet]\n")
        done = lt_export("stark.pth", *words, "-o", "out", cwd=place)
        assert done.code == 3
        assert "does not fit LightTrackM_Subnet" in done.error_line
        assert "the weights fit --arch STARK_Lightning --template-size 64 --search-size 128" in done.error_line
