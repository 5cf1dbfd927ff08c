"""What two sequences have in common, found in about linear time whatever they are."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import NamedTuple

Opcode = tuple[str, int, int, int, int]

#: Up to so many pairs difflib may compare, which is quick and finds more than anchors do.
_THOROUGH = 250_000

#: So many pairs of equal items, for each item there is, difflib may look through without anchors.
_REPEATED = 50


class Block(NamedTuple):
    """`size` items from `before` on are those from `after` on."""

    before: int
    after: int
    size: int


class _Range(NamedTuple):
    i1: int
    i2: int
    j1: int
    j2: int

    @property
    def pairs(self) -> int:
        return (self.i2 - self.i1) * (self.j2 - self.j1)


def opcodes(before: Sequence[Hashable], after: Sequence[Hashable], most: int | None = None) -> list[Opcode]:
    """difflib's opcodes. Where more than `most` pairs of items differ in one place, they are one replacement."""
    found: list[Opcode] = []
    i = j = 0
    for block in [*blocks(before, after, most), Block(len(before), len(after), 0)]:
        if block.before > i or block.after > j:
            found.append((_operation(block, i, j), i, block.before, j, block.after))
        i, j = block.before + block.size, block.after + block.size
        if block.size:
            found.append(("equal", block.before, i, block.after, j))
    return found


def blocks(before: Sequence[Hashable], after: Sequence[Hashable], most: int | None = None) -> list[Block]:
    """The runs of equal items, in order, as long as they go.

    What both sides begin and end with is set aside, which is most of it. difflib does the rest where that is not
    much; else items that each side has once are anchors ("patience diff"), and difflib goes between them. Where
    there is no anchor and too much repetition for difflib, nothing is common.
    """
    found: list[Block] = []
    left = [(_Range(0, len(before), 0, len(after)), True)]
    while left:
        whole, may_anchor = left.pop()
        ends, place = _trimmed(before, after, whole)
        found += ends
        if not place.pairs or (most is not None and place.pairs > most):
            continue
        if may_anchor and place.pairs > _THOROUGH:
            left += [(part, False) for part in _between(place, _anchors(before, after, place))]
        elif place.pairs <= _THOROUGH or _repeated(before, after, place) <= _REPEATED * sum(_sizes(place)):
            found += _by_difflib(before, after, place)
    return _joined(sorted(found)) if len(found) > 1 else found


def rising(values: Sequence[int]) -> list[int]:
    """The places of a longest rising subsequence of `values`, none of which is there twice."""
    ends: list[int] = []
    tails: list[int] = []
    previous: list[int] = []
    for index, value in enumerate(values):
        place = bisect_left(ends, value)
        previous.append(tails[place - 1] if place else -1)
        ends[place : place + 1] = [value]
        tails[place : place + 1] = [index]
    found: list[int] = []
    at = tails[-1] if tails else -1
    while at >= 0:
        found.append(at)
        at = previous[at]
    return found[::-1]


def _operation(block: Block, i: int, j: int) -> str:
    if block.before > i:
        return "replace" if block.after > j else "delete"
    return "insert"


def _sizes(place: _Range) -> tuple[int, int]:
    return place.i2 - place.i1, place.j2 - place.j1


def _trimmed(a: Sequence[Hashable], b: Sequence[Hashable], place: _Range) -> tuple[list[Block], _Range]:
    """What both sides of a range begin and end with, and the range without it."""
    i1, i2, j1, j2 = place
    while i1 < i2 and j1 < j2 and a[i1] == b[j1]:
        i1, j1 = i1 + 1, j1 + 1
    while i1 < i2 and j1 < j2 and a[i2 - 1] == b[j2 - 1]:
        i2, j2 = i2 - 1, j2 - 1
    ends = [Block(place.i1, place.j1, i1 - place.i1)] if i1 > place.i1 else []
    ends += [Block(i2, j2, place.i2 - i2)] if i2 < place.i2 else []
    return ends, _Range(i1, i2, j1, j2)


def _by_difflib(a: Sequence[Hashable], b: Sequence[Hashable], place: _Range) -> Iterator[Block]:
    ones, others = a[place.i1 : place.i2], b[place.j1 : place.j2]
    places = {item: j for j, item in enumerate(others)}
    common = [(i, places[item], 1) for i, item in enumerate(ones) if item in places]
    if not common:
        return
    once = len(places) == len(others) and len({j for _, j, _ in common}) == len(common)
    if not once or any(one[1] > other[1] for one, other in pairwise(common)):
        common = list(SequenceMatcher(None, ones, others, autojunk=False).get_matching_blocks())
    # What is common stands there once, in one order: then difflib would find just this, slower.
    for i, j, size in common:
        if size:
            yield Block(place.i1 + i, place.j1 + j, size)


def _repeated(a: Sequence[Hashable], b: Sequence[Hashable], place: _Range) -> int:
    """How many pairs of equal items there are, all of which difflib looks at."""
    counts = Counter(b[place.j1 : place.j2])
    return sum(counts[item] for item in a[place.i1 : place.i2])


def _anchors(a: Sequence[Hashable], b: Sequence[Hashable], place: _Range) -> list[tuple[int, int]]:
    """Items that both sides have once, as many as stand in the same order."""
    old, new = _once(a, place.i1, place.i2), _once(b, place.j1, place.j2)
    pairs = [(i, new[item]) for item, i in old.items() if item in new]
    return [pairs[index] for index in rising([j for _, j in pairs])]


def _once(items: Sequence[Hashable], start: int, end: int) -> dict[Hashable, int]:
    """Where the items are that are there once, in order."""
    counts = Counter(items[start:end])
    return {items[place]: place for place in range(start, end) if counts[items[place]] == 1}


def _between(place: _Range, anchors: Sequence[tuple[int, int]]) -> Iterator[_Range]:
    """The ranges from anchor to anchor, each of which begins with one."""
    starts = [(place.i1, place.j1), *anchors]
    ends = [*anchors, (place.i2, place.j2)]
    for (i1, j1), (i2, j2) in zip(starts, ends, strict=True):
        yield _Range(i1, i2, j1, j2)


def _joined(found: Sequence[Block]) -> list[Block]:
    """Runs that follow one another without a gap become one."""
    runs: list[Block] = []
    for block in found:
        last = runs[-1] if runs else None
        if last and (last.before + last.size, last.after + last.size) == block[:2]:
            runs[-1] = Block(last.before, last.after, last.size + block.size)
        else:
            runs.append(block)
    return runs
