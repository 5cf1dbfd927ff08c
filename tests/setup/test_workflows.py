"""The CI workflows that `init` writes: valid by their schemas, alike, and their steps do what they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from nbpr.errors import BadInput
from nbpr.setup import workflows
from tests.conftest import git
from tests.setup.test_setup import notebook, put

ROOT = Path(__file__).parent.parent.parent
FORGES = list(workflows.PLACES)
TWO = ["gitea", "forgejo", "github"]
SINGLE = ["gitea-single", "forgejo-single"]
OWN = {"gitea": ".gitea/workflows/nbpr.yml", "github": ".github/workflows/nbpr.yml"}

#: What takes tokens away from the process that starts kernels.
BARE = ("ACTIONS_RUNTIME_TOKEN", "FORGEJO_TOKEN", "GITEA_TOKEN", "GITHUB_TOKEN")


def loaded(text: bytes | str) -> dict[Any, Any]:
    import yaml

    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


def parsed(forge: str) -> dict[Any, Any]:
    return loaded(workflows.text(forge))


def documents() -> dict[str, str]:
    """Every file that CI reads, and the schema that it has to keep to."""
    kinds = {f"ci/{forge}.yml": "gitlab-ci" if forge == "gitlab" else "github-workflows" for forge in FORGES}
    return {**kinds, **dict.fromkeys(OWN.values(), "github-workflows"), "action.yml": "github-actions"}


def scripts(found: dict[Any, Any]) -> list[str]:
    """The shell parts of a workflow, an action, or a GitLab job."""
    if "runs" in found:
        return [step["run"] for step in found["runs"]["steps"] if "run" in step]
    if "jobs" not in found:
        return [line for job in found.values() for line in job["script"]]
    return [step["run"] for job in found["jobs"].values() for step in job["steps"] if "run" in step]


@pytest.mark.parametrize(("place", "kind"), documents().items())
def test_they_are_valid_by_the_schema_of_what_reads_them(place: str, kind: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    pytest.importorskip("check_jsonschema", reason="no schemas of workflows: pip install check-jsonschema")
    held = files("check_jsonschema").joinpath(f"builtin_schemas/vendor/{kind}.json").read_text(encoding="utf-8")
    schema = json.loads(held)
    found = loaded((ROOT / place).read_bytes())
    if True in found:
        found["on"] = found.pop(True)  # YAML 1.1 reads "on" as true
    jsonschema.validators.validator_for(schema)(schema).validate(found)


@pytest.mark.parametrize("place", [*documents(), "ci/gate.sh"])
def test_their_shell_parts_are_shell_and_nothing_of_an_event_is_written_into_them(place: str) -> None:
    text = (ROOT / place).read_text(encoding="utf-8")
    parts = [text] if place.endswith(".sh") else scripts(loaded(text))
    assert parts
    for part in parts:
        done = subprocess.run(["sh", "-n"], input=part.encode(), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert "${{" not in part


@pytest.mark.parametrize("forge", FORGES)
def test_they_are_those_of_the_source_tree(forge: str) -> None:
    assert workflows.text(forge) == (ROOT / "ci" / f"{forge}.yml").read_bytes()
    assert f"--ci {forge}`".encode() in workflows.text(forge)


def test_those_of_two_jobs_differ_in_runner_actions_and_rights_alone() -> None:
    def same(forge: str) -> str:
        text = workflows.text(forge).decode()
        text = re.sub(r"# Where there is no Node\.js.*\n|      - name: Node\.js.*\n.*\n.*\n\n", "", text)
        text = re.sub(r"(?m)^ +(contents|statuses|issues|pull-requests): .*\n", "", text)
        return re.sub(r"--ci \w+|runs-on: [\w-]+|uses: \S+|G\w+_TOKEN: ", "", text)

    assert len({same(forge) for forge in TWO}) == 1
    single = {re.sub(r"--ci [\w-]+|runs-on: [\w-]+", "", workflows.text(forge).decode()) for forge in SINGLE}
    assert len(single) == 1


@pytest.mark.parametrize("forge", [*TWO, *SINGLE])
def test_no_token_is_where_notebooks_run(forge: str) -> None:
    found = parsed(forge)
    for job in found["jobs"].values():
        assert [step["name"] for step in job["steps"] if "github.token" in str(step)] in (
            ["Check out"],
            ["Check out", "Post"],
        )
        for step in job["steps"]:
            if "nbpr gate --output" in step.get("run", ""):
                assert all(f"-u {name}" in step["run"] for name in BARE)
                assert "env" not in step
                assert re.search(r"(?m)^exec env ", step["run"])


@pytest.mark.parametrize("forge", TWO)
def test_the_job_that_posts_has_nothing_of_the_pull_request_and_runs_whatever_came_of_the_first(forge: str) -> None:
    found = parsed(forge)
    judge, post = found["jobs"]["judge"], found["jobs"]["post"]
    assert found["permissions"] == {"contents": "read"}
    assert "permissions" not in judge
    assert post["needs"] == "judge"
    assert "always()" in post["if"]
    checked_out = next(step for step in post["steps"] if step["name"] == "Check out")
    assert checked_out["env"]["TREE"] == "${{ github.event.pull_request.base.sha || github.sha }}"
    names = [step["name"] for step in post["steps"]]
    assert names.index("Install") < names.index("Check out")
    assert "requirements.txt" not in str(post)
    handed = next(step for step in judge["steps"] if step["name"] == "Hand it over")
    assert "always()" in handed["if"]
    assert handed["with"] == {"name": "nbpr-gate", "path": "gate-out", "include-hidden-files": True}
    assert post["steps"][-1]["name"] == "Post"
    assert "always()" in post["steps"][-1]["if"]


@pytest.mark.parametrize("forge", [*TWO, *SINGLE])
def test_the_cache_is_saved_on_pushes_alone_and_those_are_of_the_default_branch(forge: str) -> None:
    found = parsed(forge)
    job = next(iter(found["jobs"].values()))
    (save,) = (step for step in job["steps"] if step["name"] == "Save the cache of runs")
    assert "github.event_name == 'push'" in save["if"]
    assert job["if"] == ("github.event_name != 'push' || github.ref_name == github.event.repository.default_branch")


@pytest.mark.parametrize("forge", SINGLE)
def test_that_of_one_job_needs_no_action(forge: str) -> None:
    (job,) = parsed(forge)["jobs"].values()
    assert not [step for step in job["steps"] if "uses" in step]


def test_gitlab_keeps_its_tokens_and_its_cache_from_merge_requests() -> None:
    (job,) = parsed("gitlab").values()
    assert "-u CI_JOB_TOKEN" in job["script"][-1]
    assert [rule["variables"]["GATE_CACHE_POLICY"] for rule in job["rules"]] == ["pull", "pull-push"]
    assert job["artifacts"]["reports"]["junit"] == "gate-out/junit.xml"


@pytest.mark.parametrize("forge", OWN)
def test_this_repository_gates_itself_with_them(forge: str) -> None:
    """The same lines, but for the first, the two that install nbpr, and what is checked out before the second."""
    theirs, ours = workflows.text(forge).decode(), (ROOT / OWN[forge]).read_text(encoding="utf-8")
    first, _, rest = ours.partition("\n")
    assert first.startswith("# nbpr's own")
    lines = {line for line in rest.split("\n") if line not in theirs.split("\n")}
    assert {line.strip().split("--disable-pip-version-check ")[1] for line in lines} == {
        "'.[demo]'",
        '"nbpr @ git+file://$PWD@$(git rev-parse HEAD)"',
    }
    missing = {line for line in theirs.split("\n") if line not in rest.split("\n")}
    assert len(missing) == 2
    post = loaded(ours)["jobs"]["post"]["steps"]
    assert [step["name"] for step in post][:2] == ["Check out", "Install"]


def test_the_actions_inputs_are_documented_and_used() -> None:
    found = loaded((ROOT / "action.yml").read_bytes())
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    told = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    for name, one in found["inputs"].items():
        assert one["description"]
        assert f"inputs.{name}" in text
        assert f"| `{name}` |" in told


def test_a_forge_that_there_is_not() -> None:
    with pytest.raises(BadInput, match="no workflow for 'x'"):
        workflows.place("x")


# -- the steps, carried out --------------------------------------------------------------------------------------


@pytest.fixture
def remote(repository: Path) -> Path:
    """A repository that a runner can fetch from: main with a notebook, and a branch with another one."""
    put(repository, "analysis/a b.ipynb", notebook("1 + 1", outputs=[], execution_count=None))
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    git(repository, "switch", "-qc", "more")
    put(repository, "analysis/c.ipynb", notebook("2 + 2", outputs=[], execution_count=None))
    put(repository, "pip/__init__.py", b"raise SystemExit('a module of the pull request was imported')\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "two")
    return repository


def environment(home: Path) -> dict[str, str]:
    """What a job has: a home, git, and a Python whose environments have an nbpr that tells how it was called."""
    programs = home / "bin"
    programs.mkdir(parents=True)
    (home / "temp").mkdir()
    nbpr = f'#!/bin/sh\nenv > "{home}/env"\necho "$PWD $*" >> "{home}/calls"\nmkdir -p gate-out .nbpr-cache\n'
    nbpr += "echo seen > .nbpr-cache/a\nexit ${NBPR_FAILS:-0}\n"
    python = f"""#!/bin/sh
