"""Scraps: the named values that `scrapbook.glue` leaves in a notebook's outputs.

Read from the outputs alone, without scrapbook (which imports pandas and pyarrow) and without its refusals: one
scrap that is malformed does not take the others away. The format is scrapbook's, version 1: display data of
type `application/scrapbook.scrap.<encoder>+json` that holds `{"name", "data", "encoder", "version"}`; pictures
and tables glued for display only are named in the output's `metadata.scrapbook`; papermill's records, from
before there was scrapbook, are `application/papermill.record+json` holding `{name: data}`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_GLUED = "application/scrapbook.scrap"
_RECORDED = "application/papermill.record"


@dataclass(frozen=True)
class Scrap:
    """A named value. `data` is JSON for the encoders `json` and `text`, else what the encoder stored.

    The encoder of what was glued for display only is `display`, and its data the output's MIME bundle.
    """

    name: str
    data: Any
    encoder: str


def collect(nb: Mapping[str, Any]) -> dict[str, Scrap]:
    """The scraps in a notebook's outputs, by name, in the order of the cells that glued them.

    The last glue of a name wins. What is malformed or has no data (None, which scrapbook cannot keep) is
    left out; NaN is the string "nan" here, as the kernel has written it.
    """
    found: dict[str, Scrap] = {}
    for cell in _dicts(nb.get("cells")):
        of_cell: dict[str, Scrap] = {}
        for output in _dicts(cell.get("outputs")):
            for scrap in _glued(output):
                # `glue(…, display=True)` writes the value first and then how it looks: one scrap, not two.
                if scrap.encoder != "display" or of_cell.get(scrap.name, scrap).encoder == "display":
                    of_cell[scrap.name] = scrap
        for name, scrap in of_cell.items():
            found.pop(name, None)
            found[name] = scrap
    return found


def as_json(scrap: Scrap) -> Any:
    """What is shown of a scrap: the data itself for `json` and `text`, else `{"encoder", "size", "sha256"}`.

    Size and digest are of the stored text, or of the compact JSON where something else than text is stored.
    NaN and infinities become strings, which every reader of JSON takes.
    """
    if scrap.encoder in ("json", "text"):
        return _finite(scrap.data)
    stored = scrap.data
    text = stored if isinstance(stored, str) else json.dumps(stored, sort_keys=True, separators=(",", ":"))
    raw = text.encode("utf-8", "surrogatepass")
    return {"encoder": scrap.encoder, "size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}


def values(nb: Mapping[str, Any]) -> dict[str, Any]:
    """The scraps of a notebook as a run record holds them: `{name: as_json(scrap)}`."""
    return {name: as_json(scrap) for name, scrap in collect(nb).items()}


def compare(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Two runs' scraps side by side: `[{"name", "before", "after"}]`, None where a run has no such scrap.

    Takes what `collect` gives or what `values` gives. In the order of `after`; what is gone comes last.
    """
    old, new = before or {}, after or {}
    return [
        {"name": name, "before": _shown(old.get(name)), "after": _shown(new.get(name))}
        for name in dict.fromkeys([*new, *old])
    ]


def _shown(value: Any) -> Any:
    return as_json(value) if isinstance(value, Scrap) else value


def _dicts(items: Any) -> Iterator[Mapping[str, Any]]:
    """Those of `items` that are objects; malformed notebooks hold other things, or no list at all."""
    if isinstance(items, list):
        yield from (item for item in items if isinstance(item, Mapping))


def _glued(output: Mapping[str, Any]) -> Iterator[Scrap]:
    data = output.get("data")
    if not isinstance(data, Mapping):
        return
    for mime, payload in data.items():
        if not isinstance(payload, Mapping):
            continue
        if mime.startswith(_GLUED + "."):
            yield from _payload(payload, mime.removeprefix(_GLUED + ".").removesuffix("+json"))
        elif mime.startswith(_RECORDED):
            for name, value in payload.items():
                yield from _payload({"name": name, "data": value}, "json")
    yield from _displayed(output, data)


def _payload(payload: Mapping[str, Any], encoder: str) -> Iterator[Scrap]:
    name, data = payload.get("name"), payload.get("data")
    encoder = payload.get("encoder", encoder)
    if not isinstance(name, str) or not name or not isinstance(encoder, str) or data is None:
        return
    if encoder == "json" and isinstance(data, str):
        data = _decoded(data)
    if encoder == "text" and not isinstance(data, str):
        data = str(data)
    if data is not None:
        yield Scrap(name, data, encoder)


def _decoded(text: str) -> Any:
    """What scrapbook's own JSON decoder gives: the value that a string spells, else the string."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _displayed(output: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Scrap]:
    metadata = output.get("metadata")
    mark = metadata.get("scrapbook") if isinstance(metadata, Mapping) else None
    if isinstance(mark, Mapping) and mark.get("display") and not mark.get("data"):
        name = mark.get("name")
        if isinstance(name, str) and name:
            yield Scrap(name, dict(data), "display")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
