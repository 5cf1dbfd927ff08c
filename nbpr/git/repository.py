"""A repository as a person has it: a checkout, its remotes, and refs that move together.

Nothing here touches the user's index, HEAD, stash or working files, but for what is named so: `commit_all` and
`advance_checkout`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from subprocess import TimeoutExpired
from typing import TYPE_CHECKING

from nbpr import process, redaction
from nbpr.errors import BadInput, Conflict, NbprError, NotAllowed, OutOfReach
from nbpr.git import credentials, locks, workspaces
from nbpr.git.objects import NOTHING, QUIET, Commit, Entry, Objects
from nbpr.process import Completed, ProcessFailed
from nbpr.steps import step

if TYPE_CHECKING:
    from nbpr.tokens import Token

__all__ = ["NOTHING", "Commit", "Entry", "RefUpdate", "Repository", "Stale", "blob_sha", "without_credentials"]


@dataclass(frozen=True)
class RefUpdate:
    """One ref to be moved from `old` to `new`; None is "does not exist"."""

    ref: str
    old: str | None
    new: str | None


class Stale(Conflict):
    """A ref was moved by somebody else between reading and writing it.

    `has_opened` says that a pull request was opened before that, by whoever meets this.
    """

    has_opened = False


class Repository(Objects):
    """The repository that a checkout belongs to. `root` is the checkout's top folder.

    `token` is what fetching and pushing over http prove themselves with, on its host only; set once by whoever finds
    it. None: git and its credential helpers are left to themselves.
    """

    token: Token | None = None

    @classmethod
    def discover(cls, start: Path | None = None) -> Repository:
        """The repository around `start`. Raises `BadInput` where there is none, or a bare one."""
        start = (start or Path.cwd()).absolute()
        words = ("rev-parse", "--show-toplevel", "--absolute-git-dir", "--git-common-dir", "--show-object-format")
        try:
            done = process.run(["git", "-C", start, *words], env=process.git_environment(), accept=(0, 128))
        except FileNotFoundError:
            raise BadInput("git is not installed", hint="install git 2.25 or newer") from None
        if done.returncode:
            raise _not_a_checkout(start, done.complaint)
        root, git_dir, common, form = done.text.split("\n")
        if form != "sha1":
            raise BadInput(f"{root}: a {form} repository; nbpr reads sha1 ones only, as yet")
        return cls(Path(root), Path(git_dir), (start / common).resolve())

    @classmethod
    def create(cls, root: Path, remote: Path, branch: str = "main") -> Repository:
        """A new repository in the empty folder `root`, whose remote `origin` is a new bare one at `remote`."""
        for words in (("--bare", remote), (root,)):
            process.run(["git", *QUIET, "init", "--quiet", "-b", branch, *words], env=process.git_environment())
        made = cls.discover(root)
        made.git("remote", "add", "origin", remote)
        return made

    def commit_all(self, message: str) -> str:
        """Commit everything in the checkout to the branch that is checked out, as a person would; its id."""
        self.git("add", "--all")
        self.run("commit", "--quiet", "--message", message, env=self._identity)
        return self.git("rev-parse", "HEAD")

    # -- remotes -------------------------------------------------------------------------------------------

    def remote(self, wanted: str | None = None) -> str | None:
        """The remote to work with: the one `wanted`, else `origin`, else the only one, else the branch's own.

        Raises `BadInput` where there are several and nothing says which.
        """
        names = self.git("remote").splitlines()
        known = ", ".join(names) or "none"
        if wanted is not None and wanted not in names:
            raise BadInput(f"there is no remote {wanted!r}", hint=f"known remotes: {known}")
        if wanted is not None or not names:
            return wanted
        branch = self.run("symbolic-ref", "--short", "--quiet", "HEAD", accept=(0, 1)).text
        upstream = self.setting(f"branch.{branch}.remote") if branch else None
        candidates = ["origin", names[0] if len(names) == 1 else None, upstream]
        found = next((name for name in candidates if name in names), None)
        if found is None:
            raise BadInput(f"which remote is not plain: {known}", hint='say it: remote = "NAME" in [tool.nbpr]')
        return found

    def remote_url(self, remote: str) -> str:
        """Where a remote is, with `url.*.insteadOf` applied; an address is where it says."""
        if ":" in remote:
            return redaction.know_url(remote)
        return redaction.know_url(self.git("remote", "get-url", "--", remote))

    def credential(self, url: str) -> tuple[str, str] | None:
        """User name and password that git's credential helpers have for a web address, or None. Nobody is asked."""
        argv: list[str | Path] = ["git", *QUIET, "-C", self.root, "credential", "fill"]
        environment = process.git_environment(tokens=True) | credentials.UNASKED
        question, patience = credentials.question(url), credentials.PATIENCE
        try:
            done = process.run(
                argv, env=environment, stdin=question, timeout=patience, accept=range(-64, 256), alone=True
            )
        except TimeoutExpired:
            return None
        return credentials.answer(done.stdout)

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
        folder = self._folder_of(remote)
        if folder is not None:
            locks.discard(folder / locks.REFS)

    def fetch_history(self, remote: str, *names: str, how: str | None = None) -> None:
        """Fetch commits, by id or ref, into no ref at all; `how` is git's `--depth=N`, `--deepen=N`, `--unshallow`."""
        words = ("--no-tags", "--no-write-fetch-head", "--refmap=", "--quiet", "--no-recurse-submodules")
        self._reach("fetch", *words, *filter(None, [how]), "--", remote, *names)

    @property
    def current_branch(self) -> str | None:
        """The branch that is checked out; None for a detached HEAD."""
        return self.run("symbolic-ref", "--short", "--quiet", "HEAD", accept=(0, 1)).text or None

    @property
    def is_shallow(self) -> bool:
        """Whether history ends here before its beginning."""
        return self.git("rev-parse", "--is-shallow-repository") == "true"

    @property
    def cut_commits(self) -> frozenset[str]:
        """The commits at which the history of a shallow clone ends: they have parents, which are not here."""
        place = self.common_dir / "shallow"
        return frozenset(place.read_text(encoding="ascii").split()) if place.is_file() else frozenset()

    def publish(self, remote: str | None, updates: Iterable[RefUpdate], why: str = "nbpr") -> None:
        """Move several refs together or not at all: on the remote, or here where there is none; the reflog says `why`.

        Raises `Stale` if one of them is not at its `old`, `NotAllowed` if the other side declines, `OutOfReach`
        if it cannot be reached. A branch is only ever moved forwards.
        """
        updates = list(updates)
        for update in updates:
            if _is_advance(update) and not self.is_ancestor(str(update.old), str(update.new)):
                raise Stale(f"{update.ref} would not move forwards; nothing was pushed")
        place = self.common_dir if remote is None else self._folder_of(remote)
        with self._alone_at(place, updates):
            if remote is None:
                self._transaction(updates, why)
            else:
                self._push(remote, updates)

    def _folder_of(self, remote: str) -> Path | None:
        """The git directory of a remote that is a folder on this machine."""
        url = self.remote_url(remote).removeprefix("file://")
        folder = Path(self.root, url)
        inner = folder / ".git"
        return inner if inner.is_dir() else folder if (folder / "objects").is_dir() else None

    @contextmanager
    def _alone_at(self, folder: Path | None, updates: Sequence[RefUpdate]) -> Iterator[None]:
        """The only nbpr that moves refs in a folder of this machine, without lock files that a killed git left."""
        if folder is None or not os.access(folder, os.W_OK):
            yield
            return
        with locks.lock(folder / locks.REFS):
            for update in updates:
                _clear(folder / f"{update.ref}.lock")
                if folder != self.common_dir:
                    _clear(*(self.common_dir / "refs" / "remotes").glob(f"*/{update.ref[11:]}.lock"))
            yield

    def _transaction(self, updates: Sequence[RefUpdate], why: str) -> None:
        lines = ["start"]
        for update in updates:
            old = update.old or NOTHING
            lines.append(f"update {update.ref} {update.new} {old}" if update.new else f"delete {update.ref} {old}")
        lines += ["prepare", "commit", ""]
        try:
            self.run("update-ref", "-m", why, "--stdin", stdin="\n".join(lines).encode())
        except ProcessFailed as failure:
            _see_that_names_fit("this repository", failure.completed.stderr)
            raise Stale(f"a ref moved meanwhile: {failure.completed.complaint}") from None

    def _push(self, remote: str, updates: Sequence[RefUpdate]) -> None:
        # Of what only advances too, which was seen to: a plain push would bring back what somebody took away meanwhile.
        leases = [f"--force-with-lease={update.ref}:{update.old or ''}" for update in updates]
        refspecs = [f"{update.new or ''}:{update.ref}" for update in updates]
        # What the user's settings add to a push of theirs has no place in ours: tags, signatures, options.
        words = ("push", "--atomic", "--porcelain", "--no-verify", "--quiet", "--no-follow-tags", "--no-signed")
        settings = ("push.pushOption=", f"remote.{remote}.mirror=false", "push.recurseSubmodules=no")
        self._reach(*words, *leases, "--", remote, *refspecs, settings=settings)

    def push_for_review(self, remote: str, sha: str, base: str, options: Iterable[str]) -> None:
        """Push a commit to `refs/for/<base>`, as AGit has it, with push options."""
        given = [word for option in options for word in ("--push-option", option)]
        words = ("push", "--porcelain", "--no-verify", "--quiet", "--no-follow-tags", "--no-signed")
        settings = (f"remote.{remote}.mirror=false", "push.recurseSubmodules=no")
        self._reach(*words, *given, "--", remote, f"{sha}:refs/for/{base}", settings=settings)

    def _reach(self, *words: str, settings: Sequence[str] = ()) -> Completed:
        """Run a git command that talks to a remote, and say what its failure means."""
        remote = words[words.index("--") + 1]
        environment, token = self._moved_out(remote, is_push=words[0] == "push")
        try:
            return self.run(*words, settings=(*settings, *self._patience), env=environment, token=token)
        except ProcessFailed as failure:
            if token is None and self.remote_url(remote).startswith("http"):
                self.credential(self.remote_url(remote))  # what the other side was told must not be in what it says
            raise _remote_failure(words, failure.completed) from None

    @cached_property
    def _patience(self) -> tuple[str, ...]:
        """Settings by which git gives up a server that says nothing for so long, unless the user has his own."""
        argv = ["git", "-C", str(self.root), "config", "--get-regexp", r"^http\.(.*\.)?lowspeed"]
        own = process.run(argv, env=process.git_environment(), accept=(0, 1)).text
        return () if own else ("http.lowSpeedLimit=1", f"http.lowSpeedTime={_SILENCE}")

    def _moved_out(self, remote: str, *, is_push: bool) -> tuple[dict[str, str], Token | None]:
        """How to keep a password in the remote's URL out of git's argument lists: an environment, and it as a token.

        Git hands the URL to its children in their arguments, which everybody on the machine can read.
        """
        url = self.run("remote", "get-url", *(["--push"] if is_push else []), "--", remote, accept=(0, 2, 128)).text
        token = credentials.in_address(redaction.know_url(url))
        if token is None or "\n" in url:
            return {}, self.token
        pushed_to = self.setting(f"remote.{remote}.pushurl") if is_push else None
        rule = "pushInsteadOf" if is_push and not pushed_to else "insteadOf"
        written = pushed_to or self.setting(f"remote.{remote}.url") or url
        environment = credentials.settings_in_environment({f"url.{without_credentials(url)}.{rule}": written})
        return environment, self.token if self.token and self.token.is_for(url) else token

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

    def stage(self, entries: Mapping[str, Entry | None]) -> None:
        """Put entries into the checkout's own index, the rest of which stays; None takes a path out.

        Raises `Conflict` while another git works on it.
        """
        lines = (f"{e.mode} {e.sha}\t{path}" if e else f"0 {NOTHING}\t{path}" for path, e in entries.items())
        stdin = "".join(line + "\0" for line in lines).encode("utf-8", "surrogateescape")
        current = self.git_dir / "index"
        with self.scratch_index() as index, self._index_locked(Path(index["GIT_INDEX_FILE"]).parent):
            made = Path(index["GIT_INDEX_FILE"])
            if current.exists():
                shutil.copy2(current, made)
            self.run("update-index", "-z", "--index-info", stdin=stdin, env=index)
            with step("replace the index"):
                made.replace(current)

    @contextmanager
    def _index_locked(self, folder: Path) -> Iterator[None]:
        """Git's own lock on the index, as a link to a file in our workspace.

        Of a command that is killed meanwhile the next one knows the lock for ours, and takes it away.
        """
        marker, lock = folder / workspaces.INDEX_LOCK, self.git_dir / "index.lock"
        marker.touch()
        try:
            os.link(marker, lock)
        except FileExistsError:
            hint = f"if none does: rm {shlex.quote(str(lock))}"
            raise Conflict("another git works on the index right now", hint=hint) from None
        try:
            with step("lock the index"):
                yield
        finally:
            lock.unlink(missing_ok=True)

    def take_branch(self, remote: str, branch: str) -> None:
        """Bring a branch of the remote here as a local one that follows it; an existing one moves forwards only."""
        if self.checked_out().get(branch) == self.root:
            self._reach("fetch", "--quiet", "--", remote, f"refs/heads/{branch}")
            self.advance_checkout(self.root, "FETCH_HEAD")
            return
        try:
            self._reach("fetch", "--quiet", "--", remote, f"refs/heads/{branch}:refs/heads/{branch}")
        except NbprError as error:
            raise Conflict(f"the local branch {branch} has commits of its own: {error.message}") from None
        self.git("config", f"branch.{branch}.remote", remote)
        self.git("config", f"branch.{branch}.merge", f"refs/heads/{branch}")

    def remote_sha(self, remote: str, branch: str) -> str | None:
        """Where a remote has a branch now; `bob:feature` is on another one."""
        if ":" in branch:
            return None
        listed = self._reach("ls-remote", "--heads", "--", remote, f"refs/heads/{branch}").text
        return listed.split("\t")[0] or None

    def put_branch(self, branch: str, sha: str) -> None:
        """Have a local branch at a commit that is here; one that exists moves forwards only."""
        self.branch_name(branch)
        ref = f"refs/heads/{branch}"
        old = self.refs(ref).get(ref)
        if old is not None and not self.is_ancestor(old, sha):
            raise Conflict(
                f"the local branch {branch} has commits of its own, that the pull request lacks",
                hint=f"git branch -m {shlex.quote(branch)} ANOTHER-NAME",
            )
        place = self.checked_out().get(branch)
        if place == self.root:
            self.advance_checkout(place, sha)
        elif place is None and old != sha:
            self.publish(None, [RefUpdate(ref, old, sha)], "nbpr pulls checkout")

    def switch(self, branch: str) -> None:
        """Switch the checkout to a branch, as `git switch` does. Raises `Conflict` where git refuses."""
        done = self.run("switch", "--quiet", branch, accept=(0, 1, 128))
        if done.returncode:
            said = " ".join(line.strip() for line in done.stderr.decode("utf-8", "replace").splitlines()[:3])
            raise Conflict(f"git does not switch to {branch}: {said}", hint="commit or stash what is in the way")

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
        paths = [path for path in listed.decode("utf-8", "surrogateescape").split("\0") if path]
        # A file that was only touched is named too, since the index is not refreshed for us.
        return [path for path in paths if self._differs(path)]

    def _differs(self, path: str) -> bool:
        place = self.root / path
        if place.is_symlink() or not place.is_file():
            return True
        return self.added(path, place.read_bytes(), write=False).sha != self.sha_at("HEAD", path)

    def attribute(self, path: str, name: str) -> str:
        """The value of a git attribute for a path: "set", "unset", "unspecified" or what it is set to."""
        return self.git("check-attr", "-z", name, "--", path).split("\0")[2]

    def normalised(self, path: str, data: bytes) -> bytes:
        """The file's bytes as `git add` would store them, where only line endings make a difference."""
        stored = self.added(path, data, write=False).sha
        plain = data.replace(b"\r\n", b"\n")
        return plain if plain != data and blob_sha(plain) == stored else data

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


