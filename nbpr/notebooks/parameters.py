"""The parameters of a notebook: what its parameters cell assigns, and assigning something else.

Only Python is read, through `ast`; magics are masked for it. Assigning changes the characters of the value and no
others. Values given as text are read as papermill's `-p` reads them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from nbpr.errors import BadInput
from nbpr.notebooks import jsontext
from nbpr.notebooks.assignments import Code, Place, read
from nbpr.notebooks.notebook import Cell, Notebook


class NotLiteral(Enum):
    """The type of `NOT_LITERAL`: the value of a parameter whose default has to be computed."""

    NOT_LITERAL = "not a literal"


NOT_LITERAL: Final = NotLiteral.NOT_LITERAL
NO_CELL_HINT = 'tag the cell that assigns them "parameters": nbpr edit NB --tag CELL --add parameters'


@dataclass(frozen=True)
class Parameter:
    """One parameter: `default` is the source text of its value, `help` the comment behind it."""

    name: str
    default: str
    value: Any
    type: str | None
    help: str | None

    def as_json(self) -> dict[str, str | None]:
        """`{"name", "default", "type", "help"}`."""
        return {"name": self.name, "default": self.default, "type": self.type, "help": self.help}


def inspect(notebook: Notebook) -> list[Parameter]:
    """The parameters of a Python notebook, in order; none if it has no parameters cell. Raises BadInput."""
    cell = notebook.parameters_cell
    if cell is None:
        return []
    _check_python(notebook, "its parameters cannot be listed", "nbpr cells shows the cell; nbpr run -p sets them")
    code = read(cell.source, notebook.name)
    return [_described(code, place) for place in code.last().values()]


def assign(source: str, name: str, value: Any) -> str:
    """The source of a parameters cell in which `name` has `value`, a JSON value; the same source if it has already.

    1, 1.0 and True are different values. Raises BadInput for a name that the cell does not assign.
    """
    code = read(source, "the parameters cell")
    places = code.last()
    if name not in places:
        there = ", ".join(places) or "none"
        raise BadInput(f"no parameter {name!r}; the parameters cell assigns: {there}")
    place = places[name]
    if place.shared:
        raise BadInput(f"parameter {name!r} shares its value with another name", hint=_SUBSTITUTE)
    changes = sorted(_changes(code, place.value, value), reverse=True)
    for start, end, text in changes:
        source = source[:start] + text + source[end:]
    if changes:
        _prove(source, name, value)
    return source


_SUBSTITUTE = "change its text with a substitute edit"


def set_in(notebook: Notebook, cell: Cell, name: str, value: Any) -> Cell:
    """The parameters cell of `notebook` with `name` set; the same cell if it is so already. Raises BadInput."""
    _check_python(notebook, "set_parameter cannot change it")
    return cell.with_source(assign(cell.source, name, value))


def _check_python(notebook: Notebook, problem: str, hint: str | None = None) -> None:
    if notebook.language != "python":
        message = f"{notebook.name}: a notebook of the language {notebook.language}, not Python: {problem}"
        raise BadInput(message, hint=hint or _SUBSTITUTE)


def read_value(text: str) -> Any:
    """A value given as text: by papermill's rules for `-p` (True, False, None, int, float, else the text itself).

    A text that begins with `[` or `{` is JSON; BadInput if it is not.
    """
    if text[:1] in ("[", "{"):
        try:
            return jsontext.parse(text)
        except jsontext.JsonError as error:
            raise BadInput(f"value {text!r} is not JSON: {error.problem}", hint="give a text through --edits") from None
    if text in ("True", "False", "None"):
        return {"True": True, "False": False, "None": None}[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _described(code: Code, place: Place) -> Parameter:
    value = _literal(place.value)
    comment = _COMMENT.match(code.source, place.end)
    typed, text = comment.groups() if comment else (None, None)
    return Parameter(
        name=place.name,
        default=code.text(place.value),
        value=value,
        type=code.text(place.annotation) if place.annotation else typed or _type_of(value),
        help=(text or "").strip() or None,
    )


# As papermill reads it: "# type: float the help", the type being optional.
_COMMENT = re.compile(r"[ \t;]*#[ \t]*(?:type:[ \t]*(\S+))?([^\r\n]*)")


def _type_of(value: Any) -> str | None:
    if value is NOT_LITERAL:
        return None
    return "None" if value is None else type(value).__name__


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return NOT_LITERAL


Change = tuple[int, int, str]


def _changes(code: Code, node: ast.expr, value: Any) -> Iterator[Change]:
    """What to write where, so that `node` becomes `value`; inside lists and dicts only what differs."""
    if jsontext.same(_literal(node), value):
        return
    inner = _inner(node, value)
    if inner is not None:
        for part, data in inner:
            yield from _changes(code, part, data)
        return
    old, new = code.text(node), written(value, code.text(node)[:1])
    if old != new:
        yield (*code.span(node), new)


def _inner(node: ast.expr, value: Any) -> list[tuple[ast.expr, Any]] | None:
    """The parts of a list or dict beside their new values, where both have the same shape."""
    if isinstance(node, ast.List) and isinstance(value, list):
        starred = any(isinstance(part, ast.Starred) for part in node.elts)
        return None if starred or len(node.elts) != len(value) else list(zip(node.elts, value, strict=True))
    if isinstance(node, ast.Dict) and isinstance(value, dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
        if len(keys) == len(value) and set(keys) == set(value):
            return [(part, value[str(key)]) for key, part in zip(keys, node.values, strict=True)]
    return None


def written(value: Any, quote: str = '"') -> str:
    """A JSON value as Python source, strings in `quote` where that is a quotation mark."""
    if isinstance(value, str):
        return _quoted(value, "'" if quote == "'" else '"')
    if isinstance(value, list):
        return "[" + ", ".join(written(part, quote) for part in value) + "]"
    if isinstance(value, dict):
        pairs = (f"{written(key, quote)}: {written(part, quote)}" for key, part in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return f'float("{value}")'
    return repr(value)


def _quoted(text: str, quote: str) -> str:
    def escaped(character: str) -> str:
        if character in ("\\", quote):
            return "\\" + character
        return character if character.isprintable() else repr(character)[1:-1]

    return quote + "".join(map(escaped, text)) + quote


def _prove(source: str, name: str, value: Any) -> None:
    """BadInput if the changed source does not assign the value after all: sources can be stranger than we know."""
    node = read(source, "the parameters cell").last()[name].value
    now = _literal(node)
    if now is not NOT_LITERAL and not jsontext.same(now, value):
        raise BadInput(f"parameter {name!r} cannot be set in this cell", hint=_SUBSTITUTE)
