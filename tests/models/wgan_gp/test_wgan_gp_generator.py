"""The WGAN-GP as a generator: settings, start, checkpoints, training and what it refuses."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gexbench.models import registry
from gexbench.models.checkpoint import load, save
from gexbench.models.conditioning.batch import ConditionReader
from gexbench.models.conditioning.encoders import ENCODERS, EncoderSizes
from gexbench.models.conditioning.fusion import FusionSizes
from gexbench.models.contract import Unavailable
from gexbench.models.registry import create, resolve_settings
from gexbench.models.training.dispersion import variance_ratio
from gexbench.models.wgan_gp.conditional import ConditionalGenerator
from gexbench.models.wgan_gp.generator import WganGp
from gexbench.models.wgan_gp.settings import WganGpSettings
from gexbench.models.wgan_gp.start import conditional_mean, start_from_components
from gexbench.models.wgan_gp.training import Training, train_standard
from gexbench.tasks.cohorts.device_fold import DeviceFold
from gexbench.tasks.cohorts.split import Split

SMALL = {"width": 16, "hidden": 48, "latent": 48, "patches": 6, "tokens": 16, "steps": 12, "head_steps": 6}
SMALL |= {"warm_start_steps": 20, "checkpoints": 3}


def fitted(data: DeviceFold, name: str, **given: Any) -> WganGp:
    generator = create(registry()[name], "quick", {**SMALL, **given})
    assert isinstance(generator, WganGp)
    generator.fit(data.train, data.validation, seed=0)
    return generator


def without(split: Split, **missing: Any) -> Split:
    return replace(split, conditions=replace(split.conditions, **missing))


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_every_conditioning_trains_and_samples(name: str, data: DeviceFold) -> None:
    generator = create(registry()["wgan-gp"], "quick", {**SMALL, "conditioning": name})
    assert generator.conditions_used(generator.settings) == ENCODERS[name].needs
    generator.fit(data.train, data.validation, seed=0)
    rows = generator.sample(data.test_conditions, 2, seed=0).expression
    assert np.isfinite(rows).all()
    assert rows.min() >= 0.0


def test_wirings_train_to_different_rows(data: DeviceFold) -> None:
    one, other = (
        fitted(data, "gemm-gan", wiring=wiring).sample(data.test_conditions, seed=0).expression
        for wiring in ("sequential", "parallel")
    )
    assert np.abs(one - other).mean() > 1e-3


@pytest.mark.parametrize("head_steps", [0, SMALL["steps"]], ids=["all", "heads"])
@pytest.mark.parametrize("wiring", ["sequential", "parallel"])
def test_both_wirings_train_every_part(
    wiring: str, head_steps: int, data: DeviceFold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every weight of generator and critic moves, the encoders' unless they are fixed; the two share none."""
    seen: list[str] = []

    def train(training: Training) -> None:
        networks = {"generator": training.generator, "critic": training.critic}
        storages = [{weights.data_ptr() for weights in network.parameters()} for network in networks.values()]
        assert not storages[0] & storages[1]
        before = {
            name: {key: weights.detach().clone() for key, weights in network.named_parameters()}
            for name, network in networks.items()
        }
        train_standard(training)
        for name, network in networks.items():
            fixed = {key for key, weights in network.named_parameters() if torch.equal(weights, before[name][key])}
            expected = {key for key in before[name] if head_steps and key.startswith("encoder.")}
            assert fixed == expected | ({"head.output.bias"} if name == "critic" else set())
            seen.append(name)

    monkeypatch.setattr(sys.modules[WganGp.__module__], "train_standard", train)
    report = fitted(data, "gemm-gan", wiring=wiring, head_steps=head_steps).report
    assert seen == ["generator", "critic"]
    assert all(np.isfinite(report.log[name]).all() for name in ("critic_loss", "generator_loss"))


