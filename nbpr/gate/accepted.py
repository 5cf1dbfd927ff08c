"""Accepted findings: those of today, in a file that people review, so that only new ones fail.

A finding is known again by its check, its notebook, its cell and what it says, without the cell's place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from nbpr.errors import BadInput
from nbpr.findings import Finding

_MARK = "accepted: "
_FIELDS = ("check", "path", "cell", "message")
_PLACE = re.compile(r"\bcell \d+\b")
#: What a hint says of a credential: the digest by which it alone is known.
_DIGEST = re.compile(r"\b[0-9a-f]{16}\b")


@dataclass(frozen=True)
class Accepted:
    """Accepted findings, each as check, path, cell and message."""

    entries: frozenset[tuple[str, str, str, str]] = frozenset()

    def applied(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """The findings; accepted ones are notes that say so."""
        for finding in findings:
            if finding.level != "note" and entry(finding) in self.entries:
                yield replace(finding, level="note", message=f"{_MARK}{finding.message}", hint=None)
            else:
                yield finding

    def __sub__(self, other: Accepted) -> Accepted:
        return Accepted(self.entries - other.entries)

    def __len__(self) -> int:
        return len(self.entries)


def restored(finding: Finding) -> Finding:
    """The finding as it was before it was accepted, an error."""
    said = finding.message.removeprefix(_MARK)
    return finding if said == finding.message else replace(finding, level="error", message=said)


def entry(finding: Finding) -> tuple[str, str, str, str]:
    """What a finding is known by."""
    message = _PLACE.sub("cell", finding.message)
    if finding.check == "secrets" and (digest := _DIGEST.search(finding.hint or "")):
        message = f"{digest[0]} {message}"
    return (finding.check, finding.path, finding.cell_id or "", message)


def to_bytes(findings: Iterable[Finding]) -> bytes:
    """The file that accepts these findings, notes left out: one line an entry, sorted."""
    entries = sorted({entry(finding) for finding in findings if finding.level != "note"})
    lines = [json.dumps(dict(zip(_FIELDS, each, strict=True)), ensure_ascii=False) for each in entries]
    return ("[\n" + ",\n".join(lines) + ("\n" if lines else "") + "]\n").encode("utf-8", "backslashreplace")


def parse(data: bytes | None, name: str) -> Accepted:
    """The entries of such a file; none where there is no file. Raises `BadInput` for another one."""
    if data is None:
        return Accepted()
    try:
        rows: Any = json.loads(data)
    except ValueError as error:
        raise BadInput(f"{name}: not JSON: {error}") from None
    if not isinstance(rows, list) or not all(_is_entry(row) for row in rows):
        raise BadInput(f"{name}: a list of accepted findings is wanted", hint="nbpr gate --write-baseline makes it")
    return Accepted(frozenset((row["check"], row["path"], row["cell"], row["message"]) for row in rows))


def _is_entry(row: Any) -> bool:
    return isinstance(row, dict) and set(row) == set(_FIELDS) and all(isinstance(value, str) for value in row.values())
