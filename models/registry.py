"""The registry of generators: names, lazily imported classes, resolved settings."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from gexbench.models.built_in import BUILT_IN
from gexbench.models.entry import Entry, ill_typed
from gexbench.tasks.cohorts.vocabulary import Condition
from gexbench.tasks.errors import InputError, field_problem, short
from gexbench.tasks.files.plain_text import plain
from gexbench.tasks.files.plug_ins import PlugIn, not_imported, plug_ins
from gexbench.tasks.names import checked_name, is_name, unknown

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
    cannot be imported, or gives anything else, costs its own generators alone: their entries are `broken`.
    """
    found = {entry.name: entry for entry in BUILT_IN}
    for plug_in in plug_ins(ENTRY_POINT_GROUP, "generator"):
        broken = plug_in.broken or _problem(plug_in, found)
        entry = plug_in.loaded
        if broken:
            entry = Entry(_free_name(plug_in, found), plug_in.target, "broken", (), "", broken=broken)
        found[entry.name] = entry
    return Registry(tuple(found.values()))


def _problem(plug_in: PlugIn, taken: Collection[str]) -> str:
    """Why what a plug-in gives cannot be used, and the fix; empty when it can."""
    name, entry = plug_in.name, plug_in.loaded
    if not isinstance(entry, Entry):
        problems = [f"gives {type(entry).__name__}, not an Entry"]
    else:
        problems = ill_typed(entry)
        if entry.name != name:
            problems.append(f"gives an Entry named {short(entry.name)}, not {name!r}")
        elif name in taken:
            problems.append("that name is taken; rename the generator")
        elif not is_name(name):
            problems.append("names consist of a-z, 0-9, '.', '_', '-'")
    said = f"generator {name}: the package {plug_in.distribution} ({plug_in.target}): {'; '.join(problems)}"
    return f"{plain(said)}; fix or uninstall the package" if problems else ""


def _free_name(plug_in: PlugIn, taken: Collection[str]) -> str:
    """A key for a broken plug-in: its name, with its package and a number where that cannot be had."""
    name = re.sub(r"[^a-z0-9._-]+", "-", plug_in.name.lower()).lstrip("._-")[:24] or "generator"
    names = (name, f"{name}.{plug_in.prefix[:24]}", *(f"{name}.{number}" for number in range(2, 10_000)))
    return next(each for each in names if each not in taken)


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
    except (Exception, SystemExit) as error:  # another package's code may raise anything, or end the program
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
