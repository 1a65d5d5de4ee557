"""Public names of `gexbench.tasks.cohorts.split`, which generators import from here."""

from gexbench.tasks.cohorts.split import CohortFacts, CountLayer, Split, Standardiser

__all__ = ["CohortFacts", "CountLayer", "Split", "Standardiser"]
