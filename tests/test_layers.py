"""The house: imports go down only, git is called in one room, and starting up is cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "nbpr"

#: The floors, from the top down; rooms in one line stand on one floor. A room may import what stands below it.
FLOORS = """
__main__
cli.main
cli
executor
demo
proposals.proposals pulls sync
reviews
gate
proposals.announcements keepsakes
proposals.messages
proposals.proofs
proposals.planning
proposals.subjects
proposals.plans
proposals.workingcopy
proposals.merging
inspection
runs.validation runs.treeruns comparison setup.doctor
ranges history
diffdriver mergedriver
setup.setup setup.usersetup setup.driverstate
setup.setupsteps setup.phantoms setup.workflows setup.drivers
runs.scraplist runs.paramsfile runs.sweeps runs.scraptable
render
gate.result
proposals.identity
forges
forges.access
forges.gitea forges.github
forges.local forges.server
forges.delivery
forges.agit forges.attachments forges.checkruns forges.choice forges.forking forges.forks forges.graphql forges.merges
forges.reviews
forges.pictures forges.shown forges.titles
forges.http
forges.answer forges.api
forges.pullrequest
forges.remarks forges.status
git.pushed
git.staging
git.checkout
git.branches git.changes git.states
git.tracked setup.hooks runs.presence
git.worktrees
git.repository
git.workspaces
git.objects
git.credentials
tokens
notebooks.content
filters git.attributes
filterprocess
pktline
runs.runs
runs.keeping
runs.proven
runs.attempt
runs.record runs.surroundings
runs.runkey
engines
runs.installed
runs.reference runs.interpreters runs.sandbox storage
runs.kernelspecs runs.outputs
checks
notebooks.edits
notebooks.bench notebooks.editlist
diff
notebooks.clean notebooks.scraps notebooks.parameters notebooks.markers notebooks.celltext notebooks.allowlist
notebooks.imports notebooks.celllines
notebooks.assignments
notebooks.notebook
notebooks.cell notebooks.wholefile
notebooks.jsontext
notebooks.jsonscan
notebooks.cleantext
notebooks.runstate
config
places
evidence
findings
process runs.runcache batch cienv
git.locks steps
errors
redaction
writings
"""


def floor_of(room: str) -> int:
    """The floor of a room: by its own name, else by its folder's. 0 is the top."""
    for number, line in enumerate(FLOORS.split("\n")):
        if room in line.split():
            return number
    folder = room.rpartition(".")[0]
    assert folder, f"{room} stands on no floor: put it into the list"
    return floor_of(folder)


def rooms() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    found.pop("", None)
    return found


def imports(path: Path, known: set[str]) -> set[str]:
    """The rooms that a file imports, at its top or inside its functions, for types too."""
    wanted: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            wanted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named = {f"{node.module}.{alias.name}" for alias in node.names}
            inner = {name for name in named if name.removeprefix("nbpr.") in known}
            wanted |= inner if inner == named else inner | {node.module}
    ours = {name.removeprefix("nbpr.") for name in wanted if name.startswith("nbpr.")}
    return {name for name in ours if name in known}


@pytest.mark.parametrize("room", sorted(rooms()))
def test_imports_go_down_only(room: str) -> None:
    known = rooms()
    family = room.split(".")[0]
    for target in imports(known[room], set(known)):
        if target == room or (target.split(".")[0] == family and not {room, target} & set(FLOORS.split())):
            continue  # within a folder its own rooms order themselves; circles are looked for below
        assert floor_of(room) <= floor_of(target), f"{room} imports {target}, which stands above it"


def test_no_circles() -> None:
    known = rooms()
    arrows = {room: imports(path, set(known)) - {room} for room, path in known.items()}
    done: set[str] = set()

    def walk(room: str, way: tuple[str, ...]) -> None:
        assert room not in way, f"a circle: {' -> '.join([*way[way.index(room) :], room])}"
        if room in done:
            return
        for target in sorted(arrows[room]):
            walk(target, (*way, room))
        done.add(room)

    for room in arrows:
        walk(room, ())


@pytest.mark.parametrize("room", sorted(rooms()))
def test_git_is_called_in_one_room(room: str) -> None:
    text = rooms()[room].read_text(encoding="utf-8")
    if room not in ("git.repository", "git.objects"):
        assert '"git"' not in text.replace('FROM = "git"', ""), f"{room} starts git itself"
        assert "import git" not in text
    if room != "process" and not room.startswith(("engines", "cli")):
        assert "import subprocess" not in text, f"{room} starts processes itself"


@pytest.mark.parametrize("room", [name for name in rooms() if not name.startswith(("cli", "__main__"))])
def test_no_use_case_knows_the_command_line(room: str) -> None:
    assert "typer" not in rooms()[room].read_text(encoding="utf-8").replace("`typer`", "")


def imported(*words: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after running `words`."""
    code = f"import sys; sys.argv = ['nbpr', *{words!r}]\n"
    code += "import nbpr\nif sys.argv[1:]:\n    from nbpr.__main__ import main\n    try:\n        main()\n"
    code += "    except SystemExit:\n        pass\nprint(); print('MODULES', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("MODULES ")[2].split())


HEAVY = {"nbformat", "papermill", "pandas", "nbdime", "pytest", "jsonschema", "git", "scrapbook", "nbclient"}


def test_importing_and_asking_the_version_loads_nothing_heavy() -> None:
    for words in ((), ("--version",)):
        assert not imported(*words) & (HEAVY | {"typer"})


def test_reading_cells_loads_nothing_heavy(tmp_path: Path) -> None:
    from nbpr.demo import NOTEBOOK, embedded

    (tmp_path / "nb.ipynb").write_bytes(embedded(NOTEBOOK))
    loaded = imported("cells", str(tmp_path / "nb.ipynb"), "--json")
    assert "nbpr.notebooks.notebook" in loaded
    assert not loaded & HEAVY
