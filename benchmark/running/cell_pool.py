"""The pool of a sweep's cells: workers on this machine that hold the data and do one job after the other."""

from pathlib import Path

from gexbench.benchmark.cells.jobs import Job
from gexbench.benchmark.machine.processes import can_fork, memory_share
from gexbench.benchmark.running.pool import GB, Places, Pool
from gexbench.benchmark.running.worker import serve
from gexbench.benchmark.sweeps.cells import Plan
from gexbench.models import BUILT_IN


def cell_pool(
    plan: Plan,
    results: Path,
    size: int,
    *,
    keep_models: bool = False,
    fork: bool | None = None,
    cohort: Path | None = None,
    side_by_side: int | None = None,
    places: Places[Job] | None = None,
) -> Pool[Job]:
    """A pool that does the jobs of a plan.

    Args:
        plan: of the sweep, whose threads and limits hold.
        results: folder of the store that the workers read and write.
        size: number of workers.
        keep_models: whether trained generators are kept.
        fork: whether trainings run in forked copies of a worker; None: where they can (`processes.can_fork`).
        cohort: folder that the data are read from; None for the cohort of this machine with the plan's name.
        side_by_side: cells that share this machine's memory, `size` when None; without a limit in the plan each gets
            an equal share.
        places: which worker sees which device (`lanes.Lanes`), None when all see the same.
    """
    sweep = plan.sweep
    forks = can_fork(sweep.device, sweep.threads) if fork is None else fork
    share = memory_share(size if side_by_side is None else side_by_side)
    return Pool(
        serve,
        (plan, results.absolute(), keep_models, forks, cohort and cohort.absolute()),
        size,
        threads=sweep.threads,
        time_limit_s=sweep.time_limit_s,
        memory_limit=share if sweep.memory_gb is None else sweep.memory_gb * GB,
        replaced_after=_never if forks else _runs_foreign_code,
        fork=forks,
        places=places,
    )


def _never(job: Job) -> bool:
    """After which job a worker is replaced that trains in forked copies of itself."""
    return False


def _runs_foreign_code(job: Job) -> bool:
    """Whether a job runs a generator that is not built in, after which a worker may hold anything."""
    if job.cell is None or job.kind != "train":
        return False
    entry = job.cell.entry
    return all((entry.name, entry.target) != (known.name, known.target) for known in BUILT_IN)
