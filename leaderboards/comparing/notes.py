"""Notes to the numbers: failed cells, missing values, warnings of a row."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gexbench.leaderboards.comparing.convergence import LEAST_RECALL
from gexbench.leaderboards.comparing.grid import MISSING, Grid
from gexbench.leaderboards.comparing.normalisation import Scored
from gexbench.leaderboards.comparing.selection import CEILING
from gexbench.leaderboards.records.model import Record
from gexbench.leaderboards.records.parts import SourceFile, Tuning
from gexbench.leaderboards.statistics import fold_mean

LONGEST_REASON = 200
LIMITS: tuple[tuple[str, float, str], ...] = (
    ("variance_ratio", 0.7, "under-dispersed: the variance within classes is {value:.2f} times the real one"),
    ("recall", LEAST_RECALL, "collapsed: {value:.2f} of the real profiles lie near a synthetic one"),
    ("recall_genes", LEAST_RECALL, "collapsed: only {value:.2f} of the real profiles lie near a synthetic one"),
)
"""Metric, the mean value below which a row carries the warning, and the warning."""


def row_notes(grid: Grid, points: Scored, judged: Sequence[Sequence[str]]) -> list[list[str]]:
    """Notes of each generator, in the order of the grid.

    Args:
        grid: cells and values.
        points: their scores.
        judged: for each generator, why it takes no rank and what else the gates say.
    """
    notes = []
    by_fold = grid.by_fold(grid.values)
    means = {key: fold_mean(by_fold[:, :, at]) for at, key in enumerate(grid.keys)}
    for number in range(len(grid.generators)):
        cells = [int(cell) for cell in np.flatnonzero(grid.generator == number)]
        records = [record for cell in cells if (record := grid.records[cell]) is not None]
        mine = [*judged[number], *_failures(grid, cells)]
        mine += _without_value(grid, points, cells)
        for name, limit, text in LIMITS:
            value = float(means[name][number]) if name in means else np.nan
            if value < limit:
                mine.append(text.format(value=value))
        notes.append([*mine, *_facts(records), *_warnings(records)])
    return notes


def numbered(notes: Sequence[Sequence[str]]) -> tuple[list[tuple[int, ...]], tuple[str, ...]]:
    """Numbers of each row's notes, counted from 1 in the order of first use, and the numbered texts."""
    numbers: dict[str, int] = {}
    marks = [tuple(sorted(numbers.setdefault(text, len(numbers) + 1) for text in row)) for row in notes]
    return marks, tuple(numbers)


def general_remarks(
    grid: Grid, points: Scored, incomplete: Mapping[int, str], anchored: bool, compared: bool
) -> tuple[str, ...]:
    """Remarks on the whole table: folds and metrics left out, and limits of a single fold."""
    remarks = [
        f"Fold {fold} is left out for every generator: no record in state ok of {names}."
        for fold, names in incomplete.items()
        if anchored
    ]
    if not anchored:
        lacking = "; ".join(f"fold {fold}: {names}" for fold, names in incomplete.items())
        remarks.append(f"No scores and no ranks: floors and ceilings are unknown without records of {lacking}.")
    if points.left_out:
        remarks.append(
            f"Left out of the scores, does not discriminate on this cohort: {', '.join(points.left_out)} "
            "(floor and ceiling are less than 5 sds of the ceiling over folds apart, or a fold lacks one)."
        )
    for reason, keys in _without_ceiling(grid, points).items():
        remarks.append(f"Left out of the scores, {reason}: {', '.join(keys)}.")
    if len(grid.folds) < 2:
        remarks.append("One fold: no interval and no test of a difference.")
    elif not compared:
        remarks.append("No planned comparisons: fewer than two generators to compare.")
    return tuple(remarks)


def _failures(grid: Grid, cells: Sequence[int]) -> Iterable[str]:
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for cell in cells:
        state, record = grid.state(cell), grid.records[cell]
        if state != "ok":
            reason = "no record" if record is None else shortened(record.reason or "no reason given")
            groups[state, reason].append(f"fold {grid.folds[grid.fold[cell]]} seed {grid.repeat[cell]}")
    for (state, reason), places in groups.items():
        detail = "" if state == MISSING else f" ({reason})"
        yield f"{len(places)} of {len(cells)} cells {state} and scored 0: {', '.join(places)}{detail}"


