"""Git's names and objects: how git is called, what it has stored, and how more is stored.

Writes go through git itself in an environment of ours: the user's hooks silenced, `GIT_*` scrubbed, no optional
locks, no prompts. Objects are read through GitPython's standing `cat-file` process, which saves a process a read.
"""

from __future__ import annotations

import os
import re
import select
import signal
import tempfile
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbpr import process
from nbpr.errors import BadInput, NbprError, NotAllowed, OutOfReach
from nbpr.git import locks
from nbpr.git.credentials import handed_over
from nbpr.process import Completed, ProcessFailed
from nbpr.steps import step

if TYPE_CHECKING:
    from nbpr.tokens import Token

#: Said on every call: no hook, no file system monitor and no housekeeping of the user's runs inside our calls.
QUIET = (
    "-c", f"core.hooksPath={os.devnull}",
    "-c", "core.fsmonitor=false",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
    "-c", "core.quotePath=false",
    "-c", "advice.detachedHead=false",
    "-c", "submodule.recurse=false",
)  # fmt: skip

NOTHING = "0" * 40

#: The modes of plain files.
FILES = ("100644", "100755")

#: The git commands that write something that outlives them.
_WRITES = frozenset(
    """hash-object read-tree update-index write-tree commit-tree update-ref push fetch worktree clone checkout
    checkout-index merge commit add config""".split()
)


#: Those whose failure may be the other side's, which says more of it.
_REMOTE = frozenset({"push", "fetch", "ls-remote"})

#: What git says when the file system refuses.
_REFUSED = re.compile(
    rb"No space left|File too large|Disk quota|Read-only file system|Permission denied|insufficient permission"
)


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


