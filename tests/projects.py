"""Projects to propose in: real repositories with a bare remote or without, and what must stay as it was in them."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nbpr import config
from nbpr.git.repository import Repository
from nbpr.notebooks import notebook
from nbpr.proposals import proposals
from nbpr.proposals.identity import Wanted
from nbpr.proposals.plans import Proposal
from tests.conftest import git

NOTEBOOK = "notebooks/health.ipynb"
RUN = "runs/health.ipynb"

PARAMETERS = "threshold = 0.95  # share of heartbeats\nagents = 24\n"
#: What `sb.glue` writes, without the seconds that importing scrapbook takes.
GLUE = """from IPython.display import display
for name, data in (("alert_count", alerts), ("health_score", 0.875)):
    scrap = {"name": name, "data": data, "encoder": "json", "version": 1}
    display({"application/scrapbook.scrap.json+json": scrap}, raw=True, metadata={"scrapbook": {"name": name}})
"""
#: A picture whose upper part is as high as there are alerts, drawn without a library.
DRAW = """import struct
import zlib
from IPython.display import Image

def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

rows = b''.join(b'\\0' + (bytes([200, 60, 40]) if y < 4 * alerts else bytes([40, 90, 160])) * 240 for y in range(120))
head = struct.pack('>IIBBBBB', 240, 120, 8, 2, 0, 0, 0)
Image(data=b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))
"""
SOURCES = (
    ("parameters", "code", PARAMETERS, ("parameters",)),
    ("story", "markdown", "# Health\n\nHow many agents are below the threshold?", ()),
    ("count", "code", "alerts = sum(1 for k in range(agents) if 0.88 + k / 200 < threshold)\nalerts", ()),
    ("check", "code", "# NBVAL_CHECK_OUTPUT\nprint(f'{alerts} alerts below {threshold}')", ()),
    ("glue", "code", GLUE, ()),
)


PICTURED = (*SOURCES, ("draw", "code", DRAW, ()))


def cell(cell_id: str, cell_type: str, source: str, tags: Iterable[str] = (), **members: Any) -> dict[str, Any]:
    """One cell of nbformat 4.5."""
    made: dict[str, Any] = {"cell_type": cell_type, "id": cell_id, "metadata": {}, "source": source.splitlines(True)}
    if tags:
        made["metadata"]["tags"] = list(tags)
    if cell_type == "code":
        made |= {"execution_count": None, "outputs": []}
    return {**made, **members}


def dumped(cells: Iterable[Mapping[str, Any]], **metadata: Any) -> bytes:
    """A notebook's bytes, as Jupyter writes them."""
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nb = {"cells": list(cells), "metadata": {"kernelspec": spec, **metadata}, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(nb, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def health(sources: Iterable[tuple[str, str, str, tuple[str, ...]]] = SOURCES) -> bytes:
    """The notebook of these projects: a threshold, a count, a checked output, two scraps."""
    return dumped(cell(*source) for source in sources)


def write(root: Path, files: Mapping[str, bytes | str]) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)


def make(folder: Path, files: Mapping[str, bytes | str] | None = None, *, remote: bool = True) -> Repository:
    """A repository with commits on `main`, and a bare remote `origin` beside it if wanted."""
    root = folder / "check out"
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.name", "Ada Author")
    git(root, "config", "user.email", "ada@example.org")
    write(root, {NOTEBOOK: health(), "README.md": "A project.\n", **(files or {})})
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    if remote:
        git(folder, "clone", "-q", "--bare", str(root), "remote.git")
        git(root, "remote", "add", "origin", str(folder / "remote.git"))
        git(root, "fetch", "-q", "origin")
        git(root, "branch", "-q", "-u", "origin/main")
    return Repository.discover(root)


def state(root: Path) -> dict[str, str]:
    """What must not change: every file but nbpr's own, index, HEAD, stash, branches, tags and their reflogs."""
    found = {}
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root).as_posix()
        if relative == ".git" or relative.startswith(".git/"):
            continue
        if path.is_file():
            facts = path.lstat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[relative] = f"{digest} {facts.st_mtime_ns} {facts.st_mode}"
        else:
            found[relative] = "folder"
    for name in ("index", "HEAD", "FETCH_HEAD", "ORIG_HEAD", "config", "logs/HEAD", "logs/refs/heads/main"):
        path = root / ".git" / name
        found[f".git/{name}"] = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "none"
    for ref in git(root, "for-each-ref", "--format=%(refname) %(objectname)").splitlines():
        # The proposal's own branch: without a remote a local one; with one, git notes what it pushed, as always.
        if not ref.startswith(("refs/nbpr/", "refs/worktree/", "refs/remotes/", "refs/heads/agent/")):
            found[ref.split()[0]] = ref.split()[1]
    found["worktrees"] = git(root, "worktree", "list", "--porcelain")
    return found


def propose(repository: Repository, *edits: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """Propose edits (none: the working copy) and give the object that `--json` prints."""
    names = ("pull", "branch", "key", "reopen")
    wanted = Wanted(**{name: options.pop(name) for name in names if name in options})
    overrides = options.pop("config", None)
    fields = {"title": "Lower the threshold", "notebooks": (NOTEBOOK,), **options}
    proposal = Proposal(edits=tuple(edits) or None, wanted=wanted, **fields)
    settings = config.load(repository.root, overrides, environ={})
    return proposals.propose(repository, settings, proposal).as_json()


def set_threshold(value: float) -> dict[str, Any]:
    """The edit that these tests make most."""
    return {"op": "set_parameter", "name": "threshold", "value": value}


NOTE = {"op": "insert", "after": "tag:parameters", "cell_type": "markdown", "source": "Lower since November."}


def on_branch(repository: Repository, branch: str, path: str = NOTEBOOK) -> notebook.Notebook:
    """A notebook as the branch has it: on the remote, or here where there is none."""
    return notebook.parse(blob(repository, branch, path), path)


def blob(repository: Repository, branch: str, path: str) -> bytes:
    """A file's bytes as the branch has them."""
    where = Path(repository.remote_url("origin")) if repository.remote() else repository.root
    done = subprocess.run(["git", "cat-file", "blob", f"{branch}:{path}"], cwd=where, capture_output=True, check=True)
    return done.stdout


def commits(repository: Repository, branch: str) -> list[str]:
    """The subjects of a branch's commits since `main`, newest first."""
    where = Path(repository.remote_url("origin")) if repository.remote() else repository.root
    return git(where, "log", "--format=%s", f"main..{branch}").splitlines()


def pulls(repository: Repository) -> list[str]:
    """The pull requests' refs: on the remote, or here where there is none."""
    where = Path(repository.remote_url("origin")) if repository.remote() else repository.root
    return git(where, "for-each-ref", "--format=%(refname)", "refs/nbpr/pulls").splitlines()


def clone(repository: Repository, folder: Path, name: str = "Bob") -> Path:
    """Another person's clone of the remote."""
    root = folder / name
    git(folder, "clone", "-q", repository.remote_url("origin"), str(root))
    git(root, "config", "user.name", name)
    git(root, "config", "user.email", f"{name.lower()}@example.org")
    return root
