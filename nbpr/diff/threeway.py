"""Three versions of one thing become one: lines of text, and JSON member by member."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbpr.diff import lines
from nbpr.diff.operations import same

#: "There is no such member", which None, being a value of JSON, cannot say.
ABSENT: Any = object()


@dataclass(frozen=True)
class Edit:
    """Lines `start` to `end` of the base become `new`."""

    start: int
    end: int
    new: tuple[str, ...]

    @property
    def line_for_line(self) -> bool:
        """Whether lines were edited in place: as many as before, at least one."""
        return 0 < self.end - self.start == len(self.new)


@dataclass(frozen=True)
class Clash:
    """Lines that both sides changed differently: what each of them made of the base's."""

    base: list[str]
    ours: list[str]
    theirs: list[str]


def merge_lines(
    base: Sequence[str], ours: Sequence[str], theirs: Sequence[str], *, adjacent: bool = False
) -> list[str] | None:
    """The lines with both sides' changes, or None where they changed the same lines differently.

    Changes that touch are a conflict, as they are to git; with `adjacent`, neighbouring lines that were edited
    line for line are not: parameters stand one below the other.
    """
    merged: list[str] = []
    for stretch in stretches(base, ours, theirs, adjacent=adjacent):
        if isinstance(stretch, Clash):
            return None
        merged += stretch
    return merged


def stretches(
    base: Sequence[str], ours: Sequence[str], theirs: Sequence[str], *, adjacent: bool = False
) -> Iterator[list[str] | Clash]:
    """The merge from top to bottom: lines that hold, and between them what clashes."""
    left, right = _edits(base, ours), _edits(base, theirs)
    place = 0
    while left or right:
        group = _group(left, right, adjacent)
        start = min(edit.start for side in group for edit in side)
        end = max(edit.end for side in group for edit in side)
        yield list(base[place:start])
        yield _resolve(base, group, start, end)
        place = end
    yield list(base[place:])


def merge_values(base: Any, ours: Any, theirs: Any, path: str = "") -> tuple[Any, list[str]]:
    """One value out of three, objects member by member, and the paths at which both sides differ from the base
    and from each other; there `theirs` stands. `ABSENT` is a member that is not there."""
    if same_or_absent(ours, theirs) or same_or_absent(base, ours):
        return theirs, []
    if same_or_absent(base, theirs):
        return ours, []
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return _merge_members(base if isinstance(base, Mapping) else {}, ours, theirs, path)
    if path == "tags" and isinstance(ours, list) and isinstance(theirs, list):
        return _merge_tags(base if isinstance(base, list) else [], ours, theirs), []
    return theirs, [path]


def same_or_absent(a: Any, b: Any) -> bool:
    """Whether both are the same JSON, or neither is there."""
    if a is ABSENT or b is ABSENT:
        return a is b
    return same(a, b)


def _edits(base: Sequence[str], side: Sequence[str]) -> list[Edit]:
    codes = lines.opcodes(base, side)
    return [Edit(i1, i2, tuple(side[j1:j2])) for op, i1, i2, j1, j2 in codes if op != "equal"]


def _group(left: list[Edit], right: list[Edit], adjacent: bool) -> tuple[list[Edit], list[Edit]]:
    """Take the next edits that have to be looked at together off both lists."""
    group: tuple[list[Edit], list[Edit]] = ([], [])
    while left or right:
        side = _earlier(left, right)
        edit = (left, right)[side][0]
        if any(group) and not any(_meet(other, edit, adjacent) for other in group[1 - side]):
            break
        group[side].append((left, right)[side].pop(0))
    return group


def _earlier(left: list[Edit], right: list[Edit]) -> int:
    if not left or not right:
        return 0 if left else 1
    return 0 if (left[0].start, left[0].end) <= (right[0].start, right[0].end) else 1


def _meet(one: Edit, other: Edit, adjacent: bool) -> bool:
    """Whether two sides' edits are about the same lines."""
    if one.start < other.end and other.start < one.end:
        return True
    apart = one.end < other.start or other.end < one.start
    return not apart and not (adjacent and one.line_for_line and other.line_for_line)


def _resolve(base: Sequence[str], group: tuple[list[Edit], list[Edit]], start: int, end: int) -> list[str] | Clash:
    if not all(group):
        return _applied(base, group[0] or group[1], start, end)
    ours, theirs = (_applied(base, side, start, end) for side in group)
    return ours if ours == theirs else Clash(list(base[start:end]), ours, theirs)


def _applied(base: Sequence[str], edits: Sequence[Edit], start: int, end: int) -> list[str]:
    found: list[str] = []
    for edit in edits:
        found += [*base[start : edit.start], *edit.new]
        start = edit.end
    return [*found, *base[start:end]]


def _merge_members(
    base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any], path: str
) -> tuple[dict[str, Any], list[str]]:
    merged: dict[str, Any] = {}
    conflicts: list[str] = []
    for key in dict.fromkeys([*theirs, *ours]):
        inner = f"{path}.{key}" if path else key
        before, one, other = (side.get(key, ABSENT) for side in (base, ours, theirs))
        value, found = merge_values(before, one, other, inner)
        conflicts += found
        if value is not ABSENT:
            merged[key] = value
    return merged, conflicts


def _merge_tags(base: list[Any], ours: list[Any], theirs: list[Any]) -> list[Any]:
    """Tags are a set: both sides' additions and both sides' removals."""
    gone = [tag for tag in base if tag not in ours]
    kept = [tag for tag in theirs if tag not in gone]
    return kept + [tag for tag in ours if tag not in base and tag not in theirs]
