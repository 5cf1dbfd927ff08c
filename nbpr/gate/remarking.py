"""Remarking: which of the gate's findings are said at which lines of a pull request's diff, one remark a cell.

A cell is known by what it holds: one that changes and is still wrong gets a new remark, the old one is taken back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbpr.findings import Finding
from nbpr.forges import Remark
from nbpr.gate import words
from nbpr.gate.result import GateResult, Judged
from nbpr.git.repository import Repository
from nbpr.render import judgement


@dataclass(frozen=True)
class Range:
    """The commits whose difference a pull request shows: where its head left base, and its head."""

    repository: Repository
    start: str
    head: str

    def changed(self, judged: Judged) -> list[range]:
        """The lines of a notebook's file that are new or other at head."""
        paths = (*filter(None, (judged.path_before,)), judged.path)
        return self.repository.changed_lines(self.start, self.head, *paths)

    def text(self, judged: Judged, lines: range) -> bytes:
        """These lines of it."""
        data = self.repository.read(self.head, judged.path) or b""
        return b"\n".join(data.split(b"\n")[lines.start - 1 : lines.stop - 1])


def remarks(result: GateResult, shown: Range, most: int) -> list[Remark]:
    """What is to be said of cells that changed, `most` of them; failures first."""
    made = [one for judged in judgement.failures_first(result) for one in _of(judged, shown)]
    return [remark for _, remark in sorted(made, key=lambda pair: pair[0])][:most]


def _of(judged: Judged, shown: Range) -> Iterator[tuple[bool, Remark]]:
    """The remarks of one notebook, and whether nothing in them is an error."""
    by_cell: dict[str, list[Finding]] = {}
    for finding in judgement.by_level(judged.findings):
        cell_id = finding.cell_id
        if cell_id is not None and cell_id in judged.lines and _is_told(finding, judged.path):
            by_cell.setdefault(cell_id, []).append(finding)
    # A name that is no text cannot be told to a forge.
    changed = shown.changed(judged) if by_cell and _is_text(judged.path) else []
    for cell_id, findings in by_cell.items():
        lines = judged.lines[cell_id]
        line = _first(lines, changed)
        if line is not None:
            key = hashlib.sha256(b"\0".join([*map(_bytes, (judged.path, cell_id)), shown.text(judged, lines)]))
            body = words.remark(cell_id, findings)
            yield findings[0].level != "error", Remark(key.hexdigest()[:16], judged.path, line, body)


def _bytes(text: str) -> bytes:
    """A text that git or JSON gave, which may hold what is no letter."""
    return text.encode("utf-8", "surrogatepass")


def _is_text(name: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _is_told(finding: Finding, path: str) -> bool:
    return finding.level != "note" and finding.path == path


def _first(lines: range, changed: Sequence[range]) -> int | None:
    """The first line of a cell that changed, or None."""
    common = (max(lines.start, one.start) for one in changed if one.start < lines.stop and lines.start < one.stop)
    return min(common, default=None)
