"""Do synthetic profiles stay among the real ones, and cover them?"""

import math
from collections.abc import Iterator
from functools import partial
from typing import Literal

from gexbench.metrics.support import Support, support_measures
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
_TABLES: dict[str, tuple[Table, ...]] = {"recall_genes": ("main", "ablations"), "coverage_genes": ("ablations",)}


def _metrics(space: Space) -> tuple[Metric, ...]:
    where, detail = _SPACES[space]
    return tuple(
        Metric(
            name=f"{name}_{space}",
            title=f"{title}; k = 5, {where}",
            family="support",
            goal=goal,
            range=(0.0, high),
            floor=None if goal == "match" else "worst-trivial",
            ceiling="real-holdout",
            cost="time O(n² genes), memory O(n)",
            reference=reference,
            in_overall=True,
            short=name,
            detail=detail,
            tables=_TABLES.get(f"{name}_{space}", ()),
        )
        for name, title, goal, high, reference in _MEASURES
    )


BY_SPACE = {space: _metrics(space) for space in _SPACES}


def _support(given: Comparison, space: Space) -> Findings:
    prepared, k = given.prepared, given.prepared.neighbours
    if space == "genes":
        found = support_measures(prepared.real, given.synthetic, k, real_radii=prepared.radii)
    else:
        projected = prepared.space.project(given.synthetic)
        found = support_measures(prepared.real_pcs, projected, k, real_radii=prepared.pc_radii)
    return Findings(dict(zip(BY_SPACE[space], _in_order(found), strict=True)))


def _in_order(found: Support) -> Iterator[float]:
    return (getattr(found, name) for name, *_ in _MEASURES)


def _together(rows: RealRows) -> Iterator[Step]:
    for space, metrics in BY_SPACE.items():
        yield Step(f"support_{space}", metrics, partial(_support, space=space))


TASK = Task(
    "support",
    "do synthetic profiles lie where real ones do, and cover them?",
    (*BY_SPACE["genes"], *BY_SPACE["pcs"]),
    _together,
)
