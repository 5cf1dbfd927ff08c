"""Findings as annotations: each at its cell's line."""

from __future__ import annotations

from nbpr.findings import Finding
from nbpr.proposals.announcements import annotations_of, line_of
from tests import projects
from tests.projects import NOTEBOOK


def test_a_cell_is_found_at_the_line_of_its_id() -> None:
    data = projects.health()
    lines = data.decode().split("\n")
    for cell_id in ("parameters", "story", "glue"):
        assert f'"id": "{cell_id}"' in lines[line_of(data, cell_id) - 1]
    assert line_of(data, "nobody") == line_of(data, None) == line_of(b"", "x") == 1


def test_a_cell_that_another_one_speaks_of() -> None:
    source = 'x = {\n"id": "b",\n}'
    data = projects.dumped([projects.cell("a", "code", source), projects.cell("b", "code", "y")])
    assert data.decode().split("\n")[line_of(data, "b") - 1].strip() == '"id": "b",'


def test_findings_of_files_alone() -> None:
    files = {NOTEBOOK: projects.health()}
    findings = [
        Finding("execute", "error", NOTEBOOK, "it fails", cell_id="count", hint="look"),
        Finding("execute", "note", "", "a word"),
        Finding("size", "warning", "gone.ipynb", "large"),
    ]
    (one,) = annotations_of(findings, files.get)
    assert (one.path, one.level, one.message, one.title) == (NOTEBOOK, "error", "it fails\nlook", "execute")
    assert one.line == line_of(files[NOTEBOOK], "count") > 1
