"""A CI job from nothing: clone, environment, installation, gate. One line of times for each goes to `times.jsonl`.

It runs in an empty root, with the Python that is there; its arguments are its folder and `cold`, `restored` or `probe`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path


def main(shop: Path, how: str) -> None:
    """Do the job; raises `CalledProcessError` for a step that fails, as the gate does that is not passed."""
    work = Path("/tmp/work")
    work.mkdir()
    env = {**os.environ, "HOME": "/tmp/home", "NBPR_CACHE_DIR": "/tmp/cache", "GIT_CONFIG_NOSYSTEM": "1"}
    Path("/tmp/home").mkdir()

    def step(*words: str) -> float:
        begin = time.perf_counter()
        subprocess.run(words, cwd=work, env=env, check=True)
        return time.perf_counter() - begin

    python = "/tmp/env/bin/python"
    base = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    if how == "probe":
        step(base, "-m", "venv", "/tmp/env")
        step(python, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", "/tmp/probe", "colorama")
        return
    wheel = next(shop.glob("nbpr-*.whl"))
    clone = step("git", "clone", "--quiet", "--branch", "topic", str(shop / "remote.git"), ".")
    install = step(base, "-m", "venv", "/tmp/env")
    packages = (f"nbpr[run] @ {wheel.as_uri()}", "--requirement", str(shop / "requirements.txt"))
    install += step(python, "-m", "pip", "install", "--quiet", *packages)
    left = shop / "left"
    if how == "restored" and left.exists():
        begin = time.perf_counter()
        shutil.copytree(left, "/tmp/cache")
        clone += time.perf_counter() - begin
    gate = step("/tmp/env/bin/nbpr", "gate", "--base", "origin/main", "--jobs", "2")
    with (shop / "times.jsonl").open("a", encoding="utf-8") as times:
        times.write(json.dumps({"how": how, "clone": clone, "install": install, "gate": gate}) + "\n")
    if not left.exists():
        shutil.copytree("/tmp/cache", left)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
