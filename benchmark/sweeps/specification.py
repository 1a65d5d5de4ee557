"""What a user asks of a sweep: each field is a key of the YAML file and an option of the command line.

Imports neither NumPy nor torch, since every command's `--help` is made of it.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic.fields import FieldInfo

from gexbench.benchmark.sweeps.design import Design, Limits
from gexbench.benchmark.sweeps.option import Option, read_folds, read_tuned
from gexbench.benchmark.sweeps.seed_counts import Seeds, read_seeds
from gexbench.tasks.cohorts.vocabulary import Track

_NO_FILES = frozenset({"", "yes", "no", "on", "off"})


def _folds(value: Any) -> Any:
    value = read_folds(value) if isinstance(value, str) else value
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(type(item) is int for item in value):
        return tuple(dict.fromkeys(value))
    raise ValueError("give a list of indices such as [0, 1, 2], all, or the name of a JSON file of id lists")


def _tuned(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, str) and value.lower() not in _NO_FILES):
        return value
    raise ValueError("give true, false or the name of a file that `gexbench tune` wrote")


class Resources(Limits):
    """What one cell may use, as it is asked for."""

    device: Annotated[Literal["auto", "cpu", "cuda"], Option("cpu, cuda, or auto: cuda where there is one.")] = "auto"
    gpus: Annotated[
        float, Field(gt=0), Option("GPUs that a cell takes of a cluster's node; below 1, a share of one.", metavar="N")
    ] = 1.0


class Specification(Design):
    """A sweep as its author writes it; `Sweep` is what it becomes on a machine. Strict, every key is optional.

    The help of each field's option says what it is.

    Attributes:
        folds: indices, `all`, or a JSON file of id lists; None is the first three at budget quick, else all.
        seeds: for all; or generator → seeds, with those of all others under `default` (1).
        tuned: whether, or the file of the settings.
    """

    tuned: Annotated[bool | str, BeforeValidator(_tuned), Option(name="settings", read=read_tuned, repeated=True)] = (
        False
    )
    track: Annotated[Track, Option("random, or site: whole tissue-source sites held out.")] = "random"
    folds: Annotated[
        tuple[int, ...] | str | None,
        BeforeValidator(_folds),
        Option(
            "Comma-separated indices, `all`, or a JSON file of id lists. (default: 0,1,2 at budget quick, else all)",
            metavar="LIST|FILE",
            read=read_folds,
        ),
    ] = None
    seeds: Annotated[
        Seeds,
        Option(
            "Training seeds per fold; 1,cvae=2 gives cvae another number than the others.",
            metavar="LIST",
            read=read_seeds,
        ),
    ] = 1
    gene_sets: Annotated[
        str | None, Option("A .gmt file for the pathway metrics of the panel extended.", metavar="FILE")
    ] = None
    name: Annotated[str | None, Option("Name of the leaderboard. (default: COHORT-BUDGET)", metavar="NAME")] = None
    note: Annotated[str | None, Option("A sentence for the leaderboard's header.")] = None
    workers: Annotated[
        int, Field(ge=1), Option("Number of cells run in parallel; on CUDA, in addition to the trainings.", metavar="N")
    ] = 2
    executor: Annotated[Literal["local", "ray"], Option("local (this machine), or ray (a Ray cluster).")] = "local"
    address: Annotated[
        str | None,
        Option(
            "HOST:PORT of the cluster's head. (default: the cluster of this machine, else a new one here)",
            metavar="HOST:PORT",
        ),
    ] = None
    resources: Resources = Field(default_factory=Resources)

    @model_validator(mode="after")
    def _addressed(self) -> "Specification":
        if self.address is not None and self.executor != "ray":
            raise ValueError(f"address = {self.address!r} is that of a Ray cluster; add executor: ray (--executor ray)")
        return self


@cache
def keys() -> Mapping[str, tuple[FieldInfo, Option]]:
    """Every key of a specification, `resources.threads` among them, with its field and its option.

    Raises:
        TypeError: a field without an option.
    """
    fields = dict(Specification.model_fields)
    del fields["resources"]
    fields |= {f"resources.{name}": field for name, field in Resources.model_fields.items()}
    found = {}
    for key, field in fields.items():
        option = next((item for item in field.metadata if isinstance(item, Option)), None)
        if option is None:
            raise TypeError(f"{key} has no option; annotate its field with Option(help)")
        found[key] = field, option
    return found


def option_name(key: str) -> str:
    """The option of a key, as it is typed: `--time-limit` of `resources.time_limit_s`."""
    return f"--{keys()[key][1].name or key.rpartition('.')[2].replace('_', '-')}"
