"""A fake of Gitea 1.26: what nbpr asks of one, with the traps that the real one has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.forges.serving import FakeForge, Reply, Repo

MOST = 50

#: What is told of a status.
FACTS = ("context", "status", "description", "target_url")

#: What may be attached, as servers are set up unless somebody changed it.
ALLOWED = ".csv,.docx,.gif,.gz,.jpeg,.jpg,.json,.log,.md,.pdf,.png,.svg,.tgz,.txt,.webp,.zip"


class FakeGitea(FakeForge):
    """Gitea at `root`, its API below `/api/v1`."""

    kind = "gitea"
    api = "/api/v1"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.scopes = {"write:repository", "write:issue"}
        self.attachment = {"enabled": True, "allowed_types": ALLOWED, "max_size": 100, "max_files": 5}

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any, login: str | None) -> Reply:
        below = path.removeprefix(self.api)
        if below == "/version":
            return Reply(200, {"version": "1.26.3"})
        if below == "/settings/attachment":
            return Reply(200, dict(self.attachment))
        if login is None:
            return _wrong(401, "token is required")
        if below == "/user":
            return Reply(200, _user(login))
        match = re.fullmatch(r"/repos/([^/]+/[^/]+)(/.*)?", below)
        if match is None:
            return _wrong(404, "not found") if below.startswith("/orgs/") else self.unknown(method, path)
        repo = self.repos.get(match.group(1))
        if repo is None:
            return _wrong(404, "not found")
        return self._of(repo, method, match.group(2) or "", query, body or {}, login)

    def _of(self, repo: Repo, method: str, rest: str, query: Mapping[str, str], body: Any, login: str) -> Reply:
        self._notice(repo)
        if repo.settings.get("private") and login in repo.readers and rest.startswith(("/pulls", "/issues")):
            return _wrong(404, "not found")  # the token of a fork's job reads code, and besides what everybody may
        wanted = "write:issue" if rest.startswith(("/issues", "/labels", "/milestones")) else "write:repository"
        if method != "GET" and wanted not in self.scopes:
            had = ",".join(sorted(self.scopes))
            words = f"required=[{wanted}], token scope={had}"
            return _wrong(403, f"token does not have at least one of required scope(s), {words}")
        said = repo.settings
        if rest.startswith("/pulls") and (
            said.get("mirror") or said.get("empty") or not said.get("has_pull_requests", 1)
        ):
            return Reply(404, {"errors": None, "message": "not found", "url": "http://gitea.invalid/api/swagger"})
        asked = f"{method} {rest}"
        if asked == "GET ":
            return Reply(200, self._repo(repo))
        if asked == "GET /forks":
            return self._page([self._repo(one) for one in self.forks(repo)], query)
        if asked == "POST /forks":
            return self._fork(repo, body, login)
        if asked == "GET /branches":
            return Reply(200, [{"name": "main"}])
        if match := re.fullmatch(r"GET /branches/(\w+)", asked):
            wanted = repo.required.get(match.group(1), [])
            rules = {"protected": bool(wanted), "enable_status_check": bool(wanted), "required_approvals": 0}
            return Reply(200, {"name": match.group(1), **rules, "status_check_contexts": wanted})
        if asked == "GET /milestones":
            return self._page([_milestone(repo, title) for title in repo.milestones], query)
        if asked == "POST /milestones":
            repo.milestones[body["title"]] = self.number()
            return Reply(201, _milestone(repo, body["title"]))
        if match := re.fullmatch(r"GET /issues/(\d+)/timeline", asked):
            events = repo.pulls[int(match.group(1))].get("events", [])
            return self._page([{"id": at, "type": kind} for at, kind in enumerate(events)], query)
        if match := re.fullmatch(r"(\w+) /issues/(\d+)/assets", asked):
            return self._assets(repo, match.group(1), int(match.group(2)), body, login)
        if asked == "GET /pulls":
            return self._page([self._pull(repo, one) for one in self._listed(repo, query)], query)
        if asked == "POST /pulls":
            return self._open(repo, body, login)
        if match := re.fullmatch(r"(\w+) /pulls/(\d+)", asked):
            return self._one(repo, match.group(1), int(match.group(2)), body)
        if match := re.fullmatch(r"POST /pulls/(\d+)/merge", asked):
            return self._merge(repo, int(match.group(1)), body, login)
        if match := re.fullmatch(r"(\w+) /pulls/(\d+)/reviews(?:/(\d+))?(/comments)?", asked):
            method, pull, review, comments = match.groups()
            return self._reviews(repo, method, int(pull), int(review or 0), bool(comments), query, body, login)
        if match := re.fullmatch(r"POST /pulls/(\d+)/requested_reviewers", asked):
            return self._ask(repo, int(match.group(1)), body)
        if match := re.fullmatch(r"(\w+) /issues/(\d+)/comments", asked):
            return self._comments(repo, match.group(1), int(match.group(2)), body, login)
        if match := re.fullmatch(r"(\w+) /issues/comments/(\d+)", asked):
            return self._comment(repo, match.group(1), int(match.group(2)), body)
        if asked == "GET /labels":
            return self._page([{"id": number, "name": name} for name, number in repo.labels.items()], query)
        if asked == "POST /labels":
            number = self.number()
            repo.labels[body["name"]] = number
            return Reply(201, {"id": number, "name": body["name"]})
        if match := re.fullmatch(r"POST /issues/(\d+)/labels", asked):
            return self._label(repo, int(match.group(1)), body)
        if match := re.fullmatch(r"DELETE /issues/(\d+)/labels/(\d+)", asked):
            labels = repo.pulls[int(match.group(1))]["labels"]
            labels[:] = [name for name in labels if repo.labels[name] != int(match.group(2))]
            return Reply(204)
        if match := re.fullmatch(r"GET /commits/(\w+)/status", asked):
            return self._status(repo, match.group(1), query)
        if match := re.fullmatch(r"POST /statuses/(\w+)", asked):
            return self._report(repo, match.group(1), body)
        return self.unknown(method, rest)

    # -- pull requests -------------------------------------------------------------------------------------

    def _notice(self, repo: Repo) -> None:
        """A pull request whose branch somebody deleted is closed, with the head that it had."""
        for pull in filter(_is_open, repo.pulls.values()):
            if not self.remember(repo, pull):
                pull["state"] = "closed"

    def _fork(self, repo: Repo, body: Any, login: str) -> Reply:
        if not self.takes_forks:
            return _wrong(403, "user is not allowed to create repositories")
        is_there = any(one.owner == login for one in self.forks(repo))
        made = None if is_there else self.fork(repo, login, body.get("name"))
        if made is None:
            return _wrong(409, f"repository is already forked by user [uname: {login}]")
        return Reply(202, self._repo(made))

    def _listed(self, repo: Repo, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """As the real one: no filter for `head`; closed ones include merged ones."""
        state = query.get("state", "open")
        listed = [one for one in repo.pulls.values() if state == "all" or _is_open(one) == (state == "open")]
        return sorted(listed, key=lambda one: -int(one["number"]))

    def _open(self, repo: Repo, body: Any, login: str) -> Reply:
        head, base = body["head"], body["base"]
        sha = self.head_sha(repo, head)
        home, _ = self.home(repo, head)
        if sha is None or home is None or repo.sha(base) is None:
            return _wrong(404, "not found")
        if login in repo.readers and login in home.readers:
            return _wrong(403, "user must be a collaborator")
        if head == base:
            return _wrong(422, "Invalid PullRequest: There are no changes between the head and the base")
        for one in repo.pulls.values():
            if _is_open(one) and (one["head"], one["base"]) == (head, base):
                said = f"[id: 9, issue_id: {one['number']}, head_repo_id: {repo.number}, base_repo_id: {repo.number}]"
                return _wrong(409, f"pull request already exists for these targets {said}")
        if not all(isinstance(label, int) for label in body.get("labels", ())):
            return _wrong(422, "[]: json: cannot unmarshal string into Go struct field")
        number = len(repo.pulls) + 1
        pull = {"number": number, "head": head, "base": base, "title": body["title"], "body": body.get("body", "")}
        repo.pulls[number] = {**pull, "user": login, "state": "open", "labels": [], "reviewers": [], "version": 0}
        repo.pulls[number] |= {"assignees": [], "milestone": None, "events": []}
        self.remember(repo, repo.pulls[number])
        return Reply(201, self._pull(repo, repo.pulls[number]))

    def _one(self, repo: Repo, method: str, number: int, body: Any) -> Reply:
        pull = repo.pulls.get(number)
        if pull is None:
            return _wrong(404, "not found")
        if method == "GET":
            return Reply(200, self._pull(repo, pull))
        if body.get("content_version", pull["version"]) != pull["version"]:
            return _wrong(409, "the content version does not match")
        if "state" in body and pull["state"] == "merged":
            return _wrong(412, "cannot change state of this pull request, it was already merged")
        if body.get("base", pull["base"]) != pull["base"]:
            if repo.sha(body["base"]) is None:
                return _wrong(404, "not found")
            others = (one for one in repo.pulls.values() if _is_open(one) and one is not pull)
            if any((one["head"], one["base"]) == (pull["head"], body["base"]) for one in others):
                return _wrong(409, "pull request already exists for these targets")
            pull["base"] = body["base"]
        if body.get("title"):
            pull["title"] = body["title"]
        if body.get("body") is not None:
            pull["body"] = body["body"]
            pull["version"] += 1
        pull["state"] = body.get("state", pull["state"])
        if self.asking not in repo.readers:
            unknown = [name for name in body.get("assignees") or () if name not in self.users.values()]
            if unknown:
                return _wrong(422, f"Assignee does not exist: [name: {unknown[0]}]")
            pull["assignees"] = body.get("assignees", pull["assignees"])
            if body.get("milestone"):
                pull["milestone"] = next(t for t, number in repo.milestones.items() if number == body["milestone"])
        return Reply(201, self._pull(repo, pull))

    def _merge(self, repo: Repo, number: int, body: Any, login: str) -> Reply:
        pull = repo.pulls[number]
        head = self.head_sha(repo, pull["head"])
        if login in repo.readers:
            return _wrong(405, "User not allowed to merge PR")
        if pull["state"] != "open":
            return _wrong(405, "The PR is already merged")
        if _is_draft(pull["title"]):
            return _wrong(405, "Work in progress PRs cannot be merged")
        if not pull.setdefault("checked", False):
            pull["checked"] = True
            return _wrong(405, "Please try again later")
        if body.get("merge_when_checks_succeed"):
            return self._schedule(repo, pull)
        if body.get("head_commit_id") not in (None, head):
            return _wrong(409, "head out of date")
        message = f"{body.get('MergeTitleField', '')}\n\n{body.get('MergeMessageField', '')}"
        sha = repo.merge(pull["base"], str(head), message)
        if sha is None:
            return Reply(409, {"Style": "merge", "StdOut": "", "StdErr": "", "Err": {}})
        pull |= {"state": "merged", "merge_sha": sha, "merged_head": head}
        return Reply(200)

    def _schedule(self, repo: Repo, pull: dict[str, Any]) -> Reply:
        """As the real one: a second time is a conflict, and what nothing stands in the way of is merged on the spot."""
        if _is_scheduled(pull):
            return _wrong(409, "pull request is already scheduled to auto merge when checks succeed [pull_id: 1]")
        pull["events"].append("pull_scheduled_merge")
        self._merge_scheduled(repo)
        return Reply(201)

    def _merge_scheduled(self, repo: Repo) -> None:
        for pull in repo.pulls.values():
            head = self.head_sha(repo, pull["head"])
            if _is_open(pull) and _is_scheduled(pull) and repo.passes(pull["base"], str(head)):
                sha = repo.merge(pull["base"], str(head), f"Merge {pull['title']}")
                pull |= {"state": "merged", "merge_sha": sha, "merged_head": head}

    def _assets(self, repo: Repo, method: str, number: int, body: Any, login: str) -> Reply:
        pull = repo.pulls.get(number)
        if pull is None:
            return _wrong(404, "not found")
        if method == "GET":
            mine = [one for one in repo.assets if one["pull"] == number]
            return Reply(200, [_asset(self.root, one) for one in mine] or None)
        if login in repo.readers and login != pull["user"]:
            return _wrong(403, "user should have permission to write issue")
        sent = body["attachment"]
        allowed = str(self.attachment["allowed_types"]).replace("|", ",").split(",")
        if not self.attachment["enabled"]:
            return _wrong(404, "not found")
        if allowed != [""] and not {Path(sent.name).suffix, "*/*", _kind(sent.data)} & set(allowed):
            return _wrong(422, "This file cannot be uploaded or modified due to a forbidden file extension or type.")
        if len(sent.data) > int(str(self.attachment["max_size"])) * 2**20:
            return _wrong(413, "the file is too large")
        made = {"id": self.number(), "pull": number, "name": sent.name, "data": sent.data, "uuid": str(uuid4())}
        repo.assets.append(made)
        pull["version"] += 1
        return Reply(201, _asset(self.root, made))

    def _ask(self, repo: Repo, number: int, body: Any) -> Reply:
        pull = repo.pulls[number]
        unknown = [name for name in body["reviewers"] if name not in self.users.values()]
        if unknown:
            return _wrong(404, f"user does not exist [uid: 0, name: {unknown[0]}]")
        if pull["user"] in body["reviewers"]:
            return _wrong(422, "poster of pr can't be reviewer [user_id: 1, repo_id: 1]")
        pull["reviewers"] = list(dict.fromkeys((*pull["reviewers"], *body["reviewers"])))
        return Reply(201, [])

    def _label(self, repo: Repo, number: int, body: Any) -> Reply:
        if self.asking in repo.readers:
            return Reply(403)
        names = {each: name for name, value in repo.labels.items() for each in (name, value)}
        labels = [*repo.pulls[number]["labels"], *(names[one] for one in body["labels"] if one in names)]
        repo.pulls[number]["labels"] = list(dict.fromkeys(labels))
        return Reply(200, [{"name": name} for name in labels])

    # -- comments and statuses -----------------------------------------------------------------------------

    def _comments(self, repo: Repo, method: str, number: int, body: Any, login: str) -> Reply:
        if number not in repo.pulls:
            return _wrong(500, "issue does not exist")
        if method == "GET":
            return Reply(200, [_comment(one) for one in repo.comments if one["pull"] == number])
        if not body.get("body"):
            return _wrong(422, "[Body]: Required")
        said = {"id": self.number(), "pull": number, "user": login, "body": body["body"], "created": _now()}
        repo.comments.append(said)
        return Reply(201, _comment(said))

    def _comment(self, repo: Repo, method: str, number: int, body: Any) -> Reply:
        kept = repo.kept.comments if repo.kept.comment(number) else repo.comments
        found = next((one for one in kept if one["id"] == number), None)
        if found is None:
            return _wrong(404, "not found")
        if method == "DELETE":
            kept.remove(found)
            return Reply(204)
        found["body"] = body["body"]
        return Reply(200, _comment(found))

    def _reviews(
        self,
        repo: Repo,
        method: str,
        pull: int,
        review: int,
        comments: bool,
        query: Mapping[str, str],
        body: Any,
        login: str,
    ) -> Reply:
        kept = repo.kept
        if pull not in repo.pulls:
            return _wrong(404, "not found")
        if method == "DELETE":
            return Reply(204) if kept.drop(review) else _wrong(404, "not found")
        if comments:
            return Reply(200, [_remark(one) for one in kept.of(review)])
        if method == "GET":
            seen = [one for one in kept.reviews if one["pull"] == pull]
            seen = [one for one in seen if one["state"] != "PENDING" or one["user"] == login]
            return self._page([_review(one, len(kept.of(one["id"]))) for one in seen], query)
        if repo.pulls[pull]["state"] != "open":
            return _wrong(422, "can't submit review for a closed or merged PR")
        made = kept.make(self.number, pull, login, body)
        return Reply(200, _review(made, len(kept.of(made["id"]))))

    def _status(self, repo: Repo, sha: str, query: Mapping[str, str]) -> Reply:
        """As the real one: page by page, and the total of a page is that of the page."""
        if not repo.has(sha):
            return _wrong(404, "not found")
        newest = {one["context"]: one for one in repo.statuses if one["sha"] == sha}
        page = self._page([{name: one[name] for name in FACTS} for one in newest.values()], query)
        data = {"state": "success", "total_count": len(page.data), "statuses": page.data or None}
        return Reply(200, data, page.headers)

    def _report(self, repo: Repo, sha: str, body: Any) -> Reply:
        if not repo.has(sha):
            return Reply(500, {"message": ""})
        if self.asking in repo.readers:
            return _wrong(403, "user should have a permission to write to a repo")
        row = {"sha": sha, "context": body["context"], "status": body["state"], "description": body["description"]}
        row["target_url"] = body.get("target_url", "")
        repo.statuses.append(row)
        self._merge_scheduled(repo)
        return Reply(201, {name: row[name] for name in FACTS})

    # -- what it looks like --------------------------------------------------------------------------------

    def _page(self, rows: list[dict[str, Any]], query: Mapping[str, str]) -> Reply:
        size, page = min(int(query.get("limit", 30)), MOST), int(query.get("page", 1))
        more = page * size < len(rows)
        # The link names the address that the server thinks it has.
        link = {"Link": f'<http://gitea.invalid/x?page={page + 1}>; rel="next"'} if more else {}
        return Reply(200, rows[(page - 1) * size : page * size], {"X-Total-Count": str(len(rows)), **link})

    def _repo(self, repo: Repo) -> dict[str, Any]:
        owner, name = _user(repo.owner), repo.name
        rights = self.rights(repo)
        parent = {"fork": bool(repo.parent), "parent": self._repo(repo.parent) if repo.parent else None}
        facts = {"id": repo.number, "owner": owner, "name": name, "full_name": repo.full_name, "archived": False}
        styles = {"allow_merge_commits": True, "default_merge_style": "merge"}
        return {**facts, "default_branch": "main", "permissions": rights, **parent, **styles, **repo.settings}

    def _pull(self, repo: Repo, pull: Mapping[str, Any]) -> dict[str, Any]:
        base = {"ref": pull["base"], "sha": repo.sha(pull["base"]), "repo_id": repo.number, "repo": self._repo(repo)}
        there = self.head_sha(repo, pull["head"])
        sha = pull.get("merged_head") or there or pull.get("head_sha")
        home, branch = self.home(repo, pull["head"])
        at = {"repo_id": home.number if home else -1, "repo": self._repo(home) if home else None}
        # Of a branch that is gone the real one has the label alone.
        head = {"label": branch, "ref": branch if there else f"refs/pull/{pull['number']}/head", "sha": sha, **at}
        url = f"{self.root}/{repo.full_name}/pulls/{pull['number']}"
        return {
            "number": pull["number"],
            "url": url,
            "html_url": url,
            "title": pull["title"],
            "body": pull["body"],
            "state": "open" if pull["state"] == "open" else "closed",
            "draft": _is_draft(pull["title"]),
            "merged": pull["state"] == "merged",
            "merge_commit_sha": pull.get("merge_sha"),
            "mergeable": False,
            "user": _user(pull["user"]),
            "labels": [{"id": repo.labels.get(name, 0), "name": name} for name in pull["labels"]] or None,
            "requested_reviewers": [_user(name) for name in pull["reviewers"]] or None,
            "assignees": [_user(name) for name in pull["assignees"]] or None,
            "milestone": _milestone(repo, pull["milestone"]) if pull["milestone"] else None,
            "content_version": pull["version"],
            "head": head,
            "base": base,
        }


def _is_open(pull: Mapping[str, Any]) -> bool:
    return bool(pull["state"] == "open")


def _is_draft(title: str) -> bool:
    return title.lower().startswith(("wip:", "[wip]"))


def _is_scheduled(pull: Mapping[str, Any]) -> bool:
    return bool(pull["events"]) and pull["events"][-1] == "pull_scheduled_merge"


def _milestone(repo: Repo, title: str) -> dict[str, Any]:
    return {"id": repo.milestones[title], "title": title, "state": "open"}


def _asset(root: str, one: Mapping[str, Any]) -> dict[str, Any]:
    url = f"{root}/attachments/{one['uuid']}"
    facts = {name: one[name] for name in ("id", "name", "uuid")}
    return {**facts, "size": len(one["data"]), "browser_download_url": url}


def _kind(data: bytes) -> str:
    """The kind of type that the bytes are of, as a server allows it."""
    return "image/*" if data.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8")) else "application/*"


def _user(login: str) -> dict[str, Any]:
    return {"login": login, "full_name": ""}


def _review(one: Mapping[str, Any], count: int) -> dict[str, Any]:
    facts = {name: one[name] for name in ("id", "state", "body")}
    return {**facts, "user": _user(one["user"]), "comments_count": count, "commit_id": one["sha"] or ""}


def _remark(one: Mapping[str, Any]) -> dict[str, Any]:
    place = {"path": one["path"], "position": one["line"], "original_position": 0}
    facts = {"id": one["id"], "body": one["body"], "user": _user(one["user"])}
    return {**facts, **place, "pull_request_review_id": one["review"], "resolver": None}


def _comment(said: Mapping[str, Any]) -> dict[str, Any]:
    facts = {"id": said["id"], "body": said["body"], "user": _user(said["user"])}
    return {**facts, "created_at": said.get("created", _now())}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _wrong(status: int, message: str) -> Reply:
    return Reply(status, {"message": message, "url": "http://gitea.invalid/api/swagger"})
