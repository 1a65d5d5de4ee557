"""Content keys: SHA-256 of canonical JSON, and what enters those of a cell."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from gexbench.benchmark.sweeps.sweep import Sweep
from gexbench.leaderboards.records.parts import Tuning
from gexbench.models.entry import Entry
from gexbench.models.registry import PlannedSettings
from gexbench.tasks.cohorts.folds import Fold
from gexbench.tasks.panel.catalogue import panel_specifications
from gexbench.tasks.panel.declarations.metric import PANEL_SCHEMA, Panel
from gexbench.tasks.panel.protocols import CURRENT

KEY_SCHEMA = 1


def content_key(content: Mapping[str, Any]) -> str:
    """Hexadecimal SHA-256 of the canonical JSON of `content`; raises ValueError on NaN."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def train_key(
    sweep: Sweep,
    fingerprint: str,
    fold: Fold,
    entry: Entry,
    settings: PlannedSettings,
    repeat: int,
    train_fraction: float,
    counted: bool,
) -> str:
    """Key of *train and sample*; what does not apply is left out, so that older keys stay.

    Args:
        sweep: whose budget, threads and device enter.
        fingerprint: of the cohort.
        entry: of the generator; of a local one the content of its file enters.
        repeat: index of the training seed.
        train_fraction: share of the patients that the generator is fitted on.
        counted: whether it reads the cohort's count layer.
    """
    content = {
        "kind": "rows",
        "schema": KEY_SCHEMA,
        "protocol": CURRENT.number,
        "cohort": fingerprint,
        "fold": fold.hash(),
        "generator": entry.name,
        "version": settings.version,
        "settings": settings.model_dump(mode="json"),
        "budget": sweep.budget,
        "repeat": repeat,
        "threads": sweep.threads,
        "device": sweep.device,
    }
    if train_fraction != 1.0:
        content["train_fraction"] = train_fraction
    if entry.file is not None:
        content["file"] = entry.file.sha256
    if counted:
        content["counts"] = "layer"
    return content_key(content)


def score_key(sweep: Sweep, rows: str, train_fraction: float, tuned: Tuning | None) -> str:
    """Key of *score*: the train key `rows`, protocol, panel, its schema and metrics' versions, gene sets, tuning."""
    content: dict[str, Any] = {
        "kind": "record",
        "protocol": CURRENT.number,
        "schema": PANEL_SCHEMA,
        "rows": rows,
        "panel": sweep.panel,
        "metrics": metric_versions(sweep.panel, scarce=train_fraction != 1.0),
    }
    if sweep.gene_sets is not None:
        content["gene_sets"] = sweep.gene_sets.sha256
    if tuned is not None:
        content["tuned"] = tuned.model_dump(mode="json")
    return content_key(content)


def fold_key(fingerprint: str, fold: Fold, panel: Panel) -> str:
    """Key of the real side of a fold's scores."""
    return content_key(
        {
            "kind": "fold",
            "cohort": fingerprint,
            "fold": fold.hash(),
            "metrics": metric_versions(panel),
            "schema": PANEL_SCHEMA,
            "protocol": CURRENT.number,
        }
    )


def metric_versions(panel: Panel, scarce: bool = False) -> dict[str, int]:
    """Name → version of every metric of a panel (`extended` holds `core`), of a cell fitted on all or on a share."""
    return {spec.name: spec.version for spec in panel_specifications(panel, scarce=scarce)}
