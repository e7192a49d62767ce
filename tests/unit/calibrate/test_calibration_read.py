"""A calibration set read back: whose it is, and that nothing but what was written is read."""

import json

import numpy as np
import pytest
from calibration_folder import SHAPES, make_calibration

from converter.calibrate.listing import MARKER
from converter.calibrate.read import read_calibration
from converter.errors import UsageError, VerificationError
from converter.folder.listing import CheckpointEntry
from converter.util.atomic import sha256


@pytest.mark.parametrize("layouts", [("npy", "raw"), ("raw",), ("ncnn", "npy")])
def test_what_was_written_is_read(tmp_path, layouts):
    listing = make_calibration(tmp_path, layouts=layouts)
    found = read_calibration(tmp_path)
    assert (found.listing, len(found)) == (listing, 2)
    found.check_files()
    (first, second), generator = list(found.feeds("update")), np.random.default_rng(0)
    drawn = [
        {name: generator.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()} for _ in "ab"
    ]
    assert list(first) == ["zf", "x"]
    for mine, expected in zip((first, second), drawn, strict=True):
        assert all(np.array_equal(mine[name], expected[name]) for name in mine)


def test_a_set_for_ncnn2table_alone_has_nothing_to_read(tmp_path):
    make_calibration(tmp_path, layouts=("ncnn",))
    found = read_calibration(tmp_path)
    with pytest.raises(UsageError, match=r"has the layout ncnn only, expected npy$"):
        next(found.feeds("init"))
    with pytest.raises(UsageError, match=r"no graph 'backbone' in it, expected one of init, update$"):
        next(found.feeds("backbone"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arch": "Other"}, "of another network: arch is Other, expected LightTrackM_Subnet"),
        ({"path_name": "p"}, "of another network: path_name is p, expected "),
        ({"template_size": 128}, "for templates of another size: template_size is 128, expected 127"),
        ({"checkpoint": CheckpointEntry(file="a.pth", sha256="1" * 64)}, "of other weights, whose features differ"),
        ({"graphs": ()}, "of other graphs: graphs are , expected init (z), update (zf, x)"),
    ],
)
def test_a_set_of_something_else_is_refused(tmp_path, change, words):
    listing = make_calibration(tmp_path)
    listing.check_fits(listing.model_copy(update={"samples": (), "files": (), "seed": 7}))
    with pytest.raises(UsageError) as refused:
        listing.model_copy(update=change).check_fits(listing)
    assert words in str(refused.value)
    assert str(refused.value).endswith("; make one with lt-calibrate")


def test_another_normalisation_is_refused_with_what_differs(tmp_path):
    listing = make_calibration(tmp_path)
    other = listing.preprocess.model_copy(update={"colour_order": "BGR"})
    with pytest.raises(UsageError, match=r"normalised otherwise: colour_order is 'BGR', expected 'RGB'"):
        listing.model_copy(update={"preprocess": other}).check_fits(listing)


def listed(folder, name, **changes):
    """Say something else of a file in the listing, or of the whole."""
    data = json.loads((folder / MARKER).read_text())
    for entry in data["files"]:
        if entry["name"] == name:
            entry.update(changes)
    (folder / MARKER).write_text(json.dumps(data))


def test_arrays_of_another_shape_or_kind_are_refused(tmp_path):
    make_calibration(tmp_path)
    path = tmp_path / "npy/x/001.npy"
    for array, words in (
        (np.zeros((1, 3, 16, 8), np.float32), "holds float32 (1, 3, 16, 8), expected float32 (1, 3, 16, 16)"),
        (np.zeros((1, 3, 16, 16), np.float64), "holds float64"),
        (np.array([{}], object), "holds object (1,), expected"),
        (np.zeros((1, 3, 16, 16), ">f4"), "holds >f4"),
        (np.asfortranarray(np.ones((1, 3, 16, 16), np.float32)), "in Fortran's order, expected C's"),
    ):
        np.save(path, array, allow_pickle=True)
        listed(tmp_path, "npy/x/001.npy", sha256=sha256(path), bytes=path.stat().st_size)
        for read in (lambda made: list(made.feeds("update")), lambda made: made.check_files()):
            with pytest.raises(VerificationError) as refused:
                read(read_calibration(tmp_path))
            assert words in str(refused.value)


@pytest.mark.parametrize(
    "words", ["(" * 5000, "(" * 100, "__import__('os').abort()", "{'descr': ", "[" * 9000, "\0", "1" * 9000, "{}", "b'"]
)
def test_a_header_is_no_program_and_no_escape(tmp_path, words):
    """NumPy reads it as words of Python."""
    make_calibration(tmp_path)
    path = tmp_path / "npy/x/001.npy"
    text = f"{words}\n".encode()
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    listed(tmp_path, "npy/x/001.npy", sha256=sha256(path), bytes=path.stat().st_size)
    with pytest.raises(VerificationError, match=r"001\.npy has no header of an array"):
        list(read_calibration(tmp_path).feeds("update"))


def test_samples_that_are_not_there_are_missed(tmp_path):
    listing = make_calibration(tmp_path)
    more = listing.model_copy(update={"samples": listing.samples * 2})
    (tmp_path / MARKER).write_text(more.text())
    with pytest.raises(VerificationError, match=r"npy/z/002\.npy is not listed"):
        read_calibration(tmp_path).check_files()


def test_a_header_that_promises_more_than_there_is_allocates_nothing(tmp_path):
    make_calibration(tmp_path)
    path = tmp_path / "npy/x/001.npy"
    for data, words in (
        (path.read_bytes()[:-4], "holds 3068 bytes of numbers, expected 3072"),
        (path.read_bytes().replace(b"(1, 3, 16, 16)", b"(1, 3, 16, 1<<40)"), "holds|Header|header"),
        (b"junk", "magic"),
    ):
        path.write_bytes(data)
        listed(tmp_path, "npy/x/001.npy", sha256=sha256(path), bytes=len(data))
        with pytest.raises(VerificationError, match=words):
            list(read_calibration(tmp_path).feeds("update"))


def test_changed_missing_and_foreign_files_are_refused(tmp_path):
    make_calibration(tmp_path)
    path = tmp_path / "raw/z/000.bin"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"\1")
    with pytest.raises(
        VerificationError, match=r"000.bin was changed since it was written: its sha256 is another; make"
    ):
        read_calibration(tmp_path).check_files()
    path.unlink()
    with pytest.raises(VerificationError, match="cannot be read: No such file"):
        read_calibration(tmp_path).check_files()
    outside = tmp_path.parent / f"{tmp_path.name}.bin"
    outside.write_bytes(data)
    path.symlink_to(outside)
    with pytest.raises(VerificationError, match="a link that leads out of the folder"):
        read_calibration(tmp_path).check_files()


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("{", UsageError, "calibration.json is damaged"),
        ("{}", UsageError, "is not of lt-calibrate"),
        ('{"generator": {"name": "lighttrack-export"}, "schema_version": 2}', UsageError, "schema_version is 2"),
        ('{"generator": {"name": "lighttrack-export"}, "schema_version": 1}', VerificationError, "is damaged: arch"),
    ],
)
def test_other_listings_are_refused(tmp_path, text, error, words):
    (tmp_path / MARKER).write_text(text)
    with pytest.raises(error, match=words):
        read_calibration(tmp_path)
