"""The conflicts of a merge, shown in the cells that they are in: markers as git sets them, in a notebook that opens."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from nbpr.diff import order
from nbpr.diff.merge import CellConflict, Merged, merge, of_its_type
from nbpr.diff.operations import same
from nbpr.diff.threeway import ABSENT, Clash, merge_values, stretches
from nbpr.notebooks.notebook import Cell, Notebook

Style = Literal["merge", "diff3", "zdiff3"]
STYLES: tuple[str, ...] = get_args(Style)

#: The member of a cell's metadata that holds what theirs has where ours stands; cleaning takes it away, and what
#: the notebook's own metadata holds under `nbpr`.
KEPT_BACK = "nbpr-conflict"

#: What a cell is made of besides its source; outputs are what a run left, and nobody's conflict.
_APART = frozenset({"id", "source", "outputs", "execution_count"})

_START, _MIDDLE, _END = (re.compile(rf"{sign}{{7,}}(?: .*)?\r?") for sign in "<=>")

#: What nbdime's merge leaves besides: at the top of a cell that one side deleted, and as a cell before ours.
_NBDIMES = re.compile(r'<{7} (?:LOCAL|REMOTE) CELL DELETED >{7}|<span style="color:red"><b><{7} .*</b></span>')


@dataclass(frozen=True)
class Marks:
    """How conflicts are marked: git's `conflict-marker-size`, `merge.conflictStyle`, and what the sides are called."""

    size: int = 7
    style: Style = "merge"
    base: str = "base"
    ours: str = "ours"
    theirs: str = "theirs"


@dataclass(frozen=True)
class Shown:
    """The merged notebook with what could not be merged marked in it, and each of that in a few words."""

    notebook: Notebook
    conflicts: tuple[str, ...]


@dataclass(frozen=True)
class Mark:
    """A conflict that nobody has resolved yet: the cell's index and id, and the line (from 1) its marker is on.

    `line` is None where it is not the source but metadata that conflicts, `index` too if it is the notebook's own.
    """

    index: int | None
    cell_id: str | None
    line: int | None


def merge_shown(base: Notebook | None, ours: Notebook, theirs: Notebook, marks: Marks = Marks()) -> Shown:
    """The notebook with the changes of both sides, laid out as `ours` is, what both inserted in one place ours first.

    Where they conflict, a source holds both sides between markers, around the lines that differ only; a cell that
    one side deleted and the other changed is between markers as a whole; of other members ours stands, and theirs
    is kept back in the cell's metadata. Without a base, cells are matched to each other by id and content.
    """
    merged = merge(base or _stand_in(ours, theirs), theirs, ours)
    cells = list(merged.notebook.cells)
    for conflict in merged.conflicts:
        if conflict.index is not None:
            cells[conflict.index] = _in_cell(cells[conflict.index], conflict, marks)
    notebook = _with_kept_back(_in_version(merged.notebook.with_cells(cells), ours, theirs), merged, base, theirs)
    conflicts = [conflict.place for conflict in merged.conflicts]
    if base is None and _differ_both_ways(ours, theirs):
        conflicts.append("both sides added it, each with cells of its own")
    return Shown(notebook, tuple(conflicts))


def marked(clash: Clash, marks: Marks) -> list[str]:
    """The lines of a clash between markers, those outside of them that both sides begin or end with.

    As git does it: not with diff3, where all that is between the markers belongs to the base's lines there.
    """
    ours, theirs = clash.ours, clash.theirs
    head = 0 if marks.style == "diff3" else _common(ours, theirs)
    tail = 0 if marks.style == "diff3" else _common(ours[head:][::-1], theirs[head:][::-1])
    before = [f"{'|' * marks.size} {marks.base}", *clash.base] if marks.style != "merge" else []
    return [
        *ours[:head],
        f"{'<' * marks.size} {marks.ours}",
        *ours[head : len(ours) - tail],
        *before,
        "=" * marks.size,
        *theirs[head : len(theirs) - tail],
        f"{'>' * marks.size} {marks.theirs}",
        *ours[len(ours) - tail :],
    ]


def markers_in(notebook: Notebook) -> tuple[Mark, ...]:
    """The conflicts that still stand in a notebook."""
    found = list(_markers(notebook))
    own = notebook.metadata.get("nbpr")
    if isinstance(own, dict) and "conflict" in own:
        found.append(Mark(None, None, None))
    return tuple(found)


def _markers(notebook: Notebook) -> Iterator[Mark]:
    for index, cell in enumerate(notebook.cells):
        yield from (Mark(index, cell.id, line) for line in _marker_lines(cell.source))
        if KEPT_BACK in cell.metadata:
            yield Mark(index, cell.id, None)


