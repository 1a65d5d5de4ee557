"""The steps of the panel: each computes the metrics that share work, from one generator's rows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics import detection, distribution, memorisation, paired, structure, support
from gexbench.metrics.catalogue.built_in import COPIED, MADE
from gexbench.metrics.shared.arrays import Matrix, as_array, row_chunks
from gexbench.metrics.shared.row_samples import sampled
from gexbench.tasks.panel.fold import PreparedFold, SyntheticFold
from gexbench.tasks.panel.utility import CLASSIFIERS, MEASURES, tasks, tested_rows, tstr

T = TypeVar("T")
_DRAWN_PATIENTS = 256
"""A multiple of the patients that the CRPS takes at once, so that its bits stay the same."""


class NotApplicable(ValueError):
    """The question has no meaning for these rows; a step finds out while it computes."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What a step reads: the prepared fold, the synthetic rows, and their test rows standardised.

    made: what steps of one cell share, by name; nothing of it depends on training rows.
    """

    fold: PreparedFold
    synthetic: SyntheticFold
    test: Matrix
    made: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` returns, made by the first step that asks for it."""
        if name not in self.made:
            self.made[name] = make()
        return cast(T, self.made[name])

    @property
    def set_rows(self) -> Matrix:
        """The standardised synthetic rows that set metrics compare."""
        return np.asarray(self.test[self.fold.fold.set_rows])


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What a step leaves: metric values, per-class values, figures that stand beside a metric.

    per_row: metric key → (n_test,) values whose mean is the metric, NaN for a row that takes no part.
    """

    values: Mapping[str, float]
    per_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    extra: Mapping[str, float] = field(default_factory=dict)
    per_row: Mapping[str, Matrix] = field(default_factory=dict)


Compute = Callable[[Comparison], Findings]


@dataclass(frozen=True, slots=True)
class Step:
    """Metric keys that share work. All of them need training rows, or none does."""

    name: str
    keys: tuple[str, ...]
    compute: Compute


def steps(fold: PreparedFold) -> Iterator[Step]:
    """All steps of a fold, cheap ones first."""
    measures = support.Support._fields
    for space in ("genes", "pcs"):
        yield Step(f"support_{space}", tuple(f"{name}_{space}" for name in measures), _support(space))
    yield Step("distances", ("frechet", "mmd", "energy", "sliced_wasserstein"), _distances)
    yield Step("marginals", ("wasserstein_mean", "wasserstein_max", "ks_mean", "ks_max"), _marginals)
    yield Step("correlations", ("correlation_mse", "correlation_gamma"), _correlations)
    yield Step("strong_pairs", ("strong_pairs_mae",), _strong_pairs)
    yield Step("variance_ratio", ("variance_ratio",), _variance_ratio)
    yield Step("zero_fraction", ("zero_fraction",), _zero_fraction)
    yield Step("copies", tuple(f"{part}{made}" for made in MADE for part in COPIED), _copies)
    yield Step("calibration", ("interval_coverage", "rank_nonuniformity"), _calibration)
    yield Step("within_class", ("within_class_correlation", "retrieval"), _within_class)
    yield Step("crps", ("crps",), _crps)
    yield Step("conditional_skill", ("conditional_skill",), _conditional_skill)
    for detector in ("lr", "xgb"):
        yield detection_step(detector)
    for classifier in CLASSIFIERS:
        for label in tasks(fold.fold, classifier):
            yield tstr_step(classifier, label)


def detection_step(detector: str) -> Step:
    """Detection by one detector."""
    return Step(f"detection_{detector}", (f"detection_{detector}",), _detection(detector))


def tstr_step(classifier: str, label: str) -> Step:
    """TSTR by one classifier on one label column."""
    keys = tuple(f"tstr_{classifier}_{measure}[{label}]" for measure in MEASURES)
    return Step(f"tstr_{classifier}[{label}]", keys, _tstr(classifier, label))


def _support(space: str) -> Compute:
    def compute(given: Comparison) -> Findings:
        fold, rows = given.fold, given.set_rows
        if space == "genes":
            found = support.support_measures(fold.real, rows, fold.neighbours, real_radii=fold.radii)
        else:
            projected = fold.space.project(rows)
            found = support.support_measures(fold.real_pcs, projected, fold.neighbours, real_radii=fold.pc_radii)
        return Findings({f"{name}_{space}": value for name, value in found._asdict().items()})

    return compute


def _distances(given: Comparison) -> Findings:
    real, synthetic = given.fold.real, given.set_rows
    return Findings(
        {
            "frechet": distribution.frechet(real, synthetic),
            "mmd": distribution.mmd(real, synthetic, given.fold.space.width),
            "energy": distribution.energy_distance(real, synthetic),
            "sliced_wasserstein": distribution.sliced_wasserstein(real, synthetic),
        }
    )


def _marginals(given: Comparison) -> Findings:
    values: dict[str, float] = {}
    for name, metric in (("wasserstein", distribution.wasserstein_1d), ("ks", distribution.ks)):
        per_gene: NDArray[np.float64] = metric(given.fold.real, given.set_rows)
        values |= {f"{name}_mean": float(per_gene.mean()), f"{name}_max": float(per_gene.max())}
    return Findings(values)


def _compared(given: Comparison) -> structure.CorrelationComparison:
    def compare() -> structure.CorrelationComparison:
        return structure.compare_correlations(given.fold.correlations, structure.correlations(given.set_rows))

    return given.once("correlations", compare)


def _correlations(given: Comparison) -> Findings:
    found = _compared(given)
    return Findings({"correlation_mse": found.mse, "correlation_gamma": found.gamma})


def _strong_pairs(given: Comparison) -> Findings:
    found = _compared(given).strong_mae
    if found is None:
        raise ValueError(f"no gene pair of the real set has |r| > {structure.STRONG}")
    return Findings({"strong_pairs_mae": found})


def _variance_ratio(given: Comparison) -> Findings:
    fold = given.fold.fold
    labels = fold.labels[fold.finest][2][fold.set_rows]
    return Findings({"variance_ratio": structure.variance_ratio(given.fold.real, given.set_rows, labels)})


def _zero_fraction(given: Comparison) -> Findings:
    fold = given.fold.fold
    if fold.floor is None:
        raise ValueError("the cohort's unit has no floor")
    return Findings({"zero_fraction": structure.zero_fraction(given.synthetic.test[fold.set_rows], fold.floor)})


def _copies(given: Comparison) -> Findings:
    training = given.fold.training
    if training is None:
        raise ValueError("the copy gate needs training rows")
    fold = given.fold.fold
    test, train = sampled(given.test, fold.test_ids), sampled(synthetic_train(given), fold.train_ids)
    pools = {
        "": (training.rows, training.donor_thresholds),
        "validation_": (training.validation, training.validation_donor_thresholds),
    }
    found: dict[str, float] = {}
    for pool, (known, limits) in pools.items():
        for part, rows in {"": test, "train_": train}.items():
            shares = memorisation.donor_shares(rows, known, limits)
            found |= {f"{part}{pool}{made}": float(share) for made, share in zip(MADE, shares, strict=False)}
    extra = {f"{pool}copy_threshold": float(limits[0]) for pool, (_, limits) in pools.items()}
    return Findings(found, extra=extra)


def standardised_draws(given: Comparison) -> NDArray[np.float32]:
    """Draws in units of the training sd, float32 (n_test, draws, genes)."""

    return given.once("draws", lambda: _standardised(given, slice(None)))


def _standardised(given: Comparison, part: slice) -> NDArray[np.float32]:
    space = given.fold.space
    raw = as_array(given.synthetic.paired)[part]
    raw, _ = paired.checked_draws(raw, given.fold.fold.test[part])
    scores = raw.astype(np.float32)
    scores -= space.mean.astype(np.float32)
    scores /= space.sd.astype(np.float32)
    return np.asarray(scores)


def _over_draws(given: Comparison, of_part: Callable[[NDArray[np.float32], slice], Matrix]) -> Matrix:
    """What is computed patient by patient from the standardised draws, which are never held all at once."""
    parts = row_chunks(len(given.fold.test), _DRAWN_PATIENTS)
    return np.concatenate([of_part(_standardised(given, part), part) for part in parts])


def patient_scores(given: Comparison) -> Matrix:
    """CRPS of every test row's draws, in units of the training sd, (n_test,)."""

    def scores(draws: NDArray[np.float32], part: slice) -> Matrix:
        return paired.patient_crps(draws, given.fold.test[part])

    return given.once("crps", lambda: _over_draws(given, scores))


