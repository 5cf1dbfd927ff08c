"""Lines of text: what was taken away, what was put in, and which words of a line changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from nbpr.diff.opcodes import opcodes as opcodes

Tag = Literal[" ", "-", "+", "!"]
Marks = tuple[tuple[int, int], ...]

#: Where lines differ in more pairs of words than this, all from the first to the last is marked.
_WORDY = 250_000

#: Two lines with less than this in common are a new line and an old one, not one line that was edited.
_ALIKE = 0.5

_WORD = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\w+|\s+|.", re.DOTALL)


class Line(NamedTuple):
    """One line of a diff. `marks` are the places (start, end) in `text` of the words that changed.

    The tags are difflib's; `!` is a remark on what has no text, such as a picture that changed.
    """

    tag: Tag
    text: str
    marks: Marks = ()


def split(text: str) -> list[str]:
    """The lines of a text; none for the empty text. A last line without an end is a line like any other."""
    return text.replace("\r\n", "\n").split("\n") if text else []


def compare(before: Sequence[str], after: Sequence[str], marked: int = 2_000) -> tuple[Line, ...]:
    """Both texts as one sequence of lines: common ones once, removed ones before the added ones.

    Words are marked in the first `marked` pairs of lines; nobody reads more, and finding them takes the time.
    """
    return tuple(_lines(before, after, marked))


def tagged(tag: Tag, lines: Sequence[str]) -> tuple[Line, ...]:
    """All `lines` under one tag."""
    return tuple(Line(tag, text) for text in lines)


def marks(before: str, after: str) -> tuple[Marks, Marks]:
    """Where the words are that differ between two lines; nothing where hardly a word is common to them."""
    a, b = _WORD.findall(before), _WORD.findall(after)
    codes = opcodes(a, b, _WORDY)
    common = sum(i2 - i1 for op, i1, i2, _, _ in codes if op == "equal")
    if 2 * common < _ALIKE * (len(a) + len(b)):
        return (), ()
    changed = [code for code in codes if code[0] != "equal"]
    return _places(a, [code[1:3] for code in changed]), _places(b, [code[3:5] for code in changed])


def _lines(before: Sequence[str], after: Sequence[str], marked: int) -> Iterator[Line]:
    for op, i1, i2, j1, j2 in opcodes(before, after):
        if op == "equal":
            yield from tagged(" ", before[i1:i2])
        else:
            yield from _replaced(before[i1:i2], after[j1:j2], marked)
            marked = max(0, marked - min(i2 - i1, j2 - j1))


def _replaced(removed: Sequence[str], added: Sequence[str], marked: int) -> Iterator[Line]:
    pairs = [marks(*pair) for pair in zip(removed[:marked], added[:marked], strict=False)]
    old = [pair[0] for pair in pairs] + [()] * (len(removed) - len(pairs))
    new = [pair[1] for pair in pairs] + [()] * (len(added) - len(pairs))
    yield from (Line("-", text, places) for text, places in zip(removed, old, strict=True))
    yield from (Line("+", text, places) for text, places in zip(added, new, strict=True))


def _places(words: Sequence[str], spans: Sequence[tuple[int, int]]) -> Marks:
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word))
    return tuple((starts[first], starts[last]) for first, last in spans if first < last)
