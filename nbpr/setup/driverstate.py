"""Whether git's filter and drivers of ours are set up in a clone, start there, and do what they are for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nbpr.findings import Finding
from nbpr.git.attributes import DRIVER
from nbpr.git.repository import Repository, blob_sha
from nbpr.git.tracked import Tracked, has_filter
from nbpr.notebooks.clean import clean, options_for
from nbpr.notebooks.notebook import parse
from nbpr.process import ProcessFailed
from nbpr.setup import drivers
from nbpr.setup.phantoms import phantoms

_INIT = "nbpr init"
_PLACE = ".git/config"
_PROBE = b"""{"cells": [{"cell_type": "code", "execution_count": 1, "id": "probe", "metadata": {},
 "outputs": [{"name": "stdout", "output_type": "stream", "text": "probe"}], "source": ""}],
 "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
"""
#: What is lost where a driver is missing, by the setting that makes it known.
_LOST = {
    f"diff.{DRIVER}.command": "git diff shows JSON instead of cells",
    f"diff.{DRIVER}.textconv": "git log -p and git show show JSON instead of cells",
    f"merge.{DRIVER}.driver": "git merges notebooks line by line, not cell by cell",
}


def filtering(tracked: Tracked) -> Iterator[Finding]:
    """What is wrong with the clean filter: not there, its interpreter gone, not cleaning, not required."""
    repository = tracked.repository
    if not has_filter(repository, DRIVER):
        yield from _unknown_filter(tracked)
        return
    gone = _gone(repository)
    problem = f"the filter's program is gone: {gone}" if gone else _failure(tracked)
    if problem:
        yield Finding("filter", "error", _PLACE, problem, hint=f"{_INIT} writes it anew")
    if repository.setting(f"filter.{DRIVER}.required") != "true":
        message = "the filter is not required: where it cannot start, outputs are committed"
        yield Finding("filter", "warning", _PLACE, message, hint=_INIT)
    elif not repository.setting(f"filter.{DRIVER}.smudge"):
        message = "no smudge command: git checks no notebook out"
        yield Finding("filter", "error", _PLACE, message, hint=_INIT)


def _unknown_filter(tracked: Tracked) -> Iterator[Finding]:
    """This clone knows no filter of ours: an error, unless another one does the work."""
    others = {found.get("filter", "") for found in tracked.attributes(tracked.notebooks).values()}
    if DRIVER in others:
        message = f".gitattributes wants the filter {DRIVER}, which this clone does not have: outputs are committed"
        yield Finding("filter", "error", _PLACE, message, hint=_INIT)
    elif not others or not all(has_filter(tracked.repository, name) for name in others):
        message = f"there is no filter {DRIVER} here: notebooks are committed with their outputs"
        yield Finding("filter", "error", _PLACE, message, hint=_INIT)


def _gone(repository: Repository) -> str | None:
    """The interpreter of one of our commands, if it is not where it was."""
    names = [name for name in drivers.settings() if name.startswith(f"filter.{DRIVER}.")]
    found = (drivers.interpreter_of(repository.setting(name) or "") for name in names)
    return next((path for path in found if path and not os.access(path, os.X_OK)), None)


def _failure(tracked: Tracked) -> str | None:
    """What is wrong with the filter, which git itself is asked to send a notebook of ours through, or None."""
    with tempfile.TemporaryDirectory(prefix="nbpr-") as folder:
        rules = Path(folder) / "attributes"
        rules.write_text(f"*.nbpr-probe filter={DRIVER}\n", encoding="utf-8")
        words = ("hash-object", "--stdin", "--path", "a.nbpr-probe")
        settings = (f"core.attributesFile={rules.as_posix()}", f"filter.{DRIVER}.required=true")
        try:
            sha = tracked.repository.run(*words, stdin=_PROBE, settings=settings).text
        except ProcessFailed as failure:
            return f"the filter fails: {_reason(failure)}"
    wanted = blob_sha(clean(parse(_PROBE, "probe.ipynb"), options_for(tracked.config)).to_bytes())
    if sha == wanted:
        return None
    same = " (what it is given comes back as it is)" if sha == blob_sha(_PROBE) else ""
    return f"the filter does not clean{same}"


def _reason(failure: ProcessFailed) -> str:
    """What the filter itself said, before git said that it failed."""
    lines = failure.completed.stderr.decode("utf-8", "replace").strip().splitlines()
    said = [line for line in lines if not line.startswith(("error:", "fatal:"))]
    return (said or lines or ["no message"])[-1].removeprefix("nbpr: ")


def speed(tracked: Tracked) -> Iterator[Finding]:
    """What makes git slower than it need be."""
    setting = tracked.repository.setting
    if setting(f"filter.{DRIVER}.clean") and not setting(f"filter.{DRIVER}.process"):
        message = "git starts the filter anew for each notebook: filter.nbpr.process is not set"
        yield Finding("speed", "warning", _PLACE, message, hint=_INIT)


def showing(tracked: Tracked) -> Iterator[Finding]:
    """What is wrong with the diff and merge drivers: not there, gone, of an older nbpr, or not asked."""
    repository = tracked.repository
    if not has_filter(repository, DRIVER):
        return  # said already: nothing is set up
    for name, lost in _LOST.items():
        command = repository.setting(name)
        path = drivers.interpreter_of(command or "")
        if command is None:
            yield Finding("drivers", "warning", _PLACE, f"{name} is not set: {lost}", hint=_INIT)
        elif path and not os.access(path, os.X_OK):
            yield Finding("drivers", "error", _PLACE, f"{name} starts a program that is gone: {path}", hint=_INIT)
        elif path and command != drivers.settings(path)[name]:
            yield Finding("drivers", "warning", _PLACE, f"{name} is an older nbpr's", hint=_INIT)
    yield from _unasked(tracked)


def _unasked(tracked: Tracked) -> Iterator[Finding]:
    """Attributes of our filter's notebooks that leave out one of the other two."""
    found = tracked.attributes(tracked.notebooks)
    for what in ("diff", "merge"):
        wrong = [path for path, each in found.items() if each.get("filter") == DRIVER and each.get(what) != DRIVER]
        if wrong:
            more = f" (and so with {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            message = f"its {what} driver is {found[wrong[0]].get(what)}{more}"
            yield Finding("drivers", "warning", wrong[0], message, hint=f"{_INIT} writes .gitattributes anew")


def modified(tracked: Tracked) -> Iterator[Finding]:
    """Notebooks that git calls modified although there is nothing to commit."""
    paths = phantoms(tracked.repository)
    if paths:
        more = f" (and so with {len(paths) - 1} more)" if len(paths) > 1 else ""
        message = f"git calls it modified, but cleaned it is what is in the index{more}"
        yield Finding("modified", "warning", paths[0], message, hint="nbpr doctor --fix, or git add it")
