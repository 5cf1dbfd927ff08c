"""`doctor` finds each broken state of a real repository, and says how to mend it."""

from __future__ import annotations

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from nbpr.errors import BadInput
from nbpr.setup import doctor, drivers, setup
from tests.conftest import git
from tests.setup.test_setup import UNFILTERED, everything, notebook, put

pytestmark = pytest.mark.slow

CLEAN = notebook(outputs=[], execution_count=None)


@pytest.fixture
def ready(repository: Path) -> Path:
    """A repository that is set up, with one clean notebook and its run."""
    setup.init(repository)
    put(repository, "notebooks/nb.ipynb", CLEAN)
    put(repository, "runs/nb.ipynb", notebook())
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    return repository


def found(root: Path, level: str = "error") -> list[dict[str, Any]]:
    result = doctor.doctor(root)
    assert result["ok"] == (not any(one["level"] == "error" for one in result["findings"]))
    return [one for one in result["findings"] if one["level"] == level]


def only(root: Path, level: str = "error") -> tuple[str, str, str, str | None]:
    """The one finding of a level: part, path, message and hint."""
    (one,) = found(root, level)
    return one["check"], one["path"], one["message"], one["hint"]


def test_a_repository_that_is_well(ready: Path) -> None:
    result = doctor.doctor(ready)
    assert result["ok"]
    assert {one["level"] for one in result["findings"]} == {"note"}
    assert "the clean filter starts and cleans" in result["well"]
    assert "git filters notebooks and leaves runs alone" in result["well"]
    assert "notebooks in the index are clean" in result["well"]
    json.dumps(result)


def test_nothing_is_written(ready: Path) -> None:
    before = everything(ready)
    doctor.doctor(ready / "notebooks")
    assert everything(ready) == before


def test_a_repository_without_commits_and_without_set_up(repository: Path) -> None:
    before = everything(repository)
    messages = [one["message"] for one in found(repository)]
    assert messages == [
        "there is no filter nbpr here: notebooks are committed with their outputs",
        "no filter cleans it",
    ]
    assert [one["hint"] for one in found(repository)] == ["nbpr init", "nbpr init"]
    assert everything(repository) == before
    setup.init(repository)
    assert found(repository) == []


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not in a git repository"):
        doctor.doctor(tmp_path)


# -- the filter --------------------------------------------------------------------------------------------


def test_an_interpreter_that_is_gone(ready: Path) -> None:
    for name, value in drivers.settings("/moved away/bin/python").items():
        git(ready, "config", name, value)
    first, *others = found(ready)
    assert (first["check"], first["path"], first["message"], first["hint"]) == (
        "filter",
        ".git/config",
        "the filter's program is gone: /moved away/bin/python",
        "nbpr init writes it anew",
    )
    assert [other["message"].split()[0] for other in others] == [
        "diff.nbpr.command",
        "diff.nbpr.textconv",
        "merge.nbpr.driver",
    ]
    setup.init(ready)
    assert found(ready) == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (f"{sys.executable} -P -m nbpr.nothing", "the filter fails: "),
        ("cat", "the filter does not clean (what it is given comes back as it is)"),
        ("true", "the filter does not clean"),
        ("echo surprise >&2; exit 1", "the filter fails: surprise"),
        ("'unclosed", "the filter fails: "),
    ],
)
def test_a_filter_that_does_not_work(command: str, message: str, ready: Path) -> None:
    git(ready, "config", "--unset", "filter.nbpr.process")
    git(ready, "config", "filter.nbpr.clean", command)
    part, _, said, _ = only(ready)
    assert part == "filter"
    assert said.startswith(message)


def test_a_process_that_does_not_work(ready: Path) -> None:
    git(ready, "config", "filter.nbpr.process", "echo surprise >&2; exit 1")
    assert only(ready)[2] == "the filter fails: surprise"


def test_a_filter_without_a_process_is_slow(ready: Path) -> None:
    git(ready, "config", "--unset", "filter.nbpr.process")
    assert only(ready, "warning")[::2] == (
        "speed",
        "git starts the filter anew for each notebook: filter.nbpr.process is not set",
    )
    assert found(ready) == []


