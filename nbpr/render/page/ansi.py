"""Terminal colours (ECMA-48's SGR) as spans with classes of ours; every other sequence is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markupsafe import Markup
from markupsafe import escape as html

from nbpr.render import escape

#: CSI sequences (the parameters and the final byte told apart), strings such as titles, two-character ones.
_SEQUENCE = re.compile(
    r"\x1b\[(?P<words>[0-?]*)[ -/]*(?P<final>[@-~])|\x1b[\]PX^_][^\x07\x1b]*(?:\x1b\\|\x07|$)|\x1b[ -/]*[0-~]"
)

_COLOURS = {*range(30, 38), *range(40, 48), *range(90, 98)}


def coloured(text: str) -> Markup:
    """A text of several lines as HTML; what is no colour and cannot be seen is shown by its code point."""
    parts: list[str] = []
    now: tuple[str, ...] = ()
    place = 0
    for found in _SEQUENCE.finditer(text):
        parts += _span(text[place : found.start()], now)
        if found["final"] == "m":
            now = _after(now, found["words"])
        place = found.end()
    return Markup("".join([*parts, *_span(text[place:], now)]))


def _span(text: str, classes: Sequence[str]) -> Iterator[str]:
    if text:
        shown = html("\n".join(escape.visible(line) for line in re.split(r"\r\n|\r|\n", text)))
        yield f'<span class="{" ".join(classes)}">{shown}</span>' if classes else str(shown)


def _after(now: tuple[str, ...], words: str) -> tuple[str, ...]:
    """The classes after a sequence: a reset, bold, or one of the sixteen colours; richer ones are not shown."""
    codes = iter([int(word) if word.isascii() and word.isdecimal() else 0 for word in words.split(";")])
    for code in codes:
        if code == 0:
            now = ()
        elif code in (38, 48):
            kind = next(codes, 0)
            for _ in range({5: 1, 2: 3}.get(kind, 0)):
                next(codes, 0)
        elif code in (1, 4):
            now = tuple(dict.fromkeys((*now, f"a{code}")))
        elif code in (39, 49, 22, 24):
            ends = {39: ("a3", "a9"), 49: ("a4",), 22: ("a1",), 24: ("a4",)}[code]
            now = tuple(name for name in now if not (name in ends or (len(name) > 2 and name.startswith(ends))))
        elif code in _COLOURS:
            ground = "a4" if 40 <= code < 48 else ("a3", "a9")
            now = (*(name for name in now if len(name) == 2 or not name.startswith(ground)), f"a{code}")
    return now
