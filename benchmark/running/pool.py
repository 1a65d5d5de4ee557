"""Worker processes: started, given jobs, killed at their limits and replaced when no longer trustworthy."""

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar

from gexbench.benchmark.cells.jobs import Outcome
from gexbench.benchmark.machine.processes import Family, OutputTail, how_ended
from gexbench.benchmark.running.forked import NO_MESSAGE
from gexbench.benchmark.running.messages import Inbox, Malformed
from gexbench.benchmark.running.worker import enter

POLL_S = 0.2
LOOK_S = 0.5
START_LIMIT_S = 300.0
END_LIMIT_S = 10.0
GB = 10**9
_PRELOADED = "gexbench.benchmark.running.preload"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_NO_THREAD_OF_ARROW = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}

J = TypeVar("J")
Wanted = TypeVar("Wanted")
Asked = TypeVar("Asked", contravariant=True)
NextJob = Callable[..., Wanted | None]
"""The next job that can start now, or None; of those that an argument, a predicate of jobs, allows."""

Progress = Callable[[int, Any, str, int, int, dict[str, float]], None]


class Executor(Protocol[Wanted]):
    """Whatever does jobs: a `Pool` on this machine, or a cluster (`ray_pool.RayPool`)."""

    def run(
        self,
        next_job: NextJob[Wanted],
        done: Callable[[Wanted, Outcome], None],
        progress: Progress,
        stopping: Callable[[], bool],
    ) -> None:
        """As `Pool.run`."""


class Places(Protocol[Asked]):
    """What differs between the workers of a pool, such as the device that each sees; decides who takes which job."""

    def environment(self, number: int) -> dict[str, str]:
        """Variables of a worker's environment, over those of this process."""

    def takes(self, number: int, job: Asked) -> bool:
        """Whether an idle worker can start a job now."""

    def in_the_way(self, number: int, job: Asked) -> list[int]:
        """Idle workers that have to end before this one starts a job."""

    def started(self, number: int, job: Asked) -> None:
        """Record that a worker has a job."""

    def ended(self, number: int, job: Asked, outcome: Outcome) -> bool:
        """Take note of a job's end; whether it is to be done again instead."""


@dataclass(slots=True)
class Worker(Generic[J]):
    """A worker process, everything that it started, what it prints, and the job it is doing."""

    process: BaseProcess
    connection: Connection
    output: OutputTail
    family: Family
    inbox: Inbox
    ready: bool = False
    job: J | None = None
    last: J | None = None
    since: float = 0.0
    measured: float = field(default_factory=time.monotonic)
    looked: float = field(default_factory=time.monotonic)

    def kill(self) -> None:
        """End all processes of the worker at once."""
        self.family.kill()
        with contextlib.suppress(ProcessLookupError, AttributeError):
            self.process.kill()
        self.process.join(timeout=END_LIMIT_S)
        self.connection.close()
        self.output.pipe.close()


