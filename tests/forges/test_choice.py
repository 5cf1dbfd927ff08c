"""Which forge a remote means, by its URL and by what answers there."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbpr import config
from nbpr.errors import BadInput, NotAllowed, OutOfReach
from nbpr.forges import access, choice, forge_for, http
from nbpr.forges.choice import Address
from nbpr.forges.github import api_root
from nbpr.git.repository import Repository
from tests.conftest import git
from tests.forges.fake_gitea import FakeGitea
from tests.forges.fake_github import FakeGithub
from tests.forges.serving import FakeForge, Fault, Reply, serving


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/ada/x.git", "https://github.com ada x"),
        ("https://github.com/ada/x/", "https://github.com ada x"),
        ("https://me:secret@host.example:3000/ada/x.git", "https://host.example:3000 ada x"),
        ("http://host/git/sub/ada/x", "http://host/git/sub ada x"),
        ("https://host/ada/x%20y.git", "https://host ada x y"),
        ("ssh://git@host.example:2222/ada/x.git", "https://host.example ada x"),
        ("ssh://git@[::1]:2222/ada/x.git", "https://[::1] ada x"),
        ("git@github.com:ada/x.git", "https://github.com ada x"),
        ("github.com:ada/x", "https://github.com ada x"),
        ("git@host:/ada/x.git", "https://host ada x"),
        ("git@[::1]:ada/x.git", "https://[::1] ada x"),
        ("[git@host:2222]:ada/x.git", "https://host ada x"),
        ("ssh://git@ssh.github.com:443/ada/x.git", "https://github.com ada x"),
        ("git://Host.Example/ada/x", "https://host.example ada x"),
    ],
)
def test_what_a_url_names(url: str, expected: str) -> None:
    address = choice.parse(url)
    assert f"{address.root} {address.owner} {address.repo}" == expected


@pytest.mark.parametrize(
    "url", ["https://host/x", "host:x", "ext::sh -c x", "s3://bucket/a/b", "https://", "https://[/a/b"]
)
def test_urls_that_name_no_repository(url: str) -> None:
    with pytest.raises(BadInput, match="names no repository on a forge") as caught:
        choice.parse(url)
    assert 'forge = "local"' in str(caught.value.hint)


def test_a_password_in_a_url_is_not_said() -> None:
    with pytest.raises(BadInput) as caught:
        choice.parse("https://me:pa55word-of-mine@host/x")
    assert "pa55word" not in caught.value.message


@pytest.mark.parametrize(
    ("root", "kind"),
    [("https://github.com", "github"), ("https://acme.ghe.com", "github"), ("https://codeberg.org", "gitea")],
)
def test_hosts_that_are_known(root: str, kind: str) -> None:
    assert choice.kind_of(Address(root, "a", "b"))[0] == kind


@pytest.mark.parametrize("host", ["gitlab.com", "bitbucket.org", "acme.visualstudio.com"])
def test_hosts_that_are_none_of_ours(host: str) -> None:
    with pytest.raises(BadInput, match=f"{host} is no forge that nbpr speaks to; no pull request was made") as caught:
        choice.kind_of(Address(f"https://{host}", "a", "b"))
    assert "gitea" in str(caught.value.hint)


def test_a_host_that_only_ends_alike_is_not_known() -> None:
    with pytest.raises(OutOfReach):
        choice.kind_of(Address("https://notgithub.com.invalid", "a", "b"))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "pause", lambda seconds: None)


@pytest.mark.parametrize(("make", "kind"), [(FakeGitea, "gitea"), (FakeGithub, "github")])
def test_what_answers_there(make: type[FakeForge], kind: str, tmp_path: Path) -> None:
    with serving(make, tmp_path) as served:
        assert choice.kind_of(Address(served.root, "a", "b")) == (kind, Address(served.root, "a", "b"))
        # An ssh URL has the path of the repositories, which the web need not have.
        assert choice.kind_of(Address(f"{served.root}/repositories", "a", "b"))[1].root == served.root
        served.errors.clear()


class _Plain(FakeForge):
    """A web server that is no forge."""

    def answer(self, *_: object) -> Reply:
        return Reply(404, {"message": "no"})


class _Closed(FakeForge):
    """A Gitea that wants everybody to sign in."""

    def answer(self, *_: object) -> Reply:
        return Reply(403, {"message": "Only signed in user is allowed to call APIs."})


def test_a_server_that_is_no_forge(tmp_path: Path) -> None:
    with (
        serving(_Plain, tmp_path) as served,
        pytest.raises(BadInput, match="answers neither as Gitea or Forgejo nor as GitHub"),
    ):
        choice.kind_of(Address(served.root, "a", "b"))


def test_a_server_that_shows_a_page_for_everything(tmp_path: Path) -> None:
    with serving(_Plain, tmp_path) as served:
        served.reset({number: Fault("html") for number in range(20)})
        with pytest.raises(BadInput, match="answers neither as Gitea or Forgejo nor as GitHub") as caught:
            choice.kind_of(Address(f"{served.root}/git", "a", "b"))
        assert caught.value.hint == choice.OPTIONS
        assert len(served.requests) == 8


def test_a_page_that_passes_is_not_taken_for_no(tmp_path: Path) -> None:
    with serving(FakeGitea, tmp_path) as served:
        served.reset({0: Fault("html")})
        assert choice.kind_of(Address(served.root, "a", "b"))[0] == "gitea"


def test_a_gitea_that_wants_everybody_to_sign_in(tmp_path: Path) -> None:
    with serving(_Closed, tmp_path) as served:
        assert choice.kind_of(Address(served.root, "a", "b"))[0] == "gitea"


def test_probes_carry_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    class Watching(FakeGitea):
        def handled(self, method: str, path: str, query: dict[str, str], body: object, token: str | None) -> Reply:
            seen.append(token)
            return super().handled(method, path, query, body, token)

    with serving(Watching, tmp_path) as served:
        monkeypatch.setenv("GITEA_TOKEN", "token-0123456789")
        monkeypatch.setenv("GITEA_SERVER_URL", served.root)
        choice.kind_of(Address(served.root, "a", "b"))
    assert seen == [None]


def test_where_the_api_of_a_github_is() -> None:
    assert api_root(Address("https://github.com", "a", "b")) == "https://api.github.com"
    assert api_root(Address("https://acme.ghe.com", "a", "b")) == "https://api.acme.ghe.com"
    assert api_root(Address("https://git.acme.example", "a", "b")) == "https://git.acme.example/api/v3"


# -- the forge of a repository -----------------------------------------------------------------------------------


@pytest.fixture
def cloned(repository: Path) -> Repository:
    git(repository, "remote", "add", "origin", "https://git.example.invalid/ada/x.git")
    return Repository.discover(repository)


def test_a_token_file_does_not_follow_the_repositorys_settings(
    cloned: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("token-0123456789\n")
    (tmp_path / "token").chmod(0o600)
    (cloned.root / "nbpr.toml").write_text('forge = "gitea"\nforge-url = "https://evil.invalid"\n')
    settings = config.load(cloned.root, {"token_file": str(tmp_path / "token")}, environ={})
    with pytest.raises(NotAllowed, match=r"forge-url names another one: evil\.invalid"):
        forge_for(cloned, settings)
    monkeypatch.setenv("NBPR_FORGE_URL", "https://evil.invalid")
    assert forge_for(cloned, settings).name == "gitea"


@pytest.mark.parametrize(
    ("remote", "forge_url", "given"),
    [
        ("https://git.example.invalid/ada/x.git", "https://evil.invalid", False),
        ("https://git.example.invalid/ada/x.git", "https://git.example.invalid:3000", False),
        ("https://git.example.invalid:443/ada/x.git", "https://git.example.invalid", True),
        ("git@git.example.invalid:ada/x.git", "https://git.example.invalid:3000/git", True),
    ],
)
def test_gits_credentials_do_not_follow_the_repositorys_settings_either(
    cloned: Repository, monkeypatch: pytest.MonkeyPatch, remote: str, forge_url: str, given: bool
) -> None:
    # As CI is often set up: a helper that gives the token to whoever asks.
    git(cloned.root, "remote", "set-url", "origin", remote)
    git(cloned.root, "config", "credential.helper", "!f() { echo username=ada; echo password=pass-0123456789; }; f")
    (cloned.root / "nbpr.toml").write_text(f'forge = "gitea"\nforge-url = "{forge_url}"\n')
    settings = config.load(cloned.root, {}, environ={})
    if not given:
        with pytest.raises(NotAllowed, match="there is no token for") as caught:
            forge_for(cloned, settings)
        assert "NBPR_FORGE_URL" in str(caught.value.hint)
        monkeypatch.setenv("NBPR_FORGE_URL", forge_url)
    assert forge_for(cloned, settings).name == "gitea"


@pytest.mark.parametrize("key", ["token-file", "ca-file"])
def test_what_a_repository_may_not_say(cloned: Repository, key: str) -> None:
    (cloned.root / "nbpr.toml").write_text(f'{key} = "/home/ada/.ssh/id_ed25519"\n')
    with pytest.raises(BadInput, match="not a repository's to say"):
        config.load(cloned.root, {}, environ={})
    name = key.upper().replace("-", "_")
    (cloned.root / "nbpr.toml").unlink()
    assert config.load(cloned.root, {}, environ={f"NBPR_{name}": "x"}) == config.Config(**{key.replace("-", "_"): "x"})  # type: ignore[arg-type]


def test_a_forge_by_name_wants_a_server(repository: Path) -> None:
    with pytest.raises(BadInput, match="wants a remote on its server"):
        forge_for(Repository.discover(repository), config.Config(forge="gitea"))


def test_the_token_goes_to_git_too(cloned: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEA_TOKEN", "token-0123456789")
    monkeypatch.setenv("GITEA_SERVER_URL", "https://git.example.invalid")
    forge_for(cloned, config.Config(forge="gitea"))
    assert cloned.token is not None
    assert cloned.token.host == "git.example.invalid"
    assert "token-0123456789" not in repr(cloned.token)


def test_a_redirect_away_does_not_get_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(FakeGitea, tmp_path) as served:
        served.user("ada", "token-0123456789")
        monkeypatch.setenv("GITEA_TOKEN", "token-0123456789")
        monkeypatch.setenv("GITEA_SERVER_URL", served.root)
        (tmp_path / "r").mkdir()
        git(tmp_path / "r", "init", "-q")
        git(tmp_path / "r", "remote", "add", "origin", f"{served.root}/ada/x.git")
        repository = Repository.discover(tmp_path / "r")
        address = choice.parse(repository.remote_url("origin"))
        token = access.token(repository, config.Config(), address, "gitea", f"{served.root}/a/b.git")
        served.reset({0: Fault("away")})
        with pytest.raises(OutOfReach, match="where its token does not go"):
            access.api(address, "gitea", token).login()
