"""Each token goes to its own host, or nowhere."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr import process, redaction, tokens
from nbpr.errors import BadInput, NotAllowed
from nbpr.tokens import HELPER, Kind, Token, absent, find, host_of

GITEA = "https://git.example.org/ada/work"
GITHUB = "https://github.com/ada/work"
GHES = "https://ghe.example.com/ada/work"
T = {name: f"{name.lower().replace('_', '-')}-value" for name in process.TOKEN_VARIABLES}
GITEA_ACTIONS = {"GITEA_ACTIONS": "true", "GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://git.example.org/"}
FORGEJO_ACTIONS = GITEA_ACTIONS | {"FORGEJO_ACTIONS": "true"}
GHES_ACTIONS = {"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://ghe.example.com"}


@pytest.fixture(autouse=True)
def _unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own process stays one that can be looked into, and forgets what it knew."""
    monkeypatch.setattr(process, "guard", lambda: None)
    monkeypatch.setattr(redaction, "_redactor", redaction.Redactor())


def with_all(*names: str, **further: str) -> dict[str, str]:
    return {name: T[name] for name in names} | further


CASES: list[tuple[str, Kind, dict[str, str], str | None]] = [
    # NBPR_TOKEN goes first, and to the one server that it is for.
    (GITEA, "gitea", with_all("NBPR_TOKEN", "GITEA_TOKEN", NBPR_FORGE_URL="https://git.example.org"), "NBPR_TOKEN"),
    (GITHUB, "github", with_all("NBPR_TOKEN", NBPR_FORGE_URL="https://github.com"), "NBPR_TOKEN"),
    (GITHUB, "github", with_all("NBPR_TOKEN", NBPR_FORGE_URL="https://git.example.org"), None),
    (GITEA, "gitea", with_all("NBPR_TOKEN", NBPR_FORGE_URL="https://git.example.org:3000"), None),
    (GITEA, "gitea", with_all("NBPR_TOKEN", NBPR_FORGE_URL="https://xn--git-example-org"), None),
    # GITEA_TOKEN needs somebody who says for which Gitea it is.
    (GITEA, "gitea", with_all("GITEA_TOKEN"), None),
    (GITEA, "gitea", with_all("GITEA_TOKEN", GITEA_SERVER_URL="https://git.example.org/"), "GITEA_TOKEN"),
    (GITEA, "gitea", with_all("GITEA_TOKEN", GITEA_SERVER_URL="git.example.org"), "GITEA_TOKEN"),
    (GITEA, "gitea", with_all("GITEA_TOKEN", GITEA_SERVER_URL="https://other.example.org"), None),
    (GITEA, "gitea", with_all("GITEA_TOKEN", NBPR_FORGE_URL="https://git.example.org"), "GITEA_TOKEN"),
    (GITEA, "gitea", with_all("FORGEJO_TOKEN", GITEA_SERVER_URL="https://git.example.org"), "FORGEJO_TOKEN"),
    (GITEA, "gitea", with_all("GITEA_TOKEN", **GITEA_ACTIONS), "GITEA_TOKEN"),
    (GITEA, "gitea", with_all("FORGEJO_TOKEN", "GITHUB_TOKEN", **FORGEJO_ACTIONS), "FORGEJO_TOKEN"),
    (GITHUB, "github", with_all("GITEA_TOKEN", GITEA_SERVER_URL="https://github.com"), None),
    # GITHUB_TOKEN in the Actions of a Gitea is that Gitea's.
    (GITEA, "gitea", with_all("GITHUB_TOKEN", **GITEA_ACTIONS), "GITHUB_TOKEN"),
    (GITHUB, "github", with_all("GITHUB_TOKEN", **GITEA_ACTIONS), None),
    (GITEA, "gitea", with_all("GITHUB_TOKEN"), None),
    (GITEA, "gitea", with_all("GITHUB_TOKEN", "GH_TOKEN", NBPR_FORGE_URL="https://git.example.org"), None),
    (GITEA, "gitea", with_all("GITHUB_TOKEN", GITHUB_SERVER_URL="https://git.example.org"), None),
    (
        GITEA,
        "gitea",
        with_all("GITHUB_TOKEN", GITHUB_ACTIONS="true", GITHUB_SERVER_URL="https://git.example.org"),
        None,
    ),
    # GitHub's, in the order of its own command line.
    (GITHUB, "github", with_all("GH_TOKEN", "GITHUB_TOKEN"), "GH_TOKEN"),
    (GITHUB, "github", with_all("GITHUB_TOKEN"), "GITHUB_TOKEN"),
    (GITHUB, "gitea", with_all("GITHUB_TOKEN", "GH_TOKEN"), None),
    ("https://api.github.com/repos/ada/work", "github", with_all("GH_TOKEN"), "GH_TOKEN"),
    (GITHUB, "github", with_all("GITHUB_TOKEN", **GHES_ACTIONS), None),
    (GHES, "github", with_all("GITHUB_TOKEN", **GHES_ACTIONS), "GITHUB_TOKEN"),
    (GHES, "github", with_all("GH_TOKEN", "GITHUB_TOKEN"), None),
    (GHES, "github", with_all("GH_TOKEN", "GH_ENTERPRISE_TOKEN", GH_HOST="ghe.example.com"), "GH_ENTERPRISE_TOKEN"),
    (GHES, "github", with_all("GITHUB_ENTERPRISE_TOKEN", GH_HOST="GHE.example.com"), "GITHUB_ENTERPRISE_TOKEN"),
    (GHES, "github", with_all("GH_ENTERPRISE_TOKEN"), None),
    (GITHUB, "github", with_all("GH_ENTERPRISE_TOKEN", GH_HOST="ghe.example.com"), None),
    ("https://github.com.evil.example/x", "github", with_all("GH_TOKEN", "GITHUB_TOKEN"), None),
    ("https://github.com@evil.example/x", "github", with_all("GH_TOKEN", "GITHUB_TOKEN"), None),
    ("https://evil.example\\@github.com/x", "gitea", with_all("GH_TOKEN", "GITHUB_TOKEN"), None),
    ("https://github.com:8443/x", "github", with_all("GH_TOKEN", "GITHUB_TOKEN"), None),
    # Nothing, and what CI passes for secrets that a job may not have.
    (GITEA, "gitea", {}, None),
    (GITEA, "gitea", {"GITEA_TOKEN": "", "NBPR_TOKEN": "", "GITEA_SERVER_URL": "https://git.example.org"}, None),
]


