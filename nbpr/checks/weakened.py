"""`weakened`: the change takes no guard away: no marker, no `glue`, no bound, no allow-list entry, no setting.

What is found is not obeyed either: the rules are base's. It is told, so that whoever merges it knows.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from nbpr.config import CHECKS, Bound, Config
from nbpr.findings import Finding, Level
from nbpr.notebooks.cell import Cell
from nbpr.notebooks.markers import Markers, markers
from nbpr.notebooks.notebook import Notebook

_GLUE = re.compile(r"\bglue\(\s*[rbuf]{0,2}([\"'])(?P<name>[^\"'\n]{1,200})\1")
_LEVELS = ("off", "warning", "error")
_KEPT = ("none", "scraps", "marked", "all")
_SANDBOXES = ("none", "auto", "bwrap")
_SKIPS = ("never", "label", "commit")
_HINT = "the gate goes by base; if it is meant, somebody with the right to has to merge it nevertheless"
_PRIVATE = "nbpr-private"


def check(before: Notebook | None, after: Notebook, path: str) -> list[Finding]:
    """The guards that a notebook loses: markers of its cells, and scraps that are glued no more."""
    if before is None:
        return []
    lost = dict.fromkeys(_glued(before)) if _glued(before) else {}
    kept = _glued(after)
    gone = [_finding(path, f"the scrap {name} is glued no more") for name in lost if name not in kept]
    return [*_markers(before, after, path), *gone]


def scraps(before: Container[str], after: Container[str], path: str, told: Iterable[Finding] = ()) -> list[Finding]:
    """The scraps that base's run has and a run of now has not, but for those that were told of."""
    known = {finding.message for finding in told}
    found = [_finding(path, f"the scrap {name} is glued no more") for name in _names(before) if name not in after]
    return [finding for finding in found if finding.message not in known]


def _names(of: Container[str]) -> list[str]:
    return list(of) if isinstance(of, Iterable) else []


def run_gone(path: str, run: str) -> Finding:
    """The finding for a reference run that is taken away while its notebook stays."""
    return _finding(path, f"the reference run {run} is taken away, so nothing is compared any more")


def _glued(nb: Notebook) -> dict[str, None]:
    sources = (cell.source for cell in nb.cells if cell.is_code)
    return {found["name"]: None for source in sources for found in _GLUE.finditer(_without_comments(source))}


def _without_comments(source: str) -> str:
    return "\n".join(line for line in source.splitlines() if not line.lstrip().startswith("#"))


# -- cells -------------------------------------------------------------------------------------------------


def _markers(before: Notebook, after: Notebook, path: str) -> Iterator[Finding]:
    matched = _matched(before, after)
    for old, new in matched:
        was = markers(old.source, old.tags)
        if new is None:
            if was.check:
                yield _finding(path, "a cell whose output was checked is taken away", old.id)
            continue
        yield from _of_cell(was, markers(new.source, new.tags), path, new.id)
        if _PRIVATE in new.tags and _PRIVATE not in old.tags:
            yield _finding(path, f"a cell is tagged {_PRIVATE} now: its outputs are not compared any more", new.id)
    known = {id(new) for _, new in matched}
    for cell in after.cells:
        if cell.is_code and id(cell) not in known:
            now = markers(cell.source, cell.tags)
            if now.skip or now.raises:
                what = "is left out (NBVAL_SKIP)" if now.skip else "may raise"
                yield _finding(path, f"a new cell {what}", cell.id, level="warning")


def _of_cell(was: Markers, now: Markers, path: str, cell_id: str | None) -> Iterator[Finding]:
    if was.check and not now.check:
        yield _finding(path, "a cell's output is not checked any more (NBVAL_CHECK_OUTPUT)", cell_id)
    if now.check is False and was.check is None:
        yield _finding(path, "a cell's output is ignored now (NBVAL_IGNORE_OUTPUT)", cell_id)
    if now.skip and not was.skip:
        yield _finding(path, "a cell is left out now (NBVAL_SKIP)", cell_id)
    if now.raises and not was.raises:
        yield _finding(path, "a cell may raise now (raises-exception)", cell_id)


