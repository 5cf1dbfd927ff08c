"""A token is somewhere; real commands run, well and badly; and it is searched for wherever it could have gone."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nbpr.git.repository import Repository
from nbpr.process import TOKEN_VARIABLES
from tests import projects
from tests.conftest import git
from tests.githttp import Served, served
from tests.projects import NOTEBOOK
from tests.test_redaction import WRITINGS

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="processes are read from /proc")]

#: What the other side says when it declines: everything that it was told.
HOOK = """#!/bin/sh
echo "declined: the token $TOLD is not allowed to" >&2
printf 'x-access-token:%s' "$TOLD" | base64 -w0 >&2
echo >&2
exit 1
"""
#: A bug of ours, in a command, with a token in its message and in a chained error's.
BUG = """
import os, sys
from nbpr.setup import doctor
from nbpr.cli.main import run
def broken(*_, **__):
    told = open(os.environ["TOLD_IN"]).read()
    try:
        raise KeyError(told)
    except KeyError:
        raise RuntimeError(f"GET https://ada:{told}@host/?token={told} {told.encode().hex()}")
doctor.doctor = broken
sys.exit(run(["doctor", *sys.argv[1:]]))
"""


@dataclass
class Corpus:
    """A project with a remote that wants a token, and everything that was said in it."""

    root: Path
    home: Path
    server: Served
    token: str
    environ: dict[str, str] = field(default_factory=dict)
    #: Files that hold the token since the user put it there.
    users_own: set[Path] = field(default_factory=set)
    said: list[str] = field(default_factory=list)
    seen: Seen = field(default_factory=lambda: Seen(""))

    def run(self, *words: str, program: tuple[str, ...] = ("-m", "nbpr")) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, *program, *words]
        environ = {**os.environ, **self.environ}
        done = subprocess.run(argv, cwd=self.root, capture_output=True, text=True, check=False, env=environ)
        self.said += [done.stdout, done.stderr]
        return done

    def leaks(self) -> list[str]:
        """Where the token is, but for where the user put it."""
        found = [f"said: {text}" for text in self.said if has(text, self.token)]
        for top in (self.root.parent, self.home):
            for path in top.rglob("*"):
                if path.is_file() and path not in self.users_own and has(path.read_text("latin-1"), self.token):
                    found.append(str(path))
        found += [f"ps: {line}" for line in list(self.seen.arguments) if has(line, self.token)]
        words = ["git", "-C", f"{self.root.parent}/served/work.git", "cat-file", "--batch-all-objects", "--batch"]
        objects = subprocess.run(words, capture_output=True, check=True).stdout.decode("latin-1")
        return found + (["an object"] if has(objects, self.token) else [])


@dataclass
class Seen:
    """What `ps` would have shown meanwhile: every argument list, and the environments that hold the token."""

    token: str
    arguments: set[str] = field(default_factory=set)
    holders: set[str] = field(default_factory=set)
    samples: int = 0

    def look_until(self, end: threading.Event) -> None:
        while not end.wait(0.01):
            self.samples += 1
            self.look()

    def look(self) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                arguments = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                self.arguments.add(arguments)
                if self.token.encode() in (process / "environ").read_bytes():
                    self.holders.add(arguments)
            except OSError:
                continue


def has(text: str, token: str) -> bool:
    # The first and the last digits of base64 are a neighbour's too.
    return any(WRITINGS[name](token)[slice(4, -4) if "base" in name else slice(None)] in text for name in WRITINGS)


@pytest.fixture
def corpus(tmp_path: Path) -> Iterator[Corpus]:
    root = projects.make(tmp_path / "project").root
    folder = root.parent / "served"
    git(root.parent, "clone", "-q", "--bare", "remote.git", str(folder / "work.git"))
    git(folder / "work.git", "config", "http.receivepack", "true")
    token = secrets.token_hex(20)
    with served(folder, token) as server:
        server.refusal = f"no entry for {token}".encode()
        git(root, "remote", "set-url", "origin", f"{server.url}/work.git")
        made = Corpus(root, Path(os.environ["HOME"]), server, token, seen=Seen(token))
        end = threading.Event()
        sampler = threading.Thread(target=made.seen.look_until, args=(end,))
        sampler.start()
        try:
            yield made
        finally:
            end.set()
            sampler.join()


def in_the_environment(corpus: Corpus) -> None:
    corpus.environ = {"GITEA_TOKEN": corpus.token, "GITEA_SERVER_URL": corpus.server.url}
    git(corpus.root, "config", "credential.helper", '!f() { echo username=ada; echo "password=$GITEA_TOKEN"; }; f')


def in_a_store(corpus: Corpus) -> None:
    store = corpus.home / ".git-credentials"
    store.write_text(corpus.server.url.replace("://", f"://ada:{corpus.token}@") + "\n")
    git(corpus.root, "config", "credential.helper", "store")
    corpus.users_own.add(store)


def in_the_remotes_url(corpus: Corpus) -> None:
    url = corpus.server.url.replace("://", f"://ada:{corpus.token}@")
    git(corpus.root, "remote", "set-url", "origin", f"{url}/work.git")
    corpus.users_own.add(corpus.root / ".git" / "config")


#: Each place, in the order of how often tokens are there; the second test of a place is made where there is time.
PLACES = [in_the_environment, in_a_store, in_the_remotes_url]
MORE = pytest.mark.soak


@pytest.mark.kernel
@pytest.mark.parametrize("place", [PLACES[0], *(pytest.param(place, marks=MORE) for place in PLACES[1:])])
def test_a_token_goes_nowhere_when_all_is_well(corpus: Corpus, place: Callable[[Corpus], None]) -> None:
    place(corpus)
    words = ("propose", NOTEBOOK, "--set", "threshold=0.9", "--title", "Lower", "--forge", "local")
    first = corpus.run(*words, "--json")
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["operation"] == "created"
    assert corpus.run(*words).returncode == 0
    assert corpus.run("pulls", "list", "--forge", "local").returncode == 0
    corpus.run("doctor", "--json")
    assert corpus.server.passwords == {("ada", corpus.token)}
    assert corpus.leaks() == []
    assert corpus.seen.samples > 20
    # nbpr has it in its environment, and what reaches the remote; no kernel, nothing above one, no other git.
    never = ("ipykernel", "papermill", "nbval", "cat-file", "commit-tree", "hash-object", "worktree")
    assert not [line for line in list(corpus.seen.holders) if any(word in line for word in never)]
    assert any("ipykernel" in line for line in list(corpus.seen.arguments))


@pytest.mark.kernel
@pytest.mark.parametrize("place", [PLACES[1], *(pytest.param(place, marks=MORE) for place in (PLACES[0], PLACES[2]))])
def test_a_token_goes_nowhere_when_it_fails(corpus: Corpus, place: Callable[[Corpus], None]) -> None:
    place(corpus)
    served_at = corpus.root.parent / "served" / "work.git"
    hook = served_at / "hooks" / "pre-receive"
    hook.write_text(HOOK.replace("$TOLD", corpus.token))
    hook.chmod(0o755)
    corpus.users_own.add(hook)
    words = ("propose", NOTEBOOK, "--set", "threshold=0.9", "--title", "Lower", "--forge", "local")
    for further in ((), ("--json",)):
        declined = corpus.run(*words, *further)
        assert declined.returncode == 4, declined.stdout + declined.stderr
    # A server that takes nothing of it, and says what it was told.
    corpus.server.password = "another"
    assert corpus.run(*words).returncode in (4, 6)
    corpus.server.elsewhere = corpus.server.url.replace("://", f"://ada:{corpus.token}@")
    assert corpus.run(*words, "--json").returncode in (4, 6)
    assert corpus.leaks() == []


def test_a_bug_s_log_has_no_token(corpus: Corpus, tmp_path: Path) -> None:
    in_the_environment(corpus)
    told = tmp_path / "told"
    told.write_text(corpus.token)
    corpus.users_own.add(told)
    corpus.environ["TOLD_IN"] = str(told)
    for further in ((), ("--json",)):
        done = corpus.run(*further, program=("-c", BUG))
        assert done.returncode == 3
        assert "a bug of ours: RuntimeError: GET https://***@host/" in done.stdout + done.stderr
    log = corpus.home / ".local" / "state" / "nbpr" / "last-bug.log"
    assert "KeyError: '***'" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0
    assert corpus.leaks() == []


def test_a_token_that_was_handed_over_is_seen_nowhere(corpus: Corpus) -> None:
    """As a forge on a host does it: the token from a file, handed to git."""
    told = corpus.home / "token"
    told.write_text(corpus.token + "\n")
    told.chmod(0o600)
    corpus.users_own.add(told)
    code = """
