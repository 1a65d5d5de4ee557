"""Tables of protocol 2: gates, rows without a rank, incomplete folds, bounds of p, the smallest visible difference."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

from gexbench.leaderboards.comparing.bootstrap import bounded
from gexbench.leaderboards.comparing.convergence import RULES, still_falling
from gexbench.leaderboards.comparing.judging import BELOW, RANKED, REFERENCE, UNRANKED
from gexbench.leaderboards.comparing.ranking import smallest_difference
from gexbench.leaderboards.comparing.table import Leaderboard, leaderboard
from gexbench.leaderboards.formatting import p_text
from gexbench.leaderboards.pages.rendering import to_csv, to_html, to_latex, to_markdown
from gexbench.leaderboards.records import Record
from gexbench.leaderboards.statistics import holm, visible
from gexbench.tasks.panel import gates
from gexbench.tasks.panel.gates import GateVerdict
from gexbench.tasks.panel.protocols import CURRENT, FIRST

Contents = list[dict[str, Any]]
Make = Callable[..., dict[str, Any]]
References = Callable[[int], Contents]
Parsed = Callable[[Contents], list[Record]]
MODEL = {"frechet": 200.0, "tstr_lr_accuracy[project]": 0.8}
FIGURE = "copies/any/test/training"
FOLDS = 3


def judged_by_count(folds: Any, *, reference: bool) -> tuple[GateVerdict, ...]:
    """A stand-in for the gates: the mean count over folds decides."""
    count = float(np.mean([fold[FIGURE]["count"] for fold in folds]))
    state = "failed" if count > 10 else "too few patients" if count < 0.5 else "passed"
    words = f"{count:.1f} copies a fold"
    return (GateVerdict("copies", state, count / 100, (0.0, 0.5), words),)


@pytest.fixture(autouse=True)
def few_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gates that a test can foresee, and records of protocol 2 with the metrics of protocol 1."""
    monkeypatch.setattr(gates, "verdicts", judged_by_count)
    monkeypatch.setattr("gexbench.tasks.panel.protocols.Protocol.declared", lambda self: FIRST.kept())
    monkeypatch.setattr("gexbench.tasks.panel.protocols.Protocol.lookup", _first_lookup)


def _first_lookup(self: object, key: str) -> Any:
    name = key.partition("[")[0]
    return next(metric for metric in FIRST.kept() if metric.name == name)


@pytest.fixture
def board(make: Make, references: References, parsed: Parsed) -> Callable[..., Leaderboard]:
    """`board(model=counts by fold, …, changes={name: fields})`: a table of protocol 2 with these rows."""

    def made(changes: dict[str, dict[str, Any]] | None = None, seeds: int = 1, **counts: list[float]) -> Leaderboard:
        rows = [
            make(name, fold, {**MODEL, "frechet": 200.0 + 10 * at + fold}, seed, **(changes or {}).get(name, {}))
            for at, name in enumerate(counts) for fold in range(FOLDS) for seed in range(seeds)
        ]  # fmt: skip
        contents = [record.content() for record in parsed([*references(FOLDS), *rows])]
        for each in contents:
            found = counts.get(each["generator"]["name"], [1.0] * FOLDS)[each["fold"]["index"]]
            each |= {"protocol": 2, "gates": {FIGURE: {"count": found + each["repeat"]}}}
            if each["state"] != "ok":
                each |= {"gates": {}, "metrics": {}}
        return leaderboard(parsed(contents))

    return made


def standings(found: Leaderboard) -> dict[str, str]:
    return {row.generator: row.standing for row in found.rows.itertuples() if row.standing != REFERENCE}


