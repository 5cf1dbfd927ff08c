"""A batch: order, how many at a time, when it stops, and that any executor will do."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from nbpr import batch


def test_as_many_at_once_as_are_wanted_and_in_their_order() -> None:
    meeting = threading.Barrier(2, timeout=10)

    def work(item: int, turn: batch.Turn) -> int:
        with turn.taken():
            meeting.wait()
            return item * 2

    assert batch.results(work, [1, 2, 3, 4], 2) == [2, 4, 6, 8]


def test_never_more_at_once() -> None:
    room = threading.BoundedSemaphore(2)

    def work(item: int, turn: batch.Turn) -> bool:
        with turn.taken():
            fits = room.acquire(blocking=False)
            threading.Event().wait(0.01)
            room.release()
            return fits

    assert batch.results(work, list(range(20)), 2) == [True] * 20


def test_one_more_gets_ready_while_others_have_their_turn() -> None:
    ready = threading.Barrier(3, timeout=10)

    def work(item: int, turn: batch.Turn) -> int:
        if item < 3:
            ready.wait()
        with turn.taken():
            return item

    assert batch.results(work, list(range(5)), 2) == list(range(5))


def test_turns_come_in_order_whoever_is_ready_first() -> None:
    begun = threading.Event()
    seen: list[int] = []

    def work(item: int, turn: batch.Turn) -> None:
        if item == 0:
            assert begun.wait(10)
            threading.Event().wait(0.05)
        elif item == 2:
            begun.set()
        if item == 1:
            return  # it needs no turn, and holds nobody up
        with turn.taken():
            seen.append(item)

    batch.results(work, [0, 1, 2, 3], 2)
    assert seen == [0, 2, 3]


def test_one_by_one_nothing_is_looked_at_before_the_one_before_has_ended() -> None:
    seen: list[str] = []

    def work(item: int, turn: batch.Turn) -> None:
        seen.append(f"looked at {item}")
        with turn.taken():
            threading.Event().wait(0.01)
            seen.append(f"ran {item}")

    batch.results(work, [0, 1, 2], 1)
    assert seen == [f"{did} {item}" for item in range(3) for did in ("looked at", "ran")]


def test_what_was_ready_and_is_not_to_begin_any_more_was_never_begun() -> None:
    ready = threading.Event()

    def work(item: int, turn: batch.Turn) -> str:
        if item == 2:
            ready.set()
        with turn.taken():
            assert item != 2
            if item == 0:
                return "stopped" if turn.stop.wait(30) else "never told"
            assert ready.wait(30)
            return "failed"

    found = batch.results(work, [0, 1, 2, 3], 2, is_enough=lambda result: result == "failed")
    assert found == ["stopped", "failed", None, None]


def test_what_is_enough_keeps_the_rest_from_beginning() -> None:
    assert batch.results(lambda item, turn: item, [1, 2, 3], 1, is_enough=lambda item: item == 2) == [1, 2, None]


def test_what_has_begun_is_told_to_stop_and_waited_for() -> None:
    begun = threading.Event()

    def work(item: int, turn: batch.Turn) -> str:
        if item == 0:
            begun.set()
            return "stopped" if turn.stop.wait(30) else "never told"
        assert begun.wait(30)
        return "failed"

    found = batch.results(work, [0, 1], 2, is_enough=lambda result: result == "failed")
    assert found == ["stopped", "failed"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_one_that_raises_ends_the_others(error: type[BaseException]) -> None:
    begun, told = threading.Event(), []

    def work(item: int, turn: batch.Turn) -> None:
        if item == 0:
            begun.set()
            told.append(turn.stop.wait(30))
        else:
            assert begun.wait(30)
            raise error

    with pytest.raises(error):
        batch.results(work, [0, 1, 2, 3], 2)
    assert told == [True]


class InterruptedBySubmit(ThreadPoolExecutor):
    """An executor whose third piece of work is given to it as the user interrupts."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        given = super().submit(fn, *args, **kwargs)
        if args[1] == 2:
            signal.raise_signal(signal.SIGINT)
        return given


def test_an_interrupt_before_all_was_asked_for_ends_what_has_begun() -> None:
    told = []

    def work(item: int, turn: batch.Turn) -> None:
        told.append(turn.stop.wait(30))

    with pytest.raises(KeyboardInterrupt):
        batch.results(work, range(12), 2, executor=InterruptedBySubmit)
    assert told
    assert all(told)


@pytest.fixture
def interrupt_unnoticed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Interrupts the main thread, once it waits, as where a signal comes just before it blocks: nothing wakes it."""
    waits, wait = threading.Event(), batch._next

    def waiting(*asked: Any) -> Any:
        waits.set()
        return wait(*asked)

    def interrupt() -> None:
        assert waits.wait(30)
        threading.Event().wait(0.05)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    monkeypatch.setattr(batch, "_next", waiting)
    # Ours, which a test of the command line may have left here, passes over what comes soon after another.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield interrupt
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_that_wakes_nobody_is_noticed(interrupt_unnoticed: Callable[[], None]) -> None:
    told = []

    def work(item: int, turn: batch.Turn) -> None:
        interrupt_unnoticed()
        told.append(turn.stop.wait(30))

    with pytest.raises(KeyboardInterrupt):
        batch.results(work, [0], 1)
    assert told == [True]


def test_an_interrupt_is_noticed_while_one_waits_for_a_single_piece_of_work(
    interrupt_unnoticed: Callable[[], None],
) -> None:
    halt, told = threading.Event(), []

    def work() -> None:
        interrupt_unnoticed()
        told.append(halt.wait(30))

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(KeyboardInterrupt):
            batch.outcome(pool.submit(work))
        halt.set()
    assert told == [True]


def test_a_single_piece_of_work_that_takes_too_long_is_told_from_one_that_raises_the_same() -> None:
    late, raising = Future[None](), Future[None]()
    raising.set_exception(TimeoutError("of its own"))
    assert not batch.ends(late, 0.01)
    assert batch.ends(raising, 0)
    with pytest.raises(TimeoutError, match="of its own"):
        batch.outcome(raising)


class Synchronous(Executor):
    """An executor without threads: whatever has `submit` will do."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        made: Future[Any] = Future()
        made.set_result(fn(*args, **kwargs))
        return made


def test_another_executor_can_be_put_in_its_place() -> None:
    made: list[Synchronous] = []

    def executor(jobs: int) -> Synchronous:
        made.append(Synchronous(jobs))
        return made[-1]

    assert batch.results(lambda item, turn: item + 1, [1, 2], 7, executor=executor) == [2, 3]
    assert [each.jobs for each in made] == [8]


def test_the_default_is_a_job_for_each_core_and_at_most_four(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, jobs in ((1, 1), (2, 2), (64, 4)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, n=cores: set(range(n)), raising=False)
        assert batch.default_jobs() == jobs
