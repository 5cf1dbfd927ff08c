"""Which files runs may read, as a checkout or a tree has them: real repositories, nothing run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbpr.config import Cache, Config
from nbpr.git.repository import Repository
from nbpr.runs import presence
from nbpr.runs.runcache import RunCache
from nbpr.runs.surroundings import Surroundings
from tests.conftest import git

CONFIG = Config()


@pytest.fixture
def here(repository: Path) -> Repository:
    """A repository with files that are tracked, ignored, untracked, and a tool's."""
    for path, content in {
        "src/a.py": "a = 1\n",
        "data/a.csv": "1\n",
        ".gitignore": "big/\n*.log\n.venv/\n",
        "big/x.bin": "x",
        "big/deep/y.bin": "y",
        "b.log": "log",
        "loose.csv": "2\n",
        ".venv/lib/z.py": "z",
        "other/pyvenv.cfg": "",
        "folder/env/pyvenv.cfg": "",
        "src/__pycache__/a.pyc": "",
        "runs/a.runs/1.ipynb": "{}",
    }.items():
        place = repository / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    git(repository, "add", "src/a.py", "data", ".gitignore")
    git(repository, "commit", "-qm", "one")
    return Repository.discover(repository)


def seen(here: Repository, config: Config = CONFIG, cache: RunCache | None = None) -> Surroundings:
    return presence.in_checkout(here, config, cache)


def test_what_is_there_of_any_kind(here: Repository) -> None:
    found = seen(here)
    assert dict(found.tracked) == {path: git(here.root, "rev-parse", f"HEAD:{path}") for path in found.tracked}
    assert set(found.tracked) == {"src/a.py", "data/a.csv", ".gitignore"}
    assert set(found.loose) == {"big/x.bin", "big/deep/y.bin", "b.log", "loose.csv"}
    assert found.unknown == {}


def test_inputs_leave_out_what_nobody_declared(here: Repository) -> None:
    assert set(seen(here, Config(inputs=("big/*",))).loose) == {"big/x.bin"}
    own = Config(inputs=("big/*",), notebook={"n.ipynb": {"inputs": ["loose.csv"]}})
    assert set(seen(here, own).loose) == {"big/x.bin", "loose.csv"}


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "src/a.py").write_text("a = 2\n"),
        lambda root: (root / "src/a.py").unlink(),
        lambda root: (root / "loose.csv").write_text("3\n"),
        lambda root: (root / "big/deep/y.bin").unlink(),
        lambda root: (root / "new.csv").touch(),
        lambda root: (root / "b.log").write_text("lag"),
        lambda root: [git(root, "update-index", "--skip-worktree", "src/a.py"), (root / "src/a.py").write_text("s")],
        lambda root: [git(root, "update-index", "--assume-unchanged", "src/a.py"), (root / "src/a.py").write_text("u")],
        lambda root: [(root / "src/new.py").touch(), git(root, "add", "src/new.py")],
        lambda root: git(root, "rm", "-q", "--cached", "src/a.py"),
        lambda root: (root / "near").symlink_to("data"),
    ],
)
def test_every_change_is_seen_and_taken_back_is_as_before(here: Repository, change: Callable[[Path], object]) -> None:
    cache = RunCache(here.own_dir / "cache")
    before = seen(here, CONFIG, cache)
    assert seen(here, CONFIG, cache) == before
    change(here.root)
    assert seen(here, CONFIG, cache) != before


def test_a_file_that_was_only_touched_is_as_before(here: Repository) -> None:
    before = seen(here)
    for path in ("src/a.py", "loose.csv"):
        os.utime(here.root / path, (1, 1))
    assert seen(here) == before


def test_a_digest_is_remembered_only_by_the_whole_stat(here: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = RunCache(here.own_dir / "cache")
    monkeypatch.setattr(presence, "_FRESH", -1)
    before = seen(here, CONFIG, cache)
    read: list[str] = []
    digest = hashlib.file_digest

    def reading(file: Any, name: str) -> Any:
        read.append(file.name)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", reading)
    assert seen(here, CONFIG, cache) == before
    assert read == []
    place = here.root / "loose.csv"
    facts = place.stat()
    place.write_text("9\n")
    os.utime(place, ns=(facts.st_atime_ns, facts.st_mtime_ns))  # the same size and date, and still another file
    assert seen(here, CONFIG, cache) != before
    assert read == [str(place)]


def test_fresh_files_are_read_again(here: Repository) -> None:
    cache = RunCache(here.own_dir / "cache")
    seen(here, CONFIG, cache)
    assert not [each for each in cache.listed() if each.kind == "files" and each.size > 400]


def test_links_that_lead_out_are_not_known(here: Repository, tmp_path: Path) -> None:
    (here.root / "far").symlink_to(tmp_path)
    (here.root / "big/far.csv").symlink_to(tmp_path / "x.csv")
    assert set(seen(here).unknown) == {"far", "big/far.csv"}
    git(here.root, "add", "far")
    git(here.root, "commit", "-qm", "two")
    assert "far" in seen(here).unknown
    assert set(presence.in_tree(here, CONFIG, here.git("rev-parse", "HEAD^{tree}")).unknown) == {"far"}


def test_too_much_is_not_known(here: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "MOST_FILES", 2)
    assert "more than 2 files" in str(seen(here).unknown)


def test_a_tree_has_its_files_and_what_link_takes(here: Repository) -> None:
    tree = here.git("rev-parse", "HEAD^{tree}")
    found = presence.in_tree(here, Config(link=("big/**",)), tree)
    assert set(found.tracked) == {"src/a.py", "data/a.csv", ".gitignore"}
    assert set(found.loose) == {"big/x.bin", "big/deep/y.bin"}
    assert presence.in_tree(here, CONFIG, tree).loose == {}


def test_a_submodule_counts_by_its_commit_and_not_with_changes(here: Repository, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    (other / "m.py").write_text("m = 1\n")
    git(other, "add", "-A")
    git(other, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "one")
    git(here.root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "mod")
    git(here.root, "commit", "-qm", "two")
    found = seen(here)
    assert found.unknown == {}
    assert found.tracked["mod"] == git(here.root, "rev-parse", "HEAD:mod")
    (here.root / "mod/m.py").write_text("m = 2\n")
    assert set(seen(here).unknown) == {"mod"}


def test_without_a_commit_everything_is_read(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("1")
    git(tmp_path, "add", "a.py")
    assert set(presence.in_checkout(Repository.discover(tmp_path), CONFIG).tracked) == {"a.py"}


def test_where_the_cache_is(here: Repository, tmp_path: Path) -> None:
    worktree = tmp_path / "tree"
    git(here.root, "worktree", "add", "-q", str(worktree))
    found = [presence.cache_of(Repository.discover(root), CONFIG, {}) for root in (here.root, worktree)]
    assert [cache and cache.folder for cache in found] == [here.root / ".git/nbpr/cache"] * 2
    named = presence.cache_of(here, CONFIG, {"NBPR_CACHE_DIR": str(tmp_path / "kept")})
    assert named is not None
    assert named.folder == tmp_path / "kept"
    for cache in (Cache(max_size=0), Cache(max_age=0)):
        assert presence.cache_of(here, replace(CONFIG, cache=cache), {}) is None


def test_outside_of_a_repository_nothing_is_proven(tmp_path: Path) -> None:
    assert presence.proven_here(tmp_path, CONFIG) is None
