"""Training and scoring of large generated cohorts.

For every size a cohort is written into a temporary folder. The part `training` reads it and measures a step of
GeMM-GAN (budget full) and the data path of an epoch with patches that stay in their file; `panel` measures the core
panel. Each runs in a process of its own under limits of time and memory; what passes one is stated with what it had
reached.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.studies.speed.large_cohorts_page import GOAL, NAME, write_page
from gexbench.benchmark.studies.speed.points import Limits, Measured, checked, measure_points, run_point, sizes_of
from gexbench.tasks.errors import InputError

PARTS = ("training", "panel")
PATIENTS, GENES, PATCHES, BASE = "1000,3000,10000", "1000,5000,20000", "16,64,256", "1000,1000,16"
MODULE = "gexbench.benchmark.studies.speed.large_cohorts_point"
LEAST = {"patients": 200, "genes": 10, "patches": 1}
EXAMPLES = (
    "--out docs/metrics/scale",
    "--patients 300,600 --genes 200 --patches 8 --base 300,200,8",
    "--patients '' --genes '' --patches '' --full --parts panel --out docs/metrics/scale",
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


def measure(limits: Limits, folder: Path, point: Point, known: Sequence[Measured[Point]]) -> Measured[Point]:
    """The result of a point, without a run where it is done on another axis; its cohort is written into `folder`."""
    for result in known:
        if result.state == "done" and replace(result.point, axis=point.axis) == point:
            return replace(result, point=point)
    patches = point.patches if point.part == "training" else 0
    with tempfile.TemporaryDirectory(prefix="gexbench-scale-", dir=folder) as temporary:
        cohort = Path(temporary) / "cohort"
        return run_point(point, MODULE, (point.part, point.patients, point.genes, patches, cohort), limits)


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
    print(f"result: {write_page(out, measure_points(points, table, limits, one, options.console()))}")


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
