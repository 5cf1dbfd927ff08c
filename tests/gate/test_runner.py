"""The workflow that this repository hands out, carried out by a real Gitea and a real runner on this machine."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nbpr.gate import posting
from nbpr.git.repository import Repository
from tests.conftest import git
from tests.forges import gitea_server
from tests.forges.gitea_server import Gitea
from tests.gate.workshop import SETTINGS, commit, path, source

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

SINGLE = Path(__file__).parents[2] / "ci" / "gitea-single.yml"
TWO = SINGLE.with_name("gitea.yml")

#: The variable that names a folder with clones of the actions which the workflow of two jobs uses, by their names.
ACTIONS = os.environ.get("NBPR_TEST_ACTIONS")
_USED = re.compile(r"uses: actions/([\w-]+)(?:/[\w/-]+)?@(\S+)")

#: How long a job may take to be seen, run and told of.
PATIENCE = 240


def here(text: str) -> str:
    """The workflow for a runner on this machine, with the nbpr that is being tested instead of one from an index."""
    text = text.replace("    container: python:3.11\n", "")
    return re.sub(r"(      - name: Install\n        run: )\|\n(?:          .*\n)+", r"\1nbpr --version\n", text)


@contextmanager
def runner(gitea: Gitea, folder: Path, home: Path) -> Iterator[None]:
    """A registered runner that carries out jobs on this machine."""
    program = shutil.which("act_runner")
    assert program is not None
    folder.mkdir()
    token = gitea.api("POST", "/admin/actions/runners/registration-token")["token"]
    tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": tools, "HOME": str(home), "NBPR_EXECUTE_SANDBOX": "none", "LANG": "C.UTF-8"}
    words = ("--no-interactive", "--instance", gitea.root, "--token", token, "--name", "here")
    register = [program, "register", *words, "--labels", "ubuntu-latest:host"]
    subprocess.run(register, cwd=folder, env=environment, check=True, capture_output=True)
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            [program, "daemon"], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        daemon.send_signal(signal.SIGINT)
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def until(found: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(1)
    raise AssertionError(f"{what}: not within {PATIENCE} s")


NEEDS = pytest.mark.skipif(
    gitea_server.binary() is None or shutil.which("act_runner") is None, reason="no Gitea, or no act_runner, on PATH"
)


@NEEDS
def test_a_pull_request_is_judged_by_the_workflow(project: Repository, made: Path, tmp_path: Path) -> None:
    with gitea_server.running(tmp_path / "gitea", actions=True) as gitea:
        gitea.api("POST", "/user/repos", {"name": "x", "default_branch": "main"})
        url = gitea.root.replace("://", f"://boss:{gitea.admin}@") + "/boss/x.git"
        git(project.root, "switch", "-q", "main")
        commit(project, {".gitea/workflows/nbpr.yml": here(SINGLE.read_text())}, "the gate")
        git(project.root, "push", "-q", url, "main")
        git(project.root, "switch", "-q", "-C", "topic")
        with runner(gitea, tmp_path / "runner", made / "home"):
            red = commit(project, {path("good"): source("# other\n"), path("low"): source("# low\n", 0.1)})
            git(project.root, "push", "-q", url, "topic")
            gitea.api("POST", "/repos/boss/x/pulls", {"head": "topic", "base": "main", "title": "A change"})
            assert settled(gitea, red) == "failure"
            (first,) = comments(gitea)
            assert "below min 0.5" in first
            green = commit(
                project, {path(name): git(project.root, "show", f"main:{path(name)}") for name in ("good", "low")}
            )
            git(project.root, "push", "-q", url, "topic")
            assert settled(gitea, green) == "success"
            (second,) = comments(gitea)
            assert "below min 0.5" not in second


def settled(gitea: Gitea, sha: str) -> str:
    """What the required status is once it is no more pending."""

    def now() -> str:
        statuses = gitea.api("GET", f"/repos/boss/x/commits/{sha}/status")["statuses"] or []
        state = {one["context"]: one["status"] for one in statuses}.get(posting.CONTEXT, "pending")
        return "" if state == "pending" else str(state)

    return str(until(now, f"the status of {sha[:12]}"))


def comments(gitea: Gitea) -> list[str]:
    return [one["body"] for one in gitea.api("GET", "/repos/boss/x/issues/1/comments")]


def publish(gitea: Gitea, workflow: str, source: Path, folder: Path) -> None:
    """Put the actions that a workflow uses into the Gitea, where a runner looks for them: of each its one commit."""
    gitea.api("POST", "/orgs", {"username": "actions"})
    for name, tag in sorted(set(_USED.findall(workflow))):
        gitea.api("POST", "/orgs/actions/repos", {"name": name, "default_branch": "main"})
        gitea.api("PATCH", f"/repos/actions/{name}", {"has_actions": False})  # it has workflows of its own
        place = folder / name
        place.mkdir(parents=True)
        git(place, "init", "-q", "--bare")
        git(place, "fetch", "-q", "--depth", "1", (source / name).resolve().as_uri(), tag)
        ada = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        sha = git(place, *ada, "commit-tree", "FETCH_HEAD^{tree}", "-m", tag)
        url = gitea.root.replace("://", f"://boss:{gitea.admin}@") + f"/actions/{name}.git"
        git(place, "push", "-q", url, f"{sha}:refs/heads/main", f"{sha}:refs/tags/{tag}")


#: A cell that looks for tokens in its environment, and in those of the processes that it comes from, up to the runner.
LOOKING = """import os
from pathlib import Path

