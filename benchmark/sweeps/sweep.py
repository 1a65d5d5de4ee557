"""A sweep: what a specification becomes on a machine, kept as `sweep.json`; imports no torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from gexbench.benchmark.sweeps.design import Design, Limits
from gexbench.benchmark.sweeps.rows import row_name
from gexbench.benchmark.sweeps.seed_counts import OTHERS
from gexbench.benchmark.sweeps.tuned import TunedSettings
from gexbench.leaderboards.records.parts import DEFAULT, TUNED, GeneSetsFile
from gexbench.models.registry import Entry, Registry
from gexbench.tasks.cohorts.vocabulary import Track
from gexbench.tasks.errors import InputError, field_problem
from gexbench.tasks.files.input_paths import read_regular
from gexbench.tasks.names import checked_name, unknown

ANCHORS = ("real-holdout", "class-mean", "gene-shuffle", "class-gaussian")
"""Generators that give the floors and ceilings, and the baseline of the comparisons: part of every sweep."""

SEES_NO_SHARE = frozenset({"oracle"})
"""Generators without a fit, the same on any share of the patients."""


class Sweep(Design, Limits):
    """What to run. Strict: unknown keys and wrong types are refused.

    Attributes:
        generators: registry keys, in table order.
        track: `random` patients or whole `site`s held out; `custom`: the folds of a file.
        folds: indices of the folds to run.
        repeats: number of training seeds per fold.
        repeats_of: generator → its number, where it is not `repeats`; all rows of the generator have as many.
        tuned: settings found per fold, for generators that get a tuned row beside their own; None without any.
        gene_sets: file of the pathway metrics' sets; None without one. Read by the panel `extended` alone.
        device: where generators are trained; scoring runs on the CPU.
    """

    generators: tuple[str, ...]
    track: Literal[Track, "custom"] = "random"
    folds: tuple[int, ...] = (0, 1, 2)
    repeats: int = Field(default=1, ge=1)
    repeats_of: Mapping[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    tuned: TunedSettings | None = None
    gene_sets: GeneSetsFile | None = None
    device: Literal["cpu", "cuda"] = "cpu"

    def rows(self, registry: Registry) -> tuple[str, ...]:
        """Names of the leaderboard's rows: every generator, and behind it its tuned row and its rows of shares."""
        return tuple(self.seeds_of_rows(registry))

    def seeds_of_rows(self, registry: Registry) -> dict[str, int]:
        """Row of the leaderboard → number of its training seeds per fold."""
        known = {name: entry for name, entry in registry.items() if name in self.generators}
        return {
            row_name(name, *more): self.seeds_of(name)
            for name in self.generators
            for more in self.variants(name, known.get(name))
        }

    def seeds_of(self, generator: str) -> int:
        """Number of a generator's training seeds per fold."""
        return self.repeats_of.get(generator, self.repeats)

    def variants(self, name: str, entry: Entry | None) -> tuple[tuple[str, float], ...]:
        """A generator's rows: variant and share of the patients it is fitted on.

        Args:
            name: of the generator; entry: None when it is not installed here, then it is taken to make its own rows.
        """
        tuned = [(TUNED, 1.0)] if self.tuned and name in self.tuned.generators else []
        makes_none = (entry is not None and entry.returns_real_rows) or name in SEES_NO_SHARE
        scarce = () if makes_none else self.train_fractions
        return ((DEFAULT, 1.0), *tuned, *((DEFAULT, fraction) for fraction in scarce))


def sweep_of(registry: Registry, **values: Any) -> Sweep:
    """A checked sweep: anchors added in front where missing, all problems raised together.

    Raises:
        InputError: unknown generators, settings and seeds of generators that are not in the sweep, ill-typed values.
    """
    problems: list[str] = []
    wanted = tuple(dict.fromkeys(values.pop("generators")))
    for name in wanted:
        if name not in registry:
            problems.append(str(unknown(name, registry, "generator")))
    generators = tuple(name for name in registry if name in {*wanted, *ANCHORS})
    for kind, key in (("settings", "settings"), ("seeds", "repeats_of")):
        problems += [
            f"{kind} of {name!r}: this generator is not in the sweep; add it with --generators"
            for name in values.get(key, {})
            if name not in generators
        ]
    try:
        sweep = Sweep(generators=generators, **values)
    except ValidationError as error:
        problems += map(field_problem, error.errors())
    if problems:
        raise InputError(problems)
    return sweep


def split_seeds(seeds: int | Mapping[str, int]) -> tuple[int, dict[str, int]]:
    """The number of all generators, and generator → its own number."""
    if isinstance(seeds, int):
        return seeds, {}
    return seeds.get(OTHERS, 1), {name: count for name, count in seeds.items() if name != OTHERS}


def read_sweep(folder: Path) -> Sweep:
    """The sweep stored in a leaderboard folder.

    Raises:
        InputError: a missing or damaged `sweep.json`.
    """
    try:
        return Sweep.model_validate_json(read_regular(folder / "sweep.json"))
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{folder.name}/sweep.json: cannot be read ({reason}); run the sweep again") from None


def leaderboard_name(sweep: Sweep, given: str | None, specification: str | None = None) -> str:
    """The user's name, or COHORT-BUDGET and what is special: track, panel, `scarce`, the specification it comes from.

    Raises:
        InputError: a name that is no leaderboard's.
    """
    if given:
        return checked_name(given, "leaderboard")
    more: list[str] = [name for name in (sweep.track, sweep.panel) if name not in {"random", "core"}]
    more += ["scarce"] if sweep.train_fractions else []
    if specification:
        try:
            more.append(checked_name(specification, "leaderboard"))
        except InputError as error:
            raise InputError(f"{error}; or give a `name` in the file, or --name") from None
    return "-".join([sweep.cohort, sweep.budget, *more])
