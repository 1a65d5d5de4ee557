"""The page of the gates: errors and power, from the table of repetitions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gexbench.benchmark.studies.gates.counts import failing_share
from gexbench.benchmark.studies.gates.trial import FOLDS, MAKERS
from gexbench.leaderboards.formatting import markdown_table
from gexbench.metrics.gates.calibration import Count, count_null, largest_passing_share, threshold_rank
from gexbench.tasks.panel.gates import MARGIN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Lines = Sequence[dict[str, str]]
_COPIES = """A row of a table that fails a gate is not ranked. The copy gate counts samples below a threshold that audit
patients set, whom no generator has seen. The table gives the per cent of {repetitions} repetitions in which any of 24
counts fails, before "too few patients to tell" is asked, by the share of samples that are copies. Up to 5 % copies are
tolerated: a row may fail in at most 5 % of the repetitions there (largest here: **{worst:.1%}**), and hardly ever
without copies."""
_PROFILES = """All gates on profiles drawn from a known distribution, with samples made as the columns name
(at least {fewest} repetitions of each size). `honest` samples are fresh draws; `class copula` knows the marginals and
correlations of each class of the training patients. Per cent of repetitions that fail; *few*: some of the others are
marked "too few patients to tell"."""
_MEMBERSHIP = """An attack on membership fails a row where the lower bound of its AUC, simultaneous over attacks, lies
more than {margin:g} above the AUC that the same attack reaches on samples of a class copula of the same training
patients. A fixed line would fail that copula on small cohorts and miss averages of many patients on large ones.

**What remains possible.** A cheat that leaks about as much as a class copula fitted to the same patients passes. On
two folds of TCGA these are means of 100 training samples of the type and copulas of clusters of 150 patients (80 lie
at the line); a copula with 10 % of its variance from one training sample fails. On three folds of the simulated cohort,
where intervals are wider, means of 50 and that copula pass too. They score above a plain class copula there (by 0.05),
and so does a class copula itself once each gene's values are spread evenly over the quantiles of its type (0.90
against 0.85), which remembers nobody. On TCGA, fold 0, copulas of clusters also score above it (0.93 against 0.90):
the gates do not tell such rows from a fair model. Up to 5 % of the samples may be outright copies. Whoever
reads test patients from elsewhere is sought by the samples alone, and passes where these lie no nearer to test than to
audit patients."""
REPETITIONS = 400
SHARES = (0.0, 0.05, 0.1, 0.2)
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


Counted = dict[tuple[int, int], tuple[float, ...]]


def counted_rates(sizes: Sequence[int]) -> Counted:
    """(audit patients, folds) → share of `REPETITIONS` in which a count of copies fails, for each of `SHARES`."""
    return {
        (size, folds): tuple(failing_share(size, folds, share, REPETITIONS) for share in SHARES)
        for size in sizes
        for folds in FOLDS
    }


def worst_rate(counted: Counted) -> float:
    """Largest rate at which rows fail that have no more copies than are tolerated."""
    return max(rate for rates in counted.values() for rate, share in zip(rates, SHARES, strict=True) if share <= 0.05)


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


def page_of(lines: Lines, counted: Counted) -> str:
    """Markdown of the whole page."""
    heads = ("audit patients", "folds", *MAKERS)
    rates = [
        (str(size), str(folds), *(f"{100 * each:.1f}" for each in found)) for (size, folds), found in counted.items()
    ]
    profiles = [
        (str(size), str(folds), *(_cell(lines, size, name, folds) for name in MAKERS))
        for size in sizes_of(lines)
        for folds in FOLDS
    ]
    critical = [
        (str(size), str(folds), f"{100 * largest_passing_share(_no_copies(size, folds)):.1f}")
        for size, folds in ((20, 3), (100, 3), (200, 3), (800, 5))
    ]
    fewest = min(rate(lines, size, "honest", 1)[2] for size in sizes_of(lines))
    text = [
        "# Gates: errors and power",
        "For readers who ask what the gates let pass. `python -m gexbench.benchmark.studies gates` writes this page.",
        _COPIES.format(repetitions=REPETITIONS, worst=worst_rate(counted)),
        markdown_table(("audit patients", "folds", *(f"{share:.0%} copies" for share in SHARES)), rates, 6),
        "![Power of the copy gate, and rates of failure](gates.png)",
        "Largest share of samples below the threshold that passes, per cent; 1 % of honest samples lie below it.",
        markdown_table(("audit patients", "folds", "largest share that passes"), critical, 3),
        _PROFILES.format(fewest=fewest),
        markdown_table(heads, profiles, len(heads)),
        _MEMBERSHIP.format(margin=MARGIN["membership"]),
    ]
    return "\n\n".join(text) + "\n"


def _cell(lines: Lines, size: int, maker: str, folds: int) -> str:
    failed, few, _ = rate(lines, size, maker, folds)
    return f"{100 * failed:.1f}" + (" *few*" if few else "")
