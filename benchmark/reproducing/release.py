"""Synthetic cohorts from kept models: rows for a cohort's patients, with their provenance."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from gexbench.benchmark.cells.trained_on import TRAINED_ON, TrainedOn
from gexbench.benchmark.cells.training import checked_samples
from gexbench.benchmark.machine import environment
from gexbench.leaderboards.records.model import Record
from gexbench.models import checkpoint
from gexbench.models.registry import Registry
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.device_fold import all_conditions
from gexbench.tasks.cohorts.folds import folds, opaque_ids
from gexbench.tasks.errors import InputError
from gexbench.tasks.names import unknown
from gexbench.tasks.seeds import generator_seed

Part = Literal["all", "train", "validation", "test", "audit"]


@dataclass(frozen=True, slots=True, eq=False)
class Synthetic:
    """A synthetic cohort.

    Attributes:
        expression: (n * draws, genes) float32, in the unit of the cohort that the model was trained on.
        genes: the columns.
        patients: (n * draws) rows of `sample` (whose conditions made the row), `draw` from 0, and the label columns.
        provenance: JSON-able: the record's keys, generator, cohorts, seed, versions.
    """

    expression: NDArray[np.float32]
    genes: tuple[str, ...]
    patients: pd.DataFrame
    provenance: dict[str, Any]


def synthetic_cohort(
    record: Record, model: Path | None, generators: Registry, cohort: Cohort, *, part: str, draws: int, seed: int
) -> Synthetic:
    """Sample rows for the patients of a cohort from a kept model.

    Args:
        record: of the cell that trained it; model: folder of the kept model, None without a whole one.
        generators: of which one is the record's.
        cohort: whose conditions are used.
        part: `all` patients, or those of a part of the record's fold.
        draws: rows per patient; seed: of the sampling.

    Raises:
        InputError: no model there; a cohort that lacks what the model needs; another cohort's part of the fold.
    """
    if model is None:
        raise InputError(
            f"no kept model of {_slot(record)}, or a damaged one; `gexbench run --keep-models` keeps the models it "
            "trains (a cell that is there already: under another --results)"
        )
    known = _trained_on(model, record)
    generator = checkpoint.load(model, generators)
    entry = generators[record.generator.name]
    problems = known.problems(cohort, entry.conditions)
    if problems:
        raise InputError([f"cohort {cohort.name} {problem}" for problem in problems])
    conditions = _known_classes(all_conditions(cohort, torch.device("cpu")), known, cohort)
    fingerprint = cohort.fingerprint()
    if part != "all":
        conditions = conditions.take(_part(record, cohort, fingerprint, part))
    names = conditions.ids
    if entry.reads != "ids" and record.protocol > 1:  # whose generators saw the cohort's ids
        conditions = replace(conditions, ids=opaque_ids(record.fold.hash, names))
    sampled = generator_seed(record=record.keys.rows, purpose="release", seed=seed, cohort=fingerprint, part=part)
    samples = generator.sample(conditions, draws, seed=sampled)
    rows = checked_samples(samples, conditions, draws, known.genes, entry.name)
    patients = pd.DataFrame({"sample": np.repeat(names, draws), "draw": np.tile(np.arange(draws), len(rows) // draws)})
    for column in cohort.label_columns:
        of_sample = dict(zip(cohort.samples.tolist(), cohort.labels(column).tolist(), strict=True))
        patients[column] = [of_sample[name] for name in patients["sample"]]
    return Synthetic(rows, known.genes, patients, _provenance(record, known, cohort, fingerprint, part, draws, seed))


def _trained_on(model: Path, record: Record) -> TrainedOn:
    try:
        return TrainedOn.model_validate_json((model / TRAINED_ON).read_text())
    except (OSError, ValidationError, ValueError) as error:
        reason = f"{TRAINED_ON} cannot be read ({str(error).splitlines()[0]})"
        raise InputError(f"kept model of {_slot(record)}: {reason}; train it again") from None


def _slot(record: Record) -> str:
    return f"{record.generator.name}, fold {record.fold.index}"


def _known_classes(conditions: Conditions, known: TrainedOn, cohort: Cohort) -> Conditions:
    """Conditions with the label codes of the model's classes, provided that it knows all of them."""
    if any(set(conditions.classes.get(name, ())) - set(classes) for name, classes in known.classes.items()):
        return conditions  # only a model that uses no labels gets here
    if not set(known.classes) <= set(cohort.label_columns):
        return conditions
    codes = [np.searchsorted(classes, cohort.labels(name)) for name, classes in known.classes.items()]
    return replace(
        conditions,
        label_columns=tuple(known.classes),
        classes=dict(known.classes),
        labels=torch.from_numpy(np.stack(codes, axis=1).astype(np.int64)),
    )


def _part(record: Record, cohort: Cohort, fingerprint: str, part: str) -> NDArray[np.intp]:
    """Rows of a part of the record's fold in the cohort."""
    if part not in get_args(Part):
        raise unknown(part, get_args(Part), "part")
    fold = record.fold
    if fingerprint != record.cohort.fingerprint or fold.track == "custom":
        raise InputError(
            f"--part {part}: only `all` is possible for another cohort than the record's, or for custom folds"
        )
    every = folds(cohort, "site" if fold.track == "site" else "random")
    ids = next((getattr(found, part) for found in every if found.hash() == fold.hash), None)
    if ids is None:
        raise InputError(f"--part {part}: the cohort no longer has the record's fold {fold.index}; give --part all")
    position = {name: row for row, name in enumerate(cohort.samples.tolist())}
    return np.asarray([position[name] for name in ids], dtype=np.intp)


def _provenance(
    record: Record, known: TrainedOn, cohort: Cohort, fingerprint: str, part: str, draws: int, seed: int
) -> dict[str, Any]:
    return {
        "synthetic": True,
        "made_by": environment.suite(),
        "versions": environment.versions(),
        "unit": known.unit,
        "keys": record.keys.model_dump(),
        "generator": record.generator.model_dump(include={"name", "version", "settings", "returns_real_rows"}),
        "trained_on": {
            "cohort": known.cohort,
            "fingerprint": known.fingerprint,
            "fold": record.fold.hash,
            "track": record.fold.track,
            "index": record.fold.index,
            "budget": record.budget,
            "seed": record.seeds.fit,
        },
        "conditions_of": {"cohort": cohort.name, "fingerprint": fingerprint, "part": part},
        "draws": draws,
        "seed": seed,
    }
