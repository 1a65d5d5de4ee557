"""A record: what one cell leaves behind, complete and self-describing, as one type."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from gexbench.leaderboards.records.parts import (
    GeneSetsFile,
    Hardware,
    Keys,
    Measured,
    PeakMemory,
    RecordedCohort,
    RecordedFold,
    RecordedGenerator,
    Seeds,
    State,
    Suite,
    Times,
)
from gexbench.leaderboards.records.ranges import out_of_range
from gexbench.leaderboards.records.values import (
    ClusterSum,
    Count,
    Curve,
    GateKey,
    Json,
    MetricKey,
    Part,
    Positive,
    Seconds,
    Texts,
)
from gexbench.tasks.panel.protocols import PROTOCOLS

SCHEMA = 3


def _protocol(number: int) -> int:
    if number not in PROTOCOLS:
        known = " and ".join(map(str, PROTOCOLS))
        text = f"protocol {number}, this gexbench knows {known}; use the version that wrote it"
        raise PydanticCustomError("protocol", "{text}", {"text": text})
    return number


class Reported(Part):
    """What a generator says of its own training.

    Attributes:
        curves: name → values over the training.
        diagnostics: facts: parameters, steps used, best step, fallbacks.
        warnings: sentences that are shown in the generator's row; of the metrics too.
    """

    curves: Mapping[str, Curve]
    diagnostics: Mapping[str, Json]
    warnings: Texts


class Record(Reported):
    """One cell.

    Attributes:
        protocol: number of the protocol that its numbers follow; records of different ones share no table.
        traceback, output: of a cell that did not end well: its last lines.
        trained_by: the suite that trained the generator, where another one scored its rows.
        repeat: index of the training seed.
        train_fraction: share of the fold's training and validation patients that the generator was fitted on.
        fitted: number of patients that it was fitted on; None when it was not, and in older records of all patients.
        gene_sets: file that the pathway metrics read.
        metrics: `name` or `name[label]` → what was measured.
        gates: figure of a gate → its numbers, which `gates.verdicts` judges over folds.
        per_class: measure → class → value.
        reference_values: metric key → value of this fold: the downstream tasks' ceilings and floors. Older records
            have no `shuffled_labels`.
        extra: figures beside a metric.
        clusters: what patients are clustered by in `per_cluster`.
        per_cluster: patient-level metric key → cluster of test rows → rows and sum of the value.
        times_s, cpu_times_s: wall and CPU seconds; score_cpu_times_s: of each step of scoring.
        versions: distribution → version of everything that changes numbers, and Python's.
    """

    protocol: Annotated[int, AfterValidator(_protocol)]
    state: State
    reason: str | None
    traceback: str | None
    output: Texts
    keys: Keys
    suite: Suite
    trained_by: Suite | None
    generator: RecordedGenerator
    cohort: RecordedCohort
    fold: RecordedFold
    repeat: Count
    train_fraction: Annotated[float, Field(gt=0, le=1)]
    fitted: Positive | None
    seeds: Seeds
    budget: str
    threads: Positive
    device: str
    panel: str
    gene_sets: GeneSetsFile | None
    metrics: Mapping[MetricKey, Measured]
    gates: Mapping[GateKey, Mapping[str, float]]
    per_class: Mapping[str, Mapping[str, float]]
    reference_values: Mapping[Literal["trtr", "majority", "shuffled_labels"], Mapping[MetricKey, float]]
    extra: Mapping[str, float]
    clusters: Literal["site", "patient"] | None
    per_cluster: Mapping[MetricKey, Mapping[str, ClusterSum]]
    times_s: Times
    cpu_times_s: Times
    score_cpu_times_s: Mapping[str, Seconds]
    peak_memory_bytes: PeakMemory
    hardware: Hardware
    versions: Mapping[str, str]
    _place: str = PrivateAttr("")

    @model_validator(mode="after")
    def _clusters_are_named(self) -> Self:
        if self.per_cluster and self.clusters is None:
            raise PydanticCustomError("clusters", "clusters: say what per_cluster sums over, site or patient")
        return self

    @model_validator(mode="after")
    def _metrics_are_of_its_protocol(self) -> Self:
        foreign = sorted(key for key in {*self.metric_keys(), *self.per_cluster} if not self._declares(key))
        if foreign:
            text = f"protocol {self.protocol} has no metric {', '.join(foreign)}; another version of gexbench wrote it"
            raise PydanticCustomError("metric", "{text}", {"text": text})
        return self

    def _declares(self, key: str) -> bool:
        try:
            PROTOCOLS[self.protocol].lookup(key)
        except KeyError:
            return False
        return True

    @model_validator(mode="after")
    def _values_lie_in_their_ranges(self) -> Self:
        if problems := list(out_of_range(self.protocol, self.metrics, self.reference_values)):
            raise ValidationError.from_exception_data("Record", problems)
        return self

    @classmethod
    def of(cls, content: Mapping[str, Any], place: str) -> Self:
        """The record with this content, without its schema.

        Args:
            content: JSON values.
            place: the file's name, for messages.

        Raises:
            pydantic.ValidationError: fields that lack, are unknown or ill-typed.
        """
        record = cls.model_validate(content)
        record._place = place
        return record

    @property
    def place(self) -> str:
        """Name of the file that it was read from."""
        return self._place

    @property
    def row(self) -> str:
        """Name of its row among those of all shares: the generator, with the share behind it where it is below 1."""
        name = self.generator.full_name
        return name if self.train_fraction == 1.0 else f"{name}@{self.train_fraction:g}"

    @property
    def cell(self) -> tuple[str, int, int]:
        """The generator's full name, the fold and the seed, by which records are ordered."""
        return self.generator.full_name, self.fold.index, self.repeat

    def metric_keys(self) -> frozenset[str]:
        """Metric keys of the cell, and those that its fold's downstream tasks state."""
        return frozenset(self.metrics) | {key for values in self.reference_values.values() for key in values}

    def content(self) -> dict[str, Any]:
        """The record as JSON values, with its schema: what is written."""
        return {"schema": SCHEMA, **self.model_dump(mode="json", by_alias=True)}
