"""`nbpr gate` at the command line: what it prints, writes and mends, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbpr.cli import main
from nbpr.git.repository import Repository
from tests.conftest import git
from tests.gate.workshop import SETTINGS, commit, path, source, with_outputs

pytestmark = pytest.mark.kernel

Nbpr = Callable[..., tuple[int, str, str]]


@pytest.fixture
def nbpr(project: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Nbpr:
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("NBPR_EXECUTE_SANDBOX", "none")

    def run(*words: str) -> tuple[int, str, str]:
        code = main.run(["gate", "--base", "main", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_one_object_and_a_log_beside_it(project: Repository, nbpr: Nbpr, tmp_path: Path) -> None:
    head = commit(project, {path("failing"): source("raise ValueError('no such table')\n")})
    code, out, err = nbpr("--json")
    found = json.loads(out)
    assert code == 1
    assert (found["verdict"], found["head"], found["base"]) == ("failed", head, git(project.root, "rev-parse", "main"))
    (row,) = found["notebooks"]
    assert {"path", "verdict", "findings", "run"} <= row.keys()
    assert row["run"]["failed_cell"]["evalue"] == "no such table"
    assert f"{path('failing')}: cell 1 of 3" in err.splitlines()
    assert f"{path('failing')}: failed: execute, reference" in err.splitlines()
    code, out, _ = nbpr()
    assert code == 1
    end = out[out.index(f"{path('failing')}: error in cell 0") :]
    assert "  | raise ValueError('no such table')" in end
    assert "Traceback (most recent call last)" in end
    assert out.rstrip().endswith("failed: 1 of 1 notebook")


def test_nothing_changed_and_a_dry_run(project: Repository, nbpr: Nbpr) -> None:
    before = git(project.root, "for-each-ref")
    assert nbpr()[:1] == (0,)
    commit(project, {path("good"): source("# other\n")})
    before = git(project.root, "for-each-ref")
    code, out, _ = nbpr("--dry-run")
    assert (code, out.splitlines()) == (0, [f"{path('good')}: modified"])
    assert json.loads(nbpr("--dry-run", "--json")[1])["notebooks"][0]["path"] == path("good")
    assert git(project.root, "for-each-ref") == before


def test_fix_mends_the_files_until_there_is_nothing_left(project: Repository, nbpr: Nbpr) -> None:
    commit(project, {path("dirty"): with_outputs(source("# dirty\n")), path("good"): source("# other\n")})
    code, _, err = nbpr("--fix")
    assert code == 1
    assert [line.split()[1] for line in err.splitlines() if line.startswith("mended")] == [
        path("dirty"), "runs/good.ipynb",
    ]  # fmt: skip
    commit(project, {})
    code, out, err = nbpr("--fix")
    assert (code, "mended" in err) == (0, False), out


def test_update_commits_the_gate_s_own_runs(project: Repository, nbpr: Nbpr) -> None:
    head = commit(project, {path("good"): source("# other\n")})
    git(project.root, "push", "-q", "origin", "topic")
    code, out, _ = nbpr("--update", "--json")
    assert code == 0, out
    new = git(project.root, "rev-parse", "HEAD")
    assert json.loads(out)["head"] == new
    assert git(project.root, "rev-parse", "HEAD~1") == head
    assert git(project.root, "diff", "--name-only", head, new) == "runs/good.ipynb"
    assert git(project.root, "ls-remote", "origin", "refs/heads/topic").split()[0] == new
    assert git(project.root, "status", "--porcelain") == ""
    assert "nothing to update" in nbpr("--update")[2]
    assert git(project.root, "rev-parse", "HEAD") == new


def test_accepted_findings_of_base(project: Repository, nbpr: Nbpr) -> None:
    commit(project, {path("dirty"): with_outputs(source("# dirty\n"))})
    code, _, err = nbpr("--write-baseline")
    assert code == 0
    assert ".nbpr-accepted.json: accepts 1 findings" in err
    rows = json.loads((project.root / ".nbpr-accepted.json").read_text())
    assert [(row["check"], row["path"]) for row in rows] == [("clean", path("dirty"))]
    assert nbpr()[0] == 1  # base has no such file yet
    commit(project, {})
    git(project.root, "branch", "-qf", "main", "HEAD")
    git(project.root, "push", "-q", "origin", "HEAD:main")
    commit(project, {path("dirty"): with_outputs(source("# dirty\n")).replace(b"of', 3", b"of', 3+0")})
    found = json.loads(nbpr("--json")[1])
    clean = [each for row in found["notebooks"] for each in row["findings"] if each["check"] == "clean"]
    assert [(each["level"], each["message"][:9]) for each in clean] == [("note", "accepted:")]


@pytest.mark.parametrize(
    ("skip", "wanted"), [("never", ["clean"]), ("label", ["clean"]), ("commit", [])], ids=["never", "label", "commit"]
)
def test_skipping_is_base_s_to_allow(project: Repository, nbpr: Nbpr, skip: str, wanted: list[str]) -> None:
    git(project.root, "switch", "-q", "main")
    commit(project, {"pyproject.toml": f'{SETTINGS}\n[tool.nbpr.gate]\nskip = "{skip}"\n'})
    git(project.root, "push", "-q", "origin", "main")
    git(project.root, "switch", "-q", "-C", "topic")
    commit(project, {path("dirty"): with_outputs(source("# dirty\n"))}, "quick [skip nbpr]")
    found: dict[str, Any] = json.loads(nbpr("--json")[1])
    errors = [each["check"] for row in found["notebooks"] for each in row["findings"] if each["level"] == "error"]
    assert errors == wanted
    assert bool(found["skipped"]) == (wanted == [])


def event(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, project: Repository, *, fork: bool) -> Path:
    """The environment of a job for a pull request of the branch that is checked out."""
    sides = {
        "base": {"sha": git(project.root, "rev-parse", "main"), "ref": "main", "repo": {"id": 1}},
        "head": {"sha": git(project.root, "rev-parse", "HEAD"), "ref": "topic", "repo": {"id": 2 if fork else 1}},
    }
    payload = {"number": 3, "action": "opened", "pull_request": {"number": 3, "labels": [], **sides}}
    (folder / "event.json").write_text(json.dumps(payload))
    values = {
        "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }  # fmt: skip
    for key, value in values.items():
        monkeypatch.setenv(key, value)
    return folder / "summary.md"


def test_a_fork_s_notebooks_do_not_run_where_there_are_secrets(
    project: Repository,
    nbpr: Nbpr,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit(project, {path("good"): source("# other\n")})
    event(tmp_path, monkeypatch, "pull_request_target", project, fork=True)
    code, out, _ = nbpr("--json")
    assert code == 4
    assert "nothing was run" in json.loads(out)["error"]["message"]


def test_the_summary_of_a_job(
    project: Repository,
    nbpr: Nbpr,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit(project, {path("dirty"): with_outputs(source("# dirty\n"))})
    summary = event(tmp_path, monkeypatch, "pull_request", project, fork=True)
    assert nbpr("--json")[0] == 1
    assert "outputs in 1 cell" in summary.read_text()


@pytest.mark.parametrize("words", [("--fix", "--update"), ("--from", "x", "--fix"), ("--dry-run", "--write-baseline")])
def test_what_excludes_each_other(nbpr: Nbpr, words: tuple[str, ...]) -> None:
    code, _, err = nbpr(*words)
    assert code == 2
    assert "exclude each other" in err
