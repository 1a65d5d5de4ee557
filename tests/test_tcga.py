"""The TCGA cohort: what an import finds in it, and the reference generators' measured scores.

Needs the source files: GEXBENCH_TCGA_SOURCE names their folder.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gexbench.benchmark.cells.scoring import prepare_fold, real_fold, score
from gexbench.benchmark.cells.training import train_and_sample
from gexbench.benchmark.sweeps.planning import plan
from gexbench.benchmark.sweeps.sweep import sweep_of
from gexbench.metrics import read_gene_sets, usable_sets
from gexbench.models import registry
from gexbench.models.contract import Budget
from gexbench.tasks.cards.card import card
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.device_fold import put_on_device
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.importing.building import Sources, build_cohort
from gexbench.tasks.panel.declarations.comparison import Comparison
from gexbench.tasks.panel.declarations.rows import Prepared, SyntheticRows
from gexbench.tasks.panel.questions import privacy

pytestmark = [pytest.mark.real_data, pytest.mark.timeout(600)]

# Measured on three folds elsewhere; tolerances are four of the stated standard deviations over folds.
EXPECTED = {
    "real-holdout": {
        "tstr_lr_accuracy[project]": (0.935, 0.02),
        "tstr_lr_macro_f1[project]": (0.889, 0.04),
        "precision_genes": (0.85, 0.06),
        "recall_genes": (0.87, 0.06),
        "coverage_genes": (0.98, 0.06),
        "correlation_mse": (0.0021, 0.0008),
        "detection_lr": (0.51, 0.05),
        "detection_xgb": (0.51, 0.05),
        "copy_share": (0.01, 0.02),
    },
    "class-gaussian": {
        "tstr_lr_accuracy[project]": (0.941, 0.02),
        "tstr_lr_macro_f1[project]": (0.885, 0.04),
        "tstr_xgb_accuracy[project]": (0.918, 0.02),
        "precision_genes": (0.60, 0.08),
        "recall_genes": (0.81, 0.08),
        "density_genes": (0.38, 0.08),
        "coverage_genes": (0.54, 0.08),
        "frechet": (95.0, 8.0),
        "correlation_mse": (0.0023, 0.0008),
        "wasserstein_mean": (0.075, 0.008),
        "copy_share": (0.0, 0.01),
    },
    "class-mean": {
        "tstr_lr_accuracy[project]": (0.836, 0.02),
        "precision_genes": (1.0, 0.01),
        "recall_genes": (0.0, 0.01),
        "variance_ratio": (0.0, 0.01),
        "detection_xgb": (1.0, 0.01),
    },
}

# AUC of the attack by distance, on as many members as non-members (null sd 0.014).
MEMBERSHIP = {"real-holdout": (0.5, 0.043), "class-gaussian": (0.555, 0.035), "train-copy": (1.0, 0.001)}


@pytest.fixture(scope="module")
def tcga(tcga_source: Path) -> Cohort:
    return build_cohort(
        Sources(
            name="tcga",
            expression=tcga_source / "expression.parquet",
            unit="log2(rsem+1)",
            clinical=tcga_source / "clinical.parquet",
            patches=tcga_source / "regions.npz",
            labels=("project", "primary_site", "disease_type"),
        )
    )


@pytest.fixture(scope="module")
def prepared(tcga: Cohort) -> Prepared:
    return prepare_fold(tcga, folds(tcga)[0], "tcga")


def test_the_import_finds_everyone(tcga: Cohort) -> None:
    assert (len(tcga), len(tcga.genes)) == (3999, 680)
    assert [len(np.unique(tcga.labels(column))) for column in tcga.label_columns] == [15, 12, 7]
    assert tcga.label_columns == ("project", "primary_site", "disease_type")
    assert tcga.small_classes("disease_type") == ("Complex Epithelial Neoplasms",)
    assert tcga.patches is not None
    assert tcga.patches.values.shape == (99849, 192)


def test_plain_text_says_less_than_full_text(tcga: Cohort) -> None:
    leak = {variant: dict(values) for variant, values in card(tcga).label_leak.items()}
    assert leak["full"]["project"] > 0.99
    assert 0.2 < leak["plain"]["project"] < 0.55


def test_folds_agree_about_every_patient_whatever_modalities_there_are(tcga: Cohort, tcga_source: Path) -> None:
    everyone = build_cohort(
        Sources(
            name="all",
            expression=tcga_source / "expression.parquet",
            unit="log2(rsem+1)",
            clinical=tcga_source / "clinical.parquet",
            labels=("project", "primary_site", "disease_type"),
        )
    )
    assert len(everyone) == 4223
    part = everyone.clinical["fold_random"].loc[tcga.samples]
    assert (part == tcga.clinical["fold_random"]).all()


def test_training_on_real_rows_recognises_the_cancer_type(prepared: Prepared) -> None:
    trtr = prepared.reference_values["trtr"]
    assert trtr["tstr_lr_accuracy[project]"] == pytest.approx(0.950, abs=0.02)
    assert trtr["tstr_lr_macro_f1[project]"] == pytest.approx(0.914, abs=0.04)
    assert trtr["tstr_xgb_accuracy[project]"] == pytest.approx(0.925, abs=0.025)


def _rows(tcga: Cohort, name: str) -> dict[str, NDArray[Any]]:
    sweep = sweep_of(registry(), generators=(name,), cohort="tcga", folds=(0,), budget="cpu")
    (cell,) = (cell for cell in plan(sweep, registry(), tcga, "tcga").cells if cell.entry.name == name)
    device_fold = put_on_device(tcga, cell.fold, fingerprint="tcga", audit=cell.entry.reads == "audit")
    return train_and_sample(cell, device_fold, Budget("cpu"), lambda *_: None).arrays


@pytest.mark.parametrize("name", EXPECTED)
def test_references_land_on_their_measured_scores(tcga: Cohort, prepared: Prepared, name: str) -> None:
    result, _ = score(prepared, _rows(tcga, name), "core", True, lambda *_: None)
    for key, (value, tolerance) in EXPECTED[name].items():
        assert result.values[key].value == pytest.approx(value, abs=tolerance), key


@pytest.mark.parametrize("name", MEMBERSHIP)
def test_membership_lands_on_its_anchors(tcga: Cohort, prepared: Prepared, name: str) -> None:
    rows = _rows(tcga, name)
    kept = SyntheticRows(rows["test"], rows["train"], None)
    (step,) = (step for step in privacy.TASK.steps(prepared.rows) if step.name == "membership")
    found = step.compute(Comparison(prepared, kept, prepared.space.standardise(rows["test"], "test")))
    expected, tolerance = MEMBERSHIP[name]
    distance = found.gates["membership/training/distance"]
    assert distance["auc"] == pytest.approx(expected, abs=tolerance)
    assert distance["auc"] <= found.values[privacy.AUC] <= 1
    assert found.extra["membership_null_sd"] == pytest.approx(0.0144, abs=0.0005)


def test_set_metrics_compare_equal_numbers(tcga: Cohort) -> None:
    for fold in folds(tcga):
        real = real_fold(tcga, fold)
        test, audit = real.labels["project"].test[real.set_rows], real.labels["project"].audit
        for name in np.unique(test):
            assert (test == name).sum() <= (audit == name).sum()


@pytest.mark.real_data
def test_gene_sets_beside_the_cohort_that_hold_ten_of_its_genes(tcga, tcga_source):
    path = tcga_source.parent / "genesets" / "hallmark.gmt"
    if not path.is_file():
        pytest.skip("no gene sets beside the TCGA files")
    names, membership = usable_sets(read_gene_sets(path), tcga.genes)
    assert len(names) == 34
    assert membership.shape == (680, 34)
    assert membership.sum(axis=0).min() >= 10
