"""nbval itself, as people run it, and nbval over what was recorded once: the same verdict on every cell.

`pytest --nbval-lax` starts a kernel of its own for each generated notebook, whose outputs are partly another run's; its
report is read from JUnit XML, with nothing of ours in between. Ours runs the same notebook once and compares.
"""

from __future__ import annotations

import copy
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from nbpr import process
from nbpr.engines import nbval
from tests.engines.test_nbval import CHECK, recorded
from tests.kernels import code, markdown, notebook

#: How many notebooks the soak takes, and how many of them `make test` does.
MANY, FEW = 200, 3
#: So many to one pytest of nbval's, which takes longer to start than a notebook to run.
BATCH = 10

SANITIZE = "[times]\nregex: took \\d+ ms\nreplace: TIME\n\n[ids]\nregex: id-[0-9a-f]+\nreplace: ID\n"

Outputs = list[dict[str, Any]]


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def data(kind: str = "display_data", **mimes: Any) -> dict[str, Any]:
    count = {"execution_count": 1} if kind == "execute_result" else {}
    return {"output_type": kind, "data": {k.replace("_", "/"): v for k, v in mimes.items()}, "metadata": {}, **count}


#: Sources that give the same each time, whatever ran before.
QUIET = (
    "x = 1",
    "print('a line')",
    "for n in range(3):\n    print(n)",
    "import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('out again')",
    "1 + 1",
    "'text' * 2",
    "[1.5, 2.25]",
    "from IPython.display import HTML, display\ndisplay(HTML('<b>x</b>'), 3)",
    "display({'text/plain': 'p', 'text/latex': '$x$'}, raw=True)",
    "display({'application/json': {'a': [1, 2]}, 'text/plain': 'j'}, raw=True)",
    "display({'image/png': 'iVBORw0KGgo=', 'text/plain': '<Figure>'}, raw=True)",
    "print('a\\rb')\nprint('no end', end='')",
    "print('ünïcode → 漢 😀')",
    "",
    "# only a comment",
    "%who_ls no_such_type",
)
#: Sources whose results differ each time, but for what the sanitize file takes out.
NOISY = (
    "import time\nprint(time.time_ns())",
    "import time\ntime.time_ns()",
    "import time\nfrom IPython.display import HTML\nHTML(f'<i>{time.time_ns()}</i>')",
    "import time, sys\nprint(time.time_ns(), file=sys.stderr)",
    "%time y = 1",
)
SANITISED = (
    "import time\nprint(f'took {time.time_ns() % 1000} ms')",
    "import uuid\n'id-' + uuid.uuid4().hex",
    "import time, uuid\nprint('id-' + uuid.uuid4().hex, f'took {time.time_ns() % 77} ms')",
)
RAISING = ("1 / 0", "raise ValueError('x')", "undefined_name", "print('before')\nint('a')", "%no_such_magic")

#: What another run gave instead of what this one gives.
MUTATIONS: tuple[Callable[[Outputs], Outputs], ...] = (
    lambda outputs: [stream("another\n")],
    lambda outputs: [*outputs, stream("one more\n")],
    lambda outputs: [],
    lambda outputs: [stream("to stderr\n", "stderr")],
    lambda outputs: [data(text_plain="another")],
    lambda outputs: [data("execute_result", text_plain="another", text_html="<p>another</p>")],
    lambda outputs: [data(image_png="AAAA", text_plain="<Figure>")],
    lambda outputs: [data(text_latex="$y$", text_plain="p")],
    lambda outputs: outputs[::-1],
    lambda outputs: [{"output_type": "error", "ename": "E", "evalue": "e", "traceback": []}],
)


def another_run(outputs: Outputs) -> Outputs:
    """The outputs of a noisy cell as another run might have given them: with other digits."""
    return json.loads(json.dumps(outputs).translate(str.maketrans("0123456789", "1234567890")))  # type: ignore[no-any-return]


def _is_noisy(cell: dict[str, Any]) -> bool:
    return any(sign in cell["source"] for sign in ("time", "uuid"))


def generated(number: int) -> tuple[dict[str, Any], Callable[[dict[str, Any]], dict[str, Any]]]:
    """A notebook that has not run, and how the reference run that it is compared with differs from its own run."""
    chance = random.Random(number)
    cells: list[dict[str, Any]] = []
    for _ in range(chance.randint(3, 9)):
        if chance.random() < 0.1:
            cells.append(markdown("# Words"))
        cells.append(_cell(chance))
    if chance.random() < 0.3:  # the last of the cells raises without leave, so that the rest is compared all the same
        cells.append(_marked(chance, chance.choice(RAISING), chance.choice(("", CHECK))))
    mutated = {
        place: chance.choice(MUTATIONS) if chance.random() < 0.25 else another_run
        for place, cell in enumerate(cells)
        if _is_noisy(cell) or chance.random() < 0.25
    }

    def mutate(run: dict[str, Any]) -> dict[str, Any]:
        changed = copy.deepcopy(run)
        for place, mutation in mutated.items():
            cell = changed["cells"][place]
            if cell["cell_type"] == "code":
                cell["outputs"] = mutation(cell["outputs"])
        return changed

    return notebook(*cells), mutate


