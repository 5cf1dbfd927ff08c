"""Git gets the token for its host, as often as it asks, and nothing else does."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbpr import process
from nbpr.errors import NbprError
from nbpr.git import credentials
from nbpr.git.credentials import ASKED, Handover, handed_over
from nbpr.git.repository import RefUpdate, Repository
from nbpr.tokens import HELPER, Token
from tests.conftest import git
from tests.githttp import Served, served

pytestmark = pytest.mark.slow

TOKEN = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    folder = tmp_path / "served"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(folder / "ada" / "work.git"))
    git(folder / "ada" / "work.git", "config", "http.receivepack", "true")
    with served(folder, TOKEN) as known:
        yield known


@pytest.fixture
def ours(repository: Path, server: Served) -> Repository:
    git(repository, "commit", "-q", "--allow-empty", "-m", "first")
    git(repository, "remote", "add", "origin", f"{server.url}/ada/work.git")
    return Repository.discover(repository)


def token(server: Served, value: str = TOKEN) -> Token:
    scheme, _, host = server.url.partition("://")
    return Token(value, host, "a test", scheme)


def publish(ours: Repository, ref: str = "refs/heads/agent/x") -> None:
    ours.publish("origin", [RefUpdate(ref, None, ours.head)])


def test_pushing_and_fetching_need_the_token(ours: Repository, server: Served) -> None:
    with pytest.raises(NbprError):
        publish(ours)
    ours.token = token(server)
    publish(ours)
    ours.fetch("origin", "+refs/heads/*:refs/nbpr/remotes/origin/heads/*")
    assert ours.refs("refs/nbpr/remotes/") == {"refs/nbpr/remotes/origin/heads/agent/x": ours.head}
    assert ours.remote_default("origin") is None
    assert server.passwords == {(credentials.LOGIN, TOKEN)}


def test_nothing_of_it_stays_in_the_repository(ours: Repository, server: Served) -> None:
    ours.token = token(server)
    publish(ours)
    ours.fetch("origin", "+refs/heads/*:refs/remotes/origin/*")
    kept = [path for path in ours.git_dir.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert kept == []
    assert not any(descriptor_is_open(number) for number in (handed_descriptor(),))


def handed_descriptor() -> int:
    with handed_over(Token(TOKEN, "host", "a test")) as handover:
        assert not os.get_inheritable(handover.descriptors[0])  # a kernel that is started meanwhile does not get it
        return handover.descriptors[0]


def descriptor_is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def asked(token: Token, url: str) -> tuple[str, str] | None:
    """What git says that it would use at `url`, having the token."""
    with handed_over(token) as handover:
        return fill(handover, url)


def fill(handover: Handover, url: str) -> tuple[str, str] | None:
    words = [word for setting in handover.settings for word in ("-c", setting)]
    done = process.run(
        ["git", *words, "credential", "fill"],
        env=process.git_environment() | credentials.UNASKED,
        stdin=credentials.question(url),
        pass_fds=handover.descriptors,
        accept=range(256),
    )
    return credentials.answer(done.stdout)


def test_git_may_ask_several_times() -> None:
    with handed_over(Token(TOKEN, "example.org", "a test")) as handover:
        for _ in range(ASKED):
            assert fill(handover, "https://example.org/ada/work.git") == (credentials.LOGIN, TOKEN)
        assert fill(handover, "https://example.org/ada/work.git") is None


@pytest.mark.parametrize("length", [6, 40, 1000, 4000])
def test_tokens_of_any_length_go_through(length: int) -> None:
    value = ("".join(map(chr, range(33, 127))) * 50)[:length]
    assert asked(Token(value, "[::1]:3000", "a test"), "https://[::1]:3000/x") == (credentials.LOGIN, value)


def test_ways_of_writing_one_host_are_one() -> None:
    mine = Token(TOKEN, "example.org", "a test")
    for url in ("https://example.org:443/x", "https://EXAMPLE.org/x", "https://ada@example.org/x"):
        assert asked(mine, url) == (credentials.LOGIN, TOKEN)


def test_no_other_host_port_or_scheme_gets_it(ours: Repository, server: Served, tmp_path: Path) -> None:
    others = ["https://127.0.0.1", f"https://{server.host}", "http://127.0.0.1:1", "http://localhost", "http://x.org"]
    for url in others:
        assert asked(token(server), f"{url}/ada/work.git") is None, url
    with served(tmp_path, "another") as other:
        other.elsewhere = server.url
        git(ours.root, "remote", "set-url", "origin", f"{other.url}/ada/work.git")
        ours.token = token(other)  # the token of the host that sends us on
        with pytest.raises(NbprError):
            publish(ours)
    assert server.passwords == set()


def test_the_users_helpers_neither_hear_nor_see_it(
    ours: Repository, server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = tmp_path / "heard"
    script = tmp_path / "helper"
    script.write_text(f'#!/bin/sh\n{{ echo "$1"; cat; env; }} >>"{heard}"\n')
    script.chmod(0o755)
    git(ours.root, "config", "credential.helper", str(script))
    monkeypatch.setenv("GITEA_TOKEN", TOKEN)
    ours.token = token(server)
    publish(ours)
    ours.token = token(server, TOKEN[::-1])
    with pytest.raises(NbprError):
        publish(ours, "refs/heads/agent/y")
    assert not heard.exists()
    ours.token = None
    with pytest.raises(NbprError):
        publish(ours, "refs/heads/agent/y")
    # Left to itself git asks them, and they may read variables of the user's.
    assert f"GITEA_TOKEN={TOKEN}" in heard.read_text()


def test_gits_own_helper_is_left_to_git(ours: Repository, server: Served, tmp_path: Path) -> None:
    scheme, _, host = server.url.partition("://")
    (tmp_path / "stored").write_text(f"{scheme}://ada:{TOKEN}@{host}\n")
    git(ours.root, "config", "credential.helper", f"store --file={tmp_path / 'stored'}")
    assert ours.credential(f"{server.url}/ada/work.git") == ("ada", TOKEN)
    ours.token = Token(TOKEN, host, HELPER, scheme, login="ada")
    publish(ours)
    assert server.passwords == {("ada", TOKEN)}
    assert ours.credential("https://elsewhere.example.org/x") is None


def test_a_password_in_the_url_is_moved_out_of_it(ours: Repository, server: Served, tmp_path: Path) -> None:
    """It is the same server and the same user, but no argument list of git's has the password."""
    seen = tmp_path / "seen"
    program = tmp_path / "bin" / "git-remote-http"
    program.parent.mkdir()
    inner = Path(git(tmp_path, "--exec-path")) / "git-remote-http"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >>"{seen}"\nexec "{inner}" "$@"\n')
    program.chmod(0o755)
    for name in Path(inner).parent.iterdir():
        if name.name != program.name:
            (program.parent / name.name).symlink_to(name)
    folder = server.url.replace("://", f"://ada:{TOKEN}@") + "/ada/"
    dirty = f"{folder}work.git"
    ways: list[list[list[str]]] = [
        [["remote.origin.url", dirty]],
        [["remote.origin.url", "https://x.example/"], ["remote.origin.pushurl", dirty]],
        [["remote.origin.url", "https://x.example/work.git"], [f"url.{folder}.insteadOf", "https://x.example/"]],
        [["remote.origin.url", "https://x.example/work.git"], [f"url.{folder}.pushInsteadOf", "https://x.example/"]],
    ]
    for number, way in enumerate(ways):
        before = (ours.git_dir / "config").read_bytes()
        for words in way:
            git(ours.root, "config", *words)
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("GIT_EXEC_PATH", str(program.parent))
            publish(ours, f"refs/heads/agent/{number}")
        (ours.git_dir / "config").write_bytes(before)
    said = seen.read_text()
    assert said.count(server.host) >= len(ways)
    assert TOKEN not in said
    assert server.passwords == {("ada", TOKEN)}


