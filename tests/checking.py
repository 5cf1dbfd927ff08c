"""Notebooks to be checked, and what is told of them where they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbpr import config, inspection
from nbpr.git.checkout import Checkout
from nbpr.git.pushed import Pushed
from nbpr.git.repository import Repository
from nbpr.git.staging import Staging
from nbpr.inspection import Inspection
from tests.conftest import git
from tests.projects import cell, dumped, write

NB, RUN = "notebooks/a b.ipynb", "runs/a b.ipynb"
TOKEN = "gh" + "p_" + "a1B2c3D4e5F6" * 3
OUTPUT = [{"name": "stdout", "output_type": "stream", "text": ["1\n"]}]
CLEAN = dumped([cell("a", "code", "print(1)")])
DIRTY = dumped([cell("a", "code", "print(1)", execution_count=2, outputs=OUTPUT)])
DOUBLED = dumped([cell("a", "code", "1"), cell("a", "code", "2")])
LEAKING = dumped([cell("a", "code", f"token = '{TOKEN}'")])


def told(found: Inspection) -> list[tuple[str, str, str]]:
    return [(finding.path, finding.check, finding.level) for finding in found.findings]


def commit(root: Path, files: dict[str, bytes | str], message: str = "x") -> str:
    write(root, files)
    git(root, "add", "-A")
    git(root, "commit", "-qm", message)
    return git(root, "rev-parse", "HEAD")


def in_checkout(root: Path, *names: str, **options: Any) -> Inspection:
    settings = config.load(root)
    return inspection.inspect(Checkout.of(root, settings, [root / name for name in names]), settings, **options)


def staged(root: Path, *names: str, environ: dict[str, str] | None = None, **options: Any) -> Inspection:
    settings = config.load(root)
    source = Staging(Repository.discover(root), settings, names, environ or {})
    return inspection.inspect(source, settings, is_commit=True, **options)


def pushed(root: Path, *lines: str, environ: dict[str, str] | None = None, remote: str | None = None) -> Inspection:
    source = Pushed.of(Repository.discover(root), lines, environ or {}, remote)
    return inspection.inspect(source, config.load(root))


def index_of(root: Path, path: str = NB) -> bytes:
    return git(root, "cat-file", "blob", f":{path}").encode() + b"\n"
