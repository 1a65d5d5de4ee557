"""Sums by cluster: by hand, against the panel's metrics, and as records keep them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from gexbench.benchmark.cells.record import _scores
from gexbench.benchmark.cells.scoring import real_fold
from gexbench.benchmark.running.runner import _json
from gexbench.metrics.shared.clusters import cluster_sums
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.panel.declarations.rows import SyntheticRows
from gexbench.tasks.panel.evaluation import evaluate
from gexbench.tasks.panel.preparation import prepare


@pytest.fixture(scope="module")
def real(small_cohort):
    return real_fold(small_cohort, folds(small_cohort)[0])


@pytest.fixture(scope="module")
def result(real):
    draws = np.random.default_rng(0).normal(real.test[:, None, :], 0.5, (len(real.test), 19, len(real.genes)))
    rows = (real.train + np.random.default_rng(1).normal(size=real.train.shape)).astype(np.float32)
    apart = replace(real, left_out={real.finest: (str(np.unique(real.labels[real.finest].test)[0]),)})
    return apart, evaluate(prepare(apart, seed=3), SyntheticRows(real.test, rows, draws.astype(np.float16)))


def test_by_hand():
    values = np.array([1.0, 2.0, np.nan, 0.1234567, 4.0])
    found = cluster_sums(values, np.array(["b", "a", "c", "a", "b"]))
    assert found == {"a": (2, 2.12346), "b": (2, 5.0)}
    assert list(found) == ["a", "b"]


def test_sums_give_the_panels_metrics_and_leave_out_rows_that_were_not_tested(result):
    real, found = result
    key = f"tstr_lr_accuracy[{real.finest}]"
    assert set(found.per_cluster) == {"crps", key}
    tested = ~np.isin(real.labels[real.finest].test, real.left_out[real.finest])
    assert 0 < tested.sum() < len(tested)
    for name, rows in (("crps", np.ones_like(tested)), (key, tested)):
        sums = found.per_cluster[name]
        assert sum(count for count, _ in sums.values()) == rows.sum()
        assert sum(total for _, total in sums.values()) / rows.sum() == pytest.approx(
            found.values[name].value, rel=1e-5
        )
        sites, counts = np.unique(real.test_clusters[rows], return_counts=True)
        assert {site: count for site, (count, _) in sums.items()} == dict(
            zip(sites.tolist(), counts.tolist(), strict=True)
        )


def test_clusters_are_sites_and_without_sites_nameless_patients(small_cohort, real):
    fold = folds(small_cohort)[1]
    assert set(real.test_clusters) <= set(small_cohort.labels(small_cohort.site_column))
    groups = small_cohort.groups.copy()
    ids = list(fold.test[:2])
    groups[np.isin(small_cohort.samples, ids)] = groups[list(small_cohort.samples).index(ids[0])]
    without = replace(small_cohort, site_column=None, groups=groups)
    found = real_fold(without, fold).test_clusters
    assert len(np.unique(found)) == len(found) - 1
    assert found[0] == found[1]
    assert not any(str(name) in str(cluster) for name in small_cohort.samples for cluster in found)
    assert all(cluster.startswith("1.") for cluster in found)


def test_a_cluster_per_row_or_none(real):
    assert (replace(real, test_clusters=None).clusters == real.test_patients).all()
    with pytest.raises(ValueError, match="3 test_clusters for"):
        replace(real, test_clusters=np.array(["a", "b", "c"]))


def test_records_name_the_clusters_and_keep_a_line_for_each(small_cohort, result):
    _, found = result
    content = _scores(found, small_cohort)
    assert content["clusters"] == "site"
    assert _scores(found, replace(small_cohort, site_column=None))["clusters"] == "patient"
    assert _scores(None, small_cohort)["clusters"] is None
    text = _json(content["per_cluster"])
    sites = sum(len(each) for each in content["per_cluster"].values())
    assert len(text.splitlines()) <= sites + 10


def test_only_lists_of_numbers_are_put_on_a_line():
    content = {"a": [1, -2.5, 1e-7], "b": ["[\n 1\n]", "x"], "c": [[1, 2], []], "d": {"e": [True, None]}}
    assert json.loads(_json(content)) == content
    assert '"a": [1, -2.5, 1e-07],' in _json(content)
