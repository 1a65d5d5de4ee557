"""Scores between floor and ceiling for a whole grid of records, with what was left out and why."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gexbench.leaderboards.comparing.grid import Grid
from gexbench.leaderboards.comparing.selection import CEILING, FLOORS
from gexbench.leaderboards.statistics import FloatArray
from gexbench.tasks.panel.declarations.metric import FAMILY_WEIGHTS, Family
from gexbench.tasks.panel.scores import References, cell_score, undiscriminating


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Normalised scores, seeds averaged within a fold.

    Attributes:
        metrics: (generators, folds, keys) in [0, 1]; NaN where a key is not scored.
        families: family → (generators, folds).
        overall: (generators, folds).
        left_out: keys of the overall score that do not discriminate on this cohort.
        floors, ceilings: (folds, keys), NaN where there is none.
    """

    metrics: FloatArray
    families: Mapping[Family, FloatArray]
    overall: FloatArray
    left_out: tuple[str, ...]
    floors: FloatArray
    ceilings: FloatArray


def scored(grid: Grid, anchored: bool) -> Scored:
    """Scores of every cell of the grid; a failed or missing cell scores 0 everywhere.

    Args:
        grid: cells and values.
        anchored: whether every fold has the references that set floors and ceilings; without them all scores
            are NaN.
    """
    cells, keys = len(grid.records), len(grid.keys)
    metrics = np.full((cells, keys), np.nan)
    families = {family: np.full(cells, np.nan) for family in FAMILY_WEIGHTS}
    overall = np.full(cells, np.nan)
    floors, ceilings = (np.full((len(grid.folds), keys), np.nan) for _ in range(2))
    references = fold_references(grid) if anchored else []
    left_out = undiscriminating(references)
    if references and all(set(reference.keys()) - left_out for reference in references):
        column = {key: number for number, key in enumerate(grid.keys)}
        for fold, reference in enumerate(references):
            for key in reference.keys():  # noqa: SIM118
                floors[fold, column[key]] = _or_nan(reference.floor(key))
                ceilings[fold, column[key]] = _or_nan(reference.ceiling(key))
        for cell in range(cells):
            result = cell_score(_values(grid, cell), references[grid.fold[cell]], left_out=left_out)
            overall[cell] = result.overall
            for key, score in result.scores.items():
                metrics[cell, column[key]] = score
            for family, score in result.families.items():
                families[family][cell] = score
    return Scored(
        metrics=grid.by_fold(metrics),
        families={family: grid.by_fold(values) for family, values in families.items() if not np.isnan(values).all()},
        overall=grid.by_fold(overall),
        left_out=tuple(key for key in grid.keys if key in left_out),
        floors=floors,
        ceilings=ceilings,
    )


def fold_references(grid: Grid) -> list[References]:
    """Values that set floors and ceilings in each fold, from the reference generators' records, averaged over seeds.

    The downstream tasks' own values (TRTR, majority class) are those that the record of real-holdout states.
    """
    by_fold = grid.by_fold(grid.values)
    position = {name: number for number, name in enumerate(grid.generators)}
    references = []
    for fold in range(len(grid.folds)):
        real, shuffle, mean = (
            {
                key: None if np.isnan(value) else float(value)
                for key, value in zip(grid.keys, by_fold[position[name], fold], strict=True)
            }
            for name in (CEILING, *FLOORS)
        )
        stated = stated_references(grid, position[CEILING], fold)
        references.append(
            References(
                real,
                shuffle,
                mean,
                trtr=stated.get("trtr", {}),
                majority=stated.get("majority", {}),
                shuffled_labels=stated.get("shuffled_labels", {}),
                protocol=grid.protocol,
            )
        )
    return references


def stated_references(grid: Grid, generator: int, fold: int) -> Mapping[str, Mapping[str, float]]:
    """Reference values of the first finished record of a generator in a fold (positions); empty without one."""
    for cell in np.flatnonzero((grid.generator == generator) & (grid.fold == fold)):
        record = grid.records[cell]
        if record is not None and record.state == "ok":
            return {str(anchor): values for anchor, values in record.reference_values.items()}
    return {}


def _values(grid: Grid, cell: int) -> dict[str, float | None]:
    return {
        key: None if np.isnan(value) else float(value) for key, value in zip(grid.keys, grid.values[cell], strict=True)
    }


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
