"""The gate's two jobs against a real Gitea: five notebooks, one comment, a red mark that turns green, and no more."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from nbpr.cli import main
from nbpr.forges import http
from nbpr.gate import posting
from nbpr.git.repository import Repository
from tests.cijobs import pull_request
from tests.conftest import git
from tests.forges.conftest import gitea  # noqa: F401 - the fixture of a real server
from tests.forges.gitea_server import Gitea
from tests.forges.places import real
from tests.gate.workshop import commit, path, run, source, with_outputs

pytestmark = pytest.mark.kernel

JOB = {"GITEA_ACTIONS": "true", "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request"}


@pytest.fixture
def place(
    gitea: Gitea,  # noqa: F811
    project: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """The project on the server, as `boss/<name>`; a token in the environment, which the first job does without."""
    monkeypatch.setattr(http, "pause", time.sleep)
    monkeypatch.setenv("NBPR_EXECUTE_SANDBOX", "none")
    (tmp_path / "there").mkdir()
    with real(gitea, tmp_path.name, tmp_path / "there", monkeypatch) as found:
        by_hand = found.repository.git("config", "by-hand.url")
        git(project.root, "remote", "set-url", "origin", found.repository.remote_url("origin"))
        git(project.root, "config", "by-hand.url", by_hand)
        git(project.root, "push", "-q", "--force", by_hand, "main")
        found.repository = project
        yield found


def nbpr(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = main.run(["gate", "--json", *words])
    return code, json.loads(capsys.readouterr().out)


def jobs(place: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> tuple[int, int, dict[str, Any]]:
    """Both jobs for the pull request as the server has it now: their exit codes, and what the second one says."""
    pull = place.by_api("GET", "/pulls/1")
    (folder / "event.json").write_text(json.dumps({"action": "synchronized", "number": 1, "pull_request": pull}))
    for name, value in {**JOB, "GITHUB_EVENT_PATH": str(folder / "event.json")}.items():
        monkeypatch.setenv(name, value)
    first, _ = nbpr(capsys, "--output", str(folder / "out"))
    second, found = nbpr(capsys, "--from", str(folder / "out"), "--post")
    return first, second, found


def made_up(told: dict[str, Any], real: dict[str, Any]) -> list[str]:
    """The members of a payload of these tests, at any depth, that the real one does not have."""
    found = [name for name in told if name not in real]
    for name, one in told.items():
        other = real.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            found += [f"{name}.{each}" for each in made_up(one, other)]
    return found


def told(place: Any, sha: str) -> tuple[list[str], list[str]]:
    """The states that the required status had, oldest first, and the comments' bodies."""
    statuses = place.by_api("GET", f"/statuses/{sha}?sort=oldest")
    states = [one["status"] for one in statuses if one["context"] == posting.CONTEXT]
    return states, [one["body"] for one in place.by_api("GET", "/issues/1/comments")]


def test_from_red_to_green(
    place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project: Repository = place.repository
    monkeypatch.chdir(project.root)
    commit(project, {path("good"): source("# better\n"), path("low"): source("# low\n", 0.1)})
    run(project.root, "good", "low")
    bad = {path("dirty"): with_outputs(source("# dirty\n")), path("failing"): source("raise ValueError('no table')\n")}
    forged = (project.root / "runs/shaky.ipynb").read_bytes().replace(b"of 3 rows", b"of 4 rows")
    head = commit(project, {**bad, "runs/shaky.ipynb": forged})
    place.push(head, "topic")
    place.by_api("POST", "/pulls", {"head": "topic", "base": "main", "title": "A change"})
    first, second, found = jobs(place, tmp_path, monkeypatch, capsys)
    assert (first, second, found["verdict"]) == (1, 1, "failed")
    verdicts = {Path(row["path"]).stem: row["verdict"] for row in found["notebooks"]}
    assert verdicts == {"good": "passed"} | dict.fromkeys(("dirty", "failing", "low", "shaky"), "failed")
    states, comments = told(place, head)
    assert states == ["failure"]
    assert len(comments) == 1
    assert "no table" in comments[0]

    commit(project, {path(name): source(f"# {name}\n") for name in ("dirty", "failing", "low")})
    run(project.root, "dirty", "failing", "low", "shaky")
    mended = commit(project, {})
    place.push(mended, "topic")
    assert jobs(place, tmp_path, monkeypatch, capsys)[:2] == (0, 0)
    states, renewed = told(place, mended)
    assert states == ["success"]
    assert len(renewed) == 1
    assert renewed[0] != comments[0]

    assert jobs(place, tmp_path, monkeypatch, capsys)[:2] == (0, 0)
    assert told(place, mended) == (["success"], renewed)

    pull = place.by_api("GET", "/pulls/1")
    assert made_up(pull_request("gitea"), pull) == []
    for _ in range(50):  # it looks at what was pushed when it comes to it
        with suppress(HTTPError):
            place.by_api("POST", "/pulls/1/merge", {"Do": "merge"})
            break
        time.sleep(0.2)
    assert place.by_api("GET", "/pulls/1")["merged"]
    first, second, found = jobs(place, tmp_path, monkeypatch, capsys)
    assert (first, second, found["skipped"]) == (0, 0, "since the pull request is closed")
    assert told(place, mended) == (["success"], renewed)
