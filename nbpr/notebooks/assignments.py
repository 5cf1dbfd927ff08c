"""What a Python source assigns at its top level, and where in its characters.

IPython's own lines (magics, shell commands, help) are masked by something of the same length, so that `ast` reads
the rest and its places hold for the source as it is.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from nbpr.errors import BadInput


class Place(NamedTuple):
    """One assignment: the expression assigned, the annotation, and where its statement ends."""

    name: str
    value: ast.expr
    annotation: ast.expr | None
    end: int
    shared: bool


class Code:
    """A parsed source, whose nodes' places can be had in characters."""

    def __init__(self, source: str, masked: str, tree: ast.Module) -> None:
        self.source = source
        self.tree = tree
        breaks = re.finditer(r"\r\n|\r|\n", masked)
        self._starts = [0, *(found.end() for found in breaks)]
        self._masked = masked

    def at(self, line: int, column: int) -> int:
        """The index of a place that `ast` gives: a line from 1, a column in UTF-8 bytes."""
        start = self._starts[line - 1]
        return start + len(self._masked[start : start + column].encode()[:column].decode(errors="ignore"))

    def span(self, node: ast.expr) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.at(node.lineno, node.col_offset), self.at(node.end_lineno, node.end_col_offset)

    def text(self, node: ast.expr) -> str:
        return self.source[slice(*self.span(node))]

    def last(self) -> dict[str, Place]:
        """The last assignment of each name at the top level, in the order of the first ones."""
        return {place.name: place for statement in self.tree.body for place in self._places(statement)}

    def _places(self, statement: ast.stmt) -> Iterator[Place]:
        end = self.at(statement.end_lineno or 1, statement.end_col_offset or 0)
        if isinstance(statement, ast.AnnAssign) and statement.value and isinstance(statement.target, ast.Name):
            yield Place(statement.target.id, statement.value, statement.annotation, end, False)
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                for name, value in _pairs(target, statement.value):
                    yield Place(name, value, None, end, len(statement.targets) > 1)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Which name gets which expression; nothing where only running the code could say."""
    if isinstance(target, ast.Name):
        yield target.id, value
    if not (isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List)):
        return
    starred = any(isinstance(part, ast.Starred) for part in (*target.elts, *value.elts))
    if not starred and len(target.elts) == len(value.elts):
        for one, other in zip(target.elts, value.elts, strict=True):
            yield from _pairs(one, other)


def read(source: str, name: str) -> Code:
    """A parsed source; BadInput, with `name` in front, if it is not Python."""
    plain = re.sub("[\ud800-\udfff]", "\ufffd", source)
    try:
        return Code(source, plain, _tree(plain))
    except _UNPARSED:
        masked = _without_magics(plain)
    try:
        return Code(source, masked, _tree(masked))
    except _UNPARSED as error:
        where = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise BadInput(f"{name}: the parameters cell is not Python{where}: {_reason(error)}") from None


_UNPARSED = (SyntaxError, ValueError, RecursionError, MemoryError)


def _tree(source: str) -> ast.Module:
    with warnings.catch_warnings():
        # Python warns of "\d" and the like while it parses; that is the notebook's own affair.
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _reason(error: BaseException) -> str:
    return str(error.msg) if isinstance(error, SyntaxError) else str(error) or type(error).__name__


_MAGIC = re.compile(
    r"""^([ \t]*)(                                       # IPython's own syntax, a line each:
        [%!?](?:[^\r\n]*\\(?:\r\n|\r|\n))*[^\r\n]*       # %magic, !shell (continued by a backslash), ?help
      | [\w.]+\?{1,2}[ \t]*                              # help?
      | [\w.,][\w.,\t ]*=[ \t]*[%!][^\r\n]*              # files = !ls
    )(?=\r|\n|\Z)""",
    re.MULTILINE | re.VERBOSE,
)


def _without_magics(source: str) -> str:
    """The source with IPython's own lines replaced by an expression of the same length."""
    # A carriage return alone ends a line for Python, not for `^`: look at line feeds, keep the length.
    plain = re.sub(r"\r(?!\n)", "\n", source)
    return _MAGIC.sub(lambda found: found[1] + _filler(found[2]), plain)


def _filler(text: str) -> str:
    first, *rest = re.split(r"(\r\n|\r|\n)", text)
    continued = [part if part.isspace() else "#" * len(part) for part in rest]
    return "0" + "#" * (len(first) - 1) + "".join(continued)
