"""Read measured CD and absorption curves from text tables.

A dichroic sample turns linear light into an ellipse, tan(theta) = (e_R - e_L) / (e_R + e_L) of the amplitudes
e = 10^(-A/2); for small ellipticities theta = ln(10)/4 * (A_L - A_R) radian, 32.98 degrees per unit of absorbance.
With Beer's law, theta in mdeg = 32982 * delta_epsilon * concentration (mol/L) * path length (cm); the molar
ellipticity in deg cm^2/dmol is 3298.2 * delta_epsilon.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from cluster_qc.errors import InputError
from cluster_qc.files import storage_errors
from cluster_qc.model import MeasuredSpectrum
from cluster_qc.model.arrays import FloatArray
from cluster_qc.units import electronvolt, energy_from_nm

CDUnit = Literal["delta_epsilon", "mdeg", "molar_ellipticity", "relative"]
AbsorptionUnit = Literal["epsilon", "absorbance", "relative"]

mdeg_per_absorbance: float = 1e3 * float(np.rad2deg(np.log(10) / 4))
"""Ellipticity in mdeg for A_L - A_R = 1: 32982."""

molar_ellipticity_per_delta_epsilon: float = mdeg_per_absorbance / 10
"""deg cm^2/dmol for one L/(mol cm): 3298.2; [theta] = 100 theta_deg / (c l)."""

_FEWEST_POINTS = 5
_LOWEST_EV, _HIGHEST_EV = 0.4, 15.0
_COMMENT = "#%!"
_FOOTER = ("#####", "[", "##END")  # how spectrometers begin what follows the data
_X_UNITS = (
    ("nm", r"\bnm\b|_nm\b|nanomet"),
    ("ev", r"\be ?v\b|_ev\b|electron.?volt"),
    ("1/cm", r"wave ?number|cm-1|1/cm|cm\^-1"),
    ("wavelength", r"wavelength|lambda|λ"),
)
_MOLAR = r"lmolcm|l/\(?mol|l ?mol|m[-\u2212^]+1 ?[·*.]? ?cm[-\u2212^]+1|1/\(?m cm"
_Y_UNITS = {
    "cd": (
        ("molar_ellipticity", r"dmol|molar ellipticity"),
        ("mdeg", r"mdeg|millideg"),
        ("delta_epsilon", rf"(delta|Δ|∆|\bd)[ _]?(eps|ε)|{_MOLAR}"),
        ("relative", r"\ba\.?u\b|arb|relative|normali[sz]ed"),
    ),
    "absorption": (
        ("epsilon", rf"eps|ε|{_MOLAR}"),
        ("absorbance", r"\babs|absorb|\bod\b|optical density"),
        ("relative", r"\ba\.?u\b|arb|relative|normali[sz]ed"),
    ),
}


def read_cd_spectrum(
    path: str | Path,
    *,
    x_unit: Literal["nm", "ev"] | None = None,
    y_unit: CDUnit | None = None,
    concentration_mol_l: float | None = None,
    path_length_cm: float | None = None,
) -> MeasuredSpectrum:
    """Read a measured CD curve.

    Two or more columns, separated by commas, semicolons, tabs or blanks, with decimal points or commas; comments and
    the headers and footers of spectrometer exports are skipped, the units read from them. Wavelengths may run either
    way.

    Parameters
    ----------
    path
        A text file.
    x_unit
        "nm" or "ev"; None reads it from the header.
    y_unit
        "delta_epsilon" (L/(mol cm)), "mdeg", "molar_ellipticity" (deg cm^2/dmol) or "relative"; None reads it from the
        header.
    concentration_mol_l, path_length_cm
        Make delta_epsilon of an ellipticity in mdeg. Without them (a film) only the shape of the curve counts.

    Raises
    ------
    InputError
        If a unit is unknown, a value is missing or no number, the points are fewer than five or not in order; with file
        and line.
    StorageError
        If the file cannot be read.
    """
    table = _read_table(Path(path), "cd", x_unit, y_unit)
    sample = _sample(table, ("mdeg",), concentration_mol_l, path_length_cm)
    remarks, relative, scale = list(table.remarks), table.y_unit == "relative", 1.0
    if table.y_unit == "molar_ellipticity":
        scale = 1 / molar_ellipticity_per_delta_epsilon
    elif table.y_unit == "mdeg" and sample is not None:
        scale = 1 / (mdeg_per_absorbance * sample)
    elif table.y_unit == "mdeg":
        relative = True
        remarks.append(
            "ellipticity without concentration and path length, as of a film: only the shape is compared"
        )
    return MeasuredSpectrum("cd", table.energies, table.values * scale, relative, str(path), tuple(remarks))


def read_absorption_spectrum(
    path: str | Path,
    *,
    x_unit: Literal["nm", "ev"] | None = None,
    y_unit: AbsorptionUnit | None = None,
    concentration_mol_l: float | None = None,
    path_length_cm: float | None = None,
) -> MeasuredSpectrum:
    """Read a measured absorption curve: "epsilon" in L/(mol cm), "absorbance", or "relative"; as `read_cd_spectrum`."""
    table = _read_table(Path(path), "absorption", x_unit, y_unit)
    sample = _sample(table, ("absorbance",), concentration_mol_l, path_length_cm)
    remarks, relative, scale = list(table.remarks), table.y_unit != "epsilon", 1.0
    if sample is not None:
        relative, scale = False, 1 / sample
    elif table.y_unit == "absorbance":
        remarks.append("absorbance without concentration and path length: only the shape is compared")
    return MeasuredSpectrum(
        "absorption", table.energies, table.values * scale, relative, str(path), tuple(remarks)
    )


@dataclass(frozen=True)
class _Table:
    path: Path
    energies: FloatArray
    values: FloatArray
    y_unit: str
    remarks: tuple[str, ...]


def _sample(
    table: _Table, units: tuple[str, ...], concentration: float | None, length: float | None
) -> float | None:
    """Concentration times path length, mol cm/L, where both are given."""
    if concentration is None and length is None:
        return None
    if concentration is None or length is None:
        missing = "concentration" if concentration is None else "path length"
        raise InputError(
            f"{table.path}: the {missing} is missing", fix="give both, in mol/L and in cm, or neither"
        )
    if table.y_unit not in units:
        raise InputError(
            f"{table.path}: the values are {table.y_unit}, which concentration and path length do not change",
            fix=f"leave them out, or give the values in {units[0]}",
        )
    for name, value in (("concentration", concentration), ("path length", length)):
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"the {name} is {value}; it is positive", fix="give mol/L and cm")
    return concentration * length


def _read_table(path: Path, kind: str, x_unit: str | None, y_unit: str | None) -> _Table:
    known = [name for name, _ in _Y_UNITS[kind]]
    if x_unit not in (None, "nm", "ev"):
        raise InputError(f"x_unit is {x_unit!r}; it is 'nm' or 'ev'")
    if y_unit is not None and y_unit not in known:
        raise InputError(f"y_unit is {y_unit!r}; it is one of {', '.join(known)}")
    header, rows = _parse(path, _text(path))
    first = rows[0][0]
    labels = _labels(header)
    factors = {labels.get(name, "1.0") for name in ("XFACTOR", "YFACTOR")}
    if "Y..Y" in labels.get("XYDATA", "").upper() or not factors <= {"1", "1.0"}:
        raise InputError(
            f"{path}:{first}: packed or scaled JCAMP-DX data are not read",
            fix="export the curve as a table of two columns",
        )
    x_name, x_column, y_name, y_column = _columns(kind, labels, header, len(rows[0][1]), x_unit, y_unit)
    remarks = []
    found_x = x_unit or _match(_X_UNITS, x_name)
    if found_x == "wavelength":
        found_x = "nm"
        remarks.append("the wavelength has no unit in the header; nm is assumed")
    if found_x not in ("nm", "ev"):
        raise InputError(
            f"{path}:{first}: " + ("wavenumbers are not read" if found_x else "no unit for the first column"),
            why="wavelengths and energies run opposite ways",
            fix="name the column in a header line above the data, e.g. wavelength_nm or energy_ev",
        )
    found_y = y_unit or _match(_Y_UNITS[kind], y_name)
    if found_y is None:
        raise InputError(
            f"{path}:{first}: no unit for the {kind} values",
            why="ellipticity and delta epsilon differ by a factor that no curve shows",
            fix=f"name the column in a header line above the data: {', '.join(known)}",
        )
    x = _column(path, rows, x_column)
    _check_order(path, rows, x)
    y = _column(path, rows, y_column)
    energies = np.array([energy_from_nm(value) for value in x]) if found_x == "nm" else x * electronvolt
    if not (_LOWEST_EV * electronvolt < energies.min() and energies.max() < _HIGHEST_EV * electronvolt):
        raise InputError(
            f"{path}:{first}: {x[0]:g} to {x[-1]:g} {found_x} is no range of an optical spectrum",
            fix="check the unit in the header",
        )
    order = np.argsort(energies)
    return _Table(path, energies[order], y[order], found_y, tuple(remarks))


def _text(path: Path) -> str:
    with storage_errors(path, reading=True):
        content = path.read_bytes()
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content:
        raise InputError(f"{path} is no text file", fix="export the spectrum as CSV or text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _parse(path: Path, text: str) -> tuple[list[str], list[tuple[int, list[float]]]]:
    """The header lines, and the rows of numbers with their line numbers."""
    header: list[str] = []
    rows: list[tuple[int, list[float]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip(" \r\n")
        if not line.strip():
            continue
        values = _numbers(line)
        if not rows and (values is None or len(values) < 2):
            header.append(line)
            continue
        if values is None:
            if line.upper().startswith(_FOOTER):
                break
            if line[0] in _COMMENT:
                continue
            raise InputError(
                f"{path}:{number}: not a row of numbers: {line[:60]!r}", fix="correct or remove the line"
            )
        if len(values) != len(rows[0][1] if rows else values):
            raise InputError(
                f"{path}:{number}: {len(values)} columns where the rows above have {len(rows[0][1])}",
                fix="correct the line; commas cannot be both separator and decimal sign",
            )
        rows.append((number, values))
    if not rows:
        raise InputError(
            f"{path}:1: no rows of numbers", fix="give a table of wavelength or energy and value"
        )
    if len(rows) < _FEWEST_POINTS:
        raise InputError(
            f"{path}:{rows[-1][0]}: {len(rows)} points are no curve; at least {_FEWEST_POINTS} are needed"
        )
    if header and len(_fields(header[-1])) == 2 < len(rows[0][1]) and "," in text and "\t" not in text:
        raise InputError(
            f"{path}:{rows[0][0]}: {len(rows[0][1])} columns under a header of two",
            why="the comma may be both separator and decimal sign here",
            fix="export with semicolons, tabs or decimal points",
        )
    return header, rows


def _fields(line: str) -> list[str]:
    for separator in (";", "\t"):
        if separator in line:
            return [field.strip().replace(",", ".") for field in line.split(separator)]
    if "," in line:
        by_comma = [field.strip() for field in line.split(",")]
        by_blank = line.replace(",", ".").split()
        # "350.0, 1.2" has two columns; so has "350,0 1,2".
        if not all(_is_number(field) for field in by_comma) and all(_is_number(field) for field in by_blank):
            return by_blank
        return by_comma
    return line.split()


def _numbers(line: str) -> list[float] | None:
    """The numbers of a line, NaN for an empty or NaN field; None if it holds anything else."""
    fields = _fields(line)
    if not fields or not _is_number(fields[0]):
        return None
    if not all(_is_number(field) or not field for field in fields):
        return None
    return [float(field) if field else np.nan for field in fields]


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _match(units: tuple[tuple[str, str], ...], name: str) -> str | None:
    return next((unit for unit, pattern in units if re.search(pattern, name, re.IGNORECASE)), None)


def _labels(header: list[str]) -> dict[str, str]:
    """The labelled lines of a spectrometer's header: "LABEL value" with a tab, comma or equals sign between."""
    found = {}
    for line in header:
        label, _, value = line.replace("=", "\t", 1).replace(",", "\t", 1).partition("\t")
        found[label.strip(" #").upper()] = value.strip()
    return found


