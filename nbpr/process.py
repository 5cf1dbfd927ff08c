"""Starting processes: which environment they get, and what their failure says."""

from __future__ import annotations

import math
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from nbpr import redaction
from nbpr.errors import BadInput, NbprError

#: What a kernel may know of the environment it is started from. Anything else, tokens above all, stays here.
KERNEL_VARIABLES = frozenset(
    """
    PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR TEMP TMP SYSTEMROOT VIRTUAL_ENV
    CONDA_PREFIX CONDA_DEFAULT_ENV LD_LIBRARY_PATH DYLD_LIBRARY_PATH JAVA_HOME R_HOME R_LIBS
    R_LIBS_USER SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE NO_PROXY no_proxy
    MPLBACKEND MPLCONFIGDIR PYTHONHASHSEED PYTHONUTF8 PYTHONIOENCODING SOURCE_DATE_EPOCH
    CUDA_VISIBLE_DEVICES OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS NUMEXPR_NUM_THREADS
    XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_RUNTIME_DIR JUPYTER_PATH JUPYTER_DATA_DIR
    """.split()
)

#: What holds a token of a forge. No process that we start has them, but a git that asks helpers of the user's.
TOKEN_VARIABLES = tuple(
    """
    NBPR_TOKEN GITEA_TOKEN FORGEJO_TOKEN GH_TOKEN GITHUB_TOKEN GH_ENTERPRISE_TOKEN GITHUB_ENTERPRISE_TOKEN
    GITLAB_TOKEN CI_JOB_TOKEN ACTIONS_RUNTIME_TOKEN ACTIONS_ID_TOKEN_REQUEST_TOKEN
    """.split()
)


@dataclass(frozen=True)
class Completed:
    """A process that ended: what it was, how it ended, what it wrote."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text, without the last newline."""
        return self.stdout.decode("utf-8", "replace").removesuffix("\n")

    @property
    def complaint(self) -> str:
        """The last line of standard error, which is where programs say why."""
        lines = self.stderr.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""


class ProcessFailed(NbprError):
    """A process ended with a code that its caller did not accept; `completed` is what is known of it."""

    def __init__(self, completed: Completed) -> None:
        words = [
            word for option, word in pairwise(("", *completed.argv)) if word[:1] != "-" and option not in ("-c", "-C")
        ]
        super().__init__(
            f"{' '.join(words[:2])} failed ({completed.returncode}): {completed.complaint or 'no message'}"
        )
        self.completed = completed


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float | None = None,
    accept: Collection[int] = (0,),
    pass_fds: Collection[int] = (),
    alone: bool = False,
) -> Completed:
    """Run a process to its end, without a shell and without our standard input; without `env`, in ours less tokens.

    It inherits the file descriptors `pass_fds`. `alone`, it has no terminal to ask on, and what it started is ended
    with it after `timeout`. What it leaves running keeps nobody waiting. Raises `ProcessFailed` when its return code is
    not in `accept`, `FileNotFoundError` when there is no such program, `subprocess.TimeoutExpired` after `timeout`
    seconds.
    """
    words = tuple(str(word) for word in argv)
    with subprocess.Popen(
        words,
        cwd=cwd,
        env=without_tokens() if env is None else dict(env),
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=tuple(pass_fds),
        start_new_session=alone,
    ) as started:
        try:
            if stdin:
                _give(started, stdin)
            stdout, stderr = _said(started, timeout)
        except BaseException:  # whatever it is, ^C too, nobody would end the process after us
            _end(started, with_group=alone)
            raise
    completed = Completed(words, started.returncode, stdout, stderr)
    if started.returncode not in accept:
        raise ProcessFailed(completed)
    return completed


def _give(started: subprocess.Popen[bytes], data: bytes) -> None:
    """Write what a process reads, in a thread unless any pipe takes it at once.

    `communicate` would forget the rest where one waits for it in looks, and a file would lie on a disk.
    """
    pipe, started.stdin = started.stdin, None
    assert pipe is not None

    def writing() -> None:
        with suppress(OSError), pipe:  # it may have read enough, or have ended, which its return code tells
            pipe.write(data)

    if len(data) <= _AT_ONCE:
        writing()
    else:
        threading.Thread(target=writing, daemon=True).start()


