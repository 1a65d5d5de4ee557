"""Public names of `gexbench.tasks.cohorts.conditions`, which generators import from here."""

from gexbench.tasks.cohorts.conditions import Conditions, RaggedTensor

__all__ = ["Conditions", "RaggedTensor"]
