"""`scraps`: the values that a run glued keep to the bounds configured for them.

A bound is absolute (`min`, `max`, `equals`) or against the baseline, which is the base's run (`max-drop`,
`max-rise`, as a number or as a share of the baseline's value, "5%").
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from nbpr.config import Bound
from nbpr.errors import BadInput
from nbpr.findings import Finding


def check(
    values: Mapping[str, Any],
    bounds: Mapping[str, Bound],
    path: str,
    baseline: Mapping[str, Any] | None = None,
) -> list[Finding]:
    """A finding for each bound that a run breaks; it shows the value, the bound and the baseline.

    `values` and `baseline` are scraps as a run record holds them, by name. A scrap that has a bound and was not
    glued, or is no number, is an error. One with nothing to compare it with is a note. Raises BadInput for
    a drop or rise that is neither a number nor a share.
    """
    old = baseline or {}
    return [
        found for name, bound in bounds.items() for found in _broken(name, bound, values.get(name), old.get(name), path)
    ]


def bound_text(bound: Bound) -> str:
    """A bound in words: `min 0.9, max-drop 5%`."""
    named = (("min", bound.min), ("max", bound.max), ("equals", bound.equals))
    moves = (("max-drop", bound.max_drop), ("max-rise", bound.max_rise))
    return ", ".join(f"{name} {value}" for name, value in (*named, *moves) if value is not None)


def _broken(name: str, bound: Bound, value: Any, before: Any, path: str) -> Iterator[Finding]:
    if value is None:
        hint = f'glue it (sb.glue("{name}", …)), or take [tool.nbpr.scraps.{name}] out'
        yield Finding("scraps", "error", path, f"{name} has a bound and was not glued", hint=hint)
        return
    base = f" (base: {_show(before)})" if before is not None else ""
    if bound.equals is not None and not _equal(value, bound.equals):
        yield _error(path, f"{name} is {_show(value)}, not {_show(bound.equals)}{base}")
    if not any(limit is not None for limit in (bound.min, bound.max, bound.max_drop, bound.max_rise)):
        return
    if not _is_number(value):
        yield _error(path, f"{name} is {_show(value)}, not a number; its bounds cannot be checked{base}")
        return
    if bound.min is not None and value < bound.min:
        yield _error(path, f"{name} is {_show(value)}, below min {_show(bound.min)}{base}")
    if bound.max is not None and value > bound.max:
        yield _error(path, f"{name} is {_show(value)}, above max {_show(bound.max)}{base}")
    yield from _moved(name, bound, value, before, path)


def _moved(name: str, bound: Bound, value: float, before: Any, path: str) -> Iterator[Finding]:
    limits = (("max-drop", "dropped", bound.max_drop, -1), ("max-rise", "rose", bound.max_rise, 1))
    for key, verb, limit, sign in limits:
        if limit is None:
            continue
        share, amount = _limit(limit, name, key)
        if not _is_number(before):
            why = "the base has no such scrap" if before is None else f"the base's is {_show(before)}"
            yield Finding("scraps", "note", path, f"{name}: {key} {_show(limit)} not checked: {why}")
            continue
        moved = sign * (value - before)
        allowed = amount * abs(before) if share else amount
        # 1.0 - 0.95 is a little more than 0.05 in binary: what is equal but for that keeps to the bound.
        if moved > allowed and not math.isclose(moved, allowed, rel_tol=1e-9):
            by = _percent(moved, before) if share else _show(moved)
            told = f"{name} {verb} by {by} from {_show(before)} to {_show(value)}"
            yield _error(path, f"{told}; {key} is {limit if share else _show(limit)}")


def _limit(limit: str | float, name: str, key: str) -> tuple[bool, float]:
    """Whether a limit is a share of the baseline, and how much it is."""
    share = isinstance(limit, str) and limit.strip().endswith("%")
    try:
        amount = float(limit.strip().rstrip("%")) / (100 if share else 1) if isinstance(limit, str) else float(limit)
    except (TypeError, ValueError):
        amount = math.nan
    if isinstance(limit, bool) or not amount >= 0:
        raise BadInput(f'scraps.{name}.{key}: a number or a share such as "5%" is wanted, not {limit!r}')
    return share, amount


def _percent(moved: float, before: float) -> str:
    return f"{100 * moved / abs(before):.3g}%" if before else _show(moved)


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False  # a whole number beyond what floats reach


def _equal(value: Any, wanted: Any) -> bool:
    """Equality of JSON values: 1 is 1.0, and true is not 1."""
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _show(value: Any) -> str:
    """A value as a message shows it: floats without binary noise, anything else as JSON, short, on one line."""
    if isinstance(value, float):
        return f"{value:.12g}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"


def _error(path: str, message: str) -> Finding:
    return Finding("scraps", "error", path, message)
