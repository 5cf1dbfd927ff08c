"""Git's diff driver shows notebooks by cell, and never makes git give up a diff."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr import diffdriver
from nbpr.setup import drivers, setup
from tests.conftest import git

NOTHING = Path(os.devnull)


def code(source: str, outputs: Any = ()) -> dict[str, Any]:
    facts = {"cell_type": "code", "id": "a", "execution_count": None, "metadata": {}}
    return {**facts, "outputs": list(outputs), "source": source}


def stream(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def written(path: Path, *cells: dict[str, Any]) -> Path:
    data = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(data, indent=1))
    return path


def shown(old: Path, new: Path, colour: bool = False) -> str:
    return diffdriver.difference("dir/nb.ipynb", old, new, colour=colour, width=80)


def test_a_changed_line_is_shown_in_its_cell(tmp_path: Path) -> None:
    text = shown(written(tmp_path / "a", code("x = 1\ny = 2")), written(tmp_path / "b", code("x = 1\ny = 3")))
    assert "dir/nb.ipynb" in text
    assert "\n-y = 2\n+y = 3\n" in text
    assert '"cells"' not in text


def test_the_working_copy_is_cleaned_if_the_other_side_is_clean(tmp_path: Path) -> None:
    dirty = written(tmp_path / "b", code("x = 2", [stream("secret")]))
    assert "secret" not in shown(written(tmp_path / "a", code("x = 1")), dirty)


def test_outputs_of_runs_are_compared(tmp_path: Path) -> None:
    text = shown(
        written(tmp_path / "a", code("x", [stream("one")])), written(tmp_path / "b", code("x", [stream("two")]))
    )
    assert "-one" in text
    assert "+two" in text


def test_a_new_and_a_deleted_notebook(tmp_path: Path) -> None:
    file = written(tmp_path / "a", code("x = 1"))
    assert "+x = 1" in shown(NOTHING, file)
    assert "-x = 1" in shown(file, NOTHING)


def test_another_layout_is_no_difference(tmp_path: Path) -> None:
    one = written(tmp_path / "a", code("x"))
    other = tmp_path / "b"
    other.write_text(json.dumps(json.loads(one.read_text())))
    assert shown(one, other) == "dir/nb.ipynb: the same but for its layout\n\n"


def test_the_same_file_is_not_said_to_have_another_layout(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "a", code("x", [stream("two")]))
    assert shown(file, file) == "dir/nb.ipynb: the same; where git cleans what is added, its outputs will go\n\n"
    words = ["nb.ipynb", str(file), "0" * 40, "100644", str(file), "0" * 40, "100755"]
    assert diffdriver.main(words) == 0
    assert capfd.readouterr().out == "nb.ipynb: mode 100644 → 100755\n\n"


@pytest.mark.parametrize("broken", [b"", b"{", b'<<<<<<< HEAD\n{"a": \xff\n', b"[]"])
def test_what_is_no_notebook_is_shown_line_by_line(broken: bytes, tmp_path: Path) -> None:
    file = tmp_path / "b"
    file.write_bytes(broken)
    text = shown(written(tmp_path / "a", code("x = 1")), file)
    assert text.startswith("(dir/nb.ipynb: ")
    assert "shown line by line" in text
    assert '-   "source": "x = 1"' in text


def test_malformed_cells_are_shown_all_the_same(tmp_path: Path) -> None:
    without = {"cell_type": "code", "metadata": None, "source": ["x = ", "1"]}
    assert "x = 1" in shown(written(tmp_path / "a", without), written(tmp_path / "b", code("y = 2")))


def test_nothing_in_a_notebook_is_obeyed_by_the_terminal(tmp_path: Path) -> None:
    evil = written(tmp_path / "b", code("print('\x1b[2J')", [stream("\x1b]0;title\x07")]))
    broken = tmp_path / "c"
    broken.write_bytes(b"{\x1b[2J")
    for new in (evil, broken):
        assert "\x1b" not in shown(written(tmp_path / "a", code("x", [stream("y")])), new)


@given(
    st.text(max_size=30),
    st.text(st.sampled_from("\x1b\x9b[]0;1mJ\x07\r\n\b\x7fa\u202e\u2028"), max_size=30),
    st.booleans(),
)
def test_no_character_that_a_terminal_obeys_passes(
    tmp_path_factory: pytest.TempPathFactory, text: str, other: str, broken: bool
) -> None:
    folder = tmp_path_factory.mktemp("driver")
    old = written(folder / "a", code(text, [stream(other)]))
    new = folder / "b"
    if broken:
        new.write_bytes(b"{" + (text + other).encode("utf-8", "surrogatepass"))
    else:
        written(new, code(other, [stream(text)]))
    told = shown(old, new)
    seen = (sign.isprintable() or sign in "\n\t\u200c\u200d" or unicodedata.category(sign) == "Zs" for sign in told)
    assert all(seen), repr(told)


def started(tmp_path: Path, *more: str) -> list[str]:
    old, new = written(tmp_path / "a", code("x = 1")), written(tmp_path / "b", code("x = 2"))
    return ["nb.ipynb", str(old), "0" * 40, "100644", str(new), "1" * 40, "100644", *more]


def test_colours_only_where_git_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = started(tmp_path)
    for arguments, wanted in ((words, False), (["--colour", *words], True)):
        assert diffdriver.main(arguments) == 0
        assert ("\x1b[" in capfd.readouterr().out) is wanted
    monkeypatch.setenv("NO_COLOR", "1")
    assert diffdriver.main(["--colour", *words]) == 0
    assert "\x1b[" not in capfd.readouterr().out


def test_a_renamed_file_and_another_mode_say_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = started(tmp_path, "new/nb.ipynb", "similarity index 90%\n")
    assert diffdriver.main([*words[:6], "100755", *words[7:]]) == 0
    first, second, *_ = capfd.readouterr().out.splitlines()
    assert first == "nb.ipynb is renamed to new/nb.ipynb"
    assert second == "nb.ipynb: mode 100644 → 100755"
    words = started(tmp_path)
    assert diffdriver.main([*words[:4], os.devnull, ".", "."]) == 0
    assert "mode" not in capfd.readouterr().out


def test_a_long_file_that_is_no_notebook_is_not_compared_for_minutes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"{" * 700_000)
    (tmp_path / "b").write_bytes(b"[" * 700_000)
    text = shown(tmp_path / "a", tmp_path / "b")
    assert "git diff --no-ext-diff" in text
    assert len(text) < 300


def test_a_bug_of_ours_does_not_end_gits_diff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> str:
        raise KeyError("surprise")

    monkeypatch.setattr(diffdriver, "difference", broken)
    monkeypatch.setattr(diffdriver, "text_of", broken)
    assert diffdriver.main(["--text", "1", str(tmp_path / "a")]) == 0
    assert "could not be shown (KeyError" in capfd.readouterr().out
    assert diffdriver.main(started(tmp_path)) == 0
    assert "could not be shown (KeyError" in capfd.readouterr().out


def test_bad_use(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["diffdriver", "a", "b"])
    assert diffdriver.main() == 2
    assert diffdriver.main(["unmerged.ipynb"]) == 0
    assert capfd.readouterr().out == "* unmerged: unmerged.ipynb\n"


# -- one version as text -----------------------------------------------------------------------------------------


def texted(file: Path, capfd: pytest.CaptureFixture[str]) -> str:
    assert diffdriver.main(["--text", "1", str(file)]) == 0
    return capfd.readouterr().out


def test_a_version_is_text_cell_by_cell(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What git keeps of this it keeps for good: a change here is one of `drivers.TEXT_VERSION` too."""
    assert drivers.TEXT_VERSION == 1
    picture = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"image/png": "iVBORw0KGgo=", "text/plain": "<Fig>"},
    }
    note = {
        "cell_type": "markdown",
        "id": "m",
        "metadata": {"tags": ["a", "b"], "x": {"é": 1}},
        "source": ["# T\n", "t"],
    }
    note["attachments"] = {"p.png": {"image/png": "AAAA"}}
    file = written(tmp_path / "a", note, code("x = 1\n", [stream("one\ntwo\n"), picture]), code(""))
    assert texted(file, capfd) == (
        "nbformat 4.5\n"
        "── markdown · m · a, b\n"
        'metadata.x = {"é": 1}\n'
        'attachments = {"p.png": {"image/png": "AAAA"}}\n'
        "# T\n"
        "t\n"
        "── code · a\n"
        "x = 1\n"
        "\n"
        "outputs:\n"
        "one\n"
        "two\n"
        "picture (png), 8 bytes\n"
        "image/png (cdec0644)\n"
        "── code · a\n"
    )


