"""How far a checked cell's results may be from the reference run's: numbers by how much, pictures by share of pixels.

nbval knows equal and not equal. What is within a cell's tolerance is put as the reference has it before nbval
compares, so that its verdict is about the rest; pictures, which nbval leaves out, are compared here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbpr.diff.pictures import compare_pictures, decoded
from nbpr.notebooks.cell import Cell

Output = dict[str, Any]

#: As a comment on a line of its own, and the key in the cell's metadata under `nbpr`.
NUMBERS, PICTURES = "NBPR_TOLERANCE", "NBPR_PIXELS"
_KEYS = {NUMBERS: "tolerance", PICTURES: "pixels"}
_COMMENT = re.compile(rf"^[ \t]*#+[ \t]*({NUMBERS}|{PICTURES})\b[ \t]*(\S*)", re.MULTILINE)

#: A number as programs print one, no part of a longer word, a version or a date; or what lies between two numbers.
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?(?!\d|\.\d)")
_BLANKS = re.compile(r"[ \t]+")
_PICTURE = re.compile(r"image/(?:png|jpeg|gif|webp)")
_BINARY = re.compile(r"image/(?!svg)|audio/|video/|application/(?!json)")


class NoTolerance(ValueError):
    """What stands behind a marker is no number that it can be; the message says so."""


@dataclass(frozen=True)
class Tolerance:
    """What a cell's results may differ by: `numbers` as a share of max(1, size), `pixels` as a share of all pixels.

    None for numbers: they have to be the same; for pixels: pictures are not looked at, as with nbval.
    """

    numbers: float | None = None
    pixels: float | None = None


def tolerance_of(cell: Cell) -> Tolerance:
    """A cell's tolerance, from its metadata and its comments, which win. Raises `NoTolerance`."""
    own = cell.metadata.get("nbpr")
    found = {marker: own[key] for marker, key in _KEYS.items() if isinstance(own, Mapping) and key in own}
    found |= dict(_COMMENT.findall(cell.source))
    if not found:
        return Tolerance()
    values = {marker: _value(marker, said) for marker, said in found.items()}
    return Tolerance(values.get(NUMBERS), values.get(PICTURES))


def _value(marker: str, said: Any) -> float:
    text = str(said).removesuffix("%") if marker == PICTURES else str(said)
    try:
        value = math.nan if isinstance(said, bool) else float(text) / (1 if text == str(said) else 100)
    except ValueError:
        value = math.nan
    if not 0 <= value <= (1 if marker == PICTURES else math.inf) or math.isinf(value):
        wanted = "a share from 0 to 1, or in per cent," if marker == PICTURES else "a number from 0 on"
        raise NoTolerance(f"# {marker} {said}: {wanted} is wanted")
    return value


# -- numbers -----------------------------------------------------------------------------------------------


def settled(recorded: Sequence[Output], expected: Sequence[Output], most: float) -> list[Output]:
    """The outputs with each number that is within `most` of the one in `expected` as that has it."""
    if len(recorded) != len(expected):
        return list(recorded)
    return [_output(ours, theirs, most) for ours, theirs in zip(recorded, expected, strict=True)]


def _output(ours: Output, theirs: Output, most: float) -> Output:
    if ours.get("output_type") == "stream" and theirs.get("output_type") == "stream":
        return {**ours, "text": near(_text(ours.get("text")), _text(theirs.get("text")), most)}
    if not isinstance(ours.get("data"), Mapping) or not isinstance(theirs.get("data"), Mapping):
        return ours
    data = {
        mime: value if _BINARY.match(mime) else _near_value(value, theirs["data"].get(mime), most)
        for mime, value in ours["data"].items()
    }
    return {**ours, "data": data}


def _near_value(ours: Any, theirs: Any, most: float) -> Any:
    """A JSON value with each number near theirs as they have it; a text, or one in lines, as `near` has it."""
    if _is_text(ours) and _is_text(theirs):
        return near(_text(ours), _text(theirs), most)
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return {key: _near_value(value, theirs.get(key), most) for key, value in ours.items()}
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [_near_value(one, other, most) for one, other in zip(ours, theirs, strict=True)]
    numbers = all(isinstance(side, int | float) and not isinstance(side, bool) for side in (ours, theirs))
    return theirs if numbers and _is_near(json.dumps(ours), json.dumps(theirs), most) else ours


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(line, str) for line in value))


def _text(value: Any) -> str:
    return "".join(value or ())


def near(ours: str, theirs: str, most: float) -> str:
    """Our text with each number within `most` of theirs as they have it, if it differs in numbers alone.

    Blanks may be more or fewer, since tables are padded by how long their numbers are.
    """
    mine, other = _pieces(ours), _pieces(theirs)
    alike = len(mine) == len(other) and all(
        _even(one) == _even(two) for one, two in zip(mine[::2], other[::2], strict=True)
    )
    if not alike:
        return ours
    pairs = list(zip(mine, other, strict=True))
    close = [place % 2 == 0 or _is_near(one, two, most) for place, (one, two) in enumerate(pairs)]
    return "".join(two if is_close else one for (one, two), is_close in zip(pairs, close, strict=True))


def _pieces(text: str) -> list[str]:
    """What lies around numbers, and the numbers, in turns: the first and the last are no numbers."""
    found, at = [], 0
    for match in _NUMBER.finditer(text):
        found += [text[at : match.start()], match.group()]
        at = match.end()
    return [*found, text[at:]]


def _even(text: str) -> str:
    return _BLANKS.sub(" ", text)


def _is_near(ours: str, theirs: str, most: float) -> bool:
    """Whether two numbers are the same within `most` of max(1, size); whole numbers have to be the same."""
    if ours == theirs:
        return True
    if not any(sign in side for side in (ours, theirs) for sign in ".eE"):
        return False
    one, other = float(ours), float(theirs)
    return abs(one - other) <= most * max(1.0, abs(other))


# -- pictures ----------------------------------------------------------------------------------------------


def pictures_differ(recorded: Sequence[Output], expected: Sequence[Output], tolerance: Tolerance) -> str | None:
    """Which picture differs by more than the share of pixels that may; None if none does, or nobody asks."""
    if tolerance.pixels is None:
        return None
    ours, theirs = list(_pictures(recorded)), list(_pictures(expected))
    if len(ours) != len(theirs):
        return f"pictures: {len(ours)}, and {len(theirs)} in the reference run ({PICTURES})"
    for number, ((mime, new), (its, old)) in enumerate(zip(ours, theirs, strict=True), 1):
        said = _pictures_apart(mime, new, its, old, tolerance.pixels)
        if said is not None:
            return f"picture {number}: {said} ({PICTURES} {tolerance.pixels:g})"
    return None


def _pictures_apart(mime: str, new: Any, its: str, old: Any, most: float) -> str | None:
    if mime != its:
        return f"{its} became {mime}"
    before, after = decoded(old), decoded(new)
    if before is None or after is None:
        return None if old == new else "not compared by pixel, and not the same"
    if before == after:
        return None
    change = compare_pictures(before, after, difference=False)
    return change.words if change.share is None or change.share > most else None


def _pictures(outputs: Sequence[Output]) -> Iterator[tuple[str, Any]]:
    for output in outputs:
        data = output.get("data")
        for mime, value in sorted(data.items()) if isinstance(data, Mapping) else ():
            if _PICTURE.fullmatch(mime):
                yield mime, value
