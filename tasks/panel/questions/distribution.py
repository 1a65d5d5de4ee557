"""Are synthetic profiles distributed like real ones, as a whole and gene by gene?"""

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from gexbench.metrics import distribution
from gexbench.tasks.panel.declarations.comparison import Comparison
from gexbench.tasks.panel.declarations.metric import Findings, Metric
from gexbench.tasks.panel.declarations.rows import RealRows
from gexbench.tasks.panel.declarations.task import Step, Task

_PAIRWISE, _SORTED = "time O(n² genes), memory O(n)", "time O(n log n genes)"
_OVER_GENES = {"mean": "mean", "tail": "95th percentile of genes"}


_distance = partial(
    Metric, family="distribution", goal="lower", floor="worst-trivial", ceiling="real-holdout", in_overall=True
)


FRECHET = _distance(
    "frechet",
    "Fréchet distance of the fitted Gaussians",
    range=(0.0, math.inf),
    cost="time O(genes³)",
    unit="training variance",
    reference="Dowson & Landau 1982; Heusel et al. 2017",
    short="Fréchet",
    tables=("main",),
)
MMD = _distance(
    "mmd",
    "Unbiased squared maximum mean discrepancy, RBF, five widths",
    range=(-1.0, 2.0),
    cost=_PAIRWISE,
    reference="Gretton et al. 2012, equation 3",
    short="MMD",
)
ENERGY = _distance(
    "energy",
    "Energy distance",
    range=(0.0, math.inf),
    cost=_PAIRWISE,
    unit="training sd",
    reference="Székely & Rizzo 2013, equation 5",
)
SLICED = _distance(
    "sliced_wasserstein",
    "Sliced 2-Wasserstein distance, 256 directions",
    range=(0.0, math.inf),
    cost="time O(n genes · 256)",
    unit="training sd",
    reference="Bonneel et al. 2015, section 3",
    short="sliced Wasserstein",
)
WASSERSTEIN = tuple(
    _distance(
        f"wasserstein_{name}",
        f"Wasserstein-1 per gene, {said}",
        range=(0.0, math.inf),
        cost=_SORTED,
        unit="training sd",
        reference="Vaserstein 1969; Rubner et al. 2000",
        short=f"Wasserstein {name}",
    )
    for name, said in _OVER_GENES.items()
)
KS = tuple(
    _distance(
        f"ks_{name}",
        f"Kolmogorov-Smirnov per gene, {said}",
        range=(0.0, 1.0),
        cost=_SORTED,
        reference="Smirnov 1948",
        short=f"KS {name}",
    )
    for name, said in _OVER_GENES.items()
)


def _distances(given: Comparison) -> Findings:
    real, synthetic = given.real, given.synthetic
    return Findings(
        {
            FRECHET: distribution.frechet(real, synthetic),
            MMD: distribution.mmd(real, synthetic, given.prepared.space.width),
            ENERGY: distribution.energy_distance(real, synthetic),
            SLICED: distribution.sliced_wasserstein(real, synthetic),
        }
    )


def _marginals(given: Comparison) -> Findings:
    values: dict[Metric, float] = {}
    for (mean, tail), metric in ((WASSERSTEIN, distribution.wasserstein_1d), (KS, distribution.ks)):
        per_gene = metric(given.real, given.synthetic)
        values |= {mean: float(per_gene.mean()), tail: float(np.percentile(per_gene, 95))}
    return Findings(values)


def _together(rows: RealRows) -> Iterator[Step]:
    yield Step("distances", (FRECHET, MMD, ENERGY, SLICED), _distances)
    yield Step("marginals", (*WASSERSTEIN, *KS), _marginals)


TASK = Task(
    "distribution",
    "are synthetic profiles distributed like real ones, as a whole and gene by gene?",
    (FRECHET, MMD, ENERGY, SLICED, *WASSERSTEIN, *KS),
    _together,
)
