"""What CI says: each forge's events, and payloads that are not what they should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nbpr import cienv
from nbpr.errors import BadInput
from tests.cijobs import (
    BASE,
    FORGES,
    HEAD,
    MERGE,
    ZEROS,
    environment,
    merge_request,
    of_pull_request,
    of_push,
    of_schedule,
    pull_request,
    repository,
    side,
)
from tests.forges.shapes import Shapes

ALL = list(FORGES)


def event(forge: str, name: str, payload: Any, folder: Path, **more: str) -> cienv.Event:
    found = cienv.event(environment(forge, name, payload, folder, **more))
    assert found is not None
    assert found.forge == forge
    assert found.name == name
    return found


def test_outside_of_ci_there_is_none() -> None:
    assert cienv.event({"PATH": "/usr/bin", "CI": "true", "GITHUB_ACTIONS": "false"}) is None


@pytest.mark.parametrize("forge", ALL)
def test_a_pull_request_that_was_opened(forge: str, tmp_path: Path) -> None:
    found = event(forge, "pull_request", of_pull_request(forge), tmp_path)
    assert (found.base_sha, found.head_sha) == (BASE, HEAD)  # never GitHub's merge commit, which is checked out
    assert (found.base_ref, found.head_ref, found.number) == ("main", "agent/threshold", 12)
    assert (found.action, found.is_fork, found.draft, found.labels) == ("opened", False, False, ())
    assert found.is_pull_request
    assert found.repository == "team/notebooks"
    assert found.before is None
    assert found.summary_file == str(tmp_path / "summary.md")


def test_where_the_log_is(tmp_path: Path) -> None:
    urls = {forge: event(forge, "push", of_push(forge), tmp_path).run_url for forge in ALL}
    assert urls == {
        "gitea": "https://gitea.test/git/team/notebooks/actions/runs/9000",
        "forgejo": "https://forgejo.test/team/notebooks/actions/runs/33",
        "github": "https://github.com/team/notebooks/actions/runs/9000",
    }
    assert event("gitea", "push", of_push("gitea"), tmp_path).server_url == "https://gitea.test/git"
    assert event("github", "push", of_push("github"), tmp_path, GITHUB_RUN_ID="1;rm").run_url is None
    assert event("github", "push", of_push("github"), tmp_path, GITHUB_SERVER_URL="javascript:1").run_url is None


@pytest.mark.parametrize("forge", ALL)
def test_what_happened_is_told_in_the_same_words_everywhere(forge: str, tmp_path: Path) -> None:
    for action in ("opened", "reopened", "synchronize", "closed", "labeled"):
        assert event(forge, "pull_request", of_pull_request(forge, action), tmp_path).action == action


@pytest.mark.parametrize("forge", ALL)
def test_drafts_and_labels(forge: str, tmp_path: Path) -> None:
    labels = [{"id": 1, "name": "skip nbpr", "color": "ff0000"}, {"id": 2, "name": "später"}, {"id": 3}, "x"]
    found = event(forge, "pull_request", of_pull_request(forge, draft=True, labels=labels), tmp_path)
    assert found.draft
    assert found.labels == ("skip nbpr", "später")


@pytest.mark.parametrize("forge", ALL)
@pytest.mark.parametrize("name", ["pull_request", "pull_request_target"])
def test_a_fork(forge: str, name: str, tmp_path: Path) -> None:
    head = {**pull_request(forge)["head"], "repo": repository(forge, "eve", 8)}
    found = event(forge, name, of_pull_request(forge, head=head), tmp_path)
    assert found.is_fork
    assert found.is_pull_request
    assert found.head_sha == HEAD
    assert found.repository == "team/notebooks"


@pytest.mark.parametrize("forge", ALL)
@pytest.mark.parametrize("repo", [None, {}, {"id": "7"}, {"id": None}])
def test_a_head_whose_repository_cannot_be_told_is_taken_for_a_fork(forge: str, repo: Any, tmp_path: Path) -> None:
    head = {**pull_request(forge)["head"], "repo": repo}
    assert event(forge, "pull_request", of_pull_request(forge, head=head), tmp_path).is_fork


def test_what_agit_pushed_is_taken_for_a_forks(tmp_path: Path) -> None:
    head = {**pull_request("gitea")["head"], "label": "", "ref": "refs/pull/12/head"}
    found = event("gitea", "pull_request", of_pull_request("gitea", head=head), tmp_path)
    assert found.is_fork
    assert found.head_ref == "refs/pull/12/head"


@pytest.mark.parametrize("forge", ALL)
def test_a_push(forge: str, tmp_path: Path) -> None:
    found = event(forge, "push", of_push(forge), tmp_path)
    assert (found.base_sha, found.head_sha, found.before) == (BASE, HEAD, BASE)
    assert (found.head_ref, found.base_ref, found.number) == ("main", None, None)
    assert not found.is_first_push
    assert not found.is_pull_request


@pytest.mark.parametrize("forge", ALL)
def test_a_first_push(forge: str, tmp_path: Path) -> None:
    found = event(forge, "push", of_push(forge, ZEROS), tmp_path, GITHUB_REF="refs/heads/new")
    assert (found.base_sha, found.head_sha, found.before) == (None, HEAD, ZEROS)
    assert found.is_first_push
    assert found.head_ref == "new"
    assert event(forge, "push", of_push(forge), tmp_path, GITHUB_REF="refs/tags/v1").head_ref is None


@pytest.mark.parametrize("forge", ALL)
def test_a_schedule_and_a_start_by_hand_have_no_base(forge: str, tmp_path: Path) -> None:
    started = {"repository": repository(forge), "inputs": {}, "ref": "refs/heads/main"}
    for name, payload in {"schedule": of_schedule(forge), "workflow_dispatch": started}.items():
        found = event(forge, name, payload, tmp_path)
        assert (found.base_sha, found.head_sha, found.before, found.head_ref) == (None, HEAD, None, "main")
        assert found.default_branch == "main"  # of a schedule, too, where the payload says nothing of the repository
    assert event(forge, "schedule", {}, tmp_path).default_branch == "main"
    assert event(forge, "push", of_push(forge), tmp_path, GITHUB_REF="refs/heads/x").default_branch == "main"


@pytest.mark.parametrize("forge", ALL)
def test_a_pull_request_that_is_closed_is_over_whatever_happened_to_it(forge: str, tmp_path: Path) -> None:
    gone = side(forge, "main", "", repository(forge))
    for action, base in (("closed", pull_request(forge)["base"]), ("labeled", gone)):
        payload = of_pull_request(forge, action, state="closed", base=base)
        assert event(forge, "pull_request", payload, tmp_path).over == "the pull request is closed"
    assert event(forge, "pull_request", of_pull_request(forge, "reopened"), tmp_path).over == ""


def test_a_branch_that_was_deleted_is_over_and_the_default_branch_checked_out(tmp_path: Path) -> None:
    payload = of_push("github", BASE, ZEROS, "refs/heads/topic")
    found = event("github", "push", payload, tmp_path, GITHUB_SHA=MERGE)
    assert (found.over, found.head_sha) == ("the branch was deleted", MERGE)


def test_of_an_annotated_tag_its_commit_is_judged(tmp_path: Path) -> None:
    payload = of_push("github", ZEROS, "4" * 40, "refs/tags/v1")
    found = event("github", "push", payload, tmp_path, GITHUB_REF="refs/tags/v1")
    assert (found.head_sha, found.head_ref, found.over) == (HEAD, None, "")


@pytest.mark.parametrize("forge", ["gitea", "github"])
def test_these_payloads_have_the_shape_that_the_forge_describes(forge: str) -> None:
    """A payload's pull request is what the API answers for it; members that nobody describes are not made up here."""
    shapes = Shapes(forge, "")
    if shapes.description is None:
        pytest.skip("no description of the forges' APIs: NBPR_FORGE_API names their folder")
    shown = of_pull_request(forge, labels=[{"id": 1, "name": "x", "color": "00aabb"}])["pull_request"]
    assert shapes.reply("GET", "/repos/team/notebooks/pulls/12", 200, shown, closed=True) is None
    odd = {**shown, "base": {**shown["base"], "sha": 7}}
    assert shapes.reply("GET", "/repos/team/notebooks/pulls/12", 200, odd, closed=True)


