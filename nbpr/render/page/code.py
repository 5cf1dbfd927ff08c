"""Lines of text and of code as HTML: two columns that CSS can make one, what changed marked, the rest folded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup
from markupsafe import escape as html

from nbpr.diff import lines
from nbpr.diff.lines import Line
from nbpr.render import escape
from nbpr.render.folding import CONTEXT, Fold, near

if TYPE_CHECKING:
    from pygments.lexer import Lexer

#: Longer lines are cut, around what changed in them.
LINE = 2_000

#: So many lines of one text are shown at most.
LINES = 2_000

#: Longer sources are shown without colours of their language.
_LONGEST = 60_000

#: A fold hides at least so many lines.
_FOLD = 3

#: Pygments' types of tokens, by the beginnings of their names, and our classes for them.
_CLASSES = {
    "Comment": "c",
    "Keyword": "k",
    "Operator.Word": "k",
    "Literal.String": "s",
    "Literal.Number": "m",
    "Name.Function": "f",
    "Name.Class": "f",
    "Name.Decorator": "f",
    "Name.Builtin": "b",
    "Name.Exception": "b",
}

#: What a token's class is, and its text.
Token = tuple[str, str]


class _Row(NamedTuple):
    """A line of a diff with its numbers before and after, and its tokens."""

    line: Line
    before: int
    after: int
    tokens: Sequence[Token]


def diff(found: Sequence[Line | Fold], language: str = "") -> Markup:
    """Lines as they come from `nbpr.diff`, with numbers, unchanged ones that are far from any change folded.

    `language` is a name that Pygments knows, "" for plain text. Where lines only came or only went, or nothing
    changed, there is one column. What was left out before says so in its place.
    """
    shown = found[:LINES]
    rows = list(_rows(shown, language))
    tags = {row.line.tag for row in rows}
    body = "".join(_blocks(rows, fold=tags - {" "} != set() and " " in tags))
    left = len(found) - len(shown)
    more = f'<p class="cut">… {left:,} more line{"" if left == 1 else "s"} not shown</p>' if left else ""
    single = " one" if not {"-", "+"} <= tags and (" " not in tags or tags == {" "}) else ""
    return Markup(f'<div class="diff{single}">{body}{more}</div>')


def listing(text: str, language: str = "") -> Markup:
    """A text without changes."""
    return diff(lines.tagged(" ", lines.split(text)), language)


def _blocks(rows: Sequence[_Row], *, fold: bool) -> Iterator[str]:
    """Runs of lines of one kind, each in a grid of its own, long unchanged ones in folds."""
    seen = near([row.line for row in rows], CONTEXT) if fold else set(range(len(rows)))
    start = 0
    while start < len(rows):
        kind = _kind(rows[start], start in seen)
        end = start
        while end < len(rows) and _kind(rows[end], end in seen) == kind:
            end += 1
        body = f'<div class="hunk">{"".join(_row(row) for row in rows[start:end])}</div>'
        if kind == "folded" and end - start >= _FOLD:
            body = f'<details class="fold"><summary>{end - start:,} unchanged lines</summary>{body}</details>'
        yield body
        start = end


def _kind(row: _Row, seen: bool) -> str:
    return "same" if row.line.tag == " " and seen else "folded" if row.line.tag == " " else "changed"


def _row(row: _Row) -> str:
    text = _text(row.line, row.tokens)
    if row.line.tag == " ":
        twin = f'<div class="l w" aria-hidden="true" data-n="{row.after}">{text}</div>'
        return f'<div class="l" data-n="{row.before}">{text}</div>{twin}'
    if row.line.tag == "!":
        return f'<div class="l r">{text}</div>'
    kind, number = ("o", row.before) if row.line.tag == "-" else ("n", row.after)
    return f'<div class="l {kind}" data-n="{number}">{text}</div>'


def _rows(found: Sequence[Line | Fold], language: str) -> Iterator[_Row]:
    """The lines numbered; each side is coloured as the whole text that it is."""
    there = [line for line in found if isinstance(line, Line)]
    sides = [tuple(line.text for line in there if line.tag in tags) for tags in (" -", " +")]
    old, new = (iter(tokens(side, language)) for side in sides)
    before = after = 0
    for line in found:
        if isinstance(line, Fold):
            before, after = before + line.lines * ("removed" in line.what), after + line.lines * ("added" in line.what)
            yield _Row(Line("!", f"… {line.text} not shown"), before, after, [("", f"… {line.text} not shown")])
            continue
        before, after = before + (line.tag in " -"), after + (line.tag in " +")
        one = next(old) if line.tag in " -" else [("", line.text)]
        other = next(new) if line.tag in " +" else one
        yield _Row(line, before, after, other)


@lru_cache(8)  # both sides of what did not change are one text
def tokens(texts: tuple[str, ...], language: str) -> list[list[Token]]:
    """Lines as the tokens of a language, each with a class of ours; as one token where there is no such language."""
    whole = "\n".join(texts)
    lexer = _lexer(language) if language and len(whole) < _LONGEST else None
    if lexer is None:
        return [[("", text)] for text in texts]
    found: list[list[Token]] = [[]]
    for _, kind, value in lexer.get_tokens_unprocessed(whole):
        name = _class(kind)
        first, *rest = value.split("\n")
        found[-1].append((name, first))
        found += [[(name, part)] for part in rest]
    same = ["".join(text for _, text in line) for line in found] == list(texts)
    return found if same else [[("", text)] for text in texts]


@cache
def _lexer(language: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language)
    except ClassNotFound:
        return None


@cache
def _class(kind: object) -> str:
    said = str(kind).removeprefix("Token.")
    return next((name for start, name in _CLASSES.items() if said.startswith(start)), "")


def _text(line: Line, found: Sequence[Token]) -> str:
    """The line's HTML: its tokens in their classes, the words that changed in `<ins>` or `<del>`."""
    if len(line.text) > LINE:
        around = line.marks[0][0] if line.marks else 0
        return str(html(escape.cut(escape.visible(escape.without_base64(line.text)), LINE, around)))
    word = "del" if line.tag == "-" else "ins"
    parts: list[str] = []
    place = 0
    for start, end in (*line.marks, (len(line.text), len(line.text))):
        parts.append(_piece(found, place, start))
        if start < end:
            parts.append(f"<{word}>{_piece(found, start, end)}</{word}>")
        place = end
    return "".join(parts)


def _piece(found: Sequence[Token], start: int, end: int) -> str:
    """The tokens, or the parts of them, between two places of the line."""
    parts: list[str] = []
    place = 0
    for name, text in found:
        part = text[max(0, start - place) : max(0, end - place)]
        place += len(text)
        if part:
            shown = _seen(part)
            parts.append(f'<span class="{name}">{shown}</span>' if name else shown)
        if place >= end:
            break
    return "".join(parts)


_PLAIN = re.compile(r"[\t -~]*")


def _seen(text: str) -> str:
    """The text escaped, with characters that cannot be seen as what they are."""
    shown = str(html(text if _PLAIN.fullmatch(text) else escape.visible(text)))
    return re.sub(r"⟨U\+[0-9A-F]{4,6}⟩", r'<b class="u">\g<0></b>', shown) if "⟨" in shown else shown
