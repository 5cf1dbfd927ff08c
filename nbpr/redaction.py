"""Text without secrets: what is said, logged or raised goes through here.

Two kinds of secrets are taken out. Those that are *known*, in every writing that programs give them: as they are, in
base64 at any offset, percent-encoded, escaped for JSON, Python or HTML, in hexadecimal; these everywhere. And those
that *look* like one: a password in a URL, an `Authorization` header, the tokens of forges; these in errors and logs,
but not in results, which people edit by.
"""

from __future__ import annotations

import errno
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from nbpr.writings import Writing

#: What stands where a secret stood.
MASK = "***"

#: Shorter ones are no secrets: every text would have them.
SHORTEST = 6

#: A name in a URL that is no person's.
_LONG = 20

#: How much of the beginning of a writing the search looks for, before the rest is compared.
_HEAD = 5

#: What looks like a secret, and what is to stay of it.
_LOOKS = (
    # In http the name alone may be the token; elsewhere (ssh://git@host) only a password is one.
    (r"(?i)\b((?:https?|ftps?)(?:://|:\\/\\/))[^\s/?#\\\"'<>]*@", rf"\1{MASK}@"),
    (r"(?i)\b([a-z][a-z0-9+.-]{0,20}://)[^\s/?#\\\"'<>:@]*:[^\s/?#\\\"'<>]*@", rf"\1{MASK}@"),
    (
        r"(?i)(\bauthorization\b[\"']?[ \t]*[:=][ \t]*[\"']?(?:(?:basic|bearer|token|digest|negotiate)[ \t]+)?)"
        r"(?!(?:basic|bearer|token|digest|negotiate)\b)[^\s\"',;]+",
        rf"\1{MASK}",
    ),
    (r"(?i)([?&;](?:access_|private_|auth_)?token=)[^\s&;#\"']+", rf"\1{MASK}"),
    (r"\b(?:gh[opusr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|glpat-[\w-]{16,})", MASK),
    (r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+", MASK),
)


@cache
def _looks() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(look), rest) for look, rest in _LOOKS)


class Redactor:
    """Takes secrets out of text. Those shorter than `SHORTEST`, and those that are masks already, count as none."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.secrets = frozenset(_worth(secrets))
        self._writings: list[Writing] = []
        if self.secrets:
            from nbpr.writings import writings

            self._writings = [writing for secret in sorted(self.secrets) for writing in writings(secret)]
        heads = {writing.pattern(_HEAD) for writing in self._writings}
        self._head = re.compile("|".join(sorted(heads))) if heads else None
        self._firsts = frozenset(way[0] for writing in self._writings for way in writing.parts[0])

    def known(self, text: str) -> str:
        """The text without the secrets that are known."""
        return _masked(text, self._spans(text))

    def text(self, text: str) -> str:
        """The text without known secrets, and without what looks like one."""
        text = self.known(text)
        for look, rest in _looks():
            text = look.sub(rest, text)
        return text

    def value(self, value: Any) -> Any:
        """A JSON value with every string in it, keys too, as `text` has it."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def settled(self, text: str) -> int:
        """How much of the beginning of `text` can be redacted now: what follows may be the beginning of a secret."""
        if not self._writings:
            return len(text)
        after = max(text.rfind("\n"), text.rfind("\r")) + 1  # no secret goes over a line
        longest = max(writing.longest for writing in self._writings)
        starts = range(max(after, len(text) - longest), len(text))
        place = next((at for at in starts if text[at] in self._firsts and self._may_go_on(text, at)), len(text))
        if place == len(text):
            return place
        # A secret that is there in full, and whose end may be another one's beginning, waits for that.
        return min([start for start, end in self._spans(text) if start < place < end], default=place)

    def _may_go_on(self, text: str, start: int) -> bool:
        return any(writing.read(text, start).may_go_on for writing in self._writings)

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """Where secrets stand, from left to right; those that overlap are one."""
        spans: list[tuple[int, int]] = []
        match = self._head.search(text) if self._head else None
        while match is not None and self._head is not None:
            start = match.start()
            end = max(writing.read(text, start).end for writing in self._writings)
            if spans and start < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            elif end > start:
                spans.append((start, end))
            match = self._head.search(text, start + 1)
        return spans


