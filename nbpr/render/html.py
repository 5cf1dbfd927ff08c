"""A report as the review page: one HTML file that asks nobody for anything, and works without its script.

Its content policy lets nothing load but pictures that stand in it, its own one style and its own one script. What
notebooks hold is made harmless before, so that the policy is the second lock and not the only one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from nbpr.diff import outputs
from nbpr.diff.changes import NotebookDiff
from nbpr.findings import Finding
from nbpr.render import cells as told
from nbpr.render import escape
from nbpr.render.page import cells, code, prose
from nbpr.render.page.cells import ChangedCell, Quiet
from nbpr.render.page.pictures import Album
from nbpr.render.plot import sparkline
from nbpr.render.report import Report, ScrapRow, counts, value_text

if TYPE_CHECKING:
    from jinja2 import Template

_VERDICTS = {"passed": ("✓", "Passed"), "failed": ("✗", "Failed"), None: ("○", "Not validated")}
#: How bad a finding is, as a sign.
SIGNS = {"error": "✗", "warning": "!", "note": "i"}

_RUN_NUMBERS = ("duration_seconds", "cells_executed")

#: A value longer than this is cut in the tables at the top.
_VALUE = 60


@dataclass(frozen=True)
class Notebook:
    """One notebook of the page: its path, what is said of it as a whole, and its cells."""

    path: str
    anchor: str
    status: str
    counts: str
    remarks: tuple[str, ...]
    cells: tuple[ChangedCell | Quiet, ...]

    @property
    def changed(self) -> list[ChangedCell]:
        """The cells that changed."""
        return [cell for cell in self.cells if isinstance(cell, ChangedCell)]


def render(report: Report, album: Album | None = None) -> str:
    """The page. Pictures beyond what fits go to `album`, if it has a folder for them; then its files are to be
    written beside the page."""
    kept = album or Album()
    shown = [diff for diff in report.diffs if diff.differs]
    notebooks = [_notebook(diff, number, kept) for number, diff in enumerate(shown, 1)]
    sign, verdict = _VERDICTS[report.verdict] if report.key or report.verdict else ("±", "Compared")
    page = template("review.html").render(
        policy=policy(),
        style=Markup(part("review.css")),
        script=Markup(part("review.js")),
        report=report,
        sign=sign,
        verdict=verdict,
        heading=_heading(report),
        counts=counts(report.diffs),
        why=prose.rendered(report.why) or report.why if report.why else "",
        notebooks=notebooks,
        several=len(notebooks) > 1,
        only=notebooks[0].path if len(notebooks) == 1 else "",
        parameters=[(diff.path, one) for diff in shown for one in diff.parameters],
        scraps=sorted(report.scraps, key=lambda row: not row.changed),
        links=[(link.label, escape.address(link.url), link.url) for link in report.links],
        failed=[failed_cell(run) for run in report.runs if isinstance(run.get("failed_cell"), Mapping)],
        anchors=_anchors(notebooks),
        runs=[_run_facts(run) for run in report.runs],
        signs=SIGNS,
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def _heading(report: Report) -> str:
    if report.title:
        return report.title
    paths = [diff.path for diff in report.diffs]
    return paths[0] if len(paths) == 1 else f"{len(paths)} notebooks"


def _notebook(diff: NotebookDiff, number: int, album: Album) -> Notebook:
    return Notebook(
        path=diff.path,
        anchor=f"n{number}",
        status=diff.status,
        counts=counts((diff,)),
        remarks=tuple(escape.cut(text, code.LINE) for text in told.remarks(diff)),
        cells=tuple(cells.views(diff, number, album)),
    )


def _anchors(notebooks: list[Notebook]) -> dict[tuple[str, str], str]:
    """Where the page shows a cell, by the notebook's path and the cell's id."""
    return {(notebook.path, cell.id): cell.anchor for notebook in notebooks for cell in notebook.changed if cell.id}


def failed_cell(run: Mapping[str, Any]) -> dict[str, Any]:
    """The cell at which a run stopped, for a template: where, which error, and its source as HTML."""
    cell = run["failed_cell"]
    return {
        "place": f"{cell.get('index')} {told.identifier(cell.get('id'))}".strip(),
        "notebook": str(run.get("notebook") or ""),
        "error": f"{cell.get('ename')}: {cell.get('evalue')}",
        "source": code.listing(str(cell.get("source") or ""), "python"),
    }


def _run_facts(run: Mapping[str, Any]) -> list[Any]:
    environment = run.get("environment")
    python = environment.get("python") if isinstance(environment, Mapping) else None
    facts = run.get("role"), run.get("notebook"), run.get("reason") or run.get("status")
    return ["" if fact is None else fact for fact in (*facts, *map(run.get, _RUN_NUMBERS), run.get("kernel"), python)]


# -- what the template uses ----------------------------------------------------------------------------------


def _value(value: Any) -> str:
    if isinstance(value, Mapping) and {"encoder", "size", "sha256"} <= value.keys():
        return f"{_plain(value['encoder'])}, {outputs.size(value['size'])}".replace(" kB", "\u00a0kB")
    return escape.cut(escape.without_base64(escape.one_line(value_text(value))), _VALUE)


def _plain(text: Any) -> str:
    """Text of a notebook, a path or a finding on one line, with nothing hidden in it."""
    return escape.cut(escape.one_line(str(text)), 2 * escape.LINE)


def _plot(row: ScrapRow) -> Markup:
    """A scrap over time, if it was a number more than once. The plot escapes what it is given."""
    known = [value for value in row.history if isinstance(value, int | float)]
    return (
        Markup(sparkline(row.history, label=_value(row.name), low=row.low, high=row.high))
        if len(known) > 2
        else Markup()
    )


def _place(finding: Finding, only: str) -> str:
    """Where a finding is, without the path of the only notebook that there is."""
    cell = f"cell {finding.cell_id}" if finding.cell_id else ""
    return " ".join(part for part in ("" if finding.path == only else finding.path, cell) if part)


@cache
def template(name: str) -> Template:
    """A template of the folder `page`, everything that goes into it escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"value": _value, "plain": _plain, "plot": _plot, "place": _place}
    environment.tests["quiet"] = lambda cell: isinstance(cell, Quiet)
    return environment.from_string(part(name))


@cache
def part(name: str) -> str:
    """A file of the folder `page`, as text."""
    return files("nbpr.render.page").joinpath(name).read_text(encoding="utf-8")


@cache
def policy(scripts: bool = True) -> str:
    """Nothing loads but pictures in the page; the one style and the one script are known by their digests."""
    style, script = (
        base64.b64encode(hashlib.sha256(part(name).encode()).digest()).decode() for name in ("review.css", "review.js")
    )
    rules = ["default-src 'none'", "img-src data:", f"style-src 'sha256-{style}'"]
    rules += [f"script-src 'sha256-{script}'"] if scripts else []
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])
