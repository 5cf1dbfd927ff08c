"""A fake of GitHub Enterprise Server: what nbpr asks of one, with the traps that the real one has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.forges.fake_reviews import shown_lines
from tests.forges.serving import FakeForge, Reply, Repo

MOST = 100

#: What is told of a status.
FACTS = ("context", "state", "description", "target_url")


class FakeGithub(FakeForge):
    """GitHub at `root`, its API below `/api/v3`. `slow` requests to open do not know a fresh head yet."""

    kind = "github"
    api = "/api/v3"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.slow = 0
        #: Those of the token, if it is a classic one; no other has any.
        self.scopes: set[str] | None = None

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any, login: str | None) -> Reply:
        if path == "/api/graphql" and login:
            return self._graphql(body, login)
        below = path.removeprefix(self.api)
        if path == "/api/v1/version":
            return _wrong(404, "Not Found")
        if below == "/meta":
            return Reply(200, {"verifiable_password_authentication": True, "installed_version": "3.17.0"})
        if login is None:
            return _wrong(401, "Requires authentication")
        if below == "/user":
            is_app = login in self.apps
            return _wrong(403, "Resource not accessible by integration") if is_app else Reply(200, _user(login))
        match = re.fullmatch(r"/repos/([^/]+/[^/]+)(/.*)?", below)
        if match is None:
            return self.unknown(method, path)
        repo = self.repos.get(match.group(1))
        if repo is None:
            return _wrong(404, "Not Found")
        return self._of(repo, method, match.group(2) or "", query, body or {}, login)

    def _of(self, repo: Repo, method: str, rest: str, query: Mapping[str, str], body: Any, login: str) -> Reply:
        self._notice(repo)
        if method != "GET" and login in self.apps & repo.readers:
            return _wrong(403, "Resource not accessible by integration")
        asked = f"{method} {rest}"
        if asked == "GET ":
            told = {} if self.scopes is None else {"X-OAuth-Scopes": ", ".join(sorted(self.scopes))}
            return Reply(200, self._repo(repo), told)
        if method != "GET" and self.scopes is not None and not self.scopes & {"repo", "public_repo"}:
            return _wrong(404, "Not Found")  # which is how it says that a scope is missing
        if asked == "GET /forks":
            return self._page([self._repo(one) for one in self.forks(repo)], query)
        if asked == "POST /forks":
            return self._fork(repo, body, login)
        if asked == "GET /branches":
            repo.settings["asked"] = repo.settings.get("asked", 0) + 1  # it copies after it has answered
            return Reply(200, [{"name": "main"}] if repo.settings["asked"] > 1 else [])
        if asked == "GET /pulls":
            return self._page([self._pull(repo, one, short=True) for one in self._listed(repo, query)], query)
        if asked == "POST /pulls":
            return self._open(repo, body, login)
        if match := re.fullmatch(r"(\w+) /pulls/(\d+)", asked):
            return self._one(repo, match.group(1), int(match.group(2)), body)
        if match := re.fullmatch(r"PUT /pulls/(\d+)/merge", asked):
            return self._merge(repo, int(match.group(1)), body)
        if match := re.fullmatch(r"GET /pulls/(\d+)/comments", asked):
            kept = [one for one in repo.kept.comments if one["pull"] == int(match.group(1))]
            return self._page([self._remark(repo, one) for one in kept], query)
        if match := re.fullmatch(r"GET /pulls/(\d+)/reviews", asked):
            kept = [one for one in repo.kept.reviews if one["pull"] == int(match.group(1))]
            return self._page([_told_review(one) for one in kept], query)
        if match := re.fullmatch(r"POST /pulls/(\d+)/reviews", asked):
            return self._review(repo, int(match.group(1)), body, login)
        if match := re.fullmatch(r"(PATCH|DELETE) /pulls/comments/(\d+)", asked):
            return self._change(repo, match.group(1), int(match.group(2)), body)
        if match := re.fullmatch(r"POST /pulls/(\d+)/requested_reviewers", asked):
            return self._ask(repo, int(match.group(1)), body)
        if match := re.fullmatch(r"(\w+) /issues/(\d+)/comments", asked):
            return self._comments(repo, match.group(1), int(match.group(2)), query, body, login)
        if match := re.fullmatch(r"(\w+) /issues/comments/(\d+)", asked):
            return self._comment(repo, match.group(1), int(match.group(2)), body)
        if match := re.fullmatch(r"POST /issues/(\d+)/labels", asked):
            if login in repo.readers:
                return _wrong(403, "Resource not accessible by personal access token")
            pull = repo.pulls[int(match.group(1))]
            had = {name.casefold(): name for name in (*repo.labels, *pull["labels"])}
            new = (had.get(name.casefold(), name) for name in body["labels"])
            pull["labels"] = list(dict.fromkeys((*pull["labels"], *new)))
            return Reply(200, [{"name": name} for name in pull["labels"]])
        if asked == "GET /milestones":
            return self._page([_milestone(repo, title) for title in repo.milestones], query)
        if asked == "POST /milestones":
            repo.milestones[body["title"]] = len(repo.milestones) + 1
            return Reply(201, _milestone(repo, body["title"]))
        if match := re.fullmatch(r"POST /issues/(\d+)/assignees", asked):
            pull = repo.pulls[int(match.group(1))]
            known = [name for name in body["assignees"] if name in self.users.values() and login not in repo.readers]
            pull["assignees"] = list(dict.fromkeys((*pull["assignees"], *known)))
            return Reply(201, self._issue(repo, pull))
        if match := re.fullmatch(r"PATCH /issues/(\d+)", asked):
            pull = repo.pulls[int(match.group(1))]
            if login not in repo.readers:
                pull["milestone"] = next(t for t, number in repo.milestones.items() if number == body["milestone"])
            return Reply(200, self._issue(repo, pull))
        if match := re.fullmatch(r"GET /commits/(\w+)/check-runs", asked):
            said = [
                one for one in repo.check_runs if (one["sha"], one["name"]) == (match.group(1), query["check_name"])
            ]
            return Reply(200, {"total_count": len(said), "check_runs": [_check_run(one) for one in reversed(said)]})
        if match := re.fullmatch(r"(POST|PATCH) /check-runs(?:/(\d+))?", asked):
            return self._check(repo, body, login, int(match.group(2) or 0))
        if match := re.fullmatch(r"GET /commits/(\w+)/status", asked):
            return self._status(repo, match.group(1))
        if match := re.fullmatch(r"POST /statuses/(\w+)", asked):
            return self._report(repo, match.group(1), body)
        return self.unknown(method, rest)

    def _notice(self, repo: Repo) -> None:
        """As the real one: a head that base has is merged, a head branch that is gone closes."""
        for pull in repo.pulls.values():
            head, base = self.head_sha(repo, pull["head"]), repo.sha(pull["base"])
            if pull["state"] == "open" and not self.remember(repo, pull):
                pull["state"] = "closed"
            elif pull["state"] == "open" and base and head and repo.is_ancestor(head, base):
                pull |= {"state": "merged", "merge_sha": base, "merged_head": head}

    # -- pull requests -------------------------------------------------------------------------------------

    def _fork(self, repo: Repo, body: Any, login: str) -> Reply:
        if not self.takes_forks:
            return _wrong(403, "Forking is disabled")
        name = body.get("name") or repo.name
        had = next((one for one in self.forks(repo) if one.owner == login), None)
        made = had or self.fork(repo, login, name) or self.fork(repo, login, f"{name}-1")
        return Reply(202, self._repo(made)) if made else _wrong(403, "name taken")

    def _listed(self, repo: Repo, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """As the real one: a `head` without its owner filters nothing."""
        state, head, base = query.get("state", "open"), query.get("head", ""), query.get("base")
        listed = [one for one in repo.pulls.values() if state == "all" or (one["state"] == "open") == (state == "open")]
        if ":" in head:
            listed = [one for one in listed if head in (one["head"], f"{repo.owner}:{one['head']}")]
        if base:
            listed = [one for one in listed if one["base"] == base]
        return sorted(listed, key=lambda one: -int(one["number"]))

    def _open(self, repo: Repo, body: Any, login: str) -> Reply:
        head, base = body["head"], body["base"]
        if self.slow:
            self.slow -= 1
            return _invalid({"resource": "PullRequest", "field": "head", "code": "invalid"})
        sha = self.head_sha(repo, head)
        if sha is None or repo.sha(base) is None:
            field = "head" if sha is None else "base"
            return _invalid({"resource": "PullRequest", "field": field, "code": "invalid"})
        if repo.is_ancestor(sha, str(repo.sha(base))):
            return _invalid(f"No commits between {base} and {head}")
        if any(one["state"] == "open" and (one["head"], one["base"]) == (head, base) for one in repo.pulls.values()):
            said = f"A pull request already exists for {repo.owner}:{head}."
            return _invalid({"resource": "PullRequest", "code": "custom", "message": said})
        if len(body.get("body") or "") > 65536:
            return _invalid("body is too long (maximum is 65536 characters)")
        number = len(repo.pulls) + 1
        pull = {"number": number, "head": head, "base": base, "title": body["title"], "body": body.get("body")}
        facts = {"user": login, "state": "open", "labels": [], "reviewers": [], "draft": bool(body.get("draft"))}
        facts |= {"assignees": [], "milestone": None, "auto_merge": None}
        repo.pulls[number] = {**pull, **facts}
        self.remember(repo, repo.pulls[number])
        return Reply(201, self._pull(repo, repo.pulls[number]))

    def _one(self, repo: Repo, method: str, number: int, body: Any) -> Reply:
        pull = repo.pulls.get(number)
        if pull is None:
            return _wrong(404, "Not Found")
        if method == "PATCH":
            if "state" in body and pull["state"] == "merged":
                return _invalid({"resource": "PullRequest", "field": "state", "code": "invalid"})
            if body.get("state") == "open" != pull["state"] and self.head_sha(repo, pull["head"]) is None:
                said = f"state cannot be changed. The {pull['head']} branch has been deleted."
                return _invalid({"resource": "PullRequest", "field": "state", "code": "custom", "message": said})
            pull |= {name: body[name] for name in ("title", "body", "state") if name in body}
        return Reply(200, self._pull(repo, pull))

    def _merge(self, repo: Repo, number: int, body: Any) -> Reply:
        pull = repo.pulls[number]
        head = self.head_sha(repo, pull["head"])
        if self.asking in repo.readers:
            return _wrong(403, "Resource not accessible by personal access token")
        if pull["draft"] or pull["state"] != "open" or pull.get("computed") != head:
            pull["computed"] = head
            return _wrong(405, "Pull Request is not mergeable")
        if body.get("sha") not in (None, head):
            return _wrong(409, "Head branch was modified. Review and try the merge again.")
        sha = repo.merge(pull["base"], str(head), f"{body.get('commit_title')}\n\n{body.get('commit_message')}")
        if sha is None:
            return _wrong(405, "Pull Request is not mergeable")
        pull |= {"state": "merged", "merge_sha": sha, "merged_head": head}
        return Reply(200, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"})

    def _ask(self, repo: Repo, number: int, body: Any) -> Reply:
        pull = repo.pulls[number]
        known = [name for name in self.users.values() if name != pull["user"]]
        if not set(body["reviewers"]) <= set(known):
            return _invalid("Reviews may only be requested from collaborators.")
        pull["reviewers"] = list(dict.fromkeys((*pull["reviewers"], *body["reviewers"])))
        return Reply(201, self._pull(repo, pull, short=True))

    def _graphql(self, body: Any, login: str) -> Reply:
        if "viewer" in body["query"]:
            return Reply(200, {"data": {"viewer": {"login": login}}})
        number, full_name = body["variables"]["id"].split(" ", 1)
        repo = self.repos[full_name]
        pull = repo.pulls[int(number)]
        if "enablePullRequestAutoMerge" in body["query"]:
            return self._auto_merge(repo, pull, body["variables"]["way"], login)
        pull["draft"] = "convertPullRequestToDraft" in body["query"]
        return Reply(200, {"data": {"x": {"pullRequest": {"isDraft": pull["draft"]}}}})

    def _auto_merge(self, repo: Repo, pull: dict[str, Any], way: str, login: str) -> Reply:
        """As the real one: refused where the settings do not allow it, and where nothing is to be waited for."""
        if not repo.settings.get("allow_auto_merge"):
            return _told_no("Pull request Auto merge is not allowed for this repository")
        if repo.passes(pull["base"], str(self.head_sha(repo, pull["head"]))):
            return _told_no("Pull request Pull request is in clean status")
        pull["auto_merge"] = {"enabled_by": _user(login), "merge_method": way.lower()}
        return Reply(200, {"data": {"x": {"pullRequest": {"autoMergeRequest": {"enabledAt": _now()}}}}})

    def _check(self, repo: Repo, body: Any, login: str, number: int) -> Reply:
        if login not in self.apps:
            return _wrong(403, "You must authenticate via a GitHub App.")
        output = body["output"]
        if len(output["annotations"]) > 50:
            return _invalid("more than 50 annotations")
        if number:
            run = next(one for one in repo.check_runs if one["id"] == number)
            run["annotations"] += output["annotations"]
            return Reply(200, _check_run(run))
        run = {**body, "id": self.number(), "sha": body["head_sha"], "annotations": list(output["annotations"])}
        repo.check_runs.append(run)
        return Reply(201, _check_run(run))

    # -- comments and statuses -----------------------------------------------------------------------------

    def _comments(self, repo: Repo, method: str, number: int, query: Mapping[str, str], body: Any, login: str) -> Reply:
        if number not in repo.pulls:
            return _wrong(404, "Not Found")
        if method == "GET":
            return self._page([_comment(one) for one in repo.comments if one["pull"] == number], query)
        said = {"id": self.number(), "pull": number, "user": login, "body": body["body"], "created": _now()}
        repo.comments.append(said)
        return Reply(201, _comment(said))

    def _comment(self, repo: Repo, method: str, number: int, body: Any) -> Reply:
        found = next((one for one in repo.comments if one["id"] == number), None)
        if found is None:
            return _wrong(404, "Not Found")
        if method == "DELETE":
            repo.comments.remove(found)
            return Reply(204)
        found["body"] = body["body"]
        return Reply(200, _comment(found))

    def _review(self, repo: Repo, number: int, body: Any, login: str) -> Reply:
        pull = repo.pulls[number]
        if login in repo.readers:
            return _wrong(403, "Resource not accessible by personal access token")
        shown = shown_lines(repo.diff(pull["base"], str(self.head_sha(repo, pull["head"]))))
        if not {(one["path"], one["line"]) for one in body.get("comments", ())} <= shown:
            return _wrong(422, "Unprocessable Entity: Line could not be resolved")
        made = repo.kept.make(self.number, number, login, body)
        pull["reviewers"] = [name for name in pull["reviewers"] if name != login]
        return Reply(200, _told_review(made))

    def _change(self, repo: Repo, method: str, number: int, body: Any) -> Reply:
        found = repo.kept.comment(number)
        if found is None:
            return _wrong(404, "Not Found")
        if method == "DELETE":
            repo.kept.comments.remove(found)
            return Reply(204)
        found["body"] = body["body"]
        return Reply(200, self._remark(repo, found))

    def _remark(self, repo: Repo, one: Mapping[str, Any]) -> dict[str, Any]:
        facts = {name: one[name] for name in ("id", "body", "path", "line")}
        answer = {"in_reply_to_id": one["to"]} if one["to"] else {}
        return {**facts, **answer, "user": _user(one["user"]), "pull_request_review_id": one["review"]}

    def _status(self, repo: Repo, sha: str) -> Reply:
        if not repo.has(sha):
            return _wrong(422, f"No commit found for SHA: {sha}")
        newest = {one["context"].lower(): one for one in repo.statuses if one["sha"] == sha}
        rows = [{name: one[name] for name in FACTS} for one in newest.values()]
        return Reply(200, {"state": "pending" if not rows else "success", "total_count": len(rows), "statuses": rows})

    def _report(self, repo: Repo, sha: str, body: Any) -> Reply:
        if not repo.has(sha):
            return _wrong(422, f"No commit found for SHA: {sha}")
        if self.asking in repo.readers:
            return _wrong(404, "Not Found")
        if len(body.get("description", "")) > 140:
            return _invalid("description is too long")
        row = {"sha": sha, "context": body["context"], "state": body["state"], "description": body["description"]}
        row["target_url"] = body.get("target_url")
        repo.statuses.append(row)
        for pull in repo.pulls.values():
            head = self.head_sha(repo, pull["head"])
            if pull["state"] == "open" and pull["auto_merge"] and repo.passes(pull["base"], str(head)):
                merged = repo.merge(pull["base"], str(head), f"Merge {pull['title']}")
                pull |= {"state": "merged", "merge_sha": merged, "merged_head": head}
        return Reply(201, {name: row[name] for name in FACTS})

    # -- what it looks like --------------------------------------------------------------------------------

    def _page(self, rows: list[dict[str, Any]], query: Mapping[str, str]) -> Reply:
        size, page = min(int(query.get("per_page", 30)), MOST), int(query.get("page", 1))
        more = page * size < len(rows)
        link = {"Link": f'<{self.root}/x?page={page + 1}>; rel="next"'} if more else {}
        return Reply(200, rows[(page - 1) * size : page * size], link)

    def _repo(self, repo: Repo) -> dict[str, Any]:
        facts = {"id": repo.number, "owner": _user(repo.owner), "name": repo.name, "full_name": repo.full_name}
        rights = {"permissions": self.rights(repo), "archived": False, "fork": bool(repo.parent)}
        parent = {"parent": self._repo(repo.parent)} if repo.parent else {}
        return {
            **facts,
            **rights,
            **parent,
            "default_branch": "main",
            "allow_merge_commit": True,
            **{k: v for k, v in repo.settings.items() if k != "asked"},
        }

    def _issue(self, repo: Repo, pull: Mapping[str, Any]) -> dict[str, Any]:
        shown = self._pull(repo, pull)
        return {name: shown[name] for name in ("number", "title", "body", "state", "user", "assignees", "milestone")}

    def _pull(self, repo: Repo, pull: Mapping[str, Any], *, short: bool = False) -> dict[str, Any]:
        facts = {"id": repo.number, "full_name": repo.full_name, "owner": _user(repo.owner), "name": repo.name}
        home, branch = self.home(repo, pull["head"])
        its = (
            {"id": home.number, "full_name": home.full_name, "owner": _user(home.owner), "name": home.name}
            if home
            else None
        )
        sha = self.head_sha(repo, pull["head"]) or pull.get("merged_head") or pull["head_sha"]
        head = {"ref": branch, "sha": sha, "repo": its}
        merged = pull["state"] == "merged"
        number = pull["number"]
        shown = {
            "number": number,
            "node_id": f"{number} {repo.full_name}",
            "url": f"{self.root}/api/v3/repos/{repo.full_name}/pulls/{number}",
            "html_url": f"{self.root}/{repo.full_name}/pull/{number}",
            "title": pull["title"],
            "body": pull["body"],
            "state": "open" if pull["state"] == "open" else "closed",
            "draft": pull["draft"],
            "merged_at": _now() if merged else None,
            "merge_commit_sha": pull.get("merge_sha"),
            "user": _user(pull["user"]),
            "labels": [{"name": name} for name in pull["labels"]],
            "requested_reviewers": [_user(name) for name in pull["reviewers"]],
            "assignees": [_user(name) for name in pull["assignees"]],
            "milestone": _milestone(repo, pull["milestone"]) if pull["milestone"] else None,
            "auto_merge": pull["auto_merge"],
            "head": {"label": f"{home.owner if home else '?'}:{branch}", **head},
            "base": {"ref": pull["base"], "sha": repo.sha(pull["base"]), "repo": facts},
        }
        if short:
            return shown
        is_known = pull.get("computed") == head["sha"]
        return {**shown, "merged": merged, "mergeable": True if is_known else None}


def _milestone(repo: Repo, title: str) -> dict[str, Any]:
    return {"number": repo.milestones[title], "title": title, "state": "open"}


def _check_run(run: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: run[name] for name in ("id", "name", "status", "external_id")}
    told = {"title": run["output"]["title"], "summary": run["output"]["summary"]}
    output = {**told, "annotations_count": len(run["annotations"])}
    return {**facts, "head_sha": run["sha"], "conclusion": run.get("conclusion"), "output": output}


def _told_no(message: str) -> Reply:
    return Reply(200, {"data": {"x": None}, "errors": [{"type": "UNPROCESSABLE", "message": message}]})


def _user(login: str) -> dict[str, Any]:
    return {"login": login}


def _told_review(one: Mapping[str, Any]) -> dict[str, Any]:
    state = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}.get(one["state"], "COMMENTED")
    facts = {"id": one["id"], "body": one["body"], "user": _user(one["user"]), "state": state}
    return {**facts, "commit_id": one["sha"]}


def _comment(said: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": said["id"], "body": said["body"], "user": _user(said["user"]), "created_at": said["created"]}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _wrong(status: int, message: str) -> Reply:
    return Reply(status, {"message": message, "documentation_url": "https://docs.github.com", "status": str(status)})


def _invalid(error: Any) -> Reply:
    return Reply(422, {"message": "Validation Failed", "errors": [error], "status": "422"})
