"""Finding a fork and making one, which Gitea and GitHub are asked for alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbpr.errors import OutOfReach
from nbpr.forges.http import Client, part

#: How long a server may take to copy the repository, in seconds of waiting.
_COPYING = (1, 2, 4, 8, 16, 30, 30)


def fork(client: Client, repo: str, login: str, size: Mapping[str, int], *, make: bool) -> str | None:
    """`owner/name` of the fork of `repo` that `login` has, or None. `size` is the parameter for a page of a list.

    With `make` one is made where there is none, under another name where theirs has that name already; None then
    means that the server refuses.
    """
    found = _of(client, repo, login, size)
    if found is not None or not make:
        return found
    owner, name = repo.split("/")
    for body in ({}, {"name": f"{owner}-{name}"}):
        answer = client.write(
            "POST",
            f"{_at(repo)}/forks",
            body,
            accept=(202, 403, 404, 409, 422),
            lookup=lambda: _there(client, repo, login, size),
        )
        if answer.status == 202:
            return _ready(client, str(answer.data["full_name"]))
        if answer.status != 409:
            return None
        # Another command of ours may have made it meanwhile; under the other name it would be a second one.
        found = _of(client, repo, login, size)
        if found is not None:
            return found
    return None


def _of(client: Client, repo: str, login: str, size: Mapping[str, int]) -> str | None:
    owner, name = repo.split("/")
    if owner == login:
        return None
    same = client.get(_at(f"{login}/{name}"), accept=(200, 404))
    if same.status == 200 and _is_fork(same.data, repo):
        return str(same.data["full_name"])
    (parameter, most), *_ = size.items()
    listed = client.pages(f"{_at(repo)}/forks", parameter, most)  # theirs may have another name
    return next((str(one["full_name"]) for one in listed if one["owner"]["login"] == login), None)


def _there(client: Client, repo: str, login: str, size: Mapping[str, int]) -> Any:
    name = _of(client, repo, login, size)
    return None if name is None else {"full_name": name}


def _is_fork(data: Mapping[str, Any], repo: str) -> bool:
    return bool(data.get("fork")) and (data.get("parent") or {}).get("full_name") == repo


def _ready(client: Client, name: str) -> str:
    """Its name, once its branches are there: the server copies them after it has answered."""
    for wait in (*_COPYING, None):
        branches = client.get(f"{_at(name)}/branches", accept=(200, 404, 409))
        if branches.status == 200 and branches.data:
            return name
        if wait is None:
            break
        client.rest(wait)
    raise OutOfReach(f"{client.host} has not made the fork {name} yet", hint="run the same command again later")


def _at(repo: str) -> str:
    return "/repos/" + "/".join(part(name) for name in repo.split("/"))
