"""Shared fixtures: a home of its own for every test, hypothesis profiles, git repositories that are real."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from nbpr.engines import stem

# What a shell puts into the background ignores this signal, and so would all that tests start and then interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "fast",
    max_examples=50,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("quick", parent=settings.get_profile("fast"), max_examples=10)
settings.register_profile("soak", parent=settings.get_profile("fast"), max_examples=5000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


#: What a developer's shell or a CI job says that tests are not to hear.
OUTSIDE = (
    *("XDG_", "NBPR_", "JUPYTER_", "GIT_AUTHOR", "GIT_COMMITTER"),
    *("GITHUB_", "GITEA_", "FORGEJO_", "GITLAB_", "CI_"),
)


@pytest.fixture(autouse=True)
def _isolated_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the developer's git config, Jupyter folders or tokens."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("MPLCONFIGDIR", str(home / "mpl"))
    for name in list(os.environ):
        if name.startswith(OUTSIDE):
            monkeypatch.delenv(name)


#: What of its environment each test has for itself.
OF_A_TEST = ("HOME", "MPLCONFIGDIR")


@pytest.fixture(scope="session", autouse=True)
def _one_stem() -> Iterator[None]:
    """What runs in a worker's own process is forked from one stem: imports take a quarter of the time of all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stem, "_OF_A_RUN", (*stem._OF_A_RUN, *OF_A_TEST))
        with stem.kept():
            yield


@pytest.fixture
def no_stem(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process, where nobody keeps a stem: for tests of stems, and of what starts without one."""
    monkeypatch.setattr(stem, "_keepers", 0)
    monkeypatch.setattr(stem, "_stems", {})


def git(cwd: Path, *words: str, stdin: bytes | None = None) -> str:
    """Run git in `cwd` and return what it printed."""
    done = subprocess.run(["git", *words], cwd=cwd, capture_output=True, check=False, input=stdin)
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr.decode()}"
    return done.stdout.decode().rstrip("\n")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository on branch `main` with an author and no commits."""
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.name", "Ada Author")
    git(root, "config", "user.email", "ada@example.org")
    return root
