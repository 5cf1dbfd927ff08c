"""A hostile notebook that looks for tokens: wherever tools leave them, and in every process that it may see."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbpr.runs import sandbox
from nbpr.runs.sandbox import Sandbox
from tests import projects
from tests.conftest import git
from tests.kernels import notebook, run, texts
from tests.projects import NOTEBOOK

TOKEN = "tok-0123456789abcdef-hidden"
DOCS = Path(__file__).parents[1] / "docs"

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked into through /proc"),
]
needs_bwrap = pytest.mark.skipif(sandbox.problem() is not None, reason=str(sandbox.problem()))

#: How to look for a token, in files and in processes.
LOOKING = """
import os, re, subprocess
from pathlib import Path
wanted = re.compile(rb"tok-[0-9a-f]{16}")
found = []
def look(place, name=None):
    try:
        if wanted.search(Path(place).read_bytes()):
            found.append(str(name or place))
    except OSError:
        pass
def ask(*words, given=""):
    try:
        done = subprocess.run(words, input=given, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return
    if wanted.search(done.stdout.encode() + done.stderr.encode()):
        found.append(" ".join(words[:2]))
def look_into(pid, name):
    for part in ("environ", "cmdline"):
        look(f"/proc/{pid}/{part}", f"{name} {part}")
    try:
        maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
        memory = open(f"/proc/{pid}/mem", "rb", buffering=0)
    except OSError:
        return
    for line in maps:
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        try:
            memory.seek(start)
            if wanted.search(memory.read(min(end - start, 50_000_000))):
                found.append(f"{name} mem")
                return
        except (OSError, ValueError, OverflowError):
            pass
"""
#: Looks at what lies about, and asks those who hold secrets for a living.
FILES = """
look("/proc/self/environ")
look("/proc/keys")
for top in (HOME, str(Path.cwd()), *SHARED):
    for folder, folders, files in os.walk(top):
        for name in files:
            if Path(folder, name).is_file():
                look(Path(folder, name))
ask("git", "config", "--list")
ask("git", "credential", "fill", given="protocol=https\\nhost=example.org\\n\\n")
ask("ssh-add", "-L")
"""
#: What all have in common on a machine: small in a sandbox, and outside of one whatever lies there.
SHARED = repr(("/tmp", "/var/tmp", "/dev/shm", "/run", "/etc"))
EVERY_PROCESS = """
for entry in Path("/proc").glob("[0-9]*"):
    if int(entry.name) != os.getpid():
        look_into(entry.name, entry.name)
"""
#: Finds the command of ours that it runs under, and looks into all that this has started, itself left out.
OUR_PROCESSES = """
parents = {}
for entry in Path("/proc").glob("[0-9]*"):
    try:
        parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        pass
def up(pid):
    while pid in parents:
        yield pid
        pid = parents[pid]
def words(pid):
    try:
        return [word.decode() for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\\0")]
    except OSError:
        return []
top = [pid for pid in up(os.getpid()) if "propose" in words(pid)][-1]
seen = [pid for pid in parents if top in up(pid) and pid != os.getpid()]
for pid in seen:
    look_into(pid, " ".join(words(pid)[:4]))
names = sorted({word for pid in seen for word in words(pid) if word in ("propose", "cat-file")
                or word.startswith(("nbpr.engines.papermill", "nbpr.engines.stem"))})
Path(REPORT).write_text(repr((names, sorted(set(found)))))
"""
SAY = "print(sorted(set(found)))"

#: Where tools leave credentials in a home folder.
LEFT = (".netrc", ".git-credentials", ".ssh/id_ed25519", ".local/share/keyrings/login.keyring", ".aws/credentials",
        ".config/gh/hosts.yml", ".pypirc", ".docker/config.json")  # fmt: skip


@pytest.fixture
def project() -> Path:
    """A checkout in a home folder, with credentials wherever tools leave them."""
    home = Path.home()
    root = home / "project"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "remote.origin.url", f"https://me:{TOKEN}@example.org/x.git")
    git(root, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "one")
    for name in LEFT:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(f"https://me:{TOKEN}@example.org\n")
    git(root, "config", "--global", "credential.helper", "store")
    return root


@pytest.fixture
def other() -> Iterator[None]:
    """A process of the user's that is none of ours, with a token in its environment."""
    beside = subprocess.Popen(["sleep", "100"], env={**os.environ, "MY_TOKEN": TOKEN})
    yield
    beside.kill()
    beside.wait()


@needs_bwrap
@pytest.mark.usefixtures("other")
@pytest.mark.parametrize("where", ["checkout", "worktree"])
def test_in_the_sandbox_it_finds_nothing(project: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEA_TOKEN", TOKEN)
    root = project
    if where == "worktree":  # where proposals run
        root = project / ".git" / "nbpr" / "w" / "tree"
        git(project, "worktree", "add", "-q", "--detach", str(root))
    files = FILES.replace("HOME", repr(str(Path.home()))).replace("SHARED", SHARED)
    source = LOOKING + files + EVERY_PROCESS + SAY
    executed = run(notebook(source), root, sandbox=Sandbox(root, project))
    assert texts(executed.notebook) == ["[]\n"], executed.message


def test_without_it_files_are_found_as_the_docs_say(project: Path) -> None:
    """That the notebook knows how to look: what it finds where nothing hides it, and that people are told."""
    source = LOOKING + FILES.replace("HOME", repr(str(Path.home()))).replace("SHARED", "()") + SAY
    found = "".join(texts(run(notebook(source), project).notebook))
    for name in (*LEFT, "/project/.git/config", "git config", "git credential"):
        assert name in found
    assert "/proc/self/environ" not in found
    told = (DOCS / "execution.md").read_text()
    files = (".git/config", "~/.ssh", "~/.netrc", "~/.aws", "keyring")
    for name in (*files, "ask git and agents for the credentials", "other processes"):
        assert name in told


def test_without_it_no_process_of_ours_shows_a_token(tmp_path: Path) -> None:
    """Whatever the user's environment holds: forge's tokens, others', the headers of CI."""
    root = projects.make(tmp_path).root
    report = tmp_path / "report"
    code = LOOKING + OUR_PROCESSES.replace("REPORT", repr(str(report)))
    edits = [{"op": "insert", "at": "end", "cell_type": "code", "source": code}]
    (tmp_path / "edits.json").write_text(json.dumps(edits))
    (root / "nbpr.toml").write_text('reproduce = false\n[execute]\nsandbox = "none"\n')
    words = [sys.executable, "-m", "nbpr", "propose", NOTEBOOK, "--title", "Look", "--edits", tmp_path / "edits.json"]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may look into everything, and there is no setpriv to take that away")
        words = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", *words]
    secrets = dict.fromkeys(("GITEA_TOKEN", "AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "MY_OWN"), TOKEN)
    header = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader", "GIT_CONFIG_VALUE_0": f"X: {TOKEN}"}
    for environment in ({**secrets, **header}, {"MY_OWN": TOKEN}):
        report.unlink(missing_ok=True)
        done = subprocess.run(
            [*words, "--branch", f"agent/{len(environment)}"],
            cwd=root, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert report.exists(), done.stdout + done.stderr
        assert report.read_text() == repr((["cat-file", "nbpr.engines.stem_child", "propose"], []))
