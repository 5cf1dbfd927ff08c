"""The one-shot filter: over streams, over files, and as the process that git starts."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr import filters
from nbpr.clean import Options
from nbpr.errors import BadInput, NotAllowed

DIRTY = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": 1,
            "id": "a",
            "metadata": {},
            "outputs": [{"name": "stdout", "output_type": "stream", "text": ["1\n"]}],
            "source": ["print(1)"],
        }
    ],
    "metadata": {"papermill": {"parameters": {}}},
    "nbformat": 4,
    "nbformat_minor": 5,
}
OLD = {
    "metadata": {"name": "", "signature": "sha256:0"},
    "nbformat": 3,
    "nbformat_minor": 0,
    "worksheets": [
        {
            "cells": [
                {
                    "cell_type": "code",
                    "collapsed": False,
                    "input": "1",
                    "language": "python",
                    "metadata": {},
                    "outputs": [{"output_type": "pyout", "prompt_number": 1, "text": "1"}],
                    "prompt_number": 1,
                }
            ],
            "metadata": {},
        }
    ],
}


def text_of(data: Any) -> bytes:
    return (json.dumps(data, indent=1) + "\n").encode()


def clean_text(data: dict[str, Any]) -> bytes:
    cell = {**data["cells"][0], "outputs": [], "execution_count": None}
    return text_of({**data, "cells": [cell], "metadata": {}})


def through(data: bytes, **options: Any) -> tuple[bytes, list[str]]:
    out = io.BytesIO()
    said: list[str] = []
    filters.clean_stream(io.BytesIO(data), out, "nb.ipynb", Options(**options), said.append)
    return out.getvalue(), said


def test_a_notebook_comes_out_clean_and_nothing_is_said() -> None:
    assert through(text_of(DIRTY)) == (clean_text(DIRTY), [])


def test_options_reach_the_stream() -> None:
    assert json.loads(through(text_of(DIRTY), keep_output=True)[0])["cells"][0]["outputs"]


def test_a_clean_notebook_comes_out_as_the_same_bytes() -> None:
    odd = clean_text(DIRTY).replace(b"\n", b"\r\n") + b"\r\n \r\n"
    assert through(odd) == (odd, [])
    assert filters.cleaned(odd, "nb.ipynb") is odd


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        b"\x89PNG\r\n\x1a\n\x00\xff",
        text_of(DIRTY)[:200],
        b"<<<<<<< HEAD\n" + text_of(DIRTY),
        b"[1, 2]",
        b'{"nbformat": 4}',
        b'{"nbformat": 3, "worksheets": 5}',
        text_of({**DIRTY, "nbformat": 5}),
        b"[" * 100_000,
    ],
)
def test_what_is_no_notebook_passes_with_one_warning(data: bytes) -> None:
    out, said = through(data)
    assert out == data
    assert len(said) == 1
    assert said[0].startswith("nb.ipynb: ")
    assert "\n" not in said[0]


@given(st.binary(max_size=60) | st.integers(0, 400).map(lambda end: text_of(DIRTY)[:end]))
def test_nothing_that_passes_is_ever_lost(data: bytes) -> None:
    out, said = through(data)
    assert (out == data) == (len(said) == 1)


def test_a_notebook_of_version_3_is_cleaned_where_it_stands() -> None:
    out, said = through(text_of(OLD))
    after = json.loads(out)
    cell = after["worksheets"][0]["cells"][0]
    assert said == []
    assert (cell["outputs"], cell["prompt_number"], cell["input"]) == ([], None, "1")
    assert after["metadata"] == {"name": ""}
    assert [line for line in out.splitlines() if line not in text_of(OLD).splitlines()] == [
        b'  "name": ""',
        b'     "outputs": [],',
        b'     "prompt_number": null',
    ]
    assert through(out) == (out, [])


# -- files -------------------------------------------------------------------------------------------------


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    path = tmp_path / "nb.ipynb"
    path.write_bytes(text_of(DIRTY))
    return path


def test_files_are_cleaned_in_place_and_keep_their_mode(dirty: Path) -> None:
    dirty.chmod(0o600)
    assert filters.clean_files([dirty]) == [(str(dirty), True)]
    assert dirty.read_bytes() == clean_text(DIRTY)
    assert dirty.stat().st_mode & 0o777 == 0o600
    assert filters.clean_files([dirty]) == [(str(dirty), False)]


def test_a_clean_file_is_not_written_again(dirty: Path) -> None:
    dirty.write_bytes(clean_text(DIRTY))
    before = dirty.stat()
    filters.clean_files([dirty])
    assert (dirty.stat().st_ino, dirty.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_saying_only_writes_nothing(dirty: Path) -> None:
    assert filters.clean_files([dirty], write=False) == [(str(dirty), True)]
    assert dirty.read_bytes() == text_of(DIRTY)


def test_one_bad_file_and_none_is_changed(dirty: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.ipynb"
    bad.write_text("{")
    with pytest.raises(BadInput, match=r"bad\.ipynb"):
        filters.clean_files([dirty, bad])
    assert dirty.read_bytes() == text_of(DIRTY)


@pytest.mark.parametrize("name", ["missing.ipynb", "."])
def test_what_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no such file|is a directory"):
        filters.clean_files([tmp_path / name])


def test_a_link_stays_a_link(dirty: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.ipynb"
    link.symlink_to(dirty.name)
    filters.clean_files([link])
    assert link.is_symlink()
    assert dirty.read_bytes() == clean_text(DIRTY)


def test_a_disk_that_fails_leaves_the_file_whole(dirty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotAllowed, match="No space left"):
        filters.clean_files([dirty])
    assert dirty.read_bytes() == text_of(DIRTY)
    assert [path.name for path in dirty.parent.iterdir()] == ["nb.ipynb"]


# -- the process -------------------------------------------------------------------------------------------


def start(*words: str, stdin: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-P", "-m", "nbpr.filters", *words]
    return subprocess.run(argv, input=stdin, capture_output=True, check=False, cwd=cwd)


def test_the_process_cleans_stdin_to_stdout() -> None:
    done = start("clean", "a b.ipynb", stdin=text_of(DIRTY))
    assert (done.returncode, done.stdout, done.stderr) == (0, clean_text(DIRTY), b"")


def test_the_process_names_the_file_in_its_warning() -> None:
    done = start("clean", "ä\udcff\n.ipynb", stdin=b"not JSON")
    assert (done.returncode, done.stdout) == (0, b"not JSON")
    assert done.stderr.startswith(b"nbpr: warning: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("words", [(), ("smudge",), ("clean", "a", "b")])
def test_bad_use_writes_nothing(words: tuple[str, ...]) -> None:
    done = start(*words, stdin=text_of(DIRTY))
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"usage: ")


def test_a_bug_of_ours_ends_in_one_line_and_nothing_written(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    def broken(*_: Any) -> bytes:
        raise KeyError("surprise")

    monkeypatch.setattr(filters, "cleaned", broken)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text_of(DIRTY))))
    assert filters.main(["clean", "nb.ipynb"]) == 1
    said = capsysbinary.readouterr()
    assert said.out == b""
    assert said.err.count(b"\n") == 1
    assert b"nb.ipynb could not be cleaned: KeyError" in said.err


def test_modules_in_the_checkout_are_not_imported(tmp_path: Path) -> None:
    for name in ("json", "nbpr", "re"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the checkout')")
    assert start("clean", stdin=text_of(DIRTY), cwd=tmp_path).stdout == clean_text(DIRTY)


def test_the_process_imports_nothing_heavy() -> None:
    heavy = "nbformat nbdime nbstripout typer jsonschema git pandas papermill yaml asyncio subprocess".split()
    code = f"import sys, nbpr.filters; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
