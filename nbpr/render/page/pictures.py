"""Pictures from outputs as data URIs: only what its first bytes say it is, SVG only where it cannot run."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nbpr.diff.pictures import decoded
from nbpr.render.folding import RUN

#: So many bytes of pictures stand in the page itself; what is more goes into files beside it, or is left out.
INLINE = 5_000_000

#: And so many bytes of pictures that only show where others differ.
EXTRA = 2_000_000

#: And so many lines of outputs that changed; of those that come after, the first of each run stand there.
LINES = 30_000

_MAGIC = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}
_NAMES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp", "image/svg+xml": "svg"}
_URI = re.compile(r"data:(image/(?:png|jpeg|gif|webp));base64,([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True)
class Picture:
    """A picture whose bytes are of the type that it is said to be of."""

    mime: str
    data: bytes

    @property
    def uri(self) -> str:
        """The picture as an address that holds it."""
        return f"data:{self.mime};base64,{base64.b64encode(self.data).decode('ascii')}"

    @property
    def name(self) -> str:
        """A file name by content."""
        return f"{hashlib.sha256(self.data).hexdigest()[:16]}.{_NAMES[self.mime]}"


@dataclass
class Album:
    """The pictures of one page: those that fit stand in it, others go to `beside`, a file each, where there may be any.

    `lines` is how many lines of outputs there is room for beside them. `folder` is the path of those files from the
    page, None where the page stands alone.
    """

    folder: str | None = None
    room: int = INLINE
    extra: int = EXTRA
    lines: int = LINES
    beside: dict[str, bytes] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def inline(self, picture: Picture) -> bool:
        """Whether the picture stands in the page; its bytes count once."""
        if picture.name in self._seen:
            return True
        if len(picture.data) > self.room:
            return False
        self.room -= len(picture.data)
        self._seen.add(picture.name)
        return True

    def run(self, lines: int) -> int:
        """How many lines of a run of so many are shown of an output: a page full of them cannot be opened."""
        most, self.lines = (lines if self.lines > 0 else RUN), self.lines - lines
        return most

    def spare(self, picture: Picture) -> bool:
        """Whether there is room for a picture that a reader can do without."""
        fits = len(picture.data) <= self.extra
        self.extra -= len(picture.data) * fits
        self._seen |= {picture.name} if fits else set()
        return fits

    def file(self, picture: Picture) -> str | None:
        """The address of the picture in a file beside the page, or None where there are no files."""
        if self.folder is None:
            return None
        self.beside[picture.name] = picture.data
        return f"{self.folder}/{picture.name}"


def of_bundle(data: Mapping[str, Any]) -> Picture | None:
    """The picture of an output's bundle, or None if it has none, or one that is not what it is said to be."""
    for mime in _NAMES:
        if mime in data:
            return checked(mime, data[mime])
    return None


def checked(mime: str, value: Any) -> Picture | None:
    """The picture, if the value is one of that type."""
    if mime == "image/svg+xml":
        text = "".join(map(str, value)) if isinstance(value, list) else value
        drawn = isinstance(text, str) and "<svg" in text[:4_000]
        return Picture(mime, text.encode("utf-8", "replace")) if drawn and isinstance(text, str) else None
    bytes_ = decoded(value)
    return Picture(mime, bytes_) if bytes_ and _is(mime, bytes_) else None


def is_data_uri(text: str) -> bool:
    """Whether an address is one that holds a picture, and nothing else."""
    found = _URI.fullmatch(text)
    return found is not None and checked(found[1], found[2]) is not None


def _is(mime: str, data: bytes) -> bool:
    return data.startswith(_MAGIC[mime]) and (mime != "image/webp" or data[8:12] == b"WEBP")
