"""What a metric is: its name, direction, anchors, cost and source, apart from the code that computes it."""

import math
import re
from dataclasses import dataclass
from typing import Literal, get_args

Goal = Literal["match", "higher", "lower", "skill", "diagnostic"]
Family = Literal["support", "distribution", "structure", "detection", "utility", "biology", "paired", "privacy"]
Panel = Literal["core", "extended"]
Group = Literal["core", "extended", "scarce"]
"""Panel that a metric belongs to, or `scarce`: of generators fitted on a share of the training patients, in both."""
Need = Literal["labels", "pairs", "training", "members", "gene sets"]
Anchor = Literal["worst-trivial", "real-holdout", "majority", "trtr", "label-draws"]

PANEL_SCHEMA = 2
"""Of what a panel leaves beside its metrics' values (reference values, sums by cluster): a new one scores kept rows
anew and prepares folds anew; no training depends on it."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class MetricSpecification:
    """One metric, as tables, scores and records know it.

    A value is stored under ``name``, or under ``name[label]`` where ``per_label`` is set (one value per label
    column of the cohort).

    goal: ``match`` (as close as possible to the ceiling), ``higher``, ``lower``, ``skill`` (0 = the floor's
        level, 1 = perfect, negative allowed; never part of the overall score), ``diagnostic`` (no direction).
    range: smallest and largest possible value; infinities allowed.
    floor, ceiling: a number, or the reference that sets it: ``worst-trivial`` (the worse of gene-shuffle and
        class-mean, per metric and fold), ``real-holdout``, ``majority``, ``trtr``, ``label-draws``.
    needs: ``labels`` (of the rows), ``pairs`` (synthetic row i belongs to real row i, or several draws of it),
        ``training`` (real training rows), ``members`` (rows made from the conditions of as many training as test
        patients, which must be exchangeable), ``gene sets`` (of a user's file). A metric without ``training`` never
        sees real training rows.
    cost: words for the growth of time and memory.
    unit: of the value, "1" for a pure number.

    Raises ValueError that lists every contradiction at once.
    """

    name: str
    title: str
    family: Family
    goal: Goal
    range: tuple[float, float]
    floor: Anchor | float | None
    ceiling: Anchor | float | None
    version: int
    cost: str
    needs: frozenset[Need]
    unit: str
    reference: str
    panel: Group
    in_overall: bool
    per_label: bool = False

    def __post_init__(self) -> None:
        problems = [*_vocabulary_problems(self), *_goal_problems(self)]
        if problems:
            raise ValueError(f"metric specification {self.name!r}: " + "; ".join(problems))


def _vocabulary_problems(spec: MetricSpecification) -> list[str]:
    problems = []
    if not _NAME.fullmatch(spec.name):
        problems.append("the name must match [a-z][a-z0-9_]{0,63}")
    choices: tuple[tuple[str, object, tuple[str, ...]], ...] = (
        ("family", spec.family, get_args(Family)),
        ("goal", spec.goal, get_args(Goal)),
        ("panel", spec.panel, get_args(Group)),
    )
    problems += [
        f"{field} {value!r} is none of {', '.join(known)}" for field, value, known in choices if value not in known
    ]
    for field, anchor in (("floor", spec.floor), ("ceiling", spec.ceiling)):
        if isinstance(anchor, str) and anchor not in get_args(Anchor):
            problems.append(f"{field} {anchor!r} is none of {', '.join(get_args(Anchor))}")
    unknown = sorted(set(spec.needs) - set(get_args(Need)))
    if unknown:
        problems.append(f"needs {unknown} are unknown; known: {', '.join(get_args(Need))}")
    problems += [
        f"{field} is empty" for field in ("title", "cost", "unit", "reference") if not getattr(spec, field).strip()
    ]
    if spec.version < 1:
        problems.append(f"version {spec.version} is below 1")
    low, high = spec.range
    if not low < high:
        problems.append(f"range ({low}, {high}) is empty")
    for field, anchor in (("floor", spec.floor), ("ceiling", spec.ceiling)):
        if isinstance(anchor, float | int) and not (math.isfinite(anchor) and low <= anchor <= high):
            problems.append(f"{field} {anchor} lies outside the range ({low}, {high})")
    return problems


def _goal_problems(spec: MetricSpecification) -> list[str]:
    problems = []
    if spec.goal == "match" and (spec.ceiling is None or spec.floor is not None):
        problems.append("goal 'match' takes a ceiling and no floor")
    if spec.goal == "skill" and (spec.floor is None or spec.ceiling is not None):
        problems.append("goal 'skill' takes a floor and no ceiling")
    if spec.goal == "diagnostic" and (spec.floor is not None or spec.ceiling is not None):
        problems.append("goal 'diagnostic' takes neither floor nor ceiling")
    if spec.in_overall and spec.goal not in ("match", "higher", "lower"):
        problems.append(f"goal {spec.goal!r} cannot enter the overall score; set in_overall to False")
    if spec.in_overall and spec.goal in ("higher", "lower") and (spec.floor is None or spec.ceiling is None):
        problems.append("a metric of the overall score needs a floor and a ceiling")
    if spec.in_overall and spec.family in ("paired", "privacy"):
        problems.append(f"the family {spec.family!r} stands beside the overall score, never in it")
    if spec.in_overall and spec.floor == "label-draws":
        problems.append("label-draws is the floor of skills only")
    if isinstance(spec.floor, float | int) and isinstance(spec.ceiling, float | int):
        rises = spec.floor < spec.ceiling
        if spec.floor == spec.ceiling or (spec.goal == "higher") != rises:
            problems.append(f"floor {spec.floor} and ceiling {spec.ceiling} contradict the goal {spec.goal!r}")
    if spec.per_label and "labels" not in spec.needs:
        problems.append("per_label needs 'labels'")
    return problems
