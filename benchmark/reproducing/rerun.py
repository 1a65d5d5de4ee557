"""Rerun the cell of a record: same cohort, fold, settings and seed, with nothing taken from a store."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gexbench.benchmark.authoring.local_process import planned_settings, stated_settings
from gexbench.benchmark.running.progress import Display
from gexbench.benchmark.running.runner import Runner
from gexbench.benchmark.sweeps.cells import Plan
from gexbench.benchmark.sweeps.planning import plan, with_gene_sets
from gexbench.benchmark.sweeps.seed_counts import MOST_SEEDS
from gexbench.benchmark.sweeps.sweep import Sweep
from gexbench.leaderboards.records import Record, RecordError, read_record
from gexbench.models.registry import Entry, Registry
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.data_directory import load_cohort
from gexbench.tasks.errors import InputError, field_problem
from gexbench.tasks.panel.protocols import CURRENT

LONGEST_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Rerun:
    """A record's cell as a plan of one.

    Attributes:
        record: the record.
        plan: with the one cell.
        cohort: on which it runs.
    """

    record: Record
    plan: Plan
    cohort: Cohort

    @property
    def same_key(self) -> bool:
        """Whether this suite gives the cell the record's key; a setting added since changes it."""
        return self.record.keys.rows == self.plan.cells[0].train_key

    def run(self, results: Path, display: Display) -> Record | None:
        """Train, sample and score in a temporary folder under `results`; None when stopped."""
        try:
            results.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{results}: cannot be created ({error.strerror}); choose another --results") from None
        with tempfile.TemporaryDirectory(prefix=".rerun-", dir=results) as place:
            runner = Runner(self.plan, self.cohort, Path(place), "rerun")
            if runner.run(1, display).stopped:
                return None
            (path,) = (runner.folder / "records").glob("*.json")
            return read_record(path)


def rerun_of(record: Record, entries: Registry, folds_file: Path | None = None, gene_sets: Path | None = None) -> Rerun:
    """The plan that runs a record's cell again.

    Args:
        record: in state ok.
        entries: the registered generators, and the local one where the record is of one.
        folds_file: of the track `custom`.
        gene_sets: the file of the pathway metrics' sets, where the record states one.

    Raises:
        InputError: another protocol, cohort, fold, generator version, file or gene sets than the record's, and whatever
            a sweep would refuse.
    """
    if record.state != "ok":
        raise InputError(f"{record.place}: its cell ended as {record.state}; only finished cells can be reproduced")
    if record.protocol != CURRENT.number:
        commit = f", commit {record.suite.commit}" if record.suite.commit else ""
        raise InputError(
            f"{record.place}: protocol {record.protocol}, and this version of gexbench runs protocol {CURRENT.number}; "
            f"reproduce it with the version that wrote it ({record.suite.version}{commit})"
        )
    if record.repeat >= MOST_SEEDS:
        raise InputError(f"{record.place}: repeat {record.repeat}; seeds below {MOST_SEEDS} can be reproduced")
    entry = _entry(record, entries)
    sweep = _sweep(record, _settings(record, entry))
    cohort = load_cohort(sweep.cohort)
    fingerprint = cohort.fingerprint()
    if fingerprint != record.cohort.fingerprint:
        raise InputError(
            f"{record.place}: cohort {sweep.cohort!r} here has the fingerprint {fingerprint[:12]}…, the record's "
            f"{record.cohort.fingerprint[:12]}…; build the cohort from the same files"
        )
    sweep, sets = with_gene_sets(sweep, gene_sets, cohort.genes)
    if sweep.panel != "core" and sweep.gene_sets != record.gene_sets:
        stated = None if record.gene_sets is None else record.gene_sets.name
        raise InputError(f"{record.place}: --gene-sets is not the file of the record ({stated})")
    made = plan(sweep, Registry((entry,)), cohort, fingerprint, folds_file)
    (fold,) = made.folds
    if fold.hash() != record.fold.hash:
        raise InputError(f"{record.place}: fold {fold.index} here holds different patients from the record's")
    cells = [c for c in made.cells if c.repeat == record.repeat and c.train_fraction == record.train_fraction]
    if len(cells) != 1:
        raise InputError(f"{record.place}: {record.generator.name} has no such cell in this version of gexbench")
    return Rerun(record, replace(made, cells=tuple(cells), gene_sets=sets), cohort)


def records_beside(path: Path) -> list[Record]:
    """The records in the folder of a record; other files are ignored."""
    found = []
    for other in sorted(path.parent.glob("*.json")):
        try:
            found.append(read_record(other))
        except RecordError:
            continue
    return found


def given_record(path: Path) -> Record:
    """The record at `path`.

    Raises:
        InputError: no such file, or not a record.
    """
    try:
        return read_record(path)
    except RecordError as error:
        raise InputError(error.problems) from None


def _entry(record: Record, entries: Registry) -> Entry:
    entry, stated = entries[record.generator.name], record.generator.file
    if stated is not None and (entry.file is None or entry.file.sha256 != stated.sha256):
        raise InputError(
            f"{record.place}: of the file {stated.name} (SHA-256 {stated.sha256[:12]}…); "
            f"give the same file: --generator {stated.name}:{stated.class_name}"
        )
    if stated is None and entry.local:
        raise InputError(
            f"{record.place}: of the registered generator {entry.name}, not of a file; leave --generator out"
        )
    if entry.unavailable:
        raise InputError(f"{entry.name} {entry.unavailable}")
    return entry


def _settings(record: Record, entry: Entry) -> dict[str, Any]:
    generator = record.generator
    here = planned_settings(entry, record.budget).version
    if here != generator.version:
        raise InputError(
            f"{record.place}: made by {entry.name} version {generator.version}, this version of gexbench has "
            f"version {here}, whose numbers differ; check out the commit that the record states"
        )
    try:
        return stated_settings(entry, generator.settings)
    except InputError as error:
        places = ", ".join(error.problems)
        raise InputError(
            f"{record.place}: settings that {entry.name} does not take here: {places}; "
            "use the suite's commit that the record states"
        ) from None


def _sweep(record: Record, settings: dict[str, Any]) -> Sweep:
    name, share = record.generator.name, record.train_fraction
    values = {
        "cohort": record.cohort.name,
        "track": record.fold.track,
        "folds": (record.fold.index,),
        "repeats": record.repeat + 1,
        "generators": (name,),
        "settings": {name: settings},
        "train_fractions": () if share == 1.0 else (share,),
        "gene_sets": record.gene_sets,
        "time_limit_s": LONGEST_S,
        **{field: getattr(record, field) for field in ("budget", "panel", "threads", "device")},
    }
    try:
        return Sweep.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{record.place}: {field_problem(item)}" for item in error.errors()) from None
