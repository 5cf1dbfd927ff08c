"""What lies about a run: the files that it may read, and whether all that it hangs on can be known at all.

What is known goes into the key of a proof. Where something cannot be known, there is no proof to be kept: a pass that
might be untrue is worse than a run too many.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from nbpr.config import Config
from nbpr.notebooks.notebook import Notebook
from nbpr.runs.runkey import is_input, matches

#: Folders that tools make beside the code, which no run depends on, or, as environments, that count by other means.
TOOLS = frozenset(
    """
    .git .venv venv env .conda .pixi .tox .nox node_modules __pycache__ .ipynb_checkpoints .pytest_cache .mypy_cache
    .ruff_cache .hypothesis .idea .vscode .eggs .virtual_documents
    """.split()
)


@dataclass(frozen=True)
class Surroundings:
    """The files that runs may read, by their POSIX paths from the root, each with a digest of its content.

    `tracked` are git's, with blob ids, or `sha256:…` where the file is another one; `loose` all others that are there.
    `unknown` says of some why their content is not known. `apart` are files and folders that the command itself
    reads or writes beside its runs: they count only where a notebook's code names them.
    """

    tracked: Mapping[str, str] = field(default_factory=dict)
    loose: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)
    apart: tuple[str, ...] = ()

    def of_run(self, source: Notebook, config: Config) -> list[tuple[str, str]]:
        """The files, with their digests, that a run of this notebook may read, sorted."""
        code, own = _code(source), source.name
        every = {**self.tracked, **self.loose}
        return sorted(
            (path, sha)
            for path, sha in every.items()
            if path != own and may_read(path, config, code) and not self._is_apart(path, code)
        )

    def _is_apart(self, path: str, code: str) -> bool:
        return any(
            (path == each or path.startswith(f"{each}/")) and PurePosixPath(path).name not in code
            for each in self.apart
        )

    def why_unknown(self, source: Notebook, config: Config) -> str | None:
        """What of the files that this notebook may read is not known."""
        code = _code(source)
        return next((why for path, why in self.unknown.items() if may_read(path, config, code)), None)


def may_read(path: str, config: Config, code: str) -> bool:
    """Whether a run depends on a file: as the run key has it, what `link` names, and what the code itself names."""
    if is_input(path, config) or matches(path, config.link):
        return True
    if config.inputs:
        return False  # somebody said what runs depend on
    # %run other.ipynb, open("README.md"): the ending is enough, since names are put together in code.
    place = PurePosixPath(path)
    return (place.suffix or place.name) in code or place.name in code


def _code(source: Notebook) -> str:
    return "\n".join(cell.source for cell in source.cells if cell.is_code)


# -- what cannot be known ----------------------------------------------------------------------------------

#: What reaches out of the kernel on a line of its own: shell commands, and magics that run other programs.
_SHELL = re.compile(
    r"^[^\S\n]*(?:\w[\w, ]*=\s*)?(?:!|%%?(?:bash|sh|script|sx|system|cmd|pip|conda|perl|ruby|writefile)\b)[^\n]*",
    re.MULTILINE,
)
_PROGRAMS = re.compile(r"\b(?:subprocess|os\.(?:system|popen|exec\w+|spawn\w+)|pexpect|sh\.\w+\()")
#: Modules whose business is what lies elsewhere.
_ELSEWHERE = """
    requests httpx urllib urllib3 http aiohttp websocket websockets socket ftplib smtplib imaplib telnetlib paramiko
    boto3 botocore s3fs gcsfs adlfs fsspec google azure snowflake sqlalchemy psycopg psycopg2 pymysql MySQLdb pymongo
    redis kafka pika cassandra elasticsearch clickhouse_driver pyodbc cx_Oracle oracledb openai anthropic
    huggingface_hub yfinance pandas_datareader kaggle mlflow wandb dask.distributed ray git
""".split()
_REACHING = re.compile(
    rf"^[^\S\n]*(?:import|from)\s+({'|'.join(map(re.escape, _ELSEWHERE))})(?=[.\s,;]|$)", re.MULTILINE
)
#: A text that begins as an absolute path, a home folder or an address does; `"/"` alone is none.
_ABSOLUTE = re.compile(
    r"""['"](/[\w.][^'"\n]*|~[/\\][^'"\n]*|[A-Za-z]:\\[^'"\n]*|(?!file:)[a-z][a-z0-9+.-]*://[^'"\n]+)"""
)
_HOME = re.compile(r"\bexpanduser\b|\bPath\.home\b|\.git\b")


def why_not_known(source: Notebook, config: Config, *, is_shut_in: bool) -> str | None:
    """Why nobody can know what a run of this notebook hangs on, going by its source and settings; None if one can.

    `is_shut_in` is whether it runs in a sandbox without a network: then modules that would reach out reach nothing.
    """
    return next(_reasons(source, config, is_shut_in), None)


def _reasons(source: Notebook, config: Config, is_shut_in: bool) -> Iterator[str]:
    if config.reproduce is False:
        yield "reproduce = false: it is not expected to give the same again"
    if config.execute.secrets:
        yield "it has secret parameters"
    if config.execute.readable:
        yield "execute.readable shows it folders outside of the repository"
    if source.language not in ("", "python"):
        yield f"what is installed for {source.language} is not known"
    code = [(place, cell.source) for place, cell in enumerate(source.cells) if cell.is_code]
    yield from _found(code, _SHELL, "runs a shell command")
    yield from _found(code, _PROGRAMS, "starts other programs")
    yield from _found(code, _ABSOLUTE, "names what is not in the repository")
    yield from _found(code, _HOME, "looks outside of the repository")
    if not is_shut_in:
        yield from _found(code, _REACHING, "reaches for what lies elsewhere")


def _found(code: Iterable[tuple[int, str]], pattern: re.Pattern[str], what: str) -> Iterator[str]:
    for place, source in code:
        match = pattern.search(source)
        if match is not None:
            yield f"cell {place} {what} ({match.group(match.lastindex or 0).strip()[:60]})"