def test_sha256_repositories(tmp_path: Path) -> None:
    found = event("gitea", "push", of_push("gitea", "a" * 64, "b" * 64), tmp_path)
    assert (found.base_sha, found.head_sha) == ("a" * 64, "b" * 64)


# -- GitLab ----------------------------------------------------------------------------------------------------


def gitlab(environ: dict[str, str]) -> cienv.Event:
    found = cienv.event(environ)
    assert found is not None
    assert found.forge == "gitlab"
    return found


def test_a_merge_request() -> None:
    found = gitlab(merge_request(CI_MERGE_REQUEST_LABELS="skip nbpr,data"))
    assert (found.name, found.number, found.base_sha, found.head_sha) == ("pull_request", 12, BASE, HEAD)
    assert (found.base_ref, found.head_ref) == ("main", "agent/threshold")
    assert (found.is_fork, found.draft, found.labels) == (False, False, ("skip nbpr", "data"))
    assert found.repository == "team/analysis/notebooks"
    assert found.run_url == "https://gitlab.test/team/analysis/notebooks/-/jobs/5"
    assert found.summary_file is None


def test_the_head_of_a_merged_results_pipeline_is_the_branchs() -> None:
    found = gitlab(merge_request(CI_COMMIT_SHA=MERGE, CI_MERGE_REQUEST_SOURCE_BRANCH_SHA=HEAD))
    assert found.head_sha == HEAD


