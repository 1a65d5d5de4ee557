"""scVI: counts and units, draws from the likelihood, priors, and a training that leaves no trace."""

import logging
import math
import random
import signal
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gexbench.models.checkpoint import load, save
from gexbench.models.contract import Unavailable
from gexbench.models.registry import Entry, Registry, create
from gexbench.models.scvi.settings import ScviSettings
from gexbench.tasks.cohorts.device_fold import DeviceFold
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.errors import InputError

pytest.importorskip("scvi")

from gexbench.models.scvi.counts import CountScale
from gexbench.models.scvi.generator import Scvi
from gexbench.models.scvi.network import CountSource, inputs_of, network_of, posterior
from gexbench.models.training.latent_mixture import of_labels

ENTRIES = {
    name: Entry(
        name,
        "gexbench.models.scvi.generator:Scvi",
        "scvi",
        conditions,
        "scVI",
        settings={"conditioning": "labels"} if conditions else {},
        settings_target="gexbench.models.scvi.settings:ScviSettings",
        modules=("scvi",),
        install="pip install scvi-tools",
    )
    for name, conditions in (("scvi", ()), ("scvi-label", ("labels",)))
}
TINY = {"steps": 20, "checkpoints": 2, "hidden": 16, "latent": 4}


def fit(data: DeviceFold, name: str = "scvi-label", train: Split | None = None, **overrides: Any) -> Scvi:
    generator = create(ENTRIES[name], "quick", {**TINY, **overrides})
    assert isinstance(generator, Scvi)
    generator.fit(train or data.train, data.validation, seed=0)
    return generator


@pytest.fixture(scope="module")
def trained(data: DeviceFold) -> Scvi:
    """Long enough to have learned the classes."""
    return fit(data, steps=600, hidden=64, latent=8, learning_rate=3e-3)


def in_unit(split: Split, name: str) -> Split:
    return replace(split, cohort=replace(split.cohort, unit=Unit(name)))


def test_counts_of_a_logarithmic_unit_are_rounded_and_come_back() -> None:
    scale = CountScale.of(Unit("log2(rsem+1)"))
    rows = torch.tensor([[0.0, 1.0, math.log2(3.4), math.log2(3.6), 21.5]])
    assert scale.counts(rows).tolist() == [[0.0, 1.0, 2.0, 3.0, float(np.float32(round(2**21.5 - 1)))]]
    whole = torch.tensor([[0.0, 1.0, 7.0, 1e6]])
    torch.testing.assert_close(scale.counts(scale.rows(whole)), whole)
    assert scale.source == "rounded RSEM"


def test_logarithms_of_counts_give_the_counts_themselves_and_keep_them_whole() -> None:
    scale = CountScale.of(Unit("log2(count+1)"))
    counts = torch.tensor([[0.0, 1.0, 5.0, 70_000.0, 699_999.0]])
    assert torch.equal(scale.counts(scale.rows(counts)), counts)
    assert not scale.rounded
    assert scale.source == "counts"
    drawn = scale.dequantised(counts, torch.zeros(5), torch.Generator())
    assert torch.equal(drawn, counts.double())


def test_counts_are_taken_as_they_are() -> None:
    scale, rows = CountScale.of(Unit("counts")), torch.tensor([[0.0, 3.0, 4e6]])
    assert torch.equal(scale.counts(rows), rows)
    assert torch.equal(scale.rows(rows), rows)
    assert scale.source == "counts"


@pytest.mark.parametrize("unit", ["other", "log2(rsem+0.5)", "log2(tpm+2)"])
def test_other_units_are_unavailable_with_the_reason(unit: str, data: DeviceFold) -> None:
    with pytest.raises(Unavailable, match=r"needs counts or log2\(NAME\+1\), but the cohort's unit"):
        fit(data, train=in_unit(data.train, unit))


def test_patients_without_counts_are_unavailable_with_the_reason(data: DeviceFold) -> None:
    expression = data.train.expression.clone()
    expression[3] = 0.0
    with pytest.raises(Unavailable, match="1 have none"):
        fit(data, train=replace(data.train, expression=expression))


def source(genes: int, **settings: Any) -> CountSource:
    """A network with known output: shares 1/genes at total e⁸, inverse dispersion 2."""
    network = network_of(genes, (), ScviSettings(hidden=3, latent=2, dispersion="gene", **settings)).eval()
    with torch.no_grad():
        network.decoder.px_scale_decoder[0].weight.zero_()
        network.decoder.px_scale_decoder[0].bias.zero_()
        network.decoder.px_dropout_decoder.weight.zero_()
        network.decoder.px_dropout_decoder.bias.fill_(math.log(0.25 / 0.75))
        network.px_r.fill_(math.log(2.0))
    zeros = torch.zeros(4, 3)
    prior = of_labels(zeros, zeros, torch.zeros(4, dtype=torch.int64), 1)
    return CountSource(network, prior, torch.tensor([[8.0, 0.0]]), labelled=False)


