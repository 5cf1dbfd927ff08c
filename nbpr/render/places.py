"""Places in a pull request's text for files that its forge is still to keep, and what stands there once it does.

Most forges take files only for a pull request that is there already. Until then its text has a comment in each place,
which no reader sees, and a line that says that something is to come.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from nbpr.render import escape

#: The line that a text has which waits for files; what notebooks bring never begins a line in this way.
WAITING = "<!-- nbpr-waiting -->"
_WAITING = re.compile(rf"^{re.escape(WAITING)}\n", re.MULTILINE)
_PLACE = re.compile(r"<!-- nbpr-file ([0-9a-z-]+\.[a-z]+) ([a-z ]+) -->")


def of(name: str, words: str, url: str | None) -> str:
    """What stands for the file `name`: nothing without an address, its place where that is still to come ("").

    A picture is a link to itself too, for readers whom the forge does not show it in the text. `words` are letters
    and spaces.
    """
    if url == "":
        return f"<!-- nbpr-file {name} {words} -->"
    address = (escape.address(url) or "").replace("|", "%7C") if url else ""
    if not address:
        return ""
    return f"[{words}](<{address}>)" if name.endswith(".zip") else f"[![{words}](<{address}>)](<{address}>)"


def is_waiting(text: str) -> bool:
    """Whether there are files to come."""
    return _WAITING.search(text) is not None


def filled(text: str, urls: Mapping[str, str]) -> str:
    """The text with the files in their places that have an address by now; it waits no more."""

    def put(found: re.Match[str]) -> str:
        return of(found[1], found[2], urls.get(found[1]) or None) or found[0]

    return _WAITING.sub("", _PLACE.sub(put, text))
