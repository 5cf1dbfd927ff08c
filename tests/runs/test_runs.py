"""Runs: records, where they are kept, and what they are made with."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from nbpr.config import Config, Execute
from nbpr.engines import Progress
from nbpr.errors import BadInput, NotAllowed
from nbpr.notebooks import notebook
from nbpr.runs import reference, runs
from nbpr.runs.runs import Options, execute, execute_to, planned, run_notebooks
from tests.kernels import code, markdown, of_runs
from tests.kernels import notebook as made_of
from tests.projects import GLUE

NB = "notebooks/a.ipynb"
KEYS = [
    "status", "reason", "message", "duration_seconds", "cells_executed", "failed_cell", "scraps", "run_id", "run_key",
    "notebook", "source_sha256", "output", "parameters", "engine", "kernel", "environment", "started", "finished",
    "cut", "cached",
]  # fmt: skip


def put(root: Path, path: str, *cells: str | dict[str, Any], **members: Any) -> Path:
    """A notebook below a folder that looks like a checkout."""
    (root / ".git").mkdir(parents=True, exist_ok=True)
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    place.write_text(json.dumps(made_of(*cells, **{**spec, **members})))
    return place


def files_of(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in (root / "runs").rglob("*") if path.is_file())


SIMPLE = (markdown("# A"), code("n = 1", "parameters"), "import os\nprint(n, os.getcwd())", GLUE.replace("alerts", "n"))


@pytest.mark.kernel
class TestOneRun:
    def test_a_run_with_the_configured_parameters_becomes_the_reference_run(self, tmp_path: Path) -> None:
        put(tmp_path, NB, *SIMPLE)
        config = Config(notebook={NB: {"parameters": {"n": 3}}})
        (run,) = run_notebooks([NB], tmp_path, config, Options(files={"src/a.py": "1"}))
        record = json.loads(json.dumps(run.record.as_json()))
        assert list(record) == KEYS
        assert (record["status"], record["reason"], record["failed_cell"]) == ("success", None, None)
        assert record["scraps"] == {"alert_count": 3, "health_score": 0.875}
        assert (record["notebook"], record["output"], record["parameters"]) == (NB, "runs/a.ipynb", {"n": 3})
        assert (record["engine"], record["kernel"], record["cells_executed"]) == ("papermill", "python3", 3)
        source = notebook.read(tmp_path / NB)
        assert record["source_sha256"] == notebook.source_sha256(source)
        assert record["run_key"] == runs.key_of(source, config.for_notebook(NB), {"src/a.py": "1"})
        assert sorted(record["environment"]) == ["executable", "packages_sha256", "python"]
        assert files_of(tmp_path) == ["runs/a.ipynb"]
        data = (tmp_path / "runs/a.ipynb").read_bytes()
        assert data == run.reference_bytes
        assert str(tmp_path).encode() not in data
        assert b"3 <repo>/notebooks" in data
        assert reference.in_step(reference.load(data, "r"), source, {"n": 3})

    def test_twice_is_the_same_bytes_also_from_a_worktree_and_a_dirty_notebook(self, tmp_path: Path) -> None:
        place = put(tmp_path, NB, *SIMPLE)
        first = execute(notebook.read(place), NB, tmp_path, Config())
        tree = tmp_path / ".git" / "trees" / "x"
        dirty = made_of(*SIMPLE, kernelspec={"name": "python3", "display_name": "Python 3"}, papermill={"duration": 1})
        dirty["cells"][1] |= {"outputs": [{"output_type": "stream", "name": "stdout", "text": "old"}]}
        put(tree, NB, *SIMPLE).write_text(json.dumps(dirty))
        second = execute(notebook.read(tree / NB), NB, tree, Config(), Options(checkout=tmp_path))
        assert first.reference_bytes == second.reference_bytes
        assert first.record.run_id != second.record.run_id
        assert first.record.run_key == second.record.run_key

    @pytest.mark.parametrize("parameters", [{"n": 5}, None])
    def test_other_runs_are_kept_where_git_does_not_look(self, tmp_path: Path, parameters: Any) -> None:
        put(tmp_path, NB, *SIMPLE, *([] if parameters else ["1 / 0"]))
        (run,) = run_notebooks([NB], tmp_path, Config(), Options(parameters=parameters))
        assert run.record.output == f"runs/a.runs/{run.record.run_id}.ipynb"
        assert files_of(tmp_path) == ["runs/.gitignore", run.record.output]
        assert (tmp_path / "runs/.gitignore").read_text() == "*.runs/\n"
        kept = reference.load((tmp_path / run.record.output).read_bytes(), "r")
        assert reference.parameters_of(kept) == (parameters or {})
        assert f"{(parameters or {}).get('n', 1)} {tmp_path}/notebooks" in json.dumps(kept["cells"])
        assert run.went_well is (parameters is not None)

    def test_a_gitignore_that_is_there_stays(self, tmp_path: Path) -> None:
        put(tmp_path, NB, "1 / 0")
        (tmp_path / "runs").mkdir()
        (tmp_path / "runs/.gitignore").write_text("mine\n")
        run_notebooks([NB], tmp_path, Config())
        assert (tmp_path / "runs/.gitignore").read_text() == "mine\n"

    def test_a_failed_run_leaves_the_reference_run_alone(self, tmp_path: Path) -> None:
        put(tmp_path, NB, "1 / 0")
        (tmp_path / "runs").mkdir()
        (tmp_path / "runs/a.ipynb").write_text("the old one")
        (run,) = run_notebooks([NB], tmp_path, Config())
        assert (tmp_path / "runs/a.ipynb").read_text() == "the old one"
        assert run.record.as_json()["failed_cell"] == {
            "index": 0, "id": "c0", "source": "1 / 0", "ename": "ZeroDivisionError", "evalue": "division by zero",
        }  # fmt: skip

    def test_cells_marked_skip_run_only_where_no_reference_is_made(self, tmp_path: Path) -> None:
        put(tmp_path, NB, "# NBVAL_SKIP\nprint('skipped')")
        (made,) = run_notebooks([NB], tmp_path, Config())
        (elsewhere,) = run_notebooks([NB], tmp_path, Config(), output=tmp_path / "out.ipynb")
        assert made.executed["cells"][0]["outputs"] == []
        assert elsewhere.executed["cells"][0]["outputs"] != []
        assert not elsewhere.is_reference
        assert elsewhere.record.output == str(tmp_path / "out.ipynb")
        assert files_of(tmp_path) == ["runs/a.ipynb"]

    def test_the_folder_that_it_runs_in(self, tmp_path: Path) -> None:
        place = put(tmp_path, "notebooks/deep/a.ipynb", "import os\nprint(os.getcwd())")
        for cwd, where in (("notebook", "<repo>/notebooks/deep\n"), ("repository", "<repo>\n")):
            run = execute(notebook.read(place), "notebooks/deep/a.ipynb", tmp_path, Config(cwd=cwd))  # type: ignore[arg-type]
            assert run.reference["cells"][0]["outputs"][0]["text"] == where

    def test_a_python_path_is_the_worktrees(self, tmp_path: Path) -> None:
        tree = tmp_path / ".git" / "tree"
        for root in (tmp_path, tree):
            put(root, NB, "import fleet\nprint(fleet.__file__)")
            (root / "src").mkdir()
            (root / "src/fleet.py").touch()
        config = Config(execute=Execute(python_path=("src",)))
        run = execute(notebook.read(tree / NB), NB, tree, config, Options(checkout=tmp_path))
        assert run.executed["cells"][0]["outputs"][0]["text"] == f"{tree}/src/fleet.py\n"

    def test_settings_of_one_notebook(self, tmp_path: Path) -> None:
        put(tmp_path, NB, "import time\ntime.sleep(20)")
        config = Config(notebook={NB: {"execute": {"cell-timeout": 0.5}}})
        assert execute(notebook.read(tmp_path / NB), NB, tmp_path, config).record.reason == "cell-timeout"

    def test_variables_pass_by_name_alone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FLEET_REGION", "eu")
        monkeypatch.setenv("FLEET_TOKEN", "hunter2")
        put(tmp_path, NB, "import os\nprint({k: v for k, v in os.environ.items() if 'FLEET' in k})")
        run = execute(notebook.read(tmp_path / NB), NB, tmp_path, Config(execute=Execute(env=("FLEET_REGION",))))
        assert run.executed["cells"][0]["outputs"][0]["text"] == "{'FLEET_REGION': 'eu'}\n"


class TestWithoutAKernel:
    def test_it_is_a_record_all_the_same(self, tmp_path: Path) -> None:
        place = put(tmp_path, NB, "1", kernelspec={"name": "tlh"}, language_info={"name": "klingon"})
        (run,) = run_notebooks([NB], tmp_path, Config())
        record = run.record
        assert (record.status, record.reason, record.kernel, record.environment) == ("error", "no-kernel", "tlh", None)
        assert re.search("there are: .*python3", record.message or "")
        assert list(record.as_json()) == KEYS
        assert notebook.read(tmp_path / str(record.output)).cells[0].source == notebook.read(place).cells[0].source

    def test_an_interpreter_that_is_none_is_bad_use(self, tmp_path: Path) -> None:
        put(tmp_path, NB, "1")
        with pytest.raises(BadInput, match="no Python interpreter"):
            run_notebooks([NB], tmp_path, Config(execute=Execute(python="/nowhere")))
        assert not (tmp_path / "runs").exists()


class TestSeveral:
    @pytest.mark.kernel
    def test_one_that_fails_does_not_stop_the_others_and_all_are_told_of(self, tmp_path: Path) -> None:
        paths = [f"notebooks/{name}.ipynb" for name in "abc"]
        for path, source in zip(paths, ("print(1)", "1 / 0", "print(3)"), strict=True):
            put(tmp_path, path, source)
        seen: list[tuple[str, Progress]] = []
        done = run_notebooks(
            paths, tmp_path, Config(execute=Execute(jobs=2)), follow=lambda path, at: seen.append((path, at))
        )
        assert [run.record.notebook for run in done] == paths
        assert [run.record.status for run in done] == ["success", "error", "success"]
        assert sorted(path for path, _ in seen) == paths

    @pytest.mark.kernel
    def test_an_interrupt_ends_what_has_begun(self, tmp_path: Path) -> None:
        paths = [f"notebooks/{name}.ipynb" for name in "ab"]
        for path in paths:
            put(tmp_path, path, "open('begun', 'w').close()\nimport time\ntime.sleep(120)")

        def interrupting(path: str, at: Progress) -> None:
            raise KeyboardInterrupt

        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            run_notebooks(paths, tmp_path, Config(execute=Execute(jobs=2)), follow=interrupting)
        assert time.monotonic() - began < 100  # not by its own end
        assert of_runs() == []

    def test_everything_is_read_before_anything_runs(self, tmp_path: Path) -> None:
        put(tmp_path, NB, "1")
        (tmp_path / "notebooks/b.ipynb").write_text("[nope]")
        with pytest.raises(BadInput, match=r"b\.ipynb: not JSON"):
            run_notebooks([NB, "notebooks/b.ipynb"], tmp_path, Config())
        with pytest.raises(BadInput, match="would share"):
            run_notebooks([NB, "a.ipynb"], tmp_path, Config())
        with pytest.raises(BadInput, match=r"missing\.ipynb: no such file"):
            run_notebooks(["missing.ipynb"], tmp_path, Config())
        assert not (tmp_path / "runs").exists()

    def test_unknown_parameters_and_engines_are_bad_use(self, tmp_path: Path) -> None:
        put(tmp_path, NB, *SIMPLE)
        with pytest.raises(BadInput, match=r"notebooks/a\.ipynb: no parameter 'm'; the parameters cell assigns: n"):
            run_notebooks([NB], tmp_path, Config(), Options(parameters={"m": 1}))
        with pytest.raises(BadInput, match="no engine 'x'"):
            run_notebooks([NB], tmp_path, Config(), Options(engine="x"))

    def test_one_place_for_several_is_a_folder(self, tmp_path: Path) -> None:
        for path in ("a.ipynb", "b.ipynb", "x/a.ipynb"):
            put(tmp_path, path, "1")
        with pytest.raises(BadInput, match="one file for 2 notebooks"):
            run_notebooks(["a.ipynb", "b.ipynb"], tmp_path, Config(), output=tmp_path / "out.ipynb")
        with pytest.raises(BadInput, match="the same name"):
            run_notebooks(["a.ipynb", "x/a.ipynb"], tmp_path, Config(), output=tmp_path / "out")
        outputs = [
            plan["output"] for plan in planned(["a.ipynb", "b.ipynb"], tmp_path, Config(), output=tmp_path / "out")
        ]
        assert outputs == [f"{tmp_path}/out/a.ipynb", f"{tmp_path}/out/b.ipynb"]


class TestKeeping:
    def test_a_plan_runs_and_writes_nothing(self, tmp_path: Path) -> None:
        put(tmp_path, NB, *SIMPLE)
        (plan,) = planned([NB], tmp_path, Config())
        assert sorted(plan) == ["executable", "kernel", "notebook", "output", "parameters", "why"]
        assert plan["output"] == "runs/a.ipynb"
        (other,) = planned([NB], tmp_path, Config(), Options(parameters={"n": 2}))
        assert other["output"].startswith("runs/a.runs/")
        assert other["parameters"] == {"n": 2}
        assert not (tmp_path / "runs").exists()

    def test_a_link_out_of_the_repository_is_refused(self, tmp_path: Path) -> None:
        root = tmp_path / "root"
        put(root, NB, "1", kernelspec={"name": "ir"}, language_info={"name": "R"})
        (tmp_path / "outside").mkdir()
        (root / "runs").symlink_to(tmp_path / "outside")
        with pytest.raises(BadInput, match="leads out of the repository"):
            run_notebooks([NB], root, Config())
        assert list((tmp_path / "outside").iterdir()) == []

    def test_a_file_in_the_way_is_told(self, tmp_path: Path) -> None:
        put(tmp_path, NB, "1", kernelspec={"name": "ir"}, language_info={"name": "R"})
        (tmp_path / "runs").touch()
        with pytest.raises(NotAllowed, match="cannot be made"):
            run_notebooks([NB], tmp_path, Config())

    @pytest.mark.kernel
    def test_anywhere_with_an_output(self, tmp_path: Path) -> None:
        place = tmp_path / "loose.ipynb"
        place.write_text(json.dumps(made_of(*SIMPLE)))
        record = execute_to(place, tmp_path / "new" / "out.ipynb", {"n": 7}, timeout=60)
        assert (record.status, record.notebook, record.scraps["alert_count"]) == ("success", "loose.ipynb", 7)
        assert record.output == str(tmp_path / "new" / "out.ipynb")
        assert notebook.read(tmp_path / "new" / "out.ipynb").cells[2].source == "# Parameters\nn = 7\n"
        assert execute_to(place, tmp_path / "slow.ipynb", timeout=0.01).reason == "deadline"
