"""Which forge a remote's URL means: by its name where that is known, else by what answers there without a token."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from nbpr import redaction
from nbpr.errors import BadInput, NbprError, OutOfReach
from nbpr.forges.answer import Answer
from nbpr.forges.http import Client, NoApi
from nbpr.tokens import Kind

#: Hosts that are known without asking, by the end of their names.
KNOWN: dict[str, Kind] = {"github.com": "github", "ghe.com": "github", "codeberg.org": "gitea", "gitea.com": "gitea"}

#: Hosts of forges that we have no room for; they are not even asked.
OTHERS = ("gitlab.com", "bitbucket.org", "dev.azure.com", "visualstudio.com", "sr.ht", "launchpad.net")

#: The hint for a remote whose forge is not plain.
OPTIONS = (
    'name the forge in [tool.nbpr]: forge = "gitea" or "github", and forge-url = "https://HOST/…" if its web address '
    'is another one; forge = "local" keeps pull requests in git itself'
)


#: How a remote's URL may begin to be on a forge.
SCHEMES = "http https ssh git git+ssh ssh+git".split()


@dataclass(frozen=True)
class Address:
    """A repository on a forge: the forge's web address without a slash at its end, owner and name."""

    root: str
    owner: str
    repo: str

    @property
    def host(self) -> str:
        """The host's name, without a port."""
        return urlsplit(self.root).hostname or ""

    @property
    def name(self) -> str:
        """`owner/name`, for messages."""
        return f"{self.owner}/{self.repo}"


def parse(url: str) -> Address:
    """The repository that a remote's URL means: https, http, ssh, git, or as scp writes it.

    The port of an ssh URL is not the web's and is left out. Raises `BadInput` for what names no host or no owner.
    """
    scheme, host, path = _split(url)
    parts = [unquote(part) for part in path.strip("/").removesuffix(".git").split("/") if part]
    if not host or len(parts) < 2:
        raise BadInput(f"the remote {redaction.text(url)} names no repository on a forge", hint=OPTIONS)
    *folder, owner, repo = parts
    if scheme not in ("http", "https"):
        scheme, host = "https", re.sub(r"(?<=[^:]):\d+$|(?<=\]):\d+$", "", host)
    host = "github.com" if host == "ssh.github.com" else host
    return Address("/".join([f"{scheme}://{host}", *folder]), owner, repo)


def settled(url: str, forge_url: str | None) -> Address:
    """The same, at the web address that is configured, if one is."""
    address = parse(url)
    if forge_url is None:
        return address
    if urlsplit(forge_url).scheme not in ("http", "https") or not urlsplit(forge_url).hostname:
        raise BadInput(f"forge-url {redaction.text(forge_url)!r}: wanted is https://HOST/…")
    return Address(forge_url.rstrip("/"), address.owner, address.repo)


def kind_of(address: Address, ca_file: str | None = None) -> tuple[Kind, Address]:
    """Which kind of forge an address is on, and the address with the root that answered. Asks without a token.

    Raises `BadInput`, with the options, for a host that is none of ours, `OutOfReach` where nothing answers.
    """
    known = next((kind for end, kind in KNOWN.items() if _is_below(address.host, end)), None)
    if known is not None:
        return known, address
    if any(_is_below(address.host, other) for other in OTHERS):
        raise _unknown(address, "is no forge that nbpr speaks to")
    trouble: NbprError | None = None
    for root in _roots(address.root):
        try:
            kind = _asked(root, ca_file)
        except OutOfReach as error:
            trouble = error
            continue
        if kind is not None:
            return kind, Address(root, address.owner, address.repo)
    if trouble is not None:
        raise OutOfReach(f"which forge runs at {address.root} cannot be told: {trouble.message}", hint=OPTIONS)
    raise _unknown(address, "answers neither as Gitea or Forgejo nor as GitHub")


def _unknown(address: Address, why: str) -> BadInput:
    return BadInput(f"the remote's host {urlsplit(address.root).netloc} {why}; no pull request was made", hint=OPTIONS)


def _split(url: str) -> tuple[str, str, str]:
    """Scheme, host with its port, path."""
    if "://" in url:
        try:
            parts = urlsplit(url)
        except ValueError:
            return "", "", ""
        if parts.scheme not in SCHEMES:
            return "", "", ""
        return parts.scheme, parts.netloc.rpartition("@")[2].lower(), parts.path
    scp = re.fullmatch(r"(?:[^@/\[]*@)?(\[[^\]]+\]|[^/:@\[]+):(.*)", url, re.DOTALL)
    if scp is None:
        return "", "", ""
    host = scp.group(1)
    if host.startswith("[") and host.count(":") < 2:  # git's [user@host:port]:path
        host = host[1:-1].rpartition("@")[2]
    return "ssh", host.lower(), scp.group(2)


def _is_below(host: str, end: str) -> bool:
    return host == end or host.endswith("." + end)


def _roots(root: str) -> Iterator[str]:
    """Where the forge may be: below the whole path, which ssh URLs do not always have, or at the host itself."""
    yield root
    bare = "://".join(urlsplit(root)[:2])
    if bare != root:
        yield bare


def _asked(root: str, ca_file: str | None) -> Kind | None:
    """What answers at a root: Gitea and Forgejo tell their version, GitHub Enterprise Server its own."""
    client = Client(root, "gitea", ca_file=ca_file)
    try:
        version = _told(client, "/api/v1/version")
        wants_login = version.status == 403 and "signed in user" in version.message
        if (version.status == 200 and isinstance(version.data, dict) and "version" in version.data) or wants_login:
            return "gitea"
        meta = _told(client, "/api/v3/meta")
        if "x-github-enterprise-version" in meta.headers or "x-github-request-id" in meta.headers:
            return "github"
        has_version = isinstance(meta.data, dict) and "installed_version" in meta.data
        return "github" if meta.status == 200 and has_version else None
    finally:
        client.close()


def _told(client: Client, path: str) -> Answer:
    """What is said there; a web page, as some servers have for every address, says nothing."""
    try:
        return client.get(path, accept=range(200, 500))
    except NoApi:
        return Answer(404)
