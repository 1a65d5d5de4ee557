"""Are synthetic profiles copies, and do they tell who was a training patient?"""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import product

import numpy as np

from gexbench.metrics import membership
from gexbench.metrics.gates import copies
from gexbench.metrics.shared.arrays import Matrix
from gexbench.metrics.shared.hashing import hash_keys
from gexbench.tasks.panel.declarations.comparison import Comparison, NotApplicable
from gexbench.tasks.panel.declarations.metric import Findings, Metric
from gexbench.tasks.panel.declarations.rows import Compared, RealRows
from gexbench.tasks.panel.declarations.task import Step, Task
from gexbench.tasks.panel.questions.privacy_grounds import made_places

_COST = "time O(n² genes), memory O(n · chunk)"
_privacy = partial(Metric, family="privacy", range=(0.0, 1.0))


_MADE_OF = {
    "copy_share": ("one", "row", "Lowe 2004, section 7.1 (ratio of the two nearest distances)"),
    "pair_share": ("two", "rows", "Lowe 2004, section 7.1, for the second and third nearest distances"),
    "trio_share": ("three", "rows", "Lowe 2004, section 7.1, for the third and fourth nearest distances"),
}
_POOLS = {"": "training", "validation_": "validation"}
Figures = dict[str, dict[str, float]]
_SHOWN = {"test": "", "train": "train_"}
_KNOWN = {"training": "", "validation": "validation_"}
_PARTS = ("", "train_")
MADE = tuple(_MADE_OF)
"""Names of the shares of rows made of one, two and three real rows: of `copies.made_of`."""
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
                version=2,
            )


COPIES = {metric.name: metric for metric in _shares()}


def _parts(given: Comparison) -> dict[str, Matrix]:
    """Rows that the gates read: for test and training patients, and a paired draw of every test patient."""
    return given.once("gate parts", lambda: _made_parts(given))


def _made_parts(given: Comparison) -> dict[str, Matrix]:
    rows, made = given.rows, given.generated
    places = {part: made_places(ids) for part, ids in (("test", rows.test_ids), ("train", rows.train_ids))}
    found = {"test": given.synthetic_test[places["test"]], "train": given.synthetic_train[places["train"]]}
    if made.paired is not None:
        draws = hash_keys("paired draw", rows.test_ids[places["test"]]) % np.uint64(made.paired.shape[1])
        drawn = made.paired[places["test"], draws.astype(np.intp)]
        found["paired"] = given.prepared.space.standardise(drawn, "paired draws")
    return found


def copy_figures(parts: Mapping[str, Matrix], pools: Mapping[str, copies.Pool]) -> Figures:
    """Figures of the gates `copies` and, of test rows, `test leak`, for standardised rows of each part."""
    found: Figures = {}
    for (part, made), (known, pool) in product(parts.items(), pools.items()):
        if (part, known) == ("train", "test"):
            continue
        counts, exact = copies.made_of(made, pool)
        for kind, count in counts.items():
            name = f"leak/{kind}/{part}" if known == "test" else f"copies/{kind}/{part}/{known}"
            sizes = {"rows": count.rows, "audit_rows": count.audit_rows, "rank": count.rank, "exact": exact}
            found[name] = {field: float(value) for field, value in {"count": count.below, **sizes}.items()}
    return found


def _copies(given: Comparison) -> Findings:
    gates = copy_figures(_parts(given), given.training.pools)
    values = {
        COPIES[f"{before}{pool}{made}"]: gates[name]["count"] / gates[name]["rows"]
        for made, kind in zip(MADE, copies.KINDS, strict=False)
        for (part, before), (known, pool) in product(_SHOWN.items(), _KNOWN.items())
        if (name := f"copies/{kind}/{part}/{known}") in gates
    }
    return Findings(values, gates=gates)


_MEMBERSHIP = partial(
    _privacy,
    goal="lower",
    cost=_COST,
    needs=("labels", "training", "members"),
    version=2,
)
AUC = _MEMBERSHIP(
    "membership_auc",
    "Membership: AUC of the attack that tells training from test patients best, null 0.5",
    reference="Chen et al. 2020; van Breugel et al. 2023",
    short="membership AUC",
)
TPR = _MEMBERSHIP(
    "membership_tpr",
    "Membership: true positive rate of that attack at 1 % false positives, null 0.01",
    reference="Carlini et al. 2022",
    short="membership TPR",
)


def attack_figures(parts: Mapping[str, Matrix], compared: Mapping[str, Compared], *, own: bool = True) -> Figures:
    """Figures of the gates `membership` and `test leak`.

    Args:
        parts: standardised rows of each part.
        compared: see `TrainingRows`.
        own: whether every test row is a patient of its own. Where a patient has several, a row made for another one
            of these cannot be told from a leak, and only rows for training patients are asked.
    """
    everything = np.concatenate([parts["test"], parts["train"]])
    found: Figures = {}
    for name, made in {"training": everything, "validation": everything, "paired": parts.get("paired")}.items():
        if name in compared and made is not None:
            scores = membership.attack_scores(compared[name].ground, made)
            found |= _figures(f"membership/{name}", compared[name], scores)
    for part, made in parts.items():
        if "test" in compared and (own or part == "train"):
            skipped = None if part == "train" else compared["test"].own
            scores = membership.attack_scores(compared["test"].ground, made, skipped)
            found |= _figures(f"leak attack/{part}", compared["test"], scores)
    return found


def _membership(given: Comparison) -> Findings:
    training = given.training
    if training.not_exchangeable:
        raise NotApplicable(f"{training.not_exchangeable}, so membership has no null")
    if "training" not in training.compared:
        raise NotApplicable("no class has both training and test patients, so there are none to compare")
    alone = len(set(given.rows.test_patients.tolist())) == len(given.rows.test_ids)
    gates = attack_figures(_parts(given), training.compared, own=alone)
    mine = max((gates[f"membership/training/{name}"] for name in membership.ATTACKS), key=lambda each: each["auc"])
    extra = {"membership_null_sd": mine["null_sd"], "membership_members": mine["members"]}
    return Findings({AUC: mine["auc"], TPR: mine["tpr"]}, extra=extra, gates=gates)


def _figures(head: str, compared: Compared, scores: Matrix) -> Figures:
    members = compared.ground.members
    placed = membership.placements(scores, members)
    sizes = {"members": float(members), "nonmembers": float(scores.shape[1] - members)}
    found = {}
    for row, (name, attack) in zip(scores, membership.attacks(placed, compared.yardstick).items(), strict=True):
        rate = membership.true_positive_rate(row[:members], row[members:])
        found[f"{head}/{name}"] = {**attack._asdict(), "tpr": rate, **sizes}
    return found


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


_ATTACKS = (AUC, TPR)


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
