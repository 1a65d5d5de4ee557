"""The specification of a sweep and the cells it stands for; imports no torch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gexbench.benchmark.keys import content_key
from gexbench.metrics.catalogue import CATALOGUE
from gexbench.models.registry import Entry, Registry, resolve_settings
from gexbench.tasks.cohort import Cohort
from gexbench.tasks.errors import InputError
from gexbench.tasks.folds import Fold, folds, read_folds
from gexbench.tasks.names import checked_name, unknown

ANCHORS = ("real-holdout", "class-mean", "gene-shuffle", "class-gaussian")
"""Generators that give the floors and ceilings, and the baseline of the comparisons: part of every sweep."""

BUDGETS = ("quick", "cpu", "full")
KEY_SCHEMA = 1


class Sweep(BaseModel):
    """What to run. Strict: unknown keys and wrong types are refused.

    Attributes:
        cohort: `simulated` or the name of a cohort in the data directory.
        track: `random` patients or whole `site`s held out.
        folds: indices of the folds to run.
        repeats: number of training seeds per fold.
        generators: registry keys, in table order.
        settings: generator → settings that differ from the budget's.
        budget: `quick`, `cpu` or `full`.
        panel: metric panel.
        threads: threads per cell; part of the key, since 1 and 2 threads give different bits.
        device: where generators are trained; scoring runs on the CPU.
        time_limit_s: wall-clock seconds after which a job is killed; never shortens a training.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    cohort: str = "simulated"
    track: Literal["random", "site", "custom"] = "random"
    folds: tuple[int, ...] = (0, 1, 2)
    repeats: int = Field(default=1, ge=1)
    generators: tuple[str, ...]
    settings: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    budget: Literal["quick", "cpu", "full"] = "quick"
    panel: Literal["core"] = "core"
    threads: int = Field(default=1, ge=1)
    device: Literal["cpu", "cuda"] = "cpu"
    time_limit_s: float = Field(default=3600.0, gt=0)


def sweep_of(registry: Registry, **values: Any) -> Sweep:
    """A checked sweep: anchors added in front where missing, all problems raised together.

    Raises:
        InputError: unknown generators, settings of generators that are not in the sweep, ill-typed values.
    """
    problems: list[str] = []
    wanted = tuple(dict.fromkeys(values.pop("generators")))
    for name in wanted:
        if name not in registry:
            problems.append(str(unknown(name, registry, "generator")))
    generators = tuple(name for name in registry if name in {*wanted, *ANCHORS})
    for name in values.get("settings", {}):
        if name not in generators:
            problems.append(f"settings of {name!r}: this generator is not in the sweep; add it with --generators")
    try:
        sweep = Sweep(generators=generators, **values)
    except ValidationError as error:
        problems += [f"{'.'.join(map(str, item['loc']))} = {item['input']!r}: {item['msg']}" for item in error.errors()]
    if problems:
        raise InputError(problems)
    return sweep


def read_sweep(folder: Path) -> Sweep:
    """The sweep stored in a leaderboard folder.

    Raises:
        InputError: a missing or damaged `sweep.json`.
    """
    try:
        return Sweep.model_validate_json((folder / "sweep.json").read_text())
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{folder.name}/sweep.json: cannot be read ({reason}); run the sweep again") from None


@dataclass(frozen=True, slots=True)
class Cell:
    """One generator × fold × repeat.

    Attributes:
        entry: the generator's registry entry.
        settings: its full settings, JSON-able.
        version: its declared version.
        fold: the fold's ids.
        repeat: index of the training seed.
        train_key: content key of *train and sample*: cohort, fold, generator, version, settings, budget,
            repeat, threads, device.
        score_key: content key of *score*: the train key, the panel and its metrics' versions.
    """

    entry: Entry
    settings: Mapping[str, Any]
    version: str
    fold: Fold
    repeat: int
    train_key: str
    score_key: str

    @property
    def slot(self) -> str:
        """Name of the cell's record within a leaderboard."""
        return f"{self.entry.name}.{self.fold.track}-{self.fold.index}.{self.repeat}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A sweep with its cells, and the fold preparations they need."""

    sweep: Sweep
    fingerprint: str
    folds: tuple[Fold, ...]
    cells: tuple[Cell, ...]

    def fold_key(self, fold: Fold) -> str:
        """Content key of the real side of a fold's scores."""
        return content_key(
            {
                "kind": "fold",
                "cohort": self.fingerprint,
                "fold": fold.hash(),
                "metrics": metric_versions(self.sweep.panel),
            }
        )