def _cell(chance: random.Random) -> dict[str, Any]:
    kind = chance.choices(("quiet", "noisy", "sanitised", "skipped", "allowed", "raising"), (10, 2, 2, 1.5, 2, 0.6))[0]
    check = chance.choice((CHECK, CHECK, "", "# NBVAL_IGNORE_OUTPUT\n"))
    if kind == "skipped":
        return _marked(chance, chance.choice((*QUIET, *RAISING)), f"{check}# NBVAL_SKIP\n")
    if kind == "allowed":
        return _marked(chance, chance.choice((*RAISING, *QUIET)), f"{check}# NBVAL_RAISES_EXCEPTION\n")
    sources = {"quiet": QUIET, "noisy": NOISY, "sanitised": SANITISED, "raising": RAISING}[kind]
    return _marked(chance, chance.choice(sources), check)


def _marked(chance: random.Random, source: str, marks: str) -> dict[str, Any]:
    """A cell with its marks as comments, or as tags, or both."""
    words = [line.removeprefix("# ") for line in marks.splitlines()]
    tags = [word.lower().replace("_", "-") for word in words]
    # A cell magic has to be in the first line, and so has no comment above it.
    how = "tags" if source.startswith("%") else chance.choice(("comments", "comments", "tags", "both"))
    return code((marks if how != "tags" else "") + source, *(tags if how != "comments" else ()))


def nbvals_own(folder: Path, runs: dict[str, dict[str, Any]]) -> dict[str, dict[int, tuple[str, str]]]:
    """What `pytest --nbval-lax` says of each code cell of notebooks, by their names.

    That is passed, failed or skipped, and nbval's own words, for whoever has to find out why.
    """
    for name, run in runs.items():
        (folder / f"{name}.ipynb").write_text(json.dumps(run))
    words = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-sanitize-with", "sanitize.cfg", "-q", "--color=no"]
    words += ["-p", "nbval.plugin", "-p", "no:cacheprovider", "-p", "no:xdist", "--nbval-cell-timeout", "60"]
    words += ["-c", "pytest.ini", "--junitxml", "report.xml", *(f"{name}.ipynb" for name in runs)]
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {**process.kernel_environment(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "HOME": os.environ["HOME"]}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, dict[int, tuple[str, str]]] = {name: {} for name in runs}
    for case in ElementTree.parse(folder / "report.xml").iter("testcase"):
        name = case.get("classname", "").split(".")[0]
        kinds = {child.tag for child in case}
        verdict = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        words_of = " ".join(child.get("message") or "" for child in case)
        found[name][int(str(case.get("name")).removeprefix("Cell "))] = verdict, words_of
    return found


def agreed(numbers: range, folder: Path) -> Counter[str]:
    """How many notebooks and cells there were, and how many had the same verdict; fails at the first that has not."""
    counts: Counter[str] = Counter()
    (folder / "sanitize.cfg").write_text(SANITIZE)
    references, ours = {}, {}
    for number in numbers:
        made, mutate = generated(number)
        run = recorded(made, folder)
        references[f"n{number}"] = mutate(run)
        ours[f"n{number}"] = nbval.compare(references[f"n{number}"], run, sanitize_with=folder / "sanitize.cfg")
    theirs = nbvals_own(folder, references)
    for name, verdicts in ours.items():
        assert len(theirs[name]) == len(verdicts), name
        counts["notebooks"] += 1
        # A cell that raises without leave ends our run, where nbval goes on: what follows is not compared. So does a
        # magic that there is not, whose cell both let pass: it gives no error, but a line on stderr.
        ran = next((at for at, each in enumerate(verdicts) if each.message == "it did not run"), len(verdicts))
        sources = [cell["source"] for cell in references[name]["cells"] if cell["cell_type"] == "code"]
        assert (
            ran == len(verdicts)
            or any(each.verdict == "failed" for each in verdicts[:ran])
            or any("%no_such_magic" in source for source in sources[:ran])
        ), name
        counts["after a cell that raises"] += len(verdicts) - ran
        if any(verdict.verdict != theirs[name][at][0] for at, verdict in enumerate(verdicts[:ran])):
            # A run of nbval's own gives up when a kernel says nothing for 5 s, as on a machine that stands still: what
            # counts is what it says when it is asked again.
            counts["asked again"] += 1
            print(name, theirs[name])
            theirs |= nbvals_own(folder, {name: references[name]})
        for number, verdict in enumerate(verdicts[:ran]):
            assert verdict.verdict == theirs[name][number][0], (name, number, theirs[name][number], verdict)
            counts[verdict.verdict] += 1
            counts["compared outputs"] += verdict.checked
    return counts


@pytest.mark.kernel
@pytest.mark.slow
def test_on_generated_notebooks(tmp_path: Path) -> None:
    counts = agreed(range(FEW), tmp_path)
    assert counts["notebooks"] == FEW
    assert min(counts[verdict] for verdict in ("passed", "failed", "skipped")) > 0


@pytest.mark.soak
@pytest.mark.kernel
@pytest.mark.parametrize("first", range(0, MANY, BATCH))
def test_on_many_generated_notebooks(tmp_path: Path, first: int) -> None:
    counts = agreed(range(first, first + BATCH), tmp_path)
    assert counts["notebooks"] == BATCH
    print(json.dumps(counts))
