"""Generators: the contract, the registry and the built-in families."""

from gexbench.models.built_in import BUILT_IN
from gexbench.models.registry import Entry, registry

__all__ = ["BUILT_IN", "Entry", "registry"]
