"""A batch: several pieces of work at a time, on whatever executor, with results in the order that was asked for."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: How many notebooks run at a time at most, unless somebody says so: each takes a kernel's memory.
MOST_JOBS = 4
#: How often one that waits looks whether all is to stop, in seconds. A signal that comes when the main thread is about
#: to block is noticed only when it wakes again, so that it never waits without a limit.
_LOOK = 0.2


def default_jobs() -> int:
    """As many as there are cores for us, and no more than `MOST_JOBS`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, MOST_JOBS))


class NotBegun(Exception):
    """The work was not to begin any more when its turn came."""


class _Queue:
    """Who has begun and waits for a turn, by number, and how many more may have theirs."""

    def __init__(self, jobs: int) -> None:
        self.free = jobs
        self.waiting: set[int] = set()
        self.changed = threading.Condition()

    def leave(self, number: int) -> None:
        """Let the others pass one that takes no turn, or has taken it."""
        with self.changed:
            self.waiting.discard(number)
            self.changed.notify_all()


class Turn:
    """The turn of one piece of work, of which only so many have theirs at a time; `stop` as `results` has it.

    What gets ready before its turn is ready by then. Turns come in the order in which the pieces were given.
    """

    def __init__(self, queue: _Queue, number: int, stop: threading.Event) -> None:
        self._queue = queue
        self._number = number
        self.stop = stop

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Be among those that are waited for, until the turn was taken or the block ends without one."""
        with self._queue.changed:
            self._queue.waiting.add(self._number)
        try:
            yield
        finally:
            self._queue.leave(self._number)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn, and give it back at the end of the block. Raises `NotBegun` where all is to stop."""
        queue = self._queue
        with queue.changed:
            queue.waiting.add(self._number)
            while not self.stop.is_set() and not (queue.free and self._number == min(queue.waiting)):
                queue.changed.wait(_LOOK)
            if self.stop.is_set():
                raise NotBegun
            queue.free -= 1
        queue.leave(self._number)
        try:
            yield
        finally:
            with queue.changed:
                queue.free += 1
                queue.changed.notify_all()


def ahead(jobs: int) -> int:
    """How many may get ready while `jobs` have their turn. None where one comes after the other, by their order."""
    return 1 if jobs > 1 else 0


def results(
    work: Callable[[Item, Turn], Result],
    items: Sequence[Item],
    jobs: int,
    *,
    is_enough: Callable[[Result], bool] = lambda result: False,
    executor: Callable[[int], Executor] = ThreadPoolExecutor,
) -> list[Result | None]:
    """The results of `work` on the items, in their order, `jobs` at a time; None for what was never begun.

    `work` is begun for one more than have their turn, and takes its turn itself. It gets an event that is set when
    it is to stop. That is so once a result `is_enough` (nothing more is begun then), when one raises, or when the
    user interrupts; what has begun is waited for. `executor` makes what carries it out.
    """
    stop = threading.Event()
    queue = _Queue(max(1, jobs))
    turns = [Turn(queue, number, stop) for number in range(len(items))]
    with executor(max(1, jobs) + ahead(jobs)) as pool:
        asked = zip(items, turns, strict=True)
        try:
            waiting = [pool.submit(_unless_stopped, work, item, turn, is_enough) for item, turn in asked]
            _wait(waiting)
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [each.result() for each in waiting]


def _unless_stopped(
    work: Callable[[Item, Turn], Result],
    item: Item,
    turn: Turn,
    is_enough: Callable[[Result], bool],
) -> Result | None:
    if turn.stop.is_set():
        return None
    with turn.begun():
        try:
            result = work(item, turn)
        except NotBegun:
            return None
    if is_enough(result):
        turn.stop.set()
    return result


def _wait(waiting: Sequence[Future[Result | None]]) -> None:
    """Wait for all of them; the first that raises is raised at once."""
    ended = _ended(*waiting)
    for _ in waiting:
        while (each := _next(ended, _LOOK)) is None:
            pass
        each.result()


def ends(work: Future[Any], seconds: float = math.inf) -> bool:
    """Whether a piece of work ends within so many seconds, however it does; an interrupt is heeded meanwhile."""
    ended, until = _ended(work), time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if _next(ended, min(_LOOK, left)):
            return True
    return work.done()


def outcome(work: Future[Result]) -> Result:
    """The result of a piece of work, or what it raised; an interrupt is heeded while it is waited for."""
    ends(work)
    return work.result()


def _ended(*works: Future[Result]) -> SimpleQueue[Future[Result]]:
    """Where pieces of work come as they end. No lock of Python's is held while one waits there, which an interrupt
    could leave locked.
    """
    ended: SimpleQueue[Future[Result]] = SimpleQueue()
    for work in works:
        work.add_done_callback(ended.put)
    return ended


def _next(ended: SimpleQueue[Future[Result]], seconds: float) -> Future[Result] | None:
    try:
        return ended.get(timeout=seconds)
    except Empty:
        return None
