"""In which line of a notebook's file each cell begins: what editors and forges point at."""

from __future__ import annotations

from collections.abc import Mapping

from nbpr.notebooks import jsonscan


def cell_lines(data: bytes) -> Mapping[str, int]:
    """The line, from 1, of each cell that has an id, of doubled ids the first; nothing of what cannot be read."""
    try:
        text = data.decode("utf-8")
        tops, _ = jsonscan.members(text, jsonscan.start(text))
        cells = next(top for top in tops if top.key == "cells")
        elements, _ = jsonscan.elements(text, cells.value_start)
    except (UnicodeDecodeError, jsonscan.JsonError, StopIteration):
        return {}
    found: dict[str, int] = {}
    line, at = 1, 0
    for element in elements:
        line, at = line + text.count("\n", at, element.start), element.start
        cell_id = element.value.get("id") if isinstance(element.value, dict) else None
        if isinstance(cell_id, str):
            found.setdefault(cell_id, line)
    return found
