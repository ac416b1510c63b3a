"""Reading measured curves from text files: columns of numbers as instruments and spreadsheets write them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from cluster_qc.errors import InputError
from cluster_qc.files import read_at_most, storage_errors
from cluster_qc.model.arrays import FloatArray
from cluster_qc.units import electronvolt, energy_from_nm, wavenumber

AxisUnit = Literal["nm", "cm-1", "eV"]

_COMMENT = ("#", "%", "!", "//", "'", '"#')
_FOOTER = ("#####", "[", "##END")
"""How spectrometers begin what follows the data."""
_DELIMITERS = (";", "\t", ",", None)
"""None: any blanks. A comma comes after the others, because it may be the decimal sign between them."""
_LONGEST_LINE = 10_000
_LARGEST_FILE = 16 * 2**20
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MISSING = frozenset(
    {"", "nan", "na", "n/a", "null", "none", "-", "--", "inf", "+inf", "-inf", "#n/a", "#num!"}
)
_MAGIC = {
    b"PK\x03\x04": ("a spreadsheet", "export it as CSV"),
    b"\xd0\xcf\x11\xe0": ("a spreadsheet", "export it as CSV"),
    b"%PDF": ("a PDF", "give the table of numbers behind it"),
    b"VAMAS Surface Chemical Analysis": (
        "a VAMAS file (ISO 14976)",
        "convert the spectrum to text with two columns, energy and counts: by the text export of the spectrometer's "
        "program, or with the Python package vamas",
    ),
}
_JCAMP_NOT_READ = (
    ("packed data", re.compile(r"##\s*XYDATA\s*=.*Y\.\.Y", re.IGNORECASE)),
    ("scaled data", re.compile(r"##\s*[XY]FACTOR\s*=(?!\s*1(\.0*)?\s*$)", re.IGNORECASE)),
    ("several spectra in a file", re.compile(r"##\s*BLOCKS\s*=(?!\s*1\s*$)", re.IGNORECASE)),
)

_UNITS: tuple[tuple[AxisUnit, str], ...] = (
    ("nm", r"\bnm\b|nanomet"),
    # not the cm-1 of L mol-1 cm-1
    ("cm-1", r"(?<![1¹·])(?<![1¹·*]\s)cm\s*\^?\s*[-\N{MINUS SIGN}⁻]\s*[1¹]|\b1/cm\b"),
    ("eV", r"\be ?v\b|electron.?volt"),
)
_QUANTITIES: tuple[tuple[AxisUnit, str], ...] = (
    ("nm", "wave ?length|wellenl|lambda|λ"),
    ("cm-1", "wave ?number|wellenzahl"),
    ("eV", "energ|photon"),
)
"""The unit assumed where only the quantity is named."""
# The infrared bands below and the X-rays above are no optical spectrum; the same in each unit.
_RANGES: dict[AxisUnit, tuple[float, float]] = {
    "nm": (80.0, 4000.0),
    "eV": (0.3, 15.0),
    "cm-1": (2500.0, 1.2e5),
}


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
        missing value (NaN) among the numbers, packed JCAMP-DX data.
    StorageError
        If the file cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        kind = "is a folder, not a file" if path.is_dir() else "there is no such file"
        raise InputError(f"{path}: {kind}", fix="give a text file with two columns of numbers")
    with storage_errors(path, reading=True):
        raw = read_at_most(path, _LARGEST_FILE)
    lines = [(n, line.strip(" \r\n\f")) for n, line in enumerate(_decode(path, raw).splitlines(), 1)]
    lines = [(n, line) for n, line in lines if line.strip()]
    data = [(n, line) for n, line in lines if not line.startswith(_COMMENT)]
    if not data:
        raise InputError(f"{path}: the file is empty" if not lines else f"{path}: the file has only comments")
    _refuse_what_is_no_table(path, lines)
    delimiter, decimal_comma, first = _layout(path, data)
    width = len(_fields(data[first][1], delimiter))
    if first and _has_gap(data[first - 1][1], delimiter, decimal_comma, width):
        first -= 1  # a row with a missing value, not a header: refused below
    start = data[first][0]
    end = next((n for n, line in lines if n > start and line.upper().startswith(_FOOTER)), np.inf)
    header = [line for n, line in lines if n < start]
    body = [(n, line) for n, line in data[first:] if n < end]
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
        remarks=("commas were read as decimal signs",) if decimal_comma else (),
    )


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


def axis_unit(text: str) -> tuple[AxisUnit | None, tuple[str, ...]]:
    """The unit of photon energies that a text names, None for none or several, and what was assumed."""
    found = [unit for unit, pattern in _UNITS if re.search(pattern, text, re.IGNORECASE)]
    if found:
        return (found[0] if len(found) == 1 else None), ()
    found = [unit for unit, pattern in _QUANTITIES if re.search(pattern, text, re.IGNORECASE)]
    if len(found) != 1:
        return None, ()
    return found[0], (f"the axis is named without a unit; {found[0]} is assumed",)


def photon_energies_ev(
    table: MeasuredTable, column: int = 0, unit: AxisUnit | None = None
) -> tuple[FloatArray, tuple[str, ...]]:
    """Photon energies (eV) of a column in nm, eV or 1/cm, and what was assumed.

    Unless given, the unit is that in the column's name; without one, that which alone allows the range.

    Raises
    ------
    InputError
        If the values cannot be in their unit, or could be in none or several.
    """
    axis = table.values[:, column]
    low, high = float(axis.min()), float(axis.max())
    possible = [name for name, (least, most) in _RANGES.items() if least <= low and high <= most]
    unit, remarks = (unit, ()) if unit else axis_unit(table.names[column])
    if unit is None and len(possible) == 1:
        unit = possible[0]
        remarks = (f"the axis has no unit; from its range, {low:g} to {high:g}, it is in {unit}",)
    elif unit is None or unit not in possible:
        row = int(np.argmin(axis)) if low <= 0 else 0
        said = f"is said to be in {unit}" if unit else "has no unit"
        guess = f"; the values look like {' or '.join(possible)}" if possible else ""
        raise InputError(
            f"{table.where(row)}: the axis {said} and runs from {low:g} to {high:g}{guess}",
            why="a wavelength taken for an energy, or the reverse, gives a wrong spectrum without a sign of it",
            fix="name the column with its true unit: wavelength (nm), energy (eV) or wavenumber (cm-1)",
        )
    if unit == "nm":
        return np.array([energy_from_nm(value) for value in axis.tolist()]) / electronvolt, remarks
    return (axis.copy() if unit == "eV" else axis * wavenumber / electronvolt), remarks


def _decode(path: Path, raw: bytes) -> str:
    for magic, (kind, fix) in _MAGIC.items():
        if raw.startswith(magic):
            raise InputError(f"{path}: this is {kind}, not a table of numbers", fix=fix)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    if b"\x00" in raw:
        raise InputError(f"{path}: this is not a text file", fix="export the curve as CSV or text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _refuse_what_is_no_table(path: Path, lines: Sequence[tuple[int, str]]) -> None:
    for number, line in lines:
        if len(line) > _LONGEST_LINE:
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
    return bool(_NUMBER.fullmatch(field.replace(",", ".", 1) if decimal_comma else field))


def _layout(path: Path, data: Sequence[tuple[int, str]]) -> tuple[str | None, bool, int]:
    """Separator, whether commas are decimal signs, and the index of the first row of numbers."""
    best: tuple[int, str | None, bool, int] | None = None
    for decimal_comma in (False, True):
        for delimiter in _DELIMITERS:
            good = [_all_numbers(line, delimiter, decimal_comma) for _, line in data]
            count = sum(good)
            if count and (best is None or count > best[0]):
                best = (count, delimiter, decimal_comma, good.index(True))
    if best is None:
        number, line = data[0]
        raise InputError(
            f"{path}:{number}: no line of the file holds two numbers; this one reads {line[:60]!r}",
            fix="give a text file with two columns of numbers, separated by commas, semicolons, tabs or blanks",
        )
    return best[1:]


def _all_numbers(line: str, delimiter: str | None, decimal_comma: bool) -> bool:
    fields = _fields(line, delimiter)
    return len(fields) > 1 and all(_is_number(field, decimal_comma) for field in fields)


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
    row = [float(field.replace(",", ".", 1) if decimal_comma else field) for field in fields]
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
    found = False
    for line in reversed(header):
        line = line.lstrip("#%!/ '")
        fields = _fields(line, delimiter)
        if len(fields) != width and delimiter is None:  # "Energy (eV)  counts": blanks inside the names
            fields = [field.strip() for field in re.split(r"\t|\s{2,}|,|;", line) if field.strip()]
        if len(fields) != width or not any(re.search(r"[^\W\d]|%", field) for field in fields):
            if found:
                break
            continue
        found = True
        names = [f"{field} {name}".strip() for field, name in zip(fields, names, strict=True)]
    return tuple(name.lower().replace("_", " ") for name in names)
