"""Who sees what: dealing depends on names alone, and a generator learns nothing but the conditions."""

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.dealing import assign_parts, most_frequent, one_in_five, sites_of_one_in_five
from gexbench.tasks.cohorts.device_fold import put_on_device
from gexbench.tasks.cohorts.folds import ROLES, Fold, folds
from gexbench.tasks.cohorts.folds_file import read_folds
from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.errors import InputError

CLASSES = {"A": 60, "B": 25, "C": 5, "D": 4, "E": 1}


def cohort_of(order: Any, prefix: str = "P", classes: dict[str, int] = CLASSES) -> Cohort:
    """Patients of these classes in some order of rows; every sixth has two samples, of another class the second."""
    kinds = [name for name, size in classes.items() for _ in range(size)]
    rows = [(f"{prefix}{i:03d}-1", f"{prefix}{i:03d}", kind) for i, kind in enumerate(kinds)]
    rows += [(f"{patient}-2", patient, "B") for _, patient, kind in rows[::6] if kind == "A"]
    frame = pd.DataFrame(rows, columns=["sample", "patient", "kind"]).set_index("sample")
    frame["site"] = [f"S{sum(map(ord, patient)) % 12:02d}" for patient in frame["patient"]]
    frame = frame.iloc[np.argsort(order(len(frame)), kind="stable")]
    parts = assign_parts(frame["patient"], frame["kind"], frame["site"])
    return Cohort(
        name="made",
        unit=Unit("log2(tpm+1)"),
        expression=np.ones((len(frame), 3), dtype=np.float32),
        genes=("G1", "G2", "G3"),
        samples=frame.index.to_numpy(dtype=str),
        groups=frame["patient"].to_numpy(dtype=str),
        clinical=frame[["kind", "site"]].join(parts),
        label_columns=("kind",),
        patches=None,
        text={},
        site_column="site",
        provenance={},
    )


def shuffled(seed: int) -> Any:
    return lambda n: np.random.default_rng(seed).permutation(n)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**31))
def test_the_order_of_rows_changes_no_fold(seed: int) -> None:
    first, other = cohort_of(np.arange), cohort_of(shuffled(seed))
    for track in ("random", "site"):
        assert folds(first, track) == folds(other, track)


@settings(deadline=None, max_examples=20)
@given(st.text(alphabet="ABXYZ0123456789.-_", min_size=1, max_size=6))
def test_whatever_the_names_folds_stand_and_rare_classes_train(prefix: str) -> None:
    cohort = cohort_of(np.arange, prefix)
    label = dict(zip(cohort.samples.tolist(), cohort.labels("kind").tolist(), strict=True))
    owner = dict(zip(cohort.samples.tolist(), cohort.groups.tolist(), strict=True))
    for fold in folds(cohort):
        classes = {role: {label[name] for name in getattr(fold, role)} for role in ROLES}
        assert classes["train"] == set(CLASSES)
        assert classes["test"] == classes["audit"] == set("ABC")
        assert {"D", "E"} == set(fold.left_out)
        patients = [{owner[name] for name in getattr(fold, role)} for role in ROLES]
        assert sum(map(len, patients)) == len(set.union(*patients)) == len(set(cohort.groups))


@settings(deadline=None)
@given(st.dictionaries(st.text("ab01", min_size=1, max_size=9), st.sampled_from("xyz"), max_size=60))
def test_one_in_five_of_every_class_nests_in_no_order(classes: dict[str, str]) -> None:
    chosen = one_in_five(classes, "salt")
    assert chosen == one_in_five(dict(reversed(classes.items())), "salt")
    for kind in set(classes.values()):
        mine = {name for name, of in classes.items() if of == kind}
        assert len(chosen & mine) == max(round(len(mine) / 5), int(len(mine) > 1))


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 999), st.integers(0, 12), min_size=2, max_size=80))
def test_one_in_five_by_sites_takes_whole_sites(given_sites: dict[int, int]) -> None:
    sites = {str(name): f"s{site}" for name, site in given_sites.items()}
    chosen = sites_of_one_in_five(dict.fromkeys(sites, "x"), sites, "salt")
    taken = {sites[name] for name in chosen}
    assert chosen == {name for name, site in sites.items() if site in taken}
    if len(set(sites.values())) > 1:
        assert chosen
        smallest = pd.Series(sites).value_counts().min()
        assert len(chosen) < max(2 * len(sites) / 5, smallest + 1)


def test_a_patient_has_its_most_frequent_class_ties_by_name() -> None:
    groups = pd.Series(["p", "p", "p", "q", "q"])
    values = pd.Series(["tumour", "normal", "tumour", "tumour", "normal"])
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0]):
        assert most_frequent(groups.iloc[order], values.iloc[order]) == {"p": "tumour", "q": "normal"}


def test_fewer_than_sixty_patients_cannot_be_judged(tmp_path: Path) -> None:
    few = cohort_of(np.arange, classes={"A": 30, "B": 29})
    (tmp_path / "folds.json").write_text("[{}]")
    for ask in (lambda: folds(few), lambda: read_folds(tmp_path / "folds.json", few)):
        with pytest.raises(InputError, match=r"59 patients are too few to judge a generator.*at least 60"):
            ask()
    assert len(folds(cohort_of(np.arange, classes={"A": 31, "B": 29}))) == 5


def _read(tmp_path: Path, cohort: Cohort, **parts: list[str]) -> Fold:
    (tmp_path / "folds.json").write_text(json.dumps([parts]))
    return read_folds(tmp_path / "folds.json", cohort)[0]


