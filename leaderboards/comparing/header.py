"""Header of a table: the cohort, the protocol and the versions its records agree on."""

from collections.abc import Sequence
from dataclasses import dataclass

from gexbench.leaderboards.records.model import Record
from gexbench.leaderboards.records.parts import Suite


@dataclass(frozen=True, slots=True)
class Header:
    """Facts shared by all rows of a table.

    Attributes:
        folds: indices of the folds in the table.
        train, test: patients of each of them.
        left_out: classes that take no part, in any fold.
        seeds: fewest and most training seeds of a generator in a fold.
        suites: version and commit of the suite, every combination that wrote a record.
        note: a sentence of the publisher, or None.
    """

    cohort: str
    fingerprint: str
    unit: str
    samples: int
    genes: int
    label_columns: tuple[str, ...]
    track: str
    budget: str
    panel: str
    folds: tuple[int, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]
    left_out: tuple[str, ...]
    seeds: tuple[int, int]
    devices: tuple[str, ...]
    threads: tuple[int, ...]
    processors: tuple[str, ...]
    suites: tuple[str, ...]
    note: str | None

    @property
    def share(self) -> float:
        """n_test / n_train, the mean over folds: the correction of intervals over folds."""
        return sum(test / train for test, train in zip(self.test, self.train, strict=True)) / len(self.folds)


def header_of(records: Sequence[Record], folds: Sequence[int], seeds: Sequence[int], note: str | None) -> Header:
    """The header of comparable records.

    Args:
        records: records that `check_comparable` accepts.
        folds: folds in the table.
        seeds: number of seeds of each generator.
        note: a sentence for the header.
    """
    cohort, first = records[0].cohort, records[0]
    fold_of = {record.fold.index: record.fold for record in records}
    return Header(
        cohort=cohort.name,
        fingerprint=cohort.fingerprint,
        unit=cohort.unit,
        samples=cohort.samples,
        genes=cohort.genes,
        label_columns=cohort.label_columns,
        track=first.fold.track,
        budget=first.budget,
        panel=first.panel,
        folds=tuple(folds),
        train=tuple(fold_of[fold].train for fold in folds),
        test=tuple(fold_of[fold].test for fold in folds),
        left_out=tuple(sorted({name for fold in folds for name in fold_of[fold].left_out})),
        seeds=(min(seeds, default=0), max(seeds, default=0)),
        devices=tuple(sorted({record.device for record in records})),
        threads=tuple(sorted({record.threads for record in records})),
        processors=tuple(sorted({record.hardware.processor for record in records})),
        suites=tuple(sorted({_suite(record.suite) for record in records})),
        note=note,
    )


def _suite(suite: Suite) -> str:
    return f"{suite.version}, commit {suite.commit}" if suite.commit else suite.version
