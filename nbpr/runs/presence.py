"""The files that runs may read, as they are now: in a checkout all that is there, in a tree of git's what it holds.

Git's own stat of its files is believed, as git believes it. Everything else is read, once for as long as its own stat
stays what it was.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from nbpr.config import Config
from nbpr.errors import BadInput
from nbpr.git.repository import Entry, Repository, blob_sha
from nbpr.runs.proven import Proven
from nbpr.runs.runcache import FILES, RunCache, digest
from nbpr.runs.runkey import is_input, matches
from nbpr.runs.surroundings import TOOLS, Surroundings

#: More files, or more bytes of them, than this beside those that git tracks are not looked through.
MOST_FILES = 20_000
MOST_BYTES = 4_000_000_000

#: Files younger than this, in nanoseconds, may change again within one tick of the clock: their stat proves nothing.
_FRESH = 2_000_000_000
_LINK, _MODULE = "120000", "160000"


def cache_of(repository: Repository, config: Config, environ: Mapping[str, str] = os.environ) -> RunCache | None:
    """The cache of a repository, which all its worktrees share; None where nothing is to be kept."""
    if not config.cache.max_size or not config.cache.max_age:
        return None
    named = environ.get("NBPR_CACHE_DIR")
    folder = Path(named).expanduser().absolute() if named else repository.own_dir / "cache"
    return RunCache(folder, config.cache.max_size, config.cache.max_age * 86400.0)


def proven_here(root: Path, config: Config, apart: Iterable[Path] = (), *, batch: bool = False) -> Proven | None:
    """What is proven in the checkout at `root`; None outside of a repository, and where nothing is to be kept.

    `apart` are files and folders that the command itself reads or writes (`Surroundings`), `batch` as in `Proven`.
    """
    try:
        repository = Repository.discover(root)
    except BadInput:
        return None  # without git there is no place for a cache, and no telling which files belong to a run
    cache = cache_of(repository, config)
    if cache is None or repository.root.resolve() != root.resolve():
        return None
    top = root.resolve()
    inner = [place.absolute().parent.resolve() / place.name for place in apart]
    own = tuple(place.relative_to(top).as_posix() for place in inner if place.is_relative_to(top))

    def look() -> Surroundings:
        return replace(in_checkout(repository, config, cache), apart=own)

    return Proven(cache, look, reads=config.cache.read, batch=batch)


def proven_in(repository: Repository, config: Config, tree: str) -> Proven | None:
    """What is proven of a tree of git's, as it is in a worktree; None where nothing is to be kept."""
    cache = cache_of(repository, config)
    if cache is None:
        return None
    return Proven(cache, lambda: in_tree(repository, config, tree, cache), reads=config.cache.read)


def in_tree(repository: Repository, config: Config, tree: str, cache: RunCache | None = None) -> Surroundings:
    """What a worktree of a tree will hold: its files, and what `link` takes from the checkout."""
    looking = _Looking(repository.root, config, cache)
    entries = repository.entries(tree)
    for entry in entries:
        if entry.mode == _LINK and _leads_out(entry.path, repository.read_blob(entry.sha)):
            looking.unknown[entry.path] = f"{entry.path} leads out of the repository"
        elif entry.mode == _MODULE:
            looking.loose[entry.path] = f"{entry.sha} {(repository.root / entry.path / '.git').exists()}"
    tracked = {entry.path: entry.sha for entry in entries}
    if config.link:
        looking.files(path for path in repository.ignored(config.link) if path not in tracked)
    return looking.found(tracked)


def in_checkout(repository: Repository, config: Config, cache: RunCache | None = None) -> Surroundings:
    """What a checkout holds: tracked files as they are there, untracked and ignored ones, but for those of tools."""
    looking = _Looking(repository.root, config, cache)
    tracked = dict(_tracked(repository, looking))
    looking.files(_others(repository, looking))
    return looking.found(tracked)


def _tracked(repository: Repository, looking: _Looking) -> Iterator[tuple[str, str]]:
    entries = {entry.path: entry for entry in repository.entries("HEAD")} if repository.head else {}
    changed = {*_touched(repository), *_unwatched(repository)}
    for path, entry in entries.items():
        if entry.mode == _LINK:
            looking.link(path)
        if path not in changed:
            yield path, entry.sha
    modules = [path for path, entry in entries.items() if entry.mode == _MODULE]
    if modules:
        looking.unknown |= {path: f"the submodule {path} has changes" for path in _touched(repository, *modules)}
        looking.loose |= {path: f"module {(repository.root / path / '.git').exists()}" for path in modules}
    for path in sorted(changed.difference(modules)):
        sha = _now(repository.root / path, entries.get(path))
        if sha is not None:
            yield path, sha


def _touched(repository: Repository, *modules: str) -> list[str]:
    """Tracked files that may be others than HEAD's, going by their stat; or which of the submodules have changes."""
    which = "none" if modules else "all"
    words: tuple[str, ...] = ("diff-index", "--name-only", "-z", f"--ignore-submodules={which}", "HEAD")
    if not repository.head:
        words = ("ls-files", "-z")
    return _paths(repository.run(*words, "--", *modules, settings=repository.safe_filters).stdout)


