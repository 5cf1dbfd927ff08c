"""What CI jobs are given for each event, as each forge documents it: the variables, and the payload in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BASE = "1" * 40
HEAD = "2" * 40
MERGE = "3" * 40
ZEROS = "0" * 40

#: Of each forge what marks a job of its, and how it is spoken to.
FORGES: Mapping[str, Mapping[str, str]] = {
    "gitea": {
        "GITEA_ACTIONS": "true",
        "GITHUB_SERVER_URL": "https://gitea.test/git/",
        "GITHUB_API_URL": "https://gitea.test/git/api/v1",
    },
    "forgejo": {
        "FORGEJO_ACTIONS": "true",
        "GITEA_ACTIONS": "true",
        "GITHUB_SERVER_URL": "https://forgejo.test",
        "GITHUB_API_URL": "https://forgejo.test/api/v1",
    },
    "github": {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_API_URL": "https://api.github.com"},
}


def user(forge: str, login: str, number: int = 2) -> dict[str, Any]:
    """A person, or what has an account as one."""
    root = FORGES[forge]["GITHUB_SERVER_URL"].rstrip("/")
    shown = {"id": number, "login": login, "avatar_url": f"{root}/avatars/{number}", "html_url": f"{root}/{login}"}
    if forge == "github":
        return {**shown, "node_id": "U_1", "gravatar_id": "", "type": "User", "site_admin": False}
    return {**shown, "login_name": "", "full_name": "", "email": f"{login}@noreply.test", "active": False}


def repository(forge: str, owner: str = "team", number: int = 7, name: str = "notebooks") -> dict[str, Any]:
    """A repository as payloads hold it."""
    root = FORGES[forge]["GITHUB_SERVER_URL"].rstrip("/")
    shown = {
        "id": number,
        "name": name,
        "full_name": f"{owner}/{name}",
        "description": "" if forge != "github" else None,
        "private": False,
        "fork": number != 7,
        "archived": False,
        "html_url": f"{root}/{owner}/{name}",
        "url": f"{FORGES[forge]['GITHUB_API_URL']}/repos/{owner}/{name}",
        "ssh_url": f"git@host.test:{owner}/{name}.git",
        "clone_url": f"{root}/{owner}/{name}.git",
        "default_branch": "main",
        "owner": user(forge, owner, 1),
        "created_at": "2026-10-01T09:00:00Z",
    }
    if forge == "github":
        return {**shown, "node_id": "R_1", "visibility": "public", "topics": [], "license": None}
    return {**shown, "empty": False, "has_actions": True, "object_format_name": "sha1", "permissions": None}


def side(forge: str, ref: str, sha: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """One side of a pull request: a branch of a repository."""
    shown = {"label": ref, "ref": ref, "sha": sha, "repo": own}
    if forge == "github":
        return {**shown, "label": f"{own['owner']['login']}:{ref}", "user": own["owner"]}
    return {**shown, "repo_id": own["id"]}


def pull_request(forge: str, **changes: Any) -> dict[str, Any]:
    """A pull request as payloads hold it, with members of another value."""
    own = repository(forge)
    page = f"{own['html_url']}/{'pull' if forge == 'github' else 'pulls'}/12"
    member = {
        "id": 41,
        "number": 12,
        "title": "Lower the threshold `$(touch pwned)`",
        "body": None if forge == "github" else "",
        "state": "open",
        "draft": False,
        "merged": False,
        "merged_at": None,
        "merged_by": None,
        "closed_at": None,
        "created_at": "2026-11-01T10:00:00Z",
        "updated_at": "2026-11-01T10:00:00Z",
        "labels": [],
        "milestone": None,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "user": user(forge, "ada"),
        "url": f"{own['url']}/pulls/12" if forge == "github" else page,
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "comments": 0,
        "base": side(forge, "main", BASE, own),
        "head": side(forge, "agent/threshold", HEAD, own),
        "merge_commit_sha": MERGE if forge == "github" else None,
        "mergeable": None if forge == "github" else False,
    }
    if forge == "github":
        member |= {"node_id": "PR_1", "mergeable_state": "unknown", "auto_merge": None, "locked": False, "commits": 1}
        member |= {"author_association": "MEMBER", "maintainer_can_modify": False, "requested_teams": []}
    else:
        member |= {"merge_base": BASE, "is_locked": False, "due_date": None, "pin_order": 0}
        member |= {"requested_reviewers_teams": [], "allow_maintainer_edit": False}
        member |= {"content_version": 0} if forge == "gitea" else {"flow": 0}
    return {**member, **changes}


def of_pull_request(forge: str, action: str = "opened", **changes: Any) -> dict[str, Any]:
    """The payload of something that happened to a pull request, in the forge's own word for it."""
    theirs = {"synchronize": "synchronized", "labeled": "label_updated"} if forge != "github" else {}
    pull = pull_request(forge, **changes)
    payload = {
        "action": theirs.get(action, action),
        "number": pull["number"],
        "pull_request": pull,
        "repository": repository(forge),
        "sender": user(forge, "ada"),
    }
    if forge == "github":
        return {**payload, **({"before": BASE, "after": HEAD} if action == "synchronize" else {})}
    return {**payload, "commit_id": "", "review": None, "requested_reviewer": None}


