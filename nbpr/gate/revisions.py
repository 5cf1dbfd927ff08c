"""The revisions of a gate: the head that is judged, the base whose rules hold, and where head left it.

A clone that CI made may have one commit only. What is missing is fetched, as little as there need be.
"""

from __future__ import annotations

from dataclasses import dataclass

from nbpr.errors import BadInput, NbprError, NotAllowed, OutOfReach
from nbpr.gate.occasion import Occasion
from nbpr.git.branches import Branches
from nbpr.git.repository import NOTHING, Repository

#: How many commits more are asked for, before all of them are.
_STEPS = (50, 500)
#: How many commits on the way to head are wanted at most.
_MOST = 1_000

_WHOLE = "fetch the whole history: fetch-depth: 0 at actions/checkout, or git fetch --unshallow"


@dataclass(frozen=True)
class Revisions:
    """The commits of a gate. `base` is where the rules are, None where there is none; `start` is where head left it.

    `is_whole` is whether it is about all that head has, and not about a change.
    """

    head: str
    base: str | None
    start: str | None
    notes: tuple[str, ...] = ()
    is_whole: bool = False


def settle(repository: Repository, occasion: Occasion, remote: str | None, *, fetches: bool = True) -> Revisions:
    """The commits of an occasion, fetched where they are missing.

    Without a base it is the branch that head goes into, else the default branch. Raises `BadInput` for a revision
    that is not there, and for a history that cannot be had.
    """
    reach = _Reach(repository, remote, occasion, fetches)
    head = reach.head()
    if reach.is_whole():
        return Revisions(head, head, head, is_whole=True)
    base, notes = reach.base(head)
    if base is None:
        return Revisions(head, None, None, (*notes, "there is no base: every notebook counts as new"))
    start = reach.start(base, head)
    if start is None:
        notes = (*notes, "base and head have no common history: every notebook counts as new")
    return Revisions(head, base, start, notes)


