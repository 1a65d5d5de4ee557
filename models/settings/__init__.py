"""Base of every generator's settings; imports no torch, so that a sweep can be planned without it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from gexbench.models.settings.search_space import SearchSpace

BudgetName = Literal["quick", "cpu", "full"]


class GeneratorSettings(BaseModel):
    """A generator's settings: typed, strict, frozen; unknown keys are refused.

    Each family puts its own subclass into a module that imports no torch (for instance `vae/settings.py`), and
    its registry entry names it.

    Attributes:
        version: the generator's declared version, raised whenever the same settings and seed give other numbers.
        presets: budget → settings that differ from the defaults under that budget.
        search_space: settings that `gexbench tune` searches, each with its values; empty = cannot be tuned.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: ClassVar[str] = "1"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    search_space: ClassVar[SearchSpace] = MappingProxyType({})
