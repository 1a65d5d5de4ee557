"""Expression of the GDC: one STAR-counts file per sample, described by the files API, a sample sheet or a manifest."""

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.input_paths import check_file
from gexbench.tasks.files.notes import Note
from gexbench.tasks.files.reading import ExpressionFile
from gexbench.tasks.files.text_files import is_gzip, opened
from gexbench.tasks.importing.barcodes import Barcode, barcode, type_code
from gexbench.tasks.importing.building import Report
from gexbench.tasks.public.clinical import json_hits
from gexbench.tasks.public.gene_names import KeptGenes, kept_genes
from gexbench.tasks.public.picking import PublicExpression, columns_of, pick
from gexbench.tasks.public.selection import Selection

COUNTS, TPM = "unstranded", "tpm_unstranded"
UNIT = "log2(tpm+1)"
_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file's facts from the GDC: its sample, MD5, case and the kind of its sample; each may be unknown."""

    sample: str | None = None
    md5: str | None = None
    case: str | None = None
    kind: str | None = None


def read_star(
    paths: Sequence[Path],
    lists: Sequence[Path],
    clinical: pd.DataFrame,
    selection: Selection,
    report: Report | None = None,
) -> PublicExpression:
    """log2(TPM + 1) of the chosen samples and genes, with the unstranded counts as a layer.

    With the unit `counts` the unstranded counts are the expression and there is no layer. Each file is read once and
    compared with the MD5 that the lists give for it. Memory: samples × kept genes in float32 and, for the layer, in
    int32.

    Args:
        paths: STAR-counts files, each in a folder named by its file id, or with names as in the lists.
        lists: JSON of the files endpoint, sample sheets, manifests.
        clinical: by patient, see `picking.pick`.
        selection: the rules.
        report: called with the stages.

    Raises:
        InputError: files of unknown samples, damaged files, genes that differ between files, nothing left.
    """
    say = report or (lambda stage, done, total: None)
    unit = selection.unit or UNIT
    if unit not in {UNIT, "counts"}:
        raise InputError(f"--unit {unit}: GDC STAR counts give {UNIT} or counts")
    facts = file_facts(lists)
    owners = _owners(paths, facts)
    where = f"{len(paths)} STAR-counts files"
    by_name: dict[str, Path] = {}
    for path in sorted(owners, key=lambda path: (path.parent.name, path.name)):
        by_name.setdefault(owners[path][0].name, path)
    further = [path.name for path in owners if by_name[owners[path][0].name] != path]
    picked = pick([owners[path][0] for path in by_name.values()], clinical, selection, where)
    files = [(by_name[sample.name], owners[by_name[sample.name]][1]) for sample in picked.samples]
    first = _parsed(_content(files[0][0])[0], files[0][0].name)
    genes = _genes(first, selection, files[0][0].name)
    wide = (len(files), len(genes.names))
    values = np.empty(wide, dtype=np.float32)
    counts = np.empty(wide, dtype=np.int32) if unit == UNIT else None
    inputs = _read_all(files, first, genes, values, counts, say)
    table = ExpressionFile(where, np.asarray(picked.ids), genes.names, values, columns_of(picked), unit, counts)
    notes = [Note.of("further files of a sample (the one with the lowest file id counts)", further)] if further else []
    return PublicExpression(table, (*notes, *picked.dropped, *genes.dropped), inputs)


def _read_all(
    files: Sequence[tuple[Path, str | None]],
    first: Any,
    genes: KeptGenes,
    values: NDArray[np.float32],
    counts: NDArray[np.int32] | None,
    say: Report,
) -> tuple[dict[str, object], ...]:
    """Read each file into its row; every damaged file is named, the first twenty in words."""
    inputs: list[dict[str, object]] = []
    problems: list[str] = []
    for row, (path, md5) in enumerate(files):
        try:
            table, read = _checked(path, md5, first)
            _fill(row, path.name, table, genes, values, counts)
            inputs.append(read)
        except InputError as error:
            problems += error.problems
        say("read expression", row + 1, len(files))
    if problems:
        raise InputError(problems if len(problems) <= 20 else [*problems[:20], f"and {len(problems) - 20} more files"])
    return tuple(inputs)


