"""Traps that other benchmarks fell into, the regression test of each, and those tests that fit no other file."""

import ast
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gexbench.benchmark.cells.scoring import prepare_fold, real_fold
from gexbench.benchmark.sweeps.planning import plan
from gexbench.benchmark.sweeps.sweep import sweep_of
from gexbench.metrics import distribution, structure, support
from gexbench.metrics.space import fit_space
from gexbench.models import registry
from gexbench.models.registry import create
from gexbench.tasks.cohorts.device_fold import put_on_device
from gexbench.tasks.cohorts.folds import folds, rows_of

ROOT = Path(__file__).resolve().parent
PACKAGES = ("benchmark", "leaderboards", "metrics", "models", "tasks")

TRAPS = {
    "scoring on training rows; choosing checkpoints or settings on test; tuning on another fold's test": (
        "tasks/panel/test_panel.py::test_only_metrics_that_say_so_see_training_rows",
        "test_traps.py::test_what_fit_gets_does_not_depend_on_test_rows",
        "test_traps.py::test_a_metric_of_the_training_rows_is_no_score",
        "benchmark/tuning/test_tuning.py::test_a_trial_sees_training_and_validation_patients_only",
        "benchmark/sweeps/test_tuned_rows.py::test_default_and_tuned_rows_stand_in_one_table",
        "benchmark/sweeps/test_tuned_rows.py::test_what_a_sweep_refuses",
        "models/training/test_training_run.py::test_the_best_checkpoint_is_kept_and_reported",
    ),
    "PCA, scalers or neighbours fitted separately for the sets that are compared": (
        "tasks/panel/test_panel.py::test_space_is_fitted_on_training_rows_alone",
        "test_traps.py::test_a_shift_and_a_stretch_are_not_scaled_away",
    ),
    "genes aligned by position; a cache key without the seed, the metric's version or the names": (
        "tasks/importing/test_importing.py::test_rows_align_by_name",
        "metrics/test_distribution.py::test_genes_aligned_by_position_are_told_apart",
        "benchmark/running/test_isolation.py::test_a_generator_that_goes_wrong_costs_its_own_cell",
        "tasks/panel/test_panel.py::test_cache_is_json_and_is_ignored_for_other_data",
        "benchmark/sweeps/test_sweep.py::test_keys_hold_what_changes_numbers",
        "benchmark/sweeps/test_sweep.py::test_a_key_holds_the_metrics_versions_and_the_rows_key_does_not",
        "test_traps.py::test_keys_hold_the_seed_the_settings_and_the_data",
    ),
    "MMD of a fixed width": (
        "metrics/test_distribution.py::test_mmd_width_follows_the_data_so_that_many_genes_still_differ",
    ),
    "the root of an asymmetric product": (
        "metrics/test_distribution.py::test_frechet_against_sqrtm_of_the_product",
        "metrics/test_distribution.py::test_frechet_by_nuclear_norm_and_by_eigenvalues_agree_below_full_rank",
        "test_traps.py::test_frechet_is_real_and_quick_with_more_genes_than_rows",
    ),
    "recall and precision swapped; constant genes dropped": (
        "metrics/test_support.py::test_by_hand_precision_is_not_recall",
        "metrics/test_properties.py::test_who_is_real",
        "metrics/test_structure.py::test_a_constant_gene_correlates_with_nothing_and_is_counted",
        "test_traps.py::test_a_collapsed_gene_costs",
    ),
    "a privacy score against ½ of sets that differ": (
        "metrics/test_membership.py::test_a_generator_that_remembers_nothing_meets_the_null",
        "metrics/test_membership.py::test_as_many_members_as_non_members_of_every_class",
        "tasks/panel/questions/test_augmentation.py::test_the_site_held_out_track_has_no_membership_null",
        "metrics/test_membership.py::test_shares_of_copies_of_either_side",
    ),
    "a time limit that kills nothing; one failure that ends all; a failure that vanishes or is kept as a result": (
        "benchmark/running/test_isolation.py::test_a_generator_that_does_not_end_costs_its_own_cell",
        "benchmark/running/test_isolation.py::test_a_generator_that_goes_wrong_costs_its_own_cell",
        "leaderboards/comparing/test_table.py::test_a_failed_and_a_missing_cell_score_zero_and_are_shown",
        "benchmark/running/test_isolation.py::test_failures_are_no_results_and_the_named_states_are_tried_again",
    ),
    "population sd over folds; seeds of one fold as folds; naive t": (
        "leaderboards/comparing/test_statistics.py::test_half_width_by_hand",
        "leaderboards/comparing/test_statistics.py::test_false_alarms_over_folds_that_share_training_patients",
        "leaderboards/comparing/test_table.py::test_more_seeds_of_a_fold_are_no_more_folds",
        "tasks/panel/test_scores.py::test_discrimination_needs_five_sample_sds",
    ),
    "a fingerprint blind to order and names; the salted hash": (
        "tasks/cohorts/test_folds.py::test_a_swap_of_genes_or_patients_changes_the_fingerprint",
        "tasks/cohorts/test_seeds_names_units.py::test_seeds_do_not_depend_on_the_process",
        "test_traps.py::test_nothing_calls_the_salted_hash",
    ),
    "a trivial reference that is not the worst": (
        "tasks/panel/test_scores.py::test_cell_score_by_hand_takes_the_worse_reference_per_metric",
        "tasks/panel/test_scores.py::test_worst_depends_on_the_direction",
    ),
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_every_trap_has_its_tests(trap):
    for test in TRAPS[trap]:
        file, name = test.split("::")
        tree = ast.parse((ROOT / file).read_text())
        assert name in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}, test


