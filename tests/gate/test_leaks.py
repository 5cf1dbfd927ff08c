"""Credentials in commits before head: found wherever they stood, not told twice, and never shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nbpr.cli import main
from nbpr.findings import Finding
from nbpr.gate import gate as gates
from nbpr.gate import leaks, leavings, words
from nbpr.gate.gate import Wanted
from nbpr.gate.occasion import Occasion
from nbpr.git.repository import Repository
from nbpr.notebooks import allowlist
from tests import projects
from tests.checking import TOKEN
from tests.conftest import git
from tests.gate.workshop import commit, gate
from tests.projects import NOTEBOOK, RUN, cell, dumped

pytestmark = pytest.mark.slow

NB = "notebooks/new.ipynb"
KIND = "a GitHub token"
OTHER = "gh" + "p_" + "z9Y8x7W6v5U4" * 3


def code(*sources: str) -> bytes:
    return dumped(cell(f"c{at}", "code", source) for at, source in enumerate(sources))


def printed(text: str) -> bytes:
    output = {"name": "stdout", "output_type": "stream", "text": [f"{text}\n"]}
    return dumped([cell("c0", "code", "print(1)", outputs=[output])])


CLEAN = code("print(1)")
LEAKING = code("import os", f"token = '{TOKEN}'")


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    """A project whose main has the health notebook, with a branch `topic` checked out."""
    made = projects.make(tmp_path, {"pyproject.toml": "[tool.nbpr]\n", RUN: CLEAN}, remote=False)
    git(made.root, "switch", "-q", "-c", "topic")
    return made


def found(project: Repository, **occasion: object) -> list[Finding]:
    wanted = Wanted(Occasion(**({"base": "main"} | occasion)))  # type: ignore[arg-type]
    ground = gates.found(project, wanted, project.git_dir / "ground")
    return leaks.find(project, ground.at, ground.rules, ground.theirs)


def told(project: Repository) -> list[tuple[str, str]]:
    return [(finding.path, finding.message) for finding in found(project)]


def said(sha: str, place: str = "cell 0, its source, line 1", also: str = "") -> str:
    return f"in commit {sha[:12]}: {place}: {KIND}{also}"


def test_a_finding_names_commit_notebook_and_cell_and_what_to_do(project: Repository) -> None:
    first = commit(project, {NB: LEAKING})
    commit(project, {NB: CLEAN})
    (finding,) = found(project)
    assert (finding.check, finding.level, finding.path, finding.cell_id) == ("secrets", "error", NB, "c1")
    assert finding.message == said(first, "cell 1, its source, line 1")
    hint = str(finding.hint)
    assert "revoke it, and squash the branch" in hint
    assert f"git rebase -i {first[:12]}^" in hint
    assert hint.endswith(f"{allowlist.NAME}: {allowlist.digest(TOKEN)}  why it is no secret")


@pytest.mark.parametrize(
    ("path", "data", "place"),
    [
        (NB, code(f"token = '{TOKEN}'"), "cell 0, its source, line 1"),
        (NB, printed(TOKEN), "cell 0, output 0, line 1"),
        ("runs/new.ipynb", printed(TOKEN), "cell 0, output 0, line 1"),
        (RUN, printed(TOKEN), "cell 0, output 0, line 1"),
        (NOTEBOOK, dumped([cell("c0", "code", "1")], author=TOKEN), "metadata, line 1"),
        (NB, f"<<<<<<< no notebook\n{TOKEN}\n".encode(), "the file, line 2"),
    ],
)
@pytest.mark.parametrize("end", ["edited", "deleted", "renamed"])
def test_wherever_it_stood_and_however_it_went(
    project: Repository, path: str, data: bytes, place: str, end: str
) -> None:
    first = commit(project, {path: data})
    after = None if end != "edited" else CLEAN
    more: dict[str, bytes | str | None] = {"notebooks/moved.ipynb": CLEAN} if end == "renamed" else {}
    commit(project, {path: after, **more})
    assert told(project) == [(path, said(first, place))]


def test_one_commit_costs_nothing_and_head_s_own_are_not_told_here(
    project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> list[object]:
        raise AssertionError("nothing is to be looked at")

    with monkeypatch.context() as patched:
        patched.setattr(leaks, "states", never)
        assert found(project) == []
        commit(project, {NB: LEAKING})
        assert found(project) == []
    commit(project, {NB: code("# more", f"token = '{TOKEN}'")})
    assert found(project) == []
    git(project.root, "mv", NB, "notebooks/moved.ipynb")
    commit(project, {"notebooks/moved.ipynb": code("# other", "", f"t = '{TOKEN}'")})
    assert found(project) == []
    # A notebook that nothing looks at does not count as one that head has.
    commit(project, {"notebooks/moved.ipynb": CLEAN, "elsewhere/x.ipynb": LEAKING})
    assert len(found(project)) == 2


def test_the_first_commit_that_has_it_is_told_once(project: Repository) -> None:
    first = commit(project, {NB: code(f"token = '{TOKEN}'")})
    commit(project, {NB: CLEAN})
    commit(project, {NB: code(f"token = '{TOKEN}'")})  # the same blob
    commit(project, {NB: code(f"token = '{TOKEN}'", f"token = '{TOKEN}'")})
    second = commit(project, {NB: code(f"token = '{OTHER}'")})
    commit(project, {NB: CLEAN})
    assert told(project) == [(NB, said(first, also=" (and in 1 later commit)")), (NB, said(second))]


def test_more_than_anybody_reads_are_counted(project: Repository) -> None:
    tokens = [f"{TOKEN[:-2]}{at}" for at in range(10, 10 + leaks.TOLD + 3)]
    first = commit(project, {NB: code(*(f"token = '{token}'" for token in tokens))})
    commit(project, {NB: CLEAN})
    every = told(project)
    assert len(every) == leaks.TOLD + 1
    assert every[-1] == (NB, f"in commit {first[:12]} and others: 3 more that look like credentials")


def test_what_base_allows_is_no_finding_and_what_the_branch_allows_is(project: Repository) -> None:
    commit(project, {NB: LEAKING, allowlist.NAME: f"{allowlist.digest(TOKEN)}  of the docs\n"})
    commit(project, {NB: CLEAN})
    assert len(found(project)) == 1
    git(project.root, "switch", "-q", "main")
    commit(project, {allowlist.NAME: f"{allowlist.digest(TOKEN)}  of the docs\n"})
    git(project.root, "switch", "-q", "topic")
    assert found(project) == []


def test_taking_out_what_base_has_is_no_finding(project: Repository) -> None:
    """The old credential is in base's history whatever this branch does, also in a cell that was edited on the way."""
    git(project.root, "switch", "-q", "main")
    commit(project, {NB: LEAKING})
    git(project.root, "switch", "-q", "-C", "topic")
    git(project.root, "mv", NB, "notebooks/moved.ipynb")
    commit(project, {"notebooks/moved.ipynb": code("import os, sys", f"token = '{TOKEN}'", "print(2)")})
    commit(project, {"notebooks/moved.ipynb": code("import os, sys")})
    assert found(project) == []
    commit(project, {"notebooks/moved.ipynb": code(f"token = '{OTHER}'")})
    commit(project, {"notebooks/moved.ipynb": CLEAN})
    assert len(found(project)) == 1


