"""What a credential looks like in a text: detect-secrets' detectors, formats that they lack, and assignments.

Of detect-secrets the detectors of single formats are used and not its scan, which reads files, asks the network
and takes every picture and hash of a notebook for a secret of high entropy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module


@dataclass(frozen=True)
class Match:
    """A credential in a text: what kind it is and where it stands. The value itself never shows."""

    kind: str
    start: int
    end: int
    value: str = field(repr=False)


#: Detectors of detect-secrets, by room and class, what their finds are called, and what a text must hold for them to
#: look at it. Left out are those by entropy, of addresses, and of assignments (slow, and noisy in notebooks), those
#: of single products' own passwords, and those that take time squared on a hostile line.
_THEIRS = (
    ("aws", "AWSKeyDetector", "an AWS key", ("AKIA", "ASIA", "ABIA", "ACCA", "A3T", "aws", "AWS", "Aws")),
    ("azure_storage_key", "AzureStorageKeyDetector", "an Azure storage key", ("AccountKey=",)),
    ("discord", "DiscordBotTokenDetector", "a Discord token", (".",)),
    ("github_token", "GitHubTokenDetector", "a GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
    ("gitlab_token", "GitLabTokenDetector", "a GitLab token", ("gl", "GR")),
    ("mailchimp", "MailchimpDetector", "a Mailchimp key", ("-us",)),
    ("pypi_token", "PypiTokenDetector", "a PyPI token", ("pypi-",)),
    ("sendgrid", "SendGridDetector", "a SendGrid key", ("SG.",)),
    ("slack", "SlackDetector", "a Slack token", ("xox", "XOX", "hooks.slack.com")),
    ("square_oauth", "SquareOAuthDetector", "a Square secret", ("sq0csp-",)),
    ("stripe", "StripeDetector", "a Stripe key", ("k_live_",)),
    ("telegram_token", "TelegramBotTokenDetector", "a Telegram token", (":",)),
    ("twilio", "TwilioKeyDetector", "a Twilio key", ("AC", "SK")),
)
#: Formats without a mark of their own: within a longer word, as in base64 or a DNA sequence, they are chance.
_WORDS = frozenset({"an AWS key", "a Mailchimp key", "a Telegram token", "a Twilio key", "a Discord token"})

#: Formats that came after detect-secrets' last release, or that notebooks use most, as their makers document them;
#: and private keys, whose value goes on to the end mark, so that two keys are two values.
_OURS = tuple(
    (kind, mark, re.compile(pattern))
    for kind, mark, pattern in (
        (
            "a private key",
            "PRIVATE KEY",
            r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}(?:(?!-{4,5} ?(?:END|BEGIN) )[^\0]){0,8000}",
        ),
        ("a private key", "PuTTY-User-Key-File-", r"PuTTY-User-Key-File-\d:[^\0]{0,8000}"),
        ("a GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{36,255}"),
        ("an Anthropic key", "sk-ant-", r"sk-ant-[a-z0-9]+-[A-Za-z0-9_-]{24,}"),
        ("an OpenAI key", "T3BlbkFJ", r"(?<![\w-])sk-[A-Za-z0-9_-]{16,200}?T3BlbkFJ[A-Za-z0-9_-]{16,}"),
        ("an OpenAI key", "sk-", r"(?<![\w-])sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{32,}"),
        ("a Hugging Face token", "hf_", r"\bhf_[A-Za-z0-9]{30,40}\b"),
        ("a Google API key", "AIza", r"\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
        ("a Google secret", "GOCSPX-", r"\bGOCSPX-[A-Za-z0-9_-]{28}"),
        ("a Google access token", "ya29.", r"\bya29\.[A-Za-z0-9_-]{30,}"),
        ("a Databricks token", "dapi", r"\bdapi[a-f0-9]{32}(?:-\d)?\b"),
        ("a Groq key", "gsk_", r"\bgsk_[A-Za-z0-9]{48,}"),
        ("a Replicate token", "r8_", r"\br8_[A-Za-z0-9]{37}\b"),
        ("a Docker token", "dckr_", r"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}"),
        ("a DigitalOcean token", "_v1_", r"\bdo[opr]_v1_[a-f0-9]{64}\b"),
        ("an npm token", "_authToken", r"_authToken ?= ?[A-Za-z0-9_-]{36,}"),
        ("an npm token", "npm_", r"\bnpm_[A-Za-z0-9]{36}\b"),
        ("a Slack token", "xapp-", r"\bxapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{32,}"),
        ("a Stripe key", "k_test_", r"\b(?:sk|rk)_test_[A-Za-z0-9]{24,}"),
        (
            "a Kaggle key",
            "username",
            r"[\"']username[\"']\s*:\s*[\"'][^\"'\n]+[\"']\s*,\s*[\"']key[\"']\s*:\s*[\"'][0-9a-f]{32}\b",
        ),
    )
)

#: A header and a payload, both objects of JSON, and a signature.
_WEB_TOKEN = re.compile(r"(?<![\w-])eyJ[\w-]{8,4000}={0,2}\.eyJ[\w-]{8,16000}={0,2}(?:\.[\w+/-]*={0,2})?")
_URL = re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"<>\\{}]*:([^\s/@'\"<>\\]{3,200})@(?=[\w\[{%$.-])", re.IGNORECASE)
_BEARER = re.compile(r"\b(?:Bearer|Basic) +([A-Za-z0-9._~+/-]{20,}=*)")

#: A name that promises a password, then one that promises a key.
_PASSWORD = r"pass(?:word|wd|phrase|wort)|(?<![a-z])pass(?![a-z])|pwd|contraseña|kennwort"
_KEY = (
    r"secret|api_?key|access_?key|auth_?key|account_?key|service_?key|storage_?key|private_?key|encryption_?key"
    r"|signing_?key|(?<![a-z])token(?![a-z])|(?:auth|access|bearer|refresh|api|bot|session)token|credentials?"
)
_NAME = re.compile(rf"(?:(?P<password>{_PASSWORD})|(?P<key>{_KEY}))[\w-]*", re.IGNORECASE)
_LONGEST = 500
#: What a line has in lower case if it has such a name.
_ROOTS = ("pass", "pwd", "contrase", "kennwort", "secret", "key", "token", "credential")
#: `name = "…"`, also annotated, as a key of an object, compared, or as two arguments; quotes may be escaped.
_ASSIGNED = re.compile(
    r"(?:\\*[\"'])?\]?\s{0,4}"
    r"(?::\s{0,4}[A-Za-z_][\w.\[\] |]{0,40}=|:=|=>|={1,3}|!==?|[:,])\s{0,4}"
    r"\(?[rbufRBUF]{0,2}(?P<open>\\*(?:\"\"\"|'''|[\"']))(?P<value>[^\n\0]{6,200}?)(?P=open)"
)
#: `export NAME=…`, `%env NAME=…`: without quotes.
_EXPORTED = re.compile(
    r"[ \t]*(?:!\s*export|export|%(?:set_)?env|ENV|set)\s+(?P<name>\w+)[= ](?P<value>[^\s\"'\0]{6,200})"
)
#: The name of a name: what stands under `secret_name` is none.
_POINTS = re.compile(
    r"(?:[_-]?(?:name|names|id|ids|file|filename|path|url|uri|field|column|col|env|var|variable|type|label|prompt|hash"
    r"|prefix|length|len|size|policy|arn|ref|version|sha\d*|md5|digest|placeholder|hint|message|error|required|index"
    r"|manager|store|scope|vault|provider|class|format|help|text|title|count))$",
    re.IGNORECASE,
)
#: What stands for a credential where nothing else is said: words of these alone, signs between them.
_BLANKS = frozenset(
    """
    my your the this some a an any db user test testing demo dummy sample fake example examples new old default super
    very strong secure real actual valid invalid wrong correct here goes change changeme me it put enter insert add fill
    in set use with own from for of to is required placeholder redacted removed hidden masked todo tbd none null true
    false string value admin root guest azure aws openai google github hf hugging face password passwd passphrase pwd
    pass secret secrets token tokens key keys api access account auth authentication client service private public
    storage credential credentials username name login id
    """.split()
)
_LONGEST_BLANK = max(map(len, _BLANKS))
_SIGNS = re.compile(r"[\W_]+")
#: What stands for a value: a variable, a template, a call, an ellipsis, a row of one sign, "your…".
_STANDS_FOR = re.compile(
    r"(?:[Ee]nter|ENTER|[Ii]nsert|INSERT|[Pp]aste)?[\W_]*(?:YOUR|Your|your)[\W_A-Z].*"
    r"|[<{\[(].*[>}\])]|[$%](?:[({].*|[A-Z_][A-Z0-9_]*%?|[a-z_]+)|.*(?:\$\{|\{\{).*"
    r"|.*(?:\.\.\.|…|\*\*\*|xxxx|XXXX|<[a-z_ -]+>).*|(.)\1*"
)


def matches(text: str) -> list[Match]:
    """The credentials in a text, first the surer ones; no two overlap. A NUL separates what is not one text."""
    found = []
    taken = bytearray(len(text))
    for detect in (_formats, _urls, _assignments):
        for match in detect(text):
            if taken.find(1, match.start, match.end) < 0:
                taken[match.start : match.end] = b"\1" * (match.end - match.start)
                found.append(match)
    return found


def named(name: str, text: str) -> list[Match]:
    """The whole text, where the name that it stands under says that it is a credential."""
    word = _NAME.search(name) if len(text) <= _LONGEST else None
    if word is None or not _is_secret(name, word, text):
        return []
    return [Match(_kind(word), 0, len(text), text)]


def _formats(text: str) -> Iterator[Match]:
    for kind, mark, pattern in _OURS:
        for found in pattern.finditer(text) if mark in text else ():
            yield from _unless_blank(Match(kind, found.start(), found.end(), found[0]))
    for kind, marks, patterns in _theirs():
        if any(mark in text for mark in marks):
            yield from (match for pattern in patterns for match in _found(kind, pattern, text))
    for found in _WEB_TOKEN.finditer(text) if ".eyJ" in text else ():
        yield from _unless_blank(Match("a JSON web token", found.start(), found.end(), found[0]))


def _found(kind: str, pattern: re.Pattern[str], text: str) -> Iterator[Match]:
    for found in pattern.finditer(text):
        # Some group the value, others its prefix only, which would make all tokens of a maker one value.
        group = 1 if found.re.groups and len(found[1] or "") >= 16 else 0
        start, end = found.span(group)
        if kind not in _WORDS or not _is_within_word(text, start, end):
            yield from _unless_blank(Match(kind, start, end, found[group]))


def _is_within_word(text: str, start: int, end: int) -> bool:
    beside = (text[max(start - 1, 0) : start], text[end : end + 1])
    return any(sign.isascii() and (sign.isalnum() or sign == "+") for sign in beside)


@cache
def _theirs() -> tuple[tuple[str, tuple[str, ...], tuple[re.Pattern[str], ...]], ...]:
    """detect-secrets' patterns, imported when the first text is looked at."""
    return tuple(
        (kind, marks, tuple(getattr(import_module(f"detect_secrets.plugins.{room}"), name).denylist))
        for room, name, kind, marks in _THEIRS
    )