@pytest.mark.parametrize(("url", "kind", "environ", "source"), CASES)
def test_where_tokens_go(url: str, kind: Kind, environ: dict[str, str], source: str | None) -> None:
    found = find(url, kind, environ)
    assert (found and found.source) == source
    if found and source:
        assert found.value == T[source]
        assert found.is_for(url)
        assert redaction.text(found.value) == redaction.MASK
    elif any(name in environ for name in T):
        assert "is for" in absent(url, environ) or "none of" in absent(url, environ)


hosts = st.sampled_from(["github.com", "git.example.org", "git.example.org:3000", "ghe.example.com", "evil.example"])
flags = st.sampled_from(["true", "false", ""])


@given(
    st.sets(st.sampled_from(process.TOKEN_VARIABLES)),
    st.dictionaries(st.sampled_from(["NBPR_FORGE_URL", "GITEA_SERVER_URL", "GITHUB_SERVER_URL", "GH_HOST"]), hosts),
    st.dictionaries(st.sampled_from(["GITHUB_ACTIONS", "GITEA_ACTIONS", "FORGEJO_ACTIONS"]), flags),
)
def test_nothing_goes_where_no_variable_names_the_host(
    names: set[str], addresses: dict[str, str], actions: dict[str, str]
) -> None:
    environ = with_all(*sorted(names), **{k: f"https://{v}" for k, v in addresses.items()}, **actions)
    named = set(addresses.values()) | {"github.com"}
    for url in (f"https://{host}/x" for host in ("github.com", "git.example.org:3000", "git.example.org", "lan")):
        for kind in ("gitea", "github"):
            if environ.get("NBPR_TOKEN") and "NBPR_FORGE_URL" not in environ:
                with pytest.raises(BadInput, match="NBPR_TOKEN is for no host"):
                    find(url, kind, environ)
                continue
            found = find(url, kind, environ)
            if found is None:
                continue
            assert host_of(url) in named
            assert found.host == host_of(url)
            of_gitea = found.source in ("GITEA_TOKEN", "FORGEJO_TOKEN")
            assert not (of_gitea and kind == "github")
            assert not (found.source.startswith("GH_") and kind == "gitea")


