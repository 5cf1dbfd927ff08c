"""What a proposal was proven by, as it travels: in its pull request's body, in a comment that readers do not see.

So every clone, on every forge, can show what the checks found, and not only the one that ran them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from nbpr.findings import Finding, Level, Verdict

#: How long the comment gets at most, in bytes. What a reader needs first is kept.
ROOM = 12_000

_COMMENT = re.compile(r"^<!-- nbpr-checks (\{.*\}) -->$", re.MULTILINE)
#: What would end the comment, or mean something to who reads it as plain text: mentions, references, tags.
_SPEAKING = re.compile(r"-(?=-)|[@#<>&]")
_RUN_WORDS = ("role", "notebook", "status", "reason", "kernel")
_RUN_NUMBERS = ("duration_seconds", "cells_executed")
_CELL_WORDS = ("id", "ename", "evalue", "source")


@dataclass(frozen=True)
class Evidence:
    """What was found when commit `head` was proven; `bounds` are those of scraps, by name.

    `left_out` counts the findings that there was no room for.
    """

    head: str
    verdict: Verdict | None
    findings: tuple[Finding, ...]
    checks: tuple[str, ...]
    runs: tuple[Mapping[str, Any], ...]
    bounds: Mapping[str, str]
    left_out: int = 0

    def comment(self, room: int = ROOM) -> str:
        """One line of ASCII, of at most `room` bytes as long as that takes in head, checks and bounds.

        Findings that do not fit are counted, notes the first; runs that do not fit are left out.
        """
        facts = {"head": self.head, "verdict": self.verdict, "checks": list(self.checks), "bounds": dict(self.bounds)}
        room -= len(_written({**facts, "findings": [], "runs": [], "left_out": len(self.findings)}))
        levels = get_args(Level)
        by_weight = sorted(range(len(self.findings)), key=lambda at: levels.index(self.findings[at].level))
        findings = [finding.as_json() for finding in self.findings]
        kept, room = _fitting([findings[at] for at in by_weight], room)
        shown = sorted(by_weight[: len(kept)])
        runs, _ = _fitting([_told(run) for run in self.runs], room)
        chosen = [findings[at] for at in shown]
        left = self.left_out + len(findings) - len(chosen)
        return _written({**facts, "findings": chosen, "runs": runs, "left_out": left})


def read(body: str) -> Evidence | None:
    """What a pull request's body says of its proof; None if it says nothing, or not as we write it."""
    match = _COMMENT.search(body)
    if match is None:
        return None
    try:
        facts = json.loads(match[1])
        verdict, left = facts["verdict"], facts["left_out"]
        if verdict not in (*get_args(Verdict), None) or not isinstance(left, int):
            return None
        return Evidence(
            str(facts["head"]),
            verdict,
            tuple(_finding(one) for one in facts["findings"]),
            tuple(str(name) for name in facts["checks"]),
            tuple(_told(run) for run in facts["runs"]),
            {str(name): str(bound) for name, bound in facts["bounds"].items()},
            left,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None  # somebody edited it; then it is theirs


def _written(facts: Mapping[str, Any]) -> str:
    return f"<!-- nbpr-checks {_escaped(json.dumps(facts, separators=(',', ':')))} -->"


def _escaped(text: str) -> str:
    return _SPEAKING.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)


def _fitting(values: Sequence[Mapping[str, Any]], room: int) -> tuple[list[Mapping[str, Any]], int]:
    """As many of the values, from the first on, as go into `room` bytes; and what is left of it."""
    kept = []
    for value in values:
        size = len(_escaped(json.dumps(value, separators=(",", ":")))) + 1
        if size > room:
            break
        room -= size
        kept.append(value)
    return kept, room


def _finding(value: Mapping[str, Any]) -> Finding:
    if value["level"] not in get_args(Level):
        raise ValueError(value["level"])
    cell_id, hint = (value[key] if value[key] is None else str(value[key]) for key in ("cell_id", "hint"))
    return Finding(str(value["check"]), value["level"], str(value["path"]), str(value["message"]), cell_id, hint)


def _told(run: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a run's record what is shown of it."""
    return dict(_facts(run))


def _facts(run: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((key, str(run[key])) for key in _RUN_WORDS if run.get(key) is not None)
    yield from ((key, run[key]) for key in _RUN_NUMBERS if isinstance(run.get(key), int | float))
    environment, cell = run.get("environment"), run.get("failed_cell")
    if isinstance(environment, Mapping) and "python" in environment:
        yield "environment", {"python": str(environment["python"])}
    if isinstance(cell, Mapping):
        words = {key: str(cell[key])[:2_000] for key in _CELL_WORDS if cell.get(key) is not None}
        yield "failed_cell", {"index": cell.get("index") if isinstance(cell.get("index"), int) else None, **words}
