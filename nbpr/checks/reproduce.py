"""`reproduce`: nbval-lax finds that no cell errs, and that those marked `# NBVAL_CHECK_OUTPUT` give what they gave."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nbpr.checks.execute import one_line
from nbpr.findings import Finding

#: How the finding begins that says how many cells were checked.
CHECKED = re.compile(r"([0-9]{1,9}) of ([0-9]{1,9}) cells checked")


@dataclass(frozen=True)
class CellVerdict:
    """What nbval says of one code cell. `index` counts in the notebook without injected cells.

    `checked` is whether its outputs were compared; `message` is nbval's, without colours.
    """

    index: int
    cell_id: str | None
    verdict: Literal["passed", "failed", "skipped"]
    checked: bool
    message: str | None


def check(verdicts: Sequence[CellVerdict], path: str) -> list[Finding]:
    """A finding for each cell that does not reproduce, and always how many were checked: none is a warning."""
    failed = [_failed(verdict, path) for verdict in verdicts if verdict.verdict == "failed"]
    return [*failed, counted(verdicts, path)]


def counted(verdicts: Sequence[CellVerdict], path: str) -> Finding:
    """How many cells were checked of those that ran."""
    ran = [verdict for verdict in verdicts if verdict.verdict != "skipped"]
    checked = sum(verdict.checked for verdict in ran)
    message = f"{checked} of {len(ran)} cells checked"
    if checked or not ran:
        return Finding("reproduce", "note", path, message)
    hint = "mark the cells that matter with # NBVAL_CHECK_OUTPUT"
    return Finding("reproduce", "warning", path, f"{message}: that they ran is all that is known", hint=hint)


def _failed(verdict: CellVerdict, path: str) -> Finding:
    message = f"cell {verdict.index}: {summary(verdict.message or 'it failed')}"
    return Finding("reproduce", "error", path, message, verdict.cell_id)


def summary(message: str) -> str:
    """nbval's message on one line: what went wrong, then where the outputs part or what was raised."""
    what = re.search(r"^Cell \d+: (.*)$", message, re.MULTILINE)
    if what is None:
        return one_line(message)
    _, _, rest = message.partition("\nTraceback:\n")
    if what[1] == "Cell outputs differ":
        return one_line(f"outputs differ: {_differing(rest)}")
    lines = [line for line in rest.splitlines() if line.strip()]
    return one_line(f"{what[1]}: {lines[-1]}" if lines else what[1])


#: How nbval tells of one kind of output that differs; the line below is pytest's comparison of the two.
_MISMATCH = re.compile(r"mismatch '([^'\n]*)'\s+assert reference_output == test_output failed:\s+(\S[^\n]*)")


def _differing(rest: str) -> str:
    pairs = [f"{kind}: {line.replace(' == ', ' became ')}" for kind, line in _MISMATCH.findall(rest)]
    return "; ".join(pairs) or rest
