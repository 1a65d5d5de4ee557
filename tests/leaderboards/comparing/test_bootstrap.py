"""The bootstrap over clusters against a slow loop, its coverage, and what a leaderboard shows of it."""

import copy

import numpy as np
import pytest

from gexbench.leaderboards.comparing.bootstrap import Clusters, clusters_of, compare
from gexbench.leaderboards.comparing.grid import grid_of
from gexbench.leaderboards.comparing.ranking import planned_pairs
from gexbench.leaderboards.comparing.table import leaderboard
from gexbench.leaderboards.pages.rendering import to_csv, to_html, to_markdown
from gexbench.leaderboards.records import RecordError, parse_record
from gexbench.leaderboards.statistics import holm

KEY, CRPS = "tstr_lr_accuracy[project]", "crps"
SITES = [f"S{number:02}" for number in range(24)]
PAIR = [(0, 1, "baseline")]


def _clusters(sums, rows):
    sums, rows = np.asarray(sums, dtype=float), np.asarray(rows, dtype=float)
    return Clusters(rows, sums, np.ones(sums.shape[:2], dtype=bool))


def test_against_a_slow_loop_over_draws_folds_and_clusters():
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 5, (3, 17))
    sums = rng.normal(size=(3, 3, 17)) * rows
    pairs = planned_pairs([0, 1], 2, 0)
    found = compare(_clusters(sums, rows), pairs, resamples=150, seed=4)
    kept = [cluster for cluster in range(17) if rows[:, cluster].sum()]
    weights = np.random.default_rng(4).multinomial(len(kept), np.full(len(kept), 1 / len(kept)), size=150)
    for at, (first, second, _) in enumerate(pairs):
        means = []
        for draw in weights:
            total, patients = 0.0, 0
            for times, cluster in zip(draw, kept, strict=True):
                for _ in range(times):
                    for fold in range(3):
                        total += sums[first, fold, cluster] - sums[second, fold, cluster]
                        patients += rows[fold, cluster]
            means.append(total / patients)
        below, above = sum(mean <= 0 for mean in means), sum(mean >= 0 for mean in means)
        row = found.loc[at]
        assert (row["patients"], row["clusters"]) == (rows.sum(), len(kept))
        assert row["difference"] == pytest.approx((sums[first] - sums[second]).sum() / rows.sum())
        assert [row["low"], row["high"]] == pytest.approx(list(np.percentile(means, [2.5, 97.5])))
        assert row["p"] == pytest.approx(min(1, 2 * (min(below, above) + 1) / 151))


def _world(rng, between, sites=60, each=8):
    """Differences of single patients, (sites, each), mean 0, sd 1, correlation `between`² within a site."""
    return between * rng.normal(size=(sites, 1)) + np.sqrt(1 - between**2) * rng.normal(size=(sites, each))


def _interval(values, clustered):
    sums = values.sum(axis=1) if clustered else values.ravel()
    rows = np.full(len(sums), values.size / len(sums))
    both = np.stack([sums, np.zeros_like(sums)])[:, None, :]
    return compare(_clusters(both, rows[None]), PAIR, resamples=400).loc[0]


def test_intervals_hold_the_truth_where_patients_of_a_site_resemble_one_another():
    rng = np.random.default_rng(1)
    inside = {True: 0, False: 0}
    for _ in range(120):
        values = _world(rng, between=0.7)
        for clustered in inside:
            row = _interval(values, clustered)
            inside[clustered] += bool(row["low"] <= 0 <= row["high"])
    assert inside[True] / 120 > 0.88
    assert inside[False] / 120 < 0.80


def test_clustering_widens_an_interval_only_where_clusters_correlate():
    rng = np.random.default_rng(2)
    ratio = {}
    for between in (0.0, 0.7):
        widths = {True: [], False: []}
        for _ in range(10):
            values = _world(rng, between)
            for clustered, found in widths.items():
                row = _interval(values, clustered)
                found.append(row["high"] - row["low"])
        ratio[between] = np.mean(widths[True]) / np.mean(widths[False])
    assert ratio[0.0] == pytest.approx(1, abs=0.1)
    # The design effect of 8 patients a site: sqrt(1 + 7 * 0.49).
    assert ratio[0.7] == pytest.approx(np.sqrt(1 + 7 * 0.49), rel=0.15)


