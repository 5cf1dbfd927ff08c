"""Remarks: what is said at lines of a pull request's diff, each once, and taken back when it holds no more.

A remark that somebody answered stays: it is theirs too. How a kind of server keeps them is behind the Protocol
`Reviews`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

#: How the first line of each begins; its key and the end of the comment follow.
PREFIX = "<!-- nbpr-remark "


@dataclass(frozen=True)
class Remark:
    """Something said in Markdown at a line (from 1) of a file as the head has it; by `key` it is found again."""

    key: str
    path: str
    line: int
    body: str

    @property
    def text(self) -> str:
        """The body as it is sent."""
        return f"{PREFIX}{self.key} -->\n{self.body}"


@dataclass(frozen=True)
class Placed:
    """A remark as its server keeps it, under `number`, in a review. `is_answered`: somebody spoke to it."""

    number: int
    review: int
    key: str
    text: str = field(repr=False)
    is_answered: bool


class Reviews(Protocol):
    """How a kind of server keeps remarks."""

    def placed(self, number: int, login: str) -> list[Placed]:
        """The remarks that `login` made on a pull request, oldest first."""

    def say(self, number: int, sha: str, remarks: Sequence[Remark], login: str) -> None:
        """Make remarks on a commit. Raises `NotAllowed` where it takes none there."""

    def reword(self, one: Placed, text: str) -> None:
        """Change what one says."""

    def take_back(self, number: int, one: Placed) -> None:
        """Take one away; one that is gone is gone."""


def bring_up_to_date(reviews: Reviews, number: int, sha: str, remarks: Sequence[Remark], login: str) -> None:
    """Have a pull request carry these remarks of ours. Nothing that is so already is sent."""
    wanted = {one.key: one for one in remarks}
    had: dict[str, Placed] = {}
    spent = []
    for one in reviews.placed(number, login):
        if one.key in wanted and one.key not in had:
            had[one.key] = one
        elif not one.is_answered:
            spent.append(one)
    new = [one for key, one in wanted.items() if key not in had]
    if new:
        reviews.say(number, sha, new, login)
    for key, one in had.items():
        if one.text != wanted[key].text:
            reviews.reword(one, wanted[key].text)
    for one in spent:
        reviews.take_back(number, one)
