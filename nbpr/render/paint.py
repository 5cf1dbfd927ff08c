"""Colours on a terminal."""

from __future__ import annotations

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36", "marked": "7"}


def paint(names: str, text: str, colour: bool) -> str:
    """The text in the colours named ("bold red"), or as it is without `colour`."""
    if not colour or not text or not names:
        return text
    return f"\x1b[{';'.join(_CODES[name] for name in names.split())}m{text}\x1b[0m"
