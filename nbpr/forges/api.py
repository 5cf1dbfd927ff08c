"""The Protocol `Api`: what a kind of server is asked for, each in its own words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from nbpr.forges.pullrequest import Comment, Opening, PullRequest
from nbpr.forges.remarks import Reviews
from nbpr.forges.status import Check, Status

#: Commits files to a ref of their own on the remote; the commit, or None where the remote does not take it.
InGit = Callable[[Mapping[str, bytes]], str | None]


@dataclass(frozen=True)
class Said:
    """A comment as the server keeps it: its number there, and what it says."""

    number: int
    comment: Comment


class Api(Protocol):
    """What a kind of server is asked for. Each write finds what there is already before it is sent again."""

    name: str
    keeps_in_git: bool
    repo: str

    @property
    def reviews(self) -> Reviews:
        """How it keeps remarks."""

    def login(self) -> str:
        """Whose token it is."""

    def check_token(self) -> None:
        """Raises `NotAllowed` for a token that cannot write what a proposal writes, as far as that can be asked."""

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

    def news(self, pull: PullRequest, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Changes to labels and people without what is so already in the server's own way."""

    def label(self, pull: PullRequest, labels: Iterable[str]) -> None:
        """Add labels; one that the repository lacks is made."""

    def ask(self, pull: PullRequest, reviewers: Iterable[str]) -> None:
        """Ask people for a review. Raises `NotAllowed` for somebody who cannot be asked."""

    def assign(self, pull: PullRequest, people: Iterable[str]) -> None:
        """Assign people, besides those who are. Raises `NotAllowed` for somebody who cannot be."""

    def milestone(self, title: str) -> int:
        """The number of a milestone. Raises `BadInput` for an unknown one, with those that there are."""

    def plan(self, pull: PullRequest, milestone: str) -> None:
        """Put it into a milestone, by its title. Raises `BadInput` for an unknown one."""

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

    def annotate(self, sha: str, check: Check) -> None:
        """Say more than a status does, where there is room for it, unless that was said."""

    def takes(self, names: Iterable[str]) -> set[str]:
        """Which files it would keep, to judge by their names."""

    def keep(self, number: int, files: Mapping[str, bytes], in_git: InGit) -> dict[str, str]:
        """Keep files for a pull request, by themselves or `in_git`; the web addresses of those that are kept."""

    def auto_merge(self, pull: PullRequest) -> bool:
        """Have it merged when its checks have passed; False if that is so already."""

    def merge(self, pull: PullRequest, head_sha: str, message: str) -> PullRequest:
        """Merge as the server does, if the head is still at `head_sha`."""
