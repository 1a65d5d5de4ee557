"""The generator's class in a file that the user named, for processes that may run the file."""

import traceback
from typing import Any, get_args

from gexbench.models.contract import Generator
from gexbench.models.local.file import LocalFile
from gexbench.models.settings import GeneratorSettings
from gexbench.tasks.cohorts.vocabulary import Condition
from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.names import unknown

GUIDE = "docs/add-a-generator/index.md"


def class_in(file: LocalFile, wanted: str) -> type[Generator]:
    """The class of this name, or the only generator of the file where none is named.

    Raises:
        InputError: a file that cannot be run, a missing class, one that is no generator.
    """
    try:
        module = file.module()
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        raise InputError(f"{file.name}{_line(error, file)}: {_reason(error)}") from None
    generators = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Generator) and value.__module__ == module.__name__
    }
    if not wanted and len(generators) == 1:
        return next(iter(generators.values()))
    if not wanted:
        listed = examples(generators) or f"none; make a subclass of {Generator.__module__}.Generator"
        raise InputError(f"{file.name}: name its generator as {file.name}:Class (there: {listed})")
    if wanted not in vars(module):
        raise InputError(f"{file.name}: {unknown(wanted, generators, 'generator class')}")
    if wanted not in generators:
        raise InputError(
            f"{file.name}:{wanted} is not a generator; make it a subclass of {Generator.__module__}.Generator"
        )
    return generators[wanted]


def conditions_of(file: LocalFile, cls: type[Generator]) -> tuple[Condition, ...]:
    """The kinds of conditions that a class uses by default.

    Raises:
        InputError: an incomplete class, settings without defaults, unknown kinds; all at once.
    """
    place = f"{file.name}:{cls.__name__}"
    problems = [
        f"{place}: no method `{name}`; write it (models/contract.py says what it gets and returns)"
        for name in sorted(cls.__abstractmethods__)
    ]
    settings: Any = cls.Settings  # the user's class need not keep to the type
    if not (isinstance(settings, type) and issubclass(settings, GeneratorSettings)):
        problems.append(f"{place}: Settings is not a subclass of {GeneratorSettings.__module__}.GeneratorSettings")
        raise InputError(problems)
    known = get_args(Condition)
    used: Any = frozenset()
    try:
        used = frozenset(cls.conditions_used(settings()))
    except Exception as error:  # whatever the user's code raises
        problems.append(
            f"{place}: conditions_used of its default settings: {_reason(error)}; "
            "give every setting a default, and return a set of labels, text, patches"
        )
    problems += [f"{place}: {unknown(str(name), known, 'condition')}" for name in sorted(used - {*known}, key=str)]
    if problems:
        raise InputError(problems)
    return tuple(name for name in known if name in used)


def _reason(error: Exception | SystemExit) -> str:
    fix = ""
    if isinstance(error, ModuleNotFoundError):
        fix = f"; a file may import only installed packages: install it, or turn several files into a package ({GUIDE})"
    elif isinstance(error, SystemExit):
        fix = '; importing the file ends the program: put that code behind `if __name__ == "__main__":`'
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}{fix}"


def _line(error: Exception | SystemExit, file: LocalFile) -> str:
    """` line N` of the file, where the error occurred."""
    if isinstance(error, SyntaxError):
        return f" line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file.name]
    return f" line {lines[-1]}" if lines else ""
