"""GitHub's check runs: a title, a summary and annotations at lines. Apps may make them, people's tokens may not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbpr.errors import NotAllowed
from nbpr.forges.answer import Answer
from nbpr.forges.http import Client, part
from nbpr.forges.status import Annotation, Check

#: So many annotations go into one request, and as long may a summary and a message be.
BATCH, LONGEST, LONGEST_MESSAGE = 50, 65_000, 60_000

_LEVELS = {"error": "failure", "warning": "warning", "note": "notice"}
_CONCLUSIONS = {"success": "success", "failure": "failure", "error": "failure"}


class CheckRuns:
    """Those of the repository at `at`."""

    def __init__(self, client: Client, at: str) -> None:
        self._client = client
        self._at = at
        self._refused: NotAllowed | None = None

    def say(self, sha: str, check: Check) -> None:
        """Make a check run of a commit, unless it has this one, and finish one that was broken off.

        Raises `NotAllowed` for a token that may not, which is asked no second time.
        """
        if self._refused is not None:
            raise self._refused
        first, *further = _batches(check.annotations)
        made = self._found(sha, check)
        if made is None:
            body = {"name": check.name, "head_sha": sha, "external_id": check.digest, **_outcome(check, first)}
            answer = self._client.write(
                "POST", f"{self._at}/check-runs", body, accept=(201, 403, 404), lookup=lambda: self._found(sha, check)
            )
            self._see_whether_allowed(answer)
            made = answer.data
        there = int((made.get("output") or {}).get("annotations_count") or 0)
        for number, batch in enumerate(further, 1):
            if there <= number * BATCH:
                self._client.write(
                    "PATCH",
                    f"{self._at}/check-runs/{made['id']}",
                    _outcome(check, batch),
                    accept=(200,),
                    lookup=lambda least=number * BATCH: self._grown(sha, check, least),  # type: ignore[misc]
                )

    def _found(self, sha: str, check: Check) -> Any:
        """The check run that says this already, or None."""
        answer = self._client.get(
            f"{self._at}/commits/{part(sha)}/check-runs", accept=(200, 403, 404), check_name=check.name, per_page=100
        )
        self._see_whether_allowed(answer)
        return next((one for one in answer.data["check_runs"] if one.get("external_id") == check.digest), None)

    def _grown(self, sha: str, check: Check, least: int) -> Any:
        """The check run, if it has more annotations than `least`."""
        found = self._found(sha, check)
        return found if found and (found.get("output") or {}).get("annotations_count", 0) > least else None

    def _see_whether_allowed(self, answer: Answer) -> None:
        if answer.status in (403, 404):
            self._refused = NotAllowed(
                f"{self._client.host} takes check runs from Apps alone: {answer.message}",
                hint="the commit status says the same; a workflow's own token may, with `permissions: checks: write`",
            )
            raise self._refused


def _batches(annotations: tuple[Annotation, ...]) -> list[tuple[Annotation, ...]]:
    return [annotations[at : at + BATCH] for at in range(0, len(annotations), BATCH)] or [()]


def _outcome(check: Check, annotations: tuple[Annotation, ...]) -> dict[str, Any]:
    output = {"title": check.title, "summary": check.summary[:LONGEST], "annotations": [_shown(a) for a in annotations]}
    state: Mapping[str, Any] = {"status": "in_progress"}
    if check.state != "pending":
        state = {"status": "completed", "conclusion": _CONCLUSIONS[check.state]}
    return {**state, **({"details_url": check.url} if check.url else {}), "output": output}


def _shown(annotation: Annotation) -> dict[str, Any]:
    return {
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": _LEVELS[annotation.level],
        "message": annotation.message[:LONGEST_MESSAGE],
        **({"title": annotation.title[:255]} if annotation.title else {}),
    }