def file_facts(lists: Sequence[Path]) -> dict[str, FileFacts]:
    """File id and file name → what the lists say of the file. Later lists fill in what earlier ones leave open.

    Raises:
        InputError: a list without files, or one that cannot be read.
    """
    facts: dict[str, FileFacts] = {}
    for path in lists:
        for keys, found in _facts_in(path):
            for key in filter(None, keys):
                known = facts.get(key, FileFacts())
                if not _agree(known.sample or "", found.sample or ""):
                    raise InputError(
                        f"{path.name}: file {key} is assigned to both {known.sample} and {found.sample}; keep the "
                        "correct row or list"
                    )
                # An aliquot's barcode says more than a sample's.
                sample = max(known.sample or "", found.sample or "", key=len) or None
                facts[key] = FileFacts(
                    sample, known.md5 or found.md5, known.case or found.case, known.kind or found.kind
                )
    return facts


def _agree(one: str, other: str) -> bool:
    """Whether two barcodes may be of one sample: one states what the other does, and perhaps more."""
    return one.startswith(other) or other.startswith(one)


def _facts_in(path: Path) -> list[tuple[tuple[str | None, ...], FileFacts]]:
    if path.suffix != ".json":
        return [_of_row(row) for row in _rows(path)]
    try:
        return [_of_json(hit) for hit in json_hits(path)]
    except (AttributeError, TypeError) as error:
        raise InputError(f"{path.name}: a field does not have the GDC's format ({error}); download it again") from None


def _of_json(hit: Mapping[str, Any]) -> tuple[tuple[str | None, ...], FileFacts]:
    names = [entity.get("entity_submitter_id", "") for entity in hit.get("associated_entities") or []]
    patient, kind = None, None
    for case in hit.get("cases") or []:
        patient = patient or case.get("submitter_id")
        for sample in case.get("samples") or []:
            names.append(sample.get("submitter_id", ""))
            kind = kind or sample.get("sample_type") or sample.get("tissue_type")
            names += [aliquot.get("submitter_id", "") for aliquot in _aliquots(sample)]
    known = [name for name in names if barcode(name)] or ([name for name in names if name] if patient else [])
    facts = FileFacts(max(known, key=len, default=None), hit.get("md5sum"), patient, kind)
    return (hit.get("file_id") or hit.get("id"), hit.get("file_name")), facts


def _aliquots(sample: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    analytes = [analyte for portion in sample.get("portions") or [] for analyte in portion.get("analytes") or []]
    return [aliquot for analyte in analytes for aliquot in analyte.get("aliquots") or []]


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with opened(path) as file:
            rows = list(csv.DictReader(io.StringIO(file.read().decode("utf-8-sig")), delimiter="\t"))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name}: not a tab-separated table in UTF-8 ({error}); download it again") from None
    if not rows:
        raise InputError(f"{path.name}: lists no files, only a header; download it again, or remove it")
    return rows


def _of_row(row: Mapping[str, str]) -> tuple[tuple[str | None, ...], FileFacts]:
    """A row of a manifest or a sample sheet; of a sheet's several samples (`A, B`) the first."""
    if "md5" in row:
        return (row["id"], row["filename"]), FileFacts(md5=row["md5"])
    sample, case = (((row.get(name) or "").split(",")[0].strip() or None) for name in ("Sample ID", "Case ID"))
    kind = row.get("Sample Type") or " ".join(filter(None, (row.get("Tissue Type"), row.get("Tumor Descriptor"))))
    return (row["File ID"], row["File Name"]), FileFacts(sample, None, case, kind or None)


