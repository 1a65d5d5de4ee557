"""Generators loaded from files that the user names: `path/to/my_model.py:MyModel`.

The file's code runs because the user typed its path, never because a record or a sweep names it.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from gexbench.benchmark.authoring.local_process import described
from gexbench.models.local.file import LocalFile, key_of
from gexbench.models.registry import Entry, Registry
from gexbench.tasks.errors import InputError
from gexbench.tasks.names import checked_name

FAMILY = "local"
_PLACE = re.compile(r"(?P<file>.+\.py)(:(?P<class>\w*))?")


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
    found = described(file, wanted)
    return Entry(
        name=checked_name(key_of(found.class_name), f"{file.name}: generator"),
        target=f"{file.path.stem}:{found.class_name}",
        family=FAMILY,
        conditions=tuple(found.conditions),
        summary=found.summary,
        file=file,
    )
