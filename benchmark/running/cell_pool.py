"""The pool of a sweep's cells: workers on this machine, some that train and others that score."""

from pathlib import Path

from gexbench.benchmark.cells.development import expression_given
from gexbench.benchmark.cells.jobs import Job
from gexbench.benchmark.machine.processes import can_fork, memory_share
from gexbench.benchmark.running.pool import GB, Places, Pool
from gexbench.benchmark.running.worker import Given, serve_scores, serve_trainings
from gexbench.benchmark.sweeps.cells import Plan
from gexbench.models.built_in import is_built_in


def cell_pool(
    plan: Plan,
    results: Path,
    development: Path,
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
        development: folder of what training processes read.
        size: jobs side by side.
        keep_models: whether trained generators are kept.
        fork: whether trainings run in forked copies of a worker; None: where they can (`processes.can_fork`).
        cohort: folder that scoring processes read; None for the cohort of this machine with the plan's name.
        side_by_side: cells that share this machine's memory, `size` when None; without a limit in the plan each gets
            an equal share.
        places: which worker sees which device (`lanes.Lanes`), None when all see the same.
    """
    sweep = plan.sweep
    forks = can_fork(sweep.device, sweep.threads) if fork is None else fork
    share = memory_share(size if side_by_side is None else side_by_side)
    return Pool(
        lambda job: serve_trainings if job.kind == "train" else serve_scores,
        (plan, results.absolute(), Given(development.absolute(), cohort and cohort.absolute(), keep_models, forks)),
        size,
        threads=sweep.threads,
        time_limit_s=sweep.time_limit_s,
        memory_limit=share if sweep.memory_gb is None else sweep.memory_gb * GB,
        replaced_after=_never if forks else _runs_foreign_code,
        replaced_between=_never if forks else _sees_others,
        fork=forks or can_fork("cpu", sweep.threads),
        places=places,
    )


def _never(*jobs: Job) -> bool:
    """When a worker is replaced that trains in forked copies of itself."""
    return False


def _sees_others(last: Job, job: Job) -> bool:
    """Whether a training is given expression of other patients than the last one, of which something may be left."""
    if last.cell is None or job.cell is None or job.kind != "train":
        return False
    return expression_given(last.cell) != expression_given(job.cell)


def _runs_foreign_code(job: Job) -> bool:
    """Whether a job runs a generator that is not built in, after which a worker may hold anything."""
    return job.cell is not None and job.kind == "train" and not is_built_in(job.cell.entry)
