"""`clean`: a notebook outside `runs/` carries no outputs and no run state."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nbpr.findings import Finding
from nbpr.notebooks.clean import DEFAULT, Options, clean_cell, clean_metadata, is_clean, keeps_by_default
from nbpr.notebooks.notebook import Notebook


def check(notebook: Notebook, path: str, options: Options = DEFAULT) -> list[Finding]:
    """One finding that says what the notebook carries, or none. It names the cell if it is only one."""
    if is_clean(notebook, options):
        return []
    keep = keeps_by_default(notebook, options)
    pairs = [(cell.data, clean_cell(cell.data, options, keep)) for cell in notebook.cells]
    touched = [cell for cell, (before, after) in zip(notebook.cells, pairs, strict=True) if before is not after]
    lost = _lost(notebook.data.get("metadata"), clean_metadata(notebook, options))
    cell_id = touched[0].id if len(touched) == 1 and not lost else None
    message = "; ".join(_carried(pairs, lost)) or "cells that are to be dropped"
    return [Finding("clean", "error", path, message, cell_id, f"nbpr clean {shlex.quote(path)}")]


def _carried(pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], lost: set[str]) -> Iterator[str]:
    for name, word in (("outputs", "outputs"), ("execution_count", "an execution count")):
        count = sum(before.get(name) != after.get(name) for before, after in pairs)
        if count:
            yield f"{word} in {count} cell{'s' * (count != 1)}"
    for before, after in pairs:
        lost |= _lost(before.get("metadata"), after.get("metadata"))
    if lost:
        yield f"run metadata: {', '.join(sorted(lost))}"


def _lost(before: Any, after: Any) -> set[str]:
    """The names that cleaning takes out of an object, or changes within it."""
    if before is after or not isinstance(before, Mapping):
        return set()
    return {key for key, value in before.items() if key not in after or after[key] is not value}
