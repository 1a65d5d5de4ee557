"""Frames behind the figures: pure functions of a leaderboard and its records."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from gexbench.leaderboards.comparing.judging import BELOW
from gexbench.leaderboards.comparing.scarce import REAL_ONLY
from gexbench.leaderboards.comparing.selection import CEILING
from gexbench.leaderboards.comparing.table import Leaderboard
from gexbench.leaderboards.records import Record
from gexbench.tasks.panel.questions.augmentation import RELEASE_SIZES

OVERALL_GROUP = "overall"
FAMILY_MEANS = "family means"
_RANK = "rank_share_"


class Lacking(ValueError):
    """The records do not allow this figure; says what they lack."""


def score_frame(board: Leaderboard, records: Sequence[Record]) -> pd.DataFrame:
    """generator, standing, group (`overall`, `family means`, or the metric's family), key, score in [0, 1].

    In the order of the table and of its metrics.
    """
    rows = _scored_rows(board)
    parts = [rows.assign(group=OVERALL_GROUP, key="overall", score=rows["overall"])]
    parts += [rows.assign(group=FAMILY_MEANS, key=name, score=rows[name]) for name in board.families]
    metrics = board.metrics[board.metrics["score"].notna()].rename(columns={"family": "group"})
    standing = rows.set_index("generator")["standing"]
    parts.append(metrics.assign(standing=metrics["generator"].map(standing)))
    return pd.concat(parts, ignore_index=True)[["generator", "standing", "group", "key", "score"]]


def overall_frame(board: Leaderboard, records: Sequence[Record]) -> pd.DataFrame:
    """generator, family, standing, rank, with_leader, overall, half_width (NaN with one fold), in table order."""
    rows = _scored_rows(board)
    columns = ["generator", "family", "standing", "rank", "with_leader", "overall"]
    return rows[columns].assign(half_width=rows["overall_half_width"])


def cost_frame(board: Leaderboard, records: Sequence[Record]) -> pd.DataFrame:
    """generator, family, standing, overall, seconds (CPU seconds of a fit), competes.

    competes: whether a row takes part in the Pareto front: it makes rows of its own (the gates are passed, and it
    is not the ceiling).
    """
    rows = _scored_rows(board)
    seconds = board.resources.set_index("generator")["fit_cpu_s"]
    stopped = {CEILING, *board.failing}
    competes = [row.standing != BELOW and row.generator not in stopped for row in rows.itertuples()]
    frame = rows[["generator", "family", "standing", "overall"]].assign(
        seconds=rows["generator"].map(seconds), competes=competes
    )
    frame = frame[frame["seconds"] > 0].reset_index(drop=True)
    if frame.empty:
        raise Lacking("no record states the CPU time of a fit")
    return frame


def recall_frame(board: Leaderboard, records: Sequence[Record]) -> pd.DataFrame:
    """generator, standing, class, recall in [0, 1]: mean over cells, TSTR by logistic regression, finest label."""
    name = f"tstr_lr_recall[{board.header.label_columns[0]}]"
    return _per_class(board, records, name, "recall", "no record has the recall of the classes (TSTR needs labels)")


def concordance_frame(board: Leaderboard, records: Sequence[Record]) -> pd.DataFrame:
    """generator, standing, class, concordance in [-1, 1]: Lin's, of log-fold-changes, a class against the rest."""
    lacking = "needs the panel extended: `gexbench score NAME --panel extended`"
    return _per_class(board, records, "de_concordance", "concordance", lacking)


def rank_frame(board: Leaderboard, records: Sequence[Record]) -> pd.DataFrame:
    """generator, standing, rank (0 to draws), share: of true values at this rank among their draws, mean over cells."""
    found = [
        (record.generator.full_name, int(key.removeprefix(_RANK)), float(share))
        for record in _finished(board, records)
        for key, share in record.extra.items()
        if key.startswith(_RANK)
    ]
    if not found:
        raise Lacking("no record has the ranks of true values among draws for the same patient")
    frame = pd.DataFrame(found, columns=["generator", "rank", "share"])
    return _in_order(board, frame.groupby(["generator", "rank"], as_index=False)["share"].mean())


def release_frame(board: Leaderboard, records: Sequence[Record]) -> pd.DataFrame:
    """generator, family, standing, size (real patients per class), accuracy with synthetic rows, alone, all_real.

    Means over cells; alone: the same classifier without synthetic rows; all_real: on all real training rows.
    """
    finest = board.header.label_columns[0]
    rows = []
    for record in _finished(board, records):
        trtr = record.reference_values.get("trtr", {}).get(f"tstr_lr_accuracy[{finest}]", np.nan)
        for size in RELEASE_SIZES:
            measured = record.metrics.get(f"release_accuracy_{size}")
            if measured is not None and measured.value is not None:
                alone = record.extra.get(f"release_real_only_accuracy_{size}", np.nan)
                rows.append((record.generator.full_name, size, measured.value, alone, trtr))
    if not rows:
        raise Lacking("needs the panel extended: `gexbench score NAME --panel extended`")
    columns = ["generator", "size", "accuracy", "alone", "all_real"]
    frame = pd.DataFrame(rows, columns=columns).groupby(["generator", "size"], as_index=False).mean()
    return _in_order(board, frame)


def scarce_frame(board: Leaderboard, records: Sequence[Record]) -> pd.DataFrame:
    """generator, family, standing, samples, train_fraction, accuracy with synthetic rows, half_width, alone, all_real.

    Shares below 1 alone. samples: mean number of patients that the generator was fitted on; all_real: the same
    classifier on the real rows of all training patients.
    """
    every = board.scarce
    shares = every[(every["train_fraction"] < 1.0) & every["scarce_accuracy"].notna()]
    if shares.empty:
        raise Lacking("no generator was fitted on a share of the patients: `gexbench run --train-fractions 0.1,0.25`")
    whole = every[every["train_fraction"] == 1.0].set_index("generator")[REAL_ONLY]
    frame = shares[["generator", "samples", "train_fraction"]].assign(
        accuracy=shares["scarce_accuracy"],
        half_width=shares["scarce_accuracy_half_width"],
        alone=shares[REAL_ONLY],
        all_real=shares["generator"].map(whole).fillna(whole.mean()),
    )
    return _in_order(board, frame.sort_values(["generator", "train_fraction"]))


def _scored_rows(board: Leaderboard) -> pd.DataFrame:
    """Rows of the table that have an overall score, with their family."""
    family = board.settings.set_index("generator")["family"]
    rows = board.rows.assign(family=board.rows["generator"].map(family))
    rows = rows[rows["overall"].notna()].reset_index(drop=True)
    if rows.empty:
        raise Lacking("no scores: floors and ceilings need the records of real-holdout, gene-shuffle and class-mean")
    return rows


def _finished(board: Leaderboard, records: Sequence[Record]) -> Iterator[Record]:
    """Finished cells of the table's folds, fitted on all patients."""
    folds = set(board.header.folds)
    return (r for r in records if r.state == "ok" and r.train_fraction == 1.0 and r.fold.index in folds)


def _per_class(board: Leaderboard, records: Sequence[Record], measure: str, value: str, lacking: str) -> pd.DataFrame:
    found = [
        (record.generator.full_name, name, number)
        for record in _finished(board, records)
        for name, number in record.per_class.get(measure, {}).items()
    ]
    if not found:
        raise Lacking(lacking)
    frame = pd.DataFrame(found, columns=["generator", "class", value])
    return _in_order(board, frame.groupby(["generator", "class"], as_index=False)[value].mean())


def _in_order(board: Leaderboard, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of generators in the table, in its order, with family and standing."""
    about = board.rows[["generator", "standing"]].merge(board.settings[["generator", "family"]], on="generator")
    return about.merge(frame, on="generator", how="inner")
