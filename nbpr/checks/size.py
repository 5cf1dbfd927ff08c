"""`size`: no output and no file is larger than what reviewers and forges bear with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from nbpr.config import MEGABYTE
from nbpr.findings import Finding


def check(
    nb: Mapping[str, Any],
    path: str,
    size: int,
    *,
    max_output: int = MEGABYTE,
    max_run: int = 10 * MEGABYTE,
) -> list[Finding]:
    """A finding for a file of over `max_run` bytes, and for each output of over `max_output` bytes of JSON.

    `nb` is a notebook or a run as plain JSON, `size` its file's length in bytes.
    """
    found = [] if size <= max_run else [_whole(path, size, max_run)]
    for index, cell in enumerate(nb.get("cells") or []):
        found += [_output(path, index, cell, large, max_output) for large in _large(cell, max_output)]
    return found


def _whole(path: str, size: int, limit: int) -> Finding:
    hint = 'keep less (outputs = "marked", a tag nbpr-private), or raise max-run'
    return Finding("size", "error", path, f"{readable(size)} in all; at most {readable(limit)}", hint=hint)


def _output(path: str, index: int, cell: Mapping[str, Any], size: int, limit: int) -> Finding:
    identity = cell.get("id")
    message = f"an output of cell {index} has {readable(size)}; at most {readable(limit)}"
    hint = "print or plot less there, tag the cell nbpr-private, or raise max-output"
    return Finding("size", "error", path, message, identity if isinstance(identity, str) else None, hint)


def _large(cell: Any, limit: int) -> Iterator[int]:
    outputs = cell.get("outputs") if isinstance(cell, Mapping) else None
    for output in outputs if isinstance(outputs, list) else []:
        size = output_size(output)
        if size > limit:
            yield size


def output_size(output: Any) -> int:
    """The bytes of an output as compact JSON, which is what it adds to a file but for indents."""
    text = json.dumps(output, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass"))


def readable(size: int) -> str:
    """A number of bytes for people: `999 bytes`, `1.0 kB`, `12.3 MB`."""
    if size < 1000:
        return f"{size} bytes"
    for unit in ("kB", "MB"):
        size_in, size = size / 1000, size // 1000
        if size < 1000 or unit == "MB":
            break
    return f"{size_in:.1f} {unit}"
