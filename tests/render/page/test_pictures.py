"""Pictures: only what their bytes say they are, and only as many as a page bears."""

from __future__ import annotations

import pytest

from nbpr.render.page.pictures import Album, Picture, checked, is_data_uri
from tests.render.pages import picture, png


@pytest.mark.parametrize(
    ("mime", "start"),
    [("image/png", b"\x89PNG\r\n\x1a\n"), ("image/jpeg", b"\xff\xd8\xff"), ("image/gif", b"GIF89a"),
     ("image/webp", b"RIFF\0\0\0\0WEBP")],
)  # fmt: skip
def test_a_picture_is_what_its_first_bytes_say(mime: str, start: bytes) -> None:
    found = checked(mime, picture(start + b"rest"))
    assert found == Picture(mime, start + b"rest")
    assert is_data_uri(found.uri)
    assert checked(mime, picture(b"<script>" + start)) is None
    assert checked(mime, picture(start) + "' onerror='alert(1)") is None
    assert checked(mime, {"a": 1}) is None


@pytest.mark.parametrize("uri", ["data:text/html;base64,AAAA", "https://x/a.png", "data:image/png;base64,", "data:,x"])
def test_no_other_address_is_a_picture(uri: str) -> None:
    assert not is_data_uri(uri)


def test_svg_is_a_picture_for_img_alone() -> None:
    found = checked("image/svg+xml", ["<svg onload='alert(1)'>\n", "</svg>"])
    assert found is not None
    assert found.uri.startswith("data:image/svg+xml;base64,")
    assert not is_data_uri(found.uri)
    assert checked("image/svg+xml", "no drawing") is None


def test_what_does_not_fit_goes_beside_the_page_or_is_left_out() -> None:
    one, other = (Picture("image/png", png(seed=seed)) for seed in (1, 2))
    album = Album("1.files", room=len(one.data))
    assert [album.inline(one), album.inline(other), album.inline(one)] == [True, False, True]
    assert album.file(other) == f"1.files/{other.name}"
    assert album.beside == {other.name: other.data}
    assert Album().file(other) is None
    assert one.name != other.name


def test_pictures_of_differences_do_not_take_the_room_of_others() -> None:
    one = Picture("image/png", png(seed=1))
    album = Album(room=len(one.data), extra=len(one.data) + 1)
    assert [album.spare(Picture("image/png", png(seed=2))), album.spare(Picture("image/png", png(seed=3)))] == [
        True,
        False,
    ]
    assert album.inline(one)


def test_a_page_full_of_lines_shows_the_first_of_each_run() -> None:
    album = Album(lines=100)
    assert (album.run(90), album.run(90), album.run(90)) == (90, 90, 60)
