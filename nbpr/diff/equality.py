"""Whether two values are the same JSON: 1, 1.0 and true are three things, NaN is like NaN, key order is nothing."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Any


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same JSON, whatever the order of their keys, and however deep they are nested."""
    if a is b or isinstance(a, str):
        return a is b or bool(a == b)
    left = [(a, b)]
    while left:
        one, other = left.pop()
        if one is other:
            continue
        if isinstance(one, str):
            # Most of a notebook is text: to ask of it whether it is a mapping takes longer than to compare it.
            if one != other:
                return False
        elif isinstance(one, (dict, Mapping)):
            if not isinstance(other, Mapping) or len(one) != len(other) or not all(key in other for key in one):
                return False
            left += [(value, other[key]) for key, value in one.items()]
        elif isinstance(one, list):
            if not isinstance(other, list) or len(one) != len(other):
                return False
            left += zip(one, other, strict=True)
        elif not _same_leaf(one, other):
            return False
    return True


def canonical(value: Any) -> str:
    """One text for all spellings of the same JSON."""
    return json.dumps(value, sort_keys=True)


def frozen(value: Any) -> Hashable:
    """The same hashable value for all spellings of the same JSON, which shares the texts in it.

    What is nested too deep is like nothing else.
    """
    try:
        return _frozen(value)
    except RecursionError:
        return "deep", id(value)


def _frozen(value: Any) -> Hashable:
    if isinstance(value, Mapping):
        return frozenset([(key, _frozen(item)) for key, item in value.items()])
    if isinstance(value, list):
        return "list", *map(_frozen, value)
    if isinstance(value, bool | float):
        return type(value).__name__, repr(value)
    found: Hashable = value
    return found


def _same_leaf(a: Any, b: Any) -> bool:
    """Numbers, true, false and null. A float's text also tells -0.0 from 0.0."""
    if isinstance(a, float):
        return isinstance(b, float) and repr(a) == repr(b)
    return type(a) is type(b) and bool(a == b)
