"""HTML from notebooks with everything taken out that could do more than be read.

An allow-list, applied by nh3 to what a browser's own parser makes of the text: no scripts, styles, frames, forms,
events, ids or names; links to the web only; pictures only from data that is checked to be one. It holds alone,
whether or not the page's content policy is there.
"""

from __future__ import annotations

import re
from functools import cache

import nh3
from markupsafe import Markup

from nbpr.render import escape
from nbpr.render.page import pictures

#: Texts longer than this are not rendered.
LONGEST = 1_000_000

#: Elements nested deeper than this are taken for an attack on whoever renders them.
_DEEPEST = 200

_TEXT = """a abbr b blockquote br caption cite code col colgroup dd del details dfn dl dt em figcaption figure h1 h2 h3
h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small strong sub summary sup table tbody td tfoot th thead tr tt u
ul var"""
_MATH = """math menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mroot mrow mspace msqrt mstyle msub
msubsup msup mtable mtd mtext mtr munder munderover"""

_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "width", "height"},
    "ol": {"start"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "align"},
    "math": {"display"},
    "mo": {"stretchy", "fence", "form"},
    "mtable": {"columnalign"},
    "mfrac": {"linethickness"},
}

_NAMELESS = re.compile(r"<img((?: (?:src|width|height)=\"[^\"]*\")*)>")
_WORD = re.compile(r"[A-Za-z0-9 .%-]{0,40}")
_WEB = re.compile(r"(?:https?://[^/\s]|mailto:)", re.IGNORECASE)


def clean_html(text: str) -> Markup | None:
    """The text as HTML that is safe wherever content may stand; None for what is too long or too deep to render."""
    if len(text) > LONGEST or not _shallow(text):
        return None
    return Markup(_NAMELESS.sub(_named, _cleaner().clean(visible_lines(text))))


def _named(found: re.Match[str]) -> str:
    """A picture with words for who cannot see it, or because it is not here. Nothing else of it holds a `>`."""
    what = "a picture" if " src=" in found[1] else "a picture from elsewhere, not loaded"
    return f'<img alt="{what}"{found[1]}>'


def visible_lines(text: str) -> str:
    """The text with everything shown that a reader would not see, line ends of every kind being line ends."""
    return "\n".join(escape.visible(line) for line in re.split(r"\r\n|\r|\n", text))


@cache
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags={*_TEXT.split(), *_MATH.split()},
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="noopener noreferrer nofollow",
        strip_comments=True,
    )


def _attribute(element: str, name: str, value: str) -> str | None:
    if name == "href":
        return value if _WEB.match(value) else None
    if name == "src":
        return value if pictures.is_data_uri(value) else None
    if name in ("alt", "title"):
        return value
    return value if _WORD.fullmatch(value) else None


def _shallow(text: str) -> bool:
    """Whether elements cannot be nested too deeply; few that open and do not close are no danger."""
    depth = deepest = 0
    for found in re.finditer(r"<(/?)([A-Za-z]+)", text):
        if found[2].lower() in ("br", "img", "hr", "col", "input", "meta", "link", "td", "th", "tr", "li", "p"):
            continue
        depth += -1 if found[1] else 1
        deepest = max(deepest, depth)
    return deepest <= _DEEPEST
