"""The Protocol `Api`: what a kind of server is asked for, each in its own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from nbpr.forges.pullrequest import Comment, Opening, PullRequest, Status


@dataclass(frozen=True)
class Said:
    """A comment as the server keeps it: its number there, and what it says."""

    number: int
    comment: Comment


class Api(Protocol):
    """What a kind of server is asked for. Each write finds what there is already before it is sent again."""

    name: str
    repo: str

    def login(self) -> str:
        """Whose token it is."""

    def may_push(self) -> bool:
        """Whether the token's owner may push to the repository. Raises `NotAllowed` for one that cannot be seen."""

    def fork(self, login: str, *, make: bool) -> str | None:
        """`owner/name` of the fork that `login` has, or None; with `make` it is made, unless the server refuses."""

    def pulls(self, state: str) -> Iterable[PullRequest]:
        """The pull requests that are open, or closed (merged ones too); of the closed ones those that matter."""

    def pull(self, number: int) -> PullRequest | None:
        """One pull request, or None."""

    def create(self, opening: Opening) -> PullRequest:
        """Open it, or find the open one that the branch has already."""

    def edit(self, pull: PullRequest, changes: Mapping[str, Any]) -> PullRequest:
        """Change title, body, state or draft. Raises `Stale` if somebody edited it meanwhile."""

    def label(self, pull: PullRequest, labels: Iterable[str]) -> None:
        """Add labels; one that the repository lacks is made."""

    def ask(self, pull: PullRequest, reviewers: Iterable[str]) -> None:
        """Ask people for a review. Raises `NotAllowed` for somebody who cannot be asked."""

    def comments(self, number: int) -> list[Said]:
        """What was said on a pull request, oldest first."""

    def say(self, number: int, body: str, known: Iterable[int]) -> None:
        """Comment. `known` are the comments that were there before."""

    def reword(self, said: Said, body: str) -> None:
        """Change a comment."""

    def unsay(self, said: Said) -> None:
        """Take a comment away."""

    def statuses(self, sha: str) -> dict[str, Status]:
        """The newest status of a commit, by context."""

    def report(self, sha: str, status: Status) -> None:
        """Set a commit's status."""

    def merge(self, pull: PullRequest, head_sha: str, message: str) -> PullRequest:
        """Merge as the server does, if the head is still at `head_sha`."""
