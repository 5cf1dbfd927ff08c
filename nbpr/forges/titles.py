"""Labels and milestones of a Gitea or Forgejo, which knows them by number, found by their titles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nbpr.errors import BadInput
from nbpr.forges.http import Client, part

#: What a server gives at most a page.
PAGE = 50
#: The colour of labels that are made here.
COLOUR = "#8a8f98"


class Titles:
    """Those of the repository at `at`, and the labels of `owner`, if that is an organisation."""

    def __init__(self, client: Client, at: str, owner: str) -> None:
        self._client = client
        self._at = at
        self._owner = owner

    def labels(self, titles: Iterable[str]) -> list[int]:
        """The numbers of labels; those that there are not are made."""
        known = self._labels()
        return [known[title] if title in known else self._made(title) for title in titles]

    def milestone(self, title: str) -> int:
        """The number of a milestone. Raises `BadInput`, with those that there are."""
        listed = self._client.pages(f"{self._at}/milestones", "limit", PAGE, state="all")
        return chosen({str(one["title"]): int(one["id"]) for one in listed}, title)

    def _labels(self) -> dict[str, int]:
        own = {one["name"]: one["id"] for one in self._client.pages(f"{self._at}/labels", "limit", PAGE)}
        answer = self._client.get(f"/orgs/{part(self._owner)}/labels", accept=(200, 403, 404), limit=PAGE)
        shared: list[Any] = answer.data if answer.status == 200 and isinstance(answer.data, list) else []
        return {**{one["name"]: one["id"] for one in shared}, **own}

    def _made(self, title: str) -> int:
        # The server takes a second label of the same name, so a lost answer is looked up with care.
        answer = self._client.write(
            "POST",
            f"{self._at}/labels",
            {"name": title, "color": COLOUR},
            accept=(201,),
            lookup=lambda: next(({"id": i} for known, i in self._labels().items() if known == title), None),
        )
        return int(answer.data["id"])


def chosen(milestones: dict[str, int], title: str) -> int:
    """The number of a milestone by its title. Raises `BadInput`, with those that there are."""
    if title not in milestones:
        known = ", ".join(sorted(milestones)[:20]) or "none"
        raise BadInput(f"there is no milestone {title!r}", hint=f"there are: {known}; nbpr makes none")
    return milestones[title]
