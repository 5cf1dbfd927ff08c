"""Branches: what a proposal builds on, and what its own branch is called.

The remote's branches are read from copies of ours, `refs/nbpr/remotes/<remote>/heads/…`, so that the user's
remote-tracking branches stay where they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from nbpr.config import Config
from nbpr.errors import BadInput
from nbpr.git.repository import Repository

#: How long the part of a branch name that is made from a title may be.
SLUG_LENGTH = 48


@dataclass(frozen=True)
class Tip:
    """The newest commit of a branch, made by nbpr: the key of its proposal, git's author, and the agent, if one."""

    key: str
    author: str
    agent: str | None


@dataclass(frozen=True)
class Branches:
    """The branches of the remote as last fetched, or the local ones where there is no remote."""

    repository: Repository
    remote: str | None

    @property
    def _space(self) -> str:
        return f"refs/nbpr/remotes/{self.remote}/heads/" if self.remote else "refs/heads/"

    def sha(self, branch: str) -> str | None:
        """The commit that a branch is at, or None."""
        return self.repository.refs(self._space + branch).get(self._space + branch)

    def names(self) -> set[str]:
        """The branches known; of a remote those that were fetched."""
        return {ref.removeprefix(self._space) for ref in self.repository.refs(self._space)}

    def tips(self) -> dict[str, Tip]:
        """Each branch whose newest commit is one of nbpr's, and what that says of the proposal that it was made for."""
        # All trailers: git 2.39 mixes up those of two keys. They have line breaks, so NUL alone ends a field.
        form = "%(refname)%00%(authorname) %(authoremail)%00%(trailers:only,unfold)%00"
        fields = self.repository.git("for-each-ref", f"--format={form}", self._space).split("\0")
        found = {}
        for ref, author, trailers in zip(fields[::3], fields[1::3], fields[2::3], strict=False):
            told = dict(line.partition(": ")[::2] for line in trailers.splitlines())
            if key := told.get("Nbpr-Key"):
                found[ref.strip().removeprefix(self._space)] = Tip(key, author, told.get("Nbpr-Agent"))
        return found

    def fetch(self, branches: Iterable[str], refspecs: Iterable[str] = ()) -> None:
        """Bring branches (and what else the refspecs name) from the remote here. Patterns may end in `*`."""
        if self.remote is None:
            return
        heads = [f"+refs/heads/{name}:{self._space}{name}" for name in dict.fromkeys(branches)]
        self.repository.fetch(self.remote, *heads, *refspecs)

    def default(self) -> str:
        """The base when nobody names one: the remote's default branch, else the local main line."""
        if self.remote is not None:
            return self.repository.remote_default(self.remote) or self._local_default()
        return self._local_default()

    def known_default(self) -> str:
        """The same without asking the remote: what the clone remembers of it."""
        remembered = f"refs/remotes/{self.remote}/HEAD"
        done = self.repository.run("symbolic-ref", "--quiet", remembered, accept=(0, 1, 128))
        return done.text.removeprefix(f"refs/remotes/{self.remote}/") if done.text else self._local_default()

    def _local_default(self) -> str:
        local = {ref.removeprefix("refs/heads/") for ref in self.repository.refs("refs/heads/")}
        wanted = (self.repository.setting("init.defaultBranch"), "main", "master")
        current = self.repository.run("symbolic-ref", "--short", "--quiet", "HEAD", accept=(0, 1)).text
        found = next((name for name in wanted if name in local), None) or current
        if not found:
            raise BadInput("which branch is the base is not plain here", hint="name it: --base BRANCH")
        return found

    def remembered_sha(self, branch: str) -> str | None:
        """Where a branch is as far as this clone knows, without a fetch of ours."""
        tracking = f"refs/remotes/{self.remote}/{branch}"
        return self.sha(branch) or (self.repository.refs(tracking).get(tracking) if self.remote else None)


def slug(text: str) -> str:
    """Text as a part of a branch name: ASCII letters, digits and dashes; empty if there is nothing of these."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LENGTH].strip("-")


def new_name(config: Config, notebook: str, title: str, key: str, taken: Collection[str]) -> str:
    """The branch of a new proposal: `<branch-prefix><notebook>-<slug of title>`, numbered when that is taken."""
    for parent in list(PurePosixPath(config.branch_prefix + "x").parents)[:-1]:
        if str(parent) in taken:
            raise BadInput(
                f"there is a branch {parent}, so git can have none below it",
                hint='set another branch-prefix in [tool.nbpr], as in branch-prefix = "nbpr/"',
            )
    stem = slug(PurePosixPath(notebook).stem) or "notebook"
    wanted = f"{config.branch_prefix}{stem}-{slug(title) or key[:8]}"
    # A branch cannot stand where another one has its folder, nor below another one.
    blocked = {"/".join(name.split("/")[:depth]) for name in taken for depth in range(1, name.count("/") + 2)}
    number, name = 1, wanted
    while name in blocked:
        number += 1
        name = f"{wanted}-{number}"
    return name
