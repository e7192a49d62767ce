"""A file or a folder appears whole or not at all."""

import os

import pytest

from converter.util.atomic import missing_parents, obstacle, put_in_place, remove_empty, replacing


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_old_folder_ends_up_in_the_drafts_place(tmp_path):
    draft, place = tmp_path / "draft", tmp_path / "place"
    for folder, name in ((place, "old"), (draft, "new")):
        folder.mkdir()
        (folder / name).write_text("")
    put_in_place(draft, place)
    assert (names(place), names(draft)) == (["new"], ["old"])


@pytest.mark.parametrize("before", [True, False])
def test_a_file_is_replaced(tmp_path, before):
    target = tmp_path / "a.csv"
    if before:
        target.write_text("old")
    with replacing(target) as draft:
        draft.write_text("new")
        assert draft.suffix == ".csv"
        assert target.exists() == before
    assert target.read_text() == "new"
    assert names(tmp_path) == ["a.csv"]


def test_a_folder_is_replaced(tmp_path):
    target = tmp_path / "pictures"
    target.mkdir()
    (target / "old").write_text("")
    with replacing(target) as draft:
        draft.mkdir()
        (draft / "new").write_text("")
    assert names(target) == ["new"]
    assert names(tmp_path) == ["pictures"]


def test_a_link_stays_one(tmp_path):
    (tmp_path / "link").symlink_to("real")
    with replacing(tmp_path / "link") as draft:
        draft.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


@pytest.mark.parametrize("written", [True, False])
def test_what_was_there_stays_when_the_block_fails(tmp_path, written):
    target = tmp_path / "a"
    target.write_text("old")

    with pytest.raises(OSError, match="full"), replacing(target) as draft:  # noqa: PT012 what the block does matters
        if written:
            draft.write_text("half")
        raise OSError("full")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_block_that_writes_nothing_replaces_nothing(tmp_path):
    (tmp_path / "a").write_text("old")
    with replacing(tmp_path / "a"):
        pass
    assert (tmp_path / "a").read_text() == "old"


def test_a_file_does_not_replace_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/own").write_text("")
    with pytest.raises(IsADirectoryError), replacing(tmp_path / "a") as draft:
        draft.write_text("new")
    assert names(tmp_path / "a") == ["own"]
    assert names(tmp_path) == ["a"]


def test_what_stands_in_the_way_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    assert obstacle(tmp_path / "a") is None
    assert obstacle(tmp_path / "no/a") == f"no folder {tmp_path / 'no'}; make it first"
    assert obstacle(tmp_path / "no/a", parents=True) is None
    assert obstacle(tmp_path / "file/a") == f"{tmp_path / 'file'} is not a folder"
    assert obstacle(tmp_path / "file/b/a", parents=True) == f"{tmp_path / 'file'} is not a folder"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert obstacle(tmp_path / "a") == f"no permission to write to {tmp_path}"


def test_what_is_tried_is_gone_when_a_signal_ends_the_run_just_then(tmp_path, monkeypatch):
    make = os.mkdir

    def interrupted(*words):
        make(*words)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt):
        obstacle(tmp_path / "a")
    assert names(tmp_path) == []


def test_folders_that_were_made_go_when_they_are_empty(tmp_path):
    target = tmp_path / "some/where/else/a"
    made = missing_parents(target)
    assert made == [tmp_path / "some/where/else", tmp_path / "some/where", tmp_path / "some"]
    target.parent.mkdir(parents=True)
    (tmp_path / "some/kept").write_text("")
    remove_empty(made)
    assert names(tmp_path / "some") == ["kept"]
