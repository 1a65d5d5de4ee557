"""Settings of the oracle; imports no torch."""

from typing import Literal

from pydantic import Field

from gexbench.models.settings import GeneratorSettings


class OracleSettings(GeneratorSettings):
    """Settings of the oracle.

    Attributes:
        conditions: what it conditions on, a subset of `labels`, `text`, `patches`; an empty list gives the marginal.
        text: the variant of the clinical text that counts as shown.
    """

    conditions: list[Literal["labels", "text", "patches"]] = Field(default=["labels", "text", "patches"])
    text: Literal["full", "plain"] = "full"
