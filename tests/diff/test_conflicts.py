"""Conflicts stand in the cells that they are in, between git's markers, in a notebook that is valid and opens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.diff.conflicts import KEPT_BACK, Mark, Marks, Shown, markers_in, merge_shown
from nbpr.diff.merge import merge
from nbpr.diff.operations import same
from nbpr.notebooks import notebook
from nbpr.notebooks.clean import clean
from nbpr.notebooks.notebook import quick_imports
from tests.diff.scripts import book, code, edited, markdown, notebooks, stream
from tests.diff.test_merge import read

LOAD = "import csv\nrows = load(path)\nthreshold = 0.95\nwindow = 7\nplot(rows)"


def valid(shown: Shown) -> None:
    """Valid by nbformat's own schema, ids unique, and read again from its bytes."""
    quick_imports()
    import nbformat

    found = notebook.parse(shown.notebook.to_bytes(), "a.ipynb")
    data = found.as_json()
    if "kernelspec" in found.metadata:  # the scripts' own is shorter than the schema wants it
        data["metadata"] = {**found.metadata, "kernelspec": {"display_name": "", **found.metadata["kernelspec"]}}
    nbformat.validate(nbformat.from_dict(data))
    if found.has_ids:
        names = [cell.id for cell in found.cells]
        assert None not in names
        assert len(set(names)) == len(names)


def shown(base: dict[str, Any] | None, ours: dict[str, Any], theirs: dict[str, Any], **marks: Any) -> Shown:
    result = merge_shown(None if base is None else read(base), read(ours), read(theirs), Marks(**marks))
    valid(result)
    return result


def source(result: Shown, index: int = 0) -> str:
    return result.notebook.cells[index].source


def loads(old: str, new: str) -> dict[str, Any]:
    return book(code(LOAD.replace(old, new), "a"), markdown("see", "b"))


BASE = loads("", "")


# -- laws --------------------------------------------------------------------------------------------------------


@given(st.data())
def test_whatever_both_sides_did_the_result_is_valid_and_holds_every_line_of_both(data: st.DataObject) -> None:
    base = data.draw(notebooks())
    ours, theirs = data.draw(edited(base, "o")), data.draw(edited(base, "t"))
    result = shown(base, ours, theirs, style=data.draw(st.sampled_from(["merge", "diff3", "zdiff3"])))
    plain = merge(read(base), read(theirs), read(ours))
    assert bool(result.conflicts) == bool(plain.conflicts)
    if not result.conflicts:
        assert result.notebook.to_bytes() == plain.notebook.to_bytes()
        assert not markers_in(result.notebook)
        return
    told = {conflict.index for conflict in plain.conflicts}
    assert {mark.index for mark in markers_in(result.notebook)} == told
    for conflict in plain.conflicts:
        if conflict.index is not None:
            held = set(source(result, conflict.index).split("\n"))
            lines = set(conflict.base.source.split("\n")) if conflict.base else set()
            for side in (conflict.ours, conflict.theirs):
                assert side is None or set(side.source.split("\n")) - lines <= held
    # Cells without a conflict are those of the merge.
    for index, (one, other) in enumerate(zip(result.notebook.cells, plain.notebook.cells, strict=True)):
        assert one.id == other.id
        assert index in told or same(one.data, other.data)


@given(st.data())
def test_no_cell_of_either_side_is_lost(data: st.DataObject) -> None:
    base = data.draw(notebooks(ids=True))
    ours, theirs = data.draw(edited(base, "o")), data.draw(edited(base, "t"))
    result = shown(base, ours, theirs)
    kept = {cell.id for cell in result.notebook.cells}
    held = {(cell.cell_type, cell.source) for cell in result.notebook.cells}
    before = {cell["id"]: cell for cell in base["cells"]}
    sides = [{cell["id"]: cell for cell in side["cells"]} for side in (ours, theirs)]
    for name in sides[0].keys() | sides[1].keys():
        left = sides[0].get(name) or sides[1][name]
        on_both = name in sides[0] and name in sides[1]
        dropped = name in before and not on_both and same(left, before[name])
        assert dropped or name in kept or (left["cell_type"], left["source"]) in held


@given(st.data())
def test_without_a_base_every_cell_of_both_is_there(data: st.DataObject) -> None:
    ours, theirs = data.draw(notebooks()), data.draw(notebooks())
    result = shown(None, ours, theirs)
    text = "\n".join(cell.source for cell in result.notebook.cells).split("\n")
    lines = {line for side in (ours, theirs) for cell in side["cells"] for line in cell["source"].split("\n")}
    assert lines <= {*text, ""}
    assert shown(None, ours, ours).conflicts == ()
    assert same(shown(None, ours, ours).notebook.as_json(), ours)


