"""What a push would take along: the notebooks of the commits that the other side does not have yet.

The last state of each is looked at as a whole. Of states in between only credentials matter: they stay in the history
for everybody who fetches it, whatever a later commit does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from nbpr.errors import BadInput
from nbpr.findings import Finding
from nbpr.git.objects import NOTHING
from nbpr.git.repository import Repository
from nbpr.git.staging import read_blobs
from nbpr.git.states import states
from nbpr.notebooks import allowlist
from nbpr.notebooks.content import Content


@dataclass(frozen=True)
class Update:
    """One ref that is pushed: the commit that it is to have, and the one that it has there, if that is known here."""

    new: str
    old: str | None = None


@dataclass(frozen=True)
class Pushed:
    """The notebooks of some `updates` that are pushed to `remote` (None: to any)."""

    repository: Repository
    updates: tuple[Update, ...]
    remote: str | None = None

    @classmethod
    def of(
        cls, repository: Repository, lines: Iterable[str], environ: Mapping[str, str], remote: str | None = None
    ) -> Pushed:
        """What git's pre-push hook reads on standard input says, else what pre-commit sets, else HEAD.

        Raises BadInput for lines that are not git's.
        """
        told = [line.split() for line in lines if line.strip()]
        wrong = next((words for words in told if len(words) != 4), None)
        if wrong is not None:
            hint = "git's pre-push hook reads `<local ref> <local id> <remote ref> <remote id>`"
            raise BadInput(f"not a line of a push: {' '.join(wrong)[:80]}", hint=hint)
        remote = remote or environ.get("PRE_COMMIT_REMOTE_NAME") or None
        pairs = [(new, old) for _, new, _, old in told] if told else [_of_pre_commit(environ)]
        updates = []
        for new, old in pairs:
            commit = repository.resolve(new) if new != NOTHING else None
            if commit is not None:
                updates.append(Update(commit, repository.resolve(old) if old and old != NOTHING else None))
        return cls(repository, tuple(updates), remote)

    def contents(self) -> list[Content]:
        """The notebooks that the commits change or add, by path, each with its states, the last one first."""
        found = list(self._last) + [key for key in self._changed if key not in self._last]
        data = read_blobs(self.repository, [sha for _, sha in found])
        absent = "git does not have it here"
        contents = [
            Content(path, data.get(sha), absent, commit=None if (path, sha) in self._last else self._changed[path, sha])
            for path, sha in found
        ]
        return sorted(contents, key=lambda content: content.path)

    def allowed(self) -> bytes:
        """The allow-list as the commits that are pushed have it."""
        found = (self._at(update.new, allowlist.NAME) for update in self.updates)
        blobs = read_blobs(self.repository, [sha for _, sha in (pair for pairs in found for pair in pairs)])
        return b"\n".join(blobs.values())

    def findings(self) -> Iterable[Finding]:
        """Nothing: where the commits stand says nothing of them."""
        return ()

    def put(self, found: Content, data: bytes, mend: Callable[[bytes], bytes]) -> None:
        """Raises BadInput: a commit stays as it is."""
        raise BadInput(f"{found.path}: committed already", hint="nbpr check --fix, and commit again")

    @cached_property
    def _changed(self) -> Mapping[tuple[str, str], str]:
        """Each state of a notebook, path and blob, that the other side may not have, and the commit that brings it."""
        found: dict[tuple[str, str], str] = {}
        for update in self.updates:
            known = [f"--remotes={self.remote}" if self.remote else "--remotes"]
            words = (update.new, "--not", *([update.old] if update.old else []), *known)
            for state in states(self.repository, self.repository.git("rev-list", *words).split()):
                found.setdefault((state.path, state.sha), state.commit)
        return found

    @cached_property
    def _last(self) -> Mapping[tuple[str, str], str]:
        """Those of the states that the last commits have."""
        paths = sorted({path for path, _ in self._changed})
        last = (pair for update in self.updates for pair in self._at(update.new, *paths)) if paths else ()
        return {pair: self._changed[pair] for pair in last if pair in self._changed}

    def _at(self, commit: str, *paths: str) -> list[tuple[str, str]]:
        wanted = set(paths)
        return [(entry.path, entry.sha) for entry in self.repository.entries(commit) if entry.path in wanted]


def _of_pre_commit(environ: Mapping[str, str]) -> tuple[str, str | None]:
    """The commits that pre-commit names: both, or of a branch that is all new only the branch."""
    new = environ.get("PRE_COMMIT_TO_REF") or environ.get("PRE_COMMIT_LOCAL_BRANCH") or "HEAD"
    return new, environ.get("PRE_COMMIT_FROM_REF")
