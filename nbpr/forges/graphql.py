"""What only GraphQL does on GitHub: say whose the token of an App is, turn drafts, have merged by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nbpr.errors import NotAllowed
from nbpr.forges.answer import Answer
from nbpr.forges.http import Client

_READY = "mutation($id: ID!) {markPullRequestReadyForReview(input: {pullRequestId: $id}) {pullRequest {isDraft}}}"
_AUTO = (
    "mutation($id: ID!, $way: PullRequestMergeMethod!) {enablePullRequestAutoMerge("
    "input: {pullRequestId: $id, mergeMethod: $way}) {pullRequest {autoMergeRequest {enabledAt}}}}"
)
_VIEWER = "query {viewer {login}}"
_DRAFT = "mutation($id: ID!) {convertPullRequestToDraft(input: {pullRequestId: $id}) {pullRequest {isDraft}}}"


class Graphql:
    """Questions and mutations; these are each of a pull request whose place in the other API is `at`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def viewer(self) -> str:
        """Who we are. Our own comments are known by it: were it not known, each command would make another one."""
        answer = self._client.ask(self._place, {"query": _VIEWER})
        login = answer.data.get("data", {}).get("viewer", {}).get("login") if not answer.data.get("errors") else None
        if not login:
            raise NotAllowed(
                f"{self._client.host} does not say whose token it is: {answer.message or 'no reason given'}",
                hint=self._client.wanted_token(),
            )
        return str(login)

    def with_draft(self, at: str, draft: bool) -> Any:
        """The pull request, as a draft or ready."""
        data = self._client.get(at).data
        if bool(data["draft"]) == draft:
            return data
        answer = self._told(
            _DRAFT if draft else _READY,
            {"id": data["node_id"]},
            lambda: {} if bool(self._client.get(at).data["draft"]) == draft else None,
        )
        if answer.data.get("errors"):
            raise NotAllowed(
                f"{self._client.host} leaves the draft as it is: {answer.message}",
                hint="press the button on the pull request's page; a workflow's token may not",
            )
        return {**data, "draft": draft}

    def auto_merge(self, at: str, number: int, way: Callable[[], str]) -> bool:
        """Have it merged by itself, in the way that the repository takes; False if that is so already."""
        data = self._client.get(at).data
        if data.get("auto_merge"):
            return False
        answer = self._told(
            _AUTO,
            {"id": data["node_id"], "way": way().upper()},
            lambda: {} if self._client.get(at).data.get("auto_merge") else None,
        )
        if answer.data.get("errors"):
            is_clean = "clean status" in answer.message.lower()
            why = "there is nothing that it could wait for" if is_clean else answer.message
            hint = f"nbpr pulls merge {number} merges it" if is_clean else "see the settings of the repository"
            raise NotAllowed(f"{self._client.host} does not merge #{number} by itself: {why}", hint=hint)
        return True

    def _told(self, query: str, variables: Mapping[str, Any], lookup: Callable[[], Any]) -> Answer:
        """The answer, which says in `errors` what did not go."""
        body = {"query": query, "variables": variables}
        return self._client.write("POST", self._place, body, accept=(200,), lookup=lookup)

    @property
    def _place(self) -> str:
        return self._client.base.removesuffix("/v3") + "/graphql"
