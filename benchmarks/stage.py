"""Where measured programs run: a temporary folder with a home of its own, repositories, copies of the notebooks."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import MeasuredProgramFailed, complaint

REPOSITORY = Path(__file__).resolve().parent.parent

#: What measured programs see of our environment: no tokens, no git or Jupyter settings of whoever runs this.
_KEPT = ("LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class Stage:
    """A folder for one comparison, and the environment that its programs get."""

    folder: Path

    @property
    def env(self) -> dict[str, str]:
        """The environment: this interpreter's programs first on the path, an empty home."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        path = os.pathsep.join([str(self.programs), os.environ.get("PATH", os.defpath)])
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        author = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _AUTHOR.items()}
        return kept | author | {"PATH": path, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "NO_COLOR": "1"}

    @property
    def programs(self) -> Path:
        """Where the compared programs are: beside the interpreter that runs the benchmark."""
        return Path(sys.executable).parent

    def program(self, name: str) -> str:
        """The path of a program of our environment. Raises `MeasuredProgramFailed` when it is not installed there."""
        path = self.programs / name
        if not path.exists():
            raise MeasuredProgramFailed(f"{name} is not in {self.programs}")
        return str(path)

    def notebooks(self) -> Path:
        """A copy of the example notebooks, made once."""
        target = self.folder / "notebooks"
        if not target.exists():
            shutil.copytree(REPOSITORY / "notebooks", target, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        return target

    def repository(self, name: str) -> Path:
        """A new repository with the example notebooks committed, cloned from a bare remote; an old one is replaced."""
        remote, checkout = self.folder / f"{name}.git", self.folder / name
        for old in (remote, checkout):
            shutil.rmtree(old, ignore_errors=True)
        self.call("git", "init", "-q", "--bare", "-b", "main", str(remote))
        self.call("git", "clone", "-q", str(remote), str(checkout))
        shutil.copytree(self.notebooks(), checkout / "notebooks")
        self.call("git", "switch", "-q", "-C", "main", cwd=checkout)
        self.call("git", "add", ".", cwd=checkout)
        self.call("git", "commit", "-q", "-m", "Notebooks", cwd=checkout)
        self.call("git", "push", "-q", "-u", "origin", "main", cwd=checkout)
        self.call("git", "remote", "set-head", "origin", "main", cwd=checkout)
        return checkout

    def call(self, *argv: str, cwd: Path | None = None) -> str:
        """Run a program that is not measured and return what it printed. Raises `MeasuredProgramFailed`."""
        done = subprocess.run(
            argv,
            cwd=cwd or self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise MeasuredProgramFailed(complaint(argv, done.returncode, done.stderr))
        return done.stdout


_AUTHOR = {"NAME": "Ada Author", "EMAIL": "ada@example.org"}


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """A stage that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="nbpr-bench-") as folder:
        yield Stage(Path(folder).resolve())
