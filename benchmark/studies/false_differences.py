"""Null test of the leaderboard's comparisons: are copies of one generator called different too often?

Fits `class-gaussian` on the five folds of a small simulated cohort and samples three copies per repetition, with the
seeds that a sweep would give to three repeats. Every copy is scored by the core panel without its two XGBoost steps
(four fifths of the time), and the copies are compared as a leaderboard compares its rows
(`ranking.planned_comparisons`: fold-paired differences, corrected resampled t, Holm within a measure):

- *pair*: the second copy against the first as baseline, one test;
- *table*: the second and third against the first as baseline and against the leader of the two; a repetition counts
  when any of the three adjusted p is below 5 %.

With `--fits same` all copies share one fit per fold, so that they differ by their seeds alone. With `--fits halves`
every copy is fitted on half of the training patients of each class, the same half in all folds: equal on average, but
with differences that the folds share, which is what the correction is for.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, cast

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from gexbench.benchmark.cells.scoring import prepare_fold
from gexbench.benchmark.cells.training import PAIRED_DRAWS, compact
from gexbench.leaderboards.comparing.ranking import OVERALL, SIGNIFICANCE, planned_comparisons
from gexbench.leaderboards.statistics import fold_mean
from gexbench.metrics.shared.hashing import hash_order
from gexbench.models import registry
from gexbench.models.contract import Generator
from gexbench.models.registry import create
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.device_fold import DeviceFold, put_on_device
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.atomic import write_text
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
LIMIT, UPPER_LIMIT = 0.05, 0.075
OUT = Path("null_test.csv")
Rates = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Design:
    """What is repeated. patients, genes: of the simulated cohort; fits: `same` or `halves` (module docstring)."""

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
    anchors = {name: values_of(prepared, _rows(_fit(name, device, device.train), device, name, 0)) for name in ANCHORS}
    known = {
        kind: {key: value for key, value in values.items() if not key.startswith("tstr_xgb")}
        for kind, values in prepared.reference_values.items()
    }
    references = References(*(anchors[name] for name in ANCHORS), **known)
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


def half_of(train: Split, repetition: int, copy: int) -> Split:
    """Half of the patients of each class, rounded up, in an order that depends on ids, repetition and copy alone."""
    codes = train.conditions.finest.cpu().numpy()
    order = hash_order(derive_seed(repeat=repetition, copy=copy, purpose="null test"), train.conditions.ids)
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
                fitted = _fit(GENERATOR, fold.device, half_of(fold.device.train, repetition, copy))
            rows = _rows(fitted, fold.device, GENERATOR, COPIES * repetition + copy)
            columns[-1].append(_with_scores(values_of(fold.prepared, rows), fold.references, trial.left_out))
    names = dict.fromkeys(name for per_fold in columns for values in per_fold for name in values)
    return {
        name: np.array([[values.get(name, np.nan) for values in per_fold] for per_fold in columns]) for name in names
    }


def _with_scores(values: dict[str, float], references: References, left_out: frozenset[str]) -> dict[str, float]:
    score = cell_score(cast(Values, values), references, left_out=left_out)
    return {OVERALL: score.overall, **{str(family): mean for family, mean in score.families.items()}, **values}


def smallest_p(measures: Mapping[str, NDArray[np.float64]], share: float) -> dict[str, float]:
    """`pair:MEASURE` and `table:MEASURE` → the smallest adjusted p among its comparisons (module docstring), or NaN."""
    names = ("copy 1", "copy 2", "copy 3")
    leader = 1 + int(fold_mean(measures[OVERALL][1:]).argmax())
    pair = planned_comparisons(measures, names, [1], baseline=0, leader=1, share=share)
    table = planned_comparisons(measures, names, [1, 2], baseline=0, leader=leader, share=share)
    smallest = {kind: frame.groupby("measure")["p_holm"].min() for kind, frame in (("pair", pair), ("table", table))}
    return {f"{kind}:{name}": float(found[name]) for kind, found in smallest.items() for name in measures}


def run_null_test(
    trial: Trial, path: Path, repetitions: int, progress: Callable[[int, int], object] = lambda done, of: None
) -> Rates:
    """Run repetitions 0 … repetitions - 1 that `path` does not hold yet; the counts of all of them.

    The file is rewritten atomically after every repetition: one row each, the smallest adjusted p of every
    measure.

    Raises:
        InputError: a file of another design or with other measures.
    """
    lines = _read(path, trial.design, repetitions)
    for repetition in range(len(lines), repetitions):
        found = smallest_p(measures_of(trial, repetition), trial.share)
        cells = {name: f"{p:.6g}" for name, p in found.items()}
        line = {**_design_columns(trial.design), "repetition": str(repetition), **cells}
        if lines and line.keys() != lines[0].keys():
            raise InputError(f"{path.name}: holds other measures; name another --out or move the file away")
        lines.append(line)
        _write(path, lines)
        progress(repetition + 1, repetitions)
    measures = [name for name in lines[0] if ":" in name] if lines else []
    return {name: (sum(float(line[name]) < SIGNIFICANCE for line in lines), len(lines)) for name in measures}


def _design_columns(design: Design) -> dict[str, str]:
    return {"fits": design.fits, "patients": str(design.patients), "genes": str(design.genes)}


def _read(path: Path, design: Design, repetitions: int) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))[:repetitions]
    columns = _design_columns(design)
    if any(columns.items() - line.items() for line in lines):
        raise InputError(f"{path.name}: holds another design than {columns}; name another --out or move the file away")
    if [line.get("repetition") for line in lines] != [str(number) for number in range(len(lines))]:
        raise InputError(f"{path.name}: repetitions are not 0, 1, 2, …; name another --out or move the file away")
    return lines


def _write(path: Path, lines: Sequence[Mapping[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    write_text(path, text.getvalue())


def upper_bound(hits: int, trials: int) -> float:
    """One-sided upper 95 % bound of a share (Clopper & Pearson 1934)."""
    from scipy.stats import beta

    return 1.0 if hits == trials else float(beta.ppf(0.95, hits + 1, trials - hits))


def verdict(rates: Rates, fits: Fits) -> tuple[list[str], bool]:
    """Lines that state the rates, the last one with the result, and whether the overall score keeps both limits."""
    lines, results, passed = [], [], True
    for kind in ("pair", "table"):
        measures = {name: rate for name, rate in rates.items() if name.startswith(f"{kind}:")}
        worst = max(measures, key=lambda name: measures[name][0])
        pooled = sum(hits for hits, _ in measures.values()) / sum(trials for _, trials in measures.values())
        lines.append(
            f"{kind}: all {len(measures)} measures {pooled:.2%}, most often {worst} {_words(*measures[worst])}"
        )
        hits, trials = rates[f"{kind}:{OVERALL}"]
        passed &= hits <= LIMIT * trials and upper_bound(hits, trials) <= UPPER_LIMIT
        results.append(f"{kind} {_words(hits, trials)}")
    end = "passed" if passed else "FAILED"
    called = f"null test ({fits} fits, {trials} repetitions), overall score called different"
    lines.append(f"{called}: {', '.join(results)}: {end}")
    return lines, passed


def _words(hits: int, trials: int) -> str:
    return f"{hits / trials:.2%} (upper 95 % bound {upper_bound(hits, trials):.2%})"


def main(
    out: Annotated[Path, typer.Option(help="CSV of the repetitions; what it holds is not run again.")] = OUT,
    repetitions: Annotated[int, typer.Option(min=1, help="Repetitions in all.")] = 400,
    fits: Annotated[str, typer.Option(help="same or halves.")] = "same",
) -> None:
    """Null test of the comparisons: copies of one generator must not be called different in over 5 %.

    Exit code 1 when the rate on the overall score is above 5 % or its upper 95 % bound above 7.5 %.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if fits not in ("same", "halves") or not out.parent.is_dir():
        raise typer.BadParameter(
            f"--fits is same or halves, not {fits!r}; the folder of --out must exist ({out.parent})"
        )
    torch.set_num_threads(1)
    design = Design(fits=cast(Fits, fits))
    with Progress(TextColumn("repetitions"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task("", total=repetitions)
        try:
            trial = prepare_trial(design)
            rates = run_null_test(trial, out, repetitions, lambda done, _: bar.update(task, completed=done))
        except InputError as error:
            raise typer.BadParameter(str(error)) from None
    lines, passed = verdict(rates, design.fits)
    print("\n".join(lines))
    raise typer.Exit(0 if passed else 1)


if __name__ == "__main__":
    typer.run(main)
