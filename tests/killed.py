"""A command of nbpr that dies at one of its boundaries, for tests that kill: `python -m tests.killed AT WHOM …`.

AT is the how-manieth boundary (0: none, and their names are written to stderr), WHOM is `self` or `group`.
"""

from __future__ import annotations

import os
import signal
import sys

from nbpr import steps
from nbpr.cli.main import run


def main() -> int:
    at, whom, words = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    passed: list[str] = []

    def listener(name: str) -> None:
        passed.append(name)
        if len(passed) != at:
            return
        if whom == "group":
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    steps.listener = listener
    code = run(words)
    if at == 0:
        sys.stderr.write("\n".join(passed) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
