"""Clinical tables in Xena's layout: contradictions, damage and choices."""

import gzip
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.errors import InputError

PHENOTYPES = "Survival_SupplementalTable_S1_20171025_xena_sp"


def test_clinical_matrices_of_the_projects(folder: Path, clinical: pd.DataFrame, built: Callable[..., Cohort]) -> None:
    """Rows by sample; the project stands in `_cohort`, and the primary tumour's row counts."""
    (folder / "Survival_SupplementalTable_S1_20171025_xena_sp").unlink()
    for project, rows in clinical.groupby("project"):
        tumours = pd.DataFrame(
            {
                "_PATIENT": rows.index,
                "_cohort": f"TCGA Some Cancer ({project})",
                "_primary_disease": "some cancer",
                "pathologic_stage": "Stage II",
                "a/b": 1,
                "fold_random": 3,
            },
            index=pd.Index([f"{name}-01" for name in rows.index], name="sampleID"),
        )
        normal = tumours.iloc[:4].rename(index=lambda name: name.replace("-01", "-11")).assign(pathologic_stage="none")
        pd.concat([normal, tumours]).to_csv(folder / f"{project}_clinicalMatrix", sep="\t")
    cohort = built(folder)
    assert cohort.clinical["project"].tolist() == clinical["project"].loc[cohort.samples].tolist()
    assert set(cohort.clinical["pathologic_stage"]) == {"Stage II"}
    assert set(cohort.clinical["disease_name"]) == {"some cancer"}
    assert "a or b" in cohort.clinical
    assert sorted(set(cohort.clinical["fold_random"])) == [0, 1, 2, 3, 4]


def test_phenotypes_that_overlap_need_a_choice(
    folder: Path, layouts: ModuleType, clinical: pd.DataFrame, built: Callable[..., Cohort]
) -> None:
    layouts.write_xena_phenotypes(folder / "LUAD_clinicalMatrix", clinical.iloc[:10])
    with pytest.raises(InputError, match=r"10 patients appear more than once .* --clinical"):
        built(folder)
    assert len(built(folder, clinical=Path("Survival_SupplementalTable_S1_20171025_xena_sp"))) == 100


def _changed(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    lines = (folder / PHENOTYPES).read_text().splitlines()
    (folder / PHENOTYPES).write_text("\n".join(change(lines)) + "\n")


def test_rows_of_a_sample_or_patient_that_contradict_each_other(folder: Path, built: Callable[..., Cohort]) -> None:
    _changed(folder, lambda lines: [*lines, lines[5]])
    assert len(built(folder)) == 100  # an equal row says nothing else
    other = lambda line: line.replace("GBM", "OV").replace("LUAD", "OV")  # noqa: E731
    _changed(folder, lambda lines: [*lines[:-1], other(lines[5])])
    with pytest.raises(InputError) as raised:
        built(folder)
    assert raised.value.problems == (
        f"{PHENOTYPES}: 1 samples have several rows that differ (TCGA-04-0004-01; TCGA-04-0004-01: project GBM and "
        "OV); keep the correct row of each",
        f"{PHENOTYPES}: 1 patients belong to several projects (TCGA-04-0004: GBM and OV); keep the correct one",
    )
    _changed(folder, lambda lines: [*lines[:-1], lines[-1].replace("-01\t", "-11\t")])
    crossing = r"1 patients belong to several projects \(TCGA-04-0004: GBM and OV\)"
    with pytest.raises(InputError, match=crossing) as raised:
        built(folder)
    assert len(raised.value.problems) == 1


def test_phenotype_rows_that_are_cut_short_or_too_long(folder: Path, built: Callable[..., Cohort]) -> None:
    _changed(folder, lambda lines: [line + "\t" for line in lines[:1]] and [f"{lines[0]}\tRedaction", *(
        f"{line}\t" for line in lines[1:])])  # fmt: skip
    assert len(built(folder)) == 100
    _changed(folder, lambda lines: [*lines[:7], lines[7].rstrip("\t"), *lines[8:]])
    with pytest.raises(
        InputError, match=r"1 rows have fewer fields than the header, which has \d+ \(line 8, TCGA-06-0006"
    ):
        built(folder)
    _changed(folder, lambda lines: [lines[0], *(f"{line}\tmore" for line in lines[1:])])
    with pytest.raises(InputError, match=f"{PHENOTYPES}: 99 rows have more fields than the header"):
        built(folder)


def test_clinical_files_that_cannot_be_read_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, built: Callable[..., Cohort]
) -> None:
    path = folder / PHENOTYPES
    packed = gzip.compress(path.read_bytes())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match=rf"{PHENOTYPES}: damaged gzip file, perhaps truncated"):
        built(folder)
    path.write_bytes(packed)
    assert len(built(folder)) == 100
    whole = Path.open

    def locked(self: Path, *names: Any, **more: Any) -> Any:
        if self.name == PHENOTYPES:
            raise PermissionError(13, "Permission denied")
        return whole(self, *names, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", locked)
        with pytest.raises(InputError, match=rf"{PHENOTYPES}: cannot be read \(Permission denied\)"):
            built(folder)
    path.unlink()
    path.symlink_to(folder / "absent")
    with pytest.raises(InputError, match=rf"{PHENOTYPES}: is a link to .*absent, which is not there"):
        built(folder)
    path.unlink()
    (folder / "table.tsv").write_text("patient\tproject\tage\nP1\tLUAD\t3\n")
    with pytest.raises(InputError, match=r"no clinical table .*; not known: 1 files \(table\.tsv\)"):
        built(folder)
