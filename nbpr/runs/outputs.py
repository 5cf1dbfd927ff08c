"""Outputs made the same wherever and whenever a notebook runs, and cut down to what a run may keep.

What differs from one run to the next without meaning anything is replaced: absolute paths, addresses of objects,
kernels' process numbers, how a stream was cut into messages. What may be kept is the repository's choice.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nbpr.config import OutputPolicy

Output = dict[str, Any]
#: What is looked for in texts, and what takes its place; in this order.
Patterns = Sequence[tuple[re.Pattern[str], str]]

HOME = "~"

#: The file name that ipykernel gives to a cell, in warnings and tracebacks: a process number and a hash.
#: Looked for from where a word begins alone: from each of its letters, a long text without blanks would take hours.
_CELL_FILE = (re.compile(r"(?<![^\s'\"<>()])[^\s'\"<>()]*/ipykernel_\d+/\d+\.py"), "<ipykernel>")
#: The address in Python's default representation of an object, in plain text and in HTML.
_ADDRESS = (re.compile(r"(?<= at )0x[0-9a-fA-F]{6,}(?=>|&gt;)"), "0x…")

#: What terminals do with a carriage return: the line is written anew. As nbval has it.
_RETURNED = re.compile(r"^.*\r(?=[^\n])", re.MULTILINE)

_WIDGET = "application/vnd.jupyter.widget-view+json"
_SCRAPS = ("application/scrapbook.scrap.", "application/papermill.record")
#: Types that nbformat keeps as base64, where nothing may be replaced.
_BINARY = re.compile(r"(image/(?!svg)|audio/|video/|font/|application/(pdf|octet-stream|zip|gzip))")
_SHOWN = 2000


def patterns(replacements: Iterable[tuple[str | Path, str]]) -> Patterns:
    """What to replace for these paths: `(path, "<repo>")`; a path whose word is `~` is the home folder.

    Longest paths go first, each also as it is without links, and as IPython shortens it where it lies in the
    home folder. The home folder is only replaced where it is a whole path, since it may be as short as `/root`.
    """
    pairs = [(Path(path), word) for path, word in replacements]
    homes = [path for path, word in pairs if word == HOME]
    found: dict[str, str] = {}
    for path, word in pairs:
        for variant in {path.absolute(), path.resolve()}:
            found.setdefault(str(variant), word)
            if word != HOME:
                for home in homes:
                    if variant.is_relative_to(home) and variant != home:
                        found.setdefault(f"{HOME}/{variant.relative_to(home)}", word)
    longest = sorted(found.items(), key=lambda item: (-len(item[0]), item[0]))
    return (_CELL_FILE, *(_of_path(path, word) for path, word in longest if len(path) > 1), _ADDRESS)


def _of_path(path: str, word: str) -> tuple[re.Pattern[str], str]:
    whole = word == HOME
    return re.compile(rf"(?<![\w.-]){re.escape(path)}(?![\w-])" if whole else re.escape(path)), word


def settle(outputs: Iterable[Mapping[str, Any]], patterns: Patterns) -> list[Output]:
    """A cell's outputs without what differs from run to run: paths, addresses, widgets' ids, pieces of streams."""
    settled = (_settled(output, patterns) for output in _joined_streams(outputs))
    return [output for output in settled if output is not None]


def _joined_streams(outputs: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The outputs with each run of stream messages as one of stdout and one of stderr.

    The two come through different pipes, so which message came first says nothing.
    """
    texts: dict[str, list[str]] = {}
    for output in outputs:
        if output.get("output_type") == "stream":
            texts.setdefault(str(output.get("name", "stdout")), []).append(text_of(output.get("text", "")))
            continue
        yield from _streams(texts)
        texts = {}
        yield output
    yield from _streams(texts)


def _streams(texts: Mapping[str, list[str]]) -> Iterator[Mapping[str, Any]]:
    for name in sorted(texts, key=lambda name: (name != "stdout", name)):
        text = _RETURNED.sub("", "".join(texts[name]))
        if text:
            yield {"name": name, "output_type": "stream", "text": text}


