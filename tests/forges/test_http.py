"""The client of forges: what is tried again, how long it waits, and what it never does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from nbpr.errors import BadInput, Conflict, Interrupted, NbprError, NotAllowed, OutOfReach
from nbpr.forges import http
from nbpr.forges.answer import Answer
from nbpr.forges.http import Client, part
from nbpr.forges.status import Check
from nbpr.tokens import Token
from tests.forges import places
from tests.forges.serving import FakeForge, Fault, Reply, serving

pytestmark = pytest.mark.slow

TOKEN = "token-0123456789"


class Counting(FakeForge):
    """A server that has one thing, which a POST makes and a GET shows."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.made = 0
        self.replies: list[Reply] = []

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any, login: str | None) -> Reply:
        if self.replies:
            return self.replies.pop(0)
        if path.startswith("/api/list"):
            page, size = int(query["page"]), min(int(query["limit"]), 2)
            rows = list(range(5))[(page - 1) * size : page * size]
            return Reply(200, rows, {"X-Total-Count": "5", "Link": '<http://elsewhere.invalid/x?page=9>; rel="next"'})
        if method == "GET":
            return Reply(200, {"made": self.made, "login": login, "path": path})
        self.made += 1
        return Reply(201, {"made": self.made})


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Counting]:
    with serving(Counting, tmp_path) as found:
        found.user("ada", TOKEN)
        yield found  # type: ignore[misc]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(http, "pause", found.append)
    return found


def client(served: FakeForge, **options: Any) -> Client:
    host = served.root.partition("://")[2]
    return Client(f"{served.root}/api", "gitea", Token(TOKEN, host, "GITEA_TOKEN", "http"), **options)


def post(asking: Client, lookup: Any = lambda: None) -> Any:
    return asking.write("POST", "/things", {"a": 1}, accept=(201,), lookup=lookup)


def test_the_token_is_sent_and_the_answer_read(served: Counting) -> None:
    assert client(served).get("/x").data == {"made": 0, "login": "ada", "path": "/api/x"}


@pytest.mark.parametrize("kind", ["reset", "500", "502", "503", "504", "429", "429 later", "truncated", "html", "skew"])
def test_what_can_pass_is_tried_again(served: Counting, waits: list[float], kind: str) -> None:
    served.reset({0: Fault(kind)})
    assert client(served).get("/x").status == 200
    assert len(served.requests) == 2
    assert len(waits) == 1
    assert 0 < waits[0] < 10


@pytest.mark.parametrize("kind", ["reset", "500", "502", "truncated", "html"])
def test_a_write_whose_answer_was_lost_is_not_sent_again(served: Counting, waits: list[float], kind: str) -> None:
    served.reset({0: Fault(kind, after=True)})
    answer = post(client(served), lambda: {"made": served.made} if served.made else None)
    assert (answer.status, answer.data, served.made) == (201, {"made": 1}, 1)


@pytest.mark.parametrize("kind", ["reset", "500", "502"])
def test_a_write_that_did_not_arrive_is(served: Counting, waits: list[float], kind: str) -> None:
    served.reset({0: Fault(kind)})
    assert post(client(served), lambda: {"made": served.made} if served.made else None).data == {"made": 1}
    assert served.made == 1


def test_it_gives_up_in_the_end(served: Counting, waits: list[float]) -> None:
    served.reset({number: Fault("503") for number in range(9)})
    with pytest.raises(OutOfReach, match="503") as caught:
        client(served).get("/x")
    assert len(served.requests) == http.ATTEMPTS
    assert "run the same command again" in str(caught.value.hint)
    assert all(later > sooner / 2 for sooner, later in pairwise(waits))


@pytest.mark.parametrize("data", [None, {}, {"message": "ok"}, "none"])
def test_what_is_no_list_is_not_taken_for_an_empty_one(served: Counting, data: Any) -> None:
    # That there are no pull requests leads to a second one, so it has to be said.
    served.replies = [Reply(200, data)]
    with pytest.raises(OutOfReach, match="otherwise than with a list"):
        list(client(served).pages("/list", "limit", 2))
    served.replies = [Reply(200, [])]
    assert list(client(served).pages("/list", "limit", 2)) == []


