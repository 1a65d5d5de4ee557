"""What a kept model was trained on, to check that it can sample for a cohort; imports no torch."""

from collections.abc import Collection, Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict

from gexbench.tasks.cohorts.cohort import Cohort, Ragged
from gexbench.tasks.errors import examples

TRAINED_ON = "trained_on.json"
"""File beside a kept model."""


class TrainedOn(BaseModel):
    """Facts of a cohort that a model depends on.

    Attributes:
        cohort, fingerprint: its name and the fingerprint of its data.
        unit: of the expression; genes: names, the columns of every row that the model samples.
        classes: label column, finest first → class names; the model identifies them by position.
        widths: `patches` and the variants of the text → width of an embedding.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    cohort: str
    fingerprint: str
    unit: str
    genes: tuple[str, ...]
    classes: Mapping[str, tuple[str, ...]]
    widths: Mapping[str, int]

    @classmethod
    def of(cls, cohort: Cohort, fingerprint: str) -> "TrainedOn":
        """Of the cohort that a model is trained on."""
        return cls(
            cohort=cohort.name,
            fingerprint=fingerprint,
            unit=cohort.unit.name,
            genes=cohort.genes,
            classes={name: tuple(np.unique(cohort.labels(name)).tolist()) for name in cohort.label_columns},
            widths={name: ragged.width for name, ragged in _embeddings(cohort).items()},
        )

    def problems(self, cohort: Cohort, conditions: Collection[str]) -> list[str]:
        """Why a model that uses these kinds of `conditions` cannot sample for the patients of a cohort."""
        found = []
        if "labels" in conditions:
            lacking = [name for name in self.classes if name not in cohort.label_columns]
            if lacking:
                found.append(f"has no label column {examples(lacking)}")
            for name in (name for name in self.classes if name not in lacking):
                strange = sorted(set(np.unique(cohort.labels(name)).tolist()) - set(self.classes[name]))
                if strange:
                    found.append(f"has {len(strange)} classes of {name} that the model never saw ({examples(strange)})")
        there = {name: ragged.width for name, ragged in _embeddings(cohort).items()}
        for name, width in self.widths.items():
            if ("patches" if name == "patches" else "text") in conditions and there.get(name) != width:
                what = "none" if name not in there else f"width {there[name]}"
                found.append(f"has {what} of {name}; the model needs width {width}")
        return found


def _embeddings(cohort: Cohort) -> dict[str, Ragged]:
    return {**cohort.text, **({} if cohort.patches is None else {"patches": cohort.patches})}