def test_equal_generators_differ_by_nothing_and_unequal_ones_by_much():
    rng = np.random.default_rng(3)
    rows = rng.integers(1, 9, (2, 30))
    sums = rng.normal(size=(2, 30)) * rows
    same = compare(_clusters([sums, sums], rows), PAIR, 2000).loc[0]
    assert (same["difference"], same["low"], same["high"], same["p"]) == (0, 0, 0, 1)
    better = compare(_clusters([sums + rows, sums], rows), PAIR, 2000).loc[0]
    assert better["difference"] == pytest.approx(1)
    assert better["p"] == pytest.approx(2 / 2001)
    noisy = compare(_clusters([sums + rng.normal(size=(2, 30)), sums], rows), PAIR, 2000).loc[0]
    assert noisy["low"] < 0 < noisy["high"]


def test_only_shared_folds_count_and_one_cluster_has_no_interval():
    rows, sums = np.ones((2, 5)), np.arange(20.0).reshape(2, 2, 5)
    known = np.array([[True, True], [True, False]])
    found = compare(Clusters(rows, sums, known), PAIR, 2000).loc[0]
    assert (found["patients"], found["difference"]) == (5, -10)
    assert compare(Clusters(rows, sums, np.array([[True, False], [False, True]])), PAIR, 2000).empty
    alone = compare(_clusters([[[1.0]], [[0.0]]], [[4]]), PAIR, 2000).loc[0]
    assert alone["difference"] == 0.25
    assert np.isnan([alone["low"], alone["high"], alone["p"]]).all()


# Records


@pytest.fixture
def contents(make, references):
    model = {"recall_genes": 0.7, "frechet": 120.0, "correlation_mse": 0.01, "variance_ratio": 0.9}
    model |= {"detection_xgb": 0.95, KEY: 0.9, "copy_share": 0.0}
    worse = model | {"recall_genes": 0.5, "frechet": 200.0}
    named = (("model", model), ("worse", worse))
    seeds = [make(name, fold, values, seed) for name, values in named for fold in range(3) for seed in range(2)]
    return [*references(3), *seeds]


@pytest.fixture
def clustered(contents):
    """The records with sums by site: `model` names as many patients rightly as class-gaussian, `worse` fewer."""
    found = copy.deepcopy(contents)
    for content in found:
        if content["generator"]["name"] in ("gene-shuffle", "class-mean"):
            continue
        fold, repeat = content["fold"]["index"], content["repeat"]
        lost = {"worse": 1}.get(content["generator"]["name"], 0)
        draws = np.random.default_rng([fold, len(content["generator"]["name"]), repeat]).normal(size=len(SITES))
        sizes = {site: 2 + (number + fold) % 3 for number, site in enumerate(SITES)}
        content["clusters"] = "site"
        content["per_cluster"] = {
            KEY: {site: [size, float(size - lost)] for site, size in sizes.items()},
            CRPS: {
                site: [size, float(size * (0.5 + 0.1 * lost + 0.01 * draw))]
                for (site, size), draw in zip(sizes.items(), draws, strict=True)
            },
        }
        content["metrics"][CRPS] = {"value": 0.5, "reason": None, "version": 1}
    return found


