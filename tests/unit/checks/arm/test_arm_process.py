"""An emulated process that crashes, hangs, talks nonsense or is none becomes one clear failure, and none is left."""

import io
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from arm_root import hand_made, script

from converter.checks.arm.process import ArmProcess
from converter.checks.arm.root import read_root
from converter.checks.device.guest import MAGIC, read_message, write_message
from converter.errors import ConversionError, UsageError

STARTS = "receive(); answer(**HELLO)"


@pytest.fixture
def process(tmp_path):
    """Makes a process out of the code of an emulator."""
    made = []

    def make(code, timeout=20.0, cpu="max"):
        root = read_root(hand_made(tmp_path / f"root{len(made)}", script(code)))
        made.append(ArmProcess(root, cpu, {"use_fp16_storage": True}, "emulated aarch64 fp16", timeout))
        return made[-1]

    yield make
    for process in made:
        process.stop()


def test_messages_come_back_as_they_were_sent():
    stream = io.BytesIO()
    arrays = {"zf": np.arange(6, dtype=np.float32).reshape(1, 2, 3), "none": np.zeros((0, 4), np.float32)}
    arrays["odd"] = np.float32([np.nan, np.inf, -np.inf, 1e-45])
    write_message(stream, {"call": "infer", "names": ["ä"]}, arrays)
    write_message(stream, {"call": "next"})
    stream.seek(0)
    header, found = read_message(stream)
    assert header == {"call": "infer", "names": ["ä"]}
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == np.float32
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
    assert read_message(stream) == ({"call": "next"}, {})
    with pytest.raises(EOFError):
        read_message(stream)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"Traceback (most recent call last)", r"^b'Traceback \(m' where a message should begin$"),
        (MAGIC + struct.pack("<I", 1 << 31), "^a header of 2147483648 bytes$"),
        (MAGIC + struct.pack("<I", 2) + b"no", "^Expecting value: line 1 column 1"),
        (MAGIC + struct.pack("<I", 2) + b"[]", "^a header that is no object$"),
        *(
            (MAGIC + struct.pack("<I", len(text)) + text, rf"^an array of shape \[{size}\]$")
            for size in (-1, 1073741824)
            for text in (b'{"arrays": [["a", [%d]]]}' % size,)
        ),
    ],
)
def test_what_is_no_message_is_refused(data, words):
    with pytest.raises(ValueError, match=words):
        read_message(io.BytesIO(data))


@pytest.mark.parametrize("cut", [3, 11, 20, -1])
def test_a_message_that_breaks_off_is_an_end(cut):
    stream = io.BytesIO()
    write_message(stream, {"call": "infer"}, {"a": np.zeros(8, np.float32)})
    with pytest.raises(EOFError):
        read_message(io.BytesIO(stream.getvalue()[:cut]))


def test_calls_are_answered_and_refusals_are_errors(process):
    one = process(
        f"{STARTS}\nprint(receive()[0], file=sys.stderr)\nanswer(found=3)\nreceive()\nanswer(error='no such model')"
    )
    assert one.start()["ncnn"] == "1.0.20261020"
    assert one.call("load", name="a") == ({"found": 3}, {})
    with pytest.raises(ConversionError, match=r"^emulated aarch64 fp16: no such model$"):
        one.call("load", name="b")


