"""What a task declares: a question to synthetic rows, the metrics that answer it, and what computes these."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from gexbench.tasks.panel.declarations.comparison import Comparison
from gexbench.tasks.panel.declarations.metric import Findings, Group, Metric
from gexbench.tasks.panel.declarations.rows import RealRows


@dataclass(frozen=True, slots=True)
class Step:
    """Metrics that are computed together. All of them need training rows, or none does.

    label: of the label column, for metrics with a value per label. panel: where it is not that of the metrics.
    """

    name: str
    metrics: tuple[Metric, ...]
    compute: Callable[[Comparison], Findings]
    label: str | None = None
    panel: Group | None = None

    @property
    def group(self) -> Group:
        """The panel that the step is part of."""
        return self.panel or self.metrics[0].panel

    @property
    def keys(self) -> tuple[str, ...]:
        """What its values are stored under."""
        return tuple(metric.key(self.label) for metric in self.metrics)


@dataclass(frozen=True, slots=True)
class Task:
    """A question that is put to synthetic rows.

    metrics: in the order of the tables. together: the steps of a fold's rows, of those metrics that carry no
    computation of their own. per_class: figures by class that steps leave beside their metrics → words.
    """

    name: str
    question: str
    metrics: tuple[Metric, ...]
    together: Callable[[RealRows], Iterable[Step]] | None = None
    per_class: Mapping[str, str] = field(default_factory=dict)

    def steps(self, rows: RealRows) -> Iterator[Step]:
        """All its steps for these rows. Raises ValueError for a metric without, or with two, computations."""
        shared = tuple(self.together(rows)) if self.together is not None else ()
        taken = {metric.name for step in shared for metric in step.metrics}
        own = {metric.name for metric in self.metrics if metric.compute is not None}
        problems = [f"{name} is computed by no step" for name in _names(self.metrics) - taken - own]
        problems += [f"{name} has a computation and a step" for name in taken & own]
        problems += [f"{name} is not among the task's metrics" for name in taken - _names(self.metrics)]
        if problems:
            raise ValueError(f"task {self.name!r}: " + "; ".join(sorted(problems)))
        yield from shared
        for metric in self.metrics:
            if metric.compute is not None:
                for label in rows.labels if metric.per_label else (None,):
                    yield Step(metric.key(label), (metric,), partial(_alone, metric, label), label)


def _names(metrics: Iterable[Metric]) -> set[str]:
    return {metric.name for metric in metrics}


def _alone(metric: Metric, label: str | None, given: Comparison) -> Findings:
    if metric.compute is None:
        raise ValueError(f"{metric.name} has no computation of its own")
    found = metric.compute(given) if label is None else metric.compute(given, label=label)
    return found if isinstance(found, Findings) else Findings({metric: found})
