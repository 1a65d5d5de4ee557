"""Training and scoring of large generated cohorts.

For every size a cohort is written into a temporary folder. The part `training` reads it and measures a step of
GeMM-GAN (budget full) and the data path of an epoch with patches that stay in their file; `panel` measures the core
panel. Each runs in a process of its own under limits of time and memory; what passes one is stated with what it had
reached.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import AfterValidator

from gexbench.benchmark.commands import options
from gexbench.benchmark.studies.speed.large_cohorts_page import GOAL, NAME, write_page
from gexbench.benchmark.studies.speed.points import Limits, State, checked, measure_points, run_limited, sizes_of
from gexbench.tasks.errors import InputError

PARTS = ("training", "panel")
PATIENTS, GENES, PATCHES, BASE = "1000,3000,10000", "1000,5000,20000", "16,64,256", "1000,1000,16"
LEAST = {"patients": 200, "genes": 10, "patches": 1}
EXAMPLES = (
    "--out docs",
    "--patients 300,600 --genes 200 --patches 8 --base 300,200,8",
    "--patients '' --genes '' --patches '' --full --parts panel --out docs",
)


@dataclass(frozen=True, slots=True)
class Point:
    """A part on a generated cohort; axis: of the growth that it lies on, patients, genes, patches or all."""

    part: str
    axis: str
    patients: int
    genes: int
    patches: int

    def __str__(self) -> str:
        return f"{self.part}, {self.patients:,} patients × {self.genes:,} genes × {self.patches:,} patches"


def _json_text(text: str) -> str:
    json.loads(text)
    return text


@dataclass(frozen=True, slots=True)
class Measured:
    """What a part took at a size. reached: its last message.

    seconds, cpu_seconds: of the part, without the writing of the cohort. memory_bytes: growth of the peak resident
    memory over the start, of a part that was stopped the largest resident memory. figures: JSON, see
    ``large_cohorts_point``. limit_s: wall-clock seconds and limit_bytes: resident memory allowed.
    """

    part: str
    axis: str
    patients: int
    genes: int
    patches: int
    state: State
    reached: str
    seconds: float | None
    cpu_seconds: float | None
    memory_bytes: int | None
    figures: Annotated[str, AfterValidator(_json_text)]
    limit_s: float
    limit_bytes: int

    @property
    def point(self) -> Point:
        """Part and size."""
        return Point(self.part, self.axis, self.patients, self.genes, self.patches)


def plan(axes: dict[str, Sequence[int]], base: Sequence[int], full: bool, parts: Sequence[str]) -> list[Point]:
    """Sizes along each axis with the other two at the base, small ones first; with `full`, the goal at the end.

    The panel reads no patches, so that it is measured on one number of them alone.
    """
    fixed = dict(zip(LEAST, base, strict=True))
    points = [
        Point(part, axis, **(fixed | {axis: size})) for axis, sizes in axes.items() for size in sizes for part in parts
    ]
    points.sort(key=lambda point: point.patients * (point.genes + 1024 * point.patches))
    points += [Point(part, "all", *GOAL) for part in parts if full]
    return [point for point in points if point.part == "training" or point.axis != "patches"]


def run_point(point: Point, limits: Limits, folder: Path) -> Measured:
    """Measure a part in a process of its own; the cohort's files in `folder` go with it."""
    patches = point.patches if point.part == "training" else 0
    with tempfile.TemporaryDirectory(prefix="gexbench-scale-", dir=folder) as temporary:
        sizes = [str(point.patients), str(point.genes), str(patches)]
        module = "gexbench.benchmark.studies.speed.large_cohorts_point"
        ended = run_limited(module, [point.part, *sizes, f"{temporary}/cohort"], limits)
    figures: dict[str, Any] = dict(ended.said[-1]["figures"]) if ended.state == "done" else {}
    return Measured(
        **asdict(point),
        state=ended.state,
        reached=next((line["reached"] for line in reversed(ended.said) if "reached" in line), "start"),
        seconds=figures.pop("seconds", None),
        cpu_seconds=figures.pop("cpu_seconds", None),
        memory_bytes=figures.pop("memory_bytes", None) or ended.peak,
        figures=json.dumps(figures, sort_keys=True),
        limit_s=limits.seconds,
        limit_bytes=limits.bytes,
    )


def measure(limits: Limits, folder: Path, point: Point, known: Sequence[Measured]) -> Measured:
    """The result of a point, without a run where it is done as a point of another axis."""
    for result in known:
        if result.state == "done" and replace(result.point, axis=point.axis) == point:
            return replace(result, axis=point.axis)
    return run_point(point, limits, folder)


def main(
    patients: Annotated[str, typer.Option(help="Numbers of patients.")] = PATIENTS,
    genes: Annotated[str, typer.Option(help="Numbers of genes.")] = GENES,
    patches: Annotated[str, typer.Option(help="Numbers of patches per patient.")] = PATCHES,
    base: Annotated[str, typer.Option(help="Patients, genes and patches that are held fixed.")] = BASE,
    full: Annotated[bool, typer.Option("--full", help=f"The goal too: {GOAL}.")] = False,
    parts: Annotated[str, typer.Option(help="training, panel or both, comma-separated.")] = ",".join(PARTS),
    limit: Annotated[float, typer.Option(help="Wall-clock seconds per part and size.")] = 3600.0,
    memory: Annotated[float, typer.Option(help="GB of resident memory per part and size.")] = 10.0,
    folder: Annotated[
        Path | None, typer.Option(help="Where cohorts are written. (default: the temporary folder)")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the table, the page and its figure.", file_okay=False)] = (
        Path(NAME)
    ),
) -> None:
    """Measure a training step, the reading of patches and the core panel on generated cohorts.

    Sizes in the table are skipped, so the same command resumes; one over a limit is measured again only under a larger
    one.
    """
    given = {"patients": patients, "genes": genes, "patches": patches}
    limits, of_base, of_parts, place, *axes = checked(
        lambda: Limits.of(limit, memory, "wall"),
        lambda: _base(base),
        lambda: options.chosen(parts, PARTS, "part"),
        lambda: _existing(folder or Path(tempfile.gettempdir())),
        *(partial(sizes_of, f"--{name}", text, LEAST[name]) for name, text in given.items()),
    )
    out.mkdir(parents=True, exist_ok=True)
    points = plan(dict(zip(given, axes, strict=True)), of_base, full, of_parts)
    table, one = out / f"{NAME}.csv", partial(measure, limits, place)
    results = measure_points(points, table, Measured, limits, one, options.console())
    print(f"result: {write_page(out, [asdict(result) for result in results])}")


def _base(text: str) -> tuple[int, ...]:
    sizes = sizes_of("--base", text, 1)
    if len(sizes) != len(LEAST) or any(size < least for size, least in zip(sizes, LEAST.values(), strict=True)):
        least = ", ".join(f"{least} {name}" for name, least in LEAST.items())
        raise InputError(f"--base {text}: give patients,genes,patches, at least {least}")
    return sizes


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(f"--folder: {folder} is no folder")
    return folder
