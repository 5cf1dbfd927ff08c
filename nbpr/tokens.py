"""Tokens, each bound to one host: where they are looked for, and for which server each of them is.

A token is never sent to a host that nothing of the user's own names for it: not by the settings of a repository,
which came from somebody else, nor by a redirect. `GH_TOKEN` and its kin never go to a Gitea, `GITEA_TOKEN` never to a
GitHub.
"""

from __future__ import annotations

import os
import stat
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from nbpr import process, redaction
from nbpr.errors import BadInput, NotAllowed

Kind = Literal["gitea", "github"]

#: What `Token.source` says of one that git's credential helpers gave.
HELPER = "git's credential helper"

#: A token is no longer than this: it must fit into a pipe.
_LARGEST = 4000


@dataclass(frozen=True)
class Token:
    """A token and the one server that may see it.

    `host` is as `host_of` has it, `source` says where the token was found, `login` is the user name that came with
    it from a credential helper, and `warning` is a line for people about how it is kept.
    """

    value: str = field(repr=False)
    host: str
    source: str
    scheme: str = "https"
    login: str | None = None
    warning: str | None = None

    def is_for(self, url: str) -> bool:
        """Whether a request to `url` may carry it: the same scheme, host and port. Ask for every request, redirects
        above all.
        """
        return urlsplit(url).scheme.lower() == self.scheme and host_of(url) == self.host

    @property
    def is_gits_own(self) -> bool:
        """Whether git's own credential helpers gave it, and will again."""
        return self.source == HELPER

    def authorization(self, kind: Kind) -> str:
        """The value of the `Authorization` header, which is known to the redaction.

        Raises `BadInput` for a password of a credential helper that no such header can hold.
        """
        if kind == "gitea" and self.login:  # it may be a password, which Gitea takes in this form only
            return "Basic " + b64encode(f"{self.login}:{self.value}".encode()).decode()
        if not self.value.isascii():
            raise BadInput(
                f"{self.source}: no token, since not all of it is ASCII",
                hint="have it keep a token in place of the password (docs/tokens.md)",
            )
        return f"Bearer {self.value}" if kind == "github" else f"token {self.value}"


def find(
    url: str,
    kind: Kind,
    environ: Mapping[str, str] = os.environ,
    token_file: Path | None = None,
    credentials: Callable[[str], tuple[str, str] | None] | None = None,
    *,
    allow_http: bool = False,
) -> Token | None:
    """The token for the forge at `url`, its web address (https://github.com/owner/name, https://host:3000/sub/path).

    Looked for in this order: `token_file`, `NBPR_TOKEN` (with `NBPR_FORGE_URL`), the variables of the kind of forge,
    and `credentials`, which is asked with the URL and answers with user name and password (`Repository.credential`).
    None where there is none for this host; `absent` then says why. What is found is known to the redaction, and this
    process is guarded (`process.guard`).

    Raises `BadInput` for a token file that cannot be read, a token with white space in it, and `NBPR_TOKEN` without
    `NBPR_FORGE_URL`; `NotAllowed` where a token would go over plain http to another machine.
    """
    host = host_of(url)
    found = _first(url, host, kind, environ, token_file, credentials)
    if found is None:
        return None
    scheme = urlsplit(url).scheme.lower()
    if scheme != "https" and not (allow_http or is_loopback(host)):
        raise NotAllowed(
            f"{scheme}://{host}: a token is not sent over a connection that others can read",
            hint="use the server's https address",
        )
    redaction.know(found.value)
    process.guard()
    return Token(found.value, host, found.source, scheme, found.login, found.warning)


def absent(url: str, environ: Mapping[str, str] = os.environ) -> str:
    """Why there is no token for `url`, in half a line: which variables are set, and for which host each of them is."""
    host = host_of(url)
    others = [
        f"{name} is for {bound}" if bound else f"{name} is for no host yet ({_BINDING[name]})"
        for name, bound in _bound(environ)
        if bound != host
    ]
    return "; ".join(others) or f"none of {', '.join(process.TOKEN_VARIABLES[:5])} is set, nor a credential helper"


def host_of(url: str) -> str:
    """The host of a web address, in the one way of writing it: lower case, IDNA, with any port but the usual one.

    GitHub's API is the same server as its pages. Raises `BadInput` for what is no http or https address.
    """
    parts = _split(url)
    name = _ascii(parts.hostname or "")
    name = _SAME_SERVER.get(name, name)
    if name.startswith("api.") and name.endswith(".ghe.com"):
        name = name.removeprefix("api.")
    if not name:
        raise BadInput(f"{redaction.text(url)}: not an address of a forge", hint="wanted is https://HOST/…")
    port = None if parts.port == _USUAL_PORTS[parts.scheme] else parts.port
    name = f"[{name}]" if ":" in name else name
    return name if port is None else f"{name}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a host (as `host_of` has it) is this machine."""
    name = host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


_SAME_SERVER = {"api.github.com": "github.com", "uploads.github.com": "github.com", "www.github.com": "github.com"}
_USUAL_PORTS = {"https": 443, "http": 80}

