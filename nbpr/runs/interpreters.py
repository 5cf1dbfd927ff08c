"""Which kernel a notebook runs with: the project's, not ours.

In this order: `--python` or `--kernel`, from a flag or the configuration; the environment that belongs to the
notebook's folder; the kernelspec that the notebook names; the only one there is for its language.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from nbpr import process
from nbpr.config import Execute
from nbpr.errors import BadInput, CheckFailed
from nbpr.runs import kernelspecs

#: The name under which a run's private folder holds the chosen kernel.
PRIVATE = "nbpr"

#: Where tools put the environment of a project: venv and uv, virtualenv, conda (`-p`), pixi.
_ENVIRONMENTS = (".venv", "venv", ".conda", ".pixi/envs/default")

#: ZeroMQ drops messages that a slow reader has not taken yet: 300,000 printed lines lost a third of themselves
#: and the run still succeeded. With XPUB_NODROP the kernel waits instead. The socket belongs to ipykernel's
#: output thread, so that thread sets it. One expression, since what it assigned would be the notebook's.
_LOSE_NO_OUTPUT = (
    "(lambda app, zmq: app.iopub_thread.schedule("
    "lambda: app.iopub_thread.socket.setsockopt(zmq.XPUB_NODROP, 1)))"
    "(__import__('ipykernel.kernelapp', fromlist=['_']).IPKernelApp.instance(), __import__('zmq'));"
)
_IPYKERNEL_OPTIONS = ("--HistoryManager.hist_file=:memory:", f"--IPKernelApp.exec_lines={_LOSE_NO_OUTPUT}")


class NoKernel(CheckFailed):
    """There is no kernel that the notebook could run with."""


@dataclass(frozen=True)
class KernelChoice:
    """A kernel: the `name` for the record, its kernelspec (`argv`, `env`, `language`, …) and why this one.

    `executable` is the interpreter where the kernel is one of Python, else the program that is started.
    """

    name: str
    spec: Mapping[str, Any]
    executable: str
    origin: str
    notes: tuple[str, ...] = ()

    @property
    def language(self) -> str:
        """The kernelspec's language, in small letters."""
        return str(self.spec.get("language") or "").lower()

    @property
    def is_ipykernel(self) -> bool:
        """Whether it is started through ipykernel, whose options and transports we know."""
        return any("ipykernel" in word for word in self.spec["argv"])

    def write(self, folder: Path) -> str:
        """Write the kernelspec below `folder`, a Jupyter data folder of the run's own; gives its name there.

        IPython's start-up files, history and profile are the user's and not the project's: the kernel gets an
        empty folder for them.
        """
        home = folder / "kernels" / PRIVATE
        home.mkdir(parents=True, exist_ok=True)
        spec = dict(self.spec)
        if self.is_ipykernel:
            spec["argv"] = [*spec["argv"], *_IPYKERNEL_OPTIONS]
            spec["env"] = {"IPYTHONDIR": str(folder / "ipython"), **spec.get("env", {})}
        (home / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        return PRIVATE


def choose(
    folder: Path,
    checkout: Path,
    *,
    kernel: str | None,
    language: str,
    execute: Execute,
    root: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> KernelChoice:
    """The kernel for a notebook that lies in `folder`, names the kernelspec `kernel` and is in `language`.

    Environments are looked for from `folder` up to `checkout`, the user's checkout even if the run is in
    a worktree, since worktrees do not carry ignored files. `execute.python_path` is relative to `root`, where the
    code that runs lies; `environment` is what the kernel will get. Raises `BadInput` for a `--python` that is
    none, `NoKernel` where nothing fits.
    """
    notes: list[str] = []
    chosen = (
        _wanted(execute, checkout)
        or _of_folder(_environments(folder, checkout), kernel, language, notes)
        or _of_kernelspec(kernel, language)
    )
    env = {**_activation(chosen, environment), **chosen.spec.get("env", {})}
    if execute.python_path and chosen.language == "python":
        folders = [str((root or checkout).absolute() / entry) for entry in execute.python_path]
        known = env.get("PYTHONPATH") or environment.get("PYTHONPATH")
        env["PYTHONPATH"] = os.pathsep.join([*folders, *([known] if known else [])])
    return replace(chosen, spec={**chosen.spec, "env": env}, notes=tuple(notes))


def _activation(choice: KernelChoice, environment: Mapping[str, str]) -> dict[str, str]:
    """What activating the interpreter's environment sets, so that `!pip` and `!python` are its own."""
    python = Path(choice.executable)
    if not choice.is_ipykernel or not python.is_absolute():
        return {}
    env = {"PATH": os.pathsep.join([str(python.parent), environment.get("PATH", os.defpath)])}
    if (python.parent.parent / "pyvenv.cfg").exists():
        env["VIRTUAL_ENV"] = str(python.parent.parent)
    return env


def _wanted(execute: Execute, checkout: Path) -> KernelChoice | None:
    if execute.python is not None:
        python = _interpreter(checkout / Path(execute.python).expanduser())
        if python is None:
            raise BadInput(f"{execute.python}: no Python interpreter", hint="name the interpreter, or its environment")
        if not _has_ipykernel(python):
            raise BadInput(f"{execute.python}: has no ipykernel", hint=f"{python} -m pip install ipykernel")
        return _python(python, "python3", "--python")
    if execute.kernel is not None:
        spec = kernelspecs.named(execute.kernel)
        if spec is None:
            raise _nothing(f"there is no kernel {execute.kernel!r}")
        return _from_spec(execute.kernel, spec, "--kernel")
    return None


def _interpreter(place: Path) -> Path | None:
    """The interpreter that `place` is, or that the environment `place` has. Links stay: they say which one."""
    if place.is_dir():
        place = place / "bin" / "python"
    return place.absolute() if place.is_file() and os.access(place, os.X_OK) else None


def _of_folder(places: Iterable[Path], kernel: str | None, language: str, notes: list[str]) -> KernelChoice | None:
    """The first environment with ipykernel; one without it is passed over, and a note says so."""
    for place in places if language in ("", "python") else ():
        python = _interpreter(place)
        if python is not None and _has_ipykernel(python):
            return _python(python, kernel or "python3", f"the environment {place}")
        if python is not None:
            notes.append(f"{place} has no ipykernel, so it is not used: {python} -m pip install ipykernel")
    return None


def _environments(folder: Path, checkout: Path) -> Iterator[Path]:
    here, top = folder.absolute(), checkout.absolute()
    for parent in [here, *here.parents] if here.is_relative_to(top) else [top]:
        yield from (parent / name for name in _ENVIRONMENTS)
        if parent == top:
            return


def _has_ipykernel(python: Path) -> bool:
    home = python.parent.parent
    if any(home.glob("lib/python3*/site-packages/ipykernel/__init__.py")):
        return True
    script = "import importlib.util, sys; sys.exit(importlib.util.find_spec('ipykernel') is None)"
    try:
        done = process.run([python, "-c", script], env=process.kernel_environment(), timeout=30, accept=range(-64, 256))
    except TimeoutExpired:
        return False
    return done.returncode == 0


def _python(python: Path, name: str, origin: str) -> KernelChoice:
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
    return KernelChoice(name, spec, str(python), origin)


def _of_kernelspec(kernel: str | None, language: str) -> KernelChoice:
    named = kernelspecs.named(kernel) if kernel is not None else None
    if kernel is not None and named is not None:
        return _from_spec(kernel, named, "the kernel that the notebook names")
    specs = kernelspecs.every()
    same = {name: spec for name, spec in specs.items() if language in ("", spec["language"].lower())}
    if len(same) != 1:
        wanted = "the notebook names no kernel" if kernel is None else f"there is no kernel {kernel!r}"
        raise _nothing(wanted)
    name, spec = next(iter(same.items()))
    because = "names none" if kernel is None else f"names {kernel!r}, which is not here"
    return _from_spec(name, spec, f"the only {spec['language']} kernel there is; the notebook {because}")


def _nothing(wanted: str) -> NoKernel:
    there = ", ".join(sorted(kernelspecs.every())) or "none"
    return NoKernel(f"{wanted}; there are: {there}", hint="name one with --kernel, or an interpreter with --python")


def _from_spec(name: str, spec: Mapping[str, Any], origin: str) -> KernelChoice:
    program = (*spec["argv"], "")[0]
    if spec["language"] == "python" and program in ("python", "python3", f"python3.{sys.version_info[1]}"):
        # What Jupyter itself does: such a kernelspec means the environment it is installed in, which is ours.
        return _python(Path(sys.executable), name, origin)
    return KernelChoice(name, spec, shutil.which(program) or program, origin)


# -- what an interpreter is --------------------------------------------------------------------------------

_DESCRIBE = """
import json, os, sys, sysconfig
endings = (".dist-info", ".egg-info")
folders = [p for p in sys.path if p and os.path.isdir(p)]
packages = sorted({e for p in folders for e in os.listdir(p) if e.endswith(endings)})
paths = sysconfig.get_paths()
print(json.dumps(["%d.%d.%d" % sys.version_info[:3], packages, paths["purelib"], paths["stdlib"]]))
"""


@dataclass(frozen=True)
class Environment:
    """What a kernel runs on. `packages_sha256` is of the names and versions of what is installed there.

    `folders` are where its packages and its standard library lie, for making outputs the same elsewhere.
    """

    python: str | None
    executable: str
    packages_sha256: str | None
    folders: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """`{"python", "executable", "packages_sha256"}`; None where the kernel is not one of Python."""
        return {
            "python": self.python,
            "executable": self.executable,
            "packages_sha256": self.packages_sha256,
        }


def environment(choice: KernelChoice) -> Environment:
    """The facts about a kernel's interpreter, asked of it once per process."""
    if choice.language != "python":
        return Environment(None, choice.executable, None)
    return _described(choice.executable)


@lru_cache(maxsize=64)
def _described(executable: str) -> Environment:
    try:
        done = process.run([executable, "-c", _DESCRIBE], env=process.kernel_environment(), timeout=30)
        python, packages, purelib, stdlib = json.loads(done.stdout)
    except (OSError, process.ProcessFailed, ValueError, TimeoutExpired):
        # The run itself will say what is wrong with an interpreter that does not even start.
        return Environment(None, executable, None)
    digest = hashlib.sha256("\n".join(packages).encode()).hexdigest()
    folders = {purelib: "<site-packages>", stdlib: "<stdlib>"}
    return Environment(python, executable, f"sha256:{digest}", folders)