def _matched(before: Notebook, after: Notebook) -> list[tuple[Cell, Cell | None]]:
    """Each code cell of base with what it is now: by id, else by its source."""
    theirs = [cell for cell in after.cells if cell.is_code]
    by_id = {cell.id: cell for cell in theirs if cell.id}
    used: set[int] = set()
    found: list[tuple[Cell, Cell | None]] = []
    for old in (cell for cell in before.cells if cell.is_code):
        new = by_id.get(old.id) if old.id else None
        if new is None:
            alike = (each for each in theirs if id(each) not in used and (not each.id or each.id not in _ids(before)))
            new = next((each for each in alike if _bare(each.source) == _bare(old.source)), None)
        if new is not None:
            used.add(id(new))
        found.append((old, new))
    return found


def _ids(nb: Notebook) -> set[str | None]:
    return {cell.id for cell in nb.cells}


def _bare(source: str) -> str:
    """A source without its comments and its white space: what it is known by where there is no id."""
    return "\n".join(line.strip() for line in _without_comments(source).splitlines() if line.strip())


# -- settings ----------------------------------------------------------------------------------------------


def settings(before: Config, after: Config, place: str) -> list[Finding]:
    """The guards that the settings as a whole lose; `place` is the file that has them."""
    found = [
        *(f"the notebooks {glob} are looked at no more" for glob in before.notebooks if glob not in after.notebooks),
        *_lower("gate.skip", _SKIPS[::-1], before.gate.skip, after.gate.skip),
        *_of_one(before, after),
    ]
    if before.runs != after.runs:
        found.append(f"runs are kept in {after.runs}, not in {before.runs}, any more")
    return [_finding(place, message) for message in found]


def own_settings(before: Config, after: Config, path: str, *, told: Iterable[Finding] = ()) -> list[Finding]:
    """The guards that the settings of one notebook lose, but for those that all of them lose, which are `told`."""
    known = {finding.message for finding in told}
    return [_finding(path, message) for message in _of_one(before, after) if message not in known]


def _of_one(before: Config, after: Config) -> Iterator[str]:
    for name in CHECKS:
        yield from _lower(f"checks.{name}", _LEVELS, before.level(name), after.level(name))
    for name, bound in before.scraps.items():
        yield from _bound(name, bound, after.scraps.get(name))
    yield from _reproduce(before, after)
    if before.require_reference and not after.require_reference:
        yield "require-reference is false now"
    yield from _lower("outputs", _KEPT, before.outputs, after.outputs)
    yield from _inputs(before.inputs, after.inputs)
    for name, old, new in (
        ("max-output", before.max_output, after.max_output),
        ("max-run", before.max_run, after.max_run),
    ):
        if new > old:
            yield f"{name} is {new} now, was {old}"
    if before.sanitize_with != after.sanitize_with and after.sanitize_with:
        yield f"sanitize-with is {after.sanitize_with} now, was {before.sanitize_with or 'not set'}"
    yield from _running(before, after)
    yield from _cleaning(before, after)


def _lower(name: str, order: tuple[str, ...], old: str, new: str) -> Iterator[str]:
    if order.index(new) < order.index(old):
        yield f"{name} is {new} now, was {old}"


def _reproduce(before: Config, after: Config) -> Iterator[str]:
    order = (False, "auto", True)
    if order.index(after.reproduce) < order.index(before.reproduce):
        yield f"reproduce is {_toml(after.reproduce)} now, was {_toml(before.reproduce)}"


