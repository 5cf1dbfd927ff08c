"""Locks: who may do a thing now. The system frees them when their holder ends, however it ends.

Git's children inherit the locks that are held, so that a push which outlives its parent still holds them. Kernels
do not: what a notebook leaves behind must not lock a repository.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

#: The lock under which refs are moved, in a git directory, one's own or a remote's on the same machine.
REFS = "nbpr-refs.lock"

#: The descriptors of the locks that are held, and the threads that took them.
_held: dict[int, int] = {}


def descriptors() -> tuple[int, ...]:
    """The locks that a child started now is to hold too: those of this thread and of the main one.

    Not those of other threads, which may be let go of while the child is being started.
    """
    whose = (threading.get_ident(), threading.main_thread().ident)
    return tuple(descriptor for descriptor, thread in list(_held.items()) if thread in whose)


@contextmanager
def lock(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[bool]:
    """Hold the lock at `path`; the block gets whether somebody else held it before. Its file goes with it.

    `waiting` is called once if there is somebody to wait for.
    """
    import fcntl

    descriptor, waited = _taken(path, waiting)
    _held[descriptor] = threading.get_ident()
    try:
        yield waited
    finally:
        del _held[descriptor]
        path.unlink(missing_ok=True)
        # To close it is not enough: a daemon that git started (credential-cache) has it open for a quarter of an hour.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def discard(*paths: Path) -> None:
    """Take away the lock files that nobody holds: those of killed commands."""
    import fcntl

    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, descriptor):
                path.unlink()
        except BlockingIOError:
            pass  # somebody works under it
        finally:
            os.close(descriptor)


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock whose file is at `path`."""
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def _taken(path: Path, waiting: Callable[[], None]) -> tuple[int, bool]:
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    waited = False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not waited:
                    waiting()
                waited = True
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_still(path, descriptor):
                return descriptor, waited
        except BaseException:
            os.close(descriptor)
            raise
        # Whoever held it before took the file away; a lock on what is gone would lock nobody out.
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
