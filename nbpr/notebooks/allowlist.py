"""What looks like a credential and is none: a file at the repository's top, one line an entry, with its reason.

Pure functions over the file's bytes, so that the entries can be those of the checkout, of the index or of a commit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from nbpr.errors import BadInput

NAME = ".nbpr-allowed"
_LINE = re.compile(r"(?P<digest>\S+)(?:\s+(?P<reason>\S.*?))?\s*")
_DIGEST = re.compile(r"[0-9a-f]{16}")


def digest(value: str) -> str:
    """What an entry knows a value by: 16 hex digits, from which only a value that is easily guessed can be found."""
    return hashlib.sha256(b"nbpr:" + value.strip().encode(errors="surrogatepass")).hexdigest()[:16]


def entry(value: str) -> str:
    """The line that allows a value, its reason still to be written."""
    return f"{digest(value)}  why it is no secret"


def parse(data: bytes) -> Mapping[str, str]:
    """The reasons by digest. Empty lines, and those that begin with `#`, say nothing.

    Raises BadInput for a line that is neither, or that gives no reason.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{NAME}: not UTF-8", hint="save the file as UTF-8") from None
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = _LINE.fullmatch(line.strip())
        if words is None or words["digest"].startswith("#"):
            continue
        if not _DIGEST.fullmatch(words["digest"]) or words["reason"] is None:
            hint = f"a line is 16 hex digits and a reason, as in: {entry('')}"
            raise BadInput(f"{NAME}: line {number} is no entry", hint=hint)
        found[words["digest"]] = words["reason"]
    return found
