"""Classification and augmentation in the panel `extended`, and how it is prepared, cached and wired."""

import json
from dataclasses import replace

import numpy as np
import pytest

from gexbench.benchmark.cells.scoring import real_fold
from gexbench.metrics.classifiers import fit_classifier, fit_perceptron, train_and_test
from gexbench.metrics.detection import Detection
from gexbench.tasks.cohorts.folds import ROLES, folds
from gexbench.tasks.cohorts.folds_file import read_folds
from gexbench.tasks.panel.catalogue import lookup, panel_specifications
from gexbench.tasks.panel.declarations.comparison import Comparison
from gexbench.tasks.panel.declarations.rows import SyntheticRows
from gexbench.tasks.panel.evaluation import evaluate
from gexbench.tasks.panel.preparation import fingerprint, prepare
from gexbench.tasks.panel.questions.augmentation import RELEASE_SIZES, few_patients, release
from gexbench.tasks.panel.questions.classification import MEASURES
from gexbench.tasks.panel.questions.detection import _detect


@pytest.fixture(scope="module")
def real(small_cohort):
    return real_fold(small_cohort, folds(small_cohort)[0])


@pytest.fixture(scope="module")
def prepared(real):
    return prepare(real, seed=3, panel="extended")


@pytest.fixture(scope="module")
def copies(real):
    """Every part of the real fold as if it were synthetic: each task then meets TRTR."""
    return SyntheticRows(real.test, real.train, None)


@pytest.fixture(scope="module")
def result(prepared, copies):
    return evaluate(prepared, copies, panel="extended")


def _value(result, key):
    assert result.values[key].reason is None, result.values[key].reason
    return result.values[key].value


def test_every_utility_of_the_panel_has_a_value_recalls_and_anchors(real, result):
    utility = {spec.name for spec in panel_specifications("extended") if spec.family == "utility"}
    found = {key for key, metric in result.values.items() if lookup(key).family == "utility"}
    assert {lookup(key).name for key in found} == utility
    assert {f"tstr_xgb_accuracy[{label}]" for label in real.labels} <= found
    for key in found:
        low, high = lookup(key).range
        assert low <= _value(result, key) <= high
        for anchor in ("trtr", "majority"):
            assert (key in result.reference_values[anchor]) == (lookup(key).ceiling == "trtr"), key
    tasks = [f"{task}_recall[{label}]" for task in ("tstr_mlp", "trts_lr", "augmented_lr") for label in real.labels]
    for key in (*tasks, *(f"release_recall_{size}" for size in RELEASE_SIZES)):
        assert set(result.per_class[key]) <= {name for parts in real.labels.values() for name in parts[2]}


def test_real_rows_reach_the_ceilings_exactly(real, result):
    trtr = result.reference_values["trtr"]
    for label in real.labels:
        for measure in MEASURES:
            for task in ("tstr_mlp", "tstr_xgb", "trts_lr"):
                key = f"{task}_{measure}[{label}]"
                assert _value(result, key) == trtr[key]
            assert trtr[f"augmented_lr_{measure}[{label}]"] == trtr[f"tstr_lr_{measure}[{label}]"]
        assert trtr[f"tstr_mlp_accuracy[{label}]"] > result.reference_values["majority"][f"tstr_mlp_accuracy[{label}]"]


def test_augmented_by_hand(prepared, real, copies):
    label, noise = real.finest, np.random.default_rng(0).normal(size=real.train.shape)
    rows = (real.train + noise).astype(np.float32)
    found = evaluate(prepared, replace(copies, train=rows), panel="extended")
    train, test = prepared.space.standardise(real.train, "train"), prepared.test
    both = np.concatenate([train, prepared.space.standardise(rows, "synthetic")])
    labels, truth = real.labels[label].train, real.labels[label].test
    names = np.concatenate([labels, labels])
    expected = train_and_test("lr", both, names, test, truth, left_out=real.left_out[label])
    assert _value(found, f"augmented_lr_accuracy[{label}]") == expected.accuracy
    gain = expected.accuracy - found.reference_values["trtr"][f"tstr_lr_accuracy[{label}]"]
    assert _value(found, f"augmented_lr_gain[{label}]") == pytest.approx(gain)
    assert found.per_class[f"augmented_lr_recall[{label}]"] == expected.recall


def test_trts_rewards_class_means_and_so_stays_out_of_the_score(prepared, real, copies):
    label = real.finest
    train, test = real.labels[label].train, real.labels[label].test
    means = np.stack([real.train[train == name].mean(axis=0) for name in test])
    found = evaluate(prepared, replace(copies, test=means), panel="extended")
    assert _value(found, f"trts_lr_accuracy[{label}]") > found.reference_values["trtr"][f"trts_lr_accuracy[{label}]"]
    assert not any(lookup(f"trts_lr_{measure}").in_overall for measure in MEASURES)


