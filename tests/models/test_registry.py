"""The registry of generators and the resolution of settings."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from gexbench.models import BUILT_IN, registry
from gexbench.models.contract import Generator
from gexbench.models.registry import Entry, Registry, create, resolve_settings
from gexbench.models.settings import GeneratorSettings
from gexbench.tasks.errors import InputError

ENTRY = Entry("other", "gexbench.models.vae.generator:Vae", "vae", (), "another autoencoder")


def extra() -> Entry:
    """What an installed package's entry point gives."""
    return ENTRY


def test_built_ins_come_first_and_in_order() -> None:
    assert list(registry())[: len(BUILT_IN)] == [entry.name for entry in BUILT_IN]


def test_listing_imports_neither_torch_nor_pydantic() -> None:
    code = (
        "import sys; from gexbench.models import registry\n"
        "list(registry()); print({'torch', 'pydantic'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_settings_of_built_ins_import_no_torch() -> None:
    code = (
        "import sys; from gexbench.models.registry import registry, resolve_settings\n"
        "for entry in registry().values():\n"
        "    for budget in ('quick', 'cpu', 'full'): resolve_settings(entry, budget)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(InputError, match="unknown generator 'cvea'; did you mean 'cvae'"):
        registry()["cvea"]
    assert "cvea" not in registry()


def test_a_name_cannot_be_taken_twice() -> None:
    with pytest.raises(InputError, match="'other' is registered twice"):
        Registry((ENTRY, ENTRY))


def test_a_name_follows_the_rule() -> None:
    with pytest.raises(InputError, match="generator name 'My Model'"):
        Registry((Entry("My Model", "a:B", "vae", (), ""),))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """The entry points that installed packages declare, to be filled."""
    points: list[EntryPoint] = []
    monkeypatch.setattr("gexbench.tasks.files.plug_ins.entry_points", lambda group: points)
    return points


def test_entry_points_join_the_table(installed: list[EntryPoint]) -> None:
    installed.append(EntryPoint("other", f"{__name__}:extra", "gexbench.generators"))
    assert registry()["other"] is ENTRY


def test_an_entry_point_must_give_an_entry_of_its_name(installed: list[EntryPoint]) -> None:
    installed.append(EntryPoint("another", f"{__name__}:extra", "gexbench.generators"))
    with pytest.raises(InputError, match=r"entry point 'another'.*must give an Entry named 'another'"):
        registry()


def test_a_missing_module_makes_it_unavailable() -> None:
    entry = Entry("x", "a:B", "vae", (), "", modules=("no_such_module",), install="pip install no-such-module")
    assert entry.unavailable == "needs no_such_module; install with: pip install no-such-module"
    assert ENTRY.unavailable is None


def test_settings_are_defaults_then_budget_then_entry_then_user() -> None:
    entry = Entry("y", ENTRY.target, "vae", (), "", settings={"steps": 7, "hidden": 9})
    cls = entry.settings_class()
    quick = resolve_settings(entry, "quick", {"hidden": 11}).model_dump()
    assert (quick["steps"], quick["hidden"]) == (7, 11)
    assert quick["batch"] == cls.presets["quick"]["batch"] != cls.model_fields["batch"].default
    assert quick["warm_up"] == cls.model_fields["warm_up"].default


def test_all_bad_settings_are_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        create(registry()["cvae"], "quick", {"step": 3, "hidden": "wide", "dropout": 2.0})
    problems = sorted(caught.value.problems)
    assert len(problems) == 3
    assert "generator cvae: setting dropout: 2.0" in problems[0]
    assert "generator cvae: setting hidden: 'wide'" in problems[1]
    assert "unknown setting 'step'; did you mean 'steps'?" in problems[2]


def test_a_class_without_settings_target_brings_its_own() -> None:
    entry = Entry("plain", "gexbench.models.references.resampling:Mixup", "reference", ("labels",), "")
    assert entry.settings_class() is GeneratorSettings
    assert issubclass(entry.load(), Generator)
