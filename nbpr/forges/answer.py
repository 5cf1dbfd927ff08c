"""Answers: what a forge said, read as JSON, and how long it wants us to wait."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from nbpr import redaction

if TYPE_CHECKING:
    import httpx

#: As many bytes as an answer may have.
LARGEST = 64_000_000


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
        further = [one.get("message") if isinstance(one, Mapping) else one for one in self.data.get("errors") or ()]
        said = "; ".join(str(part) for part in (self.data.get("message"), *further) if part)
        return redaction.text(" ".join(said.split()))[:300]


class Lost(Exception):
    """No answer that can be read."""


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
        what = "a web page" if b"<" in data[:200] else "something broken"
        raise Lost(f"it answers with {what} instead of JSON") from None


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
