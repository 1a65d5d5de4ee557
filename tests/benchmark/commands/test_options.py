"""Options follow from the specification: the command line and a YAML file say the same, and help is whole."""

import re
from typing import Literal, get_args, get_origin

import pytest
import typer
from typer.testing import CliRunner

from gexbench.benchmark.cli import app
from gexbench.benchmark.sweeps.reading import Given, checked
from gexbench.benchmark.sweeps.specification import Specification, keys, option_name
from gexbench.benchmark.sweeps.yaml_text import parsed
from gexbench.models import registry

TYPED = {
    "cohort": ("cohort: tcga", "--cohort tcga"),
    "generators": ("generators: [cvae, vae, mixup]", "--generators cvae,vae,mixup"),
    "settings": (
        "settings: {cvae: {batch: 32, learning_rate: 1e-3}, vae: {batch: 8}}",
        "--settings cvae.batch=32 --settings cvae.learning_rate=1e-3 --settings vae.batch=8",
    ),
    "train_fractions": ("train_fractions: [0.25, 0.1]", "--train-fractions 0.25,0.1"),
    "budget": ("budget: cpu", "--budget cpu"),
    "panel": ("panel: extended", "--panel extended"),
    "tuned": ("tuned: here/found.json", "--settings tuned:here/found.json"),
    "track": ("track: site", "--track site"),
    "folds": ("folds: [3, 1]", "--folds 3,1"),
    "seeds": ("seeds: {default: 2, cvae: 3}", "--seeds 2,cvae=3"),
    "gene_sets": ("gene_sets: sets.gmt", "--gene-sets sets.gmt"),
    "name": ("name: board", "--name board"),
    "note": ("note: words", "--note words"),
    "workers": ("workers: 3", "--workers 3"),
    "executor": ("executor: ray", "--executor ray"),
    "address": ("address: head:1", "--address head:1"),
    "resources.threads": ("threads: 2", "--threads 2"),
    "resources.memory_gb": ("memory_gb: 4", "--memory-gb 4"),
    "resources.time_limit_s": ("time_limit_s: 60", "--time-limit 60"),
    "resources.gpu_memory_gb": ("gpu_memory_gb: 2.5", "--gpu-memory-gb 2.5"),
    "resources.patches": ("patches: held", "--patches held"),
    "resources.device": ("device: cuda", "--device cuda"),
    "resources.gpus": ("gpus: 0.5", "--gpus 0.5"),
}
"""Key → what a file says and what is typed; no value is the default one."""
OF_THE_COMMAND = {
    "--spec", "--retry", "--reuse", "--keep-models", "--store-cap", "--dry-run", "--replace", "--results",
}  # fmt: skip


@pytest.fixture
def wanted(monkeypatch):
    """Runs `gexbench run` up to its plan and gives the specification that would be planned."""

    class Reached(Exception):
        pass

    def stop(given, specification, *_):
        raise Reached(specification)

    monkeypatch.setattr("gexbench.benchmark.running.preparation.planned", stop)
    monkeypatch.setattr("gexbench.benchmark.sweeps.reading.list_cohorts", lambda: [("simulated", ""), ("tcga", "")])

    def wanted(line):
        ended = CliRunner().invoke(app, ["run", "--dry-run", *line.split()])
        assert isinstance(ended.exception, Reached), ended.output
        return ended.exception.args[0]

    return wanted


def of_file(*chosen):
    outer = [TYPED[key][0] for key in chosen if "." not in key]
    inner = [TYPED[key][0] for key in chosen if "." in key]
    text = "\n".join([*outer, *([f"resources: {{{', '.join(inner)}}}"] if inner else [])])
    return checked(Given(parsed(text, "a.yaml"), "a.yaml", "a"), {}, registry())


def options_of(verb):
    found = typer.main.get_command(app).commands[verb].params
    return {name: each for each in found for name in each.opts if name.startswith("--")}


@pytest.mark.parametrize("key", list(TYPED))
def test_a_file_and_an_option_say_the_same(wanted, key):
    also = ("executor",) if key == "address" else ()
    typed = wanted(" ".join(TYPED[each][1] for each in (key, *also)))
    assert typed == of_file(key, *also)
    place, _, inner = key.partition(".")
    value, usual = getattr(typed, place), getattr(Specification(), place)
    assert (getattr(value, inner) if inner else value) != (getattr(usual, inner) if inner else usual)


def test_all_of_them_together(wanted):
    assert wanted(" ".join(text for _, text in TYPED.values())) == of_file(*TYPED)


def test_every_key_has_an_option_and_every_option_a_key_or_a_reason():
    assert TYPED.keys() == keys().keys(), "a new field needs its row above"
    assert options_of("run").keys() == {*map(option_name, keys()), *OF_THE_COMMAND}


def test_the_help_of_a_choice_names_each_of_its_words():
    choices = {key: field for key, (field, _) in keys().items() if get_origin(field.annotation) is Literal}
    assert len(choices) == 6
    for key, field in choices.items():
        words = set(re.findall(r"\w+", keys()[key][1].help))
        assert set(get_args(field.annotation)) <= words, key
        assert options_of("run")[option_name(key)].default == field.default


@pytest.mark.parametrize("verb", ["run", "tune", "score"])
def test_help_is_whole_at_80_columns(verb):
    shown = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"}).output
    assert max(map(len, shown.splitlines())) <= 80
    joined = " ".join(shown.replace("│", " ").split())
    for name, each in options_of(verb).items():
        assert name in joined
        assert " ".join(each.help.split()) in joined, name
    assert "Example" in joined


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--seeds 0 --settings a=1 --folds ,", ("--seeds '0'", "--settings 'a=1'", "','")),
        ("--budget big --workers 0", ("--budget: 'big'", "--workers: 0")),
        ("--generators cvea --cohort tgca", ("--generators: unknown generator 'cvea'", "--cohort: unknown cohort")),
        ("--time-limit -1 --gpus 0", ("--time-limit: -1.0", "--gpus: 0.0")),
    ],
)
def test_all_that_is_wrong_is_named_at_once_as_it_was_typed(line, message):
    ended = CliRunner().invoke(app, ["run", *line.split()])
    for part in message:
        assert part in str(ended.exception)


def test_shared_verbs_take_their_options_from_the_same_place():
    for verb, some in (("tune", ("--folds", "--track", "--threads")), ("score", ("--workers", "--gene-sets"))):
        for name in some:
            assert options_of(verb)[name].metavar == options_of("run")[name].metavar
    assert options_of("score")["--panel"].default is None, "the leaderboard's own"
