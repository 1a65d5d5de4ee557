"""A cell run again: what is promised where, and that a record which differs is noticed."""

import copy
import json
import math
import sys

import numpy as np
import pytest

from gexbench.benchmark import cli
from gexbench.benchmark.cells.record import record_of
from gexbench.benchmark.reproducing.reproduction import reproduction
from gexbench.benchmark.reproducing.rerun import rerun_of
from gexbench.benchmark.sweeps.planning import plan
from gexbench.benchmark.sweeps.sweep import sweep_of
from gexbench.leaderboards.records import parse_record
from gexbench.models import registry
from gexbench.models.registry import Registry
from gexbench.tasks.cohorts.cohort_folder import save_cohort
from gexbench.tasks.data_directory import cohort_folder
from gexbench.tasks.errors import InputError

HARDWARE = {"architecture": "x86_64", "processor": "one", "system": "Linux", "cores": 2, "memory_bytes": 2**34}
ELSEWHERE = {"hardware": {**HARDWARE, "processor": "another"}}


def content(plan_, cell, cohort, **metrics):
    """A record of a cell, as the runner would write it, with made-up metrics."""
    made = record_of(cell, plan_, cohort, state="ok", trained={"source_hash": "0" * 64}).content()
    given = {"frechet": 90.0, "recall_genes": 0.8, **metrics}
    made["metrics"] = {key: {"value": value, "reason": None, "version": 1} for key, value in given.items()}
    made["hardware"], made["versions"] = dict(HARDWARE), {"torch": "2.13.0", "numpy": "2.4.6"}
    return made


@pytest.fixture
def stored(small_cohort, tmp_path, monkeypatch):
    """The small cohort in the data directory."""
    monkeypatch.setenv("GEXBENCH_DATA", str(tmp_path / "data"))
    save_cohort(small_cohort, cohort_folder("small"))
    return small_cohort


@pytest.fixture
def recorded(small_cohort):
    """`recorded(name, fold, repeat, **metrics)`: content of a record of the small cohort."""

    def make(name="cvae", fold=0, repeat=0, settings=None, fractions=(), **metrics):
        sweep = sweep_of(
            registry(), generators=(name,), cohort="small", folds=(fold,), repeats=repeat + 1,
            settings=settings or {}, train_fractions=fractions,
        )  # fmt: skip
        made = plan(sweep, registry(), small_cohort, small_cohort.fingerprint())
        share = fractions[0] if fractions else 1.0
        (cell,) = (
            c for c in made.cells if (c.entry.name, c.repeat, c.train_fraction) == (name, repeat, share)
        )  # fmt: skip
        return content(made, cell, small_cohort, **metrics)

    return make


def parsed(made, **changes):
    return parse_record(copy.deepcopy({**made, **changes}), "record.json")


def compared(found):
    return {each.key: each for each in found.metrics}


def test_on_the_same_machine_every_bit_counts(recorded):
    was = parsed(recorded())
    same = reproduction(was, parsed(recorded()), [])
    assert same.agrees
    assert same.promise.startswith("equal bits")
    value = float(np.nextafter(0.8, 1))
    other = reproduction(was, parsed(recorded(recall_genes=value)), [])
    assert not other.agrees
    assert {key: each.agrees for key, each in compared(other).items()} == {"frechet": True, "recall_genes": False}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (ELSEWHERE, "processor one in the record, another here"),
        ({"versions": {"torch": "2.14.0", "numpy": "2.4.6"}}, "torch 2.13.0 in the record, 2.14.0 here"),
        ({"versions": {"numpy": "2.4.6"}}, "torch 2.13.0 in the record, none here"),
        ({"threads": 2}, "1 threads in the record, 2 here"),
        ({"device": "cuda"}, "GPU"),
    ],
)
def test_elsewhere_no_equal_bits_are_promised(change, reason, recorded):
    found = reproduction(parsed(recorded()), parsed(recorded(frechet=90.0001), **change), [])
    assert reason in found.promise
    assert found.agrees


def test_a_package_that_the_record_does_not_state_hinders_nothing(recorded):
    more = {"versions": {"torch": "2.13.0", "numpy": "2.4.6", "scvi-tools": "1.4"}}
    assert reproduction(parsed(recorded()), parsed(recorded(), **more), []).promise.startswith("equal bits")


@pytest.mark.parametrize(("value", "agrees"), [(90.0 * (1 + 0.9e-6), True), (90.0 * (1 + 1.1e-6), False)])
def test_references_elsewhere_agree_to_a_millionth(value, agrees, recorded):
    was, now = recorded("class-gaussian"), recorded("class-gaussian", frechet=value)
    found = reproduction(parsed(was), parsed(now, **ELSEWHERE), [])
    assert found.agrees is agrees
    assert "as a reference" in found.promise


