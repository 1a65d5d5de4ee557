"""The parts of a record, as types; nothing holds a path, user or host."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from gexbench.leaderboards.records.values import Count, Digest, Json, Part, Positive, Seconds, Texts

Variant = Literal["default", "tuned"]
DEFAULT: Variant = "default"
TUNED: Variant = "tuned"
"""A row with settings that were found fold by fold; also the word after `--settings`."""

State = Literal["ok", "failed", "timeout", "out of memory", "diverged", "unavailable", "skipped"]
"""How a cell can end: `unavailable` says the generator itself, of this cohort; `skipped` is never started, because
the generator cannot be imported here."""

STATES: tuple[State, ...] = get_args(State)
ObjectiveName = Literal["overall score", "validation score"]
"""What a finished trial is judged by: 1 - overall score of the panel core on the validation patients, or the common
validation score of the state that its fit kept. Lower is better in both."""


class Keys(Part):
    """Content keys in a store: of the kept rows (and the model), and of the record."""

    rows: Digest
    record: Digest


class Suite(Part):
    """Version of gexbench and, in a git checkout, its commit (with `+` when files differ from it)."""

    version: str
    commit: str | None


class SourceFile(Part):
    """File of a local generator: its name without folder, its class, the SHA-256 of its bytes."""

    name: str
    class_name: str = Field(alias="class")
    sha256: Digest


class TrialCounts(Part):
    """Trials of a fold by how they ended."""

    complete: Count
    pruned: Count
    failed: Count

    @property
    def total(self) -> int:
        """All trials."""
        return self.complete + self.pruned + self.failed


class Tuning(Part):
    """Settings found for one fold, from its training and validation patients.

    Attributes:
        settings: those that were searched, at their best.
        validation_score: of these settings, by the objective; lower is better.
        default_validation_score: of the default settings, which are trial 0; None when they failed.
        trials: how many stand behind it.
        objective: what the trials were judged by.
    """

    settings: Mapping[str, Json]
    validation_score: float
    default_validation_score: float | None
    trials: TrialCounts
    objective: ObjectiveName = "validation score"


class RecordedGenerator(Part):
    """The generator of a cell.

    Attributes:
        name: its registry key.
        variant: `default`, or `tuned` with settings that differ from fold to fold.
        tuning: of the variant `tuned` alone.
        source_hash: SHA-256 over its module and all of gexbench that it imports.
        local: given as a file, not registered; `file` says which.
    """

    name: Annotated[str, Field(min_length=1, max_length=200)]
    variant: Variant
    tuning: Tuning | None
    version: str
    family: str
    reference: bool
    conditions: Texts
    settings: Mapping[str, Json]
    source_hash: str
    local: bool
    file: SourceFile | None
    returns_real_rows: bool

    @property
    def full_name(self) -> str:
        """The name, with the variant behind it where it is not the default."""
        return self.name if self.variant == DEFAULT else f"{self.name}-{self.variant}"

    @model_validator(mode="after")
    def _tuned_alone_has_tuning(self) -> Self:
        if (self.tuning is not None) != (self.variant == TUNED):
            raise PydanticCustomError("tuning", "tuning: a tuned record has one, others have none")
        return self


class RecordedCohort(Part):
    """The cohort of a cell: `unit` of its expression, label columns from the finest to the coarsest."""

    name: str
    fingerprint: str
    unit: str
    samples: Positive
    genes: Positive
    label_columns: Annotated[Texts, Field(min_length=1)]


class RecordedFold(Part):
    """The fold of a cell: SHA-256 of its ids, patients of each part, classes that are left out."""

    track: str
    index: Count
    hash: str
    train: Positive
    validation: Count
    test: Positive
    left_out: Texts


class GeneSetsFile(Part):
    """What sweeps, keys and records state of a file of gene sets: name: without folder; sha256: of its bytes."""

    name: str
    sha256: Digest


class Seeds(Part):
    """Seeds of the fit and of each set of sampled rows; None in a record of a cell that was not trained."""

    fit: Count | None = None
    paired: Count | None = None
    privacy: Count | None = None
    test: Count | None = None
    train: Count | None = None


class Times(Part):
    """Seconds of each phase; None where a cell did not get there."""

    fit: Seconds | None = None
    sample: Seconds | None = None
    score: Seconds | None = None


class PeakMemory(Part):
    """Largest memory of a training in bytes; 0 on a device that was not used."""

    device: Count | None = None
    host: Count | None = None


class Hardware(Part):
    """The machine that a cell ran on."""

    architecture: str
    cores: Positive
    memory_bytes: Positive
    processor: str
    system: str


class Measured(Part):
    """A metric of a cell: its value, or None with the reason why there is none."""

    value: float | None
    version: Count
    reason: str | None = None
