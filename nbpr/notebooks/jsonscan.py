"""Where things stand in a JSON text: its values, and the places of an object's members and an array's elements.

Values are read by the standard library's C scanner; only the containers that somebody wants to look into are walked
here. Positions count characters. NaN, Infinity and half surrogate pairs are read, as notebooks hold them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

_white_space = re.compile(r"[ \t\n\r]*").match
_comma = re.compile(r"[ \t\n\r]*,[ \t\n\r]*").match
# A key without escapes, and what stands between it and its value.
_plain_key = re.compile(r'"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*').match
_decode = json.JSONDecoder().raw_decode
# What is left of a text that ends within a word, a number or an escape.
_CUT_SHORT = re.compile(r'[\w.+\-\\"]{0,12}\s*')


class JsonError(ValueError):
    """A text is not JSON: what is wrong, `line` and `column` (from 1), and whether the text just ends early."""

    def __init__(self, problem: str, text: str, at: int, truncated: bool = False) -> None:
        self.line = text.count("\n", 0, at) + 1
        self.column = at - text.rfind("\n", 0, at)
        self.problem = problem
        self.truncated = truncated
        super().__init__(f"{problem} (line {self.line}, column {self.column})")


class Member(NamedTuple):
    """One member of an object: `text[key_start:value_end]`, its value at `text[value_start:value_end]`."""

    key: str
    key_start: int
    value_start: int
    value_end: int
    value: Any


class Element(NamedTuple):
    """One element of an array, at `text[start:end]`."""

    start: int
    end: int
    value: Any


Read = Callable[[str, int], tuple[Any, int]]


def value(text: str, at: int) -> tuple[Any, int]:
    """The value that starts at `at`, and where it ends; JsonError if there is none."""
    try:
        return _decode(text, at)
    except json.JSONDecodeError as error:
        raise _error(error.msg, text, error.pos) from None
    except RecursionError:
        raise JsonError("nested too deep", text, at) from None
    except ValueError as error:
        # int() refuses numbers of thousands of digits.
        raise JsonError(str(error).split(";")[0], text, at) from None


def _error(problem: str, text: str, at: int) -> JsonError:
    unterminated = problem.startswith("Unterminated string")
    early = unterminated or (problem != "Extra data" and _CUT_SHORT.fullmatch(text, at) is not None)
    return JsonError(problem, text, at, truncated=early)


def members(text: str, at: int, read: Callable[[str], Read] | None = None) -> tuple[list[Member], int]:
    """The members of the object that starts at `at`, doubled keys included, and where the object ends.

    `read(key)` gives the reader of that key's value, for callers that want to walk into some. Raises JsonError.
    """
    found: list[Member] = []
    place, end = _enter(text, at, "{}")
    while place is not None:
        plain = _plain_key(text, place)
        key, start = (plain[1], plain.end()) if plain else _key(text, place)
        data, end = read(key)(text, start) if read else value(text, start)
        found.append(Member(key, place, start, end, data))
        place, end = _next(text, end, "}")
    return found, end


def elements(text: str, at: int) -> tuple[list[Element], int]:
    """The elements of the array that starts at `at`, and where the array ends. Raises JsonError."""
    found: list[Element] = []
    place, end = _enter(text, at, "[]")
    while place is not None:
        data, end = value(text, place)
        found.append(Element(place, end, data))
        place, end = _next(text, end, "]")
    return found, end


def parse(text: str) -> Any:
    """The value that a whole text holds; a byte-order mark may stand before it. Raises JsonError."""
    data, end = value(text, start(text))
    check_end(text, end)
    return data


def start(text: str) -> int:
    """Where the value of a whole text begins, after byte-order mark and white space."""
    return _skip(text, text.startswith("\ufeff"))


def check_end(text: str, end: int) -> None:
    """JsonError if anything but white space follows."""
    rest = _skip(text, end)
    if rest != len(text):
        raise _error("Extra data", text, rest)


def _skip(text: str, at: int) -> int:
    """The first place from `at` on that is not white space."""
    space = _white_space(text, at)
    return space.end() if space else at


def _enter(text: str, at: int, brackets: str) -> tuple[int | None, int]:
    """Where a container's first item is, or None and where the container ends."""
    if text[at : at + 1] != brackets[0]:
        raise _error(f"Expecting {brackets[0]!r}", text, at)
    place = _skip(text, at + 1)
    if text[place : place + 1] == brackets[1]:
        return None, place + 1
    return place, place


def _next(text: str, end: int, closing: str) -> tuple[int | None, int]:
    """Where the item after the one that ended at `end` is, or None and where the container ends."""
    comma = _comma(text, end)
    if comma:
        return comma.end(), comma.end()
    place = _skip(text, end)
    found = text[place : place + 1]
    if found == closing:
        return None, place + 1
    raise _error("Expecting ',' delimiter", text, place)


def _key(text: str, at: int) -> tuple[str, int]:
    """The key at `at`, and where its value starts."""
    if text[at : at + 1] != '"':
        raise _error("Expecting property name enclosed in double quotes", text, at)
    key, end = value(text, at)
    colon = _skip(text, end)
    if text[colon : colon + 1] != ":":
        raise _error("Expecting ':' delimiter", text, colon)
    return key, _skip(text, colon + 1)