seen, pid, count = set(os.environ), os.getpid(), 0
while pid > 1 and b"act_runner" not in (Path("/proc") / str(pid) / "cmdline").read_bytes():
    try:
        entries = (Path("/proc") / str(pid) / "environ").read_bytes().split(bytes(1))
        seen |= {entry.split(b"=")[0].decode() for entry in entries}
    except PermissionError:
        pass
    status = (Path("/proc") / str(pid) / "status").read_text()
    pid, count = int(status.split("PPid:")[1].split()[0]), count + 1
tokens = sorted(name for name in seen if "TOKEN" in name or "SECRET" in name)
print("the runner" if pid > 1 else "nothing", "above", count > 3, "tokens:", tokens)
"""

#: A step of a pull request's own, which makes what the first job hands over say that all is well.
FORGING = """      - name: Forge
        if: ${{ always() }}
        run: |
          python3 - <<'END'
          import json
          told = json.load(open("gate-out/gate.json"))
          told.update(verdict="passed", findings=[])
          for one in told["notebooks"]:
              one.update(verdict="passed", findings=[each for each in one["findings"] if each["level"] == "note"])
          json.dump(told, open("gate-out/gate.json", "w"))
          END

"""


@NEEDS
@pytest.mark.soak
@pytest.mark.skipif(not ACTIONS, reason="no actions to test with: name a folder of their clones in NBPR_TEST_ACTIONS")
def test_a_pull_request_is_judged_by_the_workflow_of_two_jobs(project: Repository, made: Path, tmp_path: Path) -> None:
    """Red, then green and from the cache; no token where notebooks run, and what is forged is not believed."""
    place, workflow = ".gitea/workflows/nbpr.yml", here(TWO.read_text())
    with gitea_server.running(tmp_path / "gitea", actions=True) as gitea:
        publish(gitea, workflow, Path(str(ACTIONS)), tmp_path / "actions")
        gitea.api("POST", "/user/repos", {"name": "x", "default_branch": "main"})
        url = gitea.root.replace("://", f"://boss:{gitea.admin}@") + "/boss/x.git"
        git(project.root, "switch", "-q", "main")
        main = commit(project, {place: workflow}, "the gate")
        with runner(gitea, tmp_path / "runner", made / "home"):
            git(project.root, "push", "-q", url, "main")
            assert settled(gitea, main) == "success"
            assert f"Cache saved with key: nbpr-runs-{main}" in log_of(gitea, main, "judge")

            git(project.root, "switch", "-q", "-C", "topic")
            forged = workflow.replace("      - name: Save the cache", FORGING + "      - name: Save the cache")
            hidden = "notebooks/.own/look.ipynb"
            bad = {place: forged, path("low"): source("# low\n", 0.1), hidden: source(LOOKING)}
            red = commit(project, bad)
            git(project.root, "push", "-q", url, "topic")
            gitea.api("POST", "/repos/boss/x/pulls", {"head": "topic", "base": "main", "title": "A change"})
            assert settled(gitea, red) == "failure"
            (first,) = comments(gitea)
            assert "below min 0.5" in first
            assert "the runner above True tokens: []" in first
            judged = log_of(gitea, red, "judge")
            assert f"Cache restored from key: nbpr-runs-{main}" in judged
            assert "Cache saved" not in judged

            settings = SETTINGS.replace("min = 0.5", "min = 0.6")
            good = {place: workflow, path("low"): git(project.root, "show", f"main:{path('low')}") + "\n"}
            green = commit(project, {**good, "pyproject.toml": settings})
            git(project.root, "push", "-q", url, "topic")
            assert settled(gitea, green) == "success"
            (second,) = comments(gitea)
            assert "below min 0.5" not in second
            judged = log_of(gitea, green, "judge")
            assert f"{path('shaky')}: passed, proven before" in judged
            assert hidden in second


def log_of(gitea: Gitea, sha: str, name: str) -> str:
    """What a job printed that was carried out for a commit: a push to a branch of its own has a run that skips all."""
    runs = gitea.api("GET", f"/repos/boss/x/actions/runs?head_sha={sha}")["workflow_runs"]
    jobs = [job for run in runs for job in gitea.api("GET", f"/repos/boss/x/actions/runs/{run['id']}/jobs")["jobs"]]
    (number,) = [job["id"] for job in jobs if job["name"] == name and job.get("conclusion") != "skipped"]
    return gitea.text(f"/repos/boss/x/actions/jobs/{number}/logs")
