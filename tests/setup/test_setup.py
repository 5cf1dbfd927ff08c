"""`init` sets a real repository up: what git then stores, shows and leaves alone."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbpr.config import load
from nbpr.errors import BadInput, NotAllowed
from nbpr.setup import drivers, setup
from nbpr.setup.setup import Wanted
from tests.conftest import git

pytestmark = pytest.mark.slow

DRIVERS = """filter.nbpr.process filter.nbpr.clean filter.nbpr.smudge filter.nbpr.required
diff.nbpr.command diff.nbpr.textconv diff.nbpr.cachetextconv diff.nbpr.xfuncname
merge.nbpr.name merge.nbpr.driver""".split()

#: Git's options that let a notebook in as it is.
UNFILTERED = ("-c", "filter.nbpr.process=", "-c", "filter.nbpr.required=false")


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


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """This interpreter, as another path that a shell could trip over."""
    python = tmp_path / "it's 100%f an $env" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    return python


def test_an_interpreter_in_a_folder_of_any_name(
    repository: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(elsewhere))
        setup.init(repository)
    file = put(repository, "nb.ipynb", notebook("x = 1"))
    git(repository, "add", "-A")
    assert stored(repository, "nb.ipynb")["outputs"] == []
    git(repository, "commit", "-qm", "one")
    file.write_bytes(notebook("x = 2"))
    assert "-x = 1\n+x = 2" in git(repository, "diff")
    git(repository, "commit", "-qam", "two")
    assert "── code · a\n-x = 1\n+x = 2" in git(repository, "show")
    assert re.fullmatch("<<<<<<< .*\nx = 4\n=======\nx = 3\n>>>>>>> .*", conflict(repository))


def conflict(root: Path) -> str:
    """Merge two branches that changed the line of `nb.ipynb`, and give the source of its cell."""
    git(root, "switch", "-qc", "topic")
    for name, number in (("topic", 3), ("main", 4)):
        git(root, "switch", "-q", name)
        put(root, "nb.ipynb", notebook(f"x = {number}"))
        git(root, "commit", "-qam", name)
    done = subprocess.run(["git", "merge", "-q", "topic"], cwd=root, capture_output=True, check=False)
    assert done.returncode == 1
    return str(json.loads((root / "nb.ipynb").read_text())["cells"][0]["source"])


def test_an_interpreter_that_is_gone_is_told_and_nothing_is_lost(
    repository: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(elsewhere))
        setup.init(repository)
    file = put(repository, "nb.ipynb", notebook("x = 1"))
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    elsewhere.parent.rename(elsewhere.parent.with_name("moved away"))
    said = f"nbpr: {elsewhere} is gone: run nbpr init again".encode()
    file.write_bytes(notebook("x = 2\n"))
    before = (repository / ".git/index").read_bytes()
    for words in (["add", "-A"], ["log", "-p"]):
        done = subprocess.run(["git", *words], cwd=repository, capture_output=True, check=False)
        assert done.returncode != 0
        assert said in done.stderr
    assert (repository / ".git/index").read_bytes() == before
    assert file.read_bytes() == notebook("x = 2\n")
    done = subprocess.run(["git", "diff", "HEAD"], cwd=repository, capture_output=True, check=False)
    assert said in done.stderr
    setup.init(repository)
    git(repository, "add", "-A")
    assert stored(repository, "nb.ipynb")["source"] == "x = 2\n"


def test_without_an_interpreter_lines_are_merged_and_compared_as_git_does(repository: Path, elsewhere: Path) -> None:
    put(repository, ".gitattributes", b"*.ipynb diff=nbpr merge=nbpr\n")
    put(repository, "nb.ipynb", notebook("x = 1"))
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    for name, value in drivers.settings(str(elsewhere.with_name("gone"))).items():
        git(repository, "config", name, value)
    put(repository, "nb.ipynb", notebook("x = 2"))
    assert '-   "source": "x = 1"\n+   "source": "x = 2"' in git(repository, "diff")
    git(repository, "checkout", "-q", ".")
    with pytest.raises(json.JSONDecodeError):
        conflict(repository)
    text = (repository / "nb.ipynb").read_text()
    assert '<<<<<<< ours\n   "source": "x = 4"\n=======\n   "source": "x = 3"\n>>>>>>> theirs' in text


def test_without_an_interpreter_no_notebook_vanishes_from_the_checkout(repository: Path, elsewhere: Path) -> None:
    setup.init(repository)
    file = put(repository, "nb.ipynb", notebook("x = 1"))
    put(repository, "large.ipynb", notebook("é" * 70_000))
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    for words, name in ((("switch", "-qc"), "topic"), (("switch", "-q"), "main")):
        git(repository, *words, name)
        put(repository, "nb.ipynb", notebook(f"x = '{name}'"))
        git(repository, "commit", "-qam", name)
    # As if some time had passed: git has no doubts about what it wrote then, and nothing has to be cleaned.
    for path in (file, repository / "large.ipynb"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    git(repository, "update-index", "--refresh")
    for name, value in drivers.settings(str(elsewhere.with_name("gone"))).items():
        git(repository, "config", name, value)
    said = f"nbpr: {elsewhere.with_name('gone')} is gone: run nbpr init again"
    assert '+   "source": "x = \'topic\'"' in git(repository, "diff", "main", "topic")
    git(repository, "worktree", "add", "-q", "--detach", "../other")
    assert git(repository.parent / "other", "ls-files", "--deleted") == ""
    assert (repository.parent / "other/large.ipynb").read_text() == git(repository, "show", ":large.ipynb") + "\n"
    for words, code in (("merge", "topic"), 1), (("add", "nb.ipynb"), 128):
        done = subprocess.run(["git", *words], cwd=repository, capture_output=True, text=True, check=False)
        assert (done.returncode, said in done.stderr) == (code, True), done.stderr
        assert "<<<<<<< ours" in file.read_text()


def test_what_a_command_starts_is_read_from_it() -> None:
    path = '/a b/it\'s 100% "x"/python'
    found = {name: drivers.interpreter_of(value) for name, value in drivers.settings(path).items()}
    assert {name for name, value in found.items() if value is None} == {
        "filter.nbpr.smudge",
        "filter.nbpr.required",
        "diff.nbpr.cachetextconv",
        "diff.nbpr.xfuncname",
        "merge.nbpr.name",
    }
    assert set(found.values()) == {None, path}
    assert drivers.interpreter_of("'half") is None
    assert drivers.interpreter_of("/old/python -P -m nbpr.filters clean %f") == "/old/python"


def test_what_is_no_notebook_is_stored_as_it_is(repository: Path) -> None:
    setup.init(repository)
    put(repository, "broken.ipynb", b"not a notebook")
    done = subprocess.run(["git", "add", "-A"], cwd=repository, capture_output=True, check=True)
    assert b"warning: broken.ipynb: not JSON" in done.stderr
    assert git(repository, "show", ":broken.ipynb") == "not a notebook"


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
    result = setup.init(repository, wanted=Wanted(outputs="marked"), dry_run=True)
    assert len(result["done"]) == len(DRIVERS) + 3
    assert result["dry_run"] is True
    assert everything(repository) == before


def test_what_is_there_stays(repository: Path) -> None:
    put(repository, ".gitattributes", b"*.png binary\r\n*.ipynb text")
    put(repository, "runs/.gitignore", b"*.tmp")
    git(repository, "config", "diff.jupyternotebook.command", "theirs")
    setup.init(repository)
    assert (repository / ".gitattributes").read_bytes().startswith(b"*.png binary\r\n*.ipynb text\r\n# >>> nbpr")
    assert (repository / "runs/.gitignore").read_bytes() == b"*.tmp\n*.runs/"
    assert git(repository, "config", "diff.jupyternotebook.command") == "theirs"


def test_a_setting_that_was_there_several_times_is_set_once(repository: Path) -> None:
    for value in ("one", "two"):
        git(repository, "config", "--add", "filter.nbpr.clean", value)
    setup.init(repository)
    assert git(repository, "config", "--get-all", "filter.nbpr.clean") == drivers.settings()["filter.nbpr.clean"]


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
    assert found["message"] == "its filter is nbstripout, which this clone does not have"
    assert found["hint"].endswith(": nbstripout --uninstall && nbpr init")
    assert run["message"] == "runs go through the filter nbstripout"


@pytest.mark.parametrize("place", [".git/info/attributes", ".gitattributes"])
def test_where_nbstripout_is_set_up_it_goes_on_until_the_commands_told_are_given(
    place: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = Path(sys.executable).parent
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    given = [] if place.startswith(".git/") else ["--attributes", place]
    subprocess.run([programs / "nbstripout", "--install", *given], cwd=repository, check=True)
    put(repository, "notebooks/a.ipynb", notebook())
    (found, *_) = setup.init(repository)["findings"]
    assert (found["level"], found["message"]) == (
        "warning",
        "its filter is nbstripout, which git starts anew for each notebook",
    )
    assert git(repository, "check-attr", "filter", "notebooks/a.ipynb").endswith(": nbstripout")
    assert git(repository, "check-attr", "merge", "notebooks/a.ipynb").endswith(": nbpr")
    git(repository, "add", "-A")
    assert stored(repository, "notebooks/a.ipynb")["outputs"] == []
    command = found["hint"].rpartition(": ")[2]
    subprocess.run(["sh", "-c", command], cwd=repository, check=True, capture_output=True)
    assert git(repository, "check-attr", "filter", "notebooks/a.ipynb").endswith(": nbpr")
    assert setup.init(repository)["findings"] == []


# -- settings of nbpr itself -------------------------------------------------------------------------------


def test_a_commented_configuration_only_if_wanted(repository: Path) -> None:
    setup.init(repository)
    assert not (repository / "nbpr.toml").exists()
    setup.init(repository, wanted=Wanted(write_config=True))
    assert load(repository) == load(None)
    text = (repository / "nbpr.toml").read_text()
    (repository / "nbpr.toml").write_text(re.sub("(?m)^# (?=.*[=[])", "", text))
    config = load(repository)
    assert (config.base, config.link, config.execute.python) == ("main", ("data/**",), ".venv/bin/python")
    assert config.scraps["health_score"].max_drop == "5%"


def test_what_runs_keep_is_written_once(repository: Path) -> None:
    setup.init(repository, wanted=Wanted(outputs="scraps"))
    assert load(repository).outputs == "scraps"
    assert setup.init(repository, wanted=Wanted(outputs="scraps"))["done"] == []
    with pytest.raises(BadInput, match=r"nbpr\.toml is there already"):
        setup.init(repository, wanted=Wanted(outputs="none"))


def test_a_policy_that_there_is_not_is_refused_before_anything_is_done(repository: Path) -> None:
    before = everything(repository)
    with pytest.raises(BadInput, match="all, marked, scraps, none"):
        setup.init(repository, wanted=Wanted(outputs="some"))
    assert everything(repository) == before


def test_settings_in_pyproject_are_not_rewritten(repository: Path) -> None:
    put(repository, "pyproject.toml", b'[tool.nbpr]\nruns = "runs"\n')
    with pytest.raises(BadInput, match=r"pyproject\.toml"):
        setup.init(repository, wanted=Wanted(outputs="none"))
    assert "nbpr.toml: settings to fill in" in setup.init(repository, wanted=Wanted(write_config=True))["already"]


# -- hooks and CI ------------------------------------------------------------------------------------------


def test_hooks_are_put_in_and_taken_out(repository: Path) -> None:
    before = everything(repository)
    wanted = Wanted(hooks=("pre-commit", "pre-push"))
    result = setup.init(repository, wanted=wanted)
    assert result["done"][-2:] == ["pre-commit hook: notebooks are checked", "pre-push hook: notebooks are checked"]
    assert (repository / ".git/hooks/pre-commit").stat().st_mode & 0o111
    assert setup.init(repository, wanted=wanted)["done"] == []
    setup.undo(repository)
    assert everything(repository) == before


def test_somebodys_own_hook_stays_and_nothing_is_done(repository: Path) -> None:
    put(repository, ".git/hooks/pre-push", b"#!/bin/sh\nmine\n")
    before = everything(repository)
    with pytest.raises(BadInput, match="a hook that is not nbpr's"):
        setup.init(repository, wanted=Wanted(hooks=("pre-commit", "pre-push")))
    setup.undo(repository)
    assert everything(repository) == before


@pytest.mark.parametrize("forge", ["gitea", "github", "forgejo"])
def test_a_workflow_is_written_and_never_written_over(forge: str, repository: Path) -> None:
    before = everything(repository)
    wanted = Wanted(ci=(forge,))
    result = setup.init(repository, wanted=wanted)
    file = repository / f".{forge}/workflows/nbpr.yml"
    assert result["done"][-1] == f".{forge}/workflows/nbpr.yml: notebooks are checked in CI"
    assert file.relative_to(repository).as_posix() in result["next"][0]
    assert setup.init(repository, wanted=wanted)["done"] == []
    changed = file.read_bytes() + b"# mine\n"
    file.write_bytes(changed)
    result = setup.init(repository, wanted=wanted)
    assert [(one["level"], one["path"]) for one in result["findings"]] == [("warning", f".{forge}/workflows/nbpr.yml")]
    setup.undo(repository)
    assert file.read_bytes() == changed
    file.write_bytes(changed.removesuffix(b"# mine\n"))
    setup.undo(repository)
    assert everything(repository) == before
    assert not (repository / f".{forge}").exists()


def test_gitlabs_workflow_is_taken_in_by_a_command_that_is_said(repository: Path) -> None:
    result = setup.init(repository, wanted=Wanted(ci=("gitlab",)))
    (command,) = (line for line in result["next"] if line.startswith("printf"))
    subprocess.run(["sh", "-c", command], cwd=repository, check=True)
    assert (repository / ".gitlab-ci.yml").read_text() == "include:\n  - local: .gitlab/nbpr.yml\n"
    again = setup.init(repository, wanted=Wanted(ci=("gitlab",)))
    assert not [line for line in again["next"] if line.startswith("printf")]


def test_the_workflow_of_one_job_lies_where_the_other_would(repository: Path) -> None:
    setup.init(repository, wanted=Wanted(ci=("gitea-single",)))
    result = setup.init(repository, wanted=Wanted(ci=("gitea",)))
    assert [one["path"] for one in result["findings"]] == [".gitea/workflows/nbpr.yml"]
    setup.undo(repository)
    assert not (repository / ".gitea").exists()


def test_a_forge_without_workflows(repository: Path) -> None:
    with pytest.raises(BadInput, match="no workflow for 'svn'"):
        setup.init(repository, wanted=Wanted(ci=("svn",)))


# -- undo and refusals -------------------------------------------------------------------------------------


def test_undo_leaves_no_trace(repository: Path) -> None:
    before = everything(repository)
    setup.init(repository)
    assert len(setup.undo(repository)["done"]) == 5
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


@pytest.mark.parametrize(
    ("attributes_before", "ignored_before", "config_before"),
    [
        (b"*.png binary", b"*.tmp", b"[user]\n\tname = Ada\n"),
        (b"a\r\n", b"a\r\nb", b'; a comment\n[core]\n\tbare = false\n\n[filter "x"]\n\tclean = cat\n'),
        (b"", b"*.runs/\n", b"[user]\n"),
        (b"", b"", b"[core]\n\tbare = false\n; mine\n\n\n# also mine\n\n"),
        (b"", b"", b"[nbpr]\n\tmine = 1\n"),
    ],
)
def test_undo_gives_every_file_back_as_it_was(
    attributes_before: bytes, ignored_before: bytes, config_before: bytes, repository: Path
) -> None:
    put(repository, ".gitattributes", attributes_before)
    put(repository, "runs/.gitignore", ignored_before)
    put(repository, ".git/config", config_before)
    before = everything(repository)
    for _ in range(2):
        setup.init(repository, wanted=Wanted(hooks=("pre-commit", "pre-push"), ci=("gitea",)))
    setup.undo(repository)
    after = everything(repository)
    # What was empty and what was not there are the same to git; lines that were ours before go as well.
    assert after.get(".gitattributes", b"") == attributes_before
    assert after.get("runs/.gitignore", b"") == ignored_before.replace(b"*.runs/\n", b"")
    assert after[".git/config"] == before[".git/config"]


def test_undo_takes_away_what_git_keeps_of_the_diff_drivers_texts(repository: Path) -> None:
    setup.init(repository)
    file = put(repository, "nb.ipynb", notebook("x = 1"))
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    file.write_bytes(notebook("x = 2"))
    git(repository, "commit", "-qam", "two")
    assert "+x = 2" in git(repository, "log", "-p")
    assert git(repository, "for-each-ref", "refs/notes") != ""
    setup.undo(repository)
    assert git(repository, "for-each-ref", "refs/notes") == ""


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
