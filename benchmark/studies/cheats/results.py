"""From measured cheats to scores and verdicts: a pure function of the table that stands beside the page."""

import io
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from gexbench.benchmark.studies.cheats.measuring import BESIDE, Measured
from gexbench.benchmark.studies.cheats.rows import CHEATS, HONEST, REFERENCES
from gexbench.benchmark.studies.csv_tables import read_rows
from gexbench.leaderboards.comparing.gates import COPIES, OF_TRAINING, OF_VALIDATION
from gexbench.leaderboards.statistics import FloatArray, fold_mean, half_width
from gexbench.tasks.errors import InputError
from gexbench.tasks.panel import gates
from gexbench.tasks.panel.catalogue import lookup, place, split_key
from gexbench.tasks.panel.declarations.metric import Family, Panel
from gexbench.tasks.panel.scores import COPY_GATE, References, cell_score, undiscriminating

COLUMNS = ("cohort", "fold", "panel", "test_share", "row", "key", "value", "floor", "ceiling")
GATES: Mapping[str, tuple[str, ...]] = {
    "copy gate": (COPIES,),
    "copy gate of the rows for training patients": (f"train_{COPIES}",),
    "gate of pairs and trios": tuple(name for name in OF_TRAINING if not name.endswith(COPIES)),
    "validation copy gate": OF_VALIDATION,
}
"""Title → the shares of which none may be too large."""
LOWEST = 3
FORMER = {"membership_distance_auc": "membership_auc"}
"""Keys of tables of protocol 1, which asked one attack alone, and what stands in their column."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Scores of the rows of one cohort on some folds.

    Attributes:
        cohort: its name.
        panel: `core` or `extended`.
        folds: indices of the folds.
        rows: names of references and cheats.
        keys: metric keys that enter the overall score, in the catalogue's order.
        left_out: keys that do not discriminate on these folds and enter no score.
        scores: (rows, folds, keys) in [0, 1].
        families: family → (rows, folds).
        overall: (rows, folds).
        beside: metric that stands beside the score → (rows, folds), NaN where it does not apply.
        share: n_test / n_train.
        gates: row → the gates that it fails; empty where the figures of the gates are not known.
    """

    cohort: str
    panel: Panel
    folds: tuple[int, ...]
    rows: tuple[str, ...]
    keys: tuple[str, ...]
    left_out: tuple[str, ...]
    scores: FloatArray
    families: Mapping[Family, FloatArray]
    overall: FloatArray
    beside: Mapping[str, FloatArray]
    share: float
    gates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a cheat is caught.

    Attributes:
        name: of the cheat.
        overall: mean over folds.
        difference: overall score minus real-holdout's, mean over folds.
        half_width: of the 95 % interval of the difference; NaN on a single fold.
        by_score: the difference lies below zero by more than its interval.
        by_gates: the copy gates that it fails and that its honest rows pass.
        lowest: the metrics with the lowest scores, with these scores.
    """

    name: str
    overall: float
    difference: float
    half_width: float
    by_score: bool
    by_gates: tuple[str, ...]
    lowest: tuple[tuple[str, float], ...]

    @property
    def caught(self) -> bool:
        """By the score or by a gate."""
        return self.by_score or bool(self.by_gates)


def scored(cohort: str, measured: Sequence[Measured], panel: Panel) -> Scored:
    """Scores by the metric keys that all of `measured` have, which were measured with the panel or a larger one."""
    shared = set.intersection(*({*found.values, *found.trtr} for found in measured))
    folds = tuple(sorted({found.fold for found in measured}))
    rows = tuple(dict.fromkeys(found.row for found in measured))
    by_place = {(found.row, found.fold): _narrowed(found, shared) for found in measured}
    references = [_references(by_place, fold) for fold in folds]
    left_out = undiscriminating(references)
    cells = {
        place: cell_score(found.values, references[folds.index(place[1])], left_out=left_out)
        for place, found in by_place.items()
    }
    keys = ordered(next(iter(cells.values())).scores)
    families = tuple(next(iter(cells.values())).families)

    def table(of: Mapping[tuple[str, int], float | None]) -> FloatArray:
        return np.array([[_or_nan(of[row, fold]) for fold in folds] for row in rows])

    return Scored(
        cohort=cohort,
        panel=panel,
        folds=folds,
        rows=rows,
        keys=keys,
        left_out=ordered(left_out),
        scores=np.stack([table({at: cell.scores[key] for at, cell in cells.items()}) for key in keys], axis=2),
        families={name: table({at: cell.families[name] for at, cell in cells.items()}) for name in families},
        overall=table({at: cell.overall for at, cell in cells.items()}),
        beside={name: table({at: found.values.get(name) for at, found in by_place.items()}) for name in BESIDE},
        share=float(np.mean([found.share for found in by_place.values()])),
        gates=failed_gates(measured),
    )


def failed_gates(measured: Sequence[Measured]) -> dict[str, tuple[str, ...]]:
    """Row → the gates that it fails over all its folds; nothing for rows without figures of the gates."""
    folds: dict[str, list[Mapping[str, Mapping[str, float]]]] = {}
    for found in measured:
        if found.gates:
            folds.setdefault(found.row, []).append(found.gates)
    references = {row.name for row in REFERENCES}
    return {
        row: tuple(
            verdict.gate for verdict in gates.verdicts(each, reference=row in references) if verdict.state == "failed"
        )
        for row, each in folds.items()
    }


def ordered(keys: Iterable[str]) -> tuple[str, ...]:
    """Metric keys in the catalogue's order, those of a metric by label."""
    return tuple(sorted(keys, key=lambda key: (place(split_key(key)[0]), key)))


