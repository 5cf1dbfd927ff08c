"""No secret gets out, in whichever writing and in whichever pieces; and what is no secret stays as it is."""

from __future__ import annotations

import base64
import errno
import html
import io
import json
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from nbpr import redaction
from nbpr.errors import BadInput
from nbpr.redaction import MASK, Redactor, Writer

TOKEN = "d0n7-Te11/Any+0ne_40chars~of=a.token.0Zz"

#: How programs write a string.
WRITINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "base64 unpadded": lambda s: base64.b64encode(s.encode()).decode().rstrip("="),
    "base64, offset 1": lambda s: base64.b64encode(b"u" + s.encode()).decode(),
    "base64, offset 2": lambda s: base64.b64encode(b":\xff" + s.encode() + b"~").decode(),
    "basic": lambda s: base64.b64encode(f"x-access-token:{s}".encode()).decode(),
    "basic in a URL": lambda s: quote(base64.b64encode(f"me:{s}".encode()).decode(), safe=""),
    "quoted": lambda s: quote(s),
    "quoted whole": lambda s: quote(s, safe=""),
    "quoted plus": quote_plus,
    "quoted twice": lambda s: quote(quote(s, safe=""), safe=""),
    "quoted in small digits": lambda s: "".join(f"%{octet:02x}" for octet in s.encode()),
    "JSON": lambda s: json.dumps(s)[1:-1],
    "JSON as it is": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "JSON in JSON": lambda s: json.dumps(json.dumps(s))[3:-3],
    "JSON with slashes": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "Python": lambda s: repr(s)[1:-1],
    "Python bytes": lambda s: repr(s.encode())[2:-1],
    "HTML": html.escape,
    "hexadecimal": lambda s: s.encode().hex(),
    "hexadecimal, capitals": lambda s: s.encode().hex().upper(),
}

# An asterisk would let a mask and what stands beside it look like the secret again.
letters = st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=("C", "Z"), exclude_characters="*")
tokens = st.text(st.sampled_from("abcXYZ019_-./+=~"), min_size=redaction.SHORTEST, max_size=60)
secrets = st.one_of(tokens, st.text(letters, min_size=redaction.SHORTEST, max_size=40))
writings = st.sampled_from(sorted(WRITINGS))


def pieces(text: str, cuts: list[int]) -> list[str]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in pairwise(places)]


def through(writer: Writer, parts: list[str], *, flush: bool) -> None:
    for part in parts:
        writer.write(part)
        if flush:
            writer.flush()
    writer.close()


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_redactor", Redactor())


@pytest.mark.parametrize("writing", WRITINGS)
def test_every_writing_goes(writing: str) -> None:
    written = WRITINGS[writing](TOKEN)
    said = Redactor([TOKEN]).known(f"before {written} after")
    assert said.startswith("before ")
    assert said.endswith(" after")
    before, mask, after = said.removeprefix("before ").removesuffix(" after").partition(MASK)
    assert mask
    # Digits of what stands before and after it, a user name above all, and padding may stay.
    assert written.startswith(before)
    assert written.endswith(after)
    assert len(before) <= len("eC1hY2Nlc3MtdG9rZW46")
    assert len(after) <= len("%3D%3D")


@given(secrets, writings, st.text(max_size=30), st.text(max_size=30))
@example("aaaaaaab", "raw", "aaaa", "")
@example("a%25bcdef", "quoted twice", "", "")
@example("\\\\\\\"'//", "JSON in JSON", "\\", '"')
def test_a_secret_goes_and_nothing_else(secret: str, writing: str, before: str, after: str) -> None:
    redactor = Redactor([secret])
    assume(redactor.known(before) == before and redactor.known(after) == after)
    written = WRITINGS[writing](secret)
    said = redactor.known(f"{before} {written} {after}")
    start, end = f"{before} ", f" {after}"
    assert said.startswith(start)
    assert said.endswith(end)
    middle = said[len(start) : len(said) - len(end)]
    assert MASK in middle
    # What may stay are digits of base64 before it (the user's name) and padding.
    assert secret not in middle
    assert len(middle) <= len(MASK) + 32
    assert redactor.known(said) == said


