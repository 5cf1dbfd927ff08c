"""A git repository: the only room that calls git.

Writes go through git itself in an environment of ours: the user's hooks silenced, `GIT_*` scrubbed, no optional
locks, no prompts. Objects are read through GitPython's standing `cat-file` process, which saves a process a read.
Nothing here touches the user's index, HEAD, stash or working files.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from nbpr import process
from nbpr.errors import BadInput, Conflict, NbprError, NotAllowed, OutOfReach
from nbpr.process import Completed, ProcessFailed

#: Said on every call: no hook, no file system monitor and no housekeeping of the user's runs inside our calls.
_QUIET = (
    "-c", f"core.hooksPath={os.devnull}",
    "-c", "core.fsmonitor=false",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
    "-c", "core.quotePath=false",
    "-c", "advice.detachedHead=false",
    "-c", "submodule.recurse=false",
)  # fmt: skip

NOTHING = "0" * 40


@dataclass(frozen=True)
class Entry:
    """One file of a tree: git's mode ("100644", "120000" a link, "160000" a submodule), object id and path."""

    mode: str
    sha: str
    path: str


@dataclass(frozen=True)
class Commit:
    """One commit: its id, parents, author ("Name <email>"), whole message and trailers in order."""

    sha: str
    parents: tuple[str, ...]
    author: str
    message: str
    trailers: tuple[tuple[str, str], ...]

    def trailer(self, name: str) -> str | None:
        """The last value of the trailer `name`, or None."""
        return next((value for key, value in reversed(self.trailers) if key == name), None)


@dataclass(frozen=True)
class RefUpdate:
    """One ref to be moved from `old` to `new`; None is "does not exist"."""

    ref: str
    old: str | None
    new: str | None


class Stale(Conflict):
    """A ref was moved by somebody else between reading and writing it."""