def test_merging_base_brings_none_and_branches_of_one_s_own_do(project: Repository) -> None:
    root = project.root
    git(root, "switch", "-q", "main")
    commit(project, {"notebooks/base.ipynb": LEAKING})
    commit(project, {"notebooks/base.ipynb": CLEAN})
    git(root, "switch", "-q", "topic")
    commit(project, {NB: CLEAN})
    git(root, "merge", "-q", "-m", "merge main", "main")
    commit(project, {NB: code("print(2)")})
    git(root, "switch", "-q", "main")
    commit(project, {"notebooks/base.ipynb": code("print(3)")})
    git(root, "switch", "-q", "topic")
    git(root, "merge", "-q", "-m", "merge main again", "main")
    assert found(project) == []

    git(root, "switch", "-q", "-c", "side", "topic~1")
    first = commit(project, {"notebooks/side.ipynb": code(f"token = '{TOKEN}'")})
    commit(project, {"notebooks/side.ipynb": None})
    git(root, "switch", "-q", "topic")
    git(root, "merge", "-q", "-m", "merge side", "side")  # as if nothing had been
    assert told(project) == [("notebooks/side.ipynb", said(first))]

    git(root, "switch", "-q", "-c", "late", "main")
    commit(project, {"README.md": "other words\n"})
    git(root, "switch", "-q", "topic")
    git(root, "merge", "-q", "--no-commit", "late")
    evil = commit(project, {NB: code(f"token = '{OTHER}'")}, "a merge that brings something itself")
    commit(project, {NB: CLEAN})
    assert told(project)[1:] == [(NB, said(evil))]