def _unless_blank(match: Match) -> Iterator[Match]:
    """A match, unless it is a row of one sign, as documentation writes it."""
    if not re.search(r"([xX*.])\1{11,}", match.value):
        yield match


def _urls(text: str) -> Iterator[Match]:
    for start, end in _lines_with(text, ("://",)):
        for found in _URL.finditer(text, start, end):
            if not is_blank(found[1]):
                yield Match("a password in a URL", found.start(1), found.end(1), found[1])
    for start, end in _lines_with(text, ("Bearer ", "Basic ")):
        for found in _BEARER.finditer(text, start, end):
            if _is_random(found[1]) and not is_blank(found[1]):
                yield Match("a token in a header", found.start(1), found.end(1), found[1])


def _assignments(text: str) -> Iterator[Match]:
    for start, end in _lines_with(_lowered(text), _ROOTS):
        for word in _NAME.finditer(text, start, end):
            found = _ASSIGNED.match(text, word.end())
            if found and _is_secret(word[0], word, found["value"]):
                yield Match(_kind(word), found.start("value"), found.end("value"), found["value"])
        exported = _EXPORTED.match(text, start, end)
        word_of = exported and _NAME.search(exported["name"])
        if exported and word_of and _is_secret(exported["name"], word_of, exported["value"]):
            yield Match(_kind(word_of), exported.start("value"), exported.end("value"), exported["value"])


