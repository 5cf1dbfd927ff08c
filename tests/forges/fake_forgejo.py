"""A fake of Forgejo 12: Gitea's API as it was when the two parted, and what became of it there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.forges.fake_gitea import FakeGitea
from tests.forges.serving import Reply, Repo


class FakeForgejo(FakeGitea):
    """Forgejo at `root`: another version, larger attachments, and pull requests whose text has no version."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.attachment["max_size"] = 2048

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any, login: str | None) -> Reply:
        if path == f"{self.api}/version":
            return Reply(200, {"version": "12.0.4+gitea-1.22.0"})
        return super().answer(method, path, query, body, login)

    def _one(self, repo: Repo, method: str, number: int, body: Any) -> Reply:
        """As the real one: what it does not know in a request is left unread."""
        return super()._one(repo, method, number, {name: body[name] for name in body if name != "content_version"})

    def _pull(self, repo: Repo, pull: Mapping[str, Any]) -> dict[str, Any]:
        shown = super()._pull(repo, pull)
        del shown["content_version"]
        return shown
