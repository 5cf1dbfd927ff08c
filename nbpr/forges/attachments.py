"""Attachments of a pull request on Gitea and Forgejo: files by content, as its settings allow.

Only the author of a pull request and who may write there can attach; the settings can be read without a token. The
name of a file is by its content, so that one that is there already is known by its name.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from nbpr.forges.http import Client, Upload

MEGABYTE = 1024 * 1024


class Attachments:
    """Those of the repository at `at`."""

    def __init__(self, client: Client, at: str) -> None:
        self._client = client
        self._at = at
        self._settings: Mapping[str, Any] | None = None

    def takes(self, names: Iterable[str]) -> set[str]:
        """The names whose type the server allows."""
        return {name for name in names if self._is_allowed(name)}

    def add(self, number: int, files: Mapping[str, bytes]) -> dict[str, str]:
        """Attach what is not attached yet; the addresses of all that is. What the server refuses is left out."""
        at = f"{self._at}/issues/{number}/assets"
        kept = self._listed(at)
        for name in files:
            if name not in kept and self._fits(files[name]):
                kept |= self._attached(at, name, files[name])
        return {name: url for name, url in kept.items() if name in files}

    def _attached(self, at: str, name: str, data: bytes) -> dict[str, str]:
        def lookup() -> Any:
            url = self._listed(at).get(name)
            return {"name": name, "browser_download_url": url} if url else None

        body = Upload("attachment", name, data)
        answer = self._client.write("POST", at, body, accept=(201, 403, 404, 413, 422), lookup=lookup)
        return {name: str(answer.data["browser_download_url"])} if answer.status == 201 else {}

    def _listed(self, at: str) -> dict[str, str]:
        answer = self._client.get(at, accept=(200, 404))
        rows = answer.data or () if answer.status == 200 else ()
        return {str(one["name"]): str(one["browser_download_url"]) for one in rows}

    def _is_allowed(self, name: str) -> bool:
        """As the server judges: by the end of the name, by its type, or by the kind of its type."""
        if not self._said().get("enabled"):
            return False
        allowed = {
            one.strip().lower() for one in str(self._said().get("allowed_types") or "").replace("|", ",").split(",")
        }
        mime = mimetypes.guess_type(name)[0] or ""
        ways = {PurePosixPath(name).suffix, mime, f"{mime.partition('/')[0]}/*", "*/*"}
        return allowed == {""} or bool(allowed & ways)

    def _fits(self, data: bytes) -> bool:
        most = self._said().get("max_size")
        return not most or len(data) <= int(most) * MEGABYTE

    def _said(self) -> Mapping[str, Any]:
        if self._settings is None:
            answer = self._client.get("/settings/attachment", accept=(200, 403, 404))
            self._settings = answer.data if answer.status == 200 and isinstance(answer.data, Mapping) else {}
        return self._settings