def _bound(name: str, old: Bound, new: Bound | None) -> Iterator[str]:
    if new is None:
        yield f"the bounds of {name} are taken away"
        return
    for key, was, now, is_wider in (
        ("min", old.min, new.min, lambda was, now: now < was),
        ("max", old.max, new.max, lambda was, now: now > was),
        ("equals", old.equals, new.equals, lambda was, now: True),
        ("max-drop", old.max_drop, new.max_drop, _is_wider),
        ("max-rise", old.max_rise, new.max_rise, _is_wider),
    ):
        if was is None or was == now:
            continue
        if now is None:
            yield f"{name}: {key} {_toml(was)} is taken away"
        elif is_wider(was, now):
            yield f"{name}: {key} is {_toml(now)} now, was {_toml(was)}"


def _is_wider(was: Any, now: Any) -> bool:
    """Whether a drop or rise may be more; of a share and a number nobody knows, so that it counts."""
    shares = [isinstance(each, str) and each.strip().endswith("%") for each in (was, now)]
    try:
        old, new = (float(str(each).strip().rstrip("%")) for each in (was, now))
    except ValueError:
        return True
    return shares[0] != shares[1] or new > old


def _inputs(old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[str]:
    if not new:
        return  # everything
    gone = [glob for glob in old if glob not in new]
    if not old:
        yield f"inputs are {', '.join(new)} only, no more every tracked file"
    elif gone:
        yield f"inputs are narrowed: without {', '.join(gone)}"


def _running(before: Config, after: Config) -> Iterator[str]:
    old, new = before.execute, after.execute
    yield from _lower("execute.sandbox", _SANDBOXES, old.sandbox, new.sandbox)
    if new.network and not old.network:
        yield "execute.network is true now"
    for name, had, has in (
        ("env", old.env, new.env),
        ("readable", old.readable, new.readable),
        ("secrets", old.secrets, new.secrets),
    ):
        more = [each for each in has if each not in had]
        if more:
            yield f"execute.{name} has {', '.join(more)} more"


def _cleaning(before: Config, after: Config) -> Iterator[str]:
    old, new = before.clean, after.clean
    for name, had, has in (
        ("keep-output", old.keep_output, new.keep_output),
        ("keep-metadata-keys", old.keep_metadata_keys, new.keep_metadata_keys),
    ):
        more = [each for each in has if each not in had]
        if more:
            yield f"clean.{name} has {', '.join(more)} more"
    if new.keep_count and not old.keep_count:
        yield "clean.keep-count is true now"
    if new.max_size > old.max_size:
        yield f"clean.max-size is {new.max_size} now, was {old.max_size}"


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# -- files -------------------------------------------------------------------------------------------------


def allowed(before: Mapping[str, str], after: Mapping[str, str], place: str) -> list[Finding]:
    """A finding for each entry that the allow-list gets."""
    more = [digest for digest in after if digest not in before]
    return [_finding(place, f"the allow-list gets {digest} ({after[digest]})") for digest in more]


def accepted(count: int, place: str) -> list[Finding]:
    """The finding for a file of accepted findings that gets more of them."""
    words = "1 finding more is" if count == 1 else f"{count} findings more are"
    return [_finding(place, f"{words} accepted")] if count else []


def sanitizing(before: bytes | None, after: bytes | None, place: str) -> list[Finding]:
    """The finding for a sanitize file that takes out more than it did."""
    more = [line for line in _regexes(after) if line not in _regexes(before)]
    return [_finding(place, f"the sanitize file takes out more: {line[:120]}") for line in more]


def _regexes(data: bytes | None) -> list[str]:
    lines = (data or b"").decode("utf-8", "replace").splitlines()
    return [line.partition(":")[2].strip() for line in lines if line.strip().lower().startswith("regex")]


def unreadable(place: str, problem: str) -> Finding:
    """The finding for head's settings where they cannot be read: then nobody knows what they take away."""
    return _finding(place, f"what head has cannot be read: {problem}")


def _finding(path: str, message: str, cell_id: str | None = None, level: Level = "error") -> Finding:
    return Finding("weakened", level, path, message, cell_id, _HINT)