def _score(given: Comparison) -> float:
    """CRPS of the draws, in units of the training sd."""
    return float(patient_scores(given).mean())


def _calibration(given: Comparison) -> Findings:
    histogram = paired.rank_histogram(given.synthetic.paired, given.fold.fold.test)
    values = {"rank_nonuniformity": paired.rank_nonuniformity(histogram)}
    values["interval_coverage"] = paired.interval_coverage(histogram)
    return Findings(values, extra={f"rank_share_{rank}": float(share) for rank, share in enumerate(histogram)})


def _within_class(given: Comparison) -> Findings:
    fold = given.fold.fold
    mean = _over_draws(given, lambda draws, _: draws.mean(axis=1, dtype=np.float64))
    labels = fold.labels[fold.finest][2]
    return Findings(
        {
            "within_class_correlation": paired.within_class_correlation(mean, given.fold.test, labels),
            "retrieval": paired.retrieval(mean, given.fold.test, labels),
        }
    )


def _crps(given: Comparison) -> Findings:
    return Findings({"crps": _score(given)}, per_row={"crps": patient_scores(given)})


def _conditional_skill(given: Comparison) -> Findings:
    training = given.fold.training
    if training is None:
        raise ValueError("the skill needs training rows")
    return Findings(
        {"conditional_skill": paired.skill(_score(given), training.label_draws_crps)},
        extra={"label_draws_crps": training.label_draws_crps},
    )


def synthetic_train(given: Comparison) -> Matrix:
    """The synthetic training rows, standardised."""
    return given.once("train", lambda: given.fold.space.standardise(given.synthetic.train, "synthetic train"))


def _detection(name: str) -> Compute:
    def compute(given: Comparison) -> Findings:
        fold = given.fold.fold
        found = detection.detect(
            given.fold.real,
            given.set_rows,
            fold.test_patients[fold.set_rows],
            detector=cast(detection.Detector, name),
            seed=given.fold.seed,
        )
        return Findings({f"detection_{name}": found.auc}, extra={"detection_null_sd": found.null_sd})

    return compute


def _tstr(classifier: str, label: str) -> Compute:
    def compute(given: Comparison) -> Findings:
        rows, fold = synthetic_train(given), given.fold.fold
        found = tstr(fold, rows, given.fold.test, classifier, label, given.fold.seed)
        if (classifier, label) != ("lr", fold.finest):
            return Findings(found.values, found.per_class)
        correct = np.full(len(fold.test_ids), np.nan)
        correct[tested_rows(fold, label)] = found.correct
        return Findings(found.values, found.per_class, per_row={f"tstr_lr_accuracy[{label}]": correct})

    return compute
