"""What changes in outputs whenever a notebook is run again, and says nothing: times taken, addresses, random ids.

The diff itself keeps all of it. It is left out of what is counted and shown as a change of results.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from nbpr.config import Diff

#: Texts of more characters than this are not looked through: what differs in them is a difference.
_LONGEST = 2_000_000

#: A number as it is written, with a unit of time.
_AMOUNT = r"\d[\d.,]{0,24}(?:e[+-]?\d{1,3})?"
_TIME = rf"(?:{_AMOUNT} ?(?:ns|us|µs|μs|ms|s|sec|secs|seconds?|min|minutes?|h|hours?)\b ?){{1,6}}"

#: "1:02:03", and "it/s", "MB/s", "s/it".
_CLOCK = r"\d{1,4}:\d\d(?::\d\d)?(?:\.\d{1,9})?"
_PACE = r"[^\s,\]\[/]{1,12}/[^\s,\]\[/]{1,12}"


class Pattern(NamedTuple):
    """What to look for and what stands in its place; only texts with one of `hints` in them are looked through.

    `forms` are the beginnings of the MIME types in which it is noise; none means all.
    """

    pattern: re.Pattern[str]
    hints: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()


def _noise(pattern: str, *hints: str, forms: tuple[str, ...] = ()) -> Pattern:
    return Pattern(re.compile(pattern), hints, forms)


#: Where ids are made up: what is written for a browser. In printed text an id may be the result.
_PAGE = ("text/html", "image/svg", "application/javascript", "application/vnd")
_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"

#: Every kind of noise by its name. Each expression takes time in proportion to the text, and stays in its line.
KINDS: Mapping[str, tuple[Pattern, ...]] = {
    "timings": (
        _noise(rf"(?m)^CPU times:(?: ?(?:user|sys|total):? {_TIME},?){{1,3}}", "CPU times:"),
        _noise(rf"(?m)^(?:Wall|Total|Elapsed|Execution|Run) ?time: ?(?:{_TIME}|{_CLOCK}\b|{_AMOUNT}(?=\s*$))", "ime:"),
        _noise(rf"{_TIME}± {_TIME}per loop \([^()\n]*\)", "per loop"),
        _noise(rf"{_AMOUNT} loops?, best of \d+: {_TIME}per loop", "best of"),
        _noise(
            rf"(?i)\b((?:took|elapsed|finished in|completed in|done in|ran in|runtime)[^\w\n]{{0,3}}){_TIME}",
            *("took", "elapsed", "Elapsed", " in ", "untime", "Took"),
        ),
        _noise(r"\b\d+s \d+(?:\.\d+)?(?:us|ms|s)/(?:step|epoch|sample)", "/step", "/epoch", "/sample"),
    ),
    "addresses": (_noise(r"\bat 0x[0-9a-fA-F]{6,16}\b", "at 0x"),),
    "progress": (
        # The times and the pace alone: what tqdm's users put after them, a loss, is a result.
        _noise(rf"\[{_CLOCK}<(?:{_CLOCK}|\?)(?:, *[\d.?]{{1,12}} ?{_PACE})?(?=[,\]])", "<"),
        _noise(r"(?<=━ )\d+s \d+(?:us|ms|s)/", "━ "),
    ),
    "ids": (
        _noise(_UUID, "-", forms=_PAGE),
        _noise(r"\b[0-9a-f]{32}\b", forms=_PAGE),
        _noise(r"\bT_[0-9a-f]{5,}(?=_|\b)", "T_", forms=_PAGE),
        _noise(r"\bsk-(?:container|estimator)-id-\d+", "sk-", forms=_PAGE),
        _noise(r"(?<=[\"'])p?\d{4,6}(?=[\"'])", "Bokeh", "bokeh", forms=_PAGE),
        _noise(r"(?<=[\"#])[A-Za-z]{1,2}[0-9a-f]{10}(?=[\")])", "<svg", forms=_PAGE),
        _noise(r"<dc:date>[^<]*</dc:date>", "<dc:date>", forms=_PAGE),
    ),
    "paths": (
        _noise(r"/(?:private/)?(?:tmp|var/tmp|var/folders/\w\w/\w+/T)/[\w.+-]+", "/tmp/", "/var/"),
        _noise(r"(?<=<tmp>)/\d+\.py", "<tmp>"),
        _noise(r"(?i)\b[A-Z]:\\Users\\[^\\\s]+\\AppData\\Local\\Temp\\[\w.+-]+", "AppData"),
    ),
    "durations": (_noise(rf"\b{_TIME}"),),
    "dates": (_noise(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"),),
}

#: What is left out unless said otherwise: not "durations" and "dates", which may be what a notebook is about.
DEFAULT = Diff().ignore


@dataclass(frozen=True)
class Noise:
    """The kinds of noise that are left out, and own expressions besides."""

    kinds: tuple[str, ...] = DEFAULT
    patterns: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def of(cls, kinds: Iterable[str], patterns: Iterable[str] = ()) -> Noise:
        """As configured, by the names of `KINDS`, and with expressions as text."""
        return cls(tuple(kinds), tuple(re.compile(pattern) for pattern in patterns))

    def quiet(self, text: str, form: str = "text/plain") -> str:
        """The text without its noise, for comparing: two texts that differ in noise alone become one."""
        if len(text) > _LONGEST:
            return text
        text = self.standing(text)
        for kind in self.kinds:
            for pattern, hints, forms in KINDS[kind]:
                fits = not forms or form.startswith(forms)
                if fits and (not hints or any(hint in text for hint in hints)):
                    text = pattern.sub(_mark(kind), text)
        for own in self.patterns:
            text = own.sub("<ignored>", text)
        return text

    def standing(self, text: str) -> str:
        """The text without what was overwritten on a terminal, where progress is noise."""
        if "progress" not in self.kinds or "\r" not in text:
            return text
        return "\n".join(map(_standing, text.split("\n")))

    def quiet_json(self, value: Any, form: str) -> Any:
        """The same for every text in a JSON value; widgets and plots keep their ids there."""
        if isinstance(value, str):
            return self.quiet(value, form)
        if isinstance(value, Mapping):
            members = [(self.quiet(key, form), self.quiet_json(item, form)) for key, item in value.items()]
            # Several ids that are keys become one name: none of what stands under them may be lost.
            return found if len(found := dict(members)) == len(members) else list(map(list, members))
        return [self.quiet_json(item, form) for item in value] if isinstance(value, list) else value


#: Nothing is left out.
NONE = Noise(())


def _mark(kind: str) -> str:
    """What stands in the place of noise."""
    return {"paths": "<tmp>", "timings": "<time>"}.get(kind, f"<{kind}>")


def _standing(line: str) -> str:
    """What is left of a line on a terminal when all that was overwritten is gone; a short text leaves the rest."""
    found = ""
    for part in line.rstrip("\r").split("\r"):
        found = part if "\x1b" in line else part + found[len(part) :]
    return found