def blob_sha(data: bytes) -> str:
    """The id that git gives a blob of these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _clear(*stale: Path) -> None:
    """Remove lock files of git on refs of ours that stay for a second: no living git holds one that long."""
    for path in stale:
        deadline = time.monotonic() + 1
        while path.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()


def _is_advance(update: RefUpdate) -> bool:
    """Whether an existing branch is to be moved, which a plain push does forwards only."""
    return bool(update.ref.startswith("refs/heads/") and update.old and update.new)


def _not_a_checkout(start: Path, complaint: str) -> NbprError:
    if "must be run in a work tree" in complaint:
        return BadInput(f"{start}: a bare repository, which has no files to propose", hint="run nbpr in a clone of it")
    if "dubious ownership" in complaint:
        return NotAllowed(f"{start}: owned by somebody else", hint=f"git config --global --add safe.directory {start}")
    return BadInput(f"{start}: not in a git repository", hint="git init, or run nbpr in a clone")


#: After how many seconds without a byte git gives a server up, which of itself it never does.
_SILENCE = 60
#: What git says on stderr when a push lost a race, and when the other side said no.
_LOST = re.compile(
    rb"stale info|fetch first|non-fast-forward|cannot lock ref|failed to lock|already exists|incorrect old value"
)
#: Why the other side cannot write, which git tells as a ref that it could not lock: trying again does not help.
_NOT_WRITABLE = re.compile(rb"cannot lock ref.*(Permission denied|Read-only file|No space left|create directory)")
_DECLINED = re.compile(
    rb"No space left|File too large|declined|protected|permission|denied|not allowed|403|unauthorized|deny",
    re.IGNORECASE,
)


#: Who is not known to the other side, or not known to be allowed to know of a repository.
_UNPROVEN = re.compile(
    rb"Authentication failed|could not read (?:Username|Password)|[Rr]epository .*not found|Permission denied \("
)
#: A branch is a folder to git, so that none can have the name of another one's folder.
_IN_THE_WAY = re.compile(rb"'refs/heads/([^']+)' exists; cannot create 'refs/heads/([^']+)'")


def _see_that_names_fit(where: str, said: bytes) -> None:
    """Raises `BadInput` where git could not make a branch for the name of another."""
    found = _IN_THE_WAY.search(said)
    if found:
        there, wanted = (name.decode("utf-8", "replace") for name in found.groups())
        message = f"there can be no branch {wanted} in {where}, which has a branch {there}"
        raise BadInput(message, hint="git keeps branches as files and folders: choose another name")


def _remote_failure(words: Sequence[str], completed: Completed) -> NbprError:
    said = completed.stderr + completed.stdout
    remote = words[words.index("--") + 1]
    reason = _reason(said)
    if _NOT_WRITABLE.search(said):
        return NotAllowed(f"{remote} cannot be written to: {reason}", hint="see the space and the permissions there")
    _see_that_names_fit(remote, said)
    if words[0] == "push" and _LOST.search(said):
        return Stale(f"somebody else pushed to {remote} meanwhile; nothing was pushed")
    if b"couldn't find remote ref" in said:
        return BadInput(f"{remote}: {reason}")
    if _UNPROVEN.search(said):
        hint = (
            "check the token or the credential, and `git remote -v`: who may not see a repository is told there is none"
        )
        return NotAllowed(f"{remote} does not let us in: {reason}", hint=hint)
    if _DECLINED.search(said):
        return NotAllowed(f"{remote} declined: {reason}", hint="check the push right and the branch protection")
    return OutOfReach(
        f"{remote} cannot be reached: {reason}", hint="check `git remote -v` and the network, then run again"
    )


def _reason(said: bytes) -> str:
    """The line that says why: what the other side has to say of it, else what became of a ref, else what git says."""
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines()]
    lines = [line for line in lines if re.search(r"\w", line.removeprefix("remote:"))]
    telling = [r"remote:", r"!(?!.*atomic push fail)", r"fatal|error|ssh:|.*Permission denied \("]
    ranked = [line for word in telling for line in lines if re.match(word, line)]
    return next(iter(ranked or lines), "no message")
