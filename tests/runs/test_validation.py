"""Validating: one execution, nbformat's schema, nbval against the reference run. With real kernels."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from nbpr.config import Config, Execute
from nbpr.errors import BadInput
from nbpr.runs import reference, validation
from nbpr.runs.runs import run_notebooks
from nbpr.runs.validation import Validation, validate
from tests.kernels import code, markdown
from tests.runs.test_runs import NB, files_of, put

CHECK = "# NBVAL_CHECK_OUTPUT\n"


def told(found: Validation) -> list[tuple[str, str, str | None]]:
    return [(each.check, each.level, each.cell_id) for each in found.findings]


def printing(root: Path, path: str = NB, text: str = "one", **members: Any) -> Path:
    """A notebook that prints what stands in a file beside it, marked and not."""
    source = "print(open('said').read())"
    place = put(root, path, markdown("# A"), source, CHECK + source, **members)
    (place.parent / "said").write_text(text)
    return place


@pytest.fixture
def referred(tmp_path: Path) -> Path:
    """A checkout with a notebook and its reference run."""
    printing(tmp_path)
    run_notebooks([NB], tmp_path, Config())
    return tmp_path


@pytest.mark.kernel
class TestAgainstAReferenceRun:
    def test_what_reproduces_passes_and_nothing_is_written(self, referred: Path) -> None:
        before = {path: path.read_bytes() for path in referred.rglob("*") if path.is_file()}
        found = validate([NB], referred, Config())
        assert found.verdict == "passed"
        assert [(each.check, each.level, each.message) for each in found.findings] == [
            ("reproduce", "note", "1 of 2 cells checked")
        ]
        assert {path: path.read_bytes() for path in referred.rglob("*") if path.is_file()} == before
        result = found.as_json()
        assert list(result) == ["verdict", "findings", "runs"]
        assert result["runs"][0]["status"] == "success"
        assert json.loads(json.dumps(result)) == result

    def test_a_marked_cell_that_differs_fails_and_an_unmarked_one_warns(self, referred: Path) -> None:
        (referred / "notebooks/said").write_text("two")
        found = validate([NB], referred, Config())
        assert found.verdict == "failed"
        assert told(found) == [
            ("reference", "warning", "c1"),
            ("reproduce", "error", "c2"),
            ("reproduce", "note", None),
        ]
        assert r"stdout: 'one\n' became 'two\n'" in found.findings[1].message

    def test_a_cell_that_errs_is_told_of_once(self, referred: Path) -> None:
        (referred / "notebooks/said").unlink()
        found = validate([NB], referred, Config())
        assert told(found) == [("execute", "error", "c1"), ("reproduce", "note", None)]
        assert "FileNotFoundError" in found.findings[0].message

    def test_a_run_of_another_source_is_an_error_and_not_compared(self, referred: Path) -> None:
        put(referred, NB, CHECK + "print('other')")
        found = validate([NB], referred, Config())
        assert told(found) == [("reference", "error", None)]
        (referred / "runs/a.ipynb").write_text("<<<<<<< ours")
        assert told(validate([NB], referred, Config())) == [("reference", "error", None)]

    def test_markdown_may_have_changed(self, referred: Path) -> None:
        nb = json.loads((referred / NB).read_text())
        nb["cells"][0]["source"] = "# B"
        (referred / NB).write_text(json.dumps(nb))
        assert validate([NB], referred, Config()).verdict == "passed"

    def test_sanitize_files_work_as_nbval_documents(self, referred: Path) -> None:
        (referred / "notebooks/said").write_text("two")
        (referred / "nbval.cfg").write_text("[said]\nregex: one|two\nreplace: NUMBER\n")
        assert validate([NB], referred, Config(sanitize_with="nbval.cfg")).verdict == "passed"
        with pytest.raises(BadInput, match="no such sanitize file"):
            validate([NB], referred, Config(sanitize_with="missing.cfg"))

    def test_levels_are_the_configured_ones(self, referred: Path) -> None:
        (referred / "notebooks/said").write_text("two")
        found = validate([NB], referred, Config(checks={"reproduce": "warning", "reference": "off"}))
        assert found.verdict == "passed"
        assert told(found) == [("reproduce", "warning", "c2"), ("reproduce", "note", None)]


@pytest.mark.kernel
class TestWithoutOne:
    @pytest.mark.parametrize(
        ("required", "level", "verdict"), [(False, "warning", "passed"), (True, "error", "failed")]
    )
    def test_it_runs_and_says_that_nothing_is_compared(
        self, tmp_path: Path, required: bool, level: str, verdict: str
    ) -> None:
        printing(tmp_path)
        found = validate([NB], tmp_path, Config(require_reference=required))
        assert told(found) == [("reference", level, None)]
        assert found.verdict == verdict
        assert not (tmp_path / "runs").exists()

    def test_markers_say_what_runs_and_what_may_raise(self, tmp_path: Path) -> None:
        put(tmp_path, NB, "# NBVAL_SKIP\n1 / 0", "# NBVAL_RAISES_EXCEPTION\n1 / 0", code("1 / 0", "raises-exception"))
        assert validate([NB], tmp_path, Config()).verdict == "passed"
        run_notebooks([NB], tmp_path, Config())
        found = validate([NB], tmp_path, Config())
        assert (found.verdict, told(found)) == ("passed", [("reproduce", "warning", None)])
        assert found.findings[0].message.startswith("0 of 2 cells checked")

    def test_the_parameters_are_the_configured_ones(self, tmp_path: Path) -> None:
        put(tmp_path, NB, code("n = 1", "parameters"), CHECK + "print(n)")
        two, three = (Config(notebook={NB: {"parameters": {"n": n}}}) for n in (2, 3))
        run_notebooks([NB], tmp_path, two)
        assert validate([NB], tmp_path, two).verdict == "passed"
        assert told(validate([NB], tmp_path, three)) == [("reference", "error", None)]

    def test_schema_violations_are_found_and_it_runs_all_the_same(self, tmp_path: Path) -> None:
        put(tmp_path, NB, code("print(1)", metadata={"tags": "no list"}))
        found = validate([NB], tmp_path, Config())
        assert ("format", "error", "c0") in told(found)
        assert found.runs[0].went_well

    def test_several_with_one_that_cannot_be_read(self, tmp_path: Path) -> None:
        printing(tmp_path)
        (tmp_path / "notebooks/bad.ipynb").write_text("[nope]")
        found = validate(["notebooks/bad.ipynb", NB], tmp_path, Config(execute=Execute(jobs=2)))
        assert told(found) == [("format", "error", None), ("reference", "warning", None)]
        assert [run.record.notebook for run in found.runs] == [NB]

    def test_an_interpreter_that_is_passed_over_is_noted(self, tmp_path: Path) -> None:
        import venv

        printing(tmp_path)
        venv.create(tmp_path / ".venv", symlinks=True)
        found = validate([NB], tmp_path, Config())
        assert ("execute", "note", None) in told(found)
        assert "has no ipykernel" in next(each.message for each in found.findings if each.check == "execute")

    def test_paths_of_one_checkout_under_its_own_settings(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = printing(tmp_path)
        (tmp_path / "nbpr.toml").write_text("require-reference = true\n")
        monkeypatch.chdir(place.parent)
        assert validation.validate_paths([Path("a.ipynb")]).verdict == "failed"


class TestBadUse:
    def test_what_is_not_there(self, tmp_path: Path) -> None:
        put(tmp_path, NB, "1")
        with pytest.raises(BadInput, match=r"notebooks/b\.ipynb: no such file"):
            validate([NB, "notebooks/b.ipynb"], tmp_path, Config())
        with pytest.raises(BadInput, match="is a run"):
            validate(["runs/a.ipynb"], tmp_path, Config())

    def test_a_kernel_that_is_not_there_is_a_finding(self, tmp_path: Path) -> None:
        put(tmp_path, NB, "1", kernelspec={"name": "tlh", "display_name": "x"}, language_info={"name": "klingon"})
        found = validate([NB], tmp_path, Config())
        assert told(found) == [("execute", "error", None), ("reference", "warning", None)]
        assert re.search("there are: .*python3", found.findings[0].message)


@pytest.mark.kernel
def test_a_reference_run_that_keeps_nothing_is_compared_with_nothing(tmp_path: Path) -> None:
    config = Config(outputs="none")
    printing(tmp_path)
    run_notebooks([NB], tmp_path, config)
    assert files_of(tmp_path) == ["runs/a.ipynb"]
    kept = reference.load((tmp_path / "runs/a.ipynb").read_bytes(), "r")
    assert all(not cell.get("outputs") for cell in kept["cells"])
    (tmp_path / "notebooks/said").write_text("two")
    found = validate([NB], tmp_path, config)
    assert (found.verdict, found.findings[-1].message[:20]) == ("passed", "0 of 2 cells checked")