def test_a_500_may_mean_that_there_is_no_such_thing(served: Counting, waits: list[float]) -> None:
    served.reset({number: Fault("500") for number in range(9)})
    with pytest.raises(OutOfReach):
        client(served).get("/x")
    assert len(served.requests) == http.ATTEMPTS_AT_500


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": formatdate(1_000_030), "Date": formatdate(1_000_000)}, 30),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1000042", "Date": formatdate(1_000_000)}, 42),
        ({}, 60),
    ],
)
def test_it_waits_as_long_as_it_is_asked_to(
    served: Counting, waits: list[float], headers: dict[str, str], least: float
) -> None:
    served.replies = [Reply(403, {"message": "You have exceeded a secondary rate limit"}, headers)]
    client(served).get("/x")
    assert waits[0] == least


def test_a_wait_that_is_too_long_ends_it(served: Counting, waits: list[float]) -> None:
    served.replies = [Reply(429, {"message": "slow down"}, {"Retry-After": "3600"})]
    with pytest.raises(OutOfReach, match="60 minutes of rest"):
        client(served).get("/x")
    assert waits == []


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (401, NotAllowed, 4),
        (403, NotAllowed, 4),
        (404, NotAllowed, 4),
        (405, Conflict, 5),
        (409, Conflict, 5),
        (413, BadInput, 2),
        (422, BadInput, 2),
        (423, NotAllowed, 4),
        (304, OutOfReach, 6),
    ],
)
def test_what_does_not_pass_is_said_at_once(
    served: Counting, waits: list[float], status: int, error: type[Exception], code: int
) -> None:
    served.replies = [Reply(status, {"message": "no such luck"} if status >= 400 else None)]
    with pytest.raises(error) as caught:
        client(served).get("/x")
    assert (caught.value.exit_code, len(served.requests), waits) == (code, 1, [])  # type: ignore[attr-defined]
    assert TOKEN not in f"{caught.value} {caught.value.hint}"  # type: ignore[attr-defined]


def test_a_missing_scope_is_named(served: Counting) -> None:
    said = "token does not have at least one of required scope(s), required=[write:issue], token scope=read:user"
    served.replies = [Reply(403, {"message": said})]
    with pytest.raises(NotAllowed, match="write:issue") as caught:
        post(client(served))
    assert "write:repository, write:issue, read:user" in str(caught.value.hint)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirected_write_stays_one(served: Counting, status: int) -> None:
    served.replies = [Reply(status, None, {"Location": "/api/elsewhere/things"})]
    assert post(client(served)).data == {"made": 1}
    assert served.requests == ["POST /api/things", "POST /api/elsewhere/things"]


def test_what_moved_for_good_is_asked_there(served: Counting) -> None:
    asking = client(served)
    served.replies = [Reply(301, None, {"Location": f"{served.root}/api/repos/a/new/pulls"})]
    asking.get("/repos/a/old/pulls")
    asking.get("/repos/a/old/labels")
    asking.get("/repos/a/older/labels")
    assert served.requests[1:] == [
        "GET /api/repos/a/new/pulls",
        "GET /api/repos/a/new/labels",
        "GET /api/repos/a/older/labels",
    ]


@pytest.mark.parametrize(
    "place", ["http://localhost:1/api/x", "https://127.0.0.1/x", "//evil.invalid/x", "http://127.0.0.1:1/"]
)
def test_a_redirect_to_another_host_is_refused(served: Counting, place: str) -> None:
    served.replies = [Reply(302, None, {"Location": place})]
    with pytest.raises(OutOfReach, match="where its token does not go"):
        client(served).get("/x")


def test_a_circle_of_redirects_ends(served: Counting, waits: list[float]) -> None:
    served.replies = [Reply(302, None, {"Location": "/api/x"}) for _ in range(100)]
    with pytest.raises(OutOfReach, match="in a circle"):
        client(served).get("/x")


def test_pages_are_counted_up_on_our_own_address(served: Counting) -> None:
    assert list(client(served).pages("/list", "limit", 50)) == [0, 1, 2, 3, 4]
    assert list(client(served).pages("/list", "limit", 50, 2)) == [0, 1, 2, 3]
    assert set(served.requests) == {"GET /api/list"}


def test_a_create_that_is_answered_as_a_read_is_no_success(served: Counting, waits: list[float]) -> None:
    served.replies = [Reply(200, [{"number": 7}])]
    with pytest.raises(OutOfReach):
        post(client(served))


