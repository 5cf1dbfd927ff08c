"""Answers: what a forge said, read as JSON, and how long it wants us to wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import wraps
from inspect import isgeneratorfunction
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, TypeVar

from nbpr import redaction
from nbpr.errors import OutOfReach

if TYPE_CHECKING:
    import httpx

#: As many bytes as an answer may have.
LARGEST = 64_000_000

#: How the kinds of forges are called.
_NAMES = {"gitea": "Gitea or Forgejo", "github": "GitHub"}

Speaker = TypeVar("Speaker")


@dataclass(frozen=True)
class Answer:
    """What a forge answered: `data` is its JSON, None where that is null or where there was no content (`is_empty`)."""

    status: int
    data: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_empty: bool = False

    @property
    def message(self) -> str:
        """What it says is wrong, in one line."""
        if not isinstance(self.data, Mapping):
            return ""
        errors = self.data.get("errors")
        listed = errors if isinstance(errors, list) else ()
        further = [one.get("message") if isinstance(one, Mapping) else one for one in listed]
        said = "; ".join(str(part) for part in (self.data.get("message"), *further) if part)
        return redaction.text(" ".join(said.split()))[:300]


class Lost(Exception):
    """No answer that can be read; with `is_page` a web page in place of one."""

    def __init__(self, message: str, *, is_page: bool = False) -> None:
        super().__init__(message)
        self.is_page = is_page


def read(response: httpx.Response) -> bytes:
    """The bytes of an answer. Raises `Lost` for one that does not end."""
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > LARGEST:
            raise Lost("the answer does not end")
    return bytes(data)


def parsed(response: httpx.Response, data: bytes) -> Any:
    """The JSON of an answer; None for none. Raises `Lost` where a success is no JSON: it comes from somebody else."""
    import json

    if not data.strip():
        return None
    try:
        return json.loads(data)
    except ValueError:
        if not response.is_success:
            return None
        is_page = b"<" in data[:200]
        what = "a web page" if is_page else "something broken"
        raise Lost(f"it answers with {what} instead of JSON", is_page=is_page) from None


def asked_wait(answer: Answer) -> float | None:
    """How many seconds the server wants us to wait, by its own clock where it names a time."""
    after = answer.headers.get("retry-after", "").strip()
    if after.isdigit():
        return float(after)
    there = _moment(answer.headers.get("date", ""))
    now = time.time() if there is None else there
    moment = _moment(after)
    reset = answer.headers.get("x-ratelimit-reset", "")
    if moment is None and answer.headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
        moment = float(reset)
    return None if moment is None else max(0.0, moment - now)


def _moment(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None


def understanding(speaker: type[Speaker]) -> type[Speaker]:
    """A class that asks a forge by its `_client`; an answer of another shape than it reads is `OutOfReach` to all.

    So what stands in front of a forge, or is none, is told from a bug of ours, and each field can be read plainly.
    """
    for name, method in list(vars(speaker).items()):
        if callable(method) and not name.startswith("_"):
            setattr(speaker, name, _understanding(method))
    return speaker


def _understanding(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def at_once(self: Any, *args: Any, **named: Any) -> Any:
        with _odd_answers(self):
            return method(self, *args, **named)

    @wraps(method)
    def one_by_one(self: Any, *args: Any, **named: Any) -> Iterator[Any]:
        with _odd_answers(self):
            yield from method(self, *args, **named)

    return one_by_one if isgeneratorfunction(method) else at_once


@contextmanager
def _odd_answers(speaker: Any) -> Iterator[None]:
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        places = [str(frame.f_globals.get("__name__")) for frame, _ in walk_tb(error.__traceback__)]
        *_, last = (place for place in places if place.startswith("nbpr."))
        if not last.startswith("nbpr.forges."):
            raise  # a bug of what it was given to call
        client = speaker._client
        raise OutOfReach(
            f"{client.host} answers otherwise than a {_NAMES[client.kind]} to {client.asked}: "
            f"{type(error).__name__} {str(error)[:80]}",
            hint="is there a proxy or a sign-in page in front of it, or is it another forge?",
        ) from error
