"""The sandbox: what can be reached and written in it, and that notebooks work in it as they do outside."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from nbpr.errors import BadInput
from nbpr.runs import sandbox
from nbpr.runs.sandbox import Sandbox
from tests.conftest import git
from tests.kernels import notebook, run, texts

TOKEN = "tok-0123456789abcdef-hidden"

needs_bwrap = pytest.mark.skipif(sandbox.problem() is not None, reason=str(sandbox.problem()))

SOCKET = """
import socket
try:
    socket.create_connection(("127.0.0.1", PORT), 2)
    print("reached")
except OSError:
    print("no network")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with credentials wherever tools leave them."""
    home = Path.home()
    root = home / "project"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "remote.origin.url", f"https://me:{TOKEN}@example.org/x.git")
    git(root, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "one")
    for name in (".netrc", ".git-credentials", ".ssh/id_ed25519", ".local/share/keyrings/login.keyring", ".pypirc"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(f"secret {TOKEN}\n")
    return root


def around(root: Path, **options: Any) -> Sandbox:
    return Sandbox(root, root, **options)


@needs_bwrap
@pytest.mark.kernel
@pytest.mark.parametrize(("network", "said"), [(False, "no network\n"), (True, "reached\n")])
def test_there_is_no_network_unless_it_is_allowed(project: Path, network: bool, said: str) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        source = SOCKET.replace("PORT", str(server.getsockname()[1]))
        assert texts(run(notebook(source), project, sandbox=around(project, network=network)).notebook) == [said]


@needs_bwrap
@pytest.mark.kernel
def test_the_worktree_alone_can_be_written(project: Path, tmp_path: Path) -> None:
    readable = tmp_path / "data"
    readable.mkdir()
    (readable / "a.txt").write_text("a")
    source = f"""
import os
from pathlib import Path
def try_to(path):
    try:
        Path(path).write_text("x")
        return "written"
    except OSError as error:
        return type(error).__name__
print([try_to(path) for path in ("here.txt", "/tmp/there.txt", "/usr/x.txt", ".git/hooks", ".git/config",
                                 {str(readable / "b.txt")!r}, {sys.executable!r})])
print(Path({str(readable / "a.txt")!r}).read_text(), os.system("git log --oneline > log.txt"))
"""
    executed = run(notebook(source), project, sandbox=around(project, readable=(readable,)))
    wrote, read = texts(executed.notebook)[0].splitlines()
    assert wrote.startswith("['written', 'written', 'OSError', ")
    assert wrote.count("written") == 2
    assert read == "a 0"
    assert (project / "here.txt").read_text() == "x"
    assert (project / "log.txt").read_text().endswith(" one\n")
    assert not Path("/tmp/there.txt").exists()
    assert not (project / ".git" / "hooks").is_file()
    assert git(project, "config", "remote.origin.url").startswith("https://me:tok")


@needs_bwrap
@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "reason", "options"),
    [
        ("1 / 0", "error", {}),
        pytest.param("import os\nos.kill(os.getpid(), 11)", "kernel-died", {}, marks=pytest.mark.soak),
        pytest.param("import time\ntime.sleep(60)", "cell-timeout", {"cell_timeout": 1}, marks=pytest.mark.soak),
        ("import time\ntime.sleep(60)", "deadline", {"timeout": 10}),
        ("x = b'x' * 500_000_000\nimport time\ntime.sleep(60)", "out-of-memory", {"memory": 400_000_000}),
        ("import subprocess\n[subprocess.Popen(['sleep', '9']) for _ in range(50)]\nimport time\ntime.sleep(9)",
         "too-many-processes", {"processes": 30}),
    ],
)  # fmt: skip
def test_it_ends_as_it_does_without(project: Path, source: str, reason: str, options: dict[str, Any]) -> None:
    started = "import subprocess\nsubprocess.Popen(['sleep', '90'], start_new_session=True)\nprint('ran')"
    executed = run(notebook(started, source), project, sandbox=around(project), **options)
    assert executed.reason == reason
    assert executed.failed_cell is not None
    assert executed.failed_cell.index == 1
    assert texts(executed.notebook) == ["ran\n", ""]
    if reason == "cell-timeout":
        assert executed.notebook["cells"][1]["outputs"][-1]["ename"] == "KeyboardInterrupt"
    if reason == "kernel-died":
        assert executed.message == "the kernel died (SIGSEGV)"


@needs_bwrap
@pytest.mark.kernel
def test_a_worktree_within_the_git_folder_of_a_checkout(project: Path) -> None:
    root = project / ".git" / "nbpr" / "w" / "tree"
    git(project, "worktree", "add", "-q", "--detach", str(root))
    source = "import os\nopen('made', 'w').close()\nprint(os.listdir('../..'), os.system('git log -1 > log.txt'))"
    executed = run(notebook(source), root, sandbox=Sandbox(root, project))
    assert texts(executed.notebook) == ["['w'] 0\n"]
    assert (root / "made").exists()


def test_asked_for_and_not_to_be_had_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "problem", lambda: "bubblewrap is not installed")
    with pytest.raises(BadInput, match="bubblewrap is not installed"):
        sandbox.wanted("bwrap")
    assert not sandbox.wanted("auto")
    assert not sandbox.wanted("none")


def test_why_there_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert sandbox.problem.__wrapped__() == "bubblewrap is not installed (apt-get install bubblewrap)"
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    said = sandbox.problem.__wrapped__()
    assert said == "bubblewrap is not allowed to make one here: No permissions to create new namespace"
