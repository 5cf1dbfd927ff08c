"""Edits meet other versions of the notebook: base, what was written last, what the author read."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from nbpr.errors import BadInput, Conflict
from tests.editing import HASH, run, some, sources


def test_index_counts_in_base() -> None:
    head = run(some(), {"op": "insert", "at": "start", "source": "theirs"}, {"op": "delete", "cell": "note"}).notebook
    done = run(head, {"op": "replace", "cell": "index:2", "source": "new"}, base=some())
    assert sources(done.notebook) == ["theirs", some().cells[0].source, "new", "print(x)"]
    with pytest.raises(BadInput, match="no cell 'index:4'"):
        run(
            run(some(), {"op": "insert", "at": "end", "source": "5"}).notebook,
            {"op": "delete", "cell": "index:4"},
            base=some(),
        )


def test_before_4_5_cells_are_followed_by_content_and_place() -> None:
    base = some(4)
    head = run(
        base,
        {"op": "insert", "at": "start", "source": "theirs"},
        {"op": "replace", "cell": "index:1", "source": "# New"},
    ).notebook
    done = run(head, {"op": "tag", "cell": "index:1", "add": ["n"]}, {"op": "delete", "cell": "index:2"}, base=base)
    assert sources(done.notebook) == ["theirs", base.cells[0].source, "# New", "print(x)"]
    assert done.notebook.cells[2].tags == ("n",)
    assert not run(done.notebook, {"op": "delete", "cell": "index:2"}, base=base).changed
    with pytest.raises(Conflict, match="was removed by somebody else"):
        run(done.notebook, {"op": "replace", "cell": "index:2", "source": "z"}, base=base)


CHANGES = (
    {"op": "replace", "cell": "load", "source": "x = 3\n"},
    {"op": "substitute", "cell": "load", "old": "x = 1", "new": "x = 2"},
    {"op": "tag", "cell": "load", "add": ["z"]},
    {"op": "move", "cell": "load", "at": "start"},
    {"op": "delete", "cell": "load"},
)


@pytest.mark.parametrize("edit", CHANGES, ids=lambda edit: edit["op"])
def test_what_somebody_else_changed_is_a_conflict(edit: dict[str, Any]) -> None:
    ours = run(some(), {"op": "replace", "cell": "load", "source": "x = 1\n"}).notebook
    theirs = run(ours, {"op": "replace", "cell": "load", "source": "x = 1  # better\n"}).notebook
    with pytest.raises(Conflict, match=rf"edit 1 \({edit['op']}\): nb.ipynb: cell 'load' was changed by somebody else"):
        run(theirs, edit, base=some(), last=ours)
    assert run(theirs, {**edit, "cell": "note", "old": "Title"} if "old" in edit else {**edit, "cell": "note"},
               base=some(), last=ours).changed  # fmt: skip


@pytest.mark.parametrize("edit", CHANGES, ids=lambda edit: edit["op"])
def test_what_somebody_else_removed_is_a_conflict(edit: dict[str, Any]) -> None:
    theirs = run(some(), {"op": "delete", "cell": "load"}, {"op": "tag", "cell": "note", "add": ["x"]}).notebook
    if edit["op"] == "delete":
        assert not run(theirs, edit, base=some(), last=some()).changed
        return
    with pytest.raises(Conflict, match="cell 'load' was removed by somebody else"):
        run(theirs, edit, base=some(), last=some())


def test_what_is_so_already_is_no_conflict() -> None:
    theirs = run(some(), {"op": "replace", "cell": "load", "source": "x = 9\n"}).notebook
    wanted = (
        {"op": "replace", "cell": "load", "source": "x = 9\n", "expect": HASH},
        {"op": "substitute", "cell": "load", "old": "x = 1", "new": "x = 9"},
        {"op": "tag", "cell": "load", "add": ["one"]},
        {"op": "move", "cell": "load", "after": "note"},
        {"op": "move", "cell": "load", "before": "show"},
    )
    assert not run(theirs, *wanted, base=some(), last=some()).changed


def test_parameters_that_somebody_else_changed() -> None:
    edit = {"op": "set_parameter", "name": "a", "value": 2}
    theirs = run(some(), {"op": "set_parameter", "name": "b", "value": "y"}).notebook
    with pytest.raises(Conflict, match="cell 'pars' was changed"):
        run(theirs, edit, base=some(), last=some())
    assert run(theirs, edit, base=some()).changed
    renamed = run(some(), {"op": "replace", "cell": "pars", "source": "c = 1"}).notebook
    with pytest.raises(Conflict, match="cell 'pars' was changed"):
        run(renamed, edit, last=some())
    gone = run(some(), {"op": "delete", "cell": "pars"}).notebook
    with pytest.raises(Conflict, match="cell 'pars' was removed"):
        run(gone, edit, last=some())


def test_our_inserted_cell_that_somebody_else_removed() -> None:
    edit = {"op": "insert", "at": "end", "source": "ours"}
    ours = run(some(), edit).notebook
    theirs = run(ours, {"op": "delete", "cell": str(ours.ids[4])}, {"op": "delete", "cell": "note"}).notebook
    with pytest.raises(Conflict, match="was removed by somebody else"):
        run(theirs, edit, base=some(), last=ours)
    with pytest.raises(Conflict, match="was removed by somebody else"):
        run(theirs, {"op": "replace", "cell": str(ours.ids[4]), "source": "x"}, base=some(), last=ours)
    assert not run(theirs, {"op": "delete", "cell": str(ours.ids[4])}, base=some(), last=ours).changed


def test_the_place_that_somebody_else_removed() -> None:
    edit = {"op": "insert", "after": "load", "source": "ours"}
    ours = run(some(), edit).notebook
    theirs = run(ours, {"op": "delete", "cell": "load"}).notebook
    assert not run(theirs, edit, base=some(), last=ours).changed
    with pytest.raises(Conflict, match="cell 'load' was removed"):
        run(theirs, {**edit, "source": "more"}, base=some(), last=ours)


@pytest.mark.parametrize("edit", CHANGES, ids=lambda edit: edit["op"])
def test_expect(edit: dict[str, Any]) -> None:
    read = "sha256:" + hashlib.sha256(b"x = 1\ny = 1\n").hexdigest()
    assert run(some(), {**edit, "expect": read}).changed
    with pytest.raises(Conflict, match="cell 'load' is not as it was read"):
        run(some(), {**edit, "expect": HASH})
    before = {"op": "replace", "cell": "load", "source": "x = 1  #\n"}
    assert run(some(), before, {**edit, "expect": read}).changed