def test_few_patients_are_nested_balanced_and_blind_to_the_order_of_rows():
    ids, labels = np.array([f"P{i}" for i in range(60)]), np.array(["a", "b", "c"])[np.arange(60) % 3]
    labels[30:] = "a"
    chosen = {size: set(ids[few_patients(ids, labels, size, "x")]) for size in (2, 5, 25)}
    assert chosen[2] < chosen[5] < chosen[25]
    assert [sum(labels[int(name[1:])] == each for name in chosen[25]) for each in "abc"] == [25, 10, 10]
    order = np.random.default_rng(1).permutation(60)
    assert set(ids[order][few_patients(ids[order], labels[order], 5, "x")]) == chosen[5]
    assert set(ids[few_patients(ids, labels, 5, "y")]) != chosen[5]


def test_release_gains_from_good_rows_and_loses_by_swapped_ones(prepared, real):
    train, label = prepared.training.rows, real.finest
    swapped = {name: train[real.labels[label].train == name] for name in np.unique(real.labels[label].train)}
    names = sorted(swapped)
    wrong = np.stack(
        [np.resize(swapped[names[names.index(name) - 1]], (len(train), train.shape[1]))[row]
         for row, name in enumerate(real.labels[label].train)]
    )  # fmt: skip
    for size in (2, 10):
        alone, good, bad = (release(real, train, rows, prepared.test, size, 3) for rows in (None, train, wrong))
        assert alone.accuracy == prepared.extended.release[str(size)]
        assert alone.accuracy <= good.accuracy + 0.02
        assert bad.accuracy < good.accuracy - 0.1
        assert good.recall.keys() == alone.recall.keys()
    sizes = [prepared.extended.release[str(size)] for size in RELEASE_SIZES]
    assert sizes[0] < sizes[-1]


def test_release_by_hand(result, prepared, real):
    label, accuracies = real.finest, []
    labels, truth = real.labels[label].train, real.labels[label].test
    rows = prepared.training.rows
    for draw in range(3):
        few = few_patients(real.train_ids, labels, 5, f"release/3/{draw}")
        fitted = fit_classifier(
            "lr",
            np.concatenate([rows[few], rows]),
            np.concatenate([labels[few], labels]),
            left_out=real.left_out[label],
        )
        accuracies.append(fitted.test(prepared.test, truth).accuracy)
    assert _value(result, "release_accuracy_5") == pytest.approx(np.mean(accuracies))
    alone = result.extra["release_real_only_accuracy_5"]
    assert _value(result, "release_gain_5") == pytest.approx(np.mean(accuracies) - alone)


def test_core_pays_nothing_and_its_cache_serves_extended(prepared, real, copies, result, monkeypatch):
    with monkeypatch.context() as patch:
        for name in ("_extended_part", "real_classifiers"):
            patch.setattr(f"gexbench.tasks.panel.preparation.{name}", None)
        core = prepare(real, seed=3)
    assert core.extended is None
    assert set(core.cacheable) == {"fingerprint", "values"}
    kept = json.loads(json.dumps(prepared.cacheable, allow_nan=False))
    with monkeypatch.context() as patch:
        patch.setattr("gexbench.tasks.panel.preparation._core_anchors", None)
        again = prepare(real, seed=3, panel="extended", cached=core.cacheable)
        patch.setattr("gexbench.tasks.panel.preparation.anchor_values", None)
        third = prepare(real, seed=3, panel="extended", cached=kept)
    assert third.cacheable == prepared.cacheable
    assert third.extended.release == prepared.extended.release
    assert again.cacheable == prepared.cacheable
    of_core = evaluate(prepared, copies)
    assert of_core.reference_values == core.reference_values
    assert of_core.values == {key: value for key, value in result.values.items() if key in of_core.values}
    with pytest.raises(ValueError, match="prepared for the panel 'core'"):
        evaluate(core, copies, panel="extended")


def test_versions_of_extended_metrics_leave_the_core_part_alone(real, monkeypatch):
    before = {panel: fingerprint(real, 3, panel) for panel in ("core", "extended")}
    changed = [
        replace(spec, version=spec.version + 1) if spec.name == "tstr_mlp_accuracy" else spec
        for spec in panel_specifications("extended")
    ]
    monkeypatch.setattr("gexbench.tasks.panel.catalogue.CATALOGUE", tuple(changed))
    after = {panel: fingerprint(real, 3, panel) for panel in ("core", "extended")}
    assert before["core"] == after["core"]
    assert before["extended"] != after["extended"]


