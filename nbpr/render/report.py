"""What there is to say of a change: the one data structure that every renderer takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nbpr.diff.changes import NotebookDiff
from nbpr.findings import Finding, Verdict


@dataclass(frozen=True)
class ScrapRow:
    """A scrap before and after, None where there is none; `bound` is what config allows, as text.

    `history` is what it was in reference runs, oldest first, None where a run has no such number; `low` and `high`
    are its bounds as numbers.
    """

    notebook: str
    name: str
    before: Any
    after: Any
    bound: str = ""
    history: tuple[float | None, ...] = ()
    low: float | None = None
    high: float | None = None

    @property
    def changed(self) -> bool:
        """Whether the value is another one."""
        return _written(self.before) != _written(self.after)

    @property
    def change(self) -> str:
        """The change in words: "+0.02 (+2.1 %)", "new", "gone", "changed", or "" where nothing changed."""
        if not self.changed:
            return ""
        if self.before is None or self.after is None:
            return "new" if self.before is None else "gone"
        if not (_is_number(self.before) and _is_number(self.after)):
            return "changed"
        return _difference(self.before, self.after)


@dataclass(frozen=True)
class Link:
    """Somewhere to look further: the review page, the executed notebook, the log."""

    label: str
    url: str


@dataclass(frozen=True)
class Report:
    """A proposal or a gate's result. `key` goes into the marker; no key, no marker.

    `why` is the proposer's own Markdown. `operation` is how a proposal ended, in words ("pull request #7 created").
    `runs` are run records, as `--json` prints them. `checks` names those that ran, so that those without a finding
    show as passed. `picture_urls` says where a forge keeps pictures, by the names that `render.gallery` gives them, and
    the zipped review page, by `page_name`; "" stands for a file that it takes and has not got yet.
    """

    title: str = ""
    key: str = ""
    verdict: Verdict | None = None
    operation: str = ""
    why: str = ""
    diffs: tuple[NotebookDiff, ...] = ()
    findings: tuple[Finding, ...] = ()
    scraps: tuple[ScrapRow, ...] = ()
    runs: tuple[Mapping[str, Any], ...] = ()
    links: tuple[Link, ...] = ()
    notes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    picture_urls: Mapping[str, str] = field(default_factory=dict)
    page_name: str = ""

    @property
    def ordered_findings(self) -> tuple[Finding, ...]:
        """Errors first, then warnings, then notes."""
        levels = ("error", "warning", "note")
        return tuple(sorted(self.findings, key=lambda finding: levels.index(finding.level)))

    @property
    def passed_checks(self) -> tuple[str, ...]:
        """The checks that ran and found nothing."""
        told = {finding.check for finding in self.findings if finding.level != "note"}
        return tuple(check for check in self.checks if check not in told)


def counts(diffs: tuple[NotebookDiff, ...]) -> str:
    """How much changed: "9 of 21 cells changed (+3 −1 ~5)". Noise in outputs and execution counts are no change."""
    total = sum(len(diff.cells) for diff in diffs)
    cells = [change for diff in diffs for change in diff.changed_cells]
    changed = sum(change.kind != "outputs" or change.outputs_changed for change in cells)
    added = sum(diff.summary.cells_added for diff in diffs)
    removed = sum(diff.summary.cells_removed for diff in diffs)
    if not changed:
        return "no cell changed"
    noun = "cell" if total == 1 else "cells"
    return f"{changed} of {total} {noun} changed (+{added} −{removed} ~{changed - added - removed})"


def value_text(value: Any) -> str:
    """A scrap's value or a member's, as one short text; nothing is "–"."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping) and {"encoder", "size", "sha256"} <= value.keys():
        return f"{value['encoder']}, {value['size']:,} bytes, {str(value['sha256'])[:8]}"
    return value if isinstance(value, str) else _written(value)


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _is_number(value: Any) -> bool:
    """Whether a difference can be said; not of NaN, nor of integers that are beyond any float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _difference(before: float, after: float) -> str:
    difference = f"{after - before:+.6g}".replace("-", "−")
    if not before:
        return difference
    return f"{difference} ({(after - before) / abs(before):+.1%})".replace("-", "−").replace("%", " %")
