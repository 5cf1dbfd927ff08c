"""What changed between two commits: files that were added, modified or deleted, and those that moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from nbpr.git.repository import Repository

Kind = Literal["added", "modified", "deleted"]


@dataclass(frozen=True)
class FileChange:
    """One file that changed. `before` is where it was, None for a new one; one that moved is `modified`."""

    path: str
    kind: Kind
    before: str | None


def changes(repository: Repository, start: str | None, head: str) -> list[FileChange]:
    """What `head` has otherwise than `start`, by path; without a start, every file of it is new.

    Only notebooks are looked at for moves: of a notebook that is renamed and edited, half has to have stayed.
    """
    if start is None:
        return [FileChange(entry.path, "added", None) for entry in repository.entries(head)]
    plain = dict(_listed(repository, start, head, "--no-renames"))
    moved = [item for item in _moves(repository, start, head) if item.before in plain and item.path in plain]
    for each in moved:
        plain[each.path] = each
        if plain[str(each.before)].kind == "deleted":
            del plain[str(each.before)]
    return [plain[path] for path in sorted(plain)]


def _listed(repository: Repository, start: str, head: str, *words: str) -> Iterator[tuple[str, FileChange]]:
    parts = iter(_parts(repository, start, head, *words))
    kinds: dict[str, Kind] = {"A": "added", "D": "deleted"}
    for letter, path in zip(parts, parts, strict=False):
        kind = kinds.get(letter, "modified")
        yield path, FileChange(path, kind, None if kind == "added" else path)


def _moves(repository: Repository, start: str, head: str) -> Iterator[FileChange]:
    words = ("-M50%", "--diff-filter=R", "-l1000", "--", ":(top)*.ipynb")
    parts = iter(_parts(repository, start, head, *words))
    for _, before, path in zip(parts, parts, parts, strict=False):
        yield FileChange(path, "modified", before)


def _parts(repository: Repository, start: str, head: str, *words: str) -> list[str]:
    options = [word for word in words if word.startswith("-") and word != "--"]
    paths = words[words.index("--") :] if "--" in words else ()
    listed = repository.run("diff-tree", "-r", "-z", "--name-status", *options, start, head, *paths).stdout
    return [part for part in listed.decode("utf-8", "surrogateescape").split("\0") if part]
