"""Measures rows that cheat, and writes the page of what metrics see."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS
from gexbench.benchmark.studies.progress import progress_shown
from gexbench.benchmark.sweeps.option import read_folds
from gexbench.tasks.errors import InputError

if TYPE_CHECKING:
    from gexbench.benchmark.studies.cheats.measuring import Bench, Measured
    from gexbench.tasks.cohorts.cohort import Cohort
    from gexbench.tasks.panel.declarations.metric import Panel
    from gexbench.tasks.panel.gene_sets import GeneSets

PAGE = "what-each-metric-sees"
EXAMPLES = (
    "",
    "--cohort simulated --folds all --panel extended",
    "--cohort tcga --panel extended --extended-folds 0 --gene-sets hallmark.gmt",
)


def main(
    cohort: Annotated[str, options.option("cohort")] = "simulated",
    folds: Annotated[str, typer.Option(help="Comma-separated indices, or `all`.")] = "0,1,2",
    panel: Annotated[str, typer.Option(help="core, or extended (core and more).")] = "core",
    extended_folds: Annotated[
        str, typer.Option(help="Folds that get the panel extended; the others get core. (default: all of --folds)")
    ] = "",
    gene_sets: Annotated[Path | None, options.option("gene_sets")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the page, its tables and figures.", file_okay=False)] = (
        Path("docs/metrics/what-each-metric-sees")
    ),
    results: Annotated[Path, typer.Option(help="Finished cheats are kept here.", file_okay=False)] = DEFAULT_RESULTS,
) -> None:
    """Score rows that cheat like those of any generator, and write what each metric and each gate makes of them.

    What is measured already is skipped, so the same command resumes after an interrupt. Other cohorts on the page
    stay as they are.
    """
    from gexbench.tasks.data_directory import load_cohort

    console = options.console()
    panels = _panels(folds, panel, extended_folds)
    if not console.is_terminal:
        console.print(f"loading cohort {cohort}", markup=False)
    loaded = load_cohort(cohort)
    bench = _bench(loaded, panels, _sets(gene_sets, panel, loaded), results)
    _make(out)
    measured = _measure(bench, panels)
    _write(out, loaded.name, measured)
    console.print(f"page: {out / f'{PAGE}.md'}", markup=False)


def _panels(folds: str, panel: str, extended_folds: str) -> "dict[int, Panel]":
    """Panel of each fold.

    Raises:
        InputError: all problems of the three options at once.
    """
    from gexbench.benchmark.sweeps.planning import given_folds

    problems = []
    wanted, more_wanted = read_folds(folds), read_folds(extended_folds) or "all"
    for name, text, found in (("--folds", folds, wanted), ("--extended-folds", extended_folds, more_wanted)):
        if found != "all" and not isinstance(found, list):
            problems.append(f"{name} {text!r}: give comma-separated indices such as 0,1,2, or all")
    if panel not in ("core", "extended"):
        problems.append(f"--panel {panel!r}: choose core or extended")
    if problems:
        raise InputError(problems)
    _, every = given_folds(wanted, "full")
    more = every if more_wanted == "all" else given_folds(more_wanted, "full")[1]
    if extended_folds and panel == "core":
        problems.append("--extended-folds: the panel is core; add --panel extended")
    if not set(more) <= set(every):
        problems.append(f"--extended-folds {extended_folds}: choose among --folds {folds}")
    if problems:
        raise InputError(problems)
    return {fold: "extended" if panel == "extended" and fold in more else "core" for fold in every}


def _sets(path: Path | None, panel: str, cohort: "Cohort") -> "GeneSets | None":
    from gexbench.benchmark.sweeps.gene_sets import given_gene_sets

    if path is None:
        return None
    if panel == "core":
        raise InputError("--gene-sets: the panel core has no metric of gene sets; add --panel extended")
    return given_gene_sets(path, cohort.genes)


def _bench(cohort: "Cohort", panels: "dict[int, Panel]", sets: "GeneSets | None", results: Path) -> "Bench":
    from gexbench.benchmark.storage.store import Store
    from gexbench.benchmark.studies.cheats.measuring import Bench

    store = Store(results / "cheats")
    bench = Bench(cohort, tuple(panels), store, sets)
    store.make()
    return bench


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out}: cannot be made ({error.strerror}); choose another folder") from None


def _measure(bench: "Bench", panels: "dict[int, Panel]") -> "list[Measured]":
    with progress_shown(options.console()) as report:
        return bench.measure(panels, report)


def _write(out: Path, cohort: str, measured: "list[Measured]") -> None:
    """The cohort's table and figure, then the page from all tables in the folder."""
    from gexbench.benchmark.studies.cheats.figure import heat_map, png
    from gexbench.benchmark.studies.cheats.page import metric_means, page_of
    from gexbench.benchmark.studies.cheats.results import gates_text, read_tables, table_text
    from gexbench.benchmark.studies.cheats.rows import REFERENCES
    from gexbench.tasks.files.atomic import write_bytes

    write_bytes(out / f"{PAGE}.{cohort}.csv", table_text(cohort, measured).encode())
    write_bytes(out / f"{PAGE}-gates.{cohort}.csv", gates_text(measured).encode())
    found = read_tables(out, PAGE)
    references = sum(row.name in found[cohort][0].rows for row in REFERENCES)
    figure = heat_map(metric_means(found[cohort]), references, f"What each metric sees: cohort {cohort}")
    write_bytes(out / f"{PAGE}.{cohort}.png", png(figure))
    write_bytes(out / f"{PAGE}.md", page_of(found, PAGE).encode())
