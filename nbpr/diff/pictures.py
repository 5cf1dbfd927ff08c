"""Pictures in outputs, compared by pixel."""

from __future__ import annotations

import base64
import binascii
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

#: Formats that are read, of all that Pillow knows: those that notebooks hold, and browsers show.
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")

#: Pictures of more pixels than this are not read: they are there to fill the memory.
_PIXELS = 25_000_000

#: What a pixel that changed has in the difference picture; the others are a faint grey of what is there now.
_MARK = (214, 0, 120)
_FAINT = 0.75


@dataclass(frozen=True)
class PictureChange:
    """Two pictures compared. Sizes are (width, height) in pixels, None where a picture could not be read.

    `share` is the share of pixels that changed, from 0 to 1, over the area that the two cover together; None where
    they could not be compared (broken, of another format than PNG, JPEG, GIF or WebP, too large, or no Pillow).
    `difference_png` is the picture after in faint grey with the changed pixels marked, as the bytes of a PNG;
    None where no pixel changed or nothing was compared.
    """

    share: float | None
    size_before: tuple[int, int] | None
    size_after: tuple[int, int] | None
    difference_png: bytes | None = None

    @property
    def words(self) -> str:
        """The change in words: "12 % of pixels changed, 640 × 480 → 800 × 600"."""
        parts = [_share(self.share)]
        if self.size_before != self.size_after and self.size_before and self.size_after:
            parts.append(" → ".join(f"{wide} × {high}" for wide, high in (self.size_before, self.size_after)))
        return ", ".join(part for part in parts if part)


def compare_pictures(before_png: bytes, after_png: bytes, *, difference: bool = True) -> PictureChange:
    """Compare two pictures by pixel; `difference` False leaves the difference picture out, which costs the most.

    Never raises for what the bytes are. Pillow is asked for when first needed; without it nothing is compared.
    """
    try:
        from PIL import Image
    except ImportError:
        return PictureChange(None, None, None)
    old, new = _opened(Image, before_png), _opened(Image, after_png)
    sizes = old.size if old else None, new.size if new else None
    if old is None or new is None:
        return PictureChange(None, *sizes)
    if before_png == after_png:
        return PictureChange(0.0, *sizes)
    changed = _changed(Image, old, new)
    count = changed.histogram()[255]
    share = count / (changed.width * changed.height)
    return PictureChange(share, *sizes, _marked(Image, new, changed) if difference and count else None)


def decoded(data: object) -> bytes | None:
    """The bytes of a picture as an output holds it, base64 in one text or in lines; None for anything else."""
    text = "".join(map(str, data)) if isinstance(data, list) else data
    if not isinstance(text, str):
        return None
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _share(share: float | None) -> str:
    if share is None:
        return "not compared by pixel"
    if share == 0:
        return "no pixel changed"
    percent = 100 * share
    if percent < 0.1:
        return "under 0.1 % of pixels changed"
    return f"{percent:.1f} % of pixels changed" if percent < 10 else f"{percent:.0f} % of pixels changed"


def _opened(pillow: Any, data: bytes) -> Image | None:
    """The picture in memory, with an alpha channel; None if it cannot be read."""
    try:
        with pillow.open(io.BytesIO(data), formats=FORMATS) as found:
            if found.width * found.height > _PIXELS:
                return None
            whole: Image = found.convert("RGBA")
            return whole
    except Exception:  # noqa: BLE001 - Pillow raises whatever its decoders do, SyntaxError and struct.error too
        return None


def _changed(pillow: Any, old: Image, new: Image) -> Image:
    """255 for every pixel that changed, over the area that both cover; what one of them lacks has changed."""
    from PIL import ImageChops

    size = max(old.width, new.width), max(old.height, new.height)
    differences = ImageChops.difference(_seen(pillow, old, size), _seen(pillow, new, size)).split()
    alphas = (_canvas(pillow, side, size).getchannel("A") for side in (old, new))
    most = ImageChops.difference(*alphas)
    for channel in differences:
        most = ImageChops.lighter(most, channel)
    found: Image = most.point([0] + [255] * 255)
    for side in (old, new):
        for box in ((side.width, 0, *size), (0, side.height, *size)):
            if box[0] < box[2] and box[1] < box[3]:
                found.paste(255, box)
    return found


def _canvas(pillow: Any, picture: Image, size: tuple[int, int]) -> Image:
    found: Image = pillow.new("RGBA", size, (0, 0, 0, 0))
    found.paste(picture, (0, 0))
    return found


def _seen(pillow: Any, picture: Image, size: tuple[int, int]) -> Image:
    """The picture as an eye sees it on white: what colour lies under full transparency is no difference."""
    ground = pillow.new("RGBA", size, (255, 255, 255, 255))
    found: Image = pillow.alpha_composite(ground, _canvas(pillow, picture, size)).convert("RGB")
    return found


def _marked(pillow: Any, new: Image, changed: Image) -> bytes:
    white = pillow.new("RGB", changed.size, (255, 255, 255))
    grey = _seen(pillow, new, changed.size).convert("L").convert("RGB")
    shown = pillow.blend(grey, white, _FAINT)
    shown.paste(_MARK, (0, 0), changed)
    written = io.BytesIO()
    # Few colours, long runs: the fastest compression is within a tenth of the best.
    shown.save(written, "PNG", compress_level=3)
    return written.getvalue()
