"""Checking notebooks without running them: format, ids, outputs, credentials, size; and mending what can be mended.

Where the notebooks stand is a source's business: the files of a checkout (`nbpr/git/checkout.py`), what is staged
(`nbpr/git/staging.py`), what a push would take along (`nbpr/git/pushed.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from nbpr import filters
from nbpr.checks import CHECKS, at_levels, secrets
from nbpr.config import Config
from nbpr.errors import BadInput
from nbpr.findings import Finding
from nbpr.notebooks import allowlist, celltext, content, notebook
from nbpr.notebooks.clean import Options, options_for
from nbpr.notebooks.content import Content

#: The checks that need no kernel, in the order in which they are told.
STATIC = ("format", "clean", "secrets", "size")


class Source(Protocol):
    """Where notebooks stand."""

    def contents(self) -> Sequence[Content]:
        """The notebooks to look at."""

    def allowed(self) -> bytes:
        """The allow-list that holds there; empty where there is none."""

    def findings(self) -> Iterable[Finding]:
        """What there is to say of the place itself."""

    def put(self, found: Content, data: bytes, mend: Callable[[bytes], bytes]) -> None:
        """Put `data`, which is `mend` of the content, in its place. Raises BadInput where that cannot be."""


@dataclass(frozen=True)
class Inspection:
    """What was found: `mended` are the paths of what was put right, `looked_at` counts notebooks.

    `is_stale` is whether what was mended has to be looked at and committed anew.
    """

    findings: tuple[Finding, ...]
    mended: tuple[str, ...]
    looked_at: int
    is_stale: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing is left to mend."""
        return not self.is_stale and not any(finding.level == "error" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """`{"ok", "findings", "mended", "notebooks"}`."""
        return {
            "ok": self.ok,
            "findings": [finding.as_json() for finding in self.findings],
            "mended": list(self.mended),
            "notebooks": self.looked_at,
        }


@dataclass(frozen=True)
class Inspector:
    """What to look for: the settings, the values that are allowed, and which of the static checks."""

    config: Config
    allowed: Mapping[str, str] = field(default_factory=dict)
    only: Collection[str] = STATIC

    def findings(self, found: Content) -> list[Finding]:
        """What is wrong with one notebook, at the levels that are configured for it."""
        return list(at_levels(self._findings(found), self.config.for_notebook(found.path)))

    def mend(self, path: str, data: bytes) -> bytes:
        """The content with everything mended that can be; the same object if there is nothing. Runs are left alone."""
        if self._is_run(path):
            return data
        return content.mended(data, path, self._options(path), clean="clean" in self.only, ids="format" in self.only)

    def _options(self, path: str) -> Options:
        return options_for(self.config, path)

    def _is_run(self, path: str) -> bool:
        return path.startswith(self.config.runs.strip("/") + "/")

    def _findings(self, found: Content) -> list[Finding]:
        if found.data is None:
            return [Finding("format", "error", found.path, found.problem or "cannot be read")]
        if found.is_pointer:
            return [Finding("format", "note", found.path, "kept by Git LFS: what it holds is not looked at here")]
        texts, told = self._readable(found, found.data)
        leaks = secrets.secrets(texts) if "secrets" in self.only else []
        told = list(secrets.without(told, leaks))
        at = next((at for at, finding in enumerate(told) if finding.check == "size"), len(told))
        return told[:at] + self._leaks(found, leaks) + told[at:]

    def _readable(self, found: Content, data: bytes) -> tuple[Iterator[celltext.Text], list[Finding]]:
        """The texts of a notebook, and the findings of the checks that do not look at texts."""
        is_last = found.commit is None
        told = CHECKS["format"](data, found.path) if is_last and "format" in self.only else []
        try:
            parsed = notebook.parse(data, found.path)
        except BadInput:
            return celltext.raw(data), told
        if is_last and "clean" in self.only and not self._is_run(found.path):
            dirt = CHECKS["clean"](parsed, found.path, self._options(found.path))
            told += [_harmless(each) if found.is_filtered else each for each in dirt]
        if is_last and "size" in self.only:
            told += self._size(found, data)
        return celltext.texts(parsed), told

    def _size(self, found: Content, data: bytes) -> list[Finding]:
        settings = self.config.for_notebook(found.path)
        # What git takes out when the file is added weighs nothing.
        stored = filters.cleaned(data, found.path, self._options(found.path)) if found.is_filtered else data
        nb = notebook.parse(stored, found.path).as_json()
        limits = {"max_output": settings.max_output, "max_run": settings.max_run}
        return CHECKS["size"](nb, found.path, len(stored), **limits)

    def _leaks(self, found: Content, leaks: Sequence[secrets.Secret]) -> list[Finding]:
        told = list(secrets.without(secrets.findings(leaks, found.path, self.allowed), leaks))
        return told if found.commit is None else [_in_history(finding, found.commit) for finding in told]


def _harmless(finding: Finding) -> Finding:
    message = f"{finding.message}; git takes them out when the file is added"
    return replace(finding, level="note", message=message, hint=None)


def _as_staged(finding: Finding) -> Finding:
    """The finding with a hint that mends what is staged, not the file."""
    is_mend = finding.check in ("format", "clean") and (finding.hint or "").startswith("nbpr ")
    return replace(finding, hint="nbpr check --staged --fix") if is_mend else finding


def _in_history(finding: Finding, commit: str) -> Finding:
    hint = f"a later commit does not take it out of this one: git rebase -i {commit[:10]}^; {finding.hint}"
    return replace(finding, message=f"in commit {commit[:10]}: {finding.message}", hint=hint)


def inspect(
    source: Source,
    config: Config,
    *,
    only: Collection[str] = STATIC,
    fix: bool = False,
    is_commit: bool = False,
    is_passing: bool = False,
    follow: Callable[[str], None] = lambda path: None,
) -> Inspection:
    """Look at every notebook of a source; with `fix` mend those that can be mended, and tell of what is left.

    `is_commit` is whether the source is about to be committed, so that a mend calls for another look; `is_passing`
    whether it is gone when that commit fails, so that the files are what to mend. Raises
    BadInput for an allow-list that cannot be read, and for what a source says.
    """
    inspector = Inspector(config, allowlist.parse(source.allowed()), only)
    findings = list(source.findings())
    mended = []
    contents = source.contents()
    for found in contents:
        follow(found.path)
        if fix and found.data is not None and not found.is_pointer:
            found, is_mended = _mend(source, inspector, found, found.data)
            mended += [found.path] if is_mended else []
        findings += [_as_staged(each) if is_commit and not is_passing else each for each in inspector.findings(found)]
    paths = {found.path for found in contents}
    return Inspection(tuple(findings), tuple(mended), len(paths), is_stale=is_commit and bool(mended))


def _mend(source: Source, inspector: Inspector, found: Content, data: bytes) -> tuple[Content, bool]:
    def mend(data: bytes) -> bytes:
        # Outputs that git takes out anyway are somebody's work, and stay in the file.
        own = replace(inspector, only=set(inspector.only) - {"clean"}) if found.is_filtered else inspector
        return own.mend(found.path, data)

    after = mend(data)
    if after is data:
        return found, False
    source.put(found, after, mend)
    return replace(found, data=after), True
