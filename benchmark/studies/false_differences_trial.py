"""A repetition of the null test: copies of one generator, fitted and scored; see ``false_differences``."""

from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from gexbench.benchmark.cells.scoring import prepare_fold
from gexbench.benchmark.cells.training import PAIRED_DRAWS, compact
from gexbench.leaderboards.comparing.ranking import OVERALL
from gexbench.metrics.shared.hashing import hash_order
from gexbench.models import registry
from gexbench.models.contract import Generator
from gexbench.models.registry import create
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.device_fold import DeviceFold, put_on_device
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.panel.built_in import BUILT_IN
from gexbench.tasks.panel.declarations.comparison import Comparison
from gexbench.tasks.panel.declarations.rows import Prepared, SyntheticRows
from gexbench.tasks.panel.scores import References, Values, cell_score, undiscriminating
from gexbench.tasks.seeds import derive_seed
from gexbench.tasks.simulated.cohort import simulated_cohort

Fits = Literal["same", "halves"]
GENERATOR = "class-gaussian"
ANCHORS = ("real-holdout", "gene-shuffle", "class-mean")
COPIES = 3


@dataclass(frozen=True, slots=True)
class Design:
    """What is repeated. patients, genes: of the simulated cohort; fits: `same` or `halves` (``false_differences``)."""

    patients: int = 400
    genes: int = 60
    fits: Fits = "same"


@dataclass(frozen=True, slots=True, eq=False)
class PreparedTrial:
    """A fold with what its repetitions share: the real side, the anchors' values, the fit on all training patients."""

    device: DeviceFold
    prepared: Prepared
    references: References
    fitted: Generator


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """The whole design, prepared. share: n_test / n_train; left_out: keys that do not discriminate here."""

    design: Design
    folds: tuple[PreparedTrial, ...]
    left_out: frozenset[str]
    share: float


def prepare_trial(design: Design) -> Trial:
    """Make the cohort, its folds, the anchors and the fits. Takes a few seconds."""
    cohort = simulated_cohort(design.patients, design.genes, text=False)
    prepared = tuple(_prepared(cohort, index) for index in range(5))
    sizes = [(len(each.prepared.rows.test), len(each.prepared.rows.train)) for each in prepared]
    share = float(np.mean([test / train for test, train in sizes]))
    return Trial(design, prepared, undiscriminating([each.references for each in prepared]), share)


def _prepared(cohort: Cohort, index: int) -> PreparedTrial:
    fingerprint, fold = cohort.fingerprint(), folds(cohort)[index]
    device = put_on_device(cohort, fold, fingerprint=fingerprint)
    prepared = prepare_fold(cohort, fold, fingerprint)
    real, shuffle, mean = (
        values_of(prepared, _rows(_fit(name, device, device.train), device, name, 0)) for name in ANCHORS
    )
    trtr, majority = (
        {key: value for key, value in prepared.reference_values[kind].items() if not key.startswith("tstr_xgb")}
        for kind in ("trtr", "majority")
    )
    references = References(real, shuffle, mean, trtr=trtr, majority=majority)
    return PreparedTrial(device, prepared, references, _fit(GENERATOR, device, device.train))


def _fit(name: str, device: DeviceFold, train: Split) -> Generator:
    generator = create(registry()[name], "quick")
    generator.fit(train, device.validation, seed=0)
    return generator


def _rows(generator: Generator, device: DeviceFold, name: str, repeat: int) -> SyntheticRows:
    """Rows of a copy; every purpose has a seed of its own, as in a sweep."""

    def seed(purpose: str) -> int:
        cohort, fold = device.train.cohort.fingerprint, f"{device.fold.track}/{device.fold.index}"
        return derive_seed(cohort=cohort, fold=fold, generator=name, repeat=repeat, purpose=purpose)

    test, train = device.test_conditions, device.train.conditions
    paired = generator.sample(test, PAIRED_DRAWS, seed=seed("paired")).expression
    return SyntheticRows(
        test=generator.sample(test, seed=seed("test")).expression,
        train=generator.sample(train, seed=seed("train")).expression,
        paired=compact(paired.reshape(len(test), PAIRED_DRAWS, -1)),
    )


def values_of(prepared: Prepared, rows: SyntheticRows) -> dict[str, float]:
    """Metric key → value of the core panel without XGBoost; keys of a step that cannot be computed are absent."""
    given = Comparison(prepared, rows, prepared.space.standardise(rows.test, "synthetic test"))
    values: dict[str, float] = {}
    steps = [step for task in BUILT_IN for step in task.steps(prepared.rows) if step.group == "core"]
    for step in steps:
        if "xgb" in step.name:
            continue
        try:
            values |= {metric.key(step.label): value for metric, value in step.compute(given).values.items()}
        except ValueError:
            continue
    return values


def half_of(device: DeviceFold, repetition: int, copy: int) -> Split:
    """Half of the training patients of each class, rounded up, in an order that depends on the sample ids, repetition
    and copy alone."""
    train = device.train
    codes = train.conditions.finest.cpu().numpy()
    order = hash_order(
        derive_seed(repeat=repetition, copy=copy, purpose="null test"), device.named().train.conditions.ids
    )
    chosen = [
        of_class[: (len(of_class) + 1) // 2]
        for code in np.unique(codes)
        if len(of_class := order[codes[order] == code])
    ]
    rows = torch.from_numpy(np.sort(np.concatenate(chosen)))
    return replace(
        train,
        expression=train.expression[rows],
        standardised=train.standardised[rows],
        conditions=train.conditions.take(rows),
    )


def measures_of(trial: Trial, repetition: int) -> dict[str, NDArray[np.float64]]:
    """Overall score, families and metric values of the copies of a repetition: measure → (copies, folds)."""
    columns: list[list[dict[str, float]]] = []
    for copy in range(COPIES):
        columns.append([])
        for fold in trial.folds:
            fitted = fold.fitted
            if trial.design.fits == "halves":
                fitted = _fit(GENERATOR, fold.device, half_of(fold.device, repetition, copy))
            rows = _rows(fitted, fold.device, GENERATOR, COPIES * repetition + copy)
            columns[-1].append(_with_scores(values_of(fold.prepared, rows), fold.references, trial.left_out))
    names = dict.fromkeys(name for per_fold in columns for values in per_fold for name in values)
    return {
        name: np.array([[values.get(name, np.nan) for values in per_fold] for per_fold in columns]) for name in names
    }


def _with_scores(values: dict[str, float], references: References, left_out: frozenset[str]) -> dict[str, float]:
    score = cell_score(cast(Values, values), references, left_out=left_out)
    return {OVERALL: score.overall, **{str(family): mean for family, mean in score.families.items()}, **values}
