"""What a gate leaves behind: a folder that a second job, which has the token, posts from.

What is read back was written by a job in which somebody else's notebooks ran. It is taken for what it is: text of a
known shape and size, about notebooks that the reader knows of, and never a verdict.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from nbpr.config import CHECKS
from nbpr.errors import BadInput
from nbpr.findings import Finding, Level
from nbpr.gate.result import GateResult
from nbpr.notebooks import notebook

#: The file with the result, and the folder with the gate's own runs.
RESULT, EXECUTED = "gate.json", "executed"

#: The largest result, and the largest run, that are read back, in bytes.
LARGEST, LARGEST_RUN = 32_000_000, 64_000_000
_LONGEST = 20_000
_MOST = 10_000


def write(result: GateResult, folder: Path) -> None:
    """Write the runs and the result, the result last: without it there is nothing to post."""
    (folder / RESULT).unlink(missing_ok=True)
    for each in result.notebooks:
        if each.executed is not None:
            place = folder / EXECUTED / each.path
            place.parent.mkdir(parents=True, exist_ok=True)
            notebook.write(place, each.executed)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result.as_json(), ensure_ascii=False, indent=1)
    notebook.write(folder / RESULT, (text + "\n").encode("utf-8", "backslashreplace"))


@dataclass(frozen=True)
class Told:
    """What the first job says of one notebook: findings, the record of its run, and the run's bytes."""

    path: str
    findings: tuple[Finding, ...]
    run: Mapping[str, Any] | None
    executed: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Leavings:
    """What a folder holds, of the right shape and size. Nothing else is known of it."""

    base: str | None
    head: str
    notebooks: Mapping[str, Told]


def read(folder: Path) -> Leavings:
    """What a gate left in a folder. Raises `BadInput` for what cannot be of a gate."""
    place = folder / RESULT
    try:
        data = json.loads(_bytes(folder, RESULT, LARGEST))
    except (ValueError, RecursionError):
        raise BadInput(f"{place}: not JSON") from None
    found = _object(data, place)
    base, head = found.get("base"), found.get("head")
    rows = found.get("notebooks")
    if not _is_sha(head) or not (base is None or _is_sha(base)) or not isinstance(rows, list) or len(rows) > _MOST:
        raise _odd(place)
    told = [_told(folder, _object(row, place), place) for row in rows]
    return Leavings(base, str(head), {each.path: each for each in told})


def _told(folder: Path, row: Mapping[str, Any], place: Path) -> Told:
    path, findings = row.get("path"), row.get("findings")
    if not isinstance(path, str) or not _is_path(path) or not isinstance(findings, list) or len(findings) > _MOST:
        raise _odd(place)
    run = row.get("run")
    executed = None
    if os.path.lexists(folder / EXECUTED / path):
        executed = _bytes(folder, f"{EXECUTED}/{path}", LARGEST_RUN)
    return Told(path, tuple(_finding(each, place) for each in findings), _run(run, place), executed)


def _finding(data: Any, place: Path) -> Finding:
    found = _object(data, place)
    if set(found) != {"check", "level", "path", "message", "cell_id", "hint"}:
        raise _odd(place)
    texts = [found["path"], found["message"], found["cell_id"] or "", found["hint"] or ""]
    if found["check"] not in CHECKS or found["level"] not in get_args(Level) or not all(map(_is_text, texts)):
        raise _odd(place)
    return Finding(**found)


#: What is taken over of a run's record, and of which kind it is.
_RECORD: Mapping[str, Any] = {
    "status": str,
    "reason": (str, type(None)),
    "message": (str, type(None)),
    "duration_seconds": (int, float),
    "cells_executed": int,
    "notebook": str,
    "source_sha256": str,
    "scraps": dict,
}


def _run(data: Any, place: Path) -> dict[str, Any] | None:
    if data is None:
        return None
    record = _object(data, place)
    if not all(isinstance(record.get(name), kind) for name, kind in _RECORD.items()):
        raise _odd(place)
    made = {name: record[name] for name in _RECORD}
    failed = record.get("failed_cell")
    if failed is not None:
        cell = _object(failed, place)
        texts = {name: cell.get(name) for name in ("id", "source", "ename", "evalue")}
        index = cell.get("index")
        if not isinstance(index, int) or not all(value is None or isinstance(value, str) for value in texts.values()):
            raise _odd(place)
        failed = {"index": index, **texts}
    return {**made, "failed_cell": failed, "cached": record.get("cached") is True, "role": "gate"}


def _bytes(folder: Path, name: str, most: int) -> bytes:
    """A plain file's bytes: no link, neither it nor a folder on the way, and not more than `most`."""
    place = folder / name
    try:
        if not place.resolve().is_relative_to(folder.resolve()) or not stat.S_ISREG(place.lstat().st_mode):
            raise _odd(place)
        with place.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise BadInput(f"{place}: {error.strerror}", hint="name the folder of nbpr gate --output") from None
    if len(data) > most:
        raise BadInput(f"{place}: more than {most:,} bytes")
    return data


def _object(data: Any, place: Path) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise _odd(place)
    return data


def _is_sha(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 40 and not set(value) - set("0123456789abcdef")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST


def _is_path(path: str) -> bool:
    pure = PurePosixPath(path)
    plain = not pure.is_absolute() and ".." not in pure.parts and "\0" not in path and "\n" not in path
    return plain and len(path) < 1000 and path.endswith(".ipynb")


def _odd(place: Path) -> BadInput:
    return BadInput(f"{place}: not what a gate leaves behind", hint="name the folder of nbpr gate --output")