def test_nobody_there(waits: list[float]) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    with pytest.raises(OutOfReach, match="refused"):
        Client(f"http://127.0.0.1:{port}", "gitea").get("/x")
    assert len(waits) == http.ATTEMPTS - 1


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n"]
)
def test_bytes_that_keep_trickling_are_cut_off(
    head: bytes, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "WHOLE", 0.3)
    monkeypatch.setattr(http, "ATTEMPTS", 1)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def trickle() -> None:
            one, _ = listening.accept()
            with one:
                one.recv(65536)
                one.sendall(head)
                while not stop.wait(0.02):
                    try:
                        one.sendall(b"H" if not head else b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        with pytest.raises(OutOfReach):
            Client(f"http://127.0.0.1:{listening.getsockname()[1]}", "gitea").get("/x")
        stop.set()
        thread.join(10)


def test_certificates_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(BadInput, match=r"ca\.pem: no certificates"):
        Client("https://127.0.0.1:1", "gitea", ca_file=str(tmp_path / "ca.pem")).get("/x")


def test_proxies_are_those_of_the_environment(served: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", served.root)
    asking = Client("http://forge.invalid/api", "gitea")
    assert asking.get("/x").data["made"] == 0
    monkeypatch.setenv("NO_PROXY", "forge.invalid")
    monkeypatch.setattr(http, "ATTEMPTS", 1)
    with pytest.raises(OutOfReach):
        Client("http://forge.invalid/api", "gitea").get("/x")


def test_what_is_on_this_machine_needs_no_proxy(served: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setattr(http, "ATTEMPTS", 1)
    assert client(served).get("/x").data["login"] == "ada"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("HTTPS_PROXY", "foo://x:1"),
        ("http_proxy", "127.0.0.1:abc"),
        ("NO_PROXY", "[::1]"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("HTTP_PROXY" if name == "NO_PROXY" else "NO_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInput, match=name):
        Client("http://forge.invalid/api", "gitea").get("/x")


def test_errors_may_be_no_list() -> None:
    assert Answer(400, {"message": "no", "errors": True}).message == "no"
    assert Answer(400, {"errors": ["a", {"message": "b"}, None]}).message == "a; b"


@pytest.mark.parametrize("kind", ["gitea", "github"])
@pytest.mark.parametrize("said", [None, {}, [], "ok", [None], {"errors": True}, {"number": {}, "id": "x"}])
def test_answers_that_are_no_forges_are_no_bugs(
    kind: str, said: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    with places.fake(kind, tmp_path, monkeypatch) as place:
        assert place.fake is not None
        found = place.forge()
        opening = place.opening()
        pull = found.open(opening)
        api, told = found._api, []  # type: ignore[attr-defined]
        monkeypatch.setattr(place.fake, "handled", lambda method, *_: Reply(201 if method == "POST" else 200, said))
        for ask in (
            api.login,
            api.may_push,
            lambda: api.fork("eve", make=True),
            lambda: list(api.pulls("open")),
            lambda: api.pull(1),
            lambda: api.create(opening),
            lambda: api.edit(pull, {"body": "b", "draft": True}),
            lambda: api.label(pull, ["l"]),
            lambda: api.ask(pull, ["bob"]),
            lambda: api.assign(pull, ["bob"]),
            lambda: api.plan(pull, "m"),
            lambda: api.comments(1),
            lambda: api.say(1, "b", []),
            lambda: api.statuses(opening.head_sha),
            lambda: api.annotate(opening.head_sha, Check("nbpr", "success", "t", "s")),
            lambda: api.auto_merge(pull),
            lambda: api.merge(pull, opening.head_sha, "m"),
            lambda: api.reviews.placed(1, "ada"),
        ):
            try:
                ask()
            except NbprError as error:
                told.append(error)
        odd = [error for error in told if "answers otherwise than a Git" in error.message]
        assert len(odd) > 3
        assert {error.exit_code for error in odd} == {6}


def test_a_bug_beside_the_answers_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with places.fake("github", tmp_path, monkeypatch) as place:
        api = place.forge()._api  # type: ignore[attr-defined]
        with pytest.raises(AttributeError):
            api.keep(1, {"a.png": b""}, lambda files: place.repository.branch_name(5))


def test_parts_of_a_path_are_escaped() -> None:
    assert part("agent/a#b%c+d e") == "agent%2Fa%23b%25c%2Bd%20e"


def test_a_thread_that_is_to_stop_does_not_wait_for_another_try(served: Counting) -> None:
    served.reset({number: Fault("429 later") for number in range(9)})
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted), http.patient_until(stop):
        client(served).get("/x")
    assert len(served.requests) == 1