case "$*" in
*"-m venv"*) for place; do :; done; mkdir -p "$place/bin"
    cp "{programs}/python3" "$place/bin/python"; cp "{home}/nbpr" "$place/bin/nbpr" ;;
*"-m pip"*) echo "$*" >> "{home}/pip"; case "$*" in -I*) ;; *) exit 9 ;; esac ;;
*) exec {sys.executable} "$@" ;;
esac
"""
    (home / "nbpr").write_text(nbpr)
    (programs / "python3").write_text(python)
    for file in (home / "nbpr", programs / "python3"):
        file.chmod(0o755)
    return {
        "PATH": f"{programs}:{os.defpath}:{Path(str(shutil.which('git'))).parent}",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "RUNNER_TEMP": str(home / "temp"),
        "GITHUB_PATH": str(home / "path"),
    }


def run(job: dict[str, Any], remote: Path, folder: Path, *, event: str = "pull_request", **more: str) -> list[str]:
    """Carry a job's steps out as a runner does, actions left out; the names of those that were taken."""
    head, base = git(remote, "rev-parse", "more"), git(remote, "rev-parse", "main")
    pull = event == "pull_request"
    values = {
        "github.server_url": remote.parent.as_uri() + "/",
        "github.repository": remote.name,
        "github.event.pull_request.head.sha || github.sha": head if pull else base,
        "github.event.pull_request.base.sha || github.sha": base,
        "github.event.pull_request.base.ref || github.event.repository.default_branch || github.ref_name": "main",
        "github.ref": "refs/heads/more" if pull else "refs/heads/main",
        "github.token": "a-token",
    }
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    home = folder / "home"
    base_env = environment(home) if not home.exists() else json.loads((folder / "env.json").read_text())
    (folder / "env.json").write_text(json.dumps(base_env))
    taken: list[str] = []
    failed = False
    for step in job["steps"]:
        when = str(step.get("if", ""))
        if "run" not in step or (failed and "always()" not in when) or ("'push'" in when and pull):
            continue
        own = {key: re.sub(r"\$\{\{ (.+?) \}\}", lambda m: values[m[1]], v) for key, v in step.get("env", {}).items()}
        paths = (home / "path").read_text().split("\n") if (home / "path").exists() else []
        env = {**base_env, **own, **more, "PATH": ":".join([*filter(None, reversed(paths)), base_env["PATH"]])}
        done = subprocess.run(["sh", "-e", "-c", step["run"]], cwd=work, env=env, capture_output=True, check=False)
        taken.append(step["name"])
        if done.returncode:
            failed = True
            taken.append(f"{done.returncode}: {done.stderr.decode()}")
    return taken


