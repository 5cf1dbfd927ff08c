"""The texts of a notebook: each decoded, whole, and with its place."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given

from nbpr.notebooks import celltext, notebook
from tests import generated as notebooks
from tests.projects import cell, dumped


def texts(*cells: dict[str, Any], **metadata: Any) -> list[tuple[str, str, str | None]]:
    found = celltext.texts(notebook.parse(dumped(cells, **metadata), "nb"))
    return [(each.text, each.place, each.name) for each in found if each.cell is not None]


def test_lines_are_joined_colours_taken_out_and_entities_read() -> None:
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["a", "b"]},
        {"output_type": "stream", "name": "stdout", "text": "c\x1b[31md\x1b[0m"},
        {"output_type": "stream", "name": "stderr", "text": "e"},
        {"output_type": "display_data", "metadata": {}, "data": {"text/html": ["<b>&quot;", "x&quot;</b>"]}},
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[1mone", "two\x1b[0m"]},
    ]
    found = texts(cell("a", "code", "so\nurce", outputs=outputs))
    assert ("so\nurce", "its source", None) in found
    assert ("abcd", "output 0", None) in found
    assert ("e", "output 2", None) in found
    assert ('<b>"x"</b>', "output 3", None) in found
    assert ("one\ntwo", "output 4", None) in found
    assert ("v", "output 4", "evalue") in found


def test_values_have_the_key_that_they_stand_under_and_keys_are_texts() -> None:
    found = texts(cell("a", "code", "1", metadata={"outer": {"inner": ["x", "y"]}, "number": 1}))
    assert ("x", "its metadata", "inner") in found
    assert ("y", "its metadata", "inner") in found
    assert ("number\nouter", "its metadata", None) in found


def test_pictures_are_left_out_wherever_they_stand() -> None:
    picture = "iVBORw0KGgo" * 40
    html = f'<img src="data:image/png;base64,{picture}">'
    outputs = [{"output_type": "display_data", "metadata": {}, "data": {"image/png": picture, "text/html": html}}]
    note = cell("b", "markdown", f"![x](data:image/png;base64,{picture})", attachments={"p": {"image/png": picture}})
    found = texts(cell("a", "code", "1", outputs=outputs), note)
    assert not [text for text, _, _ in found if "iVBOR" in text]
    assert ('<img src="data:image/png;base64,">', "output 0", None) in found
    assert ("p", "the name of an attachment", None) in found


def test_what_is_nested_deep_is_read() -> None:
    value: Any = "deep"
    for _ in range(500):
        value = [value]
    found = celltext.texts(notebook.parse(dumped([], x=value), "nb"))
    assert "deep" in [each.text for each in found]


def test_a_file_that_is_no_notebook_is_read_as_json_or_as_it_is() -> None:
    assert [each.text for each in celltext.raw(b'{"a": "x\\u0041"}')] == ["a", "xA"]
    assert [each.text for each in celltext.raw(b"x\xff")] == ["x\ufffd"]


@given(notebooks.texts())
def test_any_notebook_has_its_sources_as_texts(data: bytes) -> None:
    parsed = notebook.parse(data, "nb")
    found = list(celltext.texts(parsed))
    for index, one in enumerate(parsed.cells):
        wanted = [one.source.replace("\x1b", "")] if one.source else []
        sources = [each.text.replace("\x1b", "") for each in found if (each.cell, each.place) == (index, "its source")]
        assert sources == wanted or "\x1b" in one.source
    assert json.dumps([each.cell_id for each in found])
