"""Which patients, samples, genes and slides of public files make the cohort: rules, and recipes that fix them."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.input_paths import check_file
from gexbench.tasks.importing.barcodes import PRIMARY, Keep, checked_types
from gexbench.tasks.names import unknown

Slides = Literal["all", "first"]
PROTEIN_CODING = "protein-coding"
_TOP = re.compile(r"top:(\d+)")


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _aliases(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_names, value.values()))


def _cases(value: Any) -> bool:
    """Column → list of rules, each `value` and conditions on lists of names."""
    if not isinstance(value, dict) or not all(isinstance(cases, list) for cases in value.values()):
        return False
    return all(
        isinstance(case, dict)
        and isinstance(case.get("value"), str)
        and all(_names(wanted) for condition, wanted in case.items() if condition != "value")
        for cases in value.values()
        for case in cases
    )


_LISTS = ("a list of names", _names)
_RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "projects": _LISTS,
    "sample_types": _LISTS,
    "samples": ("'one' or 'all'", lambda value: value in ("one", "all")),
    "genes": _LISTS,
    "gene_aliases": ("an object of lists of names", _aliases),
    "patients": ("a list of names, or null", lambda value: value is None or _names(value)),
    "slides": ("'all' or 'first'", lambda value: value in ("all", "first")),
    "slide_kinds": _LISTS,
    "most_regions": (
        "a whole number above 0, or null",
        lambda value: value is None or (type(value) is int and value > 0),
    ),
    "labels": ("a list of names, or null", lambda value: value is None or _names(value)),
    "unit": ("text, such as 'log2(tpm+1)', or null", lambda value: value is None or isinstance(value, str)),
    "derived": ("an object of lists of rules, each with 'value' and lists of names", _cases),
    "source": ("'xena' or 'gdc', or null", lambda value: value in ("xena", "gdc", None)),
}
"""Keys of a recipe: what is expected, and whether a value is that."""


@dataclass(frozen=True, slots=True)
class GeneRule:
    """Which genes are kept.

    Attributes:
        names: exactly these, in this order; empty for no list.
        aliases: name → other names under which a file may hold the gene; the cohort uses the name.
        protein_coding: only genes whose type the files give as protein_coding.
        top: the number of genes with the highest variance over training patients of fold 0; None for no such rule.
    """

    names: tuple[str, ...] = ()
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    protein_coding: bool = False
    top: int | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What is taken from public files.

    Attributes:
        projects: short project names (`LUAD`); empty for all.
        sample_types: codes of TCGA sample types; the first is preferred where one sample stands for a patient.
        samples: `one` sample per patient (see `barcodes.chosen`), or `all`.
        genes: see `GeneRule`.
        patients: only these patients, over whom the folds are dealt; None for all.
        slides: `all` slides of a patient joined, or only the `first` by name.
        slide_kinds: beginnings of the slide's field in its name (`DX` diagnostic, `TS` and `BS` frozen); slides whose
            names have no such field are kept.
        most_regions: largest number of regions per patient, the first of the seeded draw; None for all.
        labels: label columns; None for those of `project`, `primary_site`, `disease_type` that exist.
        unit: unit of the expression; None where the files state it.
        derived: clinical column → rules, the first that fits gives the value, see `derive`.
        recipe: name of the recipe these rules come from.
        source: `xena` or `gdc`, what is downloaded.
    """

    projects: tuple[str, ...] = ()
    sample_types: tuple[str, ...] = PRIMARY
    samples: Keep = "one"
    genes: GeneRule = GeneRule()
    patients: tuple[str, ...] | None = None
    slides: Slides = "all"
    slide_kinds: tuple[str, ...] = ("DX",)
    most_regions: int | None = None
    labels: tuple[str, ...] | None = None
    unit: str | None = None
    derived: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    recipe: str | None = None
    source: Literal["xena", "gdc"] | None = None

    def rules(self) -> dict[str, Any]:
        """The rules as JSON-able facts, lists of patients and genes as their lengths."""
        found = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in {"genes", "derived"}}
        found["patients"] = None if self.patients is None else len(self.patients)
        found["genes"] = {
            "listed": len(self.genes.names), "protein_coding": self.genes.protein_coding, "top": self.genes.top
        }  # fmt: skip
        found["derived"] = sorted(self.derived)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def gene_rule(text: str) -> GeneRule:
    """`protein-coding`, `top:N`, both joined by `,`, or a file: a gene per line, other names of it after tabs.

    Raises:
        InputError: no such rule or file, a name listed twice.
    """
    parts = [part.strip() for part in text.split(",")]
    if all(part == PROTEIN_CODING or _TOP.fullmatch(part) for part in parts):
        tops = [int(found[1]) for part in parts if (found := _TOP.fullmatch(part))]
        if 0 in tops or len(tops) > 1:
            raise InputError(f"--genes {text}: give one top:N, with N above 0")
        return GeneRule(protein_coding=PROTEIN_CODING in parts, top=tops[0] if tops else None)
    path = Path(text)
    if not path.exists():
        raise InputError(f"--genes {text}: not {PROTEIN_CODING}, top:N or a file")
    check_file(path, f"--genes {text}")
    try:
        lines = [line.split("\t") for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: not a text file in UTF-8 ({error})") from None
    rows = [[name.strip() for name in row if name.strip()] for row in lines if not row[0].startswith("#")]
    return listed({row[0]: tuple(row[1:]) for row in rows}, [row[0] for row in rows], path.name)


def listed(aliases: Mapping[str, tuple[str, ...]], names: Sequence[str], where: str) -> GeneRule:
    """The rule of a list.

    Raises:
        InputError: an empty list, a name or alias that stands in it twice.
    """
    if not names:
        raise InputError(f"{where}: the list of genes is empty")
    every = pd.Index([*names, *(other for others in aliases.values() for other in others)])
    if not every.is_unique:
        raise InputError(f"{where}: genes listed more than once: {examples(every[every.duplicated()].unique())}")
    return GeneRule(names=tuple(names), aliases={name: others for name, others in aliases.items() if others})


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("gexbench.tasks.public") / "recipes"
    return sorted(item.name.removesuffix(".json") for item in folder.iterdir() if item.name.endswith(".json"))


def read_recipe(name: str) -> Selection:
    """A recipe of the package by name, or a file of one (`.json`).

    Raises:
        InputError: an unknown name, a file that is no recipe.
    """
    if name.endswith(".json"):
        path = Path(name)
        check_file(path, name)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{name}: not a readable text file in UTF-8 ({error})") from None
    elif name in recipe_names():
        text = (resources.files("gexbench.tasks.public") / "recipes" / f"{name}.json").read_text(encoding="utf-8")
    elif Path(name).is_dir():
        raise InputError(f"--recipe {name}: is a folder; give a .json file, or one of {', '.join(recipe_names())}")
    else:
        raise unknown(name, recipe_names(), "recipe")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: not a JSON file ({error})") from None
    return _selection(content, name)


def _selection(content: Any, name: str) -> Selection:
    known = {item.name for item in fields(Selection)} - {"recipe"} | {"gene_aliases", "summary"}
    if not isinstance(content, dict) or not isinstance(content.get("genes", []), list):
        raise InputError(f"{name}: a recipe must be an object with a list of names in 'genes'")
    if extra := sorted(set(content) - known):
        raise InputError(f"{name}: unknown keys {examples(extra)} (known: {examples(sorted(known), 20)})")
    if problems := [
        f"{name}: {key} {json.dumps(content[key], ensure_ascii=False)[:60]}: expected {expected}"
        for key, (expected, fits) in _RULES.items()
        if key in content and not fits(content[key])
    ]:
        raise InputError(problems)
    checked_types(content.get("sample_types", ()), f"{name}: sample_types")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
    values.pop("summary", None)
    aliases = {gene: tuple(others) for gene, others in values.pop("gene_aliases", {}).items()}
    genes = values.pop("genes", ())
    rule = listed({gene: aliases.get(gene, ()) for gene in genes}, genes, name) if genes else GeneRule()
    return Selection(**values, genes=rule)


def derive(clinical: pd.DataFrame, rules: Mapping[str, Sequence[Mapping[str, Any]]]) -> pd.DataFrame:
    """The table with columns made by rules, in the order of the rules; the first rule that fits gives the value.

    A rule holds `value` and conditions: `COLUMN` → list, equal to one of it; `COLUMN contains` → list, one of it is
    part of the text (any case). `ONE|OTHER` takes the first of the columns that the table has. Where no rule fits the
    column keeps its value.

    Raises:
        InputError: a condition on columns of which the table has none.
    """
    made = clinical.copy()
    for column, cases in rules.items():
        values = made[column].astype(object) if column in made else pd.Series(None, made.index, dtype=object)
        open_ = pd.Series(True, made.index)
        for case in cases:
            fits = open_.copy()
            for condition, wanted in case.items():
                if condition != "value":
                    fits &= _fits(made, condition, wanted)
            values = values.mask(fits, case["value"])
            open_ &= ~fits
        made[column] = values
    return made


def _fits(table: pd.DataFrame, condition: str, wanted: Sequence[str]) -> pd.Series:
    choices = condition.removesuffix(" contains").split("|")
    column = next((name for name in choices if name in table), None)
    if column is None:
        raise InputError(
            f"the recipe needs the clinical column {' or '.join(choices)} (there: {examples(table.columns, 12)}); give "
            "another --clinical, or leave out --recipe"
        )
    if not condition.endswith(" contains"):
        return table[column].isin(list(wanted))
    pattern = "|".join(re.escape(part) for part in wanted)
    return table[column].astype(str).str.contains(pattern, case=False, regex=True)
