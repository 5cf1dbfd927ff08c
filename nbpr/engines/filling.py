"""Outputs put into the notebook that they are of, with what became of each cell; nothing else of it is changed.

papermill's own notebook is not taken: it is upgraded, has random ids, and cells, tags and times of papermill's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nbpr.notebooks.cell import Cell, derived_id
from nbpr.notebooks.notebook import INJECTED


def filled_in(source: Mapping[str, Any], ran: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The source's cells with what they put out, and the injected cell where papermill put it.

    In `ran` a cell's id is its place in the source. Cells that did not run have no outputs, whatever the source had.
    """
    left = {str(place): cell for place, cell in enumerate(source["cells"])}
    known = {cell["id"] for cell in ran}
    if not known <= left.keys():
        # An injected cell of an earlier run gave way to the new one.
        left = {place: cell for place, cell in left.items() if place in known or INJECTED not in tags(cell)}
    filled = []
    for cell in ran:
        if cell["id"] not in left:
            filled.append(_injected(cell, source))
            continue
        while cell["id"] in left:
            place = next(iter(left))
            filled.append(_with_outputs(left.pop(place), cell if place == cell["id"] else {}))
    return filled + [_with_outputs(cell, {}) for cell in left.values()]


def tags(cell: Mapping[str, Any]) -> list[str]:
    """A cell's tags, whatever else stands in their place."""
    metadata = cell.get("metadata")
    found = metadata.get("tags") if isinstance(metadata, Mapping) else None
    return [tag for tag in found if isinstance(tag, str)] if isinstance(found, list) else []


def _injected(cell: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """The injected parameters cell, without papermill's metadata, with an id that is the same in every run."""
    made = {
        "cell_type": "code",
        "execution_count": cell.get("execution_count"),
        "metadata": {"tags": [INJECTED]},
        "outputs": cell.get("outputs", []),
        "source": cell["source"],
    }
    if source.get("nbformat_minor", 0) < 5:
        return made
    return {**made, "id": derived_id("code", INJECTED, 0, {cell.get("id") for cell in source["cells"]})}


def _with_outputs(cell: Mapping[str, Any], ran: Mapping[str, Any]) -> dict[str, Any]:
    if cell.get("cell_type") != "code":
        return dict(cell)
    return {**cell, "outputs": ran.get("outputs", []), "execution_count": ran.get("execution_count")}


def with_statuses(cells: Sequence[dict[str, Any]], failed: tuple[int, str] | None) -> Iterator[dict[str, Any]]:
    """The cells, each with what became of it where papermill's readers look: completed, failed or pending.

    `failed` are place and source of the one that failed; injected cells are not counted.
    """
    index = -1
    for cell in cells:
        index += INJECTED not in Cell(cell).tags
        is_failed = failed is not None and (index, Cell(cell).source) == failed
        status = "failed" if is_failed else "completed" if cell.get("execution_count") else "pending"
        papermill = {"status": status, "exception": is_failed}
        is_code = cell.get("cell_type") == "code"
        yield {**cell, "metadata": {**Cell(cell).metadata, "papermill": papermill}} if is_code else dict(cell)
