"""Inspecting folders: studies of cBioPortal, files of the GDC and Xena, slide features, tables of one's own."""

from collections.abc import Sequence
from pathlib import Path

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.input_paths import entries
from gexbench.tasks.importing.slide_files import SLIDE_TYPES, read_slide, stated_encoder
from gexbench.tasks.importing.slide_rules import counted_slides, slide_patient
from gexbench.tasks.public.cbioportal import clinical_tables, is_study, study_matrices
from gexbench.tasks.public.folder import files_in, find
from gexbench.tasks.public.inspecting.inspection import Inspection, labels_that_serve
from gexbench.tasks.public.inspecting.own_tables import inspect_own_tables


def inspect_folder(folder: Path) -> Inspection:
    """What lies in a folder, and the command to build a cohort from it.

    Raises:
        InputError: a folder that cannot be listed.
    """
    slides = [path for path in entries(folder) if path.suffix in SLIDE_TYPES]
    if slides:
        return _slides(folder, slides)
    if is_study(folder):
        return _study(folder)
    try:
        found = find(folder)
    except InputError as error:
        if own := inspect_own_tables(folder):
            return own
        features = files_in(folder).slides
        if len(features) == 1:
            return _slides(*features[0])
        said = ("what", "a folder that --from-public cannot read as it is")
        return Inspection(folder.absolute().name, (said,), tuple(error.problems))
    facts = [("what", "files of the GDC or UCSC Xena"), *(_split(line) for line in found.said())]
    lost = [f"not known: {examples(path.name for path in found.others)}"] if found.others else []
    command = ("gexbench", "cohort", "build", "NAME", "--from-public", str(folder))
    return Inspection(folder.absolute().name, tuple(facts), tuple(lost), command)


def _study(folder: Path) -> Inspection:
    matrices = study_matrices(folder)
    clinical, files = clinical_tables(folder, ())
    labels = labels_that_serve(clinical)
    facts = (
        ("what", "a study folder of cBioPortal"), ("expression", examples((path.name for path in matrices), 6)),
        ("clinical", f"{examples(path.name for path in files)}: {len(clinical):,} samples"),
        ("labels", ", ".join(labels) or "none with two classes of 25 samples"),
    )  # fmt: skip
    command = ["gexbench", "cohort", "build", "NAME", "--from-public", str(folder)]
    command += ["--expression", matrices[0].name] if len(matrices) > 1 else []
    command += ["--labels", labels[0] if labels else "COLUMN", "--unit", "log2(rsem+1)"]
    return Inspection(folder.absolute().name, facts, (), tuple(command))


def _slides(folder: Path, paths: Sequence[Path]) -> Inspection:
    kept, notes = counted_slides(paths)
    patients = {slide_patient(path) for path in kept}
    facts = [("what", "slide features, a file per slide"),
             ("slides", f"{len(paths):,} ({examples(path.name for path in paths)})"),
             ("patients by their names", f"{len(patients):,} ({examples(sorted(patients))})"),
             ("encoder", stated_encoder(paths[0]) or "not stated")]  # fmt: skip
    lost = [note.said() for note in notes]
    try:
        features, _ = read_slide(paths[0])
        facts.append(("first slide", f"{len(features):,} regions × {features.shape[1]:,}"))
    except InputError as error:
        lost += error.problems
    command = ("gexbench", "cohort", "build", "NAME", "--expression", "FILE", "--labels", "COLUMN", "--unit", "UNIT",
               "--patches", str(folder))  # fmt: skip
    return Inspection(folder.absolute().name, tuple(facts), tuple(lost), command)


def _split(line: str) -> tuple[str, str]:
    head, _, rest = line.rpartition(": ")
    return (head, rest) if head else ("files", line)
