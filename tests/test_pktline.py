"""Git's framing: what is written is read again, however the stream hands it out, and what is not framed is refused."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr import pktline
from nbpr.pktline import BrokenStream, Reader


class Trickle(io.BytesIO):
    """A stream that never gives more than a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, most: int = 1) -> None:
        super().__init__(data)
        self.most = most

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(self.most)


def test_lines_are_framed_as_git_frames_them() -> None:
    assert pktline.listed(b"status=success") == b"0013status=success\n0000"
    assert pktline.listed() == b"0000"


@pytest.mark.parametrize("size", [0, 1, pktline.MOST - 1, pktline.MOST, pktline.MOST + 1, 3 * pktline.MOST])
def test_a_content_of_any_length_comes_back(size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    content = content[:size]
    written = b"".join(pktline.framed(content))
    assert Reader(io.BytesIO(written)).content() == content
    assert written.endswith(b"0000")
    assert len(written) == size + 4 * (-(-size // pktline.MOST)) + 4
    assert size < pktline.MOST or written.startswith(b"fff0")


def test_the_end_of_a_stream_is_told_from_a_flush() -> None:
    reader = Reader(io.BytesIO(b"0006ab0000"))
    assert not reader.has_ended()
    assert reader.packet() == b"ab"
    assert not reader.has_ended()
    assert reader.packet() is None
    assert reader.has_ended()


def test_a_packet_may_be_empty_and_a_line_may_have_no_end() -> None:
    assert Reader(io.BytesIO(b"00040000")).content() == b""
    assert Reader(io.BytesIO(b"0005a000400040005b0000")).content() == b"ab"
    assert Reader(io.BytesIO(b"0006a\n0006bc0006\n\n0000")).lines() == [b"a", b"bc", b"\n"]
    assert Reader(io.BytesIO(b"000A123456000000000000")).content() == b"123456"


@pytest.mark.parametrize(
    "data",
    [
        b"zzzz",
        b"0001",
        b"0002",
        b"0003",
        b"fff1" + b"x" * 65521,
        b"-001",
        b"0x1f",
        b" 1f ",
        b"1_00" + b"x" * 256,
        b"00",
        b"0008abc",
        b"0008",
        b"",
        b"HTTP/1.1 200 OK",
    ],
)
def test_what_is_not_framed_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenStream):
        Reader(io.BytesIO(data)).content()


@given(
    st.lists(st.lists(st.binary(max_size=40).filter(lambda line: not line.endswith(b"\n"))), max_size=4),
    st.integers(1, 9),
)
def test_lists_of_lines_come_back_however_they_are_cut(lists: list[list[bytes]], most: int) -> None:
    reader = Reader(Trickle(b"".join(pktline.listed(*lines) for lines in lists), most))
    assert [reader.lines() for _ in lists] == lists
    assert reader.has_ended()


@given(st.binary(max_size=30))
def test_any_bytes_end_in_packets_or_a_refusal(data: bytes) -> None:
    reader = Reader(Trickle(data, 3))
    taken = 0
    try:
        while not reader.has_ended():
            taken += len(reader.packet() or b"") + 4
    except BrokenStream:
        return
    assert taken == len(data)