def plan(sweep: Sweep, registry: Registry, cohort: Cohort, fingerprint: str, folds_file: Path | None = None) -> Plan:
    """All cells of a sweep, fold by fold.

    Raises:
        InputError: folds that do not exist, unknown settings (all at once), unreadable fold files.
    """
    every = folds(cohort, sweep.track) if sweep.track != "custom" else read_folds(_given(folds_file), cohort)
    missing = [index for index in sweep.folds if not 0 <= index < len(every)]
    if missing:
        raise InputError(f"--folds {missing}: cohort {cohort.name} has folds 0 to {len(every) - 1}")
    chosen = tuple(every[index] for index in sweep.folds)
    problems: list[str] = []
    resolved: dict[str, tuple[Mapping[str, Any], str]] = {}
    for name in sweep.generators:
        try:
            settings = resolve_settings(registry[name], sweep.budget, sweep.settings.get(name))
            resolved[name] = settings.model_dump(mode="json"), settings.version
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    cells = [
        _cell(sweep, registry[name], *resolved[name], fold, repeat, fingerprint)
        for fold in chosen
        for repeat in range(sweep.repeats)
        for name in sweep.generators
    ]
    return Plan(sweep, fingerprint, chosen, tuple(cells))


def _given(folds_file: Path | None) -> Path:
    if folds_file is None:
        raise InputError("track 'custom' needs the file of the folds: --folds FILE")
    return folds_file


def _cell(
    sweep: Sweep, entry: Entry, settings: Mapping[str, Any], version: str, fold: Fold, repeat: int, fingerprint: str
) -> Cell:
    train_key = content_key(
        {
            "kind": "rows",
            "schema": KEY_SCHEMA,
            "cohort": fingerprint,
            "fold": fold.hash(),
            "generator": entry.name,
            "version": version,
            "settings": settings,
            "budget": sweep.budget,
            "repeat": repeat,
            "threads": sweep.threads,
            "device": sweep.device,
        }
    )
    score_key = content_key(
        {"kind": "record", "rows": train_key, "panel": sweep.panel, "metrics": metric_versions(sweep.panel)}
    )
    return Cell(entry, settings, version, fold, repeat, train_key, score_key)


def metric_versions(panel: str) -> dict[str, int]:
    """Name → version of every metric of a panel (`extended` holds `core`)."""
    return {spec.name: spec.version for spec in CATALOGUE if panel == "extended" or spec.panel == "core"}


def parse_settings(pairs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """`generator.setting=value` options as a mapping; values are read as JSON, else as text.

    Raises:
        InputError: options of another form, all at once.
    """
    found: dict[str, dict[str, Any]] = {}
    problems = []
    for pair in pairs:
        place, equals, value = pair.partition("=")
        generator, dot, setting = place.partition(".")
        if not (equals and dot and setting):
            problems.append(f"--settings {pair!r}: write it as GENERATOR.SETTING=VALUE, for example gemm-gan.batch=32")
            continue
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = value
        found.setdefault(generator, {})[setting] = parsed
    if problems:
        raise InputError(problems)
    return found


def leaderboard_name(sweep: Sweep, given: str | None) -> str:
    """The user's name, checked, or COHORT-BUDGET (with the track when it is not `random`)."""
    if given:
        return checked_name(given, "leaderboard")
    return "-".join([sweep.cohort, sweep.budget, *([] if sweep.track == "random" else [sweep.track])])
