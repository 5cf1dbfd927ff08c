"""Which kernel a notebook runs with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from nbpr import process
from nbpr.config import Execute
from nbpr.errors import BadInput
from nbpr.runs import interpreters
from nbpr.runs.interpreters import KernelChoice, NoKernel
from tests.kernels import notebook, run, texts

OURS = str(Path(sys.executable).absolute())


def choose(
    folder: Path, checkout: Path | None = None, kernel: str | None = "python3", language: str = "python", **execute: Any
) -> KernelChoice:
    return interpreters.choose(
        folder, checkout or folder, kernel=kernel, language=language, execute=Execute(**execute), environment={}
    )


def environment_at(place: Path, *, ipykernel: bool = True) -> Path:
    """A folder that looks like an environment; its interpreter is a link to ours."""
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").symlink_to(sys.executable)
    (place / "pyvenv.cfg").write_text("home = /usr/bin\n")
    if ipykernel:
        package = place / "lib" / "python3.11" / "site-packages" / "ipykernel"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
    return place


def kernelspec(name: str, language: str = "python", argv: tuple[str, ...] = ("/bin/k", "{connection_file}")) -> Path:
    """A kernelspec of the user's."""
    folder = Path.home() / ".local" / "share" / "jupyter" / "kernels" / name
    folder.mkdir(parents=True)
    spec = {"argv": list(argv), "display_name": name, "language": language, "env": {"MINE": "1"}}
    (folder / "kernel.json").write_text(json.dumps(spec))
    return folder


def test_the_environment_of_the_notebooks_folder_goes_first(tmp_path: Path) -> None:
    inner = environment_at(tmp_path / "a" / ".venv")
    environment_at(tmp_path / "venv")
    chosen = choose(tmp_path / "a" / "b", tmp_path)
    assert (chosen.name, chosen.executable) == ("python3", str(inner / "bin" / "python"))
    assert chosen.spec["env"] == {"PATH": f"{inner}/bin{os.pathsep}{os.defpath}", "VIRTUAL_ENV": str(inner)}
    assert str(inner) in chosen.origin
    assert choose(tmp_path, tmp_path, kernel="mine").name == "mine"
    assert choose(tmp_path, tmp_path).executable == str(tmp_path / "venv" / "bin" / "python")


@pytest.mark.parametrize("name", [".conda", ".pixi/envs/default"])
def test_environments_of_other_tools(tmp_path: Path, name: str) -> None:
    made = environment_at(tmp_path / name)
    assert choose(tmp_path).executable == str(made / "bin" / "python")


def test_what_lies_above_the_checkout_is_nobodys(tmp_path: Path) -> None:
    environment_at(tmp_path / ".venv")
    assert choose(tmp_path / "checkout" / "a", tmp_path / "checkout").executable == OURS


def test_an_environment_without_ipykernel_is_passed_over_and_told(tmp_path: Path) -> None:
    venv.create(tmp_path / "a" / ".venv", symlinks=True)
    outer = environment_at(tmp_path / ".venv")
    chosen = choose(tmp_path / "a", tmp_path)
    assert chosen.executable == str(outer / "bin" / "python")
    assert len(chosen.notes) == 1
    assert f"{tmp_path}/a/.venv has no ipykernel" in chosen.notes[0]


def test_without_an_environment_the_named_kernelspec_is_taken(tmp_path: Path) -> None:
    kernelspec("mine")
    chosen = choose(tmp_path, kernel="mine")
    assert (chosen.name, chosen.executable, chosen.language) == ("mine", "/bin/k", "python")
    assert chosen.spec["env"] == {"MINE": "1"}
    assert choose(tmp_path, kernel="python3").executable == OURS


def test_a_broken_kernelspec_is_told(tmp_path: Path) -> None:
    (kernelspec("mine") / "kernel.json").write_text('{"argv": 1}')
    with pytest.raises(BadInput, match=r"kernels/mine/kernel\.json: not a kernelspec"):
        choose(tmp_path, kernel="mine")
    with pytest.raises(NoKernel):
        choose(tmp_path, kernel="../mine", language="klingon")