@pytest.mark.parametrize("forge", TWO)
def test_the_first_job_judges_the_head_without_a_token(forge: str, remote: Path, tmp_path: Path) -> None:
    job = parsed(forge)["jobs"]["judge"]
    job["steps"] = [step for step in job["steps"] if "Node.js" not in step["name"]]
    tokens = dict.fromkeys(BARE, "secret")
    assert run(job, remote, tmp_path / "job", **tokens) == ["Check out", "Install", "Judge"]
    work, home = tmp_path / "job/work", tmp_path / "job/home"
    assert (work / "analysis/c.ipynb").exists()
    assert git(work, "merge-base", "HEAD", "origin/main") == git(remote, "rev-parse", "main")
    assert (home / "calls").read_text() == f"{work} gate --output gate-out\n"
    told = (home / "env").read_text()
    assert "secret" not in told
    assert "a-token" not in told
    assert f"NBPR_CACHE_DIR={work}/.nbpr-cache\n" in told
    assert "a-token" not in (work / ".git/config").read_text()
    assert git(work, "config", "remote.origin.url") == f"{remote.parent.as_uri()}/{remote.name}"


def test_the_second_job_has_bases_files_and_posts(remote: Path, tmp_path: Path) -> None:
    job = parsed("github")["jobs"]["post"]
    assert run(job, remote, tmp_path / "job") == ["Install", "Check out", "Post"]
    work, home = tmp_path / "job/work", tmp_path / "job/home"
    assert (work / "analysis/a b.ipynb").exists()
    assert not (work / "analysis/c.ipynb").exists()
    assert git(work, "cat-file", "-t", git(remote, "rev-parse", "more")) == "commit"
    assert (home / "calls").read_text() == f"{work} gate --from gate-out --post\n"
    assert "GITHUB_TOKEN=a-token\n" in (home / "env").read_text()


