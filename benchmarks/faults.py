"""The table of docs/execution.md: each fault with papermill alone, and with nbpr: `python -m benchmarks.faults`.

Each is run in a process of its own, in a folder of its own, and looked at from outside: what it said, how soon, whether
the notebook it left is valid and tells the truth, and which processes it left. Those are ended.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbpr.engines import strays
from tests.kernels import notebook

LIMIT = 120
CHILDREN = "import subprocess\nsubprocess.Popen(['setsid', 'sleep', '300'])\n"
EATS = "blocks = []\nfor _ in range(300):\n    blocks.append(b'x' * 5_000_000)\n    import time; time.sleep(0.01)"
DEAF = "import ctypes, signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nctypes.PyDLL(None).sleep(300)"
PRINTS = "import sys\nfor k in range(200):\n    sys.stdout.write(('x' * 99 + chr(10)) * 10_000)"
DIES = "import os\nget_ipython().events.register('post_run_cell', lambda *_: os.kill(os.getpid(), 9))"
BOMB = (
    "import os, time\nwhile True:\n    try:\n        os.fork()\n        time.sleep(0.1)\n"
    "    except OSError:\n        time.sleep(9)"
)
LOAD = (
    "import subprocess, sys\nall = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(4)]\n"
)
LIMITS = {"NBPR_EXECUTE_PROCESSES": "100"}


@dataclass(frozen=True)
class Fault:
    """A cell that goes wrong between one that prints and one that must not run.

    `first` and `last` stand in those. `most` is how large a file may get; `memory` and `processes` are limits of the
    operating system's for the whole command (control groups).
    """

    name: str
    cell: str
    ours: tuple[str, ...] = ()
    theirs: tuple[str, ...] = ()
    kill: bool = False
    most: int | None = None
    first: str = ""
    last: str = ""
    memory: int | None = None
    processes: int | None = None


FAULTS = (
    Fault("kernel killed (SIGKILL)", CHILDREN + "import os\nos.kill(os.getpid(), 9)"),
    Fault("kernel killed between two cells", "1", first=DIES),
    Fault("kernel killed after the last cell", "1", last=DIES),
    Fault("kernel killed by the operating system for want of memory (600 MB)", EATS, memory=600_000_000),
    Fault("`os._exit(0)`", "import os\nos._exit(0)"),
    Fault("segmentation fault", "import ctypes\nctypes.string_at(0)"),
    Fault("C loop that ignores SIGINT, cell limit 2 s", DEAF, ("--cell-timeout", "2"), ("--execution-timeout", "2")),
    Fault("endless loop, run limit 8 s", "while True: pass", ("--timeout", "8")),
    Fault("endless printing, limit 8 s", "while True: print('x' * 100)",
          ("--timeout", "8"), ("--execution-timeout", "8")),
    Fault("`sys.exit(0)` in the middle", "import sys\nsys.exit(0)"),
    Fault("kernel that never starts", "", ("--kernel", "nbpr-deaf", "--startup-timeout", "3"),
          ("-k", "nbpr-deaf", "--start-timeout", "3")),
    Fault("kernel that dies as it starts", "", ("--kernel", "nbpr-dead"), ("-k", "nbpr-dead")),
    Fault("no such kernel", "", ("--kernel", "nope"), ("-k", "nope")),
    Fault("`input()`", "input()"),
    Fault("`asyncio.run`", "import asyncio\nasyncio.run(asyncio.sleep(0))"),
    Fault("memory over 500 MB", EATS, ("--memory", "500M")),
    Fault("fork bomb, limit 100 (for papermill 300, by the system)", BOMB,
          theirs=("--execution-timeout", "10"), processes=300),
    Fault("200 MB printed", PRINTS),
    Fault("100,000 lines printed under load", f"{LOAD}for k in range(100_000):\n    print(k, flush=True)"),
    Fault("1,000,000 lines printed", "for k in range(1_000_000):\n    print(k)"),
    Fault("100 MB displayed", "display({'text/plain': 'x' * 100_000_000}, raw=True)"),
    Fault("disk full (files of at most 20 kB)", "print('x' * 50_000)", most=20_000),
    Fault("SIGKILL of nbpr, of papermill", CHILDREN + DEAF, kill=True),
)  # fmt: skip


def main() -> None:
    """Print the table, a row at a time."""
    print("| Fault | papermill alone | left running | nbpr | left running |\n|---|---|---|---|---|")
    wanted = sys.argv[1:]
    for fault in (each for each in FAULTS if not wanted or any(word in each.name for word in wanted)):
        told = [_tried(fault, who) for who in ("papermill", "nbpr")]
        print(f"| {fault.name} | {' | '.join(cell for pair in told for cell in pair)} |", flush=True)


def _tried(fault: Fault, who: str) -> tuple[str, str]:
    with tempfile.TemporaryDirectory(prefix="fault-") as name:
        root = Path(name)
        cells = (
            f"{fault.first}\nopen('at', 'w').close()\nprint('ran')",
            fault.cell or "1",
            f"{fault.last}\nprint('no')",
        )
        nb = notebook(*cells, kernelspec={"name": "python3", "display_name": "x", "language": "python"})  # fmt: skip
        (root / "a.ipynb").write_text(json.dumps(nb))
        for name, program in (("deaf", "import time; time.sleep(300)"), ("dead", "raise SystemExit('no such thing')")):
            argv = [sys.executable, "-c", program, "{connection_file}"]
            spec = {"argv": argv, "display_name": name, "language": "python"}
            (root / "kernels" / f"nbpr-{name}").mkdir(parents=True)
            (root / "kernels" / f"nbpr-{name}" / "kernel.json").write_text(json.dumps(spec))
        return _measured(fault, who, root)


def _measured(fault: Fault, who: str, root: Path) -> tuple[str, str]:
    mark = secrets.token_hex(8)
    environment = {**os.environ, "JUPYTER_PATH": str(root), "NBPR_FAULT": mark, "NBPR_EXECUTE_ENV": "NBPR_FAULT"}
    environment |= LIMITS if fault.processes else {}
    words = {
        "papermill": ["-m", "papermill", "a.ipynb", "out.ipynb", "--no-progress-bar", *fault.theirs],
        "nbpr": ["-m", "nbpr", "run", "a.ipynb", "-o", "out.ipynb", "--json", "--sandbox", "none", *fault.ours],
    }[who]
    prefix = ["prlimit", f"--fsize={fault.most}"] if fault.most else []
    with _groups(fault, mark) as within:
        return _ended(fault, who, root, mark, [*within, *prefix, sys.executable, "-P", *words], environment)


@contextmanager
def _groups(fault: Fault, mark: str) -> Iterator[list[str]]:
    """The beginning of a command that runs within a fault's limits; raises `OSError` where no group can be made."""
    wanted = (("memory", "memory.limit_in_bytes", fault.memory), ("pids", "pids.max", fault.processes))
    made = []
    for kind, file, limit in wanted:
        if limit:
            group = Path("/sys/fs/cgroup", kind, f"nbpr-{mark}")
            group.mkdir()
            (group / file).write_text(str(limit))
            made.append(group)
    joins = "".join(f"echo $$ > {group}/cgroup.procs; " for group in made)
    try:
        yield ["sh", "-c", f'{joins}exec "$@"', "sh"] if made else []
    finally:
        for group in made:
            for _ in range(50):
                strays.kill([int(pid) for pid in (group / "cgroup.procs").read_text().split()])
                time.sleep(0.1)
                with suppress(OSError):
                    group.rmdir()
                    break


