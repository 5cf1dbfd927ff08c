"""The table in a scrap of encoder `pandas`: a parquet file in base64. Read with pyarrow, where that is installed."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Sequence
from typing import Any

from nbpr.diff.htmltable import Row, Table

#: Files of more bytes are not read, nor what unpacks to more, nor tables of more values.
_PACKED = 5_000_000
_UNPACKED = 50_000_000
_LARGEST = 200_000

#: As much of a value as is compared and shown.
_LONGEST = 200

#: What pandas names the column of an index that has no name.
_UNNAMED = "__index_level_"


def read(data: Any) -> Table | None:
    """The table, values as text; None without pyarrow, for what is no parquet file and for a too large one."""
    raw = _bytes(data)
    if raw is None:
        return None
    try:
        from pyarrow import ArrowException, parquet  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        return None
    try:
        file = parquet.ParquetFile(io.BytesIO(raw))
        about = file.metadata
        size = sum(about.row_group(n).total_byte_size for n in range(about.num_row_groups))
        if about.num_rows * about.num_columns > _LARGEST or size > _UNPACKED:
            return None
        found = file.read()
        index = _index(found)
        names = [name for name in found.column_names if name not in index]
        columns = {name: _texts(found.column(name)) for name in found.column_names}
    except (ArrowException, OSError, ValueError, TypeError, KeyError):
        return None
    labels = [columns[name] for name in index]
    rows = tuple(
        Row(" / ".join(label[n] for label in labels), tuple(columns[name][n] for name in names))
        for n in range(found.num_rows)
    )
    return Table(tuple(names), rows, (len(rows), len(names)))


def _bytes(data: Any) -> bytes | None:
    if not isinstance(data, str) or len(data) > _PACKED * 4 // 3:
        return None
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None


def _index(table: Any) -> list[str]:
    """The columns that are the index, as pandas notes in the file; a plain range is none."""
    noted = table.schema.pandas_metadata or {}
    columns = [name for name in noted.get("index_columns", ()) if isinstance(name, str)]
    return [name for name in table.column_names if name in columns or name.startswith(_UNNAMED)]


def _texts(column: Any) -> Sequence[str]:
    return [_text(value.as_py()) for value in column]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.12g}"
    return "" if value is None else str(value)[:_LONGEST]
