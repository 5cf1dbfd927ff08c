"""Three notebooks become one, cell by cell: nothing that somebody wrote is dropped without a word."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nbpr.diff import order
from nbpr.diff.operations import same
from nbpr.diff.order import Node
from nbpr.diff.threeway import ABSENT, merge_lines, merge_values
from nbpr.notebooks.notebook import Cell, Notebook, derived_id

_VALID_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")

#: Members of a notebook on which the sides may differ without anybody having to decide.
_NO_CONFLICT = ("metadata.language_info", "nbformat_minor")

#: Members of a cell that are what a run left, not what somebody wrote: no conflict comes of them.
_RUN_STATE = frozenset({"outputs", "execution_count"})


@dataclass(frozen=True)
class CellConflict:
    """What both sides changed differently; the merged notebook holds `theirs` there, or the cell that is left.

    `index` counts in the merged notebook. Of the notebook itself rather than of a cell of it, `cell_id` and
    `index` are None. `what` names the member: "source", "deleted", "metadata.tags", "kernelspec".
    """

    cell_id: str | None
    index: int | None
    base: Cell | None
    ours: Cell | None
    theirs: Cell | None
    what: str

    @property
    def place(self) -> str:
        """Where it is, for a message: "cell e5f6 (source)"."""
        if self.index is None:
            return f"the notebook's {self.what}"
        return f"cell {self.cell_id or f'index {self.index}'} ({self.what})"


@dataclass(frozen=True)
class Merged:
    """The merged notebook, and what could not be merged in it."""

    notebook: Notebook
    conflicts: tuple[CellConflict, ...]


@dataclass(frozen=True)
class _Sides:
    """The cells of one node: None where a side does not have it."""

    base: Cell | None
    ours: Cell | None
    theirs: Cell | None

    @property
    def either(self) -> Cell:
        cell = self.theirs or self.ours or self.base
        assert cell is not None
        return cell


def merge(base: Notebook | None, ours: Notebook, theirs: Notebook) -> Merged:
    """The notebook with the changes of both sides, laid out as `theirs` is; without a base all is inserted.

    A cell goes only where one side deleted it and the other left it alone: deleted against changed is a
    conflict, and the cell stays. What both inserted in one place is kept, theirs first; what both inserted alike
    is kept once. Within a cell, sources are merged by lines and metadata by member. Ids are unique and valid
    afterwards, wherever the notebook's version has ids.
    """
    named = [side.with_ids() if side else None for side in (base, ours, theirs)]
    cells = [side.cells if side else () for side in named]
    conflicts: list[CellConflict] = []
    merged: list[tuple[Cell, bool]] = []
    for node in order.arrange(order.nodes(*cells)):
        sides = _Sides(*(_at(side, at) for side, at in zip(cells, _places(node), strict=True)))
        cell, what = _merge_cell(sides)
        if cell is None:
            continue
        if what:
            conflicts.append(CellConflict(cell.id, len(merged), sides.base, sides.ours, sides.theirs, ", ".join(what)))
        merged.append((cell, sides.theirs is not None))
    notebook, unmerged = _merge_top(base, ours, theirs)
    whole = notebook.with_cells(_unique(merged)).with_ids()
    return Merged(whole, tuple(conflicts + [_top_conflict(what) for what in unmerged]))


def merge_text(base: bytes | None, ours: bytes, theirs: bytes) -> tuple[bytes, bool]:
    """Two versions of another file merged by lines, and whether they conflict; then it is `theirs`, untouched."""
    if ours in (theirs, base):
        return theirs, False
    if theirs == base:
        return ours, False
    texts = [(side or b"").decode("utf-8", "surrogateescape").split("\n") for side in (base, ours, theirs)]
    merged = None if b"\0" in ours + theirs else merge_lines(*texts)
    if merged is None:
        return theirs, True
    return "\n".join(merged).encode("utf-8", "surrogateescape"), False


def _places(node: Node) -> tuple[int | None, int | None, int | None]:
    return node.base, node.ours, node.theirs


def _at(cells: Sequence[Cell], place: int | None) -> Cell | None:
    return None if place is None else cells[place]


def _merge_cell(sides: _Sides) -> tuple[Cell | None, list[str]]:
    """The merged cell, None if it goes, and the members that conflict."""
    base, ours, theirs = sides.base, sides.ours, sides.theirs
    if ours is None or theirs is None:
        left = ours or theirs
        if base is None or left is None:
            return left, []
        # Under another id it may be another cell of the same content, which nobody deleted.
        left_alone = base.id == left.id and _alike(base, left)
        return (None, []) if left_alone else (left, ["deleted"])
    if _alike(ours, theirs) or (base is not None and _alike(base, ours)):
        return _named(theirs, sides), []
    if base is not None and _alike(base, theirs):
        return _named(ours, sides), []
    return _merge_members(sides, ours, theirs)


def _alike(one: Cell, other: Cell) -> bool:
    """Whether two cells are the same but for their ids."""
    return same(_without_id(one), _without_id(other))


def _without_id(cell: Cell) -> dict[str, Any]:
    kept = {key: value for key, value in cell.data.items() if key not in ("id", "source")}
    return {**kept, "source": cell.source}


def _named(cell: Cell, sides: _Sides) -> Cell:
    """The cell under the id that the three sides come to."""
    wanted = _member("id", sides)[0]
    return cell if cell.id == wanted or wanted is ABSENT else cell.replace(id=wanted)


def _member(key: str, sides: _Sides) -> tuple[Any, list[str]]:
    values = [ABSENT if cell is None else cell.data.get(key, ABSENT) for cell in (sides.base, sides.ours, sides.theirs)]
    return merge_values(*values)


def _merge_members(sides: _Sides, ours: Cell, theirs: Cell) -> tuple[Cell, list[str]]:
    """A cell that both sides changed: theirs, with what ours changed in it."""
    source = _merge_source(sides, ours, theirs)
    conflicts = ["source"] if source is None else []
    changes: dict[str, Any] = {}
    for key in dict.fromkeys([*theirs.data, *ours.data]):
        if key == "source" or key in _RUN_STATE:
            continue
        value, found = _member(key, sides)
        conflicts += [".".join(filter(None, (key, path))) for path in found if key != "id"]
        if not same(value if value is not ABSENT else None, theirs.data.get(key)):
            changes[key] = value
    if conflicts:
        return theirs, conflicts
    cell = _with_source(_with_members(theirs, changes), ours, theirs, source or "")
    return (cell if ours.cell_type == theirs.cell_type else of_its_type(cell)), []


def of_its_type(cell: Cell) -> Cell:
    """The cell with just the members that the format gives its type, for one whose type came from another side."""
    alien = {"attachments"} if cell.is_code else _RUN_STATE
    unrun: dict[str, Any] = {"outputs": [], "execution_count": None} if cell.is_code else {}
    kept = {key: value for key, value in cell.data.items() if key not in alien}
    return replace(cell, data={**kept, **{key: value for key, value in unrun.items() if key not in kept}})


def _merge_source(sides: _Sides, ours: Cell, theirs: Cell) -> str | None:
    before = sides.base.source if sides.base else None
    for one, chosen in ((theirs.source, theirs), (before, theirs)):
        if ours.source == one:
            return chosen.source
    if theirs.source == before:
        return ours.source
    texts = [text.split("\n") for text in (before or "", ours.source, theirs.source)]
    merged = merge_lines(*texts, adjacent=True)
    return None if merged is None else "\n".join(merged)


def _with_members(cell: Cell, changes: Mapping[str, Any]) -> Cell:
    """The cell with those members changed, those that are `ABSENT` taken away."""
    if not changes:
        return cell
    data = {**cell.data, **changes}
    return replace(cell, data={key: value for key, value in data.items() if value is not ABSENT})


def _with_source(cell: Cell, ours: Cell, theirs: Cell, source: str) -> Cell:
    """The cell with that source, and with the outputs of the side that it comes from; none if of neither."""
    if source == theirs.source:
        return cell
    changed = cell.with_source(source)
    if source != ours.source:
        return changed
    return changed.replace(**{key: ours.data[key] for key in sorted(_RUN_STATE & ours.data.keys())})


def _merge_top(base: Notebook | None, ours: Notebook, theirs: Notebook) -> tuple[Notebook, list[str]]:
    """Everything but the cells, and the members in conflict.

    What a kernel says of itself (`language_info`) is run state, no conflict. Of two versions of the format the
    higher holds, since cells of it may be among the merged.
    """
    merged, conflicts = merge_values(base.data if base else {}, ours.data, theirs.data)
    if "nbformat_minor" in conflicts:
        merged = {**merged, "nbformat_minor": max(ours.nbformat_minor, theirs.nbformat_minor)}
    notebook = theirs if same(merged, theirs.data) else replace(theirs, data=merged)
    return notebook, [what for what in conflicts if not what.startswith(_NO_CONFLICT)]


def _top_conflict(what: str) -> CellConflict:
    return CellConflict(None, None, None, None, None, what)


def _unique(merged: Sequence[tuple[Cell, bool]]) -> list[Cell]:
    """The cells, an id of two of them left to theirs, else to the first, the other's derived anew."""
    taken: set[str] = set()
    keepers: set[int] = set()
    for index in sorted(range(len(merged)), key=lambda i: not merged[i][1]):
        name = merged[index][0].id
        if name is not None and _VALID_ID.fullmatch(name) and name not in taken:
            taken.add(name)
            keepers.add(index)
    return [
        cell if index in keepers or cell.id is None else _renamed(cell, taken) for index, (cell, _) in enumerate(merged)
    ]


def _renamed(cell: Cell, taken: set[str]) -> Cell:
    name = derived_id(cell.cell_type, cell.source, 0, taken)
    taken.add(name)
    return cell.replace(id=name)
