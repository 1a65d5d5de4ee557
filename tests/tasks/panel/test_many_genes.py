"""Many genes and many rows: correlations in blocks, components through the rows, seeded samples of rows."""

from typing import Any

import numpy as np
import pytest

from gexbench.benchmark.cells.record import record_of
from gexbench.benchmark.sweeps.planning import plan
from gexbench.benchmark.sweeps.sweep import sweep_of
from gexbench.metrics import classifiers, detection, space, structure
from gexbench.metrics.co_expression import co_expression_modules, module_connectivity, module_density_error
from gexbench.metrics.gates import copies
from gexbench.metrics.shared import row_samples
from gexbench.metrics.shared.block_correlations import BlockCorrelations, PairSums
from gexbench.metrics.shared.row_samples import notes, sampled_of_classes, sampled_places
from gexbench.models import registry
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.panel import preparation
from gexbench.tasks.panel.declarations.rows import PartLabels, RealRows, SyntheticRows
from gexbench.tasks.panel.evaluation import PanelResult, evaluate
from gexbench.tasks.panel.preparation import prepare


def _rows(seed: int, n: int = 60, genes: int = 45) -> np.ndarray:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, 6)) @ random.normal(size=(6, genes)) + random.normal(size=(n, genes))
    rows[:, 7] = 3.0
    return rows


def _blocks(rows: np.ndarray, size: int) -> BlockCorrelations:
    found = structure._scaled(rows)
    return BlockCorrelations(found, size)


@pytest.mark.parametrize("size", [1, 7, 44, 45, 1000])
def test_blocks_give_what_the_whole_matrix_gives(size: int) -> None:
    whole = [structure.correlation_matrix(_rows(seed)) for seed in (0, 1)]
    blocks = [_blocks(_rows(seed), size) for seed in (0, 1)]
    np.testing.assert_allclose(np.concatenate(list(blocks[0].above_diagonal())), whole[0][np.triu_indices(45, 1)])
    found, expected = structure.compare_correlations(*blocks), structure.compare_correlations(*whole)
    assert found == pytest.approx(expected, rel=1e-12)


def test_modules_in_blocks_are_those_of_the_whole_matrix() -> None:
    whole = [structure.correlation_matrix(_rows(seed)) for seed in (0, 1)]
    blocks = [_blocks(_rows(seed), 11) for seed in (0, 1)]
    modules = co_expression_modules(whole[0], smallest=5)
    for one, other in zip(modules, co_expression_modules(blocks[0], smallest=5), strict=True):
        assert one.tolist() == other.tolist()
    assert module_connectivity(*blocks, modules) == pytest.approx(module_connectivity(*whole, modules))
    assert module_density_error(*blocks, modules) == pytest.approx(module_density_error(*whole, modules))


def test_one_side_in_blocks_is_refused() -> None:
    rows = _rows(0)
    with pytest.raises(ValueError, match="make both alike"):
        structure.compare_correlations(structure.correlation_matrix(rows), _blocks(rows, 9))


def test_sums_do_not_cancel() -> None:
    """Values far from 0 in unequal parts, against numpy on the whole."""
    random = np.random.default_rng(0)
    a = 1e6 + random.normal(size=1000)
    b = a + random.normal(size=1000)
    sums = PairSums(1e6)
    for part in (slice(0, 1), slice(1, 700), slice(700, 700), slice(700, 1000)):
        sums.add(a[part], b[part])
    assert sums.pearson == pytest.approx(np.corrcoef(a, b)[0, 1], rel=1e-9)
    assert sums.count == 1000
    assert sums.strong == (a > 1e6).sum()


def test_components_through_the_rows_are_those_of_the_covariance(monkeypatch: pytest.MonkeyPatch) -> None:
    for n in (30, 200):
        rows = _rows(3, n=n)
        held = space.fit_space(rows, components=6)
        monkeypatch.setattr(space, "MOST_HELD_GENES", 10)
        np.testing.assert_allclose(space.fit_space(rows, components=6).components, held.components, atol=1e-9)
        monkeypatch.undo()


