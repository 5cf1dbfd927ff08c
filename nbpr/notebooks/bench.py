"""The bench: a notebook's cells while edits are applied to them, and where each came from."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from nbpr.errors import BadInput, Conflict
from nbpr.notebooks.notebook import Cell, Notebook, matching, unselected


@dataclass(eq=False)
class Slot:
    """A cell on the bench: `before` is the cell as the notebook had it, None if these edits brought it."""

    key: str
    cell: Cell
    before: Cell | None


def content(cell: Cell) -> tuple[str, str]:
    """What cells without ids are known by."""
    return cell.cell_type, cell.source


class Earlier:
    """Another version of the notebook, whose cells are known by the keys that they have on the bench."""

    def __init__(self, version: Notebook, now: Notebook, keys: Sequence[str]) -> None:
        self.version = version
        self.keys = _own_ids(version) if version.has_ids and now.has_ids else _matched(version, now, keys)

    @cached_property
    def by_key(self) -> dict[str, Cell]:
        return dict(zip(self.keys, self.version.cells, strict=True))


def _own_ids(version: Notebook) -> list[str]:
    return [str(cell_id) for cell_id in version.ids]


def _matched(version: Notebook, now: Notebook, keys: Sequence[str]) -> list[str]:
    """The keys of cells by content, and between those by place where as many stand as stood."""
    found = [f"gone {index}" for index in range(len(version.cells))]
    one, other = [content(cell) for cell in version.cells], [content(cell) for cell in now.cells]
    for tag, start, end, there, until in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag == "equal" or (tag == "replace" and end - start == until - there):
            found[start:end] = keys[there:until]
    return found


class Bench:
    """Cells by key: the id, or before 4.5 the place that a cell had in the notebook."""

    def __init__(self, notebook: Notebook, base: Notebook | None, last: Notebook | None) -> None:
        self.notebook = notebook.with_ids()
        keys = _own_ids(notebook) if notebook.has_ids else [f"index {index}" for index in range(len(notebook.cells))]
        pairs = zip(keys, self.notebook.cells, strict=True)
        self.slots = [Slot(key, cell, cell) for key, cell in pairs]
        self.first = tuple(keys)
        self.base = Earlier(notebook if base is None else base, notebook, keys)
        self.last = Earlier(last, notebook, keys) if last else None
        self.claimed: set[str] = set()
        self._inserts: Counter[Hashable] = Counter()

    @property
    def now(self) -> Notebook:
        """The notebook as it is on the bench."""
        return self.notebook.with_cells(slot.cell for slot in self.slots)

    def at(self, key: str) -> int | None:
        """Where the cell is on the bench, if it is."""
        return next((index for index, slot in enumerate(self.slots) if slot.key == key), None)

    def key(self, selector: str) -> str:
        """The key of the cell that `selector` names, be it on the bench or gone.

        `index:` counts in base. BadInput if there never was such a cell.
        """
        in_base = matching(self.base.version, selector)
        if selector.startswith("index:"):
            if not in_base:
                raise unselected(self.base.version, selector, [])
            return self.base.keys[in_base[0]]
        found = matching(self.now, selector)
        if len(found) == 1:
            return self.slots[found[0]].key
        if not found and len(in_base) == 1:
            return self.base.keys[in_base[0]]
        wanted = selector.removeprefix("id:")
        if not found and self.last and self.last.version.has_ids and wanted in self.last.by_key:
            return wanted
        raise unselected(self.now, selector, found)

    def present(self, key: str) -> Slot:
        """The cell on the bench. Conflict if somebody removed it, BadInput if one of these edits did."""
        at = self.at(key)
        if at is not None:
            return self.slots[at]
        if key in self.first:
            raise BadInput(f"{self.notebook.name}: an earlier edit deletes cell {key!r}")
        raise self.removed(key)

    def removed(self, key: str) -> Conflict:
        """The error for a cell that somebody took away."""
        was = self.base.by_key.get(key) or (self.last and self.last.by_key.get(key))
        start = f", which began {was.source[:40]!r}," if was and not self.notebook.has_ids else ""
        hint = "read the notebook again, and leave this edit out or put the cell back"
        return Conflict(f"{self.notebook.name}: cell {key!r}{start} was removed by somebody else", hint=hint)

    def guard(self, slot: Slot, expect: str | None) -> None:
        """Conflict if the cell is not what whoever wrote the edit has seen."""
        hint = "read the cell again (nbpr cells), and give its source_hash as `expect` to change it all the same"
        seen = {cell.source_hash for cell in (slot.before, slot.cell) if cell}
        if expect is not None and expect not in seen:
            raise Conflict(f"{self.notebook.name}: cell {slot.key!r} is not as it was read", hint=hint)
        # Whoever names the cell as it is now has read what the other one wrote.
        was = self.last.by_key.get(slot.key) if self.last and expect is None else None
        if was and slot.before and was.source != slot.before.source:
            raise Conflict(f"{self.notebook.name}: cell {slot.key!r} was changed by somebody else", hint=hint)

    def anchor(self, place: tuple[str, str]) -> tuple[str, str]:
        """A place with the key of the cell that it names."""
        kind, where = place
        return (kind, where) if kind == "at" else (kind, self.key(where))

    def index(self, anchor: tuple[str, str]) -> int:
        """Where a cell goes that comes to `anchor`."""
        kind, where = anchor
        if kind == "at":
            return 0 if where == "start" else len(self.slots)
        at = self.slots.index(self.present(where))
        return at if kind == "before" else at + 1

    def alike(self, insert: Hashable) -> int:
        """How many inserts like this one went before."""
        self._inserts[insert] += 1
        return self._inserts[insert] - 1

    def claim(self, anchor: tuple[str, str], wanted: Collection[tuple[str, str]], mine: tuple[str, str]) -> bool:
        """Whether a cell like `mine` stands at `anchor` already, beside nothing but others that are `wanted` there.

        For notebooks without ids. Each cell is claimed once.
        """
        at = self.index(anchor)
        backwards = anchor[0] == "before" or anchor == ("at", "end")
        run = self.slots[:at][::-1] if backwards else self.slots[at:]
        there = itertools.takewhile(lambda slot: slot.before is None or content(slot.cell) in wanted, run)
        for slot in there:
            if slot.before is not None and content(slot.cell) == mine and slot.key not in self.claimed:
                self.claimed.add(slot.key)
                return True
        return False
