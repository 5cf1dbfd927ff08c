"""What a repository configures: `[tool.nbpr]` in pyproject.toml or nbpr.toml, the environment, then flags.

Settings are frozen and loaded once. An unknown key is an error that names the nearest known one.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from nbpr.errors import BadInput

CheckLevel = Literal["error", "warning", "off"]
OutputPolicy = Literal["all", "marked", "scraps", "none"]

MEGABYTE = 1_000_000

#: The kinds of noise in outputs that there are; all but the last two are left out unless said otherwise.
NOISES = ("timings", "addresses", "progress", "ids", "paths", "durations", "dates")


@dataclass(frozen=True)
class Bound:
    """What a scrap's value must keep to. Drops and rises are absolute, or shares of the baseline ("5%")."""

    min: float | None = None
    max: float | None = None
    equals: Any = None
    max_drop: str | float | None = None
    max_rise: str | float | None = None


@dataclass(frozen=True)
class Execute:
    """How notebooks run: times in seconds, `memory` in bytes and `processes` for a kernel and all that it starts.

    `max_output` is how many characters of its output a cell may keep while it runs, `max_run` how many the whole
    run; 0 is no limit. `secrets` are parameters and where they come from: `NAME=env:VARIABLE`. A sandbox has no
    network unless `network` says so, and hides home folders but for `readable`.
    """

    timeout: float | None = 1800
    cell_timeout: float | None = None
    startup_timeout: float = 60
    memory: int | None = None
    processes: int = 512
    max_output: int = 10 * MEGABYTE
    max_run: int = 50 * MEGABYTE
    jobs: int | None = None
    env: tuple[str, ...] = ()
    sandbox: Literal["none", "auto", "bwrap"] = "auto"
    network: bool = False
    secrets: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    python: str | None = None
    kernel: str | None = None
    python_path: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clean:
    """What the filter keeps and drops, under nbstripout's names.

    `keep_output` are the tags of cells that keep their outputs; outputs of up to `max_size` characters stay anyhow.
    Keys are written `metadata.a` for the notebook's metadata and `cell.metadata.a` for the cells'.
    """

    keep_output: tuple[str, ...] = ("keep_output",)
    keep_count: bool = False
    keep_metadata_keys: tuple[str, ...] = ()
    extra_keys: tuple[str, ...] = ()
    drop_tagged_cells: tuple[str, ...] = ()
    drop_empty_cells: bool = False
    max_size: int = 0


@dataclass(frozen=True)
class Diff:
    """What a diff leaves out of outputs, and how long it looks for likenesses.

    `ignore` names kinds of noise, of `NOISES`; `ignore_patterns` are regular expressions besides; `patience` is in
    seconds of an ordinary machine, counted and not timed.
    """

    ignore: tuple[str, ...] = NOISES[:5]
    ignore_patterns: tuple[str, ...] = ()
    patience: float = 3.0


@dataclass(frozen=True)
class Cache:
    """What is kept of runs that were proven here: up to `max_size` bytes, 0 is nothing, for `max_age` days.

    Without `read` all is run anew, and what comes of it is kept.
    """

    read: bool = True
    max_size: int = 1000 * MEGABYTE
    max_age: float = 14


@dataclass(frozen=True)
class Gate:
    """How the gate judges a pull request: who may have it skipped, and what it posts.

    `skip` is by nobody, by whom the forge lets put on `skip_label`, or also by `[skip nbpr]` in a commit's message,
    which is everybody who writes one. `accepted` is the file of findings that are accepted. `inline` is how many cells
    that changed get a remark of their own in the pull request's diff.
    """

    skip: Literal["never", "label", "commit"] = "never"
    skip_label: str = "nbpr-skip"
    accepted: str = ".nbpr-accepted.json"
    comment: bool = True
    statuses: bool = False
    inline: int = 0


