"""Writes tables of patients in the layouts of UCSC Xena, the GDC, HIPT, TRIDENT and CLAM.

    python tests/tasks/public/public_layouts.py FOLDER --source TCGA_FILES --layout xena

writes the folder's expression.parquet, clinical.parquet and regions.npz as Xena (or `gdc`) files with HIPT slides.
"""

import argparse
import gzip
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

PLATE, CENTER = "1107", "07"
FROM_XENA = {"ajcc_stage": "ajcc_pathologic_tumor_stage", "age_diagnosed": "age_at_initial_pathologic_diagnosis"}
GDC_DIAGNOSIS = {"ajcc_pathologic_stage": "ajcc_stage", "tumor_grade": "histological_grade",
                 "prior_treatment": "gdc_prior_treatment", "primary_diagnosis": "histological_type"}  # fmt: skip

SAMPLE_SHEETS = {
    "sheet": {"Sample Type": "Primary Tumor"},
    "sheet of 2026": {"Tissue Type": "Tumor", "Tumor Descriptor": "Primary", "Specimen Type": "Solid Tissue",
                      "Preservation Method": "OCT"},
}  # fmt: skip
"""Kind of the portal's sample sheet → what follows its column `Sample ID`, with a value for each."""


def identifier(*names: str) -> str:
    """A file id that depends on the names alone."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(names)))


def write_xena_matrix(path: Path, values: pd.DataFrame, decimals: int = 4) -> None:
    """`values` (samples × genes) as genes × samples; a `.gz` name packs it. Header `sample`, then the samples."""
    turned = values.T.rename_axis("sample")
    text = turned.to_csv(sep="\t", float_format=f"%.{decimals}f", na_rep="NA")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())


def write_xena_phenotypes(path: Path, clinical: pd.DataFrame, kind: str = "01") -> None:
    """The layout of the pan-cancer survival table: `sample`, `_PATIENT`, `cancer type abbreviation`, …"""
    kept = ["age_diagnosed", "gender", "race", "ajcc_stage", "clinical_stage", "histological_type",
            "histological_grade", "vital_status"]  # fmt: skip
    table = clinical[[column for column in kept if column in clinical]].rename(columns=FROM_XENA)
    table.insert(0, "cancer type abbreviation", clinical["project"])
    table.insert(0, "_PATIENT", clinical.index)
    table.index = pd.Index([f"{patient}-{kind}" for patient in clinical.index], name="sample")
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, sep="\t")


def star_counts(ids: Sequence[str], genes: Sequence[str], types: Sequence[str], counts: NDArray[np.int64],
                tpm: NDArray[np.float64]) -> str:  # fmt: skip
    """One sample's STAR-counts file, with the comment, the header and the four `N_` rows."""
    lines = ["# gene-model: GENCODE v36", "gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second"
             "\ttpm_unstranded\tfpkm_unstranded\tfpkm_uq_unstranded"]  # fmt: skip
    lines += [f"{name}\t\t\t{number}\t{number}\t{number}\t\t\t" for name, number in
              (("N_unmapped", 10), ("N_multimapping", 20), ("N_noFeature", 30), ("N_ambiguous", 40))]  # fmt: skip
    for name, gene, kind, count, value in zip(ids, genes, types, counts, tpm, strict=True):
        lines.append(f"{name}\t{gene}\t{kind}\t{count}\t{count // 2}\t{count - count // 2}\t{value:.4f}\t0.0\t0.0")
    return "\n".join(lines) + "\n"


