"""Training and scoring at scale, on generated cohorts: ``python -m gexbench.benchmark.studies.speed.scale``.

For every size a cohort is written into a temporary folder. The part `training` reads it and measures a step of
GeMM-GAN (budget full) and the data path of an epoch with patches that stay in their file; `panel` measures the core
panel. Each runs in a process of its own under limits of time and memory; what passes one is stated with what it had
reached. Sizes that the table of results holds are skipped, so that a stopped run resumes.
"""

import argparse
import csv
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from gexbench.benchmark.studies.speed.scale_report import GOAL, write_report
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.atomic import write_text

PARTS = ("training", "panel")
PATIENTS, GENES, PATCHES = (1000, 3000, 10000), (1000, 5000, 20000), (16, 64, 256)
BASE = (1000, 1000, 16)
FULL = GOAL
TABLE = "scale.csv"
EXAMPLE = """examples:
  python -m gexbench.benchmark.studies.speed.scale --out docs/metrics/scale
  python -m gexbench.benchmark.studies.speed.scale --patients 300 600 --genes 200 --patches 8 --base 300 200 8 --out x
  python -m gexbench.benchmark.studies.speed.scale --patients --genes --patches --full --parts panel --out scale"""


@dataclass(frozen=True, slots=True)
class Size:
    """A generated cohort, and the axis of the growth that it lies on: patients, genes, patches or all."""

    axis: str
    patients: int
    genes: int
    patches: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What a part took at a size. state: done, over time, over memory or failed; reached: its last message.

    seconds, cpu_seconds: of the part, without the writing of the cohort. memory_bytes: growth of the peak resident
    memory over the start, of a part that was stopped the largest resident memory. figures: JSON, see ``scale_point``.
    limit_s: wall-clock seconds and limit_bytes: resident memory allowed.
    """

    part: str
    axis: str
    patients: int
    genes: int
    patches: int
    state: str
    reached: str
    seconds: float | None
    cpu_seconds: float | None
    memory_bytes: int | None
    figures: str
    limit_s: float
    limit_bytes: int

    @property
    def place(self) -> tuple[str, str, int, int, int]:
        """Part and size."""
        return self.part, self.axis, self.patients, self.genes, self.patches


def plan(
    patients: Sequence[int], genes: Sequence[int], patches: Sequence[int], base: tuple[int, int, int], full: bool
) -> list[Size]:
    """Sizes along each axis with the other two at the base, small ones first; with `full`, the goal at the end."""
    sizes = [Size("patients", size, base[1], base[2]) for size in patients]
    sizes += [Size("genes", base[0], size, base[2]) for size in genes]
    sizes += [Size("patches", base[0], base[1], size) for size in patches]
    sizes.sort(key=lambda size: size.patients * (size.genes + 1024 * size.patches))
    return [*sizes, *([Size("all", *FULL)] if full else [])]


def measure(part: str, size: Size, limit_s: float, limit_bytes: int, folder: Path) -> Measured:
    """Run a part in a process of its own, ended when it passes a limit; the cohort's files go with it."""
    with tempfile.TemporaryDirectory(prefix="gexbench-scale-", dir=folder) as temporary:
        numbers = [str(size.patients), str(size.genes), str(size.patches if part == "training" else 0)]
        command = [
            sys.executable,
            "-m",
            "gexbench.benchmark.studies.speed.scale_point",
            part,
            *numbers,
            f"{temporary}/cohort",
        ]
        with tempfile.TemporaryFile("w+") as lines, subprocess.Popen(command, stdout=lines) as process:
            state, peak = _watched(process, limit_s, limit_bytes)
            lines.seek(0)
            said = [json.loads(line) for line in lines.read().splitlines() if line.startswith("{")]
    if state == "done" and process.returncode != 0:
        state = "failed"
    reached = next((line["reached"] for line in reversed(said) if "reached" in line), "start")
    figures: dict[str, Any] = said[-1]["figures"] if state == "done" else {}
    return Measured(
        part,
        size.axis,
        size.patients,
        size.genes,
        size.patches,
        state,
        reached,
        figures.pop("seconds", None),
        figures.pop("cpu_seconds", None),
        figures.pop("memory_bytes", None) or peak,
        json.dumps(figures, sort_keys=True),
        limit_s,
        limit_bytes,
    )


def _watched(process: "subprocess.Popen[Any]", limit_s: float, limit_bytes: int) -> tuple[str, int]:
    """State and largest resident memory of a process that is ended when it passes a limit."""
    watched, start, peak, state = psutil.Process(process.pid), time.perf_counter(), 0, "done"
    while process.poll() is None and state == "done":
        try:
            peak = max(peak, int(watched.memory_info().rss))
        except psutil.Error:
            break
        if time.perf_counter() - start > limit_s:
            state = "over time"
        elif peak > limit_bytes:
            state = "over memory"
        else:
            time.sleep(0.1)
    if state != "done":
        process.kill()
    process.wait()
    return state, peak


def read_results(path: Path) -> dict[tuple[str, str, int, int, int], Measured]:
    """Results of an earlier run by place, empty without one. Raises InputError for a file of another layout."""
    if not path.exists():
        return {}
    names = [field.name for field in fields(Measured)]
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != names:
            raise InputError(f"{path.name} has columns {reader.fieldnames}, not {names}; name another --out folder")
        try:
            found = [_parsed(row) for row in reader]
        except (TypeError, ValueError) as error:
            raise InputError(f"{path.name}: {error}; mend the row or name another --out folder") from None
    return {result.place: result for result in found}