@pytest.mark.parametrize(("key", "off", "agrees"), [
    ("detection_lr", 3.3e-5, True), ("tstr_xgb_accuracy[project]", -0.0013, True), ("detection_lr", 0.0051, False),
    ("conditional_skill", 6.3e-9, True), ("conditional_skill", 1e-6, False),
])  # fmt: skip
def test_references_elsewhere_agree_where_a_split_of_a_tree_moved(key, off, agrees, recorded):
    was, now = (recorded("class-gaussian", **{key: value}) for value in (0.005, 0.005 + off))
    assert reproduction(parsed(was), parsed(now, **ELSEWHERE), []).agrees is agrees


def test_trained_generators_elsewhere_agree_within_three_sds_between_seeds(recorded):
    was = recorded()
    beside = [
        recorded(fold=fold, repeat=repeat, frechet=90.0 + 2 * repeat + 50 * fold)
        for fold in (0, 1)
        for repeat in (0, 1)
    ]
    sd = math.sqrt(2.0)  # of 90 and 92, in both folds
    for off, agrees in ((2.9 * sd, True), (3.1 * sd, False)):
        now = parsed(recorded(frechet=90.0 + off), **ELSEWHERE)
        found = reproduction(parsed(was), now, [parsed(each) for each in beside])
        assert compared(found)["frechet"].agrees is agrees
        assert compared(found)["frechet"].tolerance == pytest.approx(3 * sd)
        assert "between training seeds" in found.promise


def test_with_one_seed_the_sd_between_folds_counts(recorded):
    beside = [parsed(recorded(fold=fold, frechet=90.0 + 10 * fold)) for fold in range(3)]
    found = reproduction(parsed(recorded()), parsed(recorded(frechet=115.0), **ELSEWHERE), beside)
    assert compared(found)["frechet"].tolerance == pytest.approx(30.0)
    assert "between folds, as there is only one seed" in found.promise
    assert found.agrees


def test_records_of_others_give_no_spread(recorded):
    beside = [
        parsed(recorded("vae", fold=1)),
        parsed(recorded(fold=1), budget="cpu"),
        parsed({**recorded(fold=1), "state": "failed"}),
    ]
    found = reproduction(parsed(recorded()), parsed(recorded(frechet=98.0), **ELSEWHERE), beside)
    assert "within 10% of the value" in found.promise
    assert compared(found)["frechet"].tolerance == pytest.approx(9.0)
    assert found.agrees
    assert not reproduction(parsed(recorded()), parsed(recorded(frechet=99.5), **ELSEWHERE), beside).agrees


def test_a_value_that_is_gone_differs_and_another_version_is_not_compared(recorded):
    was, now = recorded(energy=None, mmd=0.1), recorded(recall_genes=None, energy=None)
    now["metrics"]["frechet"]["version"] = 2
    found = reproduction(parsed(was), parsed(now), [])
    assert {key: each.agrees for key, each in compared(found).items()} == {"recall_genes": False, "energy": True}
    assert found.not_compared == {
        "frechet": "version 1 in the record, 2 here",
        "mmd": "this version of gexbench does not measure it",
    }


def test_nothing_to_compare_does_not_agree(recorded):
    failed = {**recorded(), "state": "diverged", "reason": "the loss is nan", "metrics": {}}
    found = reproduction(parsed(recorded()), parsed(failed), [])
    assert not found.agrees
    assert "diverged: the loss is nan" in found.reason
    assert not reproduction(parsed({**recorded(), "metrics": {}}), parsed(recorded()), []).agrees


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"name": "mixup", "fold": 2, "repeat": 1},
        {"settings": {"cvae": {"hidden": 17}}},
        {"name": "oracle"},
        {"fractions": (0.5,)},
    ],
)
def test_the_plan_is_the_records_cell(given, recorded, stored):
    made = recorded(**given)
    rerun = rerun_of(parsed(made), registry())
    (cell,) = rerun.plan.cells
    assert rerun.same_key
    assert cell.train_key == made["keys"]["rows"]
    assert (cell.fold.index, cell.repeat) == (made["fold"]["index"], made["repeat"])


@pytest.mark.parametrize(
    ("place", "change", "message"),
    [
        ("cohort", {"fingerprint": "0" * 64}, "the record's 000000000000…; build the cohort from the same files"),
        ("cohort", {"name": "nowhere"}, "nowhere"),
        ("fold", {"hash": "0" * 64}, "fold 0 here holds different patients"),
        ("fold", {"index": 7}, "folds 0 to 4"),
        ("fold", {"track": "custom"}, "--folds FILE"),
        ("generator", {"name": "cvea"}, "did you mean 'cvae'"),
        ("generator", {"version": "0"}, "made by cvae version 0, this version of gexbench has"),
        ("generator", {"settings": {"hiden": 3}}, "settings that cvae does not take here: hiden"),
        ("generator", {"file": {"name": "m.py", "class": "M", "sha256": "0" * 64}}, "--generator m.py:M"),
    ],
)
def test_another_cohort_fold_or_generator_is_refused(place, change, message, recorded, stored):
    made = recorded()
    made[place] |= change
    with pytest.raises(InputError, match=message):
        rerun_of(parsed(made), registry())


