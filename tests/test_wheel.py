"""What the wheel holds: the program, and what `nbpr demo` needs, equal to the sources."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from nbpr.demo import NOTEBOOK, RUN
from nbpr.setup import hooks, workflows

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


@pytest.mark.parametrize("name", hooks.NAMES)
def test_the_hooks_are_those_of_the_repository(wheel: zipfile.ZipFile, name: str) -> None:
    assert wheel.read(f"nbpr/scripts/{name}") == (ROOT / "hooks" / name).read_bytes()


@pytest.mark.parametrize("forge", list(workflows.PLACES))
def test_the_workflows_are_those_of_the_repository(wheel: zipfile.ZipFile, forge: str) -> None:
    assert wheel.read(f"nbpr/examples/ci/{forge}.yml") == (ROOT / "ci" / f"{forge}.yml").read_bytes()


def test_the_light_base_needs_no_execution_packages(wheel: zipfile.ZipFile) -> None:
    metadata = wheel.read("nbpr-0.1.0.dist-info/METADATA").decode()
    base = [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    names = {re.match(r"[A-Za-z0-9_-]+", line.split()[1])[0].lower() for line in base}  # type: ignore[index]
    running = {"papermill", "nbval", "pytest", "ipykernel", "scrapbook", "pandas", "pillow", "matplotlib", "pyarrow"}
    assert not names & running
    assert len(names) <= 11
