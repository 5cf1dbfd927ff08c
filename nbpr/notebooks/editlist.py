"""A list of edits as agents write it, read into checked values.

Each edit is an object with an `op`; which other members it may have is the table `OPS`. What is wrong with one is
said with its place in the list, and a name that nearly fits.
"""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from nbpr.errors import BadInput
from nbpr.notebooks import jsonscan

PLACES = ("before", "after", "at")
CELL_TYPES = ("code", "markdown", "raw")


class Field(NamedTuple):
    """One member of an edit: what it has to be, in words and as a test; its default, unless it is needed."""

    words: str
    fits: Callable[[Any], bool]
    needed: bool = True
    default: Any = None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _are_tags(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(tag, str) and tag and "," not in tag for tag in value)


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("sha256:[0-9a-f]{64}", value) is not None


_CELL = Field("a cell's id, id:ID, index:N or tag:NAME", _is_name)
_TEXT = Field("a text", _is_text)
_TAGS = Field("a list of tags", _are_tags, needed=False, default=())
_TYPE = Field("code, markdown or raw", lambda value: value in CELL_TYPES, needed=False, default="code")
_EXPECT = Field("sha256: and 64 hex digits", _is_hash, needed=False)
_PLACE = {
    "before": _CELL._replace(needed=False),
    "after": _CELL._replace(needed=False),
    "at": Field("start or end", lambda value: value in ("start", "end"), needed=False),
}
_TARGET = {"cell": _CELL, "expect": _EXPECT}
OPS: Mapping[str, Mapping[str, Field]] = {
    "set_parameter": {"name": Field("a name", _is_name), "value": Field("a value", lambda value: True)},
    "substitute": {**_TARGET, "old": Field("a text that is not empty", _is_name), "new": _TEXT},
    "replace": {**_TARGET, "source": _TEXT},
    "insert": {"cell_type": _TYPE, "source": _TEXT, "tags": _TAGS, **_PLACE},
    "delete": _TARGET,
    "move": {**_TARGET, **_PLACE},
    "tag": {**_TARGET, "add": _TAGS, "remove": _TAGS},
}


@dataclass(frozen=True)
class Edit:
    """One edit: its place in the list (from 1), the notebook it is for, and its members with their defaults."""

    number: int
    op: str
    notebook: str
    fields: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    @property
    def place(self) -> tuple[str, str]:
        """Where to insert or move: which of before, after and at, and the selector, `start` or `end`."""
        return next((kind, self.fields[kind]) for kind in PLACES if self.fields.get(kind) is not None)

    @property
    def title(self) -> str:
        """How messages name it."""
        return f"edit {self.number} ({self.op})"


def from_json(data: bytes, name: str) -> list[Any]:
    """The list of edits in a file or stream called `name`. Raises BadInput."""
    try:
        found = jsonscan.parse(data.decode())
    except UnicodeDecodeError as error:
        raise BadInput(f"{name}: not UTF-8, at byte {error.start}") from None
    except jsonscan.JsonError as error:
        raise BadInput(f"{name}: the edits are not JSON: {error}") from None
    if not isinstance(found, list):
        raise BadInput(f"{name}: edits are a JSON list of objects", hint='as in [{"op": "delete", "cell": "tag:old"}]')
    return found


def parse(json_list: Any, notebooks: Sequence[str]) -> list[Edit]:
    """The edits of a list, all checked; `notebooks` are those they may be for, the only one if they do not say.

    Raises BadInput that names the edit and what is wrong with it.
    """
    if not isinstance(json_list, list | tuple):
        raise BadInput("edits are a list of objects")
    return [_parsed(number, found, notebooks) for number, found in enumerate(json_list, 1)]


def _parsed(number: int, found: Any, notebooks: Sequence[str]) -> Edit:
    if not isinstance(found, Mapping):
        raise BadInput(f"edit {number}: not an object")
    op = found.get("op")
    if not isinstance(op, str) or op not in OPS:
        problem = "op is missing" if op is None else f"unknown op {op!r}"
        raise BadInput(f"edit {number}: {problem}{_nearest(op, OPS)}", hint="ops there are: " + ", ".join(OPS))
    where = f"edit {number} ({op})"
    _check_names(where, found, OPS[op])
    fields = {name: _checked(where, name, found, field) for name, field in OPS[op].items()}
    _check_sense(where, op, fields)
    return Edit(number, op, _notebook(where, found.get("notebook"), notebooks), fields)


def _check_names(where: str, found: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
    for name in found:
        if name not in fields and name not in ("op", "notebook"):
            there = ", ".join(fields)
            raise BadInput(f"{where}: unknown field {name!r}{_nearest(name, fields)}", hint=f"it takes: {there}")


def _checked(where: str, name: str, found: Mapping[str, Any], field: Field) -> Any:
    if name not in found or (found[name] is None and not field.needed):
        if field.needed:
            raise BadInput(f"{where}: {name} is missing: {field.words}")
        return field.default
    if not field.fits(found[name]):
        raise BadInput(f"{where}: {name} has to be {field.words}")
    return tuple(dict.fromkeys(found[name])) if field is _TAGS else found[name]


def _check_sense(where: str, op: str, fields: Mapping[str, Any]) -> None:
    """What no single field shows: where to put a cell, and tags that are to come and to go."""
    if op in ("insert", "move"):
        given = [name for name in PLACES if fields[name] is not None]
        if len(given) != 1:
            said = f"not {' and '.join(given)}" if given else "none is there"
            raise BadInput(f"{where}: it takes one of before, after and at: {said}")
    if op == "tag":
        both = sorted(set(fields["add"]) & set(fields["remove"]))
        if both:
            raise BadInput(f"{where}: {both[0]!r} is to be added and removed")
        if not fields["add"] and not fields["remove"]:
            raise BadInput(f"{where}: neither add nor remove names a tag")


def _notebook(where: str, wanted: Any, notebooks: Sequence[str]) -> str:
    if wanted is None:
        if len(notebooks) == 1:
            return notebooks[0]
        raise BadInput(f"{where}: notebook is missing: it is one of {', '.join(notebooks) or 'none'}")
    if isinstance(wanted, str):
        for path in notebooks:
            if posixpath.normpath(path) == posixpath.normpath(wanted):
                return path
    raise BadInput(f"{where}: notebook {wanted!r} is not one of {', '.join(notebooks) or 'none'}")


def _nearest(name: Any, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def normalise(edits: Iterable[Edit]) -> list[dict[str, Any]]:
    """The edits as canonical JSON, for a key: without defaults, without what only guards (`expect`), ids plain."""
    return [_normal(edit) for edit in edits]


def _normal(edit: Edit) -> dict[str, Any]:
    known = OPS[edit.op]
    fields = {name: value for name, value in edit.fields.items() if name != "expect" and value != known[name].default}
    plain = {name: _plain(name, value) for name, value in fields.items()}
    if "value" in edit.fields:
        plain["value"] = edit["value"]
    return {key: plain[key] for key in sorted(plain)} | {"notebook": edit.notebook, "op": edit.op}


def _plain(name: str, value: Any) -> Any:
    if name in ("cell", "before", "after"):
        return value.removeprefix("id:")
    return list(value) if isinstance(value, tuple) else value
