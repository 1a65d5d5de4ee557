"""From a specification to the sweep it becomes on this machine, and to the sweep's cells; imports no torch."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gexbench.benchmark.authoring.local_process import planned_settings
from gexbench.benchmark.sweeps.cells import Cell, Plan
from gexbench.benchmark.sweeps.design import Design, Limits
from gexbench.benchmark.sweeps.gene_sets import file_of, given_gene_sets
from gexbench.benchmark.sweeps.keys import score_key, train_key
from gexbench.benchmark.sweeps.reading import Given
from gexbench.benchmark.sweeps.rows import row_name
from gexbench.benchmark.sweeps.specification import Specification
from gexbench.benchmark.sweeps.sweep import Sweep, leaderboard_name, split_seeds, sweep_of
from gexbench.benchmark.sweeps.tuned import TunedSettings, tuned_settings, tuning_file
from gexbench.leaderboards.records.parts import TUNED, Tuning
from gexbench.models.registry import BrokenGenerator, Entry, PlannedSettings, Registry
from gexbench.models.settings import GeneratorSettings
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.dealing import PARTS
from gexbench.tasks.cohorts.folds import Fold, folds
from gexbench.tasks.cohorts.folds_file import read_folds
from gexbench.tasks.data_directory import load_cohort
from gexbench.tasks.errors import InputError
from gexbench.tasks.panel.gene_sets import GeneSets


def planned(
    given: Given, wanted: Specification, registry: Registry, results: Path, device: str
) -> tuple[Plan, Cohort, str]:
    """The plan of a specification, its cohort, and the name of its leaderboard.

    Args:
        given: where the specification comes from; wanted: its checked content.
        results: folder in which tuned settings are looked for.
        device: cpu or cuda, found out for `auto`.

    Raises:
        InputError: a name that is none, files that cannot be read, settings that were not tuned for this sweep.
    """
    sweep, folds_file = resolved(wanted, registry, device)
    name = leaderboard_name(sweep, wanted.name, given.name)
    cohort = load_cohort(sweep.cohort)
    fingerprint = cohort.fingerprint()
    if wanted.tuned:
        chosen = chosen_folds(cohort, sweep.track, sweep.folds, folds_file)
        found = _tuned(sweep, wanted.tuned, results, registry, chosen, fingerprint)
        sweep = sweep.model_copy(update={"tuned": found})
    sweep, sets = with_gene_sets(sweep, Path(wanted.gene_sets) if wanted.gene_sets else None, cohort.genes)
    return replace(plan(sweep, registry, cohort, fingerprint, folds_file), gene_sets=sets), cohort, name


def resolved(wanted: Specification, registry: Registry, device: str) -> tuple[Sweep, Path | None]:
    """The sweep of a specification, tuned settings and gene sets apart, and the file of its folds.

    Raises:
        InputError: as `sweep_of`; a file of folds that cannot be read.
    """
    folds_file, indices = given_folds(wanted.folds, wanted.budget)
    repeats, repeats_of = split_seeds(wanted.seeds)
    same = {key: getattr(wanted, key) for key in Design.model_fields}
    same |= {key: getattr(wanted.resources, key) for key in Limits.model_fields}
    same["generators"] = tuple(registry) if wanted.generators == "all" else wanted.generators
    track = "custom" if folds_file else wanted.track
    sweep = sweep_of(
        registry, **same, track=track, folds=indices, repeats=repeats, repeats_of=repeats_of, device=device
    )
    return sweep, folds_file


def given_folds(wanted: Sequence[int] | str | None, budget: str) -> tuple[Path | None, tuple[int, ...]]:
    """The file of the folds that a specification names, if it does, and the folds' indices.

    Args:
        wanted: indices, `all` or a file; None is the first three at `budget` quick, else all.

    Raises:
        InputError: a file that cannot be read.
    """
    if not isinstance(wanted, str):
        return None, tuple(wanted) if wanted else tuple(range(3 if budget == "quick" else PARTS))
    if wanted == "all":
        return None, tuple(range(PARTS))
    try:
        return Path(wanted), tuple(range(len(json.loads(Path(wanted).read_text()))))
    except OSError as error:
        reason = f"a file that can be read ({error.strerror})"
    except (ValueError, TypeError):
        reason = "a JSON file"
    raise InputError(
        f"--folds {wanted}: give indices such as 0,1,2, `all`, or a JSON file of id lists; it is not {reason}"
    )


def with_gene_sets(sweep: Sweep, path: Path | None, genes: Sequence[str]) -> tuple[Sweep, GeneSets | None]:
    """The sweep that states the file at `path`, and its gene sets; without a file the sweep as it is, or freed of
    the file that its former panel read.

    Raises:
        InputError: as `given_gene_sets`; a panel that reads no gene sets; no file where the sweep states one.
    """
    if path is None:
        if sweep.panel == "core":
            return sweep.model_copy(update={"gene_sets": None}), None
        if sweep.gene_sets is not None:
            raise InputError(f"the sweep was scored with gene sets of {sweep.gene_sets.name}; add --gene-sets FILE")
        return sweep, None
    if sweep.panel == "core":
        raise InputError("--gene-sets: the panel core has no metric of gene sets; add --panel extended")
    found = given_gene_sets(path, genes)
    return sweep.model_copy(update={"gene_sets": file_of(found)}), found


def chosen_folds(
    cohort: Cohort, track: str, indices: Sequence[int], folds_file: Path | None = None
) -> tuple[Fold, ...]:
    """Folds of a cohort's track by index; of the track `custom`, those of a file.

    Raises:
        InputError: folds that do not exist, an unreadable fold file.
    """
    if track != "custom":
        every = folds(cohort, "site" if track == "site" else "random")
    elif folds_file is None:
        raise InputError("track 'custom' needs the file of the folds: --folds FILE")
    else:
        every = read_folds(folds_file, cohort)
    missing = [index for index in indices if not 0 <= index < len(every)]
    if missing:
        raise InputError(f"--folds {missing}: cohort {cohort.name} has folds 0 to {len(every) - 1}")
    return tuple(every[index] for index in indices)


def plan(sweep: Sweep, registry: Registry, cohort: Cohort, fingerprint: str, folds_file: Path | None = None) -> Plan:
    """All cells of a sweep, fold by fold.

    Raises:
        InputError: folds that do not exist, unknown settings (all at once), unreadable fold files.
    """
    chosen = chosen_folds(cohort, sweep.track, sweep.folds, folds_file)
    generators = _generators(sweep, registry, chosen)
    cells = [
        cell
        for fold in chosen
        for repeat in range(max(one.seeds for one in generators))
        for one in generators
        if repeat < one.seeds
        for cell in _cells(sweep, cohort, fingerprint, one, fold, repeat)
    ]
    return Plan(sweep, fingerprint, chosen, tuple(cells))


@dataclass(frozen=True, slots=True)
class _Generator:
    """A generator of a sweep.

    Attributes:
        settings: of its default rows.
        tuned: fold hash → what was found, and the settings with it; empty without a tuned row.
        seeds: per fold.
        variants: of its rows, with their shares of the patients.
        skip: why it cannot be started here.
    """

    entry: Entry
    settings: PlannedSettings
    tuned: Mapping[str, tuple[Tuning, PlannedSettings]]
    seeds: int
    variants: tuple[tuple[str, float], ...]
    skip: str | None


def _generators(sweep: Sweep, registry: Registry, chosen: Sequence[Fold]) -> list[_Generator]:
    """The generators of a sweep with their settings resolved.

    Raises:
        InputError: settings that do not exist, or are given and tuned; folds that were not tuned; all at once.
    """
    found, problems = [], []
    for name in sweep.generators:
        entry, broken = registry[name], None
        settings: PlannedSettings = GeneratorSettings()
        of_folds = sweep.tuned.generators.get(name, {}) if sweep.tuned else {}
        if of_folds and name in sweep.settings:
            problems.append(f"settings of {name!r} are given and tuned; run one of them under another --name")
        if of_folds and row_name(name, TUNED) in registry:
            problems.append(
                f"{row_name(name, TUNED)!r} is a generator and the row of tuned {name}; rename the generator"
            )
        tuned: dict[str, tuple[Tuning, PlannedSettings]] = {}
        try:
            settings = planned_settings(entry, sweep.budget, sweep.settings.get(name))
            for fold in chosen if of_folds else ():
                best = _tuned_fold(of_folds, name, fold)
                tuned[fold.hash()] = best, planned_settings(entry, sweep.budget, best.settings)
        except BrokenGenerator as error:
            broken = str(error)
        except InputError as error:
            problems += error.problems
        skip = broken or entry.unavailable
        found.append(_Generator(entry, settings, tuned, sweep.seeds_of(name), sweep.variants(name, entry), skip))
    if problems:
        raise InputError(problems)
    return found


def _cells(
    sweep: Sweep, cohort: Cohort, fingerprint: str, generator: _Generator, fold: Fold, repeat: int
) -> Iterator[Cell]:
    """The cells of a generator on a fold with one training seed: the default one, the tuned one, those of shares."""
    entry = generator.entry
    counted = entry.reads_counts and cohort.counts is not None
    for variant, fraction in generator.variants:
        source, settings = generator.tuned[fold.hash()] if variant == TUNED else (None, generator.settings)
        rows = train_key(sweep, fingerprint, fold, entry, settings, repeat, fraction, counted)
        key = score_key(sweep, rows, fraction, source)
        content = settings.model_dump(mode="json")
        yield Cell(entry, content, settings.version, fold, repeat, rows, key, source, fraction, generator.skip)


def _tuned_fold(found: Mapping[str, Tuning], name: str, fold: Fold) -> Tuning:
    if fold.hash() not in found:
        raise InputError(f"no tuned settings of {name} for fold {fold.index}; run `gexbench tune {name}`")
    return found[fold.hash()]


def _tuned(
    sweep: Sweep,
    source: bool | str,
    results: Path,
    registry: Registry,
    chosen: Sequence[Fold],
    fingerprint: str,
) -> TunedSettings:
    """Tuned settings of a sweep: from the file that `source` names, else from the default place."""
    of_core = sweep.model_copy(update={"panel": "core", "train_fractions": ()})
    return tuned_settings(
        Path(source) if isinstance(source, str) else tuning_file(results, leaderboard_name(of_core, None)),
        generators={name: planned_settings(registry[name], sweep.budget).version for name in sweep.generators},
        cohort=sweep.cohort,
        fingerprint=fingerprint,
        budget=sweep.budget,
        folds=chosen,
    )