def test_a_job_that_failed_hands_over_all_the_same(remote: Path, tmp_path: Path) -> None:
    (job,) = parsed("gitea-single")["jobs"].values()
    taken = run(job, remote, tmp_path / "job", NBPR_FAILS="1")
    assert [name for name in taken if not name.startswith("1:")] == [
        "Check out", "Install", "Restore the cache of runs", "Judge", "Post",
    ]  # fmt: skip
    calls = (tmp_path / "job/home/calls").read_text().split("\n")
    assert [line.split(" ", 1)[1] for line in calls if line] == [
        "gate --output gate-out",
        "gate --from gate-out --post",
    ]


def test_without_actions_the_cache_is_a_copy_and_only_a_push_brings_it_back(remote: Path, tmp_path: Path) -> None:
    (job,) = parsed("forgejo-single")["jobs"].values()
    kept = tmp_path / "job/home/.cache/nbpr-runs"
    run(job, remote, tmp_path / "job")
    assert not kept.exists()
    run(job, remote, tmp_path / "job", event="push")
    assert (kept / "a").read_text() == "seen\n"
    (kept / "a").write_text("of base\n")
    run(job, remote, tmp_path / "job")
    assert (kept / "a").read_text() == "of base\n"


def test_the_shell_entry_keeps_tokens_from_what_it_runs_and_cleans_up(remote: Path, tmp_path: Path) -> None:
    env = {**environment(tmp_path / "home"), "GITHUB_TOKEN": "secret", "TMPDIR": str(tmp_path / "home/temp")}
    entry = ["sh", str(ROOT / "ci/gate.sh")]
    (remote / "requirements.txt").write_text("numpy\n")
    subprocess.run([*entry, "--base", "a b", "--output", "out"], cwd=remote, env=env, check=True)
    assert (tmp_path / "home/calls").read_text() == f"{remote} gate --base a b --output out\n"
    assert "secret" not in (tmp_path / "home/env").read_text()
    assert "requirements.txt" in (tmp_path / "home/pip").read_text()
    assert list((tmp_path / "home/temp").iterdir()) == []
    (tmp_path / "home/pip").unlink()
    failing = {**env, "NBPR_FAILS": "1", "GATE_PACKAGE": "nbpr==9"}
    done = subprocess.run([*entry, "--from", "out", "--post"], cwd=remote, env=failing, check=False)
    assert done.returncode == 1
    assert "GITHUB_TOKEN=secret" in (tmp_path / "home/env").read_text()
    assert "requirements.txt" not in (tmp_path / "home/pip").read_text()
    assert "nbpr==9" in (tmp_path / "home/pip").read_text()


def test_the_actions_inputs_become_options(remote: Path, tmp_path: Path) -> None:
    (step,) = (one for one in loaded((ROOT / "action.yml").read_bytes())["runs"]["steps"] if one["name"] == "Gate")
    env = {**environment(tmp_path / "home"), "GITHUB_ACTION_PATH": str(ROOT), "TMPDIR": str(tmp_path / "home/temp")}
    names = "POST OUTPUT FROM BASE HEAD TOKEN PACKAGE GATE_PYTHON GATE_REQUIREMENTS".split()
    assert set(step["env"]) == set(names)
    empty = {**dict.fromkeys(names, ""), "OUTPUT": "gate-out", "GATE_PYTHON": "python3"}
    calls = tmp_path / "home/calls"
    for given, wanted in (
        ({}, "gate --output gate-out"),
        ({"BASE": "origin/main; x", "HEAD": "$(x)"}, "gate --output gate-out --base origin/main; x --head $(x)"),
        ({"FROM": "gate-out", "POST": "true", "TOKEN": "secret"}, "gate --from gate-out --post"),
    ):
        subprocess.run(["sh", "-e", "-c", step["run"]], cwd=remote, env={**env, **empty, **given}, check=True)
        assert calls.read_text().split("\n")[-2] == f"{remote} {wanted}"
        assert ("secret" in (tmp_path / "home/env").read_text()) == ("TOKEN" in given)
    assert f"{ROOT}[run]" in (tmp_path / "home/pip").read_text()
