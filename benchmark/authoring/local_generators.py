"""Generators loaded from files that the user names: `path/to/my_model.py:MyModel`.

The file's code runs because the user typed its path, never because a record or a sweep names it.
"""

import re
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from gexbench.models.local_file import LocalFile
from gexbench.models.registry import Condition, Entry, Registry
from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.names import checked_name, unknown

if TYPE_CHECKING:
    from gexbench.models.contract import Generator

FAMILY = "local"
GUIDE = "docs/add-a-generator/index.md"
_PLACE = re.compile(r"(?P<file>.+\.py)(:(?P<class>\w*))?")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_")


def with_local(entries: Registry, wanted: Sequence[str]) -> tuple[Registry, tuple[str, ...]]:
    """The registry extended by the generators of the files in `wanted`, and the registry keys of everything wanted.

    Args:
        entries: the registered generators.
        wanted: registry keys, `all` (every registered one) and files, `FILE.py:Class` or `FILE.py`.

    Raises:
        InputError: files that cannot be used, a name that is taken; all at once.
    """
    found: list[Entry] = []
    names: list[str] = []
    problems: list[str] = []
    for part in dict.fromkeys(wanted):
        if not names_a_file(part):
            names += list(entries) if part == "all" else [part]
            continue
        try:
            entry = local_entry(part)
            if entry.name in entries:
                raise InputError(f"{part}: {entry.name!r} is a registered generator; give the class another name")
        except InputError as error:
            problems += error.problems
            continue
        found.append(entry)
        names.append(entry.name)
    if problems:
        raise InputError(problems)
    return (Registry((*entries.values(), *found)) if found else entries), tuple(names)


def names_a_file(text: str) -> bool:
    """Whether a generator's name is a file: no registry key contains a slash or ends in `.py`."""
    return text.endswith(".py") or ".py:" in text or "/" in text or "\\" in text


def local_entry(text: str) -> Entry:
    """The entry of a generator in a file; its key is the class's name in lower case with hyphens.

    Args:
        text: `FILE.py:Class`, or `FILE.py` when the file holds one generator.

    Raises:
        InputError: a file that cannot be read or run, a missing class, an incomplete generator.
    """
    match = _PLACE.fullmatch(text)
    if match is None:
        raise InputError(f"{text}: not a Python file; give FILE.py:Class, or a name of `gexbench ls generators`")
    place, wanted = match.group("file"), match.group("class") or ""
    try:
        file = LocalFile.read(Path(place))
    except OSError as error:
        raise InputError(f"{place}: cannot be read ({error.strerror}); give FILE.py:Class") from None
    cls = _class(file, wanted)
    conditions = _conditions(file, cls)
    lines = (cls.__doc__ or file.module().__doc__ or "").strip().splitlines()
    return Entry(
        name=checked_name(key_of(cls.__name__), f"{file.name}: generator"),
        target=f"{file.path.stem}:{cls.__name__}",
        family=FAMILY,
        conditions=conditions,
        summary=lines[0] if lines else f"from {file.name}",
        file=file,
    )


def key_of(class_name: str) -> str:
    """The registry key of a class: `MyModel` → `my-model`, `CVAEGemm` → `cvae-gemm`."""
    return "-".join(part.lower() for part in _WORDS.split(class_name) if part)


def _class(file: LocalFile, wanted: str) -> "type[Generator]":
    from gexbench.models.contract import Generator

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


def _conditions(file: LocalFile, cls: "type[Generator]") -> tuple[Condition, ...]:
    from gexbench.models.settings import GeneratorSettings

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