@pytest.mark.parametrize(("likelihood", "zeros"), [("nb", 0.0), ("zinb", 0.25)])
def test_draws_have_the_moments_of_the_likelihood(likelihood: str, zeros: float) -> None:
    with torch.random.fork_rng():
        drawn = source(40, likelihood=likelihood).draw(torch.zeros((2000, 0), dtype=torch.int64), seed=1)[0].double()
    rate = math.exp(8.0) / 40
    extra = (drawn == 0).double().mean().item()
    assert extra == pytest.approx(zeros + (1 - zeros) * (1 + rate / 2) ** -2, abs=0.006)
    present = drawn.sum() / (1 - zeros) / drawn.numel()
    assert present.item() == pytest.approx(rate, rel=0.02)
    if not zeros:
        assert drawn.var().item() == pytest.approx(rate + rate**2 / 2, rel=0.05)
    assert torch.equal(drawn, drawn.round())


def test_the_posterior_is_that_of_scvi_and_draws_nothing(data: DeviceFold, trained: Scvi) -> None:
    network, labels = trained._source.network, data.train.conditions.labels
    counts = CountScale.of(data.train.cohort.unit).counts(data.train.expression)
    before = torch.get_rng_state()
    mean, scale = posterior(network, counts, labels)
    assert torch.equal(before, torch.get_rng_state())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = torch.stack([network.inference(x=counts[:5], **inputs_of(labels[:5]))["z"] for _ in range(400)])
    torch.testing.assert_close(drawn.mean(0), mean[:5], atol=0.25, rtol=0)
    torch.testing.assert_close(drawn.std(0), scale[:5], atol=0.15, rtol=0.15)


def test_every_label_column_reaches_the_network(data: DeviceFold, trained: Scvi) -> None:
    labels = data.train.conditions.labels[:1]
    first = trained._source.network.generative(
        z=torch.zeros(1, 8), library=torch.full((1, 1), 8.0), **inputs_of(labels)
    )
    for column in range(labels.shape[1]):
        other = labels.clone()
        other[:, column] = (other[:, column] + 1) % trained._combinations.sizes[column]
        second = trained._source.network.generative(
            z=torch.zeros(1, 8), library=torch.full((1, 1), 8.0), **inputs_of(other)
        )
        assert not torch.equal(first["px"].mu, second["px"].mu)


def test_fractions_undo_the_rounding() -> None:
    scale, generator = CountScale.of(Unit("log2(rsem+1)")), torch.Generator().manual_seed(0)
    rows = torch.log2(torch.tensor([[0.0, 0.2, 5.0], [0.0, 7.0, 6.0], [0.4, 0.0, 9.0], [0.0, 0.0, 3.0]]) + 1)
    shares = scale.zero_shares(rows)
    torch.testing.assert_close(shares, torch.tensor([3 / 4, 2 / 3, 1.0]))
    counts = torch.tensor([[0.0, 1.0, 4.0]]).repeat(4000, 1)
    drawn = scale.dequantised(counts, shares, generator)
    assert torch.equal(scale.counts(scale.rows(drawn))[:, 1:], counts[:, 1:])
    assert (drawn[:, 0] == 0).double().mean().item() == pytest.approx(0.75, abs=0.03)
    assert 0.45 < drawn[:, 0].max() <= 0.5
    assert (drawn[:, 2].mean().item(), drawn[:, 2].std().item()) == pytest.approx((4.0, 12**-0.5), abs=0.02)
    assert torch.equal(CountScale("").dequantised(counts, shares, generator), counts.double())


def test_without_fractions_samples_are_whole_counts(data: DeviceFold) -> None:
    rows = fit(data, dequantise=False).sample(data.test_conditions, seed=0).expression
    counts = np.exp2(rows.astype(float)) - 1
    np.testing.assert_allclose(counts, counts.round(), rtol=1e-5, atol=1e-5)


def test_samples_have_the_classes_and_spread_of_training(data: DeviceFold, trained: Scvi) -> None:
    conditions = data.train.conditions
    rows = torch.from_numpy(trained.sample(conditions, 3, seed=1).expression)
    scores = data.train.standardiser.forward(rows)
    drawn_classes, real_classes = conditions.finest.repeat_interleave(3), conditions.finest
    commonest = int(torch.bincount(real_classes).argmax())
    drawn, real = scores[drawn_classes == commonest], data.train.standardised[real_classes == commonest]
    assert np.corrcoef(drawn.mean(0).numpy(), real.mean(0).numpy())[0, 1] > 0.75
    assert 0.6 < (drawn.var(0).mean() / real.var(0).mean()).item() < 1.6
    assert trained.report.facts["within_class_variance_ratio"] == pytest.approx(1.0, abs=0.4)


