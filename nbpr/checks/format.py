"""`format`: a notebook is valid nbformat, every cell has an id of its own, and no conflict of a merge stands in it."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from nbpr.diff import conflicts
from nbpr.errors import BadInput
from nbpr.findings import Finding
from nbpr.notebooks import notebook
from nbpr.notebooks.notebook import Notebook

#: How many violations of the schema are told of one notebook; the rest is mostly more of the same.
TOLD = 10


def check(data: bytes, path: str) -> list[Finding]:
    """What is wrong with a notebook file: unreadable, against nbformat's schema, ids missing or doubled, conflicts.

    NaN and infinities, which nbformat itself writes and strict readers refuse, are a warning.
    """
    try:
        parsed = notebook.parse(data, path)
    except BadInput as error:
        return [Finding("format", "error", path, error.message.removeprefix(f"{path}: "), hint=error.hint)]
    ids = [*_missing_ids(parsed, path), *_doubled_ids(parsed, path)]
    return [*_schema(parsed, path), *ids, *_conflicts(parsed, path), *_nan(parsed, path)]


def _schema(parsed: Notebook, path: str) -> Iterator[Finding]:
    notebook.quick_imports()
    from nbformat.validator import iter_validate

    nb = parsed.as_json()
    if parsed.nbformat_minor >= 5:
        # Missing ids are told apart from the rest, once for all cells.
        nb = {**nb, "cells": [{"id": "absent", **cell} for cell in nb["cells"]]}
    errors = iter_validate(nb, version=parsed.nbformat, version_minor=parsed.nbformat_minor)
    for error in islice(errors, TOLD):
        index = _cell_index(error)
        cell_id = None if index is None else parsed.cells[index].id
        yield Finding("format", "error", path, f"{_place(error)}: {_problem(error)}", cell_id)
    if next(errors, None) is not None:
        yield Finding("format", "error", path, f"more than {TOLD} violations of nbformat's schema")


def _cell_index(error: Any) -> int | None:
    place = list(error.relative_path)
    return place[1] if len(place) > 1 and place[0] == "cells" else None


def _place(error: Any) -> str:
    """Where the schema is violated: `cell 3, outputs[0].data`."""
    index = _cell_index(error)
    inner = list(error.relative_path)[2 if index is not None else 0 :]
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in inner).lstrip(".")
    return ", ".join(filter(None, ("notebook" if index is None else f"cell {index}", words)))


def _problem(error: Any) -> str:
    """The validator's message on one line, without the whole instance that it repeats."""
    text = " ".join(str(error.message).replace(repr(error.instance), "this", 1).split())
    return text if len(text) <= 160 else text[:157] + "…"


def _missing_ids(parsed: Notebook, path: str) -> Iterator[Finding]:
    if parsed.nbformat_minor < 5:
        return
    missing = [index for index, cell in enumerate(parsed.cells) if "id" not in cell.data]
    if missing:
        subject = f"cell {missing[0]} has" if len(missing) == 1 else f"{len(missing)} cells have"
        hint = f"nbpr check --fix {shlex.quote(path)} gives them ids that are the same on every branch"
        yield Finding("format", "error", path, f"{subject} no id", hint=hint)


def _doubled_ids(parsed: Notebook, path: str) -> Iterator[Finding]:
    counted = Counter(cell.id for cell in parsed.cells if cell.id is not None)
    for cell_id, count in counted.items():
        if count > 1:
            places = [str(index) for index, cell in enumerate(parsed.cells) if cell.id == cell_id]
            message = f"cells {', '.join(places[:-1])} and {places[-1]} have the same id {cell_id!r}"
            yield Finding("format", "error", path, message, cell_id, f"nbpr check --fix {shlex.quote(path)}")


def _conflicts(parsed: Notebook, path: str) -> Iterator[Finding]:
    """A merge that nobody has ended: markers in a source, or what was kept back of metadata."""
    for mark in conflicts.markers_in(parsed):
        where = "the notebook's metadata" if mark.index is None else f"cell {mark.index}"
        if mark.line is None:
            message = f"{where}: both sides of a merge changed it; ours stands, theirs is kept back beside it"
            hint = "take what you want of both in the notebook; git add or nbpr clean takes what was kept back away"
        else:
            message = f"{where}, line {mark.line}: the markers of a merge conflict stand in the source"
            hint = "mend the cell, and take the markers out"
        yield Finding("format", "error", path, message, mark.cell_id, hint)


def _nan(parsed: Notebook, path: str) -> Iterator[Finding]:
    holding = [index for index, cell in enumerate(parsed.cells) if _has_nan(cell.data)]
    places = [f"cell{'s' * (len(holding) > 1)} {', '.join(map(str, holding))}"] if holding else []
    places += ["the metadata"] if _has_nan(parsed.data) else []
    if places:
        message = f"NaN or Infinity in {' and '.join(places)}: not JSON to strict readers"
        yield Finding("format", "warning", path, message)


def _has_nan(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(map(_has_nan, value.values()))
    return isinstance(value, list) and any(map(_has_nan, value))
