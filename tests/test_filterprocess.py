"""The long-running filter process, asked by a client of our own."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr import filterprocess, pktline
from nbpr.pktline import BrokenStream, listed
from tests.test_pktline import Trickle

WELCOME = listed(b"git-filter-client", b"version=2")
CAPABLE = listed(b"capability=clean", b"capability=smudge", b"capability=delay")
GREETED = listed(b"git-filter-server", b"version=2") + listed(b"capability=clean", b"capability=smudge")


def asked(command: str, name: bytes, content: bytes, *more: bytes) -> bytes:
    """A command as git sends it."""
    head = listed(b"command=" + command.encode(), b"pathname=" + name, *more)
    return head + b"".join(bytes(piece) for piece in pktline.framed(content))


def given_back(content: bytes) -> bytes:
    """The answer of a file that went well."""
    return listed(b"status=success") + b"".join(bytes(piece) for piece in pktline.framed(content)) + b"0000"


FAILED = listed(b"status=error")


class Notes:
    """What was asked to be cleaned, and what was said."""

    def __init__(self) -> None:
        self.cleaned: list[tuple[bytes, str]] = []
        self.said: list[str] = []

    def clean(self, data: bytes, name: str) -> bytes:
        self.cleaned.append((data, name))
        if b"bug" in data:
            raise KeyError("surprise")
        return data.replace(b"output", b"")


def serve(stream: bytes | io.BytesIO) -> tuple[bytes, Notes]:
    """What is answered to all of a stream."""
    notes, out = Notes(), io.BytesIO()
    stdin = io.BytesIO(stream) if isinstance(stream, bytes) else stream
    filterprocess.serve(stdin, out, notes.clean, notes.said.append)
    return out.getvalue(), notes


def after_greeting(*commands: bytes) -> tuple[bytes, Notes]:
    """What comes after the greeting when these commands are sent."""
    answer, notes = serve(WELCOME + CAPABLE + b"".join(commands))
    assert answer.startswith(GREETED)
    return answer.removeprefix(GREETED), notes


# -- the greeting ------------------------------------------------------------------------------------------


def test_git_is_greeted_and_may_leave() -> None:
    assert serve(WELCOME + CAPABLE)[0] == GREETED


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        ([b"clean"], [b"clean"]),
        ([b"smudge", b"clean"], [b"clean", b"smudge"]),
        ([b"clean", b"time-travel", b"smudge", b"delay"], [b"clean", b"smudge"]),
        ([b"delay"], []),
        ([], []),
    ],
)
def test_only_what_both_know_is_agreed_on(offered: list[bytes], taken: list[bytes]) -> None:
    answer = serve(WELCOME + listed(*(b"capability=" + name for name in offered)))[0]
    version = listed(b"git-filter-server", b"version=2")
    assert answer == version + listed(*(b"capability=" + name for name in taken))


def test_the_version_is_chosen_among_several() -> None:
    welcome = listed(b"git-filter-client", b"version=3", b"version=2", b"version=1")
    assert serve(welcome + CAPABLE)[0] == GREETED


@pytest.mark.parametrize(
    ("welcome", "said"),
    [
        (listed(b"git-filter-client", b"version=1"), "version 2"),
        (listed(b"git-filter-client", b"version=42"), "version 2"),
        (listed(b"git-filter-client"), "version 2"),
        (listed(b"git-lfs-client", b"version=2"), "git-lfs-client"),
        (listed(), "filter's client"),
        (b"GET / HTTP/1.1\r\n", "length"),
        (b"", "ended"),
        (WELCOME, "ended"),
        (WELCOME[:-6], "ended"),
    ],
)
def test_a_stranger_is_answered_nothing_it_could_take_for_a_filter(welcome: bytes, said: str) -> None:
    out = io.BytesIO()
    notes = Notes()
    with pytest.raises(BrokenStream, match=said):
        filterprocess.serve(io.BytesIO(welcome), out, notes.clean, notes.said.append)
    assert b"capability" not in out.getvalue()


# -- files -------------------------------------------------------------------------------------------------


def test_several_files_on_one_process() -> None:
    files = [(b"a.ipynb", b"one output"), (b"b.ipynb", b"two"), (b"c.ipynb", b"output output")]
    answer, notes = after_greeting(*(asked("clean", *file) for file in files))
    assert answer == given_back(b"one ") + given_back(b"two") + given_back(b" ")
    assert notes.cleaned == [(content, name.decode()) for name, content in files]
    assert notes.said == []


@pytest.mark.parametrize("size", [0, 1, 65515, 65516, 65517, 131032, 2_000_000])
@pytest.mark.parametrize("command", ["clean", "smudge"])
def test_contents_of_every_size_come_back(size: int, command: str) -> None:
    content = b"0123456789abcdef" * (size // 16 + 1)
    answer, _ = after_greeting(asked(command, b"a.ipynb", content[:size]), asked("clean", b"b.ipynb", b"x"))
    assert answer == given_back(content[:size]) + given_back(b"x")


def test_smudging_gives_back_what_came_and_cleans_nothing() -> None:
    answer, notes = after_greeting(asked("smudge", b"a.ipynb", b"an output", b"ref=refs/heads/main", b"blob=1234"))
    assert answer == given_back(b"an output")
    assert notes.cleaned == []


@pytest.mark.parametrize(
    "name", ["a b.ipynb", "ä/ö 漢.ipynb", "new\nline.ipynb", "=.ipynb", "a=b.ipynb", "tab\t", "ends\n"]
)
def test_names_of_every_kind(name: str) -> None:
    _, notes = after_greeting(asked("clean", name.encode(), b"x"))
    assert notes.cleaned == [(b"x", name)]


def test_a_name_that_is_not_utf8() -> None:
    _, notes = after_greeting(asked("clean", b"caf\xe9.ipynb", b"bug"))
    assert notes.cleaned[0][1] == "caf\udce9.ipynb"
    assert notes.said[0].startswith("caf\udce9.ipynb could not be cleaned")


def test_one_file_that_fails_is_an_error_and_the_next_one_is_cleaned() -> None:
    answer, notes = after_greeting(asked("clean", b"a.ipynb", b"bug"), asked("clean", b"b.ipynb", b"an output"))
    assert answer == FAILED + given_back(b"an ")
    assert notes.said == ["a.ipynb could not be cleaned: KeyError: 'surprise'"]


@pytest.mark.parametrize("command", ["list_available_blobs", "CLEAN", "", "clean smudge"])
def test_an_unknown_command_is_an_error_and_the_next_one_is_answered(command: str) -> None:
    answer, notes = after_greeting(asked(command, b"a.ipynb", b"x output"), asked("clean", b"b.ipynb", b"x"))
    assert answer == FAILED + given_back(b"x")
    assert [name for _, name in notes.cleaned] == ["b.ipynb"]
    assert "neither clean nor smudge" in notes.said[0]


def test_unknown_keys_are_passed_over() -> None:
    answer, _ = after_greeting(asked("clean", b"a", b"x", b"can-delay=1", b"treeish=1", b"future", b"=", b""))
    assert answer == given_back(b"x")


CONVERSATION = WELCOME + CAPABLE + asked("clean", b"a.ipynb", b"one output") + asked("smudge", b"b.ipynb", b"output")


@given(st.integers(0, len(CONVERSATION) - 1))
def test_who_leaves_in_the_middle_gets_whole_answers_or_none(end: int) -> None:
    whole = GREETED + given_back(b"one ") + given_back(b"output")
    ends = [len(WELCOME + CAPABLE), len(CONVERSATION) - len(asked("smudge", b"b.ipynb", b"output"))]
    out, notes = io.BytesIO(), Notes()
    try:
        filterprocess.serve(io.BytesIO(CONVERSATION[:end]), out, notes.clean, notes.said.append)
    except BrokenStream:
        assert end not in ends
    else:
        assert end in ends
    assert whole.startswith(out.getvalue())
    assert end >= ends[1] or out.getvalue() in (b"", listed(b"git-filter-server", b"version=2"), GREETED)
    assert notes.said == []


@given(st.integers(1, 70_000))
def test_packets_may_come_in_any_pieces(most: int) -> None:
    content = b"x" * 65516 + b"an output"
    stream = WELCOME + CAPABLE + asked("clean", b"a.ipynb", content)
    answer, _ = serve(Trickle(stream, max(most, 50)))
    assert answer == GREETED + given_back(content.replace(b"output", b""))


def test_every_byte_on_its_own() -> None:
    answer, _ = serve(Trickle(CONVERSATION))
    assert answer == GREETED + given_back(b"one ") + given_back(b"output")


def test_a_content_may_be_cut_into_packets_of_any_size() -> None:
    def packets(sizes: Iterable[int]) -> bytes:
        return b"".join(b"%04x" % (size + 4) + b"x" * size for size in sizes)

    head = listed(b"command=clean", b"pathname=a")
    answer, notes = after_greeting(head, packets([1, 0, 65516, 3, 0]), b"0000", head, packets([0]), b"0000")
    assert answer == given_back(b"x" * 65520) + given_back(b"")
    assert [len(data) for data, _ in notes.cleaned] == [65520, 0]
    # What is smudged comes back in the packets that it came in; an empty one would end it for git.
    head = listed(b"command=smudge", b"pathname=a")
    answer, _ = after_greeting(head, packets([1, 0, 65516, 3, 0]), b"0000", head, packets([0]), b"0000")
    done = listed(b"status=success")
    assert answer == done + packets([1, 65516, 3]) + b"00000000" + done + b"00000000"


def test_nobody_reads_the_answer() -> None:
    class Closed(io.BytesIO):
        def write(self, data: object, /) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        filterprocess.serve(io.BytesIO(CONVERSATION), Closed(), Notes().clean, print)


def test_it_waits_for_the_whole_content_before_it_says_anything() -> None:
    """Git writes a whole file before it reads: an answer before that could fill both pipes."""
    stream = WELCOME + CAPABLE + asked("clean", b"a.ipynb", b"y" * 200_000)
    out = io.BytesIO()
    early = []

    class Watched(Trickle):
        def read1(self, size: int | None = -1, /) -> bytes:
            if self.tell() < len(stream):
                early.append(len(out.getvalue()) > len(GREETED))
            return super().read1(size)

    filterprocess.serve(Watched(stream, 1000), out, Notes().clean, print)
    assert out.getvalue() == GREETED + given_back(b"y" * 200_000)
    assert len(early) > 200
    assert not any(early)
