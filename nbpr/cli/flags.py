"""Edits given as options, for every command that takes edits."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from nbpr.errors import BadInput

EditsFile = Annotated[str | None, typer.Option("--edits", metavar="FILE", help="A JSON list of edits; - is stdin.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter; may be repeated.")
]


@dataclass(frozen=True)
class Flags:
    """The edits that are given as options."""

    settings: Sequence[str] = ()
    replace: str | None = None
    insert_after: str | None = None
    insert_before: str | None = None
    append: bool = False
    source: str | None = None
    source_file: str | None = None
    cell_type: str = "code"
    substitute: str | None = None
    old: str | None = None
    new: str | None = None
    tag: str | None = None
    add: Sequence[str] = ()
    remove: Sequence[str] = ()
    delete: Sequence[str] = ()


def gather(file: str | None, flags: Flags) -> list[Any]:
    """The list of edits from a file (`-` is stdin), and after them those given as options. Raises BadInput."""
    from nbpr.notebooks import edits

    listed = edits.from_json(_content(file), file) if file else []
    given = [*listed, *_settings(flags), *_sources(flags), *_changes(flags)]
    if not given and file is None:
        raise BadInput("no edit is given", hint="as in --set threshold=0.9, or --edits FILE")
    return given


def _content(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise BadInput(f"{name}: cannot be read: {error.strerror}") from None


def _settings(flags: Flags) -> list[dict[str, Any]]:
    from nbpr.notebooks.parameters import read_value

    pairs = [setting.partition("=") for setting in flags.settings]
    for name, equals, _ in pairs:
        if not equals or not name.strip():
            raise BadInput(f"--set {name!r} has to be NAME=VALUE")
    return [{"op": "set_parameter", "name": name.strip(), "value": read_value(text)} for name, _, text in pairs]


def _sources(flags: Flags) -> list[dict[str, Any]]:
    """The edit that takes a source: a replacement or a new cell."""
    wanted: list[dict[str, Any]] = []
    if flags.replace is not None:
        wanted.append({"op": "replace", "cell": flags.replace})
    for place, where in (("after", flags.insert_after), ("before", flags.insert_before)):
        if where is not None:
            wanted.append({"op": "insert", place: where, "cell_type": flags.cell_type})
    if flags.append:
        wanted.append({"op": "insert", "at": "end", "cell_type": flags.cell_type})
    if len(wanted) > 1:
        raise BadInput("one source goes to one cell", hint="give one of --replace, --insert-after, --insert-before "
                       "and --append, or all of them through --edits")  # fmt: skip
    if (flags.source is None) == (flags.source_file is None):
        if not wanted and flags.source is None:
            return []
        raise BadInput("the cell's source is needed once: --source TEXT or --source-file FILE")
    if not wanted:
        raise BadInput("--source needs --replace, --insert-after, --insert-before or --append")
    return [{**wanted[0], "source": _source(flags)}]


def _source(flags: Flags) -> str:
    if flags.source_file is None:
        return flags.source or ""
    try:
        return _content(flags.source_file).decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise BadInput(f"{flags.source_file}: not UTF-8, at byte {error.start}") from None


def _changes(flags: Flags) -> list[dict[str, Any]]:
    """Substitution, tags, deletions."""
    found: list[dict[str, Any]] = []
    if (flags.substitute is None) != (flags.old is None) or (flags.old is None) != (flags.new is None):
        raise BadInput("--substitute CELL, --old TEXT and --new TEXT go together")
    if flags.substitute is not None:
        found.append({"op": "substitute", "cell": flags.substitute, "old": flags.old, "new": flags.new})
    if (flags.tag is None) == bool(flags.add or flags.remove):
        raise BadInput("--tag CELL goes together with --add TAG or --remove TAG")
    if flags.tag is not None:
        found.append({"op": "tag", "cell": flags.tag, "add": list(flags.add), "remove": list(flags.remove)})
    return [*found, *({"op": "delete", "cell": cell} for cell in flags.delete)]
