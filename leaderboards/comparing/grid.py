"""Records on a grid of cells and metric keys, with every gap named."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.leaderboards.records import Record
from gexbench.leaderboards.statistics import FloatArray
from gexbench.tasks.panel.catalogue import split_key
from gexbench.tasks.panel.declarations.metric import Metric
from gexbench.tasks.panel.protocols import PROTOCOLS, Protocol

MISSING = "missing"


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """All cells that a table asks for, also those without a record.

    Attributes:
        protocol: that the records follow.
        generators, folds, keys: the axes, keys in the order of the protocol.
        specifications: of the keys.
        generator, fold: (cells,) positions on the axes; a generator has as many seeds in every fold.
        repeat: (cells,) index of the seed.
        records: (cells,) the record, or None where it is missing.
        values: (cells, keys) metric values, NaN where there is none.
    """

    protocol: Protocol
    generators: tuple[str, ...]
    folds: tuple[int, ...]
    keys: tuple[str, ...]
    specifications: tuple[Metric, ...]
    generator: NDArray[np.int64]
    fold: NDArray[np.int64]
    repeat: NDArray[np.int64]
    records: tuple[Record | None, ...]
    values: FloatArray

    def state(self, cell: int) -> str:
        """`ok`, how the cell failed, or `missing`."""
        record = self.records[cell]
        return MISSING if record is None else record.state

    def by_fold(self, cells: FloatArray) -> FloatArray:
        """Seeds averaged within a fold: (cells, …) → (generators, folds, …); NaN entries are left out."""
        shape = (len(self.generators), len(self.folds), *cells.shape[1:])
        total, count = np.zeros(shape), np.zeros(shape)
        np.add.at(total, (self.generator, self.fold), np.nan_to_num(cells))
        np.add.at(count, (self.generator, self.fold), ~np.isnan(cells))
        with np.errstate(invalid="ignore"):
            return np.where(count > 0, total / count, np.nan)


def grid_of(records: Sequence[Record], generators: Sequence[str], folds: Collection[int]) -> Grid:
    """The grid of the given generators and folds.

    Args:
        records: of one protocol.

    A generator's seeds are all that occur in any fold; a seed that lacks in another fold is a missing cell.
    """
    protocol = PROTOCOLS[records[0].protocol]
    cells: dict[tuple[str, int, int], Record] = {r.cell: r for r in records}
    repeats: dict[str, set[int]] = defaultdict(set)
    for name, _, repeat in cells:
        repeats[name].add(repeat)
    fold_axis = tuple(sorted(folds))
    places = [
        (number, position, repeat)
        for number, name in enumerate(generators)
        for position in range(len(fold_axis))
        for repeat in sorted(repeats[name])
    ]
    found = tuple(cells.get((generators[number], fold_axis[position], repeat)) for number, position, repeat in places)
    stated = [key for record in found if record is not None for key in record.metric_keys()]
    keys = _ordered_keys(frozenset(stated), records)
    values = np.full((len(places), len(keys)), np.nan)
    for cell, record in enumerate(found):
        if record is None or record.state != "ok":
            continue
        for column, key in enumerate(keys):
            measured = record.metrics.get(key)
            if measured is not None and measured.value is not None:
                values[cell, column] = measured.value
    axes = np.array(places, dtype=np.int64).reshape(-1, 3)
    return Grid(
        protocol=protocol,
        generators=tuple(generators),
        folds=fold_axis,
        keys=keys,
        specifications=tuple(protocol.lookup(key) for key in keys),
        generator=axes[:, 0],
        fold=axes[:, 1],
        repeat=axes[:, 2],
        records=found,
        values=values,
    )


def tidy(records: Sequence[Record]) -> pd.DataFrame:
    """One row per record and metric: generator, fold, repeat, state, key, metric, label, family, value, reason."""
    rows = [
        (
            r.generator.full_name,
            r.generator.reference,
            r.fold.index,
            r.repeat,
            r.state,
            key,
            *split_key(key),
            PROTOCOLS[r.protocol].lookup(key).family,
            m.value,
            m.reason,
        )
        for r in records
        for key, m in r.metrics.items()
    ]
    columns = "generator reference fold repeat state key metric label family value reason"
    return pd.DataFrame(rows, columns=columns.split()).astype({"value": "float64"})


def _ordered_keys(keys: Collection[str], records: Sequence[Record]) -> tuple[str, ...]:
    """The protocol's order; labels of one metric finest first, as in the cohort."""
    labels, place = records[0].cohort.label_columns, PROTOCOLS[records[0].protocol].place

    def order(key: str) -> tuple[tuple[int, str], int, str]:
        name, label = split_key(key)
        return place(name), labels.index(label) if label in labels else len(labels), key

    return tuple(sorted(keys, key=order))
