"""The paper's variants: what they compute, and that they never enter a score."""

import numpy as np
import pytest

from gexbench.metrics.classifiers import train_and_test
from gexbench.metrics.paper_variants import paper_support, paper_tstr_on_training_rows
from gexbench.metrics.support import support_measures
from gexbench.tasks.panel.questions import paper_variants


def test_support_is_by_manhattan_distance_and_ten_neighbours():
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(60, 6)), rng.normal(size=(45, 6)) * 0.8 + 0.4
    inner, outer = (np.abs(x[:, None] - x[None]).sum(axis=2) for x in (real, synthetic))
    across = np.abs(real[:, None] - synthetic[None]).sum(axis=2)
    radii, reach = np.sort(inner, axis=1)[:, 10], np.sort(outer, axis=1)[:, 10]
    inside = across <= radii[:, None]
    expected = (
        inside.any(axis=0).mean(),
        (across <= reach).any(axis=1).mean(),
        inside.sum() / 450,
        inside.any(1).mean(),
    )
    assert tuple(paper_support(real, synthetic)) == pytest.approx(expected)
    assert paper_support(real, synthetic) != support_measures(real, synthetic, 10)


def test_tstr_is_fitted_on_synthetic_test_rows_and_evaluated_on_training_rows():
    rng = np.random.default_rng(1)
    labels, test_labels = np.repeat(["a", "b"], [30, 10]), np.repeat(["a", "b"], 9)
    train = rng.normal(size=(40, 3)) + 4 * (labels == "a")[:, None]
    synthetic = rng.normal(size=(18, 3)) + 4 * (test_labels == "a")[:, None]
    found = paper_tstr_on_training_rows(synthetic, test_labels, train, labels)
    expected = train_and_test("lr", synthetic, test_labels, train, labels)
    assert (found.accuracy, found.recall) == (expected.accuracy, expected.recall)
    assert found.accuracy > 0.9
    swapped = paper_tstr_on_training_rows(synthetic, test_labels[::-1], train, labels)
    assert swapped.accuracy < 0.1


def test_they_are_diagnostics_outside_the_overall_score():
    assert {(spec.goal, spec.in_overall, spec.panel) for spec in paper_variants.TASK.metrics} == {
        ("diagnostic", False, "extended")
    }
    assert all(spec.name.startswith("paper_") for spec in paper_variants.TASK.metrics)
