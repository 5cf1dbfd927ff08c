"""The texts that a notebook holds, as a reader sees them: JSON's escapes undone, lines joined, colours taken out.

Scanners that read the file itself miss what JSON escapes or cuts into lines, and take pictures for noise.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from nbpr.notebooks import jsonscan
from nbpr.notebooks.notebook import Notebook

#: Colours and cursor movements of a terminal (ECMA-48), which would cut a word in two.
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
#: Pictures, parquet, widgets' buffers: long base64 is no text.
_PACKED = re.compile(r"[A-Za-z0-9+/\s]{200,}={0,2}\s*")
_PICTURE = re.compile(r"(?<=;base64,)[A-Za-z0-9+/\s]{200,}={0,2}")


@dataclass(frozen=True)
class Text:
    """One text and where it stands: `place` in cell number `cell`, or in the notebook where that is None.

    `name` is the key of the JSON object that holds it, where it is not one of nbformat's own. The text itself does not
    show in tracebacks and logs.
    """

    text: str = field(repr=False)
    place: str
    cell: int | None = None
    cell_id: str | None = None
    name: str | None = field(default=None, repr=False)


def texts(notebook: Notebook) -> Iterator[Text]:
    """Every text of a notebook: ids, sources, outputs, attachments and metadata; types and pictures left out."""
    for index, cell in enumerate(notebook.cells):
        for found in _of_cell(cell.data):
            yield Text(found.text, found.place, index, cell.id, found.name)
    yield from _walk(notebook.metadata, "metadata")
    known = ("metadata", "nbformat", "nbformat_minor")
    yield from _walk({key: value for key, value in notebook.data.items() if key not in known}, "the notebook's top")


def raw(data: bytes) -> Iterator[Text]:
    """What can be read of a file that is no notebook: the values of its JSON, or else the file as it is."""
    text = data.decode("utf-8", "replace")
    try:
        value = jsonscan.parse(text)
    except jsonscan.JsonError:
        yield from _lines(text, "the file")
    else:
        yield from _walk(value, "the file")


def _of_cell(cell: Mapping[str, Any]) -> Iterator[Text]:
    own = ("id", "cell_type", "execution_count", "source", "outputs", "attachments", "metadata")
    yield from _walk(cell.get("id"), "its id")
    yield from _lines(cell.get("source"), "its source")
    outputs = cell.get("outputs")
    for number, output in _joined(outputs) if isinstance(outputs, list) else ():
        yield from _of_output(output, f"output {number}")
    attachments = cell.get("attachments")
    for name, bundle in attachments.items() if isinstance(attachments, dict) else ():
        yield Text(name, "the name of an attachment")
        yield from _of_bundle(bundle, "an attachment")
    yield from _walk(cell.get("metadata"), "its metadata")
    yield from _walk({key: value for key, value in cell.items() if key not in own}, "its members")


def _joined(outputs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """The outputs and their numbers, pieces of one stream as one: where a kernel flushed says nothing."""
    for name, group in groupby(enumerate(outputs), lambda pair: _stream(pair[1])):
        if name is None:
            yield from group
        else:
            number, first = next(group)
            rest = (output.get("text") for _, output in group)
            yield number, {**first, "text": "".join(map(_whole, (first.get("text"), *rest)))}


def _stream(output: Any) -> str | None:
    is_stream = isinstance(output, Mapping) and output.get("output_type") == "stream"
    return str(output.get("name")) if is_stream else None


def _of_output(output: Any, place: str) -> Iterator[Text]:
    own = ("output_type", "name", "execution_count", "text", "data", "traceback")
    if not isinstance(output, Mapping):
        yield from _walk(output, place)
        return
    yield from _lines(output.get("text"), place)
    yield from _of_bundle(output.get("data"), place)
    traceback = output.get("traceback")
    yield from _lines("\n".join(_strings(traceback)) if isinstance(traceback, list) else traceback, place)
    yield from _walk({key: value for key, value in output.items() if key not in own}, place)


def _of_bundle(bundle: Any, place: str) -> Iterator[Text]:
    """The texts of a MIME bundle: text or a list of its lines, or for JSON types any value."""
    if not isinstance(bundle, Mapping):
        yield from _walk(bundle, place)
        return
    for mime, value in bundle.items():
        if isinstance(value, str) or (isinstance(value, list) and len(_strings(value)) == len(value)):
            text = _whole(value)
            yield from _lines(html.unescape(text) if "&" in text and "html" in mime else text, place)
        else:
            yield from _walk(value, place)


def _walk(value: Any, place: str, name: str | None = None) -> Iterator[Text]:
    """The texts anywhere within a JSON value, keys too, each with the key that it stands under."""
    # A stack, since what was parsed may be nested deeper than Python calls.
    waiting = [(value, name)]
    while waiting:
        inner, key = waiting.pop()
        if isinstance(inner, str):
            yield from _lines(inner, place, key)
        elif isinstance(inner, Mapping):
            waiting += [(each, str(word)) for word, each in reversed(list(inner.items()))]
            yield from _lines("\n".join(map(str, inner)), place)
        elif isinstance(inner, list):
            waiting += [(each, key) for each in reversed(inner)]


def _lines(value: Any, place: str, name: str | None = None) -> Iterator[Text]:
    text = _readable(_whole(value))
    if text:
        yield Text(text, place, name=name)


def _whole(value: Any) -> str:
    return value if isinstance(value, str) else "".join(_strings(value))


def _strings(value: Any) -> list[str]:
    return [part for part in value if isinstance(part, str)] if isinstance(value, list) else []


def _readable(text: str) -> str:
    if len(text) >= 200:
        if _PACKED.fullmatch(text):
            return ""
        if ";base64," in text:
            text = _PICTURE.sub("", text)
    return _ANSI.sub("", text) if "\x1b" in text else text
