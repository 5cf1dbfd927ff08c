"""What is staged: the content that git would commit, whatever the files in the checkout hold by now.

Inside a hook git may use another index than the checkout's own (`git commit --all`, `git commit FILE`), and says so
in GIT_INDEX_FILE; all other calls of ours leave that aside, these must not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from nbpr.config import Config
from nbpr.errors import Conflict
from nbpr.findings import Finding
from nbpr.git.attributes import DRIVER
from nbpr.git.objects import FILES, Entry
from nbpr.git.repository import Repository
from nbpr.git.tracked import Tracked, has_filter
from nbpr.notebooks import allowlist, notebook
from nbpr.notebooks.content import Content
from nbpr.process import Completed, ProcessFailed

_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_ABSENT = "git does not have what is staged"


@dataclass(frozen=True)
class Staging:
    """The notebooks of an index: those named by their `paths`, else all that are staged.

    `environ` is what git says to its hooks, and pre-commit to its.
    """

    repository: Repository
    config: Config
    paths: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def contents(self) -> list[Content]:
        """The staged content of each notebook, by path. What is not in the index is left out, links too."""
        entries = self._entries
        data = read_blobs(self.repository, [entry.sha for entry in entries.values()])
        return [Content(path, data.get(entry.sha), _ABSENT) for path, entry in entries.items()]

    def allowed(self) -> bytes:
        """The allow-list as it is staged."""
        listed = list(self._listed(allowlist.NAME))
        return read_blobs(self.repository, [listed[0].sha]).get(listed[0].sha, b"") if listed else b""

    def findings(self) -> Iterator[Finding]:
        """That this clone lacks the filter which `.gitattributes` asks for, if so."""
        asked = Tracked(self.repository, self.config).attributes(list(self._entries))
        asking = [path for path, found in asked.items() if found.get("filter") == DRIVER]
        if asking and not has_filter(self.repository, DRIVER):
            message = (
                f"this clone does not know the filter {DRIVER} that it asks for: outputs are committed as they are"
            )
            yield Finding("filter", "warning", ".gitattributes", message, hint="nbpr init")

    @property
    def is_passing(self) -> bool:
        """Whether git made this index for one commit, of all files or of those named: a mend of it is gone after."""
        return self.environ.get("GIT_INDEX_FILE", "").endswith(".lock")

    def put(self, found: Content, data: bytes, mend: Callable[[bytes], bytes]) -> None:
        """Put the content in place of what is staged, and mend the file too where it holds the same.

        A file with changes that are not staged is left alone: they are nobody's to touch. Nor is a file touched that
        a filter cleans when it is added. pre-commit has put such changes aside and brings them back as a patch on
        top of what is staged: there the file is mended and the index left to the user, as its hooks do.
        """
        entry = self._entries[found.path]
        place = self.repository.root / entry.path
        is_same = self._is_same(entry, place)
        if is_same:
            before = place.read_bytes()
            notebook.write(place, mend(before))
        if not (is_same and self.environ.get("PRE_COMMIT")):
            self._stage(Entry(entry.mode, self.repository.store(data), entry.path))

    def _is_same(self, entry: Entry, place: Path) -> bool:
        """Whether the file in the checkout is what is staged, line endings aside."""
        if place.is_symlink() or not place.is_file():
            return False
        name = self.repository.attribute(entry.path, "filter")
        if name not in ("unspecified", "unset") and has_filter(self.repository, name):
            return False
        return self.repository.added(entry.path, place.read_bytes(), write=False).sha == entry.sha

    def _stage(self, entry: Entry) -> None:
        line = f"{entry.mode} {entry.sha} 0\t{entry.path}\0".encode("utf-8", "surrogateescape")
        try:
            self._git("update-index", "-z", "--index-info", stdin=line)
        except ProcessFailed as failure:
            message = f"{entry.path}: what is staged cannot be replaced: {failure.completed.complaint}"
            raise Conflict(message, hint="let the other git command end, then try again") from None

    @cached_property
    def _entries(self) -> Mapping[str, Entry]:
        found = self._listed(*self.paths) if self.paths else self._changed()
        return {entry.path: entry for entry in sorted(found, key=_path) if entry.mode in FILES}

    def _changed(self) -> Iterator[Entry]:
        """The notebooks that the next commit would change or add."""
        words = ("diff-index", "--cached", "--raw", "-z", "--no-renames", "--diff-filter=d")
        listed = self._git(*words, self.repository.head or _EMPTY_TREE, "--", ":(top)*.ipynb").stdout
        parts = listed.decode("utf-8", "surrogateescape").split("\0")
        for facts, path in zip(parts[::2], parts[1::2], strict=False):
            _, mode, _, sha, _ = facts.split(" ")
            yield Entry(mode, sha, path)

    def _listed(self, *paths: str) -> Iterator[Entry]:
        """What the index has at these paths; nothing where a merge is under way."""
        listed = self._git("ls-files", "--stage", "-z", "--full-name").stdout.decode("utf-8", "surrogateescape")
        wanted = set(paths)
        for line in listed.split("\0"):
            facts, _, path = line.partition("\t")
            if path in wanted:
                mode, sha, stage = facts.split(" ")
                yield from (Entry(mode, sha, path),) if stage == "0" else ()

    def _git(self, *words: str, stdin: bytes | None = None) -> Completed:
        return self.repository.run(*words, stdin=stdin, env=self._index)

    @cached_property
    def _index(self) -> Mapping[str, str]:
        named = self.environ.get("GIT_INDEX_FILE")
        # Git runs hooks in the top folder, from where the name may be told.
        return {"GIT_INDEX_FILE": str(self.repository.root / named)} if named else {}


def _path(entry: Entry) -> str:
    return entry.path


def read_blobs(repository: Repository, shas: Sequence[str]) -> dict[str, bytes]:
    """The contents of blobs by their ids, all through one process; of those that git does not have nothing."""
    wanted = list(dict.fromkeys(shas))
    stdin = "".join(sha + "\n" for sha in wanted).encode()
    said = repository.run("cat-file", "--batch", stdin=stdin).stdout if wanted else b""
    found, at = {}, 0
    for sha in wanted:
        start = said.index(b"\n", at) + 1
        facts = said[at:start].split()
        at = start
        if len(facts) == 3:
            found[sha] = said[start : start + int(facts[2])]
            at = start + int(facts[2]) + 1
    return found
