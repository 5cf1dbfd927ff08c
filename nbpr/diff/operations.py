"""What changed between two notebooks, in nbdime's diff format.

nbdime finds it. Two things it does not do are done here: it fails on notebooks that the format does not allow
(code cells without outputs, sources as lists) and it compares everything with everything, which on large
notebooks without ids does not end. Then the diff is a coarser one: cells are matched by id or by content, and
what differs in them is replaced whole. Either way `nbdime.patching.patch(before, diff) == after`.
"""

from __future__ import annotations

import difflib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import SequenceMatcher
from types import SimpleNamespace
from typing import Any

from nbpr.diff import lines
from nbpr.notebook import quick_imports

#: nbdime's settings belong to its module, so only one diff at a time goes through it.
_LOCK = threading.Lock()

#: How much nbdime may compare, in microseconds as estimated below: all of a notebook, and one source or output.
#: Counted, not timed, so that the same two notebooks have the same diff on every machine.
_PATIENCE = 3_000_000.0
_PATIENCE_WITH_ONE = 200_000.0

#: What difflib takes per pair of characters to match two texts, and per character to see that it need not.
_PER_PRODUCT = 0.03
_PER_CHARACTER = 0.1
_PER_PAIR = 6.0


class _TooMuch(Exception):
    """nbdime would compare for longer than anyone waits."""


def diff(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Any]:
    """nbdime's diff of two notebooks as nbformat has them in memory (texts joined); None is no notebook.

    Values are compared as JSON: 1, 1.0 and true are three things, NaN is like NaN. Equal notebooks have the
    empty diff, found without importing nbdime.
    """
    a, b = before or {}, after or {}
    if same(a, b):
        return []
    quick_imports()
    from nbformat import from_dict

    old, new = from_dict(a), from_dict(b)
    found = _by_nbdime(old, new)
    return coarse(old, new) if found is None else found


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same JSON, whatever the order of their keys."""
    return canonical(a) == canonical(b)


def canonical(value: Any) -> str:
    """One text for all spellings of the same JSON."""
    return json.dumps(value, sort_keys=True)


def _by_nbdime(before: Any, after: Any) -> list[Any] | None:
    """nbdime's own diff, or None where it fails, would take too long or does not lead from one to the other."""
    from nbdime.diffing.notebooks import diff_notebooks
    from nbdime.patching import patch

    try:
        with _settings():
            found: list[Any] = diff_notebooks(before, after)
        return found if same(patch(before, found), after) else None
    except _TooMuch:
        return None
    except (LookupError, AttributeError, AssertionError, TypeError, ValueError, RuntimeError):
        # nbdime takes the schema for granted; 75 of 984 public notebooks do not keep to it.
        return None


@contextmanager
def _settings() -> Iterator[None]:
    """nbdime's default settings, its comparisons counted; what the process had set comes back afterwards."""
    from nbdime.diffing import generic, seq_difflib
    from nbdime.diffing import notebooks as nbdime

    tables = (nbdime.notebook_differs, nbdime.notebook_predicates)
    patience = _Patience()
    with _LOCK:
        kept = [dict(table) for table in tables]
        try:
            for table in tables:
                table.clear()
            _limit(nbdime, patience)
            generic.difflib = SimpleNamespace(SequenceMatcher=patience.matcher)
            seq_difflib.SequenceMatcher = patience.matcher
            yield
        finally:
            generic.difflib, seq_difflib.SequenceMatcher = difflib, SequenceMatcher
            for table, content in zip(tables, kept, strict=True):
                table.clear()
                table.update(content)


def _limit(nbdime: Any, patience: _Patience) -> None:
    """Have every comparison counted of which there may be as many as there are pairs."""
    differs, predicates = nbdime.notebook_differs, nbdime.notebook_predicates
    for path in ("/cells", "/cells/*/outputs"):
        predicates[path] = [patience.comparing(predicate) for predicate in predicates[path]]
    for path, coarser in (("/cells/*/source", _by_lines), ("/cells/*/outputs/*", coarse)):
        differs[path] = patience.differing(differs[path], coarser)


