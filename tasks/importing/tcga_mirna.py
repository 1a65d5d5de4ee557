"""The miRNA cohort: TCGA read counts of four cancer types, from data files of the package syng-bts.

Its parquet files hold read counts of miRNA stem-loops (samples × miRNAs, R's names with `.` for `-`). BRCA and PRAD
carry all 1,881 miRNAs, SKCM and LIHC those that the package's authors kept, so the cohort has the miRNAs of all four.

Kept are tumours (barcode sample types 01 to 09). Normal tissue is left out: the label is the project, and a class
that mixes tumours with normal tissue is neither. LIHC's names end at the patient: where a patient is listed more than
once nothing says which sample is the tumour, and all of them are left out. A patient may have several tumour samples
(folds never split a patient).

Expression is log2(count + 1): z-scores of raw counts are ruled by a few samples (1 % of them carry 16 % of the sum of
squares, on the logarithm 3 %), and a normal draw below 0 is no count. A count likelihood gets its counts back: exactly
up to 700,000, above to one part in a million.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.notes import Note, as_json
from gexbench.tasks.files.package_files import DataFile, DataPackage, FoundFiles, read_installed, read_wheel
from gexbench.tasks.files.reading import ExpressionFile
from gexbench.tasks.importing.alignment import BARCODE, BARCODE_LENGTH
from gexbench.tasks.importing.barcodes import named_type
from gexbench.tasks.importing.building import DEFAULT_SITE, NO_TEXT, Report, Sources, assemble
from gexbench.tasks.importing.duplicates import unique_expression
from gexbench.tasks.importing.expression_problems import expression_problems

UNIT = Unit("log2(count+1)")
NOT_STATED = "type not stated"
_ALIQUOT = re.compile(r"TCGA-\w{2}-\w{4}-(?P<type>\d{2})[A-Z]-\d{2}[A-Z]-\w{4}-\d{2}")
_PATIENT = re.compile(r"TCGA-\w{2}-\w{4}")
_LARGEST = 2**24
"""The largest count up to which float32 holds every whole number."""

PACKAGE = DataPackage(
    name="syng-bts",
    version="3.6.1",
    licence="AGPL-3.0-only",
    caution="only its data files are read, and its xgboost would overwrite xgboost-cpu",
    files=(
        DataFile(
            "syng_bts/data/transfer/BRCA.parquet",
            2_805_813,
            "134f63f660f03adea6410f1f0023fe770a7aae09f5a5c1534b2d5860cab7ef27",
        ),
        DataFile(
            "syng_bts/data/transfer/PRAD.parquet",
            1_850_943,
            "8784ca25e59d91353a74cc94f61455df4022aeb357d9cd5a6a7bd5bafcf44ac9",
        ),
        DataFile(
            "syng_bts/data/examples/SKCMPositive_4.parquet",
            720_365,
            "58c3f8dfc63adef84b72637a8d7229db6da8a082336b43a2de2c1853b9067c5a",
        ),
        DataFile(
            "syng_bts/data/case/lihc_subtype/LIHCSubtypeFamInd.parquet",
            563_130,
            "6250cc74019a2acd80a94bd3315749c89695d241eeb2d4257220bd6d6afccde3",
        ),
    ),
)
PROJECTS = ("TCGA-BRCA", "TCGA-PRAD", "TCGA-SKCM", "TCGA-LIHC")
"""Project of each of the package's files."""


@dataclass(frozen=True, slots=True, eq=False)
class ProjectCounts:
    """Counts of one project's tumours: `counts` is samples × miRNAs, `types` the sample type of each row."""

    project: str
    counts: pd.DataFrame
    types: pd.Series
    dropped: tuple[Note, ...]


def build_tcga_mirna(
    name: str, package: DataPackage = PACKAGE, wheel: Path | None = None, report: Report | None = None
) -> Cohort:
    """The cohort, from the installed package or from its wheel; the same bits either way. Nothing is written.

    The label is `project`, the site `tss` (barcode field 2), the group the patient (`barcode12`); `sample_type` is a
    further clinical column. There is no clinical text.

    Args:
        name: name of the cohort.
        package: where the four files are and what they must be; another version with the same files will do.
        wheel: a wheel of the package; None reads the installed distribution.
        report: called with the stages.

    Raises:
        InputError: no such package or wheel, files other than the known ones.
    """
    say = report or (lambda stage, done, total: None)
    say("read counts", 0, 1)
    found = read_installed(package) if wheel is None else read_wheel(package, wheel)
    projects = [
        project_counts(project, found.content[file.path], Path(file.path).name)
        for project, file in zip(PROJECTS, package.files, strict=True)
    ]
    expression = unique_expression(_joined(projects, package.name), "error")
    if problems := expression_problems(expression, UNIT):
        raise InputError(problems)
    say("read counts", 1, 1)
    sources = Sources(
        name,
        expression=None,
        unit=UNIT.name,
        labels=("project",),
        group=BARCODE,
        site_column=DEFAULT_SITE,
        text_encoder=NO_TEXT,
    )
    cohort = assemble(sources, UNIT, expression, report=report)
    return replace(cohort, provenance=_provenance(cohort, projects, package, found))


