"""Texts without an end in sight: what is looked for in them takes as long as they are, not as long as its square.

With the square each of these takes minutes to hours, which the time limit of every test ends.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nbpr import redaction
from nbpr.checks import detectors
from nbpr.notebooks import assignments, imports
from nbpr.render import escape
from nbpr.runs import outputs, surroundings

pytestmark = pytest.mark.slow

LONG = 1_000_000


def settled(text: str) -> object:
    known = outputs.patterns([(Path("/work/project"), "<repo>"), (Path.home(), outputs.HOME)])
    return outputs.settle([{"output_type": "stream", "name": "stdout", "text": text}], known)


LOOKING: dict[str, Callable[[str], object]] = {
    "outputs made the same": settled,
    "secrets": lambda text: detectors.matches(text),
    "what is imported": lambda text: imports.of_code([text]),
    "IPython's own lines": assignments._without_magics,
    "a job's log": escape.without_commands,
    "signs that are not seen": escape.visible,
    "what reaches out": lambda text: (list(surroundings._SHELL.finditer(text)), surroundings._REACHING.search(text)),
    "what looks like a secret": redaction.text,
}
UNITS = ("a", "/", "a/", "\n", " ", "\t", "\\", "=", ".", ":", "'", '"', "0", "A1", "<", "(", "://", "a@", "\r", "-")
#: How what is looked for begins, without its end.
BEGINNINGS = (
    *("sys.path.append(", "import ", "import requests,", "from ", "x = !", "%", "!ls \\\n", "token=", "password: '"),
    *("https://a:", "Authorization: ", "::", "##", "/ipykernel_1/", "-----BEGIN ", "eyJ", "sk-", " at 0x", "${", "<a "),
    *("export A=", "~/", "'/a", "a.b?", "a,b ", "```", "![", "&#", "\x1b[", "\u202e"),
)


@pytest.mark.parametrize("unit", UNITS + BEGINNINGS)
@pytest.mark.parametrize("what", LOOKING)
def test_a_long_text_is_looked_through_once(what: str, unit: str) -> None:
    LOOKING[what](unit * (LONG // len(unit)))


def test_a_value_of_many_words_is_no_riddle() -> None:
    # "username" is a word, and so are "user" and "name": tried one after the other there are 2 ** 24 ways.
    assert detectors.is_blank("username" * 24)
    assert not detectors.is_blank("username" * 24 + "zq")
