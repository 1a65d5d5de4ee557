"""The simulated cohort: determinism, shape and the check values of its documentation."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.cohorts.vocabulary import Track
from gexbench.tasks.errors import InputError
from gexbench.tasks.simulated.cohort import simulated_cohort, simulated_conditions
from gexbench.tasks.simulated.world import REGION_WEIGHTS, TYPES, simulated_world
from gexbench.tasks.text.clinical_text import clinical_texts


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulated_cohort()


def test_shapes_units_and_columns(cohort: Cohort) -> None:
    assert cohort.expression.shape == (1000, 300)
    assert cohort.unit.floor == 0.0
    assert cohort.expression.min() == 0.0
    assert cohort.label_columns == ("project", "primary_site", "disease_type")
    assert cohort.site_column == "tss"
    assert not cohort.small_classes("project")
    assert cohort.provenance == {"kind": "simulated", "version": 1, "seed": 1, "patients": 1000, "genes": 300}
    patches = cohort.patches
    assert patches is not None
    assert patches.width == 64
    assert patches.values.dtype == np.float16
    assert (patches.counts.min(), patches.counts.max()) == (4, 32)


def test_text_has_both_variants_and_shows_no_site(cohort: Cohort) -> None:
    assert set(cohort.text) == {"full", "plain"}
    texts = {variant: clinical_texts(cohort.clinical, variant) for variant in cohort.text}
    assert "simulated" in texts["full"][0]
    assert not any("simulated" in text for text in texts["plain"])
    written = " ".join(texts["full"])
    assert not any(f" {code}." in written for code in np.unique(cohort.labels("tss")))
    assert np.mean(["Stage: not recorded" in text for text in texts["plain"]]) == pytest.approx(0.1, abs=0.03)
    assert not simulated_cohort(100, 10, text=False).text


def test_labels_nest_and_sites_belong_to_one_type(cohort: Cohort) -> None:
    table = cohort.clinical
    for column in ("primary_site", "disease_type", "disease_name"):
        assert (table.groupby("project")[column].nunique() == 1).all()
    assert [table[column].nunique() for column in cohort.label_columns] == [8, 5, 5]
    assert (table.groupby("tss")["project"].nunique() == 1).all()
    assert table["tss"].nunique() == 48
    assert table["ajcc_stage"].isna().mean() == pytest.approx(0.1, abs=0.03)
    assert table["histological_grade"].isna().mean() == pytest.approx(0.2, abs=0.04)


def test_same_arguments_same_bits_other_seed_other_data(cohort: Cohort) -> None:
    first, again, other = (simulated_cohort(200, 40, seed, text=False) for seed in (3, 3, 4))
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()
    assert not np.array_equal(first.expression, other.expression)
    clinical, patches = simulated_conditions(200, 40, 3)
    assert clinical.equals(first.clinical)
    assert first.patches is not None
    np.testing.assert_array_equal(patches.values, first.patches.values)


def test_more_genes_leave_the_conditions_alone() -> None:
    few, many = simulated_cohort(100, 20, 5, text=False), simulated_cohort(100, 60, 5, text=False)
    assert few.patches is not None
    assert many.patches is not None
    np.testing.assert_array_equal(few.patches.values, many.patches.values)
    assert few.clinical.equals(many.clinical)


def test_region_class_is_readable_with_its_frequencies(cohort: Cohort) -> None:
    assert cohort.patches is not None
    readable = np.sort(cohort.patches.values[:, :4].astype(float), axis=1)
    assert (readable[:, 3] - readable[:, 2]).min() > 1.9
    share = np.bincount(cohort.patches.values[:, :4].argmax(1)) / len(readable)
    np.testing.assert_allclose(share, REGION_WEIGHTS, atol=0.015)


def test_world_follows_its_distributions() -> None:
    world = simulated_world(seed=9, genes=4000)
    assert (world.loadings != 0).mean() == pytest.approx(0.35, abs=0.01)
    assert world.loadings[world.loadings != 0].std() == pytest.approx(0.55, abs=0.02)
    assert (world.hidden_loadings != 0).mean() == pytest.approx(0.3, abs=0.01)
    assert world.hidden_loadings[world.hidden_loadings != 0].std() == pytest.approx(0.45, abs=0.02)
    assert world.site_shift.std() == pytest.approx(0.12, abs=0.002)
    assert (world.noise_sd.min(), world.noise_sd.max()) == pytest.approx((0.35, 0.8), abs=0.001)
    assert np.median(world.type_mean) == pytest.approx(4.9, abs=0.3)
    background, stroma, tumour = (world.region_loadings[place] for place in (3, 2, 0))
    assert not background.any()
    assert not tumour[:, 1].any()
    assert stroma.std() == pytest.approx(0.14, abs=0.015)
    for shares in (world.site_given_type, world.stage_given_type, world.grade_given_type, world.age_given_type):
        np.testing.assert_allclose(shares.sum(1), 1)
    assert sum(kind.weight for kind in TYPES) == pytest.approx(1)


def test_zero_fraction_and_speed(cohort: Cohort) -> None:
    assert (cohort.expression == 0).mean() == pytest.approx(0.07, abs=0.01)
    start = time.process_time()
    simulated_cohort()
    assert time.process_time() - start < 3


def _accuracy(cohort: Cohort, features: NDArray[np.floating], track: Track, strength: float) -> float:
    """Mean accuracy over the folds of a logistic regression for `project`, trained on all but the test part."""
    labels, found = cohort.labels("project"), []
    for fold in folds(cohort, track):
        train = np.isin(cohort.samples, fold.train + fold.validation)
        test = np.isin(cohort.samples, fold.test)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
        found.append(model.fit(features[train], labels[train]).score(features[test], labels[test]))
    return float(np.mean(found))


def test_expression_tells_the_type(cohort: Cohort) -> None:
    assert _accuracy(cohort, cohort.expression, "random", 1.0) == pytest.approx(0.92, abs=0.02)


def test_patches_tell_the_type_less_when_sites_are_held_out(cohort: Cohort) -> None:
    assert cohort.patches is not None
    values, offsets = cohort.patches.values.astype(float), cohort.patches.offsets
    means = np.add.reduceat(values, offsets[:-1]) / cohort.patches.counts[:, None]
    assert _accuracy(cohort, means, "random", 0.1) == pytest.approx(0.75, abs=0.02)
    assert _accuracy(cohort, means, "site", 1.0) == pytest.approx(0.64, abs=0.03)


def test_refuses_sizes_without_sense() -> None:
    with pytest.raises(InputError, match="99 patients and 300 genes: at least 100"):
        simulated_cohort(99)
    with pytest.raises(InputError, match="1 gene"):
        simulated_cohort(genes=0)
