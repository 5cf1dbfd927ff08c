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
    near = _near(lines, context)
    shown: list[Line | Fold] = []
    hidden = 0
    for index, line in enumerate(lines):
        if index in near:
            shown += [Fold(hidden)] if hidden else []
            shown.append(line)
            hidden = 0
        else:
            hidden += 1
    return shown + ([Fold(hidden)] if hidden else [])


def _near(lines: Sequence[Line], context: int) -> set[int]:
    changed = [index for index, line in enumerate(lines) if line.tag != " "]
    near = {place for index in changed for place in range(index - context, index + context + 1)}
    if not changed:
        near = set(range(context))
    # A fold takes a line itself: one that would hide a single line shows it instead.
    return near | {i for i in range(len(lines)) if {i - 1, i + 1} <= near | {-1, len(lines)}}
