"""What a specification and the sweep that it becomes have in common; each field is a key and an option.

Imports neither NumPy nor torch, since every command's `--help` is made of it.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gexbench.benchmark.sweeps.option import Option, read_generators, read_settings, read_shares
from gexbench.models.settings import BudgetName
from gexbench.tasks.cohorts.vocabulary import PatchPlace
from gexbench.tasks.panel.declarations.metric import Panel


def _generators(value: Any) -> Any:
    if value == "all":
        return value
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return tuple(dict.fromkeys(value))
    raise ValueError("give all, a list of names, or names with their settings: {gemm-gan: {batch: 32}, cvae: {}}")


def _shares(value: Any) -> Any:
    """A row is named by its share, so the share has few digits."""
    if isinstance(value, list | tuple) and all(
        type(share) is float and 0.0 < share < 1.0 and share == float(f"{share:g}") for share in value
    ):
        return tuple(dict.fromkeys(value))
    raise ValueError("give a list of shares above 0 and below 1, of at most six digits, such as [0.1, 0.25]")


class Strict(BaseModel):
    """Unknown keys, wrong types and numbers that are not finite are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Design(Strict):
    """What is compared and how; the same in a specification and in the sweep that it becomes.

    The help of each field's option says what it is. Rows of a share are fitted with default settings; the panel is no
    part of a train key.
    """

    cohort: Annotated[str, Option("`simulated`, or a cohort built with `gexbench cohort build`.", metavar="NAME")] = (
        "simulated"
    )
    generators: Annotated[
        tuple[str, ...] | Literal["all"],
        BeforeValidator(_generators),
        Option(
            "Comma-separated names, files (FILE.py:Class), `all`, or `reused`: those of the leaderboards that --reuse "
            "names.",
            metavar="LIST",
            read=read_generators,
        ),
    ] = "all"
    settings: Annotated[
        Mapping[str, Mapping[str, Any]],
        Option(
            "GENERATOR.SETTING=VALUE; may be given several times. `tuned` (or tuned:FILE) adds a row with the "
            "settings that `gexbench tune` found, for every generator that has them.",
            metavar="SETTING",
            read=read_settings,
            repeated=True,
        ),
    ] = Field(default_factory=dict)
    train_fractions: Annotated[
        tuple[float, ...],
        BeforeValidator(_shares),
        Option(
            "Comma-separated shares below 1: every generator is also fitted on that share of the training and "
            "validation patients, and its rows join the few real ones in training a classifier.",
            metavar="LIST",
            read=read_shares,
        ),
    ] = ()
    budget: Annotated[BudgetName, Option("quick, cpu or full.")] = "quick"
    panel: Annotated[
        Panel,
        Option("core, or extended: core and more. Rows that are kept are scored again; nothing is trained twice."),
    ] = "core"


class Limits(Strict):
    """What one cell may use; the same in a specification and in the sweep that it becomes.

    Attributes:
        threads: of its numerical libraries; part of the key, since 1 and 2 threads give different bits.
        memory_gb: resident memory of its processes, in 10^9 bytes, above which it is killed; None gives every
            worker an equal share of 90 % of the machine's.
        time_limit_s: wall-clock seconds after which a job is killed; never shortens a training.
        gpu_memory_gb: device memory (10^9 bytes) that a training needs on cuda, by which several share a device where
            they fit; None takes it from what the same training needed before. On one machine.
        patches: whether image patches are held on the device or stay in the cohort's file and are read batch by
            batch; the same bits, so no part of a key. auto holds them where they fit.
    """

    threads: Annotated[
        int, Field(ge=1, le=1024), Option("Threads per cell; part of a cell's identity.", metavar="N")
    ] = 1
    memory_gb: Annotated[
        float | None,
        Field(gt=0),
        Option(
            "Resident memory in GB above which a cell is killed. (default: an equal share of the machine's)",
            metavar="GB",
        ),
    ] = None
    time_limit_s: Annotated[
        float, Field(gt=0), Option("Seconds after which a cell is killed.", name="time-limit", metavar="SECONDS")
    ] = 3600.0
    gpu_memory_gb: Annotated[
        float | None,
        Field(gt=0),
        Option(
            "GPU memory in GB that a training needs; several share a GPU where they fit. (default: what the same "
            "training took before; a GPU to itself where that is not known)",
            metavar="GB",
        ),
    ] = None
    patches: Annotated[
        PatchPlace,
        Option("Image patches: held on the device, streamed from the cohort's file, or auto, held where they fit."),
    ] = "auto"
