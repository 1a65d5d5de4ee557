"""The table as a function of records, against a slow implementation of the protocol in plain Python."""

import json
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import scipy.stats

from gexbench.leaderboards.comparing.gates import COPY_METRICS, PAIRS_TOO
from gexbench.leaderboards.comparing.table import Leaderboard, leaderboard, summary
from gexbench.leaderboards.pages.html import to_html
from gexbench.leaderboards.pages.main_table import main_columns
from gexbench.leaderboards.pages.rendering import to_csv, to_markdown
from gexbench.leaderboards.records import Record, RecordError, read_records
from gexbench.tasks.panel.catalogue import lookup

Contents = list[dict[str, Any]]
Make = Callable[..., dict[str, Any]]
Parsed = Callable[[Contents], list[Record]]
References = Callable[[int], Contents]

T_975 = {3: 4.302652729911275, 5: 2.7764451051977987}
FAMILY = {
    "recall_genes": "support", "frechet": "distribution", "correlation_mse": "structure",
    "variance_ratio": "structure", "detection_xgb": "detection", "tstr_lr_accuracy[project]": "utility",
}  # fmt: skip
MODEL = {
    "recall_genes": 0.45, "frechet": 380.0, "correlation_mse": 0.027, "variance_ratio": 0.8,
    "detection_xgb": 0.9, "tstr_lr_accuracy[project]": 0.55, "copy_share": 0.0, "conditional_skill": 0.1,
}  # fmt: skip


def row(board: Leaderboard, generator: str) -> Any:
    return board.rows.set_index("generator").loc[generator]


def models(make: Make, name: str, folds: int, **changes: Any) -> Contents:
    return [make(name, fold, {**MODEL, **changes}) for fold in range(folds)]


def slow_folds(contents: Contents, generator: str) -> list[tuple[float, dict[str, float]]]:
    """Overall score, and every metric's score, of each fold by the book: loops over folds, seeds and metrics."""
    folds = sorted({each["fold"]["index"] for each in contents})
    seeds = sorted({each["repeat"] for each in contents if each["generator"]["name"] == generator})

    def value(name: str, fold: int, key: str) -> float | None:
        cells = [c for c in contents if c["generator"]["name"] == name and c["fold"]["index"] == fold]
        found = [c["metrics"][key]["value"] for c in cells if key in c["metrics"]]
        known = [v for v in found if v is not None]
        return sum(known) / len(known) if known else None

    def score(key: str, fold: int, v: float | None) -> float:
        if v is None:
            return 0.0
        ceiling = value("real-holdout", fold, key)
        trivial = [value(name, fold, key) for name in ("gene-shuffle", "class-mean")]
        if key == "variance_ratio":
            return max(0.0, 1 - abs(v - ceiling) / ceiling)
        if key == "recall_genes":
            floor = min(trivial)
        elif key == "detection_xgb":
            return 1 - 2 * min(max(v - 0.5, 0), 0.5)
        elif key.startswith("tstr"):
            floor, ceiling = 0.15, 0.95
        else:
            floor = max(trivial)
        return min(1.0, max(0.0, (v - floor) / (ceiling - floor)))

    found = []
    for fold in folds:
        by_seed, by_metric = [], []
        for seed in seeds:
            cells = [
                c
                for c in contents
                if (c["generator"]["name"], c["fold"]["index"], c["repeat"]) == (generator, fold, seed)
            ]
            metrics = cells[0]["metrics"] if cells and cells[0]["state"] == "ok" else {}
            scores = {key: score(key, fold, metrics.get(key, {"value": None})["value"]) for key in FAMILY}
            families: dict[str, list[float]] = {}
            for key, family in FAMILY.items():
                families.setdefault(family, []).append(scores[key])
            by_seed.append(statistics.mean(statistics.mean(scores) for scores in families.values()))
            by_metric.append(scores)
        metrics = {key: statistics.mean(scores[key] for scores in by_metric) for key in FAMILY}
        found.append((statistics.mean(by_seed), metrics))
    return found


def slow_interval(values: list[float]) -> tuple[float, float]:
    """Mean and half-width over folds: t · s · √(1/J + n_test/n_train)."""
    count = len(values)
    return statistics.mean(values), T_975[count] * statistics.stdev(values) * (1 / count + 80 / 240) ** 0.5


def slow_overall(contents: Contents, generator: str) -> tuple[float, float]:
    return slow_interval([overall for overall, _ in slow_folds(contents, generator)])


