"""A sandbox around a kernel, made by bubblewrap: no network, nothing to write but the worktree, no home.

A kernel's command is wrapped, so whatever starts kernels from kernelspecs starts it in the sandbox. It can be spoken
to by socket files only, and interrupted by messages only, since neither ports nor signals reach into it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, Literal

from nbpr import process
from nbpr.errors import BadInput

Wanted = Literal["none", "auto", "bwrap"]

#: What of the file system may hold what belongs to people, or sockets of theirs: a kernel sees none of it.
_HIDDEN = ("/home", "/root", "/run", "/tmp", "/var/tmp", "/var/spool", "/var/mail", "/mnt", "/media")
#: Files that only an administrator can read, which a kernel of the administrator's could.
_SECRET = ("/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-", "/etc/krb5.keytab", "/etc/sudoers")
_SECRET_FOLDERS = ("/etc/ssh", "/etc/ssl/private", "/etc/docker", "/etc/kubernetes", "/var/lib/docker")
#: What git needs for looking at history. The rest, its configuration above all, may hold credentials.
_OF_GIT = ("HEAD", "objects", "refs", "packed-refs", "shallow", "worktrees")
_GIT_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n"
_ISOLATED = ("--unshare-user-try", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
#: ipykernel would look for its parent by a number that is another process's in there, and end.
_ALONE = ("--unsetenv", "JPY_PARENT_PID")
_TEMPORARY = ("TMPDIR", "TMP", "TEMP")
#: As a kernel has it, so that what is probed is what is used.
_FIXED = ("--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")


@dataclass(frozen=True)
class Sandbox:
    """A sandbox for kernels that run in `root`, which they may write; `readable` is seen although it is hidden.

    `checkout` is the user's own, whose git folder holds credentials.
    """

    root: Path
    checkout: Path
    readable: tuple[Path, ...] = ()
    network: bool = False

    def around(self, spec: Mapping[str, Any], folder: Path, executable: str) -> dict[str, Any]:
        """The kernelspec of a kernel that runs in the sandbox and may use `folder`, where its sockets lie."""
        config = folder / "gitconfig"
        config.write_text(_GIT_CONFIG, encoding="utf-8")
        words = ["bwrap", *_ISOLATED, *([] if self.network else ["--unshare-net"]), *_FIXED, *_ALONE]
        for group in (
            _hidden(),
            self._seen((executable, *spec["argv"][:1])),
            self._writable(folder),
            self._git(config),
        ):
            for option in group:
                words += option
        env = {**spec.get("env", {}), "MPLCONFIGDIR": str(_fonts(folder)), **dict.fromkeys(_TEMPORARY, "/tmp")}
        return {**spec, "argv": [*words, "--", *spec["argv"]], "env": env, "interrupt_mode": "message"}

    def _seen(self, programs: Iterable[str]) -> Iterator[list[str]]:
        found = [Path(shutil.which(program) or program).absolute() for program in programs]
        places = {place for program in found for place in _of_interpreter(program)}
        places |= {*self.readable, Path.home() / ".local" / "lib"}
        yield from (["--ro-bind-try", str(place), str(place)] for place in sorted(places) if _is_hidden(place))

    def _writable(self, folder: Path) -> Iterator[list[str]]:
        yield from (["--bind", str(place), str(place)] for place in (self.root.resolve(), folder.resolve()))

    def _git(self, config: Path) -> Iterator[list[str]]:
        """Each git folder in sight as an empty one, with what git reads history from."""
        root = self.root.resolve()
        for git in sorted({*_git_folders(self.root), *_git_folders(self.checkout)}):
            yield ["--tmpfs", str(git)]
            yield from (["--ro-bind", str(git / name), str(git / name)] for name in _OF_GIT if (git / name).exists())
            yield ["--ro-bind", str(config), str(git / "config")]
            if git in root.parents:
                yield ["--bind", str(root), str(root)]
            yield ["--remount-ro", str(git)]


def _hidden() -> Iterator[list[str]]:
    home = Path.home().resolve()
    folders = {home, *map(Path, (*_HIDDEN, *_SECRET_FOLDERS))}
    there = sorted(place for place in folders if place.is_dir() and not place.is_symlink())
    yield from (["--tmpfs", str(place)] for place in there if not any(other in place.parents for other in there))
    yield from (["--ro-bind", "/dev/null", place] for place in _SECRET if Path(place).is_file())
    if any(place in home.parents for place in there):
        yield ["--dir", str(home)]


def _fonts(folder: Path) -> Path:
    """A folder for matplotlib, with the list of fonts that it has made before: to make one takes seconds."""
    known = Path(os.environ.get("MPLCONFIGDIR") or Path.home() / ".cache" / "matplotlib")
    own = folder / "matplotlib"
    own.mkdir(exist_ok=True)
    for file in known.glob("fontlist-*.json"):
        shutil.copyfile(file, own / file.name)
    return own


def wanted(word: Wanted) -> bool:
    """Whether kernels are to run in a sandbox.

    Raises `BadInput` where one is asked for and not to be had: better no run than one without it.
    """
    if word == "bwrap" and (why := problem()):
        raise BadInput(f'execute.sandbox = "bwrap": {why}', hint='install or allow it, or use "auto" or "none"')
    return word != "none" and not problem()


def absence(word: Wanted) -> str | None:
    """That kernels run without a sandbox, and why, in one line; None where they have one, or nobody wants it."""
    why = problem() if word == "auto" else None
    return why and f'notebooks run without a sandbox: {why}; execute.sandbox = "none" does without this line'


@cache
def problem() -> str | None:
    """Why there is no sandbox on this machine; None where there is one."""
    if sys.platform != "linux":
        return "sandboxes are made by bubblewrap, which is for Linux"
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (apt-get install bubblewrap)"
    try:
        done = process.run(
            ["bwrap", *_ISOLATED, "--unshare-net", *_FIXED, "--tmpfs", "/tmp", "true"],
            timeout=10,
            accept=range(-64, 256),
        )
    except (OSError, TimeoutExpired) as error:
        return f"bubblewrap does not start: {error}"
    return f"bubblewrap is not allowed to make one here: {done.complaint}" if done.returncode else None


def _is_hidden(place: Path) -> bool:
    hidden = [Path(name) for name in (*_HIDDEN, *_SECRET_FOLDERS)] + [Path.home().resolve()]
    return any(place.is_relative_to(folder) for folder in hidden)


def _of_interpreter(executable: Path) -> Iterator[Path]:
    """The folders that a kernel's program lies in: its environment, and the installation that this was made from."""
    for place in _links(executable):
        if place.parent.name in ("bin", "Scripts"):
            yield place.parent.parent
            home = _home_of(place.parent.parent / "pyvenv.cfg")
            yield from (each.parent for each in home)
        else:
            yield place


def _links(place: Path) -> Iterator[Path]:
    """A path, and where it leads to link by link."""
    for _ in range(20):
        yield place
        if not place.is_symlink():
            break
        place = Path(os.path.normpath(place.parent / place.readlink()))
    yield place.resolve()


def _home_of(config: Path) -> Iterable[Path]:
    if not config.is_file():
        return []
    lines = config.read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = (line.partition("=") for line in lines)
    return [Path(value.strip()) for name, _, value in pairs if name.strip() == "home" and value.strip()]


def _git_folders(root: Path) -> Iterator[Path]:
    """The git folder of a checkout or a worktree, with the one that it shares; none where it is in no repository."""
    for folder in (root.resolve(), *root.resolve().parents):
        git = folder / ".git"
        if git.is_dir():
            yield git.resolve()
        elif git.is_file():
            own = Path(git.read_text(encoding="utf-8", errors="replace").removeprefix("gitdir:").strip())
            own = (folder / own).resolve()
            shared = own / "commondir"
            yield (own / shared.read_text(encoding="utf-8").strip()).resolve() if shared.is_file() else own
        else:
            continue
        return
