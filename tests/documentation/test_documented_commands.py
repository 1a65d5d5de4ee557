"""Every gexbench command in the README, the documentation and the help is one that the command line takes."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from gexbench.benchmark.cli import app

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / ".github"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(TEMPLATES.rglob("*.md")),
    *sorted(TEMPLATES.rglob("*.yml")),
]
GENERATED = {"reference/generators.md", "reference/changelog.md", "leaderboards/published.md"}
LATER = {"reference/python.md"}
"""Pages that the navigation takes up once they are written."""
MOST_ENTRIES = 15

pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="needs the source tree")


def command_lines() -> list[tuple[str, str]]:
    """Place and text of every line of a code block that calls gexbench."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            for line in block.splitlines():
                for part in line.split(" && "):
                    if re.match(r"(\S*/)?gexbench(\s|$)", part.strip()):
                        found.append((str(page.relative_to(ROOT)), part.strip()))
    return found


def commands(group: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Words after `gexbench` → command, of every command and group."""
    found = {path: group}
    for name, command in getattr(group, "commands", {}).items():
        found |= commands(command, (*path, name))
    return found


COMMANDS = commands(typer.main.get_command(app))


def parsed(words: list[str]) -> None:
    """Parse the words after `gexbench` as the command line would, without running anything.

    Raises whatever the command line raises for options and arguments that it does not take.
    """
    depth = max(at for at in range(len(words) + 1) if tuple(words[:at]) in COMMANDS)
    command = COMMANDS[tuple(words[:depth])]
    assert depth == len(words) or not hasattr(command, "commands"), f"gexbench has no command {words[depth]!r}"
    if not hasattr(command, "commands"):
        command.make_context("gexbench", list(words[depth:]))


def test_there_are_commands_to_check() -> None:
    pages = {page for page, _ in command_lines()}
    assert {"README.md", "docs/index.md", "docs/cohorts/index.md", "docs/leaderboards/index.md"} <= pages
    assert len(command_lines()) >= 25


@pytest.mark.parametrize(("page", "line"), command_lines(), ids=lambda text: text[:60])
def test_every_command_of_a_code_block_is_parsed(page: str, line: str) -> None:
    words = [word for word in shlex.split(line, comments=True)[1:] if word != "…"]
    if ">" in words:
        words = words[: words.index(">")]
    parsed(words)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("report x --formats", "requires an argument"),
        ("run --generator cvae", "No such option: --generator"),
        ("repport x", "no command 'repport'"),
        ("cohort biuld x", "no command 'biuld'"),
        ("run --workers many", "valid int"),
    ],
)
def test_a_command_that_is_none_is_found(line: str, problem: str) -> None:
    with pytest.raises(Exception, match=r".+") as found:
        parsed(line.split())
    assert problem in (getattr(found.value, "message", None) or str(found.value))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_within_a_text_exist_and_so_do_their_options(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for found in re.findall(r"`gexbench ([^`]+)`", text):
        words = found.replace("\\|", "|").split()
        names = tuple(word for word in words[:2] if re.fullmatch(r"[a-z]+", word))
        path = names if names in COMMANDS else names[:1]
        assert path in COMMANDS, f"{page.name}: gexbench {found}"
        known = {option for parameter in COMMANDS[path].params for option in parameter.opts}
        for option in re.findall(r"--[a-z-]+", found):
            assert option in known | {"--help"}, f"{page.name}: gexbench {found}"


@pytest.mark.parametrize("path", [path for path in COMMANDS if path], ids=" ".join)
def test_every_example_of_the_help_is_parsed(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    if hasattr(command, "commands"):
        return
    epilog = command.epilog or ""
    assert "Example" in epilog, f"gexbench {' '.join(path)} --help shows no example"
    examples = re.findall(r"^gexbench .*", re.sub(r" \\\n +", " ", epilog), re.MULTILINE)
    assert examples
    for example in examples:
        words = shlex.split(example)[1:]
        parsed(words[: words.index(">")] if ">" in words else words)


def test_the_navigation_names_pages_that_are_written_made_or_still_to_come() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    targets = re.findall(r"[\w/-]+\.md", str(nav))
    missing = {target for target in targets if not (ROOT / "docs" / target).is_file()}
    assert missing <= GENERATED | LATER
    written = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert written <= set(targets)


def test_a_page_says_in_its_first_line_whom_it_is_for() -> None:
    for page in sorted((ROOT / "docs").rglob("*.md")):
        heading, _, first = page.read_text(encoding="utf-8").split("\n")[:3]
        assert heading.startswith("# "), page
        assert re.match(r"For (newcomers|users|readers|authors|everyone|developers)\b", first), f"{page}: {first}"


def test_no_folder_of_the_documentation_is_crowded() -> None:
    folders = [ROOT / "docs", *(path for path in (ROOT / "docs").rglob("*") if path.is_dir())]
    counts = {folder: sum(path.suffix != ".pyc" for path in folder.iterdir()) for folder in folders}
    assert max(counts.values()) <= MOST_ENTRIES, counts


def test_the_readme_is_short_and_its_links_and_pictures_exist() -> None:
    content = (ROOT / "README.md").read_bytes()
    assert len(content) <= 9_000
    targets = re.findall(r"\]\(([^)#]+)|(?:src|srcset)=\"([^\"]+)\"", content.decode())
    missing = [path for pair in targets for path in pair if path and not (ROOT / path).exists()]
    assert missing == []


def test_no_link_of_a_page_leaves_the_documentation() -> None:
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(((?!https?:)[^)#]+)", page.read_text(encoding="utf-8")):
            path = (page.parent / target).resolve()
            assert path.is_relative_to(ROOT / "docs"), f"{page}: {target}"
            assert path.exists() or str(path.relative_to(ROOT / "docs")) in GENERATED | LATER, f"{page}: {target}"


def test_the_api_pages_name_modules_that_exist() -> None:
    from importlib.util import find_spec

    names = re.findall(
        r"^::: (\S+)", "".join(p.read_text() for p in (ROOT / "docs" / "reference" / "api").glob("*.md")), re.MULTILINE
    )
    assert len(names) > 20
    assert [name for name in names if find_spec(name) is None] == []


def test_the_forms_are_complete() -> None:
    """Every field of a form has an id of its own and a label, and what is not optional says so."""
    forms = sorted((TEMPLATES / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
    assert [form.stem for form in forms] == ["bug", "new_baseline", "question"]
    for form in forms:
        content = yaml.safe_load(form.read_text())
        assert {"name", "description", "body"} <= content.keys()
        ids = [field["id"] for field in content["body"]]
        assert len(set(ids)) == len(ids)
        for field in content["body"]:
            assert field["type"] in {"textarea", "input", "dropdown", "checkboxes"}
            assert field["attributes"]["label"]
        assert any(field.get("validations", {}).get("required") for field in content["body"])
