"""One iteration of GeMM-GAN (5 critic updates, 1 generator update): the suite's steps and the plain formulation.

The plain one computes every condition anew at every call, the same mathematics with torch's own modules. The ratio of
both medians, measured in one run, stands in the extra information as `speed_up`.
"""

import statistics
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

from gexbench.models.conditioning.batch import ConditionBatch
from gexbench.models.conditioning.encoders import EncoderSizes
from gexbench.models.conditioning.fusion import FusionSizes
from gexbench.models.wgan_gp.conditional import ConditionalCritic, ConditionalGenerator
from gexbench.models.wgan_gp.networks import critic_loss
from gexbench.models.wgan_gp.settings import WganGpSettings
from gexbench.models.wgan_gp.steps import generator_loss, judged

BATCH, PATCHES, TOKENS, GENES = 8, 256, 128, 5000
FUSION = FusionSizes(patch_width=1024, token_width=768, dropout=0.0)
LATENT = HIDDEN = 256
ROUNDS = 3


def inputs() -> tuple[torch.Tensor, ConditionBatch]:
    batch = ConditionBatch(
        torch.zeros(BATCH, 1, dtype=torch.int64),
        torch.randn(BATCH, TOKENS, FUSION.token_width),
        torch.zeros(BATCH, TOKENS, dtype=torch.bool),
        torch.randn(BATCH, PATCHES, FUSION.patch_width),
        torch.zeros(BATCH, PATCHES, dtype=torch.bool),
    )
    return torch.randn(BATCH, GENES), batch


def fast_step(real: torch.Tensor, batch: ConditionBatch) -> Callable[[], None]:
    settings = WganGpSettings(preset="full", conditioning="fusion", training="reference", dropout=0.0)
    sizes = EncoderSizes((2,), FUSION)
    generator, critic = ConditionalGenerator(settings, sizes, GENES), ConditionalCritic(settings, sizes, GENES)
    own = list(generator.parameters())
    optimisers = [torch.optim.RMSprop(network.parameters(), lr=5e-4, foreach=True) for network in (critic, generator)]

    def step() -> None:
        condition = generator.encoder(batch)
        for _ in range(5):
            with torch.no_grad():
                fake = generator.head(torch.randn(BATCH, LATENT), condition)
            loss = critic_loss(judged(critic, real, fake, batch, torch.rand(BATCH, 1)), 10.0)
            optimisers[0].zero_grad()
            loss.backward()
            optimisers[0].step()
        with torch.no_grad():
            seen = critic.encoder(batch)
        loss = generator_loss(generator, critic, torch.randn(BATCH, LATENT), condition, seen)
        optimisers[1].zero_grad()
        torch.autograd.backward(loss, inputs=own)
        optimisers[1].step()

    return step


def plain_step(plain: ModuleType, real: torch.Tensor, batch: ConditionBatch) -> Callable[[], None]:
    generator = plain.PlainNetwork(FUSION, LATENT, HIDDEN, GENES)
    critic = plain.PlainNetwork(FUSION, GENES, HIDDEN, 1)
    optimisers = [torch.optim.RMSprop(network.parameters(), lr=5e-4, foreach=True) for network in (critic, generator)]

    def step() -> None:
        for _ in range(5):
            loss = plain.plain_critic_loss(
                generator, critic, real, batch, torch.randn(BATCH, LATENT), torch.rand(BATCH, 1)
            )
            optimisers[0].zero_grad()
            loss.backward()
            optimisers[0].step()
        loss = plain.plain_generator_loss(generator, critic, torch.randn(BATCH, LATENT), batch)
        optimisers[1].zero_grad()
        loss.backward()
        optimisers[1].step()

    return step


def test_gemm_gan_step(benchmark: Any, plain: ModuleType) -> None:
    torch.manual_seed(0)
    real, batch = inputs()
    fast, slow = fast_step(real, batch), plain_step(plain, real, batch)
    slow()
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        slow()
        seconds.append(time.perf_counter() - start)
    benchmark.pedantic(fast, rounds=ROUNDS, iterations=1, warmup_rounds=1)
    benchmark.extra_info["shape"] = f"B {BATCH}, P {PATCHES}, T {TOKENS}, {GENES} genes"
    benchmark.extra_info["plain_seconds"] = round(statistics.median(seconds), 3)
    if benchmark.stats is not None:
        benchmark.extra_info["fast_seconds"] = round(benchmark.stats.stats.median, 3)
        benchmark.extra_info["speed_up"] = round(statistics.median(seconds) / benchmark.stats.stats.median, 2)
        print(benchmark.extra_info)