def _ended(
    fault: Fault, who: str, root: Path, mark: str, command: list[str], environment: dict[str, str]
) -> tuple[str, str]:
    started = subprocess.Popen(command, cwd=root, env=environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)  # fmt: skip
    began = time.monotonic()
    if fault.kill:
        _wait_for(root / "at")
        time.sleep(1)
        started.send_signal(signal.SIGKILL)
    try:
        stdout, stderr = _output(started)
        end = f"exit {started.returncode}" if started.returncode >= 0 else f"signal {-started.returncode}"
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        stdout, stderr = b"", b""
        end = f"no end in {LIMIT} s"
    seconds = time.monotonic() - began
    at = root / "at"
    since = f", {time.time() - at.stat().st_mtime:.1f} s of them after the first cell" if at.exists() else ""
    time.sleep(1)
    left = _marked(mark)
    strays.kill(left)
    said = _said(who, stdout, stderr, root / "out.ipynb")
    return f"{end} after {seconds:.1f} s{since}{said}", str(len(left)) if left else "nothing"


def _output(started: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    # Strays may hold the pipes open, so the process alone is waited for, and what it wrote is read without waiting.
    streams: list[bytes] = []
    started.wait(LIMIT)
    for stream in (started.stdout, started.stderr):
        assert stream is not None
        os.set_blocking(stream.fileno(), False)
        streams.append(stream.read() or b"")
        stream.close()
    return streams[0], streams[1]


def _wait_for(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.1)


def _marked(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"NBPR_FAULT={mark}".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _said(who: str, stdout: bytes, stderr: bytes, out: Path) -> str:
    """What it said of the end, and what the notebook that it left is."""
    said = ""
    if who == "nbpr" and stdout.startswith(b"{"):
        told: dict[str, Any] = json.loads(stdout)
        if "runs" in told:
            record = told["runs"][0]
            cell = record["failed_cell"]
            said = f", `{record['reason'] or 'success'}`" + (f" at cell {cell['index']}" if cell else "")
            said += f", {record['cut'][0]['characters']:,} characters left out" if record["cut"] else ""
        else:
            said = ", one line of error"
    elif stderr.strip():
        said = _exception(stderr)
    return f"{said}; {_notebook(out)}"


def _exception(stderr: bytes) -> str:
    """The last exception that a traceback names, after a comma."""
    names = r"^(?:\w+\.)*([A-Z]\w+(?:Error|Exception|Kernel|Exit|Interrupt))\b"
    found = re.findall(names, stderr.decode(errors="replace"), re.MULTILINE)
    return f", {found[-1]}" if found else ""


def _notebook(out: Path) -> str:
    partial = out.with_name("out.partial.ipynb")
    if not out.exists() and partial.exists():
        return f"a partial notebook: {_notebook(partial)}"
    if not out.exists():
        return "no notebook"
    try:
        nb = json.loads(out.read_bytes())
    except ValueError:
        return f"**invalid JSON**, {out.stat().st_size:,} bytes"
    last = nb["cells"][-1]
    status = last["metadata"].get("papermill", {}).get("status")
    ran = last.get("execution_count") is not None
    size = f", {out.stat().st_size / 1e6:.0f} MB" if out.stat().st_size > 1e6 else ""
    if status == "completed" and not ran:
        return f'**a cell that never ran is "completed"**{size}'
    return f"{'all ran' if ran else 'the rest is pending'}{size}"


if __name__ == "__main__":
    main()