def test_kernelspecs_are_found_as_jupyter_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_client.kernelspec import KernelSpecManager

    kernelspec("mine", argv=("/bin/users", "{connection_file}"))
    other = tmp_path / "jupyter" / "kernels" / "mine"
    other.mkdir(parents=True)
    (other / "kernel.json").write_text(json.dumps({"argv": ["/bin/first"], "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    for name in ("mine", "MINE", "python3"):
        theirs = KernelSpecManager().get_kernel_spec(name).argv
        ours = choose(tmp_path, kernel=name).spec["argv"]
        assert ours[1:] == theirs[1:]
    assert choose(tmp_path, kernel="mine").executable == "/bin/first"


def test_the_only_one_of_the_language_stands_in_for_one_that_is_not_here(tmp_path: Path) -> None:
    kernelspec("ir", "R")
    chosen = choose(tmp_path, kernel="their-env")
    assert (chosen.name, chosen.executable) == ("python3", OURS)
    assert "names 'their-env', which is not here" in chosen.origin
    assert choose(tmp_path, kernel=None).name == "python3"
    assert choose(tmp_path, kernel=None, language="r").name == "ir"


def test_nothing_that_fits_is_told_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(NoKernel, match=r"there is no kernel 'tlh'; there are: .*python3"):
        choose(tmp_path, kernel="tlh", language="klingon")
    kernelspec("mine")
    with pytest.raises(NoKernel, match=r"the notebook names no kernel; there are: .*mine, .*python3") as caught:
        choose(tmp_path, kernel=None)
    assert caught.value.hint is not None
    assert "--kernel" in caught.value.hint


def test_a_notebook_of_another_language_does_not_run_in_a_python_environment(tmp_path: Path) -> None:
    environment_at(tmp_path / ".venv")
    kernelspec("ir", "R")
    assert choose(tmp_path, kernel="ir", language="r").executable == "/bin/k"


def test_what_is_asked_for_goes_over_everything(tmp_path: Path) -> None:
    environment_at(tmp_path / ".venv")
    other = environment_at(tmp_path / "other")
    kernelspec("mine")
    assert choose(tmp_path, kernel="mine", python="other").executable == str(other / "bin" / "python")
    assert choose(tmp_path, python=str(other / "bin" / "python")).executable == str(other / "bin" / "python")
    asked = interpreters.choose(
        tmp_path, tmp_path, kernel="python3", language="python", execute=Execute(kernel="mine"), environment={}
    )
    assert (asked.name, asked.origin) == ("mine", "--kernel")


def test_what_is_asked_for_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nowhere: no Python interpreter"):
        choose(tmp_path, python="nowhere")
    venv.create(tmp_path / "bare", symlinks=True)
    with pytest.raises(BadInput, match="bare: has no ipykernel") as caught:
        choose(tmp_path, python="bare")
    assert caught.value.hint == f"{tmp_path}/bare/bin/python -m pip install ipykernel"
    with pytest.raises(NoKernel, match="there is no kernel 'none'"):
        interpreters.choose(
            tmp_path, tmp_path, kernel=None, language="python", execute=Execute(kernel="none"), environment={}
        )


def test_the_python_path_is_the_worktrees_and_goes_before_one_that_is_there(tmp_path: Path) -> None:
    wanted = Execute(python_path=("src", "lib"))
    made = interpreters.choose(
        tmp_path,
        tmp_path,
        kernel="python3",
        language="python",
        execute=wanted,
        root=tmp_path / "worktree",
        environment={"PYTHONPATH": "/theirs", "PATH": "/bin"},
    )
    path = made.spec["env"]["PYTHONPATH"].split(os.pathsep)
    assert path == [f"{tmp_path}/worktree/src", f"{tmp_path}/worktree/lib", "/theirs"]
    kernelspec("ir", "R")
    assert "PYTHONPATH" not in choose(tmp_path, kernel="ir", language="r", python_path=("src",)).spec["env"]


def test_a_kernelspec_is_written_below_a_folder_of_the_runs_own(tmp_path: Path) -> None:
    folder = kernelspec("odd", argv=("/bin/k", "{resource_dir}/start", "{connection_file}"))
    assert choose(tmp_path, kernel="odd").write(tmp_path) == interpreters.PRIVATE
    spec = json.loads((tmp_path / "kernels" / interpreters.PRIVATE / "kernel.json").read_text())
    assert spec["argv"] == ["/bin/k", f"{folder}/start", "{connection_file}"]
    choose(tmp_path).write(tmp_path)
    spec = json.loads((tmp_path / "kernels" / interpreters.PRIVATE / "kernel.json").read_text())
    assert spec["argv"][:3] == [OURS, "-m", "ipykernel_launcher"]
    assert spec["env"]["IPYTHONDIR"] == str(tmp_path / "ipython")


def test_what_an_interpreter_is(tmp_path: Path) -> None:
    found = interpreters.environment(choose(tmp_path))
    version = "{}.{}.{}".format(*sys.version_info[:3])
    assert (found.python, found.executable) == (version, OURS)
    assert found.packages_sha256 is not None
    assert found.packages_sha256.startswith("sha256:")
    assert set(found.folders.values()) == {"<site-packages>", "<stdlib>"}
    assert found.as_json() == {"python": version, "executable": OURS, "packages_sha256": found.packages_sha256}


def test_other_packages_are_another_environment(tmp_path: Path) -> None:
    venv.create(tmp_path / "one", symlinks=True)
    before = interpreters.environment(KernelChoice("k", {"argv": [], "language": "python"}, _python(tmp_path), ""))
    interpreters._described.cache_clear()
    site = next((tmp_path / "one" / "lib").glob("python3*/site-packages"))
    (site / "fleet-1.0.dist-info").mkdir()
    after = interpreters.environment(KernelChoice("k", {"argv": [], "language": "python"}, _python(tmp_path), ""))
    assert before.packages_sha256 != after.packages_sha256
    assert before.python == after.python


def _python(folder: Path) -> str:
    return str(folder / "one" / "bin" / "python")


def test_what_does_not_start_and_what_is_not_python_is_known_by_name_alone() -> None:
    for language in ("python", "R"):
        found = interpreters.environment(KernelChoice("k", {"argv": [], "language": language}, "/none", ""))
        assert found.as_json() == {"python": None, "executable": "/none", "packages_sha256": None}


@pytest.mark.kernel
def test_a_real_environment_runs_with_its_own_interpreter(tmp_path: Path) -> None:
    venv.create(tmp_path / ".venv", symlinks=True, system_site_packages=True)
    site = next((tmp_path / ".venv" / "lib").glob("python3*/site-packages"))
    ours = subprocess.run(
        [sys.executable, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    (site / "ours.pth").write_text(ours + "\n")
    chosen = choose(tmp_path)
    assert chosen.executable == str(tmp_path / ".venv" / "bin" / "python")
    executed = run(notebook("import sys\nprint(sys.prefix)", "!python -c 'import sys; print(sys.prefix)'"), tmp_path)
    assert texts(executed.notebook)[0] == f"{tmp_path}/.venv\n"
    assert texts(executed.notebook)[1].strip() == f"{tmp_path}/.venv"


def test_an_interpreter_that_does_not_answer_has_no_ipykernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object, timeout: float | None = None, **__: object) -> None:
        assert timeout is not None, "it would be waited for without an end"
        raise subprocess.TimeoutExpired("python", timeout)

    monkeypatch.setattr(process, "run", silent)
    assert not interpreters._has_ipykernel(tmp_path / "bin" / "python")
