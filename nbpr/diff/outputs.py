"""The outputs of a cell as lines of text, and what changed between two runs of them, without the noise."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from nbpr.diff import lines, pictures, results, tables
from nbpr.diff.equality import same
from nbpr.diff.lines import Line
from nbpr.diff.noise import NONE, Noise
from nbpr.diff.opcodes import opcodes
from nbpr.notebooks.scraps import Scrap, as_json

#: A run's outputs are read to so many lines; the rest counts as one line that says how much there is.
LINES = 1_000

#: In so many pairs of lines in one place the words that changed are marked (more are not shown at once), and so many
#: pairs of pictures are compared by pixel.
_MARKED = 60
_PICTURES = 4

#: So many values of a table that changed are named.
_VALUES = 3

#: What is shown of an output that comes in several forms, best first; a picture goes before all of them.
_FORMS = ("text/markdown", "text/latex", "text/plain", "text/html", "application/json")

_SCRAP = "application/scrapbook.scrap."

#: Escape sequences for colours, cursors and titles (ECMA-48: CSI and OSC, then the two-character ones).
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x1b\\|\x07|$)|\x1b[ -/]*[0-~]", re.DOTALL)

Verdict = Literal["same", "noise", "changed"]


class Piece(NamedTuple):
    """One line of an output's text, or a picture, which is the same only if its `digest` is.

    `key` is what a line is compared by: the text without its noise. `data` is a picture as it was stored.
    """

    text: str
    key: str
    digest: str = ""
    size: int = 0
    data: object = None


def compare(before: Sequence[Any] | None, after: Sequence[Any] | None, noise: Noise = NONE) -> tuple[Line, ...]:
    """What changed between two lists of outputs. None is no list: a cell that is not there.

    Lines that differ in noise alone are common lines, and stand as they are in `after`. Remarks say what changed in
    pictures and tables.
    """
    old, new = _pieces(before, noise), _pieces(after, noise)
    found: list[Line] = []
    for op, i1, i2, j1, j2 in opcodes([piece.key for piece in old], [piece.key for piece in new]):
        if op == "equal":
            found += lines.tagged(" ", [piece.text for piece in new[j1:j2]])
        else:
            found += _replaced(old[i1:i2], new[j1:j2])
    if before is not None and after is not None:
        found += _unseen(before, after, noise, any(line.tag != " " for line in found))
        if any(line.tag != " " for line in found):
            found += _in_tables(before, after)
    return tuple(found)


def texts(outputs: Sequence[Any] | None) -> list[str]:
    """A list of outputs as lines of text, escape sequences taken out, pictures named."""
    return [piece.text for piece in _pieces(outputs, NONE)]


def changed(before: Sequence[Any] | None, after: Sequence[Any] | None, noise: Noise = NONE) -> bool:
    """Whether two lists of outputs differ in more than their execution counts, and in more than noise."""
    return verdict(before, after, noise) == "changed"


def verdict(before: Sequence[Any] | None, after: Sequence[Any] | None, noise: Noise = NONE) -> Verdict:
    """Whether two lists of outputs are the same but for their execution counts, differ in noise alone, or changed."""
    old, new = ([_without_count(output) for output in side or ()] for side in (before, after))
    if same(old, new):
        return "same"
    if noise == NONE:
        return "changed"
    try:
        return "noise" if same(_quiet(old, noise), _quiet(new, noise)) else "changed"
    except RecursionError:
        return "changed"  # JSON that is nested too deep to be looked through


def size(count: int) -> str:
    """A number of bytes as a person says it: "812 bytes", "12 kB", "3.4 MB"."""
    if count < 1_000:
        return f"{count} bytes"
    if count < 1_000_000:
        return f"{count / 1_000:.0f} kB"
    return f"{count / 1_000_000:.1f} MB"


def _quiet(outputs: Sequence[Any], noise: Noise) -> list[Any]:
    """Outputs without noise: what one stream printed in several pieces is one."""
    return [_quiet_output(output, noise) for output in _joined_streams(outputs)]


def _quiet_output(output: Any, noise: Noise) -> Any:
    if not isinstance(output, Mapping):
        return output
    found = {key: noise.quiet_json(value, "text/plain") for key, value in output.items() if key != "data"}
    data = output.get("data")
    if isinstance(data, Mapping):
        found["data"] = {mime: _quiet_data(str(mime), value, noise) for mime, value in data.items()}
    return found


def _quiet_data(mime: str, value: Any, noise: Noise) -> Any:
    if mime.startswith("image/") and mime != "image/svg+xml":
        return value
    return noise.quiet(_joined(value), mime) if isinstance(value, list) else noise.quiet_json(value, mime)


def _joined_streams(outputs: Sequence[Any]) -> list[Any]:
    """Outputs with what one stream printed in a row as one, since where it was cut is chance."""
    found: list[Any] = []
    for output in outputs:
        if found and _stream_name(output) is not None and _stream_name(found[-1]) == _stream_name(output):
            found[-1] = {**found[-1], "text": _joined(found[-1].get("text")) + _joined(output.get("text"))}
        else:
            found.append(output)
    return found


def _stream_name(output: Any) -> str | None:
    stream = isinstance(output, Mapping) and output.get("output_type") == "stream"
    return str(output.get("name")) if stream else None


def _without_count(output: Any) -> Any:
    if not isinstance(output, Mapping):
        return output
    return {key: value for key, value in output.items() if key != "execution_count"}


def _replaced(old: Sequence[Piece], new: Sequence[Piece]) -> Iterator[Line]:
    """Lines of text as a diff; pictures by pairs, in order."""
    yield from lines.compare(
        [piece.text for piece in old if not piece.digest], [piece.text for piece in new if not piece.digest], _MARKED
    )
    before, after = ([piece for piece in side if piece.digest] for side in (old, new))
    for place, (one, other) in enumerate(zip(before, after, strict=False)):
        yield Line("!", f"{one.text} → {size(other.size)}, {_by_pixel(one, other) if place < _PICTURES else 'changed'}")
    yield from lines.tagged("-", [piece.text for piece in before[len(after) :]])
    yield from lines.tagged("+", [piece.text for piece in after[len(before) :]])


def _by_pixel(one: Piece, other: Piece) -> str:
    """How much of a picture changed, in words; "changed" where that cannot be told."""
    old, new = pictures.decoded(one.data), pictures.decoded(other.data)
    if old is None or new is None:
        return "changed"
    change = pictures.compare_pictures(old, new, difference=False)
    return "changed" if change.share is None else change.words


def _in_tables(before: Sequence[Any], after: Sequence[Any]) -> Iterator[Line]:
    """What changed in tables as data: how much, and the first values."""
    for table in results.table_changes(before, after):
        yield Line("!", f"table {table.name}: {tables.words(table.change)}".replace("table :", "table:"))
        yield from lines.tagged("!", [f"  {tables.value_words(value)}" for value in table.change.values[:_VALUES]])


def _unseen(before: Sequence[Any], after: Sequence[Any], noise: Noise, seen: bool) -> Iterator[Line]:
    """The remark on outputs that differ although their texts are the same: another form, metadata, a traceback.

    `seen`: other outputs of the cell are seen to differ, so that there need not be any.
    """
    old, new = (_by_text(side, noise) for side in (before, after))
    pairs = [pair for text, ones in old.items() for pair in zip(ones, new.get(text, ()), strict=False)]
    kinds = sorted({kind for pair in pairs for kind in _differing(*pair)})
    if kinds or (not seen and changed(before, after, noise)):
        yield Line("!", f"changed in {', '.join(kinds) or 'metadata'}, same text")


def _by_text(outputs: Sequence[Any], noise: Noise) -> dict[tuple[str, ...], list[Any]]:
    """The outputs that may hold more than is shown of them, without noise, by what is shown."""
    found: dict[tuple[str, ...], list[Any]] = {}
    for output in outputs:
        if isinstance(output, Mapping) and _stream_name(output) is None:
            shown = tuple(piece.key for piece in _output(output, noise))
            found.setdefault(shown, []).append(_quiet_or_as_it_is(_without_count(output), noise))
    return found


def _quiet_or_as_it_is(output: Any, noise: Noise) -> Any:
    try:
        return _quiet_output(output, noise)
    except RecursionError:
        return output  # JSON that is nested too deep to be looked through


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """The members of two outputs that differ; of data the forms."""
    for key in {*one, *other}:
        a, b = one.get(key), other.get(key)
        if key == "data" and isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from _differing(a, b)
        elif not same(a, b):
            yield str(key)


def _pieces(outputs: Sequence[Any] | None, noise: Noise) -> list[Piece]:
    found: list[Piece] = []
    rest, digest = 0, hashlib.sha256()
    for output in _joined_streams(outputs or ()):
        shown = _output(output, noise)
        keep = LINES - len(found)
        found += shown[:keep]
        rest += len(shown[keep:])
        digest.update("\n".join(piece.key for piece in shown[keep:]).encode("utf-8", "surrogatepass"))
    return [*found, _line(f"… {rest:,} more lines ({digest.hexdigest()[:8]})")] if rest else found


def _line(text: str) -> Piece:
    return Piece(text, text)


def _output(output: Any, noise: Noise) -> list[Piece]:
    if not isinstance(output, Mapping):
        return [_line("an output that is no object")]
    kind = output.get("output_type")
    if kind == "stream":
        text = _plain(_joined(output.get("text")).removesuffix("\n"), noise)
        return [_line("stderr:"), *text] if output.get("name") == "stderr" else text
    if kind == "error":
        return _plain(f"{_joined(output.get('ename'))}: {_joined(output.get('evalue'))}", noise)
    data = output.get("data")
    return _bundle(data, noise) if isinstance(data, Mapping) else []


def _bundle(data: Mapping[str, Any], noise: Noise) -> list[Piece]:
    images = [mime for mime in data if str(mime).startswith("image/")]
    scraps = [mime for mime in data if str(mime).startswith(_SCRAP)]
    if images:
        return [_picture(mime, data[mime], noise) for mime in images[:1]]
    if scraps:
        return [_scrap(data[mime]) for mime in scraps]
    form = next((form for form in _FORMS if form in data), None)
    if form is None:
        return [_opaque(str(mime), value, noise) for mime, value in data.items()]
    return _plain(_joined(data[form]), noise, form)


def _picture(mime: str, value: Any, noise: Noise) -> Piece:
    text = _joined(value)
    drawing = mime == "image/svg+xml"
    bare = "" if drawing else "".join(text.split())
    count = len(text) if drawing else len(bare) * 3 // 4 - bare[-2:].count("=")
    digest = _digest(noise.quiet(text, mime) if drawing else text)
    return Piece(f"picture ({mime.removeprefix('image/')}), {size(count)}", f"\0{digest}", digest, count, text)


def _scrap(value: Any) -> Piece:
    named = value if isinstance(value, Mapping) else {}
    name, encoder = str(named.get("name")), str(named.get("encoder"))
    data = as_json(Scrap(name, named.get("data"), encoder))
    if encoder not in ("json", "text"):
        return _line(f"scrap {name} = {encoder}, {data['size']:,} bytes ({data['sha256'][:8]})")
    return _line(f"scrap {name} = {' '.join(_joined(data).split())}")


def _opaque(mime: str, value: Any, noise: Noise) -> Piece:
    text = _joined(value)
    quiet = _joined(_quiet_data(mime, value, noise))
    said = f"{mime}, {size(len(text))}"
    return Piece(f"{said} ({_digest(text)[:8]})", f"{mime} {_digest(quiet)}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _joined(value: Any) -> str:
    """A text that may be stored as a list of its lines; other JSON as its own text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "".join(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _plain(text: str, noise: Noise, form: str = "text/plain") -> list[Piece]:
    """The lines of a text; what a lone carriage return overwrites on a terminal is a line of its own, or noise."""
    bare = noise.standing((_ANSI.sub("", text) if "\x1b" in text else text).replace("\r\n", "\n"))
    shown = lines.split(bare.replace("\r", "\n"))
    keys = lines.split(noise.quiet(bare, form).replace("\r", "\n"))
    if len(keys) != len(shown):
        # An expression of the user's went beyond its line.
        keys = [noise.quiet(line, form) for line in shown]
    return list(map(Piece, shown, keys))
