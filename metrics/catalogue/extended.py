"""Metrics of the panel ``extended`` and of scarce fits; the catalogue puts them into its order."""

import math

from gexbench.metrics.catalogue.specification import Goal, Group, MetricSpecification, Need

RELEASE_SIZES = (2, 5, 10, 25)
"""Real training patients per class that a user of released synthetic rows holds."""

_ESTEBAN = "Esteban et al. 2017"
_MEASURES = (("accuracy", "accuracy"), ("balanced_accuracy", "balanced accuracy"), ("macro_f1", "macro-F1"))

EXTENDED_DETECTION: tuple[MetricSpecification, ...] = (
    MetricSpecification(
        name="detection_mlp",
        title="AUC of real against synthetic, multilayer perceptron, 3 folds by patient",
        family="detection",
        goal="lower",
        range=(0.0, 1.0),
        floor=1.0,
        ceiling=0.5,
        version=1,
        cost="3 fits of 30 epochs",
        needs=frozenset({"pairs"}),
        unit="1",
        reference="Lopez-Paz & Oquab 2017",
        panel="extended",
        in_overall=True,
    ),
)


def _utility(
    name: str,
    title: str,
    cost: str,
    needs: tuple[Need, ...],
    reference: str,
    *,
    in_overall: bool = False,
    per_label: bool = True,
) -> MetricSpecification:
    """A score of a downstream classifier, between the majority class and TRTR."""
    return MetricSpecification(
        name=name,
        title=title,
        family="utility",
        goal="higher",
        range=(0.0, 1.0),
        floor="majority",
        ceiling="trtr",
        version=1,
        cost=cost,
        needs=frozenset(needs),
        unit="1",
        reference=reference,
        panel="extended",
        in_overall=in_overall,
        per_label=per_label,
    )


def _beside(
    name: str, title: str, cost: str, *, per_label: bool, lowest: float = -1.0, panel: Group = "extended"
) -> MetricSpecification:
    """An accuracy or a difference of two, beside the overall score."""
    return MetricSpecification(
        name=name,
        title=title,
        family="utility",
        goal="higher",
        range=(lowest, 1.0),
        floor=None,
        ceiling=None,
        version=1,
        cost=cost,
        needs=frozenset({"labels", "training"}),
        unit="1",
        reference="this suite",
        panel=panel,
        in_overall=False,
        per_label=per_label,
    )


def _tstr_mlp() -> list[MetricSpecification]:
    # Balanced accuracy is shown only, as in the core panel.
    return [
        _utility(
            f"tstr_mlp_{name}",
            f"Train on synthetic, test on real: {title}, multilayer perceptron",
            "30 epochs per label",
            ("labels",),
            _ESTEBAN,
            in_overall=name != "balanced_accuracy",
        )
        for name, title in _MEASURES
    ]


def _trts_and_augmented() -> list[MetricSpecification]:
    # Beside the score: class means reach 1 in TRTS, and real rows alone all but reach the ceiling of TRTR + S.
    both: tuple[Need, ...] = ("labels", "training")
    trts = [
        _utility(
            f"trts_lr_{name}",
            f"Train on real, test on synthetic: {measure}, logistic regression",
            "one prediction per label",
            both,
            _ESTEBAN,
        )
        for name, measure in _MEASURES
    ]
    title = "Train on real and synthetic, test on real"
    augmented = [
        _utility(
            f"augmented_lr_{name}",
            f"{title} (TRTR + S): {measure}, logistic regression",
            "seconds per label",
            both,
            "this suite",
        )
        for name, measure in _MEASURES
    ]
    gain = _beside("augmented_lr_gain", f"{title}: accuracy gained over TRTR", "none of its own", per_label=True)
    return [*trts, *augmented, gain]