def test_a_clone_without_the_filter_that_gitattributes_wants(ready: Path) -> None:
    clone = ready.parent / "clone"
    git(ready.parent, "clone", "-q", str(ready), str(clone))
    assert only(clone) == (
        "filter",
        ".git/config",
        ".gitattributes wants the filter nbpr, which this clone does not have: outputs are committed",
        "nbpr init",
    )
    setup.init(clone)
    assert found(clone) == []


def test_drivers_that_are_missing_or_older(ready: Path) -> None:
    git(ready, "config", "--remove-section", "merge.nbpr")
    git(ready, "config", "--unset", "diff.nbpr.textconv")
    git(ready, "config", "diff.nbpr.command", f"{sys.executable} -P -m nbpr.diffdriver")
    assert [one["message"] for one in found(ready, "warning")] == [
        "diff.nbpr.command is an older nbpr's",
        "diff.nbpr.textconv is not set: git log -p and git show show JSON instead of cells",
        "merge.nbpr.driver is not set: git merges notebooks line by line, not cell by cell",
    ]
    setup.init(ready)
    assert found(ready, "warning") == []


def test_lines_of_an_older_nbpr_in_gitattributes(ready: Path) -> None:
    put(ready, ".gitattributes", b"# >>> nbpr\n*.ipynb filter=nbpr diff=nbpr\nruns/** -filter\n# <<< nbpr\n")
    part, path, message, hint = only(ready, "warning")
    assert (part, path, message) == ("drivers", "notebooks/nb.ipynb", "its merge driver is unspecified")
    assert hint == "nbpr init writes .gitattributes anew"
    setup.init(ready)
    assert found(ready, "warning") == []


def test_a_filter_that_is_not_required_is_a_warning(ready: Path) -> None:
    git(ready, "config", "--unset", "filter.nbpr.required")
    assert only(ready, "warning")[0] == "filter"
    assert found(ready) == []


def test_a_filter_without_smudge(ready: Path) -> None:
    git(ready, "config", "--unset", "filter.nbpr.smudge")
    assert "smudge" in only(ready)[2]


# -- attributes --------------------------------------------------------------------------------------------


def test_what_nbstripout_installed_is_in_the_way(ready: Path) -> None:
    put(ready, ".git/info/attributes", b"# mine\n*.ipynb filter=nbstripout\n*.zpln filter=nbstripout\n")
    notebooks, runs = found(ready)
    assert notebooks["path"] == "notebooks/nb.ipynb"
    assert notebooks["message"] == "its filter is nbstripout, which this clone does not have"
    assert (runs["path"], runs["message"]) == ("runs/nb.ipynb", "runs go through the filter nbstripout")
    assert notebooks["hint"] == (
        '.git/info/attributes says "*.ipynb filter=nbstripout" and goes before .gitattributes: '
        "nbstripout --uninstall && nbpr init"
    )


def test_nbstripouts_filter_in_a_repository_that_never_heard_of_ours(repository: Path) -> None:
    git(repository, "config", "filter.nbstripout.clean", f"{sys.executable} -m nbstripout")
    put(repository, "notebooks/.gitattributes", b"*.ipynb filter=nbstripout\n")
    put(repository, "notebooks/nb.ipynb", notebook())
    git(repository, "add", "-A")
    assert found(repository) == []
    part, path, message, hint = only(repository, "warning")
    assert (part, path) == ("attributes", "notebooks/nb.ipynb")
    assert message == "its filter is nbstripout, which git starts anew for each notebook"
    assert hint == "nbstripout --uninstall --attributes notebooks/.gitattributes && nbpr init"


def test_another_line_of_the_clones_own_file(ready: Path) -> None:
    put(ready, ".git/info/attributes", b"notebooks/** -filter\n")
    assert only(ready)[2:] == (
        "no filter cleans it",
        '.git/info/attributes says "notebooks/** -filter" and goes before .gitattributes: '
        "take that line out, then nbpr init",
    )


def test_a_file_of_attributes_further_down_counts(ready: Path) -> None:
    put(ready, "notebooks/.gitattributes", b"*.ipynb -filter\n")
    put(ready, "notebooks/other.ipynb", CLEAN)
    git(ready, "add", "-A")
    assert only(ready)[:3] == ("attributes", "notebooks/nb.ipynb", "no filter cleans it (and so with 1 more)")


def test_attributes_taken_out(ready: Path) -> None:
    git(ready, "rm", "-q", ".gitattributes")
    assert only(ready) == ("attributes", "notebooks/nb.ipynb", "no filter cleans it", "nbpr init")


