"""scVI on a cohort's count layer: the way between counts and the unit, and what a row says of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gexbench.benchmark.sweeps.planning import plan
from gexbench.benchmark.sweeps.sweep import sweep_of
from gexbench.models import registry
from gexbench.models.checkpoint import load, save
from gexbench.models.contract import Unavailable
from gexbench.models.registry import create
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.device_fold import DeviceFold, put_on_device
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.cohorts.units import Unit

pytest.importorskip("scvi")

from gexbench.models.scvi.count_layer import LayerScale, NotProportional
from gexbench.models.scvi.generator import Scvi

TINY = {"steps": 400, "checkpoints": 2, "hidden": 64, "latent": 8, "learning_rate": 3e-3}


def sequenced(cohort: Cohort, unit: str = "log2(tpm+1)") -> Cohort:
    """Reads of unequal depth from genes of unequal length, and the TPM that follow from these reads."""
    random = np.random.default_rng(0)
    lengths = np.exp(random.normal(1.0, 0.7, len(cohort.genes)))
    amounts = np.exp2(cohort.expression.astype(float)) * lengths
    depth = np.exp(random.normal(np.log(2e5), 0.4, (len(cohort), 1)))
    counts = random.poisson(amounts / amounts.sum(1, keepdims=True) * depth).astype(np.int32)
    rates = counts / lengths
    others = np.exp(random.normal(0.3, 0.2, (len(cohort), 1)))  # reads of the genes that a filter left out
    tpm = 1e6 * rates / rates.sum(1, keepdims=True) / (1 + others)
    named = Unit(unit)
    offset = named.offset or 0.0
    return replace(cohort, unit=named, expression=np.log2(tpm + offset).astype(np.float32), counts=counts)


@pytest.fixture(scope="module")
def cohort(small_cohort: Cohort) -> Cohort:
    return sequenced(small_cohort)


@pytest.fixture(scope="module")
def layered(cohort: Cohort) -> DeviceFold:
    return put_on_device(cohort, folds(cohort)[0])


def fit(data: DeviceFold, name: str = "scvi-label", **settings: object) -> Scvi:
    generator = create(registry()[name], "quick", {**TINY, **settings})
    assert isinstance(generator, Scvi)
    generator.fit(data.train, data.validation, seed=0)
    return generator


@pytest.fixture(scope="module")
def trained(layered: DeviceFold) -> Scvi:
    return fit(layered)


@pytest.mark.parametrize("unit", ["log2(tpm+1)", "log2(tpm+0.001)"])
def test_the_unit_follows_from_counts_gene_factors_and_totals(small_cohort: Cohort, unit: str) -> None:
    cohort = sequenced(small_cohort, unit)
    assert cohort.counts is not None
    expression, counts = torch.from_numpy(cohort.expression), torch.from_numpy(cohort.counts).float()
    scale, totals = LayerScale.fit(cohort.unit, expression, counts)
    torch.testing.assert_close(scale.rows(counts, totals), expression, atol=2e-3, rtol=0)
    assert float(scale.rows(counts * 0, totals).max()) == np.float32(cohort.unit.floor or 0.0)
    assert scale.source == "count layer"


def test_a_gene_without_counts_takes_the_median_factor(cohort: Cohort) -> None:
    assert cohort.counts is not None
    expression, counts = torch.from_numpy(cohort.expression).clone(), torch.from_numpy(cohort.counts).float()
    expression[:, 3], counts[:, 3] = 0.0, 0.0
    scale, _ = LayerScale.fit(cohort.unit, expression, counts)
    others = torch.cat([scale.gene_factors[:3], scale.gene_factors[4:]])
    assert scale.gene_factors[3] == others.median()


def test_counts_that_the_unit_does_not_follow_from_are_refused_with_the_misfit(cohort: Cohort) -> None:
    assert cohort.counts is not None
    expression, counts = torch.from_numpy(cohort.expression), torch.from_numpy(cohort.counts).float()
    with pytest.raises(NotProportional, match=r"log2\(tpm\+1\) differs from its counts .* at most 0\.05"):
        LayerScale.fit(cohort.unit, expression.roll(1, dims=1), counts)
    with pytest.raises(Unavailable, match="unit is 'other'"):
        LayerScale.fit(Unit("other"), expression, counts)


def test_counts_of_a_split_are_those_of_its_patients_and_copies(cohort: Cohort, layered: DeviceFold) -> None:
    assert cohort.counts is not None
    row = {name: at for at, name in enumerate(cohort.samples.tolist())}
    named = layered.named()
    for split, whose in ((layered.train, named.train), (layered.validation, named.validation)):
        assert split.counts is not None
        found = split.counts.on(torch.device("cpu"))
        expected = cohort.counts[[row[name] for name in whose.conditions.ids.tolist()]]
        np.testing.assert_array_equal(found.numpy(), expected)
        some = split.counts.take(torch.tensor([4, 2]))
        np.testing.assert_array_equal(some.on(torch.device("cpu")).numpy(), expected[[4, 2]])
        found.zero_()
        np.testing.assert_array_equal(split.counts.on(torch.device("cpu")).numpy(), expected)


def test_the_row_says_that_counts_come_from_the_layer(trained: Scvi) -> None:
    assert trained.report.facts["counts"] == "count layer"
    assert any("the cohort's count layer as counts" in said for said in trained.report.warnings)


def test_the_network_is_given_the_layer(layered: DeviceFold, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[torch.Tensor] = []

    def seen(network: object, counts: torch.Tensor, classes: torch.Tensor) -> None:
        given.append(counts)
        raise InterruptedError

    monkeypatch.setattr("gexbench.models.scvi.generator.start_from_moments", seen)
    with pytest.raises(InterruptedError):
        fit(layered)
    assert layered.train.counts is not None
    assert torch.equal(given[0], layered.train.counts.on(torch.device("cpu")))


def test_samples_are_in_the_unit_with_the_spread_and_totals_of_training(layered: DeviceFold, trained: Scvi) -> None:
    conditions = layered.train.conditions
    rows = torch.from_numpy(trained.sample(conditions, 3, seed=1).expression)
    real = layered.train.expression
    assert np.corrcoef(rows.mean(0).numpy(), real.mean(0).numpy())[0, 1] > 0.95
    assert (rows.var(0).mean() / real.var(0).mean()).item() == pytest.approx(1.0, abs=0.3)
    drawn, known = ((torch.exp2(values.double()) - 1).sum(1) for values in (rows, real))
    assert drawn.log().mean().item() == pytest.approx(known.log().mean().item(), abs=0.1)
    assert drawn.log().std().item() == pytest.approx(known.log().std().item(), rel=0.25)


def test_saved_and_loaded_it_samples_the_same_bits(layered: DeviceFold, trained: Scvi, tmp_path: Path) -> None:
    save(trained, "scvi-label", tmp_path / "kept")
    again = load(tmp_path / "kept", registry())
    expected, found = (each.sample(layered.test_conditions, 2, seed=3).expression for each in (trained, again))
    np.testing.assert_array_equal(found, expected)


def test_a_layer_of_another_pipeline_is_not_used_and_the_row_says_so(cohort: Cohort) -> None:
    assert cohort.counts is not None
    other = replace(cohort, counts=np.roll(cohort.counts, 1, axis=1))
    generator = fit(put_on_device(other, folds(other)[0]), steps=20)
    assert generator.report.facts["counts"] == "rounded TPM"
    assert any(said.startswith("count layer not used: ") for said in generator.report.warnings)


def test_a_layer_belongs_to_the_identity_of_cells_that_read_it_alone(cohort: Cohort) -> None:
    names, known = ("scvi", "scvi-label", "vae"), registry()
    without = replace(cohort, counts=None)
    keys = []
    for each in (cohort, without):
        sweep = sweep_of(known, cohort=each.name, folds=(0,), repeats=1, generators=names, budget="quick")
        cells = plan(sweep, known, each, "the same fingerprint").cells
        keys.append({cell.entry.name: cell.train_key for cell in cells})
    differing = {name for name in keys[0] if keys[0][name] != keys[1][name]}
    assert differing == {"scvi", "scvi-label"}
