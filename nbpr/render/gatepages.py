"""What the gate found as a folder of pages: an index, and the review page of each notebook.

They are made like the review page: they ask nobody for anything, and nothing of a notebook becomes part of a name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from markupsafe import Markup

from nbpr.findings import Finding
from nbpr.gate.result import GateResult, Judged
from nbpr.notebooks import notebook
from nbpr.render import html, judgement
from nbpr.render.page.pictures import Album
from nbpr.render.report import counts

INDEX = "index.html"

_VERDICTS = {"passed": ("✓", "Passed"), "failed": ("✗", "Failed")}


@dataclass(frozen=True)
class Row:
    """A notebook in the index: `kind` and `level` are classes of the style."""

    path: str
    page: str
    anchor: str
    verdict: str
    kind: str
    level: str
    change: str
    checked: str
    failed: str
    findings: Sequence[Finding]
    failed_cell: Mapping[str, Any] | None


def pages(result: GateResult) -> dict[str, bytes]:
    """The files by their names, `index.html` first; pictures too large for a page lie in a folder beside it."""
    ordered = judgement.failures_first(result)
    files = {INDEX: _index(result, ordered).encode("utf-8", "replace")}
    for one in ordered:
        name = page_name(one.path)
        album = Album(name.removesuffix(".html") + ".files")
        files[name] = html.render(judgement.report(one, title=one.path), album).encode("utf-8")
        files |= {f"{album.folder}/{picture}": data for picture, data in album.beside.items()}
    return files


def write(result: GateResult, folder: Path) -> Path:
    """Write the pages into `folder`, each whole or not at all; the index's path."""
    for name, data in pages(result).items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        notebook.write(place, data)
    return folder / INDEX


def page_name(path: str) -> str:
    """The name of a notebook's page: readable, the same every time, and another one for every path."""
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", PurePosixPath(path).stem)[:60].strip("-") or "notebook"
    return f"{stem}-{hashlib.sha256(path.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}.html"


def _index(result: GateResult, ordered: Sequence[Judged]) -> str:
    sign, verdict = _VERDICTS[result.verdict]
    heading = judgement.heading(result)
    return html.template("gate.html").render(
        policy=html.policy(scripts=False),
        style=Markup(html.part("review.css")),
        result=result,
        sign=sign,
        verdict=verdict,
        heading=heading[0].upper() + heading[1:],
        beside=judgement.by_level(result.findings),
        rows=[_row(one, number) for number, one in enumerate(ordered, 1)],
        signs=html.SIGNS,
    )


def _row(judged: Judged, number: int) -> Row:
    levels = {finding.level for finding in judged.findings}
    warned = judged.verdict == "passed" and "warning" in levels
    kinds = {"failed": "removed", "passed": "modified" if warned else "added"}
    failed = dict.fromkeys(finding.check for finding in judged.findings if finding.level == "error")
    run = judged.run
    return Row(
        path=judged.path,
        page=page_name(judged.path),
        anchor=f"f{number}",
        verdict="passed with warnings" if warned else judged.verdict,
        kind=kinds[judged.verdict],
        level="error" if failed else "warning" if warned else "passed",
        change=judged.change if judged.diff is None else f"{judged.change}, {counts((judged.diff,))}",
        checked=judgement.cells_checked(judged) or "–",
        failed=", ".join(failed) or "–",
        findings=judgement.by_level(judged.findings),
        failed_cell=html.failed_cell(run) if run and isinstance(run.get("failed_cell"), Mapping) else None,
    )
