"""Output that cannot be written: the verdict stays, and the code says it."""

import json
import subprocess

import pytest
from clips import save_pictures
from loose_limits import save_limits

from commands import BENCH, CALIBRATE, CPP, EXPORT, MATRIX, QUANTIZE, SETUP, TRACK, VERIFY, command, environment
from conftest import TINY

STRICT = ("--rtol", "1e-12")
FULL = "cannot write to stdout: No space left on device"


def shell(line, module, *arguments, cwd=None, **extra):
    """A command of its own behind which the shell redirects."""
    words = ["sh", "-c", f'exec "$0" "$@" {line}', *command(*arguments, module=module)]
    return subprocess.run(words, env=environment(**extra), cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize(
    ("more", "code", "word"),
    [((), 0, "warning"), (STRICT, 1, "warning"), (("--json",), 4, "error"), (("--json", *STRICT), 1, "warning")],
)
def test_a_full_disk_under_stdout_changes_no_verdict(tiny, tiny_export, more, code, word):
    """Only where JSON was asked for has a run without it failed."""
    done = shell(">/dev/full", VERIFY, tiny_export, "--resume", tiny, *more)
    assert done.returncode == code, done.stderr
    assert done.stderr.splitlines()[-1] == f"lt-verify: {word}: {FULL}; the verdict stands"


@pytest.mark.parametrize("line", [">/dev/full 2>/dev/full", ">&- 2>&- <&-", "2>/dev/full"])
@pytest.mark.parametrize(("more", "code"), [((), 0), (STRICT, 1)])
def test_a_verdict_needs_nobody_who_reads_it(tiny, tiny_export, line, more, code):
    assert shell(line, VERIFY, tiny_export, "--resume", tiny, *more).returncode == code


@pytest.mark.parametrize("line", [">/dev/full 2>/dev/full", ">&- 2>&- <&-"])
def test_an_export_is_published_and_sound_where_nothing_can_be_printed(tiny, tmp_path, line):
    """No file of the export has got the number of a stream that was closed."""
    name = "a[/x] :smile: é"
    done = shell(
        line, EXPORT, "--resume", tiny, "--path-name", TINY, "-o", name, cwd=tmp_path, PYTHONIOENCODING="ascii"
    )
    assert done.returncode == 0
    proof = shell("", VERIFY, name, "--resume", tiny, "--json", cwd=tmp_path)
    assert proof.returncode == 0, proof.stderr
    assert json.loads(proof.stdout)


def test_a_path_is_no_markup(tiny, tmp_path, loud_picture):
    (tmp_path / "p[").mkdir()
    picture = tmp_path / "p[/bold].png"
    picture.write_bytes(loud_picture.read_bytes())
    words = ("--resume", tiny, "--path-name", TINY, "--rtol", "1", "--image", "p[/bold].png")
    done = shell("", EXPORT, *words, "-v", "-o", "a[/x]:smile:", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "a[/x]:smile:" in done.stderr
    assert done.stdout.startswith("verified LightTrackM_Subnet in a[/x]:smile:\n")
    assert "bold].png" in done.stdout


@pytest.mark.parametrize("word", ["--help", "--version", "--list-presets"])
def test_what_is_all_that_was_asked_for_has_to_be_written(word):
    done = shell(">/dev/full", EXPORT, word)
    assert (done.returncode, done.stderr) == (4, f"lt-export: error: {FULL}\n")
    assert shell(">&-", EXPORT, word).returncode == 0


@pytest.fixture
def others(tiny, tiny_export, tmp_path):
    """Program -> its module, and a command line that has work to do."""
    clip = save_pictures(tmp_path / "clip", ["0.png", "1.png", "2.png"])
    calibrate = ("--path-name", TINY, "--clip", clip, "--box", "40,30,20,16", "-o", tmp_path / "out")
    (tmp_path / "paths.txt").write_text(f"{TINY}\n")
    limits = ("--config", save_limits(tmp_path / "loose.yaml"), "--samples", 2, "--frames", 2)
    twice = (*calibrate[:-2], *calibrate[2:], *limits)
    return {
        "lt-track": (TRACK, (tiny_export, clip, "--box", "40,30,20,16", "--csv", tmp_path / "out.csv")),
        "lt-cpp": (CPP, (tiny_export, "-o", tmp_path / "out")),
        "lt-setup": (SETUP, ("--remove", "arm", "--folder", tmp_path / "out")),
        "lt-calibrate": (CALIBRATE, (tiny, *calibrate)),
        "lt-quantize": (QUANTIZE, (tiny, *twice)),
        "lt-matrix": (MATRIX, (tiny, "--paths", tmp_path / "paths.txt", "-o", tmp_path / "out")),
    }


@pytest.mark.parametrize("program", ["lt-track", "lt-cpp", "lt-setup", "lt-calibrate", "lt-matrix", "lt-quantize"])
def test_what_is_written_stays_where_nothing_can_be_printed(others, tmp_path, program):
    """All the same, who asked for JSON or for the figures has not got them."""
    module, words = others[program]
    for line, more, code in (
        (">/dev/full", ("--json",), 4),
        (">/dev/full", (), 4),
        ("2>/dev/full", (), 0),
        (">&- 2>&- <&-", (), 0),
        (">/dev/full 2>/dev/full", ("-q",), 0),
    ):
        done = shell(line, module, *words, *more, PYTHONIOENCODING="ascii")
        code = 0 if program == "lt-matrix" and not more else code  # a verdict, which stands
        assert done.returncode == code, (line, done.stderr)
        assert (tmp_path / "out").exists() == (program in ("lt-cpp", "lt-calibrate", "lt-matrix", "lt-quantize"))
        assert (tmp_path / "out.csv").exists() == (program == "lt-track")
        if code and "2>" not in line:
            proved = "; the verdict stands" if program == "lt-matrix" else ""
            assert done.stderr.splitlines()[-1] == f"{program}: error: {FULL}{proved}"


def test_what_was_measured_has_to_be_written(tiny_export):
    words = (tiny_export, "--rounds", 1, "--runs", 1, "--threads", 1, "--precision", "fp32", "-q")
    assert shell(">/dev/full", BENCH, *words, "--json").returncode == 4
    assert shell(">&- 2>&-", BENCH, *words).returncode == 0
