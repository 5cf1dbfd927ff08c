"""HTTP to a forge: one client, with what every request needs.

A token that stays with its host, a limit on every time, retries of what can pass, redirects that stay writes, and
answers that are none turned into our errors. A write is never sent a second time before it was looked up: its answer
may be lost where its effect is not.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from nbpr import __version__, redaction
from nbpr.errors import BadInput, Conflict, Interrupted, NbprError, NotAllowed, OutOfReach
from nbpr.forges.answer import Answer, Lost, asked_wait, parsed, read
from nbpr.steps import step
from nbpr.tokens import host_of, is_loopback

if TYPE_CHECKING:
    import httpx

    from nbpr.tokens import Kind, Token

#: How often a request is sent in all, and one that is answered with a bare 500, which Gitea says for "not there" too.
ATTEMPTS, ATTEMPTS_AT_500 = 5, 2
#: Seconds: for a connection, for the next bytes, for a whole request, the longest wait that a server may ask for.
CONNECT, NEXT_BYTES, WHOLE, LONGEST_WAIT = 10.0, 30.0, 90.0, 90.0
#: What GitHub wants at least after its secondary limit said no, where it does not say how long.
SECONDARY_WAIT = 60.0
REDIRECTS = 5

_BETWEEN = "is there a proxy or a sign-in page in front of it?"
#: The variables that name proxies, and what needs none.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_of_thread = threading.local()


@contextmanager
def patient_until(stop: threading.Event) -> Iterator[None]:
    """Have what this thread asks of a forge not be tried again once `stop` is set: `Interrupted` is raised instead."""
    _of_thread.stop = stop
    try:
        yield
    finally:
        del _of_thread.stop


def _pause(seconds: float) -> None:
    stop: threading.Event | None = getattr(_of_thread, "stop", None)
    if stop is None:
        time.sleep(seconds)
    elif stop.wait(seconds):
        raise Interrupted("interrupted while a forge wanted rest")


#: Waits; tests put a clock of their own here.
pause: Callable[[float], None] = _pause


class NoApi(OutOfReach):
    """Nothing but web pages comes back."""


@dataclass(frozen=True)
class _Trouble:
    """Why a request is to be sent again, and how long the server wants us to wait."""

    reason: str
    wait: float | None = None
    attempts: int = ATTEMPTS
    is_page: bool = False


@dataclass(frozen=True)
class Upload:
    """A file as the body of a request: a form with the one field `field`."""

    field: str
    name: str
    data: bytes


class Client:
    """Requests to one forge's API at `base`. `kind` says in which form the token is sent."""

    def __init__(
        self,
        base: str,
        kind: Kind,
        token: Token | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        ca_file: str | None = None,
    ) -> None:
        self.base = base.rstrip("/")
        self.kind = kind
        self.token = token
        self._headers = {"User-Agent": f"nbpr/{__version__}", "Accept": "application/json", **(headers or {})}
        self._ca_file = ca_file
        self._client: httpx.Client | None = None
        self._moved: dict[str, str] = {}
        self._sockets: list[socket.socket] = []
        self._is_late = False
        #: What was asked for last, for messages.
        self.asked = "nothing"

    @property
    def host(self) -> str:
        """The host that it speaks to, for messages."""
        return urlsplit(self.base).netloc

    def get(self, path: str, *, accept: Collection[int] = (200,), **params: Any) -> Answer:
        """Read. `path` is below the base, or a whole address on the same host."""
        return self._settled("GET", path, None, accept, None, params)

    def ask(self, path: str, question: Any) -> Answer:
        """Read by a question that is sent, which is GraphQL's way."""
        return self._settled("POST", path, question, (200,), None, {})

    def pages(self, path: str, size: str, most: int, limit: int = 100, **params: Any) -> Iterator[Any]:
        """The items of a list, page by page, `limit` pages at most. `size` names the parameter for a page's size.

        Only the page's number is counted up, since a server behind a proxy may name itself otherwise in its links.
        """
        seen = 0
        for page in range(1, limit + 1):
            answer = self.get(path, **{**params, size: most, "page": page})
            items = [] if answer.data is None else answer.data  # Gitea says null for none
            if answer.is_empty or not isinstance(items, list):  # that there are none has to be said
                raise OutOfReach(f"{self.host} answers otherwise than with a list (GET {path})", hint=_BETWEEN)
            yield from items
            seen += len(items)
            total = answer.headers.get("x-total-count", "")
            more = 'rel="next"' in answer.headers.get("link", "") or (total.isdigit() and seen < int(total))
            if not items or not more:
                return

    def write(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        accept: Collection[int],
        lookup: Callable[[], Any],
    ) -> Answer:
        """Write. `lookup` says what there is already of it (None: nothing), before it is sent again.

        What it finds is answered with the first status of `accept`.
        """
        with step(f"{method} {path}"):
            return self._settled(method, path, body, accept, lookup, {})

    def rest(self, seconds: float) -> None:
        """Wait for something that the server is still doing."""
        pause(seconds)

    def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            self._client.close()
        self._client = None

    # -- one request, as often as it takes -----------------------------------------------------------------

    def _settled(
        self,
        method: str,
        path: str,
        body: Any,
        accept: Collection[int],
        lookup: Callable[[], Any] | None,
        params: Mapping[str, Any],
    ) -> Answer:
        self.asked = f"{method} {path}"
        trouble = _Trouble("nothing was sent")
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = self._redirected(method, path, body, params)
            except Lost as lost:
                # Without a token it is asked whether it is a forge at all, which a web server is not.
                attempts = ATTEMPTS_AT_500 if lost.is_page and self.token is None else ATTEMPTS
                trouble = _Trouble(str(lost), attempts=attempts, is_page=lost.is_page)
            else:
                found = self._trouble(answer)
                if found is None and answer.status in accept:
                    return answer
                if found is None:
                    raise self._refusal(method, path, answer)
                trouble = found
            if attempt >= trouble.attempts:
                break
            self._wait(trouble, attempt)
            known = lookup() if lookup else None
            if known is not None:
                return Answer(next(iter(accept)), known)
        raise (NoApi if trouble.is_page else OutOfReach)(
            f"{self.host} does not do what is asked ({method} {path}): {trouble.reason}",
            hint="run the same command again later; it goes on where this one stopped",
        )

    def _trouble(self, answer: Answer) -> _Trouble | None:
        """What of an answer can pass, so that it is worth another try."""
        said = f"{answer.status} {answer.message}".strip()
        wait = asked_wait(answer)
        limited = answer.status == 403 and (wait is not None or answer.headers.get("x-ratelimit-remaining") == "0")
        secondary = answer.status in (403, 429) and "secondary rate limit" in answer.message.lower()
        if answer.status == 429 or limited or secondary:
            return _Trouble(f"its rate limit: {said}", wait if wait is not None else SECONDARY_WAIT * secondary or None)
        if answer.status == 500:
            return _Trouble(said, wait, ATTEMPTS_AT_500)
        if answer.status in (408, 502, 503, 504):
            return _Trouble(said, wait)
        return None

    def _wait(self, trouble: _Trouble, attempt: int) -> None:
        if trouble.wait is not None and trouble.wait > LONGEST_WAIT:
            raise OutOfReach(
                f"{self.host}: {trouble.reason}; it wants {trouble.wait / 60:.0f} minutes of rest",
                hint="run the same command again then; it goes on where this one stopped",
            )
        jittered = min(20.0, 0.5 * 2**attempt) * random.uniform(0.5, 1.0)
        pause(max(jittered, trouble.wait or 0.0))

    def _refusal(self, method: str, path: str, answer: Answer) -> NbprError:
        """The error that an answer means which no repetition changes."""
        said = f"{self.host}: {answer.message or 'no reason given'} ({method} {path}: {answer.status})"
        source = f"the token from {self.token.source}" if self.token else "a request without a token"
        if answer.status == 401:
            return NotAllowed(f"{self.host} does not take {source}: {answer.message}", hint=self.wanted_token())
        if answer.status in (403, 404):
            return NotAllowed(said, hint=f"{source} must be allowed to: {self.wanted_token()}")
        if answer.status == 423:
            return NotAllowed(said, hint="the repository is archived; unarchive it, or propose elsewhere")
        if answer.status in (405, 409, 412):
            return Conflict(said, hint="look at the pull request in the browser")
        if 400 <= answer.status < 500:
            return BadInput(said)
        return OutOfReach(said, hint=_BETWEEN)

    def wanted_token(self) -> str:
        """What a token has to be able to do, in words for a hint."""
        if self.kind == "gitea":
            return "a token with the scopes write:repository, write:issue, read:user, in GITEA_TOKEN (docs/forges.md)"
        return "a token that may write contents, pull requests, issues and commit statuses (docs/forges.md)"

    # -- one request ---------------------------------------------------------------------------------------

    def _redirected(self, method: str, path: str, body: Any, params: Mapping[str, Any]) -> Answer:
        """Send it, and again where it is redirected to on the same host: by the same method, with the same body."""
        url = self._current(path)
        for _ in range(REDIRECTS):
            answer = self._once(method, url, body, params)
            place = answer.headers.get("location")
            if answer.status not in (301, 302, 307, 308) or not place:
                return answer
            target = urljoin(url, place)
            if urlsplit(target)[:2] != urlsplit(url)[:2]:
                raise OutOfReach(
                    f"{self.host} sends us on to {redaction.text(_origin(target))}, where its token does not go",
                    hint="name the right address: git remote set-url, or forge-url in [tool.nbpr]",
                )
            params = {} if urlsplit(target).query else params
            if answer.status in (301, 308):
                self._learn(url, target)
            url = target
        raise Lost("it redirects in a circle")

    def _current(self, path: str) -> str:
        """The address of a path, in its new place if the server said that it moved for good."""
        url = path if "://" in path else self.base + path
        if _origin(url) != _origin(self.base):
            raise OutOfReach(f"{self.host} names an address on another host: {_origin(url)}")
        old = next((old for old in self._moved if url == old or url.startswith(old + "/")), None)
        return url if old is None else self._moved[old] + url[len(old) :]

    def _learn(self, url: str, target: str) -> None:
        """Remember what was renamed: the addresses less what they end on alike."""
        before, after = url.split("?")[0].split("/"), target.split("?")[0].split("/")
        same = 0
        while same < min(len(before), len(after)) - 3 and before[-1 - same] == after[-1 - same]:
            same += 1
        if same:
            self._moved["/".join(before[: len(before) - same])] = "/".join(after[: len(after) - same])

    def _once(self, method: str, url: str, body: Any, params: Mapping[str, Any]) -> Answer:
        """Send one request. Raises `Lost` where no readable answer came."""
        import httpx

        headers = dict(self._headers)
        if self.token is not None and self.token.is_for(url):
            headers["Authorization"] = self.token.authorization(self.kind)
        given = {name: str(value) for name, value in params.items()}
        extensions = {"trace": self._trace}
        content: dict[str, Any] = {"json": body}
        if isinstance(body, Upload):
            content = {"files": {body.field: (body.name, body.data)}}
        try:
            with (
                self._watched(),
                self._http().stream(
                    method, url, params=given or None, headers=headers, extensions=extensions, **content
                ) as response,
            ):
                data = read(response)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise Lost(_reason(error)) from None
        return Answer(response.status_code, parsed(response, data), response.headers, not data.strip())

    def _http(self) -> httpx.Client:
        if self._client is None:
            import httpx

            limits, trusted = httpx.Timeout(NEXT_BYTES, connect=CONNECT), _trusted(self._ca_file)
            here = is_loopback(host_of(self.base))  # no proxy's business, to which http would show the token
            try:
                self._client = httpx.Client(timeout=limits, follow_redirects=False, verify=trusted, trust_env=not here)
            except (ImportError, ValueError, httpx.InvalidURL) as error:
                named = ", ".join(name for name in os.environ if name.upper() in PROXIES)
                raise BadInput(
                    f"a proxy that cannot be used is named in {named}: {_reason(error)}",
                    hint="wanted is http://HOST:PORT, and in NO_PROXY names and addresses with commas between them",
                ) from None
        return self._client

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """End a request that takes too long as a whole, however slowly its bytes keep coming."""
        self._is_late = False
        timer = threading.Timer(WHOLE, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        self._is_late = True  # a connection that is still being made is ended as soon as it is there
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Learn of the connections that are made, so that they can be ended from outside."""
        if name in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            made = info["return_value"].get_extra_info("socket")
            self._sockets = [one for one in (*self._sockets, made) if one.fileno() >= 0]
            if self._is_late:
                self._cut()


def part(name: str) -> str:
    """One part of a path, escaped: names of branches hold slashes, `#`, `%` and `+`."""
    return quote(name, safe="")


def _origin(url: str) -> str:
    return "://".join(urlsplit(url)[:2])


def _trusted(ca_file: str | None) -> Any:
    """What the system trusts, as git does, and `ca_file` besides."""
    places = tuple(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    try:
        return _context(ca_file, Path(ca_file).stat().st_mtime_ns if ca_file else 0, places)
    except OSError as error:
        raise BadInput(f"{ca_file}: no certificates can be read from it: {error}") from None


@cache
def _context(ca_file: str | None, _stamp: int, _places: tuple[str | None, ...]) -> Any:
    """The same, kept: to read what a system trusts takes 30 ms, and a command asks two clients or more."""
    import ssl

    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def _reason(error: Exception) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    return redaction.text(said)[:200]
