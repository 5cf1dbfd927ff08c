"""Handing a token to git, so that it stands in no URL, argument list, configuration or file.

Git asks a credential helper of ours, for the token's host only, and the helper reads from a pipe that git's children
inherit. A line is there for each time that git may ask; what git would store or erase, the helper does not hear.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbpr import redaction

if TYPE_CHECKING:
    from nbpr.tokens import Token

#: How often git may ask in one call: its transport asks once, Git LFS once for each process of its own.
ASKED = 8

#: A pipe takes this much without a reader on every system.
_PIPE = 4096

#: The user name where none came with the token: GitHub wants this one, Gitea takes any.
LOGIN = "x-access-token"

#: What keeps git and its helpers from asking a person, beside `GIT_TERMINAL_PROMPT`.
UNASKED = {"GIT_ASKPASS": "", "SSH_ASKPASS": "", "GCM_INTERACTIVE": "never", "GCM_GUI_PROMPT": "0"}

#: How long, in seconds, git's helpers may think: one may wait for a key ring that nobody opens.
PATIENCE = 20.0


@dataclass(frozen=True)
class Handover:
    """What a git call needs to have a token: further `-c` settings, and descriptors that it inherits."""

    settings: tuple[str, ...] = ()
    descriptors: tuple[int, ...] = ()


@contextmanager
def handed_over(token: Token | None) -> Iterator[Handover]:
    """What gives git `token` for its host, during one call.

    Nothing where there is none, or where git's own helper gave it: git asks that one itself, and tells it whether
    the token was any good.
    """
    if token is None or token.is_gits_own:
        yield Handover()
        return
    reading, writing = os.pipe()
    try:
        try:
            os.write(writing, _answers(token))
        finally:
            os.close(writing)
        section = f"credential.{token.scheme}://{token.host}"
        # The empty one makes git forget the helpers that it was told of so far, the user's for this host.
        yield Handover((f"{section}.helper=", f"{section}.helper={_helper(reading)}"), (reading,))
    finally:
        os.close(reading)


def in_address(url: str) -> Token | None:
    """The user name and password that stand in a web address; None for none, or for one that a pipe cannot carry."""
    if not url.lower().startswith(("http://", "https://")) or "@" not in url:
        return None
    from urllib.parse import unquote, urlsplit

    from nbpr.tokens import Token, host_of

    parts = urlsplit(url)
    login, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (login and password) or not f"{login}{password}".isprintable() or " " in password:
        return None
    return Token(password, host_of(url), "the remote's URL", parts.scheme.lower(), login)


def settings_in_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Environment variables that make settings for a git call, from git 2.31 on: no other user sees them there."""
    found = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings.items()):
        found |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def question(url: str) -> bytes:
    """What `git credential fill` reads, for a web address."""
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    asked = {"protocol": parts.scheme, "host": host, "path": unquote(parts.path.lstrip("/"))}
    if parts.username:
        asked["username"] = unquote(parts.username)
    # A line break in a value would be a line of its own, about another host.
    return "".join(f"{key}={value}\n" for key, value in asked.items() if value.isprintable()).encode() + b"\n"


def answer(said: bytes) -> tuple[str, str] | None:
    """User name and password that `git credential fill` said, or None."""
    lines = said.decode("utf-8", "replace").splitlines()
    found = {key: value for key, _, value in (line.partition("=") for line in lines)}
    password = found.get("password")
    if not password:
        return None
    redaction.know(password)
    return found.get("username", ""), password


def _answers(token: Token) -> bytes:
    """One line for each time that git asks: the token, which has no spaces in it, a space, the user name."""
    line = f"{token.value} {token.login or LOGIN}\n".encode()
    return line * max(1, min(ASKED, _PIPE // len(line)))


def _helper(descriptor: int) -> str:
    """The shell's words for a helper that reads a line from `descriptor`; they are seen in argument lists.

    It goes by a path, as dash duplicates descriptors of one digit only. `read` takes no more from a pipe than its
    line. The token goes from one builtin of the shell to another, never into an argument list.
    """
    answer = r"""printf 'username=%s\npassword=%s\n' "$u" "$p" """.strip()
    return f'!f() {{ test "$1" = get && IFS=" " read -r p u </dev/fd/{descriptor} && {answer}; }}; f'
