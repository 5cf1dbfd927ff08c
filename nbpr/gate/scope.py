"""The scope of a gate: the notebooks that changed, and those whose runs read something that did.

All others cost nothing: they are neither read nor run.
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from nbpr.config import Config
from nbpr.errors import BadInput
from nbpr.findings import Finding
from nbpr.gate.result import EVERY, Change
from nbpr.gate.revisions import Revisions
from nbpr.gate.rules import Settings, workings
from nbpr.git.changes import FileChange, changes
from nbpr.git.repository import Repository
from nbpr.notebooks import imports, notebook
from nbpr.notebooks.imports import Names
from nbpr.runs import reference
from nbpr.runs.runkey import matches

#: Files that say what is installed where notebooks run: if they change, every notebook may give something else.
_INSTALLED = re.compile(
    r"(.*/)?(requirements[\w.-]*\.(txt|in)|constraints[\w.-]*\.txt|setup\.(py|cfg)|environment\.ya?ml|conda-lock\.ya?ml"
    r"|(poetry|uv|pdm|pixi)\.lock|pixi\.toml|Pipfile(\.lock)?|pylock[\w.-]*\.toml|requirements\.lock|\.python-version)"
)


@dataclass(frozen=True)
class Subject:
    """One notebook to be judged: where it is and was (None: not there), why, and in words what of its changed."""

    path: str
    before: str | None
    change: Change
    why: str = ""


@dataclass(frozen=True)
class Scope:
    """What a gate looks at, and what there is to say of the rest. `paths` is everything that changed."""

    subjects: tuple[Subject, ...]
    findings: tuple[Finding, ...] = ()
    paths: frozenset[str] = field(default=frozenset(), repr=False)


def find(repository: Repository, at: Revisions, rules: Settings, theirs: Settings, *, every: bool = False) -> Scope:
    """The notebooks to be judged; with `every`, all that there are."""
    changed = changes(repository, at.start, at.head)
    looking = _Looking(repository, at, rules, theirs, changed)
    subjects = {subject.path: subject for subject in looking.direct()}
    for subject in looking.affected(subjects, every=every):
        subjects[subject.path] = subject
    left_out = (f"{path}: not looked at, since `notebooks` does not name it" for path in looking.left_out())
    findings = tuple(Finding("format", "note", text.partition(":")[0], text.partition(": ")[2]) for text in left_out)
    paths = frozenset(path for each in changed for path in (each.path, each.before) if path)
    return Scope(tuple(subjects[path] for path in sorted(subjects)), findings, paths)


class _Looking:
    def __init__(
        self,
        repository: Repository,
        at: Revisions,
        rules: Settings,
        theirs: Settings,
        changed: Sequence[FileChange],
    ) -> None:
        self._repository = repository
        self._at = at
        self._rules = rules
        self._theirs = theirs
        self._changed = changed
        self._globs = tuple(dict.fromkeys((*rules.config.notebooks, *theirs.config.notebooks)))
        self._blobs = {entry.path: entry.sha for entry in repository.entries(at.head)}
        self._named: dict[str, Names] = {}

    def _is_notebook(self, path: str) -> bool:
        is_run = reference.is_run(path, self._rules.config) or reference.is_run(path, self._theirs.config)
        return path.endswith(".ipynb") and not is_run

    def direct(self) -> Iterator[Subject]:
        """Notebooks that changed themselves."""
        for each in self._changed:
            names = [path for path in (each.path, each.before) if path]
            if self._is_notebook(each.path) and any(matches(path, self._globs) for path in names):
                kind: Change = each.kind
                yield Subject(each.path, each.before, kind)

    def left_out(self) -> list[str]:
        """Notebooks that changed, and that the settings do not name."""
        return [
            each.path
            for each in self._changed
            if self._is_notebook(each.path) and each.kind != "deleted" and not matches(each.path, self._globs)
        ]

    def affected(self, direct: Mapping[str, Subject], *, every: bool) -> Iterator[Subject]:
        """Notebooks that did not change themselves, while what they hang on did."""
        paths = [path for path in self._blobs if self._is_notebook(path) and matches(path, self._globs)]
        others = [path for path in paths if path not in direct]
        changed = {path for each in self._changed for path in (each.path, each.before) if path}
        installed = self._installed(changed)
        loose = sorted(path for path in changed if not self._is_notebook(path) and not self._is_run(path))
        for path in others:
            run = reference.run_path(path, self._rules.config)
            if run in changed:
                yield Subject(path, path, "modified", f"{run} changed")
                continue
            why = self._why(path, loose) or (f"{installed} changed" if installed else None)
            if why or every:
                yield Subject(path, path, "affected", why or EVERY)

    def _is_run(self, path: str) -> bool:
        return path.startswith(self._rules.config.runs.rstrip("/") + "/")

    def _why(self, path: str, changed: Sequence[str]) -> str | None:
        own = self._rules.config.for_notebook(path)
        theirs = self._theirs.config.for_notebook(path)
        if self._at.start is not None and self._differs(path, own, theirs):
            return "its settings changed"
        if not changed:
            return None
        watched = {path for path in (own.sanitize_with, theirs.sanitize_with) if path}
        globs = (*own.inputs, *own.link, *theirs.inputs, *theirs.link)
        declared = next((each for each in changed if each in watched or matches(each, globs)), None)
        if declared:
            return f"{declared} changed"
        return None if own.inputs else self._named_in(path, theirs, changed)

    def _differs(self, path: str, own: Config, theirs: Config) -> bool:
        """Whether what the settings say of a notebook's run or of its results is something else now."""
        same = ("scraps", "reproduce", "sanitize_with", "inputs", "link", "outputs", "require_reference")
        return workings(own) != workings(theirs) or any(getattr(own, name) != getattr(theirs, name) for name in same)

    # -- what a notebook's code names ------------------------------------------------------------------------

    def _named_in(self, path: str, config: Config, changed: Sequence[str]) -> str | None:
        names = self._names(path)
        word = next((each for each in changed if PurePosixPath(each).name in names.text), None)
        if word is not None:
            return f"{word} changed, which its code names"
        wanted = set(changed)
        found = next((each for each in self._modules(path, names, config) if each in wanted), None)
        return f"{found} changed, which it imports" if found else None

    def _modules(self, path: str, names: Names, config: Config) -> Iterator[str]:
        """The files that the modules which a notebook imports may be, and those that they import, and so on."""
        folder = posixpath.dirname(path) if config.cwd == "notebook" else ""
        own = [posixpath.normpath(posixpath.join(folder, place)) for place in names.paths]
        roots = list(dict.fromkeys([folder, *config.execute.python_path, *own, "", "src"]))
        seen: set[str] = set()
        waiting = [(names, "")]
        while waiting:
            current, at = waiting.pop()
            for module in sorted(current.modules):
                for place in _places(module, roots, at):
                    if place in seen:
                        continue
                    seen.add(place)
                    yield place
                    if place in self._blobs and place.endswith(".py"):
                        waiting.append((self._names(place), posixpath.dirname(place)))

    def _names(self, path: str) -> Names:
        if path not in self._named:
            self._named[path] = self._read(path)
        return self._named[path]

    def _read(self, path: str) -> Names:
        data = self._repository.read(self._at.head, path) or b""
        if path.endswith(".py"):
            return imports.of_code([data.decode("utf-8", "replace")])
        try:
            parsed = notebook.parse(data, path)
        except BadInput:
            return imports.of_code([])
        return imports.of_code(cell.source for cell in parsed.cells if cell.is_code)

    # -- what is installed -----------------------------------------------------------------------------------

    def _installed(self, changed: Iterable[str]) -> str | None:
        found = next((path for path in sorted(changed) if _INSTALLED.fullmatch(path)), None)
        if found is None and "pyproject.toml" in changed and self._at.start is not None:
            sides = [self._repository.read(sha, "pyproject.toml") for sha in (self._at.start, self._at.head)]
            found = "pyproject.toml" if _requirements(sides[0]) != _requirements(sides[1]) else None
        return found


def _places(module: str, roots: Sequence[str], at: str) -> Iterator[str]:
    """The files that a module may be: a file, or a package, with the packages that it is in."""
    bare = module.lstrip(".")
    dots = len(module) - len(bare)
    if dots:
        for _ in range(dots - 1):
            at = posixpath.dirname(at)
        roots = [at]
    parts = [part for part in bare.split(".") if part]
    for root in roots:
        start = posixpath.normpath(root) if root not in ("", ".") else ""
        for depth in range(1, len(parts) + 1):
            stem = posixpath.join(start, *parts[:depth])
            yield from (f"{stem}.py", f"{stem}/__init__.py")
        if dots and not parts:
            yield posixpath.join(start, "__init__.py")


def _requirements(data: bytes | None) -> Any:
    """What of a pyproject.toml says what is installed: all but the settings of tools."""
    try:
        table = tomllib.loads((data or b"").decode())
    except ValueError:
        return data
    tools = table.pop("tool", {})
    return table, {name: tools.get(name) for name in ("poetry", "pdm", "uv", "pixi", "conda") if name in tools}
