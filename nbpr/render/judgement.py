"""What the gate found, in the words and the order that all of its faces share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nbpr.checks.reproduce import CHECKED
from nbpr.findings import Finding
from nbpr.gate.result import EVERY, GateResult, Judged
from nbpr.render import escape
from nbpr.render.report import Link, Report, ScrapRow

_LEVELS = ("error", "warning", "note")

#: Terminal sequences: colours and cursor movements, titles, and those of two characters.
_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x1b\\|\x07|$)|\x1b[ -/]*[0-~]")


def failures_first(result: GateResult) -> list[Judged]:
    """The notebooks: those that failed, those with warnings, the others; each kind by path."""
    return sorted(result.notebooks, key=lambda one: (_worst(one.findings), one.path))


def by_level(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then warnings, then notes."""
    return sorted(findings, key=lambda finding: _LEVELS.index(finding.level))


def checks_of(judged: Judged) -> list[str]:
    """The checks that ran, and those that found something without being said to have run."""
    return list(dict.fromkeys([*judged.checks, *(finding.check for finding in judged.findings)]))


def cells_checked(judged: Judged) -> str:
    """How many cells' outputs were compared, of how many: "3 of 5"; "" where that is not known."""
    told = (CHECKED.match(finding.message) for finding in judged.findings if finding.check == "reproduce")
    return next((f"{found[1]} of {found[2]}" for found in told if found), "")


def heading(result: GateResult) -> str:
    """How many notebooks there are and how many of them failed: "5 notebooks, 4 failed, 2 warnings"."""
    if result.skipped:
        return f"skipped {result.skipped}"
    total = len(result.notebooks)
    if not total and not result.findings:
        return "no notebook changed"
    words = [f"{total} notebook{'' if total == 1 else 's'}"]
    failed = sum(one.verdict == "failed" for one in result.notebooks)
    words += [f"{failed} failed"] if failed else []
    beside = sum(finding.level == "error" for finding in result.findings)
    words += [f"{beside} error{'' if beside == 1 else 's'} beside them"] if beside else []
    warned = sum(finding.level == "warning" for finding in result.all_findings)
    return ", ".join(words + ([f"{warned} warning{'' if warned == 1 else 's'}"] if warned else []))


def report(judged: Judged, *, links: Sequence[Link] = (), title: str = "") -> Report:
    """One notebook as the report that review pages are made of."""
    is_affected = judged.change == "affected" and judged.why != EVERY
    return Report(
        title=title,
        verdict=judged.verdict,
        diffs=(judged.diff,) if judged.diff is not None else (),
        findings=judged.findings,
        scraps=scraps(judged),
        runs=({"role": "gate", **judged.run},) if judged.run is not None else (),
        links=tuple(links),
        notes=("looked at since something changed that its run reads",) if is_affected else (),
        checks=judged.checks,
    )


def scraps(judged: Judged) -> tuple[ScrapRow, ...]:
    """The notebook's scraps as rows."""
    rows = judged.scraps
    return tuple(
        ScrapRow(judged.path, str(row["name"]), row.get("before"), row.get("after"), str(row.get("bound") or ""))
        for row in rows
    )


def plain(text: str) -> str:
    """A text of several lines without terminal sequences, every other thing that cannot be seen shown."""
    bare = _SEQUENCE.sub("", text)
    return "\n".join(escape.visible(escape.without_base64(line)) for line in re.split(r"\r\n|\r|\n", bare))


def one_line(text: str, limit: int = 2 * escape.LINE) -> str:
    """The same on one line, cut where it is too long."""
    return escape.cut(escape.without_base64(escape.one_line(_SEQUENCE.sub("", text))), limit)


def _worst(findings: Iterable[Finding]) -> int:
    return min((_LEVELS.index(finding.level) for finding in findings if finding.level != "note"), default=2)