def _release() -> list[MetricSpecification]:
    found = []
    for size in RELEASE_SIZES:
        few = f"{size} real patients per class"
        found += [
            _utility(
                f"release_accuracy_{size}",
                f"{few} and released synthetic rows: accuracy, logistic regression, mean of 3 draws",
                "3 fits",
                ("labels", "training"),
                "this suite",
                in_overall=True,
                per_label=False,
            ),
            _beside(
                f"release_gain_{size}",
                f"{few}: accuracy gained by released synthetic rows",
                "none of its own",
                per_label=False,
            ),
        ]
    return found


EXTENDED_UTILITY: tuple[MetricSpecification, ...] = (*_tstr_mlp(), *_trts_and_augmented(), *_release())

SCARCE_UTILITY: tuple[MetricSpecification, ...] = (
    _beside(
        "scarce_accuracy",
        "The few real rows that the generator was fitted on and its synthetic rows of all training patients: "
        "accuracy, logistic regression",
        "one fit",
        per_label=False,
        lowest=0.0,
        panel="scarce",
    ),
    _beside(
        "scarce_gain",
        "Accuracy gained by these synthetic rows over the few real rows alone",
        "one fit",
        per_label=False,
        panel="scarce",
    ),
)


def _of_conditions(name: str, title: str, highest: float) -> MetricSpecification:
    """What conditions say beyond the label, beside the overall score."""
    return MetricSpecification(
        name=name,
        title=title,
        family="paired",
        goal="diagnostic",
        range=(-math.inf, highest),
        floor=None,
        ceiling=None,
        version=1,
        cost="time O(n draws genes)",
        needs=frozenset({"pairs", "labels", "training"}),
        unit="1",
        reference="this suite",
        panel="extended",
        in_overall=False,
    )


SHUFFLED_CONDITIONS: tuple[MetricSpecification, ...] = (
    _of_conditions(
        "shuffled_conditions_skill",
        "Conditional skill when patients of a class exchange their draws",
        1.0,
    ),
    _of_conditions(
        "conditions_gain",
        "Conditional skill of the right patient's draws beyond exchanged ones; 0 when draws know only the label",
        math.inf,
    ),
)


def _privacy(name: str, title: str, goal: Goal, needs: tuple[Need, ...], reference: str) -> MetricSpecification:
    """A privacy metric, beside the overall score."""
    return MetricSpecification(
        name=name,
        title=title,
        family="privacy",
        goal=goal,
        range=(0.0, 1.0),
        floor=None,
        ceiling=None,
        version=1,
        cost="time O(n² genes), memory O(n · chunk)",
        needs=frozenset(needs),
        unit="1",
        reference=reference,
        panel="extended",
        in_overall=False,
    )


def _membership() -> list[MetricSpecification]:
    needs: tuple[Need, ...] = ("labels", "training", "members")
    attacks = (
        ("distance", "distance to the nearest synthetic row", "Chen et al. 2020"),
        ("ratio", "the same over the distance to the nearest validation row", "Chen et al. 2020 (calibrated attack)"),
    )
    found = []
    for name, what, source in attacks:
        found += [
            _privacy(f"membership_{name}_auc", f"Membership by {what}: AUC, null 0.5", "lower", needs, source),
            _privacy(
                f"membership_{name}_tpr",
                f"Membership by {what}: true positive rate at 1 % false positives, null 0.01",
                "lower",
                needs,
                "Carlini et al. 2022",
            ),
        ]
    return found


MEMBERSHIP: tuple[MetricSpecification, ...] = (
    *_membership(),
    _privacy(
        "dcr_share",
        "Share of rows nearer to training than to test rows; no null of 0.5, read it against real-holdout",
        "diagnostic",
        ("training",),
        "Platzer & Reutterer 2021",
    ),
    _privacy(
        "nndr_share",
        "Share of rows whose nearest over second nearest distance is smaller among training than among test rows; "
        "no null of 0.5, read it against real-holdout",
        "diagnostic",
        ("training",),
        "Platzer & Reutterer 2021",
    ),
)