def _worth(secrets: Iterable[str]) -> set[str]:
    """The lines of secrets that are worth looking for."""
    lines = {line.strip() for secret in secrets for line in secret.splitlines()}
    return {line for line in lines if len(line) >= SHORTEST and line.strip("*")}


def _masked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    parts, at = [], 0
    for start, end in spans:
        parts += [text[at:start], MASK]
        at = end
    return "".join([*parts, text[at:]]) if parts else text


# -- what this process knows -------------------------------------------------------------------------------------

_redactor = Redactor()
#: Two threads that learn of a secret at once are both to be heard.
_learning = threading.Lock()


def know(*secrets: str) -> None:
    """Keep these secrets out of everything that this process says from now on."""
    global _redactor
    with _learning:
        if not _redactor.secrets.issuperset(_worth(secrets)):
            _redactor = Redactor(_redactor.secrets.union(secrets))


def know_url(url: str) -> str:
    """Keep the password in a URL, if it has one, out of everything; the URL itself."""
    know(*in_url(url))
    return url


def in_url(url: str) -> tuple[str, ...]:
    """The password in a URL as it is written there and as it is meant; in http a name that is long and alone, too."""
    scheme, separator, rest = url.partition("://")
    user, at, _ = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")
    name, _, password = user.partition(":")
    is_token = scheme.lower().startswith("http") and len(name) >= _LONG
    secret = password or (name if is_token else "")
    if not (separator and at and secret):
        return ()
    from urllib.parse import unquote

    return (secret, unquote(secret))


def text(said: str) -> str:
    """`said` without secrets. Call it before a text is cut, since half a secret is not recognised."""
    return _redactor.text(said)


def known(said: str) -> str:
    """A result, as people edit by it: without the secrets that are known."""
    return _redactor.known(said)


def value(said: Any) -> Any:
    """A JSON value without secrets."""
    return _redactor.value(said)


class Writer:
    """A text stream without secrets, even where one comes in pieces. `close` says what was held back last.

    With `looks`, which is for what is said beside a result, what looks like a secret goes too; a line is then held back
    until it ends, or is flushed. To a terminal that was closed it is said in vain: the work goes on, or ends in order.
    """

    def __init__(self, stream: TextIO, *, looks: bool) -> None:
        self._stream = stream
        self._looks = looks
        self._held = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, said: str) -> int:
        """Write, but for what may be the beginning of a secret."""
        if not self._held and not _redactor.secrets and not self._looks:
            return self._stream.write(said)
        if not isinstance(said, str):
            raise TypeError(f"write() argument must be str, not {type(said).__name__}")
        self._held += said
        self._release(to_line_end=self._looks)
        return len(said)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of `lines`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush, but for what may be the beginning of a secret that is known."""
        self._release(to_line_end=False)
        with self._in_vain():
            self._stream.flush()

    def close(self) -> None:
        """Say what was held back, and leave the stream open: it belongs to somebody else."""
        held, self._held = self._held, ""
        self._say(held)

    def _release(self, *, to_line_end: bool) -> None:
        upto = _redactor.settled(self._held)
        if to_line_end:
            upto = min(upto, max(self._held.rfind("\n"), self._held.rfind("\r")) + 1)
        said, self._held = self._held[:upto], self._held[upto:]
        self._say(said)

    def _say(self, said: str) -> None:
        if said:
            with self._in_vain():
                self._stream.write(_redactor.text(said) if self._looks else _redactor.known(said))

    @contextmanager
    def _in_vain(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno != errno.EIO or not self._looks:
                raise


@contextmanager
def standard_streams(*secrets: str) -> Iterator[None]:
    """Standard output and error without secrets while the block runs, of which these are known at once.

    Bytes that are written beneath them, as git's filter does, are not looked at.
    """
    global _redactor
    before = (sys.stdout, sys.stderr, _redactor)
    know(*secrets)
    writers = Writer(sys.stdout, looks=False), Writer(sys.stderr, looks=True)
    sys.stdout, sys.stderr = (cast("TextIO", writer) for writer in writers)
    try:
        yield
    finally:
        for writer in writers:
            writer.close()
        sys.stdout, sys.stderr, _redactor = before
