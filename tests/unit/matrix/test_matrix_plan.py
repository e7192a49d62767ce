"""Plans of a matrix: what they combine, and everything that is wrong with one at once."""

import pytest

from converter.errors import UsageError
from converter.matrix.cells import Cell
from converter.matrix.plan import plan_of, read_plan, refused

PATH = "back_00000000000000000000+cls_002222222+reg_012222222_ops_10"
OTHER = PATH.replace("ops_10", "ops_11")


@pytest.fixture
def folder(tmp_path):
    for name in ("a.pth", "b.pth"):
        (tmp_path / name).write_bytes(b"weights")
    return tmp_path


def written(folder, text):
    path = folder / "plan.yaml"
    path.write_text(text)
    return read_plan(path)


def test_every_combination_is_a_cell(folder):
    plan = written(
        folder,
        f"checkpoints: [a.pth, b.pth]\npath_names: [{PATH}, {OTHER}, {PATH}]\nformats: [ncnn, onnx]\n"
        "sizes: [127/288]\nprecisions: [fp32, half]\nbench: yes\n",
    )
    assert not plan.mistakes
    assert plan.bench
    assert len(plan.cells) == len(set(plan.cells)) == 2 * 2 * 2 * 1 * 2
    assert plan.cells[0] == Cell(folder / "a.pth", PATH, "ncnn", (127, 288), None, "fp32")
    assert plan.cells[-1] == Cell(folder / "b.pth", OTHER, "onnx", (127, 288), None, "half")


def test_what_a_plan_does_not_say_is_left_to_the_export(folder):
    assert written(folder, "checkpoints: a.pth\n").cells == (Cell(folder / "a.pth"),)


def test_paths_and_what_the_search_measured_come_from_its_files(folder):
    (folder / "paths.txt").write_text(f"# found\n{PATH}\n\n{OTHER}\n{PATH}\n")
    (folder / "paths_metric.txt").write_text(f"{PATH}\t0.6123\n")
    plan = written(folder, "checkpoints: a.pth\npaths: paths.txt\n")
    assert [cell.path_name for cell in plan.cells] == [PATH, OTHER]
    assert plan.overlaps == {PATH: 0.6123}


def test_all_mistakes_are_named_at_once(folder, caplog):
    (folder / "paths_metric.txt").write_text(f"{PATH}\t61 %\n")
    (folder / "paths.txt").write_text(PATH)
    (folder / "empty.txt").write_text("# nothing\n")
    plan = written(
        folder,
        "checkpoints: [a.pth, missing.pth]\nformat: ncnn\nformats: [ncn]\nsizes: [127x288, 127/99999]\n"
        "presets: [rkn]\nprecisions: [int4, 7]\npaths: [none.txt, empty.txt, paths.txt]\nbench: maybe\n",
    )
    expected = [
        "unknown key 'format'; did you mean 'formats'?",
        "missing.pth: no such file",
        "formats: ",
        "sizes: '127x288', expected template/search",
        "sizes: '127/99999', expected template/search",
        "presets: --preset rkn: unknown",
        "precisions: expected text, or a list of texts, found 7",
        "precisions: --precision int4: expected fp32 or half",
        "none.txt: no such file",
        "empty.txt: no path name in it",
        "paths_metric.txt, line 1: ",
        "bench: expected yes or no, found 'maybe'",
    ]
    with pytest.raises(UsageError, match="12 mistakes, each in a line above; nothing was begun") as refusal:
        refused(plan)
    lines = refusal.value.result.as_dict()["mistakes"]
    assert len(lines) == len(expected)
    for words in expected:
        assert any(words in line for line in lines), words
        assert words in caplog.text


def test_a_plan_without_checkpoints_and_one_of_too_many_cells(folder):
    assert plan_of("plan", {}).mistakes == ("checkpoints: is missing, expected one or more files",)
    sizes = [f"{template}/{search}" for template in range(100, 250) for search in range(100, 300)]
    plan = plan_of("plan", {"checkpoints": ["a.pth"], "sizes": sizes}, folder)
    assert plan.mistakes == ("30,000 cells, expected at most 20,000",)


def test_of_very_many_mistakes_the_first_are_shown(folder, caplog):
    (folder / "many.txt").write_text(f"{PATH}\n")
    (folder / "many_metric.txt").write_text("wrong\n" * 500)
    words = [f"x{number}" for number in range(100)]
    plan = plan_of("plan", {"checkpoints": ["a.pth"], "paths": "many.txt", "sizes": words}, folder)
    assert sum("many_metric.txt, line" in mistake for mistake in plan.mistakes) == 10
    assert any(mistake.endswith("many_metric.txt: 490 more lines like these") for mistake in plan.mistakes)
    with pytest.raises(UsageError, match="111 mistakes, the first 50 in the lines above") as found:
        refused(plan)
    assert len(caplog.records) == 50
    assert len(found.value.result.lines) == 111


def test_a_home_of_nobody_is_the_name_of_a_file(folder):
    (checkpoint,) = plan_of("plan", {"checkpoints": ["~nobody-here/a.pth"]}, folder).mistakes
    assert "~nobody-here/a.pth: no such file" in checkpoint


def test_a_cells_key_is_of_the_request_and_the_weights_not_of_where_they_lie(folder):
    cell = Cell(folder / "a.pth", PATH)
    assert cell.key("1") == Cell(folder / "b.pth", PATH).key("1")
    others = {cell.key("2"), Cell(folder / "a.pth", OTHER).key("1"), Cell(folder / "a.pth", PATH, "ncnn").key("1")}
    assert len({cell.key("1"), *others}) == 4
