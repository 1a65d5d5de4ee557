"""Building cohorts from Python."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from gexbench.benchmark.commands.cohort.stages import stages
from gexbench.benchmark.commands.options import console
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.cohort_folder import place_problems, save_cohort
from gexbench.tasks.data_directory import cohort_folder
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.table_rules import AS_IT_IS, TableRules
from gexbench.tasks.importing.alignment import Missing
from gexbench.tasks.importing.building import Sources
from gexbench.tasks.importing.building import build_cohort as built
from gexbench.tasks.importing.duplicates import Duplicates
from gexbench.tasks.importing.patients import Normals
from gexbench.tasks.importing.slide_rules import KINDS
from gexbench.tasks.importing.twins import Twins
from gexbench.tasks.importing.values import Scale
from gexbench.tasks.names import unknown


def build_cohort(
    name: str,
    *,
    expression: str | Path,
    unit: str | None = None,
    clinical: str | Path | None = None,
    patches: str | Path | None = None,
    labels: Sequence[str] | None = None,
    group: str | None = None,
    duplicates: Duplicates = "error",
    missing: Missing = "drop",
    site_column: str | None = None,
    text_encoder: str = "hashed",
    table: TableRules = AS_IT_IS,
    scale: Scale | None = None,
    clip: bool = False,
    twins: Twins = "error",
    normals: Normals | None = None,
    slide_kinds: Sequence[str] = KINDS,
    slides_table: str | Path | None = None,
    replace: bool = False,
) -> Cohort:
    """Build a cohort from files into the data directory, as `gexbench cohort build` does.

    Files are checked before anything is written. The data directory is $GEXBENCH_DATA, else the user's.

    Args:
        name: of the cohort: a-z, 0-9, '.', '_', '-'.
        expression: samples × genes: .csv, .tsv, .txt, .gct (also .gz), .parquet, .h5ad, .zarr or .h5mu; the first
            column holds the sample ids.
        unit: counts, log2(NAME+C) or other; None takes the one that an .h5ad states in `uns["unit"]`.
        clinical: table by sample or patient; None when the labels are columns of the expression file.
        patches: image patch embeddings: .npz, .h5mu or a folder of slides (.h5, .pt or .npy).
        labels: label columns; None takes those of project, primary_site and disease_type that exist.
        group: the column that names the patient, barcode12 (TCGA), from-id (GTEx, TARGET, CPTAC, HCMI) or none (every
            sample is a patient); None is `none` unless the ids or a column say that a patient has several samples.
        duplicates: an id that a file lists twice: `error`, keep the `first`, or `mean` expression.
        missing: samples without patches: `drop` them, or `mask` keeps them with everything masked.
        site_column: column of the tissue-source site; None takes `tss` where it exists.
        text_encoder: hashed, minilm, transformers:NAME_OR_FOLDER, or none for a cohort without clinical text.
        table: how the table is read: id and gene columns, columns to ignore, genes × samples, AnnData's layers.
        scale: linear, ln, log2 or log10, of the file's values; they are converted to the unit.
        clip: raise values below the unit's floor to it.
        twins: equal profiles under different ids: `error`, `drop` the copies, `keep` them as one patient.
        normals: normal tissue that bears a tumour's label: None stops, `drop`, `label` it apart, `keep` the labels.
        slide_kinds: kinds of TCGA slides that count.
        slides_table: table of slide and patient.
        replace: replace a cohort of that name.

    Returns:
        The cohort as it was saved; `run(cohort=name)` uses it.

    Raises:
        InputError: everything that is wrong with the arguments and the files, with counts and examples.
    """
    folder = cohort_folder(name)
    problems = place_problems(name, folder, replace=replace)
    for given, known, kind in (
        (duplicates, Duplicates, "duplicates"), (missing, Missing, "missing"), (twins, Twins, "twins"),
        (scale, Scale, "scale"), (normals, Normals, "normals"),
    ):  # fmt: skip
        if given not in (*get_args(known), *([None] if kind in {"scale", "normals"} else [])):
            problems.append(str(unknown(str(given), get_args(known), f"value of {kind}")))
    if problems:
        raise InputError(problems)
    sources = Sources(
        name=name,
        expression=Path(expression),
        unit=unit,
        clinical=None if clinical is None else Path(clinical),
        patches=None if patches is None else Path(patches),
        labels=None if labels is None else (labels,) if isinstance(labels, str) else tuple(labels),
        group=group,
        duplicates=duplicates,
        missing=missing,
        site_column=site_column,
        text_encoder=text_encoder,
        table=table,
        scale=scale,
        clip=clip,
        twins=twins,
        normals=normals,
        slide_kinds=tuple(slide_kinds),
        slides_table=None if slides_table is None else Path(slides_table),
    )
    with stages(console()) as report:
        cohort = built(sources, report)
        report("write", 0, 1)
        save_cohort(cohort, folder, replace=replace)
        report("write", 1, 1)
    return cohort
