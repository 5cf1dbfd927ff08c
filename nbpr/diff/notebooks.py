"""What changed between two notebooks, cell by cell: all that a renderer needs, so that none computes a diff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbpr.diff import cells, lines, outputs
from nbpr.diff.cells import Pair
from nbpr.diff.changes import CellChange, Detail, Kind, NotebookDiff, Status, Summary
from nbpr.diff.lines import Line
from nbpr.diff.noise import Noise
from nbpr.diff.operations import diff, find, same
from nbpr.diff.parameters import Assignment, changed
from nbpr.diff.patience import SECONDS

__all__ = ["CellChange", "Detail", "NotebookDiff", "Summary", "compare", "diff", "plain", "summary"]

_NOISE = Noise()

#: Members of a cell that are its state rather than what its author wrote, or that have a place of their own.
_APART = frozenset({"source", "outputs", "execution_count", "id", "metadata"})


def compare(
    path: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    run_before: Mapping[str, Any] | None = None,
    run_after: Mapping[str, Any] | None = None,
    noise: Noise = _NOISE,
    patience: float = SECONDS,
) -> NotebookDiff:
    """What changed between two notebooks of plain JSON; None is a notebook that is not there.

    Where runs of them are given, outputs are the runs': paired to the cells by id, else by the order of the
    code cells. Then a cleaned notebook's sources and its results stand in one diff. `noise` is what counts as no
    change of results; `diff` has it all the same. With `patience` (seconds, counted, not timed) at its end the
    diff is a `coarse` one.
    """
    old, new = plain(before), plain(after)
    made = find(old, new, patience)
    found = made.diff
    a, b = (list((side or {}).get("cells", ())) for side in (old, new))
    ran = run_before is not None or run_after is not None
    results = _results(a, run_before, ran), _results(b, run_after, ran)
    changes = tuple(_change(pair, (a, b), results, noise) for pair in cells.pairs(found, a, b))
    return NotebookDiff(
        path=path,
        status=_status(old, new, found, changes),
        before=old,
        after=new,
        diff=found,
        cells=changes,
        details=_notebook_details(old, new),
        parameters=_parameters(changes),
        coarse=made.coarse,
    )


def summary(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, notebook: str = "") -> Summary:
    """The counts alone of what changed between two notebooks."""
    return compare(notebook, before, after).summary


def plain(notebook: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The notebook as nbformat has it in memory, which nbdime works on: lists of lines joined to one text."""
    if notebook is None:
        return None
    return {**notebook, "cells": [_joined_cell(cell) for cell in notebook.get("cells", ())]}


def _joined_cell(cell: Any) -> Any:
    if not isinstance(cell, Mapping):
        return cell
    joined = dict(cell)
    if isinstance(cell.get("source"), list):
        joined["source"] = cells.text(cell)
    if isinstance(cell.get("outputs"), list):
        joined["outputs"] = [_joined_output(output) for output in cell["outputs"]]
    return joined


def _joined_output(output: Any) -> Any:
    if not isinstance(output, Mapping):
        return output
    joined = dict(output)
    if "text" in output:
        joined["text"] = _joined_text(output["text"])
    if isinstance(output.get("data"), Mapping):
        bundle = output["data"].items()
        joined["data"] = {m: v if m.endswith("json") else _joined_text(v) for m, v in bundle}
    return joined


def _joined_text(value: Any) -> Any:
    whole = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return "".join(value) if whole else value


def _results(notebook: Sequence[Any], run: Mapping[str, Any] | None, ran: bool) -> list[list[Any] | None]:
    """The outputs of every cell: the run's where there are runs, None where this side has no run."""
    if not ran:
        return [_outputs(cell) for cell in notebook]
    if run is None:
        return [None for _ in notebook]
    recorded = [cell for cell in run.get("cells", ()) if "injected-parameters" not in cells.tags(cell)]
    known = {cells.identity(cell): cell for cell in recorded if cells.identity(cell) is not None}
    in_order = iter([cell for cell in recorded if _is_code(cell)])
    following = [next(in_order, None) if _is_code(cell) else None for cell in notebook]
    return [
        _outputs(known.get(cells.identity(cell), other if cells.identity(cell) is None else None))
        for cell, other in zip(notebook, following, strict=True)
    ]


def _is_code(cell: Any) -> bool:
    return isinstance(cell, Mapping) and cell.get("cell_type") == "code"


