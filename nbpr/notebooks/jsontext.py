"""A JSON text in which one value can be written over another, all that is the same keeping its characters.

Half surrogate pairs, NaN and Infinity are written as Python's json and nbformat write them.
"""

from __future__ import annotations

import bisect
import itertools
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from nbpr.notebooks.jsonscan import Element, JsonError, Member, check_end, elements, members, parse, start, value

__all__ = ["JsonError", "Style", "check_end", "detect", "dumps", "elements", "members", "parse", "rewrite", "value"]

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# What only a writer that keeps to ASCII escapes: not what is ASCII (but DEL), not half a pair.
_ASCII_ESCAPE = re.compile(r"\\u(?:(?!00[0-7]|[dD][89a-fA-F])[0-9a-fA-F]{4}|007[fF]|[dD][89abAB]..\\u[dD][c-fC-F])")


@dataclass(frozen=True)
class Style:
    """How a text is laid out; `indent` is None where everything stands on one line."""

    indent: str | None = " "
    newline: str = "\n"
    ensure_ascii: bool = False
    item_separator: str = ","
    key_separator: str = ": "

    def flat(self) -> Style:
        """The same style on one line."""
        if self.indent is None:
            return self
        return replace(self, indent=None, item_separator=self.item_separator.rstrip() + " ")

    def margin(self, depth: int) -> str:
        """What stands before an item `depth` levels deep: a line break and the indent, or nothing."""
        return "" if self.indent is None else self.newline + self.indent * depth


def detect(text: str) -> Style:
    """How `text`, an object, is laid out: read from its first two members; one of nbformat's style if it has none."""
    return style_of(text, start(text), members(text, start(text))[0])


def style_of(text: str, at: int, parts: Sequence[Member]) -> Style:
    """How the object at `at` is laid out, given its members."""
    newline, ascii_only = _newline(text), _keeps_to_ascii(text)
    if not parts:
        return Style(newline=newline, ensure_ascii=ascii_only)
    head = text[at + 1 : parts[0].key_start]
    key_separator = _key_separator(text, parts[0])
    gap = text[parts[0].value_end : parts[1].key_start] if len(parts) > 1 else ","
    if newline not in head:
        return Style(None, newline, ascii_only, gap if gap.strip(", ") == "" else ", ", key_separator)
    return Style(head.rpartition(newline)[2], newline, ascii_only, gap.partition(newline)[0], key_separator)


def _newline(text: str) -> str:
    place = text.find("\n")
    if place < 0:
        return "\r" if "\r" in text else "\n"
    return "\r\n" if text[place - 1 : place] == "\r" else "\n"


def _key_separator(text: str, part: Member) -> str:
    """What stands between a key and its value: white space and the colon."""
    before = text[part.key_start : part.value_start].rstrip(" \t\r\n")
    before = before[:-1].rstrip(" \t\r\n")
    return text[part.key_start + len(before) : part.value_start]


def _keeps_to_ascii(text: str) -> bool:
    if not text.isascii():
        return False
    return any(_odd_backslashes(text, found.start()) for found in _ASCII_ESCAPE.finditer(text))


def _odd_backslashes(text: str, at: int) -> bool:
    """Whether the backslash at `at` begins an escape, rather than ending one."""
    before = at
    while text[before - 1] == "\\":
        before -= 1
    return (at - before) % 2 == 0


def dumps(data: Any, style: Style, depth: int = 0) -> str:
    """`data` as JSON in `style`, as it stands `depth` levels deep. Half surrogate pairs are escaped."""
    separators = (style.item_separator, style.key_separator)
    text = json.dumps(data, ensure_ascii=style.ensure_ascii, indent=style.indent, separators=separators)
    if not text.isascii():
        text = escape_surrogates(text)
    if style.indent is None:
        return text
    return text.replace("\n", style.margin(depth))


def escape_surrogates(text: str) -> str:
    """A JSON text in which half surrogate pairs, which UTF-8 cannot hold, are written as escapes."""
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: 1, 1.0 and true all differ, NaN is NaN, the order of keys is nothing."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(item, other[key]) for key, item in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return repr(one) == repr(other)
    return bool(one == other)


def rewrite(text: str, start: int, end: int, old: Any, new: Any, style: Style, depth: int) -> str:
    """`text[start:end]`, which holds `old`, made to hold `new`: every part that is the same keeps its characters."""
    if same(old, new):
        return text[start:end]
    if not (old and new):
        return dumps(new, style, depth)
    if isinstance(old, dict) and isinstance(new, dict):
        return rewrite_members(text, start, end, members(text, start)[0], old, new, style, depth)
    if isinstance(old, list) and isinstance(new, list):
        return _rewrite_array(text, start, end, new, style, depth)
    return dumps(new, style, depth)


