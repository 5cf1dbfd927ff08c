"""The git room against real git: what it reads, what it writes, and what it leaves alone."""

from __future__ import annotations

import gc
import random
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import git as gitpython
import pytest

from nbpr.errors import BadInput, NbprError, NotAllowed, OutOfReach
from nbpr.git.repository import Entry, RefUpdate, Repository, Stale, _remote_failure, blob_sha
from nbpr.process import Completed
from tests.conftest import git


def commit_file(root: Path, name: str, data: bytes, message: str = "add") -> str:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(data)
    git(root, "add", "--", name)
    git(root, "commit", "-qm", message)
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def remote(tmp_path: Path, repository: Path) -> Path:
    bare = tmp_path / "remote with space.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(bare))
    git(repository, "remote", "add", "origin", str(bare))
    commit_file(repository, "a.txt", b"a\n")
    git(repository, "push", "-q", "origin", "main")
    return bare


class TestDiscover:
    def test_finds_the_top_from_a_folder_below(self, repository: Path) -> None:
        below = repository / "tief" / "für mich"
        below.mkdir(parents=True)
        assert Repository.discover(below).root == repository

    def test_a_folder_without_repository(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="not in a git repository"):
            Repository.discover(tmp_path)

    def test_a_bare_repository(self, tmp_path: Path) -> None:
        git(tmp_path, "init", "-q", "--bare", "bare.git")
        with pytest.raises(BadInput, match="bare repository"):
            Repository.discover(tmp_path / "bare.git")

    def test_git_variables_of_a_hook_do_not_lead_elsewhere(
        self, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = tmp_path / "other"
        git(tmp_path, "init", "-q", str(other))
        monkeypatch.setenv("GIT_DIR", str(other / ".git"))
        monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
        found = Repository.discover(repository)
        assert found.git_dir == repository / ".git"
        commit = found.commit(found.edited_tree(None, {"x": b"x"}), [], "one\n")
        assert found.read(commit, "x") == b"x"
        assert not (other / "index").exists()


class TestObjects:
    def test_read_gives_stored_bytes(self, repository: Path) -> None:
        sha = commit_file(repository, "ordner mit raum/ä.bin", b"\0\r\n\xff")
        repo = Repository.discover(repository)
        assert repo.read(sha, "ordner mit raum/ä.bin") == b"\0\r\n\xff"
        assert repo.read(sha, "nothing") is None
        assert repo.read(sha, "ordner mit raum") is None

    def test_threads_read_at_the_same_time(self, repository: Path) -> None:
        # A run and the one that proves it look at the same tree: whoever took the other's answer waited for ever.
        repo = Repository.discover(repository)
        sha = commit_file(repository, "a", b"a" * 100)
        contents = {repo.store(data): data for data in (bytes([65 + n]) * 100_000 * n for n in range(6))}
        wrong: list[object] = []

        def reading() -> None:
            try:
                for _ in range(20):
                    wrong.extend(blob for blob, data in contents.items() if repo.read_blob(blob) != data)
                    wrong.extend(blob for blob, data in contents.items() if repo.size_of_blob(blob) != len(data))
                    wrong.extend(name for name in ("a", "b") if (repo.read(sha, name) is None) != (name == "b"))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told of below
                wrong.append(error)

        threads = [threading.Thread(target=reading, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert [thread.is_alive() for thread in threads] == [False] * 4
        assert wrong == []

    def test_a_read_that_is_broken_off_is_not_taken_for_the_next_ones_answer(
        self, repository: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        repo = Repository.discover(repository)
        one, other = repo.store(b"one"), repo.store(b"other")
        assert repo.read_blob(one) == b"one"

        def asked_and_broken_off(command: Any, sha: str) -> object:
            command.cat_file_all.stdin.write(f"{sha}\n".encode())
            command.cat_file_all.stdin.flush()
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(gitpython.Git, "get_object_data", asked_and_broken_off)
            with pytest.raises(KeyboardInterrupt):
                repo.read_blob(one)
        assert repo.read_blob(other) == b"other"

    def test_the_process_stays_whatever_is_collected(self, repository: Path) -> None:
        repo = Repository.discover(repository)
        sha = commit_file(repository, "a", b"a")
        assert repo.read(sha, "a") == b"a"
        standing = repo._objects.cat_file_all.proc
        gc.collect()
        assert repo.read(sha, "a") == b"a"
        assert repo._objects.cat_file_all.proc is standing

    def test_a_process_that_ended_says_nothing_of_what_is_there(self, repository: Path) -> None:
        repo = Repository.discover(repository)
        sha = commit_file(repository, "a", b"a")

        def killed(process: Any) -> None:
            process.proc.kill()
            process.proc.wait()

        assert repo.read(sha, "a") == b"a"
        killed(repo._objects.cat_file_all)
        with pytest.raises(NbprError, match="git cat-file ended without an answer"):
            repo.read(sha, "a")
        assert repo.read(sha, "a") == b"a"
        assert repo.size_of_blob(blob_sha(b"a")) == 1
        killed(repo._objects.cat_file_header)
        with pytest.raises(NbprError, match="git cat-file ended without an answer"):
            repo.size_of_blob(blob_sha(b"a"))
        assert repo.read(sha, "nothing") is None

    def test_an_object_that_is_cut_short_is_not_taken_for_a_short_one(self, repository: Path) -> None:
        repo = Repository.discover(repository)
        sha = commit_file(repository, "a", bytes(random.Random(1).choices(range(256), k=2_000_000)))
        loose = next(path for path in (repository / ".git/objects").glob("??/*") if path.stat().st_size > 1_000_000)
        loose.chmod(0o644)
        loose.write_bytes(loose.read_bytes()[:900_000])
        with pytest.raises(NbprError, match=r"ended without an answer: .*\w"):
            repo.read(sha, "a")

    @pytest.mark.parametrize("how", ["blob:none", "tree:0"])
    def test_what_a_partial_clone_cannot_fetch_is_not_taken_for_missing(
        self, repository: Path, remote: Path, tmp_path: Path, how: str
    ) -> None:
        commit_file(repository, "a.txt", b"another\n")
        git(repository, "push", "-q", "origin", "main")
        git(remote, "config", "uploadpack.allowFilter", "true")
        git(tmp_path, "clone", "-q", "--no-checkout", f"--filter={how}", remote.as_uri(), "partial")
        partial = Repository.discover(tmp_path / "partial")
        remote.rename(tmp_path / "away")
        with pytest.raises(OutOfReach, match=r"could not fetch .* from promisor remote"):
            partial.read("origin/main~1", "a.txt")

    def test_an_edited_tree_keeps_modes_and_the_rest(self, repository: Path) -> None:
        (repository / "run.sh").write_text("#!/bin/sh\n")
        (repository / "run.sh").chmod(0o755)
        (repository / "gone").write_text("gone")
        git(repository, "add", ".")
        git(repository, "commit", "-qm", "one")
        repo = Repository.discover(repository)
        tree = repo.edited_tree("HEAD", {"run.sh": b"#!/bin/bash\n", "gone": None, "new/ö": b"n"})
        assert {(e.mode, e.path) for e in repo.entries(tree)} == {("100755", "run.sh"), ("100644", "new/ö")}
        assert repo.read(tree, "run.sh") == b"#!/bin/bash\n"

    def test_an_entry_can_be_put_in_place(self, repository: Path) -> None:
        repo = Repository.discover(repository)
        entry = Entry("100755", repo.store(b"x"), "ignored")
        tree = repo.edited_tree(None, {"y": entry})
        assert repo.entries(tree) == [Entry("100755", entry.sha, "y")]

    def test_commits_tell_trailers(self, repository: Path) -> None:
        repo = Repository.discover(repository)
        tree = repo.edited_tree(None, {"a": b"a"})
        sha = repo.commit(tree, [], "Title\n\nWhy: because\n\nNbpr-Key: abc\nNbpr-Run: runs/a b.ipynb sha256:1\n")
        (commit,) = repo.commits(sha)
        assert commit.trailer("Nbpr-Key") == "abc"
        assert commit.trailer("Nbpr-Run") == "runs/a b.ipynb sha256:1"
        assert commit.trailer("Why") is None
        assert commit.author == "Ada Author <ada@example.org>"

    def test_without_an_identity_commits_are_ours(self, repository: Path) -> None:
        git(repository, "config", "--unset", "user.name")
        git(repository, "config", "--unset", "user.email")
        repo = Repository.discover(repository)
        sha = repo.commit(repo.edited_tree(None, {"a": b"a"}), [], "x\n")
        assert repo.commits(sha)[0].author == "nbpr <nbpr@localhost>"

    def test_a_signing_key_that_cannot_sign_is_said(self, repository: Path) -> None:
        git(repository, "config", "commit.gpgsign", "true")
        git(repository, "config", "gpg.program", "/bin/false")
        repo = Repository.discover(repository)
        tree = repo.edited_tree(None, {"a": b"a"})
        with pytest.raises(BadInput, match="could not be signed"):
            repo.commit(tree, [], "x\n")
        assert repo.commit(tree, [], "bookkeeping\n", own=True)

    def test_hooks_and_filters_of_the_user_do_not_run(self, repository: Path, tmp_path: Path) -> None:
        witness = tmp_path / "ran"
        for name in ("pre-commit", "post-checkout", "reference-transaction", "pre-push"):
            hook = repository / ".git" / "hooks" / name
            hook.write_text(f"#!/bin/sh\ntouch '{witness}'\n")
            hook.chmod(0o755)
        git(repository, "config", "filter.spy.clean", f"touch '{witness}'; cat")
        (repository / ".gitattributes").write_text("*.txt filter=spy\n")
        repo = Repository.discover(repository)
        entry = repo.added("a.txt", b"hello\n", write=True)
        tree = repo.edited_tree(None, {"a.txt": entry})
        sha = repo.commit(tree, [], "x\n")
        repo.publish(None, [RefUpdate("refs/heads/new", None, sha)])
        assert repo.read(sha, "a.txt") == b"hello\n"
        assert not witness.exists()
        assert repo.user_hooks("pre-commit", "pre-push", "commit-msg") == ["pre-commit", "pre-push"]


class TestNames:
    @pytest.mark.parametrize("name", ["a..b", "-x", "a b", "a~1", "x.lock", "", "HEAD", "@{-1}", "a\nb"])
    def test_names_that_git_refuses(self, repository: Path, name: str) -> None:
        with pytest.raises(BadInput, match="no branch of the name"):
            Repository.discover(repository).branch_name(name)

    def test_a_good_name(self, repository: Path) -> None:
        assert Repository.discover(repository).branch_name("agent/für-x") == "agent/für-x"

    @pytest.mark.parametrize("revision", ["--all", "nothing", "", "HEAD:a.txt", "a\0b"])
    def test_revisions_that_are_none(self, repository: Path, revision: str) -> None:
        commit_file(repository, "a.txt", b"a")
        assert Repository.discover(repository).resolve(revision) is None

    def test_paths(self, repository: Path, tmp_path: Path) -> None:
        repo = Repository.discover(repository)
        (repository / "n").mkdir()
        (repository / "n" / "out").symlink_to(tmp_path)
        (repository / "n" / "in").symlink_to(repository / "n")
        assert repo.path_of("x y.ipynb", repository / "n") == "n/x y.ipynb"
        assert repo.path_of(repository / "n" / "in" / "x", tmp_path) == "n/in/x"
        for bad in ("../../x", str(tmp_path / "x"), "out/x.ipynb", "../.git/config", ".."):
            with pytest.raises(BadInput):
                repo.path_of(bad, repository / "n")


@pytest.mark.parametrize(
    ("said", "error", "told"),
    [
        ("fatal: Authentication failed for 'https://x/y.git/'", NotAllowed, "Authentication failed"),
        ("fatal: could not read Username for 'https://x': terminal prompts disabled", NotAllowed, "could not read"),
        ("remote: Repository not found.\nfatal: repository 'https://x/y/' not found", NotAllowed, "remote: Repository"),
        (
            "git@x: Permission denied (publickey).\nfatal: Could not read from remote repository.",
            NotAllowed,
            "Permission denied (publickey)",
        ),
        ("fatal: unable to access 'https://x/': Could not resolve host: x", OutOfReach, "Could not resolve host"),
        ("ssh: connect to host x port 22: Connection refused\nfatal: Could not read", OutOfReach, "Connection refused"),
    ],
)
def test_who_is_not_let_in_is_told_from_who_does_not_get_there(said: str, error: type[NbprError], told: str) -> None:
    failure = _remote_failure(("fetch", "--", "origin"), Completed(("git",), 128, b"", said.encode()))
    assert type(failure) is error
    assert told in failure.message


class TestPublishing:
    def test_refs_move_together_or_not_at_all(self, repository: Path, remote: Path) -> None:
        repo = Repository.discover(repository)
        sha = repo.head
        assert sha is not None
        # Equal ids would count as "up to date", which is why pull requests carry a nonce.
        taken = repo.commit(repo.edited_tree(None, {"a": b"taken"}), [], "taken\n")
        git(repository, "push", "-q", "origin", f"{taken}:refs/nbpr/pulls/1/meta")
        for place in ("origin", None):
            if place is None:
                repo.publish(None, [RefUpdate("refs/nbpr/pulls/1/meta", None, taken)])
            updates = [RefUpdate("refs/heads/new", None, sha), RefUpdate("refs/nbpr/pulls/1/meta", None, sha)]
            with pytest.raises(Stale):
                repo.publish(place, updates)
            known = git(remote, "for-each-ref") if place else git(repository, "for-each-ref")
            assert "refs/heads/new" not in known

    def test_a_branch_is_never_moved_back(self, repository: Path, remote: Path) -> None:
        repo = Repository.discover(repository)
        first = repo.head
        second = commit_file(repository, "a.txt", b"b")
        third = commit_file(repository, "a.txt", b"c")
        git(repository, "push", "-q", "origin", f"{third}:refs/heads/topic")
        side = repo.commit(repo.edited_tree(first, {"z": b"z"}), [str(second)], "side\n")
        # As if we had last seen `second` there: somebody pushed `third` since.
        with pytest.raises(Stale):
            repo.publish("origin", [RefUpdate("refs/heads/topic", second, side)])
        with pytest.raises(Stale):
            repo.publish("origin", [RefUpdate("refs/heads/topic", third, first)])
        assert git(remote, "rev-parse", "topic") == third

    def test_what_the_other_side_declines(self, repository: Path, remote: Path) -> None:
        hook = remote / "hooks" / "pre-receive"
        hook.write_text("#!/bin/sh\necho protected branch >&2\nexit 1\n")
        hook.chmod(0o755)
        repo = Repository.discover(repository)
        with pytest.raises(NotAllowed, match="declined"):
            repo.publish("origin", [RefUpdate("refs/heads/new", None, repo.head)])

    def test_what_the_other_side_says_of_it_is_told(self, repository: Path, remote: Path) -> None:
        hook = remote / "hooks" / "pre-receive"
        hook.write_text("#!/bin/sh\necho >&2\necho 'Not allowed to push to protected branch new' >&2\nexit 1\n")
        hook.chmod(0o755)
        repo = Repository.discover(repository)
        with pytest.raises(NotAllowed, match=r"declined: remote: Not allowed to push to protected branch new$"):
            repo.publish("origin", [RefUpdate("refs/heads/new", None, repo.head)])
        hook.write_text("#!/bin/sh\necho >&2\nexit 1\n")
        with pytest.raises(NotAllowed, match=r"declined: !.*pre-receive hook declined"):
            repo.publish("origin", [RefUpdate("refs/heads/new", None, repo.head)])

    def test_what_was_taken_from_a_branch_meanwhile_does_not_come_back(self, repository: Path, remote: Path) -> None:
        repo = Repository.discover(repository)
        first = repo.head
        regretted = commit_file(repository, "a.txt", b"regretted")
        onwards = commit_file(repository, "a.txt", b"onwards")
        git(repository, "push", "-q", "origin", f"{regretted}:refs/heads/topic")
        git(repository, "push", "-q", "--force", "origin", f"{first}:refs/heads/topic")
        with pytest.raises(Stale):
            repo.publish("origin", [RefUpdate("refs/heads/topic", regretted, onwards)])
        assert git(remote, "rev-parse", "topic") == first

    @pytest.mark.parametrize("place", ["origin", None])
    @pytest.mark.parametrize(("there", "wanted"), [("topic", "topic/x"), ("topic/x/y", "topic/x")])
    def test_a_branch_whose_name_is_in_the_way_is_named(
        self, repository: Path, remote: Path, place: str | None, there: str, wanted: str
    ) -> None:
        repo = Repository.discover(repository)
        repo.publish(place, [RefUpdate(f"refs/heads/{there}", None, repo.head)])
        with pytest.raises(BadInput, match=f"no branch {wanted} in .* which has a branch {there}$"):
            repo.publish(place, [RefUpdate(f"refs/heads/{wanted}", None, repo.head)])

    def test_a_server_that_says_nothing_is_given_up(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("nbpr.git.repository._SILENCE", 1)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            git(repository, "remote", "add", "origin", f"http://127.0.0.1:{silent.getsockname()[1]}/x.git")
            with pytest.raises(OutOfReach, match="Operation too slow"):
                Repository.discover(repository).fetch("origin", "+refs/heads/*:refs/nbpr/remotes/origin/heads/*")
        git(repository, "config", "http.http://127.0.0.1.lowSpeedTime", "300")
        assert Repository.discover(repository)._patience == ()

    def test_a_remote_that_is_gone(self, repository: Path, remote: Path) -> None:
        remote.rename(remote.with_name("moved.git"))
        repo = Repository.discover(repository)
        with pytest.raises(OutOfReach, match="cannot be reached"):
            repo.fetch("origin", "+refs/heads/*:refs/nbpr/remotes/origin/heads/*")

    def test_fetching_leaves_the_users_refs_alone(self, repository: Path, remote: Path, tmp_path: Path) -> None:
        git(repository, "fetch", "-q", "origin")
        other = tmp_path / "other"
        git(tmp_path, "clone", "-q", str(remote), str(other))
        git(other, "config", "user.name", "B")
        git(other, "config", "user.email", "b@example.org")
        newer = commit_file(other, "b.txt", b"b")
        git(other, "tag", "v1")
        git(other, "push", "-q", "--tags", "origin", "main")
        before = git(repository, "for-each-ref")
        fetched = (repository / ".git" / "FETCH_HEAD").read_text()
        repo = Repository.discover(repository)
        repo.fetch("origin", "+refs/heads/*:refs/nbpr/remotes/origin/heads/*")
        after = git(repository, "for-each-ref")
        assert [line for line in after.splitlines() if "refs/nbpr" not in line] == before.splitlines()
        assert repo.resolve("refs/nbpr/remotes/origin/heads/main") == newer
        assert (repository / ".git" / "FETCH_HEAD").read_text() == fetched

    def test_the_remotes_default_branch(self, repository: Path, remote: Path) -> None:
        assert Repository.discover(repository).remote_default("origin") == "main"

    def test_which_remote(self, repository: Path, remote: Path) -> None:
        repo = Repository.discover(repository)
        git(repository, "remote", "add", "upstream", str(remote))
        git(repository, "config", "branch.main.remote", "upstream")
        assert repo.remote() == "origin"
        assert repo.remote("upstream") == "upstream"
        git(repository, "remote", "rename", "origin", "other")
        assert repo.remote() == "upstream"
        git(repository, "config", "--unset", "branch.main.remote")
        with pytest.raises(BadInput, match="which remote"):
            repo.remote()
        git(repository, "remote", "remove", "other")
        assert repo.remote() == "upstream"
        git(repository, "remote", "rename", "upstream", "origin")
        with pytest.raises(BadInput, match="no remote 'elsewhere'"):
            repo.remote("elsewhere")


def test_reading_leaves_the_index_alone(repository: Path) -> None:
    commit_file(repository, "a.txt", b"a")
    (repository / "a.txt").touch()
    index = (repository / ".git" / "index").read_bytes()
    repo = Repository.discover(repository)
    (repository / "b.txt").write_text("b")
    assert repo.edited() in ([], ["a.txt"])  # a stat-dirty file may be named; the index must not be refreshed
    assert (repository / ".git" / "index").read_bytes() == index


def test_ignored_files_by_pattern(repository: Path) -> None:
    (repository / ".gitignore").write_text("data/\n*.log\n")
    (repository / "data" / "x").mkdir(parents=True)
    (repository / "data" / "x" / "ü 1.csv").write_text("1")
    (repository / "y.log").write_text("1")
    repo = Repository.discover(repository)
    assert repo.ignored(["data/**"]) == ["data/x/ü 1.csv"]


def test_a_submodule_is_listed_as_such(repository: Path, tmp_path: Path) -> None:
    module = tmp_path / "module"
    git(tmp_path, "init", "-q", "-b", "main", str(module))
    git(module, "config", "user.name", "M")
    git(module, "config", "user.email", "m@example.org")
    commit_file(module, "m.txt", b"m")
    subprocess.run(
        ["git", "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(module), "sub"],
        cwd=repository,
        check=True,
        capture_output=True,
    )
    git(repository, "commit", "-qm", "sub")
    modes = {entry.path: entry.mode for entry in Repository.discover(repository).entries("HEAD")}
    assert modes["sub"] == "160000"
