"""A worker's processes as seen from outside: memory, output and termination; imports no torch."""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Collection
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from gexbench.tasks.files.plain_text import plain_lines

OUTPUT_LINES = 40
OUTPUT_BYTES = 16_384
READ_AT_ONCE = 4 * 2**20
_CHUNK = 2**16
_ENDING_S = 5.0
WORKER_BYTES = 10**9
"""Memory of a worker with its libraries, a cohort and a small model."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class Family:
    """A process and all its descendants, including those that left its process group or lost their parent."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._members: dict[int, psutil.Process] = {}
        with contextlib.suppress(psutil.Error):
            self._members[pid] = psutil.Process(pid)

    def look(self) -> None:
        """Record processes started since the last call."""
        head = self._members.get(self.pid)
        if head is not None:
            with contextlib.suppress(psutil.Error):
                self._members.update({child.pid: child for child in head.children(recursive=True)})

    def resident_bytes(self, *, split: bool = False) -> int:
        """Resident memory of all its processes together.

        Args:
            split: divide pages among the processes that share them, where the system tells (Linux); this is slow.
                Otherwise they are counted in each, so that the sum is never too small.
        """
        total = 0
        for pid, member in list(self._members.items()):
            try:
                held = member.memory_full_info() if split else member.memory_info()
                total += getattr(held, "pss", held.rss)
            except psutil.Error:
                if pid != self.pid:
                    del self._members[pid]
        return total

    def kill(self) -> None:
        """End all its processes at once."""
        self.look()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for member in self._members.values():
            with contextlib.suppress(psutil.Error):
                member.kill()


class OutputTail:
    """The last lines that a worker's processes print: at most `OUTPUT_LINES` of the last `OUTPUT_BYTES`.

    Args:
        pipe: reading end of the pipe that their standard output and error go into.
    """

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.open = True
        self._held = b""
        os.set_blocking(pipe.fileno(), False)

    def read(self) -> None:
        """Read what is waiting, so that printing processes do not block."""
        taken = 0
        while taken < READ_AT_ONCE:
            try:
                chunk = os.read(self.pipe.fileno(), _CHUNK)
            except (BlockingIOError, OSError):
                return
            if not chunk:
                self.open = False  # every process has closed its end
                return
            taken += len(chunk)
            self._held = (self._held + chunk)[-OUTPUT_BYTES:]

    def clear(self) -> None:
        """Discard earlier output."""
        self.read()
        self._held = b""

    def lines(self) -> tuple[str, ...]:
        """The last lines, without colours and control characters."""
        self.read()
        text = self._held.decode("utf-8", errors="replace").replace("\r", "\n")
        cleaned = (line.rstrip() for line in plain_lines(text).split("\n"))
        return tuple(line for line in cleaned if line)[-OUTPUT_LINES:]


def lead_group() -> None:
    """Make this process the leader of its own group, which ends with its parent.

    The keyboard's interrupt then does not reach it, killing the group leaves no child behind, and on Linux processes
    that lose their parent become its children.
    """
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tie_family()


def tie_family() -> None:
    """Have the system end this process when its parent ends, and give it the orphans among its descendants (Linux)."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def can_fork(device: str, threads: int) -> bool:
    """Whether cells may run in forked processes: not with CUDA, nor with libraries that hold a pool of threads."""
    return sys.platform == "linux" and device == "cpu" and threads == 1


def how_ended(code: int | None) -> str:
    """The meaning of a process's exit code; negative codes are signals."""
    how = f"exit code {code}"
    if code is not None and code < 0:
        how = f"signal {-code}"
    if code == -signal.SIGKILL:
        how += "; the system kills processes when memory runs out"
    return f"the worker process ended ({how})"


def own_children() -> frozenset[int]:
    """Process ids of those that this process has started itself and that are still there."""
    return frozenset(child.pid for child in psutil.Process().children())


def end_children(but: Collection[int] = ()) -> int:
    """End every process that this one has started and that is still there, and what these have started.

    Args:
        but: process ids of own children that are left alone, as `own_children` gave them before.

    Returns:
        How many were running.
    """
    running = 0
    for _ in range(3):  # a process that is ended may have started another one meanwhile
        children: list[psutil.Process] = []
        for child in psutil.Process().children():
            if child.pid not in but:
                with contextlib.suppress(psutil.Error):
                    children += child.children(recursive=True)
                children.append(child)
        if not children:
            break
        for child in children:
            with contextlib.suppress(psutil.Error):
                running += child.status() != psutil.STATUS_ZOMBIE
                child.kill()
        psutil.wait_procs(children, timeout=_ENDING_S)
    return running


def memory_share(workers: int) -> int:
    """Bytes that each of `workers` may hold: an equal share of 90 % of the machine's memory, or its container's."""
    return _usable_bytes() // max(workers, 1)


def capped_workers(wanted: int, jobs: int, say: Callable[[str], None]) -> int:
    """How many workers this machine starts: no more than there are jobs and than `WORKER_BYTES` each allow.

    Args:
        say: takes a line for the user where their number is lowered.
    """
    room = max(1, _usable_bytes() // WORKER_BYTES)
    if wanted > room and jobs > room:
        each = WORKER_BYTES / 10**9
        say(f"{room} workers instead of {wanted}: the memory of this machine holds no more ({each:g} GB each)")
    elif wanted > max(jobs, os.cpu_count() or 1):
        say(f"{max(jobs, 1)} workers instead of {wanted}: there are no more jobs")
    return min(wanted, room, max(jobs, 1))


def _usable_bytes() -> int:
    total = psutil.virtual_memory().total
    with contextlib.suppress(OSError, ValueError):
        total = min(total, int(_CGROUP_LIMIT.read_text()))
    return int(0.9 * total)
