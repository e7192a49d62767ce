"""An export appears whole or not at all, in a target that may be replaced."""

import hashlib
import os
import tempfile
from pathlib import Path

import pytest
from golden_folder import HEADER
from place import Place, listing

from converter.errors import ConversionError, UsageError, VerificationError
from converter.folder import workspace
from converter.folder.golden_index import GoldenGraph, GoldenIndex
from converter.folder.listing import FileEntry, GeneratorEntry
from converter.folder.workspace import Workspace, check_target, foreign_files


@pytest.fixture
def place(tmp_path, monkeypatch):
    return Place(tmp_path, monkeypatch)


@pytest.fixture(params=["absent", "missing parents", "empty folder", "earlier export", "link to an earlier export"])
def target(request, place):
    if request.param == "missing parents":
        return place.folder / "some" / "where" / "out"
    if request.param == "empty folder":
        place.out.mkdir()
    elif request.param == "earlier export":
        place.write_old_export()
    elif request.param == "link to an earlier export":
        place.write_old_export(place.folder / "real")
        place.out.symlink_to("real")
    return place.out


@pytest.fixture(params=["file", "foreign file", "no export", "damaged manifest", "manifest of another"])
def refused_target(request, place):
    if request.param == "file":
        place.out.write_text("precious")
        return place.out
    place.write_old_export()
    if request.param == "foreign file":
        (place.out / "notes.txt").write_text("precious")
    elif request.param == "no export":
        (place.out / "manifest.json").unlink()
    elif request.param == "damaged manifest":
        (place.out / "manifest.json").write_text('{"generator": ')
    else:
        (place.out / "manifest.json").write_text('{"name": "web app", "icons": []}')
    return place.out


def test_export_appears_with_its_manifest_and_nothing_else(target, place):
    check_target(target)
    place.export(target)
    published = {path.name: path.read_bytes() for path in target.iterdir()}
    assert published.pop("manifest.json").decode() == listing(place.new).text()
    assert published == place.new
    assert place.litter() == []


def test_link_to_an_export_stays_a_link(place):
    place.write_old_export(place.folder / "real")
    place.out.symlink_to("real")
    place.export()
    assert place.out.is_symlink()
    assert (place.folder / "real" / "a.bin").read_bytes() == place.new["a.bin"]


def test_target_that_may_not_be_replaced_is_refused(refused_target):
    with pytest.raises(UsageError, match=r"^--output .*/out: (is a file|holds '.*', which no export wrote)"):
        check_target(refused_target)


def test_publishing_to_a_refused_target_leaves_it_untouched(refused_target, place):
    before = place.contents()
    with pytest.raises(UsageError, match=r"(is a file|which no export wrote; nothing was touched)"):
        place.export(refused_target)
    assert place.contents() == before
    assert place.litter() == []


def test_link_to_nothing_is_refused(place):
    place.out.symlink_to("nowhere")
    with pytest.raises(UsageError, match="a link to nothing"):
        check_target(place.out)


def test_target_under_a_file_is_refused(place):
    place.out.write_text("precious")
    with pytest.raises(UsageError, match="out is not a folder"):
        check_target(place.out / "deep" / "deeper")


def test_target_without_permission_is_refused(place, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != place.folder)
    with pytest.raises(UsageError, match="no permission to write"):
        check_target(place.folder / "some" / "where" / "out")


def test_foreign_files_are_those_that_no_manifest_lists(place):
    place.write_old_export()
    assert foreign_files(place.out) == []
    place.write(place.out, {"b.txt": b"", ".hidden": b""})
    assert foreign_files(place.out) == [".hidden", "b.txt"]


def test_without_a_manifest_every_file_is_foreign(place):
    place.write(place.out, place.new)
    assert foreign_files(place.out) == ["a.bin", "a.param"]


def raise_in_block(target, error):
    with Workspace(target) as workspace:
        (workspace.folder / "deep").mkdir()
        (workspace.folder / "deep" / "model.pt").write_bytes(b"")
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_block_that_raises_leaves_everything_as_it_was(target, place, error):
    before = place.contents()
    with pytest.raises(error):
        raise_in_block(target, error)
    assert place.contents() == before
    assert place.litter() == []


def publish(target, manifest, make_files):
    with Workspace(target) as workspace:
        workspace.publish(make_files(workspace.folder), manifest)


def test_a_file_that_is_not_the_one_listed_leaves_everything_as_it_was(target, place):
    before = place.contents()
    manifest = listing({**place.new, "a.bin": b"another"})
    with pytest.raises(VerificationError, match=r"a\.bin changed after it was verified; nothing was published"):
        publish(target, manifest, lambda folder: place.write(folder, place.new))
    assert place.contents() == before
    assert place.litter() == []


