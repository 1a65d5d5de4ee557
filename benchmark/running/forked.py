"""Run a piece of work in a forked copy of this process, leaving no trace."""

import contextlib
import os
import sys
import time
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn

from gexbench.benchmark.cells.jobs import Outcome
from gexbench.benchmark.machine.processes import how_ended, tie_family

PROGRESS_INTERVAL_S = 0.5
Report = Callable[[str, int, int, dict[str, float]], None]


def forked(work: Callable[[Report], Outcome], report: Report) -> Outcome:
    """Do `work` in a forked copy of this process and return its outcome.

    The copy shares this process's memory, so it starts at once; whatever it changes, breaks or allocates ends with it.
    Only single-threaded processes may be forked.

    Args:
        work: receives a function for its progress.
        report: where that progress goes.
    """
    read, write = Pipe(duplex=False)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _copy(work, write)
    write.close()
    outcome = _listen(read, pid, report)
    read.close()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return outcome if outcome is not None and code == 0 else Outcome("failed", how_ended(code))


def throttled(report: Report) -> Report:
    """The same function, called no more than twice a second."""
    last = 0.0

    def seldom(phase: str, step: int, steps: int, values: dict[str, float]) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PROGRESS_INTERVAL_S:
            last = now
            report(phase, step, steps, values)

    return seldom


def _copy(work: Callable[[Report], Outcome], write: Connection) -> NoReturn:
    code = 1
    with contextlib.suppress(BaseException):
        tie_family()
        outcome = work(throttled(lambda *progress: write.send(progress)))
        sys.stdout.flush()
        sys.stderr.flush()
        write.send(outcome)
        code = 0
    os._exit(code)


def _listen(read: Connection, pid: int, report: Report) -> Outcome | None:
    """Pass the copy's progress on until it has ended; its outcome, None when it sent none."""
    outcome: Outcome | None = None
    ended = os.pidfd_open(pid)
    waiting: list[Any] = [read, ended]
    try:
        while ended not in wait(waiting):
            outcome = _heard(read, waiting, report) or outcome
        return _heard(read, waiting, report) or outcome
    finally:
        os.close(ended)


def _heard(read: Connection, waiting: list[Any], report: Report) -> Outcome | None:
    outcome: Outcome | None = None
    try:
        while read in waiting and read.poll():
            message = read.recv()
            if isinstance(message, Outcome):
                outcome = message
            else:
                report(*message)
    except (EOFError, OSError):
        waiting.remove(read)
    return outcome