class _Patience:
    """Counts what nbdime's comparisons cost: too many of them stop it, a too long one is done in another way."""

    def __init__(self) -> None:
        self.left = _PATIENCE
        self.matcher = _counted(self.spend)

    def spend(self, cost: float) -> None:
        self.left -= cost
        if self.left < 0:
            raise _TooMuch

    def comparing(self, predicate: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
        def compare(x: Any, y: Any) -> bool:
            self.spend(_PER_PAIR)
            return predicate(x, y)

        return compare

    def differing(self, differ: Callable[..., Any], coarser: Callable[[Any, Any], Any]) -> Callable[..., Any]:
        def difference(a: Any, b: Any, **settings: Any) -> Any:
            after = self.left - _PATIENCE_WITH_ONE
            self.left = min(self.left, _PATIENCE_WITH_ONE)
            try:
                return differ(a, b, **settings)
            except _TooMuch:
                return coarser(a, b)
            finally:
                self.left = max(after, 0.0) + max(self.left, 0.0)

        return difference


def _counted(spend: Callable[[float], None]) -> type[SequenceMatcher[str]]:
    """difflib's matcher, which says what it is about to cost."""

    class Counted(SequenceMatcher[str]):
        a: Sequence[str]
        b: Sequence[str]
        matching_blocks: list[difflib.Match] | None

        def get_matching_blocks(self) -> list[difflib.Match]:
            if self.matching_blocks is None:
                spend(_PER_PRODUCT * len(self.a) * len(self.b))
            return super().get_matching_blocks()

        def quick_ratio(self) -> float:
            spend(_PER_CHARACTER * (len(self.a) + len(self.b)))
            return super().quick_ratio()

    return Counted


def coarse(before: Any, after: Any) -> list[Any]:
    """A valid diff of any two objects of JSON: texts by lines, lists by runs of items, other members whole."""
    from nbdime.diff_format import op_add, op_patch, op_remove, op_replace

    found = []
    for key in sorted({*before, *after}):
        if key not in after:
            found.append(op_remove(key))
        elif key not in before:
            found.append(op_add(key, after[key]))
        elif key == "cells" and isinstance(before[key], list) and isinstance(after[key], list):
            found += [op_patch(key, inner) for inner in [_coarse_cells(before[key], after[key])] if inner]
        elif same(before[key], after[key]):
            continue
        elif isinstance(before[key], str) and isinstance(after[key], str):
            found.append(op_patch(key, _by_lines(before[key], after[key])))
        else:
            found.append(op_replace(key, after[key]))
    return found


def _by_lines(before: str, after: str) -> list[Any]:
    """A diff of two texts by whole lines, which are nbdime's: Python's `splitlines`."""
    a, b = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return [entry for code in lines.opcodes(a, b) for entry in _runs(code, b)]


def _runs(code: lines.Opcode, after: Sequence[Any]) -> Iterator[Any]:
    """The entries for what one of difflib's opcodes puts in and takes away."""
    from nbdime.diff_format import op_addrange, op_removerange

    op, i1, i2, j1, j2 = code
    if op != "equal" and j1 < j2:
        yield op_addrange(i1, list(after[j1:j2]))
    if op != "equal" and i1 < i2:
        yield op_removerange(i1, i2 - i1)


def _coarse_cells(before: Sequence[Any], after: Sequence[Any]) -> list[Any]:
    """Cells of one id patched member by member, the others taken away and put in."""
    from nbdime.diff_format import op_patch

    found = []
    for code in lines.opcodes(_tokens(before, after), _tokens(after, before)):
        op, i1, i2, j1, j2 = code
        pairs = zip(range(i1, i2), range(j1, j2), strict=True) if op == "equal" else ()
        inner = [(i, coarse(before[i], after[j])) for i, j in pairs if not same(before[i], after[j])]
        found += [*(op_patch(i, changes) for i, changes in inner), *_runs(code, after)]
    return found


def _tokens(cells: Sequence[Any], others: Sequence[Any]) -> list[str]:
    """What a cell is matched by: its id where both sides have that once, else its content."""
    counts = [Counter(_id(cell) for cell in side) for side in (cells, others)]
    known = {i for i in counts[0] if i is not None and all(count[i] == 1 for count in counts)}
    return [f"id {_id(cell)}" if _id(cell) in known else canonical(cell) for cell in cells]


def _id(cell: Any) -> str | None:
    found = cell.get("id") if isinstance(cell, dict) else None
    return found if isinstance(found, str) else None
