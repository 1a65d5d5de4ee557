"""What ranks hang on: every metric and family left out in turn, and the metrics that tell no models apart."""

from pathlib import Path
from typing import Annotated

import typer

from gexbench.leaderboards.records import RecordError, read_records
from gexbench.leaderboards.sensitivity.leave_one_out import METRIC, leave_one_out
from gexbench.leaderboards.sensitivity.page import sensitivity_page
from gexbench.leaderboards.sensitivity.points import points_of
from gexbench.leaderboards.sensitivity.separation import not_separating, separation
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.atomic import write_text

EXAMPLES = (
    "leaderboards/published/tcga/v6",
    "leaderboards/published/tcga/v6 --page docs/leaderboards/what-ranks-hang-on.md",
)


def main(
    folder: Annotated[Path, typer.Argument(help="Leaderboard's folder, with records/.", file_okay=False)],
    page: Annotated[Path | None, typer.Option(help="Write the page here.", dir_okay=False)] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with code 1 if a metric moves a default row out of its rank group.")
    ] = False,
) -> None:
    """Print what each metric's absence does to the ranks, and which metrics a protocol should only show."""
    try:
        points = points_of(read_records(folder / "records"))
        found = separation(points)
        text = sensitivity_page(points, f"{folder.parent.name} {folder.name}")
    except RecordError as error:
        raise InputError(error.problems) from None
    moving = {each.name: each.moved for each in leave_one_out(points) if each.kind == METRIC and each.moved}
    for name, moved in moving.items():
        print(f"without {name}, out of their rank group: {', '.join(moved)}")
    if not moving:
        print("no single metric moves a default row out of its rank group")
    print(f"to be shown and not scored: {', '.join(not_separating(found)) or 'none'}")
    if page is not None:
        write_text(page, text)
        print(f"page: {page}")
    if check and moving:
        raise typer.Exit(1)
