"""Labels and milestones of a Gitea or Forgejo, by their titles."""

from __future__ import annotations

from collections.abc import Iterable

from nbpr.errors import BadInput
from nbpr.forges.http import Client

#: What a server gives at most a page.
PAGE = 50
#: The colour of labels that are made here.
COLOUR = "#8a8f98"


class Titles:
    """Those of the repository at `at`."""

    def __init__(self, client: Client, at: str) -> None:
        self._client = client
        self._at = at

    def add_labels(self, number: int, titles: Iterable[str]) -> None:
        """Label a pull request; labels that neither repository nor organisation has are made.

        Those of an organisation can be listed only with a scope of their own, but the server finds them by name; what
        it does not find it leaves out without a word.
        """
        wanted = list(titles)
        missing = [title for title in wanted if title not in self._labelled(number, wanted)]
        for title in missing:
            self._make(title)
        if missing:
            self._labelled(number, missing)

    def _labelled(self, number: int, titles: list[str]) -> set[str]:
        """What it is labelled, once it has these labels as far as there are such."""
        at = f"{self._at}/issues/{number}/labels"
        answer = self._client.write("POST", at, {"labels": titles}, accept=(200,), lookup=lambda: None)
        return {str(one["name"]) for one in answer.data or ()}

    def milestone(self, title: str) -> int:
        """The number of a milestone. Raises `BadInput`, with those that there are."""
        listed = self._client.pages(f"{self._at}/milestones", "limit", PAGE, state="all")
        return chosen({str(one["title"]): int(one["id"]) for one in listed}, title)

    def _make(self, title: str) -> None:
        # The server takes a second label of the same name, so a lost answer is looked up with care.
        def lookup() -> object:
            listed = self._client.pages(f"{self._at}/labels", "limit", PAGE)
            return next((one for one in listed if one["name"] == title), None)

        body = {"name": title, "color": COLOUR}
        self._client.write("POST", f"{self._at}/labels", body, accept=(201,), lookup=lookup)


def chosen(milestones: dict[str, int], title: str) -> int:
    """The number of a milestone by its title. Raises `BadInput`, with those that there are."""
    if title not in milestones:
        known = ", ".join(sorted(milestones)[:20]) or "none"
        raise BadInput(f"there is no milestone {title!r}", hint=f"there are: {known}; nbpr makes none")
    return milestones[title]
