"""A worktree of our own: a detached checkout under the git directory, made for one run and removed after it.

The user's checkout is never touched. What is checked out there is a tree of our choice, with no filter but Git
LFS's, submodules taken from the user's own copies, and the ignored files that `link` names.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nbpr.errors import BadInput
from nbpr.git import workspaces
from nbpr.git.repository import Entry, Repository

#: Ignored files up to this size are copied, so that a notebook cannot write through to the user's own.
COPY_UP_TO = 256 * 1024 * 1024


@dataclass(frozen=True)
class Linked:
    """An ignored file of the checkout that stands in a worktree: a read-only copy, or a link when it is large."""

    path: str
    target: Path | None
    size: int
    modified_ns: int

    def is_untouched(self) -> bool:
        """Whether the user's file is as it was; a copy cannot be written through."""
        if self.target is None:
            return True
        facts = self.target.stat()
        return (facts.st_size, facts.st_mtime_ns) == (self.size, self.modified_ns)


@dataclass(frozen=True)
class Worktree:
    """A detached worktree: where it is, what was linked into it, and what could not be had."""

    root: Path
    linked: tuple[Linked, ...]
    notes: tuple[str, ...]


@contextmanager
def worktree(repository: Repository, commit: str, tree: str, link: Sequence[str] = ()) -> Iterator[Worktree]:
    """A worktree whose HEAD is `commit` and whose files are those of `tree`; gone when the block ends."""
    with workspaces.workspace(repository) as folder:
        root = folder / f"{workspaces.PREFIX}{secrets.token_hex(6)}"
        try:
            # A sparse checkout is the user's view; runs need every file.
            settings = (*repository.safe_filters, "core.sparseCheckout=false", "index.sparse=false")
            words = ("worktree", "add", "--detach", "--no-checkout", "--quiet", root, commit)
            with workspaces.adding(repository):
                repository.run(*words, settings=settings)
            repository.run("read-tree", "--reset", "-u", tree, cwd=root, settings=settings)
            notes = list(_submodules(repository, root, tree))
            linked = [_link(repository.root, root, path, notes) for path in _linkable(repository, link)]
            yield Worktree(root, tuple(found for found in linked if found), tuple(notes))
        finally:
            workspaces.remove_worktree(repository, root)


def _submodules(repository: Repository, root: Path, tree: str) -> Iterator[str]:
    """Fill in submodules from the checkout's own copies, without the network; yields a note for each left empty."""
    for entry in _gitlinks(repository, tree):
        source = repository.root / entry.path
        if not (source / ".git").exists():
            yield f"submodule {entry.path} is empty here as it is in the checkout"
            continue
        target = root / entry.path
        repository.run("clone", "--quiet", "--shared", "--no-checkout", "--", source, target)
        done = repository.run("checkout", "--quiet", "--detach", entry.sha, cwd=target, accept=(0, 1, 128))
        if done.returncode:
            yield f"submodule {entry.path} has no commit {entry.sha[:12]} in the checkout: git submodule update"


def _gitlinks(repository: Repository, tree: str) -> list[Entry]:
    return [entry for entry in repository.entries(tree) if entry.mode == "160000"]


def _linkable(repository: Repository, patterns: Sequence[str]) -> list[str]:
    if not patterns:
        return []
    top = repository.root.resolve()
    paths = repository.ignored(patterns)
    for path in paths:
        if not (repository.root / path).resolve().is_relative_to(top):
            raise BadInput(f"{path}: `link` names a symlink that leaves the repository")
    return [path for path in paths if (repository.root / path).is_file()]


def _link(checkout: Path, root: Path, path: str, notes: list[str]) -> Linked | None:
    """Put one ignored file into the worktree, unless the branch has something in its place; then a note says so."""
    source, target = checkout / path, root / path
    if os.path.lexists(target) or not _can_hold(target.parent, root):
        notes.append(f"link: {path} was left out, since the branch itself has something there")
        return None
    facts = source.stat()
    target.parent.mkdir(parents=True, exist_ok=True)
    if facts.st_size > COPY_UP_TO:
        target.symlink_to(source)
        return Linked(path, source, facts.st_size, facts.st_mtime_ns)
    shutil.copy2(source, target)
    target.chmod(0o444)
    return Linked(path, None, facts.st_size, facts.st_mtime_ns)


def _can_hold(folder: Path, root: Path) -> bool:
    """Whether a folder is, or can be made, a real one within the worktree: a link of the branch may lead anywhere."""
    while not os.path.lexists(folder):
        folder = folder.parent
    return folder.is_dir() and folder.resolve().is_relative_to(root.resolve())
