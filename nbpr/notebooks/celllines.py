"""In which lines of a notebook's file each cell stands: what editors and forges point at."""

from __future__ import annotations

from collections.abc import Mapping

from nbpr.notebooks import jsonscan


def cell_lines(data: bytes) -> Mapping[str, range]:
    """The lines, from 1, of each cell that has an id, of doubled ids the first; nothing of what cannot be read."""
    try:
        text = data.decode("utf-8")
        tops, _ = jsonscan.members(text, jsonscan.start(text))
        cells = next(top for top in tops if top.key == "cells")
        elements, _ = jsonscan.elements(text, cells.value_start)
    except (UnicodeDecodeError, jsonscan.JsonError, StopIteration):
        return {}
    found: dict[str, range] = {}
    line, at = 1, 0
    for element in elements:
        first = line + text.count("\n", at, element.start)
        line, at = first + text.count("\n", element.start, element.end), element.end
        cell_id = element.value.get("id") if isinstance(element.value, dict) else None
        if isinstance(cell_id, str):
            found.setdefault(cell_id, range(first, line + 1))
    return found


def first_line(lines: Mapping[str, range], cell_id: str | None) -> int:
    """Where a cell begins, else the first line."""
    return lines[cell_id].start if cell_id is not None and cell_id in lines else 1