def test_components_of_rows_without_further_variation_are_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "MOST_HELD_GENES", 10)
    rows = np.repeat(_rows(3, n=4), 5, axis=0)
    found = space.fit_space(rows, components=10).components
    assert np.isfinite(found).all()
    np.testing.assert_allclose((found**2).sum(axis=0)[:3], 1.0)
    assert np.abs(found[:, 3:]).max() < 1e-6 or np.allclose((found**2).sum(axis=0), 1.0)


def test_a_sample_of_ids_depends_on_the_names_alone() -> None:
    ids = np.array([f"patient {row}" for row in range(500)])
    kept = sampled_places(ids, 100)
    order = np.random.default_rng(0).permutation(500)
    assert sorted(ids[order][sampled_places(ids[order], 100)]) == sorted(ids[kept])
    assert len(kept) == 100
    assert sampled_places(ids, 500).tolist() == list(range(500))


def test_a_sample_of_classes_keeps_their_shares_and_the_small_ones() -> None:
    codes = np.repeat([0, 1, 2], [600, 396, 4])
    kept = sampled_of_classes(codes, 100)
    assert np.bincount(codes[kept]).tolist() == [60, 40, 4]
    assert kept.tolist() == sampled_of_classes(codes, 100).tolist()
    assert len(sampled_of_classes(codes, 1000)) == 1000


@pytest.mark.parametrize("genes", [239, 680, 2000])
def test_published_cohorts_are_never_sampled(genes: int) -> None:
    assert notes(train=7300, validation=810, test=810, set_rows=810, genes=genes, classes=15) == []


def test_what_is_sampled_is_said() -> None:
    said = notes(train=8000, validation=1000, test=1000, set_rows=1000, genes=20_000, classes=5)
    assert said == ["classifiers are fitted on a sample of rows (seed 0): about 2000 of 8000"]
    said = notes(train=600, validation=200, test=200, set_rows=200, genes=20_000, classes=32)
    assert said == ["boosted trees of the 32 classes are fitted on a sample of rows (seed 0): about 468 of 600"]
    assert len(notes(train=80_000, validation=20_000, test=20_000, set_rows=20_000, genes=20_000, classes=32)) == 5


def test_boosted_trees_of_many_classes_are_fitted_on_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_samples, "MOST_BOOSTED", 3 * 30 * 60)
    rows, codes = np.random.default_rng(0).normal(size=(120, 30)), np.arange(120) % 3
    seen: dict[str, int] = {}
    for name, function in (("lr", "_logistic"), ("xgb", "_boosted")):
        monkeypatch.setattr(classifiers, function, lambda x, codes, seed, name=name: seen.setdefault(name, len(x)))
        classifiers.fit_classifier(name, rows, codes.astype(str))
    assert seen == {"lr": 120, "xgb": 60}


def _fold(genes: int = 30, train: int = 120, test: int = 60) -> tuple[RealRows, SyntheticRows]:
    random = np.random.default_rng(0)
    means = random.normal(5, 1, (3, genes))

    def rows(codes: np.ndarray) -> np.ndarray:
        noise = random.normal(0, 0.5, (len(codes), 4)) @ random.normal(size=(4, genes))
        return np.maximum(means[codes] + noise + random.normal(0, 0.5, (len(codes), genes)), 0).astype(np.float32)

    codes = {
        part: np.arange(size) % 3
        for part, size in (("train", train), ("validation", test), ("test", test), ("audit", test))
    }
    names = {part: np.array([f"class {code}" for code in of_part]) for part, of_part in codes.items()}
    parts: dict[str, Any] = {part: rows(of_part) for part, of_part in codes.items()}
    parts |= {f"{part}_ids": np.array([f"{part}-{i}" for i in range(len(of_part))]) for part, of_part in codes.items()}
    real = RealRows(
        genes=tuple(f"G{gene}" for gene in range(genes)),
        **parts,
        labels={"project": PartLabels(**names)},
        finest="project",
        left_out={"project": ()},
        set_rows=np.arange(test),
        floor=0.0,
    )
    paired = np.stack([rows(codes["test"]) for _ in range(19)], axis=1).astype(np.float16)
    return real, SyntheticRows(rows(codes["test"]), rows(codes["train"]), paired)


