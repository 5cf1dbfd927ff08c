"""Notebooks at `s3://` addresses, against a server that speaks S3: read, run, written, and no credential on the way."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from nbpr import redaction, storage
from nbpr.config import Config
from nbpr.errors import BadInput, Missing, NbprError, NotAllowed, OutOfReach
from nbpr.executor import NotebookExecutor
from nbpr.runs import keeping, runs
from nbpr.runs.record import Run
from nbpr.storage import Remote
from tests import s3_server
from tests.conftest import git
from tests.kernels import code
from tests.kernels import notebook as made_of
from tests.s3_server import Server

pytest.importorskip("moto", reason="moto is not installed")

pytestmark = pytest.mark.slow

#: Says what it was given, and whatever it can find of credentials: in its environment, and in its parent's.
NOSY = """
import os
from pathlib import Path
found = [name for name in os.environ if "AWS" in name]
for place in ("/proc/self/environ", f"/proc/{os.getppid()}/environ"):
    try:
        found += [place] if b"AWS_" in Path(place).read_bytes() else []
    except OSError:
        pass
print(n, Path.cwd().name, found)
"""
NB = json.dumps(made_of(code("n = 1", "parameters"), NOSY)).encode()


def printed(data: bytes) -> str:
    """What the last cell of a notebook's file printed."""
    return "".join(json.loads(data)["cells"][-1]["outputs"][0]["text"])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with s3_server.serving() as serving:
        yield serving


