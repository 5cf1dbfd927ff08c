"""An occasion: what a gate is run for, as its caller or the CI environment says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Occasion:
    """What is to be judged, and where it is told.

    `base` and `head` are revisions, None where nobody says. `base_branch` is the branch that head goes into, whose
    rules hold; `branch` is head's own. `pull` is the pull request's number. `may_write` is whether the token that
    there is may write to the forge, None where that is not known.
    """

    base: str | None = None
    head: str | None = None
    base_branch: str | None = None
    branch: str | None = None
    pull: int | None = None
    labels: tuple[str, ...] = ()
    is_fork: bool = False
    may_write: bool | None = None
