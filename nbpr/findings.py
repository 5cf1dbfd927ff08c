"""A finding: one problem that a check found. And what findings add up to: the verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["error", "warning", "note"]
Verdict = Literal["passed", "failed"]


@dataclass(frozen=True)
class Finding:
    """One problem: which check found it, how bad it is, where it is and what mends it."""

    check: str
    level: Level
    path: str
    message: str
    cell_id: str | None = None
    hint: str | None = None

    def as_json(self) -> dict[str, Any]:
        """`{"check", "level", "path", "cell_id", "message", "hint"}`."""
        return asdict(self)


def verdict(findings: Iterable[Finding]) -> Verdict:
    """`failed` if one of the findings is an error, else `passed`."""
    return "failed" if any(finding.level == "error" for finding in findings) else "passed"
