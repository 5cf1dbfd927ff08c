"""What git tracks here of notebooks and runs, and which attributes really hold for them, whoever wrote them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from nbpr import attributes, notebook
from nbpr.clean import is_clean
from nbpr.config import Config
from nbpr.errors import BadInput
from nbpr.findings import Finding
from nbpr.repository import Repository

ATTRIBUTES = ("filter", "diff", "merge", "text")


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
        found = {path: self._fact(path) for path in self.notebooks}
        return {path: fact for path, fact in found.items() if fact is not None}

    @cached_property
    def unclean(self) -> list[str]:
        """The notebooks that are in the index with outputs or run state."""
        return [path for path, fact in self.facts.items() if not fact.is_clean]

    def _fact(self, path: str) -> Fact | None:
        data = self.repository.read("", path)
        try:
            parsed = notebook.parse(data or b"", path)
        except BadInput:
            return None
        return Fact(is_clean(parsed), parsed.kernel, parsed.language)

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
    """A finding for each way in which the attributes that hold are not those that `init` writes."""
    notebooks = tracked.notebooks or _examples(tracked.config.notebooks)
    runs = tracked.runs or [f"{tracked.config.runs}/example.ipynb"]
    yield from _wrong(tracked, notebooks, is_run=False)
    yield from _wrong(tracked, runs, is_run=True)


def _wrong(tracked: Tracked, paths: Sequence[str], *, is_run: bool) -> Iterator[Finding]:
    wrong: dict[str, list[str]] = {}
    for path, found in tracked.attributes(paths).items():
        problem = attributes.problem(found, is_run=is_run)
        if problem:
            wrong.setdefault(problem, []).append(path)
    for problem, affected in wrong.items():
        more = f" (and so with {len(affected) - 1} more)" if len(affected) > 1 else ""
        yield Finding("attributes", "error", affected[0], problem + more, hint=_in_the_way(tracked) or "nbpr init")


def _in_the_way(tracked: Tracked) -> str | None:
    """What goes before `.gitattributes`: the clone's own file, where `nbstripout --install` writes."""
    own = tracked.repository.common_dir / "info" / "attributes"
    text = own.read_text("utf-8", "replace") if own.is_file() else ""
    rules = [line.strip() for line in text.splitlines() if "filter" in line and not line.startswith("#")]
    if not rules:
        return None
    cure = "nbstripout --uninstall" if "filter=nbstripout" in text else "take that line out"
    return f'.git/info/attributes says "{rules[0]}" and goes before .gitattributes: {cure}'


def _examples(patterns: Iterable[str]) -> list[str]:
    """A path for each pattern, for repositories that have no notebook yet."""
    return [re.sub(r"[*?]+", "example", pattern.replace("**/", "")) for pattern in patterns]
