"""The registry of generators: names, lazily imported classes, resolved settings."""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from gexbench.models.local_file import LocalFile
from gexbench.tasks.errors import InputError
from gexbench.tasks.names import checked_name, unknown

if TYPE_CHECKING:
    from gexbench.models.contract import Generator
    from gexbench.models.settings import GeneratorSettings

Condition = Literal["labels", "text", "patches"]
ENTRY_POINT_GROUP = "gexbench.generators"


class BrokenGenerator(InputError):
    """A generator of another package whose code cannot be imported; names it, the cause and the mend."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One registered generator; holds nothing that needs an import of torch.

    Attributes:
        name: registry key.
        target: `module:Class` of the generator.
        settings_target: `module:Class` of its settings, in a module that imports no torch; empty takes the
            generator class's own `Settings`.
        family: `reference`, `wgan-gp`, `vae`, …
        conditions: kinds of conditions it uses; empty = unconditional.
        summary: one line.
        settings: settings that differ from the class's defaults under every budget.
        source: where the method was published; empty without one.
        modules: modules its dependency provides; missing ones make it unavailable.
        install: the command that installs them.
        reads_counts: it reads the read counts that a cohort keeps beside its expression (`Split.counts`).
        returns_real_rows: its rows are real patients' rows, which never leave the machine unasked.
        file: the file that the user named, of which `target`'s class is part; None for a generator in a module.
        broken: why the package that it comes from cannot be imported; empty when it can.
    """

    name: str
    target: str
    family: str
    conditions: tuple[Condition, ...]
    summary: str
    settings_target: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    modules: tuple[str, ...] = ()
    install: str = ""
    reads_counts: bool = False
    returns_real_rows: bool = False
    file: LocalFile | None = None
    broken: str = ""

    @property
    def local(self) -> bool:
        """Whether it comes from a file that the user named."""
        return self.file is not None

    @property
    def is_reference(self) -> bool:
        """Whether it stands in the table without a rank."""
        return self.family == "reference"

    @property
    def unavailable(self) -> str | None:
        """Why it cannot be used here, with the mend; None when it can."""
        if self.broken:
            return self.broken
        missing = [module for module in self.modules if find_spec(module) is None]
        return f"needs {', '.join(missing)}; install with: {self.install}" if missing else None

    def load(self) -> "type[Generator]":
        """Import the class."""
        if self.file is not None:
            of_file: type[Generator] = getattr(self.file.module(), self.target.partition(":")[2])
            return of_file
        loaded: type[Generator] = _imported(self.target)
        return loaded

    def settings_class(self) -> "type[GeneratorSettings]":
        """Import the settings' class, without torch where `settings_target` is given."""
        if not self.settings_target:
            return self.load().Settings
        loaded: type[GeneratorSettings] = _imported(self.settings_target)
        return loaded


def _imported(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


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
    from gexbench.models import BUILT_IN

    found: list[Entry] = []
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        try:
            loaded = point.load()
            entry = loaded() if callable(loaded) and not isinstance(loaded, type) else loaded
        except Exception as error:  # another package's code may raise anything
            found.append(Entry(point.name, point.value, "broken", (), "", broken=_broken(point.name, error)))
            continue
        if not isinstance(entry, Entry) or entry.name != point.name:
            raise InputError(f"entry point {point.name!r} ({point.value}): must give an Entry named {point.name!r}")
        found.append(entry)
    return Registry((*BUILT_IN, *found))


def _broken(name: str, error: Exception) -> str:
    cause = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"generator {name}: the package that it comes from cannot be imported ({cause}); mend or uninstall it"


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
        raise BrokenGenerator(_broken(entry.name, error)) from error
    merged = {**cls.presets.get(budget, {}), **entry.settings, **(overrides or {})}
    try:
        return cls.model_validate(merged)
    except ValidationError as error:
        problems = []
        for item in error.errors():
            place = ".".join(str(part) for part in item["loc"])
            if item["type"] == "extra_forbidden":
                problems.append(f"generator {entry.name}: {unknown(place, cls.model_fields, 'setting')}")
            else:
                problems.append(f"generator {entry.name}: setting {place} = {item['input']!r}: {item['msg']}")
        raise InputError(problems) from None


def create(entry: Entry, budget: str, overrides: Mapping[str, Any] | None = None) -> "Generator":
    """A generator of this entry with its settings resolved (see `resolve_settings`)."""
    return entry.load()(resolve_settings(entry, budget, overrides))
