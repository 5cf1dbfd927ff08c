"""Reviews with comments at lines, as the fakes keep them: the state alike, the traps each their own.

Gitea keeps the comments of a review before it submits it, and takes along what an earlier one left; any line will do.
GitHub takes all comments or none, and none at a line that its diff does not show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: Lines around a change that a diff shows.
CONTEXT = 3


@dataclass
class Kept:
    """The reviews of one repository, and their comments."""

    reviews: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)

    def of(self, review: int) -> list[dict[str, Any]]:
        return [one for one in self.comments if one["review"] == review]

    def comment(self, number: int) -> dict[str, Any] | None:
        return next((one for one in self.comments if one["id"] == number), None)

    def make(self, number: Callable[[], int], pull: int, login: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a review with its comments; a draft of the same person's goes along with it."""
        drafts = [one for one in self.reviews if (one["pull"], one["user"], one["state"]) == (pull, login, "PENDING")]
        made = drafts[0] if drafts else {"id": number(), "pull": pull, "user": login}
        made |= {"state": body.get("event") or "PENDING", "body": body.get("body", ""), "sha": body.get("commit_id")}
        if not drafts:
            self.reviews.append(made)
        for each in body.get("comments", ()):
            line = each.get("line") or each.get("new_position")
            facts = {"pull": pull, "review": made["id"], "user": login, "path": each["path"], "line": line}
            self.comments.append({"id": number(), "body": each["body"], "to": None, **facts})
        return made

    def answer(self, number: Callable[[], int], to: int, login: str, body: str) -> None:
        """Somebody speaks to a comment, as the web page does it: in the same review, at the same line."""
        first = self.comment(to)
        assert first is not None
        self.comments.append({**first, "id": number(), "user": login, "body": body, "to": to})

    def drop(self, review: int) -> bool:
        """Take a review away with its comments; whether it was there."""
        there = any(one["id"] == review for one in self.reviews)
        self.reviews = [one for one in self.reviews if one["id"] != review]
        self.comments = [one for one in self.comments if one["review"] != review]
        return there


def shown_lines(diff: str) -> set[tuple[str, int]]:
    """The lines of new files that a diff shows, as (path, line)."""
    shown: set[tuple[str, int]] = set()
    path = ""
    for line in diff.splitlines():
        if line.startswith("+++ b/"):
            path = line.removeprefix("+++ b/").rstrip("\t")  # which ends a name that has spaces
        elif found := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            first, count = int(found[1]), int(found[2] or 1)
            shown |= {(path, number) for number in range(first, first + count)}
    return shown
