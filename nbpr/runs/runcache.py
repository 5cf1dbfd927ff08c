"""The run cache: what was proven here already, one file for each thing, named by a digest of all that it hangs on.

A file is written whole or not at all, and holds the digest of what is in it: one that is torn or tampered with is
never read but taken away. Whatever goes wrong with the cache, there is only nothing in it: it never fails a command.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: What is kept: runs, nbval's verdicts and sound formats, and the digests of files by their stat; and runs that are
#: no proof, for going on with what was interrupted.
RUN, VERDICTS, FORMAT, FILES, DONE = "run", "verdicts", "format", "files", "done"
KINDS = (RUN, VERDICTS, FORMAT, FILES, DONE)

#: The first word of every file, with the version of what follows.
_MAGIC = b"nbpr-cache 1 "
_DIGEST = 64
_TEMPORARY = ".new-"
#: Seconds after which a file that is still being written is what a killed command left.
_LEFT = 3600.0


@dataclass(frozen=True)
class Kept:
    """One thing in the cache: its size in bytes, when it was last used, and what it says of itself."""

    kind: str
    key: str
    size: int
    used: float
    about: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """`{"kind", "key", "size", "used", …}`, and what it says of itself."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.used))
        return {"kind": self.kind, "key": self.key, "size": self.size, "used": moment, **self.about}


@dataclass(frozen=True)
class RunCache:
    """A cache in `folder`, of up to `max_size` bytes; what is older than `max_age` seconds is not read. 0: nothing."""

    folder: Path
    max_size: int = 1_000_000_000
    max_age: float = 14 * 86400.0

    def read(self, kind: str, key: str) -> dict[str, Any] | None:
        """What is kept under a key, or None. What cannot be trusted is taken away."""
        place = self._place(kind, key)
        try:
            data = place.read_bytes()
        except OSError:
            return None
        found = _opened(data, kind, key)
        if found is None:
            _unlink(place)
            return None
        about, value = found
        if time.time() - float(about.get("kept", 0)) > self.max_age:
            return None
        with suppress(OSError):  # somebody else took it away meanwhile, or it is read-only: it was read all the same
            os.utime(place)
        return value

    def write(self, kind: str, key: str, value: Mapping[str, Any], **about: Any) -> bool:
        """Keep a value of plain JSON, and make room for it; whether it is kept."""
        data = _closed(value, {"kind": kind, "key": key, "kept": round(time.time(), 3), **about})
        if len(data) > self.max_size:
            return False
        new = self.folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._place(kind, key))
        except OSError:
            # A full disk, or a folder that is not ours to write: then it is run again next time.
            _unlink(new)
            return False
        self._make_room()
        return True

    def drop(self, kind: str, key: str) -> None:
        """Keep nothing under this key any more."""
        _unlink(self._place(kind, key))

    def clear(self) -> int:
        """Take everything away; how many things that were."""
        gone = 0
        for place, _ in self._files():
            gone += not place.name.startswith(_TEMPORARY)
            _unlink(place)
        return gone

    def listed(self) -> list[Kept]:
        """What is in it, the last used first. What it says of itself is read, and not proved."""
        found = [_described(place, facts) for place, facts in self._files() if not _is_new(place)]
        return sorted((each for each in found if each), key=lambda each: (-each.used, each.key))

    @property
    def salt(self) -> bytes:
        """A secret of this cache's own, so that no digest in it tells of a value that somebody could guess."""
        place = self.folder / "salt"
        with suppress(OSError):
            if len(found := place.read_bytes()) == 32:
                return found
        made, new = secrets.token_bytes(32), self.folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(made)
            os.link(new, place)
        except FileExistsError:
            with suppress(OSError):
                return place.read_bytes()  # another command was quicker
        except OSError:
            return made  # nothing can be kept here, so it need not be the same tomorrow
        finally:
            _unlink(new)
        return made

    def _place(self, kind: str, key: str) -> Path:
        name = key.removeprefix("sha256:")
        if kind not in KINDS or not re.fullmatch(r"[0-9a-f]{64}", name):
            raise ValueError(f"no key of the cache: {kind} {key}")
        return self.folder / f"{name}.{kind}"

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        with suppress(OSError), os.scandir(self.folder) as found:
            for each in found:
                place = Path(each.path)
                if place.suffix[1:] in KINDS or _is_new(place):
                    with suppress(OSError):
                        yield place, each.stat(follow_symlinks=False)

    def _make_room(self) -> None:
        """Take away what was not used for the longest, until the rest fits, and what killed commands left."""
        files, now = sorted(self._files(), key=lambda item: item[1].st_mtime), time.time()
        total = sum(facts.st_size for place, facts in files if not _is_new(place))
        for place, facts in files:
            if _is_new(place):
                if now - facts.st_mtime > _LEFT:
                    _unlink(place)
            elif total > self.max_size or now - facts.st_mtime > max(self.max_age, _LEFT):
                _unlink(place)
                total -= facts.st_size


def digest(*parts: Any) -> str:
    """`sha256:` and the digest of plain JSON values or bytes; the same for the same, in this order."""
    made = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else json.dumps(part, sort_keys=True, default=str).encode()
        made.update(len(data).to_bytes(8, "big"))
        made.update(data)
    return f"sha256:{made.hexdigest()}"


# -- a file ------------------------------------------------------------------------------------------------


def _closed(value: Mapping[str, Any], about: Mapping[str, Any]) -> bytes:
    head = json.dumps(about, sort_keys=True, default=str).encode()
    body = head + b"\n" + zlib.compress(json.dumps(value, default=str).encode(), 1)
    return _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _opened(data: bytes, kind: str, key: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    start = len(_MAGIC) + _DIGEST + 1
    body = data[start:]
    if data[:start] != _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n":
        return None
    head, _, packed = body.partition(b"\n")
    about = json.loads(head)
    # A file that was renamed is sound in itself, and still not what is asked for.
    if (about.get("kind"), about.get("key")) != (kind, key):
        return None
    value: dict[str, Any] = json.loads(zlib.decompress(packed))
    return about, value


def _described(place: Path, facts: os.stat_result) -> Kept | None:
    try:
        with place.open("rb") as file:
            first, head = file.readline(), file.readline()
        about = json.loads(head) if first.startswith(_MAGIC) else None
    except (OSError, ValueError):
        return None
    if not isinstance(about, dict):
        return None
    rest = {name: value for name, value in about.items() if name not in ("kind", "key", "kept")}
    return Kept(place.suffix[1:], f"sha256:{place.stem}", facts.st_size, facts.st_mtime, rest)


def _is_new(place: Path) -> bool:
    return place.name.startswith(_TEMPORARY)


def _unlink(place: Path) -> None:
    with suppress(OSError):  # it is gone already, or not ours to take away: then it stays what it is
        place.unlink()