def _parsed(row: dict[str, str]) -> Measured:
    seconds, cpu = (float(row[name]) if row[name] else None for name in ("seconds", "cpu_seconds"))
    memory = int(row["memory_bytes"]) if row["memory_bytes"] else None
    sizes = (int(row["patients"]), int(row["genes"]), int(row["patches"]))
    json.loads(row["figures"])
    limits = float(row["limit_s"]), int(row["limit_bytes"])
    place = row["part"], row["axis"], *sizes, row["state"], row["reached"]
    return Measured(*place, seconds, cpu, memory, row["figures"], *limits)


def write_results(path: Path, results: Iterable[Measured]) -> None:
    """Write all results, atomically."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Measured)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(result) for result in results)
    write_text(path, text.getvalue())


def grow(
    sizes: Sequence[Size], parts: Sequence[str], out: Path, limits: tuple[float, int], folder: Path, console: Console
) -> list[Measured]:
    """Measure what the table in `out` lacks, adding each as it is done.

    A result over a limit is measured again under a larger one. The panel reads no patches, so that it is measured on
    one number of them alone.
    """
    results = read_results(out / TABLE)
    wanted = [(part, size) for size in sizes for part in parts if part == "training" or size.axis != "patches"]
    for number, (part, size) in enumerate(wanted, start=1):
        known = results.get((part, size.axis, size.patients, size.genes, size.patches))
        if known is not None and (known.state == "done" or (known.limit_s, known.limit_bytes) >= limits):
            continue
        console.print(
            f"{number} of {len(wanted)}: {part}, {size.patients:,} patients × {size.genes:,} genes × "
            f"{size.patches:,} patches",
            highlight=False,
        )
        same = [each for each in results.values() if _alike(each, part, size)]
        found = replace(same[0], axis=size.axis) if same else measure(part, size, *limits, folder)
        results[found.place] = found
        write_results(out / TABLE, results.values())
        console.print(f"  {found.state}: {found.reached}", highlight=False)
    return list(results.values())


def _alike(found: Measured, part: str, size: Size) -> bool:
    """Whether a result is done and of this size, on another axis."""
    place = (found.part, found.patients, found.genes, found.patches)
    return found.state == "done" and place == (part, size.patients, size.genes, size.patches)


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m gexbench.benchmark.studies.speed.scale",
        description="Measure a training step, the reading of patches and the core panel on generated cohorts.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, default in (("patients", PATIENTS), ("genes", GENES), ("patches", PATCHES)):
        parser.add_argument(f"--{name}", type=int, nargs="*", default=default, help=f"sizes, else {default}")
    parser.add_argument("--base", type=int, nargs=3, default=BASE, help=f"patients, genes, patches held fixed {BASE}")
    parser.add_argument("--full", action="store_true", help=f"the goal too: {FULL}")
    parser.add_argument("--parts", nargs="*", default=list(PARTS), help=f"of: {', '.join(PARTS)}")
    parser.add_argument("--limit", type=float, default=3600.0, help="wall-clock seconds per part and size (3600)")
    parser.add_argument("--memory", type=float, default=10.0, help="GB of resident memory (10)")
    parser.add_argument("--folder", type=Path, default=None, help="where cohorts are written (the temporary folder)")
    parser.add_argument("--out", type=Path, default=Path("scale"), help="folder of the results (scale)")
    chosen = parser.parse_args(given)
    problems = [f"--parts: {name!r} is none of {', '.join(PARTS)}" for name in chosen.parts if name not in PARTS]
    least = {"patients": 200, "genes": 10, "patches": 1}
    for name, fixed in zip(least, chosen.base, strict=True):
        low = [size for size in (*getattr(chosen, name), fixed) if size < least[name]]
        problems += [f"--{name}, --base: {size} is too few {name}; give {least[name]} or more" for size in low]
    for name in ("limit", "memory"):
        if not getattr(chosen, name) > 0:
            problems.append(f"--{name}: {getattr(chosen, name)} must be positive")
    if chosen.folder is not None and not chosen.folder.is_dir():
        problems.append(f"--folder: {chosen.folder} is no folder")
    if problems:
        raise InputError(problems)
    return chosen


def main(given: Sequence[str] | None = None) -> None:
    """Run the script; bad input ends with one clear message and exit code 2."""
    try:
        chosen = _arguments(given)
        chosen.out.mkdir(parents=True, exist_ok=True)
        sizes = plan(chosen.patients, chosen.genes, chosen.patches, tuple(chosen.base), chosen.full)
        limits = (chosen.limit, int(chosen.memory * 1e9))
        folder = chosen.folder or Path(tempfile.gettempdir())
        results = grow(sizes, chosen.parts, chosen.out, limits, folder, Console())
        write_report(chosen.out, [asdict(result) for result in results])
    except InputError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("stopped; the same command resumes where it stopped", file=sys.stderr)
        raise SystemExit(130) from None
    print(f"result: {chosen.out / 'scale.md'}")


if __name__ == "__main__":
    main()
