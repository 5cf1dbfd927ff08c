"""Which cell of one notebook became which of the other, and which output: in order, as a diff needs it.

Cells are anchored by their ids, then by their content; only what is left between is compared for likeness, which is
what takes time. Texts that no anchor helps with are found by the lines that they share.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nbpr.diff import cells
from nbpr.diff.equality import frozen
from nbpr.diff.likeness import Likeness, Weight
from nbpr.diff.opcodes import blocks, rising
from nbpr.diff.pairing import heaviest
from nbpr.diff.patience import Patience

#: In a gap of at most so many pairs every one is compared.
_PAIRS = 2_500

#: A line that stands in more texts than this tells nothing of which is which.
_COMMON = 20

#: Between texts that share lines, so much must be shared for them to be one text that was edited.
_SHARED = 0.5

Pairs = list[tuple[int, int]]
Places = Sequence[int]


@dataclass(frozen=True)
class Items:
    """Two sequences, and how their items are likened: `weight` says how alike two are, `text` what they hold.

    `patience` is told where there were too many to compare.
    """

    before: Sequence[Any]
    after: Sequence[Any]
    weight: Weight
    text: Callable[[Any], str]
    patience: Patience


def cell_pairs(before: Sequence[Any], after: Sequence[Any], likeness: Likeness) -> Pairs:
    """The cells that are one cell, in order on both sides. One that moved is no pair: it was taken out and put in.

    Ids are names: cells of one id are one cell whatever is in them, and a cell whose id is on the other side is
    never another one.
    """
    items = Items(before, after, likeness.cell, cells.text, likeness.patience)
    named = _by_id(before, after)
    anchors = _in_order(named)
    free = _without(before, named, 0), _without(after, named, 1)
    found: Pairs = []
    for old, new in _gaps(anchors, *free):
        found += _by_content(items, old, new)
    return sorted([*anchors, *found])


def output_pairs(before: Sequence[Any], after: Sequence[Any], likeness: Likeness) -> Pairs:
    """The outputs that are one output, in order on both sides."""
    items = Items(before, after, likeness.output, _output_text, likeness.patience)
    old, new = range(len(before)), range(len(after))
    return _by_key(items, old, new, _apart_from_count, lambda *gap: _by_likeness(items, *gap))


def _by_id(before: Sequence[Any], after: Sequence[Any]) -> Pairs:
    """The cells of one id, where both sides have that id once, in the order of `before`."""
    old, new = (_ids(side) for side in (before, after))
    return [(place, new[name]) for name, place in old.items() if name in new]


def _ids(side: Sequence[Any]) -> dict[str, int]:
    names = [cells.identity(cell) for cell in side]
    counts = Counter(names)
    return {name: place for place, name in enumerate(names) if name is not None and counts[name] == 1}


def _in_order(pairs: Pairs) -> Pairs:
    """As many of the pairs as stand in one order on both sides."""
    return [pairs[index] for index in rising([j for _, j in pairs])]


def _without(side: Sequence[Any], pairs: Pairs, which: int) -> list[int]:
    taken = {pair[which] for pair in pairs}
    return [place for place in range(len(side)) if place not in taken]


def _gaps(anchors: Pairs, old: Places, new: Places) -> Iterator[tuple[list[int], list[int]]]:
    """What is left of both sides between one anchor and the next, where both have something."""
    sides = []
    for which, places in enumerate((old, new)):
        gaps: dict[int, list[int]] = defaultdict(list)
        number = 0
        for place in places:
            while number < len(anchors) and anchors[number][which] < place:
                number += 1
            gaps[number].append(place)
        sides.append(gaps)
    for number in sorted(sides[0].keys() & sides[1].keys()):
        yield sides[0][number], sides[1][number]


def _by_content(items: Items, old: Places, new: Places) -> Pairs:
    """Cells of the same source, those with the same outputs first; between them those that are alike."""

    def by_source(ones: Places, others: Places) -> Pairs:
        moved = _moved(items, ones, others)
        still = [i for i in ones if i not in moved[0]], [j for j in others if j not in moved[1]]
        return _by_key(items, *still, _source, lambda *gap: _by_likeness(items, *gap))

    return _by_key(items, old, new, _whole, by_source)


Key = Callable[[Any], Hashable]


def _by_key(items: Items, old: Places, new: Places, key: Key, rest: Callable[[Places, Places], Pairs]) -> Pairs:
    """Items of the same key, and what `rest` finds between them."""
    numbers: dict[Hashable, int] = {}
    a, b = (
        [numbers.setdefault(key(side[place]), len(numbers)) for place in places]
        for side, places in ((items.before, old), (items.after, new))
    )
    found = [(old[i + n], new[j + n]) for i, j, size in blocks(a, b) for n in range(size)]
    gaps = _gaps(found, _left(old, found, 0), _left(new, found, 1))
    return sorted([*found, *(pair for gap in gaps for pair in rest(*gap))])


def _left(places: Places, found: Pairs, which: int) -> list[int]:
    taken = {pair[which] for pair in found}
    return [place for place in places if place not in taken]


def _moved(items: Items, old: Places, new: Places) -> tuple[set[int], set[int]]:
    """Cells whose source is there once on either side, but not in the same order: they are no other cell."""
    sides = []
    for side, places in ((items.before, old), (items.after, new)):
        keys = [_source(side[place]) for place in places]
        counts = Counter(keys)
        sides.append({key: place for key, place in zip(keys, places, strict=True) if counts[key] == 1 and _says(key)})
    pairs = [(place, sides[1][key]) for key, place in sides[0].items() if key in sides[1]]
    gone = set(pairs) - set(_in_order(pairs))
    return {i for i, _ in gone}, {j for _, j in gone}


def _says(key: Hashable) -> bool:
    return isinstance(key, tuple) and bool(str(key[1]).strip())


def _source(cell: Any) -> Hashable:
    return (repr(cell.get("cell_type")), cells.text(cell)) if isinstance(cell, dict) else frozen(cell)


def _whole(cell: Any) -> Hashable:
    if not isinstance(cell, dict):
        return frozen(cell)
    outputs = cell.get("outputs")
    kept = [_apart_from_count(output) for output in outputs] if isinstance(outputs, list) else [frozen(outputs)]
    return _source(cell), tuple(kept)


def _apart_from_count(output: Any) -> Hashable:
    if not isinstance(output, dict):
        return frozen(output)
    return frozen({key: value for key, value in output.items() if key != "execution_count"})


def _output_text(output: Any) -> str:
    """What an output holds as text, pictures left out."""
    if not isinstance(output, dict):
        return ""
    data = output.get("data")
    shown = {**output, **data} if isinstance(data, dict) else output
    return "\n".join(value for key, value in shown.items() if isinstance(value, str) and not key.startswith("image/"))


# -- likeness --------------------------------------------------------------------------------------------------


def _by_likeness(items: Items, old: Places, new: Places) -> Pairs:
    """Items that are alike, as many and as much as go in order."""
    if len(old) * len(new) <= _PAIRS:
        return _best(items, old, new)
    found, old, new = _at_the_ends(items, old, new)
    if len(old) * len(new) > _PAIRS:
        shared = _by_lines(items, old, new)
        found += shared
        for gap in _gaps(shared, _left(old, shared, 0), _left(new, shared, 1)):
            ends, ones, others = _at_the_ends(items, *gap)
            found += ends
            if len(ones) * len(others) <= _PAIRS:
                found += _best(items, ones, others)
            else:
                items.patience.coarse = True
    else:
        found += _best(items, old, new)
    return found


def _at_the_ends(items: Items, old: Places, new: Places) -> tuple[Pairs, Places, Places]:
    """The pairs that both sides begin and end with, and what is left between.

    Where the first of both sides are alike there is a longest common subsequence that has them as a pair.
    """
    start, most = 0, min(len(old), len(new))
    while start < most and items.weight(items.before[old[start]], items.after[new[start]]):
        start += 1
    end = 0
    while end < most - start and items.weight(items.before[old[-1 - end]], items.after[new[-1 - end]]):
        end += 1
    pairs = list(zip(old[:start], new[:start], strict=True))
    pairs += zip(old[len(old) - end :], new[len(new) - end :], strict=True)
    return pairs, old[start : len(old) - end], new[start : len(new) - end]


def _best(items: Items, old: Places, new: Places) -> Pairs:
    """The pairs in order whose likenesses sum up to the most."""
    weights = [[items.weight(items.before[i], items.after[j]) for j in new] for i in old]
    return [(old[x], new[y]) for x, y in heaviest(weights)]


def _by_lines(items: Items, old: Places, new: Places) -> Pairs:
    """Pairs of which each is what the other shares most lines with, as many as go in order."""
    a = {i: _lines(items.text(items.before[i])) for i in old}
    b = {j: _lines(items.text(items.after[j])) for j in new}
    holders: dict[str, list[int]] = defaultdict(list)
    for j, lines in b.items():
        for line in lines:
            holders[line].append(j)
    shared: Counter[tuple[int, int]] = Counter()
    for i, lines in a.items():
        for line in lines:
            if len(holders.get(line, ())) <= _COMMON:
                shared.update({(i, j): len(line) for j in holders.get(line, ())})
    enough = {pair: score for pair, score in shared.items() if 2 * score >= _SHARED * _length(a[pair[0]], b[pair[1]])}
    best = [_most(enough, which) for which in (0, 1)]
    mutual = sorted(pair for pair in enough if best[0][pair[0]] == pair == best[1][pair[1]])
    return _in_order([pair for pair in mutual if _of_a_kind(items, *pair)])


def _lines(text: str) -> set[str]:
    return {line for line in text.splitlines() if line.strip()}


def _length(a: set[str], b: set[str]) -> int:
    return sum(map(len, a)) + sum(map(len, b))


def _most(scores: dict[tuple[int, int], int], which: int) -> dict[int, tuple[int, int]]:
    """For every place the pair that it shares most in."""
    found: dict[int, tuple[int, int]] = {}
    for pair, score in scores.items():
        if pair[which] not in found or score > scores[found[pair[which]]]:
            found[pair[which]] = pair
    return found


def _of_a_kind(items: Items, i: int, j: int) -> bool:
    one, other = items.before[i], items.after[j]
    kinds = ("cell_type", "output_type", "name")
    return isinstance(one, dict) and isinstance(other, dict) and all(one.get(key) == other.get(key) for key in kinds)
