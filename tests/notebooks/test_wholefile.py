"""A file that is there whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nbpr.notebooks import wholefile


@pytest.fixture(params=["without a name", "not everywhere", "nowhere"])
def _files(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are files without a name, where they cannot be given one, and where there are none."""
    if request.param == "not everywhere":
        monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(OSError(1, "not here")))
    if request.param == "nowhere":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize("mode", [None, 0o600, 0o755, 0o444])
def test_it_takes_the_place_of_what_was_there_with_its_mode(tmp_path: Path, mode: int | None) -> None:
    place = tmp_path / "mit Ümlaut.ipynb"
    if mode is not None:
        place.write_bytes(b"a longer one that was there before")
        place.chmod(mode)
    wholefile.put(place, b"new")
    assert place.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [place]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(place.stat().st_mode) == (0o666 & ~umask if mode is None else mode)


@pytest.mark.usefixtures("_files")
def test_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wholefile.put(Path("here"), b"new")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("here", b"new")]


@pytest.mark.usefixtures("_files")
def test_what_goes_wrong_leaves_the_old_one_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "a"
    place.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        wholefile.put(place, b"new")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("a", b"old")]


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="files without a name are Linux'")
def test_killed_while_it_writes_it_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    dies = "import os, signal, pathlib, nbpr.notebooks.wholefile as w\n"
    dies += "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\nw.put(pathlib.Path('a'), b'new')"
    assert subprocess.run([sys.executable, "-c", dies], cwd=tmp_path, check=False).returncode == -9
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("a", b"old")]
