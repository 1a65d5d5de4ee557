"""Which slides count and whose they are: one rule for every import."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.delimited import read_text_table, text_type
from gexbench.tasks.files.input_paths import check_file
from gexbench.tasks.files.notes import Note
from gexbench.tasks.files.sample_ids import donor_of

KINDS = ("DX",)
"""Kinds of slides that count unless others are asked for: diagnostic ones."""
KNOWN_KINDS = {"DX": "diagnostic", "TS": "frozen, top", "BS": "frozen, bottom", "MS": "frozen, middle"}
_KIND = re.compile(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}-(?P<type>\d{2})[A-Z]-\d{2}-(?P<kind>[A-Z]{2})[A-Z0-9]*")
_SLIDE = ("slide", "slide_id", "slide_name", "filename", "file", "feature_file")
_PATIENT = ("patient", "patient_id", "case", "case_id", "sample", "sample_id", "donor", "donor_id")


def slide_patient(path: Path) -> str:
    """The patient that a slide's file name states: a known programme's, else the name up to the first dot."""
    first = path.name.split(".")[0]
    return donor_of(first) or (path.stem[:12] if path.stem.startswith("TCGA-") else first)


def counted_slides(paths: Sequence[Path], kinds: Collection[str] = KINDS) -> tuple[list[Path], list[Note]]:
    """The slides of the wanted kinds that are not of normal tissue, and notes on the others.

    Names without TCGA's field of the kind (`-DX1`, `-TS1`) say nothing against a slide.
    """
    kept: list[Path] = []
    left: dict[str, list[str]] = {}
    for path in paths:
        found = _KIND.match(path.name)
        if found and found["kind"] not in kinds and "all" not in kinds:
            word = KNOWN_KINDS.get(found["kind"], "other")
            left.setdefault(f"slides of another kind: {found['kind']} ({word})", []).append(path.name)
        elif found and "10" <= found["type"] <= "14":
            left.setdefault("slides of normal tissue", []).append(path.name)
        else:
            kept.append(path)
    return kept, [Note.of(reason, names) for reason, names in sorted(left.items())]


def read_slides_table(path: Path) -> dict[str, str]:
    """Slide → patient (or sample) of a table; slides with or without their file's suffix.

    Columns are found by name (`slide`, `filename`, …; `patient`, `case`, `sample`, …), else the first two count.

    Raises:
        InputError: no text table, blanks, a slide of two patients.
    """
    check_file(path, path.name)
    if not text_type(path):
        raise InputError(f"{path.name}: give --slides-table as .csv, .tsv or .txt with the columns slide and patient")
    table, _ = read_text_table(path, ())
    names = {str(name).casefold(): place for place, name in reversed(list(enumerate(table.columns)))}
    slide = next((names[name] for name in _SLIDE if name in names), 0)
    patient = next((names[name] for name in _PATIENT if name in names and names[name] != slide), 1 if slide == 0 else 0)
    rows = [(str(row[slide]), str(row[patient])) for row in table.dropna().astype(str).to_numpy().tolist()]
    if not rows:
        raise InputError(f"{path.name}: names no slides")
    found: dict[str, str] = {}
    twice = sorted({name for name, owner in rows if found.setdefault(_stem(name), owner) != owner})
    if twice:
        raise InputError(
            f"{path.name}: {len(twice)} slides belong to two patients ({examples(twice)}); keep one row each"
        )
    return found


def owners(paths: Sequence[Path], table: Mapping[str, str] | None) -> tuple[dict[Path, str], list[Note]]:
    """Slide file → patient, by the table if there is one, else by the file's name; a note on slides without one."""
    if table is None:
        return {path: slide_patient(path) for path in paths}, []
    found = {path: table[_stem(path.name)] for path in paths if _stem(path.name) in table}
    lacking = [path.name for path in paths if path not in found]
    return found, [Note.of("slides that the table of slides does not name", lacking)] if lacking else []


def _stem(name: str) -> str:
    """A slide's name without folder and suffix."""
    name = name.replace("\\", "/").rpartition("/")[2]
    return re.sub(r"\.(h5|hdf5|pt|npy|svs|tiff?|ndpi|mrxs)$", "", name, flags=re.IGNORECASE)
