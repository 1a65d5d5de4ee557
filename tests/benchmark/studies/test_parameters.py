"""The table of parameter counts against fits, and the listing that shows it."""

import pytest

from gexbench.benchmark.commands import ls
from gexbench.benchmark.studies import parameters
from gexbench.models import BUILT_IN
from gexbench.models.cards.parameter_counts import PARAMETERS
from gexbench.models.registry import Entry, Registry

FIX = "run `python -m gexbench.benchmark.studies parameters`"


def test_every_trained_built_in_has_a_count_and_no_other_name_has():
    trained = {entry.name for entry in parameters.trained_entries() if not entry.unavailable}
    assert trained <= set(PARAMETERS), FIX
    assert set(PARAMETERS) <= {entry.name for entry in BUILT_IN}, FIX


@pytest.fixture(scope="module")
def fold():
    return parameters.shaped_fold()


def test_the_count_of_one_generator(fold):
    entry = next(entry for entry in BUILT_IN if entry.name == "wgan-gp-label")
    assert parameters.counted(entry, fold) == PARAMETERS[entry.name], FIX


@pytest.mark.slow  # a few seconds for every generator
@pytest.mark.parametrize("entry", parameters.trained_entries(), ids=lambda entry: entry.name)
def test_counts_are_those_of_fits(entry, fold):
    if entry.unavailable:
        pytest.skip(entry.unavailable)
    assert parameters.counted(entry, fold) == PARAMETERS[entry.name], FIX


def test_the_listing_shows_counts_and_how_to_install(monkeypatch, capsys):
    absent = Entry(
        "absent", "nowhere:Nothing", "test", ("text",), "of somebody else",
        modules=("gexbench_absent_module",), install="pip install gexbench-absent",
    )  # fmt: skip
    monkeypatch.setattr("gexbench.models.registry", lambda: Registry((*BUILT_IN, absent)))
    monkeypatch.setenv("COLUMNS", "300")
    ls.ls("generators")
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert f" {PARAMETERS['cvae']:,} " in lines["cvae"]
    assert "–" in lines["class-mean"]
    assert "install with: pip install gexbench-absent" in lines["unavailable:"]
    assert set(lines) >= {entry.name for entry in BUILT_IN}
