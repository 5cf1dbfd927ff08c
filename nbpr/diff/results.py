"""The results in a cell's outputs that are more than text, before and after: pictures and tables, pair by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbpr.diff import frames, tables
from nbpr.diff.tables import TableChange

_HTML = "text/html"
_FRAME = "application/scrapbook.scrap.pandas+json"


@dataclass(frozen=True)
class NamedTable:
    """A table that changed; `name` is the scrap's, "" for one that was merely shown."""

    name: str
    change: TableChange


def table_changes(before: Sequence[Any] | None, after: Sequence[Any] | None) -> list[NamedTable]:
    """The tables that changed between two lists of outputs, in order.

    Scraps are paired by name. Other tables are paired in order, and only where both sides have as many: with one
    more or less there is no saying which is which.
    """
    return [*_shown(before, after), *_glued(before, after)]


def _shown(before: Sequence[Any] | None, after: Sequence[Any] | None) -> list[NamedTable]:
    old, new = (_html(side) for side in (before, after))
    if len(old) != len(new):
        return []
    found = (tables.compare_tables(one, other) for one, other in zip(old, new, strict=True) if one != other)
    return [NamedTable("", change) for change in found if change is not None and change.differs]


def _glued(before: Sequence[Any] | None, after: Sequence[Any] | None) -> list[NamedTable]:
    old, new = (_scraps(side) for side in (before, after))
    found: list[NamedTable] = []
    for name in new:
        if name in old and old[name] != new[name]:
            one, other = frames.read(old[name]), frames.read(new[name])
            if one is not None and other is not None and (change := tables.compare(one, other)).differs:
                found.append(NamedTable(name, change))
    return found


def _bundles(outputs: Sequence[Any] | None) -> list[Mapping[str, Any]]:
    found = [output.get("data") for output in outputs or () if isinstance(output, Mapping)]
    return [bundle for bundle in found if isinstance(bundle, Mapping)]


def _html(outputs: Sequence[Any] | None) -> list[str]:
    """The texts that may be tables."""
    texts = [bundle.get(_HTML) for bundle in _bundles(outputs)]
    joined = ["".join(map(str, text)) if isinstance(text, list) else text for text in texts]
    return [text for text in joined if isinstance(text, str) and "<table" in text]


def _scraps(outputs: Sequence[Any] | None) -> dict[str, Any]:
    """The data of the tables that were glued, by name."""
    found = [bundle.get(_FRAME) for bundle in _bundles(outputs)]
    return {
        scrap["name"]: scrap.get("data")
        for scrap in found
        if isinstance(scrap, Mapping) and isinstance(scrap.get("name"), str)
    }
