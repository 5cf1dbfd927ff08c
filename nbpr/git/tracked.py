"""What git tracks here of notebooks and runs, and which attributes really hold for them, whoever wrote them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from nbpr.config import Config
from nbpr.errors import BadInput
from nbpr.findings import Finding, Level
from nbpr.git import attributes
from nbpr.git.repository import Repository
from nbpr.notebooks import notebook
from nbpr.notebooks.clean import is_clean, options_for

ATTRIBUTES = ("filter", "diff", "merge", "text")

NBSTRIPOUT = "nbstripout"

#: The clone's own attributes, which go before all others; `nbstripout --install` writes there.
OWN_FILE = ".git/info/attributes"

#: What `git check-attr` says where there is no filter.
_NO_FILTER = ("unset", "unspecified", "set")


@dataclass(frozen=True)
class Fact:
    """A notebook in the index: whether it is clean, and which kernel and language it asks for."""

    is_clean: bool
    kernel: str | None
    language: str


@dataclass(frozen=True)
class Tracked:
    """The notebooks and runs in a repository's index. Paths are POSIX, from the root."""

    repository: Repository
    config: Config

    @cached_property
    def notebooks(self) -> list[str]:
        """Those that the configuration names, runs left out."""
        runs = set(self.runs)
        return [
            path for path in self._listed(f":(top,glob){each}" for each in self.config.notebooks) if path not in runs
        ]

    @cached_property
    def runs(self) -> list[str]:
        """The runs."""
        return self._listed([f":(top,glob){self.config.runs}/**/*.ipynb"])

    @cached_property
    def others(self) -> list[str]:
        """Notebooks that the configuration does not name."""
        known = {*self.notebooks, *self.runs}
        return [path for path in self._listed([":(top)*.ipynb"]) if path not in known]

    @cached_property
    def facts(self) -> Mapping[str, Fact]:
        """What is known of each of the notebooks; of those that cannot be read nothing."""
        return self._facts(self.notebooks)

    @cached_property
    def unclean(self) -> list[str]:
        """The notebooks that are in the index with outputs or run state.

        Those that the configuration does not name are among them where our filter would clean them when added.
        """
        found = {**self.facts, **self._facts(self._filtered(self.others))}
        return sorted(path for path, fact in found.items() if not fact.is_clean)

    @cached_property
    def is_filtered(self) -> bool:
        """Whether one of the notebooks goes through our filter."""
        return bool(self._filtered([*self.notebooks, *self.others]))

    def _filtered(self, paths: Sequence[str]) -> list[str]:
        found = self.attributes(paths)
        return [path for path in paths if found[path].get("filter") == attributes.DRIVER]

    def _facts(self, paths: Sequence[str]) -> dict[str, Fact]:
        found = {path: self._fact(path) for path in paths}
        return {path: fact for path, fact in found.items() if fact is not None}

    def _fact(self, path: str) -> Fact | None:
        try:
            parsed = notebook.parse(self.repository.read("", path) or b"", path)
        except BadInput:  # also for a name with a line break, which is read nowhere here
            return None
        return Fact(is_clean(parsed, options_for(self.config, path)), parsed.kernel, parsed.language)

    def _listed(self, patterns: Iterable[str]) -> list[str]:
        wanted = list(patterns)
        if not wanted:
            return []
        listed = self.repository.run("ls-files", "-z", "--", *wanted).stdout.decode("utf-8", "surrogateescape")
        return sorted({path for path in listed.split("\0") if path})

    def attributes(self, paths: Sequence[str]) -> dict[str, dict[str, str]]:
        """`{path: {attribute: value}}` as git itself answers, whichever file says so."""
        stdin = "".join(path + "\0" for path in paths).encode("utf-8", "surrogateescape")
        said = self.repository.run("check-attr", "-z", "--stdin", *ATTRIBUTES, stdin=stdin).stdout
        parts = said.decode("utf-8", "surrogateescape").split("\0")
        found: dict[str, dict[str, str]] = {path: {} for path in paths}
        for path, name, value in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
            found[path][name] = value
        return found


def overridden(tracked: Tracked) -> Iterator[Finding]:
    """A finding for each way in which the filter that holds is not the one that `init` writes.

    A warning where another one cleans notebooks as well.
    """
    notebooks = tracked.notebooks or _examples(tracked.config.notebooks)
    runs = tracked.runs or [f"{tracked.config.runs}/example.ipynb"]
    yield from _wrong(tracked, notebooks, is_run=False)
    yield from _wrong(tracked, runs, is_run=True)


def _wrong(tracked: Tracked, paths: Sequence[str], *, is_run: bool) -> Iterator[Finding]:
    wrong: dict[str, list[str]] = {}
    for path, found in tracked.attributes(paths).items():
        problem = attributes.problem(found, is_run=is_run)
        if problem:
            wrong.setdefault(found.get("filter", ""), []).append(path)
    for name, affected in wrong.items():
        problem = str(attributes.problem({"filter": name}, is_run=is_run))
        more = f" (and so with {len(affected) - 1} more)" if len(affected) > 1 else ""
        level: Level = "error" if is_run else "warning"
        if not is_run and not has_filter(tracked.repository, name):
            level = "error"
            problem += ", which this clone does not have" if name not in _NO_FILTER else ""
        elif name == NBSTRIPOUT and not is_run:
            problem += ", which git starts anew for each notebook"
        yield Finding("attributes", level, affected[0], problem + more, hint=_cure(tracked, affected[0], name))


def has_filter(repository: Repository, name: str) -> bool:
    """Whether git knows how to clean with the filter of that name."""
    return any(repository.setting(f"filter.{name}.{how}") for how in ("process", "clean"))


def _cure(tracked: Tracked, path: str, name: str) -> str:
    """The commands after which our filter holds, for a file on which another one does, or none."""
    place, rule = _rule(tracked.repository, path, name)
    if name == NBSTRIPOUT:
        options = {"": " --global", OWN_FILE: ""}.get(place, f" --attributes {shlex.quote(place)}")
        cure = f"nbstripout --uninstall{options} && nbpr init"
    else:
        cure = "take that line out, then nbpr init" if rule else "nbpr init"
    return f'{place} says "{rule}" and goes before .gitattributes: {cure}' if place == OWN_FILE else cure


def _rule(repository: Repository, path: str, name: str) -> tuple[str, str]:
    """The file that says which filter holds for `path`, and its line; both empty where it is none of this clone."""
    wanted = "filter" if name in _NO_FILTER else f"filter={name}"
    folders = [parent.as_posix() for parent in PurePosixPath(path).parents]
    names = [".gitattributes" if folder == "." else f"{folder}/.gitattributes" for folder in folders]
    files = {
        OWN_FILE: repository.common_dir / "info" / "attributes",
        **{each: repository.root / each for each in names},
    }
    for place, file in files.items():
        text = file.read_text("utf-8", "replace") if file.is_file() else ""
        lines = [line.strip() for line in text.splitlines() if not line.startswith("#")]
        rule = next((line for line in lines if wanted in line and f"filter={attributes.DRIVER}" not in line), None)
        if rule:
            return place, rule
    return "", ""


def _examples(patterns: Iterable[str]) -> list[str]:
    """A path for each pattern, for repositories that have no notebook yet."""
    return [re.sub(r"[*?]+", "example", pattern.replace("**/", "")) for pattern in patterns]
