"""Sweeps: one notebook with many sets of parameters, every combination of some values or the rows of a file."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nbpr.errors import BadInput
from nbpr.notebooks.parameters import read_value

#: More runs than this are nobody's intention.
MOST_RUNS = 10_000


def product(words: Sequence[str]) -> list[dict[str, Any]]:
    """Every combination of the values that `NAME=VALUE,VALUE…` give, the last name's changing fastest.

    A comma within brackets or quotes belongs to a value. Raises `BadInput` for what is none, or a name given twice.
    """
    axes: dict[str, list[Any]] = {}
    for word in words:
        name, equals, values = word.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise BadInput(f"--sweep {word}: a name and its values are wanted", hint="--sweep alpha=0.1,0.2")
        if name in axes:
            raise BadInput(f"--sweep {name}: given twice", hint=f"name all values at once: --sweep {name}=1,2")
        axes[name] = [read_value(value) for value in _split(values, word)]
    rows = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())] if axes else []
    return _bounded(rows)


def _split(text: str, word: str) -> list[str]:
    """The values between commas that lie in no brackets and no quotes."""
    parts, depth, quote = [""], 0, ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "[{(":
            depth += 1
        elif char in ")}]":
            depth -= 1
        if char == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += char
    if any(not part.strip() for part in parts):
        raise BadInput(f"--sweep {word}: a value is missing", hint="--sweep alpha=0.1,0.2")
    return [part.strip() for part in parts]


def rows(file: Path) -> list[dict[str, Any]]:
    """The parameters of each run that a file lists: JSON, an array of objects, or CSV with a line of names.

    An empty field of CSV leaves its parameter as it is. Raises `BadInput`, with the place.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: cannot be read: {error}") from None
    found = _of_json(text, file) if file.suffix.lower() == ".json" else list(_of_csv(text, file))
    if not found:
        raise BadInput(f"{file}: no runs in it")
    return _bounded(found)


def _of_json(text: str, file: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{file}: not JSON: {error}") from None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise BadInput(f"{file}: an array of objects is wanted", hint='[{"alpha": 0.1}, {"alpha": 0.2}]')
    return found


def _of_csv(text: str, file: Path) -> Iterator[dict[str, Any]]:
    reader = csv.reader(io.StringIO(text))
    names = [name.strip() for name in next(reader, [])]
    wrong = next((name for name in names if not name.isidentifier() or names.count(name) > 1), None)
    if wrong is not None:
        raise BadInput(f"{file}: line 1: {wrong!r} is no name of a parameter, or stands there twice")
    for fields in reader:
        if not any(field.strip() for field in fields):
            continue
        if len(fields) != len(names):
            raise BadInput(f"{file}: line {reader.line_num}: {len(fields)} fields where line 1 has {len(names)} names")
        yield {name: read_value(field) for name, field in zip(names, fields, strict=True) if field.strip()}


def combined(words: Sequence[str], file: Path | None, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sets of parameters of a sweep: each row of the file with each combination, over those `given` for all."""
    every = product(words) or [{}]
    listed = rows(file) if file is not None else [{}]
    if len(every) * len(listed) > MOST_RUNS:
        raise _too_many(len(every) * len(listed))
    clash = next((name for row in listed for name in row if name in every[0]), None)
    if clash is not None:
        raise BadInput(f"--sweep {clash}: {file} says it too", hint="take it out of one of them")
    found = [{**given, **row, **one} for row in listed for one in every]
    unlike: dict[str, dict[str, Any]] = {json.dumps(each, sort_keys=True, default=str): each for each in found}
    return list(unlike.values())


def _bounded(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(found) > MOST_RUNS:
        raise _too_many(len(found))
    return found


def _too_many(count: int) -> BadInput:
    return BadInput(f"{count:,} runs, and at most {MOST_RUNS:,} are done", hint="sweep over less at a time")
