"""How much of its output a run keeps while it runs: of each cell the beginning and the end, a note between them.

So neither memory nor disk is filled by a notebook that prints without end. What a cell writes to stdout, what it
writes to stderr and what it displays are counted each for itself, since the three come through different pipes, and
what is kept is to be the same in every run. Counted are characters.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from io import StringIO
from typing import Any

#: What an output costs besides its content, so that a million empty ones are bounded too.
_OUTPUT = 200
#: What each cell may keep at least, however much of the run's share other cells have taken.
_LEAST = 10_000
#: How far a cut moves to be at the end of a line.
_LINE = 2_000
#: How much more than it keeps a stream holds on either side, so that no secret is cut in two before it is found.
_MARGIN = 4_000
#: In how large pieces the end of a stream is held: a list of a million short texts takes ten times their size.
_BLOCK = 65_536
_NEWLINE = "\n"

Clean = Callable[[str], str]


class Stream:
    """What a cell writes to one stream: the first and the last characters of it, half of `most` each."""

    def __init__(self, most: float) -> None:
        self._half = most / 2
        self._room = self._half + _MARGIN
        self._begun: list[tuple[Any, StringIO]] = []
        self._tail = _Last(self._half + _MARGIN)

    def add(self, text: str, open_output: Callable[[], Any], is_open: Callable[[Any], bool]) -> None:
        """Take a text in. It goes on in the last output if that `is_open` still, else in a new one."""
        is_new = not self._begun or not is_open(self._begun[-1][0])
        room = max(0, self._room - _OUTPUT * is_new)
        fits = text if len(text) <= room else text[: int(room)]
        if fits:
            if is_new:
                self._begun.append((open_output(), StringIO(newline="")))
            self._room = room - len(fits)
            self._begun[-1][1].write(fits)
        if len(fits) < len(text):
            self._room = 0
            self._tail.add(text[len(fits) :])

    def end(self, clean: Clean) -> tuple[int, int]:
        """Write the texts into their outputs; how many characters are kept, and how many are not."""
        kept = 0
        for output, text in self._begun:
            output["text"] = text.getvalue()
            kept += len(output["text"])
        tail, cut = self._tail.text, self._tail.dropped
        if kept + len(tail) + cut > 2 * self._half and tail:
            last = self._begun[-1][0]
            head, lost = _head(clean(last["text"]), _MARGIN)
            tail, more = _tail(clean(tail), int(self._half))
            cut += lost + more
            last["text"] = f"{head}{'' if head.endswith(_NEWLINE) or not head else _NEWLINE}{_note(cut)}\n"
            kept -= lost
        if tail:
            self._begun[-1][0]["text"] += tail
        return kept + len(tail), cut


class _Last:
    """The last characters of a text, at least `most` of them if there are so many."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._blocks: deque[str] = deque()
        self._block = StringIO(newline="")
        self._size = 0
        self.dropped = 0

    def add(self, text: str) -> None:
        """Take in what comes next."""
        if len(text) > self._most:
            self.dropped += len(text) - int(self._most)
            text = text[-int(self._most) :]
        self._block.write(text)
        self._size += len(text)
        if self._block.tell() > _BLOCK:
            self._blocks.append(self._block.getvalue())
            self._block = StringIO(newline="")
        while self._blocks and self._size - len(self._blocks[0]) >= self._most:
            gone = len(self._blocks.popleft())
            self._size -= gone
            self.dropped += gone

    @property
    def text(self) -> str:
        """What is kept."""
        return "".join([*self._blocks, self._block.getvalue()])


def _head(text: str, less: int) -> tuple[str, int]:
    """The text without its last `less` characters, and without the line that this cuts; how much that is."""
    most = max(0, len(text) - less)
    line = text.rfind("\n", max(0, most - _LINE), most) + 1
    kept = text[: line or most]
    return kept, len(text) - len(kept)


def _tail(text: str, most: int) -> tuple[str, int]:
    """The last `most` characters of the text, without the line that this cuts; how much is left out."""
    start = max(0, len(text) - most)
    line = text.find("\n", start, start + _LINE) + 1 if start else 0
    kept = text[line or start :]
    return kept, len(text) - len(kept)


def _note(cut: int) -> str:
    return f"[nbpr: {cut:,} characters of output left out here]"