def slow_holm(p: list[float]) -> list[float]:
    """The smallest level at which the step-down procedure rejects each hypothesis."""
    adjusted = {}
    reached = 0.0
    for step, (value, at) in enumerate(sorted((value, at) for at, value in enumerate(p))):
        reached = max(reached, min(1.0, value * (len(p) - step)))
        adjusted[at] = reached
    return [adjusted[at] for at in range(len(p))]


def noisy(contents: Contents, seed: int) -> Contents:
    rng = random.Random(seed)
    for each in contents:
        for key, entry in each["metrics"].items():
            if entry["value"] is not None and key != "copy_share":
                entry["value"] = min(entry["value"] * rng.uniform(0.97, 1.03), lookup(key).range[1])
    return contents


@pytest.mark.parametrize(("folds", "seed"), [(3, 0), (5, 1)])
def test_scores_and_intervals_agree_with_the_slow_implementation(
    make: Make, references: References, parsed: Parsed, folds: int, seed: int
) -> None:
    contents = references(folds) + models(make, "vae", folds)
    for repeat in (0, 1):
        contents += [make("cvae", fold, {**MODEL, "recall_genes": 0.7}, repeat) for fold in range(folds)]
    contents.append(make("broken", 0, MODEL))
    contents += [make("broken", fold, {}, state="failed", reason="ValueError") for fold in range(1, folds)]
    contents += [make("gap", fold, MODEL) for fold in range(folds - 1)]
    board = leaderboard(parsed(noisy(contents, seed)))
    for generator in board.rows["generator"]:
        mean, half_width = slow_overall(contents, generator)
        found = row(board, generator)
        assert found["overall"] == pytest.approx(mean, abs=1e-12), generator
        assert found["overall_half_width"] == pytest.approx(half_width, abs=1e-9), generator


@pytest.fixture
def varied(make: Make, references: References) -> Contents:
    """References and five generators of different quality on five folds, one of them with two seeds."""
    contents = references(5)
    for at, name in enumerate(("cvae", "gan", "vae", "diffusion", "worst")):
        values = {**MODEL, "recall_genes": 0.8 - 0.1 * at, "frechet": 150 + 60.0 * at, "detection_xgb": 0.7 + 0.05 * at}
        for repeat in range(2 if name == "gan" else 1):
            contents += [make(name, fold, values, repeat) for fold in range(5)]
    return noisy(contents, 7)


def test_ranks_and_win_rates_agree_with_the_slow_implementation(varied: Contents, parsed: Parsed) -> None:
    board = leaderboard(parsed(varied))
    names = ["cvae", "gan", "vae", "diffusion", "worst"]
    folds = {name: slow_folds(varied, name) for name in names}
    means = {name: statistics.mean(overall for overall, _ in folds[name]) for name in names}
    for name in names:
        others = [other for other in names if other != name]
        ranks, wins = [], []
        for fold in range(5):
            for key in FAMILY:
                mine = folds[name][fold][1][key]
                theirs = [folds[other][fold][1][key] for other in others]
                better, equal = sum(value > mine for value in theirs), sum(value == mine for value in theirs)
                ranks.append(1 + better + equal / 2)
            wins += [float(folds[name][fold][0] > folds[other][fold][0]) for other in others]
        found = row(board, name)
        assert found["rank"] == 1 + sum(means[other] > means[name] for other in others)
        assert found["mean_rank"] == pytest.approx(statistics.mean(ranks))
        assert found["win_rate"] == pytest.approx(statistics.mean(wins))
        skills = [c["metrics"]["conditional_skill"]["value"] for c in varied if c["generator"]["name"] == name]
        by_fold = [statistics.mean(skills[fold::5]) for fold in range(5)]
        mean, half_width = slow_interval(by_fold)
        assert found["conditional_skill"] == pytest.approx(mean)
        assert found["conditional_skill_half_width"] == pytest.approx(half_width)


def test_planned_comparisons_agree_with_the_slow_implementation(varied: Contents, parsed: Parsed) -> None:
    board = leaderboard(parsed(varied))
    folds = {name: [overall for overall, _ in slow_folds(varied, name)] for name in set(board.rows["generator"])}
    ranked = [name for name in board.rows["generator"] if row(board, name)["standing"] == "ranked"]
    pairs = [(name, "class-gaussian") for name in ranked] + [(name, ranked[0]) for name in ranked[1:]]
    frame = board.comparisons[board.comparisons["measure"] == "overall"].set_index(["generator", "against"])
    assert sorted(frame.index) == sorted(pairs), "the baseline and the leader, and no other pair"
    p_values = []
    for first, second in pairs:
        differences = [a - b for a, b in zip(folds[first], folds[second], strict=True)]
        mean, half_width = slow_interval(differences)
        assert frame.loc[(first, second), "difference"] == pytest.approx(mean)
        assert frame.loc[(first, second), "half_width"] == pytest.approx(half_width)
        p_values.append(2 * scipy.stats.t.sf(abs(mean) / (half_width / T_975[5]), 4))
    for pair, p, adjusted in zip(pairs, p_values, slow_holm(p_values), strict=True):
        assert frame.loc[pair, "p"] == pytest.approx(p)
        assert frame.loc[pair, "p_holm"] == pytest.approx(adjusted)
    group = {ranked[0], *(name for name in ranked[1:] if frame.loc[(name, ranked[0]), "p_holm"] >= 0.05)}
    assert set(board.rows.loc[board.rows["with_leader"], "generator"]) == group
    assert 1 <= len(group) < len(ranked), "the example holds rows of either kind"