def _columns(
    kind: str, labels: dict[str, str], header: list[str], ncolumn: int, x_unit: str | None, y_unit: str | None
) -> tuple[str, int, str, int]:
    """The texts that hold the unit of x and of y, and their columns."""
    if "XUNITS" in labels and "YUNITS" in labels:
        return labels["XUNITS"], 0, labels["YUNITS"], 1
    for line in reversed(header):
        names = _fields(line.lstrip(_COMMENT + " "))
        if len(names) == ncolumn and not any(_is_number(name) for name in names):
            x = next((i for i, name in enumerate(names) if _match(_X_UNITS, name)), 0)
            rest = [i for i in range(ncolumn) if i != x]
            y = next((i for i in rest if _match(_Y_UNITS[kind], names[i])), None)
            if (x_unit or _match(_X_UNITS, names[x])) and (y is not None or y_unit):
                return names[x], x, names[rest[0] if y is None else y], rest[0] if y is None else y
    everything = " ".join(header)
    both = all(re.search(pattern, everything, re.IGNORECASE) for _, pattern in _X_UNITS[:2])
    return "" if both else everything, 0, everything, 1


def _column(path: Path, rows: list[tuple[int, list[float]]], column: int) -> FloatArray:
    for number, values in rows:
        if not np.isfinite(values[column]):
            raise InputError(
                f"{path}:{number}: a value is missing or not finite", fix="complete or remove the line"
            )
    return np.array([values[column] for _, values in rows])


def _check_order(path: Path, rows: list[tuple[int, list[float]]], x: FloatArray) -> None:
    for value, (number, _) in zip(x, rows, strict=True):
        if value <= 0:
            raise InputError(f"{path}:{number}: {value:g} is no wavelength or energy")
    steps = np.diff(x) * (1.0 if x[-1] > x[0] else -1.0)
    if (steps <= 0).any():
        number = rows[int(np.argmax(steps <= 0)) + 1][0]
        raise InputError(
            f"{path}:{number}: wavelengths or energies must all rise or all fall; here they turn or repeat",
            fix="give one curve a file, each point once",
        )
