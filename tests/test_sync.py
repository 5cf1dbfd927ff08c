"""The checkout brought up to date, with nothing lost of what is being worked on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nbpr import config, pulls
from nbpr.errors import BadInput, Conflict
from nbpr.git.repository import Repository
from nbpr.notebooks import notebook
from nbpr.sync import Synced, sync
from tests import projects
from tests.conftest import git
from tests.projects import NOTEBOOK


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    return projects.make(tmp_path, {"lines.txt": "1\n2\n3\n4\n5\n", "gone/away.txt": "x\n"})


def synced(project: Repository, **options: bool) -> Synced:
    return sync(Repository.discover(project.root), config.load(project.root, environ={}), **options)


def meanwhile(project: Repository, tmp_path: Path, files: dict[str, str | bytes | None]) -> str:
    theirs = projects.clone(project, tmp_path, "Bob")
    projects.write(theirs, {name: content for name, content in files.items() if content is not None})
    for name in (name for name, content in files.items() if content is None):
        (theirs / name).unlink()
    git(theirs, "add", "-A")
    git(theirs, "commit", "-qm", "meanwhile")
    git(theirs, "push", "-q")
    return git(theirs, "rev-parse", "HEAD")


def health(*changes: tuple[str, str]) -> bytes:
    text = projects.health().decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def test_a_clean_checkout_goes_forwards(project: Repository, tmp_path: Path) -> None:
    files = {"lines.txt": "other\n", "new/ö x.txt": "n\n", "gone/away.txt": None, NOTEBOOK: health(("0.95", "0.9"))}
    target = meanwhile(project, tmp_path, files)
    (project.root / "untracked.txt").write_text("mine\n")
    done = synced(project)
    assert done.after == target == git(project.root, "rev-parse", "HEAD")
    assert git(project.root, "status", "--porcelain") == "?? untracked.txt"
    assert not (project.root / "gone").exists()
    assert synced(project).before == target


def test_what_is_being_worked_on_is_merged_by_cell_and_by_line(project: Repository, tmp_path: Path) -> None:
    nb = json.loads(health(("agents = 24", "agents = 20")))
    nb["cells"][3]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["my result\n"]}]
    (project.root / NOTEBOOK).write_text(json.dumps(nb, indent=2))
    (project.root / "lines.txt").write_text("one\n2\n3\n4\n5\n")
    (project.root / "README.md").write_text("staged elsewhere\n")
    git(project.root, "add", "README.md")
    target = meanwhile(
        project, tmp_path, {NOTEBOOK: health(("How many", "Say how many")), "lines.txt": "1\n2\n3\n4\nfive\n"}
    )
    done = synced(project)
    assert set(done.merged) == {NOTEBOOK, "lines.txt"}
    assert git(project.root, "rev-parse", "HEAD") == target
    assert (project.root / "lines.txt").read_text() == "one\n2\n3\n4\nfive\n"
    text = (project.root / NOTEBOOK).read_text()
    assert all(words in text for words in ("agents = 20", "Say how many", "my result"))
    assert text.startswith("{\n  ")  # the layout of the file that was worked on
    status = git(project.root, "status", "--porcelain").splitlines()
    assert sorted(line.strip() for line in status) == sorted(["M  README.md", "M lines.txt", f"M {NOTEBOOK}"])


def test_the_same_place_on_both_sides_changes_nothing(project: Repository, tmp_path: Path) -> None:
    (project.root / NOTEBOOK).write_bytes(health(("0.95", "0.90")))
    (project.root / "lines.txt").write_text("mine\n2\n3\n4\n5\n")
    meanwhile(project, tmp_path, {NOTEBOOK: health(("0.95", "0.99")), "lines.txt": "theirs\n2\n3\n4\n5\n"})
    before = projects.state(project.root)
    with pytest.raises(Conflict) as caught:
        synced(project)
    assert "cell parameters" in caught.value.message
    assert "lines.txt" in caught.value.message
    assert projects.state(project.root) == before


@pytest.mark.parametrize("what", ["untracked", "staged", "deleted"])
def test_what_would_be_lost_is_refused(project: Repository, tmp_path: Path, what: str) -> None:
    files: dict[str, str | bytes | None] = {"new.txt": "theirs\n", "lines.txt": "theirs\n"}
    if what == "untracked":
        (project.root / "new.txt").write_text("mine\n")
    elif what == "staged":
        (project.root / "lines.txt").write_text("mine\n")
        git(project.root, "add", "lines.txt")
    else:
        files["lines.txt"] = None
        (project.root / "lines.txt").write_text("mine\n")
    meanwhile(project, tmp_path, files)
    before = projects.state(project.root)
    with pytest.raises(Conflict):
        synced(project)
    assert projects.state(project.root) == before


def test_commits_of_ones_own_are_not_passed_over(project: Repository, tmp_path: Path) -> None:
    meanwhile(project, tmp_path, {"new.txt": "n\n"})
    git(project.root, "commit", "-q", "--allow-empty", "-m", "mine")
    with pytest.raises(Conflict, match="has commits"):
        synced(project)
    git(project.root, "switch", "-q", "--detach")
    with pytest.raises(BadInput, match="checked out"):
        synced(project)


def test_a_dry_run_says_and_does_not(project: Repository, tmp_path: Path) -> None:
    meanwhile(project, tmp_path, {"new.txt": "n\n"})
    git(project.root, "fetch", "-q")  # a dry run does not even fetch
    before = projects.state(project.root)
    assert synced(project, dry_run=True).updated == ("new.txt",)
    assert projects.state(project.root) == before


@pytest.mark.kernel
def test_after_a_proposal_from_the_working_copy_was_merged(project: Repository) -> None:
    nb = json.loads(health(("0.95", "0.90")))
    nb["cells"][3]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["my result\n"]}]
    (project.root / NOTEBOOK).write_text(json.dumps(nb, indent=1, sort_keys=True) + "\n")
    projects.propose(project, config={"reproduce": False})
    session = pulls.connect(Repository.discover(project.root), config.load(project.root, environ={}))
    pulls.merge(session, 1)
    refused = project.run("pull", "--ff-only", "origin", "main", accept=(1, 128))
    assert b"would be overwritten" in refused.stderr
    done = synced(project)
    assert done.after != done.before
    assert "my result" in (project.root / NOTEBOOK).read_text()
    assert notebook.read(project.root / "runs/health.ipynb")
    assert git(project.root, "status", "--porcelain") == f" M {NOTEBOOK}"


@pytest.mark.kernel
def test_checkout_of_a_pull_request(project: Repository) -> None:
    made = projects.propose(project, projects.set_threshold(0.9), config={"reproduce": False})
    session = pulls.connect(Repository.discover(project.root), config.load(project.root, environ={}))
    (project.root / "untracked.txt").write_text("mine\n")
    assert pulls.checkout(session, 1) == made["branch"]
    assert git(project.root, "rev-parse", "HEAD") == made["head_sha"]
    assert git(project.root, "rev-parse", "--abbrev-ref", "@{upstream}") == f"origin/{made['branch']}"
    git(project.root, "switch", "-q", "main")
    (project.root / NOTEBOOK).write_text("being worked on")
    with pytest.raises(Conflict, match="does not switch"):
        pulls.checkout(session, 1)
    assert (project.root / NOTEBOOK).read_text() == "being worked on"