def test_the_emulator_gets_the_cpu_the_options_and_nothing_of_our_environment(process, monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("QEMU_STRACE", "1")
    one = process("import os, sys\nreceive(); answer(**HELLO, env=dict(os.environ), words=sys.argv)", cpu="cortex-a76")
    hello = one.start()
    assert hello["env"]["QEMU_CPU"] == "cortex-a76"
    assert hello["env"]["PYTHONHOME"] == str(one.root.system / "usr")
    assert not {"LD_PRELOAD", "QEMU_STRACE", "PATH", "HOME"} & hello["env"].keys()
    *_, parent, options = hello["words"]
    assert parent == str(os.getpid())
    assert json.loads(options) == {"use_fp16_storage": True}
    assert hello["words"][1:4] == ["-L", str(one.root.system), str(one.root.python)]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("receive(); sys.exit(3)", r"call: the emulated process ended with code 3$"),
        (
            "receive(); print('one', 'two\\n\\nlast words', sep='\\n', file=sys.stderr); sys.exit(3)",
            r"ended with code 3; it said: two \| last words$",
        ),
        ("receive(); import os; os.kill(os.getpid(), 11)", r"call: the emulated process crashed with SIGSEGV$"),
        (
            "receive(); print('hello, this is ncnn', flush=True); import time; time.sleep(30)",
            r"answered call with garbage",
        ),
        ("receive(); sys.stdout.buffer.write(b'x' * 100000); sys.stdout.flush()", r"answered call with garbage"),
        ("receive(); raw(b'{\"arrays\": 7}')", r"answered call with garbage"),
        ("receive(); raw(b'{\"found\": 7}')", r"answered call with garbage"),
        ("sys.stdout.close(); import os; os.close(1); import time; time.sleep(30)", r"stopped answering"),
    ],
)
def test_an_emulator_that_misbehaves_is_one_failure_and_stays_so(process, code, words):
    one = process(f"{STARTS}\n{code}")
    one.start()
    child = one._child.process
    for _ in range(2):
        with pytest.raises(ConversionError, match=rf"^emulated aarch64 fp16: .*{words}"):
            one.call("call")
        assert child.returncode is not None


def test_a_hang_is_ended_in_time(process):
    one = process(f"{STARTS}\nimport time; time.sleep(60)", timeout=1.5)
    one.start()
    start = time.perf_counter()
    with pytest.raises(ConversionError, match=r"infer took longer than 1\.5 s and was ended"):
        one.call("infer", {"x": np.zeros((64, 64, 1024), np.float32)})  # more than a pipe holds: writing hangs too
    assert time.perf_counter() - start < 10


def test_what_runs_on_another_machine_is_refused(process):
    with pytest.raises(ConversionError, match=r"it runs on 'x86_64', expected 'aarch64'"):
        process("receive(); answer(**{**HELLO, 'machine': 'x86_64'})").start()


def test_an_unknown_cpu_is_named(process):
    code = "print(\"qemu-aarch64-static: unable to find CPU model 'z80'\", file=sys.stderr); sys.exit(1)"
    with pytest.raises(UsageError, match=r"--arm-cpu z80: qemu knows no such cpu"):
        process(code, cpu="z80").start()


def test_an_emulator_that_is_no_program_is_named(tmp_path):
    root = read_root(hand_made(tmp_path / "root", "\x7fELF nothing that this machine runs"))
    with pytest.raises(ConversionError, match=r"qemu-aarch64-static does not start: "):
        ArmProcess(root, "max", {}, "emulated aarch64").start()


def test_stop_leaves_no_process_and_can_be_repeated(process):
    one = process(f"{STARTS}\nimport time; time.sleep(60)")
    one.start()
    child = one._child.process
    one.stop()
    assert child.returncode == -signal.SIGKILL
    one.stop()
    with pytest.raises(ConversionError, match="was not started"):
        one.call("hello")


def test_a_process_outlives_the_thread_that_started_it(process):
    # the guest asks the kernel to end it with its parent, and for the kernel that is a thread
    code = "from converter.checks.device.guest import end_with\nend_with(int(sys.argv[-2]))\n"
    one = process(f"{code}{STARTS}\nreceive(); answer(alive=True)")
    thread = threading.Thread(target=one.start)
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert one.call("call") == ({"alive": True}, {})


def test_killing_us_ends_the_emulator(tmp_path):
    code = "from converter.checks.device.guest import end_with\nend_with(int(sys.argv[-2]))\n"
    hand_made(tmp_path / "root", script(f"{code}{STARTS}\nimport time; time.sleep(60)"))
    parent = (
        "import sys, time; from pathlib import Path\n"
        "from converter.checks.arm.process import ArmProcess; from converter.checks.arm.root import read_root\n"
        "one = ArmProcess(read_root(Path(sys.argv[1])), 'max', {}, 'a'); one.start()\n"
        "print(one._child.process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent, str(tmp_path / "root")], stdout=subprocess.PIPE) as us:
        child = int(us.stdout.readline())
        os.kill(child, 0)
        us.kill()
    for _ in range(50):
        if not alive(child):
            break
        time.sleep(0.1)
    assert not alive(child)


def alive(process):
    try:
        with open(f"/proc/{process}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_guest_whose_parent_is_gone_ends_at_once():
    code = "from converter.checks.device.guest import end_with; end_with(1); print('still here')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
