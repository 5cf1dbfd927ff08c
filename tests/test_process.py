"""Which environment processes get."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nbpr import process
from nbpr.errors import BadInput


def test_kernels_get_an_allow_list() -> None:
    environ = {
        "PATH": "/bin", "HOME": "/h", "LC_ALL": "C", "GITHUB_TOKEN": "t", "AWS_SECRET_ACCESS_KEY": "s",
        "SSH_AUTH_SOCK": "/s", "NBPR_TOKEN": "t", "MY_DATA": "d", "HTTPS_PROXY": "http://u:p@h",
    }  # fmt: skip
    assert set(process.kernel_environment((), environ)) == {"PATH", "HOME", "LC_ALL"}
    assert process.kernel_environment(("MY_DATA",), environ)["MY_DATA"] == "d"


def test_git_gets_no_repository_from_outside() -> None:
    environ = {"GIT_DIR": "/x", "GIT_INDEX_FILE": "/i", "GIT_CONFIG_PARAMETERS": "'a=b'", "GIT_SSH_COMMAND": "ssh -v"}
    given = process.git_environment(environ)
    assert not {"GIT_DIR", "GIT_INDEX_FILE", "GIT_CONFIG_PARAMETERS"} & set(given)
    assert given["GIT_SSH_COMMAND"] == "ssh -v"
    assert given["GIT_OPTIONAL_LOCKS"] == given["GIT_TERMINAL_PROMPT"] == "0"


def test_a_failure_says_which_program_and_why() -> None:
    with pytest.raises(process.ProcessFailed, match=r"failed \(3\): the last line"):
        process.run([sys.executable, "-c", "import sys; print('x\\nthe last line', file=sys.stderr); sys.exit(3)"])
    assert process.run([sys.executable, "-c", "import sys; sys.exit(3)"], accept=(3,)).returncode == 3


def test_what_stays_in_the_background_keeps_nobody_waiting() -> None:
    done = process.run(["sh", "-c", "sleep 600 & echo $!; echo why >&2; exit 3"], accept=(3,))
    try:
        assert is_alive(int(done.text))
        assert done.complaint == "why"
    finally:
        os.kill(int(done.text), signal.SIGKILL)


def test_what_a_process_reads_and_writes_is_whole_however_long_it_takes() -> None:
    given = os.urandom(3_000_000)
    slowly = """
import sys, time
while data := sys.stdin.buffer.read(1_000_000):
    time.sleep(0.5)
    sys.stdout.buffer.write(data)
    sys.stderr.buffer.write(data[:1000])
"""
    done = process.run([sys.executable, "-c", slowly], stdin=given)
    assert done.stdout == given
    assert done.stderr == b"".join(given[at : at + 1000] for at in range(0, len(given), 1_000_000))


TOKENS = dict.fromkeys(process.TOKEN_VARIABLES, "a-token-of-a-forge")


def test_tokens_stay_with_us(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"PATH": "/bin", **TOKENS}
    assert not set(process.kernel_environment((), environ)) & set(TOKENS)
    assert not set(process.git_environment(environ)) & set(TOKENS)
    assert set(process.git_environment(environ, tokens=True)) >= set(TOKENS)
    for name in TOKENS:
        monkeypatch.setenv(name, TOKENS[name])
    done = process.run([sys.executable, "-c", "import os; print(*os.environ.values())"])
    assert "a-token-of-a-forge" not in done.text


@pytest.mark.parametrize("name", process.TOKEN_VARIABLES)
def test_no_kernel_is_given_a_token_even_when_it_is_asked_for(name: str) -> None:
    with pytest.raises(BadInput, match=f"execute.env: {name} is a forge's token"):
        process.kernel_environment((name,), TOKENS)


def test_the_secrets_of_an_environment() -> None:
    environ = {"GH_TOKEN": "t0ken-t0ken", "GITEA_TOKEN": "", "HTTPS_PROXY": "http://me:proxy%40pw@proxy:8080"}
    assert set(process.secrets(environ)) == {"t0ken-t0ken", "proxy%40pw", "proxy@pw"}
    assert set(process.secrets({"all_proxy": "me:proxy-pw@proxy"})) == {"proxy-pw"}
    assert list(process.secrets({"https_proxy": "http://proxy:8080", "PATH": "a@b"})) == []


def test_what_lives_beside_kernels_knows_what_it_needs() -> None:
    plain = {"PATH": "/bin", "HOME": "/h", "LC_ALL": "C", "GIT_SSH_COMMAND": "ssh", "GIT_CONFIG_GLOBAL": "/g"}
    proxies = {"HTTPS_PROXY": "http://proxy:8080", "all_proxy": "http://me:pw@proxy:8080"}
    secret = {
        "GH_TOKEN": "t",
        "GIT_CONFIG_VALUE_0": "Authorization: Bearer t",
        "AWS_SECRET_ACCESS_KEY": "s",
        "OPENAI_API_KEY": "k",
        "MY": "x",
    }
    assert process.blanks({**plain, **proxies, **secret}) == dict.fromkeys([*secret, "all_proxy"], "")


def test_a_timeout_ends_what_was_started_alone_and_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    words = ["sh", "-c", f"sleep 600 & echo $! >'{pid}'; wait"]
    with pytest.raises(subprocess.TimeoutExpired):
        process.run(words, timeout=1, alone=True)
    deadline = time.monotonic() + 30
    while is_alive(int(pid.read_text())):
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


def test_who_runs_alone_has_no_terminal() -> None:
    code = "import os; print(os.getsid(0) == os.getpid())"
    assert process.run([sys.executable, "-c", code], alone=True).text == "True"
    assert process.run([sys.executable, "-c", code]).text == "False"


GUARDED = """
import ctypes, os, subprocess, sys
from nbpr import process
PR_GET_DUMPABLE = 3
print(ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
process.guard()
print(ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
for name in ("environ", "mem", "fd"):
    look = "import os, sys; p = sys.argv[1]; os.listdir(p) if p.endswith('fd') else open(p, 'rb').close()"
    done = subprocess.run([sys.executable, "-c", look, f"/proc/{os.getpid()}/{name}"], capture_output=True)
    print(name, "open" if done.returncode == 0 else "closed")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="there is no such guard elsewhere")
def test_a_guarded_process_cannot_be_looked_into() -> None:
    done = subprocess.run([sys.executable, "-c", GUARDED], capture_output=True, text=True, check=True)
    before, after, *files = done.stdout.splitlines()
    assert (before, after) == ("1", "0")
    if os.getuid() != 0:  # root may look into everything
        assert files == ["environ closed", "mem closed", "fd closed"]
