"""Reading measured curves from text files: columns of numbers as instruments and spreadsheets write them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cluster_qc.errors import InputError
from cluster_qc.files import read_at_most, storage_errors
from cluster_qc.model.arrays import FloatArray

_COMMENT = ("#", "%", "!", "//", "'", '"#')
_FOOTER = ("#####", "[", "##END")
"""How spectrometers begin what follows the data."""
_DELIMITERS = (";", "\t", ",", None)
"""None: any blanks. A comma comes after the others, because it may be the decimal sign between them."""
_LONGEST_LINE = 10_000
_LARGEST_FILE = 16 * 2**20
_BLANKS = "'\\s\u2019"
_NUMBERS = {
    comma: re.compile(
        rf"[+-]?((\d+|\d{{1,3}}([{grouping}{_BLANKS}]\d{{3}})+){point}?\d*|{point}\d+)([eE][+-]?\d+)?"
    )
    for comma, point, grouping in ((False, r"\.", ","), (True, ",", r"\."))
}
"""Numbers with a point or a comma as decimal sign; the other one, blanks or an apostrophe between thousands."""
_MISSING = frozenset(
    {"", "nan", "na", "n/a", "null", "none", "-", "--", "inf", "+inf", "-inf", "#n/a", "#num!"}
)
_AXIS = re.compile(r"wave|wellen|energ|.[^a-z](nm|ev)\b")
_MAGIC = {
    b"PK\x03\x04": ("a spreadsheet", "export it as CSV"),
    b"\xd0\xcf\x11\xe0": ("a spreadsheet", "export it as CSV"),
    b"%PDF": ("a PDF", "give the table of numbers behind it"),
    b"VAMAS Surface Chemical Analysis": (
        "a VAMAS file (ISO 14976)",
        "photoelectron spectra in such files are read by cluster-qc ups; export others as text with two columns",
    ),
}
_JCAMP_NOT_READ = (
    ("packed data", re.compile(r"##\s*XYDATA\s*=.*Y\.\.Y", re.IGNORECASE)),
    ("scaled data", re.compile(r"##\s*[XY]FACTOR\s*=(?!\s*1(\.0*)?\s*$)", re.IGNORECASE)),
    ("several spectra in a file", re.compile(r"##\s*BLOCKS\s*=(?!\s*1\s*$)", re.IGNORECASE)),
)


@dataclass(frozen=True, eq=False)
class MeasuredTable:
    """Columns of numbers from a text file, in the order of the file."""

    path: Path
    names: tuple[str, ...]
    """Header of each column with its unit, lower case; "" where the file has none."""
    values: FloatArray
    """(nrow, ncolumn)."""
    lines: tuple[int, ...]
    """Line of each row in the file, from 1."""
    header: str
    """Everything before the numbers, lower case: comments, settings, column names."""
    remarks: tuple[str, ...] = ()
    """What was assumed in reading."""

    def where(self, row: int) -> str:
        """`file:line` of a row."""
        return f"{self.path}:{self.lines[row]}"

    def column(self, pattern: str) -> int | None:
        """The first column whose name matches a regular expression, None if none does."""
        return next((i for i, name in enumerate(self.names) if re.search(pattern, name)), None)


def read_table(path: str | Path, *, rows: int = 10) -> MeasuredTable:
    """Read a text file of two or more columns of numbers.

    Columns are separated by semicolons, tabs, commas or blanks; the decimal sign is a point or a comma, a comma between
    commas only where quotes hold the number together. Lines before the first row of numbers are the header. XUNITS and
    YUNITS (JCAMP-DX, Jasco) name the columns, else those lines of the header that have as many fields as there are
    columns (names and units may stand on two lines). What spectrometers write behind the data is left out.

    Parameters
    ----------
    path
        The file; UTF-8 or Latin-1, or UTF-16 with its byte order mark.
    rows
        The least number of rows that make sense.

    Raises
    ------
    InputError
        With file and line: no text, no numbers, too few rows, a row with another number of columns, a word or a
        missing value (NaN) among the numbers, several curves side by side or below each other, packed JCAMP-DX data.
    StorageError
        If the file cannot be read.
    """
    path = Path(path)
    raw = read_bytes(path)
    lines = [(n, line.strip(" \r\n\f")) for n, line in enumerate(_decode(path, raw).splitlines(), 1)]
    lines = [(n, line) for n, line in lines if line.strip()]
    data = [(n, line) for n, line in lines if not line.startswith(_COMMENT)]
    if not data:
        raise InputError(f"{path}: the file is empty" if not lines else f"{path}: the file has only comments")
    _refuse_what_is_no_table(path, lines)
    delimiter, decimal_comma, first, remarks = _layout(path, data)
    width = len(_fields(data[first][1], delimiter))
    _refuse_side_by_side(path, data[:first], delimiter, width)
    if first and _has_gap(data[first - 1][1], delimiter, decimal_comma, width):
        first -= 1  # a row with a missing value, not a header: refused below
    start = data[first][0]
    end = next((n for n, line in lines if n > start and line.upper().startswith(_FOOTER)), np.inf)
    header = [line for n, line in lines if n < start]
    body = [(n, line) for n, line in data[first:] if n < end]
    left = [n for n, line in data if n > end and _all_numbers(line, delimiter, decimal_comma)]
    if len(left) >= rows:
        remarks.append(f"the numbers from line {left[0]} on, in a later section of the file, were left out")
    behind = next((i for i, (_, line) in enumerate(body) if _is_text(line, delimiter, decimal_comma)), None)
    if behind is not None:
        _refuse_rows_behind(path, body[behind:], delimiter, decimal_comma)
        remarks.append(f"the text from line {body[behind][0]} on, behind the numbers, was left out")
        body = body[:behind]
    values = [_row(path, n, line, delimiter, decimal_comma, width) for n, line in body]
    if len(values) < rows:
        raise InputError(
            f"{path}:{body[-1][0]}: the file has only {len(values)} rows of numbers",
            why=f"a curve cannot be evaluated with fewer than {rows} points",
            fix="export the whole curve, not its summary",
        )
    if delimiter == "," and header and not any("." in line for _, line in body):
        _refuse_ambiguous_commas(path, start, header[-1], width)
    return MeasuredTable(
        path=path,
        names=_labelled_names(header, width) or _names(header, delimiter, width),
        values=np.array(values),
        lines=tuple(n for n, _ in body),
        header="\n".join(header).lower(),
        remarks=tuple(remarks),
    )


def read_bytes(path: Path) -> bytes:
    """Content of a measured file.

    Raises
    ------
    InputError
        If there is no such file.
    StorageError
        If it cannot be read.
    """
    if not path.is_file():
        kind = "is a folder, not a file" if path.is_dir() else "there is no such file"
        raise InputError(f"{path}: {kind}", fix="give a text file with two columns of numbers")
    with storage_errors(path, reading=True):
        return read_at_most(path, _LARGEST_FILE)


def ascending(
    table: MeasuredTable, axis: FloatArray, values: FloatArray, column: int = 0
) -> tuple[FloatArray, FloatArray]:
    """The curve with its axis, made from a column of the table, ascending, whichever way it was measured.

    Raises
    ------
    InputError
        If the axis goes back and forth, or holds a position twice.
    """
    sign = 1.0 if axis[-1] > axis[0] else -1.0
    wrong = np.flatnonzero(np.diff(axis) * sign <= 0)
    if len(wrong):
        row = int(wrong[0]) + 1
        before, here = table.values[row - 1 : row + 1, column]
        raise InputError(
            f"{table.where(row)}: the axis goes from {before:g} to {here:g}, against its direction",
            why="a curve has one value at each position; several scans in a column do not",
            fix="export one curve to a file, each point once",
        )
    return (axis, values) if sign > 0 else (axis[::-1], values[::-1])


def _decode(path: Path, raw: bytes) -> str:
    return _text(path, raw).replace("\N{MINUS SIGN}", "-")


def _text(path: Path, raw: bytes) -> str:
    for magic, (kind, fix) in _MAGIC.items():
        if raw.startswith(magic):
            raise InputError(f"{path}: this is {kind}, not a table of numbers", fix=fix)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    if len(raw) > 1 and not any(raw[1:400:2]):  # without its mark
        return raw.decode("utf-16-le", errors="replace")
    if b"\x00" in raw:
        raise InputError(f"{path}: this is not a text file", fix="export the curve as CSV or text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _refuse_what_is_no_table(path: Path, lines: Sequence[tuple[int, str]]) -> None:
    for number, line in lines:
        if len(line) > _LONGEST_LINE and not re.match(r"[\w ]{1,60}=", line):
            raise InputError(
                f"{path}:{number}: a line of {len(line)} characters is no row of a table",
                fix="give a text file with two columns of numbers",
            )
        kind = next((kind for kind, pattern in _JCAMP_NOT_READ if pattern.match(line)), None)
        if kind:
            raise InputError(
                f"{path}:{number}: JCAMP-DX with {kind} is not read",
                fix="export the curve as a table of two columns",
            )


def _fields(line: str, delimiter: str | None, width: int = 1) -> list[str]:
    """Fields of a line; of empty ones at its end, which a last separator makes, those beyond `width` are dropped."""
    if delimiter and '"' in line:
        split = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    else:
        split = line.split(delimiter)
    fields = [field.strip().strip('"').strip() for field in split]
    while len(fields) > width and not fields[-1]:
        fields.pop()
    return fields


def _has_gap(line: str, delimiter: str | None, decimal_comma: bool, width: int) -> bool:
    fields = _fields(line, delimiter, width)
    numbers = [_is_number(field, decimal_comma) for field in fields]
    return (
        len(fields) == width
        and any(numbers)
        and all(good or field.lower() in _MISSING for field, good in zip(fields, numbers, strict=True))
    )


def _is_number(field: str, decimal_comma: bool) -> bool:
    return bool(_NUMBERS[decimal_comma].fullmatch(field))


def _layout(path: Path, data: Sequence[tuple[int, str]]) -> tuple[str | None, bool, int, list[str]]:
    """Separator, whether commas are decimal signs, the index of the first row of numbers, and what was assumed."""
    best: tuple[int, str | None, list[bool]] | None = None
    for delimiter in _DELIMITERS:
        for decimal_comma in (False, True):
            good = [_all_numbers(line, delimiter, decimal_comma) for _, line in data]
            if any(good) and (best is None or sum(good) > best[0]):
                best = (sum(good), delimiter, good)
    if best is None:
        number, line = data[0]
        raise InputError(
            f"{path}:{number}: no line of the file holds two numbers; this one reads {line[:60]!r}",
            fix="give a text file with two columns of numbers, separated by commas, semicolons, tabs or blanks",
        )
    _, delimiter, good = best
    rows = [_fields(line, delimiter) for (_, line), fine in zip(data, good, strict=True) if fine]
    possible = [comma for comma in (False, True) if all(_is_number(f, comma) for row in rows for f in row)]
    decimal_comma = _comma_is_decimal(rows) if len(possible) == 2 else possible[0]
    grouped = any("," in field for row in rows for field in row) and not decimal_comma
    remarks = ["commas were read as decimal signs"] if decimal_comma else []
    remarks += ["commas were read as signs between thousands"] if grouped else []
    return delimiter, decimal_comma, _first_row(data, good, delimiter), remarks


def _comma_is_decimal(rows: Sequence[Sequence[str]]) -> bool:
    """Which sign is the decimal one where both could be: the only one, or that of the first column."""
    first, everywhere = "".join(row[0] for row in rows), "".join(field for row in rows for field in row)
    return "," in everywhere and ("." not in everywhere or ("," in first and "." not in first))


def _first_row(data: Sequence[tuple[int, str]], good: Sequence[bool], delimiter: str | None) -> int:
    """Where the numbers begin; one or two rows of numbers before a line without any belong to the header."""
    start = good.index(True)
    while True:
        end = start + good[start:].index(False) if False in good[start:] else len(good)
        if end - start > 2 or True not in good[end:]:
            return start
        if any(
            _is_number(field, comma) for field in _fields(data[end][1], delimiter) for comma in (False, True)
        ):
            return start
        start = end + good[end:].index(True)


def _all_numbers(line: str, delimiter: str | None, decimal_comma: bool) -> bool:
    fields = _fields(line, delimiter)
    return len(fields) > 1 and all(_is_number(field, decimal_comma) for field in fields)


def _is_text(line: str, delimiter: str | None, decimal_comma: bool) -> bool:
    """Whether a line holds neither a number nor what stands for a missing one."""
    return not any(
        _is_number(field, decimal_comma) or field.lower() in _MISSING for field in _fields(line, delimiter)
    )


def _refuse_rows_behind(
    path: Path, lines: Sequence[tuple[int, str]], delimiter: str | None, decimal_comma: bool
) -> None:
    """Refuse numbers behind a line of text that ended the numbers."""
    number, text = lines[0]
    again = next((n for n, line in lines if _all_numbers(line, delimiter, decimal_comma)), None)
    if again:
        raise InputError(
            f"{path}:{number}: {text[:60]!r} stands between the numbers, which go on in line {again}",
            why="it looks like the heading of a second curve",
            fix="export one curve to a file; delete the line if all is one curve",
        )


def _refuse_side_by_side(
    path: Path, header: Sequence[tuple[int, str]], delimiter: str | None, width: int
) -> None:
    """Refuse a header that names the axis twice."""
    for number, line in header:
        fields = _fields(line, delimiter, width)
        first = fields[0].lower()
        if len(fields) == width > 2 and [f.lower() for f in fields].count(first) > 1 and _AXIS.search(first):
            raise InputError(
                f"{path}:{number}: several columns are named {fields[0]!r}",
                why="they seem to be curves side by side, each with its own axis",
                fix="export one curve to a file",
            )


def _row(
    path: Path, number: int, line: str, delimiter: str | None, decimal_comma: bool, width: int
) -> list[float]:
    fields = _fields(line, delimiter, width)
    for field in fields:
        if field.lower() in _MISSING:
            raise InputError(
                f"{path}:{number}: a value is missing ({line[:60]!r})",
                why="a gap in the curve cannot be told from a fault of the export",
                fix="delete the line if the point was not measured, or export the curve again",
            )
    if len(fields) != width:
        raise InputError(
            f"{path}:{number}: {len(fields)} columns, where the rows before have {width}",
            fix="make all rows alike, one curve in a file",
        )
    for field in fields:
        if not _is_number(field, decimal_comma):
            raise InputError(
                f"{path}:{number}: {field!r} is not a number",
                fix="correct the line, or put # before a remark",
            )
    grouping, point = (".", ",") if decimal_comma else (",", ".")
    row = [
        float(re.sub(f"[{_BLANKS}]", "", field.replace(grouping, "")).replace(point, ".")) for field in fields
    ]
    if not np.isfinite(row).all():
        raise InputError(f"{path}:{number}: a number is too large ({line[:60]!r})", fix="correct the line")
    return row


def _refuse_ambiguous_commas(path: Path, number: int, names: str, width: int) -> None:
    """Refuse rows of whole numbers between commas where the line above them has a name for two of them together."""
    fields = _fields(names, ",")
    if 1 < len(fields) < width <= 2 * len(fields) and re.search(r"[^\W\d]", names):
        raise InputError(
            f"{path}:{number}: {width} whole numbers between commas under {len(fields)} column names",
            why="commas seem to be both the decimal sign and the separator",
            fix="export with semicolons or tabs between the columns",
        )


def _labelled_names(header: Sequence[str], width: int) -> tuple[str, ...]:
    """Units of the columns in the labelled lines of a spectrometer's header, none without labels for both axes."""
    labels = {}
    for line in header:
        label, *value = re.split(r"[\t,=]", line, maxsplit=1)
        labels[label.strip("# ").upper()] = "".join(value).strip().lower()
    if not {"XUNITS", "YUNITS"} <= labels.keys():
        return ()
    wanted = ("XUNITS", "YUNITS", *(f"Y{number}UNITS" for number in range(2, width)))
    return tuple(labels.get(label, "") for label in wanted)


def _names(header: Sequence[str], delimiter: str | None, width: int) -> tuple[str, ...]:
    """Names from the last header lines with one field a column; a commented header counts too."""
    names = [""] * width
    found = names_commented = False
    for line in reversed(header):
        if line.startswith("[") or "=" in line:  # sections and settings
            continue
        commented = line.startswith(("#", "%", "!", "/"))
        if found and commented != names_commented:  # remarks above the names
            break
        line = line.lstrip("#%!/ '")
        fields = _fields(line, delimiter)
        if len(fields) != width and delimiter is None:  # "Energy (eV)  counts": blanks inside the names
            fields = [field.strip() for field in re.split(r"\t|\s{2,}|,|;", line) if field.strip()]
        if len(fields) != width or not any(re.search(r"[^\W\d]|%", field) for field in fields):
            if found:
                break
            continue
        found, names_commented = True, commented
        names = [f"{field} {name}".strip() for field, name in zip(fields, names, strict=True)]
    return tuple(name.lower().replace("_", " ") for name in names)