def _outputs(cell: Any) -> list[Any] | None:
    found = cell.get("outputs") if isinstance(cell, Mapping) else None
    return [_joined_output(output) for output in found] if isinstance(found, list) else None


Results = tuple[list[list[Any] | None], list[list[Any] | None]]
Sides = tuple[list[Any], list[Any]]


def _change(pair: Pair, sides: Sides, results: Results, noise: Noise) -> CellChange:
    before = None if pair.before is None else sides[0][pair.before]
    after = None if pair.after is None else sides[1][pair.after]
    old = None if pair.before is None else results[0][pair.before]
    new = None if pair.after is None else results[1][pair.after]
    source = _source_lines(before, after)
    details = _cell_details(before, after)
    verdict = outputs.verdict(old, new, noise) if old is not None and new is not None else None
    return CellChange(
        kind=_kind(pair, before, after, _edited(source, details), verdict in ("changed", "noise")),
        before=before,
        after=after,
        index_before=pair.before,
        index_after=pair.after,
        source_lines=source,
        outputs_before=old,
        outputs_after=new,
        output_lines=outputs.compare(old, new, noise) if verdict in ("changed", None) else (),
        outputs_changed=verdict == "changed",
        outputs_noise=verdict == "noise",
        moved=pair.moved,
        details=details,
    )


def _edited(source: Sequence[Line], details: Sequence[Detail]) -> bool:
    return bool(details) or any(line.tag != " " for line in source)


def _kind(pair: Pair, before: Any, after: Any, edited: bool, results_differ: bool) -> Kind:
    if pair.before is None:
        return "added"
    if pair.after is None:
        return "removed"
    if edited:
        return "modified"
    if pair.moved:
        return "moved"
    return "outputs" if results_differ or not _same_state(before, after) else "unchanged"


def _same_state(before: Any, after: Any) -> bool:
    keys = ("outputs", "execution_count")
    return all(same(before.get(key), after.get(key)) for key in keys)


def _source_lines(before: Any, after: Any) -> tuple[Line, ...]:
    if before is None:
        return lines.tagged("+", lines.split(cells.text(after)))
    if after is None:
        return lines.tagged("-", lines.split(cells.text(before)))
    return lines.compare(lines.split(cells.text(before)), lines.split(cells.text(after)))


def _cell_details(before: Any, after: Any) -> tuple[Detail, ...]:
    """What else changed of a cell that is on both sides."""
    if before is None or after is None:
        return ()
    found = _members("", *({k: v for k, v in cell.items() if k not in _APART} for cell in (before, after)))
    found += _members("metadata.", _metadata(before), _metadata(after))
    endings = _endings(before), _endings(after)
    if all(endings) and endings[0] != endings[1]:
        found.append(Detail("line endings", *endings))
    return tuple(found)


def _endings(cell: Any) -> str:
    """Which line ends a source has; the lines of a diff do not show them."""
    source = cells.text(cell)
    every, windows = source.count("\n"), source.count("\r\n")
    if windows in (0, every):
        return "CRLF" if windows else "LF" if every else ""
    which = [place for place, line in enumerate(source.split("\n")[:-1], 1) if line.endswith("\r")]
    return f"CRLF in {', '.join(map(str, which[:20]))}{', …' if windows > 20 else ''}, else LF"


def _metadata(of: Mapping[str, Any]) -> Mapping[str, Any]:
    found = of.get("metadata")
    return found if isinstance(found, Mapping) else {}


def _notebook_details(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> tuple[Detail, ...]:
    if before is None or after is None:
        return ()
    old, new = ({k: v for k, v in nb.items() if k not in ("cells", "metadata")} for nb in (before, after))
    return tuple(_members("", old, new) + _members("metadata.", _metadata(before), _metadata(after)))


def _members(prefix: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Detail]:
    return [
        Detail(prefix + key, before.get(key), after.get(key))
        for key in dict.fromkeys([*before, *after])
        if not same(before.get(key), after.get(key)) or (key in before) != (key in after)
    ]


def _parameters(changes: Sequence[CellChange]) -> tuple[Assignment, ...]:
    found = [change for change in changes if change.is_parameters and change.before and change.after]
    return changed(cells.text(found[0].before), cells.text(found[0].after)) if found else ()


def _status(before: Any, after: Any, found: Sequence[Any], changes: Sequence[CellChange]) -> Status:
    if before is None:
        return "unchanged" if after is None else "added"
    if after is None:
        return "deleted"
    return "modified" if found or any(change.kind != "unchanged" for change in changes) else "unchanged"