def test_frame_of_a_leaderboard(clustered, parsed):
    frame = leaderboard(parsed(clustered)).patient_level
    assert set(frame["measure"]) == {KEY, CRPS}
    assert set(zip(frame["generator"], frame["against"], frame["role"], strict=True)) == {
        ("model", "class-gaussian", "baseline"),
        ("worse", "class-gaussian", "baseline"),
        ("worse", "model", "leader"),
    }
    patients = sum(2 + (number + fold) % 3 for fold in range(3) for number in range(len(SITES)))
    assert set(frame["patients"]) == {patients}
    assert set(frame["clusters"]) == {len(SITES)}
    exact = frame[frame["measure"] == KEY].set_index(["generator", "role"])
    assert exact.loc[("model", "baseline"), ["difference", "low", "high", "p"]].tolist() == [0, 0, 0, 1]
    assert exact.loc[("worse", "leader"), "difference"] == pytest.approx(-3 * len(SITES) / patients)
    assert exact.loc[("worse", "leader"), "high"] < 0
    for measure in (KEY, CRPS):
        mine = frame[frame["measure"] == measure]
        assert mine["p_holm"].tolist() == pytest.approx(holm(mine["p"].to_numpy()).tolist())


def test_seeds_are_averaged_and_sites_pooled_over_folds(clustered, parsed):
    records = [record for record in parsed(clustered) if record.generator.full_name in ("model", "worse")]
    found = clusters_of(grid_of(records, ["model", "worse"], range(3)), CRPS)
    assert found.rows.shape == (3, len(SITES))
    for fold in range(3):
        mine = [record for record in records if record.cell[:2] == ("model", fold)]
        for at, site in enumerate(SITES):
            expected = np.mean([record.per_cluster[CRPS][site][1] for record in mine])
            assert found.sums[0, fold, at] == pytest.approx(expected)


def test_sections_stand_where_records_keep_sums_and_nothing_changes_without(contents, clustered, parsed):
    records, without = parsed(clustered), parsed(contents)
    board, old = leaderboard(records), leaderboard(without)
    text, page = to_markdown(board), to_html(board, records)
    for made in (text, page):
        assert "Patient-level comparisons, clustered by site" in made
    assert "-0.3333 (" in text
    assert '"patient_level":{"measure":' in page
    assert old.patient_level.empty
    for made in (to_markdown(old), to_html(old, without), to_csv(old)):
        assert "atient-level" not in made
        assert "patient_level" not in made
    assert to_markdown(leaderboard(parsed(clustered))) == text


def test_cells_without_sums_are_left_out_of_a_pair(clustered, parsed):
    for content in clustered:
        if content["generator"]["name"] == "worse" and content["fold"]["index"] == 0:
            content["state"], content["reason"] = "failed", "diverged"
    frame = leaderboard(parsed(clustered)).patient_level
    whole, part = (set(frame.loc[frame["generator"] == name, "patients"]) for name in ("model", "worse"))
    assert len(whole) == len(part) == 1
    assert part.pop() < whole.pop()


def test_patients_as_clusters_are_named_so(clustered, parsed):
    for content in clustered:
        if "clusters" in content:
            content["clusters"] = "patient"
    assert "Patient-level comparisons, clustered by patient" in to_markdown(leaderboard(parsed(clustered)))


def test_records_that_disagree_or_are_ill_formed_are_refused(clustered, parsed):
    broken = copy.deepcopy(clustered)
    next(each for each in broken if each["generator"]["name"] == "worse")["per_cluster"][CRPS]["S00"][0] += 1
    with pytest.raises(RecordError, match="one fold counts other rows"):
        leaderboard(parsed(broken))
    content = next(each for each in clustered if "per_cluster" in each)
    for change, message in (
        ({"clusters": "hospital"}, "should be 'site' or 'patient'"),
        ({"per_cluster": {CRPS: {"S00": [0, 1.0]}}}, r"per_cluster\.crps.*S00"),
        ({"per_cluster": {CRPS: {"S00": [1, True]}}}, r"S00\.1: True is not a number"),
        ({"per_cluster": {CRPS: {"S00": 3}}}, r"S00: 3 is not a list"),
        ({"per_cluster": {"cprs": {}}}, "did you mean"),
        ({"per_cluster": [1]}, "not an object"),
        ({"clusters": None}, "site or patient"),
    ):
        with pytest.raises(RecordError, match=message):
            parse_record({**content, **change}, "x.json")


def test_the_order_of_records_has_no_say(clustered, parsed):
    first, second = (leaderboard(parsed(each)).patient_level for each in (clustered, clustered[::-1]))
    assert first.equals(second)
