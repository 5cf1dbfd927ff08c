"""`nbpr diff` as a command: what it prints, its JSON, its exit codes, its pager."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbpr.notebooks.notebook import quick_imports
from tests.conftest import git
from tests.diff.scripts import book, code, stream

pytestmark = pytest.mark.slow


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """Two notebooks, before and after."""
    for name, value, score in (("before", "0.95", 1), ("after", "0.90", 2)):
        cells = [
            code(f"threshold = {value}", "params", metadata={"tags": ["parameters"]}),
            code("show()", "show", outputs=[stream(f"score {score}\n")]),
        ]
        (tmp_path / f"{name}.ipynb").write_text(json.dumps(book(*cells)))
    return tmp_path


def nbpr(cwd: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `nbpr diff` as a process."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "80", **environ}
    argv = [sys.executable, "-m", "nbpr", "diff", *words]
    return subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_text_is_the_default_and_plain_when_piped(pair: Path) -> None:
    done = nbpr(pair, "before.ipynb", "after.ipynb")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert done.stdout.startswith("after.ipynb: 2 of 2 cells changed (+0 −0 ~2)\n  before: before.ipynb\n")
    assert "  threshold: 0.95 → 0.90\n" in done.stdout
    assert "-threshold = 0.95\n+threshold = 0.90\n" in done.stdout
    assert done.stdout.endswith("Outputs:\n-score 1\n+score 2\n")


@pytest.mark.parametrize("words", [("--json",), ("--format", "json")])
def test_json_is_one_object_with_nbdimes_diff(pair: Path, words: tuple[str, ...]) -> None:
    quick_imports()
    import nbformat
    from nbdime.diff_utils import to_diffentry_dicts
    from nbdime.patching import patch

    done = nbpr(pair, "before.ipynb", "after.ipynb", *words)
    (file,) = json.loads(done.stdout)["files"]
    assert file["path"] == "after.ipynb"
    assert file["summary"] == {
        "notebook": "after.ipynb",
        "cells_added": 0,
        "cells_removed": 0,
        "cells_modified": 1,
        "cells_moved": 0,
        "outputs_changed": 1,
    }
    before, after = (nbformat.read(pair / f"{name}.ipynb", 4) for name in ("before", "after"))
    assert patch(before, to_diffentry_dicts(file["diff"])) == after


def test_json_of_a_notebook_with_half_a_pair(pair: Path) -> None:
    (pair / "odd.ipynb").write_text(json.dumps(book(code("'\ud83d'", "a"))))
    done = nbpr(pair, "before.ipynb", "odd.ipynb", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["files"][0]["status"] == "modified"


def test_markdown(pair: Path) -> None:
    done = nbpr(pair, "before.ipynb", "after.ipynb", "--format", "markdown")
    assert done.stdout.startswith("## `after.ipynb`: 2 of 2 cells changed (+0 −0 ~2)\n")
    assert "| `threshold` | `0.95` | `0.90` |" in done.stdout
    assert done.stdout.endswith("</details>\n")


def test_html_is_a_page_of_its_own(pair: Path) -> None:
    done = nbpr(pair, "before.ipynb", "after.ipynb", "--format", "html")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("<!doctype html>")
    assert "<del>0.95</del>" in done.stdout
    assert done.stdout.endswith("</html>\n")


def test_stat_and_no_outputs(pair: Path) -> None:
    assert nbpr(pair, "before.ipynb", "after.ipynb", "--stat").stdout.splitlines() == [
        "notebook     added  removed  edited  moved  outputs",
        "after.ipynb  0      0        1       0      1",
        "1 notebook changed, 2 of 2 cells changed (+0 −0 ~2)",
    ]
    assert "score" not in nbpr(pair, "before.ipynb", "after.ipynb", "--no-outputs").stdout
    for form in ("markdown", "html"):
        done = nbpr(pair, "before.ipynb", "after.ipynb", "--no-outputs", "--format", form)
        assert (done.returncode, done.stdout) == (2, "")
        assert "are for a terminal" in done.stderr


def test_exit_codes(pair: Path) -> None:
    assert nbpr(pair, "before.ipynb", "after.ipynb").returncode == 0
    assert nbpr(pair, "before.ipynb", "after.ipynb", "--exit-code", "--json").returncode == 1
    same = nbpr(pair, "before.ipynb", "before.ipynb", "--exit-code")
    assert (same.returncode, same.stdout) == (0, "")
    assert nbpr(pair, "before.ipynb", "missing.ipynb", "--exit-code").returncode == 2
    assert nbpr(pair, "before.ipynb", "after.ipynb", "--format", "pdf").returncode == 2


def test_two_dashes_separate_revisions_from_files(repository: Path, pair: Path) -> None:
    for name in ("before", "after"):
        (repository / "main").write_bytes((pair / f"{name}.ipynb").read_bytes())
        (repository / "nb.ipynb").write_bytes((pair / f"{name}.ipynb").read_bytes())
        git(repository, "add", "-A")
        git(repository, "commit", "-q", "-m", name)
    assert nbpr(repository, "main").returncode == 2
    assert "'main' is a revision and a file" in nbpr(repository, "main").stderr
    assert nbpr(repository, "main", "--").stdout == ""
    assert nbpr(repository, "HEAD~1", "--", "main").stdout == "· no notebook: main (modified)\n"
    assert nbpr(repository, "--stat", "HEAD~1", "--", "nb.ipynb").stdout.count("nb.ipynb") == 1
    gone = nbpr(repository, "HEAD", "--", "gone.ipynb")
    assert (gone.returncode, gone.stdout) == (0, "")


def test_a_reader_that_goes_away_is_no_error(pair: Path) -> None:
    argv = f"{sys.executable} -m nbpr diff before.ipynb after.ipynb | head -n 1"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(argv, shell=True, cwd=pair, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_a_command_prints_is_a_file_too(pair: Path) -> None:
    argv = ["bash", "-c", f"{sys.executable} -m nbpr diff <(cat before.ipynb) after.ipynb"]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(argv, cwd=pair, env=env, capture_output=True, text=True, check=False)
    assert "  threshold: 0.95 → 0.90\n" in done.stdout


def on_a_terminal(cwd: Path, *words: str, **environ: str) -> str:
    """What `nbpr diff` shows on a terminal."""
    mine, theirs = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm", "COLUMNS": "80", **environ}
    env = {name: value for name, value in env.items() if value != "unset"}
    argv = [sys.executable, "-m", "nbpr", "diff", *words]
    with subprocess.Popen(argv, cwd=cwd, env=env, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        shown = b""
        while chunk := _read(mine):
            shown += chunk
    os.close(mine)
    return shown.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux says so where the other end is closed
        return b""


@pytest.fixture
def pager(tmp_path: Path) -> str:
    """A pager that says that it is one."""
    script = tmp_path / "pager"
    script.write_text("#!/bin/sh\necho paged\ncat\n")
    script.chmod(0o755)
    return str(script)


def test_a_terminal_gets_colour_and_the_pager(pair: Path, pager: str) -> None:
    shown = on_a_terminal(pair, "before.ipynb", "after.ipynb", PAGER=pager)
    assert shown.startswith("paged\n\x1b[1mafter.ipynb\x1b[0m: ")
    assert "\x1b[32;7m0.90\x1b[0m" in shown


@pytest.mark.parametrize("environ", [{"PAGER": ""}, {"PAGER": "cat"}, {"PAGER": "/nowhere/pager"}])
def test_without_a_pager_it_is_written_plainly(pair: Path, environ: dict[str, Any]) -> None:
    shown = on_a_terminal(pair, "before.ipynb", "after.ipynb", NO_COLOR="1", **environ)
    assert shown.startswith("after.ipynb: ")
    assert "\x1b" not in shown


def test_neither_json_nor_nothing_is_paged(pair: Path, pager: str) -> None:
    assert json.loads(on_a_terminal(pair, "before.ipynb", "after.ipynb", "--json", PAGER=pager))
    assert on_a_terminal(pair, "before.ipynb", "before.ipynb", PAGER=pager) == ""


def test_what_a_terminal_cannot_show_is_spelled_out(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = nbpr(pair, "before.ipynb", "after.ipynb")
    assert (done.returncode, done.stderr) == (0, "")
    assert "(+0 \\u22120 ~2)" in done.stdout
