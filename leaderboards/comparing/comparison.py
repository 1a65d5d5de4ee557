"""Two leaderboards, or two rows of one, fold by fold: a pure function of records."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gexbench.leaderboards.comparing.grid import Grid, grid_of
from gexbench.leaderboards.comparing.header import header_of
from gexbench.leaderboards.comparing.normalisation import scored
from gexbench.leaderboards.comparing.ranking import OVERALL
from gexbench.leaderboards.comparing.selection import (
    OF_COHORT,
    absent_generators,
    check_comparable,
    incomplete_folds,
)
from gexbench.leaderboards.records import Record, RecordError
from gexbench.leaderboards.statistics import FloatArray, fold_mean, half_width, holm, p_value
from gexbench.tasks.panel.catalogue import split_key
from gexbench.tasks.panel.protocols import PROTOCOLS, Protocol

FAMILY, METRIC = "family", "metric"
COLUMNS = (
    "generator", "against", "kind", "measure", "folds", "first", "second", "difference", "half_width", "p", "p_holm",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Differences, paired by fold.

    Attributes:
        protocol: of all records.
        rows: one row per pair and measure that either side has. generator, against: names of the two rows; kind:
            `overall`, `family` or `metric`; folds: with a value on both sides; first, second: means over these folds;
            difference: first - second in the measure's unit, half_width of its 95 % interval (Nadeau & Bengio), p,
            and p_holm over the pairs of a measure. Scores lie in [0, 1], higher is better; a failed cell scores 0.
        folds: that are compared.
        first_only, second_only: cells that only one side has, which take no part.
        remarks: what to know of the differences.
    """

    protocol: Protocol
    rows: pd.DataFrame
    folds: tuple[int, ...]
    first_only: tuple[str, ...]
    second_only: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """The measures of records by row and fold; NaN where a row lacks a cell of a fold, or a value."""

    names: tuple[str, ...]
    folds: tuple[int, ...]
    values: Mapping[str, FloatArray]
    kinds: Mapping[str, str]
    left_out: tuple[str, ...]
    share: float


def compare_leaderboards(
    first: Sequence[Record], second: Sequence[Record], generators: Collection[str] = ()
) -> Comparison:
    """The rows that two leaderboards have in common, on the cells that they have in common.

    Args:
        first, second: records of a leaderboard each; of generators fitted on all patients, others are left out.
        generators: rows to compare; empty = all.

    Raises:
        RecordError: leaderboards of different protocols, cohorts, tracks, folds or metric versions, or without common
            cells; rows that one of them lacks.
    """
    first, second = _on_all_patients(first), _on_all_patients(second)
    _check_alike(first, second)
    cells = {record.cell for record in first} & {record.cell for record in second}
    if not cells:
        raise RecordError("the leaderboards share no cell (row, fold, seed)")
    one, other = (_measured([record for record in side if record.cell in cells]) for side in (first, second))
    common = [name for name in one.names if name in other.names]
    problems = [_no_row(name, common, "both leaderboards") for name in generators if name not in common]
    if problems:
        raise RecordError(problems)
    pairs = [(name, name) for name in common if not generators or name in generators]
    return Comparison(
        protocol=PROTOCOLS[first[0].protocol],
        rows=_differences(one, other, pairs),
        folds=tuple(fold for fold in one.folds if fold in other.folds),
        first_only=_places(first, cells),
        second_only=_places(second, cells),
        remarks=tuple(_remarks(first, second, (one, other))),
    )


def compare_generators(records: Sequence[Record], generator: str, against: str) -> Comparison:
    """Two rows of one leaderboard, on the folds that they have in common; each row's seeds are averaged within a fold.

    Raises:
        RecordError: rows that are not there, or records that cannot share a table.
    """
    records = _on_all_patients(records)
    names = sorted({record.generator.full_name for record in records} - absent_generators(records).keys())
    problems = [_no_row(name, names, "the leaderboard") for name in (generator, against) if name not in names]
    if generator == against:
        problems.append(f"{generator!r} is given twice; give two different rows")
    if problems:
        raise RecordError(problems)
    sides = [[record for record in records if record.generator.full_name == name] for name in (generator, against)]
    folds = {record.fold.index for record in sides[0]} & {record.fold.index for record in sides[1]}
    if not folds:
        raise RecordError(f"{generator} and {against} have no fold in common; run both on the same folds")
    kept = [record for side in sides for record in _in_every(side, folds)]
    only = [tuple(_place(record) for record in side if record not in kept) for side in sides]
    others = [record for record in records if record.generator.full_name not in (generator, against)]
    compared = _measured([*others, *kept])
    rows = _differences(compared, compared, [(generator, against)])
    return Comparison(
        protocol=PROTOCOLS[records[0].protocol],
        rows=rows,
        folds=compared.folds,
        first_only=only[0],
        second_only=only[1],
        remarks=_unequal_seeds(kept, (generator, against)),
    )


def _in_every(side: Sequence[Record], folds: Collection[int]) -> list[Record]:
    """Records of these folds, of the training seeds that all of them have."""
    seeds = [{record.repeat for record in side if record.fold.index == fold} for fold in folds]
    common = set.intersection(*seeds)
    return [record for record in side if record.fold.index in folds and record.repeat in common]


def _unequal_seeds(records: Sequence[Record], names: Sequence[str]) -> tuple[str, ...]:
    counts = [len({record.repeat for record in records if record.generator.full_name == name}) for name in names]
    if counts[0] == counts[1]:
        return ()
    said = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
    return (f"training seeds per fold: {said}; they are averaged within a fold first",)


def _on_all_patients(records: Sequence[Record]) -> list[Record]:
    chosen = [record for record in records if record.train_fraction == 1.0]
    check_comparable(chosen)
    return sorted(chosen, key=lambda record: record.cell)


