"""Gitea and Forgejo: how their API says what `Api` asks for.

What their description does not tell is from their source at 1.26 (routers/api/v1, services/pull): the list of pull
requests knows no `head`; an edit is answered with 201; an unknown number may be a 500; drafts are titles with a
prefix; nil lists are null.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nbpr.errors import BadInput, Conflict, NbprError, NotAllowed, OutOfReach
from nbpr.forges import forking, shown
from nbpr.forges.answer import Answer, understanding
from nbpr.forges.api import InGit, Said
from nbpr.forges.attachments import Attachments
from nbpr.forges.choice import Address
from nbpr.forges.http import Client, part
from nbpr.forges.merges import Merges
from nbpr.forges.pullrequest import Opening, PullRequest, State
from nbpr.forges.reviews import GiteaReviews
from nbpr.forges.status import Check, Status
from nbpr.forges.titles import Titles
from nbpr.git.repository import Stale

#: What a server gives at most a page, and how many pages of closed pull requests are looked at.
PAGE, CLOSED_PAGES = 50, 20
#: What starts the title of a draft, as servers are set up unless somebody changed it.
DRAFT = "WIP: "
#: How a token is refused that lacks a scope.
_SCOPES = re.compile(r"required scope\(s\), required=\[([^\]]+)\]")
_DRAFTS = re.compile(r"^\s*(?:wip:|\[wip\])\s*", re.IGNORECASE)


@understanding
class GiteaApi:
    """One repository of a Gitea or Forgejo."""

    name = "gitea"
    keeps_in_git = False

    def __init__(self, client: Client, address: Address) -> None:
        self._client = client
        self.repo = address.name
        self._at = f"/repos/{part(address.owner)}/{part(address.repo)}"
        self._titles = Titles(client, self._at)
        self._attachments = Attachments(client, self._at)
        self._merges = Merges(client, self._at, self.pull)
        self._versions: dict[int, int] = {}
        self._has_scopes = False
        self.reviews = GiteaReviews(client, self._at)

    def login(self) -> str:
        """The user whose token it is; it needs the scope `read:user`."""
        return str(self._client.get("/user").data["login"])

    def check_token(self) -> None:
        """Ask for changes to what cannot be there, once: a token without the scope for them is told that instead."""
        if self._has_scopes:
            return
        missing = []
        for method, place in (("PATCH", "pulls/0"), ("DELETE", "issues/comments/0")):
            body = {"body": ""} if method == "PATCH" else None
            at, every = f"{self._at}/{place}", range(200, 500)
            try:
                answer = self._client.write(method, at, body, accept=every, lookup=lambda: None)
            except OutOfReach:
                return  # some servers break on what is not there: then the first real write tells
            named = _SCOPES.search(answer.message)
            missing += [named.group(1)] if answer.status == 403 and named else []
        if missing:
            raise NotAllowed(
                f"{self._client.host}: the token lacks {' and '.join(missing)}", hint=self._client.wanted_token()
            )
        self._has_scopes = True

    def may_push(self) -> bool:
        """Whether its owner may push here."""
        answer = self._client.get(self._at, accept=(200, 404))
        if answer.status == 404:
            raise NotAllowed(
                f"{self._client.host} has no {self.repo} that the token can see", hint=self._client.wanted_token()
            )
        if answer.data.get("archived"):
            raise NotAllowed(f"{self.repo} is archived; it takes no pull requests")
        return bool((answer.data.get("permissions") or {}).get("push"))

    def fork(self, login: str, *, make: bool) -> str | None:
        """The fork that `login` has."""
        return forking.fork(self._client, self.repo, login, {"limit": PAGE}, make=make)

    # -- pull requests -------------------------------------------------------------------------------------

    def pulls(self, state: str) -> Iterator[PullRequest]:
        """The pull requests in a state; of the closed ones the latest thousand."""
        sort = {} if state == "open" else {"sort": "recentupdate"}
        limit = 100 if state == "open" else CLOSED_PAGES
        try:
            for data in self._client.pages(f"{self._at}/pulls", "limit", PAGE, limit, state=state, **sort):
                yield self._pull(data)
        except NotAllowed as error:
            raise self._without_pulls() or error from None

    def _without_pulls(self) -> NbprError | None:
        """Why the repository has no pull requests at all, which the server says no otherwise than "not found"."""
        data = self._client.get(self._at, accept=range(200, 500)).data or {}
        if data.get("mirror"):
            return NotAllowed(f"{self.repo} is a mirror; it takes no pull requests", hint="propose where it comes from")
        if data.get("empty"):
            return BadInput(f"{self.repo} has no commits yet", hint="push the base branch first: git push origin main")
        if data.get("has_pull_requests") is False:
            return NotAllowed(
                f"pull requests are turned off in {self.repo}", hint="its settings turn them on, below Units"
            )
        return None

    def pull(self, number: int) -> PullRequest | None:
        """One pull request, or None."""
        answer = self._client.get(f"{self._at}/pulls/{number}", accept=(200, 404))
        return None if answer.status == 404 else self._pull(answer.data)

    def create(self, opening: Opening) -> PullRequest:
        """Open it; the one that its branch has already is that one."""
        title = DRAFT + opening.title if opening.draft else opening.title
        body = {"head": opening.head, "base": opening.base, "title": title, "body": opening.body}
        answer = self._client.write(
            "POST",
            f"{self._at}/pulls",
            body,
            accept=(201, 409),
            lookup=lambda: self._raw(opening.head, opening.base),
        )
        if answer.status == 409:
            return self._existing(answer, opening)
        made = self._pull(answer.data)
        if opening.draft and not made.draft:
            raise NotAllowed(
                f"{self._client.host} takes no title with {DRAFT.strip()!r} for a draft; #{made.number} is open",
                hint="its prefixes are set up otherwise; leave out --draft",
            )
        return made

    def _existing(self, answer: Answer, opening: Opening) -> PullRequest:
        named = re.search(r"issue_id: (\d+)", answer.message)
        found = self.pull(int(named.group(1))) if named else None
        if found is None or found.state != "open":
            raw = self._raw(opening.head, opening.base)
            found = self._pull(raw) if raw else None
        if found is None:
            raise Conflict(f"{self._client.host} refuses a pull request: {answer.message}", hint="run it again")
        return found

    def _raw(self, head: str, base: str) -> Any:
        """The open pull request of a branch of this repository, as the server has it."""
        listed = self._client.pages(f"{self._at}/pulls", "limit", PAGE, state="open")
        return next((one for one in listed if (_head(one), one["base"]["ref"]) == (head, base)), None)

    def edit(self, pull: PullRequest, changes: Mapping[str, Any]) -> PullRequest:
        """Change it, unless its body was edited since it was read."""
        wanted = {name: value for name, value in changes.items() if name in ("body", "state", "base")}
        if "title" in changes or "draft" in changes:
            title, draft = changes.get("title", pull.title), changes.get("draft", pull.draft)
            wanted["title"] = DRAFT + title if draft else title
        if "body" in wanted and pull.number in self._versions:
            wanted["content_version"] = self._versions[pull.number]
        answer = self._client.write(
            "PATCH",
            f"{self._at}/pulls/{pull.number}",
            wanted,
            accept=(201, 200, 409),
            lookup=lambda: self._edited(pull.number, changes),
        )
        if answer.status == 409:
            raise Stale(f"somebody edited pull request #{pull.number} meanwhile: {answer.message}")
        return self._pull(answer.data)

    def _edited(self, number: int, changes: Mapping[str, Any]) -> Any:
        """The pull request if it is as wanted already."""
        data = self._client.get(f"{self._at}/pulls/{number}").data
        now = self._pull(data)
        return data if all(getattr(now, name) == value for name, value in changes.items()) else None

    def news(self, pull: PullRequest, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        """All of it: labels are told apart by their capitals, and who has reviewed still counts as asked."""
        return changes

    def label(self, pull: PullRequest, labels: Iterable[str]) -> None:
        """Add labels, making those that neither repository nor organisation has."""
        self._titles.add_labels(pull.number, labels)

    def assign(self, pull: PullRequest, people: Iterable[str]) -> None:
        """Assign people; the server takes the whole list, and leaves it as it was for who may not write."""
        names = [*pull.assignees, *people]
        at = f"{self._at}/pulls/{pull.number}"
        answer = self._client.write("PATCH", at, {"assignees": names}, accept=(201, 200, 422), lookup=lambda: None)
        now = {name.casefold() for name in self._pull(answer.data).assignees} if answer.status != 422 else set()
        missing = [name for name in people if name.casefold() not in now]
        if missing:
            raise NotAllowed(
                f"pull request #{pull.number} stands, but {', '.join(missing)} cannot be assigned"
                + (f": {answer.message}" if answer.message else ""),
                hint="name people who can write to the repository; assigning takes the right to write, too",
            )

    def milestone(self, title: str) -> int:
        """The number of a milestone."""
        return self._titles.milestone(title)

    def plan(self, pull: PullRequest, milestone: str) -> None:
        """Put it into a milestone, by its number."""
        body = {"milestone": self.milestone(milestone)}
        at = f"{self._at}/pulls/{pull.number}"
        answer = self._client.write("PATCH", at, body, accept=(201, 200), lookup=lambda: None)
        if self._pull(answer.data).milestone != milestone:
            raise NotAllowed(
                f"pull request #{pull.number} stands, but not in the milestone {milestone!r}",
                hint="that takes the right to write to the repository",
            )

    def ask(self, pull: PullRequest, reviewers: Iterable[str]) -> None:
        """Ask for reviews."""
        names = list(reviewers)
        answer = self._client.write(
            "POST",
            f"{self._at}/pulls/{pull.number}/requested_reviewers",
            {"reviewers": names},
            accept=(201, 404, 422),
            lookup=lambda: None,
        )
        if answer.status != 201:
            raise NotAllowed(
                f"pull request #{pull.number} stands, but {', '.join(names)} cannot be asked: {answer.message}",
                hint="name people who can read the repository, and not its author",
            )

    # -- comments ------------------------------------------------------------------------------------------

    def comments(self, number: int) -> list[Said]:
        """What was said, in one answer: the server makes no pages of it."""
        return [shown.comment(one) for one in self._client.get(f"{self._at}/issues/{number}/comments").data or ()]

    def say(self, number: int, body: str, known: Iterable[int]) -> None:
        """Comment."""
        before = set(known)

        def lookup() -> Any:
            new = (one for one in self.comments(number) if one.number not in before)
            return next((one for one in new if one.comment.body == shown.text(body)), None)

        at = f"{self._at}/issues/{number}/comments"
        self._client.write("POST", at, {"body": body}, accept=(201,), lookup=lookup)

    def reword(self, said: Said, body: str) -> None:
        """Change a comment."""
        at = f"{self._at}/issues/comments/{said.number}"
        self._client.write("PATCH", at, {"body": body}, accept=(200, 204), lookup=lambda: None)

    def unsay(self, said: Said) -> None:
        """Take a comment away; one that is gone is gone."""
        at = f"{self._at}/issues/comments/{said.number}"
        self._client.write("DELETE", at, accept=(204, 404), lookup=lambda: None)

    # -- statuses and merging ------------------------------------------------------------------------------

    def statuses(self, sha: str) -> dict[str, Status]:
        """The newest status of each context; a commit that the server does not know has none."""
        at, found = f"{self._at}/commits/{part(sha)}/status", list[Any]()
        for page in range(1, CLOSED_PAGES + 1):
            answer = self._client.get(at, accept=(200, 404), limit=PAGE, page=page)
            listed = (answer.data or {}).get("statuses") or [] if answer.status == 200 else []
            found += listed
            if not listed or len(found) >= int(answer.headers.get("x-total-count") or 0):
                break
        return {one["context"]: shown.status(one, "status") for one in found}

    def report(self, sha: str, status: Status) -> None:
        """Set a commit's status, which needs the right to write code."""
        self._client.write(
            "POST",
            f"{self._at}/statuses/{part(sha)}",
            {
                "context": status.context,
                "state": status.state,
                "description": status.description,
                "target_url": status.url,
            },
            accept=(201,),
            lookup=lambda: {} if self.statuses(sha).get(status.context) == status else None,
        )

    def annotate(self, sha: str, check: Check) -> None:
        """Nothing: it has statuses alone."""

    def takes(self, names: Iterable[str]) -> set[str]:
        """Those of a type that the server allows for attachments."""
        return self._attachments.takes(names)

    def keep(self, number: int, files: Mapping[str, bytes], in_git: InGit) -> dict[str, str]:
        """Keep them as attachments of the pull request."""
        return self._attachments.add(number, files)

    def auto_merge(self, pull: PullRequest) -> bool:
        """Schedule the merge."""
        return self._merges.schedule(pull)

    def merge(self, pull: PullRequest, head_sha: str, message: str) -> PullRequest:
        """Merge by the server, once it has seen that it can."""
        return self._merges.merge(pull, head_sha, message)

    def _pull(self, data: Mapping[str, Any]) -> PullRequest:
        number = int(data["number"])
        if data.get("content_version") is not None:
            self._versions[number] = int(data["content_version"])
        title = str(data["title"])
        draft = bool(data.get("draft", _DRAFTS.match(title)))
        state: State = "merged" if data.get("merged") else "closed" if data["state"] == "closed" else "open"
        return PullRequest(
            number=number,
            title=_DRAFTS.sub("", title) if draft else title,
            state=state,
            draft=draft,
            head=_head(data),
            base=str(data["base"]["ref"]),
            head_sha=str(data["head"]["sha"]),
            url=str(data["html_url"]),
            author=shown.login(data.get("user")),
            body=shown.text(data.get("body")),
            labels=tuple(dict.fromkeys(one["name"] for one in data.get("labels") or ())),
            reviewers=shown.logins(data.get("requested_reviewers")),
            assignees=shown.logins(data.get("assignees")),
            milestone=(data.get("milestone") or {}).get("title"),
            merge_sha=data.get("merge_commit_sha") if state == "merged" else None,
        )


def _head(data: Mapping[str, Any]) -> str:
    """The branch, with its owner before it where it is another repository's.

    Of one that was deleted the label alone tells the name, then: `ref` is `refs/pull/N/head`.
    """
    head, base = data["head"], data["base"]
    is_gone = str(head["ref"]).startswith("refs/pull/") and head.get("label")
    name = str(head["label"] if is_gone else head["ref"])
    if head.get("repo_id") == base.get("repo_id"):
        return name
    owner = shown.login((head.get("repo") or {}).get("owner")) or "?"
    return f"{owner}:{name}"
