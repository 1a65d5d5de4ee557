"""Simulates the gates: how often rows without a fault fail, and what share of copies is found."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.studies.csv_tables import read_rows, write_rows
from gexbench.benchmark.studies.progress import progress_shown
from gexbench.tasks.errors import InputError

EXAMPLES = ("", "--sizes 20,40,100 --repetitions 400 --out /tmp/gates")
SIZES = (20, 40, 100, 200, 800)
TABLE = "gates.csv"


def main(
    out: Annotated[Path, typer.Option(help="Folder of the page, its table and figure.", file_okay=False)] = (
        Path("docs/metrics/gates")
    ),
    sizes: Annotated[str, typer.Option(help="Audit patients per fold, separated by commas.")] = "20,40,100,200,800",
    repetitions: Annotated[int, typer.Option(min=1, help="Repetitions of each size.")] = 400,
) -> None:
    """Simulate the gates, and write the page of their errors and their power.

    Counts of copies are simulated anew; repetitions of profiles that the table holds are not run again. Exit code 1
    when rows without a fault fail in over 5 % at any size and number of folds.
    """
    from gexbench.benchmark.studies.cheats.figure import png
    from gexbench.benchmark.studies.gates.page import counted_rates, figure_of, page_of, worst_rate
    from gexbench.tasks.files.atomic import write_bytes, write_text

    wanted = _sizes(sizes)
    out.mkdir(parents=True, exist_ok=True)
    with progress_shown(options.console()) as report:
        lines = run(out / TABLE, wanted, repetitions, lambda done, of: report("repetitions", done, of))
    counted = counted_rates(wanted)
    write_bytes(out / "gates.png", png(figure_of(lines)))
    write_text(out / "gates.md", page_of(lines, counted))
    raise typer.Exit(0 if worst_rate(counted) <= 0.05 else 1)


def _sizes(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and int(part) >= 10 for part in parts):
        raise InputError(f"--sizes {text!r}: give numbers of at least 10 separated by commas, such as 20,100")
    return [int(part) for part in parts]


def run(
    path: Path, sizes: list[int], repetitions: int, progress: Callable[[int, int], object] = lambda done, of: None
) -> list[dict[str, str]]:
    """Run what ``path`` does not hold yet; all its lines. The file is rewritten atomically after every repetition."""
    from gexbench.benchmark.studies.gates.trial import repetition

    lines = read_rows(path)[1]
    held = {(line["size"], line["repetition"]) for line in lines}
    missing = [(size, at) for at in range(repetitions) for size in sizes if (str(size), str(at)) not in held]
    for done, (size, at) in enumerate(missing, start=1):
        line = {"size": str(size), "repetition": str(at), **repetition(size, at)}
        if lines and line.keys() != lines[0].keys():
            raise InputError(f"{path.name}: holds other columns; name another --out or move the file away")
        lines.append(line)
        write_rows(path, list(line), lines)
        progress(done, len(missing))
    return lines
