"""A worker on a node of a Ray cluster: a local pool of one, with a store of its own that holds one job's entries."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from gexbench.benchmark.cells.development import Development, expression_given
from gexbench.benchmark.cells.jobs import Job, Outcome
from gexbench.benchmark.machine import environment
from gexbench.benchmark.running.cell_pool import cell_pool
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.sweeps.cells import Plan

Entries = dict[tuple[str, str], dict[str, bytes]]
"""Part and key of entries of a store → their files."""

_PREFIX = "gexbench-ray-"


def needed(job: Job, plan: Plan) -> list[tuple[str, str]]:
    """Entries of the store that a job reads."""
    folds = [("folds", plan.fold_key(job.fold)), ("folds", plan.fold_key(job.fold, "core"))]
    if job.kind == "prepare":
        return folds
    return [*folds, ("rows", job.cell.train_key)] if job.kind == "score" and job.cell else []


def made(job: Job, plan: Plan) -> list[tuple[str, str]]:
    """Entries of the store that a job may write."""
    if job.kind == "prepare" or job.cell is None:
        return [("folds", plan.fold_key(job.fold))]
    if job.kind == "score":
        return [("records", job.cell.score_key)]
    return [(part, job.cell.train_key) for part in ("training", "models", "rows")]


class RayWorker:
    """Does the cells' jobs in processes of its own, isolated and limited as on one machine.

    What a job reads comes with it, what it writes goes back; nothing of it stays on the node.

    Args:
        plan: of the sweep.
        cohort: files of the cohort's folder, name → bytes (uint8), from the object store.
        everyone: what training processes are told of all patients (`development.told`).
        keep_models: whether trained generators go back, too.
        cpus, gpus: that one cell takes of its node, by which cells without a memory limit share its memory.
    """

    def __init__(
        self,
        plan: Plan,
        cohort: Mapping[str, NDArray[np.uint8]],
        everyone: str,
        keep_models: bool,
        cpus: float,
        gpus: float,
    ) -> None:
        _sweep_left_behind()
        self.plan = plan
        self.folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self.store = Store(self.folder / "store")
        self.store.make()
        data = self.folder / "cohort"
        data.mkdir()
        for name, content in cohort.items():
            (data / name).write_bytes(content.data)
        self.development = Development(self.folder / "development")
        self.development.folder.mkdir()
        self.development.tell(everyone, data)
        _start_workers_without_main()
        self.pool = cell_pool(
            plan,
            self.folder,
            self.development.folder,
            1,
            keep_models=keep_models,
            cohort=data,
            side_by_side=_cells_of_this_node(cpus, gpus),
        )

    def versions(self) -> dict[str, str]:
        """Versions of what changes numbers, on this node; answers when the worker is ready."""
        return environment.versions()

    def do(self, job: Job, entries: Entries, expression: NDArray[np.uint8] | None) -> Iterator[tuple[Any, ...]]:
        """Do a job: ("progress", phase, step, steps, values) while it runs, last ("done", Outcome, Entries).

        Args:
            entries: what the job reads of the store; expression: what a training is given, file content.
        """
        if expression is not None and job.cell is not None:
            self.development.keep(expression_given(job.cell), expression)
        for (part, key), files in entries.items():
            self.store.unpack(part, key, files)
        waiting, shown = [job], list[tuple[Any, ...]]()
        ended: list[Outcome] = []
        while self.pool.step(
            lambda: waiting.pop() if waiting else None,
            lambda _, outcome: ended.append(outcome),
            lambda number, running, *progress: shown.append(progress),
            lambda: False,
        ):
            yield from (("progress", *progress) for progress in shown if not ended)
            shown.clear()
        written = {place: self.store.packed(*place) for place in made(job, self.plan)}
        for place in {*entries, *written}:
            if place[0] != "folds":
                self.store.drop(*place)
        yield ("done", ended[0], written)

    def close(self) -> None:
        """End all processes and take away what is left on the node."""
        self.pool.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _cells_of_this_node(cpus: float, gpus: float) -> int:
    ray: Any = import_module("ray")
    here = ray.get_runtime_context().get_node_id()
    has: dict[str, float] = next((node["Resources"] for node in ray.nodes() if node["NodeID"] == here), {})
    fits = [has.get(kind, 0.0) // share for kind, share in (("CPU", cpus), ("GPU", gpus)) if share]
    return max(1, int(min(fits, default=1.0)))


def _sweep_left_behind() -> None:
    """Take away the folders of workers that were killed on this node."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        writer = left.name.removeprefix(_PREFIX).partition("-")[0]
        if writer.isdigit() and not psutil.pid_exists(int(writer)):
            shutil.rmtree(left, ignore_errors=True)


def _start_workers_without_main() -> None:
    """Processes that are started from here do not run Ray's own main file again."""
    with contextlib.suppress(AttributeError):
        del sys.modules["__main__"].__file__
