"""Which lines of a diff are worth showing: those that changed, and a few around them, as many as a person reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from nbpr.diff.lines import Line

#: Lines that are shown before and after each change.
CONTEXT = 3

#: Of a run of lines that were all taken away, or all put in, and of all that changed in one text, so many are shown.
RUN = 60
WHOLE = 300

_WORDS = {"-": "more removed", "+": "more added"}


class Fold(NamedTuple):
    """So many lines that are not shown: unchanged ones, or more of those that changed than anybody reads."""

    lines: int
    what: str = "unchanged"

    @property
    def text(self) -> str:
        """What stands in their place."""
        return f"{self.lines:,} {self.what} line{'' if self.lines == 1 else 's'}"

    @property
    def holds_changes(self) -> bool:
        """Whether something that changed is not shown."""
        return self.what != "unchanged"


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


def shortened(found: Sequence[Line | Fold], run: int = RUN, whole: int = WHOLE) -> list[Line | Fold]:
    """The same with the first `run` lines of each run that came or went, `whole` in all; remarks are all there.

    What is left out stands there as a number, so that both what went and what came in its place can be seen.
    """
    return list(_shortened(found, run, whole))


def _shortened(found: Sequence[Line | Fold], run: int, whole: int) -> Iterator[Line | Fold]:
    beyond = 0
    for tag, group in groupby(found, key=lambda line: "" if isinstance(line, Fold) else line.tag):
        lines = list(group)
        if tag not in _WORDS:
            yield from lines if whole or tag == "!" else ()
            continue
        if not whole:
            beyond += len(lines)
            continue
        kept = lines[: min(run, whole)]
        whole -= len(kept)
        yield from kept
        if len(lines) > len(kept):
            yield Fold(len(lines) - len(kept), _WORDS[tag])
    if beyond:
        yield Fold(beyond, "more changed")