def test_what_fit_gets_does_not_depend_on_test_rows(small_cohort):
    """A cohort whose test expression is garbage puts the same tensors on the device and trains the same model."""
    fold = folds(small_cohort)[2]
    expression = small_cohort.expression.copy()
    expression[rows_of(small_cohort, fold.test)] = 1e6
    sampled = []
    for cohort in (small_cohort, replace(small_cohort, expression=expression)):
        device = put_on_device(cohort, fold, fingerprint="same")
        generator = create(registry()["class-gaussian"], "quick")
        generator.fit(device.train, device.validation, seed=0)
        sampled.append((device.checksum(), generator.sample(device.test_conditions, seed=1).expression.tobytes()))
        assert float(torch.cat([device.train.expression, device.validation.expression]).max()) < 1e3
    assert sampled[0] == sampled[1]


def test_a_metric_of_the_training_rows_is_no_score(small_cohort):
    """The set metrics' real side is the test patients, and none of them is a training or validation patient."""
    for index in range(5):
        real = real_fold(small_cohort, folds(small_cohort)[index])
        assert not {*real.train_ids, *real.validation_ids} & {*real.test_ids, *real.audit_ids}
    prepared = prepare_fold(small_cohort, folds(small_cohort)[0], "small")
    rows = prepared.rows
    expected = prepared.space.standardise(rows.test[rows.set_rows], "test")
    assert np.array_equal(prepared.real, expected)
    assert np.array_equal(prepared.biology.rows, rows.test[rows.set_rows])


def test_a_shift_and_a_stretch_are_not_scaled_away():
    """Scaled by their own statistics both sets would be alike; in the space of the training rows they are not."""
    rng = np.random.default_rng(0)
    train, real, fair = (rng.normal(5, 2, size=(150, 20)) for _ in range(3))
    space = fit_space(train)
    scaled = {
        name: space.standardise(rows, name)
        for name, rows in {"real": real, "fair": fair, "shifted": fair + 2, "stretched": 5 + 3 * (fair - 5)}.items()
    }
    assert distribution.frechet(scaled["real"], scaled["fair"]) < 2
    for name in ("shifted", "stretched"):
        assert distribution.frechet(scaled["real"], scaled[name]) > 10
        assert support.coverage(scaled["real"], scaled[name]) < 0.7 * support.coverage(scaled["real"], scaled["fair"])
        projected = [space.project(scaled[each]) for each in ("real", "fair", name)]
        assert support.coverage(projected[0], projected[2]) < 0.7 * support.coverage(projected[0], projected[1])


def test_keys_hold_the_seed_the_settings_and_the_data(small_cohort):
    def keys(print_="print", **values):
        made = sweep_of(registry(), generators=("mixup",), cohort="small", folds=(0,), **values)
        cells = plan(made, registry(), small_cohort, print_).cells
        return [cell.train_key for cell in cells if cell.entry.name == "mixup"]

    base = keys(repeats=2)
    assert len(set(base)) == 2
    assert keys()[0] == base[0]
    assert not set(base) & {*keys("another print", repeats=2)}


def test_frechet_is_real_and_quick_with_more_genes_than_rows(monkeypatch):
    """680 genes, ranks far below them: no complex root, no minute of work, and the value of the part with variance."""
    import scipy.linalg

    monkeypatch.setattr(scipy.linalg, "sqrtm", None)
    rng = np.random.default_rng(1)
    flat = np.zeros((60, 680))
    x, y = flat.copy(), flat.copy()
    x[:, :8], y[:, :8] = rng.normal(size=(60, 8)), rng.normal(size=(60, 8)) @ rng.normal(size=(8, 8)) + 1
    noise = [rng.normal(size=(size, 680)) for size in (60, 60, 400, 400)]
    began = time.process_time()
    assert distribution.frechet(x, y) == pytest.approx(distribution.frechet(x[:, :8], y[:, :8]), rel=1e-6)
    values = [distribution.frechet(noise[0], noise[1]), distribution.frechet(noise[2], noise[3])]
    assert time.process_time() - began < 5
    assert all(isinstance(value, float) and np.isfinite(value) and value > 0 for value in values)


def test_a_collapsed_gene_costs():
    """A generator must not gain by making a gene constant, as it would where NaN correlations are dropped."""
    rng = np.random.default_rng(2)
    loadings = rng.normal(size=(4, 15))
    real, fair = (rng.normal(size=(400, 4)) @ loadings + rng.normal(size=(400, 15)) for _ in range(2))
    collapsed = fair.copy()
    collapsed[:, :5] = 0.3
    assert structure.correlation_mse(real, collapsed) > 5 * structure.correlation_mse(real, fair)
    assert structure.correlation_gamma(real, collapsed) < structure.correlation_gamma(real, fair) - 0.1
    assert structure.strong_pairs_mae(real, collapsed) > 3 * structure.strong_pairs_mae(real, fair)


@pytest.mark.skipif(not (ROOT.parent / "metrics").exists(), reason="needs the source tree")
def test_nothing_calls_the_salted_hash():
    """`hash` of text differs between processes; `__hash__` itself may use it."""
    found = []
    for path in (path for name in PACKAGES for path in (ROOT.parent / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hash":
                found.append(f"{path.relative_to(ROOT.parent)}:{node.lineno}")
    assert found == []