def test_membership_stands_beside_the_scores_where_the_panel_has_it(
    make: Make, references: References, parsed: Parsed
) -> None:
    board = leaderboard(parsed(references(3) + models(make, "vae", 3)))
    with_it = leaderboard(parsed(references(3) + models(make, "vae", 3, membership_distance_auc=0.625)))
    columns, more = main_columns(board), main_columns(with_it)
    (head,) = set(more) - set(columns)
    assert head.startswith("membership AUC")
    assert more[head][more["generator"].index("vae")] == "0.625"
    assert row(with_it, "vae")["overall"] == row(board, "vae")["overall"]
    assert head not in main_columns(
        leaderboard(parsed(references(3) + models(make, "x", 3, membership_distance_auc=None)))
    )


def test_scores_by_hand(make: Make, references: References, parsed: Parsed) -> None:
    board = leaderboard(parsed(references(3) + models(make, "vae", 3)))
    found = row(board, "vae")
    # floors: recall 0 (class-mean), Fréchet 680 and C.MSE .052 (gene-shuffle); AUC 1; majority .15, TRTR .95
    assert found["support"] == pytest.approx(0.45 / 0.9)
    assert found["distribution"] == pytest.approx(300 / 600)
    assert found["structure"] == pytest.approx((0.025 / 0.05 + 0.8) / 2)
    assert found["detection"] == pytest.approx(0.2)
    assert found["utility"] == pytest.approx(0.5)
    assert found["overall"] == pytest.approx((0.5 + 0.5 + 0.65 + 0.2 + 0.5) / 5)
    assert found["conditional_skill"] == pytest.approx(0.1)
    assert (found["rank"], found["overall_half_width"]) == (1, 0)
    ceiling = row(board, "real-holdout")
    assert ceiling["standing"] == "reference"
    assert pd.isna(ceiling["rank"])
    assert ceiling[["support", "distribution", "structure", "detection"]].tolist() == [1, 1, 1, 1]


def test_scores_do_not_depend_on_who_else_is_there(make: Make, references: References, parsed: Parsed) -> None:
    alone = leaderboard(parsed(references(3) + models(make, "vae", 3)))
    crowd = leaderboard(parsed(references(3) + models(make, "vae", 3) + models(make, "cvae", 3, frechet=85.0)))
    assert row(alone, "vae")["overall"] == row(crowd, "vae")["overall"]
    assert (row(crowd, "cvae")["rank"], row(crowd, "vae")["rank"]) == (1, 2)


def test_a_failed_and_a_missing_cell_score_zero_and_are_shown(
    make: Make, references: References, parsed: Parsed
) -> None:
    contents = references(3) + models(make, "whole", 3) + models(make, "gap", 2)
    failed = make("crash", 2, MODEL, state="timeout", reason="killed after 60 s")
    board = leaderboard(parsed(contents + models(make, "crash", 2) + [failed]))
    whole = row(board, "whole")["overall"]
    for name in ("gap", "crash"):
        assert row(board, name)["overall"] == pytest.approx(whole * 2 / 3)
        assert not row(board, name)["with_leader"]
    assert "1 of 3 cells missing and scored 0: fold 2 seed 0" in board.notes
    assert "1 of 3 cells timeout and scored 0: fold 2 seed 0 (killed after 60 s)" in board.notes
    raw = board.metrics.set_index(["generator", "key"]).loc[("gap", "recall_genes")]
    assert (raw["folds"], raw["value"]) == (2, pytest.approx(0.45))


def test_a_second_seed_that_failed_halves_its_fold(make: Make, references: References, parsed: Parsed) -> None:
    contents = references(3) + models(make, "vae", 3)
    contents += [make("vae", fold, {} if fold else MODEL, 1, state="failed" if fold else "ok") for fold in range(3)]
    board = leaderboard(parsed(contents))
    assert row(board, "vae")["overall"] == pytest.approx(0.47 * (1 + 0.5 + 0.5) / 3)


