"""The floor of shuffled labels: how they are exchanged, what is reached on them, and that no score sees it."""

from dataclasses import replace

import numpy as np
import pytest

from gexbench.benchmark.cells.scoring import real_fold
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.panel.preparation import fingerprint, prepare
from gexbench.tasks.panel.questions.classification import ANCHORS, MEASURES, tstr, with_shuffled_labels
from gexbench.tasks.panel.scores import References, cell_score
from gexbench.tasks.simulated.cohort import simulated_cohort


@pytest.fixture(scope="module")
def real():
    cohort = simulated_cohort(600, 30, seed=1)
    return real_fold(cohort, folds(cohort)[0])


@pytest.fixture(scope="module")
def prepared(real):
    return prepare(real, seed=3)


def _columns(fold):
    return np.stack([fold.labels[label].train for label in sorted(fold.labels)], axis=1)


def test_patients_exchange_all_their_labels_whatever_the_order_of_rows(real):
    shuffled = with_shuffled_labels(real, 3)
    before, after = _columns(real), _columns(shuffled)
    assert sorted(map(tuple, before)) == sorted(map(tuple, after))
    assert 0.02 < (before[:, 0] == after[:, 0]).mean() < 0.5
    for label, parts in real.labels.items():
        for part in ("validation", "test", "audit"):
            assert getattr(shuffled.labels[label], part) is getattr(parts, part)
    order = np.random.default_rng(0).permutation(len(real.train_ids))
    labels = {label: parts._replace(train=parts.train[order]) for label, parts in real.labels.items()}
    moved = replace(real, train=real.train[order], train_ids=real.train_ids[order], labels=labels)
    assert (_columns(with_shuffled_labels(moved, 3)) == after[order]).all()
    assert (_columns(with_shuffled_labels(real, 4)) != after).any()


def test_the_floor_is_trtr_on_these_labels_and_far_below_it(real, prepared):
    values = prepared.reference_values
    assert tuple(values) == ANCHORS
    train = prepared.space.standardise(real.train, "train")
    for label in (real.finest,):
        expected = tstr(with_shuffled_labels(real, 3), train, prepared.test, "lr", label, 3)
        for measure in MEASURES:
            key = f"tstr_lr_{measure}[{label}]"
            assert values["shuffled_labels"][key] == getattr(expected, measure)
        key = f"tstr_lr_balanced_accuracy[{label}]"
        chance = 1 / len(np.unique(real.labels[label].test))
        assert abs(values["shuffled_labels"][key] - chance) < 0.2
        assert values["shuffled_labels"][key] < values["trtr"][key] - 0.1
    assert set(values["shuffled_labels"]) == {f"tstr_lr_{measure}[{real.finest}]" for measure in MEASURES}


def test_it_enters_no_score(prepared):
    key = f"tstr_lr_accuracy[{prepared.rows.finest}]"
    known = {name: {key: values[key]} for name, values in prepared.reference_values.items()}
    values = {key: 0.5, "recall": 0.5}
    anchors = ({"recall": 0.9}, {"recall": 0.1}, {"recall": 0.2})
    with_it = References(*anchors, **known)
    without = References(*anchors, trtr=known["trtr"], majority=known["majority"])
    assert with_it.keys() == without.keys()
    assert cell_score(values, with_it) == cell_score(values, without)
    scored = cell_score(values, replace(with_it, majority=known["shuffled_labels"]))
    assert scored != cell_score(values, without)


def test_preparations_kept_without_it_are_made_anew(real, prepared, monkeypatch):
    kept = {name: dict(each) for name, each in prepared.cacheable["values"].items()}
    del kept["shuffled_labels"]
    with monkeypatch.context() as patch:
        patch.setattr("gexbench.tasks.panel.preparation.PANEL_SCHEMA", 1)
        old = fingerprint(real, 3)
    again = prepare(real, seed=3, cached={"fingerprint": old, "values": kept})
    assert again.reference_values == prepared.reference_values
