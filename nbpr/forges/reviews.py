"""Reviews: how Gitea and GitHub keep remarks, a class for each, after the Protocol `Reviews` of `remarks`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nbpr.errors import NotAllowed
from nbpr.forges import shown
from nbpr.forges.answer import understanding
from nbpr.forges.http import Client
from nbpr.forges.remarks import PREFIX, Placed, Remark

#: What stands above the remarks that are made together.
TITLE = "What the gate found at cells that changed. All that it found is in its comment."

#: So many go into one page of a list.
GITEA_PAGE, GITHUB_PAGE = 50, 100


@understanding
class GiteaReviews:
    """Those of the repository at `at`.

    A review there is no one thing: its comments are kept before it is submitted, so that one that was broken off
    stands as a draft, which the next one would take along (services/pull/review.go of Gitea 1.26).
    """

    def __init__(self, client: Client, at: str) -> None:
        self._client = client
        self._at = at

    def placed(self, number: int, login: str) -> list[Placed]:
        """The remarks that `login` made; drafts are none."""
        submitted = [one for one in self._of(number, login) if one["state"] != "PENDING"]
        return [made for one in submitted for made in self._placed(number, one)]

    def _of(self, number: int, login: str) -> list[Any]:
        """The reviews of `login` that have comments, oldest first."""
        listed = self._client.pages(f"{self._at}/pulls/{number}/reviews", "limit", GITEA_PAGE)
        mine = (one for one in listed if shown.login(one.get("user")) == login and one.get("comments_count"))
        return sorted(mine, key=lambda one: int(one["id"]))

    def _comments(self, number: int, review: Mapping[str, Any]) -> list[Any]:
        return self._client.get(f"{self._at}/pulls/{number}/reviews/{review['id']}/comments").data or []

    def _placed(self, number: int, review: Mapping[str, Any]) -> Iterator[Placed]:
        comments = self._comments(number, review)
        answered = {_line(one) for one in comments if _key(one) is None or one.get("resolver")}
        for one in sorted(comments, key=lambda one: int(one["id"])):
            key = _key(one)
            if key is not None:
                text, is_answered = shown.text(one.get("body")), _line(one) in answered
                yield Placed(int(one["id"]), int(review["id"]), key, text, is_answered)

    def say(self, number: int, sha: str, remarks: Sequence[Remark], login: str) -> None:
        """Make them in one review."""
        self._clear(number, login)
        comments = [{"path": one.path, "body": one.text, "new_position": one.line} for one in remarks]
        body = {"event": "COMMENT", "body": TITLE, "commit_id": sha, "comments": comments}
        keys = {one.key for one in remarks}

        def lookup() -> Any:
            if keys <= {one.key for one in self.placed(number, login)}:
                return {}
            self._clear(number, login)
            return None

        answer = self._client.write(
            "POST", f"{self._at}/pulls/{number}/reviews", body, accept=(200, 422), lookup=lookup
        )
        if answer.status == 422:
            raise NotAllowed(f"{self._client.host} takes no remarks on #{number}: {answer.message}")

    def _clear(self, number: int, login: str) -> None:
        """Take away a draft of ours that was broken off; somebody's own draft is not submitted for them."""
        for review in (one for one in self._of(number, login) if one["state"] == "PENDING"):
            if any(_key(one) is None for one in self._comments(number, review)):
                raise NotAllowed(f"{login} has a review of #{number} that is not submitted", hint="submit it first")
            at = f"{self._at}/pulls/{number}/reviews/{review['id']}"
            self._client.write("DELETE", at, accept=(204, 404), lookup=lambda: None)

    def reword(self, one: Placed, text: str) -> None:
        """Change it as any comment."""
        at = f"{self._at}/issues/comments/{one.number}"
        self._client.write("PATCH", at, {"body": text}, accept=(200, 204), lookup=lambda: None)

    def take_back(self, number: int, one: Placed) -> None:
        """Take it away, with its review if that holds nothing else: an empty one would stay on the page."""
        others = self._comments(number, {"id": one.review})
        alone = all(int(each["id"]) == one.number for each in others)
        place = f"pulls/{number}/reviews/{one.review}" if alone else f"issues/comments/{one.number}"
        self._client.write("DELETE", f"{self._at}/{place}", accept=(204, 404), lookup=lambda: None)


@understanding
class GithubReviews:
    """Those of the repository at `at`. A review that was submitted stays; its comments can be taken away."""

    def __init__(self, client: Client, at: str) -> None:
        self._client = client
        self._at = at

    def placed(self, number: int, login: str) -> list[Placed]:
        """The remarks that `login` made."""
        comments = list(self._client.pages(f"{self._at}/pulls/{number}/comments", "per_page", GITHUB_PAGE))
        answered = {one.get("in_reply_to_id") for one in comments}
        found = []
        for one in comments:
            key = _key(one)
            if key is not None and shown.login(one.get("user")) == login:
                review, text = int(one.get("pull_request_review_id") or 0), shown.text(one.get("body"))
                found.append(Placed(int(one["id"]), review, key, text, one["id"] in answered))
        return sorted(found, key=lambda one: one.number)

    def say(self, number: int, sha: str, remarks: Sequence[Remark], login: str) -> None:
        """Make them in one review: all, or none where one is at a line that the diff does not show."""
        comments = [{"path": one.path, "body": one.text, "line": one.line, "side": "RIGHT"} for one in remarks]
        body = {"event": "COMMENT", "body": TITLE, "commit_id": sha, "comments": comments}
        keys = {one.key for one in remarks}
        answer = self._client.write(
            "POST",
            f"{self._at}/pulls/{number}/reviews",
            body,
            accept=(200, 422),
            lookup=lambda: {} if keys <= {one.key for one in self.placed(number, login)} else None,
        )
        if answer.status == 422:
            raise NotAllowed(f"{self._client.host} takes no remarks on #{number}: {answer.message}")

    def reword(self, one: Placed, text: str) -> None:
        """Change it."""
        at = f"{self._at}/pulls/comments/{one.number}"
        self._client.write("PATCH", at, {"body": text}, accept=(200,), lookup=lambda: None)

    def take_back(self, number: int, one: Placed) -> None:
        """Take it away."""
        at = f"{self._at}/pulls/comments/{one.number}"
        self._client.write("DELETE", at, accept=(204, 404), lookup=lambda: None)


def _key(comment: Mapping[str, Any]) -> str | None:
    """The key of a comment that is a remark, else None."""
    first, _, _ = shown.text(comment.get("body")).partition("\n")
    return first.removeprefix(PREFIX).removesuffix(" -->") if first.startswith(PREFIX) else None


def _line(comment: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where a comment of a review stands: what is there too is an answer to it."""
    return comment.get("path"), comment.get("position"), comment.get("original_position")
