"""The steps of the panel ``extended`` on conditions, detection, tasks and membership, and that of scarce fits."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from gexbench.metrics import membership
from gexbench.metrics.catalogue.extended import RELEASE_SIZES
from gexbench.tasks.panel.extended_utility import augmented, extended_tasks, few_rows, release, trts
from gexbench.tasks.panel.fold import ExtendedReferences, PreparedFold, TrainingRows
from gexbench.tasks.panel.shuffled_conditions import shuffled_conditions
from gexbench.tasks.panel.steps import (
    Comparison,
    Findings,
    NotApplicable,
    Step,
    detection_step,
    patient_scores,
    standardised_draws,
    synthetic_train,
    tstr_step,
)
from gexbench.tasks.panel.utility import MEASURES


def extended_steps(fold: PreparedFold) -> Iterator[Step]:
    """These steps of a fold, cheap ones first."""
    yield Step("shuffled_conditions", ("shuffled_conditions_skill", "conditions_gain"), _shuffled_conditions)
    yield Step("nearest_shares", ("dcr_share", "nndr_share"), _nearest_shares)
    attacks = tuple(f"membership_{name}_{figure}" for name in ("distance", "ratio") for figure in ("auc", "tpr"))
    yield Step("membership", attacks, _membership)
    yield detection_step("mlp")
    for label in fold.fold.labels:
        yield Step(f"trts_lr[{label}]", _keys("trts_lr", label), partial(_trts, label=label))
    for size in RELEASE_SIZES:
        both = (f"release_accuracy_{size}", f"release_gain_{size}")
        yield Step(f"release_{size}", both, partial(_release, size=size))
    for label in fold.fold.labels:
        keys = (*_keys("augmented_lr", label), f"augmented_lr_gain[{label}]")
        yield Step(f"augmented_lr[{label}]", keys, partial(_augmented, label=label))
    for classifier, label in extended_tasks(fold.fold):
        yield tstr_step(classifier, label)


def scarce_step() -> Step:
    """The step of a generator that was fitted on a share of the training patients, in either panel."""
    return Step("scarce", ("scarce_accuracy", "scarce_gain"), _scarce)


def _keys(task: str, label: str) -> tuple[str, ...]:
    return tuple(f"{task}_{measure}[{label}]" for measure in MEASURES)


def _known(given: Comparison) -> tuple[TrainingRows, ExtendedReferences]:
    training, extended = given.fold.training, given.fold.extended
    if training is None or extended is None:
        raise ValueError("the fold is prepared without training rows, or for the panel 'core'")
    return training, extended


def _shuffled_conditions(given: Comparison) -> Findings:
    fold, training = given.fold.fold, given.fold.training
    if training is None:
        raise ValueError("the skill needs training rows")
    found = shuffled_conditions(
        standardised_draws(given),
        given.fold.test,
        patient_scores(given),
        training.label_draws,
        fold.test_patients,
        fold.labels[fold.finest][2],
        f"shuffled conditions/{given.fold.seed}",
    )
    values = {"shuffled_conditions_skill": found.skill, "conditions_gain": found.gain}
    return Findings(values, extra={"shuffled_conditions_rows": float(found.rows)})


def _trts(given: Comparison, label: str) -> Findings:
    training, _ = _known(given)
    found = trts(given.fold.fold, training.classifiers[label], given.test, label)
    return Findings(found.values, found.per_class)


def _augmented(given: Comparison, label: str) -> Findings:
    training, extended = _known(given)
    fold, rows = given.fold, synthetic_train(given)
    found = augmented(fold.fold, training.rows, rows, fold.test, label, fold.seed, extended.values["trtr"])
    return Findings(found.values, found.per_class)


def _release(given: Comparison, size: int) -> Findings:
    training, extended = _known(given)
    fold, rows, alone = given.fold, synthetic_train(given), extended.release[str(size)]
    found = release(fold.fold, training.rows, rows, fold.test, size, fold.seed)
    return Findings(
        {f"release_accuracy_{size}": found.accuracy, f"release_gain_{size}": found.accuracy - alone},
        {f"release_recall_{size}": found.recall},
        {f"release_real_only_accuracy_{size}": alone},
    )


def _scarce(given: Comparison) -> Findings:
    fold, training, fitted = given.fold, given.fold.training, given.synthetic.fitted_ids
    if training is None or fitted is None:
        raise ValueError("the few real rows are training rows, and these are withheld")
    few = np.flatnonzero(np.isin(fold.fold.train_ids, fitted))
    alone = few_rows(fold.fold, training.rows, few, None, fold.test, fold.seed)
    both = few_rows(fold.fold, training.rows, few, synthetic_train(given), fold.test, fold.seed)
    return Findings(
        {"scarce_accuracy": both.accuracy, "scarce_gain": both.accuracy - alone.accuracy},
        {"scarce_recall": both.recall},
        {"scarce_real_only_accuracy": alone.accuracy},
    )


def _membership(given: Comparison) -> Findings:
    fold, training = given.fold.fold, given.fold.training
    if training is None or given.synthetic.privacy is None or given.synthetic.privacy_ids is None:
        raise ValueError("membership needs training rows, and rows of members and non-members")
    train_labels, _, test_labels = fold.labels[fold.finest]
    who = membership.compared_patients(
        given.synthetic.privacy_ids, fold.train_ids, train_labels, fold.test_ids, test_labels
    )
    members, nonmembers = training.rows[who.members], given.fold.test[who.nonmembers]
    extra: dict[str, float] = {}
    if fold.exchangeable is None:
        bystanders = np.delete(training.rows, who.members, axis=0)
        split = membership.split_attacks(members, nonmembers, bystanders, training.validation)
        if words := membership.differing(split):
            raise NotApplicable(
                "training and test patients differ before any generator has seen them, so membership has no null "
                f"({words} with real rows that remember nobody)"
            )
        extra = {f"membership_split_{name}_auc": each.auc for name, each in split.items()}
    rows = given.fold.space.standardise(given.synthetic.privacy, "synthetic privacy")
    attacks = membership.membership_attacks(members, nonmembers, rows[who.synthetic], training.validation)
    values: dict[str, float] = {}
    for name, found in attacks.items():
        values |= {f"membership_{name}_auc": found.auc, f"membership_{name}_tpr": found.tpr}
    extra |= {"membership_null_sd": attacks["distance"].null_sd, "membership_members": float(len(who.members))}
    return Findings(values, extra=extra)


def _nearest_shares(given: Comparison) -> Findings:
    training = given.fold.training
    if training is None:
        raise ValueError("the shares need training rows")
    rows, train, test = given.test, training.rows, given.fold.test
    return Findings(
        {
            "dcr_share": membership.nearer_share(rows, train, test),
            "nndr_share": membership.closer_ratio_share(rows, train, test),
        }
    )