def test_a_form_of_an_output_does_not_change_unseen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    texts = set()
    for picture in ("AAAA", "AAAB"):
        for html in ("<p>", "<q>"):
            data = {"image/png": picture, "text/html": html, "text/plain": "same"}
            output = {"output_type": "display_data", "metadata": {}, "data": data}
            texts.add(texted(written(tmp_path / "a", code("x", [output])), capfd))
    assert len(texts) == 4


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b"\xff\x00\x1b[2J"])
def test_a_version_that_is_no_notebook_is_its_own_lines(
    broken: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").write_bytes(broken)
    said = texted(tmp_path / "a", capfd)
    assert said.startswith("(not shown by cell: the file: ")
    assert "\x1b" not in said
    assert "\x00" not in said


def test_little_is_loaded(tmp_path: Path) -> None:
    old, new = written(tmp_path / "a", code("x = 1")), written(tmp_path / "b", code("x = 2"))
    for words in (["nb.ipynb", str(old), "0", "100644", str(new), "0", "100644"], ["--text", "1", str(old)]):
        code_ = "import sys; from nbpr import diffdriver; diffdriver.main(sys.argv[1:]); print(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", code_, *words], capture_output=True, text=True, check=True)
        loaded = set(done.stdout.split("\n")[-2].split())
        assert "nbpr.notebooks.notebook" in loaded
        assert not loaded & {"nbformat", "nbdime", "git", "typer", "jsonschema"}


