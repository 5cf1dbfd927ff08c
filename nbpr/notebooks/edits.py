"""Edits: a notebook in, the edited notebook out, all or none, and what is so already changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbpr.errors import BadInput, Conflict, NbprError
from nbpr.notebooks import jsontext, parameters
from nbpr.notebooks import notebook as notebooks
from nbpr.notebooks.bench import Bench, Slot
from nbpr.notebooks.editlist import Edit, from_json, normalise, parse
from nbpr.notebooks.notebook import Cell, Notebook, new

__all__ = ["Applied", "Edit", "apply", "edit_file", "from_json", "normalise", "parse"]


@dataclass(frozen=True)
class Applied:
    """What edits made of a notebook.

    `touched` has the ids of all cells that were changed, moved, inserted or deleted (None for each before 4.5),
    `inserted` and `deleted` those of their kind. If nothing changed, `notebook` is the one that was given.
    """

    notebook: Notebook
    changed: bool
    touched: tuple[str | None, ...] = ()
    inserted: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """`{"changed", "cells", "inserted"}`, cells by their ids."""
        return {"changed": self.changed, "cells": list(self.touched), "inserted": list(self.inserted)}


def edit_file(path: Path, json_list: Any, *, dry_run: bool = False) -> Applied:
    """Apply a list of edits to the notebook in a file, which is written, atomically, only if it changes.

    A symbolic link stays one. Raises BadInput, Conflict, and NotAllowed if the file cannot be written.
    """
    before = notebooks.read(path)
    applied = apply(before, parse(json_list, [str(path)]))
    if applied.changed and not dry_run:
        if path.read_bytes() != before.to_bytes():
            raise Conflict(f"{path}: somebody else wrote to it just now", hint="try again")
        notebooks.write(path.resolve(), applied.notebook)
    return applied


def apply(
    notebook: Notebook, edits: Sequence[Edit], *, base: Notebook | None = None, last: Notebook | None = None
) -> Applied:
    """Apply edits in order, all or none.

    `base` is the version that `index:` counts in, and that shows which cells are gone rather than unknown; the
    notebook itself if left out. `last` is the version that was last written by us: a target that differs from it,
    or is gone, was changed by somebody else. Raises BadInput or Conflict, naming the edit.
    """
    check_ids(notebook)
    if base is not None and _is_done(notebook, edits, base):
        return Applied(notebook, changed=False)
    bench = Bench(notebook, base, last)
    touched: dict[str, None] = {}
    for edit in edits:
        try:
            touched |= dict.fromkeys(_OPS[edit.op](bench, edit, edits))
        except (BadInput, Conflict) as error:
            raise type(error)(f"{edit.title}: {error.message}", hint=error.hint, **error.context) from None
        except RecursionError:
            raise BadInput(f"{edit.title}: nested too deep") from None
    return _applied(notebook, bench, list(touched))


def _is_done(notebook: Notebook, edits: Sequence[Edit], base: Notebook) -> bool:
    """Whether the notebook is what the edits make of base: then they were applied already, whatever they are."""
    try:
        made = apply(base, edits)
    except (BadInput, Conflict):
        return False
    return _facts(made.notebook) == _facts(notebook)


def _facts(notebook: Notebook) -> list[tuple[Any, ...]]:
    """What edits can change in a notebook."""
    pairs = zip(notebook.ids, notebook.cells, strict=True)
    return [(cell_id, cell.cell_type, cell.source, cell.tags) for cell_id, cell in pairs]


def check_ids(notebook: Notebook) -> None:
    seen: dict[str | None, int] = {}
    for index, cell_id in enumerate(notebook.ids if notebook.has_ids else ()):
        if cell_id in seen:
            message = f"{notebook.name}: cells {seen[cell_id]} and {index} have the same id {cell_id!r}"
            raise BadInput(message, hint="cut and paste one of them in Jupyter, which gives it an id of its own")
        seen[cell_id] = index


def _applied(notebook: Notebook, bench: Bench, touched: list[str]) -> Applied:
    now = [slot.key for slot in bench.slots]
    changed = {slot.key for slot in bench.slots if slot.before is None or _differs(slot)}
    deleted = [key for key in bench.first if key not in now]
    moved = now != list(bench.first)
    if not (changed or deleted or moved):
        return Applied(notebook, changed=False)
    mine = [key for key in touched if key in changed or key in deleted or (moved and key in now)]
    if not notebook.has_ids:
        return Applied(bench.now, changed=True, touched=(None,) * len(mine))
    inserted = tuple(slot.key for slot in bench.slots if slot.before is None)
    return Applied(bench.now, True, tuple(mine), inserted, tuple(deleted))


def _differs(slot: Slot) -> bool:
    return slot.before is not None and not jsontext.same(slot.cell.data, slot.before.data)


# Each takes the bench, the edit and the whole list, and returns the keys of the cells that it touched.
Touched = Sequence[str]


def _set_parameter(bench: Bench, edit: Edit, _edits: Sequence[Edit]) -> Touched:
    cell = bench.now.parameters_cell
    if cell is None:
        raise _no_parameters(bench)
    slot = next(slot for slot in bench.slots if slot.cell is cell)
    return _change(bench, edit, slot, lambda cell: parameters.set_in(bench.notebook, cell, edit["name"], edit["value"]))


def _no_parameters(bench: Bench) -> NbprError:
    was = bench.last and bench.last.version.parameters_cell
    if bench.last and was:
        key = bench.last.keys[bench.last.version.index_of(was)]
        if bench.at(key) is None and key not in bench.first:
            return bench.removed(key)
    return BadInput(f"{bench.notebook.name}: no cell is tagged parameters", hint=parameters.NO_CELL_HINT)


def _change(bench: Bench, edit: Edit, slot: Slot, make: Callable[[Cell], Cell]) -> Touched:
    """Put a changed cell in its slot; `make` gives the same cell back where it is so already."""
    expect = edit.fields.get("expect")
    try:
        cell = make(slot.cell)
    except BadInput:
        # That the edit does not fit may be somebody else's doing: say so rather.
        bench.guard(slot, expect)
        raise
    if cell is slot.cell:
        return ()
    bench.guard(slot, expect)
    slot.cell = cell
    return (slot.key,)


def _target(bench: Bench, edit: Edit) -> Slot:
    return bench.present(bench.key(edit["cell"]))


def _replace(bench: Bench, edit: Edit, _edits: Sequence[Edit]) -> Touched:
    return _change(bench, edit, _target(bench, edit), lambda cell: cell.with_source(edit["source"]))


def _substitute(bench: Bench, edit: Edit, _edits: Sequence[Edit]) -> Touched:
    slot = _target(bench, edit)
    was = bench.base.by_key.get(slot.key)
    return _change(bench, edit, slot, lambda cell: cell.with_source(_substituted(cell.source, edit, was)))


def _substituted(source: str, edit: Edit, was: Cell | None) -> str:
    """The source with `new` for `old`; the same source if that was done already."""
    old, new = edit["old"], edit["new"]
    times, done = _count(source, old), _count(source, new)
    if done == 1 and times == _count(new, old):
        return source
    if times == 1:
        return source.replace(old, new)
    if times == 0 and not new and was and _count(was.source, old) == 1:
        return source
    there = f"; new stands there {done} times" if new and done and not times else ""
    raise BadInput(f"cell {edit['cell']!r} has old {times} times, and it has to be once{there}")


def _count(source: str, part: str) -> int:
    """How often `part` occurs, overlapping too; an empty one never does."""
    found, at = 0, source.find(part) if part else -1
    while at >= 0:
        found, at = found + 1, source.find(part, at + 1)
    return found


def _tag(bench: Bench, edit: Edit, _edits: Sequence[Edit]) -> Touched:
    def tagged(cell: Cell) -> Cell:
        kept = [tag for tag in cell.tags if tag not in edit["remove"]]
        return cell.with_tags([*kept, *(tag for tag in edit["add"] if tag not in kept)])

    return _change(bench, edit, _target(bench, edit), tagged)


def _delete(bench: Bench, edit: Edit, _edits: Sequence[Edit]) -> Touched:
    key = bench.key(edit["cell"])
    at = bench.at(key)
    if at is None:
        return ()
    bench.guard(bench.slots[at], edit["expect"])
    del bench.slots[at]
    return (key,)


def _move(bench: Bench, edit: Edit, _edits: Sequence[Edit]) -> Touched:
    slot, anchor = _target(bench, edit), bench.anchor(edit.place)
    if anchor[1] == slot.key:
        return ()
    at, to = bench.slots.index(slot), bench.index(anchor)
    if to in (at, at + 1):
        return ()
    bench.guard(slot, edit["expect"])
    del bench.slots[at]
    bench.slots.insert(to - (to > at), slot)
    return (slot.key,)


def _insert(bench: Bench, edit: Edit, edits: Sequence[Edit]) -> Touched:
    anchor = bench.anchor(edit.place)
    mine = (edit["cell_type"], edit["source"])
    if bench.notebook.has_ids:
        key = _inserted_id(mine, anchor, bench.alike((mine, anchor)))
        if bench.at(key) is not None:
            return ()
        if bench.last and key in bench.last.by_key and key not in bench.first:
            raise bench.removed(key)
        known = {"id": key}
    else:
        key = f"inserted by {edit.number}"
        if bench.claim(anchor, _wanted_at(edit, edits), mine):
            return ()
        known = {}
    metadata: dict[str, Any] = {"tags": list(edit["tags"])} if edit["tags"] else {}
    bench.slots.insert(bench.index(anchor), Slot(key, new(*mine, metadata=metadata, **known), None))
    return (key,)


def _inserted_id(mine: tuple[str, str], anchor: tuple[str, str], alike: int) -> str:
    """An id that follows from the cell, its place and how many inserts like it went before: the same every time."""
    facts = json.dumps(["insert", *mine, *anchor, alike])
    return hashlib.sha256(facts.encode()).hexdigest()[:12]


def _wanted_at(edit: Edit, edits: Sequence[Edit]) -> set[tuple[str, str]]:
    """What these edits insert in the same place."""
    same_place = [other for other in edits if other.op == "insert" and other.place == edit.place]
    return {(other["cell_type"], other["source"]) for other in same_place}


_OPS: dict[str, Callable[[Bench, Edit, Sequence[Edit]], Touched]] = {
    "set_parameter": _set_parameter,
    "substitute": _substitute,
    "replace": _replace,
    "insert": _insert,
    "delete": _delete,
    "move": _move,
    "tag": _tag,
}
