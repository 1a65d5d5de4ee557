"""Paired differences of two leaderboards and of two rows, against values computed by hand."""

import numpy as np
import pytest
from scipy import stats

from gexbench.leaderboards.comparing.comparison import compare_generators, compare_leaderboards
from gexbench.leaderboards.comparing.table import leaderboard
from gexbench.leaderboards.records import RecordError

FRECHET = {"old": [200.0, 220.0, 250.0], "new": [180.0, 215.0, 210.0]}
SHARE = 80 / 240


def contents(make, references, of=("old", "new"), folds=3, shift=0.0, **changes):
    """Records of the references and of the rows `of`, whose Fréchet distance is that of FRECHET plus `shift`."""
    found = references(folds)
    for name in of:
        for fold in range(folds):
            values = {"recall_genes": 0.7, "frechet": FRECHET[name][fold] + shift, "copy_share": 0.0}
            found.append(make(name, fold, values, 0, **changes))
    return found


def row(found, measure, generator=None):
    rows = found.rows[found.rows["measure"] == measure]
    rows = rows if generator is None else rows[rows["generator"] == generator]
    (only,) = rows.itertuples()
    return only


def test_a_difference_of_two_rows_is_the_paired_one_with_the_corrected_interval(make, references, parsed):
    found = compare_generators(parsed(contents(make, references)), "new", "old")
    assert {*found.rows["generator"]} == {"new"}
    differences = np.subtract(FRECHET["new"], FRECHET["old"])
    error = differences.std(ddof=1) * np.sqrt(1 / 3 + SHARE)
    frechet = row(found, "frechet")
    assert frechet.first == pytest.approx(np.mean(FRECHET["new"]))
    assert frechet.second == pytest.approx(np.mean(FRECHET["old"]))
    assert frechet.difference == pytest.approx(differences.mean())
    assert frechet.half_width == pytest.approx(stats.t.ppf(0.975, 2) * error)
    assert frechet.p == pytest.approx(2 * stats.t.sf(abs(differences.mean()) / error, 2))
    assert (frechet.folds, frechet.kind, found.folds) == (3, "metric", (0, 1, 2))
    assert found.first_only == found.second_only == found.remarks == ()
    assert {*found.rows["kind"]} == {"overall", "family", "metric"}
    swapped = compare_generators(parsed(contents(make, references)), "old", "new")
    np.testing.assert_allclose(swapped.rows["difference"], -found.rows["difference"])


def test_scores_are_those_of_the_table(make, references, parsed):
    records = parsed(contents(make, references))
    found, rows = compare_generators(records, "new", "old"), leaderboard(records).rows.set_index("generator")
    for measure in ("overall", "distribution"):
        assert row(found, measure).first == pytest.approx(rows.loc["new", measure])
        assert row(found, measure).second == pytest.approx(rows.loc["old", measure])


def test_two_leaderboards_are_compared_row_by_row(make, references, parsed):
    first = parsed(contents(make, references))
    second = parsed(contents(make, references, shift=10.0))
    found = compare_leaderboards(first, second)
    assert (found.rows["generator"] == found.rows["against"]).all()
    for name in ("old", "new"):
        frechet = row(found, "frechet", name)
        assert (frechet.difference, frechet.half_width, frechet.p) == (pytest.approx(-10.0), 0.0, 0.0)
        assert row(found, "overall", name).difference > 0
        assert row(found, "recall_genes", name).difference == 0
    assert row(found, "frechet", "class-mean").difference == 0
    same = compare_leaderboards(first, first).rows
    assert (same["difference"].dropna() == 0).all()
    assert {*compare_leaderboards(first, second, ["new"]).rows["generator"]} == {"new"}


def test_holm_corrects_over_the_rows_of_a_measure(make, references, parsed):
    second = contents(make, references)
    for record in second:
        if record["generator"]["name"] in FRECHET:
            record["metrics"]["frechet"]["value"] += 10.0 * (1 + record["fold"]["index"])
    rows = compare_leaderboards(parsed(contents(make, references)), parsed(second)).rows
    frechet = rows[(rows["measure"] == "frechet") & rows["generator"].isin(FRECHET)]
    assert (frechet["p_holm"] > frechet["p"]).all()


def test_cells_of_one_side_are_named_and_take_no_part(make, references, parsed):
    first = contents(make, references, of=("old",))
    second = contents(make, references, of=("old", "new"))
    dropped = [each for each in second if (each["generator"]["name"], each["fold"]["index"]) != ("old", 1)]
    found = compare_leaderboards(parsed(first), parsed(dropped))
    assert found.first_only == ("old, fold 1, seed 0",)
    assert found.second_only == tuple(f"new, fold {fold}, seed 0" for fold in range(3))
    frechet = row(found, "frechet", "old")
    assert (frechet.folds, frechet.first) == (2, pytest.approx((200 + 250) / 2))
    assert "new" not in {*found.rows["generator"]}


