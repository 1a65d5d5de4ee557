"""Cells already in a leaderboard's folder, published or not: reused by key instead of being computed."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gexbench.benchmark.storage.kept_records import kept_state
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.sweeps.cells import Cell, Plan
from gexbench.benchmark.sweeps.keys import metric_versions
from gexbench.leaderboards.publishing.folders import SUMS, differences
from gexbench.leaderboards.records import TUNED, Record, RecordError, read_records
from gexbench.leaderboards.records.logs import read_logs
from gexbench.tasks.errors import InputError
from gexbench.tasks.panel.protocols import CURRENT

_MORE_SEEDS = "which this sweep does not have"
"""How the reason of a record ends whose training seed is beyond those of the plan."""


@dataclass(frozen=True, slots=True)
class Reused:
    """Finished cells of a plan that folders hold. A key is a hash of everything that enters a cell's numbers.

    Attributes:
        records: score key → record as it was written, with the commit, versions and hardware that it states.
        logs: train key → training log (parquet), where the folder has one.
        unmatched: why other records of the folders are of no cell of the plan → how many.
        seeds: generator → training seeds that the folders hold of it, where the plan has fewer.
    """

    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    logs: Mapping[str, bytes] = field(default_factory=dict)
    unmatched: Mapping[str, int] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)

    def has(self, cell: Cell) -> bool:
        """Whether the cell is among them."""
        return cell.score_key in self.records

    def put(self, store: Store, cells: Sequence[Cell]) -> None:
        """Keep the records and logs of those cells that the store has not finished itself."""
        for cell in filter(self.has, cells):
            if kept_state(store, cell.score_key) == "ok":
                continue
            if cell.train_key in self.logs and store.read_log(cell.train_key) is None:
                store.write_log(cell.train_key, self.logs[cell.train_key])
            store.write_json("records", cell.score_key, self.records[cell.score_key])


def reused(folders: Sequence[Path], plan: Plan) -> Reused:
    """The finished cells of a plan that folders hold; the first folder with a cell gives it.

    Args:
        folders: each with `records/` and, where they were kept, `training/` logs; of a published folder every file
            must have its checksum, and all records the present protocol.
        plan: whose cells are looked for.

    Raises:
        InputError: a file that changed since it was published, records that are broken, of another protocol, or that
            say another cell than their key; all of a folder at once.
    """
    wanted = {cell.score_key: cell for cell in plan.cells}
    folds = {(fold.track, fold.index, fold.hash()) for fold in plan.folds}
    records: dict[str, Mapping[str, Any]] = {}
    logs: dict[str, bytes] = {}
    unmatched: Counter[str] = Counter()
    seeds: dict[str, int] = {}
    for folder in folders:
        problems = []
        for record in _records(folder):
            cell = wanted.get(record.keys.record)
            if cell is None or record.state != "ok" or _fold(record) not in folds:
                reason = _why(record, plan, folds)
                unmatched[reason] += 1
                if reason.endswith(_MORE_SEEDS):
                    name = record.generator.name
                    seeds[name] = max(seeds.get(name, 0), record.repeat + 1)
                continue
            problems += _contradictions(record, cell, plan)
            if cell.score_key not in records:
                records[cell.score_key] = json.loads((folder / "records" / record.place).read_bytes())
            log = folder / "training" / f"{Path(record.place).stem}.parquet"
            if log.is_file():
                logs.setdefault(cell.train_key, log.read_bytes())
        if problems:
            raise InputError([f"--reuse {folder}: {problem}" for problem in problems])
    return Reused(records, logs, unmatched, seeds)


def _records(folder: Path) -> list[Record]:
    if (folder / SUMS).is_file() and (changed := differences(folder)):
        raise InputError([f"--reuse {folder}: {text}; use the folder as published" for text in changed.values()])
    try:
        found = read_records(folder / "records")
        read_logs(folder, found)  # which checks them
    except RecordError as error:
        raise InputError([f"--reuse {folder}: {problem}" for problem in error.problems]) from None
    others = sorted({record.protocol for record in found} - {CURRENT.number})
    if others:
        raise InputError(
            f"--reuse {folder}: records of protocol {' and '.join(map(str, others))}, and this sweep makes records of "
            f"protocol {CURRENT.number}; tables never mix protocols, so leave the folder out"
        )
    return found


def _fold(record: Record) -> tuple[str, int, str]:
    """Track, index and hash; a key holds the hash alone, and users' folds may have another order."""
    return record.fold.track, record.fold.index, record.fold.hash


def _why(record: Record, plan: Plan, folds: Collection[tuple[str, int, str]]) -> str:
    """The first thing in which a record differs from every cell of the plan."""
    name, sweep = record.generator.name, plan.sweep
    versions = {cell.entry.name: cell.version for cell in plan.cells}
    if record.state != "ok":
        return f"ended as {record.state}"
    if record.cohort.fingerprint != plan.fingerprint:
        return f"another cohort (fingerprint {record.cohort.fingerprint[:12]}…, here {plan.fingerprint[:12]}…)"
    for key in ("budget", "panel", "device", "threads"):
        if (stated := getattr(record, key)) != getattr(sweep, key):
            return f"{key} {stated}"
    if _fold(record) not in folds:
        return f"another fold or track ({record.fold.track} {record.fold.index})"
    if name not in versions:
        return f"{name}: not in this sweep"
    if record.generator.version != versions[name]:
        return f"{name}: version {record.generator.version}, here {versions[name]}"
    if record.repeat not in {cell.repeat for cell in plan.cells if cell.entry.name == name}:
        return f"{record.row}: training seed {record.repeat}, {_MORE_SEEDS}"
    if record.generator.variant == TUNED and not (sweep.tuned and name in sweep.tuned.generators):
        return f"{record.row}: tuned settings; give the file of `gexbench tune` with --settings tuned:FILE"
    return f"{record.row}: other settings, tuning, metrics' versions or gene sets"


def _contradictions(record: Record, cell: Cell, plan: Plan) -> list[str]:
    """What a record says otherwise than its key: it was changed by hand, or put together from two."""
    generator, sweep = record.generator, plan.sweep
    scarce = cell.train_fraction != 1.0
    stated = {
        "keys.rows": (record.keys.rows, cell.train_key),
        "generator.name": (generator.name, cell.entry.name),
        "generator.version": (generator.version, cell.version),
        "generator.variant": (generator.variant, cell.variant),
        "generator.settings": (generator.settings, dict(cell.settings)),
        "cohort.fingerprint": (record.cohort.fingerprint, plan.fingerprint),
        "fold": (_fold(record), (cell.fold.track, cell.fold.index, cell.fold.hash())),
        "repeat": (record.repeat, cell.repeat),
        "train_fraction": (record.train_fraction, cell.train_fraction),
        **{name: (getattr(record, name), getattr(sweep, name)) for name in ("budget", "threads", "device", "panel")},
        "metrics' versions": (
            {key.partition("[")[0]: measured.version for key, measured in record.metrics.items()},
            metric_versions(sweep.panel, scarce=scarce),
        ),
    }
    return [
        f"{record.place}: {name} does not match its key; use the record as it was written"
        for name, (found, expected) in stated.items()
        if found != expected
    ]
