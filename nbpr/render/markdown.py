"""A report as Markdown: the pull request's body, and the comment that is kept up to date.

Whatever notebooks hold stands in fences, in code spans or in cells of a table, never in a heading, a link or a
`<summary>`. The text keeps to a budget by leaving whole blocks out, so that it parses wherever it ends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from nbpr.diff.changes import CellChange, NotebookDiff
from nbpr.diff.lines import Line
from nbpr.render import cells, escape, gallery, places
from nbpr.render.blocks import BUDGET, ICONS, Page, link, table, titled, where
from nbpr.render.folding import Fold
from nbpr.render.report import Report, counts, value_text

#: So many changed cells are shown at most.
CELLS = 30

#: How much of the proposer's own words is shown, in characters.
_LONGEST_WHY = 6_000

_STATUS = {"passed": "✅ Passed", "failed": "❌ Failed", None: "⚪ Not validated"}


def render(report: Report, budget: int = BUDGET) -> str:
    """The report as Markdown of at most `budget` UTF-8 bytes, from some 1,000 on."""
    return "\n\n".join(blocks(report, budget)) + "\n"


def blocks(report: Report, budget: int = BUDGET) -> list[str]:
    """The report as blocks, any number of which, from the first on, is Markdown that parses."""
    page = Page(budget)
    page.add(*_head(report))
    page.add(_why(report.why))
    page.add(_links(report))
    share = budget // 5
    checks = "", findings(report, share)
    failed = any(finding.level == "error" for finding in report.findings)
    results = [("Parameters", _parameters(report, share)), ("Scraps", scraps(report, share))]
    for title, rows in [checks, *results] if failed else [*results, checks]:
        page.add(titled(title, rows))
    page.add(*(failed_cell(run) for run in report.runs))
    page.add(titled("Pictures", _pictures(report, share)))
    page.add(_notes(report, share))
    add_cells(page, report)
    page.add(_runs(report, share))
    return page.blocks


def marker(key: str) -> str:
    """The first line of what is ours on a forge, by which it is found again."""
    safe = quote(key, safe="", errors="surrogatepass")
    return f"<!-- nbpr:{re.sub('-(?=-|$)', '%2D', safe)} -->"


# -- the summary -----------------------------------------------------------------------------------------------


def _head(report: Report) -> list[str]:
    status = f"{_STATUS[report.verdict]} · " if report.key or report.verdict else ""
    heading = f"## {status}{_subject(report.diffs)}{', '.join(_facts(report))}"
    return [marker(report.key) + "\n" + heading] if report.key else [heading]


def _why(text: str) -> str:
    """The proposer's own words, as a quote: what they leave open, a fence or a list, ends with the quote.

    HTML of theirs is text: a comment could pass for one of ours, and an open `<style>` would hide all that follows.
    """
    plain = re.sub(r"<(?=[A-Za-z/!?])", "<" + escape.ZERO_WIDTH_SPACE, text.strip())
    lines = [escape.visible(line) for line in re.split(r"\r\n|\r|\n", escape.cut(plain, _LONGEST_WHY))]
    return "\n".join(f"> {line}".rstrip() for line in lines) if plain else ""


def _subject(diffs: Sequence[NotebookDiff]) -> str:
    if len(diffs) == 1:
        return escape.code_span(diffs[0].path, 120) + ": "
    return f"{len(diffs)} notebooks: " if diffs else ""


def _facts(report: Report) -> list[str]:
    failed = {finding.check for finding in report.findings if finding.level == "error"}
    warned = sum(finding.level == "warning" for finding in report.findings)
    facts = [counts(report.diffs)]
    if failed:
        facts.append(f"{len(failed)} check{'' if len(failed) == 1 else 's'} failed")
    elif report.verdict == "passed":
        facts.append("all checks passed")
    return facts + ([f"{warned} warning{'' if warned == 1 else 's'}"] if warned else [])


def _links(report: Report) -> str:
    page = places.of(report.page_name, "review page", report.picture_urls.get(report.page_name))
    return " · ".join([*(link(one.label, one.url) for one in report.links), *([page] if page else [])])


def findings(report: Report, room: int) -> str:
    """The findings as a table, the worst first, and the checks that passed."""
    rows = [
        [
            ICONS[finding.level],
            escape.table_code(finding.check, 40),
            where(finding.path, finding.cell_id),
            escape.table_code(finding.message) + (f" {escape.table_code(finding.hint)}" if finding.hint else ""),
        ]
        for finding in report.ordered_findings
    ]
    passed = ", ".join(escape.table_code(check, 40) for check in report.passed_checks)
    if passed:
        rows.append(["✅", passed, "", "passed"])
    return table(["", "Check", "Where", "What"], rows, room)


def _parameters(report: Report, room: int) -> str:
    rows = [
        [escape.table_code(diff.path, 120), *(_value(text) for text in (one.name, one.before, one.after))]
        for diff in report.diffs
        for one in diff.parameters
    ]
    return _by_notebook(["Parameter", "Before", "After"], rows, report, room)


def scraps(report: Report, room: int) -> str:
    """The scraps as a table, those that changed first."""
    rows = [
        [
            escape.table_code(row.notebook, 120),
            *(_value(text) for text in (row.name, row.before, row.after)),
            row.change or "same",
            escape.table_code(row.bound) if row.bound else "",
        ]
        for row in sorted(report.scraps, key=lambda row: not row.changed)
    ]
    headers = ["Scrap", "Before", "After", "Change", "Bound"]
    if not any(row.bound for row in report.scraps):
        headers, rows = headers[:-1], [row[:-1] for row in rows]
    return _by_notebook(headers, rows, report, room)


def _pictures(report: Report, room: int) -> str:
    """The first pictures that changed: before and after where a forge keeps them, else how much of them changed."""
    rows = []
    for one in gallery.changed(report.diffs):
        name = f"cell {one.index}" + (f" {escape.table_code(one.cell_id, 64)}" if one.cell_id else "")
        sides = [places.of(side.name, word, report.picture_urls.get(side.name)) for word, side in one.sides]
        rows.append([escape.table_code(one.notebook, 120), name, *sides, one.words])
    headers = ["Picture", "Before", "After", "Change"]
    if not any(row[2] or row[3] for row in rows):
        headers, rows = [headers[0], headers[3]], [[*row[:2], row[4]] for row in rows]
    return _by_notebook(headers, rows, report, room)


def _value(value: Any) -> str:
    return "–" if value is None else escape.table_code(escape.without_base64(value_text(value)), 120)


def _by_notebook(headers: list[str], rows: list[list[str]], report: Report, room: int) -> str:
    """The table, its column of notebooks left out where there is only one."""
    if len(report.diffs) == 1 and len({row[0] for row in rows}) <= 1:
        return table(headers, [row[1:] for row in rows], room)
    return table(["Notebook", *headers], rows, room)


def failed_cell(run: Mapping[str, Any]) -> str:
    """The cell at which a run stopped: its error, and its source."""
    failed = run.get("failed_cell")
    if not isinstance(failed, Mapping):
        return ""
    error = escape.code_span(f"{failed.get('ename')}: {failed.get('evalue')}")
    source = cells.fitted(escape.pieces(str(failed.get("source") or "")), 60, 6_000)
    place = escape.code_span(f"{failed.get('index')} {cells.identifier(failed.get('id'))}", 80)
    return f"Cell {place} failed: {error}\n\n{escape.fence(source)}"


def _notes(report: Report, room: int) -> str:
    lines: list[str] = []
    for note in report.notes:
        lines.append(f"- {escape.prose(escape.cut(note, 2 * escape.LINE))}")
        if len("\n".join(lines).encode()) > room:
            return "\n".join([*lines[:-1], f"- {len(report.notes) - len(lines) + 1} more notes"])
    return "\n".join(lines)


def _runs(report: Report, room: int) -> str:
    rows = [[_fact(run, key) for key in _RUN_FACTS.values()] for run in report.runs]
    facts = table(list(_RUN_FACTS), rows, room)
    return f"<details>\n<summary>Runs</summary>\n\n{facts}\n\n</details>" if facts else ""


_RUN_FACTS = {
    "Run": "role",
    "Notebook": "notebook",
    "Status": "status",
    "Reason": "reason",
    "Seconds": "duration_seconds",
    "Cells": "cells_executed",
    "Kernel": "kernel",
    "Python": "environment",
}


def _fact(run: Mapping[str, Any], key: str) -> str:
    value = run.get(key)
    if isinstance(value, Mapping):
        value = value.get("python")
    return "" if value is None else escape.table_code(value_text(value), 120)


# -- the cells -------------------------------------------------------------------------------------------------


def add_cells(page: Page, report: Report) -> None:
    """The changed cells, notebook by notebook, those whose outputs alone changed after the others."""
    shown = total = 0
    for diff in (diff for diff in report.diffs if diff.differs):
        page.add(_notebook_block(diff, len(report.diffs) > 1), reserve=_CLOSING)
        for change in cells.worth_showing(diff):
            total += 1
            if shown < CELLS and page.add(cell_block(change), reserve=_CLOSING):
                shown += 1
    if shown < total:
        noun = "cell is" if total - shown == 1 else "cells are"
        page.add(f"*{total - shown:,} more changed {noun} not shown here.*")


#: Bytes kept free for the sentence that says what is not shown.
_CLOSING = 80


def _notebook_block(diff: NotebookDiff, several: bool) -> str:
    heading = f"### {escape.code_span(diff.path, 120)}: {diff.status}, {counts((diff,))}" if several else ""
    lines = [escape.without_mentions(piece) for text in cells.remarks(diff) for piece in escape.pieces(text)]
    return "\n\n".join(filter(None, [heading, escape.fence(cells.fitted(lines, 40, 6_000)) if lines else ""]))


def cell_block(change: CellChange) -> str:
    """One `<details>`: the source as a diff, what else changed, and the outputs where they changed."""
    parts = [_diff_fence(cells.source(change), prose=change.cell_type != "code")]
    results = cells.outputs(change)
    if results:
        parts += [f"{cells.outputs_title(change)}:", _diff_fence(results, prose=True)]
    body = "\n\n".join(filter(None, parts))
    return f"<details>\n<summary>{_summary(change)}</summary>\n\n{body}\n\n</details>"


def _summary(change: CellChange) -> str:
    """Only words of ours, numbers, and an id that is made of what ids are made of."""
    name = cells.identifier(change.id)
    words = [f"Cell {cells.index(change)}", *cells.badges(change)]
    return " · ".join([*words, f"<code>{name}</code>"] if name else words)


def _diff_fence(lines: Sequence[Line | Fold], *, prose: bool) -> str:
    """The lines as a diff; `prose` is text that a mail's reader might take for addressed to somebody."""
    shown = [text for line in lines for text in _diff_lines(line)]
    if prose:
        shown = [escape.without_mentions(text) for text in shown]
    return escape.fence(cells.fitted(shown, 200, 12_000), "diff") if shown else ""


def _diff_lines(line: Line | Fold) -> list[str]:
    if isinstance(line, Fold):
        return [f"@@ {line.text} @@"]
    around = line.marks[0][0] if line.marks else 0
    tag = "! " if line.tag == "!" else line.tag
    return [tag + piece for piece in escape.pieces(line.text, around)]
