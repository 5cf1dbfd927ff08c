"""What the documentation says is what the program has: commands, options, settings, exit codes, JSON keys, rooms."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from nbpr import config, errors
from nbpr.cli.main import COMMANDS, app
from nbpr.executor import NotebookExecutor
from nbpr.findings import Finding
from nbpr.forges import PullRequest
from nbpr.notebooks.editlist import parse
from nbpr.proposals.proposals import Outcome
from nbpr.runs.record import RunRecord

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").glob("*.md"))
EVERY = [README, ROOT / "CHANGELOG.md", *PAGES]

#: Words that every command has, and that are said once for all.
COMMON = {"--help", "-h"}
#: Component names that say nothing.
HOLLOW = re.compile(r"\b(provider|helper|util|utils|utilities|manager)s?\b", re.IGNORECASE)


@cache
def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def page(name: str) -> str:
    return text(ROOT / "docs" / name)


def fences(content: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", content, re.MULTILINE | re.DOTALL)


def rows(content: str) -> list[list[str]]:
    """The cells of every line that is one of a table."""
    lines = [line for line in content.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


# -- commands ------------------------------------------------------------------------------------------------


@cache
def commands() -> Mapping[str, Any]:
    """Every command by its words, groups too: "propose", "pulls", "pulls list"."""
    root = typer.main.get_command(app)
    found: dict[str, Any] = {}
    for name in COMMANDS:
        command = root.get_command(None, name)  # type: ignore[attr-defined]
        found[name] = command
        found |= {f"{name} {inner}": each for inner, each in getattr(command, "commands", {}).items()}
    return found


def options(command: Any) -> Iterator[tuple[str, ...]]:
    """Each option of a command, as all the words that it has."""
    for parameter in command.params:
        words = (*parameter.opts, *parameter.secondary_opts)
        if words[0].startswith("-"):
            yield words


def has(word: str, content: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", content) is not None


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_and_option_is_documented(name: str) -> None:
    own = [content for content in map(text, [README, *PAGES]) if has(f"nbpr {name}", content)]
    assert own, f"no page names nbpr {name}"
    beside = "\n".join(own)
    missing = [word for words in options(commands()[name]) for word in words if not has(word, beside)]
    assert not set(missing) - COMMON, f"nbpr {name}: options that no page with it names"


def test_the_program_s_own_options_are_documented() -> None:
    root = typer.main.get_command(app)
    named = {word for words in options(root) for word in words} - COMMON
    content = page("setup.md")
    assert named
    assert not [word for word in named if not has(word, content)]


def calls(content: str) -> Iterator[tuple[str, str]]:
    """Each nbpr command line that a page shows, in code: the words after `nbpr`, and the line."""
    without_objects = re.sub(r"^```(json|toml|python|text)\n.*?^```$", "", content, flags=re.MULTILINE | re.DOTALL)
    shown = re.sub(r"\\\n\s*", " ", without_objects)
    code = [*re.findall(r"(?<!`)`([^`\n]+)`(?!`)", shown)]
    for block in re.findall(r"^```console\n(.*?)^```$", shown, re.MULTILINE | re.DOTALL):
        code += [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    for line in code:
        for part in re.split(r"&&|\||;", line.partition("  # ")[0]):
            words = part.split()
            if words[:1] == ["nbpr"]:
                yield " ".join(words[1:]), line


@pytest.mark.parametrize("place", EVERY, ids=lambda place: place.name)
def test_every_command_line_shown_is_one(place: Path) -> None:
    known = commands()
    root = {word for words in options(typer.main.get_command(app)) for word in words}
    for words, line in calls(text(place)):
        parts = words.split()
        if not parts or parts[0] == "…":
            continue
        if parts[0].startswith("-"):
            assert parts[0] in root | COMMON, f"no such option: {line}"
            continue
        assert parts[0] in known, f"no such command: {line}"
        pair = " ".join(parts[:2])
        is_group = bool(getattr(known[parts[0]], "commands", None))
        assert not is_group or len(parts) == 1 or pair in known, f"no such command: {line}"
        command = known[pair if pair in known else parts[0]]
        allowed = {word for each in options(command) for word in each} | COMMON
        given = [part.partition("=")[0] for part in parts if re.match(r"--?[a-z]", part)]
        assert not set(given) - allowed, f"no such option: {line}"


def test_command_lines_are_found() -> None:
    found = [words for place in EVERY for words, _ in calls(text(place))]
    assert len(found) > 50
    assert any(words.startswith("propose") and "--body" in words for words in found)  # over a continued line


# -- settings ------------------------------------------------------------------------------------------------


def written(default: Any) -> str:
    """A default as the page writes it: as TOML, or in words where there is none."""
    if default is None:
        return "not set"
    if dataclasses.is_dataclass(default) or isinstance(default, Mapping):
        return "`{}`"
    return f"`{json.dumps(list(default) if isinstance(default, tuple) else default)}`"


def settings() -> dict[str, str]:
    """Every setting and its default."""
    found = {}
    sections = (
        (config.Execute, "execute."),
        (config.Clean, "clean."),
        (config.Diff, "diff."),
        (config.Cache, "cache."),
        (config.Gate, "gate."),
        (config.Bound, "scraps.NAME."),
    )
    for kind, prefix in ((config.Config, ""), *sections):
        for each in dataclasses.fields(kind):
            name = prefix + each.name.replace("_", "-")
            found[name] = written(getattr(kind(), each.name))
    return found


def test_every_setting_is_documented_with_its_default() -> None:
    told = {row[0].strip("`"): row[1] for row in rows(page("configuration.md")) if len(row) == 3 and row[0] != "Key"}
    assert told == settings()


def test_nothing_is_told_of_that_is_not_there_yet() -> None:
    assert "not there yet" not in page("configuration.md")


def test_every_check_is_documented() -> None:
    assert not [name for name in config.CHECKS if f"`{name}`" not in page("configuration.md")]
    assert not [name for name in config.CHECKS if f"`{name}`" not in page("validate.md")]


@pytest.mark.parametrize("place", [README, *PAGES], ids=lambda place: place.name)
def test_settings_shown_are_read(place: Path, tmp_path: Path) -> None:
    for number, block in enumerate(fences(text(place), "toml")):
        root = tmp_path / str(number)
        root.mkdir()
        (root / "pyproject.toml").write_text(block, encoding="utf-8")
        config.load(root, {}, {})


# -- codes and keys ------------------------------------------------------------------------------------------


def exit_codes() -> set[int]:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.NbprError)]
    return {0, *(kind.exit_code for kind in kinds)}


@pytest.mark.parametrize("name", ["README.md", "docs/json.md"])
def test_exit_codes_are_those_of_the_errors(name: str) -> None:
    told = [int(row[0]) for row in rows(text(ROOT / name)) if row[0].isdecimal()]
    assert sorted(told) == sorted(exit_codes())


#: What `nbpr propose --json` was promised to hold.
PROPOSAL = """
operation pull_request number url state draft branch base head_sha key verdict findings runs role scraps notebook name
before after diff cells_added cells_removed cells_modified cells_moved outputs_changed review_page
""".split()


def literal_keys(function: Any) -> set[str]:
    """The names that a function's dictionaries are written with."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    inner = (key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys)
    return {key.value for key in inner if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def objects() -> dict[str, set[str]]:
    """The keys of each object, by the heading of docs/json.md that it stands under."""
    pull = PullRequest(1, "", "open", False, "", "", "", "", "").as_full_json()
    outcome = literal_keys(Outcome.as_json)
    assert {"operation", "review_page"} <= outcome
    return {
        "nbpr propose": {*PROPOSAL, *outcome},
        "A finding": set(Finding("", "note", "", "").as_json()),
        "A run record": {each.name for each in dataclasses.fields(RunRecord)},
        "The other commands": set(pull),
        "Exit codes": {"error", "message", "hint", "exit_code"},
    }


@pytest.mark.parametrize("heading", objects())
def test_every_key_of_the_objects_is_documented(heading: str) -> None:
    section = page("json.md").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert not [key for key in sorted(objects()[heading]) if f'"{key}"' not in section and f"`{key}`" not in section]


def test_every_command_with_json_has_its_object() -> None:
    with_json = [name for name, command in commands().items() if any("--json" in words for words in options(command))]
    assert len(with_json) > 10
    assert not [name for name in with_json if not has(f"nbpr {name}", page("json.md"))]


@pytest.mark.parametrize("place", [README, *PAGES], ids=lambda place: place.name)
def test_json_shown_is_json_and_edits_shown_are_edits(place: Path) -> None:
    for block in fences(text(place), "json"):
        found = json.loads(block)
        if isinstance(found, list):
            parse(found, ["nb.ipynb"])


def test_the_edits_of_the_readme_are_edits() -> None:
    shown = re.search(r"^\$ cat edits\.json\n(\[.*?^\])$", text(README), re.MULTILINE | re.DOTALL)
    assert shown
    assert len(parse(json.loads(shown[1]), ["nb.ipynb"])) == 2


# -- Python, rooms, links ------------------------------------------------------------------------------------


def test_python_shown_uses_what_there_is() -> None:
    public = {name for name in vars(NotebookExecutor) if not name.startswith("_")}
    blocks = fences(page("python.md"), "python")
    assert blocks
    used = {
        node.func.attr
        for block in blocks
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr != "print"
    }
    told = {row[0].strip("`").partition("(")[0] for row in rows(page("python.md")) if "(" in row[0]}
    assert told == public
    assert used <= public


def test_the_signatures_told_are_those_there_are() -> None:
    for row in rows(page("python.md")):
        name, bracket, rest = row[0].strip("`").partition("(")
        if bracket:
            given = [word.strip() for word in rest.rstrip(")").split(",")]
            there = list(inspect.signature(getattr(NotebookExecutor, name)).parameters.values())[1:]
            marks = {inspect.Parameter.VAR_KEYWORD: "**"}
            assert given == [marks.get(each.kind, "") + each.name for each in there]


def test_every_room_is_in_the_house_and_no_other() -> None:
    told = set(re.findall(r"`(nbpr/[\w/]+\.py)`", page("layout.md")))
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "nbpr").rglob("*.py")}
    assert not told - there, "rooms that there are not"
    doors = {path for path in there if path.endswith("__init__.py")}
    assert not there - doors - told, "rooms that docs/layout.md does not name"