def test_totals_have_the_fitted_distribution(data: DeviceFold, trained: Scvi) -> None:
    real = CountScale.of(data.train.cohort.unit).counts(data.train.expression).sum(1).log()
    drawn = torch.exp2(torch.from_numpy(trained.sample(data.train.conditions, 4, seed=2).expression)) - 1
    drawn = drawn.sum(1).log()
    assert drawn.mean().item() == pytest.approx(real.mean().item(), abs=0.1)
    assert drawn.std().item() == pytest.approx(real.std().item(), rel=0.4)


def test_the_aggregate_prior_is_fitted_per_label_and_the_standard_one_is_not(data: DeviceFold, trained: Scvi) -> None:
    classes = trained._combinations.sizes[0]
    assert trained._source.mixture.means.shape == (classes, 8 + 1)
    standard = fit(data, prior="standard")
    assert standard._source.mixture.means.shape == (classes, 1)
    unconditional = fit(data, "scvi", components=3)
    assert unconditional._source.mixture.means.shape == (3, TINY["latent"] + 1)
    assert np.isfinite(fit(data, "scvi", prior="standard").sample(data.test_conditions, seed=0).expression).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"likelihood": "zinb"},
        {"dispersion": "gene-batch"},
        {"dispersion": "gene"},
        {"normalisation": "layer", "layers": 2, "dropout": 0.1},
        {"normalisation": "none", "encode_covariates": False},
    ],
)
def test_other_settings_work(settings: dict[str, Any], data: DeviceFold) -> None:
    rows = fit(data, **settings).sample(data.test_conditions, 2, seed=0).expression
    assert np.isfinite(rows).all()
    assert rows.min() >= 0
    assert (rows[::2] != rows[1::2]).any(1).all()


def test_a_cohort_of_counts_gets_counts(data: DeviceFold) -> None:
    generator = fit(data, train=in_unit(data.train, "counts"))
    rows = generator.sample(data.test_conditions, seed=0).expression
    assert np.array_equal(rows, rows.round())
    assert generator.report.facts["counts"] == "counts"
    assert generator.report.warnings == []


def test_the_record_says_that_counts_are_rounded(trained: Scvi, data: DeviceFold) -> None:
    assert trained.report.warnings[0] == "rounded RSEM as counts; drawn counts get a random fraction back"
    facts = trained.report.facts
    assert facts["counts"] == "rounded RSEM"
    assert facts["steps"] == 600
    assert 0 < facts["best_step"] <= 600
    assert facts["epochs"] == pytest.approx(600 * 64 / len(data.train), rel=0.1)
    assert len(trained.report.curves["validation_score"]) == TINY["checkpoints"]
    assert {"step", "loss", "gradient_norm", "validation_score"} <= set(trained.report.log)


def test_labels_never_seen_in_training_are_refused(data: DeviceFold) -> None:
    conditions = data.train.conditions
    kept = (conditions.finest != conditions.finest[0]).nonzero()[:, 0]
    train = replace(
        data.train,
        expression=data.train.expression[kept],
        standardised=data.train.standardised[kept],
        conditions=conditions.take(kept),
    )
    generator = fit(data, train=train)
    with pytest.raises(InputError, match="do not occur in the training data"):
        generator.sample(conditions, seed=0)


def test_training_is_silent_and_leaves_nothing_behind(
    data: DeviceFold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    before = (
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        random.getstate(),
        logger.level,
        list(warnings.filters),
        [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(data).sample(data.test_conditions, seed=0)
    after = (
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        random.getstate(),
        logger.level,
        list(warnings.filters),
        [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
    )
    assert before == after
    assert [str(each.message) for each in caught] == []
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_and_other_errors_come_through(data: DeviceFold) -> None:
    handler = signal.getsignal(signal.SIGINT)
    for error in (KeyboardInterrupt, OSError):

        def stop(step: int, steps: int, error: type[BaseException] = error, **values: float) -> None:
            raise error("stop")

        generator = create(ENTRIES["scvi"], "quick", TINY)
        with pytest.raises(error):
            generator.fit(data.train, data.validation, seed=0, progress=stop)
        assert signal.getsignal(signal.SIGINT) == handler


@pytest.mark.parametrize("name", ["scvi", "scvi-label"])
def test_a_loaded_one_samples_the_same_bits(name: str, data: DeviceFold, tmp_path: Path) -> None:
    generator = fit(data, name, dispersion="gene-cell")
    save(generator, name, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["generator.json", "tensors.safetensors"]
    restored = load(tmp_path, Registry(tuple(ENTRIES.values())))
    first, second = (each.sample(data.test_conditions, 2, seed=5).expression for each in (generator, restored))
    np.testing.assert_array_equal(first, second)
    others = replace(data.test_conditions.take(range(len(data.test_conditions))[::-1]), ids=data.test_conditions.ids)
    moved = restored.sample(others, 2, seed=5).expression
    assert np.array_equal(first, moved) == (name == "scvi")
