"""Git over http as a forge serves it: `git http-backend` behind a door that wants a user name and a password."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class Served:
    """A server: where it is, what it wants, and which `Authorization` each request for a path had."""

    url: str
    password: str
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    #: What is said to who is refused, and where requests are sent on to.
    refusal: bytes = b"no such user"
    elsewhere: str | None = None

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def passwords(self) -> set[tuple[str, ...]]:
        """User names and passwords that came."""
        headers = {header for _, header in self.asked if header}
        return {tuple(base64.b64decode(header.split(" ")[1]).decode().split(":", 1)) for header in headers}


@contextmanager
def served(folder: Path, password: str, certificate: Path | None = None) -> Iterator[Served]:
    """Serve the bare repositories below `folder` on loopback, for any user with `password`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Door)
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    known = Served(f"{scheme}://127.0.0.1:{server.server_address[1]}", password)
    server.known, server.folder = known, folder  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Door(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        known: Served = self.server.known  # type: ignore[attr-defined]
        body = self._body()
        header = self.headers.get("Authorization")
        known.asked.append((self.path, header))
        if known.elsewhere:
            return self._answer(302, b"", Location=known.elsewhere + self.path)
        given = base64.b64decode(header.split(" ")[1]).decode().partition(":")[2] if header else None
        if given != known.password:
            return self._answer(401, known.refusal, **{"WWW-Authenticate": 'Basic realm="here"'})
        return self._backend(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline().strip(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _backend(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.folder),  # type: ignore[attr-defined]
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "someone",
            "REMOTE_ADDR": "127.0.0.1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(["git", "http-backend"], env=environment, input=body, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self._answer(int(fields.pop("Status", "200").split()[0]), content, **fields)

    def _answer(self, status: int, content: bytes, **fields: str) -> None:
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
