"""What the gate found: one verdict over the notebooks that changed, or that hang on what changed.

This is what every face of the gate renders: the log, the comment, JUnit, SARIF, annotations and the pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nbpr.diff.changes import NotebookDiff
from nbpr.findings import Finding, Verdict, verdict
from nbpr.notebooks.celllines import first_line

#: Why a notebook is looked at: it changed itself, or (`affected`) something did that its run reads.
Change = Literal["added", "modified", "deleted", "affected"]

#: Why a notebook is looked at for which nothing changed.
EVERY = "every notebook is looked at"


@dataclass(frozen=True)
class Judged:
    """One notebook as the gate found it.

    `run` is its run record, None where none was made; `checks` names the checks that ran; `diff` is between base's
    notebook with its reference run and head's with the gate's own run; `scraps` are rows `{"name", "before", "after"}`,
    with `bound`, in words, where there is one. `path_before` is where it was if that is another place, `why` says in
    words what it is looked at for. `executed` is the gate's own run, as a notebook's bytes, and `reference` what of it
    would be committed as the reference run. `lines` says in which lines of head's file a cell stands, by its id.
    """

    path: str
    change: Change
    findings: tuple[Finding, ...] = ()
    checks: tuple[str, ...] = ()
    run: Mapping[str, Any] | None = None
    scraps: tuple[Mapping[str, Any], ...] = ()
    diff: NotebookDiff | None = None
    path_before: str | None = None
    why: str = ""
    executed: bytes | None = field(default=None, repr=False)
    reference: bytes | None = field(default=None, repr=False)
    lines: Mapping[str, range] = field(default_factory=dict, repr=False)

    def verdict_of(self, check: str) -> Verdict:
        """`failed` if one of the findings of a check is an error."""
        return verdict(finding for finding in self.findings if finding.check == check)

    @property
    def verdict(self) -> Verdict:
        """`failed` if one of the findings is an error."""
        return verdict(self.findings)

    def as_json(self) -> dict[str, Any]:
        """`{"path", "verdict", "findings", "run"}`, and why it was looked at, its checks and its scraps."""
        return {
            "path": self.path,
            "verdict": self.verdict,
            "findings": [finding.as_json() for finding in self.findings],
            "run": None if self.run is None else dict(self.run),
            "change": self.change,
            "checks": list(self.checks),
            "scraps": [dict(row) for row in self.scraps],
            "path_before": self.path_before,
            "why": self.why,
        }


@dataclass(frozen=True)
class GateResult:
    """What the gate found of everything. `base` is None where there is none: then all notebooks count as added.

    `findings` are those of no notebook: of the settings, of the allow-list, of the repository. `skipped` says why
    nothing was looked at, where that was asked for and is allowed. `notes` are for whoever reads the log.
    """

    base: str | None
    head: str
    notebooks: tuple[Judged, ...] = ()
    findings: tuple[Finding, ...] = ()
    skipped: str = ""
    notes: tuple[str, ...] = ()

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """The findings of no notebook, then those of each."""
        return (*self.findings, *(finding for each in self.notebooks for finding in each.findings))

    def line_of(self, finding: Finding) -> int:
        """The line of its file that a finding is of: where its cell begins, else the first."""
        lines = next((each.lines for each in self.notebooks if each.path == finding.path), {})
        return first_line(lines, finding.cell_id)

    @property
    def verdict(self) -> Verdict:
        """`failed` if one of all findings is an error."""
        return verdict(self.all_findings)

    def as_json(self) -> dict[str, Any]:
        """`{"verdict", "base", "head", "findings", "notebooks"}`."""
        return {
            "verdict": self.verdict,
            "base": self.base,
            "head": self.head,
            "findings": [finding.as_json() for finding in self.findings],
            "notebooks": [each.as_json() for each in self.notebooks],
            "skipped": self.skipped,
            "notes": list(self.notes),
        }
