"""Pictures compared by pixel."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import pytest
from PIL import Image, ImageDraw

from nbpr.diff import outputs
from nbpr.diff.pictures import compare_pictures, decoded
from tests.diff.scripts import display


def picture(size: tuple[int, int] = (20, 10), box: tuple[int, int, int, int] | None = None, form: str = "PNG") -> bytes:
    image = Image.new("RGB", size, (255, 255, 255))
    if box:
        ImageDraw.Draw(image).rectangle(box, fill=(10, 80, 200))
    written = io.BytesIO()
    image.save(written, form)
    return written.getvalue()


def test_the_share_of_pixels_that_changed_and_where() -> None:
    change = compare_pictures(picture(), picture(box=(0, 0, 4, 9)))
    assert (change.share, change.size_before, change.size_after) == (0.25, (20, 10), (20, 10))
    assert change.words == "25 % of pixels changed"
    assert change.difference_png is not None
    shown = Image.open(io.BytesIO(change.difference_png)).convert("RGB")
    assert shown.size == (20, 10)
    assert shown.getpixel((0, 0)) == shown.getpixel((4, 9)) != shown.getpixel((5, 0))


def test_another_size_is_a_change_of_what_one_of_them_lacks() -> None:
    change = compare_pictures(picture(), picture((20, 20)))
    assert (change.share, change.words) == (0.5, "50 % of pixels changed, 20 × 10 → 20 × 20")


def test_the_same_pixels_in_other_bytes() -> None:
    change = compare_pictures(picture(), picture(form="GIF"))
    assert (change.share, change.difference_png, change.words) == (0.0, None, "no pixel changed")


def test_colour_under_full_transparency_is_no_difference_and_transparency_is() -> None:
    def clear(colour: tuple[int, int, int, int]) -> bytes:
        written = io.BytesIO()
        Image.new("RGBA", (4, 4), colour).save(written, "PNG")
        return written.getvalue()

    assert compare_pictures(clear((255, 0, 0, 0)), clear((0, 255, 0, 0))).share == 0
    assert compare_pictures(clear((255, 255, 255, 0)), clear((255, 255, 255, 255))).share == 1


def bomb() -> bytes:
    """A PNG that says it has a hundred thousand pixels by as many."""
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))


@pytest.mark.parametrize("broken", [b"", b"no picture", picture()[:40], b"<svg/>", bomb()])
def test_what_is_no_picture_is_not_compared(broken: bytes) -> None:
    change = compare_pictures(broken, picture())
    assert (change.share, change.difference_png, change.words) == (None, None, "not compared by pixel")


def test_what_outputs_hold() -> None:
    stored = base64.encodebytes(picture()).decode()
    assert decoded(stored) == decoded(stored.splitlines(keepends=True)) == picture()
    assert decoded("no base64!") is decoded(None) is None
    before, after = (
        [display(image_png=base64.b64encode(data).decode())] for data in (picture(), picture(box=(0, 0, 4, 9)))
    )
    (line,) = outputs.compare(before, after)
    assert line.text.endswith("25 % of pixels changed")
