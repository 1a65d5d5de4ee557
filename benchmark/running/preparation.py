"""From a specification to the runner of its cells."""

from collections.abc import Sequence
from pathlib import Path

from gexbench.benchmark.machine.processes import can_fork
from gexbench.benchmark.running.pool import GB, start_early
from gexbench.benchmark.running.ray_pool import Cluster, check_ray
from gexbench.benchmark.running.runner import Runner
from gexbench.benchmark.storage.reuse import reused
from gexbench.benchmark.sweeps.planning import planned
from gexbench.benchmark.sweeps.reading import Given
from gexbench.benchmark.sweeps.specification import Specification
from gexbench.leaderboards.records.parts import STATES
from gexbench.models.registry import Registry
from gexbench.tasks.errors import InputError
from gexbench.tasks.names import unknown


def prepared(
    given: Given,
    wanted: Specification,
    entries: Registry,
    results: Path,
    folders: Sequence[Path],
    device: str,
    *,
    keep_models: bool,
    replace: bool,
    store_cap: float,
    starts: bool = True,
) -> Runner:
    """The runner of a specification's cells; nothing is run.

    Args:
        given: where the specification comes from; wanted: its checked content.
        entries: the generators that there are.
        results: folder for the store and the leaderboards.
        folders: leaderboards whose records are reused.
        device: cpu or cuda, found out for `auto`.
        keep_models: keep trained generators in the store.
        replace: drop records of the leaderboard that are not in the sweep.
        store_cap: GB that the store may hold.
        starts: whether the cells will be run, for which a Ray cluster must be there.

    Raises:
        InputError: everything that keeps the sweep from being planned.
    """

    cluster = Cluster(wanted.address, wanted.resources.gpus) if wanted.executor == "ray" else None
    if cluster is not None and starts:
        check_ray(wanted.address)
    if starts and cluster is None and can_fork("cpu", wanted.resources.threads):
        start_early(wanted.resources.threads)
    plan, cohort, board = planned(given, wanted, entries, results, device)
    return Runner(
        plan,
        cohort,
        results,
        board,
        keep_models=keep_models,
        replace=replace,
        store_cap=store_cap * GB,
        cluster=cluster,
        reused=reused(folders, plan),
    )


def checked_states(states: Sequence[str]) -> tuple[str, ...]:
    """States of failed cells, as --retry names them.

    Raises:
        InputError: those that are no such states, all at once.
    """

    problems = [str(unknown(state, STATES[1:], "state of retry")) for state in states if state not in STATES[1:]]
    if problems:
        raise InputError(problems)
    return tuple(states)
