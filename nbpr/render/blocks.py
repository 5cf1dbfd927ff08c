"""Blocks of Markdown: each whole in itself, so that a text made of them parses wherever it ends."""

from __future__ import annotations

from collections.abc import Sequence

from nbpr.render import escape

#: A body or a comment has 65,536 characters on GitHub; this many bytes leave room for what stands around it.
BUDGET = 60_000

ICONS = {"error": "❌", "warning": "⚠️", "note": "ℹ️"}


class Page:
    """Blocks of Markdown, each whole in itself, as many as go into the budget."""

    def __init__(self, budget: int) -> None:
        self.room = budget
        self.blocks: list[str] = []

    def add(self, *blocks: str, reserve: int = 0) -> bool:
        """Put the blocks in that are not empty, all or none; say whether they went in."""
        wanted = [block for block in blocks if block]
        size = sum(len(block.encode()) + 2 for block in wanted)
        if size + reserve > self.room:
            return False
        self.room -= size
        self.blocks += wanted
        return True


def link(label: str, url: str) -> str:
    """A link, or the words alone where the address is none of the web."""
    address = escape.address(url)
    if address is None:
        return f"{escape.prose(label)}: {escape.code_span(url)}"
    return f"[{escape.prose(label)}](<{address}>)"


def titled(title: str, table: str) -> str:
    """The table under its title; nothing without the table."""
    return f"**{title}**\n\n{table}" if title and table else table


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> str:
    """As many whole rows as go into `room` bytes, and how many more there are; nothing without rows."""
    lines = ["| " + " | ".join(headers) + " |", "|" + " --- |" * len(headers)]
    for done, row in enumerate(rows):
        line = "| " + " | ".join(row) + " |"
        room -= len(line.encode()) + 1
        if room < 0:
            return "\n".join([*lines, "", f"*{len(rows) - done:,} more rows are not shown.*"])
        lines.append(line)
    return "\n".join(lines) if rows else ""


def where(path: str, cell_id: str | None) -> str:
    """Where a finding is, for a cell of a table."""
    place = escape.table_code(path, 120) if path else ""
    return f"{place} cell {escape.table_code(cell_id, 64)}".strip() if cell_id else place
