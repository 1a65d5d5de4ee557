"""Scores and raw values of the ranked rows of a table, fold by fold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gexbench.leaderboards.comparing.grid import grid_of
from gexbench.leaderboards.comparing.header import header_of
from gexbench.leaderboards.comparing.judging import RANKED, judged
from gexbench.leaderboards.comparing.normalisation import scored
from gexbench.leaderboards.comparing.selection import absent_generators, check_comparable, incomplete_folds
from gexbench.leaderboards.records import TUNED, Record, RecordError
from gexbench.leaderboards.statistics import FloatArray, fold_mean
from gexbench.tasks.panel.catalogue import split_key
from gexbench.tasks.panel.protocols import Protocol


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The ranked rows, best first; seeds are averaged within a fold.

    Attributes:
        protocol: of the records.
        names: of the rows.
        default, labelled: (rows,) whether a row has default settings, and sees labels.
        keys, families: of the scored metrics.
        scores: (rows, folds, keys) in [0, 1]; values: the same in the metrics' units.
        share: n_test / n_train.
    """

    protocol: Protocol
    names: tuple[str, ...]
    default: NDArray[np.bool_]
    labelled: NDArray[np.bool_]
    keys: tuple[str, ...]
    families: tuple[str, ...]
    scores: FloatArray
    values: FloatArray
    share: float

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the scored metrics, each once; one per label has several keys."""
        return tuple(dict.fromkeys(split_key(key)[0] for key in self.keys))


def points_of(records: Sequence[Record]) -> Points:
    """The ranked rows of these records.

    Raises:
        RecordError: records that cannot share a table, or without scores.
    """
    check_comparable(records)
    chosen = [record for record in records if record.train_fraction == 1.0]
    names = sorted({record.generator.full_name for record in chosen} - absent_generators(chosen).keys())
    folds = {record.fold.index for record in chosen} - incomplete_folds(chosen).keys()
    if not folds:
        raise RecordError("no scores: no fold has the records of real-holdout, gene-shuffle and class-mean")
    grid = grid_of(chosen, names, folds)
    points = scored(grid, anchored=True)
    overall = fold_mean(points.overall)
    ranked = [int(at) for at in np.argsort(-overall, kind="stable") if judged(grid).standing[at] == RANKED]
    if not ranked:
        raise RecordError("no row takes a rank")
    columns = [at for at in range(len(grid.keys)) if not np.isnan(points.metrics[:, :, at]).any()]
    about = {record.generator.full_name: record.generator for record in chosen}
    rows = [about[grid.generators[at]] for at in ranked]
    return Points(
        protocol=grid.protocol,
        names=tuple(grid.generators[at] for at in ranked),
        default=np.array([row.variant != TUNED for row in rows], dtype=bool),
        labelled=np.array(["labels" in row.conditions for row in rows], dtype=bool),
        keys=tuple(grid.keys[at] for at in columns),
        families=tuple(str(grid.specifications[at].family) for at in columns),
        scores=points.metrics[ranked][:, :, columns],
        values=grid.by_fold(grid.values)[ranked][:, :, columns],
        share=header_of(chosen, grid.folds, [], None).share,
    )
