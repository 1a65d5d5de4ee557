"""Growth of time and memory of the array metrics: ``python -m gexbench.benchmark.studies.speed.growth``.

Each point runs in a process of its own. Points that the table of results holds are skipped, so that a stopped run
resumes; a point over the limit is measured again only under a larger limit. Where a metric is over the limit, larger
sizes of it on the same axis are marked so without a run.
"""

import argparse
import csv
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gexbench.benchmark.studies.speed.growth_point import METRICS
from gexbench.benchmark.studies.speed.growth_report import write_report
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.atomic import write_text

Axis = Literal["rows", "genes"]
ROWS, GENES = (1000, 3000, 10000, 30000, 100000), (500, 1000, 2000, 5000, 10000, 20000)
FIXED_GENES, FIXED_ROWS = 50, 800
EXAMPLE = """examples:
  python -m gexbench.benchmark.studies.speed.growth --out speed
  python -m gexbench.benchmark.studies.speed.growth --rows 1000 10000 --genes 500 5000 --limit 60 --out speed"""


@dataclass(frozen=True, slots=True)
class Point:
    """A metric at a size: rows × genes of the real and of the synthetic side; axis: which of them grows."""

    metric: str
    axis: Axis
    rows: int
    genes: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a point took. state: done, over time, over memory, or failed (the metric raised).

    limit_s: CPU-seconds allowed; limit_bytes: resident memory allowed. memory_bytes: growth of the peak resident
    memory over that with the data in place, of a point over time up to its end. None: not measured.
    """

    metric: str
    axis: str
    rows: int
    genes: int
    state: str
    seconds: float | None
    cpu_seconds: float | None
    memory_bytes: int | None
    limit_s: float
    limit_bytes: int

    @property
    def point(self) -> Point:
        """Where it stands."""
        return Point(self.metric, "genes" if self.axis == "genes" else "rows", self.rows, self.genes)

    def settles(self, limit_s: float, limit_bytes: int) -> bool:
        """Whether there is nothing to measure again under these limits."""
        return self.state == "done" or (
            self.state != "failed" and self.limit_s >= limit_s and self.limit_bytes >= limit_bytes
        )


def plan(rows: Sequence[int], genes: Sequence[int], metrics: Iterable[str]) -> list[Point]:
    """All points, by size, so that a stopped run leaves the small ones of every metric."""
    points = [Point(name, "rows", size, FIXED_GENES) for name in metrics for size in rows]
    points += [Point(name, "genes", FIXED_ROWS, size) for name in metrics for size in genes]
    return sorted(points, key=lambda point: point.rows * max(point.rows, point.genes))


def run_point(point: Point, limit_s: float, limit_bytes: int) -> Result:
    """Measure a point in a process of its own, ended when it passes a limit: CPU-seconds and resident memory in all."""
    command = [sys.executable, "-m", "gexbench.benchmark.studies.speed.growth_point"]
    command += [point.metric, str(point.rows), str(point.genes)]
    state, peak = "done", 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        watched = psutil.Process(process.pid)
        while state == "done" and process.poll() is None:
            spent, resident = _use(watched)
            peak = max(peak, resident)
            if spent > limit_s:
                state = "over time"
            elif resident > limit_bytes:
                state = "over memory"
            else:
                time.sleep(0.02)
        if state != "done":
            process.kill()
        lines = (process.communicate()[0] or "").splitlines()
    found: dict[str, Any] = {}
    if state == "done":
        state, found = ("done", json.loads(lines[-1])) if process.returncode == 0 else ("failed", {})
    elif state == "over time":
        # What is compared may print lines of its own.
        before = next((json.loads(line)["resident_bytes"] for line in lines if line.startswith("{")), None)
        found = {} if before is None else {"memory_bytes": max(0, peak - before)}
    figures = (found.get("seconds"), found.get("cpu_seconds"), found.get("memory_bytes"))
    return Result(point.metric, point.axis, point.rows, point.genes, state, *figures, limit_s, limit_bytes)


def _use(process: psutil.Process) -> tuple[float, int]:
    """CPU-seconds so far and resident bytes; nothing once the process has ended."""
    try:
        times = process.cpu_times()
        return float(times.user + times.system), int(process.memory_info().rss)
    except psutil.Error:
        return 0.0, 0


def read_results(path: Path) -> dict[Point, Result]:
    """Results of an earlier run, empty without one. Raises InputError for a file of another layout."""
    if not path.exists():
        return {}
    names = [field.name for field in fields(Result)]
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != names:
            raise InputError(f"{path.name} has columns {reader.fieldnames}, not {names}; name another --out folder")
        try:
            results = [_parsed(row) for row in reader]
        except (TypeError, ValueError) as error:
            raise InputError(f"{path.name}: {error}; mend the row or name another --out folder") from error
    return {result.point: result for result in results}


def _parsed(row: dict[str, str]) -> Result:
    optional = [float(row[name]) if row[name] else None for name in ("seconds", "cpu_seconds", "memory_bytes")]
    memory = None if optional[2] is None else int(optional[2])
    place = (row["metric"], row["axis"], int(row["rows"]), int(row["genes"]), row["state"])
    return Result(*place, optional[0], optional[1], memory, float(row["limit_s"]), int(row["limit_bytes"]))


def write_results(path: Path, results: Iterable[Result]) -> None:
    """Write all results, atomically."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Result)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(result) for result in results)
    write_text(path, text.getvalue())