def write_gdc(
    folder: Path, values: pd.DataFrame, clinical: pd.DataFrame, lists: Sequence[str] = ("files", "manifest", "sheet"),
    types: Sequence[str] | None = None,
) -> list[dict[str, object]]:  # fmt: skip
    """`values` (aliquots or samples × genes, log2(TPM + 1)) as STAR-counts files, with cases and lists of files.

    Returns:
        The hits of the files endpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    genes = list(values.columns)
    ids = [f"ENSG{place:011d}.{place % 9 + 1}" for place in range(1, len(genes) + 1)]
    kinds = ["protein_coding"] * len(genes) if types is None else list(types)
    hits: list[dict[str, object]] = []
    for sample, row in zip(values.index, values.to_numpy(dtype=np.float64), strict=True):
        tpm = np.maximum(2.0**row - 1.0, 0.0)
        content = star_counts(ids, genes, kinds, np.rint(tpm * 7).astype(np.int64), tpm).encode()
        key, name = identifier("file", sample), f"{identifier('star', sample)}.rna_seq.augmented_star_gene_counts.tsv"
        (folder / key).mkdir(exist_ok=True)
        (folder / key / name).write_bytes(content)
        aliquot = sample if len(sample) > 16 else f"{sample}-11R-{PLATE}-{CENTER}"
        patient = sample[:12]
        hits.append({
            "id": key, "file_id": key, "file_name": name, "file_size": len(content), "state": "released",
            "md5sum": hashlib.md5(content, usedforsecurity=False).hexdigest(),
            "associated_entities": [{"entity_submitter_id": aliquot, "entity_type": "aliquot"}],
            "cases": [{"submitter_id": patient, "project": {"project_id": f"TCGA-{clinical.loc[patient, 'project']}"}}],
        })  # fmt: skip
    if "files" in lists:
        (folder / "files.json").write_text(json.dumps(response(hits)))
    if "manifest" in lists:
        lines = [f"{hit['id']}\t{hit['file_name']}\t{hit['md5sum']}\t{hit['file_size']}\treleased" for hit in hits]
        (folder / "gdc_manifest.txt").write_text("\n".join(["id\tfilename\tmd5\tsize\tstate", *lines]) + "\n")
    for kind, columns in SAMPLE_SHEETS.items():
        if kind in lists:
            _write_sample_sheet(folder / "gdc_sample_sheet.tsv", columns, values.index, clinical, hits)
    (folder / "cases.json").write_text(json.dumps(response(gdc_cases(clinical))))
    return hits


def _write_sample_sheet(
    path: Path, columns: Mapping[str, str], samples: pd.Index, clinical: pd.DataFrame, hits: Sequence[Any]
) -> None:
    header = ["File ID", "File Name", "Data Category", "Data Type", "Project ID", "Case ID", "Sample ID", *columns]
    lines = ["\t".join(header)]
    for sample, hit in zip(samples, hits, strict=True):
        named = [f"TCGA-{clinical.loc[sample[:12], 'project']}", sample[:12], sample[:16], *columns.values()]
        known = [hit["id"], hit["file_name"], "Transcriptome Profiling", "Gene Expression Quantification"]
        lines.append("\t".join([*known, *named]))
    path.write_text("\n".join(lines) + "\n")


def response(hits: Sequence[dict[str, object]]) -> dict[str, object]:
    """A whole response of the GDC API."""
    page = {"count": len(hits), "total": len(hits), "size": len(hits), "from": 0, "page": 1, "pages": 1, "sort": ""}
    return {"data": {"hits": list(hits), "pagination": page}, "warnings": {}}


def gdc_cases(clinical: pd.DataFrame, dictionary: str = "3.4.3") -> list[dict[str, object]]:
    """Hits of the cases endpoint as a version of the GDC's data dictionary has them; ages in days."""
    sexes = {"3.4.3": ("gender",), "3.4.4": ("gender", "sex_at_birth"), "4.0.3": ("sex_at_birth",)}[dictionary]
    cases: list[dict[str, object]] = []
    for patient, row in clinical.astype(object).where(clinical.notna(), None).iterrows():
        age = row.get("age_diagnosed")
        diagnosis = {name: row.get(column) for name, column in GDC_DIAGNOSIS.items()}
        diagnosis |= {"age_at_diagnosis": None if age is None else int(np.ceil(float(age) * 365.25))}
        cases.append({
            "id": identifier("case", str(patient)), "submitter_id": patient, "primary_site": row.get("primary_site"),
            "disease_type": row.get("disease_type"),
            "project": {"project_id": f"TCGA-{row['project']}", "name": row.get("disease_name")},
            "demographic": {**dict.fromkeys(sexes, row.get("gender")), "race": row.get("race")},
            "diagnoses": [{"classification_of_tumor": "metastasis", "primary_diagnosis": "another"},
                          {"classification_of_tumor": "primary", **diagnosis}],
            "tissue_source_site": {"code": str(patient)[5:7]},
        })  # fmt: skip
    return cases


def write_hipt(folder: Path, patients: Sequence[str], counts: Sequence[int], features: NDArray[np.float16]) -> None:
    """One float32 tensor (regions, width) per diagnostic slide, named as HIPT names them; one slide per patient."""
    import torch

    place = folder / "vit256mean_tcga_slide_embeddings"
    place.mkdir(parents=True, exist_ok=True)
    start = 0
    for patient, count in zip(patients, counts, strict=True):
        rows = torch.from_numpy(features[start : start + int(count)].astype(np.float32))
        start += int(count)
        torch.save(rows, place / f"{patient}-01Z-00-DX1.{identifier('slide', patient)}.pt")


def write_trident(folder: Path, slides: dict[str, NDArray[np.float32]], encoder: str = "uni_v1") -> Path:
    """`features` (1, regions, width) with the encoder's name, and `coords`; beside it coordinates without features."""
    import h5py

    place, coordinates = folder / "20x_256px_0px_overlap" / f"features_{encoder}", folder / "20x_256px_0px_overlap"
    place.mkdir(parents=True)
    (coordinates / "patches").mkdir()
    for name, features in slides.items():
        coords = np.stack([np.arange(len(features)) * 256, np.zeros(len(features))], axis=1).astype(np.int64)
        with h5py.File(place / f"{name}.h5", "w") as file:
            file.create_dataset("features", data=features[None]).attrs["name"] = encoder
            file.create_dataset("coords", data=coords[None])
        with h5py.File(coordinates / "patches" / f"{name}_patches.h5", "w") as file:
            file.create_dataset("coords", data=coords)
    return place


def write_all(folder: Path, source: Path, layout: str) -> None:
    """The TCGA files of `source` in public layouts."""
    expression, clinical = (pd.read_parquet(source / f"{name}.parquet") for name in ("expression", "clinical"))
    if layout == "xena":
        for project, patients in clinical.groupby("project").groups.items():
            rows = expression.loc[[name for name in expression.index if name in set(patients)]]
            rows = rows.set_axis([f"{name}-01" for name in rows.index], axis=0)
            write_xena_matrix(folder / f"TCGA.{project}.sampleMap" / "HiSeqV2.gz", rows)
        write_xena_phenotypes(folder / "Survival_SupplementalTable_S1_20171025_xena_sp", clinical)
    else:
        write_gdc(folder / "gdc", expression.set_axis([f"{name}-01A" for name in expression.index], axis=0), clinical)
    with np.load(source / "regions.npz", allow_pickle=False) as regions:
        write_hipt(folder, regions["patient"].tolist(), regions["n_regions"].tolist(), regions["features"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--layout", choices=("xena", "gdc"), default="xena")
    given = parser.parse_args()
    write_all(given.folder, given.source, given.layout)
    print(f"{given.layout} files are in {given.folder}")