def test_a_row_that_fails_a_gate_stands_below_the_line_with_gate_and_figure(board: Callable[..., Leaderboard]) -> None:
    found = board(copier=[30.0, 30.0, 3.0], honest=[1.0] * 3, few=[0.0] * 3)
    assert standings(found) == {"honest": RANKED, "few": RANKED, "copier": BELOW}
    row = found.rows.set_index("generator").loc["copier"]
    assert (row["gate_copies"], row["gate_copies_state"]) == (pytest.approx(0.21), "failed")
    assert "below the line, gate copies: 21.0 copies a fold" in found.notes
    assert "too few patients to tell, gate copies: 0.0 copies a fold" in found.notes
    assert found.failing == {"copier"}
    text = to_markdown(found)
    assert "**below the line**: rows that fail a gate" in text
    assert "21.0 % ✗" in text
    assert "0.0 % ?" in text
    assert r"21.0 \% $\times$" in to_latex(found)
    assert "gate_copies_state" in to_csv(found).splitlines()[0]
    assert "copier" not in set(found.comparisons["generator"])


def test_seeds_are_averaged_before_a_gate_judges(board: Callable[..., Leaderboard]) -> None:
    assert standings(board(one=[10.0] * 3)) == {"one": RANKED}
    found = board(seeds=3, one=[10.0] * 3)  # counts 10, 11 and 12
    assert found.gates.set_index("generator").loc["one", "figure"] == pytest.approx(0.11)
    assert standings(found) == {"one": BELOW}


def test_a_finished_row_without_figures_is_not_ranked(
    board: Callable[..., Leaderboard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "verdicts", lambda folds, *, reference: ())
    found = board(one=[1.0] * 3)
    assert standings(found) == {"one": BELOW}
    assert "below the line: no finished cell has the figures of the gate copies" in found.notes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"diagnostics": {"converged": False}}, "no rank and no tests: not converged in 3 of 3 cells"),
        ({"curves": {"validation_score": [8.0, 7, 6, 5, 4, 3]}}, "no rank and no tests: not converged in 3 of 3 cells"),
        ({"metrics": {"recall_genes": {"value": 0.29, "version": 1}}}, "no rank and no tests: collapsed, with a mean"),
        ({"state": "diverged", "reason": "loss is nan"}, "no rank and no tests: diverged in 3 of 3 cells"),
    ],
)
def test_a_training_that_did_not_end_well_takes_no_rank_and_no_tests(
    board: Callable[..., Leaderboard], changes: dict[str, Any], said: str
) -> None:
    found = board({"vae": changes}, vae=[1.0] * 3, cvae=[1.0] * 3)
    assert standings(found) == {"vae": UNRANKED, "cvae": RANKED}
    assert any(note.startswith(said) for note in found.notes)
    assert found.rows.set_index("generator")["rank"].isna()["vae"]
    tested = {*found.comparisons["generator"], *found.comparisons["against"], *found.ablations["generator"]}
    assert "vae" not in {*tested, *found.ablations["against"]}
    assert RULES.replace("<", "&lt;") in to_markdown(found).replace("\\", "")


def test_a_healthy_training_is_ranked(board: Callable[..., Leaderboard]) -> None:
    level = {"curves": {"validation_score": [8.0, 4.0, 3.0, 2.9, 2.9, 2.89]}, "diagnostics": {"converged": True}}
    assert standings(board({"vae": level}, vae=[1.0] * 3)) == {"vae": RANKED}


@given(st.floats(0.1, 1e6), st.floats(-1e3, 1e3), st.integers(4, 60))
def test_a_line_still_falls_and_a_decay_does_not(fall: float, level: float, count: int) -> None:
    at = np.linspace(0, 1, count)
    assert still_falling((level - fall * at).tolist())
    assert not still_falling((level + fall * np.exp(-12 * at)).tolist())
    assert not still_falling([*(level - fall * at)[:-1], level])
    assert not still_falling([level] * count)


def test_few_or_broken_checkpoints_say_nothing() -> None:
    assert not still_falling([])
    assert not still_falling([3.0, 2.0, 1.0])
    assert not still_falling([None, None, None, 3.0, 2.0])
    assert still_falling([None, 4.0, 3.0, 2.0, 1.0])


