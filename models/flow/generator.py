"""Flow matching as a generator of the suite."""

from typing import ClassVar

import torch

from gexbench.models.diffusion.generator import DenoisingGenerator
from gexbench.models.diffusion.process import Process
from gexbench.models.flow.path import OptimalTransportPath
from gexbench.models.flow.settings import FlowSettings
from gexbench.models.settings import GeneratorSettings


class Flow(DenoisingGenerator):
    """Flow matching of latents along conditional optimal-transport paths (Lipman et al. 2023; Tong et al. 2024).

    Representation, network, encoders and training are those of the diffusion family; path and solver differ.
    """

    Settings: ClassVar[type[GeneratorSettings]] = FlowSettings
    settings: FlowSettings

    def process(self, device: torch.device) -> Process:
        """Straight lines from noise."""
        return OptimalTransportPath(self.settings.solver, self.settings.sampling_steps, self.settings.least_sd)

    def solver(self) -> str:
        """Euler or Heun."""
        return self.settings.solver
