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

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from gexbench.benchmark.commands import options
from gexbench.benchmark.studies.csv_tables import read_rows, write_rows
from gexbench.benchmark.studies.false_differences_trial import Design, Fits, Trial, measures_of, prepare_trial
from gexbench.benchmark.studies.progress import progress_shown
from gexbench.leaderboards.comparing.ranking import OVERALL, SIGNIFICANCE, planned_comparisons
from gexbench.leaderboards.statistics import fold_mean
from gexbench.tasks.errors import InputError

EXAMPLES = ("", "--fits halves --out halves.csv")
LIMIT, UPPER_LIMIT = 0.05, 0.075
OUT = Path("false-differences.csv")
Rates = dict[str, tuple[int, int]]


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
        write_rows(path, list(lines[0]), lines)
        progress(repetition + 1, repetitions)
    measures = [name for name in lines[0] if ":" in name] if lines else []
    return {name: (sum(float(line[name]) < SIGNIFICANCE for line in lines), len(lines)) for name in measures}


def _design_columns(design: Design) -> dict[str, str]:
    return {"fits": design.fits, "patients": str(design.patients), "genes": str(design.genes)}


def _read(path: Path, design: Design, repetitions: int) -> list[dict[str, str]]:
    lines = read_rows(path)[1][:repetitions]
    columns = _design_columns(design)
    if any(columns.items() - line.items() for line in lines):
        raise InputError(f"{path.name}: holds another design than {columns}; name another --out or move the file away")
    if [line.get("repetition") for line in lines] != [str(number) for number in range(len(lines))]:
        raise InputError(f"{path.name}: repetitions are not 0, 1, 2, …; name another --out or move the file away")
    return lines


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
    fits: Annotated[Fits, typer.Option(help="Whether the copies share one fit per fold.")] = "same",
) -> None:
    """Null test of the comparisons: copies of one generator must not be called different in over 5 %.

    Exit code 1 when the rate on the overall score is above 5 % or its upper 95 % bound above 7.5 %.
    """
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: the folder {out.parent} does not exist; make it first")
    torch.set_num_threads(1)
    design = Design(fits=fits)
    with progress_shown(options.console()) as report:
        report("preparing", 0, repetitions)
        trial = prepare_trial(design)
        rates = run_null_test(trial, out, repetitions, lambda done, of: report("repetitions", done, of))
    lines, passed = verdict(rates, design.fits)
    print("\n".join(lines))
    raise typer.Exit(0 if passed else 1)
