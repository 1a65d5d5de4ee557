"""Downstream classifiers and their scores."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, recall_score

from gexbench.metrics.classifiers import classification, majority, train_and_test


def test_scores_against_sklearn():
    rng = np.random.default_rng(0)
    truth, predicted = (rng.choice(["a", "b", "c", "d"], 80, p=p) for p in ([0.4, 0.3, 0.2, 0.1], [0.25] * 4))
    found = classification(truth, predicted)
    assert found.accuracy == pytest.approx(accuracy_score(truth, predicted))
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert found.macro_f1 == pytest.approx(f1_score(truth, predicted, average="macro"))
    recalls = recall_score(truth, predicted, average=None)
    assert found.recall == pytest.approx(dict(zip("abcd", recalls, strict=True)))


def test_a_class_never_predicted_counts_zero_and_lengths_are_checked():
    found = classification(["a", "a", "b"], ["a", "a", "a"])
    assert found.recall == {"a": 1.0, "b": 0.0}
    assert found.macro_f1 == pytest.approx(0.4)
    with pytest.raises(ValueError, match="one length"):
        classification(["a"], ["a", "b"])


def _problem(seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(["a", "b", "tiny"], [60, 40, 6])
    centres = {"a": 0.0, "b": 1.5, "tiny": -1.5}
    return rng.normal(size=(106, 6)) + np.array([[centres[name]] for name in labels]), labels


@pytest.mark.parametrize("classifier", ["lr", "xgb", "mlp"])
def test_learns_and_leaves_small_classes_out(classifier):
    (train, labels), (test, truth) = _problem(0), _problem(1)
    found = train_and_test(classifier, train, labels, test, truth, left_out=["tiny"])
    assert found.accuracy > 0.9
    assert set(found.recall) == {"a", "b"}
    again = train_and_test(classifier, train, labels, test, truth, left_out=["tiny"])
    assert again.recall == found.recall
    swapped = np.where(labels == "a", "b", "a")
    assert train_and_test(classifier, train, swapped, test, truth, left_out=["tiny"]).accuracy < 0.1


def test_majority():
    found = majority(["a", "b", "b", "tiny", "tiny", "tiny"], ["a", "b", "b", "tiny"], left_out=["tiny"])
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.balanced_accuracy == 0.5


def test_too_few_classes_or_rows():
    train, labels = _problem()
    with pytest.raises(ValueError, match="1 classes"):
        train_and_test("lr", train, labels, train, labels, left_out=["a", "tiny"])
    with pytest.raises(ValueError, match="one label per row"):
        train_and_test("lr", train, labels[:-1], train, labels)
