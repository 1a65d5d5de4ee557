"""What a training process is given in place of the cohort: what is told of everyone, and expression of development
patients alone.

A folder holds, for as long as a sweep runs, the conditions of all patients (`everyone.json`, and text and patches as in
a cohort's folder) and one file per set of patients with their expression, which training processes map.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.benchmark.sweeps.cells import Cell
from gexbench.models.built_in import is_built_in
from gexbench.tasks.cohorts.cohort import TEXT_VARIANTS, Cohort
from gexbench.tasks.cohorts.cohort_folder import modalities, read_ragged, size_of
from gexbench.tasks.cohorts.folds import rows_of
from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.data_directory import SIMULATED, cohort_folder
from gexbench.tasks.files.atomic import WRITING, said_when_full
from gexbench.tasks.files.npz_files import map_npz, write_npz

EVERYONE = "everyone.json"


def expression_given(cell: Cell) -> tuple[str, ...]:
    """Patients whose expression the cell's generator may see: audit patients only the ceiling, which is built in."""
    fold, reads_audit = cell.fold, cell.entry.reads == "audit" and is_built_in(cell.entry)
    return (*fold.train, *(fold.audit if reads_audit else fold.validation))


class Development:
    """A folder of development data; the process that holds the cohort writes it, training processes read it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    @contextmanager
    def of(cls, cohort: Cohort, beside: Path) -> Iterator["Development"]:
        """A temporary folder in `beside`, with what is told of everyone; text and patches in files are linked."""
        beside.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{WRITING}{os.getpid()}-", dir=beside) as folder:
            made = cls(Path(folder))
            with said_when_full(beside):
                made.tell(told(cohort), None if cohort.name == SIMULATED else cohort_folder(cohort.name))
                for name, ragged in modalities(cohort).items():
                    if not (path := made.folder / f"{name}.npz").exists():
                        write_npz(path, {"values": ragged.values, "offsets": ragged.offsets})
            yield made

    def tell(self, everyone: str, source: Path | None) -> None:
        """Put what is told of everyone there.

        Args:
            everyone: as `told` gives it; source: a cohort's folder, whose text and patches are linked.
        """
        (self.folder / EVERYONE).write_text(everyone)
        for path in () if source is None else source.glob("*.npz"):
            (self.folder / path.name).symlink_to(path.resolve())

    def path(self, ids: tuple[str, ...]) -> Path:
        """The file with the expression of these patients."""
        return self.folder / f"{hashlib.sha256(json.dumps(ids).encode()).hexdigest()}.expression"

    def put(self, cohort: Cohort, ids: tuple[str, ...]) -> Path:
        """Write the expression of these patients, where it is not there yet."""
        path = self.path(ids)
        if not path.exists():
            rows = rows_of(cohort, ids)
            counts = {} if cohort.counts is None else {"counts": cohort.counts[rows]}
            with said_when_full(self.folder):
                write_npz(path, {"expression": cohort.expression[rows], **counts})
        return path

    def keep(self, ids: tuple[str, ...], content: NDArray[np.uint8]) -> None:
        """Keep the content of a file that `put` has written elsewhere, in the place of all others."""
        path = self.path(ids)
        if not path.exists():
            for other in self.folder.glob(f"*{path.suffix}"):
                other.unlink()
            content.tofile(path)

    def everyone(self) -> Cohort:
        """All patients with their conditions, without a gene."""
        header = json.loads((self.folder / EVERYONE).read_text())
        ragged = {name: read_ragged(self.folder, name, size) for name, size in header["modalities"].items()}
        samples = np.asarray(header["samples"], dtype=str)
        return Cohort(
            name=header["name"],
            unit=Unit(header["unit"]),
            expression=np.empty((len(samples), 0), dtype=np.float32),
            genes=(),
            samples=samples,
            groups=np.asarray(header["groups"], dtype=str),
            clinical=pd.DataFrame(header["clinical"], index=pd.Index(samples, name="sample"), dtype=object),
            label_columns=tuple(header["label_columns"]),
            patches=ragged.get("patches"),
            text={name: ragged[f"text-{name}"] for name in TEXT_VARIANTS if f"text-{name}" in ragged},
            site_column=header["site_column"],
            provenance=header["provenance"],
        )

    def seen(self, ids: tuple[str, ...], everyone: Cohort) -> Cohort:
        """The patients with these ids, with their expression and `everyone`'s text and patches of them."""
        header = json.loads((self.folder / EVERYONE).read_text())
        kept = ("expression", "counts") if header["counts"] else ("expression",)
        arrays: dict[str, Any] = {name: map_npz(self.path(ids), name) for name in kept}
        return replace(everyone.take(rows_of(everyone, ids)), genes=tuple(header["genes"]), **arrays)


def told(cohort: Cohort) -> str:
    """What is told of every patient beside text and patches, JSON: names, patients, labels, sites."""
    columns = [*cohort.label_columns, *([] if cohort.site_column is None else [cohort.site_column])]
    return json.dumps(
        {
            "name": cohort.name,
            "unit": cohort.unit.name,
            "genes": cohort.genes,
            "samples": cohort.samples.tolist(),
            "groups": cohort.groups.tolist(),
            "label_columns": cohort.label_columns,
            "site_column": cohort.site_column,
            "clinical": {column: cohort.labels(column).tolist() for column in columns},
            "provenance": dict(cohort.provenance),
            "modalities": {name: size_of(ragged) for name, ragged in modalities(cohort).items()},
            "counts": cohort.counts is not None,
        }
    )
