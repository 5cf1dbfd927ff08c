"""Delivery: how branches get to a server, into the repository itself, a fork of it or a topic."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from nbpr.errors import NbprError, NotAllowed
from nbpr.forges.agit import Agit
from nbpr.forges.forks import Fork
from nbpr.git.repository import RefUpdate, Repository


class Delivery:
    """Pushes of ours. `space` is where copies of the remote's refs are kept here."""

    def __init__(self, repository: Repository, fork: Fork, agit: Agit, space: str) -> None:
        self._repository = repository
        self._fork = fork
        self._agit = agit
        self._space = space

    def copy(self, branch: str) -> str | None:
        """Where our copy of a branch of the remote is."""
        if ":" in branch:
            return None
        ref = f"{self._space}/heads/{branch}"
        return self._repository.refs(ref).get(ref)

    def push(self, branch: str, old: str | None, new: str | None) -> None:
        """Move a branch; None deletes it, or says that it is not there yet. Raises `Stale` if it moved."""
        if old == new:
            return
        self._publish([RefUpdate(f"refs/heads/{branch}", old, new)])

    def publish_claimed(self, branch: RefUpdate, claim: str | None) -> None:
        """Push the branch together with its claim, on which two clones meet whose branches have other names.

        A claim that is left over is taken: had it an open pull request, that would have been found.
        """
        if branch.old == branch.new:
            return
        if claim is None or self._agit.holds(branch.ref.removeprefix("refs/heads/")):
            self._publish([branch])
            return
        name = f"claims/{hashlib.sha256(claim.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"
        held = self._repository.refs(f"{self._space}/{name}").get(f"{self._space}/{name}")
        try:
            self._publish([branch, RefUpdate(f"refs/nbpr/{name}", held, branch.new)])
        except NotAllowed:
            self._publish([branch])  # some servers take nothing but branches and tags

    def _publish(self, updates: Sequence[RefUpdate]) -> None:
        """Push refs together, and keep our copies of them in step."""
        branch = updates[0].ref.removeprefix("refs/heads/")
        if self._agit.holds(branch):
            self._agit.push(branch, updates[0].new)
        else:
            self._repository.publish(self._fork.place(branch), updates)
        known = self._repository.refs(self._space)
        copies = [(f"{self._space}/{one.ref.split('/', 1)[1].removeprefix('nbpr/')}", one.new) for one in updates]
        changed = [RefUpdate(ref, known.get(ref), new) for ref, new in copies if new or ref in known]
        self._repository.publish(None, changed)


class Pushed:
    """Says, in the errors that come after a push, what was pushed already."""

    def __init__(self, branch: str, head_sha: str) -> None:
        self._context = {"branch": branch, "head_sha": head_sha}

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, NbprError):
            error.context = {**self._context, **error.context}