@dataclass(frozen=True)
class _Reach:
    """How commits are come by, here and on the remote."""

    repository: Repository
    remote: str | None
    occasion: Occasion
    fetches: bool

    def head(self) -> str:
        wanted = self.occasion.head
        if wanted is None:
            if self.repository.head is None:
                raise BadInput("this repository has no commits yet", hint="commit the notebooks once")
            return self.repository.head
        further = [f"refs/pull/{self.occasion.pull}/head"] if self.occasion.pull else []
        found = self._commit(wanted, *further)
        if found is None:
            raise BadInput(f"--head {wanted}: there is no such commit", hint=_WHOLE if self._is_cut else None)
        return found

    def base(self, head: str) -> tuple[str | None, tuple[str, ...]]:
        """Where the rules are: the commit that is named, else the branch that head goes into, else the default one.

        A push to the default branch itself is held to what that was before.
        """
        occasion = self.occasion
        if occasion.base is not None:
            found = self._commit(occasion.base)
            if found is None:
                hint = _WHOLE if self._is_cut else None
                raise BadInput(f"--base {occasion.base}: there is no such commit", hint=hint)
            return found, ()
        name = occasion.base_branch or self._default()
        if self._is_of_default(name):
            before = self._commit(occasion.before) if occasion.before else None
            gone = (f"what {name} was before the push is gone",) if occasion.before and before is None else ()
            return before, gone
        found = self._branch(name) if name else None
        if found is None and occasion.base_sha is not None:
            found = self._commit(occasion.base_sha)
        if found is None and occasion.pull is not None:
            raise BadInput(f"the base branch {name} of pull request #{occasion.pull} cannot be had", hint=_WHOLE)
        return self._before_merge(head, found), ()

    def is_whole(self) -> bool:
        """Whether it is by the clock, or by hand, and of the default branch: then there is no change to look at."""
        occasion = self.occasion
        return not occasion.brings_change and occasion.base is None and self._is_of_default(self._default())

    def _is_of_default(self, name: str | None) -> bool:
        """Whether an event is of the very branch that it would be held to."""
        occasion = self.occasion
        return occasion.is_event and name is not None and name == occasion.branch and not occasion.pull

    def _before_merge(self, head: str, base: str | None) -> str | None:
        """Base as it was for a pull request that was merged since the event, as one is whose job runs again.

        It would have nothing left to be judged, and what was said of it would be said otherwise.
        """
        was = self.occasion.base_sha
        if base is None or was is None or not self.repository.is_ancestor(head, base):
            return base
        before = self._commit(was)
        return base if before is None or self.repository.is_ancestor(head, before) else before

    def start(self, base: str, head: str) -> str | None:
        found = self.repository.merge_base(base, head)
        if not self._is_cut or not self._may_fetch or self._is_whole(base, found, head):
            return found
        assert self.remote is not None
        try:
            for count in _STEPS:
                self.repository.fetch_history(self.remote, base, head, how=f"--deepen={count}")
                found = self.repository.merge_base(base, head)
                if not self._is_cut or self._is_whole(base, found, head):
                    return found
            if found is not None:
                return found
            self.repository.fetch_history(self.remote, base, head, how="--unshallow")
        except (OutOfReach, NotAllowed, BadInput) as error:
            if found is not None:
                return found
            message = f"where head left its base is not known in this clone: {error.message}"
            raise BadInput(message, hint=_WHOLE) from None
        return self.repository.merge_base(base, head)

    def _is_whole(self, base: str, start: str | None, head: str) -> bool:
        """Whether the commits on the way to head are known here, those of branches that were merged into it too.

        Where one of them joins two of them, one side may be of base's history, which ends too early here to tell.
        """
        if start is None:
            return False
        way = self.repository.only_in(head, base, start, most=_MOST)
        joins = (parents for parents in way.values() if sum(parent in way for parent in parents) > 1)
        return self.repository.cut_commits.isdisjoint(way) and next(joins, None) is None

    @property
    def _may_fetch(self) -> bool:
        return self.fetches and self.remote is not None

    @property
    def _is_cut(self) -> bool:
        return self.repository.is_shallow

    def _commit(self, wanted: str, *further: str) -> str | None:
        """A commit by any name that git knows, fetched by its id where it is missing."""
        found = self.repository.resolve(wanted) or self._branch_here(wanted)
        if found is not None or not self._may_fetch or wanted == NOTHING:
            return found
        full = len(wanted) == 40 and all(sign in "0123456789abcdef" for sign in wanted)
        for name in (wanted, *further) if full else ():
            if self._fetched(name) and self.repository.resolve(wanted):
                return self.repository.resolve(wanted)
        return self._branch(wanted) if not full else None

    def _fetched(self, name: str) -> bool:
        assert self.remote is not None
        try:
            self.repository.fetch_history(self.remote, name, how="--depth=1" if self._is_cut else "--deepen=0")
        except NbprError:
            return False
        return True

    def _branch(self, name: str) -> str | None:
        """Where a branch is now, on the remote if there is one."""
        if self.remote is None or not self.fetches:
            return self._branch_here(name)
        space = f"refs/nbpr/remotes/{self.remote}/heads/{self.repository.branch_name(name)}"
        depth = "--depth=1" if self._is_cut else None
        try:
            if depth is None:
                self.repository.fetch(self.remote, f"+refs/heads/{name}:{space}")
            else:
                self.repository.fetch_history(self.remote, f"+refs/heads/{name}:{space}", how=depth)
        except BadInput:
            return None
        except NbprError:
            return self._branch_here(name)  # without the network, what was fetched last
        return self.repository.refs(space).get(space)

    def _branch_here(self, name: str) -> str | None:
        spaces = [f"refs/remotes/{self.remote}/{name}"] if self.remote else []
        for ref in (*spaces, f"refs/heads/{name}"):
            found = self.repository.refs(ref).get(ref)
            if found is not None:
                return found
        return None

    def _default(self) -> str | None:
        """The default branch: an event says it, and in its job neither the remote may be asked nor the clone know."""
        if self.occasion.default_branch is not None:
            return self.occasion.default_branch
        branches = Branches(self.repository, self.remote)
        if not self.fetches:
            return branches.known_default()
        try:
            return branches.default()
        except BadInput:
            return None
        except NbprError:
            return branches.known_default()
