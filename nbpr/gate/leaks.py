"""Leaks: credentials in the commits on the way to head that head itself has no more.

A later commit takes nothing out of the history: whoever fetches the branch, or what it is merged into, has them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from nbpr.checks import at_levels, secrets
from nbpr.checks.secrets import Secret
from nbpr.config import Config
from nbpr.errors import BadInput
from nbpr.findings import Finding
from nbpr.gate.revisions import Revisions
from nbpr.gate.rules import Settings
from nbpr.git.objects import FILES
from nbpr.git.repository import Repository
from nbpr.git.states import State, states
from nbpr.notebooks import allowlist, celltext, notebook
from nbpr.notebooks.content import Content
from nbpr.runs import reference
from nbpr.runs.runkey import matches

#: How many commits are looked at, the newest ones, and how many bytes of notebooks; where there are more, it is said.
COMMITS, BYTES = 1_000, 50_000_000
#: How many findings there are at most; the rest is mostly more of the same.
TOLD = 20

_WORD = re.compile(rb"[A-Za-z0-9]+")


def find(repository: Repository, at: Revisions, rules: Settings, theirs: Settings) -> list[Finding]:
    """A finding for each credential in a notebook or a run, with the first commit that has it, at base's levels.

    Not told are those that base's allow-list has; those that head has, since its notebooks have findings of their own;
    and those that stood in base before. Commits that base has are not looked at, and without a base none are.
    """
    if at.base is None:
        return []
    commits = list(repository.only_in(at.head, *filter(None, (at.base, at.start)), most=COMMITS + 1))
    if len(commits) < 2:
        return []
    way = _Way(repository, at, rules, theirs, tuple(commits[:COMMITS]))
    found = [*_told(way.leaks(), way.seen), *way.left_out(more=len(commits) > COMMITS)]
    return [each for finding in found for each in at_levels([finding], way.config_of(finding.path))]


@dataclass(frozen=True)
class _Leak:
    """A credential in a notebook, as the first of the states that have it has it; the oldest come first."""

    secret: Secret
    states: tuple[State, ...]


@dataclass
class _Way:
    """The commits from where head left base up to head, newest first; what was seen in them, and what not looked at."""

    repository: Repository
    at: Revisions
    rules: Settings
    theirs: Settings
    commits: tuple[str, ...]
    seen: list[Secret] = field(default_factory=list)
    _room: int = field(default_factory=lambda: BYTES)
    _large: int = 0
    _absent: int = 0

    def leaks(self) -> list[_Leak]:
        """The credentials that are gone by head, those of the oldest commits first."""
        found: dict[tuple[str, str], _Leak] = {}
        for state in self._passed():
            for secret in self._secrets(state):
                key = (state.path, secret.digest)
                known = found.get(key, _Leak(secret, ()))
                if secret.digest not in self.rules.allowed and state not in known.states:
                    found[key] = replace(known, states=(*known.states, state))
        there = self._there({leak.secret.value for leak in found.values()}) if found else set()
        return [leak for leak in found.values() if leak.secret.digest not in there]

    def left_out(self, *, more: bool) -> Iterator[Finding]:
        """What is not looked at, and why; `more` is whether there are more commits than these."""
        if more:
            yield _unseen(f"commits before {self.commits[-1][:12]}", f"there are more than {COMMITS:,}")
        if self._cut:
            what = f"commit {self._cut[0][:12]} and those before it"
            yield _unseen(what, "this clone is shallow", "fetch the whole history: fetch-depth: 0")
        if self._large:
            yield _unseen(f"{self._large} of the notebooks", f"together they have more than {BYTES:,} bytes")
        if self._absent:
            yield _unseen(f"{self._absent} of the notebooks", "git does not have them here")

    def config_of(self, path: str) -> Config:
        """Base's settings for a notebook, or for the notebook that a run is of."""
        config = self.rules.config
        if reference.is_run(path, config):
            own = (each for each in config.notebook if not reference.is_run(each, config))
            path = next((each for each in own if reference.run_path(each, config) == path), path)
        return config.for_notebook(path)

    @cached_property
    def _cut(self) -> list[str]:
        """The commits whose parents this clone does not have: all files would seem to be theirs."""
        ends = self.repository.cut_commits
        return [sha for sha in self.commits if sha in ends]

    def _passed(self) -> list[State]:
        """The states that neither head nor base has, each blob once, where it was first; the oldest first."""
        commits = [sha for sha in self.commits if sha not in self._cut]
        found: dict[str, State] = {}
        for state in reversed(states(self.repository, commits)):
            if self._is_looked_at(state.path) and state.sha not in self._blobs:
                found.setdefault(state.sha, state)
        return list(found.values())

    def _is_looked_at(self, path: str) -> bool:
        sides = (self.rules.config, self.theirs.config)
        return any(reference.is_run(path, side) or matches(path, side.notebooks) for side in sides)

    @cached_property
    def _blobs(self) -> Collection[str]:
        """The notebooks that base has, or had where head left it, and those of head's that are looked at."""
        before = {sha for sha in (self.at.base, self.at.start) if sha is not None}
        entries = [each for sha in before for each in self.repository.entries(sha) if each.path.endswith(".ipynb")]
        entries += [each for each in self.repository.entries(self.at.head) if self._is_looked_at(each.path)]
        return {each.sha for each in entries if each.mode in FILES}

    def _secrets(self, state: State) -> list[Secret]:
        if self.config_of(state.path).level("secrets") == "off":
            return []
        size = self.repository.size_of_blob(state.sha)
        if size is None or size > self._room:
            self._absent += size is None
            self._large += size is not None
            return []
        self._room -= size
        found = _secrets_of(Content(state.path, self.repository.read_blob(state.sha)))
        self.seen += found
        return found

    def _there(self, values: Collection[str]) -> set[str]:
        """The digests of those values that stand in head, or in base."""
        words = [max(_WORD.findall(value.encode("utf-8", "replace")), key=len, default=b"") for value in values]
        found: set[str] = set()
        for sha in self._blobs:
            size = self.repository.size_of_blob(sha)
            data = self.repository.read_blob(sha) if size is not None and size <= BYTES else b""
            # Letters and digits stand in JSON as they are, so most notebooks need not be read any closer.
            if any(word in data for word in words):
                found |= {secret.digest for secret in _secrets_of(Content("", data))}
        return found