def test_a_users_fold_without_audit_gets_one_before_validation_is_dealt(tmp_path: Path) -> None:
    cohort = cohort_of(np.arange, classes={"A": 80, "B": 40})
    dealt = folds(cohort)[0]
    development = [*dealt.train, *dealt.validation, *dealt.audit]
    fold = _read(tmp_path, cohort, train=development, test=list(dealt.test))
    owner = dict(zip(cohort.samples.tolist(), cohort.groups.tolist(), strict=True))
    patients = {role: {owner[name] for name in getattr(fold, role)} for role in ROLES}
    everyone = set.union(*patients.values())
    assert sum(map(len, patients.values())) == len(everyone) == 120
    assert [len(patients[role]) for role in ("audit", "validation", "train")] == [19, 15, 62]
    kept = _read(tmp_path, cohort, train=list(dealt.train), validation=list(dealt.validation), test=list(dealt.test))
    assert set(kept.validation) < set(dealt.validation)
    assert set(kept.train) < set(dealt.train)
    assert not set(kept.audit) & {*kept.train, *kept.validation, *kept.test}
    other = _read(
        tmp_path, cohort_of(shuffled(3), classes={"A": 80, "B": 40}), train=development, test=list(dealt.test)
    )
    assert other == fold


def test_where_the_users_test_sites_stay_apart_audit_and_validation_are_whole_sites(tmp_path: Path) -> None:
    cohort = cohort_of(np.arange, classes={"B": 150})
    site = dict(zip(cohort.samples.tolist(), cohort.labels("site").tolist(), strict=True))
    test = [name for name in site if site[name] in {"S00", "S01", "S02"}]
    fold = _read(tmp_path, cohort, train=[name for name in site if name not in test], test=test)
    sites = [{site[name] for name in getattr(fold, role)} for role in ROLES]
    assert sum(map(len, sites)) == len(set.union(*sites)) == 12


def _reachable(thing: Any, seen: set[int]) -> Iterator[Any]:
    """Everything that a split leads to: fields, items, elements."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    yield thing
    if is_dataclass(thing) and not isinstance(thing, type):
        for field in fields(thing):
            yield from _reachable(getattr(thing, field.name), seen)
    elif isinstance(thing, dict):
        for pair in thing.items():
            yield from _reachable(pair, seen)
    elif isinstance(thing, tuple | list | set | frozenset):
        for each in thing:
            yield from _reachable(each, seen)


def test_no_barcode_site_or_order_reaches_a_generator(small_cohort: Cohort) -> None:
    fold = folds(small_cohort)[0]
    held = put_on_device(small_cohort, fold)
    shown = (held.train, held.validation, held.test_conditions, held.train_conditions)
    words: set[str] = set()
    for thing in _reachable(shown, set()):
        if isinstance(thing, str):
            words.add(thing)
        elif isinstance(thing, np.ndarray) and thing.dtype.kind in "US":
            words |= set(thing.tolist())
    secrets = {*small_cohort.samples.tolist(), *small_cohort.groups.tolist(), *small_cohort.labels("tss").tolist()}
    assert not words & secrets
    places = {name: row for row, name in enumerate(small_cohort.samples.tolist())}
    for ids, conditions in ((fold.train, held.train_conditions), (fold.test, held.test_conditions)):
        at = np.array([places[name] for name in ids])
        for visible in (np.arange(len(ids)), conditions.rows.numpy(), np.argsort(np.argsort(conditions.ids))):
            assert abs(np.corrcoef(at, visible)[0, 1]) < 4 / np.sqrt(len(ids))


def test_ids_are_stable_within_a_fold_and_differ_between_folds(small_cohort: Cohort) -> None:
    first, second = (put_on_device(small_cohort, fold) for fold in folds(small_cohort)[:2])
    again = put_on_device(small_cohort, first.fold, train_fraction=0.5)
    assert set(again.train.conditions.ids) < set(first.train.conditions.ids)
    assert not set(first.train.conditions.ids) & set(second.train.conditions.ids)
    assert first.names_of(first.test_conditions).tolist() == list(first.fold.test)
    named = first.named()
    assert named.train.conditions.ids.tolist() == list(first.fold.train)
    assert named.names_of(named.test_conditions).tolist() == list(first.fold.test)


def test_text_and_patches_stay_with_their_patients(small_cohort: Cohort) -> None:
    fold = folds(small_cohort)[0]
    held = put_on_device(small_cohort, fold)
    places = {name: row for row, name in enumerate(small_cohort.samples.tolist())}
    tokens, mask = held.test_conditions.text_tokens("full")
    of_cohort = small_cohort.text["full"]
    for row, name in enumerate(fold.test[:20]):
        start, end = of_cohort.offsets[places[name]], of_cohort.offsets[places[name] + 1]
        kept = tokens[row][~mask[row]].numpy()
        np.testing.assert_array_equal(kept, of_cohort.values[start:end].astype(np.float32))


def test_only_the_ceiling_is_given_audit_rows(small_cohort: Cohort) -> None:
    fold = folds(small_cohort)[0]
    held, ceiling = (put_on_device(small_cohort, fold, audit=audit) for audit in (False, True))
    assert ceiling.names_of(ceiling.validation.conditions).tolist() == list(fold.audit)
    assert torch.equal(ceiling.train.expression, held.train.expression)
    hidden = {row.tobytes() for row in small_cohort.expression[np.isin(small_cohort.samples, fold.audit + fold.test)]}
    shown = torch.cat([held.train.expression, held.validation.expression]).numpy()
    assert not hidden & {row.tobytes() for row in shown}
