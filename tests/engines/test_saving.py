"""What has run is saved while the run goes on: seldom enough, whole or not at all, and of a run that is killed too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nbpr.engines import saving
from nbpr.engines.saving import WHOLE, Saving
from tests.kernels import code, notebook


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def outputs(size: int) -> list[dict[str, Any]]:
    return [{"output_type": "stream", "name": "stdout", "text": "x" * 79 + "\n"}] if size == 0 else [
        {"output_type": "stream", "name": "stdout", "text": ("x" * 79 + "\n") * (size // 80)}
    ]  # fmt: skip


def test_fifty_cells_and_twenty_megabytes_are_not_written_fifty_times(folder: Path) -> None:
    cells = [code(f"print({n})") | {"id": str(n), "metadata": {}} for n in range(50)]
    (folder / WHOLE).write_text(json.dumps(notebook(*(cell["source"] for cell in cells))))
    made = Saving({"place": str(folder / "a.ipynb"), "ignored": None}, lambda: (cells, None), often=0.01)
    began = time.monotonic()
    for number, cell in enumerate(cells):
        cell |= {"outputs": outputs(400_000), "execution_count": number + 1}
        made.changed()
        time.sleep(0.02)
    made.end()
    assert len(made.took) < 25
    assert sum(made.took[:-1]) < 0.5 * (time.monotonic() - began)
    made.save()
    left = nbformat.read(folder / "a.ipynb", as_version=4)
    nbformat.validate(left)
    assert [cell.execution_count for cell in left.cells] == list(range(1, 51))


def test_what_the_disk_does_not_take_leaves_the_last_good_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [{**code("print(1)"), "id": "0", "outputs": outputs(80), "execution_count": 1}]
    (folder / WHOLE).write_text(json.dumps(notebook("print(1)")))
    made = Saving({"place": str(folder / "r" / "a.ipynb"), "ignored": [str(folder / ".gitignore"), "x\n"]},
                  lambda: (cells, None), often=60)  # fmt: skip
    made.save()
    good = (folder / "r" / "a.ipynb").read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    cells[0]["outputs"] = outputs(8000)
    made.save()
    assert (folder / "r" / "a.ipynb").read_bytes() == good
    assert [path.name for path in (folder / "r").iterdir()] == ["a.ipynb"]
    monkeypatch.undo()
    os.chdir(folder)
    made.save()
    assert (folder / "r" / "a.ipynb").read_bytes() != good
    assert (folder / ".gitignore").read_text() == "x\n"
    made.end()


def test_a_disk_that_is_full_at_any_save_leaves_the_one_before(folder: Path) -> None:
    """Every save in turn is the first that does not fit, by the limit that the system sets; the next one is whole."""
    script = """
import json, resource, signal, sys
from pathlib import Path
from nbpr.engines.saving import WHOLE, Saving
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
cells = json.loads(Path("cells.json").read_bytes())
place = Path("r") / "a.ipynb"
saving = Saving({"place": str(place), "ignored": None}, lambda: (cells, None), often=3600)
for number, cell in enumerate(cells):
    before = place.read_bytes() if place.exists() else None
    said = {"output_type": "stream", "name": "stdout", "text": "x" * 999}
    cell |= {"outputs": [said], "execution_count": number + 1}
    for most in (0, 1, len(before or b"") + 500):
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        saving.save()
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert (place.read_bytes() if place.exists() else None) == before, (number, most)
        assert [one.name for one in place.parent.iterdir()] == ([] if before is None else ["a.ipynb"])
    saving.save()
    now = json.loads(place.read_bytes())
    assert [one["execution_count"] for one in now["cells"][: number + 1]] == list(range(1, number + 2))
print("saves:", len(saving.took))
"""
    sources = [f"print({n})" for n in range(20)]
    (folder / WHOLE).write_text(json.dumps(notebook(*sources)))
    cells = [{**code(source), "id": str(n), "metadata": {}} for n, source in enumerate(sources)]
    (folder / "cells.json").write_text(json.dumps(cells))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "saves: 80"), done.stderr


def test_an_output_that_grows_meanwhile_is_written_another_time(folder: Path) -> None:
    (folder / WHOLE).write_text(json.dumps(notebook("print(1)")))

    def cells() -> Any:
        raise RuntimeError("dictionary changed size during iteration")

    made = Saving({"place": str(folder / "a.ipynb"), "ignored": None}, cells, often=60)
    made.save()
    assert not (folder / "a.ipynb").exists()
    made.end()


# -- of a real run -----------------------------------------------------------------------------------------

SLOW = "import time\nfor k in range(40):\n    print(k, flush=True)\n    time.sleep(0.1)"


def begun(root: Path, *words: str) -> subprocess.Popen[bytes]:
    """`nbpr run` of a notebook whose first cell has run, and whose second one runs."""
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    nb = notebook("print('ran')", f"open('at', 'w').close()\n{SLOW}", "print('no')",
                  kernelspec={"name": "python3", "display_name": "x", "language": "python"})  # fmt: skip
    (root / "a.ipynb").write_text(json.dumps(nb))
    argv = [sys.executable, "-m", "nbpr", "run", "a.ipynb", *words]
    started = subprocess.Popen(argv, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(root / "at")
    return started


def until(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} is not there after 30 s")


@pytest.mark.kernel
@pytest.mark.slow
def test_of_a_run_whose_nbpr_is_killed_all_that_ran_is_left(tmp_path: Path) -> None:
    out = tmp_path / "out.ipynb"
    out.write_text("the last good one")
    started = begun(tmp_path, "--output", str(out))
    time.sleep(0.5)
    started.send_signal(signal.SIGKILL)
    started.wait()
    partial = tmp_path / "out.partial.ipynb"
    until(partial)
    time.sleep(0.5)
    left = nbformat.read(partial, as_version=4)
    nbformat.validate(left)
    assert [cell.metadata.papermill.status for cell in left.cells] == ["completed", "failed", "pending"]
    assert left.cells[0].outputs[0].text == "ran\n"
    assert left.cells[1].outputs[0].text.startswith("0\n1\n")
    assert out.read_text() == "the last good one"


@pytest.mark.kernel
@pytest.mark.slow
def test_a_run_is_saved_while_it_goes_on_and_git_does_not_see_it(tmp_path: Path) -> None:
    started = begun(tmp_path)
    folder = tmp_path / "runs" / "a.runs"
    until(folder)
    status = ["git", "-C", str(tmp_path), "status", "--porcelain", "--", "runs/*.runs"]
    (place,) = folder.glob("*.ipynb")
    left = nbformat.read(place, as_version=4)
    assert [cell.metadata.papermill.status for cell in left.cells] == ["completed", "pending", "pending"]
    started.wait(60)
    assert not folder.exists()
    assert subprocess.run(status, capture_output=True, check=True).stdout == b""
    assert saving.WHOLE not in [path.name for path in tmp_path.iterdir()]
