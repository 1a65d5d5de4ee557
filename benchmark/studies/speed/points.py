"""Points of a study of speed: each runs in a process of its own under limits; a CSV file keeps what they took."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import psutil
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from gexbench.benchmark.studies.csv_tables import read_rows, write_rows
from gexbench.benchmark.studies.progress import progress_shown
from gexbench.tasks.errors import InputError

State = Literal["done", "over time", "over memory", "failed"]
"""failed: the process ended with an error of its own."""
Point = TypeVar("Point")
"""A frozen data class of texts and whole numbers that says what is measured; its text names it in the progress."""
_INTERVAL_S = 0.05


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a point: seconds on the clock, `cpu` or `wall`, and bytes of resident memory, start and data included."""

    seconds: float
    bytes: int
    clock: Literal["cpu", "wall"]

    @classmethod
    def of(cls, seconds: float, gigabytes: float, clock: Literal["cpu", "wall"]) -> "Limits":
        """From the options `--limit` and `--memory`. Raises InputError for limits that are not positive."""
        given = {"--limit": seconds, "--memory": gigabytes}
        if problems := [f"{option}: {value} must be positive" for option, value in given.items() if not value > 0]:
            raise InputError(problems)
        return cls(seconds, int(gigabytes * 1e9), clock)


@dataclass(frozen=True, slots=True)
class Measured(Generic[Point]):
    """What a point took; None: not measured.

    Attributes:
        reached: what the process said last of how far it had come.
        memory_bytes: growth of the peak resident memory since the data were in place, where a point has such a moment.
        figures: of the point, JSON.
        limit_s, limit_bytes: seconds and resident memory that were allowed.
    """

    point: Point
    state: State
    reached: str
    seconds: float | None
    cpu_seconds: float | None
    memory_bytes: int | None
    figures: str
    limit_s: float
    limit_bytes: int

    def settled(self, limits: Limits) -> bool:
        """Whether there is nothing to measure again: it is done, or was over limits that were no smaller."""
        larger = self.limit_s >= limits.seconds and self.limit_bytes >= limits.bytes
        return self.state == "done" or (self.state != "failed" and larger)

    def row(self) -> dict[str, Any]:
        """Of the table."""
        row = asdict(self)
        return {**row.pop("point"), **row}


def run_point(point: Point, module: str, arguments: Sequence[object], limits: Limits) -> Measured[Point]:
    """Run a module for a point in a process of its own, ended when it passes a limit.

    The module prints lines of JSON: `reached` with perhaps `resident_bytes`, and at its end `figures`.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with tempfile.TemporaryFile("w+") as output, subprocess.Popen(command, stdout=output) as process:
        state, peak = _watched(process, limits)
        output.seek(0)
        # What is measured may print lines of its own.
        said = [json.loads(line) for line in output.read().splitlines() if line.startswith("{")]
    if state == "done" and process.returncode:
        state = "failed"
    figures: dict[str, Any] = said[-1]["figures"] if state == "done" else {}
    reached = [line for line in said if "reached" in line] or [{"reached": "start"}]
    taken = peak - next((line["resident_bytes"] for line in reached if "resident_bytes" in line), 0)
    return Measured(
        point,
        state,
        reached[-1]["reached"],
        figures.pop("seconds", None),
        figures.pop("cpu_seconds", None),
        figures.pop("memory_bytes", max(0, taken)),
        json.dumps(figures, sort_keys=True),
        limits.seconds,
        limits.bytes,
    )


def _watched(process: "subprocess.Popen[Any]", limits: Limits) -> tuple[State, int]:
    watched, start, peak = psutil.Process(process.pid), time.perf_counter(), 0
    state: State = "done"
    while process.poll() is None and state == "done":
        try:
            times, resident = watched.cpu_times(), int(watched.memory_info().rss)
        except psutil.Error:
            break
        peak = max(peak, resident)
        spent = times.user + times.system if limits.clock == "cpu" else time.perf_counter() - start
        state = "over time" if spent > limits.seconds else "over memory" if resident > limits.bytes else "done"
        if state == "done":
            time.sleep(_INTERVAL_S)
    if state != "done":
        process.kill()
    process.wait()
    return state, peak


def read_results(path: Path, kind: type[Point]) -> list[Measured[Point]]:
    """Results of an earlier run on points of a kind, none without one.

    Raises:
        InputError: a file of another layout, or with bad values, all of them at once.
    """
    columns, rows = read_rows(path)
    places = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    names = [*places, *(field.name for field in fields(Measured)[1:])]
    if path.exists() and columns != names:
        raise InputError(f"{path.name} has columns {columns}, not {names}; name another --out folder")
    given = [{name: text or None for name, text in row.items()} for row in rows]
    nested = [{"point": {name: row.pop(name) for name in places}, **row} for row in given]
    try:
        return TypeAdapter(list[Measured[kind]]).validate_python(nested)  # type: ignore[valid-type]
    except ValidationError as error:
        raise InputError([
            f"{path.name}, line {int(item['loc'][0]) + 2}, {item['loc'][-1]}: {item['msg']}, not {item['input']!r}; "
            "fix the row or name another --out folder"
            for item in error.errors()
        ]) from None  # fmt: skip


def write_results(path: Path, results: Sequence[Measured[Any]]) -> None:
    """Write all results, atomically."""
    rows = [result.row() for result in results]
    write_rows(path, list(rows[0]), rows)


def measure_points(
    points: Sequence[Point],
    path: Path,
    limits: Limits,
    measure: Callable[[Point, Sequence[Measured[Point]]], Measured[Point]],
    console: Console,
) -> list[dict[str, Any]]:
    """Measure the points that the table at `path` lacks, adding each as it is done; the rows of the table.

    Args:
        points: in the order of measuring; those that the limits settle are skipped.
        measure: the result of a point, given those that are in the table.
    """
    results = {result.point: result for result in read_results(path, type(points[0]))} if points else {}
    left = [point for point in points if point not in results or not results[point].settled(limits)]
    if len(left) < len(points):
        console.print(f"{len(points) - len(left)} points are there already and are skipped")
    for point in left:
        results.pop(point, None)
    with progress_shown(console) as report:
        for done, point in enumerate(left):
            report(str(point), done, len(left))
            results[point] = measure(point, list(results.values()))
            write_results(path, list(results.values()))
        report("measured", len(left), len(left))
    return [result.row() for result in results.values()]


def sizes_of(option: str, text: str, least: int) -> tuple[int, ...]:
    """The sizes of a comma-separated option, none where its text is empty. Raises InputError for all bad ones."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if bad := [part for part in parts if not part.isdecimal() or int(part) < least]:
        raise InputError([f"{option}: {part} is no whole number of at least {least}" for part in bad])
    return tuple(map(int, parts))


def checked(*checks: Callable[[], Any]) -> list[Any]:
    """What each check returns. Raises InputError with the problems of all that fail."""
    found: list[Any] = []
    problems: list[str] = []
    for check in checks:
        try:
            found.append(check())
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return found