def _owners(paths: Sequence[Path], facts: Mapping[str, FileFacts]) -> dict[Path, tuple[Barcode, str | None]]:
    """Sample and MD5 of each file; outside TCGA the lists name the case and the kind of the sample."""
    found: dict[Path, tuple[Barcode, str | None]] = {}
    unknown = []
    for path in paths:
        said = facts.get(path.parent.name) or facts.get(path.name) or FileFacts()
        if said.sample is None:
            unknown.append(path.name)
        elif sample := barcode(said.sample):
            found[path] = (sample, said.md5)
        elif said.case is not None:
            found[path] = (Barcode(said.sample, said.case, type_code(said.kind), "", "", ""), said.md5)
        else:
            unknown.append(path.name)
    if unknown:
        raise InputError(
            f"{len(unknown)} of {len(paths)} STAR-counts files do not belong to a known sample "
            f"({examples(unknown)}); add "
            "the sample sheet of the cart, or the files endpoint's JSON with associated_entities.entity_submitter_id"
        )
    return found


def _content(path: Path) -> tuple[bytes, dict[str, object]]:
    """The unpacked content, and the input's facts."""
    check_file(path, path.name)
    raw = path.read_bytes()
    facts: dict[str, object] = {
        "role": "expression", "name": path.name, "bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest(),
        "md5": hashlib.md5(raw, usedforsecurity=False).hexdigest(),
    }  # fmt: skip
    try:
        return (gzip.decompress(raw) if is_gzip(path) else raw), facts
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path.name}: damaged gzip file, perhaps truncated ({error}); download it again") from None


def _parsed(content: bytes, name: str) -> Any:
    """The table of genes (pyarrow): `gene_id`, `gene_name`, `gene_type`, counts and TPM, without the `N_` rows."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv as arrow

    skipped = 1 if content.startswith(b"#") else 0
    columns = {"gene_id": pa.string(), "gene_name": pa.string(), "gene_type": pa.string(), COUNTS: pa.int64(),
               TPM: pa.float64()}  # fmt: skip
    try:
        table = arrow.read_csv(
            io.BytesIO(content),
            read_options=arrow.ReadOptions(skip_rows=skipped, use_threads=False),
            parse_options=arrow.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=arrow.ConvertOptions(include_columns=list(columns), column_types=columns),
        )
    except (pa.ArrowException, KeyError, ValueError) as error:
        problem = " ".join(str(error).split())[:150]
        raise InputError(f"{name}: not a STAR-counts file, perhaps truncated ({problem}); download it again") from None
    return table.filter(pc.invert(pc.starts_with(table["gene_id"], "N_")))


def _checked(path: Path, md5: str | None, first: Any) -> tuple[Any, dict[str, object]]:
    content, facts = _content(path)
    if md5 and facts.pop("md5") != md5:
        raise InputError(f"{path.parent.name}/{path.name}: its MD5 is not {md5}; download it again")
    facts.pop("md5", None)
    table = _parsed(content, path.name)
    if not table["gene_id"].equals(first["gene_id"]):
        raise InputError(
            f"{path.name}: {table.num_rows} genes, not the {first.num_rows} of the first file; use files of one GDC "
            "release and gene model, or download it again"
        )
    return table, facts


def _genes(table: Any, selection: Selection, where: str) -> KeptGenes:
    ids, symbols = table["gene_id"].to_pylist(), table["gene_name"].to_pylist()
    coding = np.asarray([kind == "protein_coding" for kind in table["gene_type"].to_pylist()])
    return kept_genes(ids, symbols, selection.genes, where, coding)


def _fill(
    row: int,
    name: str,
    table: Any,
    genes: KeptGenes,
    values: NDArray[np.float32],
    counts: NDArray[np.int32] | None,
) -> None:
    # A missing value makes the column floating, and NaN fails every comparison.
    read, tpm = (table[column].to_numpy()[genes.rows] for column in (COUNTS, TPM))
    wrong = np.flatnonzero(~((read >= 0) & (read <= _LARGEST) & (tpm >= 0) & (tpm < np.inf)))
    if len(wrong):
        place = wrong[0]
        raise InputError(
            f"{name}: {len(wrong)} genes have counts or TPM that are missing or out of range "
            f"({genes.names[place]}: count {read[place]}, TPM {tpm[place]}); download it again"
        )
    if counts is None:
        values[row] = read
        return
    counts[row] = read
    values[row] = np.log2(tpm + 1.0)
