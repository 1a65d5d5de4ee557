"""The files that people bring, the command for each, and what comes of it: the table of `docs/cohorts/files.md`.

    python tests/documentation/file_layouts.py docs/cohorts/files.md

writes the table into the page; `test_file_layouts.py` compares the page and runs every row.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- files: made by tests/documentation/file_layouts.py -->", "<!-- end of files -->"


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of file.

    Attributes:
        folder: of an example, below `../shared/layouts`.
        brings: what the user has.
        command: words after `gexbench cohort build NAME`.
        outcome: what happens, for the reader.
        said: parts of what the command prints.
        built: whether a cohort is built; else the command stops with exit code 2.
        samples: how many samples the cohort has.
    """

    folder: str
    brings: str
    command: str
    outcome: str
    said: tuple[str, ...] = ()
    built: bool = True
    samples: int = 80


PUBLIC = "--from-public ."
OURS = "--expression expr.csv --labels project --unit 'log2(tpm+1)'"
DEPMAP = "OmicsExpressionTPMLogp1HumanProteinCodingGenes.csv"
GTEX = "GTEx_Analysis_2017-06-05_v8_RNASeQCv1.1.9_gene_tpm.gct.gz"
DISEASE = "--expression a.h5ad --labels disease --group donor_id"

LAYOUTS = (
    Layout("cbio-public", "cBioPortal study, linear values",
           f"{PUBLIC} --unit 'log2(rsem+1)' --labels CANCER_TYPE_ACRONYM",
           "tables joined by PATIENT_ID and SAMPLE_ID; logarithm taken; of several rows of a symbol the one with the "
           "highest mean counts", ("converted from linear", "further rows of a symbol")),
    Layout("cbio-public", "cBioPortal study, unit not stated", PUBLIC, "stops and asks for the unit",
           ("the values look linear", "--unit 'log2(rsem+1)'"), built=False),
    Layout("cbio-oneblank", "cBioPortal study with a blank symbol",
           f"{PUBLIC} --unit other --labels CANCER_TYPE_ACRONYM", "rows without a symbol are left out and counted",
           ("rows without a gene symbol",)),
    Layout("xena-toil", "Xena toil, TCGA with GTEx", PUBLIC,
           "GTEx columns counted as left out; zeros printed as -9.9658 set to the floor",
           ("columns that are no samples of TCGA", "set to the floor of log2(tpm+0.001)")),
    Layout("xena-toil-latin1", "the same, phenotypes in Latin-1", PUBLIC, "the encoding is found",
           ("set to the floor",)),
    Layout("xena-gdchub", "Xena GDC hub", f"{PUBLIC} --labels project_id.project",
           "dotted names of the hub are known; fields that were not found are listed",
           ("project", "ajcc_pathologic_stage", "not in full")),
    Layout("xena-gdchub-survival", "GDC hub with a survival table", PUBLIC, "the survival table is passed over, said",
           ("passed over: 1 files",)),
    Layout("xena-ebpp", "PANCAN EB++ matrix with values below 0", f"{PUBLIC} --clip",
           "values below the floor raised to it and counted", ("values below 0 raised to it", "missing values")),
    Layout("xena-ebpp", "the same without --clip", PUBLIC, "stops and names --clip", ("--clip",), built=False),
    Layout("xena-ebpp", "the same, unit `other`", f"{PUBLIC} --unit other",
           "the stated unit counts; a name that says another is noted", ("whose names speak of another unit",)),
    Layout("xena-ebpp-name", "the GDC's EBPlusPlus copy, linear", f"{PUBLIC} --unit 'log2(rsem+1)'",
           "logarithm taken", ("converted from linear",)),
    Layout("firehose-log2", "Firehose log2 matrix, NA for 0", PUBLIC, "log2(x) turned into log2(x + 1), NA is 0",
           ("which are 0 there",)),
    Layout("firehose-hyb", "Firehose matrix with two header lines", PUBLIC, "read, logarithm taken",
           ("converted from linear",)),
    Layout("depmap-25q2", "DepMap expression", f"--expression {DEPMAP} --clinical Model.csv --labels OncotreeLineage "
           "--unit 'log2(tpm+1)'", "stops and prints the columns for --ignore", ("--ignore",), built=False),
    Layout("depmap-25q2", "DepMap, columns named", f"--expression {DEPMAP} --clinical Model.csv --labels "
           "OncotreeLineage --unit 'log2(tpm+1)' --id-column ModelID --ignore "
           "SequencingID,IsDefaultEntryForModel,ModelConditionID,IsDefaultEntryForMC",
           "stops: several models of a patient", ("80 samples are of 40 patients", "--group PatientID"), built=False),
    Layout("depmap-25q2", "DepMap, patients named", f"--expression {DEPMAP} --clinical Model.csv --labels "
           "OncotreeLineage --unit 'log2(tpm+1)' --id-column ModelID --group PatientID --ignore "
           "SequencingID,IsDefaultEntryForModel,ModelConditionID,IsDefaultEntryForMC",
           "built; genes called by their symbol", ("80 of 40 patients", "called by their symbol")),
    Layout("gtex-v8", "GTEx .gct.gz", f"--expression {GTEX} --clinical GTEx_Analysis_v8_Annotations_SampleAttributesDS"
           ".txt --labels SMTSD --unit 'log2(tpm+1)' --scale linear --group from-id --gene-column Description",
           "read, donors grouped", ("80 of 40 patients",)),
    Layout("gtex-byhand", "GTEx samples in a table of one's own",
           "--expression expr.csv --clinical attr.csv --labels SMTSD --unit 'log2(tpm+1)'",
           "stops: two samples of one donor", ("--group from-id",), built=False),
    Layout("dup-tumour-normal", "tumour and normal of the same patients", OURS,
           "stops: names --group and counts the sample types", ("--group barcode12", "40 normal tissue"), built=False),
    Layout("dup-tumour-normal", "the same with --group", f"{OURS} --group barcode12",
           "stops: normal tissue bears the tumour's label", ("--normals drop",), built=False),
    Layout("dup-tumour-normal", "the same without normals", f"{OURS} --group barcode12 --normals drop",
           "built; the normals are counted as left out", ("normal tissue",), samples=40),
    Layout("gdc-cart-tsvclin-new", "GDC cart with clinical.tsv", PUBLIC, "one row per case", ("LUAD 40",)),
    Layout("gdc-two-aliquots", "GDC cart, a sample with two files", PUBLIC,
           "the file with the lowest id counts, the other is counted", ("further files of a sample",), samples=79),
    Layout("stamp", "STAMP features", f"{OURS} --patches uni2-ab12cd34", "read", ("80 samples, ",)),
    Layout("stamp", "the same beside public files", PUBLIC, "read; the encoder is the extractor",
           ("image encoder     uni2",)),
    Layout("npy", "one .npy per slide", f"{OURS} --patches feats", "read", ("80 samples, ",)),
    Layout("npy", "the same beside public files", PUBLIC, "read", ("width 8",)),
    Layout("trident-tree", "TRIDENT's tree", f"{OURS} --patches trident_processed", "the folder with features is found",
           ("80 samples, ",)),
    Layout("trident-tree", "the same beside public files", PUBLIC, "the encoder's name stands on the card",
           ("image encoder     uni_v2",)),
    Layout("trident-empty0", "TRIDENT, an empty slide", f"{OURS} --patches features_x --missing mask",
           "counted as empty", ("slides without a region",)),
    Layout("trident-slidevec", "slide-level vectors", PUBLIC, "one region per slide",
           ("80 rows × 8", "titan")),
    Layout("pt-dict", ".pt files with a dict of features", PUBLIC, "the features are read", ("width 8",)),
    Layout("slides-dxts", "frozen beside diagnostic slides", f"{OURS} --patches features_x",
           "diagnostic slides count; the frozen ones are counted", ("slides of another kind: TS",)),
    Layout("slides-samplebarcode", "slides of patients, samples by barcode",
           f"{OURS} --patches features_x --group barcode12", "joined by patient", ("80 samples, ",)),
    Layout("h5ad-layers", "AnnData, counts in a layer", f"{DISEASE} --unit 'log2(tpm+1)'",
           "the counts are kept beside the expression", ("read counts kept beside",)),
    Layout("h5ad-layers", "the same, counts asked for", f"{DISEASE} --unit counts", "stops and names --layer",
           ("--layer counts",), built=False),
    Layout("h5ad-xnone", "AnnData without X", f"{DISEASE} --unit counts", "stops and names --layer",
           ("X is empty", "--layer counts"), built=False),
    Layout("h5ad-xnone", "the same with --layer", f"{DISEASE} --unit counts --layer counts", "built", ()),
    Layout("h5ad-scanpy", "scanpy's natural logarithm", f"{DISEASE} --unit 'log2(cpm+1)'", "stops and names --scale",
           ("natural logarithms", "--scale ln"), built=False),
    Layout("h5ad-scanpy", "the same with --scale", f"{DISEASE} --unit 'log2(cpm+1)' --scale ln", "converted",
           ("converted from ln",)),
    Layout("h5ad-scanpy", "scaled values with counts in raw",
           "--expression scaled.h5ad --labels disease --group donor_id --unit counts --raw", "raw is read", ()),
    Layout("h5ad-cellxgene", "symbols in a column of var",
           f"{DISEASE} --unit 'log2(cpm+1)' --scale ln --gene-column feature_name", "genes called by their symbol", ()),
    Layout("csv-semicolon", "semicolons and decimal commas", OURS, "found", ()),
    Layout("table-tsvgz", ".tsv.gz", "--expression expr.tsv.gz --unit 'log2(tpm+1)' --labels project", "read", ()),
    Layout("parquet-labelfirst", "parquet, a label first",
           "--expression expr.parquet --unit 'log2(tpm+1)' --labels project,study",
           "the id column is the first that can be", ()),
    Layout("csv-transposed-nolabel", "genes × samples", OURS, "stops and names --transpose", ("--transpose",),
           built=False),
    Layout("csv-linear-under64", "linear values under 64", OURS, "stops: too high for log2(tpm+1)", ("--scale linear",),
           built=False),
    Layout("text-case", "clinical columns in capitals", "--expression expr.csv --clinical clin.csv --labels project "
           "--unit 'log2(tpm+1)'", "matched without case; fields not found are listed",
           ("AJCC_PATHOLOGIC_TUMOR_STAGE", "not in full")),
)  # fmt: skip


def table() -> str:
    """The table as Markdown."""
    lines = ["| You have | Type after `gexbench cohort build NAME` | What happens |", "|---|---|---|"]
    lines += [f"| {row.brings} | `{row.command}` | {row.outcome} |" for row in LAYOUTS]
    return "\n".join(lines)


def with_table(page: str) -> str:
    """A page with the table between its markers."""
    return re.sub(
        f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: f"{BEGIN}\n{table()}\n{END}", page, flags=re.DOTALL
    )


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.write_text(with_table(place.read_text(encoding="utf-8")), encoding="utf-8")
