"""Pull requests, and what nbpr wants of a forge that keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from nbpr.forges.remarks import Remark
from nbpr.forges.status import Check, Status

State = Literal["open", "closed", "merged"]


@dataclass(frozen=True)
class Comment:
    """What somebody said on a pull request; `created` is ISO 8601 in UTC."""

    author: str
    body: str
    created: str


@dataclass(frozen=True)
class PullRequest:
    """A pull request as its forge has it. `head` and `base` are branch names, `head_sha` the head's commit."""

    number: int
    title: str
    state: State
    draft: bool
    head: str
    base: str
    head_sha: str
    url: str
    author: str
    body: str = ""
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    milestone: str | None = None
    comments: tuple[Comment, ...] = ()
    merge_sha: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The row of `nbpr pulls list`."""
        names = ("number", "title", "state", "draft", "head", "base", "url")
        return {name: getattr(self, name) for name in names}

    def as_full_json(self) -> dict[str, Any]:
        """The object of `nbpr pulls show`: the row, with body and comments and what else is known."""
        comments = [{"author": c.author, "body": c.body, "created": c.created} for c in self.comments]
        people = ("author", "reviewers", "assignees")
        further = ("head_sha", "body", "labels", "milestone", "merge_sha", *people)
        return {**self.as_json(), **{name: getattr(self, name) for name in further}, "comments": comments}

    def with_state(self, state: State, **changes: Any) -> PullRequest:
        """The same pull request in another state."""
        return replace(self, state=state, **changes)


@dataclass(frozen=True)
class Opening:
    """What a new pull request is opened with. The branch is at `head_old` (None: it must not exist yet).

    Of all that are open, only one may hold a `claim`: two clones that open the same under other titles in the same
    moment meet there.
    """

    head: str
    head_sha: str
    base: str
    title: str
    body: str
    author: str
    draft: bool = False
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    milestone: str | None = None
    head_old: str | None = None
    claim: str | None = None


def people(had: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    """Those who there are, and after them those who are new; servers do not mind how names are capitalised."""
    found = {name.casefold(): name for name in had}
    for name in more:
        found.setdefault(name.casefold(), name)
    return tuple(found.values())


class Forge(Protocol):
    """What nbpr wants of a forge. `announces`: people follow it elsewhere, so that comment and status are of use.

    `has_checks`: it can wait for checks before it merges.
    """

    name: str
    announces: bool
    has_checks: bool

    def forget(self) -> None:
        """Look anew at the next `find`: until then what was read once is taken as it is."""

    def ready(self, milestone: str | None = None) -> None:
        """Raises `NotAllowed` if a proposal cannot get through, as far as can be told without an effect.

        `BadInput` for a `milestone` that it shall be put into and that is not there.
        """

    def branches(self) -> set[str]:
        """The branches that are to be fetched for its pull requests to be worked with."""

    def refspecs(self) -> list[str]:
        """What to fetch from the remote besides branches, for `find` and `get` to be up to date."""

    def catch_up(self, prefixes: Iterable[str]) -> None:
        """Fetch what of its branches with these prefixes lies elsewhere than on the remote: on a fork."""

    def fetch_head(self, number: int) -> None:
        """Bring the head of a pull request here, which may be of a branch that is gone or on somebody's fork."""

    def login(self) -> str:
        """Who we are on this forge; for the local one git's author."""

    def find(self, *, state: State | None = "open") -> list[PullRequest]:
        """The pull requests in a state, or all; oldest first, without their comments."""

    def get(self, number: int) -> PullRequest:
        """One pull request, with its comments. Raises `BadInput` for an unknown number."""

    def open(self, opening: Opening) -> PullRequest:
        """Create branch and pull request. Raises `Stale` if the branch exists meanwhile, or its claim is held."""

    def update(self, pull: PullRequest, *, head_sha: str | None = None, **changes: Any) -> PullRequest:
        """Move the branch forwards to `head_sha` and change title, body, draft, state, labels, people or milestone."""

    def comment(self, pull: PullRequest, body: str, *, marker: str | None = None) -> PullRequest:
        """Add a comment. With a `marker`, it is the one comment of ours that starts with it, kept up to date."""

    def remark(self, pull: PullRequest, remarks: Sequence[Remark]) -> None:
        """Say these things, and no others of ours, at lines of its head; nothing where no page would show them.

        Raises `NotAllowed` where the token may not, or the forge takes none at such a line.
        """

    def statuses(self, sha: str) -> dict[str, Status]:
        """The newest status of each context that a commit has."""

    def status(self, sha: str, status: Status) -> None:
        """Set a commit's status, unless it has it."""

    def annotate(self, sha: str, check: Check) -> None:
        """Say more than a status does, unless that was said; nothing where the forge has no room for such.

        Raises `NotAllowed` where the token may not.
        """

    def takes(self, names: Iterable[str]) -> set[str]:
        """Which files it would keep for a pull request, to judge by their names, which are by content."""

    def keep(self, pull: PullRequest, files: Mapping[str, bytes]) -> dict[str, str]:
        """Keep files, unless it has them; the web addresses of those that it keeps. They are never taken away."""

    def auto_merge(self, pull: PullRequest) -> bool:
        """Have it merged as soon as the checks that base asks for have passed; False if that was so already.

        Raises `NotAllowed` where there is nothing to wait for, or the forge does not do it: nothing merges at once.
        """

    def merge(self, pull: PullRequest, merge_sha: str, base_sha: str, *, when_ready: bool = False) -> PullRequest:
        """Move base from `base_sha` to `merge_sha`, a commit that has the head as a parent.

        With `when_ready` the branch is brought to what is to be merged, and the rest is `auto_merge`.
        """

    def close(self, pull: PullRequest, *, delete_branch: bool = False) -> PullRequest:
        """Close without merging."""
