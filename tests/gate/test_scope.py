"""Which notebooks a gate looks at: those that changed, and those whose runs read something that did."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbpr.gate import gate as gates
from nbpr.gate.gate import Wanted
from nbpr.gate.occasion import Occasion
from nbpr.git.repository import Repository
from nbpr.notebooks import imports
from tests import projects
from tests.conftest import git
from tests.projects import cell, dumped


def code(*sources: str) -> bytes:
    return dumped(cell(f"c{at}", "code", source) for at, source in enumerate(sources))


FILES: dict[str, bytes | str] = {
    "notebooks/plain.ipynb": code("x = 1"),
    "notebooks/reads.ipynb": code("open('../data/fleet.csv').read()"),
    "notebooks/imports.ipynb": code("%matplotlib inline\nfrom rules import limits"),
    "notebooks/deep.ipynb": code("import sys\nsys.path.insert(0, '../lib')\nimport tools.paint"),
    "src/rules/__init__.py": "",
    "src/rules/limits.py": "from . import base\n",
    "src/rules/base.py": "top = 3\n",
    "src/rules/other.py": "",
    "lib/tools/__init__.py": "",
    "lib/tools/paint.py": "",
    "data/fleet.csv": "a,b\n",
    "docs/words.md": "words\n",
    "pyproject.toml": '[project]\nname = "p"\nversion = "1"\ndependencies = []\n\n[tool.nbpr]\ncwd = "notebook"\n',
    "runs/plain.ipynb": code("x = 1"),
}


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    return projects.make(tmp_path, FILES, remote=False)


def looked_at(
    project: Repository, files: dict[str, bytes | str | None], tmp_path: Path, **more: object
) -> dict[str, str]:
    """Each notebook that is looked at, and why, when these files change."""
    for name, data in files.items():
        if data is None:
            (project.root / name).unlink()
        else:
            projects.write(project.root, {name: data})
    git(project.root, "add", "-A")
    git(project.root, "switch", "-q", "-c", "topic")
    git(project.root, "commit", "-qm", "a change")
    wanted = Wanted(Occasion(base="main"), **more)  # type: ignore[arg-type]
    found = gates.found(project, wanted, tmp_path / "ground")
    return {Path(each.path).stem: each.change for each in found.scope.subjects}


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"docs/words.md": "other\n"}, {}),
        ({"src/rules/other.py": "y = 2\n"}, {}),
        ({"notebooks/plain.ipynb": code("x = 2")}, {"plain": "modified"}),
        ({"notebooks/new.ipynb": code("x = 2")}, {"new": "added"}),
        ({"notebooks/plain.ipynb": None}, {"plain": "deleted"}),
        ({"runs/plain.ipynb": code("x = 2")}, {"plain": "modified"}),
        ({"data/fleet.csv": "a,b,c\n"}, {"reads": "affected"}),
        ({"src/rules/limits.py": "top = 4\n"}, {"imports": "affected"}),
        ({"src/rules/base.py": "top = 4\n"}, {"imports": "affected"}),
        ({"src/rules/__init__.py": "y = 2\n"}, {"imports": "affected"}),
        ({"lib/tools/paint.py": "y = 2\n"}, {"deep": "affected"}),
        (
            {"requirements.txt": "numpy\n"},
            dict.fromkeys(("plain", "reads", "imports", "deep", "health"), "affected"),
        ),
        (
            {"pyproject.toml": str(FILES["pyproject.toml"]).replace("[]", '["numpy"]')},
            dict.fromkeys(("plain", "reads", "imports", "deep", "health"), "affected"),
        ),
        ({"pyproject.toml": f"{FILES['pyproject.toml']}\n[tool.ruff]\nline-length = 88\n"}, {}),
        (
            {
                "pyproject.toml": f"{FILES['pyproject.toml']}\n"
                '[tool.nbpr.notebook."notebooks/plain.ipynb".parameters]\nx = 3\n'
            },
            {"plain": "affected"},
        ),
    ],
)
def test_what_a_change_has_looked_at(
    project: Repository, files: dict[str, bytes | str | None], wanted: dict[str, str], tmp_path: Path
) -> None:
    assert looked_at(project, files, tmp_path) == wanted


def test_declared_inputs_are_all_that_counts(project: Repository, tmp_path: Path) -> None:
    settings = '[tool.nbpr]\ninputs = ["docs/**"]\n'
    projects.write(project.root, {"pyproject.toml": settings})
    git(project.root, "commit", "-qam", "inputs")
    assert looked_at(project, {"data/fleet.csv": "a,b,c\n", "src/rules/base.py": "top = 4\n"}, tmp_path) == {}
    git(project.root, "switch", "-q", "main")
    git(project.root, "branch", "-qD", "topic")
    assert set(looked_at(project, {"docs/words.md": "other\n"}, tmp_path)) == {
        "plain", "reads", "imports", "deep", "health",
    }  # fmt: skip


def test_all_of_them_where_that_is_wanted(project: Repository, tmp_path: Path) -> None:
    found = looked_at(project, {"docs/words.md": "other\n"}, tmp_path, every=True)
    assert found == dict.fromkeys(("plain", "reads", "imports", "deep", "health"), "affected")


def test_a_notebook_that_no_setting_names_is_told_of(project: Repository, tmp_path: Path) -> None:
    projects.write(project.root, {"else/where.ipynb": code("x = 1")})
    assert looked_at(project, {}, tmp_path) == {}
    found = gates.found(project, Wanted(Occasion(base="main")), tmp_path / "again")
    assert [(each.level, each.path) for each in found.findings] == [("note", "else/where.ipynb")]


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import a.b as c, d", {"a.b", "d"}),
        ("from a import b, c", {"a", "a.b", "a.c"}),
        ("from . import b", {".", ".b"}),
        ("from ..a import b", {"..a", "..a.b"}),
        ("!pip install x\nimport a", {"a"}),
        ("%load_ext x\nfiles = !ls\nimport a", {"a"}),
        ("import importlib\nimportlib.import_module('a.b')", {"importlib", "a.b"}),
        ("this is no Python\nimport a, b\nfrom c import d", {"a", "b", "c", "c.d"}),
        ("def f():\n    import a", {"a"}),
        ("# import a\ns = 'import b'", set()),
    ],
)
def test_the_modules_that_code_names(source: str, modules: set[str]) -> None:
    assert imports.of_code([source]).modules == modules


@pytest.mark.parametrize(
    ("skip", "labels", "message", "is_skipped"),
    [
        ("never", ("nbpr-skip",), "a change [skip nbpr]", False),
        ("label", ("nbpr-skip",), "a change", True),
        ("label", ("other",), "a change [skip nbpr]", False),
        ("commit", (), "a change [skip nbpr]", True),
        ("commit", (), "a change", False),
    ],
)
def test_who_may_skip(
    project: Repository, tmp_path: Path, skip: str, labels: tuple[str, ...], message: str, is_skipped: bool
) -> None:
    projects.write(project.root, {"nbpr.toml": f'[gate]\nskip = "{skip}"\n'})
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "rules")
    git(project.root, "switch", "-q", "-c", "topic")
    projects.write(project.root, {"nbpr.toml": '[gate]\nskip = "commit"\n'})
    git(project.root, "commit", "-q", "--allow-empty", "-am", message)
    occasion = Occasion(base="main", labels=labels)
    ground = gates.found(project, Wanted(occasion), tmp_path / "ground")
    found = gates.asked_to_skip(project, occasion, ground)
    assert bool(found.skipped) == is_skipped
    asked = "nbpr-skip" in labels or "[skip nbpr]" in message
    assert bool(found.findings) == asked
    assert found.verdict == "passed"


@pytest.mark.parametrize("shared", ['"/dev/zero"', '"../elsewhere.toml"', '"gone.toml"', "3"])
def test_no_file_of_this_machine_is_read_for_a_commit(project: Repository, tmp_path: Path, shared: str) -> None:
    (project.root.parent / "elsewhere.toml").write_text('runs = "elsewhere"\n')
    git(project.root, "switch", "-q", "-c", "topic")
    projects.write(project.root, {"nbpr.toml": f"extend = {shared}\n"})
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "shared")
    found = gates.found(project, Wanted(Occasion(base="main")), tmp_path / "ground")
    assert [each.check for each in found.findings if each.level == "error"] == ["weakened"]
    assert "extend: this commit has no file" in found.findings[0].message


def test_what_a_commit_extends_is_its_own(project: Repository, tmp_path: Path) -> None:
    projects.write(project.root, {"nbpr.toml": 'extend = "shared.toml"\n', "shared.toml": "require-reference = true\n"})
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "shared")
    git(project.root, "switch", "-q", "-c", "topic")
    projects.write(project.root, {"shared.toml": "require-reference = false\n"})
    git(project.root, "commit", "-qam", "lax")
    found = gates.found(project, Wanted(Occasion(base="main")), tmp_path / "ground")
    assert found.rules.config.require_reference is True
    assert [each.message for each in found.findings] == ["require-reference is false now"]
