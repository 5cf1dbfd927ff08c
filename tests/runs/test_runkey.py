"""What a run depends on, and the key that says whether it does still."""

from __future__ import annotations

import pytest

from nbpr.config import Config, Execute
from nbpr.runs import reference
from nbpr.runs.runkey import inputs_of, is_input, key_of, run_key
from tests.kernels import code, markdown, notebook


@pytest.mark.parametrize(
    "path", ["src/fleet.py", "data/a.csv", "pyproject.toml", "nbpr.toml", "uv.lock", "Makefile", "license_data.csv"]
)
def test_runs_depend_on_tracked_files(path: str) -> None:
    assert is_input(path, Config())


@pytest.mark.parametrize(
    "path",
    [
        "notebooks/other.ipynb", "runs/a.png", "runs/a/b.ipynb", "README.md", "docs/A.MD", "CHANGELOG.rst", "LICENSE",
        "vendor/COPYING", "LICENSE-MIT.txt", "NOTICE", ".github/workflows/ci.yml", ".gitea/x/y", ".forgejo/a",
        ".gitlab-ci.yml", ".pre-commit-config.yaml", ".vscode/settings.json", ".idea/a", ".editorconfig",
        "sub/.gitignore", ".gitattributes", "azure-pipelines.yml", "a.code-workspace",
    ],
)  # fmt: skip
def test_runs_do_not_depend_on(path: str) -> None:
    assert not is_input(path, Config())


@pytest.mark.parametrize(
    ("glob", "path", "wanted"),
    [
        ("data/**", "data/a/b.csv", True),
        ("data/**", "data", False),
        ("data/**", "datax/a", False),
        ("**/*.py", "a.py", True),
        ("**/*.py", "x/y/a.py", True),
        ("*.py", "x/a.py", False),
        ("src/**/util?.py", "src/util1.py", True),
        ("src/**/util?.py", "src/a/b/util1.py", True),
        ("a[0-9].txt", "a1.txt", True),
        ("a[!0-9].txt", "a1.txt", False),
        ("a.b", "aXb", False),
        ("docs/**", "docs/README.md", True),
    ],
)
def test_declared_inputs_are_globs_as_git_has_them(glob: str, path: str, wanted: bool) -> None:
    assert is_input(path, Config(inputs=(glob,))) is wanted


def test_inputs_are_sorted_pairs() -> None:
    files = [("src/b.py", "2"), ("README.md", "3"), ("src/a.py", "1")]
    assert inputs_of(files, Config()) == (("src/a.py", "1"), ("src/b.py", "2"))


NB = notebook(code("n = 1", "parameters"), markdown("m"), "print(n)", kernelspec={"name": "python3"})
SOURCE = reference.as_notebook(NB, "nb.ipynb")
FILES = {"src/a.py": "1", "README.md": "2"}


def test_a_key_is_a_digest_that_stays() -> None:
    key = key_of(SOURCE, Config(), FILES)
    assert key.startswith("sha256:")
    assert len(key) == len("sha256:") + 64
    assert key == key_of(SOURCE, Config(), dict(reversed(FILES.items())))


def test_what_changes_the_key() -> None:
    key = key_of(SOURCE, Config(), FILES)
    other = reference.as_notebook(
        notebook(code("n = 1", "parameters"), "print(n+1)", kernelspec={"name": "python3"}), "nb"
    )
    tagged = reference.as_notebook(notebook(code("n = 1", "parameters"), code("print(n)", "nbval-skip")), "nb")
    changed = [
        key_of(other, Config(), FILES),
        key_of(tagged, Config(execute=Execute(kernel="python3")), FILES),
        key_of(SOURCE, Config(parameters={"n": 2}), FILES),
        key_of(SOURCE, Config(), FILES, {"n": 2.0}),
        key_of(SOURCE, Config(execute=Execute(kernel="other")), FILES),
        key_of(SOURCE, Config(execute=Execute(cell_timeout=3)), FILES),
        key_of(SOURCE, Config(outputs="marked"), FILES),
        key_of(SOURCE, Config(), {**FILES, "src/a.py": "9"}),
    ]
    assert len({key, *changed}) == 1 + len(changed)


def test_what_leaves_it_as_it_is() -> None:
    key = key_of(SOURCE, Config(), FILES)
    with_note = reference.as_notebook(notebook(*NB["cells"], markdown("new"), kernelspec={"name": "python3"}), "nb")
    assert key_of(with_note, Config(), FILES) == key
    assert key_of(SOURCE, Config(), {**FILES, "README.md": "9", "other.ipynb": "1"}) == key
    assert key_of(SOURCE, Config(execute=Execute(python="/usr/bin/python3", jobs=4)), FILES) == key
    assert run_key(SOURCE, {"a": 1, "b": 2}, "k", {}, []) == run_key(SOURCE, {"b": 2, "a": 1}, "k", {}, [])
