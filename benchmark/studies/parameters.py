"""Counts the parameters of the built-in generators.

It rewrites `models/cards/parameter_counts.py`, so that listing generators needs no torch; a test compares the counts
with fits.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gexbench.models import BUILT_IN
from gexbench.models.cards import parameter_counts
from gexbench.models.registry import Entry, create
from gexbench.tasks.cohorts.cohort import Cohort, Ragged
from gexbench.tasks.cohorts.device_fold import DeviceFold, put_on_device
from gexbench.tasks.cohorts.folds import Fold
from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.files.atomic import write_text

EXAMPLES = ("",)
GENES, PATIENTS = 680, 180
CLASSES = {"project": 15, "primary_site": 12, "disease_type": 7}
PATCH_WIDTH, TEXT_WIDTH = 192, 128
_ROWS_PER_PATIENT = 2
_SHORTEST = {"steps": 1, "checkpoints": 1, "warm_start_steps": 1, "head_steps": 0}
_HEADER = '''"""Parameters of the built-in generators, counted by `python -m gexbench.benchmark.studies parameters`.

`PARAMETERS` holds, per registry key, the parameters that a record states, at budget cpu and for a cohort of TCGA's
shape: 680 genes, labels of 15, 12 and 7 classes, patches of width 192, tokens of width 128. References have none here.
"""

from collections.abc import Mapping
from types import MappingProxyType

PARAMETERS: Mapping[str, int] = MappingProxyType(
    {
'''


def shaped_fold() -> DeviceFold:
    """A fold of random patients with TCGA's numbers of genes and classes and widths of patches and tokens."""
    random = np.random.default_rng(0)
    ids = np.array([f"P{row:04d}" for row in range(PATIENTS)])
    labels = {
        column: [f"{column}-{row % CLASSES['project'] % count}" for row in range(PATIENTS)]
        for column, count in CLASSES.items()
    }
    cohort = Cohort(
        name="tcga-shaped",
        unit=Unit("log2(rsem+1)"),
        expression=random.gamma(2.0, 2.0, (PATIENTS, GENES)).astype(np.float32),
        genes=tuple(f"G{column}" for column in range(GENES)),
        samples=ids,
        groups=ids,
        clinical=pd.DataFrame(labels, index=ids),
        label_columns=tuple(CLASSES),
        patches=_ragged(random, PATCH_WIDTH),
        text={"full": _ragged(random, TEXT_WIDTH), "plain": _ragged(random, TEXT_WIDTH)},
        site_column=None,
        provenance={},
    )
    train, validation, test = (tuple(part.tolist()) for part in np.array_split(ids, 3))
    return put_on_device(cohort, Fold("custom", 0, train, validation, test, audit=()), "cpu", fingerprint="shape")


def _ragged(random: np.random.Generator, width: int) -> Ragged:
    values = random.standard_normal((PATIENTS * _ROWS_PER_PATIENT, width)).astype(np.float32)
    return Ragged(values, np.arange(0, len(values) + 1, _ROWS_PER_PATIENT, dtype=np.int64))


def counted(entry: Entry, fold: DeviceFold) -> int:
    """Parameters that the generator reports at budget cpu, after a fit that is as short as can be."""
    generator = create(entry, "cpu", shortest(entry))
    generator.fit(fold.train, fold.validation, seed=0)
    return int(generator.report.facts["parameters"])


def shortest(entry: Entry) -> dict[str, Any]:
    """Settings of the shortest fit with the networks of budget cpu."""
    fields = entry.settings_class().model_fields
    return {name: value for name, value in _SHORTEST.items() if name in fields}


def trained_entries() -> list[Entry]:
    """Built-in generators with parameters: all but the references."""
    return [entry for entry in BUILT_IN if not entry.is_reference]


def main() -> None:
    """Count those that can be used here, keep the others' counts, and rewrite the table."""
    fold = shaped_fold()
    lines = []
    for entry in trained_entries():
        count = parameter_counts.PARAMETERS.get(entry.name) if entry.unavailable else counted(entry, fold)
        if count is not None:
            lines.append(f'        "{entry.name}": {count:_},\n')
    write_text(Path(parameter_counts.__file__), _HEADER + "".join(lines) + "    }\n)\n")
