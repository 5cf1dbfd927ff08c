"""`init` sets a real repository up: what git then stores, shows and leaves alone."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbpr import setup
from nbpr.config import load
from nbpr.errors import BadInput, NotAllowed
from tests.conftest import git

pytestmark = pytest.mark.slow

DRIVERS = ["filter.nbpr.clean", "filter.nbpr.smudge", "filter.nbpr.required", "diff.nbpr.command"]


def notebook(source: str = "x = 1", **members: Any) -> bytes:
    """A notebook that ran."""
    cell = {
        "cell_type": "code",
        "execution_count": 1,
        "id": "a",
        "metadata": {},
        "outputs": [{"name": "stdout", "output_type": "stream", "text": "printed\n"}],
        "source": source,
        **members,
    }
    data = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(data, indent=1) + "\n").encode()


def put(root: Path, path: str, content: bytes) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def stored(root: Path, path: str) -> dict[str, Any]:
    """The cell of a notebook that is in the index."""
    return json.loads(git(root, "show", f":{path}"))["cells"][0]  # type: ignore[no-any-return]


def everything(root: Path) -> dict[str, bytes]:
    """Every file of a repository and its git directory."""
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def test_git_add_stores_a_clean_notebook_and_leaves_the_file(repository: Path) -> None:
    setup.init(repository)
    file = put(repository, "notebooks/nb.ipynb", notebook())
    git(repository, "add", "-A")
    assert stored(repository, "notebooks/nb.ipynb")["outputs"] == []
    assert stored(repository, "notebooks/nb.ipynb")["id"] == "a"
    assert file.read_bytes() == notebook()
    git(repository, "commit", "-qm", "one")
    assert git(repository, "status", "--porcelain") == ""


def test_runs_keep_their_outputs(repository: Path) -> None:
    setup.init(repository)
    put(repository, "runs/nb.ipynb", notebook().replace(b"\n", b"\r\n"))
    put(repository, "runs/nb.runs/1.ipynb", notebook())
    git(repository, "add", "-A")
    words = ["git", "-C", str(repository), "show", ":runs/nb.ipynb"]
    raw = subprocess.run(words, capture_output=True, check=True).stdout
    assert raw == notebook().replace(b"\n", b"\r\n")
    assert "nb.runs" not in git(repository, "ls-files")


def test_git_diff_shows_cells(repository: Path) -> None:
    setup.init(repository)
    file = put(repository, "notebooks/nb.ipynb", notebook("threshold = 0.95"))
    git(repository, "add", "-A")
    file.write_bytes(notebook("threshold = 0.90"))
    shown = git(repository, "diff")
    assert "-threshold = 0.95\n+threshold = 0.90" in shown
    assert "printed" not in shown
    file.write_bytes(b"{ half a notebook")
    assert "shown line by line" in git(repository, "diff")


@pytest.mark.parametrize(
    "name", ["with space/n b.ipynb", "ünï/ß ☃.ipynb", 'quote\'s/"x" $HOME `id`;.ipynb', "-dash.ipynb"]
)
def test_any_path_will_do(name: str, repository: Path) -> None:
    root = repository.parent / "a repository's földer"
    repository.rename(root)
    setup.init(root)
    file = put(root, name, notebook())
    git(root, "add", "-A")
    assert stored(root, name)["outputs"] == []
    file.write_bytes(notebook("x = 2"))
    assert "+x = 2" in git(root, "diff")


def test_an_interpreter_in_a_folder_with_a_space(tmp_path: Path) -> None:
    python = tmp_path / "it's an env" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    command = setup.filter_command(str(python))
    assert shlex.split(command)[0] == str(python)
    assert command.endswith(" -P -m nbpr.filters clean %f")


def test_what_is_no_notebook_is_stored_as_it_is(repository: Path) -> None:
    setup.init(repository)
    put(repository, "broken.ipynb", b"not a notebook")
    done = subprocess.run(["git", "add", "-A"], cwd=repository, capture_output=True, check=True)
    assert b"warning: broken.ipynb: not JSON" in done.stderr
    assert git(repository, "show", ":broken.ipynb") == "not a notebook"


def test_a_filter_that_cannot_start_stops_git_add_and_loses_nothing(repository: Path) -> None:
    setup.init(repository)
    file = put(repository, "nb.ipynb", notebook())
    git(repository, "config", "filter.nbpr.clean", "/nowhere/python -P -m nbpr.filters clean %f")
    done = subprocess.run(["git", "add", "-A"], cwd=repository, capture_output=True, check=False)
    assert done.returncode != 0
    assert b"clean filter 'nbpr' failed" in done.stderr
    assert git(repository, "ls-files") == ""
    assert file.read_bytes() == notebook()


def test_a_clone_that_was_not_set_up_is_not_blocked(repository: Path) -> None:
    setup.init(repository)
    put(repository, "nb.ipynb", notebook())
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    clone = repository.parent / "clone"
    git(repository.parent, "clone", "-q", str(repository), str(clone))
    put(clone, "nb.ipynb", notebook("y = 1"))
    git(clone, "add", "-A")
    assert stored(clone, "nb.ipynb")["source"] == "y = 1"


# -- the files and settings --------------------------------------------------------------------------------


def test_twice_changes_nothing_and_says_so(repository: Path) -> None:
    first = setup.init(repository)
    assert first["done"] == [
        *(f"git config {name}" for name in DRIVERS),
        ".gitattributes: notebooks filtered, runs not",
        "runs/.gitignore: partial runs ignored",
    ]
    assert first["already"] == []
    before = everything(repository)
    second = setup.init(repository)
    assert (second["done"], second["already"]) == ([], first["done"])
    assert everything(repository) == before


def test_nothing_is_committed_or_staged(repository: Path) -> None:
    put(repository, "nb.ipynb", notebook())
    git(repository, "add", "-A")
    before = git(repository, "ls-files", "--stage")
    result = setup.init(repository, load(None, {"notebooks": ["*.ipynb"]}))
    assert git(repository, "ls-files", "--stage") == before
    assert result["next"] == ["git add .gitattributes runs/.gitignore", "git add --renormalize ."]
    for command in result["next"]:
        git(repository, *shlex.split(command)[1:])
    assert stored(repository, "nb.ipynb")["outputs"] == []
    git(repository, "commit", "-qm", "one")
    assert setup.init(repository)["next"] == []


def test_dry_run_writes_nothing_anywhere(repository: Path) -> None:
    before = everything(repository)
    result = setup.init(repository, dry_run=True, outputs="marked")
    assert len(result["done"]) == 7
    assert result["dry_run"] is True
    assert everything(repository) == before


def test_what_is_there_stays(repository: Path) -> None:
    put(repository, ".gitattributes", b"*.png binary\r\n*.ipynb text")
    put(repository, "runs/.gitignore", b"*.tmp")
    git(repository, "config", "diff.jupyternotebook.command", "theirs")
    setup.init(repository)
    assert (repository / ".gitattributes").read_bytes().startswith(b"*.png binary\r\n*.ipynb text\r\n# >>> nbpr")
    assert (repository / "runs/.gitignore").read_bytes() == b"*.tmp\n*.runs/\n"
    assert git(repository, "config", "diff.jupyternotebook.command") == "theirs"


def test_a_setting_that_was_there_several_times_is_set_once(repository: Path) -> None:
    for value in ("one", "two"):
        git(repository, "config", "--add", "filter.nbpr.clean", value)
    setup.init(repository)
    assert git(repository, "config", "--get-all", "filter.nbpr.clean") == setup.filter_command()


def test_from_a_folder_below_and_in_a_linked_worktree(repository: Path) -> None:
    put(repository, "notebooks/nb.ipynb", notebook())
    setup.init(repository / "notebooks")
    assert (repository / ".gitattributes").exists()
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    git(repository, "worktree", "add", "-q", str(repository.parent / "linked"))
    assert setup.init(repository.parent / "linked")["done"] == []


def test_another_folder_for_runs(repository: Path) -> None:
    put(repository, "nbpr.toml", b'runs = "the runs"\n')
    setup.init(repository)
    put(repository, "the runs/a.ipynb", notebook())
    git(repository, "add", "-A")
    assert stored(repository, "the runs/a.ipynb")["outputs"]
    assert (repository / "the runs/.gitignore").read_text() == "*.runs/\n"


def test_what_overrides_gitattributes_is_told(repository: Path) -> None:
    put(repository, ".git/info/attributes", b"*.ipynb filter=nbstripout\n")
    put(repository, "notebooks/a.ipynb", notebook())
    git(repository, "-c", "filter.nbstripout.clean=cat", "add", "-A")
    (found, run) = setup.init(repository)["findings"]
    assert (found["level"], found["path"]) == ("error", "notebooks/a.ipynb")
    assert found["message"] == "its filter is nbstripout"
    assert "nbstripout --uninstall" in found["hint"]
    assert run["message"] == "runs go through the filter nbstripout"


# -- settings of nbpr itself -------------------------------------------------------------------------------


def test_a_commented_configuration_only_if_wanted(repository: Path) -> None:
    setup.init(repository)
    assert not (repository / "nbpr.toml").exists()
    setup.init(repository, write_config=True)
    assert load(repository) == load(None)
    text = (repository / "nbpr.toml").read_text()
    (repository / "nbpr.toml").write_text(re.sub("(?m)^# (?=.*[=[])", "", text))
    config = load(repository)
    assert (config.base, config.link, config.execute.python) == ("main", ("data/**",), ".venv/bin/python")
    assert config.scraps["health_score"].max_drop == "5%"


def test_what_runs_keep_is_written_once(repository: Path) -> None:
    setup.init(repository, outputs="scraps")
    assert load(repository).outputs == "scraps"
    assert setup.init(repository, outputs="scraps")["done"] == []
    with pytest.raises(BadInput, match=r"nbpr\.toml is there already"):
        setup.init(repository, outputs="none")


def test_a_policy_that_there_is_not_is_refused_before_anything_is_done(repository: Path) -> None:
    before = everything(repository)
    with pytest.raises(BadInput, match="all, marked, scraps, none"):
        setup.init(repository, outputs="some")
    assert everything(repository) == before


def test_settings_in_pyproject_are_not_rewritten(repository: Path) -> None:
    put(repository, "pyproject.toml", b'[tool.nbpr]\nruns = "runs"\n')
    with pytest.raises(BadInput, match=r"pyproject\.toml"):
        setup.init(repository, outputs="none")
    assert "nbpr.toml: settings to fill in" in setup.init(repository, write_config=True)["already"]


# -- undo and refusals -------------------------------------------------------------------------------------


def test_undo_leaves_no_trace(repository: Path) -> None:
    before = everything(repository)
    setup.init(repository)
    assert len(setup.undo(repository)["done"]) == 4
    assert everything(repository) == before
    assert not (repository / "runs").exists()
    assert setup.undo(repository)["done"] == []


def test_undo_leaves_what_others_wrote(repository: Path) -> None:
    put(repository, ".gitattributes", b"*.png binary\n")
    put(repository, "runs/.gitignore", b"*.tmp\n")
    put(repository, "runs/a.ipynb", notebook())
    before = everything(repository)
    setup.init(repository)
    setup.undo(repository)
    assert everything(repository) == before


def test_no_repository_and_a_bare_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not in a git repository"):
        setup.init(tmp_path)
    git(tmp_path, "init", "-q", "--bare", "bare.git")
    with pytest.raises(BadInput, match="bare"):
        setup.init(tmp_path / "bare.git")


def test_links_are_not_followed(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (repository / "runs").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="leaves the repository"):
        setup.init(repository)
    (repository / "runs").unlink()
    put(repository, "attributes", b"")
    (repository / ".gitattributes").symlink_to("attributes")
    with pytest.raises(BadInput, match="symlink"):
        setup.init(repository)
    assert git(repository, "config", "--local", "--list").count("nbpr") == 0


def test_a_configuration_that_is_locked(repository: Path) -> None:
    put(repository, ".git/config.lock", b"")
    with pytest.raises(NotAllowed, match="could not lock config file"):
        setup.init(repository)
