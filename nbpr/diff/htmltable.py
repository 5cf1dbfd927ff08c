"""One table out of HTML, as pandas writes it, and out of a scrap of encoder `pandas`.

Read with a few expressions that take time in proportion to the text, whatever the text: notebooks are hostile
input. What is no table of pandas' making may come out as None.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

#: Texts longer than this are not read, and tables of more values than this are none.
_LONGEST = 10_000_000
_LARGEST = 300_000

_PART = re.compile(r"<(/?)(table|thead|tbody|tfoot|tr|th|td|caption|style|script)(\s[^<>]*)?>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_SPAN = re.compile(r"\b(row|col)span\s*=\s*[\"']?(\d{1,5})")
_SHAPE = re.compile(r"<p>\s*(\d{1,12}) rows × (\d{1,9}) columns\s*</p>")

#: What pandas writes for rows and columns that it leaves out.
_LEFT_OUT = frozenset({"...", "…", "⋮"})


@dataclass(frozen=True)
class Row:
    """A row: its label (of several levels, with " / " between; "" without), and its values as text."""

    label: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table as text. Every row has as many values as there are columns."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    shape: tuple[int, int]
    partial: bool = False


@dataclass(frozen=True)
class _Cell:
    text: str
    heading: bool


_Grid = list[list[_Cell]]


def read(text: str) -> Table | None:
    """The one table in a text; None where there is none, more than one, or a too large one."""
    if len(text) > _LONGEST or text.lower().count("<table") != 1:
        return None
    head: _Grid = []
    body: _Grid = []
    size = 0
    for in_head, row in _spread(text):
        size += len(row)
        if size > _LARGEST:
            return None
        (head if in_head else body).append(row)
    stated = _SHAPE.search(text)
    return _table(head, body, (int(stated[1]), int(stated[2])) if stated else None)


def _spread(text: str) -> Iterator[tuple[bool, list[_Cell]]]:
    """The rows with cells that span several columns or rows repeated, and whether a row is in the head."""
    hanging: dict[int, tuple[int, _Cell]] = {}
    for in_head, cells in _rows(text):
        row: list[_Cell] = []
        waiting = iter(cells)
        while len(row) < _LARGEST:
            if len(row) in hanging:
                left, cell = hanging.pop(len(row))
                if left > 1:
                    hanging[len(row)] = left - 1, cell
                row.append(cell)
                continue
            following = next(waiting, None)
            if following is None:
                break
            cell, down, across = following
            for _ in range(max(1, across)):
                if down > 1:
                    hanging[len(row)] = down - 1, cell
                row.append(cell)
        yield in_head, row


def _rows(text: str) -> Iterator[tuple[bool, list[tuple[_Cell, int, int]]]]:
    """Every `<tr>` as its cells with their spans."""
    in_head, place = False, 0
    row: list[tuple[_Cell, int, int]] | None = None
    opened: tuple[bool, tuple[int, int]] | None = None
    for part in _PART.finditer(text):
        closing, name = bool(part[1]), part[2].lower()
        if opened is not None:
            if not (closing and name in ("th", "td")) and name not in ("th", "td", "tr", "table", "thead", "tbody"):
                continue
            if row is not None:
                row.append((_Cell(_text(text[place : part.start()]), opened[0]), *opened[1]))
            opened = None
        if name == "thead":
            in_head = not closing
        elif name == "tr":
            if row:
                yield in_head, row
            row = None if closing else []
        elif name in ("th", "td") and not closing:
            opened, place = (name == "th", _spans(part[3] or "")), part.end()
    if row:
        yield in_head, row


def _spans(attributes: str) -> tuple[int, int]:
    """How many rows and columns a cell takes."""
    found = {which: int(count) for which, count in _SPAN.findall(attributes)}
    return found.get("row", 1), found.get("col", 1)


def _text(markup: str) -> str:
    return " ".join(html.unescape(_TAG.sub("", markup)).split())


def _table(head: _Grid, body: _Grid, stated: tuple[int, int] | None) -> Table | None:
    if not head and body and all(cell.heading for cell in body[0]):
        head, body = body[:1], body[1:]
    labels = min((_labels(row) for row in body), default=_labels_of_head(head))
    width = max((len(row) for row in [*head, *body]), default=0) - labels
    if width <= 0:
        return None
    columns = tuple(_column(head, labels + place) for place in range(width))
    rows = tuple(Row(_label(row[:labels]), _values(row[labels:], width)) for row in body)
    hidden_rows = any(row.values and set(row.values) <= _LEFT_OUT for row in rows)
    partial = hidden_rows or bool(_LEFT_OUT & set(columns))
    return Table(columns, rows, stated or (len(rows), width), partial)


def _labels(row: list[_Cell]) -> int:
    """With how many headings a row begins."""
    return next((place for place, cell in enumerate(row) if not cell.heading), len(row))


def _labels_of_head(head: _Grid) -> int:
    return next((place for place, cell in enumerate(head[0]) if cell.text), 0) if head else 0


def _label(cells: list[_Cell]) -> str:
    return " / ".join(cell.text for cell in cells)


def _values(cells: list[_Cell], width: int) -> tuple[str, ...]:
    return tuple(cell.text for cell in cells) + ("",) * (width - len(cells))


def _column(head: _Grid, place: int) -> str:
    """A column's name, of several levels with " / " between. A row that only names the labels adds nothing."""
    names = [row[place].text for row in head if place < len(row)]
    return " / ".join(name for name in names if name)