def text_of(value: Any) -> str:
    """A text that nbformat may keep as a list of lines."""
    return value if isinstance(value, str) else "".join(part for part in value if isinstance(part, str))


def _settled(output: Mapping[str, Any], patterns: Patterns) -> Output | None:
    kept = {key: value for key, value in output.items() if key != "transient"}
    if "data" not in kept:
        return _replaced_in(kept, patterns)
    data = {mime: value for mime, value in kept["data"].items() if mime != _WIDGET}
    if not data:
        return None
    settled = {
        mime: value if _BINARY.match(mime) else _replaced(_whole(value), patterns) for mime, value in data.items()
    }
    return {**_replaced_in({**kept, "data": {}}, patterns), "data": settled}


def _whole(value: Any) -> Any:
    """A text that is kept as lines as one text: what is replaced may span two of them."""
    is_lines = isinstance(value, list) and all(isinstance(line, str) for line in value)
    return "".join(value) if is_lines else value


def _replaced(value: Any, patterns: Patterns) -> Any:
    if isinstance(value, str):
        for pattern, word in patterns:
            value = pattern.sub(word, value)
        return value
    if isinstance(value, Mapping):
        return _replaced_in(value, patterns)
    if isinstance(value, list):
        return [_replaced(inner, patterns) for inner in value]
    return value


def _replaced_in(value: Mapping[str, Any], patterns: Patterns) -> Output:
    return {_replaced(key, patterns): _replaced(inner, patterns) for key, inner in value.items()}


# -- what is kept ------------------------------------------------------------------------------------------


def keep(outputs: Sequence[Output], policy: OutputPolicy, *, checked: bool, private: bool) -> list[Output]:
    """The outputs that a policy lets a run keep; `checked` is whether nbval compares the cell's.

    Each policy keeps what the next stricter one does: `all`, then `marked`, `scraps`, `none`.
    """
    if private or policy == "none":
        return []
    if policy == "all" or (policy == "marked" and checked):
        return list(outputs)
    return [output for output in outputs if is_scrap(output)]


def is_scrap(output: Mapping[str, Any]) -> bool:
    """Whether an output is a value that `scrapbook.glue` recorded."""
    data = output.get("data")
    return isinstance(data, Mapping) and any(str(mime).startswith(_SCRAPS) for mime in data)


def size_of(output: Mapping[str, Any]) -> int:
    """The bytes of an output as compact JSON."""
    text = json.dumps(output, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass"))


def cap(outputs: Sequence[Output], most: int) -> list[Output]:
    """The outputs, with a note in place of each of over `most` bytes."""
    return [shortened(output) if size_of(output) > most else output for output in outputs]


def shortened(output: Output) -> Output:
    """A note in place of an output. Its digest makes two runs whose outputs differ differ still."""
    text = json.dumps(output, sort_keys=True).encode()
    note = f"[left out: {size_of(output):,} bytes, sha256 {hashlib.sha256(text).hexdigest()[:16]}]"
    return _SHORTENED[_kind(output)](output, note)


def _kind(output: Output) -> str:
    kind = str(output.get("output_type"))
    return kind if kind in _SHORTENED else "display_data"


def _short_stream(output: Output, note: str) -> Output:
    start = output["text"][:_SHOWN].rpartition("\n")[0]
    return {**output, "text": f"{start}\n{note}\n" if start else f"{note}\n"}


def _short_data(output: Output, note: str) -> Output:
    return {**output, "data": {"text/plain": note}, "metadata": {}}


def _short_error(output: Output, note: str) -> Output:
    return {**output, "evalue": str(output.get("evalue", ""))[:_SHOWN], "traceback": [note]}


_SHORTENED: dict[str, Callable[[Output, str], Output]] = {
    "stream": _short_stream,
    "display_data": _short_data,
    "execute_result": _short_data,
    "error": _short_error,
}
