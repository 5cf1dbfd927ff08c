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
from tests.gate.workshop import commit, path, source

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

WORKFLOW = Path(__file__).parents[2] / "ci" / "gitea-single.yml"

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


@pytest.mark.skipif(
    gitea_server.binary() is None or shutil.which("act_runner") is None, reason="no Gitea, or no act_runner, on PATH"
)
def test_a_pull_request_is_judged_by_the_workflow(project: Repository, made: Path, tmp_path: Path) -> None:
    with gitea_server.running(tmp_path / "gitea", actions=True) as gitea:
        gitea.api("POST", "/user/repos", {"name": "x", "default_branch": "main"})
        url = gitea.root.replace("://", f"://boss:{gitea.admin}@") + "/boss/x.git"
        git(project.root, "switch", "-q", "main")
        commit(project, {".gitea/workflows/nbpr.yml": here(WORKFLOW.read_text())}, "the gate")
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