def _without_value(grid: Grid, points: Scored, cells: Sequence[int]) -> Iterable[str]:
    asked: NDArray[np.bool_] = np.asarray(~np.isnan(points.metrics).all(axis=0))
    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    for cell in cells:
        record = grid.records[cell]
        if record is None or record.state != "ok":
            continue
        for at in np.flatnonzero(asked[grid.fold[cell]] & np.isnan(grid.values[cell])):
            measured = record.metrics.get(grid.keys[at])
            reason = "not in the record" if measured is None else measured.reason or "no reason given"
            groups[grid.specifications[at].family, shortened(reason)].add(grid.keys[at])
    for (family, reason), keys in groups.items():
        whole = sum(spec.family == family for at, spec in enumerate(grid.specifications) if asked[:, at].any())
        what = family if len(keys) == whole else ", ".join(sorted(keys))
        yield f"{what} scored 0: {reason}"


def _without_ceiling(grid: Grid, points: Scored) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    if np.isnan(points.overall).all():
        return groups
    ceiling = [r for r in grid.records if r is not None and r.generator.full_name == CEILING and r.state == "ok"]
    for key, spec, column in zip(grid.keys, grid.specifications, points.ceilings.T, strict=True):
        if grid.protocol.scores(spec) and np.isnan(column).all():
            reasons = [m.reason for record in ceiling if (m := record.metrics.get(key)) is not None and m.reason]
            groups[shortened(reasons[0] if reasons else "no ceiling is known")].append(key)
    return groups


def _facts(records: Sequence[Record]) -> Iterable[str]:
    about = [record.generator for record in records]
    if any(generator.returns_real_rows for generator in about):
        yield "returns rows of real patients"
    for file in dict.fromkeys(_file(generator.file) for generator in about if generator.local):
        yield f"local: code of {file}, not a registered generator"
    tunings = [generator.tuning for generator in about if generator.tuning is not None]
    if tunings:
        yield _tuning(tunings)
    if len({generator.source_hash for generator in about}) > 1:
        yield "the source differs between cells of the same version"


def _file(file: SourceFile | None) -> str:
    return f"{file.name} (SHA-256 {file.sha256[:12]}…)" if file else "a file named by its path"


def _tuning(found: Sequence[Tuning]) -> str:
    """Number of trials behind a tuned row, and their gain on the validation patients."""
    trials = sorted({tuning.trials.total for tuning in found})
    counted = f"{trials[0]}" if len(trials) == 1 else f"{trials[0]} to {trials[-1]}"
    pairs = [(tuning.validation_score, tuning.default_validation_score) for tuning in found]
    known = [(score, default) for score, default in pairs if default is not None]
    text = f"settings tuned per fold on its training and validation patients, {counted} trials"
    if not known:
        return text
    score, default = (float(np.mean(values)) for values in zip(*known, strict=True))
    if all(tuning.objective == "overall score" for tuning in found):
        return f"{text}; mean overall score there {1 - score:.3f}, with the default settings {1 - default:.3f}"
    return f"{text}; mean validation score {score:.4g}, with the default settings {default:.4g} (lower is better)"


def _warnings(records: Sequence[Record]) -> Iterable[str]:
    """Each kind of warning once: texts that differ in numbers only count as one kind."""
    first: dict[str, str] = {}
    count: Counter[str] = Counter()
    for record in records:
        for text in dict.fromkeys(record.warnings):
            kind = re.sub(r"\d+(?:[.,]\d+)*", "#", text)
            first.setdefault(kind, shortened(text))
            count[kind] += 1
    for kind, text in first.items():
        yield text if count[kind] == len(records) else f"{text} (in {count[kind]} of {len(records)} cells)"


def shortened(text: str) -> str:
    """One line of at most 200 characters."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"