def test_an_unbound_token_says_what_to_set() -> None:
    with pytest.raises(BadInput, match="NBPR_TOKEN is for no host") as caught:
        find(GITEA, "gitea", with_all("NBPR_TOKEN"))
    assert caught.value.hint == "say which: NBPR_FORGE_URL=https://git.example.org"
    assert "set GITEA_SERVER_URL=https://HOST" in absent(GITEA, with_all("GITEA_TOKEN"))
    assert absent(GITEA, with_all("GH_TOKEN")) == "GH_TOKEN is for github.com"


# -- files ---------------------------------------------------------------------------------------------------


def in_file(tmp_path: Path, content: bytes, mode: int = 0o600) -> Token | None:
    path = tmp_path / "token"
    path.write_bytes(content)
    path.chmod(mode)
    return find(GITEA, "gitea", with_all("GITEA_TOKEN", GITEA_SERVER_URL=GITEA), path)


def test_a_file_goes_before_the_environment(tmp_path: Path) -> None:
    for content in (b"from-a-file", b"from-a-file\n", b"from-a-file\r\n"):
        found = in_file(tmp_path, content)
        assert found is not None
        assert (found.value, found.source, found.warning) == ("from-a-file", str(tmp_path / "token"), None)


def test_a_file_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    found = in_file(tmp_path, b"from-a-file\n", 0o644)
    assert found is not None
    assert found.warning == f"{tmp_path}/token: others on this machine can read the token (chmod 600 mends it)"


def test_a_pipe_does_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path, 0o600)
    writer = threading.Thread(target=path.write_bytes, args=(b"from-a-pipe\n",))
    writer.start()
    found = find(GITEA, "gitea", {}, path)
    writer.join()
    assert found is not None
    assert (found.value, found.warning) == ("from-a-pipe", None)


BAD = [b"", b"\n", b"two-lines\nof-token\n", b"wxyz wxyzzy", b"\tsomething", b"bell\x07bell", b"\xff\xfe\x00", b"qrst"]
BAD += ["tökentöken".encode(), b"x" * 5000, b"line-sep\xe2\x80\xa8arator"]


@pytest.mark.parametrize("content", BAD)
def test_what_is_no_token_is_refused_without_saying_it(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadInput) as caught:
        in_file(tmp_path, content)
    said = repr(caught.value) + str(caught.value.hint)
    words = [word for word in content.decode("latin-1").split() if len(word) > 3 and word != "token"]
    assert not any(word in said for word in words)
    assert str(tmp_path) in said


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        find(GITEA, "gitea", {}, tmp_path / "none")


def test_a_variable_with_a_line_break_is_refused() -> None:
    for value in ("abcdefgh\nHost: evil", "abcdefgh\r", " abcdefgh", '"abcdefgh '):
        with pytest.raises(BadInput, match=r"GH_TOKEN: the token has white space") as caught:
            find(GITHUB, "github", {"GH_TOKEN": value})
        assert "abcdefgh" not in str(caught.value)


# -- helpers -------------------------------------------------------------------------------------------------


