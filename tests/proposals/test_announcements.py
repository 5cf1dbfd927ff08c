"""Findings as annotations: each at its cell's line."""

from __future__ import annotations

from nbpr.findings import Finding
from nbpr.notebooks.celllines import cell_lines
from nbpr.proposals.announcements import annotations_of
from tests import projects
from tests.projects import NOTEBOOK


def test_findings_of_files_alone() -> None:
    files = {NOTEBOOK: projects.health()}
    findings = [
        Finding("execute", "error", NOTEBOOK, "it fails", cell_id="count", hint="look"),
        Finding("execute", "note", "", "a word"),
        Finding("size", "warning", "gone.ipynb", "large"),
    ]
    (one,) = annotations_of(findings, files.get)
    assert (one.path, one.level, one.message, one.title) == (NOTEBOOK, "error", "it fails\nlook", "execute")
    assert one.line == cell_lines(files[NOTEBOOK])["count"].start > 1