def rewrite_members(
    text: str,
    at: int,
    end: int,
    parts: Sequence[Member],
    old: Mapping[str, Any],
    new: dict[str, Any],
    style: Style,
    depth: int,
    written: Mapping[str, str] | None = None,
) -> str:
    """As `rewrite`, for an object whose members are known; `written` has the texts that were made already."""
    inner = inner_style(text, at, end, (), style)
    last = {part.key: index for index, part in enumerate(parts)}
    done = written or {}
    items: list[Item] = []
    for index, part in enumerate(parts):
        if part.key in new:
            after = done.get(part.key)
            if last[part.key] != index:
                after = text[part.value_start : part.value_end]
            elif after is None:
                span = (part.value_start, part.value_end)
                after = rewrite(text, *span, old[part.key], new[part.key], inner, depth + 1)
            items.append(Item(index, text[part.key_start : part.value_start] + after))
    _add_members(items, parts, {key: new[key] for key in new if key not in last}, inner, depth)
    return splice(text, at, end, [(part.key_start, part.value_end) for part in parts], items, style, depth)


def _add_members(items: list[Item], parts: Sequence[Member], added: dict[str, Any], style: Style, depth: int) -> None:
    """Put new members where they belong in an object whose keys are sorted, else at its end."""
    keys = [parts[item.origin].key for item in items if item.origin is not None]
    in_order = keys == sorted(keys)
    for key, data in added.items():
        place = bisect.bisect(keys, key) if in_order else len(keys)
        keys.insert(place, key)
        written = dumps(key, style) + style.key_separator + dumps(data, style, depth + 1)
        items.insert(place, Item(None, written))


def _rewrite_array(text: str, at: int, end: int, new: list[Any], style: Style, depth: int) -> str:
    parts, _ = elements(text, at)
    spans = [(part.start, part.end) for part in parts]
    inner = inner_style(text, at, end, spans, style)
    head = _agreeing(parts, new)
    tail = _agreeing(parts[: head - len(parts) - 1 : -1], new[: head - len(new) - 1 : -1])
    middle = new[head : len(new) - tail]
    if len(parts) == len(new):
        items = [
            Item(at, rewrite(text, *spans[at], parts[at].value, new[at], inner, depth + 1)) for at in range(len(new))
        ]
    else:
        items = [Item(index, text[slice(*spans[index])]) for index in range(head)]
        items += [Item(None, dumps(data, inner, depth + 1)) for data in middle]
        items += [Item(index, text[slice(*spans[index])]) for index in range(len(parts) - tail, len(parts))]
    return splice(text, at, end, spans, items, style, depth)


def _agreeing(parts: Sequence[Element], new: Sequence[Any]) -> int:
    """How many of the first elements are the same in both."""
    pairs = zip(parts, new, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: same(pair[0].value, pair[1]), pairs))


class Item(NamedTuple):
    """One item of a container to write: its text, and which of the old items it is (None for a new one)."""

    origin: int | None
    text: str


Span = tuple[int, int]


def inner_style(text: str, at: int, end: int, spans: Sequence[Span], style: Style) -> Style:
    """The style for new values in the container `text[at:end]`: on one line where it, or its items, are."""
    if _on_one_line(text, at, end, style) or (spans and _on_one_line(text, *spans[0], style)):
        return style.flat()
    return style


def _on_one_line(text: str, at: int, end: int, style: Style) -> bool:
    """Whether a value that is longer than an empty container holds no line break."""
    return end - at > 2 and text.find(style.newline, at, end) < 0


def splice(text: str, at: int, end: int, spans: Sequence[Span], items: Sequence[Item], style: Style, depth: int) -> str:
    """The container `text[at:end]`, whose items stood at `spans`, with other items.

    What stood between two items that are still neighbours stays; elsewhere stands what the container mostly has.
    """
    if not items:
        return text[at] + text[end - 1] if spans else text[at:end]
    if not spans:
        inside = (style.item_separator + style.margin(depth + 1)).join(item.text for item in items)
        return text[at] + style.margin(depth + 1) + inside + style.margin(depth) + text[end - 1]
    head, tail = text[at : spans[0][0]], text[spans[-1][1] : end]
    gaps = [text[left[1] : right[0]] for left, right in itertools.pairwise(spans)]
    usual = _usual_gap(gaps, head, style)
    written = [head, items[0].text]
    for left, right in itertools.pairwise(items):
        kept = left.origin is not None and right.origin == left.origin + 1
        written += [gaps[left.origin] if kept and left.origin is not None else usual, right.text]
    return "".join([*written, tail])


def _usual_gap(gaps: Sequence[str], head: str, style: Style) -> str:
    if gaps:
        return Counter(gaps).most_common(1)[0][0]
    return style.item_separator + head[1:] if style.newline in head else style.flat().item_separator
