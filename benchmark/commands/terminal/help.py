"""How the commands' help is laid out: flowing paragraphs, and examples that can be copied from 80 columns."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import typer

WIDTH = 76


def add(app: typer.Typer, function: Callable[..., Any], examples: str) -> None:
    """Add a function as a command; its help is the docstring, its epilog `laid_out(examples)`."""
    app.command(function.__name__, help=flowing(function.__doc__ or ""), epilog=laid_out(examples))(function)


def flowing(text: str) -> str:
    """A docstring whose paragraphs are one line each, for the terminal to wrap."""
    return "\n\n".join(" ".join(part.split()) for part in _paragraphs(inspect.cleandoc(text)))


def laid_out(text: str) -> str:
    """The examples of a command as its help shows them.

    Args:
        text: paragraphs. One that begins with `gexbench` is a command, at three spaces or more followed by a remark,
            which is shown as a comment above it; long commands are continued in further lines.
    """
    return "\n\n".join(
        _example(part) if part.startswith("gexbench ") else " ".join(part.split()) for part in _paragraphs(text)
    )


def _paragraphs(text: str) -> Iterator[str]:
    return (part.strip() for part in re.split(r"\n\s*\n", text) if part.strip())


def _example(text: str) -> str:
    command, _, remark = re.sub(r"\s*\n\s*", " ", text).partition("   ")
    lines = [""]
    for word in re.split(r" (?=-)", command):
        if lines[-1] and len(lines[-1]) + len(word) > WIDTH - 3:
            lines.append("   ")
        lines[-1] += f" {word}" if lines[-1] else word
    shown = " \\\n".join(lines).replace("[", r"\[")
    return f"[dim]# {remark.strip()}[/dim]\n{shown}" if remark.strip() else shown
