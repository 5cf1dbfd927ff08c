"""The diff of two texts in nbdime's format: by line, and within lines that are alike by word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from nbpr.diff import entries
from nbpr.diff.entries import Entry
from nbpr.diff.likeness import Likeness, common_ends
from nbpr.diff.opcodes import opcodes
from nbpr.diff.pairing import heaviest

#: In a gap of at most so many pairs of lines every one is compared.
_PAIRS = 100

#: Lines that differ in the middle in more pairs of characters than this are replaced, if they are long besides.
_SIGNS = 40_000
_LONG = 4_000

_WORD = re.compile(r"\d+(?:\.\d+)?|\w+|\s+|.", re.DOTALL)


def difference(before: str, after: str, likeness: Likeness) -> list[Entry]:
    """What changed between two texts. Lines are Python's `splitlines`, as they are nbdime's."""
    a, b = before.splitlines(keepends=True), after.splitlines(keepends=True)
    found: list[Entry] = []
    for op, i1, i2, j1, j2 in opcodes(a, b):
        if op != "equal":
            found += _gap(a, b, (i1, i2), (j1, j2), likeness)
    return found


def _gap(
    a: Sequence[str], b: Sequence[str], old: tuple[int, int], new: tuple[int, int], likeness: Likeness
) -> Iterator[Entry]:
    """The entries for lines that gave way to others: those that are alike are patched."""
    i, j = old[0], new[0]
    sizes = old[1] - i, new[1] - j
    if 0 in sizes or (sizes == (1, 1) and not _one(a[i], b[j], likeness)):
        yield from entries.replaced(i, b[slice(*new)], sizes[0])
        return
    if sizes == (1, 1):
        yield entries.patch(i, _line(a[i], b[j]))
        return
    pairs = [(old[0] + x, new[0] + y) for x, y in _alike(a[slice(*old)], b[slice(*new)], likeness)]
    for x, y in [*pairs, (old[1], new[1])]:
        yield from entries.replaced(i, b[j:y], x - i)
        if x < old[1] and y < new[1]:
            yield entries.patch(x, _line(a[x], b[y]))
        i, j = x + 1, y + 1


def _alike(a: Sequence[str], b: Sequence[str], likeness: Likeness) -> list[tuple[int, int]]:
    """The lines that are one line edited, as many as go in order.

    Lines that are alike at both ends are pairs of a longest common subsequence; between them every line is compared
    with every other, where that is not too many.
    """
    start, most = 0, min(len(a), len(b))
    while start < most and _one(a[start], b[start], likeness):
        start += 1
    end = 0
    while end < most - start and _one(a[-1 - end], b[-1 - end], likeness):
        end += 1
    inner = a[start : len(a) - end], b[start : len(b) - end]
    few = len(inner[0]) * len(inner[1]) <= _PAIRS
    weights = [[_one(x, y, likeness) for y in inner[1]] for x in inner[0]] if few else []
    between = [(start + x, start + y) for x, y in heaviest(weights)]
    tail = [(len(a) - n, len(b) - n) for n in range(end, 0, -1)]
    return [(n, n) for n in range(start)] + between + tail


def _one(x: str, y: str, likeness: Likeness) -> bool:
    """Whether a line is another one edited, and short enough for its signs or words to be compared."""
    start, end = ends = common_ends(x, y)
    inner = (len(x) - start - end) * (len(y) - start - end)
    return (inner <= _SIGNS or len(x) + len(y) < _LONG) and likeness.ratio(x, y, ends) > 0


def _line(before: str, after: str) -> list[Entry]:
    """What changed within a line: its words, of which what both begin and end with is left out."""
    start, end = common_ends(before, after)
    ones = _WORD.findall(before, start, len(before) - end)
    others = _WORD.findall(after, start, len(after) - end)
    if not ones or not others or len(ones) == len(others) == 1:
        return entries.replaced(start, "".join(others), len(before) - start - end)
    places = _starts(ones, start)
    found: list[Entry] = []
    for op, i1, i2, j1, j2 in opcodes(ones, others):
        if op != "equal":
            found += entries.replaced(places[i1], "".join(others[j1:j2]), places[i2] - places[i1])
    return found


def _starts(words: Sequence[str], start: int) -> list[int]:
    """Where each word begins, and where the last one ends."""
    found = [start]
    for word in words:
        found.append(found[-1] + len(word))
    return found
