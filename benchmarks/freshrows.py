"""From a fresh clone in an empty root to the gate's verdict: what a CI job pays before a notebook runs."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.gaterows import COUNT, LEFT, checkout
from benchmarks.measure import MeasuredProgramFailed, Measurement, NotToBeHad, Side
from benchmarks.row import Pair, Row
from benchmarks.stage import REPOSITORY, Stage

JOB = str(Path(__file__).with_name("freshjob.py"))

#: What a runner's image has: the system, and nothing of whoever runs this.
_SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/sbin", "/etc", "/opt")

#: What the notebooks of this job import, as a project's `requirements.txt` has it.
_REQUIREMENTS = "pandas\nmatplotlib\n"

#: What says where packages come from.
_INDEX = ("PIP_", "SSL_", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")


def fresh(stage: Stage) -> Pair:
    """Clone, environment, installation, gate; with an empty cache of runs, and with what the same job left in it."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise NotToBeHad("no bwrap, which makes the empty root (Debian: apt-get install bubblewrap)")
    made, _ = checkout(stage, COUNT - LEFT)
    stage.call("git", "push", "-q", "origin", "topic", cwd=made)
    shop = stage.folder / "job"
    shop.mkdir()
    (shop / "requirements.txt").write_text(_REQUIREMENTS, encoding="utf-8")
    _build_wheel(stage, shop)
    shutil.copytree(stage.folder / "gated.git", shop / "remote.git")
    argv = (*_empty_root(bwrap, shop), sys.executable, JOB, str(shop))
    if subprocess.run([*argv, "probe"], capture_output=True, check=False).returncode:
        raise NotToBeHad("bwrap makes no root here, or there is no index of packages")
    env = stage.env | {name: value for name, value in os.environ.items() if name.startswith(_INDEX)}

    def side(label: str, how: str) -> Side:
        return Side(label, ((*argv, how),), stage.folder, env)

    return Pair(
        side(f"a job, {COUNT - LEFT} of {COUNT} changed, its cache of runs restored", "restored"),
        side("the same job with an empty cache of runs", "cold"),
        lambda measurement: _shares(shop / "times.jsonl", measurement),
    )


def _build_wheel(stage: Stage, shop: Path) -> None:
    stage.call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(shop), cwd=REPOSITORY)


def _empty_root(bwrap: str, shop: Path) -> tuple[str, ...]:
    """A root with the system to be read, this Python, the job's folder, and nothing else."""
    seen = [*_SYSTEM, sys.base_prefix, sys.prefix, JOB]
    binds = [word for place in seen if Path(place).exists() for word in ("--ro-bind", place, place)]
    return (
        *(bwrap, "--die-with-parent", "--unshare-pid", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),
        *(*binds, "--bind", str(shop), str(shop), "--chdir", str(shop)),
    )


def _shares(times: Path, measurement: Measurement) -> list[str]:
    """How much of each kind of job was set-up, going by the rounds that count."""
    told = [json.loads(line) for line in times.read_text(encoding="utf-8").splitlines()]
    said = []
    for how in ("cold", "restored"):
        rounds = [one for one in told if one["how"] == how][-len(measurement.rounds) :]
        if not rounds:
            raise MeasuredProgramFailed(f"the {how} job says nothing of its times")
        middle = {part: statistics.median(one[part] for one in rounds) for part in ("clone", "install", "gate")}
        setting_up = middle["clone"] + middle["install"]
        share = setting_up / (setting_up + middle["gate"])
        said.append(
            f"{how}: {setting_up:.1f} s of set-up ({middle['clone']:.1f} to clone, {middle['install']:.1f} to "
            f"install), {middle['gate']:.1f} s to the verdict: {share:.0%} is set-up"
        )
    return said


FRESH_ROWS: tuple[Row, ...] = (Row("gate/fresh", "a CI job from nothing", fresh, 3, 1),)
