"""One cell of a notebook, and its place in the text that it was read from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from nbpr.notebooks import jsonscan, jsontext


class Origin(NamedTuple):
    """Where a cell was read: which document, how-manieth cell of it, and the data that its text holds."""

    document: Document
    place: int
    data: dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One cell: `data` is its JSON object, which nobody changes in place."""

    data: dict[str, Any]
    origin: Origin | None = field(default=None, compare=False, repr=False)

    @property
    def id(self) -> str | None:
        """The id that stands in the file; None where there is none, or none that is a text."""
        found = self.data.get("id")
        return found if isinstance(found, str) and found else None

    @property
    def cell_type(self) -> str:
        """code, markdown or raw; whatever the file says."""
        return str(self.data.get("cell_type", ""))

    @property
    def is_code(self) -> bool:
        return self.data.get("cell_type") == "code"

    @cached_property
    def source(self) -> str:
        """The source as one text."""
        found = self.data.get("source", "")
        if isinstance(found, list):
            return "".join(line for line in found if isinstance(line, str))
        return found if isinstance(found, str) else ""

    @cached_property
    def source_hash(self) -> str:
        """`sha256:` and the hex digest of the UTF-8 source."""
        return f"sha256:{hashlib.sha256(_utf8(self.source)).hexdigest()}"

    @property
    def metadata(self) -> dict[str, Any]:
        found = self.data.get("metadata")
        return found if isinstance(found, dict) else {}

    @property
    def tags(self) -> tuple[str, ...]:
        found = self.metadata.get("tags")
        return tuple(tag for tag in found if isinstance(tag, str)) if isinstance(found, list) else ()

    @property
    def outputs(self) -> list[dict[str, Any]]:
        found = self.data.get("outputs")
        return [output for output in found if isinstance(output, dict)] if isinstance(found, list) else []

    def replace(self, **members: Any) -> Cell:
        """The cell with other members, in the same place of the file."""
        return dataclasses.replace(self, data={**self.data, **members})

    def with_source(self, text: str) -> Cell:
        """The cell with another source; a code cell loses its outputs and execution count. Itself if equal."""
        if text == self.source:
            return self
        source = text if isinstance(self.data.get("source"), str) else source_lines(text)
        unrun: dict[str, Any] = {"outputs": [], "execution_count": None} if self.is_code else {}
        return self.replace(source=source, **unrun)

    def with_tags(self, tags: Iterable[str]) -> Cell:
        """The cell with these tags; itself if it has them."""
        wanted = list(tags)
        if wanted == list(self.tags):
            return self
        others = {key: data for key, data in self.metadata.items() if key != "tags"}
        return self.replace(metadata={**others, "tags": wanted} if wanted else others)


def source_lines(text: str) -> list[str]:
    """A source as nbformat writes it: a list of lines that keep their ends."""
    return text.splitlines(keepends=True)


@dataclass(frozen=True, eq=False)
class Document:
    """A notebook's text as it was read: where its object, the members of that and its cells stand.

    `top` is what the members hold, without the cells.
    """

    text: str
    at: int
    end: int
    members: Sequence[jsonscan.Member]
    cells: Sequence[jsonscan.Element]
    top: dict[str, Any]

    @cached_property
    def style(self) -> jsontext.Style:
        return jsontext.style_of(self.text, self.at, self.members)

    @cached_property
    def array(self) -> tuple[int, int]:
        """Where the list of cells stands."""
        return next((part.value_start, part.value_end) for part in self.members if part.key == "cells")

    @cached_property
    def cell_style(self) -> jsontext.Style:
        """The style of new cells."""
        return jsontext.inner_style(self.text, *self.array, self.spans, self.style)

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        return [(cell.start, cell.end) for cell in self.cells]

    def write(self, data: dict[str, Any], cells: Sequence[Cell]) -> str:
        """The text with other top-level members and other cells."""
        if data is self.top and self._untouched(cells):
            return self.text
        items = [jsontext.Item(self._place(cell), self.cell_text(cell)) for cell in cells]
        array = jsontext.splice(self.text, *self.array, self.spans, items, self.style, 1)
        whole = {**data, "cells": []}
        written = jsontext.rewrite_members(
            self.text, self.at, self.end, self.members, self.top, whole, self.style, 0, {"cells": array}
        )
        return self.text[: self.at] + written + self.text[self.end :]

    def _untouched(self, cells: Sequence[Cell]) -> bool:
        pairs = zip(cells, self.cells, strict=False)
        return len(cells) == len(self.cells) and all(cell.data is old.value for cell, old in pairs)

    def _place(self, cell: Cell) -> int | None:
        return cell.origin.place if cell.origin and cell.origin.document is self else None

    def cell_text(self, cell: Cell) -> str:
        """A cell as it stands in this document: over its old text, if that is laid out alike, else anew."""
        origin = cell.origin
        if origin is None or not (origin.document is self or origin.document.style == self.style):
            return jsontext.dumps(cell.data, self.cell_style, 2)
        start, end = origin.document.spans[origin.place]
        if cell.data is origin.data:
            return origin.document.text[start:end]
        return jsontext.rewrite(origin.document.text, start, end, origin.data, cell.data, self.style, 2)


def derived_id(cell_type: str, source: str, occurrence: int, taken: Container[str]) -> str:
    """The id of a cell that has none: 12 hex digits that follow from what it is, the same on every branch.

    `occurrence` counts, from 0, the cells of the same type and source; it goes up until the id is not `taken`.
    """
    while True:
        made = hashlib.sha256(_utf8(json.dumps([cell_type, source, occurrence]))).hexdigest()[:12]
        if made not in taken:
            return made
        occurrence += 1


def complete_ids(cells: Sequence[Cell]) -> list[str]:
    """Every cell's id, derived where it is missing."""
    taken = {cell.id for cell in cells if cell.id}
    seen: Counter[tuple[str, str]] = Counter()
    ids = []
    for cell in cells:
        found = cell.id
        if found is None:
            kind = (cell.cell_type, cell.source)
            found = derived_id(*kind, seen[kind], taken)
            seen[kind] += 1
            taken.add(found)
        ids.append(found)
    return ids


def _utf8(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
