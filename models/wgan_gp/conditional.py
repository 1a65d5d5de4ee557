"""A head with its own conditioning encoder."""

from torch import Tensor, nn

from gexbench.models.conditioning.batch import ConditionBatch
from gexbench.models.conditioning.conditioner import width_of
from gexbench.models.conditioning.encoders import ENCODERS, EncoderSizes
from gexbench.models.wgan_gp.networks import Critic, ExpressionGenerator
from gexbench.models.wgan_gp.settings import WganGpSettings


class ConditionalGenerator(nn.Module):
    """Encoder and expression generator."""

    def __init__(self, settings: WganGpSettings, sizes: EncoderSizes, genes: int) -> None:
        super().__init__()
        self.encoder = ENCODERS[settings.conditioning].build(sizes)
        self.head = ExpressionGenerator(
            settings.latent,
            width_of(self.encoder),
            settings.hidden,
            genes,
            gene_noise=settings.gene_noise,
            components=settings.components,
        )

    def forward(self, noise: Tensor, batch: ConditionBatch) -> Tensor:
        """Noise of `head.noise` and conditions of B patients → z-scored expression (B, genes)."""
        expression: Tensor = self.head(noise, self.encoder(batch))
        return expression


class ConditionalCritic(nn.Module):
    """Encoder and critic; nothing is shared with the generator's."""

    def __init__(self, settings: WganGpSettings, sizes: EncoderSizes, genes: int) -> None:
        super().__init__()
        self.encoder = ENCODERS[settings.conditioning].build(sizes)
        self.head = Critic(genes, width_of(self.encoder), settings.hidden, settings.critic_activation)

    def forward(self, expression: Tensor, batch: ConditionBatch) -> Tensor:
        """z-scored expression (B, genes) and conditions of the same patients → scores (B,)."""
        scores: Tensor = self.head(expression, self.encoder(batch))
        return scores


def parameter_count(module: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
