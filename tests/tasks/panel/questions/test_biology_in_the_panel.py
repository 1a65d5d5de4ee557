"""The biology family and the paper's variants within the panel."""

import dataclasses

import numpy as np
import pytest

from gexbench.benchmark.cells.scoring import real_fold
from gexbench.tasks.cohorts.folds import ROLES, folds
from gexbench.tasks.panel import evaluation
from gexbench.tasks.panel.catalogue import panel_specifications, split_key
from gexbench.tasks.panel.declarations.comparison import Comparison
from gexbench.tasks.panel.declarations.rows import ClassifierReferences, SyntheticRows
from gexbench.tasks.panel.gene_sets import GeneSets
from gexbench.tasks.panel.preparation import prepare
from gexbench.tasks.panel.questions import biology, paper_variants
from gexbench.tasks.panel.scores import References, cell_score

LITTLE = {"trtr": {}, "majority": {}}
TASKS = (biology.TASK, paper_variants.TASK)
METRICS = [metric for task in TASKS for metric in task.metrics]


@pytest.fixture(scope="module")
def prepared(small_cohort):
    """A fold without the downstream tasks' references, which cost most of a preparation."""
    # By site, for two classes of at least ten rows.
    real = dataclasses.replace(real_fold(small_cohort, folds(small_cohort)[0]), finest="primary_site")
    genes = real.genes
    sets = GeneSets("s.gmt", "0" * 64, (("a", genes[:12]), ("b", genes[8:30]), ("few", genes[:3])))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gexbench.tasks.panel.preparation.anchor_values", lambda *_: LITTLE)
        found = prepare(real, seed=3, gene_sets=sets)
    return dataclasses.replace(found, extended=ClassifierReferences(LITTLE, {}))


@pytest.fixture(scope="module")
def own_rows(prepared):
    """The real rows themselves as synthetic ones."""
    return SyntheticRows(prepared.rows.test, prepared.rows.train, None)


@pytest.fixture
def biology_alone(monkeypatch):
    monkeypatch.setattr(evaluation, "tasks", lambda: TASKS)


def values(prepared, rows, **options):
    return evaluation.evaluate(prepared, rows, panel="extended", **options).values


def test_steps_cover_the_catalogue_and_share_no_training_rows_by_accident(prepared):
    steps = [step for task in TASKS for step in task.steps(prepared.rows)]
    keys = [key for step in steps for key in step.keys]
    assert {split_key(key)[0] for key in keys} == {metric.name for metric in METRICS}
    assert len(keys) == len(set(keys))
    for step in steps:
        assert len({"training" in metric.needs for metric in step.metrics}) == 1
    assert not {metric.name for metric in METRICS} & {metric.name for metric in panel_specifications("core")}


@pytest.mark.usefixtures("biology_alone")
def test_own_rows_reach_the_best_values(prepared, own_rows):
    found = values(prepared, own_rows)
    best = {spec.name: 0.0 if spec.goal == "lower" else 1.0 for spec in biology.TASK.metrics}
    # The small cohort has 40 genes.
    for top in (50, 100):
        assert found[f"de_overlap_{top}"].reason.startswith(f"failed: the top {top} of 40 genes")
        del best[f"de_overlap_{top}"]
    assert {key: found[key].value for key in best} == pytest.approx(best)
    assert found["paper_precision"].value == found["paper_coverage"].value == 1.0


@pytest.mark.usefixtures("biology_alone")
def test_reasons(prepared, own_rows):
    without = dataclasses.replace(prepared, biology=dataclasses.replace(prepared.biology, membership=None))
    found = values(without, own_rows)
    for key in ("pathway_concordance", "pathway_agreement"):
        assert found[key].reason == "not applicable: no gene sets were given"
    assert found["de_concordance"].value is not None
    unusable = np.zeros((len(prepared.rows.genes), 0), dtype=bool)
    unusable = dataclasses.replace(prepared, biology=dataclasses.replace(prepared.biology, membership=unusable))
    assert "no gene set holds enough" in values(unusable, own_rows)["pathway_agreement"].reason
    unconditional = values(prepared, own_rows, conditional=False)
    assert "unconditional" in unconditional[f"paper_tstr_on_training_rows_accuracy[{prepared.rows.finest}]"].reason
    assert unconditional["de_concordance"].value is not None


def test_only_set_rows_count_and_the_real_side_is_made_once(prepared, own_rows):
    changed = own_rows.test.copy()
    changed[np.setdiff1d(np.arange(len(changed)), prepared.rows.set_rows)] = 9.0
    rows = dataclasses.replace(own_rows, test=changed)
    given = Comparison(prepared, rows, prepared.space.standardise(rows.test, "test"))
    found = biology.DE_CONCORDANCE.compute(given)
    assert found.values[biology.DE_CONCORDANCE] == pytest.approx(1)
    assert prepared.biology.modules is prepared.biology.modules
    assert prepared.biology.activities is prepared.biology.activities


def test_gene_sets_follow_the_genes_names(prepared):
    order = np.random.default_rng(0).permutation(len(prepared.rows.genes))
    member = prepared.biology.membership
    assert member.sum(axis=0).tolist() == [12, 22]
    fold = prepared.rows
    parts = {name: getattr(fold, name)[:, order] for name in ROLES}
    moved = dataclasses.replace(fold, genes=tuple(fold.genes[i] for i in order), **parts)
    sets = GeneSets("s.gmt", "0" * 64, (("a", fold.genes[:12]), ("b", fold.genes[8:30])))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gexbench.tasks.panel.preparation.anchor_values", lambda *_: LITTLE)
        found = prepare(moved, seed=3, gene_sets=sets).biology
    assert found.activities == pytest.approx(prepared.biology.activities)


def test_the_overall_score_is_the_mean_over_families_that_are_present():
    worst = {"de_concordance": 0.0, "ks_mean": 1.0}
    real = {"de_concordance": 0.8, "ks_mean": 0.1, "pathway_concordance": None}
    references = References(real, worst, worst, {}, {})
    found = cell_score({"de_concordance": 0.4, "ks_mean": 0.1}, references)
    assert found.families == pytest.approx({"distribution": 1.0, "biology": 0.5})
    assert found.overall == pytest.approx(0.75)
    core = {"ks_mean": 0.1}
    assert cell_score(core, References(core, worst, worst, {}, {})).overall == pytest.approx(1.0)
