"""A file that is there whole or not at all, whatever happens while it is written.

Where the system has files without a name (Linux: `O_TMPFILE`), it gets one when it is whole, so that a process that is
killed meanwhile leaves nothing beside it.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path
from typing import BinaryIO


def put(path: Path, data: bytes) -> None:
    """Have a new file take the place of `path`, or leave nothing; killed while it writes, it leaves nothing either."""
    beside = path.with_name(f".nbpr-{secrets.token_hex(6)}.tmp")
    try:
        try:
            _write_nameless(beside, path, data)
        except OSError:  # not every system and every file system has files without a name
            _write_named(beside, path, data)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _write_nameless(beside: Path, path: Path, data: bytes) -> None:
    """The file gets its name when it is whole."""
    if not hasattr(os, "O_TMPFILE"):
        raise OSError(errno.EOPNOTSUPP, "no files without a name")
    with os.fdopen(os.open(beside.parent, os.O_WRONLY | os.O_TMPFILE, 0o666), "wb") as file:
        _fill(file, path, data)
        # Given any folder, `os.link` follows the link that the path, which is absolute, is.
        os.link(f"/proc/self/fd/{file.fileno()}", beside, src_dir_fd=file.fileno())


def _write_named(beside: Path, path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(beside, flags, 0o666), "wb") as file:
        _fill(file, path, data)


def _fill(file: BinaryIO, path: Path, data: bytes) -> None:
    """Write it, with the mode of the file that is at `path`."""
    if path.exists():
        os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
    file.write(data)
    file.flush()
    os.fsync(file.fileno())
