"""Forges: where pull requests live. One small module each behind one Protocol, and one row in the table.

The local one moves a pull request and its branch together, in one atomic push; for one on a server git carries the
branch and its API the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from nbpr.config import Config
from nbpr.errors import BadInput
from nbpr.forges.pullrequest import Comment, Forge, Opening, PullRequest, State
from nbpr.forges.remarks import Remark
from nbpr.forges.status import Annotation, Check, Status
from nbpr.git.branches import Branches
from nbpr.git.repository import Repository
from nbpr.tokens import Kind

__all__ = [
    "FORGES",
    "Annotation",
    "Check",
    "Comment",
    "Forge",
    "Opening",
    "PullRequest",
    "Remark",
    "State",
    "Status",
    "bring_up_to_date",
    "forge_for",
    "is_path",
]


def _local(repository: Repository, config: Config, now: Callable[[], datetime] | None) -> Forge:
    from nbpr.forges.local import LocalForge

    return LocalForge(repository, repository.remote(config.remote), now=now)


def _gitea(repository: Repository, config: Config, now: Callable[[], datetime] | None) -> Forge:
    return _on_server(repository, config, "gitea")


def _github(repository: Repository, config: Config, now: Callable[[], datetime] | None) -> Forge:
    return _on_server(repository, config, "github")


#: Each forge by the name that `forge = …` knows it by.
FORGES: dict[str, Callable[[Repository, Config, Callable[[], datetime] | None], Forge]] = {
    "local": _local,
    "gitea": _gitea,
    "github": _github,
}


def forge_for(repository: Repository, config: Config, *, now: Callable[[], datetime] | None = None) -> Forge:
    """The forge of this repository: the configured one, or with `auto` the one that its remote is on.

    `auto` is local for no remote or a path. Raises `BadInput` for a host that is none of ours, which the local forge
    must not silently stand in for, `NotAllowed` where there is no token for it.
    """
    if config.forge != "auto":
        if config.forge not in FORGES:
            raise BadInput(f"forge {config.forge!r} is none of auto, {', '.join(FORGES)}")
        return FORGES[config.forge](repository, config, now)
    remote = repository.remote(config.remote)
    if remote is None or is_path(repository.remote_url(remote)):
        return FORGES["local"](repository, config, now)
    return _on_server(repository, config, None)


def _on_server(repository: Repository, config: Config, kind: Kind | None) -> Forge:
    """The forge at the remote's host. Its token is handed to git, too, for pushing."""
    from nbpr.forges import access, choice
    from nbpr.forges.server import ServerForge

    remote = repository.remote(config.remote)
    url = repository.remote_url(remote) if remote else ""
    if remote is None or is_path(url):
        raise BadInput(
            f"forge {config.forge!r} wants a remote on its server", hint="git remote add origin URL, or --forge local"
        )
    address = choice.settled(url, config.forge_url)
    if kind is None:
        kind, address = choice.kind_of(address, config.ca_file)
    token = access.token(repository, config, address, kind, url)
    repository.token = token
    return ServerForge(access.api(address, kind, token, config.ca_file), repository, remote)


def bring_up_to_date(forge: Forge, branches: Branches, config: Config, names: Iterable[str] = ()) -> None:
    """Fetch the forge's pull requests, the branches that they are made of, those of ours, and `names`."""
    own = config.branch_prefix.rstrip("/")
    forge.forget()
    branches.fetch([f"{own}*", *(f"{name}*" for name in names)], forge.refspecs())
    further = sorted(name for name in forge.branches() if not name.startswith((own, *names)))
    if further:
        branches.fetch(f"{name}*" for name in further)
    forge.catch_up((own, *names))


def is_path(url: str) -> bool:
    """Whether a remote's URL is a place in the file system; `host:path` is ssh, as git has it."""
    if url.startswith("file://"):
        return True
    before_colon, colon, _ = url.partition(":")
    return "://" not in url and (not colon or "/" in before_colon)
