"""YAML from anybody: plain values or one line, at once."""

import time

import pytest

from converter.errors import UsageError
from converter.spec.config import network_for
from converter.spec.yaml_file import LARGEST_FILE, read_yaml


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "mine.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def bomb(levels=12):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    return "\n".join([*lines, *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels))])


def merge_bomb(levels=12):
    lines = ["a0: &a0 {k: 1}"]
    return "\n".join([*lines, *(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, levels))])


REFUSED = {
    "an alias bomb": (bomb(), "line 1: a4.", "more than 20000 values, aliases included"),
    "a bomb of merges": (merge_bomb(), "line 1: a", "more than 20000 values, aliases included"),
    "a cycle": ("a: &a [1, *a]", "line 1: a.1.1", "more than 20 lists and keys in each other"),
    "a cycle of keys": ("tensors: &a {z: *a}", "line 1: tensors.z.z", "more than 20 lists and keys in each other"),
    "deep lists": ("[" * 60_000, "", "more than 20 lists and keys in each other"),
    "deep keys": ("{a: " * 15_000, "", "more than 20 lists and keys in each other"),
    "deep dashes": ("- " * 30_000, "", "more than 20 lists and keys in each other"),
    "a date": ("search_size: 2020-01-02", "line 1: search_size", "is a timestamp, expected text, a number, yes or no"),
    "binary": ("path_name: !!binary aGVsbG8=", "line 1: path_name", "is a binary, expected text, a number"),
    "a set": ("archs: !!set {a, b}", "line 1: archs", "is a set, expected text, a number, yes or no, a list"),
    "an ordered map": ("tensors: !!omap [a: 1]", "line 1: tensors", "is a omap, expected text"),
    "pairs": ("tensors: !!pairs [a: 1]", "line 1: tensors", "is a pairs, expected text"),
    "a tag of Python": ("a: !!python/object/apply:os.system [ls]", "line 1: a", "is a python/object/apply:os.system"),
    "a tag of somebody": ("\n\na: !mine 5", "line 3: a", "is a !mine, expected"),
    "a list that is a map": ("a: !!map [1]", "line 1: a", "is a map, expected"),
    "no bool": ("one_size: !!bool maybe", "line 1: one_size", "'maybe' is no bool"),
    "no integer": ("a: !!int ''", "line 1: a", "'' is no int"),
    "no date": ("a: !!timestamp never", "line 1: a", "is a timestamp"),
    "NaN": (
        "tolerances: {fp32: {cls: {rtol: .nan}}}",
        "line 1: tolerances.fp32.cls.rtol",
        "is .nan, expected a finite",
    ),
    "infinity": ("tracker: {lr: -.inf}", "line 1: tracker.lr", "is -.inf, expected a finite number"),
    "a large float": ("tracker: {lr: 1.0e+999}", "line 1: tracker.lr", "expected a finite number"),
    "a large integer": (f"noise_feeds: {10**30}", "line 1: noise_feeds", "expected an integer of 64 bits"),
    "thousands of digits": (f"noise_feeds: {'9' * 9000}", "line 1: noise_feeds", "is no int"),
    "base sixty": (f"noise_feeds: {':'.join(['1'] * 20_000)}", "line 1: noise_feeds", "expected an integer of 64 bits"),
    "a key twice": ("search_size: 256\nsearch_size: 288", "line 2: search_size", "is there twice"),
    "a key twice, deep": ("tracker:\n  lr: 0.1\n  lr: 0.2", "line 3: tracker.lr", "is there twice"),
    "a number as a key": ("tracker: {5: 1}", "line 1: tracker", "key '5' is no text; quote it"),
    "a list as a key": ("tracker: {[a]: 1}", "line 1: tracker", "is no text"),
    "yes as a key": ("yes: 1", "line 1", "key 'yes' is no text"),
    "two documents": ("a: 1\n---\nb: 2", "line 2", "not YAML"),
    "NUL": ("a: \0", "", "not YAML"),
    "no UTF-8": (b"a: \xff", "", "byte 3 is not UTF-8"),
    "a large file": ("# " * LARGEST_FILE, "", f"has {2 * LARGEST_FILE} bytes, expected at most {LARGEST_FILE}"),
    "an alias to nothing": ("a: *b", "line 1", "undefined alias"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_config_holds_is_refused_with_its_key(write, name):
    text, key, problem = REFUSED[name]
    began = time.process_time()
    with pytest.raises(UsageError) as caught:
        network_for(None, write(text))
    message = str(caught.value)
    assert key in message
    assert problem in message
    assert "\n" not in message
    assert len(message) < 500
    assert time.process_time() - began < 5


def test_what_is_shared_is_taken(write):
    text = "a: &a {x: 1, y: [1.5, no, null, 0x10]}\nb: *a\nc: {<<: *a, x: 2}\nd: {<<: [{x: 3}, *a], z: 4}"
    first = {"x": 1, "y": [1.5, False, None, 16]}
    assert read_yaml(write(text)) == {"a": first, "b": first, "c": {**first, "x": 2}, "d": {**first, "x": 3, "z": 4}}


def test_as_yaml_reads_our_own(write):
    import yaml

    from converter.spec.config import config_folder

    paths = sorted(config_folder().rglob("*.yaml"))
    assert len(paths) > 3
    for path in paths:
        assert read_yaml(path) == yaml.safe_load(path.read_text())