def test_reasons(prepared, real, copies):
    found = evaluate(prepared, copies, panel="extended", conditional=False).values
    assert all("unconditional" in found[key].reason for key in found if lookup(key).family == "utility")
    site = replace(prepared, rows=replace(real, exchangeable=False))
    drawn = replace(copies, paired=np.repeat(copies.test[:, None, :], 19, axis=1))
    found = evaluate(replace(site, training=None), drawn, panel="extended").values
    assert "not dealt at random" in found["membership_tpr"].reason
    for key, metric in found.items():
        if lookup(key).panel == "extended" and "training" in lookup(key).needs and "members" not in lookup(key).needs:
            assert metric.reason == "not applicable: training rows are withheld", key


def test_the_site_held_out_track_has_no_membership_null(small_cohort):
    assert real_fold(small_cohort, folds(small_cohort)[0]).exchangeable is True
    assert real_fold(small_cohort, folds(small_cohort, "site")[0]).exchangeable is False


def test_of_a_users_folds_it_is_not_known(small_cohort, tmp_path):
    dealt = folds(small_cohort)[0]
    lists = {part: list(getattr(dealt, part)) for part in ROLES}
    (tmp_path / "folds.json").write_text(json.dumps([lists]))
    assert real_fold(small_cohort, read_folds(tmp_path / "folds.json", small_cohort)[0]).exchangeable is None


def test_samples_of_one_patient_share_a_group(small_cohort):
    fold = folds(small_cohort)[0]
    alone = real_fold(small_cohort, fold)
    assert (alone.test_patients == alone.test_ids).all()
    first, second = fold.test[:2]
    groups = small_cohort.groups.copy()
    groups[np.isin(small_cohort.samples, [first, second])] = "somebody"
    renamed = replace(small_cohort, groups=np.char.add(groups, "-patient"))
    shared = real_fold(renamed, fold)
    assert (shared.test_patients[2:] == shared.test_ids[2:]).all()
    assert shared.test_patients[1] == shared.test_patients[0]


def test_the_perceptron_is_repeatable_quiet_and_leaves_global_randomness_alone(recwarn):
    rng = np.random.default_rng(4)
    rows, codes = rng.normal(size=(40, 5)), np.arange(40) % 2
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    one, two = (fit_perceptron(rows, codes, 7).predict_proba(rows.astype(np.float32)) for _ in range(2))
    assert (one == two).all()
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert not recwarn.list


def test_detection_folds_go_by_patient(prepared, real, copies, monkeypatch):
    patients = np.array([f"patient {row // 2}" for row in range(len(real.test_ids))])
    seen = []

    def detect(rows, synthetic, groups, **_):
        seen.append(groups)
        return Detection(0.5, 0.1)

    monkeypatch.setattr("gexbench.metrics.detection.detect", detect)
    fold = replace(prepared, rows=replace(real, test_groups=patients))
    _detect(Comparison(fold, copies, prepared.test))
    assert len(seen) == 4
    assert all((groups == patients[real.set_rows]).all() for groups in seen)
    with pytest.raises(ValueError, match="test_groups for"):
        replace(real, test_groups=patients[:-1])


def test_rows_of_a_scarce_fit_join_the_few_real_ones(real, prepared, copies):
    few = few_patients(real.train_ids, real.labels[real.finest].train, 5, "some")
    synthetic = replace(copies, fitted_ids=real.train_ids[few])
    result = evaluate(prepared, synthetic)
    assert {key for key in result.values if lookup(key).panel == "scarce"} == {"scarce_accuracy", "scarce_gain"}
    labels, truth = real.labels[real.finest].train, real.labels[real.finest].test
    train, test = prepared.training.rows, prepared.test
    alone = train_and_test("lr", train[few], labels[few], test, truth, left_out=real.left_out[real.finest], seed=3)
    both = np.concatenate([np.arange(len(train)), few])
    joined = train_and_test("lr", train[both], labels[both], test, truth, left_out=real.left_out[real.finest], seed=3)
    assert result.extra["scarce_real_only_accuracy"] == alone.accuracy
    assert _value(result, "scarce_accuracy") == pytest.approx(joined.accuracy, abs=0.03)
    assert _value(result, "scarce_gain") == pytest.approx(joined.accuracy - alone.accuracy, abs=0.03)
    assert "scarce_accuracy" not in evaluate(prepared, copies).values


def test_membership_has_no_value_after_a_scarce_fit(real, prepared, copies):
    fitted = replace(copies, fitted_ids=real.train_ids[:20])
    result = evaluate(prepared, fitted, panel="extended")
    for key, metric in result.values.items():
        if "members" in lookup(key).needs:
            assert metric.reason.startswith("not applicable: the generator was fitted on fewer patients")