def _lines_with(text: str, marks: Iterable[str]) -> list[tuple[int, int]]:
    """Where the lines of a text that hold one of `marks` begin and end, in order: few, so that the rest is cheap."""
    found = set()
    for mark in marks:
        at = text.find(mark)
        while at >= 0:
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            found.add((text.rfind("\n", 0, at) + 1, end))
            at = text.find(mark, end)
    return sorted(found)


def _lowered(text: str) -> str:
    """The text in lower case, every sign at its place (one Turkish letter would become two)."""
    return text.replace("\u0130", "I").lower()


def _kind(word: re.Match[str]) -> str:
    return "a password" if word["password"] else "a key"


def _is_secret(name: str, word: re.Match[str], value: str) -> bool:
    if len(value) < 6 or _POINTS.search(name) or is_blank(value):
        return False
    return _is_sayable(value) if word["password"] else _is_random(value)


def _is_sayable(value: str) -> bool:
    """Whether a text can be a password, also one of some words, and not a sentence about one."""
    words = value.split()
    return len(words) == 1 or (len(words) <= 6 and value[-1] not in ".:?!…,;")


def _is_random(value: str) -> bool:
    """Whether a text looks made by a machine: of some length, no words, letters and digits mixed."""
    if len(value) < 12 or re.search(r"[\s(){}<>]", value):
        return False
    return len(re.findall(r"\d", value)) >= 2 and bool(re.search(r"[A-Za-z]", value))


def is_blank(value: str) -> bool:
    """Whether a text only stands for a credential: `your-password`, `${TOKEN}`, `<secret>`, `xxxxxx`."""
    return bool(_STANDS_FOR.fullmatch(value)) or _says_nothing(value)


def _says_nothing(value: str) -> bool:
    """Whether there are only words that stand for something, also written as one, and up to four digits at the end."""
    parts = [part for part in _SIGNS.split(value.lower()) if part]
    if parts:
        parts[-1] = re.sub(r"\d{1,4}$", "", parts[-1])
    words = [part for part in parts if part]
    return bool(words) and all(map(_is_of_words, words))


def _is_of_words(text: str) -> bool:
    """Whether a text is one of the words or several in a row; each place is looked at once, by however many ways."""
    reached = {0}
    for start in range(len(text)):
        if start in reached:
            ends = range(start + 1, min(len(text), start + _LONGEST_BLANK) + 1)
            reached |= {end for end in ends if text[start:end] in _BLANKS}
    return len(text) in reached
