"""Everything that reaches a terminal passes through one console, or through the function for errors."""

import ast
import io
from pathlib import Path

import pytest
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

import gexbench.benchmark
from gexbench.benchmark.commands.terminal.console import PlainConsole
from gexbench.benchmark.machine.exits import clear_exits
from gexbench.benchmark.running.progress import Display
from gexbench.tasks.errors import InputError

EVIL = "evil\x1b]0;title\x07\x1b[2J\rname\u202e"
PRINTING = {"cli.py", "commands/ls.py", "machine/exits.py"}
"""Files that print by themselves: a version, pages for files, errors."""


@pytest.fixture
def console():
    return PlainConsole(file=io.StringIO(), force_terminal=True, width=80, color_system="truecolor")


def shown(console):
    return console.file.getvalue()


def test_words_tables_titles_and_progress_lose_their_controls(console):
    table = Table(title=EVIL)
    table.add_column(EVIL)
    table.add_row(Text(EVIL))
    console.print(EVIL, markup=False)
    console.print(table)
    display = Display(console)
    with display.started(3, 0):
        display.progress(0, None, "idle", 0, 0, {})
        display.say(EVIL)
    with Progress(console=console) as bar:
        bar.add_task(EVIL)
    said = shown(console)
    assert said.count("evil") >= 4
    for control in ("\x1b]", "\x1b[2J\r", "\u202e", "\x07"):
        assert control not in said


def test_colours_of_our_own_stay(console):
    console.print("[bold red]a word[/]")
    assert "\x1b[1;31ma word" in shown(console)


def test_errors_lose_their_controls(capsys):
    with pytest.raises(SystemExit), clear_exits():
        raise InputError(f"generator {EVIL}: no")
    assert capsys.readouterr().err == "error: generator evil name : no\n"


def test_no_other_console_is_made_and_nothing_else_prints():
    root = Path(gexbench.benchmark.__path__[0])
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root).as_posix()
        if place.startswith("studies/"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "Console", place
                assert node.func.id != "print" or place in PRINTING, place
