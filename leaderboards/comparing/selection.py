"""Which records may share a table, and which folds can be scored."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gexbench.leaderboards.records import TUNED, Record, RecordError
from gexbench.tasks.panel.catalogue import split_key

ABSENT_STATES = frozenset({"unavailable", "skipped"})
"""The generator cannot work here: listed below the table with the reason, never scored 0."""

CEILING = "real-holdout"
FLOORS = ("gene-shuffle", "class-mean")
BASELINE = "class-gaussian"

OF_COHORT: tuple[tuple[str, Callable[[Record], str]], ...] = (
    ("cohort", lambda record: record.cohort.name),
    ("cohort fingerprint", lambda record: record.cohort.fingerprint),
    ("label columns", lambda record: ", ".join(record.cohort.label_columns)),
    ("track", lambda record: record.fold.track),
)
_SHARED: tuple[tuple[str, Callable[[Record], str]], ...] = (
    *OF_COHORT,
    ("budget", lambda record: record.budget),
    ("panel", lambda record: record.panel),
    ("gene sets", lambda record: "none" if record.gene_sets is None else record.gene_sets.sha256),
)
_OF_GENERATOR: tuple[tuple[str, Callable[[Record], Any]], ...] = (
    ("version", lambda record: record.generator.version),
    ("reference", lambda record: record.generator.reference),
    ("family", lambda record: record.generator.family),
    ("file", lambda record: "none" if record.generator.file is None else record.generator.file.sha256),
)


def check_comparable(records: Sequence[Record]) -> None:
    """Refuse records that cannot share a table.

    Raises:
        RecordError: no records, or of shares of the patients alone; several protocols, which is said alone; several
            cohorts, fingerprints, tracks, budgets or panels; several versions, settings, roles or files of one
            generator (settings of a tuned row may differ between folds); several id lists of one fold; several versions
            of one metric; two records of one cell. All at once.
    """
    if not records:
        raise RecordError("no records; make them with `gexbench run`")
    problems = _mixed("protocol", records, lambda record: str(record.protocol))
    if problems:  # of which all else would follow: folds, metrics, versions
        raise RecordError(problems)
    for what, value_of in _SHARED:
        problems += _mixed(what, records, value_of)
    for generator, group in _groups(records, lambda record: record.generator.full_name).items():
        for what, value_of in _OF_GENERATOR:
            problems += _mixed(f"generator {generator!r}: {what}", group, value_of)
        by_fold = _groups(group, lambda record: record.fold.index if record.generator.variant == TUNED else -1)
        for fold, alike in by_fold.items():
            place = "" if fold < 0 else f", fold {fold}"
            problems += _mixed(
                f"generator {generator!r}{place}: settings", alike, lambda record: record.generator.settings
            )
    for fold, group in _groups(records, lambda record: record.fold.index).items():
        problems += _mixed(f"fold {fold}: id lists", group, lambda record: record.fold.hash)
    problems += _metric_versions(records)
    cells = Counter((*r.cell, r.train_fraction) for r in records)
    for (generator, fold, repeat, _), count in cells.items():
        if count > 1:
            problems.append(f"generator {generator!r}, fold {fold}, seed {repeat}: {count} records; keep one")
    if all(record.train_fraction < 1.0 for record in records):
        problems.append("no record of a generator fitted on all patients; floors and ceilings need the references'")
    if problems:
        raise RecordError(problems)


def absent_generators(records: Iterable[Record]) -> dict[str, str]:
    """Generators unavailable according to all their records, with the first reason."""
    absent = {}
    for generator, group in _groups(records, lambda record: record.generator.full_name).items():
        if all(record.state in ABSENT_STATES for record in group):
            absent[generator] = next((record.reason for record in group if record.reason), "no reason given")
    return absent


def incomplete_folds(records: Iterable[Record]) -> dict[int, str]:
    """Folds that lack a record in state ok of a reference that sets floors or ceilings → which ones lack."""
    there: dict[int, set[str]] = defaultdict(set)
    for record in records:
        there[record.fold.index] |= {record.generator.full_name} if record.state == "ok" else set()
    missing = {
        fold: [name for name in (CEILING, *FLOORS) if name not in names] for fold, names in sorted(there.items())
    }
    return {fold: ", ".join(names) for fold, names in missing.items() if names}


def _metric_versions(records: Iterable[Record]) -> Iterable[str]:
    versions: dict[str, set[int]] = defaultdict(set)
    for record in records:
        for key, measured in record.metrics.items():
            versions[split_key(key)[0]].add(measured.version)
    for name, found in sorted(versions.items()):
        if len(found) > 1:
            yield f"metric {name}: versions {sorted(found)} in one table; rescore with `gexbench score`"


def _groups(records: Iterable[Record], key: Callable[[Record], Any]) -> dict[Any, list[Record]]:
    groups: dict[Any, list[Record]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return dict(sorted(groups.items()))


def _mixed(what: str, records: Sequence[Record], value_of: Callable[[Record], Any]) -> list[str]:
    first: dict[str, str] = {}
    for record in records:
        value = value_of(record)
        first.setdefault(value if isinstance(value, str) else json.dumps(value, sort_keys=True), record.place)
    if len(first) < 2:
        return []
    listed = "; ".join(f"{value} ({place})" for value, place in list(first.items())[:4])
    return [f"{what} differs: {listed}; put them into separate leaderboards"]