class Objects:
    """What git has stored for a checkout: `root` is its top folder, `git_dir` and `common_dir` as git has them."""

    def __init__(self, root: Path, git_dir: Path, common_dir: Path) -> None:
        self.root = root
        self.git_dir = git_dir
        self.common_dir = common_dir
        #: The folder of our own that the command under way works in, if it has one.
        self.work: Path | None = None
        self._reading = threading.Lock()

    @property
    def own_dir(self) -> Path:
        """The folder under the git directory where nbpr keeps its things."""
        return self.common_dir / "nbpr"

    # -- calling git ---------------------------------------------------------------------------------------

    def run(
        self,
        *words: str | Path,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        accept: Collection[int] = (0,),
        settings: Sequence[str] = (),
        cwd: Path | None = None,
        token: Token | None = None,
    ) -> Completed:
        """Run git with `words` in the checkout (or `cwd`); `settings` are further `-c` values, `token` is handed over.

        Raises `ProcessFailed` when git's return code is not in `accept`.
        """
        boundary = step(f"git {words[0]}") if words[0] in _WRITES else nullcontext()
        with boundary, handed_over(token) as handover:
            extra = [word for setting in (*settings, *handover.settings) for word in ("-c", setting)]
            argv = ["git", *QUIET, *extra, "-C", cwd or self.root, *words]
            asks_others = words[0] in _REMOTE and not handover.descriptors
            environment = {**process.git_environment(tokens=asks_others), **(env or {})}
            inherited = (*locks.descriptors(), *handover.descriptors)
            try:
                return process.run(argv, env=environment, stdin=stdin, accept=accept, pass_fds=inherited)
            except ProcessFailed as failure:
                if words[0] in _REMOTE or not _is_refused(failure.completed):
                    raise
                message = f"git {words[0]}: {failure.completed.complaint or 'a file was not allowed to grow'}"
                raise NotAllowed(message, hint="see the space and the permissions there") from None

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
        form = "%H%x00%P%x00%an <%ae>%x00%B%x00%(trailers:only,unfold)"
        listed = self.git("log", "-z", "--topo-order", f"--format=tformat:{form}", "--end-of-options", *range_words)
        # NUL ends fields and records alike; it is the one character that no commit can hold.
        parts = listed.split("\0")
        return [_commit(parts[at : at + 5]) for at in range(0, len(parts) - 4, 5)]

    def only_in(self, head: str, *others: str, most: int) -> dict[str, tuple[str, ...]]:
        """The commits that are reachable from `head` and from none of the others, with their parents.

        The newest come first, and `most` at most.
        """
        listed = self.git("rev-list", "--parents", f"--max-count={most}", head, "--not", *others)
        return {sha: tuple(parents) for sha, *parents in map(str.split, listed.splitlines())}

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

        # Not that of a `git.Repo`, which ends its processes when it is collected, whoever waits for an answer then.
        command = git.Git(self.root)
        # GitPython adds to our own environment, and its process lives while kernels run: what it need not know goes.
        blank = {**process.blanks(), **dict.fromkeys(process.TOKEN_VARIABLES, "")}
        command.update_environment(**{**process.git_environment(), **blank}, GIT_DIR=str(self.git_dir))
        return command

    @contextmanager
    def _standing(self) -> Iterator[Any]:
        """The standing process, for one question: whoever asks beside another would wait for an answer that he took.

        Raises `OutOfReach` where the object is still at the remote of a partial clone that cannot be reached,
        `NbprError` where the process ended instead of an answer.
        """
        with self._reading:
            try:
                yield self._objects
            except BaseException as error:
                ended = self._ended()
                if ended is None and isinstance(error, ValueError):
                    raise  # there is no such object, which was its whole answer
                # Whatever of the answer was not read would be the next one's.
                self._objects.clear_cache()
                if isinstance(error, ValueError | EOFError | BrokenPipeError):
                    raise _unanswered(ended) from None
                raise

    def _ended(self) -> Completed | None:
        """The standing process, if it has ended: GitPython takes that for the answer that there is no such object."""
        for each in filter(None, (self._objects.cat_file_all, self._objects.cat_file_header)):
            # A whole answer was read to its end, so that nothing but the end of all can be there to be read.
            poll = select.poll()
            poll.register(each.stdout, select.POLLIN)
            if poll.poll(0) and not each.stdout.peek(1):
                os.set_blocking(each.stderr.fileno(), False)  # what it started may still have it open
                return Completed(("git", "cat-file"), each.proc.wait(), b"", each.stderr.read() or b"")
        return None

    def _content(self, name: str) -> tuple[bytes | str, bytes]:
        """The kind and the content of an object. Raises `ValueError` where there is none."""
        with self._standing() as process:
            _, kind, size, data = process.get_object_data(name)
            if len(data) < size:
                raise EOFError
        return kind, data

    def read(self, commit: str, path: str) -> bytes | None:
        """The content of `path` in `commit` (as git stores it, unfiltered), or None if there is no such file."""
        if "\n" in path:
            raise BadInput(f"{path!r}: paths with line breaks are not supported")
        try:
            kind, data = self._content(f"{commit}:{path}")
        except ValueError:
            return None
        return data if kind in (b"blob", "blob") else None

    def changed_paths(self, old: str, new: str, *, merge_base: bool = False) -> list[str]:
        """The paths that differ between two commits, or with `merge_base` since `new` left `old`."""
        words = ("diff-tree", "-r", "-z", "--name-only", "--no-renames")
        start = (self.merge_base(old, new) or old) if merge_base else old
        listed = self.run(*words, start, new).stdout
        return [path for path in listed.decode("utf-8", "surrogateescape").split("\0") if path]

    def changed_lines(self, old: str, new: str, *paths: str) -> list[range]:
        """The lines, from 1, in which the last of `paths` differs in `new` from what `old` has there.

        More paths than one are for a file that was elsewhere before. Binary or not, and whatever attributes say, it
        is compared line by line, as forges do.
        """
        words = ("diff", "--unified=0", "--no-color", "--no-ext-diff", "--no-textconv", "--text", "-M", old, new, "--")
        said = self.run(*words, *(f":(top,literal){path}" for path in paths)).stdout
        found = re.findall(rb"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", said, re.MULTILINE)
        return [range(int(first), int(first) + int(count or 1)) for first, count in found if count != b"0"]

    def entry_at(self, commit: str, path: str) -> Entry | None:
        """What stands at `path` in `commit`: a file, a link or a submodule; None for a folder, or nothing."""
        found = self.entries(commit, path)
        return found[0] if len(found) == 1 and found[0].path == path else None

    def sha_at(self, commit: str, path: str) -> str | None:
        """The id of what stands at `path` in `commit`, or None."""
        found = self.entry_at(commit, path)
        return found.sha if found else None

    def was_deleted(self, path: str, commit: str) -> bool:
        """Whether a commit before `commit` took `path` away."""
        return bool(self.git("log", "-1", "--format=%H", "--diff-filter=D", "--no-renames", commit, "--", path))

    def tree_of(self, commit: str) -> str:
        """The id of a commit's tree."""
        return self.git("rev-parse", commit + "^{tree}")

    def read_blob(self, sha: str) -> bytes:
        """The content of a blob."""
        return self._content(sha)[1]

    def size_of_blob(self, sha: str) -> int | None:
        """How many bytes a blob has; None if git does not have it here."""
        try:
            with self._standing() as process:
                size: int = process.get_object_header(sha)[2]
        except ValueError:
            return None
        return size

    def entries(self, commit: str, *paths: str) -> list[Entry]:
        """Every file of `commit`, or those below `paths`."""
        listed = self.run("ls-tree", "-r", "-z", "--full-tree", commit, "--", *paths).stdout
        return [_entry(line) for line in listed.decode("utf-8", "surrogateescape").split("\0") if line]

    # -- writing objects -----------------------------------------------------------------------------------

    def blob_entry(self, path: str, data: bytes, mode: str = "100644") -> Entry:
        """A blob written, byte for byte, as an entry for `path`."""
        return Entry(mode, self.store(data), path)

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
        with tempfile.TemporaryDirectory(prefix="index-", dir=self.work) as folder:
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


def _is_refused(completed: Completed) -> bool:
    """Whether the file system stood in the way: git says so, or was ended for writing over a limit on file sizes."""
    return completed.returncode == -getattr(signal, "SIGXFSZ", 0) or bool(_REFUSED.search(completed.stderr))


def _unanswered(ended: Completed | None) -> NbprError:
    said = ended.stderr if ended else b""
    message = f"git cat-file ended without an answer: {(ended and ended.complaint) or 'no message'}"
    if b"promisor remote" in said:
        return OutOfReach(message, hint="a partial clone: check `git remote -v` and the network, then run again")
    if _REFUSED.search(said):
        return NotAllowed(message, hint="see the space and the permissions there")
    return NbprError(message, hint="run again; if it stays so, `git fsck` says what is wrong with the repository")


def _commit(record: Sequence[str]) -> Commit:
    sha, parents, author, message, trailers = record
    pairs = (line.partition(": ") for line in trailers.splitlines() if ": " in line)
    return Commit(sha, tuple(parents.split()), author, message, tuple((k, v) for k, _, v in pairs))


def _entry(line: str) -> Entry:
    facts, _, path = line.partition("\t")
    mode, _, sha = facts.split(" ")
    return Entry(mode, sha, path)
