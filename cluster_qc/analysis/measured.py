"""Reading measured curves from text files: columns of numbers as instruments and spreadsheets write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cluster_qc.errors import InputError
from cluster_qc.files import storage_errors
from cluster_qc.model.arrays import FloatArray
from cluster_qc.units import electronvolt, energy_from_nm, wavenumber

_COMMENT = ("#", "%", "!", "//", "'", '"#')
_DELIMITERS = (";", "\t", ",", None)
"""None: any blanks. A comma comes after the others, because it may be the decimal sign between them."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MISSING = frozenset(
    {"", "nan", "na", "n/a", "null", "none", "-", "--", "inf", "+inf", "-inf", "#n/a", "#num!"}
)
_MAGIC = {b"PK\x03\x04": "a spreadsheet", b"\xd0\xcf\x11\xe0": "a spreadsheet", b"%PDF": "a PDF"}

_AXIS_UNITS = (
    ("nm", r"\bnm\b|nanomet|wavelength|wellenl|lambda|λ"),
    ("cm-1", r"cm\s*\^?\s*[-\N{MINUS SIGN}\N{SUPERSCRIPT MINUS}]\s*[1\N{SUPERSCRIPT ONE}]|wavenumber|1/cm"),
    ("eV", r"\bev\b|energy|photon"),
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

    Columns are separated by semicolons, tabs, commas or blanks; the decimal sign is a point or, unless commas separate
    the columns, a comma. Lines before the first row of numbers are the header; of them, those with as many fields as
    there are columns name the columns (names and units may stand on two lines).

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
        missing value (NaN) among the numbers.
    StorageError
        If the file cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        kind = "is a folder, not a file" if path.is_dir() else "there is no such file"
        raise InputError(f"{path}: {kind}", fix="give a text file with two columns of numbers")
    with storage_errors(path, reading=True):
        raw = path.read_bytes()
    text = _decode(path, raw)
    lines = [(number, line.strip(" \r\n\f")) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line.strip()]
    data = [(number, line) for number, line in lines if not line.startswith(_COMMENT)]
    if not data:
        raise InputError(f"{path}: the file is empty" if not lines else f"{path}: the file has only comments")
    delimiter, decimal_comma, first = _layout(path, data)
    width = len(_fields(data[first][1], delimiter))
    if first and _has_gap(data[first - 1][1], delimiter, decimal_comma, width):
        first -= 1  # a row with a missing value, not a header: refused below
    header = [(number, line) for number, line in lines if number < data[first][0]]
    body = data[first:]
    values = [_row(path, number, line, delimiter, decimal_comma, width) for number, line in body]
    if len(values) < rows:
        raise InputError(
            f"{path}:{body[-1][0]}: the file has only {len(values)} rows of numbers",
            why=f"a curve cannot be evaluated with fewer than {rows} points",
            fix="export the whole curve, not its summary",
        )
    array = np.array(values)
    if decimal_comma is False and delimiter == "," and width >= 4 and (array == np.round(array)).all():
        _refuse_ambiguous_commas(path, body[0][0], header, width)
    return MeasuredTable(
        path=path,
        names=_names(header, delimiter, width),
        values=array,
        lines=tuple(number for number, _ in body),
        header="\n".join(line for _, line in header).lower(),
        remarks=("commas were read as decimal signs",) if decimal_comma else (),
    )


def ascending(table: MeasuredTable, axis: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The curve with its axis ascending, whichever way it was measured.

    Raises
    ------
    InputError
        If the axis goes back and forth, or holds a position twice.
    """
    steps = np.diff(axis)
    sign = 1.0 if axis[-1] > axis[0] else -1.0
    wrong = np.flatnonzero(steps * sign <= 0)
    if len(wrong):
        row = int(wrong[0]) + 1
        raise InputError(
            f"{table.where(row)}: the axis goes from {axis[row - 1]:g} to {axis[row]:g}, against its direction",
            why="a curve has one value at each position; several scans in a column do not",
            fix="export one curve to a file, the axis in the first column",
        )
    return (axis, values) if sign > 0 else (axis[::-1], values[::-1])


def photon_energies_ev(table: MeasuredTable, column: int = 0) -> tuple[FloatArray, tuple[str, ...]]:
    """Photon energies (eV) of a column in nm, eV or 1/cm, and what was assumed.

    The unit is taken from the column's name; without one, from the range, where only one unit is possible.

    Raises
    ------
    InputError
        If the values cannot be in the unit that the header names, or could be in none or several.
    """
    axis = table.values[:, column]
    name = table.names[column]
    unit = next((unit for unit, pattern in _AXIS_UNITS if re.search(pattern, name)), None)
    # What an absorption spectrometer reaches: 100 to 4000 nm, and the same in the other units.
    ranges = {"nm": (100.0, 4000.0), "eV": (0.3, 12.5), "cm-1": (2500.0, 1e5)}
    possible = [u for u, (low, high) in ranges.items() if low <= axis.min() and axis.max() <= high]
    remarks: tuple[str, ...] = ()
    if unit is None and len(possible) == 1:
        unit = possible[0]
        remarks = (
            f"the axis has no unit; from its range, {axis.min():g} to {axis.max():g}, it is in {unit}",
        )
    elif unit is None or unit not in possible:
        row = int(np.argmin(axis)) if axis.min() <= 0 else 0
        said = f"is said to be in {unit}" if unit else "has no unit"
        guess = f"; the values look like {' or '.join(possible)}" if possible else ""
        raise InputError(
            f"{table.where(row)}: the axis {said} and runs from {axis.min():g} to {axis.max():g}{guess}",
            why="a wavelength taken for an energy, or the reverse, gives a wrong gap without a sign of it",
            fix="name the first column with its true unit: wavelength (nm), energy (eV) or wavenumber (cm-1)",
        )
    if unit == "nm":
        return np.array([energy_from_nm(value) for value in axis.tolist()]) / electronvolt, remarks
    return (axis.copy() if unit == "eV" else axis * wavenumber / electronvolt), remarks


def _decode(path: Path, raw: bytes) -> str:
    for magic, kind in _MAGIC.items():
        if raw.startswith(magic):
            raise InputError(f"{path}: this is {kind}, not a text file", fix="export it as CSV")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    if b"\x00" in raw:
        raise InputError(f"{path}: this is not a text file", fix="export the curve as CSV or text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _fields(line: str, delimiter: str | None, width: int = 1) -> list[str]:
    """Fields of a line; of empty ones at its end, which a last separator makes, those beyond `width` are dropped."""
    fields = [field.strip().strip('"').strip() for field in line.split(delimiter)]
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
            if decimal_comma and delimiter == ",":
                continue
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


def _refuse_ambiguous_commas(path: Path, number: int, header: Sequence[tuple[int, str]], width: int) -> None:
    if len(_names(header, ",", width // 2)) and any(_names(header, ",", width // 2)):
        raise InputError(
            f"{path}:{number}: {width} whole numbers between commas under {width // 2} column names",
            why="commas seem to be both the decimal sign and the separator",
            fix="export with semicolons or tabs between the columns",
        )


def _names(header: Sequence[tuple[int, str]], delimiter: str | None, width: int) -> tuple[str, ...]:
    """Names from the last header lines with one field a column; a commented header counts too."""
    names = [""] * width
    found = False
    for _, line in reversed(header):
        fields = _fields(line.lstrip("#%!/ '"), delimiter)
        if len(fields) != width and delimiter is None:  # "Energy (eV)  counts": blanks inside the names
            fields = [f.strip() for f in re.split(r"\t|\s{2,}|,|;", line.lstrip("#%!/ '")) if f.strip()]
        if len(fields) != width or not any(re.search(r"[^\W\d]|%", field) for field in fields):
            if found:
                break
            continue
        found = True
        names = [f"{field} {name}".strip() for field, name in zip(fields, names, strict=True)]
    return tuple(name.lower().replace("_", " ") for name in names)
