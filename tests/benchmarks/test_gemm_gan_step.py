"""One iteration of GeMM-GAN (5 critic updates, 1 generator update): the suite's steps and the plain formulation.

The plain one computes every condition anew at every call, the same mathematics with torch's own modules. The ratio of
both medians, measured in one run, stands in the extra information, of seconds and of CPU-seconds.
"""

import os
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


def cpu_seconds(step: Callable[[], None]) -> tuple[float, float]:
    """Seconds and CPU-seconds of a step."""
    began, cpu = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - began, time.process_time() - cpu


def test_gemm_gan_step(benchmark: Any, plain: ModuleType) -> None:
    torch.manual_seed(0)
    real, batch = inputs()
    fast, slow = fast_step(real, batch), plain_step(plain, real, batch)
    slow()
    fast()
    ours: list[tuple[float, float]] = []
    theirs = [cpu_seconds(slow) for _ in range(ROUNDS)]
    benchmark.pedantic(lambda: ours.append(cpu_seconds(fast)), rounds=ROUNDS, iterations=1)
    found: dict[str, float] = {"threads": torch.get_num_threads(), "load": os.getloadavg()[0]}
    for name, spent in (("fast", ours), ("plain", theirs)):
        seconds, cpu = (statistics.median(each) for each in zip(*spent, strict=True))
        found |= {f"{name}_s": seconds, f"{name}_cpu_s": cpu}
    found |= {
        "speed_up": found["plain_s"] / found["fast_s"],
        "speed_up_cpu": found["plain_cpu_s"] / found["fast_cpu_s"],
    }
    shape = f"B {BATCH}, P {PATCHES}, T {TOKENS}, {GENES:,} genes"
    benchmark.extra_info |= {"kind": "step", "generator": "gemm-gan", "device": "cpu", "shape": shape, "figures": found}
