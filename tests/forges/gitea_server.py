"""A real Gitea for tests, where there is a binary: on loopback, with SQLite, in a folder that goes away again."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

SETTINGS = """
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
RUN_MODE = prod
WORK_PATH = {folder}
[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
DOMAIN = 127.0.0.1
OFFLINE_MODE = true
DISABLE_SSH = true
LFS_START_SERVER = false
[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db
[repository]
ROOT = {folder}/repositories
ALLOW_FORK_WITHOUT_MAXIMUM_LIMIT = false
[security]
INSTALL_LOCK = true
PASSWORD_HASH_ALGO = pbkdf2$1$8
[service]
DISABLE_REGISTRATION = true
[mailer]
ENABLED = false
[session]
PROVIDER = memory
[queue]
TYPE = channel
[indexer]
ISSUE_INDEXER_TYPE = db
[actions]
ENABLED = {actions}
DEFAULT_ACTIONS_URL = self
[cron]
ENABLED = false
[log]
MODE = file
LEVEL = Warn
ROOT_PATH = {folder}/log
"""

#: What a token for nbpr may do, as docs/forges.md says.
SCOPES = "write:repository,write:issue,read:user"

#: What NBPR_TEST_GITEA names; read before a test begins, since tests do not see such variables.
_NAMED = os.environ.get("NBPR_TEST_GITEA")


def binary() -> str | None:
    """The Gitea to test with: NBPR_TEST_GITEA, else the one on PATH."""
    return _NAMED or shutil.which("gitea")


@dataclass(frozen=True)
class Gitea:
    """A running Gitea: its web address, an administrator's token, and one with the scopes that nbpr asks for."""

    root: str
    admin: str
    token: str
    other: str

    def api(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """One request of the administrator's (or somebody else's), with its JSON."""
        data = self.text(path, method, body, token)
        return json.loads(data) if data else None

    def made_token(self, login: str, scopes: list[str]) -> str:
        """Another token of somebody's, which only a password can make."""
        pair = base64.b64encode(f"{login}:{login}-Secret-1".encode()).decode()
        request = urllib.request.Request(
            f"{self.root}/api/v1/users/{login}/tokens",
            method="POST",
            data=json.dumps({"name": str(uuid4()), "scopes": scopes}).encode(),
            headers={"Authorization": f"Basic {pair}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(json.loads(answer.read())["sha1"])

    def text(self, path: str, method: str = "GET", body: Any = None, token: str | None = None) -> str:
        """The same, as it is answered."""
        request = urllib.request.Request(
            f"{self.root}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {token or self.admin}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(answer.read().decode("utf-8", "replace"))


@contextmanager
def running(folder: Path, *, actions: bool = False) -> Iterator[Gitea]:
    """A Gitea of its own, with the users `boss` (administrator), `ada` (whose token is `token`) and `bob`."""
    folder.mkdir(parents=True, exist_ok=True)
    program, port, settings = str(binary()), _free_port(), folder / "app.ini"
    settings.write_text(SETTINGS.format(folder=folder, port=port, actions=str(actions).lower()))
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GITEA_WORK_DIR": str(folder)}
    words = [program, "--config", str(settings)]
    _run([*words, "migrate"], environment)
    admin = _user(words, environment, "boss", "all", "--admin")
    token = _user(words, environment, "ada", SCOPES)
    other = _user(words, environment, "bob", SCOPES)
    with (folder / "web.log").open("wb") as log:
        server = subprocess.Popen([*words, "web"], env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        gitea = Gitea(f"http://127.0.0.1:{port}", admin, token, other)
        _wait_for(gitea, server)
        yield gitea
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _user(words: list[str], environment: dict[str, str], name: str, scopes: str, *more: str) -> str:
    who = ["--username", name, "--password", f"{name}-Secret-1", "--email", f"{name}@example.org"]
    access = ["--must-change-password=false", "--access-token", "--access-token-name", "t"]
    said = _run([*words, "admin", "user", "create", *who, *access, "--access-token-scopes", scopes, *more], environment)
    return said.split()[-1]


def _run(words: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert done.returncode == 0, f"{words[3:]}: {done.stdout}{done.stderr}"
    return done.stdout


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(gitea: Gitea, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            gitea.api("GET", "/version")
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError("Gitea did not come up")