def test_helpers_are_asked_last_and_once() -> None:
    asked: list[str] = []

    def helpers(url: str) -> tuple[str, str] | None:
        asked.append(url)
        return "ada", "pass word"

    environ = with_all("GITEA_TOKEN", GITEA_SERVER_URL=GITEA)
    assert find(GITEA, "gitea", environ, None, helpers) == Token(T["GITEA_TOKEN"], "git.example.org", "GITEA_TOKEN")
    assert asked == []
    found = find(GITEA, "gitea", with_all("GH_TOKEN"), None, helpers)
    assert found is not None
    assert (found.value, found.login, found.source, found.is_gits_own) == ("pass word", "ada", HELPER, True)
    assert asked == [GITEA]
    assert find(GITEA, "gitea", {}, None, lambda _: None) is None
    with pytest.raises(BadInput, match="git's credential helper"):
        find(GITEA, "gitea", {}, None, lambda _: ("ada", "line\nbreak"))


# -- hosts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://GIT.Example.org/x", "git.example.org"),
        ("https://git.example.org.:443/x", "git.example.org"),
        ("http://git.example.org:80", "git.example.org"),
        ("http://git.example.org:443", "git.example.org:443"),
        ("https://user:pw@git.example.org:3000/sub", "git.example.org:3000"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("https://[::1]:3000/", "[::1]:3000"),
        ("https://[2001:DB8::1]/", "[2001:db8::1]"),
        ("https://api.github.com/", "github.com"),
        ("https://api.octo.ghe.com/x", "octo.ghe.com"),
        ("https://api.example.com/", "api.example.com"),
    ],
)
def test_one_host_has_one_name(url: str, host: str) -> None:
    assert host_of(url) == host
    assert Token("value-value", host, "a test", urlsplit(url).scheme).is_for(url)


@pytest.mark.parametrize(
    "url", ["", "git@host:a/b", "ssh://host/x", "https://", "https://host:port/", "/a/b", "ftp://h"]
)
def test_what_has_no_host_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="not an address of a forge"):
        host_of(url)


def test_a_redirect_does_not_get_it() -> None:
    mine = Token("value-value", "git.example.org", "a test")
    assert mine.is_for("https://git.example.org/api/v1/x")
    for url in ("http://git.example.org/", "https://git.example.org:444/", "https://git.example.org.evil.example/"):
        assert not mine.is_for(url)
    assert not mine.is_for("//git.example.org/x")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:3000", "http://localhost:3000", "http://[::1]:3000", "http://a.localhost"]
)
def test_plain_http_is_for_this_machine(url: str) -> None:
    found = find(url, "gitea", with_all("GITEA_TOKEN", GITEA_SERVER_URL=url))
    assert found is not None
    assert found.scheme == "http"


@pytest.mark.parametrize(
    "url", ["http://git.example.org", "http://127.0.0.1.example.org", "http://localhost.evil.example"]
)
def test_plain_http_to_others_is_refused_unless_allowed(url: str, tmp_path: Path) -> None:
    environ = with_all("GITEA_TOKEN", GITEA_SERVER_URL=url)
    with pytest.raises(NotAllowed, match="not sent over a connection that others can read"):
        find(url, "gitea", environ)
    assert find(url, "gitea", environ, allow_http=True) is not None
    assert find(url, "gitea", {}) is None


def test_what_is_sent() -> None:
    mine = Token("value-value", "h", "a test")
    assert mine.authorization("gitea") == "token value-value"
    assert mine.authorization("github") == "Bearer value-value"
    assert Token("pw pw", "h", HELPER, login="ada").authorization("gitea") == "Basic YWRhOnB3IHB3"
    secret = Token("pässword", "h", HELPER, login="ada")
    assert secret.authorization("gitea").startswith("Basic ")
    with pytest.raises(BadInput, match="not all of it is ASCII") as caught:
        secret.authorization("github")
    assert "pässword" not in f"{caught.value} {caught.value.hint}"


def test_a_token_does_not_show_itself() -> None:
    assert "value-value" not in repr(Token("value-value", "h", "a test"))
    assert "value-value" not in repr(tokens._Found("value-value", "a test"))


def test_finding_one_guards_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[bool] = []
    monkeypatch.setattr(process, "guard", lambda: called.append(True))
    assert find(GITHUB, "github", {}) is None
    assert called == []
    assert find(GITHUB, "github", with_all("GH_TOKEN")) is not None
    assert called == [True]
