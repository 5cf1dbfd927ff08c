"""GitHub and GitHub Enterprise Server: how their API says what `Api` asks for.

From its description of version 2022-11-28, and what people met besides: `head` of a list has to be `owner:branch`, or
everything comes back; a second pull request is a 422 without a number; after a push the new head may be unknown for
some seconds; only GraphQL turns a draft into a pull request and back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from nbpr.errors import BadInput, Conflict, NotAllowed
from nbpr.forges import forking, shown
from nbpr.forges.answer import Answer, understanding
from nbpr.forges.api import InGit, Said
from nbpr.forges.checkruns import CheckRuns
from nbpr.forges.choice import Address
from nbpr.forges.graphql import Graphql
from nbpr.forges.http import Client, part
from nbpr.forges.pullrequest import Opening, PullRequest, State, people
from nbpr.forges.reviews import GithubReviews
from nbpr.forges.status import Check, Status
from nbpr.forges.titles import chosen

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}

#: What it gives at most a page, and how many pages of closed pull requests are looked at.
PAGE, CLOSED_PAGES = 100, 10
#: How long the head of a fresh push may be unknown, and how long a merge may be computed, in seconds of waiting.
_SETTLING = (1, 2, 4, 8, 16)
#: As long as a status may describe itself.
DESCRIPTION = 140


def api_root(address: Address) -> str:
    """Where the API of a GitHub is: at github.com and its enterprise cloud on a host of its own."""
    scheme, _, host = address.root.partition("://")
    if host == "github.com" or host.endswith(".ghe.com"):
        return f"{scheme}://api.{host}"
    return f"{address.root}/api/v3"


@understanding
class GithubApi:
    """One repository of a GitHub."""

    name = "github"
    keeps_in_git = True

    def __init__(self, client: Client, address: Address) -> None:
        self._client = client
        self.repo = address.name
        self._web = f"{address.root}/{part(address.owner)}/{part(address.repo)}"
        self._at = f"/repos/{part(address.owner)}/{part(address.repo)}"
        self._check_runs = CheckRuns(client, self._at)
        self._graphql = Graphql(client)
        self.reviews = GithubReviews(client, self._at)
        #: Those that are merged by themselves when their checks have passed, as far as they were listed.
        self._merging: set[int] = set()

    def login(self) -> str:
        """The user whose token it is; that of an App, as of a workflow, is a bot's, and only GraphQL says whose."""
        answer = self._client.get("/user", accept=(200, 403))
        if answer.status == 200:
            return str(answer.data["login"])
        if "integration" in answer.message.lower():
            return self._graphql.viewer()
        raise NotAllowed(f"{self._client.host}: {answer.message}", hint=self._client.wanted_token())

    def check_token(self) -> None:
        """Nothing: what a token may, GitHub says with the repository, if it says so at all."""

    def may_push(self) -> bool:
        """Whether its owner may push here; where the answer does not say, the push itself will."""
        answer = self._client.get(self._at, accept=(200, 404))
        if answer.status == 404:
            raise NotAllowed(
                f"{self._client.host} has no {self.repo} that the token can see", hint=self._client.wanted_token()
            )
        if answer.data.get("archived"):
            raise NotAllowed(f"{self.repo} is archived; it takes no pull requests")
        self._check_scopes(answer)
        return bool((answer.data.get("permissions") or {"push": True}).get("push"))

    def _check_scopes(self, answer: Answer) -> None:
        """Only classic tokens have scopes, and tell them with every answer; what the others may shows as they do it."""
        scopes = {scope.strip() for scope in answer.headers.get("x-oauth-scopes", "").split(",")} - {""}
        wanted = {"repo"} if answer.data.get("private") else {"repo", "public_repo"}
        if scopes and not scopes & wanted:
            raise NotAllowed(
                f"{self._client.host}: the token has the scopes {', '.join(sorted(scopes))}, and lacks "
                f"{' or '.join(sorted(wanted, reverse=True))}",
                hint=self._client.wanted_token(),
            )

    def fork(self, login: str, *, make: bool) -> str | None:
        """The fork that `login` has."""
        return forking.fork(self._client, self.repo, login, {"per_page": PAGE}, make=make)

    # -- pull requests -------------------------------------------------------------------------------------

    def pulls(self, state: str) -> Iterator[PullRequest]:
        """The pull requests in a state; of the closed ones the latest thousand."""
        sort = {} if state == "open" else {"sort": "updated", "direction": "desc"}
        limit = 100 if state == "open" else CLOSED_PAGES
        for data in self._client.pages(f"{self._at}/pulls", "per_page", PAGE, limit, state=state, **sort):
            if data.get("auto_merge"):
                self._merging.add(int(data["number"]))
            yield _pull(data)

    def pull(self, number: int) -> PullRequest | None:
        """One pull request, or None."""
        answer = self._client.get(f"{self._at}/pulls/{number}", accept=(200, 404))
        return None if answer.status == 404 else _pull(answer.data)

    def create(self, opening: Opening) -> PullRequest:
        """Open it; the one that its branch has already is that one."""
        body = {"head": opening.head, "base": opening.base, "title": opening.title, "body": opening.body}
        wanted = {**body, "draft": True} if opening.draft else body

        def lookup() -> Any:
            return self._raw(opening.head, opening.base)

        answer = self._settled(
            lambda: self._client.write("POST", f"{self._at}/pulls", wanted, accept=(201, 422), lookup=lookup)
        )
        if answer.status == 201:
            return _pull(answer.data)
        existing = lookup()
        if existing is not None:
            return _pull(existing)
        if opening.draft and "draft" in answer.message.lower():
            raise NotAllowed(f"{self.repo} has no drafts: {answer.message}", hint="leave out --draft")
        raise BadInput(f"{self._client.host} makes no pull request of {opening.head}: {answer.message}")

    def _settled(self, send: Callable[[], Answer]) -> Answer:
        """What it answers once it knows the head that was just pushed."""
        for wait in _SETTLING:
            answer = send()
            if answer.status != 422 or not _is_unsettled(answer):
                return answer
            self._client.rest(wait)
        return send()

    def _raw(self, head: str, base: str) -> Any:
        """The open pull request of a branch of this repository, as the server has it."""
        named = head
        if ":" not in head:  # the owner may have another name by now than the remote's URL says
            named = f"{self._client.get(self._at).data['owner']['login']}:{head}"
        listed = self._client.get(f"{self._at}/pulls", state="open", head=named, base=base).data or ()
        return next((one for one in listed if (_head(one), one["base"]["ref"]) == (head, base)), None)

    def edit(self, pull: PullRequest, changes: Mapping[str, Any]) -> PullRequest:
        """Change it; whether it is a draft by GraphQL, which alone can."""
        wanted = {name: value for name, value in changes.items() if name in ("title", "body", "state", "base")}
        at = f"{self._at}/pulls/{pull.number}"
        data: Any = None
        if wanted:
            answer = self._client.write(
                "PATCH", at, wanted, accept=(200, 422), lookup=lambda: self._edited(pull.number, wanted)
            )
            if answer.status == 422:
                raise Conflict(f"{self._client.host} does not change #{pull.number}: {answer.message}")
            data = answer.data
        if "draft" in changes:
            data = self._graphql.with_draft(at, changes["draft"])
        return _pull(data)

    def _edited(self, number: int, wanted: Mapping[str, Any]) -> Any:
        """The pull request if it is as wanted already."""
        data = self._client.get(f"{self._at}/pulls/{number}").data
        now = _pull(data)
        return data if all(getattr(now, name) == value for name, value in wanted.items()) else None

    def news(self, pull: PullRequest, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Labels are the same in other capitals; whoever has reviewed is not among those asked any more."""
        new = {**changes, "labels": people(pull.labels, changes.get("labels", ()))}
        asked = people(pull.reviewers, changes.get("reviewers", ()))[len(pull.reviewers) :]
        if asked:
            listed = self._client.pages(f"{self._at}/pulls/{pull.number}/reviews", "per_page", PAGE)
            spoke = {shown.login(one.get("user")).casefold() for one in listed if one.get("state") != "PENDING"}
            new["reviewers"] = (*pull.reviewers, *(name for name in asked if name.casefold() not in spoke))
        return new

    def label(self, pull: PullRequest, labels: Iterable[str]) -> None:
        """Add labels; the server makes those that the repository lacks."""
        at = f"{self._at}/issues/{pull.number}/labels"
        self._client.write("POST", at, {"labels": list(labels)}, accept=(200,), lookup=lambda: None)

    def ask(self, pull: PullRequest, reviewers: Iterable[str]) -> None:
        """Ask for reviews."""
        names = list(reviewers)
        at = f"{self._at}/pulls/{pull.number}/requested_reviewers"
        answer = self._client.write("POST", at, {"reviewers": names}, accept=(201, 422), lookup=lambda: None)
        if answer.status != 201:
            raise NotAllowed(
                f"pull request #{pull.number} stands, but {', '.join(names)} cannot be asked: {answer.message}",
                hint="name collaborators of the repository, and not its author",
            )

    def assign(self, pull: PullRequest, people: Iterable[str]) -> None:
        """Assign people; the server leaves out without a word whom it does not."""
        names = list(people)
        at = f"{self._at}/issues/{pull.number}/assignees"
        answer = self._client.write("POST", at, {"assignees": names}, accept=(201,), lookup=lambda: None)
        now = {name.casefold() for name in shown.logins(answer.data.get("assignees"))}
        missing = [name for name in names if name.casefold() not in now]
        if missing:
            raise NotAllowed(
                f"pull request #{pull.number} stands, but {', '.join(missing)} cannot be assigned",
                hint="name people who can write to the repository; assigning takes the right to write, too",
            )

    def milestone(self, title: str) -> int:
        """The number of a milestone."""
        listed = self._client.pages(f"{self._at}/milestones", "per_page", PAGE, state="all")
        return chosen({str(one["title"]): int(one["number"]) for one in listed}, title)

    def plan(self, pull: PullRequest, milestone: str) -> None:
        """Put it into a milestone, by its number."""
        at, body = f"{self._at}/issues/{pull.number}", {"milestone": self.milestone(milestone)}
        answer = self._client.write("PATCH", at, body, accept=(200,), lookup=lambda: None)
        if (answer.data.get("milestone") or {}).get("title") != milestone:
            raise NotAllowed(
                f"pull request #{pull.number} stands, but not in the milestone {milestone!r}",
                hint="that takes the right to write to the repository",
            )

    # -- comments ------------------------------------------------------------------------------------------

    def comments(self, number: int) -> list[Said]:
        """What was said, oldest first."""
        return [
            shown.comment(one) for one in self._client.pages(f"{self._at}/issues/{number}/comments", "per_page", PAGE)
        ]

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
        self._client.write("PATCH", at, {"body": body}, accept=(200,), lookup=lambda: None)

    def unsay(self, said: Said) -> None:
        """Take a comment away; one that is gone is gone."""
        at = f"{self._at}/issues/comments/{said.number}"
        self._client.write("DELETE", at, accept=(204, 404), lookup=lambda: None)

    # -- statuses and merging ------------------------------------------------------------------------------

    def statuses(self, sha: str) -> dict[str, Status]:
        """The newest status of each context."""
        answer = self._client.get(f"{self._at}/commits/{part(sha)}/status", accept=(200, 404, 422), per_page=PAGE)
        listed = (answer.data or {}).get("statuses") or [] if answer.status == 200 else []
        return {one["context"]: shown.status(one, "state") for one in listed}

    def report(self, sha: str, status: Status) -> None:
        """Set a commit's status."""
        self._client.write(
            "POST",
            f"{self._at}/statuses/{part(sha)}",
            {
                "context": status.context,
                "state": status.state,
                "description": status.description[:DESCRIPTION],
                **({"target_url": status.url} if status.url else {}),
            },
            accept=(201,),
            lookup=lambda: {} if self.statuses(sha).get(status.context) == status else None,
        )

    def annotate(self, sha: str, check: Check) -> None:
        """Make a check run."""
        self._check_runs.say(sha, check)

    def takes(self, names: Iterable[str]) -> set[str]:
        """Pictures, in git; there is no way to attach anything."""
        return {name for name in names if not name.endswith(".zip")}

    def keep(self, number: int, files: Mapping[str, bytes], in_git: InGit) -> dict[str, str]:
        """Keep them in git; the address is the commit's, which the server shows to whoever may see the repository."""
        commit = in_git(files)
        return {name: f"{self._web}/blob/{commit}/{part(name)}?raw=true" for name in files} if commit else {}

    def auto_merge(self, pull: PullRequest) -> bool:
        """Turn auto-merge on, which the repository's settings allow or not."""
        at = f"{self._at}/pulls/{pull.number}"
        return pull.number not in self._merging and self._graphql.auto_merge(at, pull.number, self._way)

    def merge(self, pull: PullRequest, head_sha: str, message: str) -> PullRequest:
        """Merge by the server, once it has computed that it can."""
        title, _, rest = message.partition("\n")
        body = {"merge_method": self._way(), "sha": head_sha, "commit_title": title, "commit_message": rest.strip()}
        for wait in (*_SETTLING, None):
            answer = self._client.write(
                "PUT",
                f"{self._at}/pulls/{pull.number}/merge",
                body,
                accept=(200, 405, 409),
                lookup=lambda: self._merged(pull.number),
            )
            if answer.status == 200 or wait is None or self._is_refused(pull.number, head_sha):
                break
            self._client.rest(wait)
        merged = self.pull(pull.number)
        if merged is None or merged.state != "merged":
            said = answer.message or "no reason given"
            raise Conflict(f"{self._client.host} does not merge #{pull.number}: {said}", hint="see its page")
        return merged

    def _is_refused(self, number: int, head_sha: str) -> bool:
        """Whether it is more than that the server has not yet taken in the head, or not yet tried the merge."""
        data = self._client.get(f"{self._at}/pulls/{number}").data
        is_ruled = data.get("mergeable") is False or data.get("mergeable_state") in ("blocked", "dirty", "draft")
        return is_ruled and data["head"]["sha"] == head_sha

    def _way(self) -> str:
        """A merge commit where the repository allows one."""
        data = self._client.get(self._at).data
        ways = ("merge", "allow_merge_commit"), ("squash", "allow_squash_merge"), ("rebase", "allow_rebase_merge")
        return next((way for way, setting in ways if data.get(setting, way == "merge")), "merge")

    def _merged(self, number: int) -> Any:
        pull = self.pull(number)
        return {} if pull is not None and pull.state == "merged" else None


def _is_unsettled(answer: Answer) -> bool:
    errors = answer.data.get("errors") or () if isinstance(answer.data, Mapping) else ()
    fields = {one.get("field") for one in errors if isinstance(one, Mapping)}
    return "head" in fields or "no commits between" in answer.message.lower()


def _pull(data: Mapping[str, Any]) -> PullRequest:
    merged = bool(data.get("merged") or data.get("merged_at"))
    state: State = "merged" if merged else "closed" if data["state"] == "closed" else "open"
    return PullRequest(
        number=int(data["number"]),
        title=str(data["title"]),
        state=state,
        draft=bool(data.get("draft")),
        head=_head(data),
        base=str(data["base"]["ref"]),
        head_sha=str(data["head"]["sha"]),
        url=str(data["html_url"]),
        author=shown.login(data.get("user")),
        body=shown.text(data.get("body")),
        labels=tuple(one["name"] for one in data.get("labels") or ()),
        reviewers=shown.logins(data.get("requested_reviewers")),
        assignees=shown.logins(data.get("assignees")),
        milestone=(data.get("milestone") or {}).get("title"),
        merge_sha=data.get("merge_commit_sha") if merged else None,
    )


def _head(data: Mapping[str, Any]) -> str:
    """The branch, with its owner before it where it is another repository's."""
    head, base = data["head"], data["base"]
    ours = (head.get("repo") or {}).get("id") == (base.get("repo") or {}).get("id")
    return str(head["ref"]) if ours else f"{shown.login((head.get('repo') or {}).get('owner')) or '?'}:{head['ref']}"
