"""`gexbench sample`: a synthetic cohort from a kept model."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results

EPILOG = """[bold]Examples[/bold]\n
gexbench run --generators cvae --folds 0 --keep-models\n
gexbench sample simulated-quick/cvae.random-0.0 --out synthetic.h5ad\n
gexbench sample simulated-quick/cvae.random-0.0 --part test --draws 5 --out test.parquet\n
gexbench sample tcga-cpu/gemm-gan.random-0.0 --cohort mine --out mine.csv
"""


def sample(
    record: Annotated[str, typer.Argument(metavar="RECORD", help="LEADERBOARD/CELL, or a record's .json file.")],
    out: Annotated[Path, typer.Option(help="File to write: .h5ad, .parquet or .csv.")],
    cohort: Annotated[
        str | None, typer.Option(help="Cohort whose patients' conditions are used. (default: the record's)")
    ] = None,
    part: Annotated[str, typer.Option(help="all patients, or train, validation or test of the record's fold.")] = "all",
    draws: Annotated[int, typer.Option(help="Profiles per patient.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="Of the sampling.", min=0)] = 0,
    allow_real: Annotated[
        bool, typer.Option("--allow-real", help="Write also what a generator of real patients' rows gives out.")
    ] = False,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Sample a synthetic cohort from the model that a cell kept (`gexbench run --keep-models`).

    The file says where its rows come from: the record's keys, the generator, the cohorts, the seed, the versions.
    """
    from gexbench.benchmark.reproducing.release import synthetic_cohort
    from gexbench.benchmark.reproducing.release_files import check_target, write_synthetic
    from gexbench.models import registry
    from gexbench.tasks.data_directory import load_cohort
    from gexbench.tasks.errors import InputError

    check_target(out)
    content = _record(record, results)
    if content["generator"]["returns_real_rows"] and not allow_real:
        name = content["generator"]["name"]
        raise InputError(f"{name} gives out rows of real patients, which may not leave unasked; --allow-real asks")
    console = options.console()
    with console.status(f"sampling {content['generator']['name']}"):
        made = synthetic_cohort(
            content,
            results / "store" / "models" / content["keys"]["rows"],
            registry(),
            load_cohort(cohort or content["cohort"]["name"]),
            part=part,
            draws=draws,
            seed=seed,
        )
        written = write_synthetic(made, out)
    console.print(
        f"{len(made.patients):,} profiles of {len(made.genes):,} genes: {', '.join(map(str, written))}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip


def _record(named: str, results: Path) -> dict[str, Any]:
    from gexbench.leaderboards.records.records import RecordError, parse_record
    from gexbench.tasks.errors import InputError

    board, _, cell = named.rpartition("/")
    path = Path(named) if named.endswith(".json") else results / "leaderboards" / board / "records" / f"{cell}.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        parse_record(content, path.name)
    except FileNotFoundError:
        raise InputError(
            f"{named}: no such record; name LEADERBOARD/CELL of {results}, for example "
            "simulated-quick/cvae.random-0.0, or a record's .json file"
        ) from None
    except RecordError as error:
        raise InputError(error.problems) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: cannot be read ({str(error).splitlines()[0]})") from None
    if content["state"] != "ok":
        raise InputError(f"{path.name}: its cell ended {content['state']} ({content['reason']}), so it has no model")
    return content