class Pool(Generic[J]):
    """`size` jobs side by side; jobs come from a callback, events go to another.

    In each of the places a worker process per main function is kept, of which one works at a time. A worker is replaced
    after a job that did not end well.

    Args:
        serves: main function of the worker that does a job, called with its connection and `arguments`.
        arguments: what it needs, picklable.
        size: number of places.
        threads: threads of each worker's numerical libraries.
        time_limit_s: wall-clock seconds after which a job's worker is killed.
        memory_limit: bytes of resident memory of a worker's processes above which it is killed.
        answer: given a job and a worker's question about it, the reply that goes back to the worker.
        replaced_after: jobs after which the worker is replaced also when they end well.
        replaced_between: given a worker's last job and its next, whether it is replaced before that.
        fork: start workers from a server process that has imported the libraries (`processes.can_fork`).
        places: what differs between workers; the callback for jobs is then called with what the idle one takes.
    """

    def __init__(
        self,
        serves: Callable[[J], Callable[..., None]],
        arguments: tuple[Any, ...],
        size: int,
        *,
        threads: int,
        time_limit_s: float,
        memory_limit: float = float("inf"),
        answer: Callable[[J, Any], Any] | None = None,
        replaced_after: Callable[[J], bool] = lambda job: False,
        replaced_between: Callable[[J, J], bool] = lambda last, job: False,
        fork: bool = False,
        places: Places[J] | None = None,
    ) -> None:
        self.serves, self.arguments = serves, arguments
        self.size, self.threads = size, threads
        self.time_limit_s, self.memory_limit = time_limit_s, memory_limit
        self.answer = answer
        self.replaced_after, self.replaced_between = replaced_after, replaced_between
        self.places = places
        self.workers: dict[tuple[int, Callable[..., None]], Worker[J]] = {}
        self._again: deque[J] = deque()
        self._context: SpawnContext | ForkServerContext = (
            _fork_server() if fork else multiprocessing.get_context("spawn")
        )

    def run(
        self,
        next_job: NextJob[J],
        done: Callable[[J, Outcome], None],
        progress: Progress,
        stopping: Callable[[], bool],
    ) -> None:
        """Work until there is no job left and none is running.

        Args:
            next_job: the next job that can start now, or None; with `places`, of those that a worker takes.
            done: called when a job has ended, in any state.
            progress: called with a worker's number, its job, phase, step, steps and values.
            stopping: once true, no further job is started.
        """
        try:
            while self.step(next_job, done, progress, stopping):
                pass
        finally:
            self.close()

    def step(
        self,
        next_job: NextJob[J],
        done: Callable[[J, Outcome], None],
        progress: Progress,
        stopping: Callable[[], bool],
    ) -> bool:
        """Start what can start and take the events of a moment; whether a job is running or has just ended.

        Workers stay when it returns False; `close` ends them. Arguments as of `run`.
        """
        self._assign(next_job, progress, stopping)
        if not any(worker.job is not None for worker in self.workers.values()):
            return False
        for number, job, outcome in self._events(progress):
            done(job, outcome)
            progress(number, None, "idle", 0, 0, {})
        return True

    def close(self) -> None:
        """End all workers at once."""
        for worker in self.workers.values():
            worker.kill()
        self.workers.clear()

    def _assign(self, next_job: NextJob[J], progress: Progress, stopping: Callable[[], bool]) -> None:
        for number in range(self.size):
            if stopping():
                return
            if any(worker.job is not None for worker in self._at(number)):
                continue
            job = self._next_of(number, next_job)
            if job is None and self.places is None:
                return
            if job is None:
                continue
            place = number, self.serves(job)
            if place in self.workers and self.replaced_between(self.workers[place].last or job, job):
                self.workers.pop(place).kill()
            if place not in self.workers:
                self.workers[place] = self._start(*place)
            worker = self.workers[place]
            worker.job = worker.last = job
            worker.since = time.monotonic()
            if worker.ready:
                worker.output.clear()
            progress(number, job, "start", 0, 0, {})
            with contextlib.suppress(OSError):  # a dead worker is noticed by its closed connection
                worker.connection.send(job)

    def _next_of(self, number: int, next_job: NextJob[J]) -> J | None:
        """The next job of an idle worker, for which it then has its place."""
        if self.places is None:
            return next_job()
        takes = partial(self.places.takes, number)
        job = next((job for job in self._again if takes(job)), None)
        if job is not None:
            self._again.remove(job)
        else:
            job = next_job(takes)
        if job is not None:
            for other in self.places.in_the_way(number, job):
                for place in [place for place in self.workers if place[0] == other]:
                    self.workers.pop(place).kill()
            self.places.started(number, job)
        return job

    def _at(self, number: int) -> list[Worker[J]]:
        return [worker for (place, _), worker in self.workers.items() if place == number]

    def _start(self, number: int, serve: Callable[..., None]) -> Worker[J]:
        ours, theirs = self._context.Pipe()
        read, write = self._context.Pipe(duplex=False)
        with _thread_limits(self.threads), _keyboard_held_back(), _without_main():
            own = {} if self.places is None else self.places.environment(number)
            arguments = (theirs, write, {**os.environ, **own}, serve, self.arguments)
            process: BaseProcess = self._context.Process(target=enter, args=arguments, daemon=True)
            process.start()
        theirs.close()
        write.close()
        if process.pid is None:
            raise RuntimeError("a worker process has no number")
        return Worker(process, ours, OutputTail(read), Family(process.pid), Inbox(ours))

    def _events(self, progress: Progress) -> Iterator[tuple[int, J, Outcome]]:
        busy = {place: worker for place, worker in self.workers.items() if worker.job is not None}
        ends: list[Any] = [end for worker in busy.values() for end in (worker.connection, worker.process.sentinel)]
        wait([*ends, *(worker.output.pipe for worker in busy.values() if worker.output.open)], timeout=POLL_S)
        for (number, serve), worker in busy.items():
            job = worker.job
            if job is None:
                continue
            worker.output.read()
            outcome = self._heard(number, worker, job, progress) or self._over_limit(number, worker)
            if outcome is None:
                continue
            if outcome.state != "ok":
                outcome = dataclasses.replace(outcome, output=worker.output.lines())
            worker.job = None
            if outcome.state != "ok" or self.replaced_after(job):
                del self.workers[number, serve]
                worker.kill()
            if self.places is not None and self.places.ended(number, job, outcome):
                self._again.append(job)
            else:
                yield number, job, outcome

    def _heard(self, number: int, worker: Worker[J], job: J, progress: Progress) -> Outcome | None:
        """Take a worker's messages; its job's outcome when it has ended, or when the worker has."""
        try:
            for message in worker.inbox.messages():
                if message[0] == "progress":
                    progress(number, job, *message[1:])
                elif message[0] == "done":
                    return message[1]
                elif message[0] == "ready":
                    worker.ready, worker.since = True, time.monotonic()
                elif self.answer is not None:
                    worker.connection.send(self.answer(job, message[1]))
            if worker.process.is_alive():
                return None
        except Malformed as error:
            return Outcome("failed", NO_MESSAGE.format(error))
        except (EOFError, OSError):
            worker.process.join(timeout=END_LIMIT_S)
        return Outcome("failed", how_ended(worker.process.exitcode))

    def _over_limit(self, number: int, worker: Worker[J]) -> Outcome | None:
        now = time.monotonic()
        limit = self.time_limit_s if worker.ready else START_LIMIT_S
        if now - worker.since > limit:
            return Outcome("timeout", f"took longer than {limit:g} s of wall-clock time")
        if now - worker.measured < POLL_S:
            return None
        worker.measured = now
        if now - worker.looked > LOOK_S:
            worker.looked = now
            worker.family.look()
        families = [other.family for other in self._at(number)]
        if sum(family.resident_bytes() for family in families) <= self.memory_limit:
            return None
        held = sum(family.resident_bytes(split=True) for family in families)
        if held > self.memory_limit:
            reason = f"its processes held {held / GB:.2f} GB of memory; the limit is {self.memory_limit / GB:.2f} GB"
            return Outcome("out of memory", reason)
        return None


def start_early(threads: int) -> None:
    """Start the server that workers are forked from, which imports the libraries meanwhile."""
    _fork_server()
    with _thread_limits(threads), _keyboard_held_back(), _without_main():
        forkserver.ensure_running()


def _fork_server() -> ForkServerContext:
    """Workers are forked from a process that has imported the libraries once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_PRELOADED])
    return context


@contextlib.contextmanager
def _thread_limits(threads: int) -> Iterator[None]:
    """Thread limits that a child reads from its environment when it starts."""
    wanted = {**dict.fromkeys(_THREAD_VARIABLES, str(threads)), **_NO_THREAD_OF_ARROW}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Processes that are started meanwhile do not import the user's script, which would start the sweep again."""
    before, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = before


@contextlib.contextmanager
def _keyboard_held_back() -> Iterator[None]:
    """Processes that are started meanwhile, the fork server too, never see the keyboard's interrupt; it comes later."""
    resource_tracker.ensure_running()  # lets signals through again when it is started, so it has to be there before
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