def project_counts(project: str, content: bytes, file: str) -> ProjectCounts:
    """The tumours of one parquet file of counts, with TCGA's and miRBase's names.

    Raises:
        InputError: no readable parquet file, names that are no barcodes, values that are no counts.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        frame = pq.read_table(io.BytesIO(content)).to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{file}: not a readable parquet file ({' '.join(str(error).split())})") from None
    frame = frame.rename(index=_hyphenated, columns=_hyphenated)
    _check(frame, file)
    types = pd.Series([_sample_type(name) for name in frame.index], index=frame.index, dtype=object)
    keep = types.str.startswith("0").to_numpy(dtype=bool)
    dropped = [
        Note.of(f"{project}, {named(code)} (sample type {code})", frame.index[types == code].to_numpy(dtype=str))
        for code in sorted(set(types[~keep]) - {""})
    ]
    unnamed = (types == "").to_numpy()
    repeated = unnamed & frame.index.str[:BARCODE_LENGTH].duplicated(keep=False)
    if repeated.any():
        patients = frame.index[repeated].unique()
        reason = f"{project}, all samples of {len(patients)} patients listed more than once, sample types not stated"
        dropped.append(Note(reason, int(repeated.sum()), tuple(patients[:3])))
    rows = keep | (unnamed & ~repeated)
    return ProjectCounts(project, frame[rows], types[rows].map(named), tuple(dropped))


def named(code: str) -> str:
    """The name of a sample-type code; an empty one is not stated."""
    return named_type(code) if code else NOT_STATED


def _hyphenated(name: object) -> str:
    return str(name).replace(".", "-")


def _sample_type(name: str) -> str:
    """The two digits of an aliquot's barcode, empty for a patient's."""
    found = _ALIQUOT.fullmatch(name)
    return found["type"] if found else ""


def _check(frame: pd.DataFrame, file: str) -> None:
    problems = []
    wrong = [name for name in frame.index if not _ALIQUOT.fullmatch(name) and not _PATIENT.fullmatch(name)]
    if wrong:
        problems.append(f"{file}: {len(wrong)} names are not TCGA barcodes ({examples(wrong)})")
    whole = [pd.api.types.is_integer_dtype(dtype) for dtype in frame.dtypes]
    if not frame.size or not all(whole):
        problems.append(
            f"{file}: no counts: {whole.count(False)} of {len(whole)} columns hold values that are not whole numbers"
        )
    elif frame.to_numpy().min() < 0 or frame.to_numpy().max() > _LARGEST:
        lowest, highest = frame.to_numpy().min(), frame.to_numpy().max()
        problems.append(f"{file}: values from {lowest:,} to {highest:,}; counts lie between 0 and {_LARGEST:,}")
    if problems:
        raise InputError(problems)


def _joined(projects: list[ProjectCounts], name: str) -> ExpressionFile:
    """All projects' rows, one below the other, over the miRNAs that every project has, in the first one's order."""
    shared = set.intersection(*(set(each.counts.columns) for each in projects))
    genes = tuple(column for column in projects[0].counts.columns if column in shared)
    if not genes:
        raise InputError(f"{name}: no miRNA is in all of {', '.join(each.project for each in projects)}")
    counts = pd.concat([each.counts[list(genes)] for each in projects])
    columns = pd.DataFrame(
        {
            "project": np.repeat([each.project for each in projects], [len(each.counts) for each in projects]),
            DEFAULT_SITE: [name.split("-")[1] for name in counts.index],
            "sample_type": pd.concat([each.types for each in projects]).to_numpy(),
        },
        index=counts.index,
    )
    values = np.log2(counts.to_numpy(dtype=np.float64) + 1.0).astype(np.float32)
    return ExpressionFile(name, counts.index.to_numpy(dtype=str), genes, values, columns)


def _provenance(
    cohort: Cohort, projects: list[ProjectCounts], package: DataPackage, found: FoundFiles
) -> Mapping[str, Any]:
    """The cohort's provenance: the package, its licence, and the samples kept and left out."""
    dropped = tuple(item for each in projects for item in each.dropped)
    return {
        **cohort.provenance,
        "files": {
            project: {"name": file.path, "bytes": file.size, "sha256": file.sha256}
            for project, file in zip(PROJECTS, package.files, strict=True)
        },
        "package": {
            "name": package.name,
            "version": found.version,
            "licence": package.licence,
            "read_from": found.way,
            "miRNAs": {each.project: len(each.counts.columns) for each in projects},
        },
        "kept": {each.project: each.types.value_counts().sort_index().to_dict() for each in projects},
        "dropped": as_json(dropped) + list(cohort.provenance["dropped"]),
    }
