"""Specifications: strict files, ready-made ones, the command line on top of them, the estimate of a dry run."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest

from gexbench.benchmark.cells.record import record_of
from gexbench.benchmark.storage.estimate import estimated
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.sweeps.planning import planned
from gexbench.benchmark.sweeps.reading import Given, checked, given_specification, ready_made
from gexbench.benchmark.sweeps.specification import Specification, keys
from gexbench.benchmark.sweeps.sweep import ANCHORS, Sweep
from gexbench.benchmark.sweeps.yaml_text import parsed
from gexbench.models import registry
from gexbench.tasks.errors import InputError
from gexbench.tasks.simulated.cohort import simulated_cohort

COMMAND = [sys.executable, "-m", "gexbench.benchmark.cli", "run"]


def read(text, place="sweep.yaml", **options):
    return checked(Given(parsed(text, place), place, "sweep"), options, registry())


def problems(text, **options):
    with pytest.raises(InputError) as caught:
        read(text, **options)
    return "\n".join(caught.value.problems)


def test_every_ready_made_specification_is_valid(monkeypatch, tmp_path):
    monkeypatch.setattr("gexbench.benchmark.sweeps.reading.list_cohorts", lambda: [("simulated", ""), ("tcga", "")])
    assert set(ready_made()) == {"smoke", "default", "paper", "full"}
    found = {name: checked(given_specification(name), {}, registry()) for name in ready_made()}
    assert found["default"] == Specification(), "a run without a specification is the default one"
    paper = set(found["paper"].generators)
    assert {"gemm-gan", "wgan-gp-film", "wgan-gp-cross-attention", "wgan-gp-label", "cvae"} < paper
    assert found["full"].seeds == 3


def test_a_file_says_everything_and_options_override_it():
    found = read(
        """
        cohort: simulated
        folds: [0, 3]
        generators:
          cvae: {learning_rate: 1e-3, batch: 64}
          mixup:
        budget: quick
        resources: {threads: 2, memory_gb: 4, time_limit_s: 60, device: cpu}
        """,
        **{"budget": "cpu", "resources.threads": 1, "settings": {"cvae": {"batch": 32}}},
    )
    assert found.generators == ("cvae", "mixup")
    assert found.settings == {"cvae": {"learning_rate": 0.001, "batch": 32}}
    assert (found.folds, found.budget) == ((0, 3), "cpu")
    limits = {
        "threads": 1,
        "memory_gb": 4,
        "time_limit_s": 60,
        "device": "cpu",
        "gpus": 1.0,
        "gpu_memory_gb": None,
        "patches": "auto",
    }
    assert found.resources.model_dump() == limits


def test_folds_in_quotes_are_read_as_they_are_typed():
    assert read("folds: '3,1'").folds == (3, 1)


def test_shares_of_the_patients_come_from_the_file_or_the_option():
    assert read("train_fractions: [0.25, .1, 0.25]").train_fractions == (0.25, 0.1)
    assert read("train_fractions: [0.25]", train_fractions=[0.1, 0.5]).train_fractions == (0.1, 0.5)


def test_numbers_and_words_are_read_as_in_json():
    text = "{a: 1, b: -2.5, c: 1e-3, d: .5, e: true, f: null, g: ~, h: '1', i: on, j: 1_000, k: 0x10, l: 2024-01-01}"
    assert parsed(text, "x") == {
        "a": 1, "b": -2.5, "c": 0.001, "d": 0.5, "e": True, "f": None, "g": None,
        "h": "1", "i": "on", "j": "1_000", "k": "0x10", "l": "2024-01-01",
    }  # fmt: skip


def test_an_option_that_leaves_a_generator_out_leaves_its_settings_out():
    text = "generators: {cvae: {batch: 64}, vae: {batch: 32}}"
    assert read(text, generators=["vae"]).settings == {"vae": {"batch": 32}}


def test_every_problem_comes_at_once_with_its_place_and_the_nearest_spelling():
    text = problems(
        """
        cohort: simulatd
        bugdet: quick
        folds: [0, 9]
        generators: {gem-gan: {batch: 3}, cvae: {bach: 3}}
        resources: {thread: 2, memory_gb: -1}
        """,
        panel="big",
    )
    for part in (
        "unknown cohort 'simulatd'; did you mean 'simulated'",
        "unknown key 'bugdet'; did you mean 'budget'",
        "folds [9]: every cohort has folds 0 to 4",
        "unknown generator 'gem-gan'; did you mean 'gemm-gan'",
        "unknown setting 'bach'; did you mean 'batch'",
        "resources: unknown key 'thread'; did you mean 'threads'?",
        "resources.memory_gb: -1 should",
        "--panel: 'big'",
    ):
        assert part in text
    assert text.count("sweep.yaml: ") == len(text.splitlines()) - 1


def test_a_value_of_an_option_is_named_as_the_option_is_typed():
    assert "--time-limit: inf should" in problems("", **{"resources.time_limit_s": math.inf})
    assert "--memory-gb: -1 should" in problems("", **{"resources.memory_gb": -1})


def test_more_threads_than_any_machine_has_are_refused():
    assert read("resources: {threads: 1024}").resources.threads == 1024
    assert "--threads: 1025 should" in problems("", **{"resources.threads": 1025})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("budget: quick\nbudget: cpu", "line 2: 'budget' stands twice"),
        ("a: &x [1]\nb: *x", "alias"),
        ("[1, 2]", "write keys and values"),
        ("budget: [", "sweep.yaml, line 1"),
        ("budget: !!python/object/apply:os.system [ls]", "holds a tag"),
        ("seeds: true", "seeds: True"),
        ("resources: {memory_gb: .nan}", "memory_gb"),
        ("generators: 3", "give all, a list of names"),
        ("generators: {cvae: {batch: 3}}\nsettings: {cvae: {batch: 4}}", "under generators and under settings"),
        ("folds: 2024-01-01x", None),
        ("a: " + "[" * 100_000, "sweep.yaml, line 1: more than 20 levels deep"),
        ("cohort: 2024-01-01", "unknown cohort '2024-01-01'"),
        ("workers: 1:30", "workers: '1:30'"),
        ("resources: {threads: 010}", "resources.threads: '010'"),
        ("<<: {budget: cpu}", "unknown key '<<'"),
        ("seeds: 10000000000", "from 1 to 1000"),
        ("name: ../../up", "leaderboard name '../../up'"),
        ("train_fractions: [0.1, 1]", "train_fractions: [0.1, 1]: give a list of shares"),
        ("train_fractions: [0.12345678]", "of at most six digits"),
        ("tuned: yes", "give true, false or the name of a file"),
        ("tuned: 3", "give true, false or the name of a file"),
    ],
)
def test_files_that_are_no_specification(text, message):
    if message is None:
        assert read(text).folds == "2024-01-01x"
    else:
        assert message in problems(text)


@pytest.mark.parametrize(
    "generators", ["[my_model.py:MyModel, mixup]", "{my_model.py:MyModel: {shift: 1}, mixup: {}}", "[models/mine.py]"]
)
def test_a_file_of_code_is_run_from_the_command_line_alone(generators):
    text = problems(f"generators: {generators}")
    assert len(text.splitlines()) == 1
    assert "runs only when it is named on the command line" in text
    assert "--generators FILE.py:Class" in text


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(InputError, match="did you mean 'paper'"):
        given_specification("papr")
    with pytest.raises(InputError, match="cannot be read"):
        given_specification("nothing.yaml")


def test_files_are_found_from_the_specification(tmp_path):
    (tmp_path / "sweep.yaml").write_text("folds: mine.json\ngene_sets: sets.gmt\npanel: extended\n")
    given = given_specification(str(tmp_path / "sweep.yaml"))
    found = checked(given, {}, registry())
    assert (found.folds, found.gene_sets) == (str(tmp_path / "mine.json"), str(tmp_path / "sets.gmt"))
    assert checked(given, {"gene_sets": "here.gmt"}, registry()).gene_sets == "here.gmt"


def test_the_plan_of_a_specification(tmp_path, monkeypatch):
    small = simulated_cohort(patients=240, genes=40, seed=1, name="simulated")
    monkeypatch.setattr("gexbench.benchmark.sweeps.planning.load_cohort", lambda name: small)
    text = "folds: [1]\ngenerators: [mixup]\nresources: {memory_gb: 3, time_limit_s: 50}"
    given = Given(parsed(text, "mine.yaml"), "mine.yaml", "mine", tmp_path)
    made, _, name = planned(given, checked(given, {}, registry()), registry(), tmp_path, "cpu")
    assert name == "simulated-quick-mine"
    assert {cell.entry.name for cell in made.cells} == {"mixup", *ANCHORS}
    assert (made.sweep.memory_gb, made.sweep.time_limit_s, made.sweep.folds) == (3.0, 50.0, (1,))
    assert Sweep.model_validate_json(json.dumps(made.sweep.model_dump(mode="json"))) == made.sweep
    with pytest.raises(InputError, match="give a `name` in the file"):
        planned(Given({}, "My Sweep.yaml", "My Sweep"), Specification(), registry(), tmp_path, "cpu")

    store = Store(tmp_path / "store")
    store.make()
    missing = [(cell, False) for cell in made.cells]
    assert estimated(made, missing, store, 2).covered == 0
    cell = next(cell for cell in made.cells if cell.entry.name == "mixup")
    for key, fit in (("a", 10.0), ("b", 30.0), ("c", 20.0)):
        trained, scored = {"times_s": {"fit": fit, "sample": 1.0}}, {"wall": 2.0, "cpu": 2.0}
        record = record_of(cell, made, small, state="ok", trained=trained, score_times=scored)
        store.write_json("records", key, record.content())
    found = estimated(made, missing, store, 1)
    assert (found.wall_s, found.covered, found.cells) == (23.0, 1, len(ANCHORS) + 1)
    rows_kept = [(cell, True) for cell in made.cells]
    assert estimated(made, rows_kept, store, 1).wall_s == 2.0


def test_the_command_takes_a_file_a_name_or_an_option(tmp_path):
    (tmp_path / "mine.yaml").write_text("generators: [mixup]\nfolds: [0]\nbudget: cpu\n")

    def run(*arguments):
        ended = subprocess.run(
            [*COMMAND, *arguments, "--dry-run"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=os.environ,
            check=False,
        )
        return ended.returncode, ended.stdout + ended.stderr

    code, output = run("mine.yaml", "--budget", "quick", "--folds", "1")
    assert code == 0
    assert "simulated-quick-mine" in output.strip().splitlines()[-1]
    assert "mixup.random-1.0" in output
    assert "mixup.random-0.0" not in output
    assert "no time estimate" in output
    code, output = run("mine.yaml", "--spec", "smoke")
    assert code == 2
    assert "give one of them" in output
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_the_page_of_specifications_names_every_key_with_its_default():
    (page,) = (Path(__file__).parents[3] / "docs").rglob("sweeps.md")
    rows = [line.split("|")[1:-1] for line in page.read_text().splitlines() if line.startswith("| `")]
    defaults = {key.strip(" `"): default.strip(" `") for names, _, default in rows for key in names.split(",")}
    values = {key.strip(" `"): text for names, text, _ in rows for key in names.split(",")}
    assert defaults.keys() == keys().keys()
    for key, (field, _) in keys().items():
        if isinstance(field.default, str | bool | int | float):
            assert defaults[key] == str(field.default).lower().removesuffix(".0"), key
        if get_origin(field.annotation) is Literal:
            assert all(f"`{word}`" in values[key] for word in get_args(field.annotation)), key
    example = page.read_text().partition("```yaml")[2].partition("```")[0]
    assert read(example.replace("cohort: tcga", "cohort: simulated")).seeds == {"default": 1, "gemm-gan": 3}
