"""The page of the gates: errors and power, from the table of repetitions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gexbench.benchmark.studies.gates.trial import FOLDS, MAKERS, NO_FAULT
from gexbench.leaderboards.formatting import markdown_table
from gexbench.metrics.gates.calibration import Count, count_null, largest_passing_share, threshold_rank
from gexbench.tasks.panel.gates import MARGIN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Lines = Sequence[dict[str, str]]
_SHARES = np.linspace(0.0, 0.4, 41)


def rate(lines: Lines, size: int, maker: str, folds: int) -> tuple[float, float, int]:
    """Share of repetitions that fail a gate, share with too few patients, and how many repetitions there are."""
    outcomes = [line[f"{maker}:{folds}"] for line in lines if int(line["size"]) == size]
    few = sum(outcome == "few" for outcome in outcomes)
    failed = sum(outcome not in ("few", "passed") for outcome in outcomes)
    return failed / len(outcomes), few / len(outcomes), len(outcomes)


def sizes_of(lines: Lines) -> list[int]:
    """Audit patients per fold, ascending."""
    return sorted({int(line["size"]) for line in lines})


def worst_rate(lines: Lines) -> tuple[float, str, int, int]:
    """Largest rate of rows without a fault that fail; which, at what size and on how many folds."""
    found = [
        (rate(lines, size, maker, folds)[0], maker, size, folds)
        for size in sizes_of(lines)
        for maker in NO_FAULT
        for folds in FOLDS
    ]
    return max(found)


def copy_power(size: int, folds: int, share: float) -> float:
    """Probability that the count of one kind in the rows for test patients fails at a true share of copies."""
    each = _no_copies(size, folds)
    limit = round(largest_passing_share(each) * size * folds)
    return float(count_null(each, tolerated=share)[limit + 1 :].sum())


def _no_copies(size: int, folds: int) -> list[Count]:
    return [Count(0, size, size, threshold_rank(size))] * folds


def figure_of(lines: Lines) -> "Figure":
    """Power of the copy gate by share of copies, and rates of failure in the simulation."""
    from gexbench.leaderboards.figures.style import WIDTH_INCHES, drawn

    sizes = sizes_of(lines)
    with drawn(width=WIDTH_INCHES, height=3.2, columns=2) as (figure, (power, rates)):
        for size, folds in ((40, 3), (100, 3), (200, 3), (800, 5)):
            values = [copy_power(size, folds, share) for share in _SHARES]
            power.plot(100 * _SHARES, values, label=f"{size} patients, {folds} folds")
        power.set(xlabel="share of copies, %", ylabel="probability to fail", title="Copies of one kind, exact")
        power.axhline(0.05 / 12, color="grey", linewidth=0.6)
        power.legend(fontsize=7)
        for maker in MAKERS:
            rates.plot(sizes, [rate(lines, size, maker, 5)[0] for size in sizes], marker="o", label=maker)
        rates.axhline(0.05, color="grey", linewidth=0.6)
        rates.set(
            xscale="log", xlabel="audit patients of a fold", ylabel="share that fails", title="All gates, 5 folds"
        )
        rates.legend(fontsize=7)
    return figure


def page_of(lines: Lines) -> str:
    """Markdown of the whole page."""
    worst, maker, size, folds = worst_rate(lines)
    heads = ("audit patients", "folds", *MAKERS)
    table = [
        (str(each), str(count), *(_cell(lines, each, name, count) for name in MAKERS))
        for each in sizes_of(lines)
        for count in FOLDS
    ]
    critical = [
        (
            str(each),
            str(count),
            f"{100 * largest_passing_share([Count(0, each, each, threshold_rank(each))] * count):.1f}",
        )
        for each, count in ((20, 3), (100, 3), (200, 3), (800, 5))
    ]
    return (
        "\n\n".join(
            [
                "# Gates: errors and power",
                "Do not edit this page: `python -m gexbench.benchmark.studies gates` writes it.",
                "A row of a table that fails a gate is not ranked. Patients are drawn from a known distribution "
                f"({rate(lines, sizes_of(lines)[0], 'honest', 1)[2]} repetitions or more of each size) and samples are "
                "made in the ways that the columns name; all gates judge them. `honest` samples are fresh draws. "
                "`class copula` knows the marginals and correlations of each class of the training patients. Up to 5 % "
                "copies are tolerated, so that a row with 5 % may fail in 5 % of the repetitions at most.",
                f"Among rows without a fault the largest share that fails is **{worst:.1%}** ({maker}, {size} audit "
                f"patients, {folds} fold{'s' if folds > 1 else ''}).",
                'Per cent of repetitions that fail a gate; *few*: all others are marked "too few patients to tell".',
                markdown_table(heads, table, len(heads)),
                "![Power of the copy gate, and rates of failure](gates.png)",
                "Largest share of samples below the threshold that passes, per cent (1 % of honest ones lie below):",
                markdown_table(("audit patients", "folds", "largest share that passes"), critical, 3),
                "An attack on membership fails a row where the lower bound of its AUC, over all attacks, lies "
                f"more than {MARGIN['membership']:g} above the AUC that the same attack reaches on samples of a class "
                "copula of the same training patients. A fixed line would fail that copula on small cohorts and miss "
                "averages of many patients on large ones.",
            ]
        )
        + "\n"
    )


def _cell(lines: Lines, size: int, maker: str, folds: int) -> str:
    failed, few, _ = rate(lines, size, maker, folds)
    return f"{100 * failed:.1f}" + (" *few*" if few else "")