def _secrets_of(content: Content) -> list[Secret]:
    data = content.data or b""
    if content.is_pointer:
        return []
    try:
        texts = celltext.texts(notebook.parse(data, content.path))
    except BadInput:
        texts = celltext.raw(data)
    return secrets.secrets(texts)


# -- what is said ------------------------------------------------------------------------------------------


def _told(leaks: Sequence[_Leak], seen: Sequence[Secret]) -> Iterator[Finding]:
    yield from secrets.without(map(_finding, leaks[:TOLD]), seen)
    if len(leaks) > TOLD:
        first = leaks[TOLD].states[0]
        message = f"in commit {first.commit[:12]} and others: {len(leaks) - TOLD} more that look like credentials"
        yield Finding("secrets", "error", first.path, message)


def _finding(leak: _Leak) -> Finding:
    first, more = leak.states[0], len({state.commit for state in leak.states}) - 1
    (found,) = secrets.findings([leak.secret], first.path)
    also = f" (and in {more} later commit{'' if more == 1 else 's'})" if more else ""
    hint = (
        "a later commit does not take it out of the history: revoke it, and squash the branch, or git rebase -i "
        f"{first.commit[:12]}^, before it is merged; if it is none, add to {allowlist.NAME}: "
    )
    message = f"in commit {first.commit[:12]}: {found.message}{also}"
    return replace(found, message=message, hint=hint + allowlist.entry(leak.secret.value))


def _unseen(what: str, why: str, hint: str | None = None) -> Finding:
    message = f"{what} on the way to head: not looked at for credentials, since {why}"
    return Finding("secrets", "warning", "", message, hint=hint)
