"""Edits do what they say, all or none, touch no other byte, and change nothing that is so already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.errors import BadInput, Conflict
from nbpr.notebooks import edits, notebook
from nbpr.notebooks.edits import Applied, apply
from nbpr.notebooks.notebook import Notebook
from tests.editing import Script, book, cell, reread, run, some, sources
from tests.generated import texts, texts_of_cells


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
