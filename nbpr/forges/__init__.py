"""Forges: where pull requests live. One small module each behind one Protocol, and one row in the table.

A forge moves the pull request and its branch together, as far as it can: the local one in one atomic push.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from nbpr.branches import Branches
from nbpr.config import Config
from nbpr.errors import BadInput
from nbpr.forges.pullrequest import Comment, Forge, Opening, PullRequest, State
from nbpr.repository import Repository, without_credentials

__all__ = ["FORGES", "Comment", "Forge", "Opening", "PullRequest", "State", "bring_up_to_date", "forge_for", "is_path"]


def _local(repository: Repository, config: Config, now: Callable[[], datetime] | None) -> Forge:
    from nbpr.forges.local import LocalForge

    return LocalForge(repository, repository.remote(config.remote), now=now)


#: Each forge by the name that `forge = …` knows it by.
FORGES: dict[str, Callable[[Repository, Config, Callable[[], datetime] | None], Forge]] = {"local": _local}


def forge_for(repository: Repository, config: Config, *, now: Callable[[], datetime] | None = None) -> Forge:
    """The forge of this repository: the configured one, or with `auto` the local one for no remote or a path.

    Raises `BadInput` for a remote on a host, which the local forge must not silently stand in for.
    """
    if config.forge != "auto":
        if config.forge not in FORGES:
            raise BadInput(f"forge {config.forge!r} is none of auto, {', '.join(FORGES)}")
        return FORGES[config.forge](repository, config, now)
    remote = repository.remote(config.remote)
    url = repository.remote_url(remote) if remote else None
    if url is not None and not is_path(url):
        raise BadInput(
            f"the remote {remote} ({without_credentials(url)}) is on a host; which forge runs there is not configured",
            hint='pull requests in git itself: --forge local, or forge = "local" in [tool.nbpr]',
        )
    return FORGES["local"](repository, config, now)


def bring_up_to_date(forge: Forge, branches: Branches, config: Config, names: Iterable[str] = ()) -> None:
    """Fetch the forge's pull requests, the branches that they are made of, those of ours, and `names`."""
    own = config.branch_prefix.rstrip("/")
    branches.fetch([f"{own}*", *(f"{name}*" for name in names)], forge.refspecs())
    known = {name for pull in forge.find(state=None) if pull.state != "closed" for name in (pull.head, pull.base)}
    further = sorted(name for name in known if not name.startswith((own, *names)))
    if further:
        branches.fetch(f"{name}*" for name in further)


def is_path(url: str) -> bool:
    """Whether a remote's URL is a place in the file system; `host:path` is ssh, as git has it."""
    if url.startswith("file://"):
        return True
    before_colon, colon, _ = url.partition(":")
    return "://" not in url and (not colon or "/" in before_colon)
