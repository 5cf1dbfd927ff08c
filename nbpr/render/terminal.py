"""Reports and diffs for a terminal: unified, the changed words marked, nothing from a notebook obeyed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from nbpr.diff.changes import CellChange, NotebookDiff
from nbpr.diff.lines import Line
from nbpr.findings import Finding
from nbpr.render import cells, escape
from nbpr.render.columns import fit, table
from nbpr.render.folding import Fold
from nbpr.render.paint import paint
from nbpr.render.report import Report, ScrapRow, counts, value_text

__all__ = ["proposal", "render", "scraps", "table"]

_COLOURS = {"+": "green", "-": "red", "!": "yellow", " ": ""}
_SIGNS = {"error": "✗", "warning": "!", "note": "·", "passed": "✓", "failed": "✗"}
_SIGN_COLOURS = {"error": "red", "warning": "yellow", "note": "dim", "passed": "green", "failed": "red"}

#: Lines wider than this are cut: a terminal wraps what is longer than itself, but nobody reads a screenful of it.
_LINE = 1_000

#: A rule is not drawn wider than text is read.
_RULE = 100


def render(
    diffs: Sequence[NotebookDiff],
    *,
    colour: bool,
    width: int,
    stat: bool = False,
    outputs: bool = True,
    scraps: Sequence[ScrapRow] = (),
    notes: Sequence[str] = (),
) -> str:
    """The diffs one below the other, several below a list of them; the scraps that changed and the notes last.

    With `stat` the list alone.
    """
    changed = [diff for diff in diffs if diff.differs]
    said = ["\n".join(_wrapped("·", note, width) for note in notes)] if notes else []
    if stat:
        return "\n".join([*_stat(changed, colour, width), *said])
    parts = ["\n".join(_stat(changed, colour, width))] if len(changed) > 1 else []
    parts += ["\n".join(_notebook(diff, colour, width, outputs)) for diff in changed]
    parts += _scraps_part([row for row in scraps if row.changed], colour, width)
    return "\n\n".join([*parts, *said])


def proposal(report: Report, colour: bool, width: int) -> str:
    """What came of a proposal: verdict, checks, scraps before and after, the changed cells as a diff, links."""
    verdict = report.verdict or "note"
    sign = paint(f"bold {_SIGN_COLOURS[verdict]}", f"{_SIGNS[verdict]} {report.verdict or 'not validated'}", colour)
    said = [escape.one_line(text) for text in (report.operation, report.title) if text]
    parts = ["  ".join([sign, fit(": ".join(said), max(20, width - 16))]).rstrip()]
    parts += ["\n".join(_findings(report, colour, width))] if report.findings or report.checks else []
    parts += _scraps_part(report.scraps, colour, width)
    parts += ["\n".join(_notebook(diff, colour, width, True)) for diff in report.diffs if diff.differs]
    parts += ["\n".join(_wrapped("·", note, width) for note in report.notes)] if report.notes else []
    links = [[link.label, link.url] for link in report.links]
    parts += ["\n".join(f"{escape.one_line(label)}: {escape.one_line(url)}" for label, url in links)] if links else []
    return "\n\n".join(parts)


def scraps(rows: Sequence[ScrapRow], colour: bool, width: int) -> str:
    """Scraps before and after as a table; the column of notebooks only where there are several."""
    several = len({row.notebook for row in rows}) > 1
    bound = any(row.bound for row in rows)
    headers = [*(["notebook"] if several else []), "scrap", "before", "after", "change", *(["bound"] if bound else [])]
    lines = [
        [
            *([row.notebook] if several else []),
            *(_short(value) for value in (row.name, row.before, row.after)),
            row.change or "same",
            *([row.bound] if bound else []),
        ]
        for row in rows
    ]
    return table(headers, lines, width, colour)


def _short(value: Any) -> str:
    return escape.cut(escape.without_base64(value_text(value)), 80)


def _scraps_part(rows: Sequence[ScrapRow], colour: bool, width: int) -> list[str]:
    return [scraps(rows, colour, width)] if rows else []


def _stat(diffs: Sequence[NotebookDiff], colour: bool, width: int) -> list[str]:
    headers = ["notebook", "added", "removed", "edited", "moved", "outputs"]
    rows = [[diff.path, *(str(count) for count in list(diff.summary.as_json().values())[1:])] for diff in diffs]
    noun = "notebook" if len(diffs) == 1 else "notebooks"
    total = f"{len(diffs)} {noun} changed, {counts(tuple(diffs))}"
    return [table(headers, rows, width, colour), total] if diffs else []


def _notebook(diff: NotebookDiff, colour: bool, width: int, outputs: bool) -> Iterator[str]:
    words = f"{diff.status}, " if diff.status in ("added", "deleted") else ""
    yield f"{paint('bold', escape.one_line(diff.path), colour)}: {words}{counts((diff,))}"
    for remark in cells.remarks(diff):
        yield paint("yellow", "  " + escape.cut(escape.visible(remark), _LINE), colour)
    for one in diff.parameters:
        before, after = (_short(text) for text in (one.before, one.after))
        values = f"{paint('red', escape.one_line(before), colour)} → {paint('green', escape.one_line(after), colour)}"
        yield f"  {escape.one_line(one.name)}: {values}"
    for change in cells.worth_showing(diff):
        if outputs or change.kind != "outputs":
            yield ""
            yield from _cell(change, colour, width, outputs)


def _cell(change: CellChange, colour: bool, width: int, outputs: bool) -> Iterator[str]:
    words = [f"cell {cells.index(change)}", *cells.badges(change), cells.identifier(change.id)]
    title = fit(f"── {' · '.join(filter(None, words))} ", width)
    yield paint("cyan", title + "─" * (min(width, _RULE) - len(title)), colour)
    yield from (_line(line, colour) for line in cells.source(change))
    results = cells.outputs(change) if outputs else []
    if results:
        yield paint("dim", f"{cells.outputs_title(change)}:", colour)
        yield from (_line(line, colour) for line in results)


def _line(line: Line | Fold, colour: bool) -> str:
    if isinstance(line, Fold):
        return paint("dim", f"  … {line.text}" + (" (nbpr diff --json has all)" if line.holds_changes else ""), colour)
    name = _COLOURS[line.tag]
    tag = "! " if line.tag == "!" else line.tag
    return paint(name, tag, colour) + _text(line, name, colour)


def _text(line: Line, name: str, colour: bool) -> str:
    """The line's text in its colour, the words that changed marked."""
    if len(line.text) > _LINE or not colour:
        around = line.marks[0][0] if line.marks else 0
        return paint(name, escape.cut(escape.visible(escape.without_base64(line.text)), _LINE, around), colour)
    shown, place = "", 0
    for start, end in line.marks:
        shown += paint(name, escape.visible(line.text[place:start]), colour)
        shown += paint(f"{name} marked", escape.visible(line.text[start:end]), colour)
        place = end
    return shown + paint(name, escape.visible(line.text[place:]), colour)


def _findings(report: Report, colour: bool, width: int) -> Iterator[str]:
    for finding in report.ordered_findings:
        sign = paint(_SIGN_COLOURS[finding.level], _SIGNS[finding.level], colour)
        yield _wrapped(sign, _said(finding), width, colour)
        if finding.hint:
            yield _wrapped(" ", finding.hint, width, colour)
    if report.passed_checks:
        yield _wrapped(paint("green", "✓", colour), ", ".join(report.passed_checks), width, colour)


def _said(finding: Finding) -> str:
    place = " ".join(filter(None, [finding.path, f"cell {finding.cell_id}" if finding.cell_id else ""]))
    return f"{finding.check}: {finding.message}" + (f" ({place})" if place else "")


def _wrapped(sign: str, text: str, width: int, colour: bool = False) -> str:
    lines = textwrap.wrap(escape.cut(escape.one_line(text), _LINE), max(20, width - 2)) or [""]
    return f"{sign} " + "\n  ".join(lines)