@pytest.fixture
def reached(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server, found by this process as boto3 finds one, and by papermill anew."""
    from papermill.s3 import S3

    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(S3, "s3_session", (None, None, None))
    monkeypatch.setattr(redaction, "_redactor", redaction.Redactor())
    return server


@pytest.mark.kernel
@pytest.mark.slow
def test_from_one_address_to_another_and_no_credential_anywhere(server: Server, repository: Path) -> None:
    source = server.put("in.ipynb", NB)
    git(repository, "commit", "-q", "--allow-empty", "-m", "one")
    words = [sys.executable, "-m", "nbpr", "run", source, "-p", "n", "5", "--json", "--output", "s3://lab/out.ipynb"]
    environment = {**os.environ, **server.environment}
    done = subprocess.run(words, cwd=repository, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)["runs"]
    assert (record["notebook"], record["output"]) == (source, "s3://lab/out.ipynb")
    assert record["parameters"] == {"n": 5}
    written = server.get("out.ipynb")
    assert printed(written) == f"5 {repository.name} []\n"
    said = [done.stdout.encode(), done.stderr.encode(), written]
    kept = [place.read_bytes() for place in (repository / ".git" / "nbpr").rglob("*") if place.is_file()]
    for secret in (s3_server.SECRET, s3_server.SESSION):
        assert not any(secret.encode() in each for each in (*said, *kept))
    assert server.keys() == ["in.ipynb", "out.ipynb"]


@pytest.mark.kernel
def test_several_go_into_a_folder_and_from_python_too(reached: Server, repository: Path) -> None:
    sources = [reached.put(f"many/{name}.ipynb", NB) for name in "ab"]
    made = runs.run_notebooks(sources, repository, Config(), output=Remote("s3://lab/made/"))
    assert [run.record.output for run in made] == ["s3://lab/made/a.ipynb", "s3://lab/made/b.ipynb"]
    assert [printed(reached.get(f"made/{name}.ipynb"))[:2] for name in "ab"] == ["1 ", "1 "]
    record = NotebookExecutor(repository).execute(sources[0], "here.ipynb", {"n": 7})
    assert (record["status"], record["output"]) == ("success", str(repository / "here.ipynb"))
    assert printed((repository / "here.ipynb").read_bytes())[:2] == "7 "


def test_the_same_bytes_there_and_back(reached: Server) -> None:
    # A letter of two bytes lies over the end of each block of a megabyte, in one of the two.
    for data in (b"x" + "é".encode() * 2_000_000 + b"\r\n\n", "é".encode() * 2_000_000, b""):
        Remote("s3://lab/bytes.ipynb").write_bytes(data)
        assert reached.get("bytes.ipynb") == data
        assert Remote("s3://lab/bytes.ipynb").read_bytes() == data


def test_what_is_not_there_is_said_before_anything_runs(reached: Server, tmp_path: Path) -> None:
    there = reached.put("there.ipynb", NB)
    output = Remote("s3://lab/out.ipynb")
    with pytest.raises(BadInput, match=r"s3://lab/missing\.ipynb: no such file, or no such bucket"):
        runs.planned(["s3://lab/missing.ipynb"], tmp_path, Config(), output=output)
    with pytest.raises(BadInput, match=r"s3://nowhere/x\.ipynb: no such file, or no such bucket"):
        runs.run_notebooks([there], tmp_path, Config(), output=Remote("s3://nowhere/x.ipynb"))
    with pytest.raises(BadInput, match="no place for its run"):
        runs.run_notebooks([there], tmp_path, Config())
    (plan,) = runs.planned([there], tmp_path, Config(), output=output)
    assert plan["output"] == "s3://lab/out.ipynb"


def test_a_storage_that_takes_nothing_loses_no_run(
    reached: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = cast("Run", SimpleNamespace(whole_bytes=NB, record=SimpleNamespace(run_id="20261126T000000Z-0")))
    with pytest.raises(BadInput, match="no such bucket") as caught:
        keeping.store_at(run, Remote("s3://gone/out.ipynb"))
    kept = tmp_path / "20261126T000000Z-0.ipynb"
    assert str(kept) in str(caught.value.hint)
    assert kept.read_bytes() == NB


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, OutOfReach, "Could not connect"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}, NotAllowed, "no credentials"),
        ({"AWS_PROFILE": "nobody"}, NotAllowed, "no credentials"),
    ],
)
def test_a_storage_that_cannot_be_asked(
    reached: Server, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], kind: type[NbprError], said: str
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    with pytest.raises(kind, match=said) as caught:
        Remote("s3://lab/there.ipynb").read_bytes()
    assert "\n" not in caught.value.message
    assert caught.value.hint


def failing(code: str, status: int) -> Exception:
    from botocore.exceptions import ClientError

    answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(cast("Any", answer), "GetObject")


def test_what_a_server_answers(reached: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from papermill.s3 import S3

    answers: list[tuple[str, int, type[NbprError]]] = [
        ("AccessDenied", 403, NotAllowed),
        ("ExpiredToken", 400, NotAllowed),
        ("NoSuchKey", 404, BadInput),
        ("SlowDown", 503, OutOfReach),
        ("InternalError", 500, OutOfReach),
        ("MalformedPolicy", 400, BadInput),
    ]
    for answer, status, kind in answers:

        def cat(*args: Any, error: Exception = failing(answer, status), **options: Any) -> Any:  # noqa: B008
            raise error

        monkeypatch.setattr(S3, "cat", cat)
        with pytest.raises(kind):
            Remote("s3://lab/there.ipynb").read_bytes()


def test_credentials_are_kept_out_of_what_is_said(reached: Server) -> None:
    reached.put("there.ipynb", NB)
    Remote("s3://lab/there.ipynb").read_bytes()
    assert redaction.text(f"a {s3_server.SECRET} b {s3_server.SESSION}") == "a *** b ***"


def test_without_the_extra_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == "boto3" else found(name, *rest))
    with pytest.raises(Missing, match="s3:// addresses need boto3, which is not installed here") as caught:
        Remote("s3://lab/there.ipynb").read_bytes()
    assert caught.value.hint == "pip install 'nbpr[s3]'"


@pytest.mark.parametrize("word", ["gs://lab/a.ipynb", "https://example.org/a.ipynb", "s3://", "s3:///a.ipynb"])
def test_what_is_no_address(word: str) -> None:
    with pytest.raises(BadInput):
        storage.place(word)


def test_places() -> None:
    assert storage.place("a/b.ipynb") == Path("a/b.ipynb")
    assert storage.place(Path("a.ipynb")) == Path("a.ipynb")
    folder = storage.place("s3://lab/x/")
    assert isinstance(folder, Remote)
    assert (folder.is_dir(), str(folder / "a.ipynb"), folder.bucket) == (True, "s3://lab/x/a.ipynb", "lab")
    assert Remote("s3://lab").is_dir()
    assert not Remote("s3://lab/a.ipynb").is_dir()
    assert (Remote("s3://lab/x/a.ipynb").name, Remote("s3://lab/x/a.ipynb").suffix) == ("a.ipynb", ".ipynb")
