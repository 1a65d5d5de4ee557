"""The main function of a worker process."""

import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

PROGRESS_INTERVAL_S = 0.5


def serve(connection: Connection, plan: Any, results: Path, keep_models: bool) -> None:
    """Do the jobs that come over `connection` until it closes.

    Sends ("ready",), ("progress", phase, step, steps, values) and ("done", Outcome). The process leads its own
    group, so that the keyboard's interrupt does not reach it and killing the group leaves no child behind; it
    ends by itself when the parent is gone.
    """
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    from gexbench.benchmark.workspace import Workspace

    workspace = Workspace(plan, results, keep_models)
    connection.send(("ready",))
    last = 0.0

    def report(phase: str, step: int, steps: int, values: dict[str, float]) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PROGRESS_INTERVAL_S:
            last = now
            try:
                connection.send(("progress", phase, step, steps, values))
            except OSError:
                os._exit(1)

    while True:
        try:
            job = connection.recv()
        except (EOFError, OSError):
            return
        outcome = workspace.do(job, report)
        sys.stdout.flush()
        try:
            connection.send(("done", outcome))
        except OSError:
            return
