"""The workshop's project on a fake forge, and the jobs that its events start there, as the workflows have them run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nbpr.cli import main
from nbpr.gate import posting
from nbpr.git.repository import Repository
from tests import cijobs
from tests.conftest import git
from tests.forges import places
from tests.forges.places import ME, OTHERS_TOKEN
from tests.forges.serving import FakeForge, Repo
from tests.gate import workshop

#: The token that a job is given, whose it is on each forge, and the variable that the workflow puts it into.
TOKEN = "job-token-0123456789"
BOTS = {
    "gitea": ("gitea-actions", "GITEA_TOKEN"),
    "forgejo": ("forgejo-actions", "GITEA_TOKEN"),
    "github": ("github-actions[bot]", "GITHUB_TOKEN"),
}


@dataclass(frozen=True)
class Told:
    """What came of a job: its exit code, what it printed, and its step's summary."""

    code: int
    out: str
    err: str
    summary: str

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out[self.out.index("{") : self.out.rindex("}") + 1])
        return found

    @property
    def commits(self) -> tuple[str | None, str]:
        """Base and head."""
        return self.result["base"], self.result["head"]

    @property
    def verdicts(self) -> dict[str, str]:
        return {Path(row["path"]).stem: row["verdict"] for row in self.result["notebooks"]}

    @property
    def executed(self) -> list[str]:
        """The lines of the log that say that a cell began."""
        return [line for line in self.err.splitlines() if ": cell " in line]


@dataclass(frozen=True)
class Happening:
    """An event: its name and payload, the ref and commit that a job has for it, and which commits it is about."""

    name: str
    payload: Mapping[str, Any]
    ref: str
    sha: str
    head: str
    base: str = "main"


