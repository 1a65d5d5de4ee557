"""Files of a folder of public data: detected by content and name, reported, and refused if ambiguous."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.input_paths import check_file, entries, is_dead_link, is_folder
from gexbench.tasks.files.text_files import header_of, opened
from gexbench.tasks.importing.barcodes import barcode, patient_of
from gexbench.tasks.importing.slide_files import SLIDE_TYPES, holds_features
from gexbench.tasks.public.clinical import describes_patients, is_portal_table, json_hits
from gexbench.tasks.public.xena_names import is_named

Kind = Literal["gdc", "xena"]
STAR = re.compile(r".*\.rna_seq\.augmented_star_gene_counts\.tsv(\.gz)?")
_PASSED_OVER = (
    ".part", ".parquet", ".npz", ".h5ad", ".svs", ".ndpi", ".tiff", ".png", ".jpg", ".pdf", ".log", ".md", ".tar",
    ".tgz", ".zip", ".parcel",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PublicFiles:
    """Files of one folder by what they are.

    Attributes:
        star: GDC STAR-counts files, one per sample.
        matrices: Xena matrices, genes × samples.
        cases: JSON of the GDC cases endpoint.
        phenotypes: Xena phenotype tables.
        file_lists: GDC descriptions of files: JSON of the files endpoint, sample sheets and manifests.
        probemaps: Xena probe maps.
        slides: folder → its slide files.
        unread: files that are empty, damaged, dead links or may not be read, and those with the name of a Xena matrix
            whose first line names no samples.
        passed_over: tables that say nothing more of the patients, such as one of survival beside a clinical one.
        others: files that are none of these.
    """

    star: tuple[Path, ...] = ()
    matrices: tuple[Path, ...] = ()
    cases: tuple[Path, ...] = ()
    phenotypes: tuple[Path, ...] = ()
    file_lists: tuple[Path, ...] = ()
    probemaps: tuple[Path, ...] = ()
    slides: tuple[tuple[Path, tuple[Path, ...]], ...] = ()
    unread: tuple[Path, ...] = ()
    passed_over: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()

    def said(self) -> list[str]:
        """The files found, one line each."""
        lines = [
            _line("expression: GDC STAR counts", self.star),
            _line("expression: Xena matrix", self.matrices),
            _line("clinical: GDC cases", self.cases),
            _line("clinical: Xena phenotypes", self.phenotypes),
            _line("GDC file lists", self.file_lists),
            _line("Xena probe map", self.probemaps),
            *(_line(f"slides in {folder.name}", paths) for folder, paths in self.slides),
            _line("passed over", self.passed_over),
        ]
        return [line for line in lines if line]


def find(
    folder: Path, expression: Path | None = None, clinical: Path | None = None, patches: Path | None = None
) -> PublicFiles:
    """What lies in a folder and its subfolders; hidden files and unfinished downloads (`.part`) are skipped.

    Args:
        folder: the folder.
        expression: a file or folder inside it: of expression only what lies there counts.
        clinical: the same for clinical tables.
        patches: the same for slides.

    Raises:
        InputError: no such folder or choice, damaged JSON, nothing to read, or several kinds of one thing, with the
            option that chooses; files named as Xena names its matrices that cannot be read as one.
    """
    if not is_folder(folder):
        try:
            what = "is a file; give its folder" if folder.exists() else "no such folder"
        except OSError as error:
            what = f"cannot be read ({error.strerror}); fix the path or its permissions"
        raise InputError(f"{folder}: {what}")
    found = files_in(folder)
    problems: list[str] = []
    for option, chosen in (("expression", expression), ("clinical", clinical), ("patches", patches)):
        if chosen is not None:
            place = chosen if chosen.exists() else folder / chosen
            if not place.exists():
                problems.append(f"--{option} {chosen}: no such file or folder, nor in {folder.name}")
                continue
            found = _within(found, option, place.resolve())
            if option == "patches" and not found.slides:
                problems.append(_no_slides(chosen, place))
    found = _without_extras(found)
    problems += _unread(found) + _ambiguities(found, folder)
    if problems:
        raise InputError(problems)
    return found


def files_in(folder: Path) -> PublicFiles:
    """Every file of a folder and its subfolders by what it is, with no choice made."""
    kinds: dict[str, list[Path]] = {}
    slides: dict[Path, list[Path]] = {}
    for path in sorted(_files(folder, set())):
        if path.suffix.lower() in _PASSED_OVER or path.name.endswith(".tar.gz"):
            continue
        if is_dead_link(path):
            kinds.setdefault("unread", []).append(path)
        elif path.suffix in SLIDE_TYPES:
            slides.setdefault(path.parent, []).append(path)
        else:
            kinds.setdefault(_kind(path), []).append(path)
    named = {kind: tuple(paths) for kind, paths in kinds.items() if kind in PublicFiles.__dataclass_fields__}
    return PublicFiles(**named, slides=_feature_folders(slides))


def _files(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """Files and dead links that are not hidden; links to folders are followed, each folder once."""
    if folder.resolve() in seen:
        return
    seen.add(folder.resolve())
    for path in entries(folder):
        if path.name.startswith("."):
            continue
        if is_folder(path):
            yield from _files(path, seen)
        elif is_dead_link(path) or _may_be_file(path):
            yield path


def _may_be_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # its reader says why
        return True


def _kind(path: Path) -> str:
    if STAR.fullmatch(path.name):
        return "star"
    if _unreadable(path):
        return "unread"
    if path.suffix == ".json":
        return _json_kind(path)
    header = header_of(path)
    if is_portal_table(header):
        return "cases"
    if {"id", "filename", "md5"} <= set(header) or {"File ID", "File Name"} <= set(header):
        return "file_lists"
    if header[0] in {"id", "#id"} and "gene" in header:
        return "probemaps"
    if len(header) > 1 and any(barcode(name) for name in header[1:]):
        return "matrices"
    return "phenotypes" if len(header) > 2 and _first_is_sample(path) else _unknown(path)


def _unknown(path: Path) -> str:
    """A file named like a matrix but without its content would silently lose samples."""
    return "unread" if is_named(path.name) else "others"


def _unreadable(path: Path) -> str:
    """Why a file cannot be read; empty where it can."""
    try:
        check_file(path, path.name)
        if not path.stat().st_size:
            return "is empty"
        header_of(path)
    except InputError as error:
        return str(error).removeprefix(f"{path.name}: ").removesuffix("; download it again")
    return ""


def _json_kind(path: Path) -> str:
    """Cases, descriptions of files, or (a dataset's description) neither."""
    hits = json_hits(path)
    if not hits:
        return "others"
    if "file_name" in hits[0]:
        return "file_lists"
    return "cases" if "submitter_id" in hits[0] else "others"


def _first_is_sample(path: Path) -> bool:
    with opened(path) as file:
        next(file)
        firsts = [line.partition(b"\t")[0].decode("utf-8", "replace") for _, line in zip(range(50), file, strict=False)]
    return any(patient_of(name) for name in firsts)


def _feature_folders(slides: dict[Path, list[Path]]) -> tuple[tuple[Path, tuple[Path, ...]], ...]:
    """Folders whose files hold features: coordinates alone do not, and of CLAM's two copies the HDF5 one counts."""
    kept = {}
    for folder, paths in sorted(slides.items()):
        suffixes = {path.suffix for path in paths}
        if suffixes <= {".h5", ".hdf5"} and not any(map(holds_features, paths)):
            continue
        if suffixes == {".pt"} and folder.name == "pt_files" and folder.with_name("h5_files") in slides:
            continue
        kept[folder] = tuple(paths)
    return tuple(kept.items())


def _without_extras(found: PublicFiles) -> PublicFiles:
    """Without tables that repeat the patients of a better one: survival tables, and the portal's beside its JSON."""
    json = tuple(path for path in found.cases if path.suffix == ".json")
    cases = json or found.cases
    known = tuple(path for path in found.phenotypes if describes_patients(header_of(path)))
    phenotypes = known or (() if cases else found.phenotypes)
    extras = (*(path for path in found.cases if path not in cases),
              *(path for path in found.phenotypes if path not in phenotypes))  # fmt: skip
    return replace(found, cases=cases, phenotypes=phenotypes, passed_over=extras)


def _no_slides(chosen: Path, place: Path) -> str:
    there = sorted({path.suffix or path.name for path in place.rglob("*") if path.is_file()}) if place.is_dir() else []
    return (
        f"--patches {chosen}: holds no slide features, which are {', '.join(SLIDE_TYPES)} files (there: "
        f"{examples(there, 6) or 'nothing'})"
    )


def _within(found: PublicFiles, option: str, place: Path) -> PublicFiles:
    def inside(paths: Iterable[Path]) -> tuple[Path, ...]:
        return tuple(path for path in paths if place in (path.resolve(), *path.resolve().parents))

    if option == "expression":
        unread = tuple(path for path in found.unread if not is_named(path.name) or inside([path]))
        return replace(found, star=inside(found.star), matrices=inside(found.matrices), unread=unread)
    if option == "clinical":
        return replace(found, cases=inside(found.cases), phenotypes=inside(found.phenotypes))
    chosen = ((folder, inside(paths)) for folder, paths in found.slides)
    return replace(found, slides=tuple((folder, paths) for folder, paths in chosen if paths))


def _unread(found: PublicFiles) -> list[str]:
    no_matrix = (
        "is named like a Xena matrix, but its first line lists no TCGA samples (damaged, or another kind of file)"
    )
    return [
        f"{path.absolute().parent.name}/{path.name}: {_unreadable(path) or no_matrix}; download it again, or remove it"
        for path in found.unread
    ]


def _ambiguities(found: PublicFiles, folder: Path) -> list[str]:
    problems = []
    here = "; ".join([*found.said(), *filter(None, [_line("not known", found.others)])]) or "no known files"
    name = folder.absolute().name
    if not found.star and not found.matrices:
        problems.append(
            f"{name}: no expression (GDC *.rna_seq.augmented_star_gene_counts.tsv or a Xena matrix; "
            f"there: {here}); add files, or download them with --download"
        )
    if not found.cases and not found.phenotypes:
        problems.append(
            f"{name}: no clinical table (JSON of the GDC cases endpoint or a Xena phenotype table; "
            f"there: {here}); add one, or download it with --download"
        )
    if found.star and found.matrices:
        problems.append(_choose(folder, "expression", "GDC STAR counts and Xena matrices", found.star, found.matrices))
    if found.cases and found.phenotypes:
        problems.append(_choose(folder, "clinical", "GDC cases and Xena tables", found.cases, found.phenotypes))
    if len(found.slides) > 1:
        places = [str(place.relative_to(folder)) for place, _ in found.slides]
        problems.append(f"{name}: slide features in {len(places)} folders; choose: --patches {places[0]} "
                        f"(there: {examples(places, 6)})")  # fmt: skip
    mixed = [place.name for place, paths in found.slides if len({path.suffix for path in paths}) > 1]
    problems += [f"{name}: holds slides of several types; keep one type per folder" for name in mixed]
    if len(found.probemaps) > 1:
        problems.append(f"{name}: {len(found.probemaps)} probe maps ({examples(p.name for p in found.probemaps)}"
                        "); keep the one that belongs to the matrix")  # fmt: skip
    return problems


def _choose(folder: Path, option: str, what: str, *groups: Sequence[Path]) -> str:
    ways = " or ".join(f"--{option} {group[0].relative_to(folder)}" for group in groups)
    if option == "expression" and len(groups[0]) > 1:
        top = groups[0][0].relative_to(folder).parts[0]
        ways = f"--{option} {top} or --{option} {groups[1][0].relative_to(folder)}"
    return f"{folder.absolute().name}: holds both {what}; choose: {ways} (a file or a folder)"


def _line(what: str, paths: Sequence[Path]) -> str:
    return f"{what}: {len(paths)} files ({examples(path.name for path in paths)})" if paths else ""