def test_levels_are_base_s_and_hold_for_a_notebook_s_run_too(project: Repository) -> None:
    git(project.root, "switch", "-q", "main")
    own = f'[tool.nbpr]\nchecks = {{secrets = "warning"}}\n[tool.nbpr.notebook."{NOTEBOOK}".checks]\nsecrets = "off"\n'
    commit(project, {"pyproject.toml": own})
    git(project.root, "switch", "-q", "-C", "topic")
    off = '[tool.nbpr]\nchecks = {secrets = "off"}\n'
    commit(project, {NB: LEAKING, NOTEBOOK: LEAKING, RUN: printed(TOKEN), "pyproject.toml": off})
    commit(project, {NB: CLEAN, NOTEBOOK: CLEAN, RUN: CLEAN})
    assert [(finding.path, finding.level) for finding in found(project)] == [(NB, "warning")]


def test_bounds_are_told_when_they_are_reached(project: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(project, {NB: LEAKING})
    second = commit(project, {NB: CLEAN})
    commit(project, {"README.md": "one\n"})
    monkeypatch.setattr(leaks, "COMMITS", 2)
    (finding,) = found(project)
    assert (finding.check, finding.level) == ("secrets", "warning")
    assert finding.message == (
        f"commits before {second[:12]} on the way to head: not looked at for credentials, since there are more than 2"
    )
    monkeypatch.undo()
    monkeypatch.setattr(leaks, "BYTES", len(LEAKING) - 1)
    ((_, message),) = told(project)
    assert message.startswith("1 of the notebooks on the way to head: not looked at for credentials, since together")


def test_without_a_base_there_is_no_way_to_look_at(project: Repository) -> None:
    commit(project, {NB: LEAKING})
    commit(project, {NB: CLEAN})
    wanted = Occasion(head="topic", branch="main", base_branch="main", is_event=True)
    ground = gates.found(project, Wanted(wanted), project.git_dir / "ground")
    assert ground.at.base is None
    assert leaks.find(project, ground.at, ground.rules, ground.theirs) == []


# -- shallow clones ----------------------------------------------------------------------------------------


def shallow(project: Repository, folder: Path) -> Repository:
    """What a CI job checks out: one commit of `topic`."""
    git(folder, "clone", "-q", "--bare", str(project.root), "remote.git")
    git(folder, "clone", "-q", "--depth", "1", "--branch", "topic", f"file://{folder}/remote.git", "ci")
    return Repository.discover(folder / "ci")


def test_a_shallow_clone_gets_the_commits_that_it_lacks(project: Repository, tmp_path: Path) -> None:
    """Those of a branch that was merged into this one too, whose history is longer than the way to base."""
    root = project.root
    git(root, "switch", "-q", "-c", "side")
    first = commit(project, {"notebooks/side.ipynb": code(f"token = '{TOKEN}'")})
    commit(project, {"notebooks/side.ipynb": CLEAN})
    for at in range(60):
        git(root, "commit", "-q", "--allow-empty", "-m", f"step {at}")
    git(root, "switch", "-q", "topic")
    commit(project, {NB: CLEAN})
    git(root, "merge", "-q", "-m", "merge side", "side")
    ci = shallow(project, tmp_path)
    event = {"base": None, "base_branch": "main", "pull": 7, "is_event": True}
    assert [each.message for each in found(ci, **event)] == [said(first)]
    assert ci.is_shallow is False or ci.resolve(first)


def test_where_history_ends_too_early_that_is_said(project: Repository, tmp_path: Path) -> None:
    root = project.root
    git(root, "switch", "-q", "-c", "side")
    commit(project, {"notebooks/side.ipynb": LEAKING})
    commit(project, {"notebooks/side.ipynb": CLEAN})
    last = commit(project, {"README.md": "one\n"})
    commit(project, {"README.md": "two\n"})
    git(root, "switch", "-q", "topic")
    commit(project, {NB: CLEAN})
    git(root, "merge", "-q", "-m", "merge side", "side")
    ci = shallow(project, tmp_path)
    git(ci.root, "fetch", "-q", "--deepen=2", "origin", "topic", "+main:refs/remotes/origin/main")
    git(ci.root, "remote", "set-url", "origin", str(tmp_path / "gone"))
    assert last in ci.cut_commits
    (finding,) = found(ci, base="origin/main")
    assert (finding.level, finding.hint) == ("warning", "fetch the whole history: fetch-depth: 0")
    assert finding.message.startswith(f"commit {last[:12]} and those before it on the way to head: not looked at")


# -- the whole gate ----------------------------------------------------------------------------------------


def test_it_fails_the_gate_and_the_value_is_nowhere(
    project: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Not in findings, log, comment, JUnit, SARIF or pages, also where the cell's own id is the credential."""
    named = dumped([cell(TOKEN, "code", f"token = '{TOKEN}'"), cell("c1", "code", f"print('{OTHER}')")])
    first = commit(project, {NB: named})
    commit(project, {NB: None})
    monkeypatch.chdir(project.root)
    left = tmp_path / "left"
    code = main.run(["gate", "--base", "main", "--json", "--output", str(left)])
    out, err = capsys.readouterr()
    assert code == 1
    assert json.loads(out)["verdict"] == "failed"
    assert main.run(["gate", "--base", "main"]) == 1
    plain = capsys.readouterr()
    result = gate(project)
    texts = [out, err, plain.out, plain.err, words.comment(result), words.summary(result), repr(result)]
    texts += [place.read_text() for place in left.rglob("*") if place.is_file()]
    assert sum(first[:12] in text for text in texts) >= 6
    for text in texts:
        assert TOKEN not in text
        assert OTHER not in text


def test_the_second_job_looks_itself(project: Repository, tmp_path: Path) -> None:
    first = commit(project, {NB: LEAKING})
    commit(project, {NB: None})
    result = gate(project, write=lambda result: leavings.write(result, tmp_path / "left"))
    assert result.verdict == "failed"
    place = tmp_path / "left" / leavings.RESULT
    data = json.loads(place.read_bytes()) | {"findings": [], "verdict": "passed"}
    place.write_text(json.dumps(data))
    again = gate(project, leavings=tmp_path / "left")
    assert [finding.message for finding in again.findings] == [said(first, "cell 1, its source, line 1")]
    assert words.comment(again) == words.comment(result)


def test_accepted_findings_are_notes(project: Repository) -> None:
    from nbpr.gate import accepted

    commit(project, {NB: LEAKING})
    commit(project, {NB: None})
    result = gate(project)
    git(project.root, "switch", "-q", "main")
    commit(project, {".nbpr-accepted.json": accepted.to_bytes(result.all_findings)})
    git(project.root, "switch", "-q", "topic")
    again = gate(project)
    assert again.verdict == "passed"
    assert [finding.level for finding in again.findings] == ["note"]