@dataclass
class Hosted:
    """The project as `ada/x` on a forge, where only who has a token can read it."""

    forge: str
    project: Repository
    fake: FakeForge
    folder: Path
    capsys: pytest.CaptureFixture[str]
    _jobs: int = field(default=0)

    @property
    def repo(self) -> Repo:
        return self.fake.repos[f"{ME}/x"]

    @property
    def bot(self) -> str:
        return BOTS[self.forge][0]

    @property
    def main(self) -> str:
        return str(self.repo.sha("main"))

    @property
    def states(self) -> list[tuple[str, str]]:
        """The states that the required status had, oldest first, and what each was of."""
        said = (one for one in self.repo.statuses if one["context"] == posting.CONTEXT)
        return [(one["sha"], one.get("state") or one["status"]) for one in said]

    @property
    def comments(self) -> list[str]:
        return [one["body"] for one in self.repo.comments]

    # -- what people do ------------------------------------------------------------------------------------

    def push(self, branch: str, files: Mapping[str, bytes | str | None], to: Repo | None = None) -> str:
        """Commit on the branch that is checked out, and push that; the commit."""
        sha = workshop.commit(self.project, files)
        git(self.project.root, "push", "-q", "--force", str((to or self.repo).place), f"{sha}:refs/heads/{branch}")
        return sha

    def open(self, head: str, *, draft: bool = False) -> int:
        """Open a pull request into main; its number."""
        title = "WIP: A change" if draft and self.forge != "github" else "A change"
        body = {"head": head, "base": "main", "title": title, "body": "why"}
        body |= {"draft": draft} if self.forge == "github" else {}
        return int(self._api("POST", "/pulls", body)["number"])

    def merge(self, number: int) -> str:
        """Merge it as the server does; what main is then."""
        pull = self.repo.pulls[number]
        head = self.fake.head_sha(self.repo, pull["head"])
        made = self.repo.merge("main", str(head), "Merge")
        pull |= {"state": "merged", "merge_sha": made, "merged_head": head}
        return self.main

    def _api(self, method: str, path: str, body: Any = None) -> Any:
        reply = self.fake.handled(method, f"{self.fake.api}/repos/{ME}/x{path}", {}, body, OTHERS_TOKEN)
        assert reply.status < 300, reply
        return reply.data

    # -- what the forge makes of it --------------------------------------------------------------------------

    def of_pull(self, number: int, action: str, **changes: Any) -> Happening:
        """An event of a pull request as it is now. GitHub has a job check out the merge of it."""
        shown = self._api("GET", f"/pulls/{number}")
        base, head = (self._side(shown[name]) for name in ("base", "head"))
        facts = {name: shown[name] for name in ("number", "title", "body", "state", "draft", "merged", "html_url")}
        payload = cijobs.of_pull_request(self.forge, action, **{**facts, "base": base, "head": head, **changes})
        sha = head["sha"]
        ref = f"refs/pull/{number}/head"
        if self.forge == "github":
            ref = f"refs/pull/{number}/merge"
            sha = self._tried(base["sha"], head["sha"])
        return Happening("pull_request", payload, ref, sha, head["sha"])

    def _side(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        there = shown["repo"]
        own = cijobs.repository(self.forge, there["owner"]["login"], there["id"], there["name"])
        return cijobs.side(self.forge, shown["ref"], shown["sha"], own)

    def _tried(self, base: str, head: str) -> str:
        """The merge that GitHub makes to try it."""
        place = self.repo.place
        git(place, "fetch", "-q", str(self.project.root), head)
        tree = git(place, "merge-tree", "--write-tree", base, head).split("\n")[0]
        who = ("-c", "user.name=GitHub", "-c", "user.email=noreply@github.test")
        return git(place, *who, "commit-tree", tree, "-p", base, "-p", head, "-m", "Merge")

    def of_push(self, branch: str, before: str, after: str) -> Happening:
        """The push of a branch; of one that is gone, a job checks the default branch out."""
        payload = cijobs.of_push(self.forge, before, after, f"refs/heads/{branch}")
        if not after.strip("0"):
            return Happening("push", payload, "refs/heads/main", self.main, self.main)
        return Happening("push", payload, f"refs/heads/{branch}", after, after)

    def of_schedule(self) -> Happening:
        ref = "main" if self.forge == "forgejo" else "refs/heads/main"
        return Happening("schedule", cijobs.of_schedule(self.forge), ref, self.main, self.main)

    # -- jobs ------------------------------------------------------------------------------------------------

    def jobs(self, event: Happening) -> tuple[Told, Told]:
        """The two jobs of the workflow: the one that judges without a token, and the one that posts."""
        artifact = str(self.folder / f"artifact-{self._jobs}")
        judged = self.job(event, "--json", "--output", artifact, token=None)
        return judged, self.job(event, "--json", "--from", artifact, "--post")

    def again(self, event: Happening) -> Told:
        """One job that does both, for what was told already: it executes nothing and writes nothing."""
        self.fake.reset()
        found = self.job(event, "--json", "--post")
        assert found.executed == []
        assert self.fake.writes == []
        assert self.fake.pushes == 0
        assert len(self.fake.requests) <= 8, self.fake.requests
        return found

    def job(self, event: Happening, *words: str, token: str | None = TOKEN) -> Told:
        """One job, in a fresh checkout of its own."""
        self._jobs += 1
        folder = self.folder / f"job-{self._jobs}"
        root = self._checked_out(event, folder)
        with workshop.environment(**self._variables(event, folder, token)), _inside(root):
            self.capsys.readouterr()
            code = main.run(["gate", *words])
        said = self.capsys.readouterr()
        summary = folder / "summary.md"
        return Told(code, said.out, said.err, summary.read_text(encoding="utf-8") if summary.exists() else "")

    def _checked_out(self, event: Happening, folder: Path) -> Path:
        """What the workflow's step checks out: head and base, and no name for the default branch."""
        root = folder / "workspace"
        root.mkdir(parents=True)
        git(root, "init", "-q", "-b", "master")
        git(root, "remote", "add", "origin", f"{self.fake.root}/{ME}/x.git")
        names = (event.head, f"+refs/heads/{event.base}:refs/remotes/origin/{event.base}")
        git(root, "fetch", "-q", "--no-tags", str(self.repo.place), *names)
        git(root, "checkout", "-q", "--detach", event.head)
        return root

    def _variables(self, event: Happening, folder: Path, token: str | None) -> dict[str, str]:
        slash = "/" if self.forge != "github" else ""
        more = {
            "GITHUB_SERVER_URL": self.fake.root + slash,
            "GITHUB_API_URL": self.fake.root + self.fake.api,
            "GITHUB_REPOSITORY": f"{ME}/x",
            "GITHUB_REF": event.ref,
            "GITHUB_SHA": event.sha,
        }
        more |= {BOTS[self.forge][1]: token} if token else {}
        return cijobs.environment(self.forge, event.name, event.payload, folder, **more)


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def hosted(
    forge: str, project: Repository, folder: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Hosted]:
    """The project on a fake of a forge, with nothing in the environment but what a job has."""
    with places.fake(forge, folder / "there", patch) as place:
        assert place.fake is not None
        for name in ("GITEA_TOKEN", "GITEA_SERVER_URL", "GH_ENTERPRISE_TOKEN", "GH_HOST"):
            patch.delenv(name, raising=False)
        patch.setenv("NBPR_EXECUTE_SANDBOX", "none")
        made = Hosted(forge, project, place.fake, folder, capsys)
        place.fake.user(made.bot, TOKEN)
        if forge == "github":
            place.fake.apps.add(made.bot)
        git(project.root, "push", "-q", "--force", str(made.repo.place), "main")
        place.fake.reset()
        yield made
