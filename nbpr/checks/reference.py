"""`reference`: the committed reference run is of this source, and holds what a run of our own gives."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from nbpr.findings import Finding
from nbpr.notebooks.markers import markers
from nbpr.notebooks.notebook import INJECTED, Cell

State = Literal["missing", "out of step", "in step"]


def check(
    path: str, run: str, state: State, *, required: bool = False, differing: Sequence[tuple[int, str | None]] = ()
) -> list[Finding]:
    """What is wrong with the reference run at `run` of the notebook at `path`.

    None there is a warning, unless one is `required`; one of another source is an error. `differing` are the cells,
    index and id, that are not marked for nbval and now give something else: a warning each.
    """
    if state == "missing":
        level: Literal["error", "warning"] = "error" if required else "warning"
        message = f"there is no reference run {run}, so nothing is compared"
        return [Finding("reference", level, path, message, hint=f"nbpr run {shlex.quote(path)}")]
    if state == "out of step":
        message = f"{run} is not a run of this notebook as it stands"
        return [Finding("reference", "error", path, message, hint=f"nbpr run {shlex.quote(path)}")]
    return [_differs(path, run, index, cell_id) for index, cell_id in differing]


def _differs(path: str, run: str, index: int, cell_id: str | None) -> Finding:
    message = f"cell {index}: it is not marked, and its outputs are not those in {run}"
    hint = f"mark it # NBVAL_CHECK_OUTPUT or # NBVAL_IGNORE_OUTPUT, or renew the run: nbpr run {shlex.quote(path)}"
    return Finding("reference", "warning", path, message, cell_id, hint)


def missing_outputs(path: str, run: str, expected: Mapping[str, Any], recorded: Mapping[str, Any]) -> list[Finding]:
    """The marked cells whose outputs the reference run lacks, so that nothing of them would be compared."""
    pairs = zip(_code(expected), _code(recorded), strict=False)
    bare = [
        (index, ours)
        for (_, theirs), (index, ours) in pairs
        if markers(ours.source, ours.tags).check and ours.outputs and not theirs.outputs
    ]
    hint = f"renew the run: nbpr run {shlex.quote(path)}"
    return [
        Finding(
            "reference", "error", path, f"cell {index}: it is marked, and {run} has no outputs of it", cell.id, hint
        )
        for index, cell in bare
    ]


def differing(expected: Mapping[str, Any], recorded: Mapping[str, Any]) -> list[tuple[int, str | None]]:
    """The cells without a marker whose outputs differ between two runs of one source, by index and id.

    Both are as their files hold them.
    """
    pairs = zip(_code(expected), _code(recorded), strict=False)
    return [(at, ours.id) for (_, theirs), (at, ours) in pairs if _is_unmarked(ours) and theirs.outputs != ours.outputs]


def _is_unmarked(cell: Cell) -> bool:
    return markers(cell.source, cell.tags).check is None


def _code(run: Mapping[str, Any]) -> Iterator[tuple[int, Cell]]:
    """The code cells, each with its index in the notebook without injected cells."""
    cells = [cell for cell in map(Cell, run["cells"]) if INJECTED not in cell.tags]
    return ((index, cell) for index, cell in enumerate(cells) if cell.is_code)
