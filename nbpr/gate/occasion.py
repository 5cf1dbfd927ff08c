"""An occasion: what a gate is run for, as its caller or the CI environment says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbpr.cienv import Event


@dataclass(frozen=True)
class Occasion:
    """What is to be judged, and where it is told.

    `base` and `head` are revisions, None where nobody says. `base_branch` is the branch that head goes into, whose
    rules hold, and `base_sha` where it was, for when it cannot be had; `branch` is head's own, and `before` where it
    was before a push. `pull` is the pull request's number.
    `may_write` is whether the token that there is may write to the forge, None where that is not known; `is_event`
    whether it is one of CI's events, and `brings_change` whether one of a change, as a pull request and a push are;
    a schedule is not. `default_branch` is the repository's, None where nobody says. `over` says why there is nothing
    left to judge, in words; else it is empty.
    """

    base: str | None = None
    head: str | None = None
    base_branch: str | None = None
    branch: str | None = None
    before: str | None = None
    base_sha: str | None = None
    pull: int | None = None
    labels: tuple[str, ...] = ()
    is_fork: bool = False
    may_write: bool | None = None
    is_event: bool = False
    brings_change: bool = True
    default_branch: str | None = None
    over: str = ""


def of_event(event: Event, base: str | None = None, head: str | None = None) -> Occasion:
    """The occasion that a CI job runs for; revisions that flags name go first, and are judged in any case.

    What a branch was before a push is no base for it: it may hold what an earlier push took away.
    """
    is_push = not event.is_pull_request
    return Occasion(
        base=base,
        head=head or event.head_sha,
        base_branch=event.base_ref,
        branch=event.head_ref,
        before=event.base_sha if is_push else None,
        base_sha=None if is_push else event.base_sha,
        pull=event.number,
        labels=event.labels,
        is_fork=event.is_fork,
        is_event=True,
        brings_change=event.is_pull_request or event.before is not None,
        default_branch=event.default_branch,
        over="" if base or head else event.over,
    )
