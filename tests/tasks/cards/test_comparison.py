"""Comparing cohorts and cards: each kind of difference is found and named, and nothing else is."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gexbench.tasks.cards.comparison import DIFFERENT, SAME, WITHIN, Comparison, compare
from gexbench.tasks.cards.published_card import card_text, published_cards, read_card, read_published, side_of
from gexbench.tasks.cohorts.cohort import Cohort, Ragged
from gexbench.tasks.errors import InputError
from gexbench.tasks.public.selection import read_recipe


def compared(a: Cohort, b: Cohort, *without: str) -> Comparison:
    return compare(side_of(a), side_of(b), without)


def states(found: Comparison) -> dict[str, str]:
    return {part.name: part.state for part in found.parts if part.state != SAME}


def with_values(cohort: Cohort, values: np.ndarray) -> Cohort:
    return replace(cohort, expression=values.astype(np.float32))


def test_a_cohort_is_the_same_as_itself_in_any_order(small_cohort: Cohort) -> None:
    assert compared(small_cohort, small_cohort).verdict == SAME
    order = np.random.default_rng(0).permutation(len(small_cohort))
    genes = np.random.default_rng(1).permutation(len(small_cohort.genes))
    turned = small_cohort.take(order)
    turned = replace(
        turned,
        genes=tuple(small_cohort.genes[gene] for gene in genes),
        expression=np.ascontiguousarray(turned.expression[:, genes]),
    )
    assert turned.fingerprint() != small_cohort.fingerprint()
    found = compared(small_cohort, turned)
    assert found.verdict == SAME
    assert {part.name for part in found.parts} >= {"patients", "genes", "unit", "expression", "labels", "folds"}


def test_the_order_of_a_patients_patches_does_not_matter_but_their_values_do(small_cohort: Cohort) -> None:
    patches = small_cohort.patches
    assert patches is not None
    assert patches.counts[0] > 1
    values = patches.values.copy()
    values[: patches.counts[0]] = values[: patches.counts[0]][::-1]
    assert compared(small_cohort, replace(small_cohort, patches=Ragged(values, patches.offsets))).verdict == SAME
    values[0, 0] += 1
    found = compared(small_cohort, replace(small_cohort, patches=Ragged(values, patches.offsets)))
    assert states(found) == {"patches": DIFFERENT}
    assert f"{len(small_cohort) - 1:,} of {len(small_cohort):,} samples equal" in found.differing[0]
    assert states(compared(small_cohort, replace(small_cohort, patches=None))) == {"patches": DIFFERENT}


@pytest.mark.parametrize(("step", "verdict"), [(0.0, SAME), (0.009, WITHIN), (0.011, DIFFERENT)])
def test_one_value_decides(small_cohort: Cohort, step: float, verdict: str) -> None:
    values = small_cohort.expression.astype(np.float64)
    values[3, 5] += step
    found = compared(small_cohort, with_values(small_cohort, values))
    assert found.verdict == verdict
    worst = found.genes[0]
    if step:
        assert worst.gene == small_cohort.genes[5]
        assert worst.largest == pytest.approx(step, abs=1e-5)
        assert sum(gene.size > 0 for gene in found.genes) == 1


def test_patients_genes_unit_labels_and_folds(small_cohort: Cohort) -> None:
    fewer = small_cohort.take(np.arange(10, len(small_cohort)))
    assert states(compared(small_cohort, fewer)) == {"patients": DIFFERENT}
    assert "10 only in A" in compared(small_cohort, fewer).differing[0]
    cut = replace(
        small_cohort, genes=small_cohort.genes[2:], expression=np.ascontiguousarray(small_cohort.expression[:, 2:])
    )
    assert states(compared(small_cohort, cut)) == {"genes": DIFFERENT}
    other = replace(small_cohort, unit=type(small_cohort.unit)("other"))
    assert set(states(compared(small_cohort, other))) == {"unit", "expression"}
    assert states(compared(small_cohort, other, "unit")) == {"unit": DIFFERENT}
    assert compared(small_cohort, other, "unit").verdict == SAME
    label = small_cohort.finest_label
    clinical = small_cohort.clinical.copy()
    before, after = clinical[label].iloc[0], sorted(set(clinical[label]) - {clinical[label].iloc[0]})[0]
    clinical.iloc[0, clinical.columns.get_loc(label)] = after
    found = compared(small_cohort, replace(small_cohort, clinical=clinical))
    assert states(found) == {"labels": DIFFERENT}
    assert f"1 patients changed class ({before} → {after} 1)" in found.differing[0]
    clinical = small_cohort.clinical.copy()
    clinical.iloc[:4, clinical.columns.get_loc("fold_random")] = (clinical["fold_random"].iloc[:4] + 1) % 5
    found = compared(small_cohort, replace(small_cohort, clinical=clinical))
    assert states(found) == {"folds": DIFFERENT}
    assert f"random {len(small_cohort) - 4:,} of {len(small_cohort):,}" in found.differing[0]


def test_parts_can_be_left_out_of_the_verdict(small_cohort: Cohort) -> None:
    bare = replace(small_cohort, text={}, patches=None)
    assert compared(small_cohort, bare).verdict == DIFFERENT
    assert compared(small_cohort, bare, "text", "patches").verdict == SAME
    with pytest.raises(InputError, match="--without slides: the parts are"):
        compared(small_cohort, bare, "slides")


def test_without_shared_patients_nothing_is_the_same(small_cohort: Cohort) -> None:
    renamed = replace(
        small_cohort,
        samples=np.asarray([f"other-{name}" for name in small_cohort.samples]),
        clinical=small_cohort.clinical.rename(index=lambda name: f"other-{name}"),
    )
    found = compare(side_of(small_cohort), side_of(renamed), ("patients", "expression"))
    assert found.verdict == DIFFERENT
    said = {part.name: part.says for part in found.parts if part.state == DIFFERENT}
    assert said.keys() >= {"labels", "folds"}
    assert said["folds"] == "not comparable: no shared patients"


def test_counts_are_compared(small_cohort: Cohort) -> None:
    counts = np.rint(2.0 ** np.clip(small_cohort.expression, 0, 15)).astype(np.int32)
    given = replace(small_cohort, counts=counts)
    assert compared(given, given).verdict == SAME
    assert states(compared(given, small_cohort)) == {"counts": DIFFERENT}
    changed = counts.copy()
    changed[0, 0] += 1
    assert states(compared(given, replace(given, counts=changed))) == {"counts": DIFFERENT}
    assert given.fingerprint() != small_cohort.fingerprint()


def card_of(cohort: Cohort, folder: Path) -> Path:
    path = folder / "cohort.card.json"
    path.write_text(card_text(side_of(cohort), {"inputs": [{"role": "expression", "name": "x.tsv", "sha256": "ab"}]}))
    return path


def test_a_card_accepts_the_cohort_and_names_another(small_cohort: Cohort, tmp_path: Path) -> None:
    card = read_card(card_of(small_cohort, tmp_path))
    assert card.cohort is None
    assert compare(card, side_of(small_cohort)).verdict == SAME
    noisy = small_cohort.expression + np.random.default_rng(0).normal(0, 0.004, small_cohort.expression.shape)
    assert compare(card, side_of(with_values(small_cohort, noisy))).verdict == WITHIN
    shifted = small_cohort.expression.copy()
    shifted[:, 7] += 0.02
    found = compare(card, side_of(with_values(small_cohort, shifted)))
    assert found.verdict == DIFFERENT
    assert found.genes[0].gene == small_cohort.genes[7]
    assert found.genes[0].largest is None
    assert found.genes[0].mean == pytest.approx(0.02, abs=1e-4)


def test_a_card_notices_values_dealt_to_other_patients(small_cohort: Cohort, tmp_path: Path) -> None:
    """Means and sds over everybody stay; those of classes and parts do not."""
    card = read_card(card_of(small_cohort, tmp_path))
    order = np.random.default_rng(0).permutation(len(small_cohort))
    found = compare(card, side_of(with_values(small_cohort, small_cohort.expression[order])))
    assert states(found) == {"expression": DIFFERENT}


def test_a_card_holds_no_values_of_patients_and_no_means_of_few(small_cohort: Cohort, tmp_path: Path) -> None:
    content = json.loads(card_of(small_cohort, tmp_path).read_text())["content"]
    genes = len(small_cohort.genes)
    label = small_cohort.finest_label
    sizes = small_cohort.clinical[label].value_counts()
    named = {name for name in content["means"] if name.startswith(label)}
    assert named == {f"{label} {name}" for name, size in sizes.items() if size >= 25}
    assert all(len(values) == genes for values in content["means"].values())
    assert sorted(content["clinical"]) == sorted(["group", *small_cohort.label_columns, "fold_random", "fold_site"])
    assert content["inputs"] == [{"role": "expression", "name": "x.tsv", "sha256": "ab"}]
    np.testing.assert_allclose(content["means"]["all"], small_cohort.expression.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(content["sds"]["all"], small_cohort.expression.std(axis=0), atol=1e-4)


def test_changed_and_other_files_are_no_cards(small_cohort: Cohort, tmp_path: Path) -> None:
    path = card_of(small_cohort, tmp_path)
    path.write_text(path.read_text().replace(small_cohort.genes[0], "OTHER"))
    with pytest.raises(InputError, match="its checksum does not match"):
        read_card(path)
    path.write_text("[]")
    with pytest.raises(InputError, match="not a cohort card"):
        read_card(path)
    path.write_text("{")
    with pytest.raises(InputError, match="not a JSON file"):
        read_card(path)
    with pytest.raises(InputError, match="no such file"):
        read_card(tmp_path / "absent.json")


def test_the_published_card_is_that_of_the_recipes_cohort() -> None:
    assert published_cards() == ["tcga"]
    card, recipe = read_published("tcga"), read_recipe("tcga")
    assert card.genes == recipe.genes.names
    assert card.unit == recipe.unit
    assert set(card.labels) == set(recipe.labels or ())
    assert len(card.clinical) == 3999
    assert set(card.clinical["group"]) <= set(recipe.patients or ())
    assert {f"fold_random {part}" for part in range(5)} | {"all"} <= set(card.means)
    assert all(values.shape == (680,) for values in card.sds.values())
    with pytest.raises(InputError, match="unknown published card 'tgca'; did you mean 'tcga'"):
        read_published("tgca")