def _said(started: subprocess.Popen[bytes], timeout: float | None) -> tuple[bytes, bytes]:
    """What a process writes until it ends; one that it leaves in the background, as ssh does, may have its pipes on.

    It is waited for in looks: a signal that comes just before a wait without a limit begins would not end that.
    (`communicate` with a limit looks for the end of the process in sleeps, which each call would pay for.)
    """
    now = time.monotonic()
    until, ended, look = now + (math.inf if timeout is None else timeout), math.inf, now + _LOOK
    said = {pipe.fileno(): bytearray() for pipe in (started.stdout, started.stderr) if pipe is not None}
    with selectors.DefaultSelector() as selector:
        for number in said:
            selector.register(number, selectors.EVENT_READ)
        while selector.get_map() and now < ended + _AFTERWARDS:
            for key, _ in selector.select(max(0.0, min(look, until) - now)):
                said[key.fd] += (read := os.read(key.fd, 65536))
                if not read:
                    selector.unregister(key.fd)
            now = time.monotonic()
            if selector.get_map() and now >= until:
                raise subprocess.TimeoutExpired(started.args, timeout or 0.0)
            if now >= look:
                look = now + _LOOK
                ended = min(ended, now if started.poll() is not None else math.inf)
    started.wait(None if timeout is None else max(0.0, until - now))
    stdout, stderr = map(bytes, said.values())
    return stdout, stderr


#: As many bytes as fit into every pipe that is empty.
_AT_ONCE = 4096
#: How often it is looked whether a process has ended that has its pipes open, in seconds.
_LOOK = 0.2
#: How long what a process wrote may still be on its way when it has ended, in seconds.
_AFTERWARDS = 1.0


def _end(started: subprocess.Popen[bytes], *, with_group: bool) -> None:
    if with_group and hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
    started.kill()


def secrets(environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """The secrets that an environment holds: tokens, and the passwords of proxies."""
    yield from filter(None, map(environ.get, TOKEN_VARIABLES))
    for name, value in environ.items():
        if name.lower().endswith("_proxy") and "@" in value:
            yield from redaction.in_url(value if "://" in value else f"http://{value}")


def without_tokens(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """An environment less its tokens."""
    return {name: value for name, value in environ.items() if name not in TOKEN_VARIABLES}


def blanks(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Empty values for what a process of ours that lives while kernels run has no need to know.

    A git that is asked for objects of a partial clone goes to its remote, so what leads there stays, but for the
    passwords of proxies.
    """
    return {name: "" for name, value in environ.items() if not _is_plain(name, value)}


def _is_plain(name: str, value: str) -> bool:
    if name.startswith("GIT_CONFIG_"):
        return name in _GIT_KEPT  # the others are settings, which in CI may hold a header with a token
    leads = name.startswith(("LC_", "GIT_", "SSH_")) or (name.lower().endswith("_proxy") and "@" not in value)
    return name in KERNEL_VARIABLES or leads


def guard() -> None:
    """Keep this process's memory and environment from others of the same user, a kernel above all (Linux only).

    To be called before a kernel is started, and wherever a token is held. It also means: no core dump, no debugger.
    """
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


_PR_SET_DUMPABLE = 4


def kernel_environment(allow: Collection[str] = (), environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment a kernel gets: an allow-list, the locale, and the names in `allow`.

    Raises `BadInput` for one in `allow` that holds a token of a forge.
    """
    tokens = [name for name in allow if name in TOKEN_VARIABLES]
    if tokens:
        raise BadInput(
            f"execute.env: {tokens[0]} is a forge's token, which no kernel gets",
            hint="give the notebook one of its own, under another name",
        )
    return {
        name: value
        for name, value in environ.items()
        if name in KERNEL_VARIABLES or name.startswith("LC_") or name in allow
    }


def git_environment(environ: Mapping[str, str] = os.environ, *, tokens: bool = False) -> dict[str, str]:
    """The environment of our own git calls; `tokens` too for one that may ask the user's credential helpers.

    No `GIT_*` of the caller's (inside a hook they would point git at another index), no optional locks (a
    `status` of ours must not write the user's index), no prompt, messages in one language.
    """
    given = environ if tokens else without_tokens(environ)
    kept = {name: value for name, value in given.items() if not name.startswith("GIT_") or name in _GIT_KEPT}
    return kept | {
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LFS_SKIP_SMUDGE": "0",
        "LC_ALL": "C.UTF-8",
    }


#: What of `GIT_*` says how to reach a remote or who we are, rather than which repository this is.
_GIT_KEPT = frozenset(
    """
    GIT_SSH GIT_SSH_COMMAND GIT_SSH_VARIANT GIT_ASKPASS GIT_SSL_CAINFO GIT_SSL_CAPATH
    GIT_SSL_NO_VERIFY GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL
    GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_CONFIG_NOSYSTEM GIT_EXEC_PATH GIT_TRACE
    """.split()
)
