"""Settings: from file, environment and flags, in this order, and what is said of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbpr.config import Bound, Config, load
from nbpr.errors import BadInput


def written(root: Path, text: str, name: str = "nbpr.toml") -> Path:
    (root / name).write_text(text, encoding="utf-8")
    return root


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load(tmp_path, environ={}) == Config()
    assert load(None, environ={}) == Config()


def test_pyproject_and_own_file(tmp_path: Path) -> None:
    written(tmp_path, '[tool.nbpr]\nbranch-prefix = "bot/"\n', "pyproject.toml")
    assert load(tmp_path, environ={}).branch_prefix == "bot/"
    written(tmp_path, 'branch-prefix = "own/"\n[execute]\npython-path = ["src"]\n')
    assert load(tmp_path, environ={}).branch_prefix == "own/"
    assert load(tmp_path, environ={}).execute.python_path == ("src",)


def test_flags_over_environment_over_file(tmp_path: Path) -> None:
    written(tmp_path, 'base = "file"\n[execute]\ntimeout = 1\ncell-timeout = 1\n')
    environ = {"NBPR_BASE": "env", "NBPR_EXECUTE_TIMEOUT": "2", "NBPR_LINK": "a,b/**", "NBPR_AGENT": "not a setting"}
    config = load(tmp_path, {"execute": {"timeout": 3, "cell_timeout": None}}, environ)
    assert (config.base, config.execute.timeout, config.execute.cell_timeout) == ("env", 3, 1)
    assert config.link == ("a", "b/**")


def test_a_notebooks_own_table(tmp_path: Path) -> None:
    table = '[notebook."notebooks/live.ipynb"'
    text = f"reproduce = true\n{table}]\nreproduce = false\n{table}.execute]\ntimeout = 5\n"
    config = load(written(tmp_path, text), environ={})
    assert config.for_notebook("notebooks/live.ipynb").reproduce is False
    assert config.for_notebook("notebooks/live.ipynb").execute.timeout == 5
    assert config.for_notebook("notebooks/live.ipynb").execute.startup_timeout == 60
    assert config.for_notebook("notebooks/other.ipynb").reproduce is True


def test_bounds(tmp_path: Path) -> None:
    config = load(written(tmp_path, '[scraps.health_score]\nmin = 0.9\nmax-drop = "5%"\n'), environ={})
    assert config.scraps == {"health_score": Bound(min=0.9, max_drop="5%")}


def test_extend_takes_a_shared_file_in(tmp_path: Path) -> None:
    (tmp_path / "shared.toml").write_text('[tool.nbpr]\nruns = "shared"\nbase = "shared"\n')
    config = load(written(tmp_path, 'extend = "shared.toml"\nbase = "own"\n'), environ={})
    assert (config.runs, config.base) == ("shared", "own")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("timout = 3\n", "unknown setting 'timout'", "execute"),
        ("[execute]\ntimout = 3\n", "execute: unknown setting 'timout'", "timeout"),
        ('[notebook."a.ipynb"]\nrepro = 1\n', "unknown setting 'repro'", "reproduce"),
        ("[scraps.x]\nmaxdrop = 1\n", "unknown setting 'maxdrop'", "max-drop"),
        ("[checks]\nexecut = 'off'\n", "unknown setting 'execut'", "execute"),
        ("[checks]\nexecute = 'sometimes'\n", "'sometimes' is none of", None),
        ("[execute]\ntimeout = 'soon'\n", "a number is wanted", None),
        ("[execute]\ntimeout = true\n", "a number is wanted", None),
        ("link = 'data'\n", "a list of strings is wanted", None),
        ("outputs = 'some'\n", "'some' is none of all, marked, scraps, none", None),
        ("reproduce = 'maybe'\n", 'true, false or "auto" is wanted', None),
        ("execute = 3\n", "a table is wanted", None),
        ("base = \n", "not TOML", None),
        ("extend = 'nowhere.toml'\n", "nowhere.toml: cannot be read", None),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str, hint: str | None) -> None:
    with pytest.raises(BadInput) as caught:
        load(written(tmp_path, text), environ={})
    assert message in caught.value.message
    if hint is not None:
        assert hint in (caught.value.hint or "")
