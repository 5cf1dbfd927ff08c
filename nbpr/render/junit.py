"""What the gate found as JUnit's XML, which every CI server shows: a suite per notebook, a case per check and cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from nbpr.findings import Finding
from nbpr.gate.result import GateResult, Judged
from nbpr.notebooks.cell import Cell
from nbpr.notebooks.markers import markers
from nbpr.render import judgement

#: The suite of what belongs to no notebook.
REPOSITORY = "nbpr gate"


@dataclass
class _Case:
    """One test: what failed of it, and what is said besides. `skipped` says why it was not made."""

    name: str
    failures: list[Finding] = field(default_factory=list)
    said: list[Finding] = field(default_factory=list)
    skipped: str | None = None
    seconds: float = 0.0


def text(result: GateResult) -> str:
    """The XML document: warnings and notes are what a case said, errors are its failure."""
    root = ElementTree.Element("testsuites", {"name": REPOSITORY})
    suites = [(REPOSITORY, _of_repository(result)), *((one.path, _of_notebook(one)) for one in result.notebooks)]
    shown = [_suite(name, cases) for name, cases in suites if cases]
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in shown)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in shown):.3f}")
    root.extend(shown)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _of_repository(result: GateResult) -> list[_Case]:
    """Its findings by check; where there is nothing else, one case that says so: an empty file is an error to some."""
    cases: dict[str, _Case] = {}
    for finding in result.findings:
        _put(cases.setdefault(finding.check, _Case(finding.check)), finding)
    if not cases and not result.notebooks:
        return [_Case("no notebook changed")]
    return list(cases.values())


def _of_notebook(judged: Judged) -> list[_Case]:
    cases = {check: _Case(check) for check in judgement.checks_of(judged)}
    cells = {case.name: case for case in _of_cells(judged)}
    for finding in judged.findings:
        own = cells.get(_cell_name(finding.cell_id)) if finding.check == "reproduce" and finding.cell_id else None
        _put(own or cases[finding.check], finding)
    seconds = (judged.run or {}).get("duration_seconds")
    if "execute" in cases and isinstance(seconds, int | float):
        cases["execute"].seconds = float(seconds)
    return [*cases.values(), *cells.values()]


def _of_cells(judged: Judged) -> list[_Case]:
    """A case for each cell whose outputs are to be compared; one of which it is not known that they were is skipped."""
    if "reproduce" not in judged.checks or judged.diff is None or judged.diff.after is None:
        return []
    marked = []
    for index, held in enumerate(judged.diff.after.get("cells", [])):
        cell = Cell(held)
        said = markers(cell.source, cell.tags)
        if cell.id is not None and held.get("cell_type") == "code" and said.check and not said.skip:
            marked.append((index, cell.id))
    compared = int((judgement.cells_checked(judged) or "0").split(" ")[0])
    stopped = (judged.run or {}).get("failed_cell")
    last = stopped.get("index") if isinstance(stopped, Mapping) else None
    return [_Case(_cell_name(name), skipped=_skipped(index, last, compared, len(marked))) for index, name in marked]


def _skipped(index: int, last: Any, compared: int, marked: int) -> str | None:
    """Why it is not known that a cell's outputs are what they were."""
    if isinstance(last, int) and index >= last:
        return "the run stopped before its outputs were compared"
    return None if compared >= marked else "its outputs may not have been compared"


def _cell_name(cell_id: str) -> str:
    return f"reproduce: cell {cell_id}"


def _put(case: _Case, finding: Finding) -> None:
    (case.failures if finding.level == "error" else case.said).append(finding)


def _suite(name: str, cases: list[_Case]) -> ElementTree.Element:
    failed = [case for case in cases if case.failures]
    skipped = [case for case in cases if case.skipped and not case.failures]
    counts = {"tests": len(cases), "failures": len(failed), "errors": 0, "skipped": len(skipped)}
    attributes: dict[str, Any] = {"name": judgement.one_line(name), **counts}
    attributes["time"] = f"{sum(case.seconds for case in cases):.3f}"
    suite = ElementTree.Element("testsuite", {key: str(value) for key, value in attributes.items()})
    for case in cases:
        suite.append(_test(judgement.one_line(name), case))
    return suite


def _test(classname: str, case: _Case) -> ElementTree.Element:
    named = {"classname": classname, "name": judgement.one_line(case.name), "time": f"{case.seconds:.3f}"}
    test = ElementTree.Element("testcase", named)
    if case.skipped and not case.failures:
        ElementTree.SubElement(test, "skipped", {"message": case.skipped})
    if case.failures:
        first = case.failures[0]
        said = {"message": judgement.one_line(first.message), "type": judgement.one_line(first.check)}
        ElementTree.SubElement(test, "failure", said).text = "\n\n".join(map(_told, case.failures))
    if case.said:
        ElementTree.SubElement(test, "system-out").text = "\n\n".join(map(_told, case.said))
    return test


def _told(finding: Finding) -> str:
    """A finding in full: how bad, what, in which cell, what mends it."""
    lines = [f"{finding.level}: {finding.message}"]
    lines += [f"notebook: {finding.path}"] if finding.path else []
    lines += [f"cell: {finding.cell_id}"] if finding.cell_id else []
    lines += [f"mend: {finding.hint}"] if finding.hint else []
    return judgement.plain("\n".join(lines))
