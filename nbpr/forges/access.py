"""Access to a forge on a server: the token that is for it, and the API that it opens."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from nbpr import tokens
from nbpr.config import Config
from nbpr.errors import NotAllowed
from nbpr.forges import choice
from nbpr.forges.api import Api
from nbpr.forges.choice import Address
from nbpr.forges.http import Client
from nbpr.git.repository import Repository
from nbpr.tokens import Kind, Token


def token(
    repository: Repository,
    config: Config,
    address: Address,
    kind: Kind,
    remote_url: str,
    environ: Mapping[str, str] = os.environ,
) -> Token:
    """The token for a repository on a forge.

    A token file, and git's credentials, which helpers may give to whoever asks, go to no host that only the
    repository's settings name: those came from somebody else. Raises `NotAllowed` then, and where there is no token.
    """
    url = f"{address.root}/{address.owner}/{address.repo}"
    ours, host = environ.get("NBPR_FORGE_URL", ""), tokens.host_of(address.root)
    said = bool(ours) and tokens.host_of(ours) == host
    is_trusted = said or _is_of_remote(address, remote_url)
    confirm = f"if {host} is right: NBPR_FORGE_URL={address.root}"
    if config.token_file and not is_trusted:
        message = f"the token file is for the remote's host, and forge-url names another one: {host}"
        raise NotAllowed(message, hint=confirm)
    found = tokens.find(
        url,
        kind,
        environ,
        Path(config.token_file).expanduser() if config.token_file else None,
        repository.credential if is_trusted else None,
        allow_http=said and ours.lower().startswith("http://"),
    )
    if found is None:
        raise NotAllowed(
            f"there is no token for {host}: {tokens.absent(url, environ)}",
            hint=f"docs/forges.md says how to make one; --token-file or {_variable(kind, address)} says it"
            if is_trusted
            else f"git's credentials are for the remote's host, and forge-url names another one; {confirm}",
        )
    return found


def _is_of_remote(address: Address, remote_url: str) -> bool:
    """Whether an address is on the remote's own host, by its port too where the remote's URL is one of the web."""
    remote = choice.parse(remote_url)
    if remote_url.lower().startswith(("http://", "https://")):
        return tokens.host_of(remote.root) == tokens.host_of(address.root)
    return remote.host == address.host


def api(address: Address, kind: Kind, found: Token | None, ca_file: str | None = None) -> Api:
    """What speaks to the server."""
    if kind == "gitea":
        from nbpr.forges.gitea import GiteaApi

        return GiteaApi(Client(f"{address.root}/api/v1", kind, found, ca_file=ca_file), address)
    from nbpr.forges.github import HEADERS, GithubApi, api_root

    return GithubApi(Client(api_root(address), kind, found, headers=HEADERS, ca_file=ca_file), address)


def _variable(kind: Kind, address: Address) -> str:
    if kind == "gitea":
        return "GITEA_TOKEN with GITEA_SERVER_URL"
    return "GH_TOKEN" if tokens.host_of(address.root) == "github.com" else "GH_ENTERPRISE_TOKEN with GH_HOST"
