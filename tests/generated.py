"""Strategies for notebooks, as data and as the texts that they are written as."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from nbpr.notebooks.jsontext import escape_surrogates

#: What sources are made of: what JSON escapes, what splits lines, what needs two or four bytes, half a pair.
_SIGNS = "ab=1 #%'\"\\/\n\n\r\t\x0c\x1b\x7f\u2028éß漢😀\ud800"
texts_of_cells = st.text(_SIGNS, max_size=24)
tags = st.text("abct_-", min_size=1, max_size=5)
ids = st.text("abcdef0123456789-_", min_size=1, max_size=8)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.text(_SIGNS, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abé\n", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@dataclass(frozen=True)
class Layout:
    """One way to write a notebook."""

    indent: int | str | None = 1
    compact: bool = False
    newline: str = "\n"
    final_newline: bool = True
    ensure_ascii: bool = False
    mark: bool = False
    order: str = "sorted"

    def write(self, data: Any) -> bytes:
        """The text of `data`, a byte-order mark in front of it if the layout has one."""
        separators = (",", ":") if self.compact else None
        text = json.dumps(
            self._ordered(data), indent=self.indent, ensure_ascii=self.ensure_ascii, separators=separators
        )
        text = escape_surrogates(text).replace("\n", self.newline)
        end = self.newline if self.final_newline else ""
        return (("\ufeff" if self.mark else "") + text + end).encode()

    def _ordered(self, data: Any) -> Any:
        if isinstance(data, list):
            return [self._ordered(item) for item in data]
        if not isinstance(data, dict):
            return data
        keys = list(data)
        if self.order != "given":
            keys.sort(reverse=self.order == "reversed")
        return {key: self._ordered(data[key]) for key in keys}


def layouts() -> st.SearchStrategy[Layout]:
    """Layouts: indents, line ends, key orders, ASCII only or not."""
    return st.builds(
        Layout,
        indent=st.sampled_from([1, 2, 4, 0, "\t", None]),
        compact=st.booleans(),
        newline=st.sampled_from(["\n", "\r\n"]),
        final_newline=st.booleans(),
        ensure_ascii=st.booleans(),
        mark=st.booleans(),
        order=st.sampled_from(["sorted", "given", "reversed"]),
    )


def _source(text: str, as_list: bool) -> str | list[str]:
    return text.splitlines(keepends=True) if as_list else text


@st.composite
def cells(draw: st.DrawFn) -> dict[str, Any]:
    """A cell without id, of any type."""
    cell_type = draw(st.sampled_from(["code", "code", "markdown", "raw"]))
    metadata: dict[str, Any] = draw(st.dictionaries(st.sampled_from(["collapsed", "x", "é"]), values, max_size=2))
    if draw(st.booleans()):
        metadata["tags"] = draw(st.lists(tags, max_size=3, unique=True))
    source = _source(draw(texts_of_cells), draw(st.booleans()))
    cell = {"cell_type": cell_type, "metadata": metadata, "source": source}
    if cell_type == "code":
        stream = {"name": "stdout", "output_type": "stream", "text": _source(draw(texts_of_cells), draw(st.booleans()))}
        cell["outputs"] = [stream] * draw(st.integers(0, 2))
        cell["execution_count"] = draw(st.none() | st.integers(1, 9))
    elif draw(st.booleans()):
        cell["attachments"] = {"a.png": {"image/png": "AAAA"}}
    return cell


@st.composite
def notebooks(draw: st.DrawFn, minors: tuple[int, ...] = (0, 4, 5), missing_ids: bool = True) -> dict[str, Any]:
    """A notebook of nbformat 4; from 4.5 with unique ids, of which some may be missing."""
    minor = draw(st.sampled_from(minors))
    found = draw(st.lists(cells(), max_size=6))
    if minor >= 5:
        names = draw(st.lists(ids, min_size=len(found), max_size=len(found), unique=True))
        for cell, name in zip(found, names, strict=True):
            if not missing_ids or draw(st.integers(0, 4)):
                cell["id"] = name
    metadata = draw(st.dictionaries(st.sampled_from(["authors", "x", "widgets"]), values, max_size=2))
    return {"cells": found, "metadata": metadata, "nbformat": 4, "nbformat_minor": minor}


@st.composite
def texts(draw: st.DrawFn, minors: tuple[int, ...] = (0, 4, 5), missing_ids: bool = True) -> bytes:
    """The bytes of a notebook in some layout."""
    return draw(layouts()).write(draw(notebooks(minors, missing_ids)))
