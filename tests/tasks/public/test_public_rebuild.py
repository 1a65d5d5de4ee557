"""A cohort rebuilt from public layouts of the same values is told to be the same; real files included."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from gexbench.tasks.cards.comparison import DIFFERENT, SAME, WITHIN, Comparison, compare
from gexbench.tasks.cards.published_card import card_text, read_card, read_published, side_of
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.importing.building import Sources, build_cohort
from gexbench.tasks.public.build import PublicSources, build_public
from gexbench.tasks.public.selection import Selection, read_recipe

GENES = ("TP53", "KRAS", "CD3E", "MKI67", "EGFR")
PATIENTS = [f"TCGA-{row % 7:02d}-{row:04d}" for row in range(120)]
LABELS = ("project",)


def imported(source: Path, labels: tuple[str, ...], text_encoder: str) -> Cohort:
    """The import of expression.parquet, clinical.parquet and regions.npz."""
    tables = {name: source / f"{name}.parquet" for name in ("expression", "clinical")}
    return build_cohort(
        Sources("tcga", unit="log2(rsem+1)", patches=source / "regions.npz", labels=labels, text_encoder=text_encoder,
                **tables)
    )  # fmt: skip


def rebuilt(folder: Path, selection: Selection, text_encoder: str) -> Cohort:
    return build_public(PublicSources(folder, Sources("rebuilt", None, text_encoder=text_encoder), selection))


def states(found: Comparison) -> dict[str, str]:
    return {part.name: part.state for part in found.parts}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three files of an import."""
    folder = tmp_path_factory.mktemp("source")
    generator, row = np.random.default_rng(0), np.arange(120)
    values = np.round(generator.gamma(2, 2, (120, len(GENES))), 3).astype(np.float32)
    pd.DataFrame(values, index=PATIENTS, columns=GENES).to_parquet(folder / "expression.parquet")
    table = {"project": np.where(row % 2, "LUAD", "GBM"), "tss": [name[5:7] for name in PATIENTS],
             "gender": np.where(row % 3, "Male", "Female"), "age_diagnosed": 40.0 + row % 40}  # fmt: skip
    pd.DataFrame(table, index=PATIENTS).to_parquet(folder / "clinical.parquet")
    features = generator.normal(size=(100 * 3, 4)).astype(np.float16)
    np.savez(folder / "regions.npz", patient=PATIENTS[:100], n_regions=np.full(100, 3), features=features)
    return folder


def test_xena_and_hipt_layouts(source: Path, layouts: ModuleType, tmp_path: Path) -> None:
    before = imported(source, LABELS, "hashed")
    layouts.write_all(tmp_path / "xena", source, "xena")
    selection = Selection(patients=tuple(PATIENTS), labels=LABELS)
    after = rebuilt(tmp_path / "xena", selection, "hashed")
    found = compare(side_of(before), side_of(after))
    assert found.verdict == SAME
    assert set(states(found)) == {"patients", "genes", "unit", "expression", "labels", "folds", "patches", "text"}
    (tmp_path / "card.json").write_text(card_text(side_of(before), before.provenance))
    assert compare(read_card(tmp_path / "card.json"), side_of(after)).verdict == SAME


def test_gdc_layout_rounds_to_four_decimals(source: Path, layouts: ModuleType, tmp_path: Path) -> None:
    before = imported(source, LABELS, "none")
    layouts.write_all(tmp_path / "gdc", source, "gdc")
    after = rebuilt(tmp_path / "gdc", Selection(patients=tuple(PATIENTS), labels=LABELS), "none")
    found = compare(side_of(before), side_of(after), ("unit", "counts"))
    assert found.verdict == WITHIN
    assert {name for name, state in states(found).items() if state == DIFFERENT} == {"unit", "counts"}


def test_another_rule_is_another_cohort(source: Path, layouts: ModuleType, tmp_path: Path) -> None:
    layouts.write_all(tmp_path / "xena", source, "xena")
    rule = Selection(patients=tuple(PATIENTS), labels=LABELS)
    one = side_of(rebuilt(tmp_path / "xena", rule, "none"))
    fewer = side_of(rebuilt(tmp_path / "xena", replace(rule, patients=tuple(PATIENTS[:90])), "none"))
    found = compare(one, fewer)
    assert {name for name, state in states(found).items() if state == DIFFERENT} >= {"patients", "folds"}
    regions = side_of(rebuilt(tmp_path / "xena", replace(rule, most_regions=2), "none"))
    assert {name for name, state in states(compare(one, regions)).items() if state == DIFFERENT} == {"patches"}


@pytest.mark.real_data
@pytest.mark.slow(reason="writes and reads the files of 4,223 patients")
@pytest.mark.timeout(900)
def test_the_published_cohort(tcga_source: Path, layouts: ModuleType, tmp_path: Path) -> None:
    recipe = read_recipe("tcga")
    layouts.write_all(tmp_path / "xena", tcga_source, "xena")
    before = imported(tcga_source, ("project", "primary_site", "disease_type"), "none")
    after = rebuilt(tmp_path / "xena", recipe, "none")
    assert after.expression.shape == (3999, 680)
    assert compare(side_of(before), side_of(after)).verdict == SAME
    assert compare(read_published("tcga"), side_of(after), ("text",)).verdict == SAME