import sys
from pathlib import Path
from nbpr import tokens
from nbpr.git.repository import RefUpdate, Repository
ours = Repository.discover()
ours.token = tokens.find(sys.argv[1], "gitea", {}, Path(sys.argv[2]), ours.credential)
for number in range(5):
    ours.publish("origin", [RefUpdate(f"refs/heads/agent/{number}", None, ours.head)])
    ours.fetch("origin", "+refs/heads/*:refs/nbpr/remotes/origin/heads/*")
"""
    done = corpus.run(corpus.server.url, str(told), program=("-c", code))
    assert done.returncode == 0, done.stderr
    served_at = Repository.discover(corpus.root)
    assert len(served_at.refs("refs/nbpr/remotes/origin/heads/agent/")) == 5
    assert corpus.leaks() == []
    assert corpus.seen.holders == set()


def test_every_name_of_a_token_is_kept_from_kernels(corpus: Corpus) -> None:
    (corpus.root / "nbpr.toml").write_text('[execute]\nenv = ["GITHUB_TOKEN"]\n')
    corpus.environ = dict.fromkeys(TOKEN_VARIABLES, corpus.token) | {"NBPR_FORGE_URL": corpus.server.url}
    done = corpus.run("run", NOTEBOOK)
    assert done.returncode == 2, done.stderr
    assert "GITHUB_TOKEN is a forge's token, which no kernel gets" in done.stderr
    assert corpus.leaks() == []
