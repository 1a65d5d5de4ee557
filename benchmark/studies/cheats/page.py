"""The page "What each metric sees": every sentence and table follows from the measured scores."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from gexbench.benchmark.studies.cheats.measuring import MEMBERSHIP, SKILL
from gexbench.benchmark.studies.cheats.results import Scored, Verdict, fails, ordered, verdicts
from gexbench.benchmark.studies.cheats.rows import CHEATS, HONEST, REFERENCES
from gexbench.leaderboards.comparing.gates import OF_TRAINING, OF_VALIDATION
from gexbench.leaderboards.formatting import NOTHING, markdown_table, number
from gexbench.leaderboards.statistics import fold_mean
from gexbench.tasks.panel.catalogue import lookup
from gexbench.tasks.panel.scores import COPY_GATE

SEES = 0.1
"""A metric sees a cheat when its score is lower than that of real rows by at least this much."""
HONEST_GATE = "†"

_INTRODUCTION = f"""# What each metric sees

For readers who ask how far to trust a metric: samples that cheat, scored like those of any generator.

Do not edit this page: `python -m gexbench.benchmark.studies cheats` writes it from the tables beside it.

A score of 1 is that of real samples (the ceiling), 0 that of a trivial generator (the floor); see
[all metrics](../index.md). A metric *sees* a cheat if its score is at least {SEES:g} below that of `{HONEST}`, averaged
over folds. A cheat is *caught* if its overall score lies below that of `{HONEST}` by more than the 95 % interval of
their difference over folds, or if more than {100 * COPY_GATE:g} % of its samples are made of one to three training or
validation samples. Cheats that spoil real samples start from the very samples of `{HONEST}`, so what they lose is the
effect of the change. Those are validation samples: where `{HONEST}` fails that gate too, the gate does not count
({HONEST_GATE}).

**Known blind spots.** Precision and coverage do not fall when samples are pulled towards the mean of their type
(`shrunk-variance`; precision rises, which its score counts as far from real). Recall, density and the variance ratio
show it.

The copy gate asks whether one training sample is much nearer than the next. Samples equally far from two training
samples pass that test: `train-blend` and `train-mosaic` are made so. They score high; on TCGA a blend scores above
every trained generator published here. The gate therefore also covers pairs and trios: whether the second or third
nearest sample is much nearer than the next. `copies` is the largest of these shares.

