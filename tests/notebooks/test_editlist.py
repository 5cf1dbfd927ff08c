"""Lists of edits that are wrong are refused with the place and the mend; right ones have one canonical form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbpr.errors import BadInput
from nbpr.notebooks import edits
from nbpr.notebooks.edits import normalise, parse
from tests.editing import HASH, book, cell, run, some, tagged


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
