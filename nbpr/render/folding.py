"""Which lines of a diff are worth showing: those that changed, and a few around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nbpr.diff.lines import Line

#: Lines that are shown before and after each change.
CONTEXT = 3


class Fold(NamedTuple):
    """So many unchanged lines that are not shown."""

    lines: int

    @property
    def text(self) -> str:
        """What stands in their place."""
        return f"{self.lines:,} unchanged line{'' if self.lines == 1 else 's'}"


def fold(lines: Sequence[Line], context: int = CONTEXT) -> list[Line | Fold]:
    """The changed lines with their context, the rest folded; the first lines where nothing changed."""
    seen = near(lines, context)
    shown: list[Line | Fold] = []
    hidden = 0
    for index, line in enumerate(lines):
        if index in seen:
            shown += [Fold(hidden)] if hidden else []
            shown.append(line)
            hidden = 0
        else:
            hidden += 1
    return shown + ([Fold(hidden)] if hidden else [])


def near(lines: Sequence[Line], context: int = CONTEXT) -> set[int]:
    """The places of the lines worth showing."""
    changed = [index for index, line in enumerate(lines) if line.tag != " "]
    found = {place for index in changed for place in range(index - context, index + context + 1)}
    if not changed:
        found = set(range(context))
    # A fold takes a line itself: one that would hide a single line shows it instead.
    around = found | {-1, len(lines)}
    return found | {i for i in range(len(lines)) if i - 1 in around and i + 1 in around}
