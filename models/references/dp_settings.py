"""Settings of dp-class-gaussian; imports no torch."""

from pydantic import Field

from gexbench.models.settings import GeneratorSettings


class DpSettings(GeneratorSettings):
    """Settings of dp-class-gaussian. All are public: none may be chosen by looking at the patients.

    Attributes:
        epsilon: of (ε, δ)-differential privacy; neighbouring data sets differ by one patient, added or removed.
        delta: the same; well below 1 / patients.
        lower: lowest value; None takes the floor of the cohort's unit.
        upper: highest value; None takes 20 where the unit is logarithmic.
        centre_clip: largest root mean square distance over genes of a patient from the middle of the range.
        clip: the same from the released mean.
    """

    epsilon: float = Field(default=1.0, gt=0)
    delta: float = Field(default=1e-5, gt=0, lt=1)
    lower: float | None = None
    upper: float | None = None
    centre_clip: float = Field(default=5.0, gt=0)
    clip: float = Field(default=1.75, gt=0)