The gate does not see samples made of many. On two folds of TCGA and three of the simulated cohort, means of four
samples of a type with their spread restored failed it (11 % and about 20 % of the samples), means of six had 4 % and
about 15 %, modules of genes from four patients 4 % and 8 %. The more samples are averaged, the closer such a mean
comes to a draw from a fitted normal distribution; these scored 0.08 to 0.18 below `{HONEST}`. Copies and blends
hidden in noise of the type's own covariance, with a quarter of the variance left and the whole spread kept, still
fail the gate on the simulated cohort (22 % and 7 %), and by then score no more than `class-gaussian`.
"""


def page_of(cohorts: Mapping[str, Sequence[Scored]], name: str) -> str:
    """Markdown of the whole page.

    Args:
        cohorts: cohort → its views: the first on all folds, a second with the extended panel on some of them.
        name: of the page's files; tables and figures are called NAME.COHORT.csv and .png.
    """
    parts = [_INTRODUCTION, _rows_table(found[0].rows for found in cohorts.values())]
    for cohort, found in cohorts.items():
        table = f"{name}.{cohort}.csv"
        parts += [f"## Cohort {cohort}", _measured(found), _findings(found[0])]
        parts += [_caught_table(found[0]), _family_table(found[0])]
        for more in found[1:]:
            parts += [f"### Panel {more.panel}, {_folds(more)}", _findings(more), _caught_table(more)]
            parts += [_family_table(more)]
        parts += ["### Metric by metric", f"![Scores of every cheat by every metric]({name}.{cohort}.png)"]
        parts += [_figure_note(found), _metric_table(found), f"Every value: [{table}]({table})."]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def metric_means(found: Sequence[Scored]) -> pd.DataFrame:
    """Mean scores over folds, rows × metric keys: of each metric by the first view that knows it.

    A metric that does not discriminate there is left out, whatever it does on the fewer folds of a later view.
    """
    widest: dict[str, pd.Series] = {}
    decided: set[str] = set()
    for view in found:
        means = pd.DataFrame(view.scores.mean(axis=1), index=list(view.rows), columns=list(view.keys))
        widest |= {key: means[key] for key in view.keys if key not in decided}
        decided |= {*view.keys, *view.left_out}
    return pd.DataFrame({key: widest[key] for key in ordered(widest)})


def _rows_table(rows: Iterable[Sequence[str]]) -> str:
    known = {name for each in rows for name in each}
    lines = [("row", "what it is")]
    lines += [(f"`{row.name}`", row.title) for row in (*REFERENCES, *CHEATS) if row.name in known]
    return _table(lines)


def _measured(found: Sequence[Scored]) -> str:
    first, *more = found
    text = f"Panel {first.panel} on {_folds(first)}, {len(first.keys)} scored metrics."
    for view in more:
        text += f" The panel {view.panel}, {len(view.keys)} scored metrics, was computed only on {_folds(view)}."
        if len(view.folds) == 1:
            text += " One fold has no interval, so only a copy gate can catch a cheat there."
    return text


def _folds(found: Scored) -> str:
    one = len(found.folds) == 1
    return f"fold{'' if one else 's'} {', '.join(map(str, found.folds))}"


def _findings(found: Scored) -> str:
    judged = verdicts(found)
    means = metric_means([found])
    lines = [_caught(judged, found), _discriminating(found)]
    seen = _seen(means)
    counts = seen.sum(axis=1).sort_values(ascending=False, kind="stable")
    most, fewest = counts.index[counts == counts.max()], counts.index[counts == counts.min()]
    lines.append(
        f"Of {seen.shape[1]} cheats {_listed(most)} {_verb(most, 'sees', 'see')} most ({counts.max()}), "
        f"{_listed(fewest)} fewest ({counts.min()})."
    )
    hidden = [(name, share) for name in seen if (share := float(seen[name].mean())) < 0.5]
    if hidden:
        lines.append(
            f"Seen by fewer than half of the {len(seen)} metrics: "
            + ", ".join(f"`{name}` ({round(share * len(seen))})" for name, share in hidden)
            + "."
        )
    for name, values in found.families.items():
        lines.append(_family_sentence(found, name, values.mean(axis=1)))
    return "\n".join(f"- {line}" for line in lines if line)


def _caught(judged: Sequence[Verdict], found: Scored) -> str:
    if len(found.folds) == 1:
        lower = [each for each in judged if each.difference < 0 or each.by_gates]
        rest = [each.name for each in judged if each not in lower]
        text = f"{len(lower)} of {len(judged)} cheats score lower than `{HONEST}` or fail a copy gate"
        return text + (f"; **neither: {_listed(rest)}**." if rest else ".")
    gates_alone = [each.name for each in judged if each.by_gates and not each.by_score]
    missed = [each.name for each in judged if not each.caught]
    text = f"{len(judged) - len(missed)} of {len(judged)} cheats are caught"
    if gates_alone:
        text += f", {_listed(gates_alone)} only by a copy gate"
    return text + (f"; **not caught: {_listed(missed)}**." if missed else ".")


def _discriminating(found: Scored) -> str:
    if not found.left_out:
        return f"All {len(found.keys)} scored metrics discriminate between real samples and the floor."
    return f"**Do not discriminate on these folds and enter no score: {_listed(found.left_out)}.**"


def _family_sentence(found: Scored, family: str, means: np.ndarray) -> str:
    honest = means[found.rows.index(HONEST)]
    blind = [
        cheat.name
        for cheat in CHEATS
        if cheat.name in found.rows and honest - means[found.rows.index(cheat.name)] < SEES
    ]
    if not blind:
        return f"The family {family} marks down every cheat."
    return f"The family {family} does not see {_listed(blind)}."


def _seen(means: pd.DataFrame) -> pd.DataFrame:
    """Metrics × cheats: whether the metric's mean score is lower than that of real rows by at least `SEES`."""
    names = [cheat.name for cheat in CHEATS if cheat.name in means.index]
    lower = means.loc[HONEST] - means.loc[names]
    return (lower.round(12) >= SEES).T


