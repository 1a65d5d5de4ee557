"""The specification, its cells and their keys."""

import pytest
from pydantic import ValidationError

from gexbench.benchmark.sweeps.keys import content_key, metric_versions
from gexbench.benchmark.sweeps.option import listed, read_settings, read_shares
from gexbench.benchmark.sweeps.planning import plan
from gexbench.benchmark.sweeps.sweep import ANCHORS, Sweep, leaderboard_name, sweep_of
from gexbench.models import registry
from gexbench.tasks.errors import InputError
from gexbench.tasks.panel.declarations.metric import PANEL_SCHEMA
from gexbench.tasks.panel.protocols import CURRENT


def keys(cohort, **values):
    made = sweep_of(registry(), **{"generators": ("class-mean",), "cohort": cohort.name, "folds": (0,), **values})
    return {cell.entry.name: cell for cell in plan(made, registry(), cohort, "print").cells}["class-mean"]


def test_anchors_are_always_there():
    assert set(sweep_of(registry(), generators=("vae",)).generators) == {"vae", *ANCHORS}


def test_every_problem_is_reported_at_once():
    with pytest.raises(InputError) as caught:
        sweep_of(registry(), generators=("gem-gan",), settings={"cvae": {"batch": 3}}, budget="tiny", threads=0)
    text = str(caught.value)
    assert "did you mean 'gemm-gan'" in text
    assert "settings of 'cvae'" in text
    assert "budget: 'tiny'" in text
    assert "threads: 0" in text


def test_misspelt_settings_get_a_suggestion(small_cohort):
    made = sweep_of(registry(), generators=("gemm-gan",), cohort="small", settings={"gemm-gan": {"bach": 3}})
    with pytest.raises(InputError, match="did you mean 'batch'"):
        plan(made, registry(), small_cohort, "print")


def test_unknown_folds_are_refused(small_cohort):
    made = sweep_of(registry(), generators=("class-mean",), cohort="small", folds=(0, 7))
    with pytest.raises(InputError, match="folds 0 to 4"):
        plan(made, registry(), small_cohort, "print")


@pytest.mark.parametrize("change", [{"folds": (1,)}, {"budget": "cpu"}, {"threads": 2}, {"track": "site"}])
def test_keys_hold_what_changes_numbers(small_cohort, change):
    assert keys(small_cohort).train_key != keys(small_cohort, **change).train_key


def test_a_key_holds_the_metrics_versions_and_the_rows_key_does_not(small_cohort, monkeypatch):
    before = keys(small_cohort)
    monkeypatch.setattr("gexbench.benchmark.sweeps.keys.metric_versions", lambda *_, **__: {"precision_genes": 99})
    after = keys(small_cohort)
    assert before.train_key == after.train_key
    assert before.score_key != after.score_key


def test_the_core_keys_hold_nothing_of_the_extended_panel(small_cohort):
    """Literal keys: a change of what `core` is made of would score every record anew."""
    assert content_key(metric_versions("core")) == "61c434777a52ac706d532c41dfc5c04dbc06f0e3eaee78d2f05078a2325d1caa"
    core, extended = keys(small_cohort), keys(small_cohort, panel="extended")
    content = {"kind": "record", "rows": core.train_key, "panel": "core", "metrics": metric_versions("core")}
    content |= {"schema": PANEL_SCHEMA, "protocol": CURRENT.number}
    assert core.score_key == content_key(content)
    assert extended.train_key == core.train_key
    assert extended.score_key != core.score_key
    assert set(metric_versions("core")) < set(metric_versions("extended"))


def test_the_real_side_has_a_key_per_panel(small_cohort):
    plans = {
        panel: plan(
            sweep_of(registry(), generators=("class-mean",), cohort="small", folds=(0,), panel=panel),
            registry(),
            small_cohort,
            "print",
        )
        for panel in ("core", "extended")
    }
    fold = plans["core"].folds[0]
    core = plans["core"].fold_key(fold)
    assert core == "7449f2e45b9f1143ce81714af16f926324e4b861c222088a9cab6367c39ed232"
    assert plans["extended"].fold_key(fold, "core") == core
    assert plans["extended"].fold_key(fold) != core


def test_other_generators_change_no_key(small_cohort):
    assert keys(small_cohort).score_key == keys(small_cohort, generators=("class-mean", "mixup")).score_key


def test_settings_options():
    assert read_settings(["gemm-gan.batch=32", "vae.x=low", "gemm-gan.lr=1e-3"]) == {
        "gemm-gan": {"batch": 32, "lr": 1e-3},
        "vae": {"x": "low"},
    }
    with pytest.raises(InputError, match=r"'a=1'(.|\n)*'b.c'"):
        read_settings(["a=1", "b.c"])


def test_leaderboard_names():
    sweep = Sweep(generators=("vae",))
    assert leaderboard_name(sweep, None) == "simulated-quick"
    wide = Sweep(generators=("vae",), panel="extended", track="site")
    assert leaderboard_name(wide, None) == "simulated-quick-site-extended"
    with pytest.raises(InputError):
        leaderboard_name(sweep, "../up")


def test_unknown_keys_are_refused():
    with pytest.raises(ValidationError):
        Sweep(generators=("vae",), foldz=(1,))


def test_shares_of_the_patients_make_rows_of_their_own_and_leave_the_other_keys_alone(small_cohort):
    names = ("class-mean", "oracle", "cvae")
    whole = plan(sweep_of(registry(), generators=names, cohort="small", folds=(0,)), registry(), small_cohort, "print")
    made = sweep_of(registry(), generators=names, cohort="small", folds=(0,), train_fractions=(0.1, 0.25))
    cells = plan(made, registry(), small_cohort, "print").cells
    assert made.rows(registry()) == tuple(cell.row for cell in cells)
    keys_of = {cell.slot: (cell.train_key, cell.score_key) for cell in cells}
    assert {cell.slot: (cell.train_key, cell.score_key) for cell in whole.cells}.items() <= keys_of.items()
    few = {slot for slot in keys_of if "@" in slot}
    assert few == {
        f"{name}@{share}.random-0.0"
        for name in ("class-gaussian", "class-mean", "gene-shuffle", "cvae")
        for share in (0.1, 0.25)
    }
    assert len({train for train, _ in keys_of.values()}) == len(keys_of)
    assert leaderboard_name(made, None) == "small-quick-scarce"


def test_shares_outside_0_to_1_are_refused():
    assert read_shares("0.25, 0.1,some") == [0.25, 0.1, "some"]
    for share in (0.0, 1.0, "some"):
        with pytest.raises(InputError, match="give a list of shares above 0 and below 1"):
            sweep_of(registry(), generators=("vae",), train_fractions=(0.1, share))
    with pytest.raises(InputError, match="at most six digits"):
        sweep_of(registry(), generators=("vae",), train_fractions=(0.1, 0.10000001))
    with pytest.raises(InputError, match="names nothing"):
        listed(" , ")


def test_settings_that_are_no_finite_number_are_refused():
    with pytest.raises(InputError, match="Infinity is not a finite number"):
        read_settings(["cvae.learning_rate=Infinity", "cvae.batch=8"])