@pytest.mark.parametrize(
    ("missing", "reason"),
    [({"patches": None}, "needs image patches"), ({"text": {}}, "needs clinical text"), ({}, "text variant 'plain'")],
)
def test_unavailable_without_its_conditions(missing: dict[str, Any], reason: str, data: DeviceFold) -> None:
    given = missing or {"text": {"full": data.train.conditions.text["full"]}}
    generator = create(registry()["gemm-gan"], "quick", {**SMALL, "text": "full" if missing else "plain"})
    with pytest.raises(Unavailable, match=reason):
        generator.fit(without(data.train, **given), data.validation, seed=0)


@pytest.mark.parametrize("wiring", ["sequential", "parallel"])
def test_saved_and_loaded_it_samples_the_same_bits(wiring: str, data: DeviceFold, tmp_path: Path) -> None:
    generator = fitted(data, "gemm-gan", wiring=wiring)
    save(generator, "gemm-gan", tmp_path)
    rows = [each.sample(data.test_conditions, 3, seed=4).expression for each in (generator, load(tmp_path, registry()))]
    assert np.array_equal(*rows)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".safetensors"]


def test_start_is_a_gaussian_around_the_conditional_mean(data: DeviceFold) -> None:
    settings = WganGpSettings(preset="quick", conditioning="labels", hidden=64, latent=64)
    torch.manual_seed(0)
    sizes = EncoderSizes(tuple(len(c) for c in data.train.conditions.classes.values()), FusionSizes(1, 1))
    generator = ConditionalGenerator(settings, sizes, len(data.train.genes))
    splits = (data.train, data.validation)
    readers = [
        ConditionReader(s.conditions, {"labels"}, s.conditions.labels, variant="full", tokens=1, patches=1)
        for s in splits
    ]
    random = torch.Generator().manual_seed(0)
    before = data.train.standardised.square().mean()
    start_from_components(
        generator, (data.train, readers[0]), (data.validation, readers[1]), steps=200, batch=64, random=random
    )
    residuals = data.train.standardised - conditional_mean(generator, readers[0])
    of_class = data.train.standardised.clone()
    for code in data.train.conditions.finest.unique():
        rows = data.train.conditions.finest == code
        of_class[rows] -= of_class[rows].mean(0)
    assert residuals.square().mean() < 1.04 * of_class.square().mean() < 0.93 * before
    index = torch.zeros(4000, dtype=torch.int64)
    with torch.no_grad():
        rows = generator(generator.head.noise(4000, random), readers[0].batch(index))
    found, wanted = torch.cov(rows.T), torch.cov(residuals.T)
    assert float((found.diagonal() / wanted.diagonal()).mean()) == pytest.approx(1.1, abs=0.15)
    correlation = torch.corrcoef(torch.stack([found.flatten(), wanted.flatten()]))[0, 1]
    assert float(correlation) > 0.95


def test_reference_training_has_the_authors_settings_and_says_what_was_cut(data: DeviceFold) -> None:
    settings = resolve_settings(registry()["gemm-gan-reference"], "cpu")
    shown = settings.model_dump()
    assert {name: shown[name] for name in ("width", "batch", "learning_rate", "critic_steps", "dropout", "ema")} == {
        "width": 256, "batch": 8, "learning_rate": 5e-4, "critic_steps": 5, "dropout": 0.1, "ema": 0.0,
    }  # fmt: skip
    assert (shown["patches"], shown["tokens"], shown["gene_noise"], shown["component_start"]) == (
        256,
        300,
        False,
        False,
    )
    generator = fitted(data, "gemm-gan-reference", steps=4, head_steps=0, checkpoints=1)
    assert generator.report.facts["best_step"] == 4
    assert any("4 mini-batches of 8: 0.3 of the authors' 500 epochs" in text for text in generator.report.warnings)


def test_presets_fill_what_is_not_given_and_survive_a_round_trip() -> None:
    entry = registry()["gemm-gan"]
    cpu, own = resolve_settings(entry, "cpu"), resolve_settings(entry, "cpu", {"steps": 7, "width": 64})
    assert (cpu.width, cpu.patches, cpu.tokens, cpu.batch) == (128, 16, 32, 64)  # type: ignore[attr-defined]
    assert (own.steps, own.width, own.patches) == (7, 64, 16)  # type: ignore[attr-defined]
    assert WganGpSettings.model_validate_json(own.model_dump_json()) == own


