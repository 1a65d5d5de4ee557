"""What a running sweep shows, kept in its folder for `gexbench status` in another terminal; imports no torch."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from gexbench.benchmark.running.progress import Display, Placed, duration
from gexbench.tasks.files.atomic import write_text

PROGRESS = "progress.json"
INTERVAL_S = 2.0


class Shown:
    """Passes progress to a display, and at most every `INTERVAL_S` what that shows to a file, which goes at the end.

    Args:
        path: of the file.
        display: what is shown.
    """

    def __init__(self, path: Path, display: Display) -> None:
        self.path, self.display = path, display
        self._written = float("-inf")

    def progress(
        self, worker: int, job: Placed | None, phase: str, step: int, steps: int, values: dict[str, float]
    ) -> None:
        """As `Display.progress`."""
        self.display.progress(worker, job, phase, step, steps, values)
        if time.monotonic() - self._written >= INTERVAL_S:
            self._written = time.monotonic()
            with contextlib.suppress(OSError):  # a look at a sweep is not worth ending it
                write_text(self.path, json.dumps(self.display.snapshot()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.path.unlink(missing_ok=True)


def shown_lines(path: Path) -> Iterator[str]:
    """What the sweep that writes this file shows now, line by line; nothing when none runs."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        if not psutil.pid_exists(int(content["pid"])):
            return
        ended, left = content["ended"], content["left_s"]
        counts = [f"{count} {state}" for state, count in sorted(ended.items())]
        counts += [f"{content['cached']} cached"] if content["cached"] else []
        remaining = "unknown" if left is None else f"about {duration(left)}"
        lines = [
            f"running for {duration(content['elapsed_s'])}, time left {remaining}; cells of this run: "
            f"{', '.join(counts) or 'none done yet'}"
        ]
        for each in content["running"]:
            steps = f" {each['step']} of {each['steps']}" if each["steps"] else ""
            lines.append(f"  {each['phase']} {each['place']}{steps}  {each['note']}".rstrip())
    except (OSError, ValueError, KeyError, TypeError):
        return
    yield from lines
