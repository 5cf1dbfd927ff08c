"""The outputs of a cell in the units in which they are read: a text, a picture, a table, a scrap."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nbpr.diff import lines
from nbpr.diff import outputs as told
from nbpr.render.page import pictures, sanitise
from nbpr.render.page.pictures import Picture

Kind = Literal["text", "error", "picture", "html", "markdown", "latex", "json", "scrap", "other"]

_SCRAP = "application/scrapbook.scrap."

#: What a page that runs nothing cannot show, and what it is called.
_LIVE = {
    "application/vnd.jupyter.widget-view+json": "a widget",
    "application/javascript": "JavaScript",
    "application/vnd.plotly.v1+json": "a Plotly figure",
    "application/vnd.bokehjs_exec.v0+json": "a Bokeh figure",
    "application/vnd.bokehjs_load.v0+json": "a Bokeh figure",
    "application/vnd.holoviews_exec.v0+json": "a HoloViews figure",
    "application/pdf": "a PDF",
}


@dataclass(frozen=True)
class Unit:
    """One thing to be seen. `text` is what it says in plain text, `content` what it is made of; `live` what it
    would be in a page that runs something, in words."""

    kind: Kind
    text: str = ""
    content: str = ""
    picture: Picture | None = None
    live: str = ""

    @property
    def key(self) -> str:
        """What has to be equal for two units to be the same thing before and after."""
        return f"{self.kind} {self.content if self.kind == 'scrap' else ''}"


def units(outputs: Sequence[Any] | None) -> list[Unit]:
    """The outputs as units, texts that follow each other as one."""
    found: list[Unit] = []
    for output in outputs or ():
        for unit in _units(output):
            last = found[-1] if found else None
            if unit.kind == "text" and last is not None and last.kind == "text":
                found[-1] = Unit("text", last.text + unit.text)
            else:
                found.append(unit)
    return found


def pairs(before: Sequence[Unit], after: Sequence[Unit]) -> Iterator[tuple[Unit | None, Unit | None]]:
    """Which unit stands beside which: those of a kind, in order; None beside what has no counterpart."""
    for op, i1, i2, j1, j2 in lines.opcodes([unit.key for unit in before], [unit.key for unit in after]):
        if op == "equal":
            yield from zip(before[i1:i2], after[j1:j2], strict=True)
        else:
            yield from ((unit, None) for unit in before[i1:i2])
            yield from ((None, unit) for unit in after[j1:j2])


def _units(output: Any) -> Iterator[Unit]:
    if not isinstance(output, Mapping):
        yield Unit("text", "an output that is no object\n")
        return
    kind = output.get("output_type")
    if kind == "stream":
        yield Unit("text", _ended(joined(output.get("text"))))
    elif kind == "error":
        trace = output.get("traceback")
        said = f"{joined(output.get('ename'))}: {joined(output.get('evalue'))}"
        yield Unit("error", said, "\n".join(map(joined, trace)) if isinstance(trace, list) else said)
    elif isinstance(output.get("data"), Mapping):
        yield from _bundle(output["data"])


def _bundle(data: Mapping[str, Any]) -> Iterator[Unit]:
    """The best form of a bundle: a picture, scraps, then what is richest of what can be shown."""
    plain = _ended(joined(data["text/plain"])) if "text/plain" in data else ""
    picture = pictures.of_bundle(data)
    live = next((name for mime, name in _LIVE.items() if mime in data), "")
    scraps = [mime for mime in data if str(mime).startswith(_SCRAP)]
    markup = joined(data["text/html"]) if "text/html" in data else ""
    if picture is not None:
        yield Unit("picture", "", picture.name, picture, live)
    elif scraps:
        yield from (_scrap(data[mime]) for mime in scraps)
    elif markup and _says_something(markup):
        yield Unit("html", plain, markup, live=live or ("a script" if "<script" in markup.lower() else ""))
    elif "text/markdown" in data:
        source = joined(data["text/markdown"])
        yield Unit("markdown", _ended(source), source)
    elif "text/latex" in data:
        yield Unit("latex", _ended(joined(data["text/latex"])), joined(data["text/latex"]))
    elif live or (markup and not plain):
        yield Unit("other", plain, _digest(json.dumps(data, sort_keys=True)), live=live or "a script")
    elif plain:
        yield Unit("text", plain)
    else:
        yield from _opaque(data)


def _opaque(data: Mapping[str, Any]) -> Iterator[Unit]:
    for mime, value in data.items():
        if str(mime).endswith("json"):
            yield Unit("json", _ended(json.dumps(value, ensure_ascii=False, indent=1)))
        else:
            yield Unit("other", "", _digest(joined(value)), live=f"{mime}, {told.size(len(joined(value)))}")


def _says_something(markup: str) -> bool:
    """Whether anything is left of the HTML for a reader, once it is safe."""
    safe = sanitise.clean_html(markup)
    return safe is not None and (bool(safe.striptags().strip()) or "<img" in safe)


def _scrap(value: Any) -> Unit:
    (said,) = told.texts([{"output_type": "display_data", "data": {_SCRAP + "json+json": value}}])[:1]
    name = str(value.get("name")) if isinstance(value, Mapping) else ""
    return Unit("scrap", _ended(said), name)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def joined(value: Any) -> str:
    """A text that may be stored as a list of its lines; other JSON as its own text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "".join(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
