"""Which revisions and paths the words of a command name, read as git reads them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nbpr.errors import BadInput
from nbpr.git.repository import Repository


@dataclass(frozen=True)
class Range:
    """What to compare: two commits, or with `after` None a commit with the working copy, or, `staged`, the index.

    Only what lies below `paths`, if there are any.
    """

    before: str
    after: str | None
    paths: tuple[str, ...] = ()
    staged: bool = False


#: Finds out the two commits of a range, one commit and None, or None for what is no revision.
Lookup = Callable[[str], tuple[str, str | None] | None]


def parsed(
    repository: Repository, lookup: Lookup, words: Sequence[str], paths: Sequence[str] | None, staged: bool
) -> Range:
    """Which revisions the words name, and which paths they and `paths` (None where there was no `--`) keep to.

    As git reads it: revisions first; without `--` every word must be either a revision or a file, not both, and
    after the first file come only files. Raises `BadInput`.
    """
    split = len(words) if paths is not None else _first_path(lookup, words)
    given = _commits(repository, lookup, words[:split])
    if staged and given[1] is not None:
        raise BadInput(f"--staged compares the index with one commit, not two: {' '.join(words[:split])}")
    below = [*words[split:], *(paths or ())]
    if any(_is_root(repository, path) for path in below):
        return Range(*given, staged=staged)
    return Range(*given, tuple(repository.path_of(path) for path in below), staged)


def _is_root(repository: Repository, path: str) -> bool:
    return Path(path).resolve() == repository.root.resolve()


def _first_path(lookup: Lookup, words: Sequence[str]) -> int:
    """Where the files begin among words that may be either."""
    for place, word in enumerate(words):
        there, known = os.path.lexists(word), lookup(word) is not None
        if there and known:
            raise BadInput(f"{word!r} is a revision and a file", hint="put -- before the files, or after the revisions")
        if not there and not known:
            raise BadInput(f"{word!r} is neither a revision nor a file here", hint="put -- before a file that is gone")
        if there:
            missing = next((other for other in words[place:] if not os.path.lexists(other)), None)
            if missing is not None:
                raise BadInput(
                    f"{missing!r}: no such file", hint="revisions come first; put -- before a file that is gone"
                )
            return place
    return len(words)


def _commits(repository: Repository, lookup: Lookup, words: Sequence[str]) -> tuple[str, str | None]:
    pairs = [lookup(word) for word in words]
    unknown = next((word for word, pair in zip(words, pairs, strict=True) if pair is None), None)
    if unknown is not None:
        raise BadInput(f"there is no revision {unknown!r}")
    known = [pair for pair in pairs if pair is not None]
    if not known:
        if repository.head is None:
            raise BadInput("this repository has no commits yet, so there is nothing to compare with")
        return repository.head, None
    if len(known) == 1:
        return known[0]
    if len(known) > 2 or any(after is not None for _, after in known):
        raise BadInput(f"more than two revisions: {' '.join(words)}", hint="nbpr diff A B, A..B or A...B")
    return known[0][0], known[1][0]


def commit_pair(repository: Repository, word: str) -> tuple[str, str | None] | None:
    """What `Lookup` says."""
    dots = next((dots for dots in ("...", "..") if dots in word), None)
    if dots is None:
        sha = repository.resolve(word)
        return None if sha is None else (sha, None)
    before, after = (repository.resolve(name or "HEAD") for name in word.split(dots, 1))
    if before is None or after is None:
        return None
    if dots == "..":
        return before, after
    start = repository.merge_base(before, after)
    if start is None:
        raise BadInput(f"{word}: the two have no common ancestor", hint="compare them as A..B")
    return start, after