def _narrowed(measured: Measured, keys: Collection[str]) -> Measured:
    """Without the metrics that other folds lack: `extended` has more, of some metrics more labels too."""
    values = {key: value for key, value in measured.values.items() if key in keys}
    trtr, majority = (
        {key: value for key, value in part.items() if key in keys} for part in (measured.trtr, measured.majority)
    )
    return replace(measured, values=values, trtr=trtr, majority=majority)


def _references(by_place: Mapping[tuple[str, int], Measured], fold: int) -> References:
    real = by_place[HONEST, fold]
    return References(
        real_holdout=real.values,
        gene_shuffle=by_place["gene-shuffle", fold].values,
        class_mean=by_place["class-mean", fold].values,
        trtr=real.trtr,
        majority=real.majority,
    )


def verdicts(found: Scored) -> list[Verdict]:
    """One per cheat, in their order."""
    return [_verdict(found, cheat.name) for cheat in CHEATS if cheat.name in found.rows]


def _verdict(found: Scored, name: str) -> Verdict:
    at, honest = found.rows.index(name), found.rows.index(HONEST)
    differences = found.overall[at] - found.overall[honest]
    width = float(half_width(differences, found.share)[0])
    means = found.scores[at].mean(axis=0)
    lowest = np.argsort(means, kind="stable")[:LOWEST]
    return Verdict(
        name=name,
        overall=float(found.overall[at].mean()),
        difference=float(differences.mean()),
        half_width=width,
        by_score=math.isfinite(width) and float(differences.mean()) + width < 0,
        by_gates=found.gates[name] if name in found.gates else _by_shares(found, name),
        lowest=tuple((found.keys[key], float(means[key])) for key in lowest),
    )


def _by_shares(found: Scored, name: str) -> tuple[str, ...]:
    """The gates of protocol 1 that a row fails."""
    at, honest = found.rows.index(name), found.rows.index(HONEST)
    spoils = next(cheat.spoils_honest_rows for cheat in CHEATS if cheat.name == name)
    return tuple(
        title
        for title, gate in GATES.items()
        if any(fails(found.beside[share][at]) for share in gate if _known(found, share))
        and not (spoils and any(fails(found.beside[share][honest]) for share in gate if _known(found, share)))
    )


