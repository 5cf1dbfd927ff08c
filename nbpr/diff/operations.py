"""What changed between two notebooks, in nbdime's diff format.

Anchored by ids and content, so that large notebooks without ids end too, and with nothing that belongs to the
process: any number of diffs may be made at once. nbdime fails on notebooks that the format does not allow (code
cells without outputs, sources as lists), this does not. `nbdime.patching.patch(before, diff) == after`, always.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbpr.diff import entries, strings
from nbpr.diff.alignment import Pairs, cell_pairs, output_pairs
from nbpr.diff.entries import Entry
from nbpr.diff.equality import canonical as canonical
from nbpr.diff.equality import frozen
from nbpr.diff.equality import same as same
from nbpr.diff.likeness import Likeness
from nbpr.diff.opcodes import blocks
from nbpr.diff.patience import SECONDS, Patience

#: Data in these forms is text that changes by line; what is in other forms is replaced whole.
_TEXTUAL = ("text/", "image/svg+xml", "application/javascript", "application/json")

#: Texts of more characters together than this are replaced whole: nobody reads what changed in them.
_HUGE = 8_000_000


#: What is nested deeper than this is replaced whole.
_DEEP = 50


@dataclass(frozen=True)
class Found:
    """nbdime's diff as plain JSON, whose values are the notebook's own and not copies.

    `coarse`: for want of patience something is said to be replaced that may merely have been edited.
    """

    diff: list[Entry]
    coarse: bool = False


def diff(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, patience: float = SECONDS) -> list[Any]:
    """The diff of two notebooks as nbformat has them in memory (texts joined); None is no notebook.

    The entries are nbdime's own objects. Values are compared as JSON: 1, 1.0 and true are three things, NaN is like
    NaN. Equal notebooks have the empty diff, found without importing nbdime.
    """
    found = find(before, after, patience)
    return entries.as_nbdime(found.diff) if found.diff else []


def find(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, patience: float = SECONDS) -> Found:
    """The same as plain JSON, and whether it is coarse; `patience` is in seconds, counted, not timed."""
    notebook = _Notebook(Patience(patience))
    made = notebook.members(before or {}, after or {}, {"cells": notebook.cells})
    return Found(made, notebook.patience.coarse)


Differ = Callable[[Any, Any], list[Entry]]


class _Notebook:
    """Makes the diff of one pair of notebooks, from the whole down to the character."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.depth = 0
        self.likeness = Likeness(patience)
        self.in_cell: dict[str, Differ] = {"outputs": self.outputs, "attachments": self.attachments}
        self.in_output: dict[str, Differ] = {"data": self.bundle}

    def members(self, a: Mapping[str, Any], b: Mapping[str, Any], differs: Mapping[str, Differ]) -> list[Entry]:
        """Two objects, member by member; those of a name in `differs` by that, as far as both are of one type."""
        found: list[Entry] = []
        for key in sorted({*a, *b}):
            if key not in b:
                found.append(entries.remove(key))
            elif key not in a:
                found.append(entries.add(key, b[key]))
            elif not same(a[key], b[key]):
                found.append(self.member(key, a[key], b[key], differs.get(key, self.value)))
        return found

    def member(self, key: str, a: Any, b: Any, differ: Differ) -> Entry:
        """The entry for a member that has another value."""
        kind = str if isinstance(a, str) else list if isinstance(a, list) else dict
        made = differ(a, b) if key != "id" and isinstance(a, kind) and isinstance(b, kind) else []
        return entries.patch(key, made) if made else entries.replace(key, b)

    def value(self, a: Any, b: Any) -> list[Entry]:
        """Two texts, lists or objects; nothing where it is better to replace the one by the other."""
        if isinstance(a, str):
            return strings.difference(a, b, self.likeness) if len(a) + len(b) <= _HUGE else []
        if self.depth > _DEEP:
            return []
        self.depth += 1
        try:
            return self.items(a, b) if isinstance(a, list) else self.members(a, b, {})
        finally:
            self.depth -= 1

    def items(self, a: Sequence[Any], b: Sequence[Any]) -> list[Entry]:
        """Two lists of whatever: items are equal or not."""
        common = blocks([frozen(item) for item in a], [frozen(item) for item in b])
        pairs = [(i + n, j + n) for i, j, size in common for n in range(size)]
        return list(_sequence(a, b, pairs, lambda x, y: []))

    def cells(self, a: Any, b: Any) -> list[Entry]:
        """Two notebooks' cells."""
        if not isinstance(a, list):
            return self.value(a, b)
        return list(_sequence(a, b, cell_pairs(a, b, self.likeness), self.cell))

    def cell(self, a: Any, b: Any) -> list[Entry]:
        """Two cells that are one."""
        return self.members(a, b, self.in_cell) if isinstance(a, dict) else []

    def outputs(self, a: Any, b: Any) -> list[Entry]:
        """The outputs of two cells that are one."""
        if not isinstance(a, list):
            return self.value(a, b)
        return list(_sequence(a, b, output_pairs(a, b, self.likeness), self.output))

    def output(self, a: Any, b: Any) -> list[Entry]:
        """Two outputs that are one."""
        return self.members(a, b, self.in_output) if isinstance(a, dict) else []

    def attachments(self, a: Any, b: Any) -> list[Entry]:
        """The attachments of two cells that are one: a bundle for each file."""
        names = {*a, *b} if isinstance(a, dict) else ()
        return self.members(a, b, dict.fromkeys(names, self.bundle)) if names else self.value(a, b)

    def bundle(self, a: Any, b: Any) -> list[Entry]:
        """Two bundles of data by form: texts by line, anything else is replaced."""
        if not isinstance(a, dict):
            return self.value(a, b)
        whole = [mime for mime in {*a, *b} if not mime.lower().startswith(_TEXTUAL)]
        return self.members(a, b, dict.fromkeys(whole, _nothing))


def _nothing(a: Any, b: Any) -> list[Entry]:
    """No diff: the one is replaced by the other."""
    return []


def _sequence(a: Sequence[Any], b: Sequence[Any], pairs: Pairs, differ: Differ) -> Iterator[Entry]:
    """The entries for two lists of which the items in `pairs` are the same or have a diff of their own."""
    i = j = 0
    for x, y in [*pairs, (len(a), len(b))]:
        yield from entries.replaced(i, b[j:y], x - i)
        if x < len(a) and y < len(b) and not same(a[x], b[y]):
            yield entries.patch(x, differ(a[x], b[y]))
        i, j = x + 1, y + 1