@given(st.data())
def test_resolved_by_taking_ours_nothing_is_left_to_find(data: st.DataObject) -> None:
    base = data.draw(notebooks(ids=True))
    ours = data.draw(edited(base, "o", runs=False))
    assert not markers_in(clean(read(ours)))


# -- plain cases -------------------------------------------------------------------------------------------------


def test_markers_stand_around_the_lines_that_differ_only() -> None:
    result = shown(BASE, loads("0.95", "0.90"), loads("0.95", "0.99"))
    assert source(result) == (
        "import csv\nrows = load(path)\n<<<<<<< ours\nthreshold = 0.90\n=======\nthreshold = 0.99\n>>>>>>> theirs\n"
        "window = 7\nplot(rows)"
    )
    assert result.conflicts == ("cell a (source)",)
    assert markers_in(result.notebook) == (Mark(0, "a", 3),)


@pytest.mark.parametrize(
    ("style", "inside"),
    [
        ("merge", "same\n<<<<<<< ours\nmine\n=======\nyours\n>>>>>>> theirs\nend"),
        ("zdiff3", "same\n<<<<<<< ours\nmine\n||||||| base\nold\n=======\nyours\n>>>>>>> theirs\nend"),
        ("diff3", "<<<<<<< ours\nsame\nmine\nend\n||||||| base\nold\n=======\nsame\nyours\nend\n>>>>>>> theirs"),
    ],
)
def test_the_conflict_style_is_gits(style: str, inside: str) -> None:
    sides = [book(code(text, "a")) for text in ("old", "same\nmine\nend", "same\nyours\nend")]
    assert source(shown(*sides, style=style)) == inside


def test_size_and_names_of_the_sides() -> None:
    marks = Marks(size=9, style="diff3", ours="HEAD", theirs="topic", base="1a2b")
    result = merge_shown(read(BASE), read(loads("7", "8")), read(loads("7", "9")), marks)
    wanted = "<<<<<<<<< HEAD\nwindow = 8\n||||||||| 1a2b\nwindow = 7\n=========\nwindow = 9\n>>>>>>>>> topic"
    assert wanted in source(result)
    assert markers_in(result.notebook) == (Mark(0, "a", 4),)


def test_what_does_not_conflict_in_a_cell_that_does_is_merged() -> None:
    ours = book(code(LOAD.replace("0.95", "0.90").replace("path", "here"), "a", metadata={"tags": ["mine"]}))
    theirs = book(code(LOAD.replace("0.95", "0.99").replace("plot", "show"), "a", metadata={"tags": ["yours"]}))
    result = shown(book(code(LOAD, "a")), ours, theirs)
    assert "load(here)" in source(result)
    assert "show(rows)" in source(result)
    assert set(result.notebook.cells[0].tags) == {"mine", "yours"}


@pytest.mark.parametrize("turned", [False, True])
def test_deleted_here_and_changed_there_is_kept_between_markers(turned: bool) -> None:
    sides = [book(markdown("see", "b")), book(code("x = 2", "a", outputs=[stream("2")]), markdown("see", "b"))]
    result = shown(book(code("x = 1", "a"), markdown("see", "b")), *(sides[::-1] if turned else sides))
    expected = (
        "<<<<<<< ours\nx = 2\n=======\n>>>>>>> theirs (deleted)"
        if turned
        else "<<<<<<< ours (deleted)\n=======\nx = 2\n>>>>>>> theirs"
    )
    assert source(result) == expected
    assert result.conflicts == ("cell a (deleted)",)
    assert result.notebook.cells[0].outputs == []


def test_of_metadata_ours_stands_and_theirs_is_kept_back_until_it_is_cleaned() -> None:
    def with_width(width: int, text: str = "x") -> dict[str, Any]:
        return book(code(text, "a", metadata={"width": width, "same": 1}))

    result = shown(with_width(1), with_width(2), with_width(3, "y"))
    (cell,) = result.notebook.cells
    assert cell.metadata == {"width": 2, "same": 1, KEPT_BACK: {"metadata": {"width": 3, "same": 1}}}
    assert cell.source == "y"
    assert result.conflicts == ("cell a (metadata.width)",)
    assert markers_in(result.notebook) == (Mark(0, "a", None),)
    assert clean(result.notebook).cells[0].metadata == {"width": 2, "same": 1}


