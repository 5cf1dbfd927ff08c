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


def repository(forge: str, owner: str = "team", number: int = 7) -> dict[str, Any]:
    """A repository as payloads hold it."""
    root = FORGES[forge]["GITHUB_SERVER_URL"].rstrip("/")
    return {
        "id": number,
        "name": "notebooks",
        "full_name": f"{owner}/notebooks",
        "private": False,
        "fork": number != 7,
        "html_url": f"{root}/{owner}/notebooks",
        "clone_url": f"{root}/{owner}/notebooks.git",
        "default_branch": "main",
        "owner": {"id": 1, "login": owner},
    }


def pull_request(forge: str, **changes: Any) -> dict[str, Any]:
    """A pull request as payloads hold it, with members of another value."""
    own = repository(forge)
    member = {
        "id": 41,
        "number": 12,
        "title": "Lower the threshold `$(touch pwned)`",
        "body": None,
        "state": "open",
        "draft": False,
        "merged": False,
        "labels": None if forge != "github" else [],
        "user": {"id": 2, "login": "ada"},
        "html_url": f"{own['html_url']}/pulls/12",
        "base": {"label": "main", "ref": "main", "sha": BASE, "repo": own},
        "head": {"label": "threshold", "ref": "agent/threshold", "sha": HEAD, "repo": own},
    }
    if forge == "github":
        member |= {"merge_commit_sha": MERGE, "mergeable": None}
        for side in ("base", "head"):
            member[side] = {**member[side], "label": f"team:{member[side]['ref']}", "user": own["owner"]}
    else:
        member |= {"merge_base": BASE, "is_locked": False}
        for side in ("base", "head"):
            member[side] = {**member[side], "repo_id": own["id"]}
    return {**member, **changes}


def of_pull_request(forge: str, action: str = "opened", **changes: Any) -> dict[str, Any]:
    """The payload of something that happened to a pull request, in the forge's own word for it."""
    theirs = {"synchronize": "synchronized", "labeled": "label_updated"} if forge != "github" else {}
    payload = {
        "action": theirs.get(action, action),
        "number": 12,
        "pull_request": pull_request(forge, **changes),
        "repository": repository(forge),
        "sender": {"id": 2, "login": "ada"},
    }
    return payload if forge == "github" else {**payload, "commit_id": "", "review": None, "requested_reviewer": None}


def of_push(forge: str, before: str = BASE, after: str = HEAD) -> dict[str, Any]:
    """The payload of a push to main."""
    commit = {"id": after, "message": "One", "timestamp": "2026-11-01T00:00:00Z", "added": [], "modified": []}
    payload = {
        "ref": "refs/heads/main",
        "before": before,
        "after": after,
        "commits": [commit],
        "head_commit": commit,
        "repository": repository(forge),
        "pusher": {"name": "ada"},
        "sender": {"id": 2, "login": "ada"},
    }
    extra = {"created": not before.strip("0"), "deleted": False, "forced": False, "base_ref": None}
    return {**payload, **(extra if forge == "github" else {"total_commits": 1, "compare_url": ""})}


def of_schedule(forge: str) -> dict[str, Any]:
    """The payload of a run at a time that was set: on Gitea that of the push that brought the schedule."""
    told = {"schedule": "0 3 * * *"}
    return told if forge == "github" else {**of_push(forge), **told}


def environment(forge: str, name: str, payload: Any, folder: Path, **more: str) -> dict[str, str]:
    """The variables of a job for the event `name`, its payload written where they say."""
    place = folder / "event.json"
    place.write_text(payload if isinstance(payload, str) else json.dumps(payload), encoding="utf-8")
    ref, commit = "refs/heads/main", HEAD
    if name == "pull_request":
        ref, commit = ("refs/pull/12/merge", MERGE) if forge == "github" else ("refs/pull/12/head", HEAD)
    if name == "pull_request_target":
        commit = BASE
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