def _unwatched(repository: Repository) -> list[str]:
    """Tracked files that git was told not to look at: assumed to be unchanged, or left out of a sparse checkout."""
    listed = _paths(repository.run("ls-files", "-v", "-z").stdout)
    return [line[2:] for line in listed if line[:1].islower() or line[:1] == "S"]


def _paths(listed: bytes) -> list[str]:
    return [path for path in listed.decode("utf-8", "surrogateescape").split("\0") if path]


def _leads_out(path: str, target: bytes) -> bool:
    there = posixpath.join(posixpath.dirname(path), target.decode("utf-8", "surrogateescape"))
    return posixpath.isabs(there) or posixpath.normpath(there).startswith("..")


def _now(place: Path, entry: Entry | None) -> str | None:
    """The blob id of what stands there, as it stands, so that one that was only touched is as before."""
    try:
        data = os.fsencode(place.readlink()) if place.is_symlink() else place.read_bytes()
    except OSError:
        return None
    found = blob_sha(data)
    return found if entry is None or found == entry.sha else f"sha256:{hashlib.sha256(data).hexdigest()}"


def _others(repository: Repository, looking: _Looking) -> Iterator[str]:
    """Every file that git does not track, below untracked folders too, but for those of tools."""
    for path in _paths(repository.run("ls-files", "--others", "--directory", "-z").stdout):
        if any(part in TOOLS for part in PurePosixPath(path).parts):
            continue
        if not path.endswith("/"):
            yield path
        elif (repository.root / path).is_symlink():
            looking.link(path.rstrip("/"))
        elif not _is_environment(repository.root / path):
            yield from _below(repository.root, path, looking)


def _below(root: Path, path: str, looking: _Looking) -> Iterator[str]:
    for here, folders, names in os.walk(root / path):
        at = Path(here).relative_to(root)
        folders[:] = sorted(name for name in folders if name not in TOOLS and not _is_environment(Path(here, name)))
        for name in [name for name in folders if Path(here, name).is_symlink()]:
            looking.link((at / name).as_posix())
        for name in sorted(names):
            yield (at / name).as_posix()
        if looking.is_too_much:
            return


def _is_environment(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").exists() or (folder / "conda-meta").is_dir()


@dataclass
class _Looking:
    """One look around: digests of files, remembered from the look before."""

    root: Path
    config: Config
    cache: RunCache | None
    loose: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    seen: int = 0
    read: int = 0

    def __post_init__(self) -> None:
        self._key = digest("files", str(self.root))
        known = self.cache.read(FILES, self._key) if self.cache else None
        self._known: dict[str, list[int | str]] = dict(known or {})
        self._new: dict[str, list[int | str]] = {}
        # Notebooks may have inputs of their own.
        self._settings = [self.config, *map(self.config.for_notebook, self.config.notebook)]

    @property
    def is_too_much(self) -> bool:
        return self.seen > MOST_FILES or self.read > MOST_BYTES

    def files(self, paths: Iterable[str]) -> None:
        """Take in files that are not git's."""
        for path in paths:
            self.seen += 1
            if self.is_too_much:
                self.unknown[""] = f"there are more than {MOST_FILES:,} files, or {MOST_BYTES:,} bytes, beside git's"
                return
            if not path.endswith((".pyc", ".pyo")) and any(_matters(path, each) for each in self._settings):
                self._file(path)

    def link(self, path: str) -> None:
        """See where a symbolic link leads; nothing is known of what is not here."""
        if not (self.root / path).resolve().is_relative_to(self.root.resolve()):
            self.unknown[path] = f"{path} leads out of the repository"

    def found(self, tracked: Mapping[str, str]) -> Surroundings:
        if self.cache is not None and self._new != self._known:
            self.cache.write(FILES, self._key, self._new, root=str(self.root))
        return Surroundings(tracked, self.loose, self.unknown)

    def _file(self, path: str) -> None:
        place = self.root / path
        try:
            facts = place.lstat()
            if stat.S_ISLNK(facts.st_mode):
                self.link(path)
                self.loose[path] = f"link:{place.readlink()}"
            elif stat.S_ISREG(facts.st_mode):
                self.loose[path] = self._digest(path, place, facts)
            else:
                self.unknown[path] = f"{path} is no plain file"
        except OSError as error:
            self.unknown[path] = f"{path} cannot be read: {error.strerror}"

    def _digest(self, path: str, place: Path, facts: os.stat_result) -> str:
        stamp: list[int | str] = [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino]
        known = self._known.get(path)
        if known is not None and known[:-1] == stamp:
            self._new[path] = known
            return str(known[-1])
        self.read += facts.st_size
        if self.is_too_much:
            return "too much"
        with place.open("rb") as file:
            sha = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        if time.time_ns() - max(facts.st_mtime_ns, facts.st_ctime_ns) > _FRESH:
            self._new[path] = [*stamp, sha]
        return sha


def _matters(path: str, config: Config) -> bool:
    """Whether any run may read a file. Documents and runs may be what a notebook's code names, without `inputs`."""
    if config.inputs:
        return is_input(path, config) or matches(path, config.link)
    return not _is_run(path, config)


def _is_run(path: str, config: Config) -> bool:
    """Whether it is one of the runs that are made anew all the time, and that no reference is."""
    return path.startswith(config.runs.rstrip("/") + "/") and ".runs/" in path
