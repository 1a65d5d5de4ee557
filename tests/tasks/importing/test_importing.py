"""Building a cohort: alignment by name, what is dropped, folds before modalities, and bad input."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.reading import ExpressionFile
from gexbench.tasks.importing import expression_problems
from gexbench.tasks.importing.building import Sources, build_cohort

PATIENTS, GENES = 120, ("TP53", "KRAS", "CD3E", "MKI67")


def ids(number: int = PATIENTS) -> list[str]:
    return [f"TCGA-{row % 7:02d}-{row:04d}" for row in range(number)]


@pytest.fixture
def expression() -> pd.DataFrame:
    values = np.random.default_rng(0).gamma(2, 2, (PATIENTS, len(GENES))).astype(np.float32)
    return pd.DataFrame(values, index=ids(), columns=GENES)


@pytest.fixture
def clinical() -> pd.DataFrame:
    row = np.arange(PATIENTS)
    return pd.DataFrame(
        {
            "disease_type": np.where(row % 2, "adenoma", "glioma"),
            "project": np.select([row < 50, row < 110], ["LUAD", "GBM"], "RARE"),
            "age_diagnosed": 40.0 + row % 50,
            "gender": np.where(row % 3, "Male", "Female"),
            "tss": [f"{place:02d}" for place in row % 7],
        },
        index=ids(),
    )


def written(folder: Path, **tables: pd.DataFrame) -> dict[str, Path]:
    for name, frame in tables.items():
        frame.to_parquet(folder / f"{name}.parquet")
    return {name: folder / f"{name}.parquet" for name in tables}


def patches(folder: Path, names: list[str], counts: np.ndarray | None = None) -> Path:
    counts = np.full(len(names), 3) if counts is None else counts
    features = np.repeat(np.arange(len(names), dtype=np.float16), counts)[:, None] * np.ones((1, 2), np.float16)
    np.savez(folder / "regions.npz", patient=np.asarray(names), n_regions=counts, features=features)
    return folder / "regions.npz"


def sources(folder: Path, **changes: Any) -> Sources:
    tables = {name: value for name, value in changes.items() if isinstance(value, pd.DataFrame)}
    paths = written(folder, **tables)
    others = {name: value for name, value in changes.items() if name not in tables}
    return replace(Sources("mine", folder / "expression.parquet", "log2(rsem+1)"), **{**paths, **others})


def test_rows_align_by_name(tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame) -> None:
    shuffled = clinical.sample(frac=1, random_state=1)
    order = np.random.default_rng(2).permutation(PATIENTS)
    given = patches(tmp_path, [ids()[row] for row in order])
    cohort = build_cohort(sources(tmp_path, expression=expression, clinical=shuffled, patches=given))
    assert cohort.samples.tolist() == ids()
    np.testing.assert_array_equal(cohort.expression, expression.to_numpy())
    assert cohort.clinical["age_diagnosed"].tolist() == clinical["age_diagnosed"].tolist()
    assert cohort.patches is not None
    place = np.argsort(order)
    np.testing.assert_array_equal(cohort.patches.values[::3, 0], place)
    assert cohort.genes == GENES
    assert cohort.site_column == "tss"


def test_no_expression_file() -> None:
    with pytest.raises(InputError, match="cohort mine: no expression file"):
        build_cohort(Sources("mine", None, "counts"))


def test_finest_label_first_and_small_classes_stay(
    tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame
) -> None:
    cohort = build_cohort(
        sources(tmp_path, expression=expression, clinical=clinical, labels=("disease_type", "project"))
    )
    assert cohort.label_columns == ("project", "disease_type")
    assert cohort.small_classes("project") == ("RARE",)
    assert len(cohort) == PATIENTS


def test_labels_in_the_expression_file(tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame) -> None:
    """Text fields of a patient beside the genes are no genes either; ids are shared with nobody."""
    joined = expression.assign(project=clinical["project"], age=61, gender="male")
    joined.to_csv(tmp_path / "expression.csv")
    cohort = build_cohort(Sources("mine", tmp_path / "expression.csv", "other", labels=("project",)))
    assert cohort.genes == GENES
    assert set(cohort.text) == {"full", "plain"}
    assert cohort.site_column is None
    with pytest.raises(InputError, match="no site column, hence no track site"):
        folds(cohort, "site")


def test_drop_and_mask(tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame) -> None:
    counts = np.full(PATIENTS - 5, 3)
    counts[0] = 0
    given = patches(tmp_path, ids()[5:], counts)
    base = sources(tmp_path, expression=expression, clinical=clinical, patches=given)
    dropped, masked = build_cohort(base), build_cohort(replace(base, missing="mask"))
    assert len(dropped) == PATIENTS - 6
    assert dropped.provenance["dropped"] == [{"reason": "no patches", "count": 6, "examples": ids()[:3]}]
    assert len(masked) == PATIENTS
    assert masked.patches is not None
    assert masked.patches.counts[:7].tolist() == [0, 0, 0, 0, 0, 0, 3]
    assert dropped.patches is not None
    assert dropped.patches.values[0, 0] == masked.patches.values[0, 0] == 1


def test_folds_are_dealt_before_modalities_are_looked_at(
    tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame
) -> None:
    full = build_cohort(sources(tmp_path, expression=expression, clinical=clinical))
    some = patches(tmp_path, [name for row, name in enumerate(ids()) if row % 5])
    fewer = build_cohort(sources(tmp_path, expression=expression[3:], clinical=clinical, patches=some))
    assert len(fewer) == 94
    for column in ("fold_random", "fold_site"):
        assert fewer.clinical[column].equals(full.clinical[column].loc[fewer.samples])
    assert fewer.provenance["dropped"][0] == {
        "reason": "in the clinical table, without expression", "count": 3, "examples": ids()[:3],
    }  # fmt: skip


def test_samples_without_a_label_are_dropped(tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame) -> None:
    clinical.loc[ids()[:2], "disease_type"] = [None, "[Unknown]"]
    cohort = build_cohort(sources(tmp_path, expression=expression, clinical=clinical))
    assert len(cohort) == PATIENTS - 2
    assert cohort.provenance["dropped"][0]["reason"] == "no value of a label: disease_type (blank 1, '[Unknown]' 1)"


def _aliquots(expression: pd.DataFrame) -> pd.DataFrame:
    twice = pd.concat([expression, expression.iloc[:10] + 1])
    suffix = ["-01A"] * PATIENTS + ["-06A"] * 10
    return twice.set_axis([name + end for name, end in zip(twice.index, suffix, strict=True)], axis=0)


@pytest.mark.parametrize("group", ["barcode12", "case"])
def test_several_samples_per_patient(
    tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame, group: str
) -> None:
    """Clinical rows and patches are per patient, expression per aliquot."""
    aliquots = _aliquots(expression)
    if group == "case":
        aliquots["case"] = [name[:12] for name in aliquots.index]
    given = patches(tmp_path, ids())
    cohort = build_cohort(sources(tmp_path, expression=aliquots, clinical=clinical, patches=given, group=group))
    assert len(cohort) == PATIENTS + 10
    assert cohort.groups[-10:].tolist() == ids()[:10]
    assert cohort.clinical["project"].tolist()[-10:] == clinical["project"].tolist()[:10]
    assert cohort.patches is not None
    assert cohort.patches.values[-3:, 0].tolist() == [9, 9, 9]
    for fold in folds(cohort):
        patients = [{name[:12] for name in part} for part in (fold.train, fold.validation, fold.test)]
        assert patients[0].isdisjoint(patients[1] | patients[2])
        assert patients[1].isdisjoint(patients[2])


def test_folds_agree_with_one_sample_per_patient(
    tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame
) -> None:
    single = build_cohort(sources(tmp_path, expression=expression, clinical=clinical))
    several = build_cohort(sources(tmp_path, expression=_aliquots(expression), clinical=clinical, group="barcode12"))
    assert several.clinical["fold_random"].tolist()[:PATIENTS] == single.clinical["fold_random"].tolist()


def test_duplicates(tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame) -> None:
    twice = pd.concat([expression, expression.iloc[[4]] + 2])
    base = sources(tmp_path, expression=twice, clinical=pd.concat([clinical, clinical.iloc[:1]]))
    with pytest.raises(InputError) as raised:
        build_cohort(base)
    assert len(raised.value.problems) == 2
    assert f"1 samples appear more than once ({ids()[4]})" in raised.value.problems[0]
    assert "--duplicates first" in raised.value.problems[0]
    first = build_cohort(replace(base, duplicates="first"))
    mean = build_cohort(replace(base, duplicates="mean"))
    np.testing.assert_array_equal(first.expression, expression.to_numpy())
    np.testing.assert_allclose(mean.expression[4], expression.iloc[4] + 1, rtol=1e-6)
    np.testing.assert_array_equal(np.delete(mean.expression, 4, 0), np.delete(first.expression, 4, 0))


@pytest.mark.parametrize("rule", ["first", "mean"])
def test_rows_of_a_sample_that_differ_in_a_label_are_never_one(
    tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame, rule: str
) -> None:
    """An age may differ (the first counts); a class, a site or a patient may not, in either file."""
    again = clinical.iloc[[0, 5]].assign(age_diagnosed=1.0)
    base = sources(tmp_path, expression=expression, clinical=pd.concat([clinical, again]), duplicates=rule)
    assert build_cohort(base).clinical["age_diagnosed"].iloc[0] == 40
    again.loc[ids()[5], ["project", "tss"]] = ["GBM", "77"]
    with pytest.raises(InputError) as raised:
        build_cohort(sources(tmp_path, expression=expression, clinical=pd.concat([clinical, again]), duplicates=rule))
    assert raised.value.problems == tuple(
        f"clinical.parquet: 1 ids have rows that differ in {column!r} (TCGA-05-0005: {values}); keep the correct row "
        "of each"
        for column, values in (("project", "LUAD and GBM"), ("tss", "05 and 77"))
    )
    joined = pd.concat([expression.assign(project=clinical["project"]), expression.iloc[[5]].assign(project="GBM")])
    with pytest.raises(
        InputError, match=r"expression.parquet: 1 ids have rows that differ in 'project' \(TCGA-05-0005"
    ):
        build_cohort(sources(tmp_path, expression=joined, labels=("project",), duplicates=rule))


def test_the_mean_of_counts_is_no_count(tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame) -> None:
    counts = np.floor(expression)
    twice = pd.concat([counts, counts.iloc[[4]]])
    base = sources(tmp_path, expression=twice, clinical=clinical, unit="counts", duplicates="mean")
    with pytest.raises(InputError, match="--duplicates mean turns counts into fractions"):
        build_cohort(base)
    assert len(build_cohort(replace(base, duplicates="first"))) == PATIENTS


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, r"1 values are missing or infinite, in 1 samples \(TCGA-03-0003\) and 1 genes \(KRAS\)"),
        (np.inf, r"1 values are missing or infinite"),
        (1e39, r"1 values are missing or infinite"),
        (
            -0.5,
            r"1 values in 1 samples \(TCGA-03-0003\) are below 0, the floor of log2\(rsem\+1\) \(lowest -0.5, KRAS of ",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_bad_values(
    tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame, value: float, message: str
) -> None:
    expression = expression.astype(float)
    expression.iloc[3, 1] = value
    with pytest.raises(InputError, match=message) as raised:
        build_cohort(sources(tmp_path, expression=expression, clinical=clinical))
    assert len(raised.value.problems) == 1


def test_bad_values_are_counted_over_all_blocks_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expression_problems, "_ROWS", 2)
    values = np.ones((7, 3), dtype=np.float32)
    values[0, 0], values[6, 2], values[3, 1], values[5, 1] = np.nan, np.inf, -0.5, -2
    samples = np.array([f"S{row}" for row in range(7)])
    table = ExpressionFile("x.csv", samples, ("A", "B", "C"), values, pd.DataFrame(index=samples), None)
    assert expression_problems.expression_problems(table, Unit("log2(tpm+1)")) == [
        "x.csv: 2 values are missing or infinite, in 2 samples (S0, S6) and 2 genes (A, C); impute them, or remove "
        "these samples or genes",
        "x.csv: 2 values in 2 samples (S3, S5) are below 0, the floor of log2(tpm+1) (lowest -2, B of S5); "
        "check --unit, or raise a few such values to it with --clip",
    ]


def test_counts_are_whole_numbers(tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame) -> None:
    """Whole numbers that are stored as floats are counts; the first fraction is named, a negative one as too low."""
    whole = np.floor(expression.astype(float) * 10)
    base = sources(tmp_path, expression=whole, clinical=clinical, unit="counts")
    np.testing.assert_array_equal(build_cohort(base).expression, whole.to_numpy())
    whole.iloc[3, 1], whole.iloc[3, 2], whole.iloc[9, 2], whole.iloc[10, 0] = 2.5, 0.25, 7.5, -1.5
    with pytest.raises(InputError) as raised:
        build_cohort(sources(tmp_path, expression=whole, clinical=clinical, unit="counts"))
    low, fractions = raised.value.problems
    assert "1 values in 1 samples (TCGA-03-0010) are below 0, the floor of counts (lowest -1.5, TP53 of TCGA" in low
    assert "3 values in 2 samples (TCGA-03-0003, TCGA-02-0009) and 2 genes are not whole numbers" in fractions
    assert "(first 2.5, KRAS of TCGA-03-0003); round estimated counts" in fractions
    assert "--unit, for example 'log2(tpm+1)'" in fractions


def test_other_units_have_no_floor(tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame) -> None:
    cohort = build_cohort(sources(tmp_path, expression=expression - 5, clinical=clinical, unit="other"))
    assert cohort.expression.min() < 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unit": "rpkm"}, "unknown unit 'rpkm'"),
        ({"unit": None}, "the unit is unknown; state it, for example with --unit"),
        ({"labels": ("subtype",)}, r"clinical.parquet: no label column subtype; .*there: disease_type, project"),
        ({"labels": ("project", "project")}, "a column is listed twice"),
        ({"labels": ("gender", "tss")}, r"label 'tss' has 0 classes of at least 25 patients \(00: 18"),
        ({"site_column": "centre"}, "no site column 'centre'"),
        ({"group": "case"}, "no column 'case' for --group"),
        ({"text_encoder": "bert"}, "unknown text encoder 'bert'"),
        ({"name": "Mine!"}, "cohort name 'Mine!'"),
        ({"patches": Path("absent.npz")}, "absent.npz: no such file"),
    ],
)
def test_bad_options(
    tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as raised:
        build_cohort(sources(tmp_path, expression=expression, clinical=clinical, **changes))
    assert len(raised.value.problems) == 1


def test_a_default_label_with_one_class_says_where_it_came_from(
    tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame
) -> None:
    one = clinical.assign(project="LUAD")
    with pytest.raises(InputError) as raised:
        build_cohort(sources(tmp_path, expression=expression, clinical=one))
    assert "(LUAD: 120); it was used by default, because --labels is missing; a label needs two" in str(raised.value)
    assert str(raised.value).endswith("leave it out (--labels disease_type), or merge its classes")
    only = one.drop(columns="disease_type")
    with pytest.raises(
        InputError, match=r"name another column, such as --labels gender \(with two such classes: gender"
    ):
        build_cohort(sources(tmp_path, expression=expression, clinical=only))
    with pytest.raises(InputError, match="a label needs two: merge its classes, or add a column") as raised:
        build_cohort(
            sources(tmp_path, expression=expression, clinical=only.drop(columns="gender"), labels=("project",))
        )
    assert "by default" not in str(raised.value)


def test_unknown_patients(tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"2 samples are not in clinical.parquet \(TCGA-00-0000, TCGA-01-0001\)"):
        build_cohort(sources(tmp_path, expression=expression, clinical=clinical[2:]))
    given = patches(tmp_path, [*ids(), "TCGA-99-9999"])
    with pytest.raises(InputError, match=r"patches of 1 unknown patients \(TCGA-99-9999\)"):
        build_cohort(sources(tmp_path, expression=expression, clinical=clinical, patches=given))


@pytest.mark.parametrize("missing", ["drop", "mask"])
def test_samples_without_a_clinical_row_when_labels_are_in_the_expression_file(
    tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame, missing: str
) -> None:
    given = expression.assign(project=clinical["project"])
    table = clinical[["age_diagnosed", "gender"]][4:]
    cohort = build_cohort(sources(tmp_path, expression=given, clinical=table, labels=("project",), missing=missing))
    assert len(cohort) == (PATIENTS if missing == "mask" else PATIENTS - 4)
    assert cohort.provenance["dropped"][0]["count"] == 4
    assert cohort.clinical["age_diagnosed"].isna().sum() == (4 if missing == "mask" else 0)
    assert (cohort.text["plain"].counts > 0).all()


def test_a_turned_table_is_named(tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"its columns are samples .* turn it with --transpose, and"):
        build_cohort(sources(tmp_path, expression=expression.T, clinical=clinical))


def test_problems_of_all_files_come_at_once(tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame) -> None:
    with pytest.raises(InputError) as raised:
        build_cohort(
            sources(
                tmp_path,
                expression=expression - 1,
                clinical=pd.concat([clinical, clinical]),
                patches=tmp_path / "absent.npz",
                name="A",
            )
        )
    assert len(raised.value.problems) == 4


def test_provenance_holds_no_folder(tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame) -> None:
    cohort = build_cohort(sources(tmp_path, expression=expression, clinical=clinical))
    assert str(tmp_path) not in str(cohort.provenance)
    assert cohort.provenance["files"]["expression"]["name"] == "expression.parquet"


@pytest.fixture(scope="module")
def tcga(tcga_source: Path) -> Cohort:
    return build_cohort(
        Sources(
            "tcga",
            tcga_source / "expression.parquet",
            "log2(rsem+1)",
            tcga_source / "clinical.parquet",
            tcga_source / "regions.npz",
            ("project", "primary_site", "disease_type"),
        )
    )


@pytest.mark.real_data
def test_tcga_sizes(tcga: Cohort) -> None:
    assert tcga.expression.shape == (3999, 680)
    assert tcga.finest_label == "project"
    assert [len(np.unique(tcga.labels(label))) for label in tcga.label_columns] == [15, 12, 7]
    assert tcga.small_classes("disease_type") == ("Complex Epithelial Neoplasms",)
    assert tcga.patches is not None
    assert tcga.patches.values.shape == (99849, 192)
    assert tcga.provenance["dropped"][0]["count"] == 4223 - 3999
    tests = sorted(sample for fold in folds(tcga) for sample in fold.test)
    assert tests == sorted(tcga.samples.tolist())


@pytest.mark.real_data
def test_tcga_label_leak(tcga: Cohort) -> None:
    leak = tcga.provenance["text"]["label_leak"]
    assert leak["full"]["project"] > 0.99
    assert 0.30 < leak["plain"]["project"] < 0.50


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"project": [b"A", b"B"] * 60},
            r"clinical.parquet: column 'project' holds bytes values \(b'A'\); convert them",
        ),
        ({"note": [{"a": 1}] * 120}, r"column 'note' holds dict values \({'a': 1}\)"),
        ({"note": [[1, 2]] * 120}, r"column 'note' holds ndarray values"),
        ({"no\0te": 1}, r"1 column names hold a zero byte \('no\\x00te'\)"),
        ({"gender": ["Ma\0le"] * 120}, r"1 values of column 'gender' hold a zero byte \('Ma\\x00le'\)"),
        ({"gender": pd.Categorical(["Ma\0le"] * 120)}, r"1 values of column 'gender' hold a zero byte"),
        ({"a/b": 1}, "must not contain '/'"),
    ],
)
def test_columns_that_cannot_be_kept(
    tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as raised:
        build_cohort(sources(tmp_path, expression=expression, clinical=clinical.assign(**change)))
    assert len(raised.value.problems) == 1


def test_names_with_zero_bytes_and_values_that_are_all_equal(
    tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame
) -> None:
    with pytest.raises(InputError, match=r"1 genes hold a zero byte \('TP\\x0053'\); remove it"):
        build_cohort(
            sources(tmp_path, expression=expression.rename(columns={"TP53": "TP\0" + "53"}), clinical=clinical)
        )
    with pytest.raises(InputError, match="every value is 2; the file holds no expression values, or is damaged"):
        build_cohort(sources(tmp_path, expression=expression * 0 + 2, clinical=clinical))


def test_when_no_sample_is_left_the_reasons_are_said(
    tmp_path: Path, expression: pd.DataFrame, clinical: pd.DataFrame
) -> None:
    given = patches(tmp_path, ids(), np.zeros(PATIENTS, dtype=int))
    with pytest.raises(InputError, match=r"mine: no samples left \(120: no patches \(TCGA-00-0000, .*\)\); check that"):
        build_cohort(sources(tmp_path, expression=expression, clinical=clinical, patches=given))
