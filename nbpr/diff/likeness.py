"""How alike two texts, outputs or cells are: nbdime's rules, at a fraction of what they cost there.

The rules are those of `nbdime.diffing.notebooks` 4.0 (`compare_cell_approximate`, `compare_output_approximate`,
`compare_text_approximate`): texts are alike from a ratio of 0.7 on, short ones always; outputs if all their parts
are; pictures if they are equal.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from difflib import SequenceMatcher
from typing import Any

from nbpr.diff import cells
from nbpr.diff.equality import same
from nbpr.diff.patience import Patience

#: Texts with more than this in common are one text that was edited.
ALIKE = 0.7

#: Any two texts shorter than this are alike, as a single number in an output is, if nothing is more so.
_SHORT = 10
_FAINTLY = 0.1

#: What a cell printed, and text in an output, of which both are longer and not equal, is not looked into.
_LONG_STREAM = 1_000
_LONG_DATA = 10_000

#: Texts of more characters together are compared by their words, and of still more by their lines.
_LONG = 600
_VERY_LONG = 20_000

#: Microseconds that difflib takes for a pair of characters, and the rest for a character.
_PER_PAIR = 0.03
_PER_CHARACTER = 0.1

_WORD = re.compile(r"\w+|\s+|.", re.DOTALL)
_POINTER = re.compile(r"0x[a-f0-9]{8,16}", re.IGNORECASE)


class Likeness:
    """How alike things are, from 0 (not) to 1 (equal), as far as there is `patience` to find out."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._signs: dict[str, Counter[str]] = {}

    def cell(self, x: Any, y: Any) -> float:
        """Two cells: of one type, with sources that are alike."""
        if not (isinstance(x, Mapping) and isinstance(y, Mapping)) or x.get("cell_type") != y.get("cell_type"):
            return 0.0
        return self.text(cells.text(x), cells.text(y))

    def output(self, x: Any, y: Any) -> float:
        """Two outputs: of one type and with the same members, all of which are alike but for counts and metadata."""
        if not (isinstance(x, Mapping) and isinstance(y, Mapping)) or x.keys() != y.keys():
            return 0.0
        least = 1.0
        for key, value in x.items():
            if key not in ("metadata", "execution_count"):
                least = min(least, self._member(key, value, y[key]))
            if not least:
                break
        return least

    def text(self, x: str, y: str) -> float:
        """Two texts. Short ones are alike however faintly; none is like the empty one."""
        ratio = self.ratio(x, y)
        short = bool(x and y) and max(len(x), len(y)) < _SHORT
        return max(ratio, _FAINTLY) if short else ratio

    def ratio(self, x: str, y: str, ends: tuple[int, int] | None = None) -> float:
        """The share of characters that two texts have in common, as difflib counts them; 0 below `ALIKE`.

        `ends` are their `common_ends`, for who knows them already.
        """
        if x == y:
            return 1.0
        total = len(x) + len(y)
        if not x or not y or 2 * min(len(x), len(y)) < ALIKE * total:
            return 0.0
        start, end = ends or common_ends(x, y)
        share = 2 * (start + end) / total
        if share <= ALIKE:
            share = 2 * (start + end + self._inner(x[start : len(x) - end], y[start : len(y) - end], total)) / total
        return share if share > ALIKE else 0.0

    def _inner(self, x: str, y: str, total: int) -> float:
        """How many characters are common to what lies between the common ends."""
        if total > _VERY_LONG:
            return _common(x.splitlines(True), y.splitlines(True))
        ends = total - len(x) - len(y)
        if not self.patience.allows(_PER_CHARACTER * total) or ends + 2 * self._most(x, y) <= ALIKE * total:
            return 0.0
        if total > _LONG or not self.patience.allows(_PER_PAIR * len(x) * len(y)):
            return _common(_WORD.findall(x), _WORD.findall(y))
        matcher = SequenceMatcher(None, x, y, autojunk=False)
        return sum(block.size for block in matcher.get_matching_blocks())

    def _most(self, x: str, y: str) -> int:
        """How many characters are common at most: as many as there would be in any order."""
        a, b = self._counted(x), self._counted(y)
        return sum(min(count, b[sign]) for sign, count in a.items() if sign in b)

    def _counted(self, text: str) -> Counter[str]:
        found = self._signs.get(text)
        if found is None:
            found = self._signs[text] = Counter(text)
        return found

    def _member(self, key: str, x: Any, y: Any) -> float:
        if key == "data" and isinstance(x, Mapping) and isinstance(y, Mapping):
            return self._bundle(x, y)
        if key == "text" and isinstance(x, str) and isinstance(y, str):
            return self.ratio(x, y) if x == y or min(len(x), len(y)) <= _LONG_STREAM else 0.0
        if key == "traceback" and isinstance(x, list) and isinstance(y, list) and len(x) == len(y):
            return min((self.ratio(str(one), str(other)) for one, other in zip(x, y, strict=True)), default=1.0)
        return float(same(x, y))

    def _bundle(self, x: Mapping[str, Any], y: Mapping[str, Any]) -> float:
        if x.keys() != y.keys():
            return 0.0
        return min((self._data(mime, value, y[mime]) for mime, value in x.items()), default=1.0)

    def _data(self, mime: str, x: Any, y: Any) -> float:
        texts = isinstance(x, str) and isinstance(y, str) and not mime.startswith("image/")
        if not texts or x == y:
            return float(same(x, y))
        if mime == "text/plain" and "\n" not in x + y and _POINTER.split(x) == _POINTER.split(y):
            return 1.0
        return self.text(x, y) if min(len(x), len(y)) <= _LONG_DATA else 0.0


def common_ends(x: str, y: str) -> tuple[int, int]:
    """How many characters two texts both begin with, and how many of the others they both end with."""
    start = _common_start(x, y)
    return start, _common_end(x, y, min(len(x), len(y)) - start)


def _common_start(x: str, y: str) -> int:
    """How much two texts begin with in common, by halving: comparing texts is quick, looking at signs is not."""
    low, high = 0, min(len(x), len(y))
    while low < high:
        middle = (low + high + 1) // 2
        if x[low:middle] == y[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_end(x: str, y: str, most: int) -> int:
    """How much two texts end with in common, up to `most`."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if x[len(x) - middle : len(x) - low] == y[len(y) - middle : len(y) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def _common(a: list[str], b: list[str]) -> int:
    """How many characters there are in the words or lines that two texts have in common, in whatever order."""
    common = Counter(a) & Counter(b)
    return sum(len(part) * count for part, count in common.items())


Weight = Callable[[Any, Any], float]