def _known(found: Scored, share: str) -> bool:
    """Whether the table holds it: one that the table is older than judges nothing."""
    return not bool(np.isnan(found.beside[share][found.rows.index(HONEST)]).all())


def fails(shares: FloatArray) -> bool:
    """Whether the mean share (folds,) of copies lies above the gate; an unknown share fails."""
    mean = float(fold_mean(shares)[0])
    return not round(mean, 12) <= COPY_GATE


def views(cohort: str, measured: Sequence[Measured]) -> list[Scored]:
    """The core panel on all folds, and the extended panel on those that have it; one where all folds have it."""
    extended = [found for found in measured if found.panel == "extended"]
    if len(extended) == len(measured):
        return [scored(cohort, measured, "extended")]
    core = scored(cohort, measured, "core")
    return [core, scored(cohort, extended, "extended")] if extended else [core]


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def table_text(cohort: str, measured: Sequence[Measured]) -> str:
    """Every value, with the floor and ceiling of its fold, as CSV with `COLUMNS`."""
    by_place = {(found.row, found.fold): found for found in measured}
    lines = []
    for found in measured:
        references = _references(by_place, found.fold)
        head = (cohort, found.fold, found.panel, found.share, found.row)
        for key in ordered({*found.values, *found.trtr}):
            anchors = (references.floor(key), references.ceiling(key)) if lookup(key).in_overall else (None, None)
            lines.append((*head, key, found.values.get(key), *anchors))
    text = io.StringIO()
    pd.DataFrame(lines, columns=list(COLUMNS)).to_csv(text, index=False, float_format="%.9g", lineterminator="\n")
    return text.getvalue()


def read_table(path: Path) -> tuple[str, list[Measured]]:
    """Name of the cohort and what was measured, from a table of `table_text`.

    Raises:
        InputError: a table of another form.
    """
    try:
        frame = pd.read_csv(path).replace({"key": FORMER})
        cohort = str(frame["cohort"].iloc[0])
        places = frame.groupby(["fold", "row"], sort=False)
        return cohort, [_read_row(int(fold), str(row), part) for (fold, row), part in places]
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise InputError(f"{path.name}: is no table of cheats ({error}); remove it and run its cohort again") from None


def read_tables(folder: Path, name: str) -> dict[str, list[Scored]]:
    """Cohort → its views, from the tables NAME.COHORT.csv of a folder, with the gates of NAME-gates.COHORT.csv.

    Raises:
        InputError: a table of another form.
    """
    found = {}
    for path in sorted(folder.glob(f"{name}.*.csv")):
        cohort, kept = read_table(path)
        failed = read_gates(folder / f"{name}-gates.{cohort}.csv")
        found[cohort] = [replace(view, gates=failed) for view in views(cohort, kept)]
    return found


def gates_text(measured: Sequence[Measured]) -> str:
    """Row and failed gates, joined by +, as CSV."""
    lines = [f"{row},{'+'.join(failed)}\n" for row, failed in failed_gates(measured).items()]
    return "".join(["row,failed\n", *lines])


def read_gates(path: Path) -> dict[str, tuple[str, ...]]:
    """What `gates_text` wrote; nothing where there is no such file, as beside tables of protocol 1."""
    return {line["row"]: tuple(filter(None, line["failed"].split("+"))) for line in read_rows(path)[1]}


def _read_row(fold: int, row: str, part: pd.DataFrame) -> Measured:
    utility = part[[lookup(key).ceiling == "trtr" for key in part["key"]]]
    return Measured(
        row=row,
        fold=fold,
        panel=cast(Panel, str(part["panel"].iloc[0])),
        share=float(part["test_share"].iloc[0]),
        values={
            str(key): None if pd.isna(value) else float(value)
            for key, value in zip(part["key"], part["value"], strict=True)
        },
        trtr=dict(zip(utility["key"], utility["ceiling"].astype(float), strict=True)),
        majority=dict(zip(utility["key"], utility["floor"].astype(float), strict=True)),
    )
