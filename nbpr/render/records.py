"""Run records and what a validation found, for a terminal. They are given as plain JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nbpr.render.columns import table
from nbpr.render.escape import one_line, pieces
from nbpr.render.report import value_text

Record = Mapping[str, Any]


def planned(plan: Sequence[Mapping[str, Any]], width: int) -> str:
    """What would be run: with which kernel and why, and where the run would go."""
    rows = [[each["notebook"], each["kernel"], each["why"], each["output"]] for each in plan]
    return table(["notebook", "kernel", "because of", "would write"], rows, width)


def ran(records: Sequence[Record], width: int, colour: bool) -> str:
    """The runs as a table, and below it what each failed one failed at."""
    rows = [
        [
            record["notebook"],
            record["reason"] or record["status"],
            str(record["cells_executed"]),
            f"{record['duration_seconds']:.1f} s",
            record["output"] or "",
        ]
        for record in records
    ]
    shown = table(["notebook", "status", "cells", "time", "run"], rows, width, colour)
    return "\n\n".join([shown, *_failures(records)])


def swept(records: Sequence[Record], width: int, colour: bool) -> str:
    """Runs with different parameters side by side: parameters, scraps, and below what each failed one failed at."""
    names = [list(dict.fromkeys(name for record in records for name in record[key])) for key in _SIDES]
    several = len({record["notebook"] for record in records}) > 1
    rows = [
        [
            *([record["notebook"]] if several else []),
            *(_value(record[key], name) for key, every in zip(_SIDES, names, strict=True) for name in every),
            record["reason"] or ("earlier" if record["cached"] else record["status"]),
            f"{record['duration_seconds']:.1f} s",
        ]
        for record in records
    ]
    head = [*(["notebook"] if several else []), *names[0], *names[1], "status", "time"]
    return "\n\n".join([table(head, rows, width, colour), *_failures(records)])


_SIDES = ("parameters", "scraps")


def _value(of: Mapping[str, Any], name: str) -> str:
    return value_text(of[name]) if name in of else ""


def validated(result: Mapping[str, Any]) -> str:
    """What failed, every finding, and the verdict at the end."""
    lines = [line for finding in result["findings"] for line in _finding(finding)]
    return "\n\n".join([*_failures(result["runs"]), "\n".join([*lines, result["verdict"]])])


def _failures(records: Sequence[Record]) -> Iterator[str]:
    return (failure(record) for record in records if record["status"] != "success")


def failure(record: Record) -> str:
    """What a run failed at: the cell's source, and what was raised."""
    failed = record["failed_cell"]
    notebook, said = one_line(record["notebook"]), one_line(record["message"] or record["reason"])
    if failed is None:
        return f"{notebook}: {record['reason']}: {said}"
    name = f"cell {failed['index']}" + (f" ({one_line(failed['id'])})" if failed["id"] else "")
    source = [f"  | {line}" for line in pieces(failed["source"])]
    return "\n".join([f"{notebook}: {record['reason']} in {name}", *source, said])


def _finding(finding: Mapping[str, Any]) -> Iterator[str]:
    cell = f" [{one_line(finding['cell_id'])}]" if finding["cell_id"] else ""
    said = f"{one_line(finding['path'])}{cell}: {one_line(finding['message'])}"
    yield f"{finding['level']}: {finding['check']}: {said}"
    if finding["hint"]:
        yield f"    {one_line(finding['hint'])}"
