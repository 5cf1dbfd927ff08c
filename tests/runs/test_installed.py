"""What is installed: the same in an environment that was made anew, another where a package is another one."""

from __future__ import annotations

import os
import shutil
import sys
import venv
from pathlib import Path

import pytest

from nbpr.runs.installed import _described

FILES = {"pkg-1.0.dist-info/RECORD": "pkg/__init__.py,sha256=abc,3\n", "pkg/__init__.py": "x=1", "single.py": "y = 1\n"}


#: When the next environment is made, in nanoseconds.
_dates = [10**18]


def digest(folder: Path, **changed: str) -> str | None:
    """What an environment comes to that is made there anew, at another time."""
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, symlinks=True, with_pip=False)
    packages = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    for name, text in {**FILES, **changed}.items():
        place = packages / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        os.utime(place, ns=(_dates[-1], _dates[-1]))
    _dates.append(_dates[-1] + 10**9)
    _described.cache_clear()
    return _described(str(folder / "bin" / "python"), (("PATH", os.defpath),)).sha256


def test_another_job_with_the_same_packages_finds_the_same(tmp_path: Path) -> None:
    first = digest(tmp_path / "env")
    assert first is not None
    assert digest(tmp_path / "env") == first


@pytest.mark.parametrize(
    "changed",
    [
        {"pkg-1.0.dist-info/RECORD": "pkg/__init__.py,sha256=abd,3\n"},
        {"single.py": "y = 2\n"},
        {"other-1.0.dist-info/RECORD": ""},
    ],
)
def test_another_package_is_another(tmp_path: Path, changed: dict[str, str]) -> None:
    assert digest(tmp_path / "env") != digest(tmp_path / "env", **changed)
