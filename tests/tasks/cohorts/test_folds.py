"""Folds: stratified, patient-level, by name."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.dealing import assign_parts, deal_sites
from gexbench.tasks.cohorts.device_fold import put_on_device
from gexbench.tasks.cohorts.folds import ROLES, equal_size_rows, folds, share_of
from gexbench.tasks.cohorts.folds_file import read_folds
from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.errors import InputError


def make_cohort(n=300, seed=0, repeated_patients=False):
    rng = np.random.default_rng(seed)
    samples = np.array([f"P{i:04d}" for i in range(n)])
    groups = np.array([f"G{i // 2}" for i in range(n)]) if repeated_patients else samples
    project = rng.choice(["A", "B", "C"], n, p=[0.5, 0.3, 0.2])
    if repeated_patients:
        project = np.repeat(project[::2], 2)[:n]
    clinical = pd.DataFrame({"project": project, "tss": [f"{p}{rng.integers(8)}" for p in project]}, index=samples)
    parts = assign_parts(pd.Series(groups, index=samples), clinical["project"], clinical["tss"])
    return Cohort(
        name="small",
        unit=Unit("log2(tpm+1)"),
        expression=rng.random((n, 6), dtype=np.float32) * 5,
        genes=tuple("ABCDEF"),
        samples=samples,
        groups=groups,
        clinical=clinical.join(parts),
        label_columns=("project",),
        patches=None,
        text={},
        site_column="tss",
        provenance={},
    )


def test_parts_are_disjoint_stratified_and_rotate():
    cohort = make_cohort()
    made = folds(cohort)
    assert len(made) == 5
    assert sorted(sum((fold.test for fold in made), ())) == sorted(cohort.samples)
    labels = dict(zip(cohort.samples, cohort.labels("project"), strict=True))
    for fold, following in zip(made, made[1:] + made[:1], strict=True):
        parts = [set(getattr(fold, role)) for role in ROLES]
        assert set.union(*parts) == set(cohort.samples)
        assert sum(map(len, parts)) == len(cohort)
        assert fold.audit == following.test
        development = pd.Series([labels[name] for name in (*fold.train, *fold.validation)]).value_counts()
        held_out = pd.Series([labels[name] for name in fold.validation]).value_counts()
        assert held_out.to_dict() == (development / 5).round().astype(int).to_dict()
        counts = pd.Series([labels[name] for name in fold.test]).value_counts()
        for name, size in cohort.clinical["project"].value_counts().items():
            assert abs(counts[name] - size / 5) <= 1


def test_a_patients_part_does_not_depend_on_the_other_patients_order():
    cohort = make_cohort()
    order = np.random.default_rng(1).permutation(len(cohort))
    parts = assign_parts(
        pd.Series(cohort.groups, index=cohort.samples).iloc[order], cohort.clinical["project"].iloc[order]
    )
    assert (parts["fold_random"].loc[cohort.samples] == cohort.clinical["fold_random"]).all()


def test_samples_of_one_patient_never_cross_a_fold():
    cohort = make_cohort(repeated_patients=True)
    owner = dict(zip(cohort.samples, cohort.groups, strict=True))
    for fold in folds(cohort):
        owners = [{owner[name] for name in getattr(fold, role)} for role in ROLES]
        assert sum(map(len, owners)) == len(set.union(*owners))


def test_site_track_keeps_sites_whole_and_leaves_out_small_classes():
    cohort = make_cohort()
    sites = dict(zip(cohort.samples, cohort.labels("tss"), strict=True))
    labels = dict(zip(cohort.samples, cohort.labels("project"), strict=True))
    for fold in folds(cohort, "site"):
        used = [{sites[name] for name in getattr(fold, role)} for role in ROLES]
        assert sum(map(len, used)) == len(set.union(*used))
        kept = {labels[name] for name in fold.test}
        assert not kept & set(fold.left_out)
        counts = pd.Series([labels[name] for name in fold.test]).value_counts()
        assert (counts >= 8).all()
        assert {labels[name] for name in fold.validation} == kept


def test_sites_are_dealt_largest_first_to_the_emptiest_part():
    sizes = {"s1": 5, "s2": 4, "s3": 3, "s4": 2, "s5": 2, "s6": 1, "s7": 1}
    sites = {f"{site}-{i}": site for site, size in sizes.items() for i in range(size)}
    dealt = deal_sites(dict.fromkeys(sites, "A"), sites)
    part = {site: dealt[f"{site}-0"] for site in sizes}
    assert part == {"s1": 0, "s2": 1, "s3": 2, "s4": 3, "s5": 4, "s6": 3, "s7": 4}


def test_equal_size_rows_take_the_smaller_of_test_and_audit():
    cohort = make_cohort(n=303)
    labels = dict(zip(cohort.samples, cohort.labels("project"), strict=True))
    for fold in folds(cohort):
        test = np.array([labels[name] for name in fold.test])
        audit = np.array([labels[name] for name in fold.audit])
        rows = equal_size_rows(fold, test, audit)
        assert len(set(rows)) == len(rows)
        for name in "ABC":
            assert (test[rows] == name).sum() == min((test == name).sum(), (audit == name).sum())


def test_folds_of_a_file(tmp_path):
    cohort = make_cohort(n=100)
    ids = cohort.samples.tolist()
    path = tmp_path / "folds.json"
    given = {"train": ids[:40], "validation": ids[40:55], "test": ids[55:75], "audit": ids[75:]}
    path.write_text(json.dumps([given]))
    (fold,) = read_folds(path, cohort)
    assert {role: sorted(getattr(fold, role)) for role in ROLES} == given
    assert fold.hash() != folds(cohort)[0].hash()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fold: fold["test"].append("nobody"), r"1 ids are not in cohort small \(nobody\)"),
        (lambda fold: fold["test"].append(fold["train"][0]), "appear more than once"),
        (lambda fold: fold.pop("train"), "with the keys 'train' and 'test'"),
        (lambda fold: fold.update(tests=[]), "with the keys 'train' and 'test'"),
        (lambda fold: fold.update(test=[]), "at least one sample id"),
    ],
)
def test_bad_fold_files_are_refused(tmp_path, change, message):
    cohort = make_cohort(n=60)
    ids = cohort.samples.tolist()
    fold = {"train": ids[:6], "validation": ids[6:8], "test": ids[8:]}
    change(fold)
    path = tmp_path / "folds.json"
    path.write_text(json.dumps([fold]))
    with pytest.raises(InputError, match=message):
        read_folds(path, cohort)


def test_a_patient_in_two_parts_is_refused(tmp_path):
    cohort = make_cohort(n=120, repeated_patients=True)
    ids = cohort.samples.tolist()
    path = tmp_path / "folds.json"
    path.write_text(json.dumps([{"train": ids[:5], "validation": ids[5:7], "test": ids[7:]}]))
    with pytest.raises(InputError, match="2 patients are in two parts"):
        read_folds(path, cohort)


def test_scaling_uses_training_statistics_and_a_constant_gene_gives_zero():
    cohort = make_cohort()
    cohort.expression[:, 2] = 1.5
    made = put_on_device(cohort, folds(cohort)[0])
    train = made.train.standardised.numpy()
    keep = [0, 1, 3, 4, 5]
    np.testing.assert_allclose(train[:, keep].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(train[:, keep].std(0), 1, atol=1e-5)
    assert (train[:, 2] == 0).all()
    assert abs(made.validation.standardised[:, keep].mean()) > 1e-4
    back = made.train.standardiser.inverse(made.validation.standardised)
    np.testing.assert_allclose(back.numpy(), made.validation.expression.numpy(), atol=1e-5)


def test_a_swap_of_genes_or_patients_changes_the_fingerprint():
    cohort = make_cohort()
    swapped = make_cohort()
    swapped.expression[:, [0, 1]] = swapped.expression[:, [1, 0]]
    order = np.r_[1, 0, np.arange(2, len(cohort))]
    prints = {cohort.fingerprint(), swapped.fingerprint(), cohort.take(order).fingerprint()}
    assert len(prints) == 3
    assert cohort.fingerprint() == make_cohort().fingerprint()


def test_a_class_that_only_test_has_and_tiny_parts_are_refused(tmp_path):
    cohort = make_cohort(n=100)
    ids, labels = cohort.samples, cohort.labels("project")
    rest = ids[labels != "A"].tolist()
    path = tmp_path / "folds.json"
    path.write_text(json.dumps([{"train": rest[:20], "validation": rest[20:22], "test": ids[labels == "A"].tolist()}]))
    with pytest.raises(InputError) as caught:
        read_folds(path, cohort)
    assert len(caught.value.problems) == 3
    assert "in test but not in train: A" in str(caught.value)
    assert "at least 10 samples" in str(caught.value)


def test_a_share_keeps_few_patients_of_every_class_and_nests():
    cohort = make_cohort(600)
    fold = folds(cohort)[1]
    tenth, quarter = (share_of(fold, cohort, fraction) for fraction in (0.1, 0.25))
    labels = dict(zip(cohort.samples, cohort.labels("project"), strict=True))
    for part in ("train", "validation"):
        whole, more, few = (getattr(each, part) for each in (fold, quarter, tenth))
        assert set(few) < set(more) < set(whole)
        assert list(few) == [name for name in whole if name in set(few)]
        sizes, kept = (pd.Series([labels[name] for name in part]).value_counts() for part in (whole, few))
        for name, size in sizes.items():
            assert kept[name] == max(round(0.1 * size), min(5, size))
    assert tenth.test == fold.test
    with pytest.raises(ValueError, match="above 0"):
        share_of(fold, cohort, 0.0)


def test_a_share_holds_whole_patients_and_every_label_combination():
    cohort = make_cohort(600, repeated_patients=True)
    rng = np.random.default_rng(3)
    rare = pd.Series(cohort.groups).map(lambda name: "rare" if int(name[1:]) % 29 == 0 else "common").to_numpy()
    clinical = cohort.clinical.assign(kind=rare, other=rng.choice(["x", "y"], len(cohort)))
    both = replace(cohort, clinical=clinical, label_columns=("project", "kind"))
    fold = folds(both)[0]
    few = share_of(fold, both, 0.05)
    owner = dict(zip(both.samples, both.groups, strict=True))
    kept = {owner[name] for name in few.train}
    assert [name for name in fold.train if owner[name] in kept] == list(few.train)
    shown = clinical.loc[list(few.train), ["project", "kind"]].drop_duplicates()
    assert len(shown) == len(clinical.loc[list(fold.train), ["project", "kind"]].drop_duplicates())


def test_a_fit_on_a_share_sees_these_patients_alone_and_samples_for_all():
    cohort = make_cohort(600)
    fold = folds(cohort)[0]
    few = share_of(fold, cohort, 0.1)
    made = put_on_device(cohort, fold, train_fraction=0.1)
    assert made.names_of(made.train.conditions).tolist() == list(few.train)
    assert made.names_of(made.validation.conditions).tolist() == list(few.validation)
    assert made.names_of(made.train_conditions).tolist() == list(fold.train)
    rows = np.flatnonzero(np.isin(cohort.samples, few.train))
    np.testing.assert_allclose(made.train.standardiser.mean.numpy(), cohort.expression[rows].mean(axis=0), rtol=1e-5)
