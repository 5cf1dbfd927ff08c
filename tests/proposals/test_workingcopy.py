"""The working copy as the source of a change: read once, merged three ways, never taking back what is newer."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbpr import config
from nbpr.errors import BadInput, Conflict
from nbpr.git.repository import Repository
from nbpr.runs import runs
from tests import projects
from tests.conftest import git
from tests.projects import NOTEBOOK, RUN, propose

pytestmark = pytest.mark.kernel
OTHER = "notebooks/other.ipynb"


@pytest.fixture(scope="module")
def base_run(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    repository = projects.make(tmp_path_factory.mktemp("base run"))
    runs.run_notebooks([NOTEBOOK], repository.root, config.load(repository.root, environ={}))
    return (repository.root / RUN).read_bytes()


@pytest.fixture
def project(tmp_path: Path, base_run: bytes) -> Repository:
    """Two notebooks of the same code whose runs are in step, so that changed words need no kernel."""
    files = {RUN: base_run, OTHER: projects.health(), "runs/other.ipynb": base_run, "notes.txt": "1\n2\n3\n"}
    return projects.make(tmp_path, files)


def edit(project: Repository, old: str, new: str, path: str = NOTEBOOK) -> None:
    place = project.root / path
    text = place.read_text()
    assert old in text
    place.write_text(text.replace(old, new))


def push(project: Repository, tmp_path: Path, branch: str = "main", **changes: tuple[str, str]) -> None:
    """Somebody else's commit: `story=(old, new)` in the notebook, `gone=(path, "")`, `notes=(old, new)`."""
    theirs = projects.clone(project, tmp_path, f"Bob {len(list(tmp_path.iterdir()))}")
    git(theirs, "switch", "-q", branch)
    for name, (old, new) in changes.items():
        path = {"story": NOTEBOOK, "notes": "notes.txt"}.get(name)
        if path is None:
            git(theirs, "rm", "-q", old)
        else:
            (theirs / path).write_text((theirs / path).read_text().replace(old, new))
    git(theirs, "commit", "-qam", "meanwhile")
    git(theirs, "push", "-q")


def test_what_is_edited_while_it_runs_is_proposed_the_next_time(
    project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbpr.proposals import proofs

    prove = proofs.prove

    def meanwhile(*given: object, **more: object) -> object:
        edit(project, "agents = 24", "agents = 24  # edited while it ran")
        return prove(*given, **more)  # type: ignore[arg-type]

    edit(project, "How many", "Say how many")
    monkeypatch.setattr(proofs, "prove", meanwhile)
    made = propose(project, config={"reproduce": False})
    monkeypatch.setattr(proofs, "prove", prove)
    assert "edited while" not in projects.blob(project, made["branch"], NOTEBOOK).decode()
    assert propose(project, config={"reproduce": False})["operation"] == "updated"
    assert "edited while" in projects.blob(project, made["branch"], NOTEBOOK).decode()


def test_two_notebooks_one_after_the_other_on_one_branch(project: Repository) -> None:
    edit(project, "How many", "Say how many")
    made = propose(project)
    edit(project, "How many", "Tell how many", OTHER)
    assert propose(project, notebooks=(OTHER,), pull=1)["operation"] == "updated"
    edit(project, "Say how many", "Say at once how many")
    assert propose(project, pull=1)["operation"] == "updated"
    for path, words in ((NOTEBOOK, "Say at once how many"), (OTHER, "Tell how many")):
        nb = projects.on_branch(project, made["branch"], path)
        assert len(nb.cells) == len(projects.SOURCES)
        assert words in nb.cells[1].source


def test_a_change_that_was_there_already_can_be_taken_back(project: Repository, tmp_path: Path) -> None:
    edit(project, "agents = 24\\n", "agents = 24  # all\\n")
    made = propose(project, config={"reproduce": False})
    push(project, tmp_path, made["branch"], story=("How many", "Say how many"))
    edit(project, "How many", "Say how many")
    assert propose(project)["operation"] == "unchanged"
    edit(project, "Say how many", "How many")
    assert propose(project)["operation"] == "updated"
    assert "Say how" not in projects.blob(project, made["branch"], NOTEBOOK).decode()


def test_what_base_deleted_stays_deleted(project: Repository, tmp_path: Path) -> None:
    push(project, tmp_path, a=(NOTEBOOK, ""), b=(RUN, ""), c=("notes.txt", ""))
    made = propose(project, include=("notes.txt",))
    assert (made["operation"], made["pull_request"]) == ("unchanged", None)
    edit(project, "How many", "Say how many")
    with pytest.raises(Conflict, match="deleted on the branch and changed here"):
        propose(project)


def test_included_files_are_merged_by_line_and_keep_their_mode(project: Repository, tmp_path: Path) -> None:
    (project.root / "notes.txt").write_text("one\n2\n3\n")
    (project.root / "notes.txt").chmod(0o755)
    (project.root / "link").symlink_to("notes.txt")
    push(project, tmp_path, notes=("3", "three"))
    edit(project, "How many", "Say how many")
    made = propose(project, include=("notes.txt", "link"))
    assert projects.blob(project, made["branch"], "notes.txt") == b"one\n2\nthree\n"
    modes = {entry.path: entry.mode for entry in project.entries(made["head_sha"])}
    assert (modes["notes.txt"], modes["link"]) == ("100755", "120000")
    assert projects.blob(project, made["branch"], "link") == b"notes.txt"


def test_line_endings_are_stored_as_git_add_would(project: Repository) -> None:
    git(project.root, "config", "core.autocrlf", "true")
    (project.root / "new.txt").write_bytes(b"a\r\nb\r\n")
    place = project.root / NOTEBOOK
    place.write_bytes(place.read_bytes().replace(b"How many", b"Say how many").replace(b"\n", b"\r\n"))
    made = propose(project, include=("new.txt",))
    assert projects.blob(project, made["branch"], "new.txt") == b"a\nb\n"
    assert projects.blob(project, made["branch"], NOTEBOOK) == projects.health().replace(b"How many", b"Say how many")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"include": (OTHER,)}, "named beside the others"),
        ({"include": ("nothing.txt",)}, "no such file"),
        ({"delete": (NOTEBOOK,)}, "to be changed and to be taken away"),
        ({"notebooks": (NOTEBOOK, "health.ipynb")}, "would share the run"),
        ({"co_authors": ("Eve\nNbpr-Key: x <e@x>",)}, "--co-author"),
    ],
)
def test_what_cannot_be_is_said(project: Repository, options: dict[str, tuple[str, ...]], told: str) -> None:
    (project.root / "health.ipynb").write_bytes(projects.health())
    with pytest.raises(BadInput, match=told):
        propose(project, **options)


def test_files_in_a_submodule_are_refused(project: Repository, tmp_path: Path) -> None:
    module = tmp_path / "module"
    git(tmp_path, "init", "-q", "-b", "main", str(module))
    git(module, "-c", "user.name=M", "-c", "user.email=m@x", "commit", "-q", "--allow-empty", "-m", "m")
    git(project.root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(module), "sub")
    git(project.root, "commit", "-qm", "sub")
    git(project.root, "push", "-q")
    (project.root / "sub" / "y.txt").write_text("y")
    edit(project, "How many", "Say how many")
    with pytest.raises(BadInput, match="in the submodule sub"):
        propose(project, include=("sub/y.txt",))
