"""Keepsakes: what a forge keeps beside a pull request's text, the pictures that changed and the zipped review page.

Forges take them for a pull request that is there already. So its body is written with places for them, and a line that
says that it waits; whoever comes next, this command or after a kill another one, fills them in. Until then pictures are
kept here, too: the one before may be of a run that stands nowhere else. The names are by content or by commit: what
is there already is not sent again.
"""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from nbpr.diff.changes import NotebookDiff
from nbpr.forges import Forge, PullRequest
from nbpr.git.repository import Repository
from nbpr.notebooks import notebook
from nbpr.proposals import identity
from nbpr.render import gallery, places


def page_name(head: str) -> str:
    """What the zipped review page of a head is called."""
    return f"review-{head[:12]}.zip"


def wanted(forge: Forge, diffs: Iterable[NotebookDiff], head: str) -> dict[str, str]:
    """The files that the forge takes, none of which has an address yet."""
    return dict.fromkeys(sorted(forge.takes((*gallery.files(diffs), page_name(head)))), "")


def put_by(repository: Repository, diffs: Iterable[NotebookDiff], head: str) -> None:
    """Keep the pictures of a head here until they are handed over."""
    folder = _folder(repository, head)
    for name, data in gallery.files(diffs).items():
        folder.mkdir(parents=True, exist_ok=True)
        notebook.write(folder / name, data)


def hand_over(
    repository: Repository,
    forge: Forge,
    pull: PullRequest,
    diffs: Iterable[NotebookDiff],
    page: Callable[[], Path],
) -> PullRequest:
    """Give the forge what the body waits for, and the body its addresses. Raises `Stale` if somebody edited it."""
    if not places.is_waiting(pull.body):
        return pull
    known = identity.read(pull.body)
    folder = _folder(repository, known.head if known and known.head else pull.head_sha)
    files = gallery.files(diffs)
    files |= {place.name: place.read_bytes() for place in folder.iterdir()} if folder.is_dir() else {}
    if known is not None and known.head == pull.head_sha:  # else somebody's commit is newer, and the page another one
        files[page_name(pull.head_sha)] = zipped(page())
    taken = forge.takes(files)
    urls = forge.keep(pull, {name: data for name, data in files.items() if name in taken})
    whole = forge.update(pull, body=places.filled(pull.body, urls))
    shutil.rmtree(folder, ignore_errors=True)
    return whole


def _folder(repository: Repository, head: str) -> Path:
    return repository.own_dir / "review" / f"{head[:12]}.pictures"


def zipped(page: Path) -> bytes:
    """The review page with its pictures; the same bytes for the same page."""
    folder = page.with_suffix(".files")
    files = [page, *(sorted(folder.iterdir()) if folder.is_dir() else ())]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.relative_to(page.parent).as_posix())
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, file.read_bytes())
    return made.getvalue()
