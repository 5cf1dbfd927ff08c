"""AGit: a Gitea's pull request whose branch is nowhere but in the pull request, made by a push to `refs/for/<base>`.

It takes no more than the right to read. The server does not tell the topic, so the body does, in a comment of its own;
here the branch has the topic as its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from nbpr.errors import NotAllowed
from nbpr.forges.pullrequest import Opening, PullRequest
from nbpr.git.repository import Repository, Stale

_HEAD = re.compile(r"refs/pull/\d+/head")
_MARK = re.compile(r"^<!-- nbpr-topic (\S+) -->$", re.MULTILINE)


class Agit:
    """The topics of ours on a server. `space` is where copies of the remote's refs are kept here."""

    def __init__(self, repository: Repository, remote: str, space: str, login: Callable[[], str]) -> None:
        self._repository = repository
        self._remote = remote
        self._space = space
        self._login = login
        self._bases: dict[str, str] = {}
        self._heads: dict[str, str] = {}
        self._titles: dict[str, str] = {}

    @property
    def is_used(self) -> bool:
        """Whether something of ours is kept in this way."""
        return bool(self._bases)

    def holds(self, branch: str) -> bool:
        """Whether a branch of ours is a topic."""
        return branch in self._bases

    def is_topic(self, pull: PullRequest) -> bool:
        """Whether a pull request was made in this way, be it open or not."""
        return bool(_MARK.search(pull.body))

    def named_here(self, pull: PullRequest, ours: str) -> PullRequest:
        """A pull request by its topic, if its body has `ours`; one without was killed while it was made."""
        said = _MARK.search(pull.body)
        if said is None or not _HEAD.fullmatch(pull.head) or pull.author != self._login():
            return pull
        branch = said.group(1)
        if pull.state == "open":
            self._bases[branch], self._heads[branch] = pull.base, pull.head
        return replace(pull, head=branch) if ours in pull.body else pull

    def fetch(self) -> None:
        """Bring the topics here."""
        heads = [f"+{head}:{self._space}/heads/{branch}" for branch, head in self._heads.items()]
        if heads:
            self._repository.fetch(self._remote, *heads)

    def take(self, opening: Opening) -> None:
        """Have the branch of a pull request that is about to be made be a topic."""
        self._bases[opening.head] = opening.base
        self._titles[opening.head] = opening.title

    def push(self, branch: str, sha: str | None) -> None:
        """Push a topic forwards, which makes its pull request where there is none. Raises `Stale` if it moved."""
        if sha is None:
            raise NotAllowed(f"{branch} is in its pull request alone and goes with it")
        options = [f"topic={branch}"]
        if branch not in self._heads:
            options += [f"title={self._titles[branch]}", f"description=<!-- nbpr-topic {branch} -->"]
        try:
            self._repository.push_for_review(self._remote, sha, self._bases[branch], options)
        except NotAllowed as error:
            if "force-push" in error.message:
                raise Stale(f"{branch} moved meanwhile") from None
            raise

    def opened(self, opening: Opening, pulls: Iterable[PullRequest]) -> PullRequest:
        """The pull request that the push made. Raises `NotAllowed` where it made none."""
        login = self._login()
        for pull in pulls:
            if (pull.head_sha, pull.author) == (opening.head_sha, login) and _HEAD.fullmatch(pull.head):
                return pull
        raise NotAllowed(
            f"{login} may not push to it, no fork of it can be made, and it makes no pull request of refs/for",
            hint="ask for the right to write there, or make a fork of it in the browser",
        )
