"""What the gate found as Markdown: the comment that is kept up to date, and the job's summary.

The same result gives the same text, so that a comment is not written again for a run that took longer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from nbpr.gate.result import GateResult, Judged
from nbpr.render import escape, judgement, markdown
from nbpr.render.blocks import BUDGET, ICONS, Page, link, table, titled, where
from nbpr.render.report import Link, Report, counts

#: By this key the gate's comment is found again.
KEY = "gate"

_STATUS = {"passed": "✅ Passed", "failed": "❌ Failed"}

#: What a path may consist of to stand in a `<summary>`.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._/ -]{1,120}")

#: Bytes kept free for the sentence that says what is not shown.
_CLOSING = 120


def text(result: GateResult, *, links: Sequence[Link] = (), notes: Sequence[str] = (), budget: int = BUDGET) -> str:
    """The Markdown, of at most `budget` UTF-8 bytes, from some 2,000 on.

    `notes` are sentences that stand above everything else: what could not be posted, what was not run.
    """
    return "\n\n".join(blocks(result, links=links, notes=notes, budget=budget)) + "\n"


def blocks(
    result: GateResult, *, links: Sequence[Link] = (), notes: Sequence[str] = (), budget: int = BUDGET
) -> list[str]:
    """The Markdown as blocks, any number of which, from the first on, parses."""
    page = Page(budget)
    page.add(f"{markdown.marker(KEY)}\n## {_STATUS[result.verdict]} · {judgement.heading(result)}")
    page.add(" · ".join(link(one.label, one.url) for one in links))
    page.add("\n".join(f"- {escape.prose(escape.cut(note, 2 * escape.LINE))}" for note in notes))
    share = budget // 5
    page.add(titled("Beside the notebooks", markdown.findings(Report(findings=result.findings), share)))
    notebooks = judgement.failures_first(result)
    page.add(_overview(notebooks, share))
    _add_failed(page, [one for one in notebooks if one.verdict == "failed"], share)
    others = [one for one in notebooks if one.verdict == "passed" and _worst(one) == "warning"]
    page.add(_warnings(others, share), reserve=_CLOSING)
    whole = _whole(result)
    page.add(titled("Scraps", markdown.scraps(whole, share)), reserve=_CLOSING)
    markdown.add_cells(page, whole)
    page.add(_commits(result))
    return page.blocks


def _whole(result: GateResult) -> Report:
    """All notebooks as one report: what changed in them, with the outputs of the gate's own runs."""
    diffs = tuple(one.diff for one in judgement.failures_first(result) if one.diff is not None)
    rows = tuple(row for one in result.notebooks for row in judgement.scraps(one) if row.changed or row.bound)
    return Report(diffs=diffs, scraps=rows)


def _overview(notebooks: Sequence[Judged], room: int) -> str:
    rows = [
        [
            ICONS["error"] if one.verdict == "failed" else ICONS["warning"] if _worst(one) == "warning" else "✅",
            escape.table_code(one.path, 120),
            one.change if one.diff is None or one.change in ("affected", "deleted") else counts((one.diff,)),
            _verdict(one),
            judgement.cells_checked(one) or "–",
        ]
        for one in notebooks
    ]
    return table(["", "Notebook", "Change", "Verdict", "Cells checked"], rows, room)


def _verdict(judged: Judged) -> str:
    """Passed, or which checks failed."""
    failed = dict.fromkeys(finding.check for finding in judged.findings if finding.level == "error")
    return f"failed: {', '.join(escape.table_code(check, 40) for check in failed)}" if failed else "passed"


def _worst(judged: Judged) -> str:
    return judgement.by_level(judged.findings)[0].level if judged.findings else ""


def _add_failed(page: Page, failed: Sequence[Judged], share: int) -> None:
    """A `<details>` for each notebook that failed: what was found, and the cell at which its run stopped."""
    shown = 0
    for number, one in enumerate(failed, 1):
        room = max(share // max(len(failed), 1), 3_000)
        shown += page.add(_failed(one, number, room), reserve=_CLOSING)
    if shown < len(failed):
        noun = "notebook that failed is" if len(failed) - shown == 1 else "notebooks that failed are"
        page.add(f"*{len(failed) - shown:,} more {noun} not shown here.*")


def _failed(judged: Judged, number: int, room: int) -> str:
    report = replace(judgement.report(judged), diffs=())
    name = f"<code>{judged.path}</code>" if _PLAIN_PATH.fullmatch(judged.path) else f"notebook {number}"
    parts = [escape.code_span(judged.path) if not _PLAIN_PATH.fullmatch(judged.path) else ""]
    parts.append(markdown.findings(report, room))
    parts += [markdown.failed_cell(run) for run in report.runs]
    body = "\n\n".join(filter(None, parts))
    return f"<details>\n<summary>❌ {name}</summary>\n\n{body}\n\n</details>"


def _warnings(notebooks: Sequence[Judged], room: int) -> str:
    """The warnings of notebooks that passed."""
    rows = [
        [
            ICONS["warning"],
            escape.table_code(finding.check, 40),
            where(finding.path, finding.cell_id),
            escape.table_code(finding.message) + (f" {escape.table_code(finding.hint)}" if finding.hint else ""),
        ]
        for one in notebooks
        for finding in one.findings
        if finding.level == "warning"
    ]
    told = table(["", "Check", "Where", "What"], rows, room)
    return f"<details>\n<summary>⚠️ Warnings</summary>\n\n{told}\n\n</details>" if told else ""


def _commits(result: GateResult) -> str:
    if result.skipped:
        return ""
    since = f" since {escape.code_span(result.base[:12])}" if result.base else ""
    return f"Judged {escape.code_span(result.head[:12])}{since}."
