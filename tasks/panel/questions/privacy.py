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


def _copies(given: Comparison) -> Findings:
    values: dict[Metric, float] = {}
    gates: dict[str, dict[str, float]] = {}
    shown = {"test": "", "train": "train_"}
    for (part, made), (known, pool) in product(_parts(given).items(), given.training.pools.items()):
        if (part, known) == ("train", "test"):
            continue
        counts, exact = copies.made_of(made, pool)
        for kind, count in counts.items():
            name = f"leak/{kind}/{part}" if known == "test" else f"copies/{kind}/{part}/{known}"
            sizes = {"rows": count.rows, "audit_rows": count.audit_rows, "rank": count.rank, "exact": exact}
            gates[name] = {field: float(value) for field, value in {"count": count.below, **sizes}.items()}
        if part in shown and known in _KNOWN:
            for made_of, kind in zip(MADE, copies.KINDS, strict=False):
                if kind in counts:
                    metric = COPIES[f"{shown[part]}{_KNOWN[known]}{made_of}"]
                    values[metric] = counts[kind].below / counts[kind].rows
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
    tables=("main",),
)
TPR = _MEMBERSHIP(
    "membership_tpr",
    "Membership: true positive rate of that attack at 1 % false positives, null 0.01",
    reference="Carlini et al. 2022",
    short="membership TPR",
)


def _membership(given: Comparison) -> Findings:
    training = given.training
    if training.not_exchangeable:
        raise NotApplicable(f"{training.not_exchangeable}, so membership has no null")
    parts, compared = _parts(given), training.compared
    if "training" not in compared:
        raise NotApplicable("no class has both training and test patients, so there are none to compare")
    everything = np.concatenate([parts["test"], parts["train"]])
    scores = membership.attack_scores(compared["training"].ground, everything)
    found = _figures("membership/training", compared["training"], scores)
    for name, made in {"validation": everything, "paired": parts.get("paired")}.items():
        if name in compared and made is not None:
            found |= _figures(
                f"membership/{name}", compared[name], membership.attack_scores(compared[name].ground, made)
            )
    if "test" in compared:
        found |= _leaks(given, compared["test"], parts)
    areas = [found[f"membership/training/{name}"]["auc"] for name in membership.ATTACKS]
    worst, members = int(np.argmax(areas)), compared["training"].ground.members
    rate = membership.true_positive_rate(scores[worst, :members], scores[worst, members:])
    mine = found[f"membership/training/{membership.ATTACKS[worst]}"]
    extra = {"membership_null_sd": mine["null_sd"], "membership_members": mine["members"]}
    return Findings({AUC: mine["auc"], TPR: rate}, extra=extra, gates=found)


def _leaks(given: Comparison, compared: Compared, parts: Mapping[str, Matrix]) -> dict[str, dict[str, float]]:
    """Whether rows lie nearer to test than to audit patients; a row from a patient's own condition does not count.

    Where a patient has several test rows, those made for the others do count, and only rows for training patients
    are asked.
    """
    several = len(set(given.rows.test_patients.tolist())) < len(given.rows.test_ids)
    found: dict[str, dict[str, float]] = {}
    for part, made in parts.items():
        if part == "train" or not several:
            own = None if part == "train" else compared.own
            found |= _figures(f"leak attack/{part}", compared, membership.attack_scores(compared.ground, made, own))
    return found


def _figures(head: str, compared: Compared, scores: Matrix) -> dict[str, dict[str, float]]:
    placed = membership.placements(scores, compared.ground.members)
    sizes = {"members": float(placed.of_members.shape[1]), "nonmembers": float(placed.of_nonmembers.shape[1])}
    found = membership.attacks(placed, compared.yardstick)
    return {f"{head}/{name}": {**attack._asdict(), **sizes} for name, attack in found.items()}


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
