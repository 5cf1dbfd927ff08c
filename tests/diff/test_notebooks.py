"""What changed between two notebooks, cell by cell: what a reviewer is told."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.diff.notebooks import CellChange, Detail, NotebookDiff, compare, summary
from nbpr.diff.operations import same
from nbpr.diff.parameters import Assignment
from tests.diff.scripts import book, code, display, edited, markdown, notebooks, stream


def kinds(diff: NotebookDiff) -> list[str]:
    return [change.kind for change in diff.cells]


def lines(change: CellChange) -> list[str]:
    return [line.tag + line.text for line in change.source_lines]


def counts(diff: NotebookDiff) -> tuple[int, int, int, int, int]:
    added, removed, modified, moved, outputs = list(diff.summary.as_json().values())[1:]
    return added, removed, modified, moved, outputs


PARAMETERS = {"tags": ["parameters"]}
FLEET = book(
    markdown("# Fleet", "title"),
    code("agent = 'a'\nthreshold = 0.95  # share\nwindow = 7", "params", metadata=PARAMETERS),
    code("load()", "load", outputs=[stream("12 rows\n")]),
    code("plot()", "plot"),
)


def test_the_change_of_a_threshold_is_one_line_with_its_word_marked() -> None:
    title, params, *rest = FLEET["cells"]
    after = book(title, {**params, "source": params["source"].replace("0.95", "0.90")}, *rest)
    diff = compare("fleet.ipynb", FLEET, after)
    assert diff.status == "modified"
    assert kinds(diff) == ["unchanged", "modified", "unchanged", "unchanged"]
    change = diff.changed_cells[0]
    assert change.is_parameters
    assert lines(change) == [" agent = 'a'", "-threshold = 0.95  # share", "+threshold = 0.90  # share", " window = 7"]
    marked = [[line.text[a:b] for a, b in line.marks] for line in change.source_lines]
    assert marked == [[], ["0.95"], ["0.90"], []]
    assert diff.parameters == (Assignment("threshold", "0.95", "0.90"),)
    assert diff.summary.as_json() == {
        "notebook": "fleet.ipynb",
        "cells_added": 0,
        "cells_removed": 0,
        "cells_modified": 1,
        "cells_moved": 0,
        "outputs_changed": 0,
    }


def test_equal_notebooks_are_unchanged() -> None:
    diff = compare("a.ipynb", FLEET, FLEET)
    assert (diff.status, diff.diff, diff.changed_cells) == ("unchanged", [], ())


@pytest.mark.parametrize(("before", "after", "status"), [(None, FLEET, "added"), (FLEET, None, "deleted")])
def test_a_notebook_that_comes_or_goes(before: Any, after: Any, status: str) -> None:
    diff = compare("a.ipynb", before, after)
    kind = {"added": "added", "deleted": "removed"}[status]
    assert diff.status == status
    assert kinds(diff) == [kind] * 4
    assert all(line.tag == ("+" if after else "-") for change in diff.cells for line in change.source_lines)


def test_inserted_and_removed() -> None:
    note = markdown("a note on the threshold", "note")
    diff = compare("a.ipynb", FLEET, book(*FLEET["cells"][:2], note, *FLEET["cells"][3:]))
    assert kinds(diff) == ["unchanged", "unchanged", "removed", "added", "unchanged"]
    assert [change.index_before for change in diff.cells] == [0, 1, 2, None, 3]
    assert [change.index_after for change in diff.cells] == [0, 1, None, 2, 3]
    assert counts(diff) == (1, 1, 0, 0, 0)


def test_moved_is_one_cell_in_another_order() -> None:
    title, params, load, plot = FLEET["cells"]
    diff = compare("a.ipynb", FLEET, book(plot, title, params, load))
    assert kinds(diff) == ["moved", "unchanged", "unchanged", "unchanged"]
    assert (diff.cells[0].index_before, diff.cells[0].index_after) == (3, 0)
    assert counts(diff) == (0, 0, 0, 1, 0)


def test_moved_and_edited_counts_as_both() -> None:
    title, params, load, plot = FLEET["cells"]
    diff = compare("a.ipynb", FLEET, book({**plot, "source": "plot(all=True)"}, title, params, load))
    assert (diff.cells[0].kind, diff.cells[0].moved) == ("modified", True)
    assert counts(diff) == (0, 0, 1, 1, 0)


def test_without_ids_a_cell_moves_by_its_content() -> None:
    a, b, c = code("first_thing()"), code("second_thing()"), markdown("the third of them")
    diff = compare("a.ipynb", book(a, b, c, minor=4), book(c, a, b, minor=4))
    assert kinds(diff) == ["moved", "unchanged", "unchanged"]


def test_ids_are_names_and_win_over_likeness() -> None:
    rest = code("other()", "b"), code("more()", "c")
    before = book(code("value = compute_everything(1)", "a"), *rest)
    after = book(code("value = compute_everything(2)", "new"), *rest, code("gone = 1", "a"))
    found = {change.id: change.kind for change in compare("a.ipynb", before, after).cells}
    assert found == {"new": "added", "b": "unchanged", "c": "unchanged", "a": "modified"}


def test_two_short_cells_of_other_names_are_not_one_edited_cell() -> None:
    diff = compare("a.ipynb", book(code("x = 1", "a")), book(code("go()", "b")))
    assert kinds(diff) == ["removed", "added"]


def test_outputs_alone() -> None:
    ran = book(*FLEET["cells"][:2], {**FLEET["cells"][2], "outputs": [stream("13 rows\n")]}, FLEET["cells"][3])
    diff = compare("a.ipynb", FLEET, ran)
    assert kinds(diff) == ["unchanged", "unchanged", "outputs", "unchanged"]
    assert [tuple(line[:2]) for line in diff.cells[2].output_lines] == [("-", "12 rows"), ("+", "13 rows")]
    assert counts(diff) == (0, 0, 0, 0, 1)


def test_execution_counts_alone_are_no_change_of_results() -> None:
    diff = compare("a.ipynb", book(code("x", "a", execution_count=1)), book(code("x", "a", execution_count=2)))
    assert kinds(diff) == ["outputs"]
    assert counts(diff) == (0, 0, 0, 0, 0)


def test_tags_and_kernel_are_details() -> None:
    before, after = book(code("x", "a")), book(code("x", "a", metadata=PARAMETERS), kernelspec={"name": "ir"})
    diff = compare("a.ipynb", before, after)
    assert diff.cells[0].details == (Detail("metadata.tags", None, ["parameters"]),)
    assert diff.details == (Detail("metadata.kernelspec", None, {"name": "ir"}),)
    assert counts(diff) == (0, 0, 1, 0, 0)


def test_line_endings_are_a_detail_and_not_every_line() -> None:
    diff = compare("a.ipynb", book(code("a\nb\nc", "a")), book(code("a\r\nb\r\nC", "a")))
    assert lines(diff.cells[0]) == [" a", " b", "-c", "+C"]
    assert diff.cells[0].details == (Detail("line endings", "LF", "CRLF"),)


def test_new_ids_for_the_same_cells_change_no_cell() -> None:
    diff = compare("a.ipynb", book(code("a = compute()", "a")), book(code("a = compute()", "b")))
    assert (diff.status, kinds(diff), diff.ids_changed) == ("modified", ["unchanged"], 1)


def test_sources_stored_as_lists_are_the_same_as_texts() -> None:
    listed = book(code(["a\n", "b"], "a", outputs=[stream(["x\n", "y"])]))  # type: ignore[arg-type]
    assert compare("a.ipynb", listed, book(code("a\nb", "a", outputs=[stream("x\ny")]))).status == "unchanged"


def test_results_come_from_the_runs() -> None:
    cleaned = book(*({**cell, "outputs": []} if "outputs" in cell else cell for cell in FLEET["cells"]))
    title, params, load, plot = FLEET["cells"]
    injected = code("threshold = 0.9", "x1", metadata={"tags": ["injected-parameters"]}, outputs=[stream("no\n")])
    before = book(title, params, {**load, "outputs": [stream("score 0.95")]}, plot)
    after = book(title, params, injected, {**load, "outputs": [stream("score 0.90")]}, plot)
    diff = compare("a.ipynb", cleaned, cleaned, before, after)
    assert diff.status == "modified"
    assert diff.diff == []
    assert kinds(diff) == ["unchanged", "unchanged", "outputs", "unchanged"]
    assert [tuple(line[:2]) for line in diff.cells[2].output_lines] == [("-", "score 0.95"), ("+", "score 0.90")]


def test_runs_of_notebooks_without_ids_are_paired_by_the_order_of_code_cells() -> None:
    notebook = book(code("a()"), markdown("text"), code("b()"), minor=4)
    before = book(code("a()"), code("b()", outputs=[stream("1")]), minor=4)
    after = book(markdown("text"), code("a()"), code("b()", outputs=[stream("2")]), minor=4)
    assert kinds(compare("a.ipynb", notebook, notebook, before, after)) == ["unchanged", "unchanged", "outputs"]


def test_where_only_one_run_is_known_no_result_is_said_to_have_changed() -> None:
    after = book(code("x", "a", outputs=[stream("1")]))
    diff = compare("a.ipynb", book(code("x", "a")), book(code("y", "a")), None, after)
    assert counts(diff) == (0, 0, 1, 0, 0)
    assert diff.cells[0].outputs_before is None
    assert [tuple(line[:2]) for line in diff.cells[0].output_lines] == [("+", "1")]


def test_a_picture_is_named_with_its_size() -> None:
    def plot(data: bytes) -> dict[str, Any]:
        return display(text_plain="<Figure size 640x480>", image_png=base64.b64encode(data).decode())

    before = book(code("plot()", "a", outputs=[plot(b"a" * 12_000)]))
    after = book(code("plot()", "a", outputs=[plot(b"b" * 13_000)]))
    lines = compare("a.ipynb", before, after).cells[0].output_lines
    assert [tuple(line[:2]) for line in lines] == [("!", "picture (png), 12 kB → 13 kB, changed")]


@pytest.mark.parametrize("kind", ["notebook", "cells", "text"])
def test_malformed_notebooks_are_compared_all_the_same(kind: str) -> None:
    other = {
        "notebook": {"cells": []},
        "cells": {"cells": [None, 3, {"cell_type": 1, "metadata": [], "source": {"a": 1}, "outputs": [1]}]},
        "text": {"cells": [{"outputs": [{"output_type": "stream"}, {"output_type": "display_data", "data": 1}]}]},
    }[kind]
    assert compare("a.ipynb", FLEET, other).status == "modified"
    assert compare("a.ipynb", other, FLEET).status == "modified"


@given(st.data())
def test_every_cell_is_told_once_and_the_lines_are_both_sources(data: st.DataObject) -> None:
    before = data.draw(notebooks())
    after = data.draw(edited(before))
    diff = compare("a.ipynb", before, after)
    assert sorted(c.index_before for c in diff.cells if c.index_before is not None) == list(range(len(before["cells"])))
    assert [c.index_after for c in diff.cells if c.index_after is not None] == list(range(len(after["cells"])))
    for change in diff.cells:
        for cell, tags in ((change.before, " -"), (change.after, " +")):
            text = "\n".join(line.text for line in change.source_lines if line.tag in tags)
            assert text == (cell["source"] if cell else "").replace("\r\n", "\n")


@given(st.data())
def test_only_equal_notebooks_show_no_change(data: st.DataObject) -> None:
    before = data.draw(notebooks(ids=True))
    after = data.draw(edited(before))
    diff = compare("a.ipynb", before, after)
    quiet = not diff.changed_cells and not diff.details and not diff.ids_changed
    assert quiet == same(before, after)
    assert summary(before, after, "a.ipynb") == diff.summary


@pytest.mark.parametrize("depth", [60, 200, 400])
def test_what_is_nested_deep_is_compared_all_the_same(depth: int) -> None:
    def nested(leaf: int) -> Any:
        for _ in range(depth):
            leaf = {"a": [leaf]}  # type: ignore[assignment]
        return leaf

    def ran(leaf: int) -> dict[str, Any]:
        output = display(**{"application_json": nested(leaf)})
        return book(code("x", "a", metadata={"deep": nested(leaf)}, outputs=[output]), deep=nested(leaf))

    assert compare("a.ipynb", ran(1), ran(1)).status == "unchanged"
    diff = compare("a.ipynb", ran(1), ran(2))
    assert kinds(diff) == ["modified"]
    assert diff.cells[0].outputs_changed
    json.dumps(diff.diff)


def test_cells_with_new_ids_move_by_their_content() -> None:
    a, b, c = code("first_thing()", "a"), code("second_thing()", "b"), markdown("the third of them", "c")
    diff = compare("a.ipynb", book(a, b, c), book({**c, "id": "x"}, {**a, "id": "y"}, {**b, "id": "z"}))
    assert kinds(diff) == ["moved", "unchanged", "unchanged"]
    assert diff.ids_changed == 2


def test_a_cell_of_a_doubled_id_that_stays_has_not_moved() -> None:
    cells = [code("one two three", "a"), code("same here", "d"), code("another one", "d")]
    found = compare("a.ipynb", book(*cells), book(cells[0], code("entirely other words", "d"), cells[2]))
    assert not any(change.moved for change in found.cells)


def test_line_ends_that_change_places_are_said() -> None:
    found = compare("a.ipynb", book(code("a\r\nb\nc", "a")), book(code("a\nb\r\nc", "a")))
    assert [detail.name for detail in found.cells[0].details] == ["line endings"]
    assert found.cells[0].kind == "modified"
