"""Three notebooks become one: the laws that hold whatever both sides did, and what they come to in plain cases."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nbpr.diff.merge import Merged, merge, merge_text
from nbpr.diff.operations import same
from nbpr.notebooks import notebook
from nbpr.notebooks.notebook import Cell, Notebook
from tests.diff.scripts import book, code, edited, markdown, notebooks, stream


def read(data: dict[str, Any], name: str = "a.ipynb") -> Notebook:
    """The notebook as it is read from a file."""
    return notebook.parse((json.dumps(data, indent=1) + "\n").encode(), name)


def merged(base: dict[str, Any] | None, ours: dict[str, Any], theirs: dict[str, Any]) -> Merged:
    result = merge(read(base) if base is not None else None, read(ours), read(theirs))
    names = [cell.id for cell in result.notebook.cells]
    if result.notebook.has_ids:
        assert all(names)
        assert len(set(names)) == len(names)
    assert notebook.parse(result.notebook.to_bytes(), "a.ipynb").as_json() == result.notebook.as_json()
    return result


def sources(result: Merged) -> list[str]:
    return [cell.source for cell in result.notebook.cells]


def seen(cells: Any) -> Counter[str]:
    """What cells hold, whatever their ids, order and the order of their tags."""
    return Counter(json.dumps([c.cell_type, c.source, sorted(c.tags)]) for c in cells)


A, B, C, D = code("a = 1", "a"), code("b = 1", "b"), markdown("see", "c"), code("d = 1", "d")
BASE = book(A, B, C, D)


# -- laws --------------------------------------------------------------------------------------------------------


@given(st.data())
def test_what_one_side_did_alone_is_taken_as_it_is(data: st.DataObject) -> None:
    base = data.draw(notebooks())
    side = data.draw(edited(base))
    for ours, theirs in ((side, base), (base, side), (side, side)):
        result = merged(base, ours, theirs)
        assert result.conflicts == ()
        assert same(result.notebook.as_json(), side)


@given(st.data())
def test_no_cell_is_lost_but_one_deleted_here_and_left_alone_there(data: st.DataObject) -> None:
    base = data.draw(notebooks(ids=True))
    ours, theirs = data.draw(edited(base, "o")), data.draw(edited(base, "t"))
    result = merged(base, ours, theirs)
    kept = {cell.id for cell in result.notebook.cells}
    sides = [{cell["id"]: cell for cell in side["cells"]} for side in (base, ours, theirs)]
    held = {(cell.cell_type, cell.source) for cell in result.notebook.cells}
    told = {conflict.cell_id for conflict in result.conflicts if conflict.what == "deleted"}
    for name in sides[1].keys() | sides[2].keys():
        left = sides[1].get(name) or sides[2][name]
        deleted = name in sides[0] and not (name in sides[1] and name in sides[2])
        if deleted and same(left, sides[0][name]):
            assert name not in kept
        elif name in kept:
            assert not deleted or name in told
        else:
            # The other side has the same content in the same place under another name; it stands there once.
            assert (left["cell_type"], left["source"]) in held


@given(st.data())
def test_either_way_round_the_merge_holds_the_same_cells(data: st.DataObject) -> None:
    base = data.draw(notebooks())
    ours, theirs = data.draw(edited(base, "o", runs=False)), data.draw(edited(base, "t", runs=False))
    one, other = merged(base, ours, theirs), merged(base, theirs, ours)
    assert [c.what for c in one.conflicts if c.index is None] == [c.what for c in other.conflicts if c.index is None]
    assume(base["nbformat_minor"] >= 5)
    assert Counter(c.what for c in one.conflicts) == Counter(c.what for c in other.conflicts)
    if not one.conflicts:
        assert seen(one.notebook.cells) == seen(other.notebook.cells)


@given(st.data())
def test_every_source_comes_from_a_side_or_is_told_as_merged(data: st.DataObject) -> None:
    base = data.draw(notebooks())
    ours, theirs = data.draw(edited(base, "o")), data.draw(edited(base, "t"))
    result = merged(base, ours, theirs)
    known = {line for side in (ours, theirs) for cell in side["cells"] for line in cell["source"].split("\n")}
    assert {line for source in sources(result) for line in source.split("\n")} <= known
    again = merged(base, ours, theirs)
    assert result.notebook.to_bytes() == again.notebook.to_bytes()
    assert result.conflicts == again.conflicts


@given(st.data())
def test_without_a_base_all_of_both_is_there(data: st.DataObject) -> None:
    ours, theirs = data.draw(notebooks()), data.draw(notebooks())
    assume(ours["nbformat_minor"] == theirs["nbformat_minor"])
    result = merged(None, ours, theirs)
    held = Counter((cell.cell_type, cell.source) for cell in result.notebook.cells)
    for side in (ours, theirs):
        for content, count in Counter((cell["cell_type"], cell["source"]) for cell in side["cells"]).items():
            assert held[content] >= count


@given(st.data())
def test_merging_again_what_was_merged_changes_nothing(data: st.DataObject) -> None:
    base = data.draw(notebooks(ids=True))
    ours, theirs = data.draw(edited(base, "o", runs=False)), data.draw(edited(base, "t", runs=False))
    first = merged(base, ours, theirs)
    assume(not first.conflicts)
    again = merge(read(theirs), read(theirs), first.notebook)
    assert again.notebook.to_bytes() == first.notebook.to_bytes()
    assert again.conflicts == ()


# -- plain cases -------------------------------------------------------------------------------------------------


def test_edits_of_two_cells() -> None:
    result = merged(BASE, book(code("a = 2", "a"), B, C, D), book(A, B, C, code("d = 2", "d")))
    assert sources(result) == ["a = 2", "b = 1", "see", "d = 2"]
    assert result.conflicts == ()


def test_edits_of_neighbouring_parameters_in_one_cell() -> None:
    def cell(threshold: float, window: int) -> dict[str, Any]:
        return code(f"threshold = {threshold}\nwindow = {window}", "p")

    result = merged(book(cell(0.95, 7)), book(cell(0.9, 7)), book(cell(0.95, 14)))
    assert sources(result) == ["threshold = 0.9\nwindow = 14"]
    assert result.conflicts == ()


def test_the_same_line_changed_twice_is_a_conflict_and_theirs_stands() -> None:
    result = merged(BASE, book(code("a = 2", "a"), B, C, D), book(code("a = 3", "a"), B, C, D))
    assert sources(result)[0] == "a = 3"
    (conflict,) = result.conflicts
    assert (conflict.cell_id, conflict.index, conflict.what) == ("a", 0, "source")
    found = [cell.source for cell in (conflict.base, conflict.ours, conflict.theirs) if cell]
    assert found == ["a = 1", "a = 2", "a = 3"]
    assert conflict.place == "cell a (source)"


def test_insertions_in_one_place_are_both_kept_theirs_first() -> None:
    result = merged(BASE, book(A, code("mine", "m"), B, C, D), book(A, code("yours", "y"), B, C, D))
    assert sources(result) == ["a = 1", "yours", "mine", "b = 1", "see", "d = 1"]


def test_runs_of_insertions_are_not_mixed() -> None:
    mine, yours = [code(f"m{i}", f"m{i}") for i in range(3)], [code(f"y{i}", f"y{i}") for i in range(3)]
    result = merged(book(A, B), book(A, *mine, B, mine[0] | {"id": "z"}), book(A, *yours, B))
    assert sources(result) == ["a = 1", "y0", "y1", "y2", "m0", "m1", "m2", "b = 1", "m0"]


@pytest.mark.parametrize("place", [0, 2, 4])
def test_insertions_at_start_middle_and_end(place: int) -> None:
    cells = BASE["cells"]
    ours = book(*cells[:place], code("mine", "m"), *cells[place:])
    theirs = book(*cells[:place], code("yours", "y"), *cells[place:])
    assert sources(merged(BASE, ours, theirs))[place : place + 2] == ["yours", "mine"]


def test_the_same_insertion_twice_is_one() -> None:
    note = markdown("a note", "n")
    result = merged(BASE, book(A, note, B, C, D), book(A, note, B, C, D, code("e", "e")))
    assert sources(result) == ["a = 1", "a note", "b = 1", "see", "d = 1", "e"]


def test_the_same_content_under_two_ids_in_one_place_is_one() -> None:
    ours, theirs = (book(A, markdown("a note", name), B, C, D) for name in ("m", "y"))
    result = merged(BASE, ours, {**theirs, "metadata": {"x": 1}})
    assert [cell.id for cell in result.notebook.cells] == ["a", "y", "b", "c", "d"]


def test_two_cells_of_one_id_are_both_kept_and_the_second_is_renamed() -> None:
    result = merged(BASE, book(A, B, C, D, code("mine", "n")), book(code("yours", "n"), A, B, C, D))
    names = {cell.source: cell.id for cell in result.notebook.cells}
    assert names["yours"] == "n"
    assert names["mine"] not in (None, "n")


def test_deleted_and_left_alone_goes() -> None:
    result = merged(BASE, book(A, C, D), book(A, B, C, code("d = 2", "d")))
    assert sources(result) == ["a = 1", "see", "d = 2"]
    assert result.conflicts == ()


@pytest.mark.parametrize("turned", [False, True])
def test_deleted_and_changed_is_a_conflict_and_the_cell_stays_in_its_place(turned: bool) -> None:
    sides = [book(A, C, D), book(A, code("b = 2", "b"), C, D)]
    result = merged(BASE, *(reversed(sides) if turned else sides))
    assert sources(result) == ["a = 1", "b = 2", "see", "d = 1"]
    (conflict,) = result.conflicts
    assert (conflict.cell_id, conflict.index, conflict.what) == ("b", 1, "deleted")


def test_a_move_on_one_side_and_an_edit_on_the_other() -> None:
    result = merged(BASE, book(D, A, B, C), book(A, B, C, code("d = 2", "d")))
    assert sources(result) == ["d = 2", "a = 1", "b = 1", "see"]
    assert result.conflicts == ()


def test_moves_of_two_cells() -> None:
    assert sources(merged(BASE, book(D, A, B, C), book(B, A, C, D))) in (
        ["d = 1", "b = 1", "a = 1", "see"],
        ["b = 1", "d = 1", "a = 1", "see"],
    )


def test_one_cell_moved_to_two_places_stands_where_theirs_has_it() -> None:
    assert sources(merged(BASE, book(A, B, D, C), book(D, A, B, C))) == ["d = 1", "a = 1", "b = 1", "see"]


def test_an_insertion_follows_the_cell_that_it_was_put_after() -> None:
    result = merged(BASE, book(A, B, C, D, code("after d", "n")), book(D, A, B, C))
    assert sources(result) == ["d = 1", "after d", "a = 1", "b = 1", "see"]


def test_an_insertion_after_a_cell_that_is_gone() -> None:
    result = merged(BASE, book(A, B, code("after b", "n"), C, D), book(A, code("instead", "i"), C, D))
    assert sources(result) == ["a = 1", "instead", "after b", "see", "d = 1"]


def test_tags_are_merged_as_a_set() -> None:
    def tagged(*tags: str) -> dict[str, Any]:
        return book(code("a", "a", metadata={"tags": list(tags)}))

    result = merged(tagged("x", "y"), tagged("x", "mine"), tagged("x", "y", "yours"))
    assert result.notebook.cells[0].tags == ("x", "yours", "mine")
    assert result.conflicts == ()


def test_source_here_and_tags_there() -> None:
    result = merged(BASE, book(code("a = 2", "a"), B, C, D), book({**A, "metadata": {"tags": ["t"]}}, B, C, D))
    assert (sources(result)[0], result.notebook.cells[0].tags) == ("a = 2", ("t",))


def test_a_member_taken_away_here_is_away() -> None:
    base = book(markdown("x", "a", attachments={"p": {}}))
    result = merged(base, book(markdown("x", "a")), book(markdown("y", "a", attachments={"p": {}})))
    assert result.notebook.as_json()["cells"][0] == markdown("y", "a")


def test_outputs_of_a_merged_source_are_gone_and_are_no_conflict() -> None:
    def ran(source: str, text: str) -> dict[str, Any]:
        return book(code(source, "a", outputs=[stream(text)], execution_count=1))

    result = merged(ran("a\nb\nc", "1"), ran("A\nb\nc", "2"), ran("a\nb\nC", "3"))
    assert sources(result) == ["A\nb\nC"]
    assert result.notebook.cells[0].outputs == []
    assert result.conflicts == ()
    assert merged(ran("a", "1"), ran("a", "2"), ran("a", "3")).conflicts == ()


def test_the_notebooks_own_metadata_is_merged_by_member() -> None:
    result = merged(book(A, x=1, y=1, z=1), book(A, x=2, y=1, z=2), book(A, x=1, y=2, z=3))
    assert result.notebook.metadata == {"x": 2, "y": 2, "z": 3}
    (conflict,) = result.conflicts
    assert (conflict.index, conflict.place) == (None, "the notebook's metadata.z")


def test_the_higher_version_of_the_format_holds_and_brings_ids() -> None:
    base = book(code("a"), minor=4)
    result = merged(base, book(code("a"), code("b"), minor=5), book(code("a"), markdown("c"), minor=4))
    assert (result.notebook.nbformat_minor, len(result.notebook.cells)) == (5, 3)


def test_before_ids_cells_are_matched_by_content_and_place() -> None:
    load, plot, note = code("rows = load(path)"), code("plot(rows, kind='bar')"), markdown("see")
    base = book(load, plot, note, minor=4)
    ours = book(load, code("plot(rows, kind='line')"), note, code("new"), minor=4)
    theirs = book(markdown("intro"), code("rows = load(path, all=True)"), plot, note, minor=4)
    result = merged(base, ours, theirs)
    assert sources(result) == ["intro", "rows = load(path, all=True)", "plot(rows, kind='line')", "see", "new"]
    assert result.conflicts == ()
    assert all(cell.id is None for cell in result.notebook.cells)


def test_missing_ids_are_derived_alike_on_all_sides() -> None:
    base = book(code("a"), code("b"))
    ours = read(base).with_ids().as_json()
    ours["cells"][1] = {**ours["cells"][1], "source": "b = edited beyond recognition"}
    result = merged(base, ours, book(code("a"), code("b"), markdown("new")))
    assert sources(result) == ["a", "b = edited beyond recognition", "new"]


def test_doubled_ids_are_mended() -> None:
    doubled = book(code("a", "x"), code("b", "x"))
    result = merged(doubled, doubled, book(*doubled["cells"], code("c", "y")))
    assert sources(result) == ["a", "b", "c"]


def test_what_was_not_merged_keeps_its_bytes() -> None:
    layout = json.dumps(BASE, indent=4).replace('"a = 1"', '"\\u0061 = 1"').encode()
    theirs = notebook.parse(layout, "a.ipynb")
    ours = read(book(A, B, C, code("d = 2", "d"), code("e", "e")))
    result = merge(read(BASE), ours, theirs).notebook.to_bytes()
    assert result.startswith(layout[: layout.index(b'"d = 1"')])
    assert b'"\\u0061 = 1"' in result
    assert merge(read(BASE), read(BASE), theirs).notebook.to_bytes() == layout


# -- other files -------------------------------------------------------------------------------------------------


def test_files_are_merged_by_lines() -> None:
    base, ours, theirs = b"a\nb\nc\nd\n", b"A\nb\nc\nd\n", b"a\nb\nc\nd\ne\n"
    assert merge_text(base, ours, theirs) == (b"A\nb\nc\nd\ne\n", False)


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        (b"a\n", b"b\n", b"c\n"),
        (None, b"b\n", b"c\n"),
        (b"\0a\n1\n", b"\0b\n1\n", b"\0a\n2\n"),
        (b"a\nb\n", b"A\nb\n", b"a\nB\n"),
    ],
)
def test_a_conflict_leaves_theirs_untouched(base: bytes | None, ours: bytes, theirs: bytes) -> None:
    assert merge_text(base, ours, theirs) == (theirs, True)


BYTES = st.lists(st.sampled_from([b"a", b"b", b"\xff", b"", b"a\r"]), max_size=5).map(b"\n".join)


@given(BYTES, BYTES)
def test_one_sided_changes_of_files_are_taken_byte_for_byte(base: bytes, side: bytes) -> None:
    assert merge_text(base, side, base) == (side, False)
    assert merge_text(base, base, side) == (side, False)
    assert merge_text(base, side, side) == (side, False)


@given(BYTES, BYTES, BYTES)
def test_files_merge_alike_either_way_round(base: bytes, ours: bytes, theirs: bytes) -> None:
    one, other = merge_text(base, ours, theirs), merge_text(base, theirs, ours)
    assert one[1] == other[1]
    assert one[1] or one[0] == other[0]


def test_a_cell_of_ours_is_the_very_cell() -> None:
    ours = read(book(A, B, C, D, code("e", "e")))
    last: Cell = merge(read(BASE), ours, read(book({**A, "source": "changed"}, B, C, D))).notebook.cells[-1]
    assert last is ours.cells[-1]