def test_the_record_of_a_share_that_failed_can_be_read(recorded, small_cohort):
    sweep = sweep_of(registry(), generators=("cvae",), cohort="small", folds=(0,), train_fractions=(0.5,))
    made = plan(sweep, registry(), small_cohort, "0" * 64)
    cell = next(cell for cell in made.cells if cell.train_fraction < 1)
    failed = record_of(cell, made, small_cohort, state="failed", reason="no luck")
    assert parse_record(failed.content(), "x").content() == failed.content()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"repeat": 10**9}, "seeds below 1000"),
        ({"budget": "big"}, "budget: 'big'"),
        ({"panel": "large"}, "panel: 'large'"),
    ],
)
def test_a_record_with_impossible_values_is_refused(change, message, recorded, stored):
    with pytest.raises(InputError, match=message):
        rerun_of(parsed(recorded(), **change), registry())


def test_a_record_of_another_key_is_noticed(recorded, stored):
    other = {"rows": "0" * 64, "record": "0" * 64}
    assert not rerun_of(parsed(recorded(), keys=other), registry()).same_key


def test_a_record_of_another_protocol_cannot_be_reproduced(recorded, stored):
    with pytest.raises(InputError, match="protocol 1, and this version of gexbench runs protocol 2; reproduce it with"):
        rerun_of(parsed({**recorded(), "schema": 3, "protocol": 1}), registry())


def test_a_failed_cell_cannot_be_reproduced(recorded, stored):
    with pytest.raises(InputError, match="ended as failed"):
        rerun_of(parsed({**recorded(), "state": "failed"}), registry())


def test_a_local_generator_needs_its_own_file(recorded, stored, tmp_path):
    from gexbench.benchmark.authoring.local_generators import with_local
    from gexbench.benchmark.authoring.new_generator import write_generator

    file, _ = write_generator("my-model", tmp_path / "made", registry())
    entries, _ = with_local(registry(), (f"{file}:MyModel",))
    sweep = sweep_of(entries, generators=("my-model",), cohort="small", folds=(0,))
    made = plan(sweep, entries, stored, stored.fingerprint())
    record = parsed(content(made, next(cell for cell in made.cells if cell.entry.local), stored))
    assert rerun_of(record, entries).same_key
    with pytest.raises(InputError, match="unknown generator 'my-model'"):
        rerun_of(record, registry())
    file.write_text(file.read_text() + "# changed\n")
    changed, _ = with_local(registry(), (f"{file}:MyModel",))
    with pytest.raises(InputError, match=r"give the same file: --generator my_model.py:MyModel"):
        rerun_of(record, changed)


@pytest.fixture
def reproduce(capsys, monkeypatch, tmp_path):
    """`reproduce(*arguments)`: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["gexbench", "reproduce", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return (ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.mark.slow  # trains and scores a cell in a process of its own three times
def test_a_record_is_reproduced_and_a_changed_one_is_noticed(workbench, reproduce, tmp_path):
    workbench.registry = Registry((*workbench.registry.values(),))
    runner = workbench.runner({"class-diagonal": {}})
    runner.run(2, workbench.display())
    record = runner.folder / "records" / "class-diagonal.random-0.0.json"
    code, output, errors = reproduce(record, "--results", "again")
    assert code == 0, output + errors
    assert "criterion: equal bits" in output
    last = output.splitlines()[-1]
    assert last.endswith("again/reproduced/small-quick-class-diagonal.random-0.0.json")
    report = json.loads((tmp_path / "again" / "reproduced" / "small-quick-class-diagonal.random-0.0.json").read_text())
    assert report["agrees"]
    assert report["record"]["metrics"] == json.loads(record.read_text())["metrics"]
    assert [path.name for path in (tmp_path / "again").iterdir()] == ["reproduced"]
    changed = json.loads(record.read_text())
    changed["metrics"]["frechet"]["value"] *= 1 + 1e-9
    record.write_text(json.dumps(changed))
    code, output, _ = reproduce(record, "--results", "again")
    assert code == 1
    assert output.splitlines()[-1].startswith("differs: ")


def test_bad_input_is_one_clear_error_and_writes_nothing(reproduce, tmp_path):
    (tmp_path / "other.json").write_text('{"a": 1}')
    for name, message in (("nowhere.json", "cannot be read"), ("other.json", "not a gexbench record")):
        code, _, errors = reproduce(tmp_path / name)
        assert code == 2
        assert message in errors
    assert [path.name for path in tmp_path.iterdir()] == ["other.json"]
