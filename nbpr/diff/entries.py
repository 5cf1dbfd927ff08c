"""The entries of nbdime's diff format, as plain JSON, and as the objects that nbdime's own functions take.

The format: https://nbdime.readthedocs.io/en/latest/diffing.html#diff-format
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbpr.notebooks.notebook import quick_imports

Entry = dict[str, Any]


def add(key: str, value: Any) -> Entry:
    """A member that was not there."""
    return {"op": "add", "key": key, "value": value}


def remove(key: str) -> Entry:
    """A member that is gone."""
    return {"op": "remove", "key": key}


def replace(key: str, value: Any) -> Entry:
    """A member that has another value."""
    return {"op": "replace", "key": key, "value": value}


def patch(key: str | int, diff: Sequence[Entry]) -> Entry:
    """A member, or the item of that index, in which something changed."""
    return {"op": "patch", "key": key, "diff": list(diff)}


def replaced(key: int, values: Sequence[Any], length: int) -> list[Entry]:
    """`length` items from `key` on gave way to `values`; either may be none. What is put in comes first."""
    found: list[Entry] = []
    if values:
        found.append({"op": "addrange", "key": key, "valuelist": values if isinstance(values, str) else list(values)})
    if length:
        found.append({"op": "removerange", "key": key, "length": length})
    return found


def as_nbdime(diff: Sequence[Entry]) -> list[Any]:
    """The diff as nbdime's own functions take it: entries with attributes, values that are copies, as nbformat's."""
    quick_imports()
    from nbdime.diff_format import DiffEntry
    from nbformat import from_dict

    def converted(entry: Mapping[str, Any]) -> Any:
        return DiffEntry((key, inner(key, value)) for key, value in entry.items())

    def inner(key: str, value: Any) -> Any:
        if key == "diff":
            return [converted(entry) for entry in value]
        return [from_dict(item) for item in value] if isinstance(value, list) else from_dict(value)

    return [converted(entry) for entry in diff]
