"""What a run hangs on: which files count, and what keeps a run from being proof at all."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from nbpr.config import Config, Execute
from nbpr.notebooks import notebook
from nbpr.runs.surroundings import Surroundings, why_not_known
from tests.kernels import code, markdown
from tests.kernels import notebook as made_of


def made(*cells: Any, **members: Any) -> notebook.Notebook:
    return notebook.parse(json.dumps(made_of(*cells, **members)).encode(), "notebooks/a.ipynb")


TRACKED = dict.fromkeys(
    ["data/a.csv", "src/a.py", "README.md", "LICENSE", "runs/b.ipynb", "notebooks/a.ipynb", "notebooks/b.ipynb"], "1"
)


@pytest.mark.parametrize(
    ("source", "more"),
    [
        ("print(1)", set()),
        ("%run b.ipynb", {"notebooks/b.ipynb", "runs/b.ipynb"}),
        ("name = 'b'\nread(name + '.ipynb')", {"notebooks/b.ipynb", "runs/b.ipynb"}),
        ("open('../README.md')", {"README.md"}),
        ("open('../LICENSE')", {"LICENSE"}),
    ],
)
def test_what_the_code_names_counts_besides_the_inputs(source: str, more: set[str]) -> None:
    around = Surroundings(TRACKED, {"loose.csv": "2", "loose.md": "3"})
    found = {path for path, _ in around.of_run(made(source, markdown("b.ipynb LICENSE x.md")), Config())}
    more = more | ({"loose.md"} if ".md" in source else set())
    assert found == {"data/a.csv", "src/a.py", "loose.csv", *more}


def test_declared_inputs_are_all_but_what_link_names() -> None:
    config = Config(inputs=("data/**",), link=("big/**",))
    around = Surroundings(TRACKED, {"loose.csv": "2", "big/x.bin": "3", "data/new.csv": "4"})
    assert around.of_run(made("open('README.md')"), config) == [
        ("big/x.bin", "3"), ("data/a.csv", "1"), ("data/new.csv", "4"),
    ]  # fmt: skip


def test_what_is_not_known_counts_where_it_may_be_read() -> None:
    around = Surroundings({}, {}, {"data/far": "data/far leads out of the repository"})
    assert around.why_unknown(made("1"), Config()) == "data/far leads out of the repository"
    assert around.why_unknown(made("1"), Config(inputs=("src/**",))) is None


@pytest.mark.parametrize(
    "source",
    [
        "!ls",
        "x = !git log",
        "%%bash\nls",
        "%pip install x",
        "import subprocess",
        "import os\nos.system('ls')",
        "open('/etc/passwd')",
        'pd.read_csv(f"/data/{name}.csv")',
        "open('~/data.csv')",
        "import os\nos.path.expanduser(x)",
        "Path.home()",
        "pd.read_csv('s3://bucket/x')",
        "pd.read_csv('https://example.org/x.csv')",
        "open('../.git/HEAD')",
        "import requests",
        "if True:\n    from urllib.request import urlopen",
        "import google.cloud.storage",
    ],
)
def test_what_reaches_out_of_the_repository_is_no_proof(source: str) -> None:
    assert why_not_known(made("a = 1", source), Config(), is_shut_in=False) is not None
    tagged = made("a = 1", code(source, "hide"))
    assert why_not_known(tagged, Config(), is_shut_in=False) is not None


@pytest.mark.parametrize(
    "source",
    [
        "import pandas as pd\npd.read_csv('data/a.csv')",
        "# see https://example.org and /etc/passwd\nx = 1 / 2",
        "label = 'a/b'\nseparator = '/'",
        "print('</div>')",
        "import requests_are_not_this",
        "%matplotlib inline\n%run ../src/a.py",
        "x != y",
    ],
)
def test_what_stays_inside_is(source: str) -> None:
    assert why_not_known(made(source), Config(), is_shut_in=False) is None


def test_a_sandbox_without_a_network_makes_modules_harmless_and_shells_not() -> None:
    assert why_not_known(made("import requests"), Config(), is_shut_in=True) is None
    assert why_not_known(made("!git log"), Config(), is_shut_in=True) is not None


def test_settings_that_make_a_run_no_proof() -> None:
    for config in (
        Config(reproduce=False),
        Config(execute=Execute(secrets=("key=env:KEY",))),
        Config(execute=Execute(readable=("/data",))),
    ):
        assert why_not_known(made("1"), config, is_shut_in=True) is not None
    assert why_not_known(made("1"), replace(Config(), reproduce=True), is_shut_in=True) is None


def test_what_other_languages_have_installed_is_not_known() -> None:
    assert "for r is" in str(why_not_known(made("1", language_info={"name": "R"}), Config(), is_shut_in=True))
