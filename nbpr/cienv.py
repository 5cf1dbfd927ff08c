"""What a CI job says of itself: which forge runs it, and for which event.

The job's environment and the event's payload are hostile input: titles, branches and labels are anybody's. What is
read here is checked for its type and its form, and never becomes part of a command line without that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from nbpr.errors import BadInput

Forge = Literal["gitea", "forgejo", "github", "gitlab"]
Json = Mapping[str, Any]

#: The events of pull requests: the second one runs base's workflow, with base's secrets.
PULL_REQUESTS = ("pull_request", "pull_request_target")

#: A larger payload is not read. GitHub's own limit is 25 MB.
LARGEST = 32_000_000

#: Gitea's words for what happened to a pull request, in GitHub's, whose filters all of them share.
_ACTIONS = {"synchronized": "synchronize", "label_updated": "labeled", "label_cleared": "unlabeled"}

#: GitLab's words for why a pipeline runs.
_SOURCES = {"merge_request_event": "pull_request", "web": "workflow_dispatch"}

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NAME = re.compile(r"[a-z][a-z_]{0,63}")
_REPOSITORY = re.compile(r"[\w.-]+(?:/[\w.-]+)+")
_UNSAFE_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|^[-/]|\.\.|@\{|//|[./]$|\.lock$")


@dataclass(frozen=True)
class Event:
    """One event that a CI job runs for.

    `name` is `pull_request`, `pull_request_target`, `push`, `schedule`, `workflow_dispatch` or another of the
    forge's. `head_sha` is the commit that is judged: of a pull request its true head, not the merge with base that
    GitHub checks out. `base_sha` is None where the event names none: of a push it is what the branch was before,
    which `before` has as it was said, all zeros for a new branch. `action` is in GitHub's words on every forge.
    `is_fork` is also true where the head's repository is gone, and of what AGit pushed. `summary_file` is where a
    summary for people goes. `over` says in words that what the event is of has come to its end, so that there is
    nothing left to judge; else it is empty. `default_branch` is the repository's, where that is told.
    """

    forge: Forge
    name: str
    head_sha: str
    base_sha: str | None = None
    base_ref: str | None = None
    head_ref: str | None = None
    number: int | None = None
    is_fork: bool = False
    draft: bool = False
    action: str | None = None
    labels: tuple[str, ...] = ()
    repository: str | None = None
    server_url: str | None = None
    before: str | None = None
    summary_file: str | None = None
    run_url: str | None = None
    over: str = ""
    default_branch: str | None = None

    @property
    def is_pull_request(self) -> bool:
        """Whether it is about a pull request."""
        return self.name in PULL_REQUESTS

    @property
    def is_first_push(self) -> bool:
        """Whether it is the push of a branch that was not there before."""
        return self.before is not None and not self.before.strip("0")


def event(environ: Mapping[str, str]) -> Event | None:
    """The event that this job runs for; None outside of CI.

    Raises `BadInput` where the job says that it is one of CI's and what it says cannot be used.
    """
    for mark, read in _READERS.items():
        if environ.get(mark) == "true":
            return read(environ)
    return None


# -- Gitea, Forgejo and GitHub ---------------------------------------------------------------------------------


def _actions(forge: Forge, environ: Mapping[str, str]) -> Event:
    name = _matching(_NAME, environ.get("GITHUB_EVENT_NAME"), "GITHUB_EVENT_NAME")
    payload = _payload(environ.get("GITHUB_EVENT_PATH"))
    ref = environ.get("GITHUB_REF")
    server = (environ.get("GITHUB_SERVER_URL") or "").rstrip("/") or None
    repository = environ.get("GITHUB_REPOSITORY") or None
    if repository is not None:
        _matching(_REPOSITORY, repository, "GITHUB_REPOSITORY")
    shared: dict[str, Any] = {
        "forge": forge,
        "name": name,
        "repository": repository,
        "server_url": _web(server),
        "summary_file": environ.get("GITHUB_STEP_SUMMARY") or None,
        "run_url": _run_url(forge, server, repository, environ),
        "default_branch": _default_branch(payload),
    }
    checked_out = environ.get("GITHUB_SHA")
    if name in PULL_REQUESTS:
        return Event(**shared, **_pull_request(payload))
    if name == "push":
        return Event(**shared, **_push(payload, checked_out, ref))
    # Of a schedule, which is the default branch's, Forgejo says the bare name; and nothing of the repository.
    if name == "schedule" and ref and not ref.startswith("refs/"):
        ref = f"refs/heads/{ref}"
    head_ref = _branch(ref)
    if name == "schedule":
        shared["default_branch"] = shared["default_branch"] or head_ref
    return Event(**shared, head_sha=_sha(checked_out, "GITHUB_SHA"), head_ref=head_ref)


def _pull_request(payload: Json) -> dict[str, Any]:
    pull = _object(payload, "pull_request")
    base, head = _object(pull, "base"), _object(pull, "head")
    number = pull.get("number", payload.get("number"))
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise _unusable("pull_request.number")
    action = payload.get("action")
    is_over = "closed" in (action, pull.get("state"))
    return {
        "head_sha": _sha(head.get("sha"), "pull_request.head.sha"),
        # One that is closed since its base was deleted has no commit there.
        "base_sha": None if is_over else _sha(base.get("sha"), "pull_request.base.sha"),
        "base_ref": _ref(base.get("ref"), "pull_request.base.ref"),
        "head_ref": _ref(head.get("ref"), "pull_request.head.ref"),
        "number": number,
        "is_fork": _is_fork(base, head),
        "draft": pull.get("draft") is True,
        "action": _ACTIONS.get(action, action) if isinstance(action, str) and _NAME.fullmatch(action) else None,
        "labels": _labels(pull.get("labels")),
        "over": "the pull request is closed" if is_over else "",
    }


def _is_fork(base: Json, head: Json) -> bool:
    """Whether the head lies in another repository than the base, or that cannot be told.

    A head without a branch was pushed by AGit, which takes no more than the right to read.
    """
    ids = [_id_of(side) for side in (base, head)]
    return None in ids or ids[0] != ids[1] or str(head.get("ref")).startswith("refs/pull/")


def _id_of(side: Json) -> int | None:
    repository = side.get("repo")
    found = repository.get("id") if isinstance(repository, dict) else None
    return found if isinstance(found, int) else None


def _labels(value: Any) -> tuple[str, ...]:
    """The names of the labels; a forge says null where there are none."""
    held = value if isinstance(value, list) else []
    return tuple(one["name"] for one in held if isinstance(one, dict) and isinstance(one.get("name"), str))


def _push(payload: Json, checked_out: str | None, ref: str | None) -> dict[str, Any]:
    """A push. Of an annotated tag, the payload names the tag and not its commit."""
    before = _sha(payload.get("before"), "before")
    after = payload.get("after")
    is_gone = isinstance(after, str) and bool(after) and not after.strip("0")
    head_ref = _branch(ref)
    return {
        "head_sha": _sha(after if after and head_ref and not is_gone else checked_out, "after"),
        "base_sha": before if before.strip("0") else None,
        "head_ref": head_ref,
        "before": before,
        "over": "the branch was deleted" if is_gone else "",
    }


def _default_branch(payload: Json) -> str | None:
    repository = payload.get("repository")
    name = repository.get("default_branch") if isinstance(repository, dict) else None
    return name if _is_ref(name) else None


def _run_url(forge: Forge, server: str | None, repository: str | None, environ: Mapping[str, str]) -> str | None:
    """Where the job's log is. Forgejo numbers runs by repository; Gitea does since 1.26 as GitHub does."""
    number = environ.get("GITHUB_RUN_NUMBER" if forge == "forgejo" else "GITHUB_RUN_ID") or ""
    if not (_web(server) and repository and number.isascii() and number.isdigit()):
        return None
    return f"{server}/{quote(repository)}/actions/runs/{number}"


