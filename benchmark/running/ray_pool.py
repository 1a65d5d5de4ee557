"""Cells on a Ray cluster: the same jobs, done by workers on its nodes; this process alone writes the store.

Ray is imported when a sweep asks for it, never before.
"""

import contextlib
import dataclasses
import logging
import os
import socket
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from gexbench.benchmark.cells.development import Development, expression_given, told
from gexbench.benchmark.cells.jobs import Job, Outcome
from gexbench.benchmark.machine import environment
from gexbench.benchmark.running.pool import END_LIMIT_S, GB, POLL_S, START_LIMIT_S, Progress
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.sweeps.cells import Plan
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.errors import InputError

LOSSES = 3
"""Workers that a job may lose before it counts as failed, and that may fail to start in a row."""

CONNECT_LIMIT_S = 10.0
MISSING = (
    "executor ray: Ray is not installed; run `pip install -c constraints.txt 'gexbench[ray]'`, or leave --executor out"
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where cells run, and what one of them takes of a node.

    Attributes:
        address: HOST:PORT of the cluster's head; None takes `RAY_ADDRESS`, else the cluster that this machine is part
            of, else starts Ray on this machine alone.
        gpus: of one cell, or a share of one; counts on the device cuda only.
    """

    address: str | None = None
    gpus: float = 1.0


@dataclass(slots=True, eq=False)
class _Slot:
    """A worker on some node: `answer` is what it is to send next, `job` what it is doing."""

    actor: Any
    answer: Any
    ready: bool = False
    job: Job | None = None


def check_ray(address: str | None = None) -> None:
    """Look before anything is written, since Ray itself tries for minutes.

    Raises:
        InputError: Ray is not installed; an invalid address, or no answer from it.
    """
    if find_spec("ray") is None:
        raise InputError(MISSING)
    if address is None or address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not (colon and host and "/" not in host and port.isascii() and port.isdigit()):
        raise InputError(f"--address {address!r}: give HOST:PORT of the cluster's head, for example head:6379")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_LIMIT_S).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"--address {address}: no answer ({error}); start a cluster with `ray start --head --port {port}`"
        ) from None


class RayPool:
    """Does jobs on a cluster; `run` is that of `pool.Pool`.

    A job whose worker or node is lost is done again on another one, at most `LOSSES` times: jobs are idempotent.

    Args:
        cluster: where.
        plan, cohort: of the sweep; they are put into the cluster's object store once.
        store: takes what the jobs write.
        development: what training processes read; the expression that a training is given goes with it.
        size: cells side by side, as far as the cluster has room for them.
        keep_models: whether trained generators are kept.
        say: takes a line for the user.
    """

    def __init__(
        self,
        cluster: Cluster,
        plan: Plan,
        cohort: Cohort,
        store: Store,
        development: Development,
        size: int,
        keep_models: bool,
        say: Callable[[str], None],
    ) -> None:
        check_ray()
        self.cluster, self.plan, self.cohort, self.store = cluster, plan, cohort, store
        self.development = development
        self._expression: dict[Path, Any] = {}
        self.size, self.keep_models, self.say = size, keep_models, say
        self.slots: list[_Slot] = []
        self._again: deque[Job] = deque()
        self._losses: Counter[str] = Counter()
        self._failed_starts = 0
        self._idle_since = 0.0
        self._differing: set[str] = set()

    def run(
        self,
        next_job: Callable[[], Job | None],
        done: Callable[[Job, Outcome], None],
        progress: Progress,
        stopping: Callable[[], bool],
    ) -> None:
        """As `pool.Pool.run`.

        Raises:
            InputError: no cluster at the address; no node that takes a cell, or whose workers start.
        """
        with _connected(self.cluster.address) as self._ray:
            self._start = self._starter()
            try:
                self.slots = [self._start() for _ in range(self.size)]
                self._idle_since = time.monotonic()
                while self._assign(next_job, progress, stopping):
                    for slot in self._heard_of():
                        self._hear(slot, done, progress)
            finally:
                self._close()

    def _starter(self) -> Callable[[], _Slot]:
        """What starts a worker where the cluster has room for one."""
        from gexbench.benchmark.running.ray_worker import RayWorker

        sweep = self.plan.sweep
        gpus = self.cluster.gpus if sweep.device == "cuda" else 0.0
        memory = {} if sweep.memory_gb is None else {"memory": int(sweep.memory_gb * GB)}
        takes = {"num_cpus": sweep.threads, "num_gpus": gpus, **memory}
        remote = self._ray.remote(**takes, max_restarts=0, max_task_retries=0)(RayWorker)
        plan, cohort = self._ray.put(self.plan), self._ray.put(_files(self.cohort))
        everyone = self._ray.put(told(self.cohort))

        def start() -> _Slot:
            actor = remote.remote(plan, cohort, everyone, self.keep_models, sweep.threads, gpus)
            return _Slot(actor, actor.versions.remote())

        return start

    def _assign(self, next_job: Callable[[], Job | None], progress: Progress, stopping: Callable[[], bool]) -> bool:
        """Give every idle worker a job; whether there is anything to wait for."""
        from gexbench.benchmark.running.ray_worker import needed

        for number, slot in enumerate(self.slots):
            if stopping():
                break
            if not slot.ready or slot.job is not None:
                continue
            job = self._again.popleft() if self._again else next_job()
            if job is None:
                return any(slot.job is not None for slot in self.slots)
            entries = {place: files for place in needed(job, self.plan) if (files := self.store.packed(*place))}
            do = slot.actor.do.options(num_returns="streaming")
            slot.job, slot.answer = job, do.remote(job, entries, self._given(job))
            progress(number, job, "start", 0, 0, {})
        busy = any(slot.job is not None for slot in self.slots)
        if busy or stopping():
            self._idle_since = time.monotonic()
            return busy
        if time.monotonic() - self._idle_since > START_LIMIT_S:
            raise InputError(
                f"no node of the cluster took a cell ({self._wants()}) within {START_LIMIT_S:g} s; "
                "lower the resources, or start a node that has them"
            )
        return True

    def _given(self, job: Job) -> Any:
        """The expression that a training is given, from the object store, where it is put once; None for others."""
        if job.kind != "train" or job.cell is None:
            return None
        path = self.development.put(self.cohort, expression_given(job.cell))
        if path not in self._expression:
            self._expression[path] = self._ray.put(np.fromfile(path, dtype=np.uint8))
        return self._expression[path]

    def _wants(self) -> str:
        sweep = self.plan.sweep
        wants = [f"{sweep.threads} CPU"]
        wants += [f"{self.cluster.gpus:g} GPU"] if sweep.device == "cuda" else []
        wants += [] if sweep.memory_gb is None else [f"{sweep.memory_gb:g} GB"]
        return ", ".join(wants)

    def _heard_of(self) -> list[_Slot]:
        """A worker that has sent something, after a moment at most."""
        answers = {slot.answer: slot for slot in self.slots if slot.job is not None or not slot.ready}
        ready, _ = self._ray.wait(list(answers), num_returns=1, timeout=POLL_S, fetch_local=False)
        return [answers[answer] for answer in ready]

    def _hear(self, slot: _Slot, done: Callable[[Job, Outcome], None], progress: Progress) -> None:
        """Take what a worker has sent."""
        number, job = self.slots.index(slot), slot.job
        try:
            message = self._ray.get(slot.answer if job is None else next(slot.answer))
        except self._ray.exceptions.RayTaskError as error:
            broke = Outcome("failed", f"a worker of the cluster failed: {error.cause}", str(error))
            return self._replace(slot, broke, done)
        except self._ray.exceptions.RayError as error:
            return self._replace(slot, _reason(error), done)
        if job is None:
            slot.ready, self._failed_starts = True, 0
            self._compare(message)
        elif message[0] == "progress":
            progress(number, job, *message[1:])
        else:
            slot.job = None
            outcome: Outcome = message[1]
            self._take(message[2])
            if outcome.unwritten:  # by the node; the store here may have room
                outcome = dataclasses.replace(outcome, reason=f"on a node: {outcome.reason}", unwritten=0)
            done(job, outcome)
            progress(number, None, "idle", 0, 0, {})

    def _take(self, entries: dict[tuple[str, str], dict[str, bytes]]) -> None:
        for (part, key), files in entries.items():
            self.store.unpack(part, key, files)

    def _replace(self, slot: _Slot, why: str | Outcome, done: Callable[[Job, Outcome], None]) -> None:
        """Put a new worker in the place of one that is lost or broke; a lost one's job is done again."""
        job = slot.job
        self._ray.kill(slot.actor)
        if job is None:
            self._failed_starts += 1
            if self._failed_starts >= LOSSES * self.size:
                raise InputError(
                    f"no worker starts on the cluster ({why if isinstance(why, str) else why.reason}); "
                    "give every node the same Python, Ray and gexbench"
                )
        self.slots[self.slots.index(slot)] = self._start()
        if job is None:
            return
        self._losses[job.name] += 1
        if isinstance(why, Outcome):
            done(job, why)
        elif self._losses[job.name] >= LOSSES:
            done(job, Outcome("failed", f"its worker was lost {LOSSES} times, last: {why}"))
        else:
            self.say(f"{job.place}: its worker was lost ({why}); repeated on another")
            self._again.append(job)

    def _compare(self, versions: dict[str, str]) -> None:
        """Say once which versions differ on a node: the numbers of its cells may, too."""
        here = environment.versions()
        differing = sorted(name for name in {*here, *versions} if here.get(name) != versions.get(name))
        text = ", ".join(f"{name} {versions.get(name)} (here {here.get(name)})" for name in differing)
        if text and text not in self._differing:
            self._differing.add(text)
            self.say(f"warning: a node has different package versions, which may change numbers: {text}")

    def _close(self) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError):
            closing = [slot.actor.close.remote() for slot in self.slots if slot.ready and slot.job is None]
            if closing:
                self._ray.wait(closing, num_returns=len(closing), timeout=END_LIMIT_S)
        for slot in self.slots:
            self._ray.kill(slot.actor)
        self.slots = []


@contextlib.contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """Ray, connected; without a dashboard and without usage statistics."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray: Any = import_module("ray")
    try:
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = f"--address {address}" if address else "executor ray"
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{where}: no Ray cluster answers ({reason}); start one with `ray start --head`, and give HOST:PORT of it"
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _files(cohort: Cohort) -> dict[str, Any]:
    """The files of a cohort's folder, name → bytes (uint8)."""
    from gexbench.tasks.cohorts.cohort_folder import save_cohort

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "cohort"
        save_cohort(cohort, folder)
        return {path.name: np.fromfile(path, dtype=np.uint8) for path in sorted(folder.iterdir())}


def _reason(error: Exception) -> str:
    """The kind of Ray's error; of a worker that could not start the cause, which its traceback ends with."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if lines and "creation task" in lines[0]:
        return lines[-1]
    return type(error).__name__