class Repository:
    """The repository that a checkout belongs to. `root` is the checkout's top folder."""

    def __init__(self, root: Path, git_dir: Path, common_dir: Path) -> None:
        self.root = root
        self.git_dir = git_dir
        self.common_dir = common_dir

    @classmethod
    def discover(cls, start: Path | None = None) -> Repository:
        """The repository around `start`. Raises `BadInput` where there is none, or a bare one."""
        start = (start or Path.cwd()).absolute()
        words = ("rev-parse", "--show-toplevel", "--absolute-git-dir", "--git-common-dir")
        try:
            done = process.run(["git", "-C", start, *words], env=process.git_environment(), accept=(0, 128))
        except FileNotFoundError:
            raise BadInput("git is not installed", hint="install git 2.25 or newer") from None
        if done.returncode:
            raise _not_a_checkout(start, done.complaint)
        root, git_dir, common = done.text.split("\n")
        return cls(Path(root), Path(git_dir), (start / common).resolve())

    @classmethod
    def create(cls, root: Path, remote: Path, branch: str = "main") -> Repository:
        """A new repository in the empty folder `root`, whose remote `origin` is a new bare one at `remote`."""
        for words in (("--bare", remote), (root,)):
            process.run(["git", *_QUIET, "init", "--quiet", "-b", branch, *words], env=process.git_environment())
        made = cls.discover(root)
        made.git("remote", "add", "origin", remote)
        return made

    def commit_all(self, message: str) -> str:
        """Commit everything in the checkout to the branch that is checked out, as a person would; its id."""
        self.git("add", "--all")
        self.run("commit", "--quiet", "--message", message, env=self._identity)
        return self.git("rev-parse", "HEAD")

    # -- calling git ---------------------------------------------------------------------------------------

    def run(
        self,
        *words: str | Path,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        accept: Collection[int] = (0,),
        settings: Sequence[str] = (),
        cwd: Path | None = None,
    ) -> Completed:
        """Run git with `words` in the checkout (or `cwd`); `settings` are further `-c` values.

        Raises `ProcessFailed` when git's return code is not in `accept`.
        """
        extra = [word for setting in settings for word in ("-c", setting)]
        environment = {**process.git_environment(), **(env or {})}
        argv = ["git", *_QUIET, *extra, "-C", cwd or self.root, *words]
        return process.run(argv, env=environment, stdin=stdin, accept=accept)

    def git(self, *words: str | Path, accept: Collection[int] = (0,)) -> str:
        """What git printed for `words`, as text."""
        return self.run(*words, accept=accept).text

    def setting(self, name: str) -> str | None:
        """The value of a git configuration setting, or None."""
        done = self.run("config", "--get", name, accept=(0, 1))
        return None if done.returncode else done.text

    @cached_property
    def version(self) -> tuple[int, ...]:
        """Git's version, as (2, 39, 5)."""
        return tuple(int(part) for part in re.findall(r"\d+", self.git("version"))[:3])

    # -- names and history ---------------------------------------------------------------------------------

    def resolve(self, revision: str) -> str | None:
        """The id of the commit that `revision` names, or None."""
        if not revision or revision.startswith("-") or "\0" in revision:
            return None
        done = self.run("rev-parse", "--verify", "--quiet", revision + "^{commit}", accept=(0, 1, 128))
        return None if done.returncode else done.text

    @property
    def head(self) -> str | None:
        """The commit checked out, or None before the first commit."""
        return self.resolve("HEAD")

    def branch_name(self, name: str) -> str:
        """`name` itself if git takes it as a branch name. Raises `BadInput`."""
        done = self.run("check-ref-format", "--branch", name, accept=(0, 1, 128))
        if done.returncode or name.startswith("-") or name == "HEAD" or done.text != name:
            raise BadInput(f"git takes no branch of the name {name!r}")
        return name

    def refs(self, *patterns: str) -> dict[str, str]:
        """Ref names below the patterns, and the ids that they point to."""
        listed = self.git("for-each-ref", "--format=%(objectname) %(refname)", *patterns)
        return {ref: sha for sha, _, ref in (line.partition(" ") for line in listed.splitlines())}

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `old` is reachable from `new`."""
        return self.run("merge-base", "--is-ancestor", old, new, accept=(0, 1)).returncode == 0

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor, or None for unrelated histories."""
        done = self.run("merge-base", one, other, accept=(0, 1))
        return None if done.returncode else done.text.split("\n")[0]

    def commits(self, *range_words: str) -> list[Commit]:
        """The commits of a range, newest first."""
        form = "%H%x00%P%x00%an <%ae>%x00%B%x00%(trailers:only,unfold)%x01"
        listed = self.git("log", "--topo-order", f"--format=format:{form}", "--end-of-options", *range_words)
        return [_commit(record) for record in listed.split("\x01") if record.strip()]

    def checked_out(self) -> dict[str, Path]:
        """Branches that are checked out somewhere, and where."""
        found: dict[str, Path] = {}
        place = self.root
        for line in self.git("worktree", "list", "--porcelain").splitlines():
            key, _, value = line.partition(" ")
            if key == "worktree":
                place = Path(value)
            elif key == "branch":
                found[value.removeprefix("refs/heads/")] = place
        return found

    # -- reading objects -----------------------------------------------------------------------------------

    @cached_property
    def _objects(self) -> Any:
        """GitPython's command, whose `cat-file --batch` process stays for as long as we do."""
        import git

        command = git.Repo(self.root).git
        command.update_environment(**process.git_environment(), GIT_DIR=str(self.git_dir))
        return command

    def read(self, commit: str, path: str) -> bytes | None:
        """The content of `path` in `commit` (as git stores it, unfiltered), or None if there is no such file."""
        if "\n" in path:
            raise BadInput(f"{path!r}: paths with line breaks are not supported")
        try:
            _, kind, _, data = self._objects.get_object_data(f"{commit}:{path}")
        except ValueError:
            return None
        return data if kind in (b"blob", "blob") else None

    def changed_paths(self, old: str, new: str, *, merge_base: bool = False) -> list[str]:
        """The paths that differ between two commits, or with `merge_base` since `new` left `old`."""
        words = ("diff-tree", "-r", "-z", "--name-only", "--no-renames")
        start = (self.merge_base(old, new) or old) if merge_base else old
        listed = self.run(*words, start, new).stdout
        return [path for path in listed.decode("utf-8", "surrogateescape").split("\0") if path]

    def sha_at(self, commit: str, path: str) -> str | None:
        """The id of what stands at `path` in `commit`, or None."""
        found = self.entries(commit, path)
        return found[0].sha if len(found) == 1 and found[0].path == path else None

    def read_blob(self, sha: str) -> bytes:
        """The content of a blob."""
        data: bytes = self._objects.get_object_data(sha)[3]
        return data

    def entries(self, commit: str, *paths: str) -> list[Entry]:
        """Every file of `commit`, or those below `paths`."""
        listed = self.run("ls-tree", "-r", "-z", "--full-tree", commit, "--", *paths).stdout
        return [_entry(line) for line in listed.decode("utf-8", "surrogateescape").split("\0") if line]

    # -- writing objects -----------------------------------------------------------------------------------

    def store(self, data: bytes) -> str:
        """Write a blob, byte for byte, and return its id."""
        return self.run("hash-object", "-w", "--stdin", stdin=data).text

    def edited_tree(self, commit: str | None, files: Mapping[str, bytes | Entry | None]) -> str:
        """The id of the tree of `commit` with `files` put in place: content, an entry, or None to remove."""
        lines = []
        modes = {entry.path: entry.mode for entry in self.entries(commit, *files)} if commit and files else {}
        for path, content in files.items():
            if content is None:
                lines.append(f"0 {NOTHING}\t{path}")
            elif isinstance(content, Entry):
                lines.append(f"{content.mode} {content.sha}\t{path}")
            else:
                mode = modes.get(path, "100644")
                lines.append(f"{mode} {self.store(content)}\t{path}")
        with self.scratch_index() as index:
            if commit:
                self.run("read-tree", commit, env=index)
            stdin = "".join(line + "\0" for line in lines).encode("utf-8", "surrogateescape")
            self.run("update-index", "-z", "--index-info", stdin=stdin, env=index)
            return self.run("write-tree", env=index).text

    @contextmanager
    def scratch_index(self) -> Iterator[dict[str, str]]:
        """The environment that makes git use an index of our own, which is gone afterwards."""
        self.own_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="index-", dir=self.own_dir) as folder:
            yield {"GIT_INDEX_FILE": str(Path(folder) / "index")}

    def commit(self, tree: str, parents: Sequence[str], message: str, *, own: bool = False) -> str:
        """Write a commit and return its id.

        Author and committer are git's, else `nbpr <nbpr@localhost>`. `commit.gpgsign` is honoured, without a
        prompt; a bookkeeping commit of our `own` is not signed.
        """
        words = [word for parent in parents for word in ("-p", parent)]
        if not own and self.setting("commit.gpgsign") in ("true", "yes", "on", "1"):
            words.append("-S")
        try:
            done = self.run("commit-tree", tree, *words, stdin=message.encode(), env=self._identity)
        except ProcessFailed as failure:
            if "-S" not in words:
                raise
            raise BadInput(
                f"the commit could not be signed: {failure.completed.complaint}",
                hint="commit.gpgsign is set: make the key usable without a prompt, or unset it for this call",
            ) from None
        return done.text

    @cached_property
    def author(self) -> str:
        """Who commits are by: "Name <email>"."""
        done = self.run("var", "GIT_AUTHOR_IDENT", accept=(0, 128), settings=("user.useConfigOnly=true",))
        if done.returncode:
            return "nbpr <nbpr@localhost>"
        return re.sub(r"\s+\d+ [+-]\d{4}$", "", done.text)

    @cached_property
    def _identity(self) -> dict[str, str]:
        name, _, email = self.author.rpartition(" <")
        fallback = {"NAME": name, "EMAIL": email.rstrip(">")}
        return {f"GIT_{who}_{key}": value for who in ("AUTHOR", "COMMITTER") for key, value in fallback.items()}

    # -- remotes -------------------------------------------------------------------------------------------

    def remote(self, wanted: str | None = None) -> str | None:
        """The remote to work with: the one `wanted`, else the branch's, else `origin`, else the only one."""
        names = self.git("remote").splitlines()
        if wanted is not None:
            if wanted not in names:
                known = ", ".join(names) or "none"
                raise BadInput(f"there is no remote {wanted!r}", hint=f"known remotes: {known}")
            return wanted
        branch = self.run("symbolic-ref", "--short", "--quiet", "HEAD", accept=(0, 1)).text
        upstream = self.setting(f"branch.{branch}.remote") if branch else None
        candidates = [upstream, "origin", names[0] if len(names) == 1 else None]
        return next((name for name in candidates if name in names), None)

    def remote_url(self, remote: str) -> str:
        """Where a remote is, with `url.*.insteadOf` applied."""
        return self.git("remote", "get-url", "--", remote)

    def remote_default(self, remote: str) -> str | None:
        """The remote's default branch, asked of the remote itself."""
        listed = self._reach("ls-remote", "--symref", "--", remote, "HEAD").text
        match = re.match(r"ref: refs/heads/(\S+)\tHEAD", listed)
        return match.group(1) if match else None

    def fetch(self, remote: str, *refspecs: str) -> None:
        """Fetch into refs of ours, leaving remote-tracking branches, tags and FETCH_HEAD alone."""
        words = (
            "--no-tags",
            "--prune",
            "--no-write-fetch-head",
            "--refmap=",
            "--quiet",
            "--no-recurse-submodules",
        )
        self._reach("fetch", *words, "--", remote, *refspecs)

    def publish(self, remote: str | None, updates: Iterable[RefUpdate]) -> None:
        """Move several refs together or not at all: on the remote, or here where there is none.

        Raises `Stale` if one of them is not at its `old`, `NotAllowed` if the other side declines, `OutOfReach`
        if it cannot be reached. A branch is only ever moved forwards.
        """
        updates = list(updates)
        for update in updates:
            if _is_advance(update) and not self.is_ancestor(str(update.old), str(update.new)):
                raise Stale(f"{update.ref} would not move forwards; nothing was pushed")
        if remote is None:
            self._transaction(updates)
        else:
            self._push(remote, updates)

    def _transaction(self, updates: Sequence[RefUpdate]) -> None:
        lines = ["start"]
        for update in updates:
            old = update.old or NOTHING
            lines.append(f"update {update.ref} {update.new} {old}" if update.new else f"delete {update.ref} {old}")
        lines += ["prepare", "commit", ""]
        try:
            self.run("update-ref", "--stdin", stdin="\n".join(lines).encode())
        except ProcessFailed as failure:
            raise Stale(f"a ref moved meanwhile: {failure.completed.complaint}") from None

    def _push(self, remote: str, updates: Sequence[RefUpdate]) -> None:
        leases = [
            f"--force-with-lease={update.ref}:{update.old or ''}" for update in updates if not _is_advance(update)
        ]
        refspecs = [f"{update.new or ''}:{update.ref}" for update in updates]
        words = ("push", "--atomic", "--porcelain", "--no-verify", "--quiet", "--recurse-submodules=no")
        self._reach(*words, *leases, "--", remote, *refspecs)

    def _reach(self, *words: str) -> Completed:
        """Run a git command that talks to a remote, and say what its failure means."""
        try:
            return self.run(*words)
        except ProcessFailed as failure:
            raise _remote_failure(words, failure.completed) from None

    def advance_checkout(self, place: Path, sha: str) -> None:
        """Take a clean checkout forwards to `sha`, files and branch. Raises `Conflict` if it is not clean."""
        done = self.run("status", "--porcelain", "--untracked-files=no", cwd=place)
        if done.text:
            raise Conflict(
                f"the base is checked out in {place} and has changes there; nothing was changed",
                hint="commit or stash them, then merge again",
            )
        merged = self.run("merge", "--ff-only", "--quiet", sha, cwd=place, accept=(0, 1, 128))
        if merged.returncode:
            raise Conflict(f"the checkout in {place} cannot be taken forwards: {merged.complaint}")

    # -- what is ours --------------------------------------------------------------------------------------

    @property
    def own_dir(self) -> Path:
        """The folder under the git directory where nbpr keeps its things."""
        return self.common_dir / "nbpr"

    # -- the checkout, read only ---------------------------------------------------------------------------

    def path_of(self, given: str | Path, cwd: Path | None = None) -> str:
        """The path from the root, POSIX, of a file named from `cwd`.

        Raises `BadInput` for a path outside the repository, one that leaves it by a symlink, or one in `.git`.
        """
        place = Path(os.path.normpath((cwd or Path.cwd()) / given))
        root = self.root
        if not place.is_relative_to(root):
            # A checkout reached through a symlink (/tmp on macOS): compare real parents, keep the name itself.
            place, root = place.parent.resolve() / place.name, root.resolve()
        if not place.is_relative_to(root) or place == root:
            raise BadInput(f"{given}: outside the repository {self.root}")
        relative = PurePosixPath(place.relative_to(root).as_posix())
        if relative.parts[0] == ".git":
            raise BadInput(f"{given}: inside the git directory")
        if not place.resolve().is_relative_to(root.resolve()):
            raise BadInput(f"{given}: a symlink that leaves the repository {self.root}")
        return str(relative)

    def user_hooks(self, *names: str) -> list[str]:
        """Which of the named hooks the user has, and which our calls therefore leave out."""
        argv = ["git", "-C", str(self.root), "rev-parse", "--git-path", "hooks"]  # without our own core.hooksPath
        folder = process.run(argv, env=process.git_environment()).text
        return [name for name in names if os.access(self.root / folder / name, os.X_OK)]

    def ignored(self, patterns: Sequence[str]) -> list[str]:
        """The ignored, untracked files of the checkout that match the patterns (git's `:(glob)`)."""
        words = ("ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--")
        listed = self.run(*words, *(f":(top,glob){pattern}" for pattern in patterns)).stdout
        return [path for path in listed.decode("utf-8", "surrogateescape").split("\0") if path]

    def edited(self) -> list[str]:
        """Tracked files whose content in the checkout or index differs from HEAD, without the user's filters."""
        words = ("diff-index", "--name-only", "-z", "--ignore-submodules", "HEAD", "--")
        listed = self.run(*words, settings=self.safe_filters).stdout
        return [path for path in listed.decode("utf-8", "surrogateescape").split("\0") if path]

    def added(self, path: str, data: bytes, *, write: bool) -> Entry:
        """`data` as `git add` would have it at `path`: line endings and LFS, but no other filter."""
        words = ("hash-object", *(["-w"] if write else []), "--path", path, "--stdin")
        done = self.run(*words, stdin=data, settings=self.safe_filters)
        mode = "100755" if os.access(self.root / path, os.X_OK) else "100644"
        return Entry(mode, done.text, path)

    @property
    def safe_filters(self) -> tuple[str, ...]:
        """Settings that switch off every filter but Git LFS's, since a `.gitattributes` may ask for any."""
        done = self.run("config", "--name-only", "--get-regexp", r"^filter\.", accept=(0, 1))
        names = {line.split(".", 1)[1].rpartition(".")[0] for line in done.text.splitlines()} - {"lfs", ""}
        off = ("clean=", "smudge=", "process=", "required=false")
        return tuple(f"filter.{name}.{setting}" for name in sorted(names) for setting in off)


