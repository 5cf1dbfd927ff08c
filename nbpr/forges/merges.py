"""Merging on Gitea and Forgejo, at once or when checks have passed.

From their source at 1.26 (services/automerge, services/pull): a scheduled merge is shown in the timeline alone; one
that has nothing to wait for is merged on the spot; a server that does not know yet if it can says "try again later".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from nbpr.errors import Conflict, NotAllowed
from nbpr.forges.answer import Answer
from nbpr.forges.http import Client, part
from nbpr.forges.pullrequest import PullRequest

#: How long a server may take to see whether a merge is possible, in seconds of waiting.
_CHECKING = (1, 2, 4, 8, 16)
_SCHEDULED, _CANCELLED = "pull_scheduled_merge", "pull_cancel_scheduled_merge"


class Merges:
    """Those of the repository at `at`, whose pull requests `pull` reads."""

    def __init__(self, client: Client, at: str, pull: Callable[[int], PullRequest | None]) -> None:
        self._client = client
        self._at = at
        self._pull = pull

    def merge(self, pull: PullRequest, head_sha: str, message: str) -> PullRequest:
        """Merge it now. Raises `NotAllowed` or `Conflict`, with what the server says."""
        title, _, rest = message.partition("\n")
        body = {
            "Do": self._way(),
            "head_commit_id": head_sha,
            "MergeTitleField": title,
            "MergeMessageField": rest.strip(),
        }
        answer = self._settled(pull, body, (200, 405, 409), lambda: self._merged(pull.number))
        merged = self._pull(pull.number)
        if merged is None or merged.state != "merged":
            raise self._refusal(pull, answer)
        return merged

    def schedule(self, pull: PullRequest) -> bool:
        """Have it merged when its checks have passed; False if that is so already."""
        if self._is_scheduled(pull.number):
            return False
        branch = self._client.get(f"{self._at}/branches/{part(pull.base)}").data
        if not (branch.get("enable_status_check") or branch.get("required_approvals")):
            raise NotAllowed(
                f"{pull.base} asks for no check and no approval, so there is nothing to wait for",
                hint=f"nbpr pulls merge {pull.number} merges it",
            )
        body = {"Do": self._way(), "merge_when_checks_succeed": True}
        accept = (201, 200, 405, 409)
        answer = self._settled(pull, body, accept, lambda: {} if self._is_scheduled(pull.number) else None)
        if answer.status == 409 and "already scheduled" in answer.message.lower():
            return False
        if answer.status in (405, 409):
            raise self._refusal(pull, answer)
        return True

    def _is_scheduled(self, number: int) -> bool:
        events = self._client.pages(f"{self._at}/issues/{number}/timeline", "limit", 50)
        told = [event["type"] for event in events if event and event.get("type") in (_SCHEDULED, _CANCELLED)]
        return bool(told) and told[-1] == _SCHEDULED

    def _settled(
        self, pull: PullRequest, body: Mapping[str, Any], accept: Collection[int], lookup: Callable[[], Any]
    ) -> Answer:
        """What it answers once it has seen whether a merge is possible."""
        at = f"{self._at}/pulls/{pull.number}/merge"
        for wait in (*_CHECKING, None):
            answer = self._client.write("POST", at, body, accept=accept, lookup=lookup)
            checking = answer.status == 405 and "try again later" in answer.message.lower()
            if not checking or wait is None:
                break
            self._client.rest(wait)
        return answer

    def _way(self) -> str:
        """A merge commit where the repository allows one, else what it does by default."""
        data = self._client.get(self._at).data
        allowed = data.get("allow_merge_commits", True)
        return "merge" if allowed else str(data.get("default_merge_style") or "squash")

    def _merged(self, number: int) -> Any:
        pull = self._pull(number)
        return {} if pull is not None and pull.state == "merged" else None

    def _refusal(self, pull: PullRequest, answer: Answer) -> NotAllowed | Conflict:
        host, said = self._client.host, answer.message or "the server says it conflicts, or that its head moved"
        if "not allowed" in said.lower() or "user not" in said.lower():
            return NotAllowed(f"{host} does not merge #{pull.number}: {said}", hint="see the rules of the base branch")
        return Conflict(
            f"{host} does not merge #{pull.number}: {said}", hint="run it again, or merge it in the browser"
        )
