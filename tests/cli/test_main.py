"""The command line as programs and people meet it: exit codes, one JSON object, no traceback, help with examples."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbpr.cli.main import COMMANDS, _Interrupt, run
from tests import projects
from tests.conftest import git
from tests.projects import NOTEBOOK

pytestmark = pytest.mark.slow


def nbpr(cwd: Path, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The real program, in a process of its own."""
    argv = [sys.executable, "-m", "nbpr", *words]
    environ = {**os.environ, **(env or {})}
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, env=environ)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return projects.make(tmp_path).root


def error_of(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    """The one JSON object of a failed call, after checking that it is the only thing on stdout."""
    found: dict[str, object] = json.loads(done.stdout)["error"]
    assert set(found) == {"message", "hint", "exit_code"}
    assert found["exit_code"] == done.returncode
    assert "Traceback" not in done.stderr
    return found


class TestExitCodes:
    def test_0_also_when_there_is_nothing_to_do(self, root: Path) -> None:
        done = nbpr(root, "propose", NOTEBOOK, "--title", "Nothing", "--json")
        assert done.returncode == 0
        assert json.loads(done.stdout)["operation"] == "unchanged"

    @pytest.mark.kernel
    def test_1_when_what_was_checked_failed(self, root: Path) -> None:
        edits = json.dumps([{"op": "replace", "cell": "count", "source": "1 / 0"}])
        (root / "edits.json").write_text(edits)
        done = nbpr(root, "propose", NOTEBOOK, "--edits", "edits.json", "--title", "Broken", "--json")
        assert done.returncode == 1
        assert json.loads(done.stdout)["operation"] == "blocked"

    @pytest.mark.parametrize(
        "words",
        [
            ["propose", NOTEBOOK],
            ["propose", "--title", "x"],
            ["propose", "../outside.ipynb", "--title", "x"],
            ["propose", "link.ipynb", "--title", "x"],
            ["propose", NOTEBOOK, "--title", "x", "--set", "nope=1"],
            ["propose", NOTEBOOK, "--title", "x", "--edits", "missing.json"],
            ["propose", NOTEBOOK, "--title", "x", "--edits", "README.md"],
            ["propose", NOTEBOOK, "--title", "x", "--base", "nowhere"],
            ["propose", NOTEBOOK, "--title", "x", "--branch", "a b"],
            ["propose", NOTEBOOK, "--title", "x", "--body", "a", "--body-file", "b"],
            ["propose", NOTEBOOK, "--title", "x", "--bogus"],
            ["pulls", "show", "9"],
            ["pulls", "show", "x"],
            ["pulls"],
            ["cells", "missing.ipynb"],
            ["cells", "README.md"],
            ["edit", NOTEBOOK, "--delete", "nope"],
            ["diff", "nowhere..nothing"],
            ["run", "missing.ipynb"],
            ["validate", "missing.ipynb"],
            ["bogus"],
        ],
    )
    def test_2_for_bad_use_and_bad_input(self, root: Path, words: list[str]) -> None:
        (root / "link.ipynb").symlink_to(root.parent / "outside.ipynb")
        (root.parent / "outside.ipynb").write_bytes(projects.health())
        before = projects.state(root)
        done = nbpr(root, *words, "--json")
        assert done.returncode == 2, done.stderr
        assert error_of(done)["message"]
        for_people = nbpr(root, *words)
        assert for_people.returncode == 2
        assert for_people.stdout == ""
        assert for_people.stderr.startswith("nbpr: ")
        assert len(for_people.stderr.splitlines()) <= 2
        assert projects.state(root) == before

    def test_2_for_an_unknown_setting(self, root: Path) -> None:
        (root / "nbpr.toml").write_text("barnch-prefix = 'x'\n")
        done = nbpr(root, "propose", NOTEBOOK, "--title", "x", "--json")
        assert done.returncode == 2
        found = error_of(done)
        assert "nbpr.toml" in str(found["message"])
        assert "branch-prefix" in str(found["hint"])

    @pytest.mark.parametrize("words", [["propose", NOTEBOOK, "--title", "x"], ["pulls", "list"]])
    def test_2_in_no_repository_and_in_a_bare_one(self, tmp_path: Path, words: list[str]) -> None:
        git(tmp_path, "init", "-q", "--bare", "bare.git")
        for place, told in ((tmp_path, "not in a git repository"), (tmp_path / "bare.git", "bare repository")):
            done = nbpr(place, *words, "--json")
            assert done.returncode == 2
            assert told in str(error_of(done)["message"])

    def test_3_for_a_bug_of_ours_with_the_logs_path(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        monkeypatch.setattr("nbpr.notebooks.notebook.read", lambda path: 1 // 0)
        assert run(["cells", "secret-name.ipynb", "--json"]) == 3
        found = json.loads(capsys.readouterr().out)["error"]
        log = tmp_path / "nbpr" / "last-bug.log"
        assert str(log) in found["hint"]
        assert "ZeroDivisionError" in log.read_text()
        assert "secret-name" not in log.read_text().partition("Traceback")[0]

    def test_4_when_the_other_side_declines(self, root: Path) -> None:
        hook = root.parent / "remote.git" / "hooks" / "pre-receive"
        hook.write_text("#!/bin/sh\necho protected >&2\nexit 1\n")
        hook.chmod(0o755)
        words = ["propose", "--delete", NOTEBOOK, "--title", "x", "--json"]
        done = nbpr(root, *words)
        assert done.returncode == 4, done.stderr
        assert "declined" in str(json.loads(done.stdout)["error"]["message"])

    def test_5_for_a_stale_cell(self, root: Path) -> None:
        edit = {"op": "replace", "cell": "count", "source": "x", "expect": "sha256:" + "0" * 64}
        (root / "edits.json").write_text(json.dumps([edit]))
        done = nbpr(root, "propose", NOTEBOOK, "--edits", "edits.json", "--title", "x", "--json")
        assert done.returncode == 5
        assert "count" in str(error_of(done)["message"])

    def test_6_when_the_remote_is_out_of_reach(self, root: Path) -> None:
        (root.parent / "remote.git").rename(root.parent / "away.git")
        done = nbpr(root, "propose", NOTEBOOK, "--set", "threshold=0.9", "--title", "x", "--json")
        assert done.returncode == 6
        assert "origin" in str(error_of(done)["message"])

    @pytest.mark.kernel
    @pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM])
    def test_130_when_interrupted_and_nothing_is_left(self, tmp_path: Path, word: signal.Signals) -> None:
        slow = projects.dumped([projects.cell("a", "code", "x = 1\nimport time\ntime.sleep(60)")])
        repository = projects.make(tmp_path, {NOTEBOOK: slow})
        (repository.root / "edits.json").write_text(
            json.dumps([{"op": "substitute", "cell": "a", "old": "x = 1", "new": "x = 2"}])
        )
        before = projects.state(repository.root)
        argv = [sys.executable, "-m", "nbpr", "propose", NOTEBOOK, "--edits", "edits.json", "--title", "x", "--json"]
        started = subprocess.Popen(argv, cwd=repository.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        worktrees = repository.common_dir / "nbpr" / "work"
        for _ in range(200):
            time.sleep(0.1)
            if len(list(worktrees.glob("nbpr-*/nbpr-*"))) == 2:
                break
        time.sleep(2)
        started.send_signal(word)
        out, err = started.communicate(timeout=30)
        assert started.returncode == 130, err
        assert json.loads(out)["error"]["exit_code"] == 130
        assert not worktrees.exists()
        assert projects.state(repository.root) == before
        assert projects.pulls(repository) == []


@pytest.fixture
def as_in_a_shell() -> Iterator[None]:
    """Signals are handled as where a shell has started us, and as before when the test is over."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class TestInterrupts:
    @pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM])
    def test_two_in_a_row_are_one(
        self, as_in_a_shell: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], word: int
    ) -> None:
        put_in_order = []

        def work(path: Path) -> None:
            try:
                signal.raise_signal(word)
            finally:
                signal.raise_signal(word)
                put_in_order.append(path)

        monkeypatch.setattr("nbpr.notebooks.notebook.read", work)
        monkeypatch.setattr("nbpr.cli.main._interrupt", _Interrupt())
        assert run(["cells", "x.ipynb"]) == 130
        assert put_in_order
        assert capsys.readouterr().err == "nbpr: interrupted\n"

    def test_a_later_one_interrupts_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        interrupt, times = _Interrupt(), iter([100.0, 100.5, 101.5])
        monkeypatch.setattr("nbpr.cli.main.time.monotonic", lambda: next(times))
        with pytest.raises(KeyboardInterrupt):
            interrupt(signal.SIGTERM, None)
        interrupt(signal.SIGTERM, None)
        with pytest.raises(KeyboardInterrupt):
            interrupt(signal.SIGTERM, None)

    def test_what_is_ignored_stays_so(self, as_in_a_shell: None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        assert run(["--version"]) == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


class TestHelp:
    @pytest.mark.parametrize("command", [*COMMANDS, *(f"pulls {verb}" for verb in ("list", "show", "merge", "close"))])
    def test_every_command_shows_examples_within_80_columns(
        self, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        assert run([*command.split(), "--help"]) == 0
        shown = capsys.readouterr().out
        assert "nbpr" in shown
        if command not in ("pulls", "cache"):
            assert "Examples:" in shown

    def test_no_arguments_show_the_commands(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run([]) == 0
        shown = capsys.readouterr().out
        assert all(command in shown for command in COMMANDS)

    def test_version(self, tmp_path: Path) -> None:
        assert nbpr(tmp_path, "--version").stdout == "nbpr 0.1.0\n"


def test_colours_only_on_a_terminal(root: Path) -> None:
    assert "\x1b" not in nbpr(root, "pulls", "list").stdout
    assert "\x1b" not in nbpr(root, "cells", "missing.ipynb").stderr
    assert "\x1b" in nbpr(root, "cells", "missing.ipynb", env={"FORCE_COLOR": "1"}).stderr
    assert "\x1b" not in nbpr(root, "cells", "missing.ipynb", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stderr


def test_a_reader_that_goes_away_is_no_error(root: Path) -> None:
    argv = f"{sys.executable} -m nbpr cells '{NOTEBOOK}' --json | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", argv], cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_completion_is_offered(tmp_path: Path) -> None:
    words = ["bash", "-c", f"{shlex.quote(sys.executable)} -m nbpr --show-completion; exit $?"]  # which it is shown for
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "nbpr" in done.stdout


def test_half_a_surrogate_pair_is_printed_as_it_was_escaped(tmp_path: Path) -> None:
    nb = projects.dumped([projects.cell("a", "code", "x = '?'")]).replace(b"?", b"\\ud83d")
    (tmp_path / "nb.ipynb").write_bytes(nb)
    done = nbpr(tmp_path, "cells", "nb.ipynb", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["cells"][0]["source"] == "x = '\ud83d'"