@given(st.lists(secrets, max_size=3), st.text(max_size=200))
def test_text_without_secrets_stays(known: list[str], text: str) -> None:
    redactor = Redactor(known)
    assume(not any(writing(secret) in text for secret in known for writing in WRITINGS.values()))
    said = redactor.known(text)
    assert said == text or MASK in said
    assert redactor.known(said) == said


@given(
    st.lists(secrets, min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), writings, st.text(max_size=12)), max_size=6),
    st.lists(st.integers(min_value=0), max_size=30),
    st.booleans(),
)
@example(["abcdef", "defghi"], [(0, "raw", "ghi")], [6], True)
def test_pieces_are_as_the_whole(
    known: list[str], said: list[tuple[int, str, str]], cuts: list[int], flush: bool
) -> None:
    redactor = Redactor(known)
    whole = "".join(WRITINGS[writing](known[which % len(known)]) + beside for which, writing, beside in said)
    out = io.StringIO(newline="")
    redaction._redactor = redactor
    through(Writer(out, looks=False), pieces(whole, cuts), flush=flush)
    assert out.getvalue() == redactor.known(whole)


@given(st.lists(st.integers(min_value=0), max_size=30), st.booleans())
def test_a_line_in_pieces_has_no_password(cuts: list[int], flush: bool) -> None:
    line = "fatal: https://ada:hunter2-hunter2@example.org/x.git and ghp_0123456789abcdefghijklmnopqrstuvwxyz\n"
    out = io.StringIO()
    through(Writer(out, looks=True), pieces(line, cuts), flush=False)
    assert out.getvalue() == f"fatal: https://{MASK}@example.org/x.git and {MASK}\n"
    redaction._redactor = Redactor(["hunter2-hunter2"])
    again = io.StringIO()
    through(Writer(again, looks=True), pieces(line, cuts), flush=flush)
    assert "hunter2" not in again.getvalue()


LOOKS = [
    ("https://u:p@ss@host/a@b", f"https://{MASK}@host/a@b"),
    ("https://justatoken@host/a", f"https://{MASK}@host/a"),
    ("http://host/?to=a@b", "http://host/?to=a@b"),
    ("ssh://git@host:22/a.git", "ssh://git@host:22/a.git"),
    ("ssh://git:pw@host/a.git", f"ssh://{MASK}@host/a.git"),
    ("git@host:a/b.git", "git@host:a/b.git"),
    ('{"url": "https:\\/\\/u:p@host\\/x"}', f'{{"url": "https:\\/\\/{MASK}@host\\/x"}}'),
    ("> Authorization: Basic dTpw", f"> Authorization: Basic {MASK}"),
    ("{'authorization': 'token abcdef', 'x': 'y'}", f"{{'authorization': 'token {MASK}', 'x': 'y'}}"),
    ("AUTHORIZATION: dTpw", f"AUTHORIZATION: {MASK}"),
    ("Authorization: Bearer", "Authorization: Bearer"),
    ("GET /api/v1/user?token=abc&page=1", f"GET /api/v1/user?token={MASK}&page=1"),
    ("github_pat_11ABCDEFG0123456789_abcdefghij", MASK),
    ("ghs_16C7e42F292c6912E7710c838347Ae178B4a.", f"{MASK}."),
    ("glpat-0123456789abcdefghij", MASK),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", MASK),
    ("a commit 0123456789abcdef0123456789abcdef01234567", "a commit 0123456789abcdef0123456789abcdef01234567"),
    ("highlight_me, ghp_short, half-past", "highlight_me, ghp_short, half-past"),
]


@pytest.mark.parametrize(("text", "wanted"), LOOKS)
def test_what_looks_like_a_secret_goes(text: str, wanted: str) -> None:
    assert redaction.text(text) == wanted
    assert redaction.text(wanted) == wanted


def test_half_a_secret_goes_too_where_a_text_was_cut() -> None:
    said = Redactor([TOKEN]).known(f"the token {TOKEN[:30]}… is bad")
    assert said == f"the token {MASK}… is bad"


def test_short_and_masked_secrets_count_as_none() -> None:
    assert Redactor(["", "main", "     ab  ", "******", "\n"]).secrets == frozenset()
    assert Redactor(["first-line\nsecond-line\n"]).known("x second-line first-line") == f"x {MASK} {MASK}"


