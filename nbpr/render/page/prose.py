"""Markdown from notebooks as HTML: rendered by markdown-it, its mathematics as MathML, then sanitised."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from markupsafe import escape as html

from nbpr.render.page import pictures, sanitise

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline

#: Texts longer than this are not rendered; their lines are shown all the same.
LONGEST = 100_000

#: A formula longer than this is shown as it is written.
_LONGEST_FORMULA = 2_000

_FORMULA = re.compile(
    r"\$\$(?P<block>[^$]+)\$\$|\$(?P<inline>(?!\s)[^$\n]*?[^$\s\\])\$(?!\d)|\$(?P<one>[^$\s\\])\$(?!\d)"
)
_ATTACHMENT = re.compile(r"\(\s*<?attachment:([^)>\s]+)>?")


def rendered(text: str, attachments: Any = None) -> Markup | None:
    """Markdown as HTML that is safe; None for what is too long or too deep to be rendered."""
    if len(text) > LONGEST:
        return None
    return sanitise.clean_html(_parser().render(_with_attachments(sanitise.visible_lines(text), attachments)))


def formula(text: str) -> Markup | None:
    """TeX, with or without its dollars, as MathML that is safe."""
    bare = text.strip().strip("$").strip()
    return sanitise.clean_html(f"<p>{_mathml(bare, 'block')}</p>")


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": 20}).enable(["table", "strikethrough"])
    parser.inline.ruler.before("escape", "formula", _formula)
    # Addresses are judged by the sanitiser; here a picture's data has to pass.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    parser.add_render_rule("formula", _render_formula)
    parser.core.ruler.push("headings", _lower_headings)
    return parser


def _lower_headings(state: StateCore) -> None:
    """A cell's headings stand below the page's own."""
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 3)}"


def _formula(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != "$":
        return False
    found = _FORMULA.match(state.src, state.pos, state.pos + _LONGEST_FORMULA)
    if found is None:
        return False
    if not silent:
        token = state.push("formula", "math", 0)
        token.content = found["block"] or found["inline"] or found["one"]
        token.markup = "block" if found["block"] else "inline"
    state.pos = found.end()
    return True


def _render_formula(self: Any, tokens: Sequence[Any], place: int, options: Any, env: Any) -> str:
    return _mathml(tokens[place].content, tokens[place].markup)


@lru_cache(1_000)
def _mathml(text: str, display: str) -> str:
    """TeX as MathML; what cannot be read as TeX, or is too long, as the code that it is."""
    from latex2mathml.converter import convert

    shown = f"<code>{html(text)}</code>"
    if len(text) > _LONGEST_FORMULA or text.count("{") > 100:
        return shown
    try:
        return convert(text, display=display)
    except Exception:  # noqa: BLE001 - its parser raises whatever it comes upon; the formula is shown as it is written
        return shown


def _with_attachments(text: str, attachments: Any) -> str:
    """The text with the cell's own pictures in the place of their names."""
    if not isinstance(attachments, Mapping) or "attachment:" not in text:
        return text

    def uri(found: re.Match[str]) -> str:
        bundle = attachments.get(found[1])
        picture = pictures.of_bundle(bundle) if isinstance(bundle, Mapping) else None
        return f"({picture.uri}" if picture and picture.mime != "image/svg+xml" else found[0]

    return _ATTACHMENT.sub(uri, text)
