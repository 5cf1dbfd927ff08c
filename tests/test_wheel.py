"""What the wheel holds: the program, and what `nbpr demo` needs, equal to the sources."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from nbpr.demo import NOTEBOOK, RUN

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_it_holds_the_program_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"nbpr", "nbpr-0.1.0.dist-info"}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "nbpr").rglob("*.py")}
    assert modules <= set(wheel.namelist())
    assert "nbpr/py.typed" in wheel.namelist()


@pytest.mark.parametrize("path", [NOTEBOOK, RUN])
def test_the_demos_files_are_those_of_the_repository(wheel: zipfile.ZipFile, path: str) -> None:
    assert wheel.read(f"nbpr/examples/{path}") == (ROOT / path).read_bytes()


def test_the_light_base_needs_no_execution_packages(wheel: zipfile.ZipFile) -> None:
    metadata = wheel.read("nbpr-0.1.0.dist-info/METADATA").decode()
    base = [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert {line.split()[1].split(">")[0].split("<")[0].lower() for line in base} == {
        "gitpython",
        "nbdime",
        "nbformat",
        "typer",
    }
