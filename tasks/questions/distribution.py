"""Are synthetic profiles distributed like real ones, as a whole and gene by gene?"""

import math
from collections.abc import Iterator

from gexbench.metrics import distribution
from gexbench.tasks.declarations.comparison import Comparison
from gexbench.tasks.declarations.metric import Findings, Metric, Table
from gexbench.tasks.declarations.rows import RealRows
from gexbench.tasks.declarations.task import Step, Task

_PAIRWISE, _SORTED = "time O(n² genes), memory O(n)", "time O(n log n genes)"
_SD, _RUBNER = "training sd", "Vaserstein 1969; Rubner et al. 2000"


def _distance(
    name: str,
    title: str,
    cost: str,
    reference: str,
    *,
    unit: str = "1",
    range_: tuple[float, float] = (0.0, math.inf),
    short: str = "",
    tables: tuple[Table, ...] = (),
) -> Metric:
    return Metric(
        name=name,
        title=title,
        family="distribution",
        goal="lower",
        range=range_,
        floor="worst-trivial",
        ceiling="real-holdout",
        cost=cost,
        unit=unit,
        reference=reference,
        in_overall=True,
        short=short,
        tables=tables,
    )


FRECHET = _distance(
    "frechet",
    "Fréchet distance of the fitted Gaussians",
    "time O(genes³)",
    "Dowson & Landau 1982; Heusel et al. 2017",
    unit="training variance",
    short="Fréchet",
    tables=("main",),
)
MMD = _distance(
    "mmd",
    "Unbiased squared maximum mean discrepancy, RBF, five widths",
    _PAIRWISE,
    "Gretton et al. 2012, equation 3",
    range_=(-1.0, 2.0),
    short="MMD",
)
ENERGY = _distance("energy", "Energy distance", _PAIRWISE, "Székely & Rizzo 2013, equation 5", unit=_SD)
SLICED = _distance(
    "sliced_wasserstein",
    "Sliced 2-Wasserstein distance, 256 directions",
    "time O(n genes · 256)",
    "Bonneel et al. 2015, section 3",
    unit=_SD,
    short="sliced Wasserstein",
)
WASSERSTEIN = tuple(
    _distance(
        f"wasserstein_{name}",
        f"Wasserstein-1 per gene, {said}",
        _SORTED,
        _RUBNER,
        unit=_SD,
        short=f"Wasserstein {name}",
    )
    for name, said in (("mean", "mean"), ("max", "worst gene"))
)
KS = tuple(
    _distance(
        f"ks_{name}",
        f"Kolmogorov-Smirnov per gene, {said}",
        _SORTED,
        "Smirnov 1948",
        range_=(0.0, 1.0),
        short=f"KS {name}",
    )
    for name, said in (("mean", "mean"), ("max", "worst gene"))
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
    for (mean, worst), metric in ((WASSERSTEIN, distribution.wasserstein_1d), (KS, distribution.ks)):
        per_gene = metric(given.real, given.synthetic)
        values |= {mean: float(per_gene.mean()), worst: float(per_gene.max())}
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
