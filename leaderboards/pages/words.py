"""How to read a table: the words that every format shares, by the protocol of its records."""

import math
from collections.abc import Iterator

from gexbench.leaderboards.comparing.convergence import RULES
from gexbench.leaderboards.comparing.gates import PAIRS_TOO, pairs_known
from gexbench.leaderboards.comparing.judging import REFERENCE, UNRANKED
from gexbench.leaderboards.comparing.ranking import smallest_difference
from gexbench.leaderboards.comparing.table import Leaderboard
from gexbench.leaderboards.formatting import number
from gexbench.leaderboards.pages.main_table import partial_marks
from gexbench.tasks.panel.protocols import FIRST

_INTERVALS = (
    "±",
    "is the half-width of the 95 % interval over folds, corrected for shared training patients (Nadeau & Bengio 2003).",
)
_LEADER = ("●", "every cell finished and not separable from the leader (Holm-adjusted p ≥ .05).")
_ARROWS = "↑ higher is better, ↓ lower is better, → as close as possible to real-holdout's value."
GATES = (
    "Gates: copies: share of rows made of one, two or three training or validation rows; membership: AUC by which "
    "training patients are told from others; test leak: the same of test patients, or the share that equals them. "
    "Patients that no generator saw calibrate all three. ✗ fails and stands "
    "below the line; ? too few patients to tell, ranked nevertheless; the notes have the intervals."
)
_PARTIAL = (
    "(4/5): only 4 of 5 folds have every cell, and the raw value is the mean over the cells that finished; in every "
    "score a failed cell counts 0."
)


def below_the_line(board: Leaderboard) -> str:
    """What the rows below the line have in common."""
    return "copies of rows that the fit saw" if board.protocol is FIRST else "rows that fail a gate"


def legend(board: Leaderboard) -> Iterator[tuple[str, str]]:
    """Head and sentence of everything that the table of a protocol after the first needs explained."""
    yield (
        "Scores",
        "run from 0 (floor: a trivial reference, the majority class, AUC 1) to 1 (ceiling: real patients that no "
        "generator saw, TRTR); overall is the mean over families of the mean score. A metric that does not tell models "
        "apart is shown and not scored.",
    )
    yield _INTERVALS
    yield "Arrows:", _ARROWS
    yield _LEADER
    yield (
        "Mean rank:",
        "over metrics and folds by score; win rate: over opponents and folds by overall score; both among ranked "
        "generators.",
    )
    yield "Conditional skill:", "1 − CRPS / CRPS of all training rows of the same label, beside the overall score."
    head, _, text = GATES.partition(": ")
    yield f"{head}:", text
    if any(partial_marks(board)):
        yield "Folds:", _PARTIAL
    if (board.rows["standing"] == UNRANKED).any():
        yield "Unranked:", RULES
    if (board.rows["standing"] == REFERENCE).any():
        yield "References", "are in italics, stand where they would rank, and take no rank."


def first_legend(board: Leaderboard) -> str:
    """The copy share of protocol 1, in the words that its tables share."""
    text = "share of rows that the copy gate (5 %) takes for copies of training or validation rows."
    return f"{text} {PAIRS_TOO}" if pairs_known(board.metrics["key"]) else text


def resolution(board: Leaderboard) -> str:
    """The smallest difference that the table can see, in a sentence; empty for protocol 1 and without tests."""
    smallest = math.nan if board.protocol is FIRST else smallest_difference(board.comparisons, len(board.header.folds))
    if math.isnan(smallest):
        return ""
    return (
        f"The smallest difference in overall score that this table can see is {number(smallest, 3)}: four of five "
        "comparisons with the leader would give a difference of this size an adjusted p below .05 (median over them)."
    )