@dataclass(frozen=True)
class Config:
    """One repository's settings, or with `for_notebook` those of one notebook in it."""

    notebooks: tuple[str, ...] = ("notebooks/**/*.ipynb",)
    runs: str = "runs"
    base: str | None = None
    branch_prefix: str = "agent/"
    remote: str | None = None
    forge: str = "auto"
    forge_url: str | None = None
    token_file: str | None = None
    ca_file: str | None = None
    link: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    cwd: Literal["notebook", "repository"] = "notebook"
    outputs: OutputPolicy = "all"
    max_output: int = MEGABYTE
    max_run: int = 10 * MEGABYTE
    reproduce: bool | Literal["auto"] = "auto"
    reproduce_below: float = 120
    require_reference: bool = False
    sanitize_with: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    execute: Execute = Execute()
    clean: Clean = Clean()
    diff: Diff = Diff()
    cache: Cache = Cache()
    gate: Gate = Gate()
    checks: Mapping[str, CheckLevel] = field(default_factory=dict)
    scraps: Mapping[str, Bound] = field(default_factory=dict)
    notebook: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def for_notebook(self, path: str) -> Config:
        """The settings for the notebook at `path` (POSIX, from the root): its own table goes first."""
        own = self.notebook.get(path)
        return self if own is None else _merged(self, own, f'notebook."{path}"')

    def level(self, check: str, default: CheckLevel = "error") -> CheckLevel:
        """The level at which a check reports."""
        return self.checks.get(check, default)


#: The checks whose level can be set.
CHECKS = ("format", "clean", "execute", "reproduce", "reference", "scraps", "secrets", "size", "weakened")

_Settings = TypeVar("_Settings", Config, Execute, Clean, Diff, Cache, Gate, Bound)


