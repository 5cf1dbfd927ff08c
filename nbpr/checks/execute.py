"""`execute`: every cell runs, the kernel stays alive, no deadline passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbpr.findings import Finding

#: What mends a run that failed for this reason.
_HINTS = {
    "error": "mend the cell; if the exception is what it is to show, tag it raises-exception",
    "cell-timeout": "raise --cell-timeout, or execute.cell-timeout in the configuration",
    "deadline": "raise --timeout, or execute.timeout in the configuration",
    "kernel-died": "kernels die of too little memory, of native code, and of os._exit; run the cell alone to see",
    "out-of-memory": "raise execute.memory in the configuration, or have the notebook take less at a time",
    "too-many-processes": "raise execute.processes in the configuration, or have the notebook start fewer at a time",
    "early-exit": "sys.exit() leaves the cells after it unrun; take it out, or raise an exception",
}
_LONGEST = 300


def check(record: Mapping[str, Any]) -> list[Finding]:
    """One finding for a run that failed: which cell, and what it said. `record` is a run record as JSON."""
    if record["status"] == "success":
        return []
    failed = record["failed_cell"] or {}
    place = f"cell {failed['index']}: " if failed else ""
    message = place + one_line(record["message"] or record["reason"])
    return [Finding("execute", "error", record["notebook"], message, failed.get("id"), _hint(record, failed))]


def _hint(record: Mapping[str, Any], failed: Mapping[str, Any]) -> str | None:
    if failed.get("ename") == "ModuleNotFoundError":
        executable = (record["environment"] or {}).get("executable")
        return f"it ran with {executable}; is that the project's environment?"
    return _HINTS.get(record["reason"])


def one_line(text: str) -> str:
    """A message on one line, cut to a length that can be read."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