def _caught_table(found: Scored) -> str:
    heads = ("row", "overall ↑", f"minus {HONEST}", "copies", "validation copies", "membership AUC", "skill ↑")
    lines: list[tuple[str, ...]] = [(*heads, "caught by", "lowest scores")]
    judged = {each.name: each for each in verdicts(found)}
    for at, name in enumerate(found.rows):
        if name not in judged or name not in {row.name for row in REFERENCES}:
            lines.append(_caught_row(found, at, judged.get(name)))
    return _table(lines)


def _caught_row(found: Scored, at: int, verdict: Verdict | None) -> tuple[str, ...]:
    beside = {name: float(fold_mean(values[at])[0]) for name, values in found.beside.items()}
    difference, by, lowest = NOTHING, "reference", NOTHING
    spoils = any(row.name == found.rows[at] and row.spoils_honest_rows for row in CHEATS)
    if verdict is not None:
        width = verdict.half_width
        difference = number(verdict.difference, 3) + (f" ± {number(width, 3)}" if np.isfinite(width) else "")
        by = ", ".join([*(["score"] if verdict.by_score else []), *verdict.by_gates])
        by = by or ("**nothing**" if len(found.folds) > 1 else "–")
        lowest = ", ".join(f"`{key}` {number(score, 2)}" for key, score in verdict.lowest)
    honest = found.rows.index(HONEST)
    marked = HONEST_GATE if spoils and any(fails(found.beside[name][honest]) for name in OF_VALIDATION) else ""
    return (
        f"`{found.rows[at]}`",
        number(float(found.overall[at].mean()), 3),
        difference,
        number(float(np.fmax.reduce([beside[name] for name in OF_TRAINING])), 3),
        number(float(np.fmax.reduce([beside[name] for name in OF_VALIDATION])), 3) + marked,
        number(beside[MEMBERSHIP], 3),
        number(beside[SKILL], 3),
        by,
        lowest,
    )


def _family_table(found: Scored) -> str:
    lines: list[tuple[str, ...]] = [("family means", *found.families)]
    for at, name in enumerate(found.rows):
        lines.append((f"`{name}`", *(number(float(values[at].mean()), 2) for values in found.families.values())))
    return _table(lines)


def _figure_note(found: Sequence[Scored]) -> str:
    text = "Mean scores over folds, in hundredths; scores of 100 are left blank."
    if len(found) > 1:
        alone = [key for key in found[1].keys if key not in found[0].keys]
        text += f" From the panel {found[1].panel} only, on {_folds(found[1])}: {_listed(alone)}."
    return text


def _metric_table(found: Sequence[Scored]) -> str:
    seen = _seen(metric_means(found))
    lines = [("metric", "family", "sees", "does not see")]
    for key, row in seen.iterrows():
        sees, blind = (", ".join(row.index[row == value]) or NOTHING for value in (True, False))
        lines.append((f"`{key}`", lookup(str(key)).family, sees, blind))
    return _table(lines)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _verb(names: Sequence[str], one: str, several: str) -> str:
    return one if len(names) == 1 else several


def _table(lines: Sequence[tuple[str, ...]]) -> str:
    return markdown_table(lines[0], lines[1:], len(lines[0]))
