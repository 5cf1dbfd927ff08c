"""Programs that are measured against and are no part of our environment: on PATH, or fetched once from PyPI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import NotToBeHad
from benchmarks.stage import REPOSITORY

#: Binary programs without dependencies, so that a folder is all the environment they need.
VERSIONS = {"nbwipers": "0.7.2", "nb-clean": "5.0.0"}
CACHE = REPOSITORY / ".venv" / "peers"


def peer(name: str, cache: Path = CACHE) -> str:
    """The path of a program. Raises `NotToBeHad`, in one line, where it is not there and cannot be fetched."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if found:
        return found
    folder = cache / f"{name}-{VERSIONS[name]}"
    program = folder / "bin" / name
    if not program.exists():
        _fetch(name, folder)
    return str(program)


def _fetch(name: str, folder: Path) -> None:
    wanted = f"{name}=={VERSIONS[name]}"
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    argv += ["--disable-pip-version-check", "--no-input", "--target", str(folder), wanted]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode or not (folder / "bin" / name).exists():
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing said"]
        raise NotToBeHad(f"{wanted} is not on PATH, and pip does not get it: {said[-1]}")
