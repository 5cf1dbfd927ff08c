"""Lines of text: what was taken away, what was put in, and which words of a line changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

Tag = Literal[" ", "-", "+", "!"]
Marks = tuple[tuple[int, int], ...]
Opcode = tuple[str, int, int, int, int]

#: Beyond so many pairs of lines difflib may leave frequent lines out of its search, lest it take minutes.
_THOROUGH = 4_000_000

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


def compare(before: Sequence[str], after: Sequence[str]) -> tuple[Line, ...]:
    """Both texts as one sequence of lines: common ones once, removed ones before the added ones."""
    return tuple(_lines(before, after))


def tagged(tag: Tag, lines: Sequence[str]) -> tuple[Line, ...]:
    """All `lines` under one tag."""
    return tuple(Line(tag, text) for text in lines)


def opcodes(before: Sequence[str], after: Sequence[str], most: int | None = None) -> list[Opcode]:
    """difflib's opcodes, with what both sides begin and end with set aside first, which is most of it.

    Where more than `most` pairs are left between, they are one replacement.
    """
    start, end = _common_start(before, after), _common_end(before, after)
    end = min(end, len(before) - start, len(after) - start)
    a, b = before[start : len(before) - end], after[start : len(after) - end]
    matcher = SequenceMatcher(None, a, b, autojunk=len(a) * len(b) > _THOROUGH)
    inner = [(op, i1 + start, i2 + start, j1 + start, j2 + start) for op, i1, i2, j1, j2 in matcher.get_opcodes()]
    head: list[Opcode] = [("equal", 0, start, 0, start)] if start else []
    tail: list[Opcode] = []
    if end:
        tail = [("equal", len(before) - end, len(before), len(after) - end, len(after))]
    return head + inner + tail


def marks(before: str, after: str) -> tuple[Marks, Marks]:
    """Where the words are that differ between two lines; nothing where hardly a word is common to them."""
    a, b = _WORD.findall(before), _WORD.findall(after)
    codes = opcodes(a, b, _WORDY)
    common = sum(i2 - i1 for op, i1, i2, _, _ in codes if op == "equal")
    if 2 * common < _ALIKE * (len(a) + len(b)):
        return (), ()
    changed = [code for code in codes if code[0] != "equal"]
    return _places(a, [code[1:3] for code in changed]), _places(b, [code[3:5] for code in changed])


def _between(a: Sequence[str], b: Sequence[str], most: int | None) -> Sequence[Opcode]:
    if most is not None and len(a) * len(b) > most:
        return [("replace", 0, len(a), 0, len(b))]
    return SequenceMatcher(None, a, b, autojunk=len(a) * len(b) > _THOROUGH).get_opcodes()


def _lines(before: Sequence[str], after: Sequence[str]) -> Iterator[Line]:
    for op, i1, i2, j1, j2 in opcodes(before, after):
        if op == "equal":
            yield from tagged(" ", before[i1:i2])
        else:
            yield from _replaced(before[i1:i2], after[j1:j2])


def _replaced(removed: Sequence[str], added: Sequence[str]) -> Iterator[Line]:
    pairs = [marks(*pair) for pair in zip(removed, added, strict=False)]
    old = [pair[0] for pair in pairs] + [()] * (len(removed) - len(pairs))
    new = [pair[1] for pair in pairs] + [()] * (len(added) - len(pairs))
    yield from (Line("-", text, places) for text, places in zip(removed, old, strict=True))
    yield from (Line("+", text, places) for text, places in zip(added, new, strict=True))


def _places(words: Sequence[str], spans: Sequence[tuple[int, int]]) -> Marks:
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word))
    return tuple((starts[first], starts[last]) for first, last in spans if first < last)


def _common_start(a: Sequence[str], b: Sequence[str]) -> int:
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _common_end(a: Sequence[str], b: Sequence[str]) -> int:
    pairs = zip(reversed(a), reversed(b), strict=False)
    return next((n for n, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))
