"""Secrets as parameters: the kernel gets them, and nothing that comes of the run shows them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nbpr.errors import BadInput
from nbpr.runs import attempt
from tests.kernels import code, notebook, run, texts

SECRET = "s3cr3t-with-'quotes'-and-é"


@pytest.mark.kernel
def test_the_kernel_gets_it_and_the_run_does_not_show_it(tmp_path: Path) -> None:
    nb = notebook(
        code("key = None\nn = 1", "parameters"),
        "import base64, hashlib, json\nprint(hashlib.sha256(key.encode()).hexdigest(), n)",
        "print(key)\nprint(repr(key), json.dumps(key), base64.b64encode(key.encode()).decode())\nkey",
        "raise ValueError(key)",
    )
    executed = run(nb, tmp_path, parameters={"n": 2}, secrets={"key": SECRET})
    import hashlib

    assert texts(executed.notebook)[2] == f"{hashlib.sha256(SECRET.encode()).hexdigest()} 2\n"
    assert executed.reason == "error"
    everything = json.dumps([executed.notebook, executed.message, repr(executed.failed_cell)])
    for form in ("s3cr3t", json.dumps(SECRET)[1:-1], base64.b64encode(SECRET.encode()).decode()[:20]):
        assert form not in everything
    assert executed.notebook["cells"][1]["source"] == '# Parameters\nn = 2\nkey = "***"\n'
    assert executed.message == "ValueError: ***"


@pytest.mark.kernel
def test_from_the_command_line_to_the_files(tmp_path: Path) -> None:
    nb = notebook(code("api_key = ''", "parameters"), "print(len(api_key), api_key)", kernelspec={"name": "python3"})
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "a.ipynb").write_text(json.dumps(nb))
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    words = [sys.executable, "-m", "nbpr", "run", "notebooks/a.ipynb", "--secret", "api_key=env:MY_KEY", "--json"]
    done = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ, "MY_KEY": "hunter2hunter2"}
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)["runs"][0]
    assert (record["parameters"], record["output"]) == ({"api_key": "***"}, "runs/a.ipynb")
    left = [path for path in tmp_path.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    assert left == []
    assert "hunter2" not in done.stdout + done.stderr
    kept = json.loads((tmp_path / "runs" / "a.ipynb").read_text())
    assert "".join(kept["cells"][2]["outputs"][0]["text"]) == "14 ***\n"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("key", "NAME=env:VARIABLE is wanted"),
        ("key=plain", "NAME=env:VARIABLE is wanted"),
        ("not a name=env:SET", "NAME=env:VARIABLE is wanted"),
        ("key=env:UNSET", "UNSET is not set"),
        ("key=env:SHORT", "too short"),
        ("key=env:LINES", "too short"),
        ("key=env:GITEA_TOKEN", "a forge's token"),
    ],
)
def test_what_cannot_be_kept_is_refused(wanted: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"SET": "long enough", "SHORT": "abc", "LINES": "long enough\nno", "GITEA_TOKEN": "0123456789"}
    with pytest.raises(BadInput, match=said):
        attempt.secrets_of([wanted], environ)
