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


def leaves() -> None:
    raise SystemExit(3)


BAD = {
    "exits": ("leaves", "cannot be imported (SystemExit: 3)"),
    "raises": ("no_such_attribute", "cannot be imported (AttributeError"),
    "number": ("NUMBER", "gives int, not an Entry"),
    "another": ("extra", "gives an Entry named 'other', not 'another'"),
    "cvae": ("TAKEN", "that name is taken"),
    "nothing": ("NONES", "its target is None, not text; its family is None, not text; its conditions is None, not a"),
    "strange": ("STRANGE", "its conditions is ('label',), not a tuple of labels, text, patches; its settings is [3]"),
    "Bad Name\x1b[2J": ("BAD_NAME", "names consist of a-z"),
}
NUMBER = 3
TAKEN = Entry("cvae", "a:B", "vae", (), "")
NONES = Entry("nothing", None, None, None, None)  # type: ignore[arg-type]
STRANGE = Entry("strange", "a:B", "vae", ("label",), "", settings=[3])  # type: ignore[arg-type]
BAD_NAME = Entry("Bad Name\x1b[2J", "a:B", "vae", (), "")


@pytest.mark.parametrize("name", BAD)
def test_a_bad_plug_in_is_one_broken_entry_that_names_its_package(installed: list[EntryPoint], name: str) -> None:
    attribute, said = BAD[name]
    installed += [
        EntryPoint(name, f"{__name__}:{attribute}", "gexbench.generators"),
        EntryPoint("other", f"{__name__}:extra", "gexbench.generators"),
    ]
    entries = registry()
    (broken,) = [entry for entry in entries.values() if entry.broken]
    assert said in broken.broken
    assert f"the package {__name__.partition('.')[0]} " in broken.broken
    assert "\x1b" not in broken.broken + broken.name
    assert broken.unavailable == broken.broken
    assert len(entries) == len(BUILT_IN) + 2
    assert entries["cvae"] in BUILT_IN


def test_every_bad_plug_in_at_once_hides_nothing(installed: list[EntryPoint]) -> None:
    places = {name: f"{__name__}:{attribute}" for name, (attribute, _) in BAD.items()}
    points = [EntryPoint(name, place, "gexbench.generators") for name, place in places.items()]
    installed += [*points, *points]
    assert sum(bool(entry.broken) for entry in registry().values()) == 2 * len(BAD)


def test_a_missing_module_makes_it_unavailable() -> None:
    entry = Entry("x", "a:B", "vae", (), "", modules=("no_such_module",), install="pip install no-such-module")
    assert entry.unavailable == "needs no_such_module; install with: pip install no-such-module"
    assert Entry("x", "a:B", "vae", (), "", modules=("no_such_module.part",)).unavailable is not None
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
