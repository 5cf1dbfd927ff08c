"""Forges to test against: real sockets on loopback, real bare repositories behind them, and faults on the wire.

A request that the fake does not know fails the test, as does one of a wrong shape. Git speaks to its own
`git http-backend`, with the same tokens.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.conftest import git
from tests.forges.fake_reviews import CONTEXT, Kept
from tests.forges.shapes import Shapes

#: How long a request hangs that does not come back; longer than the clients of these tests wait.
HANG = 1.5


@dataclass(frozen=True)
class Reply:
    """What an API answers."""

    status: int
    data: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sent:
    """A file in a form."""

    name: str
    data: bytes


@dataclass
class Repo:
    """A repository as a fake keeps it; branches and commits are in the bare repository at `place`."""

    number: int
    owner: str
    name: str
    place: Path
    pulls: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    milestones: dict[str, int] = field(default_factory=dict)
    assets: list[dict[str, Any]] = field(default_factory=list)
    check_runs: list[dict[str, Any]] = field(default_factory=list)
    kept: Kept = field(default_factory=Kept)
    #: The contexts of statuses that a branch asks for.
    required: dict[str, list[str]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    #: Who may only read, and of what it is a fork.
    readers: set[str] = field(default_factory=set)
    parent: Repo | None = None

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    def sha(self, branch: str) -> str | None:
        """Where a branch is."""
        done = self._git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")
        return done.stdout.decode().strip() or None

    def take_in(self, other: Repo, branch: str, number: int) -> None:
        """Have the commits of a pull request's branch, here or of a fork, under the name that servers give them."""
        if other is self:
            self._git("update-ref", f"refs/pull/{number}/head", f"refs/heads/{branch}")
        else:
            self._git("fetch", "--quiet", str(other.place), f"+refs/heads/{branch}:refs/pull/{number}/head")

    def has(self, sha: str) -> bool:
        """Whether there is such a commit."""
        return self._git("cat-file", "-e", f"{sha}^{{commit}}").returncode == 0

    def is_ancestor(self, old: str, new: str) -> bool:
        return self._git("merge-base", "--is-ancestor", old, new).returncode == 0

    def merge(self, base: str, head: str, message: str) -> str | None:
        """Merge a commit into a branch as a server does, line by line; None where that conflicts."""
        onto = self.sha(base)
        made = self._git("merge-tree", "--write-tree", str(onto), head)
        if made.returncode:
            return None
        who = {
            "GIT_AUTHOR_NAME": "f",
            "GIT_AUTHOR_EMAIL": "f@f",
            "GIT_COMMITTER_NAME": "f",
            "GIT_COMMITTER_EMAIL": "f@f",
        }
        tree = made.stdout.decode().split("\n")[0]
        words = ("commit-tree", tree, "-p", str(onto), "-p", head, "-m", message)
        new = self._git(*words, env={**os.environ, **who}).stdout.decode().strip()
        self._git("update-ref", f"refs/heads/{base}", new, str(onto))
        return new

    def passes(self, branch: str, sha: str) -> bool:
        """Whether a commit has what a branch asks for."""
        newest = {one["context"]: one.get("status", one.get("state")) for one in self.statuses if one["sha"] == sha}
        return all(newest.get(context) == "success" for context in self.required.get(branch, ()))

    def file(self, commit: str, name: str) -> bytes:
        """A file of a commit, as its web page shows it."""
        return self._git("cat-file", "blob", f"{commit}:{name}").stdout

    def diff(self, base: str, head: str) -> str:
        """What a pull request shows of its changes."""
        return self._git(
            "-c", "core.quotePath=false", "diff", "--text", f"--unified={CONTEXT}", f"{base}...{head}"
        ).stdout.decode()

    def refs(self, below: str) -> list[str]:
        """The names of refs."""
        return self._git("for-each-ref", "--format=%(refname)", below).stdout.decode().split()

    def _git(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["git", "-C", self.place, *words], capture_output=True, check=False, env=env)


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request, before its effect or after it."""

    kind: str
    after: bool = False


#: Faults that a client can get over. Those after the effect are answers that were lost.
BEFORE = ("reset", "hang", "500", "502", "503", "504", "429", "429 later", "truncated", "html", "moved", "skew")
AFTER = ("reset", "hang", "500", "502", "503", "truncated", "html")
FAULTS = (*(Fault(kind) for kind in BEFORE), *(Fault(kind, True) for kind in AFTER))


class FakeForge:
    """A fake of a forge: `routes` of a kind's own, state in `repos`, and what was asked for in `requests`."""

    kind = ""
    api = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repos: dict[str, Repo] = {}
        self.users: dict[str, str] = {}
        self.requests: list[str] = []
        self.pushes = 0
        self.errors: list[str] = []
        self.faults: dict[int, Fault] = {}
        self.struck: list[int] = []
        self.shapes = Shapes(self.kind, self.api)
        self.asking = ""
        self.takes_forks = True
        #: Whose tokens are those of Apps.
        self.apps: set[str] = set()
        self._lock = threading.RLock()
        self._numbers = 0
        self._server = _Listening(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def root(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def writes(self) -> list[str]:
        return [one for one in self.requests if not one.startswith("GET ")]

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    def user(self, login: str, token: str) -> str:
        self.users[token] = login
        return token

    def repo(self, owner: str, name: str) -> Repo:
        """A new bare repository."""
        place = self.folder / owner / f"{name}.git"
        place.parent.mkdir(parents=True, exist_ok=True)
        git(place.parent, "init", "-q", "--bare", "-b", "main", str(place))
        git(place, "config", "http.receivepack", "true")
        made = Repo(self.number(), owner, name, place)
        self.repos[made.full_name] = made
        return made

    def fork(self, repo: Repo, login: str, name: str | None) -> Repo | None:
        """Fork it; None where there is such a repository already."""
        name = name or repo.name
        if f"{login}/{name}" in self.repos:
            return None
        made = self.repo(login, name)
        git(made.place, "fetch", "-q", str(repo.place), "+refs/heads/*:refs/heads/*")
        made.parent = repo
        return made

    def forks(self, repo: Repo) -> list[Repo]:
        return [one for one in self.repos.values() if one.parent is repo]

    def home(self, repo: Repo, head: str) -> tuple[Repo | None, str]:
        """The repository that a head is in (None: gone), and the branch's name there."""
        owner, colon, branch = head.rpartition(":")
        if not colon or owner == repo.owner:
            return repo, branch
        return next((one for one in self.forks(repo) if one.owner == owner), None), branch

    def head_sha(self, repo: Repo, head: str) -> str | None:
        """Where a pull request's head is."""
        home, branch = self.home(repo, head)
        return home.sha(branch) if home else None

    def remember(self, repo: Repo, pull: dict[str, Any]) -> bool:
        """Keep a pull request's head, which stays when its branch goes; whether that is there."""
        sha = self.head_sha(repo, pull["head"])
        home, branch = self.home(repo, pull["head"])
        if home is None or sha is None:
            return False
        if sha != pull.get("head_sha"):
            repo.take_in(home, branch, pull["number"])
            pull["head_sha"] = sha
        return True

    def rights(self, repo: Repo) -> dict[str, bool]:
        """What who is asking may do."""
        return {"admin": False, "push": self.asking not in repo.readers, "pull": True}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reset(self, faults: Mapping[int, Fault] | None = None) -> None:
        """Count from here on, with these faults."""
        self.requests.clear()
        self.struck.clear()
        self.pushes = 0
        self.faults = dict(faults or {})

    # -- answering -----------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any, login: str | None) -> Reply:
        """One request's effect and answer; a kind's own."""
        raise NotImplementedError

    def handled(self, method: str, path: str, query: dict[str, str], body: Any, token: str | None) -> Reply:
        with self._lock:
            login = self.users.get(token or "")
            if token and login is None:
                return Reply(401, {"message": "Bad credentials"})
            complaint = self.shapes.request(method, path, body)
            if complaint:
                self.errors.append(complaint)
            self.asking = login or ""
            reply = self.answer(method, path, query, body, login)
            complaint = self.shapes.reply(method, path, reply.status, reply.data)
            if complaint:
                self.errors.append(complaint)
            return reply

    def unknown(self, method: str, path: str) -> Reply:
        """A request that no forge of the kind knows."""
        self.errors.append(f"unmatched: {method} {path}")
        return Reply(404, {"message": "unmatched"})


def _handler(forge: FakeForge) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes: the second one would wait 40 ms

        def log_message(self, *_: Any) -> None:
            pass

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            if ".git/" in parts.path:
                _git_backend(forge, self, parts.path, parts.query)
                return
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = parts.path.removeprefix("/moved")
            body = _body(data, self.headers.get("Content-Type") or "")
            with forge._lock:
                number = len(forge.requests)
                forge.requests.append(f"{'GET' if _is_question(body) else self.command} {path}")
                fault = forge.faults.get(number)
                if fault is not None:
                    forge.struck.append(number)
            if fault is not None and not fault.after and self._fail(fault.kind):
                return
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            reply = forge.handled(self.command, unquote(path), query, body, _token(self.headers.get("Authorization")))
            if fault is not None and fault.after and self._fail(fault.kind, reply):
                return
            self._send(reply)

        def _fail(self, kind: str, reply: Reply | None = None) -> bool:
            """Answer as the fault has it; whether that was all."""
            if kind == "reset":
                self.close_connection = True
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            elif kind == "hang":
                time.sleep(HANG)
                self.close_connection = True
            elif kind == "truncated":
                text = json.dumps(reply.data if reply else {"id": 1, "number": 12}).encode()
                self._raw(reply.status if reply else 200, text[: len(text) // 2], {"Content-Type": "application/json"})
            elif kind == "html":
                self._raw(200, b"<!doctype html><title>Sign in</title>", {"Content-Type": "text/html"})
            elif kind == "429":
                self._send(Reply(429, {"message": "too many"}, {"Retry-After": "1"}))
            elif kind == "429 later":
                self._send(Reply(429, {"message": "too many"}))
            elif kind == "skew":  # the server's clock is a day behind ours
                now = time.time() - 86400
                headers = {
                    "x-ratelimit-remaining": "0",
                    "x-ratelimit-reset": str(int(now) + 3),
                    "Date": formatdate(now),
                }
                self._send(Reply(403, {"message": "API rate limit exceeded"}, headers))
            elif kind == "moved":
                if self.path.startswith("/moved"):
                    return False
                self._send(Reply(301, None, {"Location": f"/moved{self.path}"}))
            elif kind.startswith("echo "):  # what it was told, as it was and otherwise written
                told = _token(self.headers.get("Authorization")) or ""
                pair = base64.b64encode(f"x-access-token:{told}".encode()).decode()
                words = f"no {told} {pair} {told.encode().hex()} https://u:{quote(told)}@h/"
                status = int(kind.removeprefix("echo "))
                message = {"message": words, "errors": [{"message": told[::-1][::-1]}], "url": words}
                self._send(Reply(status, message, {"Location": f"/{told}?token={told}", "X-Said": told}))
            elif kind == "away":
                self._send(Reply(302, None, {"Location": f"http://localhost:1{self.path}"}))
            else:
                self._send(Reply(int(kind), {"message": ""}))
            return True

        def _send(self, reply: Reply) -> None:
            text = b"" if reply.data is None else json.dumps(reply.data).encode()
            self._raw(reply.status, text, {"Content-Type": "application/json", **reply.headers})

        def _raw(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815

    return Handler


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients that went away; what matters is in `errors`


def _is_question(body: Any) -> bool:
    """Whether it is a question of GraphQL's, which is sent as writes are and changes nothing."""
    return isinstance(body, Mapping) and str(body.get("query", "")).startswith("query ")


def _body(data: bytes, kind: str) -> Any:
    """JSON, or the fields of a form: each a file's name and its bytes."""
    if not kind.startswith("multipart/form-data"):
        return json.loads(data) if data else None
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + data)
    parts = message.iter_parts()
    return {
        str(part.get_param("name", header="content-disposition")): Sent(
            part.get_filename() or "", part.get_payload(decode=True)
        )
        for part in parts
    }


def _token(header: str | None) -> str | None:
    """The token of an `Authorization` header, as Gitea and GitHub read it."""
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() in ("token", "bearer"):
        return value
    if scheme.lower() == "basic":
        return base64.b64decode(value).decode().partition(":")[2]
    return None


def _git_backend(forge: FakeForge, handler: BaseHTTPRequestHandler, path: str, query: str) -> None:
    """Git over http, by git's own CGI program."""
    login = forge.users.get(_token(handler.headers.get("Authorization")) or "")
    if handler.headers.get("Transfer-Encoding") == "chunked":
        data = b"".join(_chunks(handler))
    else:
        data = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    if login is None:
        handler.send_response(401)
        handler.send_header("WWW-Authenticate", 'Basic realm="fake"')
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    repo = forge.repos.get(unquote(path).strip("/").partition(".git/")[0])
    if "git-receive-pack" in path + query and repo is not None and login in repo.readers:
        handler.send_response(403)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    if path.endswith("git-receive-pack") and handler.command == "POST":
        with forge._lock:
            forge.pushes += 1
    env = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(forge.folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": unquote(path),
        "QUERY_STRING": query,
        "REQUEST_METHOD": handler.command,
        "REMOTE_USER": login,
        "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(data)),
        "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
    }
    done = subprocess.run(["git", "http-backend"], input=data, capture_output=True, check=False, env=env)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    handler.send_response(int(headers.pop("Status", "200").split()[0]))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _chunks(handler: BaseHTTPRequestHandler) -> Iterator[bytes]:
    while True:
        size = int(handler.rfile.readline().split(b";")[0], 16)
        data = handler.rfile.read(size)
        handler.rfile.readline()
        if not size:
            return
        yield data


@contextmanager
def serving(make: Callable[[Path], FakeForge], folder: Path) -> Iterator[FakeForge]:
    """A fake for one test, which fails if somebody asked it for what there is not."""
    folder.mkdir(parents=True, exist_ok=True)
    forge = make(folder)
    try:
        yield forge
    finally:
        forge.close()
    assert forge.errors == [], forge.errors