def test_so_it_is_with_the_notebooks_own() -> None:
    sides = [book(code("x", "a"), kernelspec={"name": name}, other=1) for name in ("one", "mine", "yours")]
    result = shown(*sides)
    kept = {"conflict": {"metadata": {"kernelspec": {"name": "yours"}}}}
    assert result.notebook.metadata == {"kernelspec": {"name": "mine"}, "other": 1, "nbpr": kept}
    assert markers_in(result.notebook) == (Mark(None, None, None),)
    assert clean(result.notebook).metadata == {"kernelspec": {"name": "mine"}, "other": 1}


def test_a_cell_of_two_types() -> None:
    base, raw = book(code("x = 1", "a")), {"cell_type": "raw", "id": "a", "metadata": {}, "source": "x = 1"}
    result = shown(base, book(markdown("x = 1", "a")), book(raw))
    assert result.notebook.cells[0].cell_type == "markdown"
    assert result.conflicts == ("cell a (cell_type)",)
    result = shown(base, book(markdown("x = 1", "a")), book(code("x = 2", "a", outputs=[stream("2")])))
    assert (result.notebook.cells[0].cell_type, source(result), result.conflicts) == ("markdown", "x = 2", ())
    result = shown(base, book(code("x = 2", "a")), book(markdown("x = 3", "a")))
    assert result.notebook.cells[0].cell_type == "markdown"
    assert "<<<<<<<" in source(result)


def test_it_is_laid_out_as_ours_and_ours_goes_first() -> None:
    base, theirs = book(code("a", "a")), book(code("a", "a"), code("yours", "y"))
    layout = json.dumps(book(code("a", "a"), code("mine", "m")), indent=4)
    result = merge_shown(read(base), notebook.parse(layout.encode(), "a.ipynb"), read(theirs))
    assert [cell.source for cell in result.notebook.cells] == ["a", "mine", "yours"]
    text = result.notebook.to_bytes().decode()
    assert layout[: layout.index('"mine"') + 6] in text
    assert "\n            " in text


def test_added_on_both_sides() -> None:
    ours, theirs = book(code("a = 1", "a"), code("b", "b")), book(code("a = 2", "a"), code("b", "b"))
    result = shown(None, ours, theirs)
    assert source(result) == "<<<<<<< ours\na = 1\n=======\na = 2\n>>>>>>> theirs"
    assert result.conflicts == ("cell a (source)",)
    assert shown(None, ours, book(*ours["cells"], code("c", "c"))).conflicts == ()
    apart = shown(None, book(code("mine", "m")), book(code("yours", "y")))
    assert apart.conflicts == ("both sides added it, each with cells of its own",)
    assert [cell.source for cell in apart.notebook.cells] == ["mine", "yours"]


def test_versions_of_the_format_that_are_mixed() -> None:
    old, new = book(code("a"), code("b"), minor=4), book(code("a", "x"), code("b", "y"), code("c", "z"))
    assert shown(old, book(code("a"), code("b"), code("d"), minor=4), new).notebook.nbformat_minor == 5
    down = shown(book(code("a", "x")), book(code("a"), minor=4), book(code("a", "x"), code("c", "z")))
    assert down.notebook.nbformat_minor == 5


@pytest.mark.parametrize(
    "text",
    [
        "Title\n=======\ntext",
        "<<<<<<< ours\nno end",
        "a <<<<<<< b\n=======\n>>>>>>> c",
        "<<<<<<<x\n=======\n>>>>>>> t",
        "",
    ],
)
def test_what_only_looks_like_a_conflict_is_none(text: str) -> None:
    assert markers_in(read(book(markdown(text, "a")))) == ()


def test_each_conflict_of_a_cell_is_found() -> None:
    part = "<<<<<<< HEAD\r\na\r\n=======\r\nb\r\n>>>>>>> 1a2b3c (message)\r\n"
    assert [mark.line for mark in markers_in(read(book(code(part + "between\r\n" + part, "a"))))] == [1, 7]


def test_conflicts_that_nbdime_left_are_found() -> None:
    quick_imports()
    from nbdime.merging.notebooks import merge_notebooks
    from nbformat import from_dict

    first, second = code("a = 1\nb", "a"), code("c\nd\ne\nf", "c")
    base, gone, changed = book(first, second), book(first), book(first, code("c\nd\ne\nf\ng", "c"))
    others = book(first, second, markdown("ours", "x")), book(first, second, markdown("theirs and more of it", "y"))
    for local, remote in ((gone, changed), (changed, gone), others):
        merged, _ = merge_notebooks(*(from_dict(each) for each in (base, local, remote)))
        assert len(markers_in(read(merged))) == 1