#: What would say for which host a variable is.
_BINDING = {
    "NBPR_TOKEN": "set NBPR_FORGE_URL=https://HOST",
    "GITEA_TOKEN": "set GITEA_SERVER_URL=https://HOST",
    "FORGEJO_TOKEN": "set GITEA_SERVER_URL=https://HOST",
    "GH_ENTERPRISE_TOKEN": "set GH_HOST=HOST",
    "GITHUB_ENTERPRISE_TOKEN": "set GH_HOST=HOST",
    "GITHUB_TOKEN": "set GITHUB_SERVER_URL=https://HOST",
}


@dataclass(frozen=True)
class _Found:
    value: str = field(repr=False)
    source: str
    login: str | None = None
    warning: str | None = None


def _first(
    url: str,
    host: str,
    kind: Kind,
    environ: Mapping[str, str],
    token_file: Path | None,
    credentials: Callable[[str], tuple[str, str] | None] | None,
) -> _Found | None:
    if token_file is not None:
        return _from_file(token_file)
    if environ.get("NBPR_TOKEN") and not environ.get("NBPR_FORGE_URL"):
        raise BadInput("NBPR_TOKEN is for no host yet", hint=f"say which: NBPR_FORGE_URL=https://{host}")
    for name, bound in _bound(environ):
        if bound == host and _is_of(name, kind, environ):
            return _Found(_checked(environ[name], name), name)
    given = credentials(url) if credentials else None
    if given is None:
        return None
    login, password = given
    return _Found(_checked(password, HELPER, spaces=True), HELPER, login or None)


def _bound(environ: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """The variables with a token that are set, in the order that they are asked, and the host that each is for."""
    of_actions = _host(environ.get("GITHUB_SERVER_URL"))
    own = _host(environ.get("NBPR_FORGE_URL"))
    gitea = _host(environ.get("GITEA_SERVER_URL")) or (of_actions if _in_gitea_actions(environ) else own)
    enterprise = _host(environ.get("GH_HOST"))
    hosts = {
        "NBPR_TOKEN": own,
        "GITEA_TOKEN": gitea,
        "FORGEJO_TOKEN": gitea,
        "GH_TOKEN": "github.com",
        "GITHUB_TOKEN": of_actions if _in_actions(environ) else "github.com",
        "GH_ENTERPRISE_TOKEN": enterprise,
        "GITHUB_ENTERPRISE_TOKEN": enterprise,
    }
    for name, host in hosts.items():
        if environ.get(name):
            yield name, host


def _is_of(name: str, kind: Kind, environ: Mapping[str, str]) -> bool:
    """Whether a variable's token is one of this kind of forge."""
    if name == "NBPR_TOKEN":
        return True
    if name == "GITHUB_TOKEN" and _in_actions(environ):
        return kind == ("gitea" if _in_gitea_actions(environ) else "github")
    return kind == ("gitea" if name in ("GITEA_TOKEN", "FORGEJO_TOKEN") else "github")


def _in_actions(environ: Mapping[str, str]) -> bool:
    return environ.get("GITHUB_ACTIONS") == "true" or _in_gitea_actions(environ)


def _in_gitea_actions(environ: Mapping[str, str]) -> bool:
    return "true" in (environ.get("GITEA_ACTIONS"), environ.get("FORGEJO_ACTIONS"))


def _host(address: str | None) -> str | None:
    """The host of an address, or of a bare host name as `GH_HOST` holds it; None for nothing."""
    if not address:
        return None
    return host_of(address if "://" in address else f"https://{address}")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in _USUAL_PORTS:
        raise BadInput(f"{redaction.text(url)}: not an address of a forge", hint="wanted is https://HOST/…")
    return parts


def _ascii(name: str) -> str:
    """A host name in lower case and ASCII, so that two names that look alike are told apart."""
    name = name.rstrip(".").lower()
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return ""


def _from_file(path: Path) -> _Found:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(_LARGEST + 3)
        text = data.decode()
    except OSError as error:
        raise BadInput(f"{path}: the token file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: the token file is not text") from None
    others = stat.S_ISREG(status.st_mode) and status.st_mode & (stat.S_IRGRP | stat.S_IROTH)
    warning = f"{path}: others on this machine can read the token (chmod 600 mends it)" if others else None
    value = text.removesuffix("\n").removesuffix("\r")
    if not value:
        raise BadInput(f"{path}: the token file is empty")
    return _Found(_checked(value, str(path)), str(path), warning=warning)


def _checked(value: str, source: str, *, spaces: bool = False) -> str:
    """The token itself. Raises `BadInput`, without it, for what no token is: it would break out of a header line."""
    redaction.know(value)
    if not value.isprintable() or not (spaces or (value.isascii() and " " not in value)):
        mend = "write it without quotes, line breaks and spaces around it"
        raise BadInput(f"{source}: the token has white space or control characters in it", hint=mend)
    if len(value) < redaction.SHORTEST:
        raise BadInput(f"{source}: too short to be a token")
    if len(value) > _LARGEST:
        raise BadInput(f"{source}: too long to be a token")
    return value