def test_more_seeds_of_a_fold_are_no_more_folds(make: Make, references: References, parsed: Parsed) -> None:
    """Training or sampling again says nothing about other patients: intervals and tests stay as wide."""
    recall = {0: 0.40, 1: 0.47, 2: 0.45}

    def board(seeds: int) -> Leaderboard:
        cells = [
            make("vae", fold, {**MODEL, "recall_genes": recall[fold]}, seed) for fold in recall for seed in range(seeds)
        ]
        return leaderboard(parsed(references(3) + cells))

    one, four = board(1), board(4)
    assert row(one, "vae")["overall_half_width"] > 0
    assert row(four, "vae")["overall_half_width"] == pytest.approx(row(one, "vae")["overall_half_width"])
    assert four.comparisons["p"].to_numpy() == pytest.approx(one.comparisons["p"].to_numpy(), nan_ok=True)


def test_an_unconditional_generator_scores_zero_in_utility_with_the_reason(
    make: Make, references: References, parsed: Parsed
) -> None:
    contents = models(make, "wgan-gp", 3, **{"tstr_lr_accuracy[project]": None})
    board = leaderboard(parsed(references(3) + contents))
    found = row(board, "wgan-gp")
    assert found["utility"] == 0
    assert found["overall"] == pytest.approx((0.5 + 0.5 + 0.65 + 0.2 + 0) / 5)
    notes = [board.notes[int(number) - 1] for number in found["notes"].split(", ")]
    assert "utility scored 0: not applicable: the generator is unconditional" in notes


@pytest.mark.parametrize(("share", "standing"), [(0.05, "ranked"), (0.051, "below the line"), (None, "below the line")])
def test_the_copy_gate(make: Make, references: References, parsed: Parsed, share: float | None, standing: str) -> None:
    contents = references(3) + models(make, "vae", 3) + models(make, "copier", 3, frechet=81.0, copy_share=share)
    board = leaderboard(parsed(contents))
    found = row(board, "copier")
    assert found["standing"] == standing
    ranked = standing == "ranked"
    assert (board.rows["generator"].iloc[-1] == "copier") != ranked
    assert pd.isna(found["rank"]) != ranked
    assert row(board, "vae")["rank"] == (2 if ranked else 1)
    assert any(note.startswith("below the line") for note in board.notes) != ranked
    assert ("copier" in set(board.comparisons["generator"])) == ranked


@pytest.mark.parametrize("key", COPY_METRICS[1:])
def test_copies_fail_the_gate_wherever_they_are(make: Make, references: References, parsed: Parsed, key: str) -> None:
    contents = references(3) + models(make, "vae", 3, **{key: 0.01}) + models(make, "copier", 3, **{key: 0.9})
    board = leaderboard(parsed(contents))
    assert row(board, "copier")["standing"] == "below the line"
    assert row(board, "copier")["copy_share"] == pytest.approx(0.9)
    assert row(board, "vae")["rank"] == 1


def test_the_legend_says_that_pairs_count_as_copies_where_they_were_looked_for(
    make: Make, references: References, parsed: Parsed
) -> None:
    for key, said in (("copy_share", False), ("train_copy_share", False), ("trio_share", True)):
        records = parsed(references(3) + models(make, "vae", 3, **{key: 0.01}))
        board = leaderboard(records)
        assert (PAIRS_TOO in to_markdown(board)) is said
        assert (PAIRS_TOO in to_html(board, records)) is said


def test_noisy_shares_are_averaged_over_folds_before_the_largest_is_taken(
    make: Make, references: References, parsed: Parsed
) -> None:
    """Largest mean by hand: (.06 + 0 + .03) / 3; the mean of the folds' largest, .06, would fail the gate."""
    keys = ("copy_share", "train_pair_share", "validation_copy_share")
    contents = models(make, "vae", 3)
    for each, shares in zip(contents, ((0.06, 0.0, 0.01), (0.0, 0.06, 0.0), (0.03, 0.0, 0.06)), strict=True):
        for key, share in zip(keys, shares, strict=True):
            each["metrics"][key] = {"value": share, "reason": None, "version": 1}
    found = row(leaderboard(parsed(references(3) + contents)), "vae")
    assert found["standing"] == "ranked"
    assert found["copy_share"] == pytest.approx(0.03)


def test_unavailable_generators_are_listed_and_not_scored(make: Make, references: References, parsed: Parsed) -> None:
    contents = [make("oracle", fold, {}, state="unavailable", reason="no true world") for fold in range(3)]
    board = leaderboard(parsed(references(3) + models(make, "vae", 3) + contents))
    assert "oracle" not in set(board.rows["generator"])
    assert board.absent.to_dict("records") == [{"generator": "oracle", "reason": "no true world"}]


