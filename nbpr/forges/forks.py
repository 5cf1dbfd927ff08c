"""Forks: where the branches of somebody lie who may not push to the repository itself.

Here such a branch has its own name, without its owner before it, so that a proposal goes the same way whether its
branch is on the repository or on a fork.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from nbpr.errors import NotAllowed
from nbpr.forges.api import Api
from nbpr.forges.pullrequest import PullRequest
from nbpr.git.repository import Repository, without_credentials

#: Owner and name at the end of a repository's URL, and what may follow them.
_NAME = re.compile(r"[^/:]+/[^/:]+?(?P<end>(?:\.git)?/?)$")


class Fork:
    """The fork of the token's owner, and which branches of ours are on it. Asked for only where it is needed.

    `space` is where copies of the remote's refs are kept here.
    """

    def __init__(self, api: Api, repository: Repository, remote: str, space: str, login: Callable[[], str]) -> None:
        self._api = api
        self._repository = repository
        self._remote = remote
        self._space = space
        self._login = login
        self._url: str | None = None
        self._branches: set[str] = set()
        self._prefixes: tuple[str, ...] = ()
        #: Whether new branches go there.
        self.is_needed = False

    @property
    def is_used(self) -> bool:
        """Whether something of ours is on it."""
        return self.is_needed or bool(self._branches)

    def named_here(self, pull: PullRequest) -> PullRequest:
        """A pull request by the name that its branch has here."""
        owner, colon, branch = pull.head.partition(":")
        if not colon or owner != self._login():
            return pull
        self._branches.add(branch)
        return replace(pull, head=branch)

    def named_there(self, branch: str) -> str:
        """What the server calls a branch of ours."""
        return f"{self._login()}:{branch}" if branch in self._branches else branch

    def place(self, branch: str) -> str:
        """Where a branch of ours is pushed to: the remote's name, or the fork's URL."""
        if branch not in self._branches:
            return self._remote
        return self._found() or self._refuse()

    def take(self, branch: str) -> None:
        """Have a branch that is about to be made go to the fork, which is made where there is none.

        Raises `NotAllowed` where none can be made.
        """
        if self._found() is None:
            self._url = self._url_of(self._api.fork(self._login(), make=True))
        if self._url is None:
            self._refuse()
        self._branches.add(branch)

    def look(self) -> bool:
        """Look for a fork that is there, and what is of ours on it; whether that is news."""
        self.is_needed = True
        before = self._repository.refs(self._space)
        self.fetch(self._prefixes)
        return self._repository.refs(self._space) != before

    def fetch(self, prefixes: Iterable[str]) -> None:
        """Bring its branches of ours here, and their claims: those that begin so, if new ones go there."""
        self._prefixes = tuple(prefixes)
        if not self.is_used:
            return
        url = self._found()
        if url is None:
            return
        wanted = self._prefixes if self.is_needed else ()
        single = sorted(name for name in self._branches if not name.startswith(wanted))
        names = (f"{name}*" for name in (*wanted, *single))  # patterns: a branch may be gone
        heads = (f"+refs/heads/{name}:{self._space}/heads/{name}" for name in names)
        self._repository.fetch(url, *heads, f"+refs/nbpr/claims/*:{self._space}/claims/*")

    def _found(self) -> str | None:
        """The URL of the fork that is there, like the remote's own."""
        if self._url is None:
            self._url = self._url_of(self._api.fork(self._login(), make=False))
        return self._url

    def _url_of(self, name: str | None) -> str | None:
        url = self._repository.remote_url(self._remote)
        if name is None or not _NAME.search(url):
            return None
        bare = without_credentials(url) if url.startswith("http") else url
        return _NAME.sub(lambda match: name + match["end"], bare)

    def _refuse(self) -> str:
        raise NotAllowed(
            f"{self._login()} may not push to {self._api.repo}, and no fork of it can be made",
            hint="ask for the right to write there, or make a fork of it in the browser",
        )
