"""What is proven is not run again, and nothing is proven that is not: real repositories, real kernels, counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbpr import config
from nbpr.config import Config
from nbpr.engines.nbval import Comparer
from nbpr.engines.papermill import Papermill
from nbpr.git.repository import Repository
from nbpr.notebooks import notebook
from nbpr.runs import installed, presence, runs
from nbpr.runs.runs import Job, Options, Ways, run_jobs, run_notebooks
from nbpr.runs.validation import Validation, validate
from tests.conftest import git
from tests.kernels import code, markdown
from tests.projects import set_threshold
from tests.runs.test_runs import NB, put

CHECK = "# NBVAL_CHECK_OUTPUT\n"
READS = CHECK + "print(open('said').read())"
QUICK = Config(execute=config.Execute(sandbox="none", jobs=2))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parameters of every run that a kernel was started for, and nbval's comparisons."""
    found: list[str] = []
    ready, enter = Papermill.ready, Comparer.__enter__

    def counting(self: Papermill, request: Any, *rest: Any) -> Any:
        found.append(f"kernel {json.dumps(dict(request.parameters))}")
        return ready(self, request, *rest)

    def comparing(self: Comparer) -> Comparer:
        found.append("nbval")
        return enter(self)

    monkeypatch.setattr(Papermill, "ready", counting)
    monkeypatch.setattr(Comparer, "__enter__", comparing)
    return found


@pytest.fixture
def root(repository: Path) -> Path:
    """A repository with a notebook that reads a file, another one, and a reference run of the first."""
    (repository / "notebooks").mkdir()
    put(repository, NB, markdown("# A"), code("n = 1", "parameters"), READS, "import os")
    put(repository, "notebooks/other.ipynb", "print(1)")
    (repository / "notebooks/said").write_text("one")
    (repository / "README.md").write_text("A project")
    run_notebooks([NB], repository, QUICK)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    return repository


def validated(root: Path, settings: Config = QUICK, path: str = NB) -> Validation:
    return validate([path], root, settings, proven=presence.proven_here(root, settings))


def edited(root: Path, path: str = NB, cell: int = 0, **members: Any) -> None:
    nb = json.loads((root / path).read_text())
    nb["cells"][cell] |= members
    (root / path).write_text(json.dumps(nb))


