"""The exact conditional of the simulated cohort as a generator: what no model can beat."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from gexbench.models.contract import (
    Generator,
    Progress,
    Samples,
    Unavailable,
    silent,
)
from gexbench.models.references.oracle_settings import OracleSettings
from gexbench.models.settings import GeneratorSettings
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.cohorts.vocabulary import Condition
from gexbench.tasks.errors import InputError
from gexbench.tasks.simulated.cohort import provenance
from gexbench.tasks.simulated.oracle import SimulatedOracle, oracle, why_not_simulated


class Oracle(Generator):
    """Exact draws from p(expression | conditions) of the simulated cohort, in closed form.

    Nothing is learned: the parameters follow from the cohort's provenance, a patient's shown columns and patches
    are found by id, and no expression is read. It conditions on all patches of a patient, whatever the budget
    shows to models, and on the site-held-out track it knows the effects of all sites.
    """

    Settings: ClassVar[type[GeneratorSettings]] = OracleSettings
    settings: OracleSettings

    def fit(self, train: Split, validation: Split, *, seed: int, progress: Progress = silent) -> None:
        """Rebuild the world from the provenance; the seed has no effect.

        Raises:
            Unavailable: on any cohort but the simulated one, or when its genes were changed.
        """
        facts = train.cohort.provenance
        problem = why_not_simulated(facts)
        if problem:
            raise Unavailable(problem)
        exact = self._build(facts)
        if exact.genes != train.genes:
            raise Unavailable(
                f"needs the simulated cohort with its {len(exact.genes)} genes in their order; this cohort "
                f"has {len(train.genes)}"
            )
        self.report.facts = {"conditions": sorted(self.settings.conditions), "parameters": 0}

    def sample(self, conditions: Conditions, draws: int = 1, *, seed: int) -> Samples:
        """`draws` exact draws per condition, in log2(rsem+1); patients are found by id."""
        drawn = self._exact.sample(conditions.ids, draws, seed=seed)
        return Samples.of(drawn.reshape(-1, drawn.shape[-1]), conditions, draws, self._exact.genes)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """No tensors: the facts of the provenance are all it takes."""
        return {}, {"provenance": self._facts}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """Rebuild the world; draws are made on the CPU whatever the device.

        Raises:
            InputError: facts of another cohort or of another version of the simulated one.
        """
        saved = facts.get("provenance")
        if not isinstance(saved, Mapping):
            raise InputError("oracle: the saved facts hold no provenance; fit it again")
        self._build(saved)

    @classmethod
    def conditions_used(cls, settings: GeneratorSettings) -> frozenset[Condition]:
        """The kinds of conditions it conditions on."""
        return frozenset(settings.conditions) if isinstance(settings, OracleSettings) else frozenset()

    def _build(self, facts: Mapping[str, Any]) -> SimulatedOracle:
        self._exact = oracle(facts, self.settings.conditions, text=self.settings.text)
        self._facts = provenance(*(int(facts[name]) for name in ("patients", "genes", "seed")))
        return self._exact
