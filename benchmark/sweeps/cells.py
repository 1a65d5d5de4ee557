"""What a sweep is made of: its cells, and the plan that holds them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gexbench.benchmark.sweeps.keys import fold_key
from gexbench.benchmark.sweeps.rows import row_name
from gexbench.benchmark.sweeps.sweep import Sweep
from gexbench.leaderboards.records.parts import DEFAULT, TUNED, Tuning, Variant
from gexbench.models.entry import Entry
from gexbench.tasks.cohorts.folds import Fold
from gexbench.tasks.panel.declarations.metric import Panel
from gexbench.tasks.panel.gene_sets import GeneSets


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
        train_key, score_key: content keys of *train and sample* and of *score*.
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
    tuned: Tuning | None = None
    train_fraction: float = 1.0
    skip: str | None = None

    @property
    def variant(self) -> Variant:
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

    def fold_key(self, fold: Fold, panel: Panel | None = None) -> str:
        """Content key of the real side of a fold's scores, for the sweep's panel or another."""
        return fold_key(self.fingerprint, fold, panel or self.sweep.panel)