@pytest.mark.kernel
class TestProvenOnce:
    def test_a_second_time_nothing_runs_and_the_verdict_is_the_same(self, root: Path, counted: list[str]) -> None:
        first = validated(root)
        assert sorted(counted) == ["kernel {}", "nbval"]
        second = validated(root)
        assert len(counted) == 2
        one, other = first.as_json(), second.as_json()
        assert [one["runs"][0]["cached"], other["runs"][0]["cached"]] == [False, True]
        assert one["runs"][0] == {**other["runs"][0], "cached": False}
        notes = [each for each in other["findings"] if each not in one["findings"]]
        assert [(each["check"], each["level"]) for each in notes] == [("execute", "note")]
        assert notes[0]["message"].startswith("proven before: it ran 20")
        assert [each for each in one["findings"] if each not in other["findings"]] == []
        assert first.runs[0].reference_bytes == second.runs[0].reference_bytes

    def test_what_no_run_hangs_on_may_change(self, root: Path, counted: list[str]) -> None:
        validated(root)
        (root / "README.md").write_text("Another project")
        put(root, "notebooks/other.ipynb", "print(2)")
        (root / "notebooks/__pycache__").mkdir()
        (root / "notebooks/__pycache__/x.pyc").write_text("x")
        edited(root, source="# B")
        found = validated(root)
        assert counted.count("kernel {}") == 1
        assert found.runs[0].executed["cells"][0]["source"] == "# B"

    @pytest.mark.parametrize(
        "change",
        [
            lambda root: (root / "notebooks/said").write_text("two"),
            lambda root: (root / "notebooks/new.csv").write_text("untracked"),
            lambda root: edited(root, cell=3, source="import sys"),
            lambda root: edited(root, cell=3, metadata={"tags": ["raises-exception"]}),
            lambda root: (
                git(root, "update-index", "--assume-unchanged", "notebooks/said")
                or (root / "notebooks/said").write_text("unseen")
            ),
            lambda root: (root / "notebooks/said").unlink(),
        ],
    )
    def test_what_a_run_hangs_on_may_not(
        self, root: Path, counted: list[str], change: Callable[[Path], object]
    ) -> None:
        validated(root)
        change(root)
        validated(root)
        assert [each for each in counted if each.startswith("kernel")] == ["kernel {}"] * 2

    def test_an_ignored_file_that_is_read_counts_by_its_content(self, root: Path, counted: list[str]) -> None:
        (root / ".gitignore").write_text("data/\n")
        (root / "data").mkdir()
        (root / "data/a.csv").write_text("1")
        put(root, NB, CHECK + "print(open('../data/a.csv').read())")
        validated(root)
        (root / "data/a.csv").write_text("1")  # written anew, and the same
        assert validated(root).runs[0].record.cached
        (root / "data/a.csv").write_text("2")
        assert not validated(root).runs[0].record.cached

    def test_settings_and_parameters_and_what_the_kernel_sees_count(
        self, root: Path, counted: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FLEET_REGION", "eu-secret-region")
        regional = replace(QUICK, execute=replace(QUICK.execute, env=("FLEET_REGION",)))
        settings = [QUICK, regional, replace(QUICK, parameters={"n": 2}), replace(QUICK, cwd="repository")]
        for each in settings[:3]:
            validated(root, each)
        monkeypatch.setenv("FLEET_REGION", "us")
        validated(root, regional)
        assert len([each for each in counted if each.startswith("kernel")]) == 4
        for each in settings[1:3]:
            assert validated(root, each).runs[0].record.cached
        cache = root / ".git/nbpr/cache"
        assert not [path for path in cache.iterdir() if b"eu-secret-region" in path.read_bytes()]
        assert not validated(root, settings[3]).runs[0].record.cached

    def test_the_reference_run_is_compared_with_anew_where_it_changed(self, root: Path, counted: list[str]) -> None:
        validated(root)
        run = root / "runs/a.ipynb"
        run.write_text(run.read_text().replace("one", "uno"))
        assert validated(root).verdict == "failed"
        assert validated(root).verdict == "failed"
        assert sorted(counted) == ["kernel {}"] * 3 + ["nbval"] * 3  # what did not pass is never kept

    def test_a_run_is_no_proof_of_the_reference_run_that_it_became(self, root: Path, counted: list[str]) -> None:
        put(root, NB, CHECK + "import time\nprint(time.time_ns())")
        ways = Ways(proven=presence.proven_here(root, QUICK))
        run_jobs([Job(NB)], root, QUICK, ways=ways)
        found = validated(root)
        assert found.verdict == "failed"
        assert not found.runs[0].record.cached
        run_jobs([Job(NB)], root, QUICK, ways=ways)  # as `nbpr run --resume`: it may take what was just validated
        assert validated(root).verdict == "failed"


@pytest.mark.kernel
class TestNoProof:
    def test_a_failed_run_is_never_one(self, root: Path, counted: list[str]) -> None:
        put(root, NB, "1 / 0")
        for _ in range(2):
            assert validated(root).verdict == "failed"
        assert counted == ["kernel {}"] * 2

    def test_one_that_fails_anew_takes_the_proof_away(self, root: Path, counted: list[str]) -> None:
        validated(root)
        anew = replace(QUICK, cache=config.Cache(read=False))
        assert not validated(root, anew).runs[0].record.cached
        assert validated(root).runs[0].record.cached
        cache = presence.cache_of(Repository.discover(root), QUICK)
        assert cache is not None
        here = presence.proven_here(root, QUICK)
        assert here is not None
        failing = replace(validated(root).runs[0], record=replace(validated(root).runs[0].record, status="error"))
        tried = runs.attempt(notebook.read(root / NB), NB, root, QUICK, Options())
        tried = replace(tried, source=replace(tried.source, name=NB))
        here.carried_out(tried, tried.choose(), lambda: failing)
        assert not validated(root).runs[0].record.cached

    @pytest.mark.parametrize(
        "source", ["!true", "open('/dev/null').close()", "import urllib.request", "import subprocess"]
    )
    def test_nor_one_that_reaches_out(self, root: Path, counted: list[str], source: str) -> None:
        put(root, NB, source)
        (root / "runs/a.ipynb").unlink()
        for _ in range(2):
            assert validated(root).verdict == "passed"
        assert counted.count("kernel {}") == 2
        told = runs.told_of(
            notebook.read(root / NB),
            NB,
            root,
            QUICK,
            presence.proven_here(root, QUICK),  # type: ignore[arg-type]
        )
        assert (told["key"], told["run"]) == (None, None)
        assert str(told["why"]).startswith("cell 0 ")

    def test_nor_one_whose_files_changed_while_it_ran(self, root: Path, counted: list[str]) -> None:
        put(root, NB, "import random\nopen('drawn', 'w').write(str(random.random()))")
        for _ in range(2):
            assert not validated(root).runs[0].record.cached
        put(root, NB, "open('drawn', 'w').write('the same')")
        seen = [validated(root).runs[0].record.cached for _ in range(3)]
        assert seen == [False, False, True]  # the first made the file, the second found it as it left it

    def test_nor_where_a_link_leads_out(self, root: Path, tmp_path: Path, counted: list[str]) -> None:
        (tmp_path / "far").write_text("far")
        (root / "notebooks/near").symlink_to(tmp_path / "far")
        for _ in range(2):
            assert not validated(root).runs[0].record.cached

    def test_nor_with_nothing_to_keep_it_in(self, root: Path, counted: list[str], tmp_path: Path) -> None:
        for cache in (config.Cache(max_size=0), config.Cache(max_age=0), config.Cache(max_size=500)):
            settings = replace(QUICK, cache=cache)
            for _ in range(2):
                assert not validated(root, settings).runs[0].record.cached
        assert presence.proven_here(tmp_path, QUICK) is None

    def test_an_interpreter_that_changed_is_another_one(
        self, root: Path, counted: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        validated(root)
        found = installed.installed

        def other(*given: Any) -> Any:
            return replace(found(*given), sha256="sha256:" + "0" * 64)

        monkeypatch.setattr("nbpr.runs.proven.installed", other)
        assert not validated(root).runs[0].record.cached
        monkeypatch.setattr("nbpr.runs.proven.installed", lambda *given: replace(found(*given), sha256=None))
        assert not validated(root).runs[0].record.cached


@pytest.mark.kernel
class TestRuns:
    def test_a_run_is_always_made_and_is_proof_afterwards(self, root: Path, counted: list[str]) -> None:
        keeping = replace(QUICK, cache=config.Cache(read=False))
        for _ in range(2):
            run_jobs([Job(NB)], root, QUICK, ways=Ways(proven=presence.proven_here(root, keeping)))
        assert counted == ["kernel {}"] * 2
        assert run_jobs([Job(NB)], root, QUICK, ways=Ways(proven=presence.proven_here(root, QUICK)))[0].record.cached  # type: ignore[union-attr]

    def test_what_did_not_finish_is_resumed(self, root: Path, counted: list[str]) -> None:
        put(root, NB, code("n = 1", "parameters"), "assert n != 2 or open('said').read() == 'mended'")
        jobs = [Job(NB, {"n": n}) for n in (1, 2, 3)]
        one = replace(QUICK, execute=replace(QUICK.execute, jobs=1))
        ways = Ways(proven=presence.proven_here(root, one), keep_going=False)
        found = run_jobs(jobs, root, one, ways=ways)
        assert [run and run.went_well for run in found] == [True, False, None]
        found = run_jobs(jobs, root, one, ways=replace(ways, keep_going=True))
        assert [run and run.record.cached for run in found] == [True, False, False]
        assert [run and run.went_well for run in found] == [True, False, True]
        assert counted == [f'kernel {{"n": {n}}}' for n in (1, 2, 2, 3)]
        places = [root / str(run and run.record.output) for run in found]
        assert all(place.is_file() for place in places)

    @pytest.mark.slow
    def test_what_nothing_proves_is_resumed_too_and_is_no_proof(self, root: Path, counted: list[str]) -> None:
        """A notebook that runs a shell command, and one that writes files: the sweeps that people have."""
        put(root, NB, code("n = 1", "parameters"), "!true", "assert n < 3")
        writes = "notebooks/writes.ipynb"
        put(root, writes, code("n = 1", "parameters"), "import time\nopen(f'out{n}', 'a').write(str(time.time_ns()))")
        git(root, "add", "-A")
        git(root, "commit", "-qm", "two")
        jobs = [Job(NB, {"n": 1}), Job(writes, {"n": 1}), Job(NB, {"n": 3})]

        def batch() -> list[Any]:
            return run_jobs(jobs, root, QUICK, ways=Ways(proven=presence.proven_here(root, QUICK, batch=True)))

        first, again = batch(), batch()
        assert [run.went_well for run in first] == [True, True, False]
        assert [run.record.cached for run in again] == [True, True, False]
        assert [run.record.run_id for run in again[:2]] == [run.record.run_id for run in first[:2]]
        notes = [run.notes[-1].partition("done before, and not proven: ")[2] for run in again[:2]]
        assert notes == ["cell 1 runs a shell command (!true)", "it changes files that lie about it"]
        assert len(counted) == 4
        found = presence.proven_here(root, QUICK)
        assert not any(run and run.record.cached for run in run_jobs(jobs[:2], root, QUICK, ways=Ways(proven=found)))
        (root / "notebooks/said").write_text("tracked, and another now")
        edited(root, writes, cell=1, source="print(n)")
        assert [run.record.cached for run in batch()] == [False, False, False]

    def test_secrets_are_never_kept(self, root: Path, monkeypatch: pytest.MonkeyPatch, counted: list[str]) -> None:
        monkeypatch.setenv("API_KEY", "a-secret-of-mine")
        secret = replace(QUICK, execute=replace(QUICK.execute, secrets=("n=env:API_KEY",)))
        put(root, NB, code("n = 1", "parameters"), "len(n)")
        for _ in range(2):
            assert not validated(root, secret).runs[0].record.cached
        batch = presence.proven_here(root, secret, batch=True)
        (run,) = run_jobs([Job(NB)], root, secret, ways=Ways(proven=batch))
        assert run is not None
        assert (run.went_well, run.record.cached) == (True, False)
        kept = {path.suffix for path in (root / ".git/nbpr/cache").iterdir()}
        assert not kept & {".run", ".done"}


@pytest.mark.kernel
class TestProposals:
    def test_what_was_proven_twice_is_not_run_again(self, tmp_path: Path, counted: list[str]) -> None:
        from tests import projects

        repository = projects.make(tmp_path)
        plain = {"execute": {"sandbox": "none"}}
        first = projects.propose(repository, set_threshold(0.9), config=plain, branch="agent/one")
        again = projects.propose(repository, set_threshold(0.9), config=plain, branch="agent/two")
        roles = [[(run["role"], run["cached"]) for run in found["runs"]] for found in (first, again)]
        assert roles[0] == [("reference", False), ("reproduce", False), ("baseline", False)]
        assert roles[1] == [("reference", True), ("baseline", True)]
        assert len([each for each in counted if each.startswith("kernel")]) == 3
        assert (first["verdict"], again["verdict"]) == ("passed", "passed")
        told = [[each for each in found["findings"] if each["check"] == "reproduce"] for found in (first, again)]
        assert told[0] == told[1]
        blobs = [projects.blob(repository, branch, projects.RUN) for branch in ("agent/one", "agent/two")]
        assert blobs[0] == blobs[1]

    def test_what_ran_once_is_run_once_more_to_see_whether_it_reproduces(
        self, tmp_path: Path, counted: list[str]
    ) -> None:
        from tests import projects

        repository = projects.make(tmp_path)
        settings = config.load(repository.root, {"execute": {"sandbox": "none"}}, environ={})
        place = repository.root / projects.NOTEBOOK
        place.write_bytes(place.read_bytes().replace(b"0.95", b"0.90"))
        here = presence.proven_here(repository.root, settings)
        assert validate([projects.NOTEBOOK], repository.root, settings, proven=here).verdict == "passed"
        found = projects.propose(repository, config={"execute": {"sandbox": "none"}, "reproduce": True})
        roles = [(run["role"], run["cached"]) for run in found["runs"]]
        assert roles[:2] == [("reference", True), ("reproduce", False)]
        assert found["verdict"] == "passed"
