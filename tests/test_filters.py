"""The one-shot filter: over streams, over files, and as the process that git starts."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr import filters, pktline
from nbpr.errors import BadInput, NotAllowed
from nbpr.notebooks.clean import Options
from tests.conftest import git

pytestmark = pytest.mark.slow

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


def test_a_notebook_that_does_not_say_its_version_is_cleaned_where_it_stands() -> None:
    versionless = {key: value for key, value in DIRTY.items() if not key.startswith("nbformat")}
    out, said = through(text_of(versionless))
    assert (out, said) == (clean_text(versionless), [])
    assert through(out) == (out, [])
    for other in ({"cells": []}, {"cells": [1]}, {"cells": [{"source": "x"}]}):
        assert through(text_of(other))[0] == text_of(other)


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


def loaded(*words: str, stdin: bytes, cwd: Path) -> set[str]:
    """The modules that the process has loaded when it ends."""
    code = f"import sys; from nbpr.filters import main; main({list(words)!r}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], input=stdin, capture_output=True, check=True, cwd=cwd)
    return set(done.stderr.decode().split())


def test_the_process_imports_nothing_heavy(tmp_path: Path) -> None:
    heavy = set("nbformat nbdime nbstripout typer jsonschema git pandas papermill yaml asyncio subprocess".split())
    assert not loaded("clean", stdin=text_of({**DIRTY, "metadata": {"widgets": {}}}), cwd=tmp_path) & heavy


def test_an_ordinary_notebook_is_cleaned_with_next_to_nothing_imported(tmp_path: Path) -> None:
    ordinary = text_of({**DIRTY, "metadata": {}})
    dear = {
        "typing",
        "dataclasses",
        "inspect",
        "pathlib",
        "tomllib",
        "nbpr.notebooks.clean",
        "nbpr.notebooks.notebook",
        "nbpr.config",
    }
    assert not loaded("clean", stdin=ordinary, cwd=tmp_path) & dear
    greeting = b"".join(
        [
            pktline.listed(b"git-filter-client", b"version=2"),
            pktline.listed(b"capability=smudge"),
            pktline.listed(b"command=smudge", b"pathname=nb.ipynb"),
            *(bytes(piece) for piece in pktline.framed(ordinary)),
        ]
    )
    assert "nbpr.notebooks.cleantext" not in loaded("process", stdin=greeting, cwd=tmp_path)


# -- settings ----------------------------------------------------------------------------------------------

TAGGED = {**DIRTY, "cells": [{**DIRTY["cells"][0], "metadata": {"tags": ["golden"]}}]}
GOLDEN = "[tool.nbpr.clean]\nkeep-output = ['golden']\nkeep-count = true\n"


def options_in(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "nb.ipynb") -> Options | None:
    monkeypatch.chdir(folder)
    return filters.Settings().options(name)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", GOLDEN),
        ("nbpr.toml", GOLDEN.replace("tool.nbpr.", "")),
        ("pyproject.toml", "[tool.nbpr]\nextend = 'shared.toml'\n"),
    ],
)
def test_settings_are_read_from_where_git_starts_it(
    file: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / file).write_text(text)
    (tmp_path / "shared.toml").write_text(GOLDEN.replace("tool.nbpr.", ""))
    assert options_in(tmp_path, monkeypatch) == Options(keep_output_tags=("golden",), keep_count=True)


@pytest.mark.parametrize("text", [None, "", "[tool.ruff]\nline-length = 'clean'\n", "[tool.nbpr]\nbase = 'main'\n"])
def test_without_settings_none_are_made(text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    assert options_in(tmp_path, monkeypatch) is None


def test_one_notebook_can_have_settings_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nbpr.toml").write_text('[notebook."a b/nb.ipynb".clean]\nmax-size = 200\n')
    assert options_in(tmp_path, monkeypatch, "a b/nb.ipynb") == Options(max_size=200)
    assert options_in(tmp_path, monkeypatch) == Options()


def test_the_environment_says_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBPR_CLEAN_MAX_SIZE", "10")
    assert options_in(tmp_path, monkeypatch) == Options(max_size=10)


@pytest.mark.parametrize("text", ["<<<<<<< ours\n[tool.nbpr.clean]\n", "[tool.nbpr.clean]\nkeep-outputs = ['a']\n"])
def test_settings_that_cannot_be_read_are_said_and_stop_nothing(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert options_in(tmp_path, monkeypatch) is None
    said = capsys.readouterr().err
    assert said.startswith("nbpr: warning: pyproject.toml: ")
    assert said.count("\n") == 1


# -- git ---------------------------------------------------------------------------------------------------

PROCESS = f"{shlex.quote(sys.executable)} -P -m nbpr.filters process"


@pytest.fixture
def filtered(repository: Path) -> Path:
    """A repository behind the process, in which whatever else git could start fails."""
    git(repository, "config", "filter.nbpr.process", PROCESS)
    git(repository, "config", "filter.nbpr.clean", "false")
    git(repository, "config", "filter.nbpr.smudge", "false")
    git(repository, "config", "filter.nbpr.required", "true")
    (repository / ".gitattributes").write_text("*.ipynb filter=nbpr\n")
    git(repository, "add", ".gitattributes")
    git(repository, "commit", "-qm", "attributes")
    return repository


def staged(root: Path, name: str) -> bytes:
    argv = ["git", "cat-file", "blob", f":{name}"]
    return subprocess.run(argv, cwd=root, capture_output=True, check=True).stdout


def tried(root: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *words], cwd=root, capture_output=True, check=False)


@pytest.mark.parametrize("name", ["nb.ipynb", "a b/ä 漢.ipynb", "new\nline.ipynb", "$(x)'\".ipynb"])
def test_git_adds_through_the_process(name: str, filtered: Path) -> None:
    path = filtered / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text_of(DIRTY))
    git(filtered, "add", ".")
    assert staged(filtered, name) == clean_text(DIRTY)
    assert path.read_bytes() == text_of(DIRTY)
    git(filtered, "commit", "-qm", "one")
    assert git(filtered, "status", "--porcelain") == ""


def test_git_starts_one_process_for_all_files(filtered: Path, tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    git(filtered, "config", "filter.nbpr.process", f"echo >> {shlex.quote(str(starts))}; {PROCESS}")
    for number in range(30):
        (filtered / f"{number}.ipynb").write_bytes(text_of(DIRTY).replace(b"print(1)", b"print(%d)" % number))
    git(filtered, "add", ".")
    assert starts.read_text() == "\n"
    assert b"print(29)" in staged(filtered, "29.ipynb")
    assert b"1\\n" not in staged(filtered, "29.ipynb")


def test_checking_out_gives_the_bytes_that_were_committed(filtered: Path) -> None:
    odd = clean_text(DIRTY).replace(b"\n", b"\r\n") + b" "
    for name, data in (("a.ipynb", odd), ("b.ipynb", b"no notebook"), ("empty.ipynb", b"")):
        (filtered / name).write_bytes(data)
    git(filtered, "add", ".")
    git(filtered, "commit", "-qm", "one")
    git(filtered, "switch", "-qc", "other")
    git(filtered, "rm", "-q", "*.ipynb")
    git(filtered, "commit", "-qm", "none")
    git(filtered, "switch", "-q", "main")
    assert (filtered / "a.ipynb").read_bytes() == odd
    assert (filtered / "b.ipynb").read_bytes() == b"no notebook"
    assert (filtered / "empty.ipynb").read_bytes() == b""
    assert git(filtered, "status", "--porcelain") == ""


def test_what_is_no_notebook_is_added_as_it_is_with_a_warning(filtered: Path) -> None:
    (filtered / "bad.ipynb").write_bytes(b"{ no notebook")
    done = tried(filtered, "add", ".")
    assert done.returncode == 0
    assert done.stderr.startswith(b"nbpr: warning: bad.ipynb: not JSON")
    assert done.stderr.count(b"\n") == 1
    assert staged(filtered, "bad.ipynb") == b"{ no notebook"


def test_settings_reach_the_filter(filtered: Path) -> None:
    (filtered / "pyproject.toml").write_text(GOLDEN)
    (filtered / "nb.ipynb").write_bytes(text_of(TAGGED))
    (filtered / "sub").mkdir()
    git(filtered / "sub", "add", "../nb.ipynb")
    after = json.loads(staged(filtered, "nb.ipynb"))
    assert after["cells"] == TAGGED["cells"]
    assert after["metadata"] == {}


def test_touching_a_notebook_does_not_modify_it(filtered: Path) -> None:
    path = filtered / "nb.ipynb"
    path.write_bytes(text_of(DIRTY))
    git(filtered, "add", ".")
    git(filtered, "commit", "-qm", "one")
    os.utime(path, (1, 1))
    assert git(filtered, "status", "--porcelain") == ""
    path.write_bytes(text_of(DIRTY).replace(b"1\\n", b"2\\n"))
    assert git(filtered, "status", "--porcelain") == ""
    assert git(filtered, "diff") == ""


#: Filters that do not do what they should: killed at once, when a file has come, after half an answer; silent; absent.
BROKEN = {
    "killed at the start": "import os; os.kill(os.getpid(), 9)",
    "killed with a file": "from nbpr import filters as f; import os; f.passed = lambda *a: os.kill(os.getpid(), 9)",
    "half an answer": (
        "from nbpr import filters as f, filterprocess as p; import os\n"
        "def half(out, content): out.write(p._SUCCESS + b'8000{'); out.flush(); os._exit(0)\n"
        "p._give = half"
    ),
    "a bug": "from nbpr import filters as f; f.passed = lambda *a: 1 / 0",
    "out of memory": "from nbpr import filters as f\ndef passed(*a): raise MemoryError\nf.passed = passed",
    "gone after the greeting": "from nbpr import filterprocess as p; import os; p._answer = lambda *a: os._exit(0)",
}


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("size", [1, 300_000])
def test_a_filter_that_fails_stops_git_and_nothing_has_changed(
    how: str, size: int, filtered: Path, tmp_path: Path
) -> None:
    path = filtered / "nb.ipynb"
    path.write_bytes(clean_text(DIRTY))
    git(filtered, "add", ".")
    broken = tmp_path / "broken.py"
    broken.write_text(f"import sys\n{BROKEN[how]}\nfrom nbpr.filters import main\nsys.exit(main(['process']))\n")
    git(filtered, "config", "filter.nbpr.process", f"{shlex.quote(sys.executable)} {shlex.quote(str(broken))}")
    dirty = text_of(DIRTY).replace(b"1\\n", b"1" * size)
    path.write_bytes(dirty)
    index = (filtered / ".git" / "index").read_bytes()
    done = tried(filtered, "add", ".")
    assert done.returncode == 128
    assert re.search(rb"fatal: (nb.ipynb: clean filter 'nbpr' failed|the remote end hung up)", done.stderr)
    assert b"Traceback" not in done.stderr
    assert (filtered / ".git" / "index").read_bytes() == index
    assert path.read_bytes() == dirty
    assert not (filtered / ".git" / "index.lock").exists()


def test_a_process_that_cannot_start_stops_git(filtered: Path) -> None:
    git(filtered, "config", "filter.nbpr.process", "/no/such/python -P -m nbpr.filters process")
    (filtered / "nb.ipynb").write_bytes(text_of(DIRTY))
    done = tried(filtered, "add", ".")
    assert done.returncode == 128
    assert b"/no/such/python" in done.stderr
    assert git(filtered, "ls-files") == ".gitattributes"


def test_a_stranger_on_the_streams_is_told_in_one_line() -> None:
    done = start("process", stdin=b"GET / HTTP/1.1\r\n")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"nbpr: the filter stops: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("words", [("process",), ("clean", "nb.ipynb")])
def test_when_nobody_reads_it_ends_without_a_word(words: tuple[str, ...]) -> None:
    argv = [sys.executable, "-P", "-m", "nbpr.filters", *words]
    greeting = pktline.listed(b"git-filter-client", b"version=2")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(greeting if words == ("process",) else text_of(DIRTY))
        process.stdin.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are kept on Linux only")
def test_100_megabytes_of_outputs_within_1_gigabyte(filtered: Path) -> None:
    picture = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo" * 4_600_000}, "metadata": {}}
    log = {"output_type": "stream", "name": "stdout", "text": [f"{n:050d} é\n" for n in range(850_000)]}
    cells = [{**DIRTY["cells"][0], "id": name, "outputs": [output]} for name, output in (("a", picture), ("b", log))]
    data = {**DIRTY, "cells": cells, "metadata": {}}
    path = filtered / "big.ipynb"
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")
    assert path.stat().st_size > 100_000_000
    git(filtered, "config", "filter.nbpr.process", f"ulimit -v 1000000; {PROCESS}")
    git(filtered, "add", ".")
    wanted = {**data, "cells": [{**cell, "outputs": [], "execution_count": None} for cell in cells]}
    assert json.loads(staged(filtered, "big.ipynb")) == wanted


def test_the_text_of_a_notebook_passes_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    """`git blame` asks for it: the diff driver's text of a notebook, through the filter."""
    text = b"nbformat 4.5\n\xe2\x94\x80\xe2\x94\x80 code\nprint(1)\n"
    assert filters.passed(text, "a.ipynb") is text
    assert capsys.readouterr().err == ""
    assert filters.passed(b"nbformat", "a.ipynb") == b"nbformat"
    assert "kept as it is" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="Linux has it")
def test_the_process_waits_until_git_waits_for_it_unless_somebody_wants_it_otherwise() -> None:
    code = (
        "import os, sys; from nbpr import filters; os.sched_setscheduler(0, int(sys.argv[1]), os.sched_param(0)); "
        "filters.main(['process']); print(os.sched_getscheduler(0))"
    )

    def afterwards(policy: int) -> int:
        command = [sys.executable, "-c", code, str(policy)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert afterwards(os.SCHED_OTHER) == os.SCHED_BATCH
    assert afterwards(os.SCHED_IDLE) == os.SCHED_IDLE
