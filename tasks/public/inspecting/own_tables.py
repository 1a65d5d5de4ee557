"""Inspecting a folder of one's own tables: an expression table, a clinical one, and slides beside them."""

from pathlib import Path

from gexbench.tasks.errors import InputError
from gexbench.tasks.files.delimited import text_type
from gexbench.tasks.files.input_paths import check_file, entries, is_folder
from gexbench.tasks.files.reading import check_table_file
from gexbench.tasks.public.folder import files_in
from gexbench.tasks.public.inspecting.annotated import inspect_h5ad
from gexbench.tasks.public.inspecting.inspection import Inspection
from gexbench.tasks.public.inspecting.text_tables import inspect_table
from gexbench.tasks.public.xena_names import is_named


def inspect_file(path: Path) -> Inspection:
    """A table: delimited text, parquet or .h5ad.

    Raises:
        InputError: another type, or a file that is no table.
    """
    if is_named(path.name) and not _is_table(path):
        check_file(path)
        folder = path.parent
        raise InputError(f"{path.name}: a matrix of Xena; inspect its folder: gexbench cohort inspect {folder}")
    check_table_file(path)
    if path.suffix == ".h5ad":
        return inspect_h5ad(path)
    if text_type(path) or path.suffix == ".parquet":
        return inspect_table(path)
    raise InputError(f"{path.name}: {path.suffix} files are not inspected; build a cohort from it directly")


def inspect_own_tables(folder: Path) -> Inspection | None:
    """The tables of a folder that holds no public files; None where it holds some, or no table.

    The command joins one expression table with one clinical table and one folder of slides. Of several expression
    tables none is chosen.
    """
    public = files_in(folder)
    paths = [path for path in entries(folder) if not is_folder(path) and _is_table(path)]
    if public.star or public.matrices or public.unread or not paths:
        return None
    found: dict[Path, Inspection] = {}
    lost: list[str] = []
    for path in paths:
        try:
            found[path] = inspect_file(path)
        except InputError as error:
            lost += error.problems
    expression = [path for path, one in found.items() if one.role == "expression"]
    clinical = [path for path, one in found.items() if one.role == "clinical"]
    facts = [("what", "a folder of tables"), *((path.name, _orientation(one)) for path, one in found.items()),
             *((f"slides in {place.name}", f"{len(files):,} files") for place, files in public.slides)]  # fmt: skip
    lost += [f"{path.name}: {line}" for path, one in found.items() for line in one.lost]
    lost += [f"{len(many)} {what} tables or folders; inspect each and choose"
             for what, many in (("expression", expression), ("clinical", clinical), ("slide", public.slides))
             if len(many) > 1]  # fmt: skip
    command: tuple[str, ...] = ()
    if len(expression) == 1:
        beside = clinical[0] if len(clinical) == 1 else None
        command = _joined(found[expression[0]].command, beside, found[beside].command if beside else ())
        command += ("--patches", str(public.slides[0][0])) if len(public.slides) == 1 else ()
    return Inspection(folder.absolute().name, tuple(facts), tuple(lost), command)


def _is_table(path: Path) -> bool:
    return bool(text_type(path)) or path.suffix in (".parquet", ".h5ad")


def _orientation(one: Inspection) -> str:
    facts = dict(one.facts)
    labels = facts.get("labels", "")
    return f"{facts.get('orientation') or facts.get('size', '')}; labels: {labels}" if labels else facts["what"]


def _joined(command: tuple[str, ...], clinical: Path | None, other: tuple[str, ...]) -> tuple[str, ...]:
    """The command of an expression table with the clinical table, and the label and patients that it names."""
    if clinical is None:
        return command
    words = list(command)
    if "--clinical" not in words:
        words += ["--clinical", str(clinical)]
    words[words.index("--clinical") + 1] = str(clinical)
    label = words.index("--labels") + 1
    if words[label] == "COLUMN":
        words[label] = other[other.index("--labels") + 1]
    if "--group" in other and "--group" not in words:
        words += ["--group", other[other.index("--group") + 1]]
    return tuple(words)