@pytest.mark.parametrize("rule", ["runs/", "*.ipynb", "/runs/*"])
def test_runs_that_git_ignores(rule: str, ready: Path) -> None:
    put(ready, ".gitignore", f"# mine\n{rule}\n".encode())
    part, path, message, hint = only(ready)
    assert (part, path, message) == ("runs", "runs", f"git ignores reference runs, by .gitignore:2:{rule}")
    assert hint is not None


# -- what is in the index ----------------------------------------------------------------------------------


def test_notebooks_in_the_index_that_are_not_clean(ready: Path) -> None:
    for index in range(12):
        put(ready, f"notebooks/ä {index:02}.ipynb", notebook())
    git(ready, *UNFILTERED, "add", "-A")
    findings = found(ready)
    assert [one["path"] for one in findings] == [f"notebooks/ä {index:02}.ipynb" for index in range(11)]
    assert findings[-1]["message"] == "likewise, and 1 more"
    assert findings[0]["hint"] == "git add --renormalize . && git commit"
    git(ready, "add", "--renormalize", ".")
    assert found(ready) == []


def test_notebooks_that_nothing_names_are_looked_at_where_the_filter_would_clean_them(ready: Path) -> None:
    put(ready, "top.ipynb", notebook())
    put(ready, "fixtures/kept.ipynb", notebook())
    put(ready, "fixtures/.gitattributes", b"*.ipynb -filter\n")
    git(ready, *UNFILTERED, "add", "-A")
    assert only(ready)[:2] == ("clean", "top.ipynb")
    assert setup.init(ready)["next"] == ["git add --renormalize ."]


def test_a_name_with_a_line_break_does_not_end_the_examination(ready: Path) -> None:
    put(ready, "notebooks/two\nlines.ipynb", CLEAN)
    git(ready, "add", "-A")
    assert found(ready) == []


def test_what_is_no_notebook_is_not_called_unclean(ready: Path) -> None:
    put(ready, "notebooks/broken.ipynb", b"{")
    git(ready, "add", "-A")
    assert found(ready) == []


def test_notebooks_elsewhere_than_configured(repository: Path) -> None:
    setup.init(repository)
    put(repository, "analysis/a.ipynb", notebook())
    git(repository, "add", "-A")
    part, path, message, hint = only(repository, "warning")
    assert (part, path) == ("notebooks", "analysis/a.ipynb")
    assert message == "no notebook matches notebooks/**/*.ipynb, but analysis/a.ipynb is one"
    assert hint is not None
    put(repository, "nbpr.toml", b'notebooks = ["analysis/*.ipynb"]\n')
    assert found(repository, "warning") == []


def test_none_configured_at_all(ready: Path) -> None:
    put(ready, "nbpr.toml", b"notebooks = []\n")
    assert doctor.doctor(ready)["ok"]


def test_a_notebook_that_is_called_modified_for_nothing(ready: Path) -> None:
    for name in ("nb", 'ä "b"'):
        put(ready, f"notebooks/{name}.ipynb", CLEAN)
    put(ready, "notebooks/edited.ipynb", CLEAN)
    git(ready, "add", "-A")
    git(ready, "commit", "-qm", "more")
    for name in ("nb", 'ä "b"'):
        put(ready, f"notebooks/{name}.ipynb", notebook())
    put(ready, "notebooks/edited.ipynb", notebook("x = 2"))
    assert git(ready, "status", "--porcelain").count(" M ") == 3
    assert only(ready, "warning") == (
        "modified",
        "notebooks/nb.ipynb",
        "git calls it modified, but cleaned it is what is in the index (and so with 1 more)",
        "nbpr doctor --fix, or git add it",
    )
    index = git(ready, "ls-files", "--stage")
    mended = doctor.doctor(ready, fix=True)["mended"]
    assert mended == [f"notebooks/{name}.ipynb is no longer called modified" for name in ("nb", 'ä "b"')]
    assert git(ready, "ls-files", "--stage") == index
    assert git(ready, "status", "--porcelain") == " M notebooks/edited.ipynb"
    assert (ready / "notebooks/nb.ipynb").read_bytes() == notebook()
    assert doctor.doctor(ready, fix=True)["mended"] == []


