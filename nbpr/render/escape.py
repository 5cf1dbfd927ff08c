"""Text from notebooks made safe to show: on a terminal, and in Markdown that a forge renders.

Everything that a notebook, a path or a finding brings goes through here. Nothing is hidden: what a reader could
not see or a terminal would obey is shown by its code point, what is too long is cut with a mark that says so.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import quote

#: A longer line is cut.
LINE = 240

#: Where a longer run of backticks or tildes stands in a text, it is broken: a fence around it would need more.
_RUN = 12

ZERO_WIDTH_SPACE = "\u200b"

#: Printable by Unicode's book, and yet nothing to see: fillers, joiners, variation selectors that can carry data.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\U000e0100-\U000e01ef]")

#: The joiners of emoji and of Persian and Indic scripts, and the tab.
_KEPT = "\t\u200c\u200d"

_BASE64 = re.compile(r"[A-Za-z0-9+/]{120,}={0,2}")

#: Punctuation that Markdown gives a meaning inside a line, and what would make a list or a heading of a line.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&$])")
_LEADING = re.compile(r"^([-+=:]|\d+(?=[.)]))")

#: What forges look for after rendering, when backslashes are gone: mentions, references, addresses, emoji.
_REFERRING = re.compile(r"@|\\#|GH(?=-\d)|:(?=//|[a-z0-9_+-]+:)|www(?=\.)")


#: What runners of Actions take for a command in a job's log: at the start of a line, behind blanks too, or anywhere.
_COMMAND = re.compile(r"^([^\S\n]*):(?=:)|#(?=#\[)", re.MULTILINE)


def without_commands(text: str) -> str:
    """Lines for a job's log, none of which its runner obeys (`::add-mask::…`, `##[error]…`)."""
    return _COMMAND.sub(lambda found: f"{found[1] or ''}{'⟨:⟩' if found[0].endswith(':') else '⟨#⟩'}", text)


def visible(text: str) -> str:
    """The text with everything shown that a reader would not see or a terminal would obey: `⟨U+202E⟩`.

    Controls, line ends, bidirectional and other format characters, half surrogate pairs, private characters.
    """
    return re.sub("[^ -~]", _shown, text)


def one_line(text: str) -> str:
    """The text on one line: runs of white space, line ends included, become a space."""
    return visible(" ".join(text.split()))


def pieces(text: str, around: int = 0) -> list[str]:
    """A line of a notebook as it is shown: one piece, or several where it holds line ends of any kind.

    Base64 is shortened, what cannot be seen is shown, and what is too long is cut so that `around` is shown.
    """
    shown = [visible(without_base64(piece)) for piece in re.split(r"\r\n|\r|\n", text)]
    place = len(visible(without_base64(text[:around]))) if len(shown) == 1 else 0
    return [cut(piece, around=place) for piece in shown]


def cut(text: str, limit: int = LINE, around: int = 0) -> str:
    """The text, or the part of it from shortly before `around` on, with marks for what is left out."""
    if len(text) <= limit:
        return text
    start = 0 if around < limit - 40 else around - 40
    shown = text[start : start + limit]
    before = f"⟨{start:,} characters⟩ … " if start else ""
    left = len(text) - start - len(shown)
    return before + shown + (f" … ⟨{left:,} more characters⟩" if left else "")


def without_base64(text: str) -> str:
    """The text with long runs of base64 shortened to their beginning, length and digest."""
    return _BASE64.sub(_shortened, text)


def without_mentions(text: str) -> str:
    """The text with a zero-width space after each `@`: nobody is mentioned, not even in a mail's plain text."""
    return text.replace("@", "@" + ZERO_WIDTH_SPACE)


def prose(text: str) -> str:
    """The text as Markdown that renders as just this text: no markup, link, mention or reference comes of it."""
    escaped = _SPECIAL.sub(r"\\\1", one_line(text))
    return _LEADING.sub(r"\1" + ZERO_WIDTH_SPACE, _REFERRING.sub(r"\g<0>" + ZERO_WIDTH_SPACE, escaped))


def code_span(text: str, limit: int = LINE) -> str:
    """The text as a code span on one line; one space if there is nothing to show."""
    shown = _without_runs(cut(without_mentions(one_line(text)), limit)) or " "
    ticks = "`" * (_longest("`", shown) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") or _is_padded(shown) else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def table_code(text: str, limit: int = LINE) -> str:
    """The text as a code span in a table's cell. A backslash before a pipe would escape the escape."""
    return code_span(text, limit).replace("\\|", "\\" + ZERO_WIDTH_SPACE + "|").replace("|", "\\|")


def fence(lines: Sequence[str], info: str = "") -> str:
    """The lines, none of which holds a line end, in a fence that none of them can close."""
    body = "\n".join(_without_marker(_without_runs(line)) for line in lines)
    sign = min("`~", key=lambda mark: _longest(mark, body))
    bar = sign * max(3, _longest(sign, body) + 1)
    return f"{bar}{info}\n{body}\n{bar}" if lines else f"{bar}{info}\n{bar}"


def address(url: str) -> str | None:
    """The web address as it may stand between `<` and `>`, or None if it is none."""
    if not re.match(r"https?://[^/\s]", url):
        return None
    return quote(url, safe="/:?#[]@!$&'()*+,;=%~", errors="surrogatepass")


def _shown(found: re.Match[str]) -> str:
    sign = found.group()
    seen = sign.isprintable() or unicodedata.category(sign) == "Zs"
    if sign in _KEPT or (seen and not _BLANK.match(sign)):
        return sign
    return f"⟨U+{ord(sign):04X}⟩"


def _shortened(found: re.Match[str]) -> str:
    text = found.group()
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[:16]}…⟨{len(text):,} characters of base64, {digest}⟩"


def _without_marker(text: str) -> str:
    """The line, and if it is written like one of our own marks on a forge, one that is not taken for it."""
    return re.sub(r"^(<!-)(?=- */?nbpr)", rf"\1{ZERO_WIDTH_SPACE}", text)


def _longest(sign: str, text: str) -> int:
    return max((len(run) for run in re.findall(re.escape(sign) + "+", text)), default=0)


def _without_runs(text: str) -> str:
    return re.sub(f"`{{{_RUN}}}(?=`)|~{{{_RUN}}}(?=~)", lambda run: run.group() + ZERO_WIDTH_SPACE, text)


def _is_padded(text: str) -> bool:
    """Whether Markdown would take a space off each end of a code span."""
    return text.startswith(" ") and text.endswith(" ") and not text.isspace()
