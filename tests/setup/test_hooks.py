"""The hooks: plain ones under git as people call it, and those for pre-commit under the real pre-commit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nbpr.errors import BadInput
from nbpr.git.repository import Repository
from nbpr.setup import hooks, setup
from tests.conftest import git
from tests.projects import cell, dumped, write

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
NB = "notebooks/a b.ipynb"
TOKEN = "gh" + "p_" + "a1B2c3D4e5F6" * 3
OUTPUT = [{"name": "stdout", "output_type": "stream", "text": ["1\n"]}]
CLEAN = dumped([cell("a", "code", "print(1)")])
OTHER = dumped([cell("a", "code", "print(2)")])
DIRTY = dumped([cell("a", "code", "print(1)", outputs=OUTPUT)])
LEAKING = dumped([cell("a", "code", f"token = '{TOKEN}'")])
#: What tells that nbpr was started.
CHECKED = "checked"


def tried(root: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Git, called as a person does; whether it went well is for the caller to look at."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **environ}
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture
def hooked(tmp_path: Path) -> Path:
    """A repository with a space in its path, one commit, and our hooks."""
    root = tmp_path / "check out"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.name", "Ada Author")
    git(root, "config", "user.email", "ada@example.org")
    write(root, {NB: CLEAN})
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    hooks.install(Repository.discover(root))
    return root


def staged(root: Path, data: bytes, path: str = NB) -> None:
    write(root, {path: data})
    git(root, "add", path)


# -- before a commit -----------------------------------------------------------------------------------------


def test_a_commit_with_a_credential_is_stopped_and_one_without_is_not(hooked: Path) -> None:
    staged(hooked, LEAKING)
    done = tried(hooked, "commit", "-m", "two")
    assert done.returncode == 1
    assert f"error     {NB}: secrets: cell 0, its source, line 1: a GitHub token" in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert git(hooked, "rev-list", "--count", "HEAD") == "1"
    staged(hooked, OTHER)
    done = tried(hooked, "commit", "-m", "two")
    assert done.returncode == 0
    assert CHECKED in done.stderr + done.stdout


def test_a_commit_without_notebooks_starts_nothing(hooked: Path) -> None:
    write(hooked, {"README": "x"})
    git(hooked, "add", "README")
    git(hooked, "config", hooks.PYTHON, "/nowhere/python")
    assert tried(hooked, "commit", "-m", "two", PATH=path_without_nbpr()).returncode == 0
    git(hooked, "rm", "-q", NB)
    assert tried(hooked, "commit", "-m", "three", PATH=path_without_nbpr()).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("words", [["-a"], ["--all", "--amend"], ["--", NB], ["--include", NB], ["--amend", "-i", NB]])
def test_every_way_to_commit_is_looked_at(hooked: Path, words: list[str]) -> None:
    write(hooked, {NB: LEAKING})
    head = git(hooked, "rev-parse", "HEAD")
    done = tried(hooked, "commit", "-m", "two", *words)
    assert (done.returncode, git(hooked, "rev-parse", "HEAD")) == (1, head)
    assert "a GitHub token" in done.stderr
    assert (hooked / NB).read_bytes() == LEAKING
    write(hooked, {NB: OTHER})
    done = tried(hooked, "commit", "-m", "two", *words)
    assert done.returncode == 0, done.stderr
    assert git(hooked, "rev-parse", "HEAD") != head


@pytest.mark.slow
def test_what_is_not_staged_is_no_matter_and_stays(hooked: Path) -> None:
    staged(hooked, OTHER)
    write(hooked, {NB: LEAKING})
    assert tried(hooked, "commit", "-m", "two").returncode == 0
    assert (hooked / NB).read_bytes() == LEAKING
    staged(hooked, LEAKING)
    write(hooked, {NB: OTHER})
    assert tried(hooked, "commit", "-m", "three").returncode == 1
    assert (hooked / NB).read_bytes() == OTHER


@pytest.mark.slow
def test_from_a_folder_and_in_a_worktree_it_is_the_same(hooked: Path) -> None:
    staged(hooked, LEAKING)
    assert tried(hooked / "notebooks", "commit", "-m", "two").returncode == 1
    git(hooked, "reset", "-q", "--hard")
    other = hooked.parent / "a worktree"
    git(hooked, "worktree", "add", "-q", "--detach", str(other))
    staged(other, LEAKING)
    done = tried(other, "commit", "-m", "two")
    assert (done.returncode, "a GitHub token" in done.stderr) == (1, True)
    staged(other, OTHER)
    assert tried(other, "commit", "-m", "two").returncode == 0


def test_no_verify_goes_around_it(hooked: Path) -> None:
    staged(hooked, LEAKING)
    assert tried(hooked, "commit", "--no-verify", "-m", "two").returncode == 0


@pytest.mark.slow
def test_mending_what_is_staged_and_committing_again(hooked: Path) -> None:
    staged(hooked, DIRTY)
    done = tried(hooked, "commit", "-m", "two")
    assert done.returncode == 1
    assert "nbpr check --staged --fix" in done.stderr
    words = [sys.executable, "-m", "nbpr", "check", "--staged", "--fix"]
    assert subprocess.run(words, cwd=hooked, capture_output=True, check=False).returncode == 1
    assert git(hooked, "status", "--porcelain") == ""
    assert (hooked / NB).read_bytes() == CLEAN


@pytest.mark.slow
@pytest.mark.parametrize("words", [["-a"], ["--", NB]])
def test_the_hint_of_a_commit_of_files_mends_the_file(hooked: Path, words: list[str]) -> None:
    write(hooked, {NB: DIRTY})
    done = tried(hooked, "commit", "-m", "two", *words)
    assert f"nbpr clean '{NB}'" in " ".join(done.stderr.split())
    assert "--staged --fix" not in done.stderr
    assert subprocess.run([sys.executable, "-m", "nbpr", "clean", NB], cwd=hooked, check=False).returncode == 0
    assert tried(hooked, "commit", "-m", "two", "--allow-empty", *words).returncode == 0


def test_a_clone_without_the_filter_is_told_in_one_line(hooked: Path) -> None:
    write(hooked, {".gitattributes": "*.ipynb filter=nbpr\n"})
    staged(hooked, OTHER)
    done = tried(hooked, "commit", "-m", "two")
    assert done.returncode == 0
    told = [line for line in done.stderr.splitlines() if line.startswith("warning")]
    assert len(told) == 1
    assert "this clone does not know the filter nbpr" in told[0]


def path_without_nbpr() -> str:
    """Where git and a shell are, and no nbpr."""
    folders = {str(Path(found).parent) for name in ("git", "sh", "cat") if (found := shutil.which(name))}
    return os.pathsep.join(folder for folder in folders if not (Path(folder) / "nbpr").exists())


def test_it_says_clearly_when_nbpr_is_not_there(hooked: Path) -> None:
    git(hooked, "config", hooks.PYTHON, "/gone/bin/python")
    staged(hooked, OTHER)
    done = tried(hooked, "commit", "-m", "two", PATH=path_without_nbpr())
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "nbpr: the pre-commit hook finds no nbpr: not in /gone/bin/python, not on the PATH",
        "      run nbpr init --hooks again, or commit with --no-verify",
    ]
    git(hooked, "config", "--unset", hooks.PYTHON)
    done = tried(hooked, "commit", "-m", "two", PATH=path_without_nbpr())
    assert "finds no nbpr: not on the PATH" in done.stderr


def test_an_nbpr_on_the_path_does_as_well(hooked: Path) -> None:
    folder = hooked.parent / "bin"
    write(folder, {"nbpr": '#!/bin/sh\necho "called $*"\n'})
    (folder / "nbpr").chmod(0o755)
    git(hooked, "config", hooks.PYTHON, "/gone/bin/python")
    staged(hooked, OTHER)
    done = tried(hooked, "commit", "-m", "two", PATH=f"{folder}{os.pathsep}{path_without_nbpr()}")
    assert done.returncode == 0
    assert "called check --staged" in done.stdout + done.stderr


# -- before a push -------------------------------------------------------------------------------------------


@pytest.fixture
def pushing(hooked: Path) -> Path:
    git(hooked.parent, "init", "-q", "--bare", "remote.git")
    git(hooked, "remote", "add", "origin", "../remote.git")
    assert tried(hooked, "push", "-q", "origin", "main").returncode == 0
    return hooked


def test_a_push_with_a_credential_in_its_history_is_stopped(pushing: Path) -> None:
    staged(pushing, LEAKING)
    git(pushing, "commit", "--no-verify", "-qm", "two")
    staged(pushing, OTHER)
    git(pushing, "commit", "--no-verify", "-qm", "three")
    done = tried(pushing, "push", "origin", "main", "HEAD:refs/heads/other")
    assert done.returncode == 1
    assert "a GitHub token" in done.stderr + done.stdout
    assert git(pushing, "ls-remote", "--heads", "origin").endswith("refs/heads/main")
    git(pushing, "reset", "-q", "--soft", "origin/main")
    git(pushing, "commit", "--no-verify", "-qm", "two")
    assert tried(pushing, "push", "origin", "main").returncode == 0
    assert tried(pushing, "push", "origin", "main:other", ":main").returncode == 0


@pytest.mark.slow
def test_pushing_to_a_url_and_nothing_new(pushing: Path) -> None:
    staged(pushing, LEAKING)
    git(pushing, "commit", "--no-verify", "-qm", "two")
    assert tried(pushing, "push", str(pushing.parent / "remote.git"), "main").returncode == 1
    git(pushing, "reset", "-q", "--hard", "origin/main")
    assert tried(pushing, "push", "origin", "main", "HEAD:refs/heads/same").returncode == 0


# -- putting them into place ---------------------------------------------------------------------------------


def test_installed_twice_is_installed_once_and_removed_leaves_no_trace(repository: Path) -> None:
    before = (repository / ".git/config").read_bytes()
    found = Repository.discover(repository)
    there = [repository / ".git/hooks" / name for name in hooks.NAMES]
    assert not any(hooks.is_installed(found, name) for name in hooks.NAMES)
    assert hooks.install(found) == there
    assert all(hooks.is_installed(found, name) for name in hooks.NAMES)
    assert all(os.access(path, os.X_OK) and path.read_bytes() == hooks.text(path.name) for path in there)
    assert hooks.install(found) == []
    assert hooks.remove(found) == there
    assert not any(path.exists() for path in there)
    assert (repository / ".git/config").read_bytes() == before
    assert hooks.remove(found) == []


def test_one_of_them_alone(repository: Path) -> None:
    found = Repository.discover(repository)
    hooks.install(found)
    hooks.remove(found, ["pre-push"])
    assert hooks.is_installed(found, "pre-commit")
    assert not hooks.is_installed(found, "pre-push")


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        ("pre-commit", "#!/bin/sh\nmake lint\n", "add this line to it: nbpr check --staged || exit 1"),
        ("pre-push", "", 'add this line to it: nbpr check --pushed --remote "$1" - || exit 1'),
        ("pre-commit", "#!/bin/sh\n# made by https://pre-commit.com\n", "it is pre-commit's"),
    ],
)
def test_somebodys_own_hook_stays_and_nothing_is_written(repository: Path, name: str, content: str, hint: str) -> None:
    before = (repository / ".git/config").read_bytes()
    write(repository / ".git/hooks", {name: content})
    with pytest.raises(BadInput, match=f"{name}: a hook that is not nbpr's") as raised:
        hooks.install(Repository.discover(repository))
    assert hint in str(raised.value.hint)
    assert [path.name for path in (repository / ".git/hooks").iterdir() if path.suffix != ".sample"] == [name]
    assert (repository / ".git/hooks" / name).read_text() == content
    assert (repository / ".git/config").read_bytes() == before
    assert hooks.remove(Repository.discover(repository)) == []


@pytest.mark.slow
def test_the_line_to_add_does_what_the_hook_does(hooked: Path) -> None:
    hooks.remove(Repository.discover(hooked))
    folder = hooked.parent / "bin"
    write(folder, {"nbpr": f'#!/bin/sh\nexec "{sys.executable}" -m nbpr "$@"\n'})
    (folder / "nbpr").chmod(0o755)
    lines = "".join(f"{line}\n" for line in ("#!/bin/sh", hooks._LINES["pre-commit"], "echo after >&2"))
    write(hooked / ".git/hooks", {"pre-commit": lines})
    (hooked / ".git/hooks/pre-commit").chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    staged(hooked, LEAKING)
    done = tried(hooked, "commit", "-m", "two", PATH=path)
    assert (done.returncode, "after" in done.stderr) == (1, False)
    staged(hooked, OTHER)
    done = tried(hooked, "commit", "-m", "two", PATH=path)
    assert (done.returncode, "after" in done.stderr) == (0, True)


def test_lines_that_were_added_to_ours_stay_and_an_old_part_is_renewed(repository: Path) -> None:
    found = Repository.discover(repository)
    hooks.install(found)
    path = repository / ".git/hooks/pre-commit"
    ours = hooks.text("pre-commit")
    path.write_bytes(ours.replace(b"return 0", b"return 0  # of old") + b"make lint\n")
    assert not hooks.is_installed(found, "pre-commit")
    assert hooks.install(found) == [path]
    assert path.read_bytes() == ours + b"make lint\n"
    hooks.remove(found)
    assert path.read_bytes() == b"#!/bin/sh\nmake lint\n"


@pytest.mark.slow
def test_the_folder_that_git_is_told_is_the_one(repository: Path, tmp_path: Path) -> None:
    git(repository, "config", "core.hooksPath", ".githooks")
    found = Repository.discover(repository)
    assert hooks.install(found) == [repository / ".githooks" / name for name in hooks.NAMES]
    write(repository, {NB: LEAKING})
    git(repository, "add", "-A")
    assert tried(repository, "commit", "-m", "one").returncode == 1
    git(repository, "config", "core.hooksPath", str(tmp_path / "everybodys"))
    with pytest.raises(BadInput, match="outside of this repository"):
        hooks.install(found)
    assert not (tmp_path / "everybodys").exists()


def test_setting_up_and_undoing_does_not_touch_them(hooked: Path) -> None:
    setup.init(hooked)
    assert all(hooks.is_installed(Repository.discover(hooked), name) for name in hooks.NAMES)


@pytest.mark.parametrize("name", hooks.NAMES)
def test_they_are_plain_shell(name: str) -> None:
    assert hooks.text(name) == (ROOT / "hooks" / name).read_bytes()
    assert os.access(ROOT / "hooks" / name, os.X_OK)
    subprocess.run(["sh", "-n", str(ROOT / "hooks" / name)], check=True)
    assert hooks.text(name).startswith(b"#!/bin/sh\n# >>> nbpr")
