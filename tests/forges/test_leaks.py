"""A forge's token is somewhere; proposals go well and badly; and it is searched for wherever it could have gone."""

from __future__ import annotations

import itertools
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli.test_leaks import Seen, has
from tests.conftest import git
from tests.forges import places
from tests.forges.places import ME, Place
from tests.forges.serving import FAULTS, HANG, Fault
from tests.forges.test_killed import PROPOSE, files  # noqa: F401
from tests.forges.test_proposing import KINDS
from tests.test_reliability import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.kernel,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are read from /proc"),
]

#: The command, with no time to lose.
PROGRAM = f"""
import sys
from nbpr.forges import http
http.pause, http.NEXT_BYTES = lambda seconds: None, {HANG / 2}
from nbpr.cli.main import run
sys.exit(run(sys.argv[1:]))
"""
#: A server that says again what it was told.
ECHOES = tuple(Fault(f"echo {status}") for status in (301, 302, 400, 401, 403, 404, 409, 422, 423, 429, 500, 503))
REQUESTS = 20


@dataclass
class Corpus:
    """A project on a forge, a token for it, and everything that was said."""

    place: Place
    token: str
    home: Path
    words: list[str] = field(default_factory=list)
    users_own: set[Path] = field(default_factory=set)
    said: list[str] = field(default_factory=list)

    def run(self, *further: str) -> int:
        argv = [sys.executable, "-c", PROGRAM, *PROPOSE, *self.words, *further]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(argv, cwd=self.place.repository.root, capture_output=True, check=False, env=environ)
        self.said += [done.stdout.decode(), done.stderr.decode()]
        return done.returncode

    def leaks(self, seen: Seen) -> list[str]:
        """Where the token is, but for where the user put it."""
        assert self.place.fake is not None
        repo = self.place.fake.repos["ada/x"]
        kept = [f"server: {part}" for part in (repo.pulls, repo.comments, repo.statuses, repo.labels)]
        kept += [f"asked: {line}" for line in self.place.fake.requests]
        kept += [f"ps: {line}" for line in list(seen.arguments)]
        found = [line for line in (*self.said, *kept) if has(line, self.token)]
        for top in (self.place.repository.root, repo.place, self.home):
            for path in top.rglob("*"):
                if path.is_file() and path not in self.users_own and has(path.read_text("latin-1"), self.token):
                    found.append(str(path))
        for folder in (self.place.repository.root, repo.place):
            words = ["git", "-C", str(folder), "cat-file", "--batch-all-objects", "--batch"]
            objects = subprocess.run(words, capture_output=True, check=True).stdout.decode("latin-1")
            found += [f"an object of {folder}"] if has(objects, self.token) else []
        return found


def in_the_environment(corpus: Corpus, patch: pytest.MonkeyPatch) -> None:
    assert corpus.place.fake is not None
    places.say_token(corpus.place.kind, corpus.place.fake.root, corpus.token, patch)


def in_a_file(corpus: Corpus, patch: pytest.MonkeyPatch) -> None:
    told = corpus.home / "token"
    told.write_text(corpus.token + "\n")
    told.chmod(0o600)
    corpus.users_own.add(told)
    corpus.words += ["--token-file", str(told)]


def in_a_store(corpus: Corpus, patch: pytest.MonkeyPatch) -> None:
    assert corpus.place.fake is not None
    store = corpus.home / ".git-credentials"
    store.write_text(corpus.place.fake.root.replace("://", f"://{ME}:{corpus.token}@") + "\n")
    git(corpus.place.repository.root, "config", "--global", "credential.helper", "store")
    corpus.users_own.add(store)


SOURCES = (in_the_environment, in_a_file, in_a_store)


@contextmanager
def corpus(
    kind: str,
    source: Callable[[Corpus, pytest.MonkeyPatch], None],
    folder: Path,
    content: dict[str, bytes | str],
    patch: pytest.MonkeyPatch,
) -> Iterator[tuple[Corpus, Seen]]:
    """A project on a forge with a token, watched."""
    folder.mkdir()
    with places.fake(kind, folder, patch) as place:
        for name in ("GITEA_TOKEN", "GITEA_SERVER_URL", "GH_ENTERPRISE_TOKEN", "GH_HOST"):
            patch.delenv(name, raising=False)
        assert place.fake is not None
        root = place.repository.root
        for name, data in content.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        git(root, "add", "-A")
        git(root, "commit", "-qm", "a notebook")
        place.push(str(place.repository.head), "main")
        made = Corpus(place, place.fake.user(ME, secrets.token_hex(20)), Path(os.environ["HOME"]))
        source(made, patch)
        seen, end = Seen(made.token), threading.Event()
        sampler = threading.Thread(target=seen.look_until, args=(end,))
        sampler.start()
        try:
            yield made, seen
        finally:
            end.set()
            sampler.join()


def tried(made: Corpus, seen: Seen, faults: list[tuple[int, Fault]]) -> None:
    """Propose with each of these faults, for people and for programs, and once without."""
    assert made.place.fake is not None
    codes = []
    for number, fault in faults:
        made.place.fake.reset(dict.fromkeys(range(number, number + 6), fault))
        codes.append(made.run())
    made.place.fake.reset()
    codes.append(made.run())
    assert codes[-1] == 0, made.said[-2:]
    assert not {1, 3} & set(codes), codes
    assert len(made.place.fake.repos["ada/x"].pulls) == 1
    assert made.leaks(seen) == []
    assert seen.samples > 20


#: Each kind and each source, some of them together; all of them where there is time.
PAIRS = [
    pytest.param(kind, source, marks=[] if at % 2 == 0 else pytest.mark.soak)
    for at, (kind, source) in enumerate(itertools.product(KINDS, SOURCES))
]


@pytest.mark.parametrize(("kind", "source"), PAIRS)
def test_a_token_goes_nowhere(
    kind: str,
    source: Callable[[Corpus, pytest.MonkeyPatch], None],
    tmp_path: Path,
    files: dict[str, bytes | str],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with corpus(kind, source, tmp_path / "place", files, monkeypatch) as (made, seen):
        tried(made, seen, [(2, ECHOES[3]), (5, ECHOES[10])])


@pytest.mark.parametrize("kind", KINDS)
def test_what_would_leak_is_found(
    kind: str,
    tmp_path: Path,
    files: dict[str, bytes | str],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The search itself: in what is said, a file, an object, the pull request."""
    with corpus(kind, in_a_file, tmp_path / "place", files, monkeypatch) as (made, seen):
        assert made.leaks(seen) == []
        assert made.place.fake is not None
        made.place.fake.repos["ada/x"].statuses.append({"description": f"by {made.token}"})
        made.said.append(made.token.encode().hex())
        (made.place.repository.root / ".git" / "config").open("a").write(f"# {made.token}\n")
        made.place.repository.commit(made.place.repository.git("rev-parse", "HEAD^{tree}"), [], f"said {made.token}\n")
        assert len(made.leaks(seen)) == 4


@pytest.mark.soak
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_token_goes_nowhere_with_any_fault(
    kind: str,
    source: Callable[[Corpus, pytest.MonkeyPatch], None],
    tmp_path: Path,
    files: dict[str, bytes | str],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    every = [(number, fault) for fault in (*ECHOES, *FAULTS) for number in range(0, REQUESTS, 3)]
    with corpus(kind, source, tmp_path / "place", files, monkeypatch) as (made, seen):
        tried(made, seen, every)
        print(f"{kind} {source.__name__}: {len(every) + 1} commands")
