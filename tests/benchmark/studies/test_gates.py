"""The study of the gates: rates of error, resuming, the page."""

import pytest

from gexbench.benchmark.studies.__main__ import main
from gexbench.benchmark.studies.csv_tables import read_rows
from gexbench.benchmark.studies.gates import trial
from gexbench.benchmark.studies.gates.command import run
from gexbench.benchmark.studies.gates.counts import failing_share
from gexbench.benchmark.studies.gates.page import copy_power, rate, worst_rate


@pytest.mark.slow
@pytest.mark.parametrize("folds", [1, 3, 5])
@pytest.mark.parametrize("size", [20, 40, 100, 200, 800])
def test_rows_without_a_fault_seldom_fail(size, folds):
    """400 seeded repetitions: 5 % may fail at the tolerated share, hardly any without copies."""
    assert failing_share(size, folds, 0.0, 400) <= 0.02
    assert failing_share(size, folds, 0.05, 400) <= 0.05
    assert failing_share(size, folds, 1.0, 20) == 1.0


@pytest.mark.slow
def test_honest_profiles_and_class_copulas_seldom_fail(tmp_path):
    lines = run(tmp_path / "gates.csv", [40, 100], 40)
    for size in (40, 100):
        for folds in trial.FOLDS:
            assert rate(lines, size, "honest", folds)[0] <= 0.05
            assert rate(lines, size, "class copula", folds)[0] <= 0.1
    assert rate(lines, 100, "means of six", 5)[0] >= 0.9
    assert rate(lines, 100, "20 % copies", 3)[0] >= 0.9


def test_power_grows_with_the_share_and_the_patients():
    assert copy_power(100, 3, 0.05) <= 0.05 / 12
    assert copy_power(40, 3, 0.2) < copy_power(100, 3, 0.2) < copy_power(100, 3, 0.3) <= 1
    assert worst_rate({(20, 1): (0.01, 0.02, 0.5, 0.9)}) == 0.02


def test_the_command_resumes_and_writes_its_page(tmp_path, monkeypatch, capsys):
    from gexbench.benchmark.studies.gates import page

    monkeypatch.setattr(page, "REPETITIONS", 5)
    options = ["gates", "--out", str(tmp_path), "--sizes", "20", "--repetitions"]
    for wanted, worst in (("1", 0.05), ("2", 0.06)):
        monkeypatch.setattr(page, "worst_rate", lambda counted, worst=worst: worst)
        with pytest.raises(SystemExit) as stopped:
            main([*options, wanted])
        assert stopped.value.code == (0 if worst <= 0.05 else 1)
    columns, lines = read_rows(tmp_path / "gates.csv")
    assert [line["repetition"] for line in lines] == ["0", "1"]
    assert columns == ["size", "repetition", *(f"{name}:{folds}" for name in trial.MAKERS for folds in trial.FOLDS)]
    assert lines[0]["honest:1"] == "few"
    text = (tmp_path / "gates.md").read_text()
    assert "| 20 | 3 | 23.3 |" in text
    assert (tmp_path / "gates.png").stat().st_size > 1000
    with pytest.raises(SystemExit) as stopped:
        main(["gates", "--sizes", "5"])
    assert stopped.value.code == 2
    assert "at least 10" in capsys.readouterr().err
