"""Git's pkt-line framing over plain streams: four hex digits of length, then the packet; 0000 ends a list.

The rules are those of gitprotocol-common(5).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import BufferedIOBase

#: The bytes that one packet holds at most.
MOST = 65516
FLUSH = b"0000"
#: How much is asked for at a time: what a pipe holds.
_PORTION = 1 << 16
_HEX = frozenset(b"0123456789abcdefABCDEF")


class BrokenStream(Exception):
    """What came is not framed, or ends in the middle."""


class Reader:
    """Packets out of a stream."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self._stream = stream
        self._buffer = b""
        self._at = 0

    def packet(self) -> bytes | None:
        """The next packet, or None for a flush. Raises BrokenStream."""
        size = self._next()
        return self._buffer[self._at - size + 4 : self._at] if size else None

    def packets(self) -> Iterator[bytes]:
        """The packets up to the next flush. Raises BrokenStream."""
        while (found := self.packet()) is not None:
            yield found

    def lines(self) -> list[bytes]:
        """The packets up to the next flush, without the line ends that they may have. Raises BrokenStream."""
        return [packet[:-1] if packet.endswith(b"\n") else packet for packet in self.packets()]

    def content(self) -> bytes:
        """The packets up to the next flush as one. Raises BrokenStream."""
        first = self.packet()
        if first is None:
            return b""
        second = self.packet()
        return first if second is None else b"".join([first, second, *self.packets()])

    def as_framed(self) -> Iterator[bytes]:
        """The packets up to the next flush as they came, their heads too; empty ones left out. Raises BrokenStream."""
        while size := self._next():
            if size > 4:
                yield self._buffer[self._at - size : self._at]

    def has_ended(self) -> bool:
        """Whether nothing more comes; waits until that can be said."""
        return self._at == len(self._buffer) and not self._fill()

    def _next(self) -> int:
        """Go beyond the next packet, which is whole in the buffer then; its length with its head, 0 for a flush."""
        self._need(4)
        head = self._buffer[self._at : self._at + 4]
        size = int(head, 16) if _HEX.issuperset(head) else -1
        if not (size == 0 or 4 <= size <= MOST + 4):
            raise BrokenStream(f"{head!r} is no packet's length")
        self._need(size)
        self._at += size or 4
        return size

    def _need(self, size: int) -> None:
        while len(self._buffer) - self._at < size:
            if not self._fill():
                raise BrokenStream("it ended within a packet")

    def _fill(self) -> bool:
        more = self._stream.read1(_PORTION)
        left = self._buffer[self._at :]
        self._buffer, self._at = left + more if left else more, 0
        return bool(more)


def listed(*lines: bytes) -> bytes:
    """Lines as packets, and the flush that ends them."""
    return b"".join(b"%04x%b\n" % (len(line) + 5, line) for line in lines) + FLUSH


def framed(content: bytes) -> Iterable[bytes | memoryview]:
    """The pieces to write for a content of any length, and the flush that ends it. Nothing long is copied."""
    if 0 < len(content) <= MOST:
        return (b"%04x" % (len(content) + 4), content, FLUSH)
    return _pieces(memoryview(content))


def _pieces(content: memoryview) -> Iterator[bytes | memoryview]:
    for start in range(0, len(content), MOST):
        piece = content[start : start + MOST]
        yield b"%04x" % (len(piece) + 4)
        yield piece
    yield FLUSH
