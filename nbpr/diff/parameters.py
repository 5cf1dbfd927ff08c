"""Which parameters' values changed between two sources of the parameters cell."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nbpr.errors import BadInput
from nbpr.notebooks import assignments

#: In languages other than Python: `name = value  # comment`, or with R's arrow.
_ASSIGNMENT = re.compile(r"(?m)^(?P<name>[A-Za-z_.]\w*)\s*(?:=(?!=)|<-)\s*(?P<value>[^#\n]*?)\s*(?:#.*)?$")


@dataclass(frozen=True)
class Assignment:
    """A parameter whose value changed, both as written; None is "not there"."""

    name: str
    before: str | None
    after: str | None


def changed(before: str, after: str) -> tuple[Assignment, ...]:
    """The parameters whose values differ between two sources, new ones last."""
    old, new = _values(before), _values(after)
    return tuple(
        Assignment(name, old.get(name), new.get(name))
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    )


def _values(source: str) -> dict[str, str]:
    """What each name is given."""
    try:
        code = assignments.read(source, "parameters")
    except BadInput:
        return {match["name"]: match["value"] for match in _ASSIGNMENT.finditer(source)}
    return {name: code.text(place.value) for name, place in code.last().items()}
