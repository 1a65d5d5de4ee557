"""A generator's entry in the registry, readable without importing its code."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, get_args

from gexbench.models.local.file import LocalFile
from gexbench.tasks.cohorts.vocabulary import Condition
from gexbench.tasks.errors import short

if TYPE_CHECKING:
    from gexbench.models.contract import Generator
    from gexbench.models.settings import GeneratorSettings


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
        reads: what it sees beyond conditions, training and validation patients: nothing (`development`); `audit` is for
            the ceiling, which gets the audit patients as its validation patients; `ids` for the oracle, which finds
            patients by the ids of the cohort, where others get ids that say nothing.
        returns_real_rows: its rows are real patients' rows, which never leave the machine unasked.
        file: the file that the user named, of which `target`'s class is part; None for a generator in a module.
        broken: why its package cannot be imported; empty if it can.
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
    reads: Literal["development", "audit", "ids"] = "development"
    returns_real_rows: bool = False
    file: LocalFile | None = None
    broken: str = ""

    @property
    def local(self) -> bool:
        """Whether it was loaded from a file named by the user."""
        return self.file is not None

    @property
    def class_name(self) -> str:
        """Name of the generator's class."""
        return self.target.partition(":")[2]

    @property
    def is_reference(self) -> bool:
        """Whether it appears in the table without a rank."""
        return self.family == "reference"

    @property
    def unavailable(self) -> str | None:
        """Why the generator cannot be used here, with the fix; None if it can."""
        if self.broken:
            return self.broken
        missing = [module for module in self.modules if not _is_installed(module)]
        return f"needs {', '.join(missing)}; install with: {self.install}" if missing else None

    def load(self) -> "type[Generator]":
        """Import the class."""
        if self.file is not None:
            of_file: type[Generator] = getattr(self.file.module(), self.class_name)
            return of_file
        loaded: type[Generator] = _imported(self.target)
        return loaded

    def settings_class(self) -> "type[GeneratorSettings]":
        """Import the settings' class, without torch where `settings_target` is given."""
        if not self.settings_target:
            return self.load().Settings
        loaded: type[GeneratorSettings] = _imported(self.settings_target)
        return loaded


def ill_typed(entry: Entry) -> list[str]:
    """What is wrong with the fields of an entry that another package made."""
    problems = []
    kinds = get_args(Condition)
    for each in fields(entry):
        value = getattr(entry, each.name)
        if each.name in ("conditions", "modules"):
            right = isinstance(value, tuple) and all(isinstance(text, str) for text in value)
            right = right and (each.name == "modules" or all(text in kinds for text in value))
        elif each.name == "settings":
            right = isinstance(value, Mapping) and all(isinstance(name, str) for name in value)
        elif each.name in ("reads_counts", "returns_real_rows"):
            right = isinstance(value, bool)
        elif each.name == "reads":
            right = value in ("development", "audit")
        else:
            right = value is None if each.name == "file" else isinstance(value, str)
        if not right:
            problems.append(f"its {each.name} is {short(value)}, not {_EXPECTED.get(each.name, 'text')}")
    return problems


_EXPECTED = {
    "conditions": f"a tuple of {', '.join(get_args(Condition))}",
    "modules": "a tuple of names of modules",
    "settings": "a mapping of settings",
    "reads_counts": "True or False",
    "returns_real_rows": "True or False",
    "reads": "'development' or 'audit'",
    "file": "None",
}


def missing_package(error: ModuleNotFoundError) -> str | None:
    """Says which package an import needs that is not installed; None for a module that its package lacks."""
    package = (error.name or "").partition(".")[0]
    if not package or _is_installed(package):
        return None
    return f"needs the package {package}, which is not installed here; install it"


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # of a parent that is missing, or a name that is none
        return False


def _imported(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
