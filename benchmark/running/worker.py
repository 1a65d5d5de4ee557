"""Main functions of worker processes."""

import contextlib
import io
import multiprocessing.process
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gexbench.benchmark.machine.processes import end_children, lead_group
from gexbench.benchmark.running import messages
from gexbench.benchmark.running.forked import Report, forked, throttled
from gexbench.leaderboards.records.parts import ObjectiveName
from gexbench.tasks.cohorts.closed import close


@dataclass(frozen=True, slots=True)
class Given:
    """What the workers of a sweep's cells are given beside its plan.

    Attributes:
        development: folder of what training processes read (`cells.development`).
        cohort: folder of what scoring processes read, None for the cohort of this machine with the plan's name.
        keep_models: whether trained generators are kept.
        fork: whether trainings run in forked copies of a worker.
    """

    development: Path
    cohort: Path | None
    keep_models: bool
    fork: bool


def enter(
    connection: Connection,
    output: Connection,
    environment: dict[str, str],
    serve: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    """First function of every worker process: in a group of its own, with its output in a pipe, run `serve`.

    Generators may start processes, such as those of a `Pool` or a `DataLoader`; they are ended with the job.

    Args:
        connection: to the pool, passed on.
        output: writing end of the pipe for standard output and error, also of what the worker starts.
        environment: of the pool's process; a fork server's may be older.
        serve, arguments: the worker's main function and what it gets besides the connection.
    """
    _let_go_of_fork_server()
    multiprocessing.process.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    os.environ.clear()
    os.environ.update(environment, CUBLAS_WORKSPACE_CONFIG=":4096:8")
    lead_group()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(output.fileno(), stream.fileno())
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    output.close()
    serve(connection, *arguments)


def _let_go_of_fork_server() -> None:
    """Close what ties this process to the fork server, which ends when anything is written into it."""
    tie = getattr(forkserver._forkserver, "_forkserver_alive_fd", None)
    if tie is not None:
        os.close(tie)
        forkserver._forkserver._forkserver_alive_fd = None  # type: ignore[attr-defined]


def serve_trainings(connection: Connection, plan: Any, results: Path, given: Given) -> None:
    """Do the trainings of a sweep that come over `connection` until it closes.

    With `fork` every training runs in a forked copy of the worker, which holds what is told of everyone and never
    trains itself: neither side effects of a generator nor the threads of automatic differentiation can then affect
    another cell, and a copy reads the expression of its own development patients alone.
    """
    from gexbench.benchmark.cells.trainer import Trainer

    close(plan.sweep.cohort, plan.fingerprint)
    trainer = Trainer(plan, results, given.development, given.keep_models)

    def do(job: Any, report: Report) -> Any:
        if not given.fork:
            return trainer.do(job, report)
        with contextlib.suppress(Exception):  # the copy meets it again, and tells
            trainer.ready(job)

        def alone(progress: Report) -> Any:
            connection.close()  # the pool listens to the worker, not to what its copy runs
            return trainer.do(job, progress)

        return forked(alone, report)

    work(connection, do)


def serve_scores(connection: Connection, plan: Any, results: Path, given: Given) -> None:
    """Do the preparations and scores of a sweep that come over `connection` until it closes."""
    from gexbench.benchmark.cells.scorer import Scorer

    work(connection, Scorer(plan, results, given.cohort).do)


def serve_trials(
    connection: Connection,
    cohort: str,
    development: Path,
    fingerprint: str,
    budget: str,
    device: str,
    threads: int,
    objective: ObjectiveName,
) -> None:
    """Do the trials of a tuning that come over `connection` until it closes.

    Sends ("ask", validation score) once per trial, and reads back whether the trial is to be pruned.
    """
    from gexbench.benchmark.cells.objective import Objective

    def pruned(score: float) -> bool:
        try:
            messages.send(connection, "ask", score)
            return bool(connection.recv())
        except (EOFError, OSError):
            os._exit(1)

    close(cohort, fingerprint)
    work(connection, Objective(development, fingerprint, budget, device, threads, objective, pruned).do)


def work(connection: Connection, do: Callable[[Any, Report], Any]) -> None:
    """Do the jobs that come over `connection` until it closes; the process ends by itself when the parent is gone.

    Sends what `messages.Message` lists.
    """
    messages.send(connection, "ready")

    def send(phase: str, step: int, steps: int, values: dict[str, float]) -> None:
        try:
            messages.send(connection, *messages.progress(phase, step, steps, values))
        except OSError:
            os._exit(1)

    report = throttled(send)
    while True:
        try:
            job = connection.recv()
        except (EOFError, OSError):
            return
        outcome = do(job, report)
        end_children()
        sys.stdout.flush()
        try:
            messages.send(connection, "done", outcome)
        except OSError:
            return
