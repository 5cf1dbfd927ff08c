"""Worktrees of our own: what stands in them, and that nothing of them stays."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from nbpr.errors import BadInput
from nbpr.git.repository import Entry, Repository
from nbpr.git.workspaces import folder_of
from nbpr.git.worktrees import worktree
from tests.conftest import git


@pytest.fixture
def repo(repository: Path) -> Repository:
    (repository / "src").mkdir()
    (repository / "src" / "mod ü.py").write_text("x = 1\n")
    (repository / ".gitignore").write_text("data/\n")
    (repository / "data" / "deep").mkdir(parents=True)
    (repository / "data" / "deep" / "in put.csv").write_text("1,2\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "one")
    return Repository.discover(repository)


def test_it_holds_the_tree_and_is_gone_afterwards(repo: Repository) -> None:
    tree = repo.edited_tree(repo.head, {"src/mod ü.py": b"x = 2\n"})
    (repo.root / "src" / "mod ü.py").write_text("x = 3 # being worked on\n")
    before = git(repo.root, "worktree", "list", "--porcelain"), (repo.root / ".git" / "index").read_bytes()
    with worktree(repo, str(repo.head), tree) as made:
        assert (made.root / "src" / "mod ü.py").read_text() == "x = 2\n"
        assert not (made.root / "data").exists()
        assert git(made.root, "rev-parse", "HEAD") == repo.head
        assert git(made.root, "rev-parse", "--abbrev-ref", "HEAD") == "HEAD"
        assert git(made.root, "diff", "--name-only") == ""
        assert made.root.is_relative_to(folder_of(repo))
    assert not folder_of(repo).exists()
    assert (git(repo.root, "worktree", "list", "--porcelain"), (repo.root / ".git" / "index").read_bytes()) == before
    assert (repo.root / "src" / "mod ü.py").read_text() == "x = 3 # being worked on\n"


def test_it_is_gone_after_an_error_and_after_folders_made_read_only(repo: Repository) -> None:
    def spoil() -> None:
        with worktree(repo, str(repo.head), "HEAD^{tree}") as made:
            locked = made.root / "locked"
            locked.mkdir()
            (locked / "file").write_text("x")
            locked.chmod(0o500)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        spoil()
    assert not folder_of(repo).exists()
    assert "nbpr" not in git(repo.root, "worktree", "list")


def test_worktrees_of_the_users_that_are_only_away_stay_known(repo: Repository, tmp_path: Path) -> None:
    theirs = tmp_path / "usb stick"
    git(repo.root, "worktree", "add", "-q", "--detach", str(theirs))
    theirs.rename(tmp_path / "unplugged")
    with worktree(repo, str(repo.head), "HEAD^{tree}"):
        pass
    assert "usb stick" in git(repo.root, "worktree", "list")


def test_ignored_files_come_as_read_only_copies(repo: Repository) -> None:
    original = repo.root / "data" / "deep" / "in put.csv"
    with worktree(repo, str(repo.head), "HEAD^{tree}", ["data/**"]) as made:
        copy = made.root / "data" / "deep" / "in put.csv"
        assert copy.read_text() == "1,2\n"
        assert not copy.stat().st_mode & 0o222
        copy.chmod(0o644)
        copy.write_text("spoilt")
        (made.root / "data" / "new.csv").write_text("made by the run")
        assert [linked.path for linked in made.linked] == ["data/deep/in put.csv"]
        assert all(linked.is_untouched() for linked in made.linked)
    assert original.read_text() == "1,2\n"
    assert not (repo.root / "data" / "new.csv").exists()


def test_large_ignored_files_are_links_whose_change_is_noticed(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbpr.git.worktrees.COPY_UP_TO", 2)
    with worktree(repo, str(repo.head), "HEAD^{tree}", ["data/**"]) as made:
        assert made.linked[0].is_untouched()
        (made.root / "data" / "deep" / "in put.csv").write_text("written through")
        assert not made.linked[0].is_untouched()


def test_a_link_that_leaves_the_repository_is_refused(repo: Repository, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (repo.root / "data" / "out").symlink_to(tmp_path / "secret")
    with pytest.raises(BadInput, match="leaves the repository"), worktree(repo, "HEAD", "HEAD^{tree}", ["data/**"]):
        pass
    assert not folder_of(repo).exists()


def test_hostile_filters_do_not_run(repo: Repository, tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    git(repo.root, "config", "filter.evil.smudge", f"touch '{witness}'; cat")
    git(repo.root, "config", "filter.evil.required", "true")
    tree = repo.edited_tree(repo.head, {".gitattributes": b"* filter=evil\n"})
    with worktree(repo, str(repo.head), tree) as made:
        assert (made.root / "src" / "mod ü.py").read_text() == "x = 1\n"
    assert not witness.exists()


def test_submodules_come_from_the_checkout_without_the_network(repo: Repository, tmp_path: Path) -> None:
    module = tmp_path / "module"
    git(tmp_path, "init", "-q", "-b", "main", str(module))
    git(module, "config", "user.name", "M")
    git(module, "config", "user.email", "m@example.org")
    (module / "m.py").write_text("y = 1\n")
    git(module, "add", ".")
    git(module, "commit", "-qm", "m")
    words = ["git", "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(module), "sub dir"]
    subprocess.run(words, cwd=repo.root, check=True, capture_output=True)
    git(repo.root, "commit", "-qm", "sub")
    module.rename(tmp_path / "away")  # the module's own home is out of reach
    with worktree(repo, str(repo.head), "HEAD^{tree}") as made:
        assert (made.root / "sub dir" / "m.py").read_text() == "y = 1\n"
        assert made.notes == ()
    git(repo.root, "submodule", "deinit", "-q", "-f", "sub dir")
    with worktree(repo, str(repo.head), "HEAD^{tree}") as made:
        assert list((made.root / "sub dir").iterdir()) == []
        assert "submodule sub dir" in made.notes[0]


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="Git LFS is not installed: apt-get install git-lfs")
def test_files_in_lfs_come_whole_and_go_in_as_pointers(repo: Repository) -> None:
    git(repo.root, "lfs", "install", "--local")
    git(repo.root, "lfs", "track", "*.bin")
    (repo.root / "big.bin").write_bytes(b"large" * 1000)
    git(repo.root, "add", "-A")
    git(repo.root, "commit", "-qm", "lfs")
    assert (repo.read("HEAD", "big.bin") or b"").startswith(b"version https://git-lfs")
    with worktree(repo, str(repo.head), "HEAD^{tree}") as made:
        assert (made.root / "big.bin").read_bytes() == b"large" * 1000
    entry = repo.added("other.bin", b"new" * 1000, write=True)
    assert repo.read_blob(entry.sha).startswith(b"version https://git-lfs")


def test_links_never_lead_out_of_the_worktree_nor_over_the_branchs_own(repo: Repository, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (victim / "deep").mkdir(parents=True)
    (victim / "deep" / "in put.csv").write_text("precious")
    linked = repo.edited_tree(repo.head, {"data": Entry("120000", repo.store(str(victim).encode()), "data")})
    with worktree(repo, str(repo.head), linked, ["data/**"]) as made:
        assert "left out" in made.notes[0]
    assert (victim / "deep" / "in put.csv").read_text() == "precious"
    tracked = repo.edited_tree(repo.head, {"data/deep/in put.csv": b"committed"})
    with worktree(repo, str(repo.head), tracked, ["data/**"]) as made:
        assert (made.root / "data" / "deep" / "in put.csv").read_text() == "committed"
    a_file = repo.edited_tree(repo.head, {"data": b"a file"})
    with worktree(repo, str(repo.head), a_file, ["data/**"]) as made:
        assert (made.root / "data").read_text() == "a file"


def test_a_sparse_checkout_is_no_sparse_worktree(repo: Repository) -> None:
    git(repo.root, "sparse-checkout", "set", "nothing")
    assert not (repo.root / "src").exists()
    with worktree(repo, str(repo.head), "HEAD^{tree}") as made:
        assert (made.root / "src" / "mod ü.py").exists()
