"""Delimited text: compression, encoding, separator and decimal mark are found in the first lines."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.text_files import head_of, opened

TEXT_TYPES = (".csv", ".tsv", ".txt", ".gct")
UTF8, LATIN = "utf-8-sig", "cp1252"
HEAD_BYTES = 2**22
"""Bytes of a file from which its dialect is told; a header of 100,000 names fits."""
ABSENT = (
    "", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "<NA>", "#N/A", "#NA", "#N/A N/A",
    "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
)  # fmt: skip
"""Fields that stand for no value wherever they occur; `None` is a value."""
_WIDE = 2000
"""Columns from which on a few rows tell a file's dialect."""
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+(?:[eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table is written.

    Attributes:
        separator: between fields.
        header: names of the columns, trimmed; as many as a row has fields.
        skipped: lines before the header.
        decimal: `.` or `,`.
        encoding: `utf-8-sig`, or `cp1252` where the first lines are no UTF-8.
        first: fields of the first rows, for a look at the columns.
    """

    separator: str
    header: tuple[str, ...]
    skipped: int
    decimal: str
    encoding: str
    first: tuple[tuple[str, ...], ...]


def text_type(path: Path) -> str:
    """The suffix of a delimited file without `.gz`: `.csv`, `.tsv`, …; empty for other files."""
    name = path.name.lower().removesuffix(".gz")
    return next((suffix for suffix in TEXT_TYPES if name.endswith(suffix)), "")


def dialect_of(path: Path) -> Dialect:
    """How a table is written, from its first lines.

    Lines that begin with `#` before the header are passed over (so are the two that begin a GCT file), unless the only
    one of them has as many fields as the rows.

    Raises:
        InputError: an empty or damaged file, zero bytes, a header of one field.
    """
    try:
        lines, encoding = _first_lines(path)
        return _told(path, lines, encoding)
    except csv.Error as error:
        raise InputError(f"{path.name}: not a table of delimited text ({error})") from None


def _told(path: Path, lines: Sequence[str], encoding: str) -> Dialect:
    if not lines:
        raise InputError(f"{path.name}: the file is empty")
    skipped = 2 if lines[0].startswith("#1.") else 0
    while skipped < len(lines) - 1 and (lines[skipped].startswith("#") or not lines[skipped].strip()):
        skipped += 1
    separator = _separator(lines[skipped : skipped + 2], text_type(path))
    if skipped == 1 and lines[0].startswith("#"):
        widths = [len(_fields(line, separator)) for line in lines[:2]]
        if widths[0] == widths[1] > 1 and len(lines) > 2:
            skipped = 0
    header = _fields(lines[skipped], separator)
    if len(header) < 2:
        raise InputError(
            f"{path.name}: the header has {len(header)} fields ({lines[skipped][:40]!r}); separate fields with tabs, "
            "commas or semicolons, and begin with the line that names the columns"
        )
    header[0] = header[0].removeprefix("#")
    looked = 20 if len(header) < _WIDE else 4
    rows = [_fields(line, separator) for line in lines[skipped + 1 : skipped + 1 + looked] if line.strip()]
    decimal = "," if separator != "," and _decimal_comma(rows) else "."
    return Dialect(separator, tuple(header), skipped, decimal, encoding, tuple(map(tuple, rows)))


def read_text_table(path: Path, as_text: Iterable[str] = ()) -> tuple[pd.DataFrame, Dialect]:
    """A table of samples or patients; missing fields are NaN, text is trimmed where it is not kept as written.

    Args:
        path: delimited text, packed or not, in UTF-8 or Windows-1252.
        as_text: columns that stay text; of the others those that hold nothing but numbers become numbers.

    Raises:
        InputError: see `dialect_of`; rows of other lengths than the header.
    """
    dialect = dialect_of(path)
    try:
        content = _text(path, dialect.encoding)
    except UnicodeDecodeError:
        content = _text(path, LATIN)
    body = io.StringIO(content, newline="")
    for _ in range(dialect.skipped + 1):
        body.readline()
    start = body.tell()
    try:
        check_widths(body, dialect, path.name)
        body.seek(start)
        frame = pd.read_csv(
            body, sep=dialect.separator, header=None, names=range(len(dialect.header)), dtype=str,
            keep_default_na=False, na_filter=False, index_col=False,
        )  # fmt: skip
    except (csv.Error, pd.errors.ParserError) as error:
        raise InputError(f"{path.name}: {' '.join(str(error).split())}") from None
    frame = frame.set_axis(list(dialect.header), axis=1)
    kept = set(as_text)
    columns = [
        typed(frame.iloc[:, place], as_text=name in kept, decimal=dialect.decimal)
        for place, name in enumerate(dialect.header)
    ]
    return pd.concat(columns, axis=1) if columns else frame, dialect


def typed(column: pd.Series, *, as_text: bool, decimal: str = ".") -> pd.Series:
    """A column of text, trimmed, missing fields NaN; as numbers where all of it is numbers as a computer writes them.

    `01` and `1E1` are no such numbers: they stay text. With `as_text` nothing is trimmed, so that its user can say so.
    """
    text = column.str.strip()
    present = ~text.isin(ABSENT)
    if as_text:
        return column.where(present).astype(object)
    text = text.where(present)
    distinct = text.dropna().unique()
    written = [str(value).replace(",", ".") if decimal == "," else str(value) for value in distinct]
    numbers = {value: form for value, form in zip(distinct, written, strict=True) if form != "None"}
    if not numbers or not all(_NUMBER.fullmatch(form) for form in numbers.values()):
        return text.astype(object)
    whole = all("." not in form for form in numbers.values())
    found = text.map({value: float(form) for value, form in numbers.items()})
    fits = whole and not found.isna().any() and found.abs().max() < 2**53
    return found.astype("int64") if fits else found.astype("float64")


def check_widths(lines: Iterable[str], dialect: Dialect, name: str) -> None:
    """Refuse rows with fewer or more fields than the header: cut fields would be read as missing values.

    Args:
        lines: those after the header; blank ones are ignored.
        dialect: of the file.
        name: of the file, for messages.

    Raises:
        InputError: names lines and ids, each kind once.
    """
    width, before = len(dialect.header), dialect.skipped + 1
    reader = csv.reader(lines, delimiter=dialect.separator)
    wrong = [(reader.line_num + before, row) for row in reader if row and len(row) != width]
    problems = []
    for kind, rows, fix in (
        ("fewer", [item for item in wrong if len(item[1]) < width],
         "the file may be truncated: export it again, with an empty field for every missing value"),
        ("more", [item for item in wrong if len(item[1]) > width],
         f"the first line names every column, there {examples(dialect.header)} (in R: write.table with col.names=NA), "
         "and a field that holds the separator stands in quotes"),
    ):  # fmt: skip
        if rows:
            said = examples(f"line {line}, {row[0]}: {len(row)}" for line, row in rows)
            problems.append(
                f"{name}: {len(rows)} rows have {kind} fields than the header, which has {width} ({said}); {fix}"
            )
    if problems:
        raise InputError(problems)


def _text(path: Path, encoding: str) -> str:
    with opened(path) as file:
        content = file.read()
    if b"\0" in content:
        raise InputError(_zero_byte(path, content[: content.index(b"\0")].count(b"\n") + 1))
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == UTF8:
            raise
        raise InputError(f"{path.name}: neither UTF-8 nor Windows-1252 ({error}); save it as UTF-8") from None


def _zero_byte(path: Path, line: int) -> str:
    return f"{path.name}: line {line} holds a zero byte, so it is damaged or no text in UTF-8; export it again as UTF-8"


def _first_lines(path: Path) -> tuple[list[str], str]:
    head = head_of(path, HEAD_BYTES)
    if b"\0" in head:
        raise InputError(_zero_byte(path, head[: head.index(b"\0")].count(b"\n") + 1))
    cut = head.rfind(b"\n") + 1
    whole = head[:cut] if len(head) == HEAD_BYTES and cut else head
    try:
        text, encoding = whole.decode(UTF8), UTF8
    except UnicodeDecodeError:
        text, encoding = whole.decode(LATIN, "replace"), LATIN
    return text.splitlines()[:40], encoding


def _fields(line: str, separator: str) -> list[str]:
    quoted = '"' in line
    fields = next(csv.reader([line], delimiter=separator), []) if quoted else line.split(separator)
    return [field.strip() for field in fields]


def _separator(lines: Sequence[str], kind: str) -> str:
    """The separator that the header and the first row have equally often; of several the most frequent."""
    usual = {".csv": ",", ".tsv": "\t", ".gct": "\t"}.get(kind, "\t")
    counts = {mark: [len(_fields(line, mark)) - 1 for line in lines] for mark in ("\t", ";", ",")}
    agreeing = {mark: found[0] for mark, found in counts.items() if found[0] and abs(found[0] - found[-1]) <= 1}
    known = agreeing or {mark: found[0] for mark, found in counts.items()}
    return max(known, key=lambda mark: (known[mark], mark == usual))


def _decimal_comma(rows: Sequence[Sequence[str]]) -> bool:
    """Whether numbers have decimal commas: some do, and no field has a point between digits."""
    fields = [field for row in rows for field in row[1:_WIDE]]
    found = sum(bool(_DECIMAL_COMMA.fullmatch(field)) for field in fields)
    return found > 0 and not any("." in field and _NUMBER.fullmatch(field) for field in fields)