def test_json_stays_json() -> None:
    secret = 'pa"ss\\wörd/x'
    document = {"a": secret, "b": [f"https://host/{quote(secret, safe='')}", 1, None], secret: True}
    redactor = Redactor([secret])
    for ensure_ascii in (True, False):
        said = json.loads(redactor.known(json.dumps(document, ensure_ascii=ensure_ascii)))
        assert said == {"a": MASK, "b": [f"https://host/{MASK}", 1, None], MASK: True}
    assert redactor.value(document) == {"a": MASK, "b": [f"https://host/{MASK}", 1, None], MASK: True}


def test_passwords_of_urls_are_known() -> None:
    assert redaction.in_url("https://ada:s3cr%2Ft-pw@host/x") == ("s3cr%2Ft-pw", "s3cr/t-pw")
    assert redaction.in_url("https://only-a-token-and-long@host") == ("only-a-token-and-long",) * 2
    assert redaction.in_url("https://charlotte@host") == ()
    assert redaction.in_url("ssh://git@host/x") == redaction.in_url("git@host:x") == redaction.in_url("/a@b") == ()
    assert redaction.know_url("https://ada:s3cr%2Ft-pw@host/x") == "https://ada:s3cr%2Ft-pw@host/x"
    assert redaction.text("it was s3cr/t-pw") == f"it was {MASK}"


def test_errors_have_no_secrets_from_birth_and_in_json() -> None:
    redaction.know(TOKEN)
    error = BadInput(f"no {TOKEN}", hint=f"see https://u:{TOKEN}@host/", branch="late-to-be-known")
    assert (str(error), error.message, error.hint) == (f"no {MASK}", f"no {MASK}", f"see https://{MASK}@host/")
    redaction.know("late-to-be-known")
    assert error.as_json()["branch"] == MASK
    assert TOKEN not in repr(error)


def test_two_threads_that_learn_at_once_are_both_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = threading.Barrier(2)

    class Slow(Redactor):
        def __init__(self, *known: Any) -> None:
            with suppress(threading.BrokenBarrierError):
                meeting.wait(0.5)
            super().__init__(*known)

    monkeypatch.setattr(redaction, "Redactor", Slow)
    threads = [threading.Thread(target=redaction.know, args=(f"{name}-learns-of-this",)) for name in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert redaction.known("one-learns-of-this other-learns-of-this") == f"{MASK} {MASK}"


def test_the_standard_streams_say_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    stdout, stderr = sys.stdout, sys.stderr
    with redaction.standard_streams(TOKEN):
        sys.stdout.write(f"result {TOKEN[:7]}")
        sys.stdout.flush()
        sys.stdout.write(f"{TOKEN[7:]} https://kept:as@written\n")
        redaction.know("found-only-later")
        print("error found-only-later https://u:p@host", file=sys.stderr)
        sys.stdout.writelines(["a", "b\n"])
        with pytest.raises(TypeError):
            sys.stdout.write(b"bytes")  # type: ignore[arg-type]
    assert (sys.stdout, sys.stderr) == (stdout, stderr)
    said = capsys.readouterr()
    assert said.out == f"result {MASK} https://kept:as@written\nab\n"
    assert said.err == f"error {MASK} https://{MASK}@host\n"
    assert redaction.text(TOKEN) == TOKEN  # forgotten with the command that it belonged to


def test_bytes_below_a_stream_are_left_alone(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with redaction.standard_streams(TOKEN):
        sys.stdout.buffer.write(TOKEN.encode())
        sys.stdout.buffer.flush()
    assert capfdbinary.readouterr().out == TOKEN.encode()


@pytest.mark.parametrize(
    ("number", "is_beside_the_result", "raises"),
    [(errno.EIO, True, False), (errno.EIO, False, True), (errno.ENOSPC, True, True)],
)
def test_to_a_closed_terminal_only_what_stands_beside_a_result_is_said_in_vain(
    number: int, is_beside_the_result: bool, raises: bool
) -> None:
    class Closed(io.StringIO):
        def write(self, said: str) -> int:
            raise OSError(number, "closed")

        def flush(self) -> None:
            raise OSError(number, "closed")

    writer = Writer(Closed(), looks=is_beside_the_result)
    for say in (lambda: writer.write("said\n"), writer.flush):
        if raises:
            with pytest.raises(OSError, match="closed"):
                say()
        else:
            say()
