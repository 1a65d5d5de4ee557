"""Every figure of a leaderboard's records: its frame, its function and its caption."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from gexbench.leaderboards.comparing.header import Header
from gexbench.leaderboards.comparing.table import Leaderboard
from gexbench.leaderboards.figures import agreement, downstream, frames, scores
from gexbench.leaderboards.records import Record

MakeFrame = Callable[[Leaderboard, Sequence[Record]], pd.DataFrame]


@dataclass(frozen=True, slots=True)
class FigureKind:
    """A figure that records may allow.

    Attributes:
        name: of its file.
        frame: makes what it shows; raises `Lacking` where the records do not allow it.
        draw: makes the figure from the frame.
        caption: what stands below it in a paper; `caption_of` adds what the records share.
    """

    name: str
    frame: MakeFrame
    draw: Callable[[pd.DataFrame], Figure]
    caption: str


_REFERENCES = "References are in grey italics and take no rank."
_ORDER = "Generators are in leaderboard order."

FIGURES: tuple[FigureKind, ...] = (
    FigureKind(
        "scores",
        frames.score_frame,
        scores.score_heat_map,
        "Normalised scores of every generator (rows) by metric (columns, grouped by family), means over folds. A score "
        "of 0 is that of the worse trivial reference, of the majority class or of a perfect detector; 1 is that of "
        f"real samples. {_ORDER} {_REFERENCES}",
    ),
    FigureKind(
        "overall",
        frames.overall_frame,
        scores.overall_scores,
        "Overall score: the mean over families of the mean normalised score. Lines are 95 % intervals over folds, "
        "corrected for shared training samples (Nadeau & Bengio 2003). Filled markers: every cell finished and not "
        "separable from the leader (Holm-adjusted p ≥ 0.05 of fold-paired differences); references are filled "
        "throughout. Numbers are ranks. "
        f"{_REFERENCES}",
    ),
    FigureKind(
        "time",
        frames.cost_frame,
        scores.score_against_time,
        "Overall score against the CPU time of one fit, mean over folds; times under 0.01 s are shown at 0.01 s. Left: "
        "all generators; right: the ranked ones within 0.15 of the best, enlarged. Filled markers and the line: the "
        "Pareto front, on which no other generator scores higher in less time. Real samples and rows that copy "
        "training samples (crosses) are excluded from it. Labels that do not fit are omitted.",
    ),
    FigureKind(
        "recall",
        frames.recall_frame,
        downstream.class_recall,
        "Recall of every class (in hundredths): logistic regression trained on synthetic rows of the training patients "
        "and tested on real samples, mean over folds. Classes are ordered by the recall of real-holdout; generators "
        f"that see no labels are omitted. {_ORDER} {_REFERENCES}",
    ),
    FigureKind(
        "few-real-rows",
        frames.release_frame,
        downstream.released_rows,
        "Accuracy on real test samples of logistic regression trained on a few real samples per class together with "
        "the synthetic rows of all training patients (coloured), against the few real samples alone (dashed) and all "
        "real training samples (dotted). Means over three draws of the few and over folds. The generators knew all "
        "training patients. The lines of the other generators are shown faintly behind each.",
    ),
    FigureKind(
        "few-patients",
        frames.scarce_frame,
        downstream.few_patients,
        "Generators that were themselves fitted on a share of the training patients and then generated a sample "
        "for every training patient from that patient's conditions. Accuracy on real test samples of logistic "
        "regression trained on the few real samples and these rows (coloured), on the few real samples alone (dashed), "
        "and on all real training samples (dotted); means over the finished folds. The lines of the other generators "
        "are shown faintly behind each.",
    ),
    FigureKind(
        "calibration",
        frames.rank_frame,
        agreement.rank_histograms,
        "Rank of a patient's true expression among the draws for the same patient, over all genes and test patients, "
        "mean over folds. Flat: calibrated; raised ends: the draws vary too little; raised middle: too much. "
        f"Bars above three times the uniform share are cut, with the share written beside them. {_ORDER} {_REFERENCES}",
    ),
    FigureKind(
        "differential-expression",
        frames.concordance_frame,
        agreement.fold_change_concordance,
        "Agreement of differential expression: Lin's concordance of the log-fold-changes of every class against the "
        "rest between synthetic and real test samples (a marker per class; bars: means; mean over folds). Classes with "
        "fewer than ten samples are excluded. Triangles: values left of the axis.",
    ),
)

TRAINING_CAPTION = (
    "Training of {generator}: losses, gradient norms and the validation score by optimiser step, a line per fold and "
    "seed; dashed lines belong to trainings that failed."
)
PCA_CAPTION = (
    "Real test samples and rows of {generator} for the same patients, projected on the first two principal components "
    "of the real ones (genes centred and scaled). Left: both; middle and right: each with the median of every class; "
    "labels that do not fit are omitted."
)
CORRELATION_CAPTION = (
    "Pearson correlations of genes among real test samples (left) and among rows of {generator} for the same patients "
    "(middle), genes in the order of an average-linkage clustering of the real correlations; right: every pair of "
    "genes, darker where there are more (logarithmic), with the line of equality."
)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure that can be drawn: the name of its file, what draws it, and its caption."""

    name: str
    draw: Callable[[], Figure]
    caption: str


def drawings(
    board: Leaderboard, records: Sequence[Record], names: Collection[str] = ()
) -> tuple[list[Drawing], list[str]]:
    """The figures of `FIGURES` that records allow, and why the others are left out.

    Args:
        board: made from the records.
        names: of the figures that are wanted; all without any.
    """
    found: list[Drawing] = []
    left_out = []
    for kind in FIGURES:
        if names and kind.name not in names:
            continue
        try:
            frame = kind.frame(board, records)
        except frames.Lacking as reason:
            left_out.append(f"{kind.name}: {reason}")
            continue
        found.append(Drawing(kind.name, partial(kind.draw, frame), caption_of(kind.caption, board.header)))
    return found, left_out


def caption_of(text: str, header: Header, fold: int | None = None) -> str:
    """The caption with the cohort and the protocol behind it; of a figure of rows, the fold."""
    folds = f"fold {fold}" if fold is not None else _counted(len(header.folds), "fold")
    return (
        f"{text} Cohort {header.cohort}: {header.samples:,} samples, {header.genes:,} genes; track {header.track}, "
        f"budget {header.budget}, {folds}."
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
