"""Aligned columns on a terminal, by what a text takes there rather than by how many characters it has."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from nbpr.render import escape
from nbpr.render.paint import paint

_GAP = "  "

#: No column is made narrower than this to make room for the others.
_NARROW = 8


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], width: int, colour: bool = False) -> str:
    """The rows under their headers, aligned, each line at most `width` wide; what does not fit ends in "…".

    The widest columns give way first. Control characters in what is given are shown, not passed on.
    """
    lines = [[escape.one_line(cell) for cell in row] for row in (headers, *rows)]
    widths = _widths(lines, width)
    shown = [_row(line, widths, width) for line in lines]
    return "\n".join([paint("bold", shown[0], colour), *shown[1:]])


def display_width(text: str) -> int:
    """How many columns a text takes: two for wide characters and emoji, none for combining ones."""
    return len(text) if text.isascii() else sum(_width(sign) for sign in text)


def fit(text: str, width: int) -> str:
    """The text, or as much of its beginning as fits with an ellipsis."""
    if display_width(text) <= width:
        return text
    shown, room = "", width - 1
    for sign in text:
        room -= _width(sign)
        if room < 0:
            break
        shown += sign
    return shown + "…" if width > 0 else ""


def _width(sign: str) -> int:
    if unicodedata.combining(sign) or unicodedata.category(sign) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def _widths(lines: Sequence[Sequence[str]], width: int) -> list[int]:
    count = max(len(line) for line in lines)
    wanted = [max((display_width(line[i]) for line in lines if i < len(line)), default=0) for i in range(count)]
    room = width - len(_GAP) * (count - 1)
    while sum(wanted) > room and max(wanted) > _NARROW:
        wanted[wanted.index(max(wanted))] -= 1
    return wanted


def _row(cells: Sequence[str], widths: Sequence[int], width: int) -> str:
    shown = [fit(cell, size) for cell, size in zip(cells, widths, strict=False)]
    padded = [text + " " * (size - display_width(text)) for text, size in zip(shown, widths, strict=False)]
    return fit(_GAP.join(padded).rstrip(), width)
