"""Long output on a terminal goes through a pager, as git's does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping

from nbpr import process, redaction


def page(text: str, paged: bool, environ: Mapping[str, str] = os.environ) -> None:
    """Write `text` to stdout, where `paged` through `$PAGER`, else `less -FRX`; plainly where that is none."""
    words = environ.get("PAGER", "less -FRX").split() if paged else []
    if not words or words == ["cat"] or not _through(words, text, environ):
        sys.stdout.write(text)


def _through(words: list[str], text: str, environ: Mapping[str, str]) -> bool:
    """Whether the pager could be started. It gets ^C for itself, and may end before it has read everything."""
    sys.stdout.flush()
    try:
        pager = subprocess.Popen(words, stdin=subprocess.PIPE, env={"LESS": "FRX", **process.without_tokens(environ)})
    except OSError:
        return False
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pager.communicate(redaction.known(text).encode("utf-8", "replace"))
    finally:
        signal.signal(signal.SIGINT, before)
    return True
