"""Are synthetic profiles copies, and do they tell who was a training patient?"""

from collections.abc import Iterator
from functools import partial
from itertools import product

import numpy as np

from gexbench.metrics import membership, memorisation
from gexbench.metrics.shared.row_samples import sampled
from gexbench.tasks.panel.declarations.comparison import Comparison, NotApplicable
from gexbench.tasks.panel.declarations.metric import Findings, Metric, Table
from gexbench.tasks.panel.declarations.rows import RealRows
from gexbench.tasks.panel.declarations.task import Step, Task

_COST = "time O(n² genes), memory O(n · chunk)"
_privacy = partial(Metric, family="privacy", range=(0.0, 1.0))


_MADE_OF = {
    "copy_share": ("one", "row", "Lowe 2004, section 7.1 (ratio of the two nearest distances)"),
    "pair_share": ("two", "rows", "Lowe 2004, section 7.1, for the second and third nearest distances"),
    "trio_share": ("three", "rows", "Lowe 2004, section 7.1, for the third and fourth nearest distances"),
}
_POOLS = {"": "training", "validation_": "validation"}
_PARTS = ("", "train_")
MADE = tuple(_MADE_OF)
"""Names of the shares of rows made of one, two and three real rows: of `memorisation.donor_shares`."""
COPIED = tuple(f"{part}{pool}" for pool in _POOLS for part in _PARTS)
"""What stands before these names: rows for test or training patients, against training or validation rows."""


def _shares() -> Iterator[Metric]:
    """Shares of rows that are made of one, two or three real rows that ``fit`` saw; the copy gate asks all."""
    same = "The same share of the rows made for the training patients, from which downstream classifiers learn"
    for (made, (number, noun, reference)), (pool, known) in product(_MADE_OF.items(), _POOLS.items()):
        title = f"Share of rows closer to {number} {known} {noun} than 99 % of held-out rows are"
        for part, said in zip(_PARTS, (title, same), strict=True):
            name = f"{part}{pool}{made}"
            yield _privacy(
                name,
                said,
                goal="diagnostic",
                cost="time O(n² genes), memory O(n)",
                needs=("training",),
                reference=reference,
            )


COPIES = {metric.name: metric for metric in _shares()}


def _copies(given: Comparison) -> Findings:
    training, rows = given.training, given.rows
    pools = {
        "": (training.rows, training.donor_thresholds),
        "validation_": (training.validation, training.validation_donor_thresholds),
    }
    parts = {"": sampled(given.synthetic_test, rows.test_ids), "train_": sampled(given.synthetic_train, rows.train_ids)}
    found: dict[Metric, float] = {}
    for (pool, (known, limits)), (part, made_rows) in product(pools.items(), parts.items()):
        shares = memorisation.donor_shares(made_rows, known, limits)
        found |= {COPIES[f"{part}{pool}{made}"]: float(share) for made, share in zip(MADE, shares, strict=False)}
    return Findings(found, extra={f"{pool}copy_threshold": float(limits[0]) for pool, (_, limits) in pools.items()})


def _attack(name: str, what: str, source: str, short: str, tables: tuple[Table, ...] = ()) -> tuple[Metric, Metric]:
    """AUC and true positive rate of an attack that tells members from non-members."""
    metric = partial(_privacy, goal="lower", cost=_COST, needs=("labels", "training", "members"), panel="extended")
    rate = f"Membership by {what}: true positive rate at 1 % false positives, null 0.01"
    return (
        metric(
            f"membership_{name}_auc",
            f"Membership by {what}: AUC, null 0.5",
            reference=source,
            short=short,
            tables=tables,
        ),
        metric(f"membership_{name}_tpr", rate, reference="Carlini et al. 2022", short=f"membership {name} TPR"),
    )


MEMBERSHIP = {
    "distance": _attack(
        "distance", "distance to the nearest synthetic row", "Chen et al. 2020", "membership AUC", ("main",)
    ),
    "ratio": _attack(
        "ratio",
        "the same over the distance to the nearest audit row",
        "Chen et al. 2020 (calibrated attack)",
        "membership ratio AUC",
    ),
}


def _membership(given: Comparison) -> Findings:
    rows, training = given.rows, given.training
    who = membership.compared_patients(rows.train_ids, rows.labels[rows.finest].train, rows.test_ids, rows.test_labels)
    members, nonmembers = training.rows[who.members], given.prepared.test[who.nonmembers]
    extra: dict[str, float] = {}
    if rows.exchangeable is None:
        bystanders = np.delete(training.rows, who.members, axis=0)
        split = membership.split_attacks(members, nonmembers, bystanders, training.audit)
        if words := membership.differing(split):
            raise NotApplicable(
                "training and test patients differ before any generator has seen them, so membership has no null "
                f"({words} with real rows that remember nobody)"
            )
        extra = {f"membership_split_{name}_auc": each.auc for name, each in split.items()}
    synthetic = np.concatenate([given.synthetic_train[who.members], given.synthetic_test[who.nonmembers]])
    attacks = membership.membership_attacks(members, nonmembers, synthetic, training.audit)
    values: dict[Metric, float] = {}
    for name, (area, rate) in MEMBERSHIP.items():
        values |= {area: attacks[name].auc, rate: attacks[name].tpr}
    extra |= {"membership_null_sd": attacks["distance"].null_sd, "membership_members": float(len(who.members))}
    return Findings(values, extra=extra)


_of_neighbours = partial(
    _privacy,
    goal="diagnostic",
    cost=_COST,
    needs=("training",),
    reference="Platzer & Reutterer 2021",
    panel="extended",
)
DCR_SHARE = _of_neighbours(
    "dcr_share",
    "Share of rows nearer to training than to test rows; no null of 0.5, read it against real-holdout",
    short="DCR share",
)
NNDR_SHARE = _of_neighbours(
    "nndr_share",
    "Share of rows whose nearest over second nearest distance is smaller among training than among test rows; "
    "no null of 0.5, read it against real-holdout",
    short="NNDR share",
)


def _nearest_shares(given: Comparison) -> Findings:
    rows, train, test = given.synthetic_test, given.training.rows, given.prepared.test
    return Findings(
        {
            DCR_SHARE: membership.nearer_share(rows, train, test),
            NNDR_SHARE: membership.closer_ratio_share(rows, train, test),
        }
    )


_ATTACKS = tuple(metric for pair in MEMBERSHIP.values() for metric in pair)


def _together(rows: RealRows) -> Iterator[Step]:
    yield Step("copies", tuple(COPIES.values()), _copies)
    yield Step("nearest_shares", (DCR_SHARE, NNDR_SHARE), _nearest_shares)
    yield Step("membership", _ATTACKS, _membership)


TASK = Task(
    "privacy",
    "are synthetic profiles copies, and do they reveal who was a training patient?",
    (*COPIES.values(), *_ATTACKS, DCR_SHARE, NNDR_SHARE),
    _together,
)
