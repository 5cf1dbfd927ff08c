"""The run cache on disk: nothing torn is read, whoever is killed, however many write, and it keeps to its size."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.runs import runcache
from nbpr.runs.runcache import FORMAT, RUN, RunCache, digest

KEY, OTHER = digest("one"), digest("other")
VALUE = {"text": "é" * 100, "list": [1, None, True]}


@pytest.fixture
def cache(tmp_path: Path) -> RunCache:
    return RunCache(tmp_path / "cache")


def file_of(cache: RunCache) -> Path:
    (found,) = [path for path in cache.folder.iterdir() if path.suffix == ".run"]
    return found


def test_what_is_written_is_read_by_kind_and_key(cache: RunCache) -> None:
    assert cache.read(RUN, KEY) is None
    assert cache.write(RUN, KEY, VALUE, notebook="a.ipynb")
    assert cache.read(RUN, KEY) == VALUE
    assert cache.read(RUN, OTHER) is None
    assert cache.read(FORMAT, KEY) is None
    (kept,) = cache.listed()
    assert kept.as_json() | {"used": ""} == {
        "kind": "run", "key": KEY, "size": file_of(cache).stat().st_size, "used": "", "notebook": "a.ipynb",
    }  # fmt: skip
    cache.drop(RUN, KEY)
    assert cache.read(RUN, KEY) is None


def test_only_its_owner_reads_it(cache: RunCache) -> None:
    cache.write(RUN, KEY, VALUE)
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert file_of(cache).stat().st_mode & 0o777 == 0o600


@given(at=st.integers(0, 10**6), flip=st.integers(1, 255), cut=st.booleans())
def test_a_torn_or_changed_entry_is_never_read_and_goes(
    tmp_path_factory: pytest.TempPathFactory, at: int, flip: int, cut: bool
) -> None:
    cache = RunCache(tmp_path_factory.mktemp("torn"))
    cache.write(RUN, KEY, VALUE)
    place = file_of(cache)
    whole = place.read_bytes()
    at %= len(whole)
    place.write_bytes(whole[:at] if cut else whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
    assert cache.read(RUN, KEY) is None
    assert not place.exists()


def test_a_sound_entry_under_another_name_is_not_that(cache: RunCache) -> None:
    cache.write(RUN, KEY, VALUE)
    file_of(cache).rename(cache.folder / f"{OTHER[7:]}.run")
    assert cache.read(RUN, OTHER) is None


def test_what_is_too_old_is_not_read(cache: RunCache) -> None:
    cache.write(RUN, KEY, VALUE)
    assert RunCache(cache.folder, max_age=-1).read(RUN, KEY) is None
    assert cache.read(RUN, KEY) == VALUE


def aged(cache: RunCache, kind: str, key: str, seconds: float) -> None:
    moment = time.time() - seconds
    os.utime(cache.folder / f"{key[7:]}.{kind}", (moment, moment))


def test_what_was_not_used_for_the_longest_goes_first(tmp_path: Path) -> None:
    keys = [digest(number) for number in range(4)]
    cache = RunCache(tmp_path, max_size=10**6)
    for number, key in enumerate(keys[:3]):
        cache.write(RUN, key, {"noise": os.urandom(1000).hex()})
        aged(cache, RUN, key, 1000 - number)
    assert cache.read(RUN, keys[0]) is not None  # used now, so the second is the oldest
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    small = RunCache(tmp_path, max_size=size + 100)
    assert small.write(RUN, keys[3], {"noise": os.urandom(1000).hex()})
    assert [key for key in keys if small.read(RUN, key) is None] == [keys[1]]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= size + 100


def test_what_is_larger_than_all_of_it_is_not_kept(tmp_path: Path) -> None:
    cache = RunCache(tmp_path / "cache", max_size=200)
    assert not cache.write(RUN, KEY, {"noise": os.urandom(1000).hex()})
    assert not cache.folder.exists()


def test_it_never_fails_a_command(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    cache = RunCache(tmp_path / "cache")
    assert not cache.write(RUN, KEY, VALUE)
    assert cache.read(RUN, KEY) is None
    assert (cache.listed(), cache.clear(), len(cache.salt)) == ([], 0, 32)


def test_a_disk_that_is_full_leaves_what_was_there(cache: RunCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write(RUN, KEY, VALUE)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert not cache.write(RUN, KEY, {"other": 1})
    assert cache.read(RUN, KEY) == VALUE
    assert [path.name for path in cache.folder.iterdir()] == [file_of(cache).name]


def test_clearing_takes_all_but_the_salt(cache: RunCache) -> None:
    salt = cache.salt
    cache.write(RUN, KEY, VALUE)
    cache.write(FORMAT, KEY, VALUE)
    assert cache.clear() == 2
    assert cache.listed() == []
    assert cache.salt == salt


def test_the_salt_is_one_for_all_and_none_of_another_s(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: RunCache(tmp_path / "cache").salt, range(32)))
    assert len(found) == 1
    assert RunCache(tmp_path / "other").salt not in found


def test_keys_are_digests_and_no_paths(cache: RunCache) -> None:
    for kind, key in ((RUN, "../../x"), ("../x", KEY), (RUN, "sha256:" + "A" * 64)):
        with pytest.raises(ValueError, match="no key"):
            cache.read(kind, key)


def test_digests_know_where_one_part_ends() -> None:
    parts = [("a", "b"), ("ab",), (b"ab",), ("b", "a"), (1,), (1.0,), (True,)]
    assert len({digest(*each) for each in parts}) == len(parts)


_WRITER = """
import sys
from pathlib import Path
from nbpr.runs.runcache import RUN, RunCache, digest
cache = RunCache(Path(sys.argv[1]), max_size=400_000)
print("begun", flush=True)
number = 0
while True:
    number += 1
    cache.write(RUN, digest(number % 7), {"number": number % 7, "text": "x" * 1000 * (number % 50)})
    found = cache.read(RUN, digest(number % 5))
    assert found is None or found["number"] == number % 5, found
"""


@pytest.mark.slow
def test_writers_that_are_killed_leave_nothing_that_is_wrong(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    for round_ in range(10):
        words = [sys.executable, "-c", _WRITER, str(folder)]
        writers = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
        for each in writers:
            assert each.stdout is not None
            assert each.stdout.readline() == b"begun\n"
        time.sleep(0.03 * round_)
        for each in writers:
            each.send_signal(signal.SIGKILL)
            assert (each.wait(10), each.communicate()[1]) == (-signal.SIGKILL, b"")
        cache = RunCache(folder)
        for number in range(7):
            found = cache.read(RUN, digest(number))
            assert found is None or found["number"] == number
    left = [path for path in folder.iterdir() if path.name.startswith(".new-")]
    for path in left:
        os.utime(path, (1, 1))
    RunCache(folder).write(RUN, KEY, VALUE)
    assert [path for path in folder.iterdir() if path.name.startswith(".new-")] == []
    assert runcache.RunCache(folder).read(RUN, KEY) == VALUE
