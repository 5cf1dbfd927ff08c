"""The states that notebooks had on the way: what each of some commits itself made of them.

Of a merge that is what none of its parents has: what it took over from one of them stands in that one's commits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbpr.git.objects import FILES
from nbpr.git.repository import Repository


@dataclass(frozen=True)
class State:
    """A notebook as one commit left it: where it was, and its blob."""

    commit: str
    path: str
    sha: str


def states(repository: Repository, commits: Sequence[str]) -> list[State]:
    """The states of notebooks, runs among them, that some commits brought, in their order. Links are none."""
    if not commits:
        return []
    words = ("diff-tree", "--stdin", "-r", "--root", "-c", "-z", "--raw", "--no-renames", "--", "*.ipynb")
    said = repository.run(*words, stdin="".join(sha + "\n" for sha in commits).encode()).stdout
    return list(_read(said.decode("utf-8", "surrogateescape").split("\0")))


def _read(parts: Sequence[str]) -> Iterator[State]:
    """Each file that `git diff-tree --stdin -c -z --raw` tells of: `:` and facts a parent, then its path."""
    commit, rest = "", iter(parts)
    for part in rest:
        if not part.startswith(":"):
            commit = part
            continue
        parents = len(part) - len(part.lstrip(":"))
        facts = part[parents:].split(" ")
        mode, sha, path = facts[parents], facts[2 * parents + 1], next(rest)
        if mode in FILES and path.endswith(".ipynb"):
            yield State(commit, path, sha)
