"""Delivery: a gate carried out, what it leaves written, and the forge told, in an order in which nothing is said early.

What was written is there before the forge is told, and the status that can be required comes last.
"""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from nbpr.engines import Progress
from nbpr.errors import NbprError, NotAllowed, OutOfReach
from nbpr.forges import http
from nbpr.gate import gate, posting, relay
from nbpr.gate.gate import Ground, Wanted, Watcher
from nbpr.gate.posting import Posting
from nbpr.gate.result import GateResult, Judged
from nbpr.git.repository import Repository

Write = Callable[[GateResult], None]

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL = re.compile(r"No space left|File too large|quota|not allowed to grow", re.IGNORECASE)


def carry_out(
    repository: Repository,
    wanted: Wanted,
    watcher: Watcher,
    *,
    post: bool = False,
    leavings: Path | None = None,
    write: Write = lambda _: None,
) -> GateResult:
    """The result of a gate, or of one that left `leavings`; written, and with `post` told to the forge.

    Where what the gate is for is over already, nothing is looked at, and the forge is told nothing: what was said last
    stays. Raises `OutOfReach` for a forge that does not answer and for a disk that is full: then the forge has no
    verdict.
    """
    if wanted.occasion.over:
        result = GateResult(None, wanted.occasion.head or "", skipped=f"since {wanted.occasion.over}")
        write(result)
        return result
    desk = _Desk(repository, wanted, watcher, is_open=post, is_relay=leavings is not None)
    try:
        if leavings is None:
            result = gate.run(repository, wanted, desk)
        else:
            result = relay.run(repository, wanted, leavings, desk)
        write(result)
        return desk.told(result)
    except OSError as error:
        desk.broken_off(error)
        if error.errno not in _NO_SPACE:
            raise
        raise OutOfReach(
            f"{error.filename or 'the disk'}: {error.strerror}", hint="make room, then run again"
        ) from None
    except NotAllowed as error:
        desk.broken_off(error)
        if not _FULL.search(error.message):
            raise
        raise OutOfReach(error.message, hint=error.hint) from None
    except BaseException as error:
        desk.broken_off(error)
        raise


@dataclass
class _Desk:
    """A watcher that tells the forge as well, if it is open."""

    repository: Repository
    wanted: Wanted
    watcher: Watcher
    is_open: bool
    is_relay: bool = False
    posting: Posting | None = None
    notes: tuple[str, ...] = ()

    def begins(self, ground: Ground) -> None:
        """Find out whom to tell, by base's settings."""
        if self.is_open:
            self.posting, notes = posting.connect(self.repository, ground.rules.config, self.wanted.occasion, ground.at)
            self.notes = tuple(notes)
        self.watcher.begins(ground)

    def runs(self) -> None:
        """Say that the commit is being judged."""
        if self.posting is not None:
            self.posting.pending()
        self.watcher.runs()

    def at_cell(self, path: str, at: Progress) -> None:
        self.watcher.at_cell(path, at)

    def judged(self, found: Judged) -> None:
        self.watcher.judged(found)

    def told(self, result: GateResult) -> GateResult:
        """The result, with what the forge could not be told."""
        if self.posting is not None:
            self.posting.result(result)
            self.notes = (*self.notes, *self.posting.notes)
        return replace(result, notes=(*result.notes, *self.notes))

    def broken_off(self, error: BaseException) -> None:
        """Take back what was said before, as far as the forge can be reached.

        Where another job ran the notebooks, what it left may be all that was wrong: then that is said in any case. Who
        interrupts does not wait for a forge that has to be asked again.
        """
        hurry = threading.Event()
        if isinstance(error, KeyboardInterrupt):
            hurry.set()
        if self.posting is not None:
            with suppress(NbprError, OSError), http.patient_until(hurry):
                self.posting.broken_off(posting.reason(error), always=self.is_relay)
