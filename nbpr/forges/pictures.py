"""Pictures in git: files under names by content, in a commit without parents that a ref of its own keeps for ever.

The same files make the same commit, wherever and whenever it is made, so that there is nothing to fetch before and
nothing to race for. A plain clone does not carry these refs.
"""

from __future__ import annotations

from collections.abc import Mapping

from nbpr.errors import NotAllowed
from nbpr.git.repository import RefUpdate, Repository, Stale

_WHEN = "@1700000000 +0000"
_WHO = {
    f"GIT_{who}_{fact}": value
    for who in ("AUTHOR", "COMMITTER")
    for fact, value in (("NAME", "nbpr"), ("EMAIL", "nbpr@localhost"), ("DATE", _WHEN))
}


def publish(repository: Repository, remote: str, files: Mapping[str, bytes]) -> str | None:
    """Push files to `refs/nbpr/pictures/<commit>`; the commit, or None for a server that takes no such ref."""
    tree = repository.edited_tree(None, dict(files))
    commit = repository.run("commit-tree", tree, "-m", "Pictures of a pull request", env=_WHO).text
    try:
        repository.publish(remote, [RefUpdate(f"refs/nbpr/pictures/{commit}", None, commit)])
    except Stale:
        pass  # it is there: the name says what it holds
    except NotAllowed:
        return None
    return commit