def test_a_metric_that_does_not_discriminate_is_left_out_and_named(
    make: Make, references: References, parsed: Parsed
) -> None:
    contents = references(3) + models(make, "vae", 3)
    for each in contents:
        if each["generator"]["name"] == "real-holdout":  # ceiling 500 ± 60 against a floor of 680: 3 sds
            each["metrics"]["frechet"]["value"] = 500.0 + 60 * (each["fold"]["index"] - 1)
    board = leaderboard(parsed(contents))
    assert "distribution" not in board.families
    assert row(board, "vae")["overall"] == pytest.approx((0.5 + 0.65 + 0.2 + 0.5) / 4)
    assert any("does not discriminate on this cohort: frechet " in remark for remark in board.remarks)


def test_a_fold_without_an_anchor_is_left_out_for_all(make: Make, references: References, parsed: Parsed) -> None:
    contents = references(3) + models(make, "vae", 3)
    kept = [c for c in contents if (c["generator"]["name"], c["fold"]["index"]) != ("class-mean", 1)]
    board = leaderboard(parsed(kept))
    assert board.header.folds == (0, 2)
    assert row(board, "vae")["overall"] == pytest.approx(0.47)
    assert any("Fold 1 is left out" in remark and "class-mean" in remark for remark in board.remarks)


def test_without_any_anchor_values_are_shown_without_scores(make: Make, parsed: Parsed) -> None:
    board = leaderboard(parsed(models(make, "vae", 3)))
    assert board.families == ()
    assert pd.isna(row(board, "vae")["overall"])
    assert "0.450" in to_markdown(board)
    assert any("No scores and no ranks" in remark for remark in board.remarks)


def test_one_fold_gives_scores_without_intervals(make: Make, references: References, parsed: Parsed) -> None:
    board = leaderboard(parsed(references(1) + models(make, "vae", 1)))
    assert row(board, "vae")["overall"] == pytest.approx(0.47)
    assert pd.isna(row(board, "vae")["overall_half_width"])
    assert "One fold: no interval and no test of a difference." in board.remarks
    assert summary(board)["95 % interval"].eq("–").all()


def test_collapse_and_truncation_are_noted_on_the_row(make: Make, references: References, parsed: Parsed) -> None:
    contents = [
        make("vae", fold, {**MODEL, "variance_ratio": 0.5}, warnings=[f"truncated to the budget: {300 + fold} steps"])
        for fold in range(3)
    ]
    notes = leaderboard(parsed(references(3) + contents)).notes
    assert sum("truncated to the budget" in note for note in notes) == 1
    assert "under-dispersed: the variance within classes is 0.50 times the real one" in notes


def test_a_row_of_a_file_names_it_and_two_contents_are_refused(
    make: Make, references: References, parsed: Parsed
) -> None:
    def contents(digits: str) -> list[dict[str, Any]]:
        of_file = {"local": True, "file": {"name": "my_model.py", "class": "MyModel", "sha256": 64 * digits[0]}}
        other = {**of_file, "file": {**of_file["file"], "sha256": 64 * digits[-1]}}
        return [make("my-model", fold, MODEL, generator=other if fold else of_file) for fold in range(2)]

    notes = leaderboard(parsed(references(2) + contents("a"))).notes
    assert "local: code of my_model.py (SHA-256 aaaaaaaaaaaa…), not a registered generator" in notes
    with pytest.raises(RecordError, match=r"generator 'my-model': file differs: aaa.*bbb"):
        leaderboard(parsed(references(2) + contents("ab")))


def test_nothing_but_unavailable_generators(make: Make, parsed: Parsed) -> None:
    board = leaderboard(parsed([make("oracle", 0, {}, state="skipped", reason="no text")]))
    assert board.rows.empty
    assert "no text" in to_markdown(board)
    assert len(to_csv(board).splitlines()) == 1


def test_no_records_is_an_error() -> None:
    with pytest.raises(RecordError, match="no records"):
        leaderboard([])


def test_a_thousand_records_take_less_than_three_seconds_of_processor_time(
    tmp_path: Path, make: Make, references: References
) -> None:
    contents = references(5) + [
        make(f"model-{number}", fold, MODEL, repeat) for number in range(98) for fold in range(5) for repeat in range(2)
    ]
    for number, each in enumerate(contents):
        (tmp_path / f"{number}.json").write_text(json.dumps(each))
    start = time.process_time()
    leaderboard(read_records(tmp_path))
    assert time.process_time() - start < 3
