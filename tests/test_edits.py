"""Edits do what they say, all or none, touch no other byte, and change nothing that is so already."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr import edits, notebook
from nbpr.edits import Applied, apply, normalise, parse
from nbpr.errors import BadInput, Conflict
from nbpr.notebook import Notebook
from tests.notebooks import Layout, tags, texts, texts_of_cells

CELL_TYPES = ("code", "markdown", "raw")
HASH = "sha256:" + "0" * 64


def cell(cell_id: str | None, source: str, cell_type: str = "code", **members: Any) -> dict[str, Any]:
    made = {"cell_type": cell_type, "metadata": {}, "source": source.splitlines(keepends=True), **members}
    if cell_type == "code":
        made = {
            "outputs": [{"name": "stdout", "output_type": "stream", "text": ["out\n"]}],
            "execution_count": 1,
        } | made
    return made if cell_id is None else {**made, "id": cell_id}


def tagged(*names: str) -> dict[str, Any]:
    return {"metadata": {"tags": list(names)}}


def book(*cells: dict[str, Any], minor: int = 5) -> Notebook:
    data = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": minor}
    return notebook.parse(Layout().write(data), "nb.ipynb")


def some(minor: int = 5) -> Notebook:
    """Four cells: parameters, a note with an attachment, two of code."""
    cells = [
        cell("pars", "a = 1\nb = 'x'  # é\n", **tagged("parameters")),
        cell("note", "# Title\n", "markdown", attachments={"a.png": {"image/png": "AAAA"}}),
        cell("load", "x = 1\ny = 1\n", **tagged("one", "two")),
        cell("show", "print(x)"),
    ]
    if minor < 5:
        for each in cells:
            del each["id"]
    return book(*cells, minor=minor)


def run(found: Notebook, *wanted: dict[str, Any], **versions: Notebook) -> Applied:
    return apply(found, parse(list(wanted), ["nb.ipynb"]), **versions)


def sources(found: Notebook) -> list[str]:
    return [each.source for each in found.cells]


def reread(found: Notebook) -> Notebook:
    return notebook.parse(found.to_bytes(), found.name)


# -- what holds for all ---------------------------------------------------------------------------------------


class Script:
    """A list of edits, made while its effect on plain data is worked out."""

    def __init__(self, draw: st.DrawFn, found: Notebook) -> None:
        self.draw = draw
        self.names = [f"index:{index}" for index in range(len(found.cells))]
        #: Each cell: how edits name it, its data, and which of the old ones it is.
        self.cells = [
            [name, copy.deepcopy(each.data), index]
            for index, (name, each) in enumerate(zip(self.names, found.with_ids().cells, strict=True))
        ]
        self.has_ids = found.has_ids
        self.edits: list[dict[str, Any]] = []
        self.touched: set[int] = set()

    def step(self) -> None:
        ops = [self.insert] + ([self.replace, self.substitute, self.tag, self.move, self.delete] if self.cells else [])
        self.draw(st.sampled_from(ops))()

    def pick(self) -> list[Any]:
        """A cell that edits can name; one of no name and no effect if none is left."""
        empty: list[Any] = ["", {"source": "", "cell_type": "raw", "metadata": {}}, None]
        return self.draw(st.sampled_from([each for each in self.cells if each[0]] or [empty]))

    def place(self, others: Sequence[list[Any]]) -> tuple[dict[str, str], int]:
        """Where to put a cell: as an edit says it, and the index among the others."""
        choices: list[tuple[dict[str, str], int]] = [({"at": "start"}, 0), ({"at": "end"}, len(others))]
        for index, (name, *_) in enumerate(others):
            if name:
                choices += [({"before": name}, index), ({"after": name}, index + 1)]
        return self.draw(st.sampled_from(choices))

    def change(self, chosen: list[Any], op: dict[str, Any], **members: Any) -> None:
        if not chosen[0]:
            return
        self.edits.append({"cell": chosen[0], **op})
        if any(chosen[1].get(key) != value for key, value in members.items()):
            chosen[1] |= members
            self.touched.add(chosen[2])

    def rewrite(self, chosen: list[Any], op: dict[str, Any], text: str) -> None:
        if text == _joined(chosen[1].get("source", "")):
            self.change(chosen, op)
            return
        source = text if isinstance(chosen[1]["source"], str) else text.splitlines(keepends=True)
        unrun = {"outputs": [], "execution_count": None} if chosen[1]["cell_type"] == "code" else {}
        self.change(chosen, op, source=source, **unrun)

    def replace(self) -> None:
        text = self.draw(texts_of_cells)
        self.rewrite(self.pick(), {"op": "replace", "source": text}, text)

    def substitute(self) -> None:
        chosen, new = self.pick(), self.draw(texts_of_cells)
        text = _joined(chosen[1].get("source", ""))
        once = [part for at in range(len(text)) for part in [text[at : at + 2]] if _count(text, part) == 1]
        if once:
            old = self.draw(st.sampled_from(once))
            done = _count(text, new) == 1 and _count(new, old) == 1
            after = text if done else text.replace(old, new)
            self.rewrite(chosen, {"op": "substitute", "old": old, "new": new}, after)

    def tag(self) -> None:
        chosen, add, remove = self.pick(), self.draw(st.lists(tags, max_size=2)), self.draw(st.lists(tags, max_size=2))
        remove = [name for name in remove if name not in add]
        if chosen[0] and (add or remove):
            metadata = chosen[1]["metadata"]
            before = metadata.get("tags", [])
            kept = [name for name in before if name not in remove]
            after = kept + [name for name in dict.fromkeys(add) if name not in kept]
            others = {key: value for key, value in metadata.items() if key != "tags"}
            op = {"op": "tag", "add": add, "remove": remove}
            new = metadata if after == before else {**others, "tags": after} if after else others
            self.change(chosen, op, metadata=new)

    def delete(self) -> None:
        chosen = self.pick()
        if chosen[0]:
            self.edits.append({"op": "delete", "cell": chosen[0]})
            self.cells = [each for each in self.cells if each is not chosen]

    def move(self) -> None:
        chosen = self.pick()
        if chosen[0]:
            others = [each for each in self.cells if each is not chosen]
            place, index = self.place(others)
            self.edits.append({"op": "move", "cell": chosen[0], **place})
            others.insert(index, chosen)
            self.cells = others

    def insert(self) -> None:
        place, index = self.place(self.cells)
        cell_type, source = self.draw(st.sampled_from(CELL_TYPES)), self.draw(texts_of_cells)
        if not self.has_ids:
            # Without ids, a cell like it in that place is taken for it.
            source += f"# {len(self.edits)} of mine"
        edit = {"op": "insert", "cell_type": cell_type, "source": source, **place}
        if all({**edit, "op": "insert"} != other for other in self.edits):
            unrun = {"outputs": [], "execution_count": None} if cell_type == "code" else {}
            data = {"cell_type": cell_type, "metadata": {}, "source": source.splitlines(keepends=True), **unrun}
            self.edits.append(edit)
            self.cells.insert(index, ["", data, None])


def _joined(source: str | list[str]) -> str:
    return "".join(source)


def _count(text: str, part: str) -> int:
    return sum(text.startswith(part, at) for at in range(len(text))) if part else 0


def _script(data: st.DataObject, found: Notebook) -> Script:
    script = data.draw(st.composite(lambda draw: _drawn(draw, found))())
    assert isinstance(script, Script)
    return script


def _drawn(draw: st.DrawFn, found: Notebook) -> Script:
    script = Script(draw, found)
    for _ in range(draw(st.integers(1, 5))):
        script.step()
    return script


def _without_new_ids(found: Notebook, known: Notebook) -> list[dict[str, Any]]:
    ids = set(known.ids)
    return [
        {key: value for key, value in each.data.items() if key != "id" or value in ids}
        for each in found.cells
    ]  # fmt: skip


@given(texts(), st.data())
def test_edits_do_what_they_say_and_no_other_byte_changes(data: bytes, draws: st.DataObject) -> None:
    found = notebook.parse(data, "nb.ipynb")
    script = _script(draws, found)
    done = run(found, *script.edits)
    after = done.notebook.to_bytes()
    again = notebook.parse(after, "nb.ipynb")
    if not done.changed:
        assert after == data
        assert [each[2] for each in script.cells] == list(range(len(found.cells)))
        return
    assert _without_new_ids(again, found) == [
        {key: value for key, value in each[1].items() if key != "id" or each[2] is not None} for each in script.cells
    ]
    assert {**again.as_json(), "cells": 0} == {**found.as_json(), "cells": 0}
    _check_bytes(found, again, script)
    repeated = run(again, *script.edits, base=found)
    assert not repeated.changed
    assert repeated.notebook.to_bytes() == after


def _check_bytes(found: Notebook, again: Notebook, script: Script) -> None:
    """All text outside the cells, and that of every cell that was not edited, is as it was."""
    assert found.document is not None
    assert again.document is not None
    (start, end), (now, until) = found.document.array, again.document.array
    assert again.document.text[: now + 1] == found.document.text[: start + 1]
    assert again.document.text[until - 1 :] == found.document.text[end - 1 :]
    for (_, _, origin), span in zip(script.cells, again.document.spans, strict=True):
        if origin is not None and origin not in script.touched and not _gets_id(found, origin):
            assert again.document.text[slice(*span)] == found.document.text[slice(*found.document.spans[origin])]


def _gets_id(found: Notebook, index: int) -> bool:
    return found.has_ids and found.cells[index].id is None


@given(texts(missing_ids=False), st.data())
def test_one_edited_cell_is_all_that_changes_in_the_file(data: bytes, draws: st.DataObject) -> None:
    found = notebook.parse(data, "nb.ipynb")
    assert found.document is not None
    if found.cells:
        index = draws.draw(st.integers(0, len(found.cells) - 1))
        edit = {"op": "replace", "cell": f"index:{index}", "source": draws.draw(texts_of_cells)}
        after = run(found, edit).notebook.to_bytes().decode()
        start, end = found.document.spans[index]
        assert after.startswith(data.decode()[:start])
        assert after.endswith(data.decode()[end:])


@given(texts(), st.data())
def test_a_single_edit_made_twice_is_made_once(data: bytes, draws: st.DataObject) -> None:
    found = notebook.parse(data, "nb.ipynb")
    script = Script(draws.draw, found)
    draws.draw(st.sampled_from([script.insert, *([script.replace, script.tag] if found.cells else [])]))()
    after = reread(run(found, *script.edits).notebook)
    stable = [edit for edit in script.edits if edit["op"] != "insert" or edit.get("at") or found.has_ids]
    by_id = [_by_id(edit, found) for edit in stable] if found.has_ids else stable
    assert not run(after, *by_id).changed


def _by_id(edit: dict[str, Any], found: Notebook) -> dict[str, Any]:
    selectors = {key: f"id:{found.ids[int(edit[key][6:])]}" for key in ("cell", "before", "after") if key in edit}
    return {**edit, **selectors}


# -- each edit ------------------------------------------------------------------------------------------------


def test_set_parameter() -> None:
    done = run(some(), {"op": "set_parameter", "name": "a", "value": 2})
    assert sources(done.notebook)[0] == "a = 2\nb = 'x'  # é\n"
    assert done.notebook.cells[0].data["outputs"] == []
    assert done.notebook.cells[0].data["execution_count"] is None
    assert (done.changed, done.touched, done.inserted, done.deleted) == (True, ("pars",), (), ())
    for value in (1, 2):
        same = run(done.notebook if value == 2 else some(), {"op": "set_parameter", "name": "a", "value": value})
        assert not same.changed
    assert run(some(), {"op": "set_parameter", "name": "a", "value": True}).changed


def test_replace_keeps_attachments_and_drops_outputs() -> None:
    done = run(
        some(), {"op": "replace", "cell": "note", "source": "# New"}, {"op": "replace", "cell": "show", "source": "1"}
    )
    note, show = done.notebook.cells[1], done.notebook.cells[3]
    assert note.data == {**some().cells[1].data, "source": ["# New"]}
    assert show.data == {**some().cells[3].data, "source": ["1"], "outputs": [], "execution_count": None}
    assert done.touched == ("note", "show")


@pytest.mark.parametrize(
    ("old", "new", "after"),
    [
        ("x = 1", "x = 2", "x = 2\ny = 1\n"),
        ("x = 1", "x = 1  # one", "x = 1  # one\ny = 1\n"),
        ("x = 1\n", "", "y = 1\n"),
        ("y", "y", None),
        ("z = 9", "y = 1", None),
        ("z = 9", "x", None),
    ],
)
def test_substitute(old: str, new: str, after: str | None) -> None:
    edit = {"op": "substitute", "cell": "load", "old": old, "new": new}
    done = run(some(), edit)
    assert done.changed == (after is not None)
    assert sources(done.notebook)[2] == (after or "x = 1\ny = 1\n")
    assert not run(done.notebook, edit, base=some()).changed
    if new:
        assert not run(done.notebook, edit).changed


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1", "2", "has old 2 times"),
        ("z", "q", "has old 0 times"),
        ("z", "1", "has old 0 times, and it has to be once; new stands there 2 times"),
        ("z", "", "has old 0 times"),
    ],
)
def test_substitute_needs_old_once(old: str, new: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        run(some(), {"op": "substitute", "cell": "load", "old": old, "new": new})
    with pytest.raises(BadInput, match="has old 2 times"):
        run(book(cell("c", "aaa")), {"op": "substitute", "cell": "c", "old": "aa", "new": "b"})


def test_insert() -> None:
    edit = {"op": "insert", "after": "note", "cell_type": "markdown", "source": "a\nb", "tags": ["t", "t", "u"]}
    done = run(some(), edit)
    new = done.notebook.cells[2]
    assert list(new.data) == ["cell_type", "id", "metadata", "source"]
    assert new.data == {"cell_type": "markdown", "id": new.id, "metadata": {"tags": ["t", "u"]}, "source": ["a\n", "b"]}
    assert done.inserted == done.touched == (new.id,)
    assert not run(done.notebook, edit).changed
    assert not run(done.notebook, {**edit, "after": "index:1"}, base=some()).changed
    code = run(some(), {"op": "insert", "at": "start", "source": "1"}).notebook.cells[0]
    assert code.data == {
        "cell_type": "code", "execution_count": None, "id": code.id, "metadata": {}, "outputs": [], "source": ["1"],
    }  # fmt: skip


@pytest.mark.parametrize("minor", [4, 5])
def test_where_cells_are_inserted(minor: int) -> None:
    wanted = [
        {"op": "insert", "at": "start", "source": "s1"},
        {"op": "insert", "at": "start", "source": "s2"},
        {"op": "insert", "at": "end", "source": "e1"},
        {"op": "insert", "at": "end", "source": "e2"},
        {"op": "insert", "after": "index:1", "source": "a1"},
        {"op": "insert", "after": "index:1", "source": "a1"},
        {"op": "insert", "before": "index:1", "source": "b1"},
    ]
    done = run(some(minor), *wanted)
    first, note, load, show = sources(some())
    assert sources(done.notebook) == ["s2", "s1", first, "b1", note, "a1", "a1", load, show, "e1", "e2"]
    # What was inserted is known again where only some of it is wanted, and beside what others inserted.
    by_others = run(done.notebook, {"op": "insert", "after": "index:0", "source": "theirs"})
    assert not run(by_others.notebook, *wanted[2:4], base=some(minor)).changed
    assert not run(by_others.notebook, *wanted[4:], base=some(minor)).changed
    more = run(done.notebook, *wanted, {"op": "insert", "at": "end", "source": "e3"}, base=some(minor))
    assert sources(more.notebook) == [*sources(done.notebook), "e3"]
    if minor == 5:
        assert len(set(done.notebook.ids)) == 11


def test_before_4_5_a_cell_like_it_elsewhere_is_not_the_inserted_one() -> None:
    found = book(cell(None, "a"), cell(None, "b"), cell(None, "new"), minor=4)
    done = run(found, {"op": "insert", "after": "index:0", "source": "new"})
    assert sources(done.notebook) == ["a", "new", "b", "new"]
    assert "id" not in done.notebook.cells[1].data
    assert (done.touched, done.inserted) == ((None,), ())


@pytest.mark.parametrize("minor", [4, 5])
def test_as_many_cells_as_are_inserted_alike(minor: int) -> None:
    edit = {"op": "insert", "after": "index:1", "source": "new"}
    once = run(some(minor), edit).notebook
    twice = run(once, edit, edit, base=some(minor)).notebook
    assert sources(twice).count("new") == 2
    assert not run(twice, edit, edit).changed
    assert not run(twice, edit).changed


def test_inserted_cells_can_be_edited_by_their_id() -> None:
    insert = {"op": "insert", "at": "end", "source": "one"}
    (cell_id,) = run(some(), insert).inserted
    wanted = (insert, {"op": "insert", "after": cell_id, "source": "two"}, {"op": "tag", "cell": cell_id, "add": ["t"]})
    done = run(some(), *wanted)
    assert sources(done.notebook)[4:] == ["one", "two"]
    assert done.notebook.cells[4].tags == ("t",)
    assert not run(done.notebook, *wanted).changed
    gone = run(some(), insert, {"op": "delete", "cell": cell_id})
    assert not gone.changed


def test_delete() -> None:
    done = run(some(), {"op": "delete", "cell": "index:0"}, {"op": "delete", "cell": "index:1"})
    assert done.notebook.ids == ("load", "show")
    assert (done.touched, done.deleted) == (("pars", "note"), ("pars", "note"))
    assert not run(done.notebook, {"op": "delete", "cell": "note"}, base=some()).changed
    assert run(done.notebook, {"op": "delete", "cell": "index:3"}, base=some()).deleted == ("show",)
    with pytest.raises(BadInput, match=r"edit 1 \(delete\): nb.ipynb: no cell 'note'"):
        run(done.notebook, {"op": "delete", "cell": "note"})
    with pytest.raises(BadInput, match=r"edit 2 \(tag\): .* an earlier edit deletes cell 'note'"):
        run(some(), {"op": "delete", "cell": "note"}, {"op": "tag", "cell": "index:1", "add": ["x"]})
    assert sources(run(some(), *({"op": "delete", "cell": f"index:{at}"} for at in range(4))).notebook) == []


@pytest.mark.parametrize(
    ("place", "order"),
    [
        ({"after": "load"}, ("pars", "load", "note", "show")),
        ({"before": "pars"}, ("note", "pars", "load", "show")),
        ({"at": "end"}, ("pars", "load", "show", "note")),
        ({"at": "start"}, ("note", "pars", "load", "show")),
        ({"after": "pars"}, None),
        ({"before": "load"}, None),
        ({"after": "note"}, None),
        ({"before": "index:1"}, None),
    ],
)
def test_move(place: dict[str, str], order: tuple[str, ...] | None) -> None:
    edit = {"op": "move", "cell": "note", **place}
    done = run(some(), edit)
    assert done.changed == (order is not None)
    assert done.notebook.ids == (order or some().ids)
    assert done.touched == (("note",) if order else ())
    assert not run(done.notebook, edit, base=some()).changed
    assert done.notebook.cells[done.notebook.ids.index("note")].data == some().cells[1].data


def test_tag() -> None:
    edit = {"op": "tag", "cell": "tag:one", "add": ["three", "two"], "remove": ["one", "none"]}
    done = run(some(), edit)
    changed = done.notebook.cells[2]
    assert changed.tags == ("two", "three")
    assert changed.outputs == some().cells[2].outputs
    assert not run(done.notebook, edit, base=some()).changed
    bare = run(some(), {"op": "tag", "cell": "pars", "remove": ["parameters"]}).notebook.cells[0]
    assert bare.data["metadata"] == {}


def test_edits_that_cancel_out_change_nothing() -> None:
    found = some()
    done = run(
        found,
        {"op": "move", "cell": "note", "at": "end"},
        {"op": "move", "cell": "note", "after": "pars"},
        {"op": "tag", "cell": "note", "add": ["x"]},
        {"op": "tag", "cell": "note", "remove": ["x"]},
    )
    assert not done.changed
    assert done.notebook is found
    assert run(found).notebook is found


def test_all_or_none() -> None:
    found = some()
    with pytest.raises(BadInput, match=r"^edit 2 \(replace\): "):
        run(found, {"op": "delete", "cell": "note"}, {"op": "replace", "cell": "no", "source": ""})
    assert found.ids == ("pars", "note", "load", "show")


# -- ids ------------------------------------------------------------------------------------------------------


def test_missing_ids_are_filled_if_something_changes() -> None:
    found = book(cell(None, "a"), cell(None, "a"), cell("own", "b"))
    assert not run(found, {"op": "replace", "cell": "index:0", "source": "a"}).changed
    done = run(found, {"op": "replace", "cell": str(found.ids[1]), "source": "new"})
    assert done.notebook.ids == found.ids
    assert [each.id for each in done.notebook.cells] == list(found.ids)
    assert done.touched == (found.ids[1],)


def test_doubled_ids_are_refused() -> None:
    with pytest.raises(BadInput, match=r"nb.ipynb: cells 0 and 2 have the same id 'd'"):
        run(book(cell("d", "a"), cell("e", "a"), cell("d", "b")), {"op": "delete", "cell": "e"})


def test_the_notebook_without_an_id_before_4_5_stays_so() -> None:
    done = run(
        some(4), {"op": "replace", "cell": "index:3", "source": "1"}, {"op": "insert", "at": "end", "source": "2"}
    )
    assert all("id" not in each.data for each in done.notebook.cells)


# -- versions -------------------------------------------------------------------------------------------------


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


# -- lists that are wrong -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (1, "edit 1: not an object"),
        ({}, "edit 1: op is missing"),
        ({"op": "repalce"}, "edit 1: unknown op 'repalce'; did you mean 'replace'?"),
        ({"op": ["x"]}, "edit 1: unknown op"),
        ({"op": "replace", "cell": "a"}, "edit 1 (replace): source is missing: a text"),
        ({"op": "replace", "source": "a"}, "edit 1 (replace): cell is missing"),
        ({"op": "replace", "cell": 3, "source": "a"}, "edit 1 (replace): cell has to be a cell's id"),
        ({"op": "replace", "cell": "a", "source": ["a"]}, "edit 1 (replace): source has to be a text"),
        ({"op": "replace", "cell": "a", "source": None}, "edit 1 (replace): source has to be a text"),
        ({"op": "replace", "cell": "a", "sourse": ""}, "unknown field 'sourse'; did you mean 'source'?"),
        ({"op": "replace", "cell": "a", "source": "", "at": "end"}, "unknown field 'at'"),
        ({"op": "replace", "cell": "a", "source": "", "expect": "x"}, "expect has to be sha256: and 64 hex digits"),
        ({"op": "insert", "source": "a"}, "it takes one of before, after and at: none is there"),
        (
            {"op": "insert", "source": "a", "before": "x", "after": "y"},
            "one of before, after and at: not before and after",
        ),
        ({"op": "insert", "source": "a", "at": "top"}, "at has to be start or end"),
        (
            {"op": "insert", "source": "a", "at": "end", "cell_type": "heading"},
            "cell_type has to be code, markdown or raw",
        ),
        ({"op": "insert", "source": "a", "at": "end", "tags": "x"}, "tags has to be a list of tags"),
        ({"op": "insert", "source": "a", "at": "end", "tags": ["a,b"]}, "tags has to be a list of tags"),
        ({"op": "move", "cell": "a"}, "edit 1 (move): it takes one of before, after and at"),
        ({"op": "tag", "cell": "a"}, "neither add nor remove"),
        ({"op": "tag", "cell": "a", "add": ["x"], "remove": ["x"]}, "'x' is to be added and removed"),
        ({"op": "substitute", "cell": "a", "old": "", "new": "b"}, "old has to be a text that is not empty"),
        ({"op": "set_parameter", "name": "a"}, "edit 1 (set_parameter): value is missing"),
        ({"op": "set_parameter", "name": "", "value": 1}, "name has to be a name"),
        ({"op": "delete", "cell": "a", "notebook": "other.ipynb"}, "notebook 'other.ipynb' is not one of nb.ipynb"),
        ({"op": "delete", "cell": "a", "notebook": 3}, "notebook 3 is not one of nb.ipynb"),
    ],
)
def test_malformed_edits(edit: Any, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse([edit], ["nb.ipynb"])
    assert message in caught.value.message
    with pytest.raises(BadInput, match=r"^edit 2"):
        parse([{"op": "delete", "cell": "a"}, edit], ["nb.ipynb"])


def test_edits_name_their_notebook_if_there_are_several() -> None:
    both = ["a/x.ipynb", "y.ipynb"]
    (found,) = parse([{"op": "delete", "cell": "c", "notebook": "./a/x.ipynb"}], both)
    assert found.notebook == "a/x.ipynb"
    with pytest.raises(BadInput, match=r"notebook is missing: it is one of a/x.ipynb, y.ipynb"):
        parse([{"op": "delete", "cell": "c"}], both)


@pytest.mark.parametrize("value", [None, 3, {"op": "delete", "cell": "a"}, "x"])
def test_what_is_no_list(value: Any) -> None:
    with pytest.raises(BadInput, match="list of objects"):
        parse(value, ["nb.ipynb"])
    with pytest.raises(BadInput, match=r"edits.json: edits are a JSON list of objects"):
        edits.from_json(json.dumps(value).encode(), "edits.json")


def test_what_is_no_json() -> None:
    with pytest.raises(BadInput, match=r"edits.json: the edits are not JSON: .*line 2, column 1"):
        edits.from_json(b"[{}\n", "edits.json")
    with pytest.raises(BadInput, match="not UTF-8, at byte 1"):
        edits.from_json(b"[\xff", "edits.json")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"op": "set_parameter", "name": "c", "value": 1}, "no parameter 'c'; the parameters cell assigns: a, b"),
        ({"op": "replace", "cell": "nope", "source": ""}, "nb.ipynb: no cell 'nope'"),
        ({"op": "replace", "cell": "index:4", "source": ""}, "no cell 'index:4'"),
        ({"op": "replace", "cell": "tag:nope", "source": ""}, "no cell 'tag:nope'"),
        ({"op": "insert", "after": "nope", "source": ""}, "no cell 'nope'"),
        ({"op": "move", "cell": "note", "before": "nope"}, "no cell 'nope'"),
    ],
)
def test_edits_that_do_not_fit(edit: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        run(some(), edit)
    assert caught.value.message.startswith(f"edit 1 ({edit['op']}): ")
    assert message in caught.value.message


def test_notebooks_whose_parameters_cannot_be_set() -> None:
    edit = {"op": "set_parameter", "name": "a", "value": 1}
    with pytest.raises(BadInput, match="no cell is tagged parameters") as caught:
        run(book(cell("c", "a = 1")), edit)
    assert "--tag CELL --add parameters" in str(caught.value.hint)
    other = book(cell("c", "a <- 1", **tagged("parameters"))).with_metadata({"language_info": {"name": "R"}})
    with pytest.raises(BadInput, match="of the language r, not Python") as refused:
        run(other, edit)
    assert "substitute" in str(refused.value.hint)


# -- keys -----------------------------------------------------------------------------------------------------


def test_normalise_is_canonical() -> None:
    def key(*wanted: dict[str, Any]) -> str:
        return json.dumps(normalise(parse(list(wanted), ["nb.ipynb"])))

    one = {"op": "insert", "after": "x", "source": "s"}
    assert key(one) == key(
        {"source": "s", "cell_type": "code", "tags": [], "after": "id:x", "op": "insert", "at": None}
    )
    assert key(one) == key({**one, "notebook": "./nb.ipynb"})
    replace = {"op": "replace", "cell": "x", "source": "s"}
    assert key(replace) == key({**replace, "expect": HASH})
    value = {"op": "set_parameter", "name": "x", "value": None}
    distinct = [key(value), key({**value, "value": 1}), key({**value, "value": True}), key({**value, "value": 1.5})]
    distinct += [
        key(one),
        key({**one, "cell_type": "raw"}),
        key({**one, "tags": ["t"]}),
        key(replace),
        key(one, replace),
    ]
    assert len(set(distinct)) == len(distinct)


# -- files ----------------------------------------------------------------------------------------------------


def test_edit_file_writes_only_what_changes(tmp_path: Path) -> None:
    path, link = tmp_path / "ä nb.ipynb", tmp_path / "link.ipynb"
    path.write_bytes(some().to_bytes())
    link.symlink_to(path)
    before = path.stat().st_ino
    assert not edits.edit_file(path, [{"op": "tag", "cell": "load", "add": ["one"]}]).changed
    assert edits.edit_file(path, [{"op": "delete", "cell": "load"}], dry_run=True).changed
    assert path.stat().st_ino == before
    done = edits.edit_file(link, [{"op": "delete", "cell": "load"}])
    assert link.is_symlink()
    assert path.read_bytes() == done.notebook.to_bytes()
    assert done.as_json() == {"changed": True, "cells": ["load"], "inserted": []}


def test_edit_file_gives_way_to_another_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "nb.ipynb"
    path.write_bytes(some().to_bytes())

    def meanwhile(*arguments: Any, **options: Any) -> Applied:
        path.write_bytes(b"theirs")
        return apply(*arguments, **options)

    monkeypatch.setattr(edits, "apply", meanwhile)
    with pytest.raises(Conflict, match="somebody else wrote to it"):
        edits.edit_file(path, [{"op": "delete", "cell": "load"}])
    assert path.read_bytes() == b"theirs"
