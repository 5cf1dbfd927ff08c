"""The results of several runs as one table: a row for each run, with its parameters and scraps."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbpr.errors import BadInput
from nbpr.notebooks import notebook

#: What each row says of its run, before parameters and scraps.
FACTS = ("notebook", "run_id", "status", "reason", "duration_seconds")
#: What a row says of one scrap.
OF_SCRAP = ("notebook", "name", "data", "encoder")
#: Of these, what holds whatever a notebook has recorded.
_DATA = ("data", "before", "after")
FORMATS = (".csv", ".json", ".parquet")

Record = Mapping[str, Any]
Row = dict[str, Any]


def columns(records: Sequence[Record]) -> tuple[list[str], list[str]]:
    """The names of all parameters and of all scraps, in the order in which they first occur."""
    found: tuple[dict[str, None], dict[str, None]] = ({}, {})
    for record in records:
        for names, key in zip(found, ("parameters", "scraps"), strict=True):
            names.update(dict.fromkeys(record[key]))
    return list(found[0]), list(found[1])


def rows(records: Sequence[Record]) -> list[Row]:
    """A row for each record, all with the same keys: facts, `parameters.NAME`, `scraps.NAME`; None: it has none."""
    parameters, scraps = columns(records)
    return [
        {
            **{name: record[name] for name in FACTS},
            **{f"parameters.{name}": record["parameters"].get(name) for name in parameters},
            **{f"scraps.{name}": record["scraps"].get(name) for name in scraps},
        }
        for record in records
    ]


def check(place: Path, option: str = "--scraps") -> None:
    """Raises `BadInput` for a file that no table can be written to, before anything runs."""
    if place.suffix.lower() not in FORMATS:
        raise BadInput(f"{option} {place}: {', '.join(FORMATS)} are known")
    if not place.absolute().parent.is_dir():
        raise BadInput(f"{option} {place}: there is no such folder")
    if place.suffix.lower() == ".parquet":
        _parquet()


def write(records: Sequence[Record], place: Path) -> None:
    """Write the table in the format that the file's name says. Raises `BadInput` as `check` does."""
    check(place)
    _write(rows(records), place, FACTS)


def write_scraps(scraps: Sequence[Row], place: Path) -> None:
    """Write scraps, a row for each, in the format that the file's name says. Raises `BadInput`."""
    check(place, "--output")
    _write(scraps, place, OF_SCRAP)


def _write(made: Sequence[Row], place: Path, head: Sequence[str]) -> None:
    ending = place.suffix.lower()
    if ending == ".json":
        data = (json.dumps(made, ensure_ascii=False, indent=2) + "\n").encode()
    elif ending == ".csv":
        data = _csv(made, head).encode()
    else:
        data = _as_parquet(made, head)
    notebook.write(place, data)


def _csv(made: Sequence[Row], head: Sequence[str]) -> str:
    """CSV in which what is no number is JSON, so that no spreadsheet takes a text for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(made[0] if made else head)
    for row in made:
        writer.writerow([value if name in head and name not in _DATA else _field(value) for name, value in row.items()])
    return out.getvalue()


def _field(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _as_parquet(made: Sequence[Row], head: Sequence[str]) -> bytes:
    pyarrow, parquet = _parquet()
    names = list(made[0]) if made else list(head)
    table = pyarrow.table({name: pyarrow.array(*_column([row[name] for row in made], pyarrow)) for name in names})
    out = io.BytesIO()
    parquet.write_table(table, out)
    return out.getvalue()


def _column(values: list[Any], pyarrow: Any) -> tuple[list[Any], Any]:
    """A column and its type: numbers, truths and texts as they are, where all are of one kind, else as JSON."""
    there = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in there):
        return values, pyarrow.bool_()
    if all(isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 for value in there):
        return values, pyarrow.int64()
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in there):
        return [value if value is None else float(value) for value in values], pyarrow.float64()
    if all(isinstance(value, str) for value in there):
        return values, pyarrow.string()
    return [value if value is None else json.dumps(value, ensure_ascii=False) for value in values], pyarrow.string()


def _parquet() -> tuple[Any, Any]:
    try:
        import pyarrow  # type: ignore[import-untyped]
        from pyarrow import parquet
    except ImportError:
        hint = "pip install pyarrow, or write .csv or .json"
        raise BadInput("Parquet needs pyarrow, which is not installed here", hint=hint) from None
    return pyarrow, parquet
