"""What a gate's result is in words: the report at a terminal, the comment, and the line of a commit status."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from nbpr.findings import Finding
from nbpr.gate.result import EVERY, GateResult, Judged
from nbpr.render import escape, gatesummary, judgement
from nbpr.render.blocks import ICONS
from nbpr.render.report import Report

_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")


def report(result: GateResult) -> Report:
    """What there is to say of a result, for a terminal."""
    return Report(
        verdict=result.verdict,
        operation=summary(result),
        diffs=tuple(each.diff for each in result.notebooks if each.diff is not None and each.diff.differs),
        findings=result.all_findings,
        scraps=tuple(row for each in result.notebooks for row in judgement.scraps(each)),
        notes=tuple(notes(result)),
        checks=tuple(dict.fromkeys(check for each in result.notebooks for check in each.checks)),
    )


def comment(result: GateResult) -> str:
    """What the pull request and the job's summary say: the same text for the same result."""
    return gatesummary.text(result, notes=tuple(notes(result)))


def notes(result: GateResult) -> Iterator[str]:
    """What stands above all else: why nothing was looked at, or something that did not change; what was not told."""
    if result.skipped:
        yield f"Skipped {result.skipped}: nothing was looked at."
    elif not result.notebooks:
        yield "No notebook changed, and none hangs on what did."
    elif any(each.why == EVERY for each in result.notebooks):
        yield "Every notebook is looked at, changed or not."
    yield from (f"{each.path}: {each.verdict}; {each.why}" for each in result.notebooks if each.why not in ("", EVERY))
    yield from result.notes


def summary(result: GateResult) -> str:
    """The result in one line: `failed: 2 of 5 notebooks`."""
    if result.skipped:
        return f"skipped {result.skipped}"
    count = len(result.notebooks)
    failed = sum(each.verdict == "failed" for each in result.notebooks)
    if result.verdict == "failed":
        if failed:
            return f"failed: {failed} of {_counted(count)}"
        return "failed: " + next(each.message for each in result.findings if each.level == "error")[:100]
    return f"passed: {_counted(count)}" if count else "passed: no notebook changed"


def _counted(count: int) -> str:
    return f"{count} notebook{'' if count == 1 else 's'}"


def remark(cell_id: str, findings: Iterable[Finding]) -> str:
    """What is said of a cell in the diff, in Markdown."""
    lines = []
    for finding in findings:
        hint = f" {escape.code_span(finding.hint)}" if finding.hint else ""
        said = escape.code_span(judgement.one_line(finding.message))
        lines.append(f"- {ICONS[finding.level]} {escape.code_span(finding.check)}: {said}{hint}")
    return f"**nbpr gate**, cell {escape.code_span(cell_id)}\n\n" + "\n".join(lines)


def of_one(judged: Judged) -> str:
    """One notebook's result in one line."""
    errors = [finding for finding in judged.findings if finding.level == "error"]
    if not errors:
        return "passed" if judged.change != "deleted" else "passed: taken away"
    return f"failed: {', '.join(dict.fromkeys(finding.check for finding in errors))}"


def traceback(judged: Judged) -> list[str]:
    """The traceback of the cell that a run failed at, in lines without colours."""
    failed = (judged.run or {}).get("failed_cell")
    if not failed or judged.executed is None:
        return []
    cells = json.loads(judged.executed)["cells"]
    found = [cell for cell in cells if cell.get("id") == failed["id"] and "".join(cell["source"]) == failed["source"]]
    outputs = [output for cell in found for output in cell.get("outputs", ()) if output.get("output_type") == "error"]
    entries = [str(entry) for output in outputs for entry in output.get("traceback", ())]
    return [escape.visible(line) for entry in entries for line in _COLOURS.sub("", entry).splitlines()]
