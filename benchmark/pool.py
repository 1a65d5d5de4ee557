"""Worker processes: started, given jobs, killed at their limit and replaced when they die."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from gexbench.benchmark.jobs import Outcome

POLL_S = 0.2
START_LIMIT_S = 300.0
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


J = TypeVar("J")


@dataclass(slots=True)
class Worker(Generic[J]):
    """A worker process and the job it is doing."""

    process: BaseProcess
    connection: Connection
    ready: bool = False
    job: J | None = None
    since: float = 0.0

    def kill(self) -> None:
        """End the worker's whole process group at once."""
        if self.process.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.connection.close()


class Pool(Generic[J]):
    """`size` worker processes; jobs come from a callback, events go to another.

    Args:
        serve: main function of a worker, called with its connection and `arguments`.
        arguments: what it needs, picklable.
        size: number of workers.
        threads: threads of each worker's numerical libraries.
        time_limit_s: wall-clock seconds after which a job's worker is killed.
        answer: given a job and a worker's question about it, the reply that goes back to the worker.
    """

    def __init__(
        self,
        serve: Callable[..., None],
        arguments: tuple[Any, ...],
        size: int,
        *,
        threads: int,
        time_limit_s: float,
        answer: Callable[[J, Any], Any] | None = None,
    ) -> None:
        self.serve, self.arguments = serve, arguments
        self.size, self.threads, self.time_limit_s = size, threads, time_limit_s
        self.answer = answer
        self.workers: list[Worker[J]] = []
        self._context = multiprocessing.get_context("spawn")

    def run(
        self,
        next_job: Callable[[], J | None],
        done: Callable[[J, Outcome], None],
        progress: Callable[[int, J | None, str, int, int, dict[str, float]], None],
        stopping: Callable[[], bool],
    ) -> None:
        """Work until there is no job left and none is running.

        Args:
            next_job: the next job that can start now, or None.
            done: called when a job has ended, in any state.
            progress: called with a worker's number, its job, phase, step, steps and values.
            stopping: once true, no further job is started.
        """
        try:
            while True:
                self._assign(next_job, progress, stopping)
                busy = [worker for worker in self.workers if worker.job is not None]
                if not busy:
                    return
                for number, job, outcome in self._events(progress):
                    done(job, outcome)
                    progress(number, None, "idle", 0, 0, {})
        finally:
            for worker in self.workers:
                worker.kill()
            self.workers.clear()

    def _assign(
        self,
        next_job: Callable[[], J | None],
        progress: Callable[[int, J | None, str, int, int, dict[str, float]], None],
        stopping: Callable[[], bool],
    ) -> None:
        for number in range(self.size):
            if stopping():
                return
            if number < len(self.workers) and self.workers[number].job is not None:
                continue
            job = next_job()
            if job is None:
                return
            if number >= len(self.workers):
                self.workers.append(self._start())
            worker = self.workers[number]
            worker.job, worker.since = job, time.monotonic()
            progress(number, job, "start", 0, 0, {})
            with contextlib.suppress(OSError):  # a dead worker is noticed by its sentinel
                worker.connection.send(job)

    def _start(self) -> Worker[J]:
        ours, theirs = self._context.Pipe()
        with _thread_limits(self.threads):
            process = self._context.Process(target=self.serve, args=(theirs, *self.arguments), daemon=True)
            process.start()
        theirs.close()
        return Worker(process, ours)

    def _events(
        self, progress: Callable[[int, J | None, str, int, int, dict[str, float]], None]
    ) -> Iterator[tuple[int, J, Outcome]]:
        wait([worker.connection for worker in self.workers if worker.job is not None], timeout=POLL_S)
        for number, worker in enumerate(self.workers):
            job = worker.job
            if job is None:
                continue
            try:
                while worker.job is not None and worker.connection.poll():
                    message = worker.connection.recv()
                    if message[0] == "progress":
                        progress(number, job, *message[1:])
                    elif message[0] == "ask" and self.answer is not None:
                        worker.connection.send(self.answer(job, message[1]))
                    elif message[0] == "done":
                        worker.job = None
                        yield number, job, message[1]
                    else:
                        worker.ready, worker.since = True, time.monotonic()
            except (EOFError, OSError):
                worker.process.join(timeout=5)
                code = worker.process.exitcode
                how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
                self._replace(number)
                yield number, job, Outcome("failed", f"the worker process ended ({how})")
                continue
            limit = self.time_limit_s if worker.ready else START_LIMIT_S
            if worker.job is not None and time.monotonic() - worker.since > limit:
                self._replace(number)
                yield number, job, Outcome("timeout", f"took longer than {limit:g} s of wall-clock time")

    def _replace(self, number: int) -> None:
        self.workers[number].kill()
        self.workers[number] = self._start()


@contextlib.contextmanager
def _thread_limits(threads: int) -> Iterator[None]:
    """Thread limits that a child reads from its environment when it starts."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
