"""The overall score of the panel core on a fold's validation patients, the objective of tuning.

The common validation score (an energy distance) separates good settings from bad ones during a fit, but not the best
from the second best: at the top of a leaderboard, generators differ in support, correlations and what a boosted
detector sees. Finished trials are therefore scored like rows of the table, with validation patients in place of test
patients and training patients in place of the real rows that set the ceiling.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from gexbench.benchmark.cells.scoring import prepare_fold
from gexbench.benchmark.cells.training import checked_samples
from gexbench.leaderboards.comparing.selection import CEILING, FLOORS
from gexbench.metrics.shared.hashing import hash_order
from gexbench.models import registry
from gexbench.models.contract import Generator
from gexbench.tasks.cohorts.cohort import MINIMUM_CLASS_SIZE, Cohort
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.dealing import PARTS
from gexbench.tasks.cohorts.device_fold import DeviceFold, put_on_device
from gexbench.tasks.cohorts.folds import Fold
from gexbench.tasks.panel.declarations.rows import Prepared, SyntheticRows
from gexbench.tasks.panel.evaluation import evaluate
from gexbench.tasks.panel.scores import References, cell_score, undiscriminating
from gexbench.tasks.seeds import generator_seed

SMALLEST_CLASS = 3 * MINIMUM_CLASS_SIZE // PARTS
"""Patients that a class needs to be classified: three of five parts are for development."""


@dataclass(frozen=True, slots=True, eq=False)
class ValidationPanel:
    """One fold, prepared to score generators fitted on its training and validation patients.

    Attributes:
        prepared: the panel with the validation patients as its test patients; training rows are withheld.
        references: floors and ceilings there.
        left_out: metrics that do not discriminate there.
        train, validation: conditions of these patients, on the device.
    """

    prepared: Prepared
    references: References
    left_out: frozenset[str]
    train: Conditions
    validation: Conditions

    @classmethod
    def of(cls, cohort: Cohort, fold: Fold, device: torch.device | str, fingerprint: str) -> "ValidationPanel":
        """The panel of a fold; the fold's test patients need not be in the cohort and are not used.

        Raises:
            ValueError: no metric discriminates on these patients.
        """
        known = _as_many_training_patients(cohort, fold)
        inner = Fold(fold.track, fold.index, fold.train, known, fold.validation, audit=known)
        held = put_on_device(cohort, inner, device, fingerprint=fingerprint)
        prepared = prepare_fold(cohort, inner, fingerprint, smallest_class=SMALLEST_CLASS)
        prepared = replace(prepared, training=None)
        real, shuffle, mean = (_reference_values(name, held, prepared) for name in (CEILING, *FLOORS))
        stated = prepared.reference_values
        references = References(real, shuffle, mean, trtr=stated["trtr"], majority=stated["majority"])
        return cls(prepared, references, undiscriminating([references]), held.train.conditions, held.test_conditions)

    def overall(self, generator: Generator, conditional: bool, seed: int) -> float:
        """Overall score of a fitted generator's rows in [0, 1], higher is better; without paired draws.

        Args:
            conditional: whether its rows depend on labels (`evaluate`).
            seed: of the rows.

        Raises:
            BadSamples, Diverged: its output cannot be scored.
        """
        values = _values(generator, self.validation, self.train, self.prepared, conditional, seed)
        return cell_score(values, self.references, left_out=self.left_out).overall


def _as_many_training_patients(cohort: Cohort, fold: Fold) -> tuple[str, ...]:
    """Per class as many training patients as validation patients (all of a smaller class), in hashed order."""
    label = dict(zip(cohort.samples.tolist(), cohort.labels(cohort.finest_label).tolist(), strict=True))
    names = np.asarray(fold.train, dtype=str)
    names = names[hash_order(0, names)]
    classes = np.asarray([label[name] for name in names.tolist()])
    wanted, counts = np.unique([label[name] for name in fold.validation], return_counts=True)
    chosen: list[NDArray[np.str_]] = [
        names[classes == one][:count] for one, count in zip(wanted.tolist(), counts.tolist(), strict=True)
    ]
    return tuple(np.concatenate(chosen).tolist())


def _reference_values(name: str, held: DeviceFold, prepared: Prepared) -> dict[str, float | None]:
    entry = registry()[name]
    generator = entry.load()(entry.load().Settings())
    seed = generator_seed(fold=f"{held.fold.track}/{held.fold.index}", generator=name, purpose="tune")
    generator.fit(held.train, held.validation, seed=seed, progress=lambda *_, **__: None)
    return _values(generator, held.test_conditions, held.train.conditions, prepared, False, seed)


def _values(
    generator: Generator,
    validation: Conditions,
    train: Conditions,
    prepared: Prepared,
    conditional: bool,
    seed: int,
) -> dict[str, float | None]:
    """Values of the core panel by key. Training patients are sampled only if a task trains on them."""
    genes, name = prepared.rows.genes, type(generator).__name__
    rows: Mapping[str, NDArray[np.float32]] = {
        part: checked_samples(
            generator.sample(conditions, 1, seed=generator_seed(seed=seed, purpose=part)), conditions, 1, genes, name
        )
        for part, conditions in {"test": validation, **({"train": train} if conditional else {})}.items()
    }
    synthetic = SyntheticRows(rows["test"], rows.get("train", prepared.rows.train), paired=None)
    result = evaluate(prepared, synthetic, panel="core", conditional=conditional, plug_ins=False)
    return {key: found.value for key, found in result.values.items()}
