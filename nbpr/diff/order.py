"""Three sequences of cells become one: which cell is which on all three sides, and where each of them goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from nbpr.diff.opcodes import opcodes, rising
from nbpr.notebooks.notebook import Cell

#: Two cells without ids, in the same place, with more than this in common are one cell that was edited.
_ALIKE = 0.5


@dataclass(frozen=True)
class Node:
    """One cell, by its index on each side; None where that side has no such cell."""

    base: int | None
    ours: int | None
    theirs: int | None


def nodes(base: Sequence[Cell], ours: Sequence[Cell], theirs: Sequence[Cell]) -> list[Node]:
    """Every cell of the three sides, once: matched to the base, and what both sides inserted to one another."""
    left, right = match(base, ours), match(base, theirs)
    found = [Node(i, left.get(i), right.get(i)) for i in range(len(base))]
    twins = _twins(ours, theirs, left, right)
    new_left = [j for j in range(len(ours)) if j not in left.values()]
    new_right = [k for k in range(len(theirs)) if k not in right.values()]
    found += [Node(None, j, twins.get(j)) for j in new_left]
    return found + [Node(None, None, k) for k in new_right if k not in twins.values()]


def arrange(found: Sequence[Node]) -> list[Node]:
    """The nodes in their order: theirs, with what ours moved and inserted put in.

    A cell of ours goes after the one that it follows there, and after what theirs inserted in the same place.
    What both sides moved stays where theirs has it. A cell that one side deleted is still among them: whether
    it goes is not a question of order.
    """
    by_theirs = sorted((n for n in found if n.theirs is not None), key=lambda n: n.theirs or 0)
    by_ours = sorted((n for n in found if n.ours is not None), key=lambda n: n.ours or 0)
    moved_here, moved_there = _moved(by_ours), _moved(by_theirs)
    floating = moved_there | {n for n in by_theirs if n.base is None and n.ours is None}
    result = list(by_theirs)
    anchor: Node | None = None
    for node in by_ours:
        if node.theirs is None or (node in moved_here and node not in moved_there):
            _put(result, node, anchor, floating)
        anchor = node
    return result


def match(a: Sequence[Cell], b: Sequence[Cell]) -> dict[int, int]:
    """Which cell of `b` is which of `a`: by id, then by content, then, where ids are missing, by place."""
    pairs = _by_id(a, b)
    pairs |= _by_content(a, b, pairs)
    return pairs | dict(_by_place(a, b, pairs))


def content(cell: Cell) -> tuple[str, str]:
    """What makes two inserted cells the same one: type and source."""
    return cell.cell_type, cell.source


def _by_id(a: Sequence[Cell], b: Sequence[Cell]) -> dict[int, int]:
    places = [_places(cells) for cells in (a, b)]
    return {places[0][name]: places[1][name] for name in places[0] if name in places[1]}


def _places(cells: Sequence[Cell]) -> dict[str, int]:
    """Where each id is that is used once."""
    counts = Counter(cell.id for cell in cells)
    return {cell.id: i for i, cell in enumerate(cells) if cell.id is not None and counts[cell.id] == 1}


def _by_content(a: Sequence[Cell], b: Sequence[Cell], known: dict[int, int]) -> dict[int, int]:
    """Cells of the same content in the same order: also under other ids, which some tools write anew."""
    left, right = _left_over(a, b, known)
    left = [i for i in left if a[i].id is None or a[i].source.strip()]
    codes = opcodes([repr(content(a[i])) for i in left], [repr(content(b[j])) for j in right])
    runs = (zip(left[i1:i2], right[j1:j2], strict=True) for op, i1, i2, j1, j2 in codes if op == "equal")
    return dict(pair for run in runs for pair in run)


def _left_over(a: Sequence[Cell], b: Sequence[Cell], known: dict[int, int]) -> tuple[list[int], list[int]]:
    taken = set(known.values())
    return [i for i in range(len(a)) if i not in known], [j for j in range(len(b)) if j not in taken]


def _by_place(a: Sequence[Cell], b: Sequence[Cell], known: dict[int, int]) -> Iterator[tuple[int, int]]:
    """Cells left over between the same neighbours, in order, if one has no id and they are of one type."""
    left, right = _left_over(a, b, known)
    gaps = _gaps(left, {i: i for i in known}), _gaps(right, {j: i for i, j in known.items()})
    for neighbour, ones in gaps[0].items():
        others = gaps[1].get(neighbour, [])
        even = len(ones) == len(others)
        for i in ones:
            j = next((j for j in others if _could_be(a[i], b[j], even)), None)
            if j is not None:
                others = others[others.index(j) + 1 :]
                yield i, j


def _gaps(left_over: Sequence[int], known: dict[int, int]) -> dict[int | None, list[int]]:
    """The cells left over, by the matched cell that they follow."""
    gaps: dict[int | None, list[int]] = {}
    for place in left_over:
        before = max((other for other in known if other < place), default=None)
        gaps.setdefault(None if before is None else known[before], []).append(place)
    return gaps


def _could_be(one: Cell, other: Cell, only_choice: bool) -> bool:
    if one.cell_type != other.cell_type or (one.id is not None and other.id is not None):
        return False
    if only_choice:
        return True
    matcher = SequenceMatcher(None, one.source.split(), other.source.split(), autojunk=False)
    return matcher.ratio() > _ALIKE


def _twins(ours: Sequence[Cell], theirs: Sequence[Cell], left: dict[int, int], right: dict[int, int]) -> dict[int, int]:
    """Cells that both sides inserted: of one id and content, or of one content in one place."""
    mine, yours = ({j: i for i, j in known.items()} for known in (left, right))
    found: dict[int, int] = {}
    new = [k for k in range(len(theirs)) if k not in yours]
    for j in (j for j in range(len(ours)) if j not in mine):
        same = [k for k in new if content(ours[j]) == content(theirs[k]) and k not in found.values()]
        named = [k for k in same if ours[j].id is not None and ours[j].id == theirs[k].id]
        placed = [k for k in same if _neighbour(j, mine) == _neighbour(k, yours)]
        if named or placed:
            found[j] = (named or placed)[0]
    return found


def _neighbour(place: int, known: dict[int, int]) -> int | None:
    """The base's cell that the cell at `place` comes after."""
    return next((known[i] for i in range(place - 1, -1, -1) if i in known), None)


def _moved(side: Sequence[Node]) -> set[Node]:
    """The fewest nodes that have to be taken out for the others to stand in the base's order."""
    known = [(node.base, node) for node in side if node.base is not None]
    staying = {known[place][1] for place in rising([base for base, _ in known])}
    return {node for _, node in known} - staying


def _put(result: list[Node], node: Node, anchor: Node | None, floating: set[Node]) -> None:
    if node in result:
        result.remove(node)
    place = 0 if anchor is None else result.index(anchor) + 1
    while place < len(result) and result[place] in floating:
        place += 1
    result.insert(place, node)
