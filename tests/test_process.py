"""Which environment processes get."""

from __future__ import annotations

import sys

import pytest

from nbpr import process


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
