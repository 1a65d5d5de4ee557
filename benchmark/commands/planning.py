"""From a specification to the plan of a sweep on this machine; imports no torch."""

import dataclasses
from pathlib import Path

from gexbench.benchmark.commands import options
from gexbench.benchmark.sweeps.gene_sets import with_gene_sets
from gexbench.benchmark.sweeps.seed_counts import split_seeds
from gexbench.benchmark.sweeps.specification import Given, Specification, own_name
from gexbench.benchmark.sweeps.sweep import Plan, Sweep, chosen_folds, leaderboard_name, plan, sweep_of
from gexbench.benchmark.sweeps.tuned import tuned_settings, tuning_file
from gexbench.models.registry import Registry, resolve_settings
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.data_directory import load_cohort


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
    own = None if wanted.name else own_name(given)
    folds_file, indices = None, wanted.folds
    if not isinstance(indices, tuple):
        folds_file, indices = options.folds_file(indices or ""), options.fold_indices(indices or "", wanted.budget)
    repeats, repeats_of = split_seeds(wanted.seeds)
    sweep = sweep_of(
        registry,
        cohort=wanted.cohort,
        track="custom" if folds_file else wanted.track,
        folds=indices,
        repeats=repeats,
        repeats_of=repeats_of,
        generators=tuple(registry) if wanted.generators == "all" else wanted.generators,
        settings=wanted.settings,
        train_fractions=wanted.train_fractions,
        budget=wanted.budget,
        panel=wanted.panel,
        threads=wanted.resources.threads,
        device=device,
        time_limit_s=wanted.resources.time_limit_s,
        memory_gb=wanted.resources.memory_gb,
        gpu_memory_gb=wanted.resources.gpu_memory_gb,
        patches=wanted.resources.patches,
    )
    name = leaderboard_name(sweep, wanted.name, own)
    cohort = load_cohort(wanted.cohort)
    fingerprint = cohort.fingerprint()
    if wanted.tuned:
        source = wanted.tuned if isinstance(wanted.tuned, str) else ""
        sweep = _with_tuned(sweep, source, results, registry, cohort, fingerprint, folds_file)
    sweep, sets = with_gene_sets(sweep, Path(wanted.gene_sets) if wanted.gene_sets else None, cohort.genes)
    made = plan(sweep, registry, cohort, fingerprint, folds_file)
    return dataclasses.replace(made, gene_sets=sets), cohort, name


def _with_tuned(
    sweep: Sweep,
    source: str,
    results: Path,
    registry: Registry,
    cohort: Cohort,
    fingerprint: str,
    folds_file: Path | None,
) -> Sweep:
    """The sweep with tuned settings: from the file named `source`, or from the default place when it is empty."""
    of_core = sweep.model_copy(update={"panel": "core", "train_fractions": ()})
    path = Path(source) if source else tuning_file(results, leaderboard_name(of_core, None))
    found = tuned_settings(
        path,
        generators={name: resolve_settings(registry[name], sweep.budget).version for name in sweep.generators},
        cohort=sweep.cohort,
        fingerprint=fingerprint,
        budget=sweep.budget,
        folds=chosen_folds(cohort, sweep.track, sweep.folds, folds_file),
    )
    return sweep.model_copy(update={"tuned": found})