def test_the_core_panel_in_blocks_is_the_core_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    real, synthetic = _fold()
    held = evaluate(prepare(real, seed=0), synthetic)
    monkeypatch.setattr(structure, "MOST_HELD_GENES", 10)
    monkeypatch.setattr(space, "MOST_HELD_GENES", 10)
    prepared = prepare(real, seed=0)
    assert isinstance(prepared.correlations, BlockCorrelations)
    found = evaluate(prepared, synthetic)
    assert held.notes == found.notes == ()
    for key, expected in held.values.items():
        assert found.values[key].reason == expected.reason
        if expected.value is None:
            assert found.values[key].value is None
        else:
            assert found.values[key].value == pytest.approx(expected.value, rel=1e-9, abs=1e-12), key


def test_the_core_panel_on_samples_is_stated_and_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    real, synthetic = _fold()
    held = evaluate(prepare(real, seed=0), synthetic)
    for module in (row_samples, preparation):
        monkeypatch.setattr(module, "MOST_ROWS", 40)
    monkeypatch.setattr(row_samples, "MOST_VALUES", 30 * 60)
    seen: list[int] = []
    fit, ratios = classifiers._logistic, copies.donor_ratios
    monkeypatch.setattr(classifiers, "_logistic", lambda x, *more: (seen.append(len(x)), fit(x, *more))[1])
    compared: list[int] = []
    monkeypatch.setattr(
        copies,
        "donor_ratios",
        lambda rows, *more, **named: (compared.append(len(rows)), ratios(rows, *more, **named))[1],
    )
    once, again = (evaluate(prepare(real, seed=0), synthetic) for _ in range(2))
    assert {key: value.value for key, value in once.values.items()} == {
        key: value.value for key, value in again.values.items()
    }
    assert set(seen) == {60}
    assert {*compared} == {120, 60, 40}, "training rows among themselves, test rows, and samples of all others"
    assert once.values["mmd"].value != held.values["mmd"].value
    assert [note.split(":")[1] for note in once.notes] == [
        " 40 of 60",
        " at most 40",
        " 30 of 40 of each side",
        " about 60 of 120",
    ]
    assert len(prepare(real, seed=0).rows.set_rows) == 40


def test_detection_takes_a_sample_of_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    real, synthetic = _fold()
    seen: list[list[str]] = []

    def detect(rows: Any, synthetic: Any, groups: Any, **_: Any) -> detection.Detection:
        assert len(rows) == len(synthetic) == len(groups)
        seen.append(groups.tolist())
        return detection.Detection(0.5, 0.1)

    monkeypatch.setattr("gexbench.metrics.detection.detect", detect)
    monkeypatch.setattr("gexbench.tasks.panel.questions.detection.most_pairs", lambda genes: 30)
    evaluate(prepare(real, seed=0), synthetic)
    wanted = real.test_ids[real.set_rows][sampled_places(real.test_ids[real.set_rows], 30)].tolist()
    assert seen == [wanted] * 4


def test_the_notes_are_in_the_record_behind_the_warnings(small_cohort: Cohort) -> None:
    made = plan(sweep_of(registry(), generators=("vae",)), registry(), small_cohort, "fingerprint")
    result = PanelResult({}, {}, {}, {}, {}, notes=("sampled",))
    trained = {"warnings": ["trained"]}
    record = record_of(made.cells[0], made, small_cohort, state="ok", trained=trained, result=result)
    assert record.warnings == ("trained", "sampled")
