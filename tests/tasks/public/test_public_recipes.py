"""Recipes of public cohorts: derived columns, rules and files that are none."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gexbench.tasks.cards.published_card import read_card
from gexbench.tasks.errors import InputError
from gexbench.tasks.public.folder import find
from gexbench.tasks.public.selection import derive, gene_rule, read_recipe


def test_derived_columns_take_the_first_rule_that_fits() -> None:
    table = pd.DataFrame({"project": ["A", "A", "B", "C"], "kind": ["mucinous x", "other", None, None]})
    rules = {"type": [{"value": "mucous", "project": ["A", "B"], "none|kind contains": ["MUCINOUS"]},
                      {"value": "plain", "project": ["A", "B"]}]}  # fmt: skip
    assert derive(table, rules)["type"].fillna("absent").tolist() == ["mucous", "plain", "plain", "absent"]
    with pytest.raises(InputError, match="needs the clinical column none or other"):
        derive(table, {"type": [{"value": "x", "none|other": ["A"]}]})


def test_the_recipe_of_the_published_cohort() -> None:
    recipe = read_recipe("tcga")
    assert recipe.patients is not None
    assert (len(recipe.patients), len(recipe.genes.names), len(recipe.projects)) == (4223, 680, 15)
    assert (recipe.unit, recipe.most_regions) == ("log2(rsem+1)", 32)
    with pytest.raises(InputError, match="unknown recipe 'tgca'; did you mean"):
        read_recipe("tgca")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"projects": "LUAD"}, 'projects "LUAD": expected a list of names'),
        ({"sample_types": "01"}, 'sample_types "01": expected a list of names'),
        ({"sample_types": ["01", "1"]}, "sample_types: '1' is no sample-type code of TCGA barcodes"),
        ({"samples": "two"}, "samples \"two\": expected 'one' or 'all'"),
        ({"genes": [1, 2]}, "genes [1, 2]: expected a list of names"),
        ({"genes": ["P53"], "gene_aliases": {"P53": "TP53"}}, "expected an object of lists of names"),
        ({"slides": "second"}, "slides \"second\": expected 'all' or 'first'"),
        ({"most_regions": -1}, "most_regions -1: expected a whole number above 0, or null"),
        ({"labels": "project"}, 'labels "project": expected a list of names, or null'),
        ({"derived": {"site": [{"project": ["LUAD"]}]}}, "expected an object of lists of rules"),
        ({"source": "ftp"}, "source \"ftp\": expected 'xena' or 'gdc', or null"),
        ({"recipe": "mine"}, "unknown keys recipe"),
    ],
)
def test_rules_of_a_recipe_that_are_none(tmp_path: Path, content: dict[str, Any], problem: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=re.escape(problem)):
        read_recipe(str(path))


def test_a_folder_in_place_of_a_recipe_or_list(tmp_path: Path) -> None:
    (tmp_path / "mine.json").mkdir()
    for read, name, says in (
        (read_recipe, tmp_path / "mine.json", "is a folder; name a file"),
        (read_recipe, tmp_path, "is a folder; name a .json file, or one of tcga"),
        (gene_rule, tmp_path, "is a folder; name a file"),
    ):
        with pytest.raises(InputError, match=says):
            read(str(name))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file; name its folder"):
        find(tmp_path / "file")


def test_a_recipe_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes("{}".encode("utf-16"))
    with pytest.raises(InputError, match="not a readable text file in UTF-8"):
        read_recipe(str(path))
    path.write_text("[" * 100_000)
    for read in (lambda: read_recipe(str(path)), lambda: read_card(path)):
        with pytest.raises(InputError, match=r"mine\.json: not a JSON file"):
            read()


@pytest.mark.real_data
def test_the_recipes_rules_give_every_patient_its_published_labels(tcga_source: Path) -> None:
    table = pd.read_parquet(tcga_source / "clinical.parquet")
    recipe = read_recipe("tcga")
    made = derive(table.drop(columns=[*recipe.derived]), recipe.derived)
    for column in recipe.derived:
        assert made[column].tolist() == table[column].tolist()