def of_push(forge: str, before: str = BASE, after: str = HEAD, ref: str = "refs/heads/main") -> dict[str, Any]:
    """The payload of a push."""
    who = {"name": "Ada", "email": "ada@noreply.test", "username": "ada"}
    commit: dict[str, Any] = {"id": after, "message": "One", "timestamp": "2026-11-01T00:00:00Z", "url": ""}
    commit |= {"author": who, "committer": who, "added": [], "removed": [], "modified": []}
    is_gone = not after.strip("0")
    payload = {
        "ref": ref,
        "before": before,
        "after": after,
        "commits": [] if is_gone else [commit],
        "head_commit": None if is_gone else commit,
        "repository": repository(forge),
        "pusher": {"name": "ada", "email": "ada@noreply.test"} if forge == "github" else user(forge, "ada"),
        "sender": user(forge, "ada"),
    }
    extra = {"created": not before.strip("0"), "deleted": is_gone, "forced": False, "base_ref": None, "compare": ""}
    return {**payload, **(extra if forge == "github" else {"total_commits": 1, "compare_url": ""})}


def of_schedule(forge: str) -> dict[str, Any]:
    """The payload of a run at a time that was set.

    Gitea's is that of the push that brought the schedule, with the time; Forgejo's says nothing but what it is.
    """
    told = {"schedule": "0 3 * * *"}
    if forge == "forgejo":
        return {"action": "schedule"}
    if forge == "gitea":
        return {**of_push(forge), **told}
    return {**told, "repository": repository(forge), "workflow": ".github/workflows/nbpr.yml"}


def environment(forge: str, name: str, payload: Any, folder: Path, **more: str) -> dict[str, str]:
    """The variables of a job for the event `name`, its payload written where they say."""
    place = folder / "event.json"
    place.write_text(payload if isinstance(payload, str) else json.dumps(payload), encoding="utf-8")
    ref, commit = "refs/heads/main", HEAD
    if name == "pull_request":
        ref, commit = ("refs/pull/12/merge", MERGE) if forge == "github" else ("refs/pull/12/head", HEAD)
    if name == "pull_request_target":
        commit = BASE
    if (forge, name) == ("forgejo", "schedule"):
        ref = "main"
    return {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": name,
        "GITHUB_EVENT_PATH": str(place),
        "GITHUB_REF": ref,
        "GITHUB_SHA": commit,
        "GITHUB_REPOSITORY": "team/notebooks",
        "GITHUB_RUN_ID": "9000",
        "GITHUB_RUN_NUMBER": "33",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        **FORGES[forge],
        **more,
    }


def merge_request(**more: str) -> dict[str, str]:
    """The variables of a GitLab job in a merge request's pipeline."""
    return {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_COMMIT_SHA": HEAD,
        "CI_COMMIT_BEFORE_SHA": ZEROS,
        "CI_PROJECT_PATH": "team/analysis/notebooks",
        "CI_SERVER_URL": "https://gitlab.test",
        "CI_JOB_URL": "https://gitlab.test/team/analysis/notebooks/-/jobs/5",
        "CI_MERGE_REQUEST_IID": "12",
        "CI_MERGE_REQUEST_TITLE": "Lower the threshold",
        "CI_MERGE_REQUEST_LABELS": "",
        "CI_MERGE_REQUEST_PROJECT_ID": "7",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": BASE,
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "agent/threshold",
        "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        **more,
    }
