"""Absorption spectra from files: absorbance, transmittance, reflectance, absorptance, Kubelka-Munk values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cluster_qc.analysis.measured import MeasuredTable, ascending, read_table
from cluster_qc.analysis.photon_axis import photon_energies_ev
from cluster_qc.analysis.tauc import evaluate_tauc
from cluster_qc.errors import InputError
from cluster_qc.model.arrays import BoolArray, FloatArray
from cluster_qc.model.measured import TaucGaps

_LARGEST_ABSORBANCE = 20.0
"""Larger than any spectrometer tells from darkness."""
_LN10 = float(np.log(10.0))
_ALPHA = "\N{GREEK SMALL LETTER ALPHA}"
_COLUMNS = {
    "transmittance": r"transmi|(^|[^a-z-])%?\s*t\b",
    "kubelka-munk": r"kubelka|\bf\s*\(\s*r\b|\bk\s*[-/]\s*m\b",
    "reflectance": r"reflect|(^|[^a-z-])%?\s*r\b",
    "absorptance": r"absorptance|\b1\s*-\s*[rt]\b",
    "absorption": rf"absorb|extinction|\babs\b|\ba\b|optical density|\bod\b|alpha|epsilon|absorption|{_ALPHA}",
}
"""How the columns are named."""


def read_tauc(path: str | Path, *, thickness_nm: float | None = None) -> TaucGaps:
    """Read an absorption spectrum and evaluate it; see `evaluate_tauc`.

    The file holds the photon energy or wavelength and either the absorbance, the absorption coefficient, the
    transmittance or the absorptance with or without the reflectance, the diffuse reflectance alone, or Kubelka-Munk
    values (shares of 1 or percent). Of two columns without a name the second is taken for the absorbance.

    Raises
    ------
    InputError
        As in `read_table` and `photon_energies_ev`; for a thickness that is not positive, transmittances that are not,
        a column that is no absorption, and a spectrum with no absorption edge.
    """
    if thickness_nm is not None and not 0 < thickness_nm < 1e8:
        raise InputError(f"the thickness is {thickness_nm:g} nm", fix="give a positive thickness in nm")
    table = read_table(path, rows=20)
    energies, remarks = photon_energies_ev(table)
    warnings = [*table.remarks, *remarks]
    absorption, unit = _absorption(table, thickness_nm, warnings)
    energies, absorption = ascending(table, energies, absorption)
    return evaluate_tauc(energies, absorption, unit=unit, warnings=tuple(warnings), source=str(path))


def _absorption(
    table: MeasuredTable, thickness_nm: float | None, warnings: list[str]
) -> tuple[FloatArray, str]:
    """Absorption coefficient (1/cm with the thickness), or what is proportional to it."""
    found: dict[str, int | None] = {}
    for quantity, pattern in _COLUMNS.items():
        columns = [i for i, name in enumerate(table.names) if i and re.search(pattern, name)]  # 0 is the axis
        found[quantity] = columns[0] if columns else None
        if len(columns) > 1:
            names = " and ".join(f"{i + 1} ({table.names[i]!r})" for i in columns)
            warnings.append(f"columns {names} all name the {quantity}; the first was taken")
    if found["kubelka-munk"] == found["reflectance"]:
        found["reflectance"] = None  # F(R)
    r = None if found["reflectance"] is None else _share(table, found["reflectance"], warnings)
    if found["transmittance"] is not None and found["absorptance"] != found["transmittance"]:
        share = _share(table, found["transmittance"], warnings)
        depth, kind = _depth(table, share, r, warnings), "alpha x thickness"
    elif found["absorptance"] is not None:
        share = _share(table, found["absorptance"], warnings)
        if re.search(r"1\s*-\s*r", table.names[found["absorptance"]]):
            warnings.append("1 - R was taken as the absorptance of a film that lets nothing through")
        rest = 1.0 if r is None else 1 - r
        depth, kind = _depth(table, rest - share, r, warnings), "alpha x thickness"
    elif found["kubelka-munk"] is not None:
        return table.values[:, found["kubelka-munk"]].astype(float), table.names[found["kubelka-munk"]]
    elif r is not None and found["absorption"] is None:
        return _kubelka_munk(table, r, warnings), "F(R)"
    else:
        column = found["absorption"]
        if column is None:
            column = 1
            _refuse_other_quantity(table)
            warnings.append(f"column 2 ({table.names[1] or 'without a name'}) was taken as the absorbance")
        absorption = table.values[:, column].astype(float)
        if re.search(f"alpha|{_ALPHA}|coefficient", table.names[column]):
            return absorption, table.names[column]
        depth = absorption * (1.0 if thickness_nm is None else _LN10)
        kind = table.names[column] or "absorbance"
    return (depth, kind) if thickness_nm is None else (depth / (thickness_nm * 1e-7), "1/cm")


def _refuse_other_quantity(table: MeasuredTable) -> None:
    """Refuse column 2, which no name tells to be an absorption, if it cannot be an absorbance."""
    name, largest = table.names[1], float(table.values[:, 1].max())
    if re.search(r"%|\bcd\b|mdeg|ellipt|delta|\bht\b|\bv\b", name) or largest > _LARGEST_ABSORBANCE:
        raise InputError(
            f"{table.path}: column 2 ({name or 'without a name'}), which goes up to {largest:.4g}, is no absorbance",
            why="a gap follows from the absorption only, and transmittance, reflectance and absorbance differ in how",
            fix="name the columns in the header: absorbance, T (%), R (%), 1-T, F(R) or alpha (1/cm)",
        )


def _depth(
    table: MeasuredTable, transmitted: FloatArray, reflected: FloatArray | None, warnings: list[str]
) -> FloatArray:
    """Absorption coefficient times thickness, -ln(T / (1 - R))."""
    if reflected is None:
        reflected = np.zeros_like(transmitted)
        warnings.append(
            "no reflectance in the file: alpha is from -ln T alone, reflection counts as absorption"
        )
    _refuse_rows(
        table,
        (transmitted <= 0) | (reflected >= 1),
        {"transmittance": transmitted, "reflectance": reflected},
        why="alpha is -ln(T / (1 - R)), which needs T above 0 and R below 1",
        fix="cut the range where nothing is transmitted, or correct the dark signal",
    )
    return np.asarray(-np.log(transmitted / (1 - reflected)))


def _kubelka_munk(table: MeasuredTable, reflectance: FloatArray, warnings: list[str]) -> FloatArray:
    """(1 - R)^2 / 2R, which is proportional to alpha where the scattering hardly depends on the wavelength."""
    _refuse_rows(
        table,
        (reflectance <= 0) | (reflectance > 1.05),
        {"reflectance": reflectance},
        why="the Kubelka-Munk function (1 - R)^2 / 2R needs R between 0 and 1",
        fix="refer the reflectance to a white standard, as a share of 1 or in percent",
    )
    warnings.append(
        "the only reflectance was taken as diffuse, of a powder too thick to shine through: alpha is proportional to "
        "the Kubelka-Munk function (1 - R)^2 / 2R"
    )
    return np.asarray((1 - reflectance) ** 2 / (2 * reflectance))


def _refuse_rows(
    table: MeasuredTable, bad: BoolArray, columns: Mapping[str, FloatArray], *, why: str, fix: str
) -> None:
    """Refuse the table if a row of it is bad, with the values of the first one."""
    if bad.any():
        row = int(bad.argmax())
        values = ", ".join(f"{name} {column[row]:g}" for name, column in columns.items())
        raise InputError(f"{table.where(row)}: {values}", why=why, fix=fix)


def _share(table: MeasuredTable, column: int, warnings: list[str]) -> FloatArray:
    """Transmittance, reflectance or absorptance as a share of 1."""
    values = table.values[:, column].astype(float)
    if "%" in table.names[column] or values.max() > 1.5:
        if "%" not in table.names[column]:
            warnings.append(f"column {column + 1} ({table.names[column]!r}) was taken to be in percent")
        values = values / 100
    return values
