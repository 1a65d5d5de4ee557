"""Run a piece of work in a forked copy of this process, leaving no trace."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn

from gexbench.benchmark.cells.jobs import Outcome
from gexbench.benchmark.machine.processes import how_ended, tie_family
from gexbench.benchmark.running.messages import Inbox, Malformed, progress, send

PROGRESS_INTERVAL_S = 0.5
NO_MESSAGE = (
    "something in the worker process wrote into the pipe that the worker speaks through ({}); open files by name, and "
    "write to no file descriptor that your code did not open"
)
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
    try:
        outcome = _listen(read, pid, report)
    except Malformed as error:
        os.kill(pid, signal.SIGKILL)
        outcome = Outcome("failed", NO_MESSAGE.format(error))
    read.close()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if outcome is not None and (code == 0 or outcome.state != "ok"):
        return outcome
    return Outcome("failed", how_ended(code))


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
        outcome = work(throttled(lambda *shown: send(write, *progress(*shown))))
        sys.stdout.flush()
        sys.stderr.flush()
        send(write, "done", outcome)
        code = 0
    os._exit(code)


def _listen(read: Connection, pid: int, report: Report) -> Outcome | None:
    """Pass the copy's progress on until it has ended; its outcome, None when it sent none."""
    outcome: Outcome | None = None
    ended = os.pidfd_open(pid)
    waiting: list[Any] = [read, ended]
    inbox = Inbox(read)
    try:
        while ended not in wait(waiting):
            outcome = _heard(inbox, waiting, report) or outcome
        return _heard(inbox, waiting, report) or outcome
    finally:
        os.close(ended)


def _heard(inbox: Inbox, waiting: list[Any], report: Report) -> Outcome | None:
    outcome: Outcome | None = None
    if inbox.connection not in waiting:
        return None
    try:
        for message in inbox.messages():
            if message[0] == "done":
                outcome = message[1]
            elif message[0] == "progress":
                report(*message[1:])
            else:
                raise Malformed(message[0])
    except (EOFError, OSError):
        waiting.remove(inbox.connection)
    return outcome