def _payload(path: str | None) -> Json:
    """The event's payload. Raises `BadInput` where there is none, or it is too large or no JSON object."""
    if not path:
        raise BadInput("GITHUB_EVENT_PATH is not set", hint="run the gate in a job, or name --base and --head")
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise BadInput(f"GITHUB_EVENT_PATH: more than {LARGEST:,} bytes")
        found = json.loads(data)
    except OSError as error:
        raise BadInput(f"GITHUB_EVENT_PATH: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise BadInput("GITHUB_EVENT_PATH: not JSON") from None
    if not isinstance(found, dict):
        raise BadInput("GITHUB_EVENT_PATH: not a JSON object")
    return found


# -- GitLab ----------------------------------------------------------------------------------------------------


def _gitlab(environ: Mapping[str, str]) -> Event:
    source = environ.get("CI_PIPELINE_SOURCE") or ""
    name = _matching(_NAME, _SOURCES.get(source, source), "CI_PIPELINE_SOURCE")
    commit = _sha(environ.get("CI_COMMIT_SHA"), "CI_COMMIT_SHA")
    repository = environ.get("CI_PROJECT_PATH") or None
    if repository is not None:
        _matching(_REPOSITORY, repository, "CI_PROJECT_PATH")
    shared: dict[str, Any] = {
        "forge": "gitlab",
        "name": name,
        "repository": repository,
        "server_url": _web((environ.get("CI_SERVER_URL") or "").rstrip("/") or None),
        "run_url": _web(environ.get("CI_JOB_URL")),
        "default_branch": environ.get("CI_DEFAULT_BRANCH") if _is_ref(environ.get("CI_DEFAULT_BRANCH")) else None,
    }
    if name == "pull_request":
        return Event(**shared, **_merge_request(environ, commit))
    before = environ.get("CI_COMMIT_BEFORE_SHA") if name == "push" else None
    known = _sha(before, "CI_COMMIT_BEFORE_SHA") if before else None
    base = known if known and known.strip("0") else None
    branch = environ.get("CI_COMMIT_BRANCH")
    head_ref = _ref(branch, "CI_COMMIT_BRANCH") if branch else None
    return Event(**shared, head_sha=commit, base_sha=base, before=known, head_ref=head_ref)


def _merge_request(environ: Mapping[str, str], commit: str) -> dict[str, Any]:
    """A merge request. The source branch's commit is named where the one checked out is a merge."""
    number = environ.get("CI_MERGE_REQUEST_IID") or ""
    if not (number.isascii() and number.isdigit()):
        raise _unusable("CI_MERGE_REQUEST_IID")
    source = environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA")
    ours, theirs = (environ.get(f"CI_MERGE_REQUEST_{side}PROJECT_ID") for side in ("", "SOURCE_"))
    title = environ.get("CI_MERGE_REQUEST_TITLE") or ""
    labels = environ.get("CI_MERGE_REQUEST_LABELS") or ""
    return {
        "head_sha": _sha(source, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") if source else commit,
        "base_sha": _sha(environ.get("CI_MERGE_REQUEST_DIFF_BASE_SHA"), "CI_MERGE_REQUEST_DIFF_BASE_SHA"),
        "base_ref": _ref(environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"), "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
        "head_ref": _ref(environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"), "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"),
        "number": int(number),
        "is_fork": not ours or ours != theirs,
        "draft": environ.get("CI_MERGE_REQUEST_DRAFT") == "true" or title.lower().startswith(("draft:", "[draft]")),
        "labels": tuple(label for label in labels.split(",") if label),
    }


# -- what is checked of every value ----------------------------------------------------------------------------


def _object(value: Json, name: str) -> Json:
    found = value.get(name)
    if not isinstance(found, dict):
        raise _unusable(name)
    return found


def _matching(pattern: re.Pattern[str], value: Any, name: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _unusable(name)
    return value


def _sha(value: Any, name: str) -> str:
    return _matching(_SHA, value, name)


def _ref(value: Any, name: str) -> str:
    """A branch as git would take it; never one that a command would take for an option."""
    if not _is_ref(value):
        raise _unusable(name)
    return str(value)


def _is_ref(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 1_000 and not _UNSAFE_REF.search(value)


def _branch(ref: str | None) -> str | None:
    """The branch of a whole ref, None for a tag or where there is none."""
    if not ref or not ref.startswith("refs/heads/"):
        return None
    return _ref(ref.removeprefix("refs/heads/"), "GITHUB_REF")


def _web(url: str | None) -> str | None:
    return url if url and re.fullmatch(r"https?://[^\s<>\"'`\\]+", url) else None


def _unusable(name: str) -> BadInput:
    return BadInput(f"what CI says of this job cannot be used: {name}", hint="name --base and --head")


def _reader(forge: Forge) -> Callable[[Mapping[str, str]], Event]:
    return lambda environ: _actions(forge, environ)


#: The variable that says which CI this is, and who reads what it says. Forgejo sets all three of the first, Gitea two.
_READERS: Mapping[str, Callable[[Mapping[str, str]], Event]] = {
    "FORGEJO_ACTIONS": _reader("forgejo"),
    "GITEA_ACTIONS": _reader("gitea"),
    "GITHUB_ACTIONS": _reader("github"),
    "GITLAB_CI": _gitlab,
}
