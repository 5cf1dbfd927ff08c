"""Starting processes: which environment they get, and what their failure says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from nbpr.errors import NbprError

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
) -> Completed:
    """Run a process to its end, without a shell and without our standard input.

    It inherits the file descriptors `pass_fds`. Raises `ProcessFailed` when its return code is not in `accept`,
    `FileNotFoundError` when there is no such program, `subprocess.TimeoutExpired` after `timeout` seconds.
    """
    words = tuple(str(word) for word in argv)
    done = subprocess.run(
        words,
        cwd=cwd,
        env=None if env is None else dict(env),
        timeout=timeout,
        input=stdin if stdin is not None else b"",
        capture_output=True,
        check=False,
        pass_fds=tuple(pass_fds),
    )
    completed = Completed(words, done.returncode, done.stdout, done.stderr)
    if done.returncode not in accept:
        raise ProcessFailed(completed)
    return completed


def kernel_environment(allow: Collection[str] = (), environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment a kernel gets: an allow-list, the locale, and the names in `allow`."""
    return {
        name: value
        for name, value in environ.items()
        if name in KERNEL_VARIABLES or name.startswith("LC_") or name in allow
    }


def git_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of our own git calls.

    No `GIT_*` of the caller's (inside a hook they would point git at another index), no optional locks (a
    `status` of ours must not write the user's index), no prompt, messages in one language.
    """
    kept = {name: value for name, value in environ.items() if not name.startswith("GIT_") or name in _GIT_KEPT}
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
