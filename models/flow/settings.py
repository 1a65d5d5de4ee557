"""Settings of the flow-matching family; imports no torch."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gexbench.models.diffusion.settings import DenoisingSettings

SolverName = Literal["euler", "heun"]


class FlowSettings(DenoisingSettings):
    """Settings of flow matching; the denoiser predicts the velocity of the flow.

    Attributes:
        solver: of the flow's differential equation; heun evaluates the denoiser twice a step.
        least_sd: σ_min, the standard deviation around a training row at the end of its path.
    """

    version: ClassVar[str] = "1"

    solver: SolverName = "heun"
    least_sd: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
