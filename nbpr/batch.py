"""A batch: several pieces of work at a time, on whatever executor, with results in the order that was asked for."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: How many notebooks run at a time at most, unless somebody says so: each takes a kernel's memory.
MOST_JOBS = 4


def default_jobs() -> int:
    """As many as there are cores for us, and no more than `MOST_JOBS`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, MOST_JOBS))


def results(
    work: Callable[[Item, threading.Event], Result],
    items: Sequence[Item],
    jobs: int,
    *,
    is_enough: Callable[[Result], bool] = lambda result: False,
    executor: Callable[[int], Executor] = ThreadPoolExecutor,
) -> list[Result | None]:
    """The results of `work` on the items, in their order, `jobs` at a time; None for what was never begun.

    `work` gets an event that is set when it is to stop. That is so once a result `is_enough` (nothing more is begun
    then), when one raises, or when the user interrupts; what has begun is waited for. `executor` makes what
    carries it out.
    """
    stop = threading.Event()
    with executor(max(1, jobs)) as pool:
        waiting = [pool.submit(_unless_stopped, work, item, stop, is_enough) for item in items]
        try:
            _wait(waiting)
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [each.result() for each in waiting]


def _unless_stopped(
    work: Callable[[Item, threading.Event], Result],
    item: Item,
    stop: threading.Event,
    is_enough: Callable[[Result], bool],
) -> Result | None:
    if stop.is_set():
        return None
    result = work(item, stop)
    if is_enough(result):
        stop.set()
    return result


def _wait(waiting: Sequence[Future[Result | None]]) -> None:
    """Wait for all of them; the first that raises is raised at once."""
    left = set(waiting)
    while left:
        done, left = wait(left, return_when=FIRST_COMPLETED)
        for each in done:
            each.result()
