"""Training seeds: one number for all generators, other numbers for some, from the file to the table."""

import json

import pytest
from typer.testing import CliRunner

from gexbench.benchmark.cli import app
from gexbench.benchmark.sweeps.planning import plan
from gexbench.benchmark.sweeps.reading import Given, checked
from gexbench.benchmark.sweeps.seed_counts import read_seeds
from gexbench.benchmark.sweeps.sweep import ANCHORS, Sweep, split_seeds, sweep_of
from gexbench.benchmark.sweeps.yaml_text import parsed
from gexbench.leaderboards.comparing.table import leaderboard
from gexbench.leaderboards.records import read_records
from gexbench.models import registry
from gexbench.tasks.errors import InputError


def read(text, **options):
    return checked(Given(parsed(text, "sweep.yaml"), "sweep.yaml", "sweep"), options, registry())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2", 2),
        ("1,cvae=2, vae = 3", {"default": 1, "cvae": 2, "vae": 3}),
        ("cvae=2", {"cvae": 2}),
    ],
)
def test_the_option(text, found):
    assert read_seeds(text) == found


def test_every_part_of_the_option_that_says_nothing_is_named():
    with pytest.raises(InputError) as caught:
        read_seeds("0,cvae=x,=2,vae=1,vae=2,1.5,,-1")
    text = "\n".join(caught.value.problems)
    for part in ("'0'", "'cvae=x'", "'=2'", "'vae=2': a second number for vae", "'1.5'", "''", "'-1'"):
        assert f"--seeds {part}" in text
    assert len(caught.value.problems) == 7
    with pytest.raises(InputError, match="a second number for all generators"):
        read_seeds("1,2")


@pytest.mark.parametrize(
    ("text", "options", "found"),
    [
        ("seeds: 3", {}, (3, {})),
        ("seeds: {default: 2, cvae: 3}", {}, (2, {"cvae": 3})),
        ("seeds: {cvae: 3}", {}, (1, {"cvae": 3})),
        ("seeds: {default: 2, cvae: 3}", {"seeds": 1}, (1, {})),
        ("seeds: {default: 2, cvae: 3}", {"seeds": {"vae": 4}}, (2, {"cvae": 3, "vae": 4})),
        ("seeds: 3", {"seeds": {"vae": 4}}, (3, {"vae": 4})),
        ("seeds: {default: 2, cvae: 3}", {"seeds": {"default": 1, "vae": 4}}, (1, {"vae": 4})),
        ("seeds: {cvae: 3, vae: 2}", {"generators": ["vae"]}, (1, {"vae": 2})),
        ("seeds: {cvae: 3}", {"generators": ["vae"]}, (1, {})),
        ("seeds: {cvae: 3}", {"generators": "all"}, (1, {"cvae": 3})),
    ],
)
def test_the_file_and_the_option_on_top_of_it(text, options, found):
    assert split_seeds(read(text, **options).seeds) == found


def test_all_generators_keep_the_settings_of_the_file():
    assert read("settings: {cvae: {batch: 64}}", generators="all").settings == {"cvae": {"batch": 64}}


@pytest.mark.parametrize(
    "seeds", ["0", "{}", "{cvae: 0}", "{cvae: true}", "1.5", "[1]", "{default: x}", "null", "1001", "010"]
)
def test_numbers_that_are_none(seeds):
    with pytest.raises(InputError, match="give a number from 1 to 1000"):
        read(f"seeds: {seeds}")


def test_a_generator_that_is_unknown_or_not_in_the_sweep(small_cohort):
    with pytest.raises(InputError, match=r"seeds of unknown generator 'cvea'.*'cvae'"):
        read("seeds: {cvea: 2}")
    with pytest.raises(InputError, match="seeds of 'cvae': this generator is not in the sweep; add it"):
        sweep_of(registry(), generators=("vae",), cohort=small_cohort.name, repeats_of={"cvae": 2})


def test_more_seeds_of_one_generator_add_its_cells_and_change_no_key(small_cohort):
    def cells(**seeds):
        made = sweep_of(
            registry(), generators=("cvae", "vae"), cohort="small", folds=(0, 1), train_fractions=(0.5,), **seeds
        )
        slots = {
            cell.slot: (cell.train_key, cell.score_key) for cell in plan(made, registry(), small_cohort, "p").cells
        }
        counted = dict.fromkeys(made.rows(registry()), 0)
        for slot in slots:
            counted[slot.rpartition(".random-")[0]] += 1
        assert counted == {row: 2 * seeds for row, seeds in made.seeds_of_rows(registry()).items()}
        return slots

    one, all_two, some = cells(), cells(repeats=2), cells(repeats_of={"cvae": 2})
    assert one.items() < some.items() < all_two.items()
    added = {f"cvae{share}.random-{fold}.1" for share in ("", "@0.5") for fold in (0, 1)}
    assert some.keys() - one.keys() == added
    fewer = cells(repeats=2, repeats_of={"vae": 1, **dict.fromkeys(ANCHORS, 1)})
    assert fewer == some


def test_a_sweep_stored_before_there_were_numbers_by_generator_is_read():
    content = Sweep(generators=("vae",), repeats=3).model_dump(mode="json")
    del content["repeats_of"]
    assert Sweep.model_validate_json(json.dumps(content)).seeds_of("vae") == 3


def test_the_table_averages_seeds_within_a_fold_and_status_and_publish_expect_the_plan(workbench, tmp_path):
    runner = workbench.runner({"one": {}, "two": {}}, folds=(0, 1), repeats_of={"one": 2})
    runner.run(2, workbench.display())
    arguments = ["--results", str(workbench.results)]
    shown = CliRunner().invoke(app, ["status", "test", *arguments]).output
    cells = 2 * (len(ANCHORS) + 3)
    assert f"{cells} of {cells} cells have a record" in shown

    records = read_records(runner.folder / "records")
    board = leaderboard(records)
    assert board.header.seeds == (1, 2)
    assert dict(zip(board.resources["generator"], board.resources["cells"], strict=True))["one"] == 4
    name = "wasserstein_mean"
    by_fold = {fold: [r.metrics[name].value for r in records if r.cell[:2] == ("one", fold)] for fold in (0, 1)}
    assert [len(values) for values in by_fold.values()] == [2, 2]
    mean = sum(sum(values) / 2 for values in by_fold.values()) / 2
    found = board.metrics[(board.metrics["generator"] == "one") & (board.metrics["key"] == name)]
    assert found["value"].item() == pytest.approx(mean, abs=1e-12)

    (runner.folder / "records" / "one.random-1.1.json").unlink()
    lacking = CliRunner().invoke(app, ["publish", "test", str(tmp_path / "v1"), *arguments])
    assert "1 cells have no record (one)" in str(lacking.exception)
    assert f"{cells - 1} of {cells} cells" in CliRunner().invoke(app, ["status", "test", *arguments]).output
