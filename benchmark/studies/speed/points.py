"""Points of a study of speed: each runs in a process of its own under limits; a CSV file keeps what they took."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import psutil
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from gexbench.benchmark.studies.csv_tables import read_rows, write_rows
from gexbench.benchmark.studies.progress import progress_shown
from gexbench.tasks.errors import InputError

State = Literal["done", "over time", "over memory", "failed"]
"""failed: the process ended with an error of its own."""
_INTERVAL_S = 0.05


class Result(Protocol):
    """What a point took, a data class of texts and numbers, None where nothing was measured."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def point(self) -> Hashable:
        """Where it stands; its text names it in the progress."""

    @property
    def state(self) -> State:
        """How it ended."""

    @property
    def limit_s(self) -> float:
        """Seconds that were allowed."""

    @property
    def limit_bytes(self) -> int:
        """Resident memory that was allowed."""


Point = TypeVar("Point", bound=Hashable)
Row = TypeVar("Row", bound=Result)


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a point: seconds on the clock, `cpu` or `wall`, and bytes of resident memory, start and data included."""

    seconds: float
    bytes: int
    clock: Literal["cpu", "wall"]

    @classmethod
    def of(cls, seconds: float, gigabytes: float, clock: Literal["cpu", "wall"]) -> "Limits":
        """From the options `--limit` and `--memory`.

        Raises:
            InputError: limits that are not positive.
        """
        given = {"--limit": seconds, "--memory": gigabytes}
        problems = [f"{option}: {value} must be positive" for option, value in given.items() if not value > 0]
        if problems:
            raise InputError(problems)
        return cls(seconds, int(gigabytes * 1e9), clock)

    def settle(self, result: Result) -> bool:
        """Whether there is nothing to measure again: it is done, or was over limits that were no smaller."""
        larger = result.limit_s >= self.seconds and result.limit_bytes >= self.bytes
        return result.state == "done" or (result.state != "failed" and larger)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended. peak: largest resident memory seen, bytes; said: the lines of JSON that it printed."""

    state: State
    peak: int
    said: tuple[Mapping[str, Any], ...]


def run_limited(module: str, arguments: Sequence[str], limits: Limits) -> Ended:
    """Run a module in a process of its own, ended when it passes a limit."""
    command = [sys.executable, "-m", module, *arguments]
    with tempfile.TemporaryFile("w+") as output, subprocess.Popen(command, stdout=output) as process:
        state, peak = _watched(process, limits)
        output.seek(0)
        # What is measured may print lines of its own.
        said = tuple(json.loads(line) for line in output.read().splitlines() if line.startswith("{"))
    return Ended("failed" if state == "done" and process.returncode else state, peak, said)


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
        if spent > limits.seconds:
            state = "over time"
        elif resident > limits.bytes:
            state = "over memory"
        else:
            time.sleep(_INTERVAL_S)
    if state != "done":
        process.kill()
    process.wait()
    return state, peak


def read_results(path: Path, kind: type[Row]) -> list[Row]:
    """Results of an earlier run, none without one.

    Raises:
        InputError: a file of another layout, or with bad values, all of them at once.
    """
    columns, rows = read_rows(path)
    names = [field.name for field in fields(kind)]
    if path.exists() and columns != names:
        raise InputError(f"{path.name} has columns {columns}, not {names}; name another --out folder")
    try:
        given = [{name: text or None for name, text in row.items()} for row in rows]
        return TypeAdapter(list[kind]).validate_python(given)  # type: ignore[valid-type]
    except ValidationError as error:
        raise InputError([
            f"{path.name}, line {int(item['loc'][0]) + 2}, {'.'.join(map(str, item['loc'][1:]))}: {item['msg']}, not "
            f"{item['input']!r}; fix the row or name another --out folder"
            for item in error.errors()
        ]) from None  # fmt: skip


def write_results(path: Path, kind: type[Row], results: Sequence[Row]) -> None:
    """Write all results, atomically."""
    write_rows(path, [field.name for field in fields(kind)], [asdict(result) for result in results])


def measure_points(
    points: Sequence[Point],
    path: Path,
    kind: type[Row],
    limits: Limits,
    measure: Callable[[Point, Sequence[Row]], Row],
    console: Console,
) -> list[Row]:
    """Measure the points that the table at `path` lacks, adding each as it is done; all results in the table.

    Args:
        points: in the order of measuring; those that the limits settle are skipped.
        measure: the result of a point, given those that are in the table.
    """
    results = {result.point: result for result in read_results(path, kind)}
    left = [point for point in points if point not in results or not limits.settle(results[point])]
    if len(left) < len(points):
        console.print(f"{len(points) - len(left)} points are there already and are skipped")
    for point in left:
        results.pop(point, None)
    with progress_shown(console) as report:
        for done, point in enumerate(left):
            report(str(point), done, len(left))
            results[point] = measure(point, list(results.values()))
            write_results(path, kind, list(results.values()))
        report("measured", len(left), len(left))
    return list(results.values())


def sizes_of(option: str, text: str, least: int) -> tuple[int, ...]:
    """The sizes of a comma-separated option; none where its text is empty.

    Raises:
        InputError: parts that are no whole number or below `least`, all at once.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    bad = [part for part in parts if not part.isdecimal() or int(part) < least]
    if bad:
        raise InputError([f"{option}: {part} is no whole number of at least {least}" for part in bad])
    return tuple(map(int, parts))


def checked(*checks: Callable[[], Any]) -> tuple[Any, ...]:
    """What each check returns.

    Raises:
        InputError: the problems of all checks that fail, at once.
    """
    found: list[Any] = []
    problems: list[str] = []
    for check in checks:
        try:
            found.append(check())
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return tuple(found)
