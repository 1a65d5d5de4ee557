"""The help of every command reads whole at 80 columns."""

import re

import pytest
import typer
from typer.testing import CliRunner

from gexbench.benchmark.cli import app
from gexbench.benchmark.commands.terminal.help import flowing, laid_out


def commands(group, path=()):
    for name, command in group.commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(app)))


def words(text):
    return re.findall(r"[^\s│]+", re.sub(r"\[/?\w+\]", "", text.replace(r"\[", "[")))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_word_of_the_help_is_there_at_80_columns(path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    text = CliRunner().invoke(app, [*path, "--help"]).output
    assert max(map(len, text.splitlines())) <= 80
    shown, command = set(words(text)), COMMANDS[path]
    for sentence in (command.help, command.epilog, *(getattr(each, "help", None) for each in command.params)):
        assert set(words(sentence or "")) <= shown
    for option in (option for each in command.params for option in each.opts if option.startswith("-")):
        assert option in text


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_no_line_of_an_example_is_broken_at_80_columns(path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = [line.strip() for line in CliRunner().invoke(app, [*path, "--help"]).output.splitlines()]
    for line in (COMMANDS[path].epilog or "").replace(r"\[", "[").splitlines():
        if line.startswith(("gexbench ", "    ")):
            assert line.strip() in lines


def test_an_example_has_its_remark_above_it_and_goes_on_in_further_lines():
    text = "gexbench run x --generators a,b --settings c.d=[1]      a remark\n\ngexbench run " + "--name long " * 8
    first, second = laid_out(text).split("\n\n")
    assert first == "[dim]# a remark[/dim]\ngexbench run x --generators a,b --settings c.d=\\[1]"
    assert second.count(" \\\n    --name long") == 1
    assert max(map(len, second.splitlines())) <= 76


def test_paragraphs_of_a_docstring_flow():
    assert flowing("One\n    line.\n\n    Two\n    lines.\n    ") == "One line.\n\nTwo lines."