# -- through git -------------------------------------------------------------------------------------------------


@pytest.fixture
def edited(repository: Path) -> Path:
    """A repository that is set up, with a commit that changed a notebook and a change that is staged."""
    setup.init(repository)
    (repository / "a dir").mkdir()
    for number in (1, 2, 3):
        written(repository / "a dir/ü b.ipynb", code(f"x = {number}", [stream("secret")]))
        git(repository, "add", "-A")
        if number < 3:
            git(repository, "commit", "-qm", str(number))
    return repository


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "removed"),
    [
        (("diff", "HEAD"), "x = 2"),
        (("diff", "--cached"), "x = 2"),
        (("diff", "HEAD~1", "HEAD"), "x = 1"),
        (("log", "-p", "-1"), "x = 1"),
        (("log", "-p", "-1", "--ext-diff"), "x = 1"),
        (("show",), "x = 1"),
        (("show", "--ext-diff"), "x = 1"),
        (("whatchanged", "-p", "-1"), "x = 1"),
    ],
)
def test_git_shows_cells_wherever_it_shows_changes(words: tuple[str, ...], removed: str, edited: Path) -> None:
    said = git(edited, *words)
    assert f"\n-{removed}\n+x = {int(removed[-1]) + 1}" in said
    assert '"cells"' not in said
    assert "secret" not in said
    assert "\x1b" not in said


@pytest.mark.slow
def test_a_stash_is_shown_by_cell_if_asked(edited: Path) -> None:
    git(edited, "stash", "-q")
    assert "-x = 2\n+x = 3" in git(edited, "stash", "show", "-p", "--ext-diff")
    assert "-x = 2\n+x = 3" in git(edited, "stash", "show", "-p", "--textconv")
    git(edited, "stash", "pop", "-q", "--index")
    assert "-x = 2\n+x = 3" in git(edited, "diff", "--cached")


@pytest.mark.slow
def test_lines_are_blamed_by_cell(edited: Path) -> None:
    git(edited, "commit", "-qm", "three")
    assert (
        git(edited, "blame", "--porcelain", "HEAD", "--", "a dir/ü b.ipynb").split("\n\t")[-1].split("\n")[0] == "x = 3"
    )


@pytest.mark.slow
def test_colours_are_gits_to_say(edited: Path) -> None:
    assert "\x1b[" in git(edited, "-c", "color.ui=always", "diff", "--cached")
    git(edited, "config", "color.diff", "always")
    assert "\x1b[" in git(edited, "diff", "--cached")
    assert "\x1b[" not in git(edited, "-c", "color.diff=never", "diff", "--cached")


@pytest.mark.slow
def test_added_deleted_renamed_and_made_a_program(edited: Path) -> None:
    git(edited, "commit", "-qm", "three")
    git(edited, "mv", "a dir/ü b.ipynb", "moved.ipynb")
    assert git(edited, "diff", "--cached").startswith("a dir/ü b.ipynb is renamed to moved.ipynb\n")
    written(edited / "moved.ipynb", code("x = 3\ny = 4"))
    git(edited, "add", "-A")
    said = git(edited, "diff", "--cached", "-M20%")
    assert said.startswith("a dir/ü b.ipynb is renamed to moved.ipynb\n")
    assert "+y = 4" in said
    (edited / "moved.ipynb").chmod(0o755)
    assert "mode 100644 → 100755" in git(edited, "diff")
    assert "+y = 4" in git(edited, "diff", "--cached", "--no-renames")
    assert "-x = 3" in git(edited, "diff", "--cached", "--no-renames")


@pytest.mark.slow
def test_a_patch_is_of_the_real_bytes_and_applies(edited: Path) -> None:
    git(edited, "commit", "-qm", "three")
    tree = git(edited, "rev-parse", "HEAD^{tree}")
    patches = git(edited, "format-patch", "-1", "-o", "../patches").splitlines()
    git(edited, "reset", "-q", "--hard", "HEAD~1")
    git(edited, "am", "-q", str(edited / patches[0]))
    assert git(edited, "rev-parse", "HEAD^{tree}") == tree
    git(edited, "reset", "-q", "--hard", "HEAD~1")
    git(edited, "apply", "--index", str(edited / patches[0]))
    assert git(edited, "write-tree") == tree


@pytest.mark.slow
def test_what_is_no_notebook_is_told_in_one_line(edited: Path) -> None:
    (edited / "a dir/ü b.ipynb").write_bytes(b"{ half\n")
    git(edited, "commit", "-qam", "half")
    for words in (("diff", "HEAD~1", "HEAD"), ("show",)):
        said = git(edited, *words)
        assert len(re.findall(r"shown (line )?by (line|cell)", said)) == 1
        assert "+{ half" in said
