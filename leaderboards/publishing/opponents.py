"""Is every generator a fair opponent, and does one beat the baseline? A page made from a leaderboard's records.

python -m gexbench.leaderboards.publishing.opponents leaderboards/published/tcga/v6 > PAGE

PAGE is docs/leaderboards/fair-opponents.md.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gexbench.leaderboards.comparing.gates import COPY_METRICS, worst_share
from gexbench.leaderboards.comparing.grid import Grid, grid_of
from gexbench.leaderboards.comparing.selection import BASELINE, check_comparable
from gexbench.leaderboards.formatting import NOTHING, markdown_table, number, percent, with_interval
from gexbench.leaderboards.records import Record, RecordError, read_records
from gexbench.leaderboards.statistics import FloatArray, fold_mean, half_width
from gexbench.tasks.panel.scores import copy_gate_passed

LEAST_TSTR, LEAST_COVERAGE, LEAST_RECALL = 0.90, 0.5, 0.6
COVERAGE, RECALL, DETECTION = "coverage_genes", "recall_genes", "detection_xgb"
_HEADS = (
    "generator", "conditions", "TSTR accuracy (LR) ↑", "coverage ↑", "recall ↑", "detection AUC (XGB) ↓", "copies",
    "fair", "AUC − baseline", "coverage − baseline", "beats the baseline",
)  # fmt: skip
INTRODUCTION = """# Fair opponents

For readers who ask whether a comparison is fair: which generators are trained well enough, and which beat the baseline.

A difference in the table should reflect the models, not the effort spent on them. A generator that sees labels is a
**fair opponent** if a classifier trained on its samples reaches an accuracy of {tstr:.2f} on real test patients
(logistic regression, `{label}`) and its coverage in gene space is at least {coverage}. It **beats the baseline**
`{baseline}` if its detection AUC by XGBoost is lower and its coverage higher, each by more than the 95 % interval of
the differences paired by fold, at a recall of at least {recall} and with the copy gate passed. ± is the half-width of
an interval.

Generators without labels, text or images produce unlabelled samples and have no TSTR. Those with text or images alone
know of the label only what these reveal; the same criteria are applied to them for comparison.

Written by `python -m gexbench.leaderboards.publishing.opponents` from the records of `{name}`: budget {budget},
{folds} folds.
"""

_SHORT = """## Below the criteria

The common validation score (lower is better) at the first, middle and last checkpoint, mean over folds. Whether more
steps would help has not been measured, as no larger budget was run.
"""


@dataclass(frozen=True, slots=True)
class Opponent:
    """A generator's row; figures are means over folds, `difference` ones are paired with the baseline.

    Attributes:
        tstr, coverage, recall, detection: each with the half-width of its interval.
        copies: worst share over the sets that the gate looks at.
        detection_difference, coverage_difference: this generator less the baseline, with half-width.
    """

    name: str
    conditions: tuple[str, ...]
    tstr: tuple[float, float]
    coverage: tuple[float, float]
    recall: tuple[float, float]
    detection: tuple[float, float]
    copies: float
    detection_difference: tuple[float, float]
    coverage_difference: tuple[float, float]

    @property
    def fair(self) -> bool:
        """Whether both lines are reached."""
        return self.tstr[0] >= LEAST_TSTR and self.coverage[0] >= LEAST_COVERAGE

    @property
    def beats(self) -> bool:
        """Whether detection and coverage are better than the baseline's beyond their intervals, without copies."""
        auc, coverage = self.detection_difference, self.coverage_difference
        better = auc[0] + auc[1] < 0 < coverage[0] - coverage[1]
        gate = copy_gate_passed(None if math.isnan(self.copies) else self.copies)
        return better and self.recall[0] >= LEAST_RECALL and gate


def opponents(records: Sequence[Record]) -> list[Opponent]:
    """The baseline and every generator that is no reference, by detection AUC.

    Raises:
        RecordError: records that cannot share a table, or none of the baseline.
    """
    check_comparable(records)
    names = tuple(
        dict.fromkeys(
            r.generator.full_name for r in records if not r.generator.reference or r.generator.full_name == BASELINE
        )
    )
    if BASELINE not in names:
        raise RecordError(f"no record of {BASELINE}, which the others are held against; run it too")
    grid = grid_of(records, names, {record.fold.index for record in records})
    sizes = {r.fold.index: r.fold.test / r.fold.train for r in records}
    share = sum(sizes.values()) / len(sizes)
    tstr = f"tstr_lr_accuracy[{records[0].cohort.label_columns[0]}]"
    conditions = {r.generator.full_name: r.generator.conditions for r in records}
    by_fold = {key: _values(grid, key) for key in (tstr, COVERAGE, RECALL, DETECTION, *COPY_METRICS)}
    base = names.index(BASELINE)
    measured = {key: _means(values, share) for key, values in by_fold.items()}
    differences = {key: _means(by_fold[key] - by_fold[key][base], share) for key in (DETECTION, COVERAGE)}
    references = np.array([name == BASELINE for name in names])
    copies = worst_share({key: fold_mean(by_fold[key]) for key in COPY_METRICS}, references)
    rows = [
        Opponent(
            name,
            conditions[name],
            tstr=measured[tstr][at],
            coverage=measured[COVERAGE][at],
            recall=measured[RECALL][at],
            detection=measured[DETECTION][at],
            copies=float(copies[at]),
            detection_difference=differences[DETECTION][at],
            coverage_difference=differences[COVERAGE][at],
        )
        for at, name in enumerate(names)
    ]
    return sorted(rows, key=lambda row: row.detection[0])


