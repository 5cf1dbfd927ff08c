"""`secrets`: no credential in a notebook's sources, outputs, parameters or metadata.

What is found is never told: findings say what kind it is, where it stands, and the digest that would allow it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from nbpr.checks import detectors
from nbpr.findings import Finding
from nbpr.notebooks import allowlist, celltext
from nbpr.notebooks.celltext import Text
from nbpr.notebooks.notebook import Notebook

#: How many findings one notebook has at most; the rest is mostly more of the same.
TOLD = 20
#: What keeps texts apart. No pattern goes beyond a NUL.
_BETWEEN = "\n\0\n"


@dataclass(frozen=True)
class Secret:
    """A credential in a notebook: its kind, and where it stands; the value never shows."""

    kind: str
    text: Text
    line: int
    value: str = field(repr=False)

    @property
    def digest(self) -> str:
        """What the allow-list knows it by."""
        return allowlist.digest(self.value)


def check(notebook: Notebook, path: str, allowed: Container[str] = ()) -> list[Finding]:
    """A finding for each credential, in the order of the cells; those whose digest is `allowed` left out."""
    return findings(secrets(celltext.texts(notebook)), path, allowed)


def secrets(texts: Iterable[Text]) -> list[Secret]:
    """The credentials in some texts, in their order."""
    known = list(texts)
    starts: list[int] = []
    at = 0
    for text in known:
        starts.append(at)
        at += len(text.text) + len(_BETWEEN)
    whole = _BETWEEN.join(text.text.replace("\0", " ") for text in known)
    found = [_placed(match, known, starts) for match in detectors.matches(whole)]
    found += _named(known, {secret.value for _, _, secret in found})
    return [secret for _, _, secret in sorted(found, key=lambda each: each[:2])]


def _placed(match: detectors.Match, texts: Sequence[Text], starts: Sequence[int]) -> tuple[int, int, Secret]:
    number = bisect_right(starts, match.start) - 1
    text, start = texts[number], match.start - starts[number]
    return number, start, Secret(match.kind, text, text.text.count("\n", 0, start) + 1, match.value)


def _named(texts: Sequence[Text], told: Container[str]) -> Iterator[tuple[int, int, Secret]]:
    for number, text in enumerate(texts):
        for match in detectors.named(text.name, text.text) if text.name else ():
            if match.value not in told:
                yield number, 0, Secret(match.kind, text, 1, match.value)


def findings(found: Iterable[Secret], path: str, allowed: Container[str] = ()) -> list[Finding]:
    """What is told of credentials: one finding for a value in a cell, however often it stands there."""
    places: dict[tuple[int | None, str], list[Secret]] = {}
    for secret in found:
        if secret.digest not in allowed:
            places.setdefault((secret.text.cell, secret.digest), []).append(secret)
    told = [_finding(path, same) for same in list(places.values())[:TOLD]]
    if len(places) > TOLD:
        told.append(Finding("secrets", "error", path, f"{len(places) - TOLD} more that look like credentials"))
    return told


def _finding(path: str, same: Sequence[Secret]) -> Finding:
    first = same[0]
    cell = "" if first.text.cell is None else f"cell {first.text.cell}, "
    more = f" (and {len(same) - 1} more there)" if len(same) > 1 else ""
    message = f"{cell}{first.text.place}, line {first.line}: {first.kind}{more}"
    hint = f"take it out, and revoke it if it was real; if it is none, add to {allowlist.NAME}: "
    return Finding("secrets", "error", path, message, first.text.cell_id, hint + allowlist.entry(first.value))


def without(findings: Iterable[Finding], found: Sequence[Secret]) -> Iterator[Finding]:
    """Findings of any check without the values of credentials, which a schema's message or a cell's id may repeat."""
    values = sorted({part for secret in found for part in secret.value.split()}, key=len, reverse=True)
    for finding in findings:
        message, hint, cell_id = (_hidden(text, values) for text in (finding.message, finding.hint, finding.cell_id))
        yield replace(finding, message=message or "", hint=hint, cell_id=cell_id)


def _hidden(text: str | None, values: Sequence[str]) -> str | None:
    for value in values if text else ():
        text = text.replace(value, "…") if text and len(value) >= 6 else text
    return text