def without_credentials(url: str) -> str:
    """The URL without the user and password that some people keep in it."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    host, slash, path = rest.partition("/")
    return scheme + separator + host.rpartition("@")[2] + slash + path


def _is_advance(update: RefUpdate) -> bool:
    """Whether an existing branch is to be moved, which a plain push does forwards only."""
    return bool(update.ref.startswith("refs/heads/") and update.old and update.new)


def _not_a_checkout(start: Path, complaint: str) -> NbprError:
    if "must be run in a work tree" in complaint:
        return BadInput(f"{start}: a bare repository, which has no files to propose", hint="run nbpr in a clone of it")
    if "dubious ownership" in complaint:
        return NotAllowed(f"{start}: owned by somebody else", hint=f"git config --global --add safe.directory {start}")
    return BadInput(f"{start}: not in a git repository", hint="git init, or run nbpr in a clone")


def _commit(record: str) -> Commit:
    sha, parents, author, message, trailers = record.lstrip("\n").split("\0")
    pairs = (line.partition(": ") for line in trailers.splitlines() if ": " in line)
    return Commit(sha, tuple(parents.split()), author, message, tuple((k, v) for k, _, v in pairs))


def _entry(line: str) -> Entry:
    facts, _, path = line.partition("\t")
    mode, _, sha = facts.split(" ")
    return Entry(mode, sha, path)


#: What git says on stderr when a push lost a race, and when the other side said no.
_LOST = re.compile(
    rb"stale info|fetch first|non-fast-forward|cannot lock ref|failed to lock|already exists|incorrect old value"
)
_DECLINED = re.compile(rb"declined|protected|permission|denied|not allowed|403|unauthorized|deny", re.IGNORECASE)


def _remote_failure(words: Sequence[str], completed: Completed) -> NbprError:
    said = completed.stderr + completed.stdout
    remote = words[words.index("--") + 1]
    if words[0] == "push" and _LOST.search(said):
        return Stale(f"somebody else pushed to {remote} meanwhile; nothing was pushed")
    reason = _reason(said)
    if b"couldn't find remote ref" in said:
        return BadInput(f"{remote}: {reason}")
    if _DECLINED.search(said):
        return NotAllowed(f"{remote} declined: {reason}", hint="check the push right and the branch protection")
    return OutOfReach(
        f"{remote} cannot be reached: {reason}", hint="check `git remote -v` and the network, then run again"
    )


def _reason(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").splitlines()
    telling = [line for line in lines if re.match(r"(fatal|error|remote|!)", line.strip())]
    return (telling or lines or ["no message"])[0].strip()