def _values(grid: Grid, key: str) -> FloatArray:
    """(generators, folds) of one metric; NaN where there is none."""
    if key not in grid.keys:
        return np.full((len(grid.generators), len(grid.folds)), np.nan)
    return grid.by_fold(grid.values[:, grid.keys.index(key)])


def _means(values: FloatArray, share: float) -> list[tuple[float, float]]:
    return [(float(mean), float(half)) for mean, half in zip(fold_mean(values), half_width(values, share), strict=True)]


def opponents_page(records: Sequence[Record], name: str) -> str:
    """Markdown: what is asked, the table, who falls short and how its validation score went."""
    rows, first = opponents(records), records[0]
    head = INTRODUCTION.format(
        tstr=LEAST_TSTR,
        coverage=LEAST_COVERAGE,
        recall=LEAST_RECALL,
        label=first.cohort.label_columns[0],
        baseline=BASELINE,
        name=name,
        budget=first.budget,
        folds=len({record.fold.index for record in records}),
    )
    table = markdown_table(_HEADS, [_line(row) for row in rows], text_columns=2)
    winners = [f"`{row.name}`" for row in rows if row.beats]
    beating = f"Beating the baseline: {', '.join(winners)}." if winners else "None beats the baseline."
    labelled = [row for row in rows if "labels" in row.conditions and row.name != BASELINE]
    short = [f"`{row.name}`" for row in labelled if not row.fair]
    said = "are all fair opponents" if not short else f"include some below the criteria: {', '.join(short)}"
    parts = [head, table, beating, f"The {len(labelled)} rows that see labels {said}.", _courses(records, rows)]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _line(row: Opponent) -> list[str]:
    own = row.name == BASELINE
    measured = [with_interval(*pair, 3) for pair in (row.tstr, row.coverage, row.recall, row.detection)]
    differences = [NOTHING if own else with_interval(*pair, 3) for pair in _differences(row)]
    fair = NOTHING if math.isnan(row.tstr[0]) else "yes" if row.fair else "no"
    beats = NOTHING if own else "yes" if row.beats else "no"
    name = f"*{row.name}*" if own else row.name
    return [name, ", ".join(row.conditions) or "none", *measured, percent(row.copies), fair, *differences, beats]


def _differences(row: Opponent) -> tuple[tuple[float, float], tuple[float, float]]:
    return row.detection_difference, row.coverage_difference


def _courses(records: Sequence[Record], rows: Sequence[Opponent]) -> str:
    """How the validation score of those short of the lines went, from first to last checkpoint, mean over folds."""
    lines = []
    for row in rows:
        if row.fair or math.isnan(row.tstr[0]):
            continue
        mine = [record for record in records if record.generator.full_name == row.name]
        curves = [record.curves.get("validation_score", ()) for record in mine]
        if len({len(curve) for curve in curves}) != 1 or len(curves[0]) < 3:
            continue
        lines.append(f"- `{row.name}` ({', '.join(row.conditions)}): {_course(np.array(curves), mine)}")
    return "\n".join([_SHORT, *lines]) if lines else ""


def _course(curves: FloatArray, records: Sequence[Record]) -> str:
    mean = curves.mean(axis=0)
    third = len(mean) - 1 - len(mean) // 3
    last = sum(curve.argmin() >= third + 1 for curve in curves)
    shown = " → ".join(number(float(mean[at]), 3) for at in (0, len(mean) // 2, len(mean) - 1))
    steps = records[0].diagnostics["steps"]
    return f"{shown} over {steps:,} steps; the best checkpoint is in the last third in {last} of {len(curves)} folds"


def main(arguments: Sequence[str]) -> int:
    """Print the page; the exit code."""
    if len(arguments) != 1:
        print("error: give one published leaderboard's folder", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    try:
        page = opponents_page(read_records(folder / "records"), f"{folder.parent.name} {folder.name}")
    except RecordError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        return 2
    print(page, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
