"""One critic update's loss and one generator update's loss, each with as few passes of the encoder as exactness allows.

The critic's condition depends on neither the rows nor their mixture: one pass serves the real, the fake and the mixed
batch. While the critic is trained the generator is fixed: its condition is computed once per mini-batch, and the same
pass, with its graph, serves the generator's own update.
"""

import torch
from torch import Tensor

from gexbench.models.conditioning.batch import ConditionBatch
from gexbench.models.wgan_gp.conditional import ConditionalCritic, ConditionalGenerator
from gexbench.models.wgan_gp.networks import Judged


def judged(
    critic: ConditionalCritic, real: Tensor, fake: Tensor, batch: ConditionBatch, mix: Tensor, *, separate: bool = False
) -> Judged:
    """Scores and gradient norms of one critic update; see `Critic.judge` and `critic_loss`.

    Args:
        critic: with its encoder.
        real, fake: (B, genes) z-scored rows of the same patients.
        batch: their conditions.
        mix: (B, 1) in [0, 1].
        separate: a pass of the encoder, with dropout masks of its own, for each of the three uses, as the authors of
            GeMM-GAN have it; without dropout it changes nothing.
    """
    detach = critic.head.piecewise_linear
    if separate:
        first, second, third = critic.encoder(batch.repeated(3)).chunk(3)
        return critic.head.judge(real, fake, mix, (first, second, third), detach=detach)
    condition = critic.encoder(batch)
    return critic.head.judge(real, fake, mix, (condition, condition, condition), detach=detach)


def generator_loss(
    generator: ConditionalGenerator,
    critic: ConditionalCritic,
    noise: Tensor,
    condition: Tensor,
    seen: Tensor,
    floor: Tensor | None = None,
) -> Tensor:
    """−mean D(G(z, c), c').

    Args:
        generator, critic: the networks.
        noise: of `head.noise`.
        condition: (B, c) the generator's own, with its graph.
        seen: (B, c) the critic's, without one: only the generator is updated by this loss.
        floor: (genes,) z-scores of the unit's floor: generated values below it are seen as it; None = no floor.
    """
    rows = generator.head(noise, condition)
    scores: Tensor = critic.head(rows if floor is None else torch.maximum(rows, floor), seen)
    return -scores.mean()