def test_no_helper_and_no_question(ours: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    askpass = tmp_path / "askpass"
    askpass.write_text(f"#!/bin/sh\ntouch {asked}\necho pw\n")
    askpass.chmod(0o755)
    monkeypatch.setenv("GIT_ASKPASS", str(askpass))
    git(ours.root, "config", "core.askPass", str(askpass))
    assert ours.credential("https://example.org/x") is None
    assert not asked.exists()


def test_a_helper_that_hangs_is_ended_with_what_it_started(
    ours: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    git(ours.root, "config", "credential.helper", f'!f() {{ sleep 600 & echo $! >"{started}"; wait; }}; f')
    monkeypatch.setattr(credentials, "PATIENCE", 1.0)
    assert ours.credential("https://example.org/x") is None
    child = int(started.read_text())
    for _ in range(100):
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            break
        subprocess.run(["sleep", "0.1"], check=True)
    else:
        pytest.fail("it is still there")


def test_a_question_is_about_one_host() -> None:
    assert credentials.question("https://ada@host:3000/a/b%20c.git") == (
        b"protocol=https\nhost=host:3000\npath=a/b c.git\nusername=ada\n\n"
    )
    assert b"evil" not in credentials.question("https://host/a%0ahost=evil.example")
    assert credentials.answer(b"username=u\npassword=p=q\n") == ("u", "p=q")
    assert credentials.answer(b"username=\npassword=\n") is None
    assert credentials.answer(b"") is None


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_over_https(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, pem = tmp_path / "served", tmp_path / "server.pem"
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*words.split(), "-keyout", pem, "-out", tmp_path / "ca.pem"], check=True, capture_output=True)
    pem.write_bytes(pem.read_bytes() + (tmp_path / "ca.pem").read_bytes())
    git(tmp_path, "init", "-q", "--bare", str(folder / "work.git"))
    git(folder / "work.git", "config", "http.receivepack", "true")
    monkeypatch.setenv("GIT_SSL_CAINFO", str(tmp_path / "ca.pem"))
    git(repository, "commit", "-q", "--allow-empty", "-m", "first")
    ours = Repository.discover(repository)
    with served(folder, TOKEN, pem) as server:
        git(repository, "remote", "add", "origin", f"{server.url}/work.git")
        ours.token = token(server)
        publish(ours)
        assert server.passwords == {(credentials.LOGIN, TOKEN)}
