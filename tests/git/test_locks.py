"""Locks: one holder at a time, inherited by git's children, freed with their holder."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

from nbpr.git import locks


def test_one_holder_at_a_time_and_nothing_is_left(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "a.lock"
    inside: list[str] = []

    def work(name: str) -> None:
        with locks.lock(place):
            inside.append(name)
            time.sleep(0.01)
            assert inside[-1] == name

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(inside) == 20
    assert not place.exists()


def test_whoever_has_to_wait_is_told(tmp_path: Path) -> None:
    place, told = tmp_path / "a.lock", []
    with locks.lock(place) as waited:
        assert not waited
        assert not locks.is_free(place)
        other = threading.Thread(target=lambda: told.append(enter(place, told)))
        other.start()
        time.sleep(0.2)
        assert told == ["waiting"]
    other.join()
    assert told == ["waiting", True]
    assert locks.is_free(place)


def enter(place: Path, told: list[object]) -> bool:
    with locks.lock(place, lambda: told.append("waiting")) as waited:
        return waited


def test_a_child_of_ours_holds_it_until_it_ends(tmp_path: Path) -> None:
    place = tmp_path / "a.lock"
    code = "import sys, time; print('up', flush=True); sys.stdin.read()"
    with locks.lock(place):
        fds = locks.descriptors()
        child = subprocess.Popen(
            [sys.executable, "-c", code], pass_fds=fds, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
    place.touch()  # its file went with our hold of it; the child holds what has no name any more
    assert locks.is_free(place)
    child.communicate(b"")


def test_whoever_waits_does_not_wait_for_a_daemon_that_our_git_started(tmp_path: Path) -> None:
    place, told, took = tmp_path / "a.lock", threading.Event(), threading.Event()

    def wait() -> None:
        with locks.lock(place, told.set):
            took.set()

    with locks.lock(place):
        daemon = subprocess.Popen(["sleep", "600"], pass_fds=locks.descriptors())
        other = threading.Thread(target=wait)
        other.start()
        assert told.wait(10)
        time.sleep(0.1)
    try:
        assert took.wait(30)
    finally:
        daemon.kill()
        daemon.wait()
        other.join()


def test_the_lock_of_a_killed_process_is_free_and_discarded(tmp_path: Path) -> None:
    place = tmp_path / "a.lock"
    code = f"""
import sys, time
from pathlib import Path
from nbpr.git import locks
with locks.lock(Path({str(place)!r})):
    print("up", flush=True)
    time.sleep(60)
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    locks.discard(place)
    assert place.exists()
    child.kill()
    child.communicate()
    assert locks.is_free(place)
    locks.discard(place)
    assert not place.exists()


def test_locks_of_other_threads_do_not_reach_our_children(tmp_path: Path) -> None:
    """They may be closed while the child is being started, which would fail with a bad file descriptor."""
    held, enough = threading.Event(), threading.Event()
    theirs: list[tuple[int, ...]] = []

    def hold() -> None:
        with locks.lock(tmp_path / "theirs.lock"):
            theirs.append(locks.descriptors())
            held.set()
            enough.wait(10)

    with locks.lock(tmp_path / "ours.lock"):
        thread = threading.Thread(target=hold)
        thread.start()
        held.wait(10)
        ours = locks.descriptors()
        enough.set()
        thread.join()
    assert len(ours) == 1
    assert set(ours) < set(theirs[0])
