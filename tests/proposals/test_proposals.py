"""From an edit to a pull request, with real git and real kernels; on a bare remote and without one."""

from __future__ import annotations

import json
import signal
import sysconfig
import threading
import venv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nbpr import config, pulls
from nbpr.engines.papermill import Papermill
from nbpr.errors import BadInput, Conflict, NotAllowed
from nbpr.forges import forge_for
from nbpr.git.repository import Repository
from nbpr.git.workspaces import folder_of
from nbpr.notebooks import notebook
from nbpr.proposals import proofs
from tests import projects, proving
from tests.conftest import git
from tests.projects import NOTE, NOTEBOOK, RUN, propose, set_threshold

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def base_run(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The reference run of the projects' notebook, made once: base has it, so no baseline needs to run."""
    from nbpr.runs import runs

    repository = projects.make(tmp_path_factory.mktemp("base run"))
    runs.run_notebooks([NOTEBOOK], repository.root, config.load(repository.root, environ={}))
    return (repository.root / RUN).read_bytes()


@pytest.fixture(params=["remote", "alone"])
def project(request: pytest.FixtureRequest, tmp_path: Path, base_run: bytes) -> Repository:
    return projects.make(tmp_path, {RUN: base_run}, remote=request.param == "remote")


@pytest.fixture
def shared(tmp_path: Path, base_run: bytes) -> Repository:
    return projects.make(tmp_path, {RUN: base_run})


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every kernel that was started, by its run."""
    started: list[str] = []
    ready = Papermill.ready

    def counted(self: Papermill, request: object, *rest: object, **more: object) -> object:
        started.append(str(request))
        return ready(self, request, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Papermill, "ready", counted)
    return started


@pytest.fixture
def proven_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is not about running; a test that counts kernels is."""
    if "kernels" not in request.fixturenames:
        proving.once(monkeypatch)


QUICK = {"reproduce": False}


class TestTheSeedCase:
    def test_one_commit_with_notebook_and_run(self, project: Repository, kernels: list[str]) -> None:
        before = projects.state(project.root)
        made = propose(project, set_threshold(0.90), NOTE)
        assert (made["operation"], made["verdict"]) == ("created", "passed")
        assert made["pull_request"]["number"] == 1
        assert made["pull_request"]["state"] == "open"
        assert made["branch"] == "agent/health-lower-the-threshold"
        assert projects.commits(project, made["branch"]) == ["Lower the threshold"]
        nb = projects.on_branch(project, made["branch"])
        assert nb.cells[0].source == projects.PARAMETERS.replace("0.95", "0.9")
        assert nb.cells[1].source == NOTE["source"]
        assert all(not cell.outputs for cell in nb.cells)
        run = json.loads(projects.blob(project, made["branch"], RUN))
        assert any(cell.get("outputs") for cell in run["cells"])
        assert made["scraps"] == [
            {"notebook": NOTEBOOK, "name": "alert_count", "before": 14, "after": 4},
            {"notebook": NOTEBOOK, "name": "health_score", "before": 0.875, "after": 0.875},
        ]
        assert made["diff"][0] | {"outputs_changed": None} == {
            "notebook": NOTEBOOK, "cells_added": 1, "cells_removed": 0, "cells_modified": 1, "cells_moved": 0,
            "outputs_changed": None,
        }  # fmt: skip
        assert [run["role"] for run in made["runs"]] == ["reference", "reproduce"]
        assert len(kernels) == 2
        assert projects.state(project.root) == before
        assert not folder_of(project).exists()
        assert git(project.root, "fsck", "--strict", "--no-dangling") == ""

    def test_again_is_unchanged_and_costs_no_kernel_and_no_push(self, project: Repository, kernels: list[str]) -> None:
        made = propose(project, set_threshold(0.90), NOTE, config=QUICK)
        pushed = everything(project)
        kernels.clear()
        for title in ("Lower the threshold", "Quite another title"):
            again = propose(project, set_threshold(0.90), NOTE, title=title)
            assert again["operation"] == "unchanged"
            assert again["verdict"] == "passed"
            assert again["pull_request"] == made["pull_request"]
            assert again["branch"] == made["branch"]
            assert again["head_sha"] == made["head_sha"]
            assert again["scraps"] == made["scraps"]
        assert kernels == []
        assert everything(project) == pushed

    def test_trailers_say_what_it_was(self, project: Repository) -> None:
        made = propose(
            project, set_threshold(0.90), config=QUICK, body="Because.", refs=(4,), closes=(5,),
            co_authors=("Eve <eve@example.org>",), signoff=True, message="Less noise at night.",
        )  # fmt: skip
        (commit,) = project.commits(f"main..{made['head_sha']}")
        assert commit.trailer("Nbpr-Key") == made["key"]
        assert commit.trailer("Nbpr-Notebook") == NOTEBOOK
        assert str(commit.trailer("Nbpr-Run")).startswith(f"{RUN} sha256:")
        assert commit.trailer("Nbpr-Base") == project.git("rev-parse", "main")
        assert commit.trailer("Co-authored-by") == "Eve <eve@example.org>"
        assert commit.trailer("Signed-off-by") == "Ada Author <ada@example.org>"
        assert "Less noise at night." in commit.message
        assert "Closes #5" in commit.message


def everything(project: Repository) -> str:
    """Every ref of the remote, or of the repository itself."""
    where = Path(project.remote_url("origin")) if project.remote() else project.root
    return git(where, "for-each-ref")


@pytest.mark.usefixtures("proven_once")
class TestWhichPullRequest:
    @pytest.mark.parametrize("count", [20, pytest.param(100, marks=pytest.mark.soak)])
    def test_many_titles_one_pull_request(self, shared: Repository, kernels: list[str], count: int) -> None:
        for number in range(count):
            propose(shared, set_threshold(0.90), title=f"Lower it, take {number}", config=QUICK)
        assert projects.pulls(shared) == ["refs/nbpr/pulls/1/meta"]
        assert len(kernels) == 1

    def test_labels_and_reviewers_are_added_without_a_run(self, project: Repository, kernels: list[str]) -> None:
        first = propose(project, set_threshold(0.90), config=QUICK)
        del kernels[:]
        labelled = propose(project, set_threshold(0.90), labels=("data",), reviewers=("bob",))
        assert (labelled["operation"], labelled["head_sha"], kernels) == ("updated", first["head_sha"], [])
        again = propose(project, set_threshold(0.90), labels=("data",), body="Because.")
        assert again["operation"] == "unchanged"
        assert any("keeps its description" in finding["message"] for finding in again["findings"])

    def test_people_and_a_milestone_are_added_without_a_run(self, project: Repository, kernels: list[str]) -> None:
        beside = {"assignees": ("ada",), "milestone": "1.0"}
        propose(project, set_threshold(0.90), config=QUICK, **beside)
        del kernels[:]
        assert propose(project, set_threshold(0.90), **beside)["operation"] == "unchanged"
        more = propose(project, set_threshold(0.90), assignees=("Ada", "bob"), milestone="2.0")
        assert (more["operation"], kernels) == ("updated", [])
        pull = forge_for(project, config.load(project.root, environ={})).get(1)
        assert (pull.assignees, pull.milestone) == (("ada", "bob"), "2.0")
        shown = pull.as_full_json()
        assert (shown["assignees"], shown["milestone"]) == (("ada", "bob"), "2.0")
        assert "assigned to: ada, bob\nmilestone: 2.0" in pulls.text(pull)

    def test_nothing_is_merged_by_itself_here(self, project: Repository) -> None:
        done = propose(project, set_threshold(0.90), auto_merge=True, config=QUICK)
        assert (done["operation"], done["pull_request"]["state"]) == ("created", "open")
        (told,) = [finding for finding in done["findings"] if "merged by itself" in finding["message"]]
        assert (told["level"], told["hint"]) == ("warning", "nbpr pulls merge 1")
        session = pulls.connect(project, config.load(project.root, environ={}))
        with pytest.raises(NotAllowed, match="no checks"):
            pulls.merge(session, 1, when_ready=True)

    def test_two_authors_one_title(self, project: Repository) -> None:
        one = propose(project, set_threshold(0.90), agent="seven", config=QUICK)
        two = propose(project, set_threshold(0.91), agent="eight", config=QUICK)
        assert (one["pull_request"]["number"], two["pull_request"]["number"]) == (1, 2)
        assert two["branch"] == one["branch"] + "-2"

    def test_a_revision_updates_and_back_again_doubles_nothing(self, project: Repository) -> None:
        first = propose(project, set_threshold(0.90), config=QUICK)
        second = propose(project, set_threshold(0.91), config=QUICK)
        assert second["operation"] == "updated"
        assert second["pull_request"]["number"] == 1
        assert "0.91" in projects.on_branch(project, first["branch"]).cells[0].source
        back = propose(project, set_threshold(0.90), title="The old one", config=QUICK)
        assert (back["operation"], back["pull_request"]["number"]) == ("updated", 1)
        assert "0.9 " in projects.on_branch(project, first["branch"]).cells[0].source
        assert len(projects.pulls(project)) == 1
        assert len(projects.commits(project, first["branch"])) == 3

    def test_merged_is_spent(self, shared: Repository) -> None:
        made = propose(shared, set_threshold(0.90), config=QUICK)
        git(shared.root, "push", "-q", "origin", f"{made['head_sha']}:refs/heads/main")
        again = propose(shared, set_threshold(0.90), config=QUICK)
        assert again["operation"] == "unchanged"
        other = propose(shared, set_threshold(0.80), config=QUICK)
        assert other["operation"] == "created"
        assert other["branch"] == made["branch"] + "-2"

    def test_closed_is_an_answer(self, project: Repository) -> None:
        from nbpr import config, pulls

        made = propose(project, set_threshold(0.90), config=QUICK)
        pulls.close(pulls.connect(project, config.load(project.root)), 1)
        with pytest.raises(Conflict, match="#1 for this was closed"):
            propose(project, set_threshold(0.90), config=QUICK)
        again = propose(project, set_threshold(0.90), config=QUICK, reopen=True)
        assert again["pull_request"] == made["pull_request"]

    def test_by_number_branch_and_key(self, project: Repository) -> None:
        made = propose(project, set_threshold(0.90), branch="my/own", key="nightly", config=QUICK)
        assert (made["branch"], made["key"]) == ("my/own", "nightly")
        for wanted in ({"pull": 1}, {"branch": "my/own"}, {"key": "nightly"}):
            updated = propose(project, set_threshold(0.90), NOTE, title="else", config=QUICK, **wanted)
            assert updated["pull_request"]["number"] == 1
        assert len(projects.pulls(project)) == 1

    def test_into_another_base_it_is_another_one(self, shared: Repository) -> None:
        git(shared.root, "push", "-q", "origin", "main:release")
        propose(shared, set_threshold(0.90), config=QUICK)
        other = propose(shared, set_threshold(0.90), config=QUICK, base="release")
        assert (other["operation"], other["base"], other["pull_request"]["number"]) == ("created", "release", 2)
        assert propose(shared, set_threshold(0.90), config=QUICK)["pull_request"]["number"] == 2

    def test_a_branch_in_the_way_of_the_prefix_is_named(self, shared: Repository) -> None:
        git(shared.root, "push", "-q", "origin", "main:agent")
        with pytest.raises(BadInput, match="there is a branch agent"):
            propose(shared, set_threshold(0.90))

    def test_odd_bodies_do_not_break_what_comes_after(self, project: Repository) -> None:
        body = "x\x01y\x1f --> <!-- /nbpr --> ```\n<details>"
        made = propose(project, NOTE, body=body)
        again = propose(project, NOTE, set_threshold(0.91), config=QUICK, pull=1)
        assert (again["operation"], again["pull_request"]["number"]) == ("updated", 1)
        assert made["branch"] == again["branch"]

    def test_branches_of_ones_own_are_looked_at_anew(self, shared: Repository, tmp_path: Path) -> None:
        made = propose(shared, NOTE, branch="feature/x")
        theirs = projects.clone(shared, tmp_path)
        git(theirs, "switch", "-q", "feature/x")
        (theirs / "theirs.txt").write_text("theirs")
        git(theirs, "add", ".")
        git(theirs, "commit", "-qm", "by hand")
        git(theirs, "push", "-q")
        more = propose(shared, NOTE, set_threshold(0.91), config=QUICK, pull=1)
        assert (more["operation"], more["branch"]) == ("updated", "feature/x")
        assert projects.blob(shared, "feature/x", "theirs.txt") == b"theirs"
        assert made["pull_request"]["number"] == more["pull_request"]["number"]


@pytest.mark.usefixtures("proven_once")
class TestOtherPeople:
    def test_their_commits_on_the_branch_stay(self, shared: Repository, tmp_path: Path) -> None:
        made = propose(shared, set_threshold(0.90), config=QUICK)
        theirs = projects.clone(shared, tmp_path)
        git(theirs, "switch", "-q", made["branch"])
        (theirs / "NOTES.md").write_text("mine\n")
        git(theirs, "add", ".")
        git(theirs, "commit", "-qm", "by hand")
        git(theirs, "push", "-q")
        assert propose(shared, set_threshold(0.90), config=QUICK)["operation"] == "unchanged"
        updated = propose(shared, set_threshold(0.90), NOTE, config=QUICK)
        assert updated["operation"] == "updated"
        assert projects.commits(shared, made["branch"]) == ["Lower the threshold", "by hand", "Lower the threshold"]
        assert projects.blob(shared, made["branch"], "NOTES.md") == b"mine\n"

    def test_a_cell_that_somebody_changed_is_a_conflict(self, shared: Repository, tmp_path: Path) -> None:
        made = propose(shared, set_threshold(0.90), config=QUICK)
        theirs = projects.clone(shared, tmp_path)
        git(theirs, "switch", "-q", made["branch"])
        place = theirs / NOTEBOOK
        place.write_text(place.read_text().replace("0.9 ", "0.85 "))
        git(theirs, "commit", "-qam", "by hand")
        git(theirs, "push", "-q")
        before = everything(shared)
        with pytest.raises(Conflict, match="parameters"):
            propose(shared, set_threshold(0.80), config=QUICK)
        assert everything(shared) == before

    def test_our_commit_amended_by_somebody_is_theirs(self, shared: Repository, tmp_path: Path) -> None:
        made = propose(shared, set_threshold(0.90), config=QUICK)
        theirs = projects.clone(shared, tmp_path)
        git(theirs, "switch", "-q", made["branch"])
        place = theirs / NOTEBOOK
        place.write_text(place.read_text().replace("0.9 ", "0.93 "))
        git(theirs, "commit", "-qa", "--amend", "--no-edit")
        git(theirs, "push", "-q", "--force")
        with pytest.raises(Conflict, match="parameters"):
            propose(shared, set_threshold(0.91), config=QUICK)
        noted = propose(shared, NOTE, config=QUICK, pull=1)
        assert noted["operation"] == "updated"
        assert "0.93 " in projects.on_branch(shared, made["branch"]).cells[0].source

    def test_base_having_moved_alone_is_nothing_new(self, shared: Repository, tmp_path: Path) -> None:
        propose(shared, set_threshold(0.90), config=QUICK)
        push_to_main(shared, tmp_path, {"README.md": "New words.\n"})
        assert propose(shared, set_threshold(0.90), config=QUICK)["operation"] == "unchanged"


def push_to_main(shared: Repository, tmp_path: Path, files: dict[str, bytes | str]) -> None:
    theirs = projects.clone(shared, tmp_path)
    projects.write(theirs, files)
    git(theirs, "add", "-A")
    git(theirs, "commit", "-qm", "meanwhile")
    git(theirs, "push", "-q")


@pytest.mark.usefixtures("proven_once")
class TestTheWorkingCopy:
    def edit(self, project: Repository, old: str, new: str, path: str = NOTEBOOK) -> None:
        place = project.root / path
        text = place.read_text()
        assert old in text
        place.write_text(text.replace(old, new))

    def test_with_outputs_in_it(self, project: Repository) -> None:
        nb = json.loads((project.root / NOTEBOOK).read_text())
        nb["cells"][0]["source"][0] = "threshold = 0.90  # share of heartbeats\n"
        nb["cells"][2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["private\n"]}]
        nb["cells"][2]["execution_count"] = 9
        (project.root / NOTEBOOK).write_text(json.dumps(nb))
        before = projects.state(project.root)
        made = propose(project, config=QUICK)
        assert (made["operation"], made["verdict"]) == ("created", "passed")
        assert projects.state(project.root) == before
        stored = projects.blob(project, made["branch"], NOTEBOOK)
        assert b"private" not in stored
        assert b"threshold = 0.90" in stored
        assert projects.health().replace(b"0.95", b"0.90") == stored
        assert propose(project, title="again", config=QUICK)["operation"] == "unchanged"
        self.edit(project, "24", "20")
        assert propose(project, title="more", config=QUICK)["operation"] == "updated"
        assert len(projects.pulls(project)) == 1

    def test_no_change_is_nothing(self, project: Repository, kernels: list[str]) -> None:
        made = propose(project)
        assert (made["operation"], made["pull_request"], made["branch"]) == ("unchanged", None, None)
        assert kernels == []
        assert projects.pulls(project) == []

    def test_a_stale_checkout_takes_nothing_back(self, shared: Repository, tmp_path: Path) -> None:
        newer = projects.health().replace(b"How many agents", b"Since May: how many agents")
        push_to_main(shared, tmp_path, {NOTEBOOK: newer, "README.md": "Newer.\n"})
        self.edit(shared, "0.95", "0.90")
        made = propose(shared, config=QUICK)
        assert projects.blob(shared, made["branch"], NOTEBOOK) == newer.replace(b"0.95", b"0.90")
        assert projects.blob(shared, made["branch"], "README.md") == b"Newer.\n"
        assert made["diff"][0]["cells_modified"] == 1

    def test_the_same_line_changed_on_both_sides_is_a_conflict(self, shared: Repository, tmp_path: Path) -> None:
        push_to_main(shared, tmp_path, {NOTEBOOK: projects.health().replace(b"0.95", b"0.99")})
        self.edit(shared, "0.95", "0.90")
        with pytest.raises(Conflict, match="cell parameters"):
            propose(shared, config=QUICK)

    def test_what_others_added_to_the_branch_stays(self, shared: Repository, tmp_path: Path) -> None:
        self.edit(shared, "0.95", "0.90")
        made = propose(shared, config=QUICK)
        theirs = projects.clone(shared, tmp_path)
        git(theirs, "switch", "-q", made["branch"])
        place = theirs / NOTEBOOK
        place.write_text(place.read_text().replace("How many", "Tell me how many"))
        git(theirs, "commit", "-qam", "by hand")
        git(theirs, "push", "-q")
        self.edit(shared, "agents = 24", "agents = 20")
        assert propose(shared, config=QUICK)["operation"] == "updated"
        text = projects.blob(shared, made["branch"], NOTEBOOK).decode()
        assert "Tell me how many" in text
        assert "agents = 20" in text

    def test_a_new_notebook_in_a_nested_folder_beside_another(self, project: Repository) -> None:
        other = projects.dumped([projects.cell("one", "code", "print('ü')")])
        projects.write(project.root, {"notebooks/tief drin/neu ö.ipynb": other, "elsewhere.ipynb": other})
        names = ("notebooks/tief drin/neu ö.ipynb", "elsewhere.ipynb")
        made = propose(project, notebooks=names, config=QUICK, title="Two new ones")
        assert made["operation"] == "created"
        for path in (*names, "runs/tief drin/neu ö.ipynb", "runs/elsewhere.ipynb"):
            assert b"cells" in projects.blob(project, made["branch"], path)

    def test_a_notebook_taken_away_takes_its_run_along(self, project: Repository, kernels: list[str]) -> None:
        before = projects.state(project.root)
        made = propose(project, notebooks=(), delete=(NOTEBOOK,), title="Retire it")
        assert (made["operation"], made["verdict"]) == ("created", "passed")
        assert kernels == []
        listed = project.git("ls-tree", "-r", "--name-only", made["head_sha"]).splitlines()
        assert NOTEBOOK not in listed
        assert RUN not in listed
        assert projects.state(project.root) == before

    def test_is_cleaned_as_the_repository_has_it_set(self, shared: Repository) -> None:
        text = (shared.root / NOTEBOOK).read_text()
        cells = json.loads(text)
        cells["cells"][2] |= {"execution_count": 7, "outputs": [], "metadata": {"tags": ["kept"], "mine": 1}}
        cells["cells"].append(projects.cell("scratch", "code", "1 + 1", ("scratch",)))
        (shared.root / NOTEBOOK).write_text(json.dumps(cells, indent=1))
        settings = {"clean": {"keep_count": True, "drop_tagged_cells": ("scratch",)}, **QUICK}
        made = propose(shared, config=settings)
        branch = projects.on_branch(shared, made["branch"])
        assert "scratch" not in branch.ids
        assert branch.cells[2].data["execution_count"] == 7
        assert propose(shared, config=settings)["operation"] == "unchanged"

    def test_taken_away_once_more_is_nothing_new(self, shared: Repository) -> None:
        made = propose(shared, notebooks=(), delete=(NOTEBOOK,), title="Retire it")
        git(shared.root, "push", "-q", "origin", f"{made['head_sha']}:refs/heads/main")
        again = propose(shared, notebooks=(), delete=(NOTEBOOK,), title="Retire it")
        assert (again["operation"], again["pull_request"]) == ("unchanged", None)
        with pytest.raises(BadInput, match="no such notebook"):
            propose(shared, notebooks=(), delete=("notebooks/never.ipynb",), title="Retire it")

    @pytest.mark.parametrize("path", [NOTEBOOK, RUN])
    def test_what_base_has_broken_can_be_mended(self, shared: Repository, path: str) -> None:
        whole = (shared.root / path).read_bytes()
        (shared.root / path).write_bytes(whole[: len(whole) // 2])
        git(shared.root, "commit", "-qam", "cut in half")
        git(shared.root, "push", "-q")
        (shared.root / NOTEBOOK).write_text(projects.health().decode().replace("agents = 24", "agents = 23"))
        made = propose(shared, config=QUICK)
        assert (made["operation"], made["verdict"]) == ("created", "passed")
        assert "agents = 23" in projects.blob(shared, made["branch"], NOTEBOOK).decode()
        assert b"nbformat" in projects.blob(shared, made["branch"], RUN)
        told = [f["message"] for f in made["findings"] if f["check"] == "format"]
        assert any("replaced as a whole" in message for message in told) is (path == NOTEBOOK)

    def test_what_base_has_broken_can_be_taken_away(self, shared: Repository) -> None:
        (shared.root / NOTEBOOK).write_text("{")
        git(shared.root, "commit", "-qam", "broken")
        git(shared.root, "push", "-q")
        made = propose(shared, notebooks=(), delete=(NOTEBOOK,), title="Retire it")
        assert made["operation"] == "created"
        assert NOTEBOOK not in shared.git("ls-tree", "-r", "--name-only", made["head_sha"]).splitlines()


class TestTheUsersCheckout:
    @pytest.mark.parametrize(
        "state", ["branch", "dirty", "broken filter", "attributes", "detached", "conflicted index"]
    )
    def test_stays_as_it_is(self, shared: Repository, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
        if state != "dirty":  # for that one the notebook runs; what is looked at is the same
            proving.once(monkeypatch)
        made = propose(shared, set_threshold(0.90), config=QUICK)
        root = shared.root
        if state == "branch":
            git(root, "fetch", "-q", "origin")
            git(root, "switch", "-q", "-c", made["branch"], made["head_sha"])
        elif state == "dirty":
            (root / NOTEBOOK).write_text("being worked on")
            (root / "untracked.txt").write_text("u")
            (root / "README.md").write_text("staged\n")
            git(root, "add", "README.md")
            (root / "README.md").write_text("and more\n")
            git(root, "stash", "push", "-q", "README.md")
        elif state == "broken filter":
            (root / ".gitattributes").write_text("*.ipynb filter=nbpr diff=nbpr\n")
            git(root, "config", "filter.nbpr.clean", "/does/not/exist %f")
            git(root, "config", "filter.nbpr.required", "true")
        elif state == "attributes":
            (root / ".git" / "info" / "attributes").write_text("*.ipynb filter=nbstripout\n")
            git(root, "config", "filter.nbstripout.clean", "/does/not/exist")
        elif state == "detached":
            git(root, "switch", "-q", "--detach")
        else:
            (root / ".git" / "MERGE_HEAD").write_text(git(root, "rev-parse", "HEAD") + "\n")
        before = projects.state(root)
        updated = propose(shared, set_threshold(0.91), config=QUICK)
        assert (updated["operation"], updated["verdict"]) == ("updated", "passed")
        assert projects.state(root) == before
        run = json.loads(projects.blob(shared, made["branch"], RUN))
        assert any(cell.get("outputs") for cell in run["cells"])
        assert b'"outputs": []' in projects.blob(shared, made["branch"], NOTEBOOK)

    def test_outputs_committed_by_mistake_go_in_a_commit_of_their_own(self, shared: Repository, tmp_path: Path) -> None:
        nb = json.loads(projects.health())
        nb["cells"][3]["outputs"] = [{"name": "stdout", "output_type": "stream", "text": ["oops\n"]}]
        push_to_main(shared, tmp_path, {NOTEBOOK: json.dumps(nb, indent=1, sort_keys=True) + "\n"})
        made = propose(shared, set_threshold(0.90), config=QUICK)
        newest, oldest = shared.commits(f"{made['head_sha']}~2..{made['head_sha']}")
        assert newest.message.startswith("Lower the threshold")
        assert "outputs" in oldest.message.lower()
        assert b"oops" not in (shared.read(oldest.sha, NOTEBOOK) or b"")
        assert "0.95" in (shared.read(oldest.sha, NOTEBOOK) or b"").decode()


class TestWhatRuns:
    def test_the_committed_code_runs_and_the_edited_file_is_named(self, tmp_path: Path) -> None:
        nb = projects.dumped([
            projects.cell("parameters", "code", "k = 1", ("parameters",)),
            projects.cell("a", "code", "import rules\nprint(rules.NAME, open('../data/in.csv').read())"),
        ])  # fmt: skip
        files = {NOTEBOOK: nb, "src/rules.py": "NAME = 'committed'\n", ".gitignore": "data/\n"}
        project = projects.make(tmp_path, files)
        projects.write(project.root, {"data/in.csv": "1,2,3", "src/rules.py": "NAME = 'edited'\n"})
        settings = {**QUICK, "link": ["data/**"], "execute": {"python_path": ["src"]}}
        edit = {"op": "set_parameter", "name": "k", "value": 2}
        made = propose(project, edit, config=settings)
        assert made["verdict"] == "passed", made["findings"]
        run = projects.blob(project, made["branch"], RUN).decode()
        assert "committed 1,2,3" in run
        warning = next(f for f in made["findings"] if f["path"] == "src/rules.py")
        assert warning["level"] == "warning"
        assert "--include src/rules.py" in warning["hint"]
        assert any("link" in f["message"] or "data/in.csv" in f["message"] for f in made["findings"])
        taken = propose(project, edit, config=settings, include=("src/rules.py",), title="With it", pull=1)
        assert taken["operation"] == "updated"
        assert "edited 1,2,3" in projects.blob(project, made["branch"], RUN).decode()
        assert projects.blob(project, made["branch"], "src/rules.py") == b"NAME = 'edited'\n"
        assert not any(f["path"] == "src/rules.py" for f in taken["findings"])

    def test_an_editable_install_of_the_checkout_does_not_get_in_front(self, tmp_path: Path) -> None:
        nb = projects.dumped([
            projects.cell("parameters", "code", "k = 1", ("parameters",)),
            projects.cell("a", "code", "import rules\nprint(rules.NAME)"),
        ])  # fmt: skip
        files = {NOTEBOOK: nb, "src/rules.py": "NAME = 'committed'\n", ".gitignore": ".venv/\n"}
        project = projects.make(tmp_path, files)
        venv.create(project.root / ".venv", with_pip=False, symlinks=True)
        (site,) = (project.root / ".venv" / "lib").glob("python*/site-packages")
        # What pip writes for an editable install, and the packages of this test's own environment.
        (site / "__editable__.rules.pth").write_text(f"{project.root / 'src'}\n")
        (site / "packages.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        projects.write(project.root, {"src/rules.py": "NAME = 'edited'\n"})
        settings = {**QUICK, "execute": {"python_path": ["src"]}}
        made = propose(project, {"op": "set_parameter", "name": "k", "value": 2}, config=settings)
        assert made["verdict"] == "passed", made["findings"]
        assert made["runs"][0]["environment"]["executable"].startswith(str(project.root / ".venv"))
        assert "committed" in projects.blob(project, made["branch"], RUN).decode()

    def test_a_file_that_only_the_checkout_has_is_hinted_at(self, tmp_path: Path) -> None:
        nb = projects.dumped([projects.cell("a", "code", "print(open('../data/in.csv').read())")])
        project = projects.make(tmp_path, {NOTEBOOK: nb, ".gitignore": "data/\n"})
        projects.write(project.root, {"data/in.csv": "1"})
        edit = {"op": "substitute", "cell": "a", "old": "print", "new": "repr"}
        made = propose(project, edit, config=QUICK)
        assert made["operation"] == "blocked"
        assert any("link" in (f["hint"] or "") for f in made["findings"])

    def test_a_failing_change_pushes_nothing(self, project: Repository) -> None:
        before = everything(project)
        edit = {"op": "replace", "cell": "count", "source": "alerts = 1 / 0"}
        made = propose(project, edit)
        assert (made["operation"], made["verdict"], made["pull_request"]) == ("blocked", "failed", None)
        assert made["runs"][0]["failed_cell"]["ename"] == "ZeroDivisionError"
        assert everything(project) == before
        drafted = propose(project, edit, on_failure="draft")
        assert (drafted["operation"], drafted["pull_request"]["draft"]) == ("created", True)

    def test_a_draft_that_failed_is_not_run_again_for_nothing(self, shared: Repository, kernels: list[str]) -> None:
        edit = {"op": "replace", "cell": "count", "source": "alerts = 1 / 0"}
        drafted = propose(shared, edit, on_failure="draft")
        del kernels[:]
        again = propose(shared, edit, on_failure="draft")
        assert (again["operation"], again["verdict"], kernels) == ("unchanged", "failed", [])
        assert again["head_sha"] == drafted["head_sha"]
        tried = propose(shared, edit, on_failure="draft", refresh=True)
        assert (tried["operation"], tried["verdict"], bool(kernels)) == ("updated", "failed", True)
        mended = propose(shared, {**edit, "source": "alerts = 3"}, pull=1)
        assert (mended["operation"], mended["verdict"], mended["pull_request"]["draft"]) == ("updated", "passed", False)

    def test_what_does_not_reproduce_fails(self, shared: Repository) -> None:
        source = "# NBVAL_CHECK_OUTPUT\nimport uuid\nprint(uuid.uuid4())"
        made = propose(shared, {"op": "replace", "cell": "check", "source": source})
        assert (made["operation"], made["verdict"]) == ("blocked", "failed")
        assert any(f["check"] == "reproduce" and f["cell_id"] == "check" for f in made["findings"])

    def test_the_runs_are_the_same_bytes_twice(self, shared: Repository, tmp_path: Path, base_run: bytes) -> None:
        made = propose(shared, set_threshold(0.90), config=QUICK)
        other = projects.make(tmp_path / "else where", {RUN: base_run})
        again = propose(other, set_threshold(0.90), config=QUICK)
        assert projects.blob(shared, made["branch"], RUN) == projects.blob(other, again["branch"], RUN)

    def test_markdown_alone_takes_the_run_over(self, project: Repository, kernels: list[str]) -> None:
        made = propose(project, NOTE)
        assert (made["operation"], made["verdict"]) == ("created", "passed")
        assert kernels == []
        run = notebook.parse(projects.blob(project, made["branch"], RUN), RUN)
        assert run.cells[1].source == NOTE["source"]
        assert any(cell.outputs for cell in run.cells)

    @pytest.mark.parametrize("policy", ["none", "scraps", "marked"])
    def test_what_is_kept_of_the_outputs_does_not_change_the_verdict(self, shared: Repository, policy: str) -> None:
        bounds = {"health_score": {"min": 0.5}}
        made = propose(shared, set_threshold(0.90), config={"outputs": policy, "scraps": bounds})
        assert made["verdict"] == "passed"
        assert any(f["message"] == "1 of 4 cells checked" for f in made["findings"])
        assert made["scraps"][0]["after"] == 4
        stored = json.loads(projects.blob(shared, made["branch"], RUN))
        kept = sum(len(cell.get("outputs", [])) for cell in stored["cells"])
        assert kept == {"none": 0, "scraps": 2, "marked": 3}[policy]


class TestDryRun:
    def test_writes_nothing_at_all(self, project: Repository, kernels: list[str]) -> None:
        objects = sorted((project.root / ".git" / "objects").rglob("*"))
        before, pushed = projects.state(project.root), everything(project)
        made = propose(project, set_threshold(0.90), NOTE, dry_run=True)
        assert (made["operation"], made["verdict"], made["runs"]) == ("dry-run", None, [])
        assert made["diff"][0]["cells_added"] == 1
        assert made["branch"] == "agent/health-lower-the-threshold"
        assert sorted((project.root / ".git" / "objects").rglob("*")) == objects
        assert (projects.state(project.root), everything(project)) == (before, pushed)
        assert not (project.root / ".git" / "nbpr").exists()
        assert kernels == []


BAD: dict[str, tuple[Callable[[Repository], dict[str, object]], str]] = {
    "unknown cell": (lambda _: {"edits": [{"op": "delete", "cell": "nope"}]}, "nope"),
    "ambiguous": (lambda _: {"edits": [{"op": "delete", "cell": "tag:twice"}]}, "twice"),
    "old twice": (lambda _: {"edits": [{"op": "substitute", "cell": "count", "old": "a", "new": "b"}]}, "count"),
    "unknown parameter": (lambda _: {"edits": [{"op": "set_parameter", "name": "nope", "value": 1}]}, "threshold"),
    "unknown op": (lambda _: {"edits": [{"op": "replce", "cell": "count"}]}, "replce"),
    "base": (lambda _: {"base": "nowhere", "edits": [set_threshold(0.9)]}, "nowhere"),
    "branch": (lambda _: {"branch": "a..b", "edits": [set_threshold(0.9)]}, "a..b"),
    "base as branch": (lambda _: {"branch": "main", "edits": [set_threshold(0.9)]}, "base itself"),
    "no such file": (lambda _: {"notebooks": ("notebooks/nope.ipynb",)}, "nope.ipynb"),
    "no such notebook": (lambda _: {"notebooks": ("x.ipynb",), "edits": [{"op": "delete", "cell": "a"}]}, "x.ipynb"),
    "title": (lambda _: {"title": "two\nlines", "edits": [set_threshold(0.9)]}, "--title"),
    "key": (lambda _: {"key": "a b", "edits": [set_threshold(0.9)]}, "--key"),
    "delete": (lambda _: {"notebooks": (), "delete": ("nope.ipynb",)}, "nope.ipynb"),
}


class TestBadInput:
    @pytest.mark.parametrize("case", BAD)
    def test_is_named_and_changes_nothing(self, shared: Repository, kernels: list[str], case: str) -> None:
        if case == "ambiguous":
            cells = json.loads(projects.health())
            for cell in cells["cells"][:2]:
                cell["metadata"]["tags"] = [*cell["metadata"].get("tags", []), "twice"]
            git(shared.root, "pull", "-q")
            (shared.root / NOTEBOOK).write_text(json.dumps(cells))
            git(shared.root, "commit", "-qam", "tags")
            git(shared.root, "push", "-q")
        options, told = BAD[case][0](shared), BAD[case][1]
        before, pushed = projects.state(shared.root), everything(shared)
        edits = options.pop("edits", [])
        with pytest.raises(BadInput) as caught:
            propose(shared, *edits, **options)  # type: ignore[misc]
        assert told in f"{caught.value.message} {caught.value.hint}"
        assert (projects.state(shared.root), everything(shared)) == (before, pushed)
        assert kernels == []

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (b"not json", "not JSON"),
            (b'{"cells": [', "truncated"),
            (b'{"a": 1}', "not a notebook"),
            (b"\xff\xfe", "UTF-8"),
            (b'{"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": []}', "nbformat 3"),
        ],
    )
    def test_files_that_are_no_notebooks(self, shared: Repository, content: bytes, told: str) -> None:
        (shared.root / NOTEBOOK).write_bytes(content)
        before = projects.state(shared.root)
        with pytest.raises(BadInput) as caught:
            propose(shared)
        assert NOTEBOOK.rpartition("/")[2] in caught.value.message
        assert told.lower() in f"{caught.value.message} {caught.value.hint}".lower()
        assert projects.state(shared.root) == before

    def test_duplicate_ids(self, shared: Repository) -> None:
        text = (shared.root / NOTEBOOK).read_text().replace('"id": "story"', '"id": "count"')
        (shared.root / NOTEBOOK).write_text(text)
        with pytest.raises(BadInput, match="count"):
            propose(shared)

    @pytest.mark.parametrize("option", ["title", "body", "message", "agent"])
    def test_what_is_no_text(self, shared: Repository, option: str) -> None:
        with pytest.raises(BadInput, match=f"--{option}: is not UTF-8"):
            propose(shared, set_threshold(0.9), **{option: "f\udcff"})

    def test_a_stale_expect(self, shared: Repository) -> None:
        edit = {"op": "replace", "cell": "count", "source": "x", "expect": "sha256:" + "0" * 64}
        with pytest.raises(Conflict, match="count"):
            propose(shared, edit)

    def test_a_repository_without_commits(self, repository: Path) -> None:
        projects.write(repository, {NOTEBOOK: projects.health()})
        with pytest.raises(BadInput, match="no commits"):
            propose(Repository.discover(repository), set_threshold(0.9))


def test_an_interrupt_that_wakes_nobody_is_noticed_while_notebooks_run(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []

    def execute(self: object, commit: str, tree: str, source: object, progress: object, stop: threading.Event) -> None:
        if progress:
            threading.Event().wait(0.2)
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)  # as where it comes just before a wait begins
        told.append(stop.wait(30))

    monkeypatch.setattr(proofs._Proving, "_execute", execute)
    nothing: Any = SimpleNamespace(head_sha="", after=object(), path=NOTEBOOK)
    proving = proofs._Proving(nothing, config.Config(), nothing, nothing, "", {}, print)
    with pytest.raises(KeyboardInterrupt):
        proving._twice(None)
    assert told == [True, True]
