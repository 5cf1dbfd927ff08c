"""The sandbox: what a hostile notebook finds in it, and that notebooks work in it as they do outside."""

from __future__ import annotations

import os
import subprocess
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

#: Looks wherever tokens are kept, and at everything that it may see of other processes.
HOSTILE = """
import os, re
from pathlib import Path
wanted = re.compile(rb"tok-[0-9a-f]{16}")
found = []
def look(place):
    try:
        if wanted.search(Path(place).read_bytes()):
            found.append(str(place))
    except OSError:
        pass
look("/proc/self/environ")
for entry in Path("/proc").glob("[0-9]*") if PROCESSES else ():
    for name in ("environ", "cmdline"):
        look(entry / name)
    try:
        maps = (entry / "maps").read_text().splitlines()
        memory = open(entry / "mem", "rb", buffering=0)
    except OSError:
        continue
    for line in maps if int(entry.name) != os.getpid() else ():
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        try:
            memory.seek(start)
            if wanted.search(memory.read(min(end - start, 50_000_000))):
                found.append(f"{entry}/mem")
        except (OSError, ValueError, OverflowError):
            pass
home = HOME
for top in (home, Path.cwd()):
    for folder, folders, files in os.walk(top):
        for name in files:
            look(Path(folder, name))
print(sorted(set(found)))
"""

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
@pytest.mark.slow
def test_a_hostile_notebook_finds_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEA_TOKEN", TOKEN)
    other = subprocess.Popen(["sleep", "100"], env={**os.environ, "MY_TOKEN": TOKEN})
    source = HOSTILE.replace("HOME", repr(str(Path.home())))
    try:
        executed = run(notebook(source.replace("PROCESSES", "True")), project, sandbox=around(project))
        # The memory of every process of this machine would take minutes.
        without = run(notebook(source.replace("PROCESSES", "False")), project)
    finally:
        other.kill()
        other.wait()
    assert texts(executed.notebook) == ["[]\n"]
    # That the notebook knows how to look: without the sandbox it finds what lies about.
    found = "".join(texts(without.notebook))
    for name in (".netrc", "id_ed25519", "/project/.git/config"):
        assert name in found


@pytest.mark.kernel
@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked into through /proc")
def test_without_it_no_process_of_ours_has_a_token_to_read(project: Path) -> None:
    """What holds the token is guarded, and what is started below it has none."""
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom nbpr import process\nprocess.guard()\n"
        "from tests.kernels import notebook, run, texts\n"
        'source = \'import os\\nprint(b"tok-" in open(f"/proc/{os.getppid()}/environ", "rb").read())\'\n'
        "print(texts(run(notebook(source), Path(sys.argv[1])).notebook))"
    )
    words = [sys.executable, "-c", script, str(project)]
    environment = {**os.environ, "GITEA_TOKEN": TOKEN}
    done = subprocess.run(
        words, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "['False\\n']\n", done.stderr


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
        ("import os\nos.kill(os.getpid(), 11)", "kernel-died", {}),
        ("import time\ntime.sleep(60)", "cell-timeout", {"cell_timeout": 1}),
        ("import time\ntime.sleep(60)", "deadline", {"timeout": 5}),
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