@pytest.mark.parametrize("place", EVERY, ids=lambda place: place.name)
def test_links_lead_somewhere(place: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text(place)):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        there = (place.parent / name).resolve() if name else place
        assert there.is_file(), f"{place.name}: {target}"
        assert there.is_relative_to(ROOT), f"{place.name}: {target}"
        titles = re.findall(r"^#+ (.*)", text(there), re.MULTILINE) if there.suffix == ".md" else []
        headings = [re.sub(r"[^\w -]", "", title.lower()) for title in titles]
        assert not anchor or anchor in {heading.replace(" ", "-") for heading in headings}, f"{place.name}: {target}"


def test_every_page_is_linked_from_the_readme() -> None:
    assert not [page.name for page in PAGES if f"(docs/{page.name})" not in text(README)]


def test_the_readme_begins_with_the_two_commands() -> None:
    first = re.search(r"^```console\n(.*?)^```$", text(README), re.MULTILINE | re.DOTALL)
    assert first
    assert re.findall(r"^\$ (make [a-z-]+)", first[1], re.MULTILINE) == ["make demo", "make test"]
    assert text(README)[: first.start()].count("\n") < 25
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    wanted = {name for place in EVERY for name in re.findall(r"`make ([a-z-]+)`|\$ make ([a-z-]+)", text(place))}
    assert {one or other for one, other in wanted} <= set(targets)


@pytest.mark.parametrize("place", EVERY, ids=lambda place: place.name)
def test_pages_are_short_and_their_words_are_ours(place: Path) -> None:
    limit = 300 if place == README else 150
    assert text(place).count("\n") <= limit
    assert not HOLLOW.findall(text(place))


def test_rules_that_terminals_show_are_those_of_80_columns() -> None:
    lines = [line for place in EVERY for block in fences(text(place), "console") for line in block.splitlines()]
    drawn = [line for line in lines if line.startswith("──")]
    assert drawn
    assert {len(line) for line in drawn} == {80}
