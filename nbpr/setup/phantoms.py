"""Notebooks that git calls modified although it would store what it has stored already, and how that ends.

Running a notebook changes its size, and a file whose size is not the one in the index is modified to `git status`,
which does not ask the filter then. Nothing is to be committed, and `git diff` shows nothing. What ends it is git
looking at the file anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbpr.git.repository import Repository
from nbpr.process import ProcessFailed

_NOTEBOOKS = ("--", ":(top)*.ipynb")


def phantoms(repository: Repository) -> list[str]:
    """The notebooks that `git status` calls modified and that `git add` would store as they are in the index.

    None where a filter does not work, since git then cannot say.
    """
    try:
        called = _modified(repository)
        of_one_mode = _of_one_mode(repository) if called else {}
        stored = {path: sha for path, sha in of_one_mode.items() if path in called and _is_plain(path)}
        would = _hashed(repository, list(stored))
    except ProcessFailed:
        return []
    return sorted(path for path, sha in would.items() if stored[path] == sha)


def refresh(repository: Repository, paths: Sequence[str]) -> list[str]:
    """Have git look at those files anew; gives those that are no longer called modified.

    What is in the index stays: only what git notes of the files there, their size and times, changes.
    """
    if not paths:
        return []
    stdin = "".join(path + "\0" for path in paths).encode("utf-8", "surrogateescape")
    repository.run("update-index", "-z", "--stdin", stdin=stdin)
    left = _modified(repository)
    return [path for path in paths if path not in left]


def _modified(repository: Repository) -> set[str]:
    """The notebooks that differ from the index, as `git status` says it."""
    words = ("status", "--porcelain", "-z", "--untracked-files=no", "--no-renames", "--ignore-submodules")
    said = repository.run(*words, *_NOTEBOOKS).stdout.decode("utf-8", "surrogateescape")
    return {line[3:] for line in said.split("\0") if line[1:2] == "M"}


def _of_one_mode(repository: Repository) -> dict[str, str]:
    """What is in the index, by path, of the files that git would look at, but for those whose mode changed."""
    said = repository.run("diff-files", "-z", "--raw", "--abbrev=64", "--ignore-submodules", *_NOTEBOOKS).stdout
    parts = said.decode("utf-8", "surrogateescape").split("\0")
    facts = ((part[1:].split(" "), path) for part, path in zip(parts[::2], parts[1::2], strict=False))
    return {path: words[2] for words, path in facts if words[4] == "M" and words[0] == words[1]}


def _is_plain(path: str) -> bool:
    """Whether git takes the name as it stands in a list of lines."""
    return "\n" not in path and not path.startswith('"')


def _hashed(repository: Repository, paths: Sequence[str]) -> dict[str, str]:
    """The ids that `git add` would give the files: through the filters that are set up, whichever they are."""
    if not paths:
        return {}
    stdin = "".join(path + "\n" for path in paths).encode("utf-8", "surrogateescape")
    said = repository.run("hash-object", "--stdin-paths", stdin=stdin).text.split("\n")
    return dict(zip(paths, said, strict=True))
