"""How Gitea and GitHub show people, texts, comments and statuses: the same in both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbpr.forges.api import Said
from nbpr.forges.pullrequest import Comment
from nbpr.forges.status import Status


def login(user: Any) -> str:
    """Somebody's name; nobody's is empty, as that of an account that was deleted."""
    return str(user["login"]) if user else ""


def logins(users: Any) -> tuple[str, ...]:
    """The names of several people; Gitea's list of none is null."""
    return tuple(login(one) for one in users or ())


def text(said: Any) -> str:
    """Text with the line ends that we write; people's browsers send others."""
    return str(said or "").replace("\r\n", "\n")


def comment(data: Mapping[str, Any]) -> Said:
    """A comment."""
    shown = Comment(login(data.get("user")), text(data.get("body")), str(data["created_at"]))
    return Said(int(data["id"]), shown)


def status(data: Mapping[str, Any], field: str) -> Status:
    """A commit's status, whose state is in `field`."""
    said, url = (str(data.get(name) or "") for name in ("description", "target_url"))
    return Status(str(data["context"]), data[field], said, url)
