"""A notebook is read as it is, written byte-faithfully, and refused only if it is none."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.errors import BadInput, NotAllowed
from nbpr.notebooks import notebook
from nbpr.notebooks.notebook import Cell, Notebook, derived_id, parse, select
from tests.generated import Layout, layouts, notebooks, texts, texts_of_cells


def nb(*cells: dict[str, Any], minor: int = 5, **top: Any) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": minor, **top}


def cell(source: str = "x", cell_type: str = "code", **members: Any) -> dict[str, Any]:
    return {"cell_type": cell_type, "metadata": {}, "source": source, **members}


def parsed(data: dict[str, Any], layout: Layout | None = None) -> Notebook:
    return parse((layout or Layout()).write(data), "nb.ipynb")


@given(texts())
def test_what_is_not_touched_is_the_same_bytes(data: bytes) -> None:
    found = parse(data, "nb.ipynb")
    assert found.to_bytes() == data
    assert found.as_json() == json.loads(data.decode("utf-8-sig"))
    assert found.with_cells(list(found.cells)).with_metadata(dict(found.metadata)).to_bytes() == data


@given(texts(), st.randoms(use_true_random=False))
def test_cells_travel_with_their_text(data: bytes, random: Any) -> None:
    found = parse(data, "nb.ipynb")
    moved = [each for each in found.cells if random.random() > 0.2]
    random.shuffle(moved)
    written = found.with_cells(moved).to_bytes()
    again = parse(written, "nb.ipynb")
    assert [each.data for each in again.cells] == [each.data for each in moved]
    assert found.document is not None
    assert again.document is not None
    old = [data.decode()[slice(*found.document.spans[found.index_of(each)])] for each in moved]
    assert [written.decode()[slice(*span)] for span in again.document.spans] == old
    start, end = found.document.array
    assert written.decode().startswith(data.decode()[: start + 1])
    assert written.decode().endswith(data.decode()[end - 1 :])


@given(notebooks(), notebooks(), layouts(), layouts())
def test_cells_may_come_from_another_notebook(one: Any, other: Any, mine: Layout, theirs: Layout) -> None:
    ours, guests = parsed(one, mine), parsed(other, theirs)
    mixed = ours.with_cells([*guests.cells, *ours.cells, *(each.with_source("new\n") for each in guests.cells)])
    assert json.loads(mixed.to_bytes().decode("utf-8-sig")) == mixed.as_json()


def test_a_cell_from_a_notebook_laid_out_alike_keeps_its_text() -> None:
    text = Layout().write(nb(cell("a", id="a"))).replace(b'"a"', b'"\\u0061"')
    guest = parse(text, "other.ipynb").cells[0]
    host = parsed(nb(cell("b", id="b")))
    assert host.with_cells([guest]).to_bytes().count(b"\\u0061") == 2


def test_a_cell_from_a_notebook_laid_out_otherwise_is_laid_out_anew() -> None:
    guest, host = nb(cell("a", id="a")), nb(cell("b", id="b"))
    mixed = parsed(host).with_cells(parsed(guest, Layout(indent=4, ensure_ascii=True)).cells)
    assert mixed.to_bytes() == Layout().write(guest)


@given(notebooks(), layouts())
def test_a_new_cell_looks_as_nbformat_writes_it(data: dict[str, Any], layout: Layout) -> None:
    plain = Layout(indent=layout.indent, newline=layout.newline)
    found = parsed({**data, "cells": [*data["cells"], cell("last", id="last-cell")]}, plain)
    new = notebook.new("markdown", "# é\nx", id="n1")
    written = found.with_cells([*found.cells, new]).to_bytes()
    assert written == plain.write(found.with_cells([*found.cells, new]).as_json())


def test_a_notebook_of_no_file_is_written_as_nbformat_writes_it() -> None:
    made = Notebook(
        "new.ipynb", {"nbformat": 4, "nbformat_minor": 5, "metadata": {}}, (notebook.new("code", "é\n1", id="a"),)
    )
    notebook.quick_imports()
    import nbformat

    assert made.to_bytes().decode() == nbformat.writes(nbformat.from_dict(made.as_json())) + "\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b'{"cells": [', "truncated: the JSON ends early (line 1, column 12)"),
        (b'{"cells": [], "nbformat": 4,\n "metadata": {"a": "b', "truncated: the JSON ends early (line 2, column 20)"),
        (b'{"cells": [],\n "a": 1 "b": 2}', "not JSON: Expecting ',' delimiter (line 2, column 9)"),
        (b"[1, 2]", "not a notebook: no nbformat"),
        (b'"text"', "not a notebook: no nbformat"),
        (b"{}", "not a notebook: no nbformat"),
        (b'{"cells": [], "nbformat": "4"}', "not a notebook: nbformat '4'"),
        (b'{"cells": [], "nbformat": true}', "not a notebook: nbformat True"),
        (b'{"nbformat": 4}', "not a notebook: no cells"),
        (b'{"nbformat": 4, "cells": {}}', "not a notebook: cells is no list"),
        (b'{"nbformat": 4, "cells": [1]}', "not a notebook: cell 0 is no object"),
        (b'{"nbformat": 4, "cells": [], "cells": []}', "two members are called cells"),
        (b'{"nbformat": 3, "worksheets": []}', "nbformat 3 is not supported"),
        (b'{"worksheets": []}', "nbformat of old is not supported"),
        (b'{"nbformat": 5, "cells": []}', "nbformat 5 is newer"),
        (b'{"nbformat": 4, "cells": []} x', "not JSON: Extra data (line 1, column 30)"),
        (b'{"nbformat": 4, "x": "\xff"}', "not UTF-8, at byte 22"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8, at byte 0"),
        (b'{"cells": ' + b"[" * 200_000, "not JSON: nested too deep (line 1, column 12)"),
    ],
)
def test_what_is_no_notebook_is_refused_with_its_place(data: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(f"my nb.ipynb: {message}")):
        parse(data, "my nb.ipynb")


@given(texts(), st.integers(0, 10**6))
def test_a_text_cut_anywhere_is_called_truncated(data: bytes, place: int) -> None:
    text = data.decode().rstrip()
    with pytest.raises(BadInput, match=r"nb.ipynb: (truncated|the file is empty)"):
        parse(text[: place % len(text)].encode(), "nb.ipynb")


@given(texts(), st.integers(0, 10**6), st.binary(max_size=3))
def test_damage_is_refused_or_read_never_a_crash(data: bytes, place: int, junk: bytes) -> None:
    at = place % len(data)
    damaged = data[:at] + junk + data[at + 1 :]
    try:
        found = parse(damaged, "nb.ipynb")
    except BadInput:
        return
    assert found.to_bytes() == damaged
    assert len(found.ids) == len(found.cells)
    changed = found.with_cells(each.with_source("new") for each in found.cells)
    assert [each.source for each in parse(changed.to_bytes(), "nb.ipynb").cells] == ["new"] * len(found.cells)


def test_hints_mend() -> None:
    with pytest.raises(BadInput) as old:
        parse(b'{"nbformat": 3, "worksheets": []}', "my nb.ipynb")
    assert old.value.hint == "jupyter nbconvert --to notebook --nbformat 4 --inplace 'my nb.ipynb'"
    with pytest.raises(BadInput) as conflicted:
        parse(b'{\n<<<<<<< HEAD\n "nbformat": 4\n=======', "nb.ipynb")
    assert "conflict markers" in str(conflicted.value.hint)


@pytest.mark.parametrize(
    "text",
    [
        '{"nbformat": 4, "cells": []}',
        '{"nbformat": 4, "nbformat_minor": 99, "cells": [{}], "metadata": 3}',
        '{"nbformat": 4, "cells": [{"cell_type": "code", "source": ["a", 1], "metadata": {"tags": 1}, "outputs": 7}]}',
        '\ufeff\r\n{"nbformat": 4, "cells": [{"cell_type": "odd", "source": null, "metadata": []}], "x": NaN}  \n\n',
        '{"nbformat": 4, "cells": [{"source": "\\ud800", "id": 5, "metadata": {"tags": [1, "a"]}}], "metadata": {}}',
    ],
)
def test_what_the_wild_holds_is_read(text: str) -> None:
    found = parse(text.encode(), "nb.ipynb")
    assert found.to_bytes() == text.encode()
    for each in found.cells:
        assert isinstance(each.source, str)
        assert isinstance(each.tags, tuple)
        assert each.source_hash.startswith("sha256:")
        assert each.outputs == []
    edited = found.with_cells([each.with_source("é").with_tags(["t"]) for each in found.cells])
    again = parse(edited.to_bytes(), "nb.ipynb")
    assert [(each.source, each.tags) for each in again.cells] == [("é", ("t",))] * len(found.cells)


def test_what_nests_too_deep_to_be_written_is_said() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(BadInput, match=r"nb.ipynb: nested too deep"):
        parsed(nb()).with_metadata({"deep": deep}).to_bytes()


def test_what_a_cell_says() -> None:
    found = Cell(cell("a\nb", id="i", metadata={"tags": ["x", "y"]}, outputs=[{"a": 1}], execution_count=1))
    assert (found.id, found.cell_type, found.source, found.tags) == ("i", "code", "a\nb", ("x", "y"))
    assert found.source_hash == "sha256:" + hashlib.sha256(b"a\nb").hexdigest()
    assert found.with_source("a\nb") is found
    assert found.with_tags(["x", "y"]) is found
    changed = found.with_source("c\nd")
    assert changed.data == {**found.data, "source": "c\nd", "outputs": [], "execution_count": None}
    assert found.with_tags([]).data["metadata"] == {}
    markdown = Cell(cell(["a"], "markdown", attachments={"p": {}}))  # type: ignore[arg-type]
    assert markdown.with_source("b\nc").data == {**markdown.data, "source": ["b\n", "c"]}


def test_what_a_notebook_says() -> None:
    found = parsed(nb(metadata={"kernelspec": {"name": "ir", "language": "R"}}))
    assert (found.kernel, found.language, found.parameters_cell) == ("ir", "r", None)
    bare = parsed(
        nb(cell("1", "markdown", metadata={"tags": ["parameters"]}), cell("2", metadata={"tags": ["parameters"]}))
    )
    assert (bare.kernel, bare.language) == (None, "python")
    assert bare.parameters_cell is bare.cells[1]
    assert bare.index_of(bare.cells[1]) == 1
    with pytest.raises(ValueError, match="not a cell"):
        bare.index_of(Cell({}))


# -- ids -----------------------------------------------------------------------------------------------------


@given(texts(minors=(5,)))
def test_missing_ids_are_derived_and_nothing_else_changes(data: bytes) -> None:
    found = parse(data, "nb.ipynb")
    whole = found.with_ids()
    assert whole.with_ids() is whole
    assert len({each.id for each in whole.cells}) == len(whole.cells)
    for before, after in zip(found.cells, whole.cells, strict=True):
        assert after.data == {**before.data, "id": before.id or after.id}
    assert parse(whole.to_bytes(), "nb.ipynb").ids == found.ids
    stored = json.loads(whole.to_bytes().decode("utf-8-sig"))
    assert [each["id"] for each in stored["cells"]] == list(found.ids)


@given(st.lists(texts_of_cells, min_size=1, max_size=5), st.integers(0, 5), texts_of_cells)
def test_an_id_does_not_hang_on_other_cells(sources: list[str], place: int, other: str) -> None:
    before = parsed(nb(*map(cell, sources)))
    more = [*map(cell, sources)]
    more.insert(place, cell(other, "markdown"))
    after = parsed(nb(*more))
    assert [cell_id for each, cell_id in zip(after.cells, after.ids, strict=True) if each.is_code] == list(before.ids)


def test_ids_are_the_same_everywhere() -> None:
    found = parsed(nb(cell("x"), cell("x"), cell("x", "markdown"), cell("x", id=""), cell("y", id="own")))
    first, second = derived_id("code", "x", 0, ()), derived_id("code", "x", 1, ())
    assert found.ids == (first, second, derived_id("markdown", "x", 0, ()), derived_id("code", "x", 2, ()), "own")
    assert first == "935227b81303"
    assert derived_id("code", "x", 0, {first}) == second
    assert parsed(nb(cell("x", id=first), cell("x"))).ids == (first, second)


def test_there_are_no_ids_before_4_5() -> None:
    found = parsed(nb(cell("x", id="stray"), minor=4))
    assert found.ids == (None,)
    assert found.with_ids() is found


def test_source_sha256_is_of_the_code_alone() -> None:
    def digest(*cells: dict[str, Any]) -> str:
        return notebook.source_sha256(parsed(nb(*cells)))

    one = digest(cell("a"), cell("b"))
    injected = cell("z", metadata={"tags": ["injected-parameters"]})
    assert one == digest(cell("a", outputs=[{}]), injected, cell("text", "markdown"), cell("b", id="b"))
    assert len({one, digest(cell("b"), cell("a")), digest(cell("ab")), digest(cell("a\nb")), digest(cell("a"))}) == 5
    assert re.fullmatch("sha256:[0-9a-f]{64}", one)


# -- selectors -----------------------------------------------------------------------------------------------

SOME = nb(
    cell("1", id="abc", metadata={"tags": ["parameters"]}),
    cell("2", metadata={"tags": ["twice"]}),
    cell("3", id="dup", metadata={"tags": ["twice", "a b"]}),
    cell("4", id="dup"),
    cell("5", id="index:0"),
)


@pytest.mark.parametrize(
    ("selector", "index"),
    [
        ("abc", 0),
        ("id:abc", 0),
        ("index:0", 0),
        ("index:3", 3),
        ("tag:parameters", 0),
        ("tag:a b", 2),
        ("id:index:0", 4),
        (derived_id("code", "2", 0, ()), 1),
    ],
)
def test_select(selector: str, index: int) -> None:
    assert select(parsed(SOME), selector) == index


@pytest.mark.parametrize(
    "selector",
    ["", "no", "id:no", "tag:no", "index:5", "index:-1", "index:", "index:x", "index:1.0", "index:" + "9" * 20],
)
def test_an_unknown_cell_lists_what_there_is(selector: str) -> None:
    with pytest.raises(BadInput, match=re.escape(f"nb.ipynb: no cell {selector!r}")) as caught:
        select(parsed(SOME), selector)
    for there in ("index:0 abc code tag:parameters", "index:3 dup code", "tag:a b"):
        assert there in str(caught.value.hint)


@pytest.mark.parametrize(("selector", "there"), [("dup", "index:2 dup"), ("tag:twice", "index:1 ")])
def test_an_ambiguous_cell_lists_what_it_names(selector: str, there: str) -> None:
    with pytest.raises(BadInput, match="names 2 cells") as caught:
        select(parsed(SOME), selector)
    assert there in caught.value.message


# -- files ---------------------------------------------------------------------------------------------------


def test_reading_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"missing.ipynb: no such file"):
        notebook.read(tmp_path / "missing.ipynb")
    with pytest.raises(BadInput, match="a folder, not a notebook"):
        notebook.read(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot be read: Not a directory"):
        notebook.read(tmp_path / "file" / "nb.ipynb")
    with pytest.raises(BadInput, match="not a path"):
        notebook.read(Path("a\0b"))


def test_writing_keeps_the_mode_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "ä b.ipynb"
    path.write_bytes(b"old")
    path.chmod(0o754)
    notebook.write(path, parsed(SOME))
    assert path.read_bytes() == Layout().write(SOME)
    assert stat.S_IMODE(path.stat().st_mode) == 0o754
    notebook.write(tmp_path / "new.ipynb", b"new")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "new.ipynb").stat().st_mode) == 0o666 & ~umask
    assert sorted(each.name for each in tmp_path.iterdir()) == ["new.ipynb", "ä b.ipynb"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "nb.ipynb"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotAllowed, match=r"nb.ipynb: cannot be written: No space left on device"):
        notebook.write(path, b"new")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("nb.ipynb", b"old")]
    with pytest.raises(NotAllowed, match="No such file or directory"):
        notebook.write(tmp_path / "no" / "nb.ipynb", b"new")
