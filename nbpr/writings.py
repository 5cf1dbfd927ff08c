"""How a secret may be written: each writing of it is a row of parts, and each part may be written in several ways."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

#: A part of a writing: one character of it, in every way that programs write it.
Part = tuple[str, ...]

#: How many parts must be there. A text that was cut after them is still taken out, as far as it goes.
_ENOUGH = 24

_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_HTML = {
    "&": ("&amp;", "&#38;"),
    "<": ("&lt;", "&#60;"),
    ">": ("&gt;", "&#62;"),
    '"': ("&quot;", "&#34;"),
    "'": ("&#39;", "&#x27;", "&apos;"),
}


class Read(NamedTuple):
    """What was read of a writing: up to where the text is it (0: it is not), and whether more text may go on so."""

    end: int
    may_go_on: bool


@dataclass(frozen=True)
class Writing:
    """One writing of a secret."""

    parts: tuple[Part, ...]

    @cached_property
    def longest(self) -> int:
        """How many characters it has at most."""
        return sum(len(part[0]) for part in self.parts)

    def pattern(self, count: int) -> str:
        """A regular expression for its first `count` parts."""
        return "".join(f"(?:{'|'.join(map(re.escape, part))})" for part in self.parts[:count])

    def read(self, text: str, start: int) -> Read:
        """Read it in `text` from `start` on, in whichever ways its parts are written there."""
        places, may_go_on = {start}, False
        for number, part in enumerate(self.parts):
            may_go_on = may_go_on or any(_is_begun(part, text, place) for place in places)
            further = {place + len(way) for place in places for way in part if text.startswith(way, place)}
            if not further:
                return Read(max(places) if number >= min(_ENOUGH, len(self.parts)) else 0, may_go_on)
            places = further
        return Read(max(places), may_go_on)


def writings(secret: str) -> Iterator[Writing]:
    """Every writing of a secret: with escapes or without, hexadecimal, base64 at its three offsets."""
    data = secret.encode("utf-8", "surrogatepass")
    yield Writing(tuple(_ways(character) for character in secret))
    yield Writing(tuple(_unique(digit, digit.upper()) for digit in data.hex()))
    for offset in range(3):
        yield Writing(tuple(_base64(data, offset)))


def _is_begun(part: Part, text: str, place: int) -> bool:
    """Whether the text ends within a way of writing this part, or just before it."""
    rest = text[place : place + len(part[0])]
    return place + len(rest) == len(text) and any(len(way) > len(rest) and way.startswith(rest) for way in part)


@cache
def _ways(character: str) -> Part:
    """A character as it is, percent-encoded once or twice, and escaped for JSON, Python and HTML."""
    code = ord(character)
    octets = character.encode("utf-8", "surrogatepass")
    ways = [character, *_HTML.get(character, ()), *(["+"] if character == " " else [])]
    ways += ["".join(f"{sign}{octet:02x}" for octet in octets) for sign in ("%", "%25", "\\x")]
    units = character.encode("utf-16-be", "surrogatepass").hex()
    escaped = "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
    ways += [escaped, escaped.replace("\\", "\\\\")]
    ways += [f"\\x{code:02x}"] if code < 256 else []
    if character in "\"'/\\":
        ways += [f"\\{character}", f"\\\\\\{character}"]
    return _unique(*ways, *map(_upper, ways[1:]))


def _upper(way: str) -> str:
    """The same escape with capital digits."""
    return re.sub(r"(?<=[%ux])([0-9a-f]{2,4})", lambda match: match[1].upper(), way)


def _base64(data: bytes, offset: int) -> Iterator[Part]:
    """The digits of `data` in base64 where `offset` bytes stand before it in its group of three.

    The first and the last may have bits of a neighbour in them, and are then any of those that these allow.
    """
    bits = "".join(f"{octet:08b}" for octet in data)
    before = "." * (offset * 8 % 6)
    bits = before + bits
    bits += "." * (-len(bits) % 6)
    for at in range(0, len(bits), 6):
        yield _digit(bits[at : at + 6])


@cache
def _digit(bits: str) -> Part:
    """The digits of base64 for six bits, of which those that are "." may be either."""
    if "." in bits:
        return _unique(*(way for bit in "01" for way in _digit(bits.replace(".", bit, 1))))
    digit = _BASE64[int(bits, 2)]
    if digit == "+":
        return _unique("+", "-", "%2B", "%2b", "%252B", "%252b", "\\u002b", "\\u002B")
    if digit == "/":
        return _unique("/", "_", "\\/", "%2F", "%2f", "%252F", "%252f")
    return (digit,)


def _unique(*ways: str) -> Part:
    """The ways, each once, the longest first."""
    return tuple(sorted(dict.fromkeys(ways), key=len, reverse=True))