@pytest.mark.parametrize("name", ["wgan-gp", "wgan-gp-label"])
def test_standard_training_keeps_the_best_checkpoint(name: str, data: DeviceFold) -> None:
    report = fitted(data, name).report
    scores = report.curves["validation_score"]
    assert len(scores) == 3
    assert report.facts["best_step"] == (4, 8, 12)[scores.index(min(scores))]


def test_components_of_z_are_the_clusters_of_the_rows(data: DeviceFold) -> None:
    """Two clusters far apart: with components rows fall into them, without between them as well."""
    random = torch.Generator().manual_seed(0)
    genes = len(data.train.genes)
    sides = [torch.where(torch.arange(len(part)) % 4 == 0, 3.0, -1.0) for part in (data.train, data.validation)]
    splits = [
        replace(part, standardised=side[:, None] + 0.3 * torch.randn(len(part), genes, generator=random))
        for part, side in zip((data.train, data.validation), sides, strict=True)
    ]
    readers = [
        ConditionReader(part.conditions, set(), part.conditions.labels, variant="full", tokens=1, patches=1)
        for part in splits
    ]

    def between(components: int) -> tuple[float, float]:
        torch.manual_seed(0)
        settings = WganGpSettings(preset="quick", hidden=96, components=components)
        generator = ConditionalGenerator(settings, EncoderSizes((1,), FusionSizes(1, 1)), genes)
        pairs = list(zip(splits, readers, strict=True))
        start_from_components(generator, pairs[0], pairs[1], steps=1, batch=8, random=random)
        with torch.no_grad():
            means = generator.head(generator.head.noise(2000, random), torch.zeros(2000, 0)).mean(1)
        return float(((means > 0.5) & (means < 1.5)).float().mean()), float((means > 1.0).float().mean())

    mixed, right = between(2)
    assert mixed < 0.02
    assert right == pytest.approx(0.25, abs=0.03)
    assert between(0)[0] > 0.1


def test_components_need_their_start() -> None:
    with pytest.raises(ValueError, match="components need component_start"):
        WganGpSettings(preset="quick", components=4, component_start=False)


def test_the_critic_sees_values_below_the_floor_as_the_floor(data: DeviceFold) -> None:
    generator = WganGp(resolve_settings(registry()["wgan-gp-label"], "quick", SMALL))
    generator.fit(data.train, data.validation, seed=0)
    floor = generator._floor(data.train)
    assert floor is not None
    torch.testing.assert_close(floor, -data.train.standardiser.mean / data.train.standardiser.sd)
    free = WganGp(resolve_settings(registry()["wgan-gp-label"], "quick", {**SMALL, "floored": False}))
    free.fit(data.train, data.validation, seed=0)
    assert free._floor(data.train) is None
    one, other = (each.sample(data.test_conditions, seed=0).expression for each in (generator, free))
    assert (one != other).any()


def test_label_rows_follow_their_class(data: DeviceFold) -> None:
    generator = fitted(data, "wgan-gp-label", warm_start_steps=200)
    conditions, real = data.train.conditions, data.train.expression
    rows = torch.from_numpy(generator.sample(conditions, seed=1).expression)
    distance = []
    means = torch.stack([real[conditions.finest == code].mean(0) for code in conditions.finest.unique()])
    for code in range(len(means)):
        mine = rows[conditions.finest == conditions.finest.unique()[code]].mean(0)
        distance.append(int((means - mine).square().sum(1).argmin()) == code)
    assert np.mean(distance) > 0.7


def test_variance_ratio_by_hand() -> None:
    real = torch.tensor([[0.0], [2.0], [10.0], [14.0]])
    classes = torch.tensor([0, 0, 1, 1])
    assert variance_ratio(real, real, classes) == pytest.approx(1.0)
    assert variance_ratio(real / 2 + 5, real, classes) == pytest.approx(0.25)
    assert variance_ratio(torch.zeros(4, 1), real, classes) == 0.0