def test_gitlab_forks_and_drafts() -> None:
    assert gitlab(merge_request(CI_MERGE_REQUEST_SOURCE_PROJECT_ID="8")).is_fork
    assert gitlab(merge_request(CI_MERGE_REQUEST_PROJECT_ID="", CI_MERGE_REQUEST_SOURCE_PROJECT_ID="")).is_fork
    assert gitlab(merge_request(CI_MERGE_REQUEST_DRAFT="true")).draft
    assert gitlab(merge_request(CI_MERGE_REQUEST_TITLE="Draft: more")).draft


def test_gitlab_pushes_and_schedules() -> None:
    shared = {"CI_COMMIT_BRANCH": "main", "CI_COMMIT_BEFORE_SHA": BASE}
    found = gitlab(merge_request(CI_PIPELINE_SOURCE="push", **shared))
    assert (found.name, found.base_sha, found.head_sha, found.head_ref) == ("push", BASE, HEAD, "main")
    assert gitlab(merge_request(CI_PIPELINE_SOURCE="push")).is_first_push
    found = gitlab(merge_request(CI_PIPELINE_SOURCE="schedule", **shared))
    assert (found.name, found.base_sha, found.before) == ("schedule", None, None)
    assert gitlab(merge_request(CI_PIPELINE_SOURCE="web")).name == "workflow_dispatch"


# -- what cannot be used -------------------------------------------------------------------------------------

REFS = ["--upload-pack=x", "a..b", "a b", "a\nb", "", "/a", "a/", "x.lock", "a//b", "a:b", None, 7, "a" * 2_000]


def broken() -> list[tuple[str, Any]]:
    """Payloads of a pull request, each wrong in one place, and the name of that place."""
    head = pull_request("github")["head"]
    shas = [None, 7, "", "HEAD", "2" * 39, "2" * 41, "--force" + "2" * 33, "2" * 40 + "\n", ["2" * 40]]
    found: list[tuple[str, Any]] = [("head.sha", of_pull_request("github", head={**head, "sha": sha})) for sha in shas]
    found += [("head.ref", of_pull_request("github", head={**head, "ref": ref})) for ref in REFS]
    found += [("number", of_pull_request("github", number=number)) for number in (0, -1, True, "12", 1.5)]
    found += [("head", of_pull_request("github", head=value)) for value in (None, [], "x")]
    found += [("pull_request", value) for value in ({}, {"pull_request": None}, {"pull_request": []})]
    return found


@pytest.mark.parametrize(("place", "payload"), broken())
def test_a_payload_that_is_wrong_somewhere_is_refused(place: str, payload: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=place):
        cienv.event(environment("github", "pull_request", payload, tmp_path))


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", "\x00", "[" * 100_000, '{"a": "\\ud800"}'])
def test_a_file_that_is_no_payload_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        cienv.event(environment("gitea", "pull_request", text, tmp_path))


def test_a_payload_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cienv, "LARGEST", 1_000)
    with pytest.raises(BadInput, match="more than 1,000 bytes"):
        cienv.event(environment("github", "push", {**of_push("github"), "pad": "x" * 1_000}, tmp_path))


def test_a_job_without_a_payload_or_a_name_is_refused(tmp_path: Path) -> None:
    whole = environment("github", "push", of_push("github"), tmp_path)
    for name, value in {
        "GITHUB_EVENT_PATH": str(tmp_path / "none"),
        "GITHUB_EVENT_NAME": "push; rm -rf /",
        "GITHUB_REPOSITORY": "team/../../x y",
        "GITHUB_REF": "refs/heads/--x",
    }.items():
        with pytest.raises(BadInput, match=name):
            cienv.event({**whole, name: value})
    with pytest.raises(BadInput, match="GITHUB_EVENT_PATH is not set"):
        cienv.event({key: value for key, value in whole.items() if key != "GITHUB_EVENT_PATH"})


def test_an_action_or_label_that_is_not_text_is_left_out(tmp_path: Path) -> None:
    for action in (None, 7, ["opened"], "a\nb", "x" * 100):
        payload = {**of_pull_request("gitea"), "action": action}
        assert event("gitea", "pull_request", payload, tmp_path).action is None
    assert event("gitea", "pull_request", of_pull_request("gitea", labels={"name": "x"}), tmp_path).labels == ()
    assert not event("gitea", "pull_request", of_pull_request("gitea", draft="yes"), tmp_path).draft


@pytest.mark.parametrize("name", ["CI_COMMIT_SHA", "CI_MERGE_REQUEST_DIFF_BASE_SHA", "CI_MERGE_REQUEST_IID"])
def test_gitlab_values_that_cannot_be_used(name: str) -> None:
    for value in ("", "--x", "1; rm", "²"):
        with pytest.raises(BadInput, match=name):
            cienv.event(merge_request(**{name: value}))
    with pytest.raises(BadInput, match="SOURCE_BRANCH_NAME"):
        cienv.event(merge_request(CI_MERGE_REQUEST_SOURCE_BRANCH_NAME="-x"))
