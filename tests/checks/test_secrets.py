"""Credentials in notebooks: found wherever they stand and however JSON writes them, and never repeated."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.checks import secrets
from nbpr.config import Config
from nbpr.findings import Finding
from nbpr.inspection import Inspector
from nbpr.notebooks import allowlist, celltext, notebook
from nbpr.notebooks.content import Content
from tests import generated as notebooks
from tests.projects import cell, dumped

LOWER, UPPER, DIGITS, HEX = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "0123456789abcdef"
LETTERS = LOWER + UPPER + DIGITS


def made(alphabet: str, least: int, most: int | None = None) -> st.SearchStrategy[str]:
    """Random text with some variety: what is one sign over and over stands for a credential."""
    return st.text(alphabet, min_size=least, max_size=most or least).filter(
        lambda text: len(set(text)) > 5 and not re.search(r"([xX])\1{2}", text)
    )


def password() -> st.SearchStrategy[str]:
    return made(LETTERS + "!#$%&*+-.^_~", 8, 24).filter(lambda text: text[0] not in "$%" and "..." not in text)


@st.composite
def web_token(draw: st.DrawFn) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": draw(made(LETTERS, 8, 20)), "iat": 1})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, draw(made(LETTERS, 43))])


@st.composite
def private_key(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", ""]))
    body = "\n".join(draw(st.lists(made(LETTERS + "+/", 64), min_size=1, max_size=3)))
    # Cut, so that no scanner takes this file for one that holds keys.
    return f"-----BEGIN {kind}PRIVATE" + f" KEY-----\n{body}\n-----END {kind}PRIVATE" + " KEY-----\n"


#: What is planted: the text, with the value in it; where that is all of it, the two are one.
PLANTED: Mapping[str, st.SearchStrategy[tuple[str, str]]] = {
    "an AWS key": made(UPPER + DIGITS, 16).map(lambda rest: ("AKIA" + rest,) * 2),
    "a GitHub token": made(LETTERS, 36).map(lambda rest: ("gh" + "p_" + rest,) * 2),
    "a Slack token": st.tuples(made(DIGITS, 11), made(LOWER + DIGITS, 24)).map(
        lambda parts: ("xo" + f"xb-{parts[0]}-{parts[0]}-{parts[1]}",) * 2
    ),
    "a JSON web token": web_token().map(lambda token: (token, token)),
    "a private key": private_key().map(lambda key: (key, key.split("\n")[1])),
    "a password in a URL": made(LETTERS + "!$-._~", 8, 20).map(
        lambda word: (f"postgres://bob:{word}@db.example.com/x", word)
    ),
    "a password": st.tuples(
        st.sampled_from(["password = ", "db_password=", 'conf["PASSWORD"] = ', "pwd: str = ", "passwd: "]),
        st.sampled_from("\"'"),
        password(),
    ).map(lambda parts: (f"{parts[0]}{parts[1]}{parts[2]}{parts[1]}", parts[2])),
    "a key": st.tuples(st.sampled_from(["api_key", "CLIENT_SECRET", "authToken"]), made(LETTERS, 24))
    .filter(lambda parts: sum(sign.isdigit() for sign in parts[1]) > 2)
    .map(lambda parts: (f'{parts[0]} = "{parts[1]}"', parts[1])),
}
NOISE = st.text("ab=1 #%()\\/\n\t'é漢😀\x1b", max_size=30)


@st.composite
def surrounded(draw: st.DrawFn, planted: str) -> str:
    """The text amid other text: on lines of its own, since two words run together are one."""
    return f"{draw(NOISE)}\n{planted}\n{draw(NOISE)}"


def pieces(draw: st.DrawFn, text: str) -> str | list[str]:
    """A text as nbformat may hold it: whole, by lines, or cut anywhere."""
    how = draw(st.sampled_from(["whole", "lines", "anywhere"]))
    if how == "whole":
        return text
    if how == "lines":
        return text.splitlines(keepends=True)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


#: One sign of a JSON text's strings, or what stands between them.
_SIGN = re.compile(r'\\u[0-9a-fA-F]{4}|\\.|"|[^"\\]', re.DOTALL)


def escaped(draw: st.DrawFn, data: bytes) -> bytes:
    """The same JSON with signs of its texts written as escapes of four digits: none, some or all."""
    share = draw(st.sampled_from([0, 0.3, 1]))
    random = Random(draw(st.integers(0, 2**32)))
    inside = False
    parts = []
    for sign in _SIGN.findall(data.decode()):
        inside = inside != (sign == '"')
        is_plain = inside and sign not in '"' and len(sign) == 1 and sign < "\ud800"
        digits = random.choice(["04x", "04X"])
        parts.append(f"\\u{ord(sign):{digits}}" if is_plain and random.random() < share else sign)
    return "".join(parts).encode()


PLACES = ("source", "stream", "streams", "html", "json", "error", "metadata", "parameters", "attachment", "top", "raw")


def put(draw: st.DrawFn, place: str, text: str) -> dict[str, Any]:
    """A notebook that holds the text at a place."""
    inner: dict[str, Any] = {"cell_type": "code", "id": "c", "metadata": {}, "source": "1", "outputs": []}
    inner["execution_count"] = None
    metadata: dict[str, Any] = {}
    held = pieces(draw, text)
    if place in ("source", "raw"):
        inner |= {"source": held} if place == "source" else {"source": held, "cell_type": "raw"}
    elif place == "stream":
        inner["outputs"] = [{"output_type": "stream", "name": "stdout", "text": held}]
    elif place == "streams":
        parts = held if isinstance(held, list) else [held]
        inner["outputs"] = [{"output_type": "stream", "name": "stderr", "text": part} for part in parts]
    elif place == "html":
        marked = text.replace("&", "&amp;").replace('"', draw(st.sampled_from(["&quot;", '"', "&#34;"])))
        data = {"text/html": pieces(draw, marked), "image/png": "iVBORw0K" * 60}
        inner["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": data}]
    elif place == "json":
        data = {"application/json": {"deep": [{"er": text}]}}
        inner["outputs"] = [{"output_type": "execute_result", "metadata": {}, "data": data, "execution_count": 1}]
    elif place == "error":
        coloured = [f"\x1b[0;31m{line}\x1b[0m" for line in text.split("\n")]
        inner["outputs"] = [{"output_type": "error", "ename": "E", "evalue": "", "traceback": coloured}]
    elif place == "metadata":
        inner["metadata"] = {"x": {"y": [1, text]}}
    elif place == "parameters":
        metadata = {"papermill": {"parameters": {"p": text}}}
    elif place == "attachment":
        inner |= {"cell_type": "markdown", "attachments": {"a.txt": {"text/plain": held}}}
    else:
        metadata = {text: 1}
    return {"cells": [inner], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def told(data: bytes, allowed: Mapping[str, str] | None = None) -> list[Finding]:
    """All that is told of a notebook by all static checks."""
    return Inspector(Config(), allowed or {}).findings(Content("nb.ipynb", data))


@given(st.data())
def test_what_is_planted_is_found_anywhere_and_never_repeated(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(PLANTED)))
    planted, value = data.draw(PLANTED[kind])
    draw = data.draw
    nb = put(draw, draw(st.sampled_from(PLACES)), draw(surrounded(planted)))
    file = escaped(draw, draw(notebooks.layouts()).write(nb))
    assert json.loads(file.decode("utf-8-sig")) == nb
    found = told(file)
    leaks = [finding for finding in found if finding.check == "secrets"]
    assert kind in " ".join(finding.message for finding in leaks)
    assert all(finding.level == "error" for finding in leaks)
    said = json.dumps([finding.as_json() for finding in found], ensure_ascii=False)
    said += repr(secrets.secrets(celltext.texts(notebook.parse(file, "nb.ipynb"))))
    assert not [start for start in range(len(value) - 5) if value[start : start + 6] in said]


@given(st.data())
def test_what_is_allowed_is_not_told_and_all_else_is(data: st.DataObject) -> None:
    kinds = sorted(PLANTED)
    (one, _), (other, _) = (data.draw(PLANTED[data.draw(st.sampled_from(kinds))]) for _ in range(2))
    file = dumped([cell("a", "code", one), cell("b", "code", other)])
    found = secrets.secrets(celltext.texts(notebook.parse(file, "nb")))
    in_first = {secret.digest: "an example" for secret in found if secret.text.cell == 0}
    left = [finding.cell_id for finding in told(file, in_first)]
    assert left == ["b"] * len({secret.digest for secret in found if secret.text.cell == 1} - set(in_first))


@pytest.mark.parametrize("name", ["password", "api_key", "clientSecret", "DB_PASSWORD"])
def test_a_value_under_a_telling_name_is_found(name: str) -> None:
    parameters = {"parameters": {name: "k9X2mQ7vR4tZ", "city": "Kassel"}}
    (finding,) = [one for one in told(dumped([], papermill=parameters)) if one.check == "secrets"]
    assert finding.message.startswith("metadata, line 1: a ")


def test_where_it_stands_is_told() -> None:
    token = "gh" + "p_" + "a1B2c3D4e5F6" * 3
    out = [{"output_type": "stream", "name": "stdout", "text": ["x\n", "y\n", token]}]
    file = dumped([cell("one", "markdown", "x"), cell("two", "code", f"a\nt = '{token}'\n{token}", outputs=out)])
    (finding,) = [one for one in told(file) if one.check == "secrets"]
    assert (finding.message, finding.cell_id) == (
        "cell 1, its source, line 2: a GitHub token (and 2 more there)",
        "two",
    )
    assert finding.hint is not None
    assert finding.hint.endswith(f"add to .nbpr-allowed: {allowlist.digest(token)}  why it is no secret")


def test_one_that_is_a_cell_id_is_found_and_the_id_not_repeated() -> None:
    token = "gh" + "p_" + "a1B2c3D4e5F6" * 3
    file = dumped([cell("one", "markdown", "x"), cell(token, "code", f"t = '{token}'")])
    (finding,) = [one for one in told(file) if one.check == "secrets"]
    assert finding.message == "cell 1, its id, line 1: a GitHub token (and 1 more there)"
    assert token not in json.dumps(finding.as_json())
    assert told(file, {allowlist.digest(token): "an example"}) == []


def test_every_github_token_is_a_value_of_its_own() -> None:
    tokens = ["gh" + "p_" + "a1B2c3D4e5F6" * 3, "gh" + "p_" + "Z1B2c3D4e5F6" * 3]
    texts = [celltext.Text(token, "x") for token in tokens]
    assert [secret.value for secret in secrets.secrets(texts)] == tokens


def test_two_keys_are_two_values_and_neither_is_its_header() -> None:
    keys = [
        "-----BEGIN PRIVATE" + f" KEY-----\n{body * 8}\n-----END PRIVATE" + " KEY-----"
        for body in ("MIIabc12", "MIIxyz34")
    ]
    found = secrets.secrets([celltext.Text("\n".join(keys), "x")])
    assert [secret.kind for secret in found] == ["a private key"] * 2
    assert found[0].digest != found[1].digest


@pytest.mark.parametrize(
    "source",
    [
        'password = "your-password"',
        "password = os.environ['PASSWORD_OF_MINE']",
        'password = getpass("Password: ")\nprint("some thing")',
        'api_key = "YOUR_API_KEY"',
        'token = "<YOUR_TOKEN_GOES_HERE>"',
        'token = "[MASK]"; pad_token = "<pad>"',
        'secret_name = "prod-database-2024-eu"',
        'requests.get("https://user:password@example.com")',
        'url = f"postgres://{user}:{password}@{host}/db"',
        'headers = {"Authorization": f"Bearer {token}"}',
        "git+ssh://git@github.com/someone/something.git",
        '"sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
        "commit 03ef2989b1c7d2f4e5a69788796a5b4c3d2e1f00",
        "ACCAGACAAAATTTGGTTAAACCAGAACAGTCATTTAAAAGGCC",
        'tokenizer.pad_token = "<|endoftext|>"',
        'password_hint = "the name of a dog"',
        "ghp_" + "x" * 36,
        "the secret: bake it slowly",
    ],
)
def test_what_is_none_is_not_found(source: str) -> None:
    assert secrets.secrets([celltext.Text(source, "x")]) == []


@given(notebooks.texts())
def test_notebooks_without_any_have_none(file: bytes) -> None:
    assert [one for one in told(file) if one.check == "secrets"] == []


def test_pictures_ids_and_digests_are_none() -> None:
    picture = base64.b64encode(Random(7).randbytes(60_000)).decode()
    html = f'<img alt="x" src="data:image/png;base64,{picture}">'
    data = {"image/png": picture, "text/html": html, "application/x": {"sha256": "ab12" * 16, "buffers": [picture]}}
    output = {"output_type": "display_data", "metadata": {}, "data": data}
    metadata = {"papermill": {"environment": "sha256:" + "9f86d081" * 8}, "widgets": {"model": {"state": picture}}}
    one = cell("9f86d081884c7d659a2f", "code", "1", outputs=[output])
    note = cell("b", "markdown", "![x](attachment:x.png)", attachments={"x.png": {"image/png": picture}})
    assert [each for each in told(dumped([one, note], **metadata)) if each.check == "secrets"] == []


def test_a_file_that_is_no_notebook_is_looked_at_too() -> None:
    token = "gh" + "p_" + "a1B2c3D4e5F6" * 3
    for data in (f"not json\n{token}".encode(), json.dumps({"x": [token]}).encode(), b"\xff" + token.encode()):
        assert [finding.check for finding in told(data)] == ["format", "secrets"]


def test_messages_of_other_checks_do_not_repeat_it() -> None:
    token = "gh" + "p_" + "a1B2c3D4e5F6" * 3
    found = told(dumped([cell("a", "code", token, **{token: 1})]))
    assert {finding.check for finding in found} == {"format", "secrets"}
    assert token not in json.dumps([finding.as_json() for finding in found])


def test_many_are_cut_short() -> None:
    lines = "\n".join("gh" + "p_" + f"a1B2{number:02}" * 6 for number in range(60))
    found = [one for one in told(dumped([cell("a", "code", lines)])) if one.check == "secrets"]
    assert len(found) == secrets.TOLD + 1
    assert found[-1].message.endswith("more that look like credentials")


@pytest.mark.parametrize(
    "line",
    [
        "eyJ" * 60_000,
        "sk-" * 60_000 + "T3BlbkFJ",
        "//" * 90_000 + "_authToken",
        "password" * 20_000,
        "password=" * 20_000,
        'pass="' * 30_000,
        "a://" * 50_000 + "@",
        "-----BEGIN PRIVATE" + " KEY-----" * 20_000,
        "\x1b]" * 90_000,
        "AKIA" * 50_000,
        "xoxb-" + "1-" * 90_000,
        "your " * 30_000,
    ],
    ids=range(12),
)
@pytest.mark.timeout(30)
def test_a_hostile_line_takes_no_time_to_speak_of(line: str) -> None:
    assert isinstance(secrets.secrets([celltext.Text(line, "x", name="password")]), list)


def test_the_network_is_not_asked_and_nothing_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys; import nbpr.checks; early = 'detect_secrets' in sys.modules\n"
        "import socket; socket.socket.connect = None\n"
        "from nbpr.notebooks import celltext; from nbpr.checks import secrets\n"
        "found = secrets.secrets([celltext.Text('AK' + 'IAQYLPMN5HHHFPZAM2', 'x')]); print(early, len(found))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "1"]