def test_a_file_that_became_a_program_is_modified(ready: Path) -> None:
    put(ready, "notebooks/nb.ipynb", notebook()).chmod(0o755)
    assert doctor.doctor(ready, fix=True)["mended"] == []
    assert git(ready, "diff", "--cached", "--name-only") == ""


def test_options_of_the_repository_say_what_is_clean(ready: Path) -> None:
    put(ready, "nbpr.toml", b"[clean]\nkeep-count = true\n")
    put(ready, "notebooks/nb.ipynb", notebook(outputs=[]))
    git(ready, "add", "-A")
    assert git(ready, "show", ":notebooks/nb.ipynb").count('"execution_count": 1') == 1
    assert found(ready) == []


# -- running and the rest ----------------------------------------------------------------------------------


def test_an_old_git(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.Repository, "version", (2, 17, 1))
    assert only(ready)[:3] == ("version", "git 2.17.1", "too old; 2.25 is needed")


def test_the_packages_that_runs_need(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> ModuleSpec | None:
        return None if name in ("papermill", "nbval") else ModuleSpec(name, None)

    monkeypatch.setattr(doctor, "find_spec", missing)
    assert only(ready, "warning") == (
        "run",
        "nbpr",
        "run, validate and propose need papermill, nbval",
        "pip install 'nbpr[run]'",
    )


def test_an_interpreter_that_does_not_start(ready: Path) -> None:
    python = put(ready, ".venv/bin/python", b"#!/bin/sh\nexit 3\n")
    python.chmod(0o755)
    put(ready, ".venv/lib/python3.11/site-packages/ipykernel/__init__.py", b"")
    part, path, message, _ = only(ready)
    assert (part, path) == ("kernel", "notebooks/nb.ipynb")
    assert message == f"its interpreter does not start: {python}"


def test_a_configured_kernel_that_is_not_there(ready: Path) -> None:
    put(ready, "nbpr.toml", b'[execute]\nkernel = "no-such"\n')
    part, _, message, hint = only(ready)
    assert part == "kernel"
    assert "no-such" in message
    assert hint is not None


def test_which_interpreter_runs_a_notebook(ready: Path) -> None:
    (note,) = [one for one in found(ready, "note") if one["check"] == "kernel"]
    assert note["path"] == "notebooks/nb.ipynb"
    assert f"(Python {sys.version.split()[0]})" in note["message"]


def notes(root: Path, part: str) -> list[tuple[str, str]]:
    return [(one["path"], one["message"]) for one in found(root, "note") if one["check"] == part]


def test_the_users_hooks(ready: Path) -> None:
    assert notes(ready, "hooks") == []
    put(ready, ".git/hooks/pre-commit", b"")
    put(ready, ".git/hooks/pre-push.sample", b"")
    said = "your hooks do not run when nbpr commits and pushes"
    assert notes(ready, "hooks") == [("pre-commit", said)]
    put(ready, ".husky/commit-msg", b"")
    git(ready, "config", "core.hooksPath", ".husky")
    assert notes(ready, "hooks") == [("commit-msg", said)]


def test_hooks_of_ours(ready: Path) -> None:
    setup.init(ready, wanted=setup.Wanted(hooks=("pre-commit", "pre-push")))
    assert notes(ready, "hooks") == []
    git(ready, "config", "nbpr.python", "/moved/away/python")
    assert only(ready) == (
        "hooks",
        "pre-commit, pre-push",
        "nbpr's hooks start a program that is gone: /moved/away/python",
        "nbpr init --hooks",
    )


def test_what_killed_commands_left_behind(ready: Path) -> None:
    left = ready / ".git/nbpr/work/nbpr-0123456789ab"
    left.mkdir(parents=True)
    ((path, _),) = notes(ready, "workspaces")
    assert path == str(left)
    assert doctor.doctor(ready, fix=True)["mended"] == [f"removed {left}"]
    assert not left.exists()
    assert notes(ready, "workspaces") == []


def test_the_remote_is_named_without_its_secrets(ready: Path) -> None:
    assert notes(ready, "remote") == [("no remote", "pull requests are kept in this repository")]
    git(ready, "remote", "add", "origin", "https://ada:s3cret@forge.example/ada/nb.git")
    assert notes(ready, "remote") == [
        ("origin", "proposals go to https://forge.example/ada/nb.git (not asked whether it answers)")
    ]
    put(ready, "nbpr.toml", b'remote = "upstream"\n')
    assert only(ready)[2] == "there is no remote 'upstream'"
