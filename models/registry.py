"""The registry of generators: names, lazily imported classes, resolved settings."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from gexbench.models.built_in import BUILT_IN
from gexbench.models.entry import Entry
from gexbench.tasks.cohorts.vocabulary import Condition
from gexbench.tasks.errors import InputError, field_problem
from gexbench.tasks.files.plug_ins import not_imported, plug_ins
from gexbench.tasks.names import checked_name, unknown

if TYPE_CHECKING:
    from gexbench.models.contract import Generator
    from gexbench.models.settings import GeneratorSettings

__all__ = ["BrokenGenerator", "Condition", "Entry", "Registry", "create", "registry", "resolve_settings"]

ENTRY_POINT_GROUP = "gexbench.generators"


class BrokenGenerator(InputError):
    """A third-party generator that cannot be imported; the message names it, the cause and the fix."""


class Registry(Mapping[str, Entry]):
    """Name → entry, in table order; names collide only with an error."""

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self._entries: dict[str, Entry] = {}
        for entry in entries:
            checked_name(entry.name, "generator")
            if entry.name in self._entries:
                raise InputError(f"generator {entry.name!r} is registered twice; rename one of them")
            self._entries[entry.name] = entry

    def __getitem__(self, name: str) -> Entry:
        if name not in self._entries:
            raise unknown(name, self._entries, "generator")
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def registry() -> Registry:
    """Built-in generators followed by those of installed packages (entry points `gexbench.generators`).

    An entry point's name is the registry key, its value an `Entry` or a function that returns one. A package that
    cannot be imported costs its own generators alone: their entries are `broken`.
    """
    found: list[Entry] = []
    for plug_in in plug_ins(ENTRY_POINT_GROUP, "generator"):
        name, entry = plug_in.name, plug_in.loaded
        if plug_in.broken:
            found.append(Entry(name, plug_in.target, "broken", (), "", broken=plug_in.broken))
        elif isinstance(entry, Entry) and entry.name == name:
            found.append(entry)
        else:
            raise InputError(f"entry point {name!r} ({plug_in.target}): must give an Entry named {name!r}")
    return Registry((*BUILT_IN, *found))


def resolve_settings(entry: Entry, budget: str, overrides: Mapping[str, Any] | None = None) -> "GeneratorSettings":
    """Class defaults ← the budget's preset ← the entry's settings ← the user's overrides, checked strictly.

    Raises:
        InputError: unknown or ill-typed settings, all of them at once, with suggestions.
        BrokenGenerator: its code cannot be imported.
    """
    from pydantic import ValidationError

    if entry.broken:
        raise BrokenGenerator(entry.broken)
    try:
        cls = entry.settings_class()
    except Exception as error:  # another package's code may raise anything
        raise BrokenGenerator(not_imported("generator", entry.name, "", error)) from error
    merged = {**cls.presets.get(budget, {}), **entry.settings, **(overrides or {})}
    try:
        return cls.model_validate_json(json.dumps(merged))  # a list stands for a tuple, as it does in YAML
    except ValidationError as error:
        problems = []
        for item in error.errors():
            if item["type"] == "extra_forbidden":
                place = ".".join(map(str, item["loc"]))
                problems.append(f"generator {entry.name}: {unknown(place, cls.model_fields, 'setting')}")
            else:
                problems.append(f"generator {entry.name}: setting {field_problem(item)}")
        raise InputError(problems) from None


class PlannedSettings(Protocol):
    """What planning reads of settings."""

    @property
    def version(self) -> str:
        """Of the generator."""

    def model_dump(self, *, mode: str = ...) -> dict[str, Any]:
        """Name → value."""


def create(entry: Entry, budget: str, overrides: Mapping[str, Any] | None = None) -> "Generator":
    """A generator of this entry with its settings resolved (see `resolve_settings`)."""
    return entry.load()(resolve_settings(entry, budget, overrides))