def _marker_lines(source: str) -> Iterator[int]:
    """The lines on which a conflict begins that also has its middle and its end: a lone row of signs is a rule."""
    if "<<<<<<<" not in source:
        return
    start, parted = 0, False
    for number, line in enumerate(source.split("\n"), 1):
        if _NBDIMES.fullmatch(line):
            yield number
        elif _START.fullmatch(line):
            start, parted = number, False
        elif start and _MIDDLE.fullmatch(line):
            parted = True
        elif start and parted and _END.fullmatch(line):
            yield start
            start = 0


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines both begin with."""
    pairs = zip(one, other, strict=False)
    return next((count for count, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


# -- one cell ----------------------------------------------------------------------------------------------------


def _in_cell(cell: Cell, conflict: CellConflict, marks: Marks) -> Cell:
    """The merged cell with its conflict in it. In `conflict` the two sides are named the other way round."""
    base, ours, theirs = conflict.base, conflict.theirs, conflict.ours
    if ours is None or theirs is None:
        return cell.with_source(_as_a_whole(base, ours, theirs, marks))
    values, kept_back = _members(base, ours, theirs)
    if kept_back:
        values["metadata"] = {**(values.get("metadata") or {}), KEPT_BACK: kept_back}
    members = {key: value for key, value in {**cell.data, **values}.items() if value is not ABSENT}
    made = replace(cell, data=members).with_source(_source(base, ours, theirs, marks))
    return made if ours.cell_type == theirs.cell_type else of_its_type(made)


def _as_a_whole(base: Cell | None, ours: Cell | None, theirs: Cell | None, marks: Marks) -> str:
    """The source between markers, of a cell that one side deleted."""
    gone = " (deleted)"
    named = replace(marks, ours=marks.ours + gone) if ours is None else replace(marks, theirs=marks.theirs + gone)
    return "\n".join(marked(Clash(*(_lines(side) for side in (base, ours, theirs))), named))


def _lines(cell: Cell | None) -> list[str]:
    return cell.source.split("\n") if cell else []


def _source(base: Cell | None, ours: Cell, theirs: Cell, marks: Marks) -> str:
    found: list[str] = []
    for stretch in stretches(*(_lines(side) for side in (base, ours, theirs)), adjacent=True):
        found += marked(stretch, marks) if isinstance(stretch, Clash) else stretch
    return "\n".join(found)


def _members(base: Cell | None, ours: Cell, theirs: Cell) -> tuple[dict[str, Any], dict[str, Any]]:
    """The other members merged, ours where they conflict, and of those theirs; None is one that theirs has not."""
    values: dict[str, Any] = {}
    kept_back: dict[str, Any] = {}
    for key in dict.fromkeys([*ours.data, *theirs.data]):
        if key in _APART:
            continue
        before, other = (ABSENT if side is None else side.data.get(key, ABSENT) for side in (base, theirs))
        values[key], found = merge_values(before, other, ours.data.get(key, ABSENT))
        if found:
            kept_back[key] = None if other is ABSENT else other
    return values, kept_back


# -- the notebook ------------------------------------------------------------------------------------------------


def _with_kept_back(notebook: Notebook, merged: Merged, base: Notebook | None, theirs: Notebook) -> Notebook:
    """The notebook with what theirs has in its own members where ours stands."""
    paths = [conflict.what for conflict in merged.conflicts if conflict.index is None]
    if not paths:
        return notebook
    keys = [key for key in theirs.metadata if any(f"{path}.".startswith(f"metadata.{key}.") for path in paths)]
    others = {path: theirs.data[path] for path in paths if path in theirs.data and path != "metadata"}
    kept = {"metadata": {key: theirs.metadata[key] for key in keys}, **others}
    own = notebook.metadata.get("nbpr")
    record = {**(own if isinstance(own, dict) else {}), "conflict": kept}
    return notebook.with_metadata({**notebook.metadata, "nbpr": record})


def _in_version(notebook: Notebook, ours: Notebook, theirs: Notebook) -> Notebook:
    """The notebook in a version of the format that has ids, if one side's cells bring them."""
    newest = max(ours.nbformat_minor, theirs.nbformat_minor)
    if notebook.has_ids or newest < 5 or not any(cell.id for cell in notebook.cells):
        return notebook
    return replace(notebook, data={**notebook.data, "nbformat_minor": newest}).with_ids()


def _stand_in(ours: Notebook, theirs: Notebook) -> Notebook:
    """A base for two notebooks that have none: the cells that both have, empty where they differ."""
    pairs = order.match(ours.cells, theirs.cells)
    cells = [_shared(ours.cells[i], theirs.cells[j]) for i, j in sorted(pairs.items())]
    return replace(ours.with_cells(cells), data={**ours.data, "metadata": {}})


def _shared(one: Cell, other: Cell) -> Cell:
    if same(one.data, other.data):
        return one
    cell_type = one.cell_type if one.cell_type == other.cell_type else "raw"
    named = {"id": one.id} if one.id else {}
    return of_its_type(Cell({"cell_type": cell_type, **named, "metadata": {}, "source": ""}))


def _differ_both_ways(ours: Notebook, theirs: Notebook) -> bool:
    """Whether each of the two has cells that the other has not."""
    pairs = order.match(ours.cells, theirs.cells)
    return len(pairs) < len(ours.cells) and len(pairs) < len(theirs.cells)