def test_another_seed_of_one_side_takes_no_part(make, references, parsed):
    first, second = contents(make, references), contents(make, references)
    second.append(make("old", 0, {"frechet": 9.0, "copy_share": 0.0}, 1))
    found = compare_leaderboards(parsed(first), parsed(second))
    assert found.second_only == ("old, fold 0, seed 1",)
    assert row(found, "frechet", "old").difference == 0
    of_rows = compare_generators(parsed(second), "old", "new")
    assert of_rows.first_only == ("old, fold 0, seed 1",)
    assert row(of_rows, "frechet").folds == 3


def test_rows_of_unequal_seeds_have_the_numbers_of_the_table(make, references, parsed):
    records = contents(make, references)
    records += [make("old", fold, {"frechet": 190.0, "copy_share": 0.0}, 1) for fold in range(3)]
    found, rows = compare_generators(parsed(records), "old", "new"), leaderboard(parsed(records)).rows
    assert row(found, "frechet").first == pytest.approx((np.mean(FRECHET["old"]) + 190.0) / 2)
    assert row(found, "overall").first == pytest.approx(rows.set_index("generator").loc["old", "overall"])
    assert found.first_only == found.second_only == ()
    assert found.remarks == ("training seeds per fold: old 2, new 1; they are averaged within a fold first",)


def test_a_failed_cell_scores_nothing_and_has_no_metrics(make, references, parsed):
    second = contents(make, references)
    for record in second:
        if (record["generator"]["name"], record["fold"]["index"]) == ("old", 2):
            record |= {"state": "failed", "reason": "no luck", "metrics": {}}
    found = compare_leaderboards(parsed(contents(make, references)), parsed(second))
    assert row(found, "frechet", "old").folds == 2
    assert row(found, "overall", "old").folds == 3
    assert row(found, "overall", "old").difference > 0


def test_without_floors_and_ceilings_metrics_alone_are_compared(make, parsed):
    def board(shift):
        return parsed([make(name, fold, {"frechet": 5.0 + shift}) for name in "ab" for fold in range(2)])

    found = compare_leaderboards(board(0.0), board(1.0))
    assert {*found.rows["measure"]} == {"frechet"}
    assert any("no scores" in remark for remark in found.remarks)


def test_what_differs_without_hindering_is_remarked(make, references, parsed):
    first = parsed(contents(make, references))
    second = parsed([{**each, "budget": "cpu"} for each in contents(make, references, generator={"version": "2"})])
    remarks = " / ".join(compare_leaderboards(first, second).remarks)
    assert "the budget differs: quick and cpu" in remarks
    assert "new: version 1 and version 2" in remarks


@pytest.mark.parametrize(
    ("field", "change", "message"),
    [
        ("cohort", {"name": "other"}, "cohort differs: tiny and other"),
        ("cohort", {"fingerprint": "0" * 64}, "cohort fingerprint differs"),
        ("cohort", {"label_columns": ["project"]}, "label columns differs"),
        ("fold", {"track": "site"}, "track differs: random and site"),
        ("fold", {"hash": "0" * 64}, "fold 0 holds different patients"),
    ],
)
def test_leaderboards_of_other_patients_are_refused(field, change, message, make, references, parsed):
    second = contents(make, references)
    for record in second:
        record[field] |= change
    with pytest.raises(RecordError, match=message):
        compare_leaderboards(parsed(contents(make, references)), parsed(second))


def test_another_version_of_a_metric_is_refused(make, references, parsed):
    second = contents(make, references)
    for record in second:
        record["metrics"]["frechet"]["version"] = 2
    with pytest.raises(RecordError, match=r"metric frechet: version 1 and version 2; rescore .* `gexbench score`"):
        compare_leaderboards(parsed(contents(make, references)), parsed(second))


def test_rows_that_are_not_there_are_refused_with_a_suggestion(make, references, parsed):
    records = parsed(contents(make, references))
    with pytest.raises(RecordError, match="no row 'neww' in the leaderboard; did you mean 'new'"):
        compare_generators(records, "neww", "old")
    with pytest.raises(RecordError, match="given twice"):
        compare_generators(records, "new", "new")
    with pytest.raises(RecordError, match="no row 'x' in both leaderboards; there: class-gaussian"):
        compare_leaderboards(records, records, ["x"])
    with pytest.raises(RecordError, match="no cell"):
        compare_leaderboards(parsed([make("a", 0, {"frechet": 1.0})]), parsed([make("b", 0, {"frechet": 1.0})]))
