"""Reference runs: the same bytes for the same run, and a run that says what it is of."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.config import Config
from nbpr.errors import BadInput
from nbpr.notebooks import notebook
from nbpr.notebooks.notebook import Notebook
from nbpr.runs import outputs, reference
from nbpr.runs.reference import in_step, markdown_taken_over, other_run_path, run_path, run_paths, to_bytes
from tests.kernels import code, markdown, run
from tests.kernels import notebook as made_of

PATTERNS = outputs.patterns([("/tmp/tree", "<repo>"), ("/home/ada", "~")])


def as_notebook(nb: dict[str, Any]) -> Notebook:
    return reference.as_notebook(nb, "nb.ipynb")


def settled(executed: dict[str, Any], parameters: dict[str, Any] | None = None, **config: Any) -> dict[str, Any]:
    sha = notebook.source_sha256(as_notebook(executed))
    return reference.reference(
        executed, source_sha256=sha, parameters=parameters or {}, patterns=PATTERNS, config=Config(**config)
    )


def ran(*cells: dict[str, Any], **options: Any) -> dict[str, Any]:
    """A notebook whose code cells have each printed their number and own path."""
    nb = made_of(*(copy.deepcopy(cell) for cell in cells), **options)
    for count, cell in enumerate((cell for cell in nb["cells"] if cell["cell_type"] == "code"), 1):
        cell["execution_count"] = count
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": f"{count} in /tmp/tree\n"}]
    return nb


class TestWhere:
    @pytest.mark.parametrize(
        ("path", "wanted"),
        [
            ("notebooks/a/b.ipynb", "runs/a/b.ipynb"),
            ("notebooks/b.ipynb", "runs/b.ipynb"),
            ("b.ipynb", "runs/b.ipynb"),
            ("analysis/notebooks/b.ipynb", "runs/analysis/notebooks/b.ipynb"),
        ],
    )
    def test_a_run_lies_where_its_notebook_does(self, path: str, wanted: str) -> None:
        assert run_path(path, Config()) == wanted
        assert reference.is_run(wanted, Config())
        assert not reference.is_run(path, Config())

    def test_other_runs_lie_beside_it(self) -> None:
        assert other_run_path("notebooks/a/b.ipynb", Config(runs="out/"), "r1") == "out/a/b.runs/r1.ipynb"

    def test_a_run_has_no_run(self) -> None:
        with pytest.raises(BadInput, match=r"runs/a\.ipynb: is a run"):
            run_path("runs/a.ipynb", Config())

    def test_two_notebooks_cannot_share_one(self) -> None:
        assert run_paths(["notebooks/a.ipynb", "b.ipynb", "b.ipynb"], Config()) == {
            "notebooks/a.ipynb": "runs/a.ipynb",
            "b.ipynb": "runs/b.ipynb",
        }
        with pytest.raises(BadInput, match=r"notebooks/a\.ipynb and a\.ipynb would share the run runs/a\.ipynb"):
            run_paths(["notebooks/a.ipynb", "a.ipynb"], Config())


class TestMaking:
    def test_run_state_goes_and_what_it_is_of_comes(self) -> None:
        nb = ran(
            code("1", custom=1),
            papermill={"duration": 3},
            widgets={"state": {}},
            mine=1,
            language_info={"name": "python"},
        )
        nb["cells"][0]["metadata"] = {"papermill": {"status": "x"}, "execution": {"t": 1}, "tags": ["t"], "mine": 2}
        found = settled(nb, {"n": 1})
        sha = notebook.source_sha256(as_notebook(nb))
        own = {"parameters": {"n": 1}, "source_sha256": sha}
        assert found["metadata"] == {"mine": 1, "language_info": {"name": "python"}, "nbpr": own}
        assert found["cells"][0]["metadata"] == {"tags": ["t"], "mine": 2}
        assert found["cells"][0]["custom"] == 1
        assert found["cells"][0]["outputs"][0]["text"] == "1 in <repo>\n"
        assert nb["cells"][0]["outputs"][0]["text"] == "1 in /tmp/tree\n"

    def test_a_cell_without_the_outputs_it_had_says_so_and_looks_unrun_to_nbval(self) -> None:
        nb = ran(code("1", "nbpr-private"), code("2"), code("# NBVAL_CHECK_OUTPUT\n3"), markdown("m"))
        counts = [cell.get("execution_count") for cell in settled(nb)["cells"]]
        assert counts == [None, 2, 3, None]
        assert settled(nb)["cells"][0]["metadata"] == {"tags": ["nbpr-private"], "nbpr-left-out": "private"}
        marked = settled(nb, outputs="marked")["cells"]
        assert [bool(cell["outputs"]) for cell in marked[:3]] == [False, False, True]
        assert marked[1]["metadata"] == {"nbpr-left-out": 'outputs = "marked"'}
        assert [bool(cell["outputs"]) for cell in settled(nb, outputs="none")["cells"][:3]] == [False] * 3

    def test_large_outputs_give_way_the_largest_first(self) -> None:
        nb = ran(code("1"), code("2"), code("3"))
        for cell, size in zip(nb["cells"], (5_000, 9_000, 7_000), strict=True):
            cell["outputs"][0]["text"] = "x" * size
        kept = [cell["outputs"][0]["text"].startswith("x") for cell in settled(nb, max_output=8_000)["cells"]]
        assert kept == [True, False, True]
        kept = [cell["outputs"][0]["text"].startswith("xxx") for cell in settled(nb, max_run=6_000)["cells"]]
        assert kept == [True, False, False]

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["a", "# NBVAL_CHECK_OUTPUT\nb", ""]),
                st.lists(st.sampled_from(["x\n", "/tmp/tree/y", "\r", "/home/ada\n", "z" * 300]), max_size=4),
            ),
            max_size=4,
        ),
        st.sampled_from(["all", "marked", "scraps", "none"]),
        st.sampled_from([100, 600, 10_000]),
    )
    def test_making_one_of_one_changes_nothing_and_no_worktree_is_left(
        self, cells: list[tuple[str, list[str]]], policy: str, most: int
    ) -> None:
        nb = ran(*(code(source) for source, _ in cells))
        for cell, (_, texts) in zip(nb["cells"], cells, strict=True):
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text} for text in texts]
        once = settled(nb, outputs=policy, max_output=most, max_run=2 * most)
        again = settled(reference.load(to_bytes(once), "run"), outputs=policy, max_output=most, max_run=2 * most)
        if most == 10_000:  # a note may itself be over a limit of a few bytes
            for cell in (*once["cells"], *again["cells"]):
                cell["metadata"] = {}  # what was left out of a run is not left out of a run of it
            assert to_bytes(again) == to_bytes(once)
        assert b"/tmp/tree" not in to_bytes(once)
        assert b"/home/ada" not in to_bytes(once)


class TestWriting:
    def test_as_nbformat_writes(self) -> None:
        nb = ran(
            code("a\n\nb\u2028c"), markdown("é 漢\n"), code(""), kernelspec={"name": "python3", "display_name": "x"}
        )
        nb["cells"][0]["outputs"] += [
            {
                "output_type": "display_data",
                "metadata": {},
                "data": {
                    "text/html": "<a>\n</a>",
                    "image/png": "aGVs\nbG8=\n",
                    "image/svg+xml": "<svg>\n</svg>",
                    "application/json": {"b": [1.5, None], "a": "x\ny"},
                    "application/javascript": "a\nb",
                },
            },
            {"output_type": "error", "ename": "E", "evalue": "v\nw", "traceback": ["a\nb", "c"]},
        ]
        theirs = nbformat.writes(nbformat.from_dict(copy.deepcopy(nb)), version=nbformat.NO_CONVERT) + "\n"
        assert to_bytes(nb).decode() == theirs

    def test_half_pairs_and_nan_survive(self) -> None:
        nb = ran(code("1"))
        nb["cells"][0]["outputs"][0]["text"] = "\ud83d"
        nb["metadata"]["x"] = float("nan")
        found = reference.load(to_bytes(nb), "run")
        assert "".join(found["cells"][0]["outputs"][0]["text"]) == "\ud83d"
        assert str(found["metadata"]["x"]) == "nan"

    def test_what_is_no_run_is_told(self) -> None:
        with pytest.raises(BadInput, match=r"runs/a\.ipynb: not JSON"):
            reference.load(b"[nope]", "runs/a.ipynb")


class TestInStep:
    nb = made_of(code("n = 1", "parameters"), markdown("m"), code("print(n)"))

    def of(self, **changes: Any) -> dict[str, Any]:
        return settled(ran(*self.nb["cells"]), **changes)

    def test_with_its_own_source_and_parameters(self) -> None:
        made = self.of(parameters={"n": 1})
        assert in_step(made, as_notebook(self.nb), {"n": 1})
        assert in_step(reference.load(to_bytes(made), "r"), as_notebook(self.nb), {"n": 1})
        assert reference.parameters_of(made) == {"n": 1}

    @pytest.mark.parametrize("parameters", [{}, {"n": 2}, {"n": 1.0}, {"n": True}, {"n": 1, "m": 1}])
    def test_not_with_others(self, parameters: dict[str, Any]) -> None:
        assert not in_step(self.of(parameters={"n": 1}), as_notebook(self.nb), parameters)

    def test_not_of_another_source_or_order_or_tags(self) -> None:
        made, cells = self.of(), self.nb["cells"]
        assert in_step(made, as_notebook(made_of(*cells)), {})
        assert in_step(made, as_notebook(made_of(cells[0], markdown("other"), markdown("new"), cells[2])), {})
        assert not in_step(made, as_notebook(made_of(cells[0], code("print(n )"))), {})
        assert not in_step(made, as_notebook(made_of(cells[2], cells[0])), {})
        assert not in_step(made, as_notebook(made_of(cells[0], code("print(n)", "nbval-skip"))), {})

    def test_not_one_that_somebody_edited(self) -> None:
        made = self.of()
        made["cells"][2] = {**made["cells"][2], "source": "print('better')"}
        assert not in_step(made, as_notebook(self.nb), {})

    @pytest.mark.parametrize("metadata", [{}, {"nbpr": 1}, {"nbpr": {"source_sha256": None, "parameters": []}}, None])
    def test_not_one_that_does_not_say(self, metadata: Any) -> None:
        assert not in_step({**self.of(), "metadata": metadata}, as_notebook(self.nb), {})


@pytest.mark.kernel
class TestRealRuns:
    def test_the_same_run_gives_the_same_bytes(self, tmp_path: Path) -> None:
        nb = made_of(
            "import os, sys, warnings\nprint(os.getcwd(), object())\nprint('e', file=sys.stderr)",
            "warnings.warn('careful')",
            "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
            code("raise ValueError(os.getcwd())", "raises-exception"),
            "for k in range(3):\n    print(k)\n    print(k, file=sys.stderr)",
        )
        made = []
        for name in ("one", "another, longer"):
            folder = tmp_path / name
            folder.mkdir()
            executed = run(nb, folder).notebook
            patterns = outputs.patterns([(folder, "<repo>")])
            sha = notebook.source_sha256(as_notebook(nb))
            made.append(
                to_bytes(
                    reference.reference(executed, source_sha256=sha, parameters={}, patterns=patterns, config=Config())
                )
            )
        assert made[0] == made[1]
        assert b"image/png" in made[0]
        assert b"<ipykernel>:1: UserWarning: careful" in made[0]
        assert str(tmp_path).encode() not in made[0]

    @pytest.mark.parametrize(
        "cells",
        [
            (markdown("a"), code("n = 1", "parameters"), markdown("b"), code("print(n)")),
            (code("print(n)"), markdown("b")),
            (code("n = 1", "parameters"), markdown("b"), code("n = 0", "injected-parameters"), code("print(n)")),
            (code("print(1)", "nbpr-private"), markdown("b"), code("n = 1", "parameters")),
        ],
    )
    @pytest.mark.parametrize("parameters", [{"n": 5}, pytest.param({}, marks=pytest.mark.soak)])
    def test_markdown_taken_over_is_what_a_new_run_would_give(
        self, tmp_path: Path, cells: tuple[dict[str, Any], ...], parameters: dict[str, Any]
    ) -> None:
        if not parameters and cells[0]["source"] == "print(n)":
            cells = (code("n = 2"), *cells)
        changed = (
            markdown("# New"),
            *({**cell, "source": "other"} if cell["cell_type"] == "markdown" else cell for cell in cells),
        )
        before, after = (made_of(*each, mine=len(each)) for each in (cells, changed))
        old, new = (self._settled(nb, tmp_path, parameters) for nb in (before, after))
        assert in_step(old, as_notebook(after), parameters)
        taken = markdown_taken_over(reference.load(to_bytes(old), "run"), as_notebook(after))
        ids = [cell.pop("id") for side in (taken, new) for cell in side["cells"]]
        assert len(ids) == 2 * len(new["cells"])
        assert to_bytes(taken) == to_bytes(new)
        assert to_bytes(taken) != to_bytes(old)

    def _settled(self, nb: dict[str, Any], folder: Path, parameters: dict[str, Any]) -> dict[str, Any]:
        executed = run(nb, folder, parameters=parameters).notebook
        sha = notebook.source_sha256(as_notebook(nb))
        return reference.reference(executed, source_sha256=sha, parameters=parameters, patterns=(), config=Config())


def test_json_of_a_run_is_what_nbformat_takes() -> None:
    found = json.loads(to_bytes(settled(ran(code("1"), markdown("m")))))
    nbformat.validate(found)