def test_a_copy_that_comes_out_different_leaves_everything_as_it_was(target, place, monkeypatch):
    before = place.contents()
    monkeypatch.setattr(workspace, "sha256", lambda path: "0" * 64)
    with pytest.raises(ConversionError, match=r"the copy of .* came out different"):
        publish(target, listing(place.new), lambda folder: place.write(folder, place.new))
    assert place.contents() == before
    assert place.litter() == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PermissionError(13, "Permission denied")])
def test_failure_after_the_first_file_leaves_everything_as_it_was(target, place, error):
    def files(folder):
        yield place.write(folder, place.new)[0]
        raise error

    before = place.contents()
    with pytest.raises(ConversionError, match=f"cannot publish to .*: {error.strerror}; what was there is as before"):
        publish(target, listing(place.new), files)
    assert place.contents() == before
    assert place.litter() == []


def test_missing_file_is_a_failed_conversion(place):
    with pytest.raises(ConversionError, match="No such file"):
        publish(place.out, listing(place.new), lambda folder: [("a.bin", folder / "a.bin")])
    assert place.contents() == {}


def test_target_that_meanwhile_got_a_foreign_file_is_refused(place):
    def files(folder):
        yield from place.write(folder, place.new)
        (place.out / "notes.txt").write_text("precious")

    place.write_old_export()
    before = place.contents()
    with pytest.raises(UsageError, match=r"notes\.txt"):
        publish(place.out, listing(place.new), files)
    assert place.contents() == {**before, place.out / "notes.txt": b"precious"}


def test_unusable_temporary_folder_is_a_failed_conversion(place, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(place.folder / "absent"))
    with pytest.raises(ConversionError, match="set TMPDIR"):
        place.export()
    assert place.contents() == {}


def golden_folder(place, name="golden"):
    """What a writer of golden vectors leaves: files in subfolders, and the index."""
    folder = place.folder / name
    (folder / "noise_0").mkdir(parents=True)
    (folder / "noise_0" / "z.bin").write_bytes(b"1234")
    index = GoldenIndex(
        schema_version=1,
        generator=GeneratorEntry(name="lighttrack-export"),
        **dict(HEADER),
        cases=[],
        graphs=[GoldenGraph(name="init", inputs=["z"], outputs=["zf"], intermediates=[])],
        tensors=[],
        files=[FileEntry(name="noise_0/z.bin", sha256=hashlib.sha256(b"1234").hexdigest(), bytes=4)],
    )
    (folder / "index.json").write_text(index.text())
    return folder, index


def test_golden_vectors_are_published_with_the_export_and_belong_to_it(place):
    source, index = golden_folder(place, "source")
    with Workspace(place.out) as workspace:
        files = place.write(workspace.folder, place.new)
        workspace.publish(files, listing(place.new), {"golden": (source, index)})
    assert (place.out / "golden" / "noise_0" / "z.bin").read_bytes() == b"1234"
    assert (place.out / "golden" / "index.json").read_text() == index.text()
    assert foreign_files(place.out) == []
    place.export()
    assert sorted(path.name for path in place.out.iterdir()) == ["a.bin", "a.param", "manifest.json"]


def test_golden_vectors_are_published_alone(place):
    source, index = golden_folder(place, "source")
    for _ in range(2):
        with Workspace(place.out, "index.json") as workspace:
            workspace.publish([("noise_0/z.bin", source / "noise_0" / "z.bin")], index)
    assert (place.out / "index.json").read_text() == index.text()
    assert foreign_files(place.out, "index.json") == []
    assert foreign_files(place.out) == ["index.json", "noise_0"]


@pytest.mark.parametrize("foreign", ["golden/notes.txt", "golden/noise_0/x.bin", "other/notes.txt", "golden/link"])
def test_a_foreign_file_in_a_subfolder_is_noticed(place, foreign):
    place.write_old_export()
    golden_folder(place, "out/golden")
    assert foreign_files(place.out) == []
    path = place.out / foreign
    path.parent.mkdir(exist_ok=True)
    if path.name == "link":
        path.symlink_to("noise_0")
    else:
        path.write_text("precious")
    assert foreign_files(place.out) == [foreign.partition("/")[0]]
    with pytest.raises(UsageError, match=r"--golden .*holds"):
        check_target(place.out, option="--golden")


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="no /sys here")
def test_a_place_in_which_no_folder_can_be_made_is_refused_before_the_work():
    with pytest.raises(UsageError, match=r"no(thing can be made in|permission to write to) /sys"):
        check_target(Path("/sys/models"))
