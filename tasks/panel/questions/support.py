"""Do synthetic profiles stay among the real ones, and cover them?"""

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np

from gexbench.metrics.support import supports
from gexbench.tasks.panel.declarations.comparison import Comparison
from gexbench.tasks.panel.declarations.metric import Findings, Goal, Metric, Table
from gexbench.tasks.panel.declarations.rows import RealRows
from gexbench.tasks.panel.declarations.task import Step, Task

Space = Literal["genes", "pcs"]
_KYNKAANNIEMI = "Kynkäänniemi et al. 2019, equations 1 and 2"
_NAEEM = "Naeem et al. 2020, equations 5 and 6"
_MEASURES: tuple[tuple[str, str, Goal, float, str], ...] = (
    ("precision", "Share of synthetic rows near real rows", "match", 1.0, _KYNKAANNIEMI),
    ("recall", "Share of real rows near synthetic rows", "higher", 1.0, _KYNKAANNIEMI),
    ("density", "Real balls around a synthetic row, over k", "match", math.inf, _NAEEM),
    ("coverage", "Share of real balls that hold a synthetic row", "higher", 1.0, _NAEEM),
)
_SPACES: dict[Space, tuple[str, str]] = {
    "genes": ("standardised genes", "genes"),
    "pcs": ("50 principal components of real training rows", "components"),
}
_TABLES: dict[str, tuple[Table, ...]] = {"recall": ("main", "ablations"), "coverage": ("ablations",)}
_COST = "time O(n² genes), memory O(n)"

SCORED = tuple(
    Metric(
        name=name,
        title=f"{title}; mean over k = 3, 5 and 10, genes and components",
        family="support",
        goal=goal,
        range=(0.0, high),
        floor=None if goal == "match" else "worst-trivial",
        ceiling="real-holdout",
        cost=_COST,
        reference=reference,
        in_overall=True,
        tables=_TABLES.get(name, ()),
    )
    for name, title, goal, high, reference in _MEASURES
)
"""Neither k nor the space has a reason to be preferred, and ranks hang on both: the score is the mean over them."""
BY_SPACE: dict[Space, tuple[Metric, ...]] = {
    space: tuple(
        Metric(
            name=f"{name}_{space}",
            title=f"{title}; mean over k = 3, 5 and 10, {where}",
            family="support",
            goal="diagnostic",
            range=(0.0, high),
            cost=_COST,
            reference=reference,
            version=2,
            short=name,
            detail=detail,
        )
        for name, title, _, high, reference in _MEASURES
    )
    for space, (where, detail) in _SPACES.items()
}


def _support(given: Comparison) -> Findings:
    prepared, ks = given.prepared, given.prepared.neighbours
    projected = prepared.space.project(given.synthetic)
    found = {
        "genes": supports(prepared.real, given.synthetic, ks, real_radii=prepared.radii),
        "pcs": supports(prepared.real_pcs, projected, ks, real_radii=prepared.pc_radii),
    }
    values: dict[Metric, float] = {}
    extra: dict[str, float] = {}
    for at, metric in enumerate(SCORED):
        each = np.array([[of_k[at] for of_k in found[space]] for space in _SPACES])
        values[metric] = float(each.mean())
        values |= {BY_SPACE[space][at]: float(mean) for space, mean in zip(_SPACES, each.mean(axis=1), strict=True)}
        extra |= {f"{metric.name}_lowest": float(each.min()), f"{metric.name}_highest": float(each.max())}
    return Findings(values, extra=extra)


def _together(rows: RealRows) -> Iterator[Step]:
    yield Step("support", (*SCORED, *BY_SPACE["genes"], *BY_SPACE["pcs"]), _support)


TASK = Task(
    "support",
    "do synthetic profiles lie where real ones do, and cover them?",
    (*SCORED, *BY_SPACE["genes"], *BY_SPACE["pcs"]),
    _together,
)
