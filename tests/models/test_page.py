"""The page of the generators is the registry's."""

import subprocess
import sys

from gexbench.models import BUILT_IN, Entry
from gexbench.models.cards.page import generators_page
from gexbench.models.cards.parameter_counts import PARAMETERS
from gexbench.models.registry import resolve_settings

COMMAND = [sys.executable, "-m", "gexbench.benchmark.cli", "ls", "generators", "--markdown"]


def cards():
    return {part.split("\n")[0]: part.split("\n## ")[0] for part in generators_page(BUILT_IN).split("\n### ")[1:]}


def test_every_generator_has_a_card_with_its_facts():
    found = cards()
    assert list(found) == [entry.name for entry in sorted(BUILT_IN, key=lambda entry: families().index(entry.family))]
    for entry in BUILT_IN:
        card = found[entry.name]
        assert f"- conditions: {', '.join(entry.conditions) or 'none'}\n" in card
        assert f"- version: {entry.settings_class().version}\n" in card
        assert f"- source: {entry.source or '–'}" in card
        assert ("returns rows of real patients" in card) == entry.returns_real_rows
        if entry.name in PARAMETERS:
            assert f"- parameters: {PARAMETERS[entry.name]:,}\n" in card


def families():
    return list(dict.fromkeys(entry.family for entry in BUILT_IN))


def test_trained_generators_name_their_source():
    assert [entry.name for entry in BUILT_IN if not entry.is_reference and not entry.source] == []


def test_a_card_shows_what_a_budget_changes_and_no_more():
    card = cards()["gemm-gan"]
    rows = {line.split(" | ")[0].strip("| `"): line for line in card.splitlines() if line.startswith("| `")}
    entry = next(entry for entry in BUILT_IN if entry.name == "gemm-gan")
    at_cpu = resolve_settings(entry, "cpu")
    assert f"`{at_cpu.steps}`" in rows["steps"].split(" | ")[2]
    assert "`fusion` | `fusion` | `fusion`" in rows["conditioning"]
    assert "batch" not in rows


def test_settings_have_the_lines_of_the_docstrings_and_what_is_searched():
    (family,) = [part for part in generators_page(BUILT_IN).split("\n## ") if part.startswith("vae\n")]
    rows = {line.split(" | ")[0].strip("| `"): line.split(" | ") for line in family.splitlines() if "| `" in line}
    cls = next(entry for entry in BUILT_IN if entry.name == "vae").settings_class()
    assert rows.keys() >= set(cls.model_fields)
    assert rows["beta"][2] == str(cls.search_space["beta"])
    assert "most patches and tokens shown per patient" in rows["tokens"][3]


def test_a_generator_whose_package_is_missing_has_a_card():
    absent = Entry(
        "absent", "nowhere_at_all:Absent", "else", (), "not | here", modules=("nowhere_at_all",), install="x"
    )
    page = generators_page([absent])
    assert "### absent" in page
    assert "Not \\| here." in page
    assert "- version: –" in page


def test_the_command_prints_it_without_torch():
    code = f"import sys; sys.argv = {COMMAND[2:]!r}\nfrom gexbench.benchmark.cli import app\n"
    code += "try:\n    app()\nexcept SystemExit:\n    pass\nassert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("# Generators")
    assert "### gemm-gan\n" in done.stdout
