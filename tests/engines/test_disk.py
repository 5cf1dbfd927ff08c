"""A disk that is full, whenever it is: the last good file stays, and nothing half-written takes its place."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.kernels import code, notebook

pytestmark = [pytest.mark.kernel, pytest.mark.slow]
NB = "notebooks/a.ipynb"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a notebook that puts out more than it has, and a good reference run of it."""
    nb = notebook(
        code("n = 1", "parameters"), "print('x' * 20_000 * n)", kernelspec={"name": "python3", "display_name": "x"}
    )
    (tmp_path / "notebooks").mkdir()
    (tmp_path / NB).write_text(json.dumps(nb))
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert nbpr_run(tmp_path).returncode == 0
    return tmp_path


def nbpr_run(root: Path, most: int | None = None, *words: str) -> subprocess.CompletedProcess[str]:
    """`nbpr run`, where no file may grow over `most` bytes: what a full disk does, to it and all that it starts."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        if most is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    argv = [sys.executable, "-B", "-m", "nbpr", "run", NB, *words]
    return subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False, preexec_fn=limit)


#: Bytes after which no file grows, so that each thing that a run writes is the first that fails, and each part of it.
SOME = (0, 3_000, 20_000)
MORE = (300, 15_000, *range(50, 24_000, 100))
ALL = (*SOME, *(pytest.param(most, marks=pytest.mark.soak) for most in MORE))


@pytest.mark.parametrize("most", ALL)
def test_the_last_good_run_is_not_lost(project: Path, most: int) -> None:
    run = project / "runs" / "a.ipynb"
    before = run.read_bytes()
    done = nbpr_run(project, most)
    if not len(before) <= most <= len(before) + 2_000:  # in between something besides the run itself may not fit
        assert (done.returncode == 0) == (most > len(before))
    assert "Traceback" not in done.stderr
    assert run.read_bytes() == before
    left = [path for path in (project / "runs").rglob("*") if path.is_file() and path != run]
    for path in left:
        if path.suffix == ".ipynb":
            nbformat.validate(nbformat.read(path, as_version=4))
    assert not [path.name for path in left if path.suffix not in (".ipynb", "") and path.name != ".gitignore"]


def test_an_output_that_is_there_is_not_lost(project: Path) -> None:
    out = project / "out.ipynb"
    assert nbpr_run(project, None, "--output", str(out)).returncode == 0
    before = out.read_bytes()
    done = nbpr_run(project, 15_000, "--output", str(out), "-p", "n", "5")
    assert done.returncode != 0
    assert out.read_bytes() == before or nbformat.validate(nbformat.read(out, as_version=4)) is None
    assert sorted(path.name for path in project.iterdir()) == [".git", "notebooks", "out.ipynb", "runs"]
