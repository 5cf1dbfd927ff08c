"""What an interpreter has installed, in one digest: what a run that was proven has to find again.

More than names and versions: of a package what its RECORD says of every file (PyPA's "Recording installed projects"),
so that the same packages in another job's environment are the same; and code that is taken from elsewhere (an editable
install, a folder on the path) counts file by file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from subprocess import TimeoutExpired

from nbpr import process
from nbpr.runs.interpreters import KernelChoice
from nbpr.runs.runcache import digest

#: How many files of code from elsewhere are looked at; where there are more, what is installed is not known.
MOST_FILES = 20_000

_DESCRIBE = """
import hashlib, json, os, platform, sys
most = int(sys.argv[1])
def content(path):
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest() if os.path.getsize(path) < 10_000_000 else stat(path)
    except OSError:
        return None
def stat(path):
    try:
        facts = os.stat(path)
        return [facts.st_size, facts.st_mtime_ns]
    except OSError:
        return None
folders = [p for p in sys.path if p and os.path.isdir(p)]
own = {os.path.realpath(p) for p in (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)}
elsewhere, facts = [], []
for folder in folders:
    if not any(os.path.realpath(folder).startswith(p + os.sep) for p in own):
        if not folder.endswith(("site-packages", "dist-packages")):
            elsewhere.append(folder)
            continue
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.endswith((".dist-info", ".egg-info")):
            facts.append([path, content(os.path.join(path, "RECORD")) or stat(path)])
            link = os.path.join(path, "direct_url.json")
            if os.path.exists(link):
                told = json.load(open(link, encoding="utf-8"))
                if told.get("dir_info", {}).get("editable"):
                    from urllib.parse import unquote, urlsplit
                    elsewhere.append(unquote(urlsplit(told["url"]).path))
        elif os.path.isdir(path):
            facts.append([path, None])
        elif folder.endswith(("site-packages", "dist-packages")):
            facts.append([path, content(path)])
        else:
            facts.append([path, stat(path)])
conda = os.path.join(sys.prefix, "conda-meta")
facts.append(sorted(os.listdir(conda)) if os.path.isdir(conda) else None)
code = 0
for top in sorted(set(elsewhere)):
    for here, inner, names in os.walk(top):
        inner[:] = sorted(n for n in inner if n[0] != "." and n not in ("__pycache__", "node_modules")
                          and not os.path.exists(os.path.join(here, n, "pyvenv.cfg")))
        for name in sorted(names):
            if name.endswith((".py", ".so", ".pyd", ".pth")):
                facts.append([os.path.join(here, name), stat(os.path.join(here, name))])
                code += 1
        if code > most:
            break
text = json.dumps([sys.version, platform.machine(), platform.system(), facts])
print(json.dumps([None if code > most else hashlib.sha256(text.encode()).hexdigest(), folders]))
"""


@dataclass(frozen=True)
class Installed:
    """The digest of what is installed, None where that is not known, and the folders as they then were."""

    sha256: str | None
    folders: tuple[tuple[str, int], ...] = ()

    def is_still(self) -> bool:
        """Whether nothing was installed or taken away since."""
        return self.folders == tuple((path, _changed(path)) for path, _ in self.folders)


def installed(choice: KernelChoice, environment: Mapping[str, str]) -> Installed:
    """What the interpreter of a kernel has, in the kernel's own `environment`; of other languages nothing is known."""
    if choice.language != "python" or not choice.is_ipykernel:
        return Installed(None)
    spec: Mapping[str, str] = choice.spec.get("env", {})
    wanted = (choice.executable, tuple(sorted({**environment, **spec}.items())))
    found = _described(*wanted)
    if not found.is_still():
        _described.cache_clear()
        found = _described(*wanted)
    return found


@lru_cache(maxsize=64)
def _described(executable: str, environment: tuple[tuple[str, str], ...]) -> Installed:
    try:
        words = [executable, "-c", _DESCRIBE, str(MOST_FILES)]
        done = process.run(words, env=dict(environment), timeout=30)
        sha256, folders = json.loads(done.stdout)
    except (OSError, process.ProcessFailed, ValueError, TimeoutExpired):
        # An interpreter that does not even answer: the run itself will say what is wrong with it.
        return Installed(None)
    spec = digest(executable, sha256) if sha256 else None
    return Installed(spec, tuple((path, _changed(path)) for path in folders))


def _changed(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return -1