def load(
    root: Path | None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """The settings of the repository at `root`: file, then `NBPR_*` of the environment, then `overrides`.

    `overrides` has the shape of the file (`{"execute": {"timeout": 5}}`); its None values count as not given.
    Raises `BadInput` for a file that cannot be read, an unknown key or a value of the wrong kind.
    """
    config = Config()
    if root is not None:
        for place, table in _tables(root):
            _refuse_own(table, place)
            config = _merged(config, table, place)
    config = _merged(config, _from_environment(environ), "environment")
    return _merged(config, _given(overrides or {}), "options")


#: What only a person says, for a machine of theirs: a repository that names them could lead a token astray.
OWN = ("token_file", "ca_file")


def _refuse_own(table: Mapping[str, Any], place: str) -> None:
    for name in OWN:
        for key in {name, name.replace("_", "-")} & table.keys():
            raise BadInput(f"{place}: {key} is not a repository's to say", hint=f"set NBPR_{name.upper()} instead")


def _tables(root: Path) -> Iterable[tuple[str, Mapping[str, Any]]]:
    own, pyproject = root / "nbpr.toml", root / "pyproject.toml"
    if own.is_file():
        yield from _extended(own, _read(own))
    elif pyproject.is_file():
        yield from _extended(pyproject, _read(pyproject).get("tool", {}).get("nbpr", {}))


def _extended(path: Path, table: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """The table itself, after the file that its `extend` takes in."""
    rest = dict(table)
    if "extend" in rest:
        shared = path.parent / str(rest.pop("extend"))
        inner = _read(shared)
        if "extend" in inner:
            raise BadInput(f"{shared.name}: a shared file cannot extend another one")
        yield shared.name, inner.get("tool", {}).get("nbpr", inner)
    yield path.name, rest


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: not TOML: {error}") from None


def _given(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _given(value) if isinstance(value, Mapping) and key != "parameters" else value
        for key, value in table.items()
        if value is not None
    }


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """`NBPR_BASE`, `NBPR_EXECUTE_CELL_TIMEOUT`: a setting's name, its section first, in capitals."""
    table: dict[str, Any] = {}
    sections = (("execute", Execute), ("clean", Clean), ("diff", Diff), ("cache", Cache), ("gate", Gate))
    for section, kind in ((None, Config), *sections):
        for item in fields(kind):
            name = "_".join(["NBPR", *([section] if section else []), item.name]).upper()
            if name in environ and item.name not in (
                "execute",
                "clean",
                "diff",
                "cache",
                "gate",
                "scraps",
                "notebook",
                "checks",
                "parameters",
            ):
                place = table if section is None else table.setdefault(section, {})
                place[item.name] = _from_text(environ[name], item.type)
    return table


def _from_text(text: str, kind: Any) -> Any:
    if "tuple" in str(kind):
        return [part for part in text.split(",") if part]
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, dict | list) else value


def _merged(settings: _Settings, table: Mapping[str, Any], place: str) -> _Settings:
    known = {item.name: item for item in fields(settings)}
    changes: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in known:
            raise _unknown(key, known, place)
        where = f"{place}: {key}"
        changes[name] = _checked(name, value, getattr(settings, name), str(known[name].type), where)
    return replace(settings, **changes)


def _checked(name: str, value: Any, current: Any, kind: str, where: str) -> Any:
    if name in ("execute", "clean", "diff", "cache", "gate"):
        return _merged(current, _table(value, where), where)
    if name == "scraps":
        return {
            **current,
            **{k: _merged(Bound(), _table(v, where), f"{where}.{k}") for k, v in value.items()},
        }
    if name == "notebook":
        return {**current, **_notebook_tables(_table(value, where), where)}
    if name == "checks":
        return {**current, **_levels(_table(value, where), where)}
    if name == "ignore":
        _refuse_unknown(value, where)
    if name == "ignore_patterns":
        _refuse_no_pattern(value, where)
    if name == "parameters":
        return {**current, **_table(value, where)}
    return _value(value, kind, where)


def _notebook_tables(tables: Mapping[str, Any], where: str) -> dict[str, Mapping[str, Any]]:
    for path, table in tables.items():
        _merged(Config(), _table(table, where), f'{where}."{path}"')
    return dict(tables)


def _levels(table: Mapping[str, Any], where: str) -> dict[str, CheckLevel]:
    for name, level in table.items():
        if name not in CHECKS:
            raise _unknown(name, CHECKS, where)
        if level not in get_args(CheckLevel):
            raise BadInput(f"{where}.{name}: {level!r} is none of error, warning, off")
    return dict(table)


def _refuse_unknown(value: Any, where: str) -> None:
    unknown = [name for name in value if name not in NOISES] if isinstance(value, list | tuple) else []
    if unknown:
        raise BadInput(f"{where}: there is no noise {unknown[0]!r}", hint=f"there are {', '.join(NOISES)}")


def _refuse_no_pattern(value: Any, where: str) -> None:
    for pattern in value if _is_strings(value) else ():
        try:
            re.compile(pattern)
        except re.error as error:
            raise BadInput(f"{where}: {pattern!r} is no regular expression: {error}") from None


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadInput(f"{where}: a table is wanted, not {value!r}")
    return value


def _is_strings(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


#: What a setting may be, by its annotation: a word for the message, and the test.
_KINDS: tuple[tuple[str, str, Any], ...] = (
    (
        "tuple[str",
        "a list of strings",
        lambda v: isinstance(v, list | tuple) and all(isinstance(x, str) for x in v),
    ),
    ("bool | Literal", 'true, false or "auto"', lambda v: isinstance(v, bool) or v == "auto"),
    ("bool", "true or false", lambda v: isinstance(v, bool)),
    ("float", "a number", lambda v: isinstance(v, int | float) and not isinstance(v, bool) and v >= 0),
    ("int", "a whole number", lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 0),
    ("str", "a string", lambda v: isinstance(v, str)),
)
#: As Python writes annotations down: with single quotes, whatever the source has.
_CHOICES = {
    "Literal['notebook', 'repository']": ("notebook", "repository"),
    "OutputPolicy": get_args(OutputPolicy),
    "Literal['none', 'auto', 'bwrap']": ("none", "auto", "bwrap"),
    "Literal['never', 'label', 'commit']": ("never", "label", "commit"),
}


def _value(value: Any, kind: str, where: str) -> Any:
    if kind in _CHOICES:
        if value not in _CHOICES[kind]:
            raise BadInput(f"{where}: {value!r} is none of {', '.join(_CHOICES[kind])}")
        return value
    if kind.startswith("str | float") or kind == "Any":
        return value
    for start, word, holds in _KINDS:
        if kind.startswith(start):
            if not holds(value):
                raise BadInput(f"{where}: {word} is wanted, not {value!r}")
            return tuple(value) if isinstance(value, list) else value
    raise AssertionError(f"no rule for settings of type {kind}")


def _unknown(key: str, known: Iterable[str], place: str) -> BadInput:
    names = {name.replace("_", "-"): name.replace("_", "-") for name in known}
    if "execute" in names:
        inner = (item.name.replace("_", "-") for item in fields(Execute))
        names = {name: f"{name} in [execute]" for name in inner} | names
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.4)
    hint = f"did you mean {names[near[0]]}?" if near else f"known are {', '.join(sorted(names))}"
    return BadInput(f"{place}: unknown setting {key!r}", hint=hint)
