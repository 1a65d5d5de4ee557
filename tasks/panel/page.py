"""The documentation page of the metrics, made from the catalogue."""

import math
from collections.abc import Iterable

from gexbench.tasks.panel.built_in import CATALOGUE
from gexbench.tasks.panel.declarations.metric import FAMILY_WEIGHTS, Anchor, Metric
from gexbench.tasks.panel.protocols import CURRENT

_DIRECTIONS = {"match": "as the ceiling", "higher": "higher", "lower": "lower", "skill": "higher", "diagnostic": "none"}
_INTRODUCTION = """# Metrics

For everyone who reads a number: what each metric asks, its range, and what scores 0 and 1.

Every metric of the suite, from its specification. Do not edit this page: `gexbench ls metrics --markdown` prints it.

Direction: `higher` or `lower` is better; `as the ceiling` is best when it equals the value of real samples; `none` is
reported without judgement. Floor and ceiling are the values that score 0 and 1: a number, or a reference of the same
fold:

- `worst-trivial`: the worse of gene-shuffle and class-mean
- `real-holdout`: real validation patients of the same types
- `majority`: the most frequent class; `trtr`: the same classifier trained on real samples. `shuffled_labels`, the same
  classifier trained on real samples with permuted labels, is reported beside them and enters no score
- `label-draws`: all training samples of the same type

Needs: what a metric reads besides real and synthetic expression of the test patients. Cost: growth of time and memory
with n, the samples of either side. Version: a change makes new records. A name with `[label]` has one value per label
column.
"""
_HEADS = ("name", "question", "range", "direction", "floor", "ceiling", "needs", "cost", "panel", "version", "source")


def metrics_page() -> str:
    """Markdown: a table per family, in the catalogue's order."""
    families = dict.fromkeys(spec.family for spec in CATALOGUE)
    parts = [_INTRODUCTION]
    for family in families:
        specifications = [spec for spec in CATALOGUE if spec.family == family]
        parts.append(f"## {family.capitalize()}\n\n{_weight(family, specifications)}\n\n{_table(specifications)}\n")
    return "\n".join(parts)


def _weight(family: str, specifications: Iterable[Metric]) -> str:
    weight = {str(name): value for name, value in FAMILY_WEIGHTS.items()}.get(family)
    if weight is None:
        return "Stands beside the overall score."
    outside = [f"`{spec.name}`" for spec in specifications if not CURRENT.scores(spec)]
    beside = f" Beside the score: {', '.join(outside)}." if outside else ""
    return f"Weight in the overall score: {weight:g}.{beside}"


def _table(specifications: Iterable[Metric]) -> str:
    rows = [_HEADS, tuple("---" for _ in _HEADS), *map(_row, specifications)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _row(spec: Metric) -> tuple[str, ...]:
    low, high = spec.range
    cells = (
        f"`{spec.name}{'[label]' if spec.per_label else ''}`",
        spec.title,
        f"{'[' if math.isfinite(low) else '('}{_number(low)}, {_number(high)}{']' if math.isfinite(high) else ')'}"
        + ("" if spec.unit == "1" else f" {spec.unit}"),
        _DIRECTIONS[spec.goal],
        _anchor(spec.floor),
        _anchor(spec.ceiling),
        ", ".join(sorted(spec.needs)) or "–",
        spec.cost,
        spec.panel,
        str(spec.version),
        spec.reference,
    )
    return tuple(cell.replace("|", "\\|") for cell in cells)


def _anchor(anchor: Anchor | float | None) -> str:
    return "–" if anchor is None else anchor if isinstance(anchor, str) else _number(anchor)


def _number(value: float) -> str:
    return f"{value:g}".replace("inf", "∞")
