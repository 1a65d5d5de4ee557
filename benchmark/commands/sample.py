"""`gexbench sample`: a synthetic cohort from a kept model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results

if TYPE_CHECKING:
    from gexbench.leaderboards.records import Record

EPILOG = """[bold]Examples[/bold]\n
gexbench run --generators cvae --folds 0 --keep-models\n
gexbench sample simulated-quick/cvae.random-0.0 --out synthetic.h5ad\n
gexbench sample simulated-quick/cvae.random-0.0 --part test --draws 5 --out test.parquet\n
gexbench sample tcga-cpu/gemm-gan.random-0.0 --cohort mine --out mine.csv
"""


def sample(
    record: Annotated[str, typer.Argument(metavar="RECORD", help="LEADERBOARD/CELL, or the .json file of a record.")],
    out: Annotated[Path, typer.Option(help="Output file: .h5ad, .parquet or .csv.")],
    cohort: Annotated[
        str | None, typer.Option(help="Cohort that supplies the conditions. (default: the record's)")
    ] = None,
    part: Annotated[
        str, typer.Option(help="Patients to sample for: all, or train, validation or test of the record's fold.")
    ] = "all",
    draws: Annotated[int, typer.Option(help="Profiles per patient.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.", min=0)] = 0,
    allow_real: Annotated[
        bool, typer.Option("--allow-real", help="Also export generators that return rows of real patients.")
    ] = False,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Sample a synthetic cohort from a trained model kept by `gexbench run --keep-models`.

    The file records its provenance: the record's keys, the generator, the cohorts, the seed and the versions.
    """
    from gexbench.benchmark.reproducing.release import synthetic_cohort
    from gexbench.benchmark.reproducing.release_files import check_target, write_synthetic
    from gexbench.benchmark.storage.store import Store
    from gexbench.models import registry
    from gexbench.tasks.data_directory import load_cohort
    from gexbench.tasks.errors import InputError

    check_target(out)
    trained = _record(record, results)
    if trained.generator.returns_real_rows and not allow_real:
        name = trained.generator.name
        raise InputError(f"{name} returns rows of real patients, blocked by default; pass --allow-real to export them")
    console = options.console()
    with console.status(f"sampling {trained.generator.name}"):
        made = synthetic_cohort(
            trained,
            Store(results / "store").model(trained.keys.rows),
            registry(),
            load_cohort(cohort or trained.cohort.name),
            part=part,
            draws=draws,
            seed=seed,
        )
        written = write_synthetic(made, out)
    console.print(
        f"{len(made.patients):,} profiles of {len(made.genes):,} genes: {', '.join(map(str, written))}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip


def _record(named: str, results: Path) -> "Record":
    from gexbench.leaderboards.records import RecordError, read_record
    from gexbench.tasks.errors import InputError

    board, _, cell = named.rpartition("/")
    path = Path(named) if named.endswith(".json") else results / "leaderboards" / board / "records" / f"{cell}.json"
    if not path.is_file():
        raise InputError(
            f"{named}: no such record; give LEADERBOARD/CELL of {results}, for example "
            "simulated-quick/cvae.random-0.0, or a record's .json file"
        )
    try:
        found = read_record(path)
    except RecordError as error:
        raise InputError(error.problems) from None
    if found.state != "ok":
        raise InputError(f"{path.name}: the cell ended as {found.state} ({found.reason}), so there is no model")
    return found
