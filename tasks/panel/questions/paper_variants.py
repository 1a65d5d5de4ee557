"""What does the protocol of the GeMM-GAN paper measure? Shown for comparison, without direction or score."""

import math
from collections.abc import Iterator
from functools import partial

from gexbench.metrics import paper_variants
from gexbench.tasks.panel.declarations.comparison import Comparison
from gexbench.tasks.panel.declarations.metric import Findings, Metric
from gexbench.tasks.panel.declarations.rows import RealRows
from gexbench.tasks.panel.declarations.task import Step, Task
from gexbench.tasks.panel.questions.classification import MEASURES, scores

_ON_TRAINING = "paper_tstr_on_training_rows"


_paper = partial(Metric, goal="diagnostic", reference="GeMM-GAN", panel="extended")


SUPPORT = {
    name: _paper(
        f"paper_{name}",
        f"{name.capitalize()} as in the paper: k = 10, Manhattan distance, standardised genes",
        family="support",
        range=(0.0, math.inf if name == "density" else 1.0),
        cost="time O(n² genes)",
    )
    for name in ("precision", "recall", "density", "coverage")
}
TSTR = tuple(
    _paper(
        f"{_ON_TRAINING}_{name}",
        f"Train on synthetic rows of the test patients, test on real training rows, as in the paper: {measure}",
        family="utility",
        range=(0.0, 1.0),
        cost="seconds per label",
        needs=("labels", "training"),
        per_label=True,
        short=f"paper TSTR on training rows {measure.replace('-', ' ')}",
    )
    for name, measure in MEASURES.items()
)


def _support(given: Comparison) -> Findings:
    k = min(paper_variants.K, len(given.real) - 1)
    found = paper_variants.paper_support(given.real, given.synthetic, k)
    return Findings({metric: getattr(found, name) for name, metric in SUPPORT.items()})


def _tstr(given: Comparison, label: str) -> Findings:
    labels, truth = given.rows.labels[label].train, given.rows.labels[label].test
    found = paper_variants.paper_tstr_on_training_rows(
        given.synthetic_test, truth, given.training.rows, labels, left_out=given.rows.left_out.get(label, ())
    )
    return Findings(scores(found, TSTR))


def _together(rows: RealRows) -> Iterator[Step]:
    yield Step("paper_support", tuple(SUPPORT.values()), _support)
    for label in rows.labels:
        yield Step(f"{_ON_TRAINING}[{label}]", TSTR, partial(_tstr, label=label), label)


TASK = Task("paper-variants", "what does the paper's own protocol measure?", (*SUPPORT.values(), *TSTR), _together)