class Displays:
    """What a cell displays: the first outputs and the last ones, half of `most` each."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._used = 0
        self._sizes: dict[str, int] = {}
        self._tail: deque[tuple[Any, int]] = deque()
        self._tail_size = 0
        self._dropped = 0
        self._left_out = 0
        self.is_full = False

    def fitting(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """A message's content, with a note in place of data that are more than a cell may display at all."""
        size = _size(content["data"]) if "data" in content else 0
        if size <= self._most:
            return dict(content)
        self._left_out += size
        return {**content, "data": {"text/plain": _note(size)}, "metadata": {}}

    def has_room(self, content: Mapping[str, Any]) -> bool:
        """Whether it goes with the first ones, which it then does."""
        size = _size(content.get("data", {})) + _OUTPUT
        if self.is_full or self._used + size > self._most / 2:
            self.is_full = True
            return False
        self._used += size
        display_id = (content.get("transient") or {}).get("display_id")
        if display_id:
            self._sizes[display_id] = size
        return True

    def update(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """The content that takes the place of what is displayed already, which must not outgrow it without end."""
        fitting = self.fitting(content)
        display_id = (content.get("transient") or {}).get("display_id", "")
        size = _size(fitting.get("data", {})) + _OUTPUT
        before = self._sizes.get(display_id, size)
        if size > before and self._used + size - before > self._most:
            self._left_out += size
            return {**fitting, "data": {"text/plain": _note(size)}, "metadata": {}}
        self._used += size - before
        self._sizes[display_id] = size
        return fitting

    def keep_last(self, output: Any) -> None:
        """Keep an output for which there was no room with the first ones, until there are newer ones."""
        size = _size(output.get("data", {})) + _OUTPUT
        self._tail.append((output, size))
        self._tail_size += size
        while self._tail_size > self._most / 2 and len(self._tail) > 1:
            gone = self._tail.popleft()[1]
            self._tail_size -= gone
            self._dropped += gone
            self._left_out += gone

    def end(self, make: Callable[[str], Any]) -> tuple[list[Any], int, int]:
        """The last outputs, after a note that `make` makes an output of; how much is kept, and how much is not."""
        last = [output for output, _ in self._tail]
        if self._dropped:
            last.insert(0, make(_note(self._dropped)))
        return last, self._used + self._tail_size, self._left_out


def _size(data: Mapping[str, Any]) -> int:
    return sum(len(value) if isinstance(value, str) else len(json.dumps(value)) for value in data.values())


class Cell:
    """What one cell may keep of its output."""

    def __init__(self, most: float, clean: Clean) -> None:
        self.most = most
        self._clean = clean
        self._streams: dict[str, Stream] = {}
        self.displays = Displays(most)

    def forget(self) -> None:
        """The cell took back what it had put out."""
        self._streams.clear()
        self.displays = Displays(self.most)

    def write(self, name: str, text: str, outs: list[Any], make: Callable[[str], Any]) -> None:
        """Take in what was written to a stream; `make` makes an output of the stream's name."""

        def open_output() -> Any:
            output = make(name)
            outs.append(output)
            return output

        stream = self._streams.setdefault(name, Stream(self.most))
        stream.add(text, open_output, lambda output: bool(outs) and outs[-1] is output)

    def end(self, outs: list[Any], make: Callable[[str], Any]) -> tuple[int, int]:
        """Complete the cell's outputs; how many characters are kept, and how many are not."""
        kept = cut = 0
        for stream in self._streams.values():
            its, lost = stream.end(self._clean)
            kept, cut = kept + its, cut + lost
        last, its, lost = self.displays.end(make)
        at = next((place for place, output in enumerate(outs) if output["output_type"] == "error"), len(outs))
        outs[at:at] = last
        return kept + its, cut + lost


class Caps:
    """What a run may keep: `cell` characters of each kind for a cell, `run` for all of them; None is no limit."""

    def __init__(self, cell: int | None, run: int | None, clean: Clean = lambda text: text) -> None:
        self._cell = float(cell) if cell else float("inf")
        self._left = float(max(run, cell or 0)) if run else float("inf")
        self._clean = clean

    def begin(self) -> Cell:
        """The share of the cell that begins."""
        return Cell(min(self._cell, max(self._left, _LEAST)), self._clean)

    def end(self, cell: Cell, outs: list[Any], make: Callable[[str], Any]) -> int:
        """Complete a cell's outputs; how many characters of them are left out."""
        kept, cut = cell.end(outs, make)
        self._left -= kept
        return cut
