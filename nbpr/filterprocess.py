"""Git's long-running filter process: one process for all the notebooks of a git command, over plain streams.

The protocol, version 2, is described in gitattributes(5), "Long Running Filter Process". Cleaning is a function of
bytes and name that is handed in; smudging gives back the packets that came. Git asks for smudging of every notebook
that it checks out as soon as the filter is required, which it is so that nothing gets into a commit uncleaned.
"""

from __future__ import annotations

import os

from nbpr import pktline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from io import BufferedIOBase

    Clean = Callable[[bytes, str], bytes]
    Say = Callable[[str], object]

#: Up to this length an answer is written at once, beyond it in pieces rather than in a copy.
_AT_ONCE = 1 << 20
_SUCCESS = pktline.listed(b"status=success")
_ERROR = pktline.listed(b"status=error")
_CAPABILITIES = (b"capability=clean", b"capability=smudge")


def serve(stdin: BufferedIOBase, stdout: BufferedIOBase, clean: Clean, say: Say) -> None:
    """Answer git until it closes the stream. What cannot be cleaned is said, and answered with an error.

    Raises pktline.BrokenStream where the other side does not keep to the protocol, or leaves in the middle of it.
    """
    reader = pktline.Reader(stdin)
    _greet(reader, stdout)
    while not reader.has_ended():
        asked = dict(_pair(line) for line in reader.lines())
        if asked.get(b"command") == b"smudge":
            _hand_back(stdout, reader.as_framed())
        else:
            _answer(asked, reader.content(), stdout, clean, say)


def _greet(reader: pktline.Reader, stdout: BufferedIOBase) -> None:
    """Agree on version 2 and on what we can do."""
    welcome = reader.lines()
    if welcome[:1] != [b"git-filter-client"]:
        raise pktline.BrokenStream(f"a filter's client was expected, not {b' '.join(welcome[:1])!r}")
    if b"version=2" not in welcome:
        raise pktline.BrokenStream("version 2 of the protocol is not offered")
    _write(stdout, pktline.listed(b"git-filter-server", b"version=2"))
    offered = reader.lines()
    _write(stdout, pktline.listed(*(name for name in _CAPABILITIES if name in offered)))


def _pair(line: bytes) -> tuple[bytes, bytes]:
    key, _, value = line.partition(b"=")
    return key, value


def _answer(asked: dict[bytes, bytes], content: bytes, stdout: BufferedIOBase, clean: Clean, say: Say) -> None:
    """Carry out one command on one file's content."""
    command, name = asked.get(b"command", b""), os.fsdecode(asked.get(b"pathname", b"a notebook"))
    try:
        if command != b"clean":
            raise ValueError(f"git asks for {os.fsdecode(command) or 'nothing'}, which is neither clean nor smudge")
        result = clean(content, name)
    except Exception as error:  # noqa: BLE001 - one file's error: git stops at it, the process stays for what follows
        say(failure(name, error))
        _write(stdout, _ERROR)
        return
    _give(stdout, result)


def failure(name: str, error: Exception) -> str:
    """What to say of a notebook that could not be cleaned."""
    return f"{name} could not be cleaned: {type(error).__name__}: {error}"


def _give(stdout: BufferedIOBase, content: bytes) -> None:
    """Success, the content, and an empty list that leaves it at that."""
    _succeed(stdout, pktline.framed(content), len(content))


def _hand_back(stdout: BufferedIOBase, packets: Iterable[bytes]) -> None:
    """Success, and the packets as they came; once all are there, since git reads nothing before it has written all."""
    found = list(packets)
    _succeed(stdout, [*found, pktline.FLUSH], sum(map(len, found)))


def _succeed(stdout: BufferedIOBase, pieces: Iterable[bytes | memoryview], size: int) -> None:
    """The answer of a file that went well; `pieces` are its content, `size` bytes or so, and the flush that ends it."""
    if size <= _AT_ONCE:
        _write(stdout, b"".join([_SUCCESS, *pieces, pktline.FLUSH]))
        return
    stdout.write(_SUCCESS)
    for piece in pieces:
        stdout.write(piece)
    _write(stdout, pktline.FLUSH)


def _write(stdout: BufferedIOBase, data: bytes) -> None:
    stdout.write(data)
    stdout.flush()