def _smaller_over(point: Point, results: Iterable[Result]) -> str | None:
    """State of a smaller size of the same metric and axis that was over a limit."""
    for result in results:
        same = (result.metric, result.axis) == (point.metric, point.axis)
        if same and result.state.startswith("over") and result.rows * result.genes < point.rows * point.genes:
            return result.state
    return None


def grow(points: Sequence[Point], path: Path, limit_s: float, limit_bytes: int, console: Console) -> list[Result]:
    """Measure the points that the table at ``path`` lacks, adding each as it is done; returns all results in it."""
    results = read_results(path)
    left = [point for point in points if point not in results or not results[point].settles(limit_s, limit_bytes)]
    if len(left) < len(points):
        console.print(f"{len(points) - len(left)} points are there already and are skipped")
    for point in left:
        results.pop(point, None)
    columns = (TextColumn("{task.description:<44}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("points", total=len(left))
        for point in left:
            progress.update(task, description=f"{point.metric}, {point.rows:,} rows, {point.genes:,} genes")
            state = _smaller_over(point, results.values())
            place = (point.metric, point.axis, point.rows, point.genes)
            results[point] = (
                run_point(point, limit_s, limit_bytes)
                if state is None
                else Result(*place, state, None, None, None, limit_s, limit_bytes)
            )
            write_results(path, results.values())
            progress.advance(task)
    return list(results.values())


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m gexbench.benchmark.studies.speed.growth",
        description="Measure how time and memory of the array metrics grow with rows and genes.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=int, nargs="*", default=ROWS, help=f"sizes at {FIXED_GENES} genes or components")
    parser.add_argument("--genes", type=int, nargs="*", default=GENES, help=f"sizes at {FIXED_ROWS} rows")
    parser.add_argument("--metrics", nargs="*", default=list(METRICS), help=f"of: {', '.join(METRICS)}")
    parser.add_argument("--limit", type=float, default=120.0, help="CPU-seconds per point, start included (120)")
    parser.add_argument("--memory", type=float, default=8.0, help="GB of resident memory per point (8)")
    parser.add_argument("--out", type=Path, default=Path("metric-speed"), help="folder of the results (metric-speed)")
    chosen = parser.parse_args(given)
    problems = [
        f"--metrics: {name!r} is none of {', '.join(METRICS)}" for name in chosen.metrics if name not in METRICS
    ]
    problems += [f"--rows: {size} must be at least 10" for size in chosen.rows if size < 10]
    problems += [f"--genes: {size} must be at least 2" for size in chosen.genes if size < 2]
    for name in ("limit", "memory"):
        if not getattr(chosen, name) > 0:
            problems.append(f"--{name}: {getattr(chosen, name)} must be positive")
    if problems:
        raise InputError(problems)
    return chosen


def main(given: Sequence[str] | None = None) -> None:
    """Run the script; bad input ends with one clear message and exit code 2."""
    try:
        chosen = _arguments(given)
        path = chosen.out / "metric-speed.csv"
        chosen.out.mkdir(parents=True, exist_ok=True)
        points = plan(chosen.rows, chosen.genes, chosen.metrics)
        results = grow(points, path, chosen.limit, int(chosen.memory * 1e9), Console())
        write_report(chosen.out, [asdict(result) for result in results])
    except InputError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; the same command resumes where it stopped", file=sys.stderr)
        sys.exit(130)
    print(f"result: {chosen.out / 'metric-speed.md'}")


if __name__ == "__main__":
    main()
