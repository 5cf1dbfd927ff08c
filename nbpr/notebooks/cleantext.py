"""A notebook's text cleaned as it stands, without taking the notebook apart: what `clean` does by default, fast.

Git asks for this once for every notebook that it looks at. One walk finds where outputs and counts stand and cuts
them out. Whatever is out of the ordinary, and everything that is no notebook, is left to `clean`, which gives
the same bytes for what is done here.
"""

from __future__ import annotations

import codecs
import re
from json.decoder import JSONDecoder

from nbpr.notebooks.runstate import CLEANED_KEYS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Scan = Callable[[str, int], tuple[object, int]]

_BLANK = r"[ \t\n\r]*"
#: The value at a place, and where it ends; StopIteration or ValueError if there is none.
_scan: Scan = JSONDecoder().scan_once  # type: ignore[attr-defined]
_blank = re.compile(_BLANK).match
_first_item = re.compile(rf"\[{_BLANK}(\])?").match
_next_item = re.compile(rf"{_BLANK}(?:,{_BLANK}|(\]))").match
# A key with an escape in it could be any key, and is not looked into.
_KEY = rf'"([^"\\\x00-\x1f]*)"{_BLANK}:{_BLANK}'
_first_member = re.compile(rf"{{{_BLANK}(?:{_KEY}|\}})").match
_next_member = re.compile(rf"{_BLANK}(?:,{_BLANK}{_KEY}|\}})").match

_MARK = codecs.BOM_UTF8
#: Bytes of UTF-8 that are checked at a time, so that a notebook of many megabytes is not held in memory once more.
_PORTION = 1 << 22


def _names(space: str) -> frozenset[str]:
    """What the keys of `space` are called where they stand; of a nested one the outermost name, too."""
    rests = [key.removeprefix(space) for key in CLEANED_KEYS if key.startswith(space)]
    return frozenset(rests) | {rest.partition(".")[0] for rest in rests}


#: A cell or notebook with one of these in its metadata is for `clean`: it loses it, or it keeps its outputs.
_CELL_NAMES = _names("cell.metadata.") | {"init_cell", "keep_output"}
_NOTEBOOK_NAMES = _names("metadata.") | {"keep_output"}
#: The members of a cell that are looked into. A nested key's whole name is a member's, too, should there be such a one.
_WATCHED = _names("cell.") | {"outputs", "execution_count", "prompt_number"}
_TOP = frozenset(["cells", "metadata", "nbformat"])
_KEEPING = frozenset(["keep_output"])

Cut = tuple[int, int, bytes]


class _Odd(Exception):
    """Something that is not ordinary."""


def cleaned(data: bytes) -> bytes | None:
    """The clean notebook's bytes, by the default options; the very same object if clean; None for `clean`."""
    if not _is_utf8(data):
        return None
    try:
        cuts = _cuts(data.decode("latin-1"), len(_MARK) if data.startswith(_MARK) else 0)
    except (_Odd, StopIteration, ValueError, RecursionError):
        return None
    if not cuts:
        return data
    pieces: list[bytes] = []
    end = 0
    for start, stop, instead in cuts:
        pieces += (data[end:start], instead)
        end = stop
    pieces.append(data[end:])
    return b"".join(pieces)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for at in range(0, len(data), _PORTION):
            decoder.decode(data[at : at + _PORTION])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _cuts(text: str, at: int) -> list[Cut]:
    """What to cut out and to put there instead, for a notebook that is ordinary; else an exception.

    `text` has a character for every byte: what matters here is ASCII, and places are those of the bytes.
    """
    cuts: list[Cut] = []
    top: dict[str, object] = {}
    member = _first_member(text, _after_blank(text, at))
    while member and member[1] is not None:
        key, end = member[1], member.end()
        if key in top:
            raise _Odd
        if key == "cells":
            top[key], end = True, _cells(text, end, cuts)
        else:
            value, end = _scan(text, end)
            if key in _TOP:
                top[key] = value
        member = _next_member(text, end)
    if not member or _after_blank(text, member.end()) != len(text) or not _is_ordinary(top):
        raise _Odd
    return cuts


def _after_blank(text: str, at: int) -> int:
    found = _blank(text, at)
    return found.end() if found else at


def _is_ordinary(top: dict[str, object]) -> bool:
    version, metadata = top.get("nbformat"), top.get("metadata")
    if version != 4 or type(version) is not int or "cells" not in top:
        return False
    return not isinstance(metadata, dict) or _NOTEBOOK_NAMES.isdisjoint(metadata)


def _cells(text: str, at: int, cuts: list[Cut]) -> int:
    """Add what is to be cut out of the cells in the list that starts at `at`; where the list ends."""
    item = _first_item(text, at)
    while item:
        if item[1]:
            return item.end()
        item = _next_item(text, _cell(text, item.end(), cuts))
    raise _Odd


def _cell(text: str, at: int, cuts: list[Cut]) -> int:
    """Add what is to be cut out of the cell at `at`; where it ends."""
    seen = []
    member = _first_member(text, at)
    while member:
        key, start = member[1], member.end()
        if key is None:
            return start
        value, end = _scan(text, start)
        if key in _WATCHED:
            if key in seen:
                raise _Odd
            seen.append(key)
            instead = _instead(key, value)
            if instead:
                cuts.append((start, end, instead))
        member = _next_member(text, end)
    raise _Odd


def _instead(key: str, value: object) -> bytes | None:
    """What stands for a cell's member afterwards; None if it stays as it is."""
    if key == "outputs":
        if isinstance(value, list) and not all(map(_goes, value)):
            raise _Odd
        return None if value == [] else b"[]"
    if key != "metadata":
        if key in ("execution_count", "prompt_number"):
            return None if value is None else b"null"
        raise _Odd
    if value and isinstance(value, dict) and not (_CELL_NAMES.isdisjoint(value) and _KEEPING.isdisjoint(_tags(value))):
        raise _Odd
    return None


def _goes(output: object) -> bool:
    """Whether an output is sure to go: one without a single character would stay, see `Options.max_size`."""
    kind = output.get("output_type") if isinstance(output, dict) else None
    return isinstance(kind, str) and bool(kind)


def _tags(metadata: dict[str, object]) -> list[str]:
    tags = metadata.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
