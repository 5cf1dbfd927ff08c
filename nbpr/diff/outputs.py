"""The outputs of a cell as lines of text, and what changed between two runs of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbpr.diff import lines
from nbpr.diff.lines import Line
from nbpr.scraps import Scrap, as_json

#: A run's outputs are read to so many lines; the rest counts as one line that says how much there is.
LINES = 1_000

#: What is shown of an output that comes in several forms, best first; a picture goes before all of them.
_FORMS = ("text/markdown", "text/latex", "text/plain", "text/html", "application/json")

_SCRAP = "application/scrapbook.scrap."

#: Escape sequences for colours, cursors and titles (ECMA-48: CSI and OSC, then the two-character ones).
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x1b\\|\x07|$)|\x1b[ -/]*[0-~]", re.DOTALL)


@dataclass(frozen=True)
class Piece:
    """One line of an output's text, or a picture, which is the same only if its `digest` is."""

    text: str
    digest: str = ""
    size: int = 0


def compare(before: Sequence[Any] | None, after: Sequence[Any] | None) -> tuple[Line, ...]:
    """What changed between two lists of outputs. None is no list: a cell that is not there."""
    old, new = list(_pieces(before)), list(_pieces(after))
    found: list[Line] = []
    for op, i1, i2, j1, j2 in lines.opcodes([_key(p) for p in old], [_key(p) for p in new]):
        if op == "equal":
            found += lines.tagged(" ", [piece.text for piece in old[i1:i2]])
        else:
            found += _replaced(old[i1:i2], new[j1:j2])
    if before is not None and after is not None and not any(line.tag != " " for line in found):
        found += _unseen(before, after)
    return tuple(found)


def texts(outputs: Sequence[Any] | None) -> list[str]:
    """A list of outputs as lines of text, escape sequences taken out, pictures named."""
    return [piece.text for piece in _pieces(outputs)]


def changed(before: Sequence[Any] | None, after: Sequence[Any] | None) -> bool:
    """Whether two lists of outputs differ in more than their execution counts."""
    return _content(before) != _content(after)


def size(count: int) -> str:
    """A number of bytes as a person says it: "812 bytes", "12 kB", "3.4 MB"."""
    if count < 1_000:
        return f"{count} bytes"
    if count < 1_000_000:
        return f"{count / 1_000:.0f} kB"
    return f"{count / 1_000_000:.1f} MB"


def _content(outputs: Sequence[Any] | None) -> str:
    kept = [_without_count(output) for output in outputs or ()]
    return json.dumps(kept, sort_keys=True)


def _without_count(output: Any) -> Any:
    if not isinstance(output, Mapping):
        return output
    return {key: value for key, value in output.items() if key != "execution_count"}


def _replaced(old: Sequence[Piece], new: Sequence[Piece]) -> Iterator[Line]:
    """Lines of text as a diff; pictures by pairs, in order."""
    yield from lines.compare(
        [piece.text for piece in old if not piece.digest], [piece.text for piece in new if not piece.digest]
    )
    before, after = ([piece for piece in side if piece.digest] for side in (old, new))
    for one, other in zip(before, after, strict=False):
        yield Line("!", f"{one.text} → {size(other.size)}, changed")
    yield from lines.tagged("-", [piece.text for piece in before[len(after) :]])
    yield from lines.tagged("+", [piece.text for piece in after[len(before) :]])


def _unseen(before: Sequence[Any], after: Sequence[Any]) -> Iterator[Line]:
    """The remark on outputs that differ although their texts are the same: another form, or metadata."""
    if not changed(before, after):
        return
    kinds = [mime for mime in _mimes([*before, *after]) if _of(before, mime) != _of(after, mime)]
    yield Line("!", f"changed in {', '.join(kinds) or 'metadata'}, same text")


def _mimes(outputs: Sequence[Any]) -> list[str]:
    bundles = [output.get("data") for output in outputs if isinstance(output, Mapping)]
    return sorted({str(mime) for bundle in bundles if isinstance(bundle, Mapping) for mime in bundle})


def _of(outputs: Sequence[Any], mime: str) -> str:
    bundles = [output.get("data") for output in outputs if isinstance(output, Mapping)]
    return json.dumps([bundle.get(mime) for bundle in bundles if isinstance(bundle, Mapping)], sort_keys=True)


def _key(piece: Piece) -> str:
    return f"\0{piece.digest}" if piece.digest else piece.text


def _pieces(outputs: Sequence[Any] | None) -> Iterator[Piece]:
    pieces = [piece for output in outputs or () for piece in _output(output)]
    yield from pieces[:LINES]
    rest = pieces[LINES:]
    if rest:
        digest = hashlib.sha256("\n".join(_key(piece) for piece in rest).encode("utf-8", "surrogatepass"))
        yield Piece(f"… {len(rest):,} more lines ({digest.hexdigest()[:8]})")


def _output(output: Any) -> list[Piece]:
    if not isinstance(output, Mapping):
        return [Piece("an output that is no object")]
    kind = output.get("output_type")
    if kind == "stream":
        return _stream(output)
    if kind == "error":
        return _plain(f"{_joined(output.get('ename'))}: {_joined(output.get('evalue'))}")
    data = output.get("data")
    return _bundle(data) if isinstance(data, Mapping) else []


def _stream(output: Mapping[str, Any]) -> list[Piece]:
    text = _plain(_joined(output.get("text")).removesuffix("\n"))
    return [Piece("stderr:"), *text] if output.get("name") == "stderr" else text


def _bundle(data: Mapping[str, Any]) -> list[Piece]:
    pictures = [mime for mime in data if str(mime).startswith("image/")]
    scraps = [mime for mime in data if str(mime).startswith(_SCRAP)]
    if pictures:
        return [_picture(mime, data[mime]) for mime in pictures[:1]]
    if scraps:
        return [_scrap(data[mime]) for mime in scraps]
    form = next((form for form in _FORMS if form in data), None)
    if form is None:
        return [_opaque(str(mime), value) for mime, value in data.items()]
    value = data[form]
    return _plain(value if isinstance(value, str) else _joined(value))


def _picture(mime: str, value: Any) -> Piece:
    text = _joined(value)
    bare = "".join(text.split())
    count = len(text) if mime == "image/svg+xml" else len(bare) * 3 // 4 - bare[-2:].count("=")
    return Piece(f"picture ({mime.removeprefix('image/')}), {size(count)}", _digest(text), count)


def _scrap(value: Any) -> Piece:
    named = value if isinstance(value, Mapping) else {}
    name, encoder = str(named.get("name")), str(named.get("encoder"))
    data = as_json(Scrap(name, named.get("data"), encoder))
    if encoder not in ("json", "text"):
        return Piece(f"scrap {name} = {encoder}, {data['size']:,} bytes ({data['sha256'][:8]})")
    return Piece(f"scrap {name} = {' '.join(_joined(data).split())}")


def _opaque(mime: str, value: Any) -> Piece:
    text = _joined(value)
    return Piece(f"{mime}, {size(len(text))} ({_digest(text)[:8]})")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _joined(value: Any) -> str:
    """A text that may be stored as a list of its lines; other JSON as its own text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "".join(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _plain(text: str) -> list[Piece]:
    """The lines of a text; what a lone carriage return would overwrite on a terminal is a line of its own."""
    return [Piece(line) for line in lines.split(re.sub(r"\r\n?", "\n", _ANSI.sub("", text)))]
