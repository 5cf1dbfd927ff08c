"""Tables in outputs, as data: which rows came and went, and which values are other ones by how much.

Read is HTML as pandas writes it (`DataFrame.to_html`, `Styler`), and the data of a scrap of encoder `pandas`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from nbpr.diff import htmltable
from nbpr.diff.htmltable import Row, Table
from nbpr.diff.opcodes import opcodes
from nbpr.diff.pairing import heaviest

#: Gaps of more pairs of rows than this are paired in order instead of by what their rows have in common.
_PAIRS = 2_500

#: Two rows with less than this share of equal values are an old row and a new one.
_ALIKE = 0.5


@dataclass(frozen=True)
class ValueChange:
    """One value of a row that is on both sides. `row` is its label, else its number from 0, as text.

    `change` is the difference where both are numbers, `share` that relative to the value before (0.05 is five
    percent more); None where there is none.
    """

    row: str
    column: str
    before: str
    after: str
    change: float | None = None
    share: float | None = None


@dataclass(frozen=True)
class TableChange:
    """Two tables compared. Shapes are (rows, columns), as pandas states them where it shows a part of a table.

    `rows_added` and `rows_removed` are whole rows. `partial` says that pandas left rows or columns out of what it
    wrote, so that there may be changes that nobody sees here; `reordered` that rows kept stand in another order.
    """

    shape_before: tuple[int, int]
    shape_after: tuple[int, int]
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    rows_added: tuple[Row, ...]
    rows_removed: tuple[Row, ...]
    values: tuple[ValueChange, ...]
    reordered: bool = False
    partial: bool = False

    @property
    def differs(self) -> bool:
        """Whether anything is said to have changed."""
        came_or_went = self.columns_added or self.columns_removed or self.rows_added or self.rows_removed
        return bool(came_or_went or self.values or self.reordered or self.shape_before != self.shape_after)


def compare_tables(before_html: str, after_html: str) -> TableChange | None:
    """What changed between two outputs of type text/html; None where either does not hold exactly one table.

    None too for tables of more than some hundred thousand values. Texts in the result are plain text, neither HTML
    nor escaped: they are notebook content, and hostile as that may be.
    """
    before, after = htmltable.read(before_html), htmltable.read(after_html)
    return None if before is None or after is None else compare(before, after)


def compare(before: Table, after: Table) -> TableChange:
    """What changed between two tables."""
    columns = [(i, j) for i, j in _columns(before, after) if i is not None and j is not None]
    rows = _rows(before, after, columns)
    both = [(i, j) for i, j in rows if i is not None and j is not None]
    return TableChange(
        shape_before=before.shape,
        shape_after=after.shape,
        columns_added=tuple(after.columns[j] for i, j in _columns(before, after) if i is None and j is not None),
        columns_removed=tuple(before.columns[i] for i, j in _columns(before, after) if j is None and i is not None),
        rows_added=tuple(after.rows[j] for i, j in rows if i is None and j is not None),
        rows_removed=tuple(before.rows[i] for i, j in rows if j is None and i is not None),
        values=tuple(_values(before, after, both, columns)),
        reordered=any(one[1] > other[1] for one, other in pairwise(sorted(both))),
        partial=before.partial or after.partial,
    )


Places = list[tuple[int | None, int | None]]
Common = list[tuple[int, int]]


def number(text: str) -> float | None:
    """The number that a text is: "1,234.5", "-3", "12 %" and "1e-3" are some. None for NaN, infinities and words."""
    bare = text.strip().removesuffix("%").strip().replace(",", "").replace("−", "-")
    try:
        found = float(bare) if bare and "_" not in bare else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _key(text: str) -> str:
    """What a value is compared by: pandas writes 1.0 or 1.00 by what else is in the column."""
    found = number(text)
    return text if found is None else f"{found!r}{'%' if text.rstrip().endswith('%') else ''}"


def _columns(before: Table, after: Table) -> Places:
    """Which column is which: by name, the how-manieth of that name."""
    return _named(_numbered(before.columns), _numbered(after.columns))


def _numbered(names: Sequence[str]) -> list[tuple[str, int]]:
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        found.append((name, seen[name]))
        seen[name] += 1
    return found


def _named(before: Sequence[object], after: Sequence[object]) -> Places:
    places = {name: i for i, name in enumerate(before)}
    known = set(after)
    found: Places = [(places.get(name), j) for j, name in enumerate(after)]
    return found + [(i, None) for i, name in enumerate(before) if name not in known]


def _rows(before: Table, after: Table, columns: Common) -> Places:
    """Which row is which: by label where labels are names, else by what stands in them."""
    old, new = ([row.label for row in table.rows] for table in (before, after))
    if _are_names(old) and _are_names(new):
        return _named(old, new)
    a = [tuple(_key(row.values[i]) for i, _ in columns) for row in before.rows]
    b = [tuple(_key(row.values[j]) for _, j in columns) for row in after.rows]
    if len(a) == len(b):
        return [(place, place) for place in range(len(a))] if _mostly(a, b) else _aligned(a, b)
    return _aligned(a, b)


def _are_names(labels: Sequence[str]) -> bool:
    """Whether labels tell rows apart and are more than their numbers."""
    return len(set(labels)) == len(labels) and not all(label.isdigit() or label in ("", "...") for label in labels)


def _mostly(a: Sequence[object], b: Sequence[object]) -> bool:
    """Whether rows of one length stay in their places rather than one came and another went."""
    in_place = sum(x == y for x, y in zip(a, b, strict=True))
    common = sum((Counter(a) & Counter(b)).values())
    return 2 * in_place >= common


def _aligned(a: Sequence[tuple[str, ...]], b: Sequence[tuple[str, ...]]) -> Places:
    found: Places = []
    for op, i1, i2, j1, j2 in opcodes([repr(row) for row in a], [repr(row) for row in b]):
        if op == "equal":
            found += zip(range(i1, i2), range(j1, j2), strict=True)
        else:
            found += _gap(a, b, range(i1, i2), range(j1, j2))
    return found


def _gap(
    a: Sequence[tuple[str, ...]], b: Sequence[tuple[str, ...]], old: range, new: range
) -> Iterator[tuple[int | None, int | None]]:
    """Rows between the same neighbours: those alike are one row that was edited."""
    few = len(old) * len(new) <= _PAIRS
    pairs = dict(_best(a, b, old, new) if few else zip(old, new, strict=False))
    taken = set(pairs.values())
    yield from ((i, pairs.get(i)) for i in old)
    yield from ((None, j) for j in new if j not in taken)


def _best(
    a: Sequence[tuple[str, ...]], b: Sequence[tuple[str, ...]], old: Sequence[int], new: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """The pairs in order that have the most values in common together."""
    yield from ((old[x], new[y]) for x, y in heaviest([[_alike(a[i], b[j]) for j in new] for i in old]))


def _alike(one: Sequence[str], other: Sequence[str]) -> float:
    """The share of equal values, 0 where it is too small to be the same row."""
    equal = sum(x == y for x, y in zip(one, other, strict=True))
    share = equal / len(one) if one else 1.0
    if share < _ALIKE and len(one) == 1:
        share = SequenceMatcher(None, one[0][:200], other[0][:200], autojunk=False).ratio()
    return share if share >= _ALIKE else 0.0


def _values(before: Table, after: Table, rows: Common, columns: Common) -> Iterator[ValueChange]:
    for i, j in sorted(rows, key=lambda pair: pair[1]):
        for m, n in columns:
            old, new = before.rows[i].values[m], after.rows[j].values[n]
            if _key(old) != _key(new):
                change, share = difference(number(old), number(new))
                yield ValueChange(after.rows[j].label or str(j), after.columns[n], old, new, change, share)


def difference(before: float | None, after: float | None) -> tuple[float | None, float | None]:
    """How much more a number is, and what share of the one before that is; None where there is no saying."""
    if before is None or after is None:
        return None, None
    change = after - before
    if not math.isfinite(change):
        return None, None
    share = change / abs(before) if before else None
    return change, share if share is not None and math.isfinite(share) else None


def words(change: TableChange) -> str:
    """A change in one line: "2 rows added, 14 values changed"; it holds numbers and our words alone."""
    counted: Mapping[str, int] = {
        "row added": len(change.rows_added),
        "row removed": len(change.rows_removed),
        "column added": len(change.columns_added),
        "column removed": len(change.columns_removed),
        "value changed": len(change.values),
    }
    parts = [f"{count:,} {_plural(what, count)}" for what, count in counted.items() if count]
    if change.shape_before != change.shape_after:
        parts.append(f"{_shape(change.shape_before)} → {_shape(change.shape_after)}")
    parts += ["rows in another order"] if change.reordered else []
    return ", ".join(parts) or "no value changed"


def value_words(value: ValueChange) -> str:
    """One value in one line: "alerts of row b: 12 → 15 (+3, +25 %)". The names and values are the notebook's."""
    by = [f"{value.change:+.6g}"] if value.change is not None else []
    by += [f"{100 * value.share:+.3g} %"] if value.share is not None else []
    return f"{value.column} of row {value.row}: {value.before} → {value.after}" + (f" ({', '.join(by)})" if by else "")


def _plural(what: str, count: int) -> str:
    noun, verb = what.split()
    return what if count == 1 else f"{noun}s {verb}"


def _shape(shape: tuple[int, int]) -> str:
    return f"{shape[0]:,} × {shape[1]:,}"
