"""The notebooks of a checkout as files: those that are named, or those that the configuration names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nbpr.config import Config
from nbpr.errors import BadInput
from nbpr.findings import Finding
from nbpr.git.repository import Repository
from nbpr.git.tracked import Tracked, has_filter
from nbpr.notebooks import allowlist, notebook
from nbpr.notebooks.content import Content
from nbpr.places import find_root, path_below

#: Filters that take outputs out of what is added.
CLEANING = ("nbpr", "nbstripout")


@dataclass(frozen=True)
class Checkout:
    """Files below `root`; `paths` are POSIX, from there. `repository` is None outside of one."""

    root: Path
    config: Config
    repository: Repository | None
    paths: tuple[str, ...]

    @classmethod
    def of(cls, root: Path, config: Config, places: Sequence[Path]) -> Checkout:
        """The files named, each once, or with none named those of the configuration, runs included.

        Raises BadInput for one outside of `root`.
        """
        repository = Repository.discover(root) if find_root(root / "here") is not None else None
        if places:
            paths = tuple(dict.fromkeys(path_below(root, place) for place in places))
        else:
            patterns = (*config.notebooks, f"{config.runs.strip('/')}/**/*.ipynb")
            paths = tuple(sorted(set(_listed(root, repository, patterns))))
        return cls(root, config, repository, paths)

    def contents(self) -> list[Content]:
        """What the files hold now, in the order in which they were named."""
        filtered = self._filtered()
        return [self._content(path, path in filtered) for path in self.paths]

    def allowed(self) -> bytes:
        """The checkout's allow-list."""
        place = self.root / allowlist.NAME
        return place.read_bytes() if place.is_file() else b""

    def findings(self) -> Iterable[Finding]:
        """Nothing: a checkout may be without anything."""
        return ()

    def put(self, found: Content, data: bytes, mend: Callable[[bytes], bytes]) -> None:
        """Write the file, whole or not at all; a link's target, not the link."""
        notebook.write((self.root / found.path).resolve(), data)

    def _content(self, path: str, is_filtered: bool) -> Content:
        try:
            return Content(path, (self.root / path).read_bytes(), is_filtered=is_filtered)
        except FileNotFoundError:
            return Content(path, None, "no such file")
        except IsADirectoryError:
            return Content(path, None, "a folder, not a notebook")
        except (OSError, ValueError) as error:
            return Content(path, None, f"cannot be read: {getattr(error, 'strerror', None) or error}")

    def _filtered(self) -> set[str]:
        if self.repository is None or not self.paths:
            return set()
        found = Tracked(self.repository, self.config).attributes(self.paths)
        active = {name for name in CLEANING if has_filter(self.repository, name)}
        return {path for path, attributes in found.items() if attributes.get("filter") in active}


def _listed(root: Path, repository: Repository | None, patterns: Sequence[str]) -> Iterator[str]:
    """The files that match: in a repository as git sees it, so that what it ignores is left out.

    No links: what they lead to stands elsewhere, in runs or in somebody's home, and nobody named it.
    """
    if repository is None:
        for pattern in patterns:
            yield from (place.relative_to(root).as_posix() for place in root.glob(pattern) if _is_plain(place))
        return
    words = ("ls-files", "--cached", "--others", "--exclude-standard", "-z", "--")
    listed = repository.run(*words, *(f":(top,glob){pattern}" for pattern in patterns)).stdout
    for path in listed.decode("utf-8", "surrogateescape").split("\0"):
        if path and _is_plain(root / path):
            yield path


def _is_plain(place: Path) -> bool:
    return place.is_file() and not place.is_symlink()


def root_of(places: Sequence[Path], here: Path) -> Path:
    """The checkout's top folder around the files, or around `here`; outside of one `here`, or what the files share."""
    first = places[0] if places else here / "here"
    found = find_root(first)
    if found is not None or not places:
        return found or here
    parents = {place.absolute().parent for place in places}
    shared = [folder for folder in (places[0].absolute().parents) if all(folder in (p, *p.parents) for p in parents)]
    if not shared:
        raise BadInput(f"{places[0]}: no folder holds all the files that are named")
    return shared[0]
