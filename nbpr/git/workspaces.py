"""A workspace: a folder of our own under the git directory for one command, gone when the command ends.

It is locked as long as the command lives, or a git of its. A workspace that nobody holds is what a killed command
left: the next command takes it away, and with it git's record of the worktrees in it and git's stale lock files on
refs of ours.
"""

from __future__ import annotations

import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from nbpr.git import locks
from nbpr.git.objects import Objects

PREFIX = "nbpr-"
#: What git's lock on the checkout's index is a link to while a command of ours changes it.
INDEX_LOCK = "locked"


@contextmanager
def workspace(repository: Objects) -> Iterator[Path]:
    """A folder of our own, after what killed commands left was taken away; the one there is, if there is one."""
    if repository.work is not None:
        yield repository.work
        return
    folder = folder_of(repository)
    root = folder / f"{PREFIX}{secrets.token_hex(6)}"
    try:
        with locks.lock(_lock_of(root)):
            sweep(repository)
            root.mkdir(parents=True)
            repository.work = root
            try:
                yield root
            finally:
                repository.work = None
                remove(repository, root)
    finally:
        with suppress(OSError):
            folder.rmdir()


def adding(repository: Objects) -> AbstractContextManager[bool]:
    """One `git worktree add` at a time: git reads every other record, and gives up on one that is half made."""
    return locks.lock(repository.own_dir / "worktrees.lock")


def folder_of(repository: Objects) -> Path:
    """Where workspaces are."""
    return repository.own_dir / "work"


def left_behind(repository: Objects) -> list[Path]:
    """Workspaces that nobody holds any more: what killed commands left."""
    folder = folder_of(repository)
    roots = {path.with_suffix("") for path in folder.glob(f"{PREFIX}*")}
    return sorted(root for root in roots if locks.is_free(_lock_of(root)))


def sweep(repository: Objects) -> list[Path]:
    """Take away what killed commands left, and say what that was."""
    with locks.lock(repository.own_dir / "sweep.lock"):
        found = left_behind(repository)
        for root in found:
            remove(repository, root)
            locks.discard(_lock_of(root))
        locks.discard(repository.common_dir / locks.REFS, *(repository.own_dir / "locks").glob("*.lock"))
        with suppress(OSError):
            (repository.own_dir / "locks").rmdir()
        with adding(repository):
            _forget_half_made(repository)
        return found + _stale_ref_locks(repository)


def _lock_of(root: Path) -> Path:
    return root.with_name(root.name + ".lock")


def _stale_ref_locks(repository: Objects) -> list[Path]:
    """Take away the lock files of a killed git on refs that only nbpr writes, if no other command of ours runs."""
    alive = [path for path in folder_of(repository).glob(f"{PREFIX}*.lock") if not locks.is_free(path)]
    if len(alive) > 1:
        return []
    folders = (repository.common_dir / "refs" / "nbpr", repository.git_dir / "refs" / "worktree" / "nbpr")
    stale = [path for folder in folders for path in folder.rglob("*.lock")]
    for path in stale:
        path.unlink(missing_ok=True)
    return stale


def remove(repository: Objects, root: Path) -> None:
    """Remove a workspace, with the worktrees in it and git's records of them."""
    _unlock_index(repository, root)
    for place in sorted(root.glob(f"{PREFIX}*")):
        remove_worktree(repository, place)
    _remove_folder(root)
    for record in (repository.common_dir / "worktrees").glob(f"{PREFIX}*"):
        if _is_of(record, root):
            shutil.rmtree(record, ignore_errors=True)


def _unlock_index(repository: Objects, root: Path) -> None:
    """Let go of the checkout's index if a killed command of ours held it: then its lock is a link to a file of ours."""
    lock = repository.git_dir / "index.lock"
    for marker in root.glob(f"index-*/{INDEX_LOCK}"):
        with suppress(OSError):
            if marker.samefile(lock):
                lock.unlink()


def remove_worktree(repository: Objects, root: Path) -> None:
    """Remove a worktree of ours and git's record of it.

    `git worktree prune` would also forget worktrees of the user's that are only unmounted now.
    """
    _remove_folder(root)
    records = repository.common_dir / "worktrees"
    if root.name.startswith(PREFIX):
        shutil.rmtree(records / root.name, ignore_errors=True)
    with suppress(OSError):
        records.rmdir()


def _forget_half_made(repository: Objects) -> None:
    """Forget records of ours that a killed git began and whose worktree it did not make."""
    for record in (repository.common_dir / "worktrees").glob(f"{PREFIX}*"):
        try:
            made = Path((record / "gitdir").read_text(encoding="utf-8").strip()).exists()
            made = made and bool((record / "commondir").read_text(encoding="utf-8").strip())
        except OSError:
            made = False
        if not made:
            shutil.rmtree(record, ignore_errors=True)


def _is_of(record: Path, root: Path) -> bool:
    """Whether git's record is of a worktree below `root`; a record without its file is a half-made one."""
    try:
        return Path((record / "gitdir").read_text(encoding="utf-8").strip()).is_relative_to(root)
    except OSError:
        return False


def _remove_folder(root: Path) -> None:
    if root.exists():
        shutil.rmtree(root, onerror=_make_writable)


def _make_writable(function: object, path: str, _: object) -> None:
    """Notebooks make folders read-only; removing them must not fail on that."""
    place = Path(path)
    with suppress(OSError):
        place.parent.chmod(stat.S_IRWXU)
        if place.is_dir() and not place.is_symlink():
            place.chmod(stat.S_IRWXU)
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)