def test_raw_values_of_a_row_with_a_failed_fold_are_marked(
    make: Make, board: Callable[..., Leaderboard], parsed: Any
) -> None:
    whole = board(one=[1.0] * 3, two=[1.0] * 3)
    assert "(2/3)" not in to_markdown(whole)
    assert "(4/5)" not in to_markdown(whole)
    contents = [record.content() for record in _records_of(whole)]
    for each in contents:
        if each["generator"]["name"] == "two" and each["fold"]["index"] == 1:
            each |= {"state": "failed", "reason": "no luck", "metrics": {}, "gates": {}}
    found = leaderboard(parsed(contents))
    row = found.rows.set_index("generator").loc["two"]
    assert row["whole_folds"] == 2
    assert row["overall"] < whole.rows.set_index("generator").loc["two", "overall"]
    text = to_markdown(found)
    assert text.count("(2/3)") > 2
    assert "in every score a failed cell counts 0" in text


_KEPT: dict[int, list[Record]] = {}


def _records_of(board: Leaderboard) -> list[Record]:
    return _KEPT[id(board)]


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records behind the boards of a test."""
    made = leaderboard

    def keeping(records: list[Record]) -> Leaderboard:
        found = made(records)
        _KEPT[id(found)] = records
        return found

    monkeypatch.setattr(f"{__name__}.leaderboard", keeping)


def test_the_smallest_difference_is_that_of_the_first_test_with_four_fifths_power(
    board: Callable[..., Leaderboard],
) -> None:
    assert visible(0.01, 10, 4) == pytest.approx((student.ppf(1 - 0.025 / 10, 4) + student.ppf(0.8, 4)) * 0.01)
    found = board(one=[1.0] * 3, two=[1.0] * 3, three=[1.0] * 3)
    frame = found.comparisons[found.comparisons["measure"] == "overall"]
    errors = frame.loc[frame["role"] == "leader", "half_width"] / student.ppf(0.975, FOLDS - 1)
    expected = (student.ppf(1 - 0.025 / len(frame), FOLDS - 1) + student.ppf(0.8, FOLDS - 1)) * np.median(errors)
    assert smallest_difference(found.comparisons, FOLDS) == pytest.approx(expected)
    assert f"that this table can see is {expected:.3f}" in to_markdown(found)
    assert np.isnan(smallest_difference(found.comparisons, 1))


def test_simulated_differences_of_the_smallest_size_are_seen_four_times_in_five() -> None:
    rng, folds, tests = np.random.default_rng(0), 5, 20
    size = visible(1 / np.sqrt(folds), tests, folds - 1)
    values = size + rng.normal(size=(4000, folds))
    statistic = values.mean(axis=1) / (values.std(axis=1, ddof=1) / np.sqrt(folds))
    seen = (2 * student.sf(np.abs(statistic), folds - 1) * tests < 0.05).mean()
    assert 0.7 < seen < 0.9


def test_p_at_its_floor_is_a_bound_for_itself_and_for_all_that_follow_from_it() -> None:
    import pandas as pd

    floor = 2 / (CURRENT.resamples + 1)
    p = np.array([0.3, floor, floor * 1.2, 0.04])
    frame = pd.DataFrame({"p": p, "p_holm": holm(p)})
    assert bounded(frame, CURRENT.resamples).tolist() == [False, True, True, False]
    assert not bounded(frame.iloc[[0, 3]], CURRENT.resamples).any()
    assert p_text(0.00351, bounded=True) == "≤ 0.004"
    assert p_text(0.004, bounded=True) == "≤ 0.004"
    assert p_text(0.0001) == "< 0.001"
    assert CURRENT.resamples >= 20_000


def test_the_page_says_protocol_and_standings(board: Callable[..., Leaderboard]) -> None:
    found = board({"vae": {"diagnostics": {"converged": False}}}, vae=[1.0] * 3, copier=[50.0] * 3)
    page = to_html(found, _records_of(found))
    for text in ("<dt>Protocol</dt>", "Below the line: rows that fail a gate", 'value="unranked"', "unranked"):
        assert text in page
    assert "protocol 2" in to_markdown(found)
