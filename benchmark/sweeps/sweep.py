"""The specification of a sweep and the cells it stands for; imports no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from gexbench.benchmark.sweeps.gene_sets import GeneSetsFile
from gexbench.benchmark.sweeps.keys import content_key
from gexbench.benchmark.sweeps.tuned import TUNED, TunedFold, TunedSettings
from gexbench.models.registry import BrokenGenerator, Entry, Registry, resolve_settings
from gexbench.models.settings import GeneratorSettings
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.folds import Fold, folds, read_folds
from gexbench.tasks.declarations.metric import PANEL_SCHEMA, Panel
from gexbench.tasks.errors import InputError
from gexbench.tasks.names import checked_name, unknown
from gexbench.tasks.panel.catalogue import panel_specifications
from gexbench.tasks.panel.gene_sets import GeneSets

ANCHORS = ("real-holdout", "class-mean", "gene-shuffle", "class-gaussian")
"""Generators that give the floors and ceilings, and the baseline of the comparisons: part of every sweep."""

SEES_NO_SHARE = frozenset({"oracle"})
"""Generators without a fit, the same on any share of the patients."""

DEFAULT = "default"
BUDGETS = ("quick", "cpu", "full")
KEY_SCHEMA = 1


def is_share(share: float) -> bool:
    """Whether a number is a share of the patients that a row can be named by."""
    return 0.0 < share < 1.0 and share == float(f"{share:g}")


def _short(share: float) -> float:
    if share != float(f"{share:g}"):
        raise ValueError("has more than six digits; round it")
    return share


Share = Annotated[float, Field(gt=0.0, lt=1.0), AfterValidator(_short)]
"""A share of the patients with few enough digits to name it by."""


class Sweep(BaseModel):
    """What to run. Strict: unknown keys and wrong types are refused.

    Attributes:
        cohort: `simulated` or the name of a cohort in the data directory.
        track: `random` patients or whole `site`s held out.
        folds: indices of the folds to run.
        repeats: number of training seeds per fold.
        repeats_of: generator → its number, where it is not `repeats`; all rows of the generator have as many.
        generators: registry keys, in table order.
        settings: generator → settings that differ from the budget's.
        tuned: settings found per fold, for generators that get a tuned row beside their own; None without any.
        train_fractions: shares of the training and validation patients, below 1. Every generator that makes rows of
            its own gets a row for each share, fitted on these patients alone, with default settings.
        budget: `quick`, `cpu` or `full`.
        panel: `core` or `extended`, which holds `core`; no part of a train key.
        gene_sets: file of the pathway metrics' sets; None without one. Read by the panel `extended` alone.
        threads: threads per cell; part of the key, since 1 and 2 threads give different bits.
        device: where generators are trained; scoring runs on the CPU.
        time_limit_s: wall-clock seconds after which a job is killed; never shortens a training.
        memory_gb: resident memory of a cell's processes (10^9 bytes) above which it is killed; None gives every
            worker an equal share of 90 % of the machine's.
        gpu_memory_gb: device memory (10^9 bytes) that a training needs on cuda, by which several share a device where
            they fit; None takes it from what the same training needed before.
        patches: whether image patches are held on the device or stay in the cohort's file and are read batch by
            batch; the same bits, so no part of a key. auto holds them where they fit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    cohort: str = "simulated"
    track: Literal["random", "site", "custom"] = "random"
    folds: tuple[int, ...] = (0, 1, 2)
    repeats: int = Field(default=1, ge=1)
    repeats_of: Mapping[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    generators: tuple[str, ...]
    settings: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    tuned: TunedSettings | None = None
    train_fractions: tuple[Share, ...] = ()
    budget: Literal["quick", "cpu", "full"] = "quick"
    panel: Literal["core", "extended"] = "core"
    gene_sets: GeneSetsFile | None = None
    threads: int = Field(default=1, ge=1)
    device: Literal["cpu", "cuda"] = "cpu"
    time_limit_s: float = Field(default=3600.0, gt=0)
    memory_gb: float | None = Field(default=None, gt=0)
    gpu_memory_gb: float | None = Field(default=None, gt=0)
    patches: Literal["auto", "held", "streamed"] = "auto"

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


def row_name(generator: str, variant: str, train_fraction: float = 1.0) -> str:
    """Name of a leaderboard's row: the registry key, with the variant and the share where they are not the default."""
    name = generator if variant == DEFAULT else f"{generator}-{variant}"
    return name if train_fraction == 1.0 else f"{name}@{train_fraction:g}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One generator × fold × repeat, with default or with tuned settings.

    A tuned cell whose settings are the default ones has the default cell's rows and train key.

    Attributes:
        entry: the generator's registry entry.
        settings: its full settings, JSON-able.
        version: its declared version.
        fold: the fold's ids.
        repeat: index of the training seed.
        train_key: content key of *train and sample*: cohort, fold, generator, version, settings, budget,
            repeat, threads, device; the content of the file that a local generator comes from.
        score_key: content key of *score*: the train key, the panel with its schema and its metrics' versions, the gene
            sets, the tuning.
        tuned: where tuned settings come from; None for a default cell.
        train_fraction: share of the fold's training and validation patients that the generator is fitted on.
        skip: why it cannot be started here, None when it can; what is stored under its keys still counts.
    """

    entry: Entry
    settings: Mapping[str, Any]
    version: str
    fold: Fold
    repeat: int
    train_key: str
    score_key: str
    tuned: TunedFold | None = None
    train_fraction: float = 1.0
    skip: str | None = None

    @property
    def variant(self) -> str:
        """`default` or `tuned`."""
        return DEFAULT if self.tuned is None else TUNED

    @property
    def row(self) -> str:
        """Name of the leaderboard's row it belongs to."""
        return row_name(self.entry.name, self.variant, self.train_fraction)

    @property
    def slot(self) -> str:
        """Name of the cell's record within a leaderboard."""
        return f"{self.row}.{self.fold.track}-{self.fold.index}.{self.repeat}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A sweep with its cells, and the fold preparations they need; the gene sets that the sweep states."""

    sweep: Sweep
    fingerprint: str
    folds: tuple[Fold, ...]
    cells: tuple[Cell, ...]
    gene_sets: GeneSets | None = None

    def fold_key(self, fold: Fold, panel: str | None = None) -> str:
        """Content key of the real side of a fold's scores, for the sweep's panel or another."""
        return content_key(
            {
                "kind": "fold",
                "cohort": self.fingerprint,
                "fold": fold.hash(),
                "metrics": metric_versions(panel or self.sweep.panel),
                "schema": PANEL_SCHEMA,
            }
        )


def plan(sweep: Sweep, registry: Registry, cohort: Cohort, fingerprint: str, folds_file: Path | None = None) -> Plan:
    """All cells of a sweep, fold by fold.

    Raises:
        InputError: folds that do not exist, unknown settings (all at once), unreadable fold files.
    """
    chosen = chosen_folds(cohort, sweep.track, sweep.folds, folds_file)
    problems: list[str] = []
    tuned = sweep.tuned.generators if sweep.tuned else {}
    resolved: dict[str, GeneratorSettings] = {}
    found: dict[tuple[str, str], GeneratorSettings] = {}
    broken: dict[str, str] = {}
    for name in sweep.generators:
        if name in tuned and name in sweep.settings:
            problems.append(f"settings of {name!r} are given and tuned; run one of them under another --name")
        if name in tuned and row_name(name, TUNED) in registry:
            problems.append(
                f"{row_name(name, TUNED)!r} is a generator and the row of tuned {name}; rename the generator"
            )
        try:
            resolved[name] = resolve_settings(registry[name], sweep.budget, sweep.settings.get(name))
            for fold in chosen if name in tuned else ():
                best = _tuned_fold(tuned[name], name, fold).settings
                found[name, fold.hash()] = resolve_settings(registry[name], sweep.budget, best)
        except BrokenGenerator as error:
            broken[name] = str(error)
            resolved[name] = GeneratorSettings()
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    cells = []
    for fold in chosen:
        for repeat in range(max(map(sweep.seeds_of, sweep.generators))):
            for name in (name for name in sweep.generators if repeat < sweep.seeds_of(name)):
                for variant, fraction in sweep.variants(name, registry[name]):
                    source = tuned[name][fold.hash()] if variant == TUNED else None
                    settings = resolved[name] if source is None else found[name, fold.hash()]
                    counted = registry[name].reads_counts and cohort.counts is not None
                    cell = _cell(sweep, registry[name], settings, fold, repeat, fingerprint, source, fraction, counted)
                    cells.append(replace(cell, skip=broken.get(name) or registry[name].unavailable))
    return Plan(sweep, fingerprint, chosen, tuple(cells))


def chosen_folds(
    cohort: Cohort, track: str, indices: Sequence[int], folds_file: Path | None = None
) -> tuple[Fold, ...]:
    """Folds of a cohort's track by index; of the track `custom`, those of a file.

    Raises:
        InputError: folds that do not exist, an unreadable fold file.
    """
    if track == "custom":
        every = read_folds(_given(folds_file), cohort)
    else:
        every = folds(cohort, "site" if track == "site" else "random")
    missing = [index for index in indices if not 0 <= index < len(every)]
    if missing:
        raise InputError(f"--folds {missing}: cohort {cohort.name} has folds 0 to {len(every) - 1}")
    return tuple(every[index] for index in indices)


def _tuned_fold(found: Mapping[str, TunedFold], name: str, fold: Fold) -> TunedFold:
    if fold.hash() not in found:
        raise InputError(f"no tuned settings of {name} for fold {fold.index}; run `gexbench tune {name}`")
    return found[fold.hash()]


def _given(folds_file: Path | None) -> Path:
    if folds_file is None:
        raise InputError("track 'custom' needs the file of the folds: --folds FILE")
    return folds_file


def _cell(
    sweep: Sweep,
    entry: Entry,
    settings: GeneratorSettings,
    fold: Fold,
    repeat: int,
    fingerprint: str,
    tuned: TunedFold | None,
    train_fraction: float,
    counted: bool,
) -> Cell:
    content = settings.model_dump(mode="json")
    scarce = {} if train_fraction == 1.0 else {"train_fraction": train_fraction}
    of_file = {} if entry.file is None else {"file": entry.file.sha256}
    train_key = content_key(
        {
            "kind": "rows",
            "schema": KEY_SCHEMA,
            "cohort": fingerprint,
            "fold": fold.hash(),
            "generator": entry.name,
            "version": settings.version,
            "settings": content,
            "budget": sweep.budget,
            "repeat": repeat,
            "threads": sweep.threads,
            "device": sweep.device,
            **scarce,
            **of_file,
            **({"counts": "layer"} if counted else {}),
        }
    )
    metrics = metric_versions(sweep.panel, scarce=bool(scarce))
    scored: dict[str, Any] = {"kind": "record", "schema": PANEL_SCHEMA, "rows": train_key}
    scored |= {"panel": sweep.panel, "metrics": metrics}
    if sweep.gene_sets is not None:
        scored["gene_sets"] = sweep.gene_sets.sha256
    if tuned is not None:
        scored["tuned"] = tuned.model_dump(mode="json")
    key = content_key(scored)
    return Cell(entry, content, settings.version, fold, repeat, train_key, key, tuned, train_fraction)


def metric_versions(panel: str, scarce: bool = False) -> dict[str, int]:
    """Name → version of every metric of a panel (`extended` holds `core`), of a cell fitted on all or on a share."""
    return {spec.name: spec.version for spec in panel_specifications(cast(Panel, panel), scarce=scarce)}


def leaderboard_name(sweep: Sweep, given: str | None, specification: str | None = None) -> str:
    """The user's name, checked, or COHORT-BUDGET and what is special: the track, the panel, `scarce`, the
    specification that it comes from.
    """
    if given:
        return checked_name(given, "leaderboard")
    more: list[str] = [name for name in (sweep.track, sweep.panel) if name not in {"random", "core"}]
    more += ["scarce"] if sweep.train_fractions else []
    more += [specification] if specification else []
    return "-".join([sweep.cohort, sweep.budget, *more])
