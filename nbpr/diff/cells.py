"""Which cell of one notebook became which cell of the other: nbdime's answer, put right by ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

#: nbdime takes any two texts shorter than this for the same cell edited.
_SHORT = 10
_ALIKE = 0.6


@dataclass(frozen=True)
class Pair:
    """Where a cell stands before and after; None where it is not. `moved`: it stands in another order."""

    before: int | None
    after: int | None
    moved: bool = False


def pairs(diff: Sequence[Any], before: Sequence[Any], after: Sequence[Any]) -> list[Pair]:
    """All cells of both notebooks in the order of `after`, removed ones where they were.

    Read off nbdime's `diff`. nbdime knows no moves (they are a cell taken away and one put in) and may take a
    cell for the edited form of another that has an id of its own: ids, being names, win over likeness.
    """
    found = list(_read(_cell_diff(diff), len(before), len(after)))
    return _removed_first(_reunited(_parted(found, before, after), before, after))


def text(cell: Any) -> str:
    """The source of a cell of plain JSON, also where it is a list of lines."""
    source = cell.get("source", "") if isinstance(cell, Mapping) else ""
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def tags(cell: Any) -> tuple[str, ...]:
    """The tags of a cell of plain JSON."""
    metadata = cell.get("metadata") if isinstance(cell, Mapping) else None
    found = metadata.get("tags") if isinstance(metadata, Mapping) else None
    return tuple(str(tag) for tag in found) if isinstance(found, list) else ()


def identity(cell: Any) -> str | None:
    """The id of a cell of plain JSON, if it has one that is a text."""
    found = cell.get("id") if isinstance(cell, Mapping) else None
    return found if isinstance(found, str) else None


def _cell_diff(diff: Sequence[Any]) -> list[Any] | None:
    """The part of a notebook's diff that is about its cells; None where all of them came or went at once."""
    for entry in diff:
        if entry["key"] == "cells":
            return list(entry["diff"]) if entry["op"] == "patch" else None
    return []


def _read(diff: list[Any] | None, before: int, after: int) -> Iterator[Pair]:
    if diff is None:
        yield from (Pair(i, None) for i in range(before))
        yield from (Pair(None, j) for j in range(after))
        return
    i = j = 0
    for entry in diff:
        while i < entry["key"]:
            yield Pair(i, j)
            i, j = i + 1, j + 1
        for pair in _entry(entry, i, j):
            yield pair
            i, j = i + (pair.before is not None), j + (pair.after is not None)
    yield from (Pair(i + n, j + n) for n in range(before - i))


def _entry(entry: Any, i: int, j: int) -> Iterator[Pair]:
    if entry["op"] == "addrange":
        yield from (Pair(None, j + n) for n in range(len(entry["valuelist"])))
    elif entry["op"] == "removerange":
        yield from (Pair(i + n, None) for n in range(entry["length"]))
    else:
        yield Pair(i, j)


def _parted(found: Sequence[Pair], before: Sequence[Any], after: Sequence[Any]) -> Iterator[Pair]:
    """Pairs of two cells that only look alike become one cell removed and one added."""
    old, new = ({identity(cell) for cell in cells} - {None} for cells in (before, after))
    for pair in found:
        if pair.before is None or pair.after is None:
            yield pair
            continue
        one, other = before[pair.before], after[pair.after]
        ids = identity(one), identity(other)
        if ids[0] != ids[1] and (ids[0] in new or ids[1] in old or not _alike(one, other)):
            yield from (Pair(pair.before, None), Pair(None, pair.after))
        else:
            yield pair


def _alike(one: Any, other: Any) -> bool:
    a, b = text(one), text(other)
    if max(len(a), len(b)) >= _SHORT:
        return True
    return SequenceMatcher(None, a, b, autojunk=False).ratio() >= _ALIKE


def _reunited(found: Iterator[Pair], before: Sequence[Any], after: Sequence[Any]) -> list[Pair]:
    """A cell removed in one place and added in another becomes one that moved: by id, else by content."""
    names = [{identity(cell) for cell in side} - {None} for side in (before, after)]
    known = names[0] & names[1]

    def content(cell: Any) -> tuple[str, str] | None:
        """What a cell is told by whose id, if it has one, is not on the other side."""
        source = text(cell)
        return None if identity(cell) in known or not source.strip() else (str(cell.get("cell_type")), source)

    pairs = list(found)
    for key in (identity, content):
        pairs = _joined(pairs, before, after, key)
    return pairs


def _joined(
    found: Sequence[Pair], before: Sequence[Any], after: Sequence[Any], key: Callable[[Any], Any]
) -> list[Pair]:
    gone = _once(key, before, [pair.before for pair in found if pair.after is None])
    come = _once(key, after, [pair.after for pair in found if pair.before is None])
    sources = {come[name]: gone[name] for name in gone.keys() & come.keys()}
    left = set(sources.values())
    still = _still(found, sources)
    return [
        replace(pair, before=sources[pair.after], moved=pair.after not in still)
        if pair.before is None and pair.after in sources
        else pair
        for pair in found
        if pair.after is not None or pair.before not in left
    ]


def _still(found: Sequence[Pair], sources: Mapping[int, int]) -> set[int]:
    """The cells put in where they were taken away, alone: those did not move."""
    gap = 0
    gaps: dict[tuple[str, int | None], int] = {}
    for pair in found:
        gap += pair.before is not None and pair.after is not None
        gaps |= {("before", pair.before): gap, ("after", pair.after): gap}
    places = {j: gaps["after", j] for j, i in sources.items() if gaps["after", j] == gaps["before", i]}
    counts = Counter(places.values())
    return {j for j, place in places.items() if counts[place] == 1}


def _once(key: Callable[[Any], Any], cells: Sequence[Any], places: Sequence[int | None]) -> dict[Any, int]:
    """The places whose cells have a key that no other place here has."""
    named = [(key(cells[place]), place) for place in places if place is not None]
    counts = Counter(name for name, _ in named)
    return {name: place for name, place in named if name is not None and counts[name] == 1}


def _removed_first(found: Sequence[Pair]) -> list[Pair]:
    """Where cells were taken away and put in at one place, those taken away come first, as in any diff."""
    ordered: list[Pair] = []
    added: list[Pair] = []
    for pair in found:
        if pair.before is None:
            added.append(pair)
        elif pair.after is None:
            ordered.append(pair)
        else:
            ordered += [*added, pair]
            added = []
    return ordered + added