def _check_alike(first: Sequence[Record], second: Sequence[Record]) -> None:
    if first[0].protocol != second[0].protocol:
        raise RecordError(
            f"protocol differs: {first[0].protocol} and {second[0].protocol}; numbers of two protocols cannot be "
            "compared, so run the older leaderboard's sweep again"
        )
    problems = []
    for what, value_of in OF_COHORT:
        one, other = value_of(first[0]), value_of(second[0])
        if one != other:
            problems.append(f"{what} differs: {one} and {other}; compare leaderboards of one cohort and track")
    hashes = [{r.fold.index: r.fold.hash for r in side} for side in (first, second)]
    for fold in sorted(hashes[0].keys() & hashes[1].keys()):
        if hashes[0][fold] != hashes[1][fold] and not problems:
            problems.append(
                f"fold {fold} holds different patients in the second leaderboard; compare leaderboards of the "
                "same folds"
            )
    versions = [
        {split_key(key)[0]: m.version for r in side for key, m in r.metrics.items()} for side in (first, second)
    ]
    for name in sorted(versions[0].keys() & versions[1].keys()):
        if versions[0][name] != versions[1][name]:
            problems.append(
                f"metric {name}: version {versions[0][name]} and version {versions[1][name]}; "
                "rescore the older leaderboard with `gexbench score`"
            )
    if problems:
        raise RecordError(problems)


def _measured(records: Sequence[Record]) -> _Measured:
    absent, incomplete = absent_generators(records), incomplete_folds(records)
    every = {record.fold.index for record in records}
    anchored = bool(every - incomplete.keys())
    names = sorted({record.generator.full_name for record in records} - absent.keys())
    grid = grid_of(records, names, every - incomplete.keys() if anchored else every)
    points = scored(grid, anchored)
    values = {
        **({OVERALL: points.overall} if anchored else {}),
        **{str(family): of_family for family, of_family in points.families.items()},
    }
    kinds = {name: OVERALL if name == OVERALL else FAMILY for name in values}
    means = grid.by_fold(grid.values)
    values |= {key: means[:, :, at] for at, key in enumerate(grid.keys)}
    lacks = _lacks(grid)
    return _Measured(
        names=grid.generators,
        folds=grid.folds,
        values={name: np.where(lacks, np.nan, of_measure) for name, of_measure in values.items()},
        kinds=kinds | dict.fromkeys(grid.keys, METRIC),
        left_out=points.left_out,
        share=header_of(records, grid.folds, [], None).share,
    )


def _lacks(grid: Grid) -> np.typing.NDArray[np.bool_]:
    """(generators, folds) True where a cell has no record: nobody tried it, so it is no failure."""
    found = np.zeros((len(grid.generators), len(grid.folds)), dtype=bool)
    for cell, record in enumerate(grid.records):
        found[grid.generator[cell], grid.fold[cell]] |= record is None
    return found


def _differences(first: _Measured, second: _Measured, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    folds = [fold for fold in first.folds if fold in second.folds]
    columns = [[side.folds.index(fold) for fold in folds] for side in (first, second)]
    rows = [[side.names.index(pair[at]) for pair in pairs] for at, side in enumerate((first, second))]
    frames = []
    for measure, values in first.values.items():
        if measure not in second.values or not pairs or not folds:
            continue
        one, other = values[rows[0]][:, columns[0]], second.values[measure][rows[1]][:, columns[1]]
        differences = one - other
        both = ~np.isnan(differences)
        p = p_value(differences, first.share)
        stated = ~(np.isnan(one).all(axis=1) & np.isnan(other).all(axis=1))
        frames.append(
            pd.DataFrame(
                {
                    "generator": [pair[0] for pair in pairs],
                    "against": [pair[1] for pair in pairs],
                    "kind": first.kinds[measure],
                    "measure": measure,
                    "folds": both.sum(axis=1),
                    "first": fold_mean(np.where(both, one, np.nan)),
                    "second": fold_mean(np.where(both, other, np.nan)),
                    "difference": fold_mean(differences),
                    "half_width": half_width(differences, first.share),
                    "p": p,
                    "p_holm": holm(p),
                }
            )[stated]
        )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))


def _no_row(name: str, rows: Sequence[str], place: str) -> str:
    near = difflib.get_close_matches(name, rows, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there: {', '.join(rows[:20])}"
    return f"no row {name!r} in {place}; {hint}"


def _place(record: Record) -> str:
    return f"{record.generator.full_name}, fold {record.fold.index}, seed {record.repeat}"


def _places(records: Sequence[Record], shared: Collection[tuple[str, int, int]]) -> tuple[str, ...]:
    return tuple(_place(record) for record in records if record.cell not in shared)


def _remarks(first: Sequence[Record], second: Sequence[Record], both: Sequence[_Measured]) -> list[str]:
    remarks = []
    for what in ("budget", "panel"):
        one, other = getattr(first[0], what), getattr(second[0], what)
        if one != other:
            remarks.append(f"the {what} differs: {one} and {other}")
    if OVERALL not in both[0].values or OVERALL not in both[1].values:
        remarks.append("no scores: no shared fold has the records of real-holdout, gene-shuffle and class-mean")
    elif both[0].left_out != both[1].left_out:
        one, other = (", ".join(side.left_out) or "none" for side in both)
        remarks.append(f"overall and family scores use different metrics; left out are {one} and {other}")
    versions = [{r.generator.full_name: r.generator.version for r in side} for side in (first, second)]
    for name in sorted(versions[0].keys() & versions[1].keys()):
        if versions[0][name] != versions[1][name]:
            remarks.append(f"{name}: version {versions[0][name]} and version {versions[1][name]}")
    return remarks
