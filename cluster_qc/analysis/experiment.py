"""Read measured CD and absorption curves from text tables.

A dichroic sample turns linear light into an ellipse, tan(theta) = (e_R - e_L) / (e_R + e_L) of the amplitudes
e = 10^(-A/2); for small ellipticities theta = ln(10)/4 * (A_L - A_R) radian, 32.98 degrees per unit of absorbance.
With Beer's law, theta in mdeg = 32982 * delta_epsilon * concentration (mol/L) * path length (cm); the molar
ellipticity in deg cm^2/dmol is 3298.2 * delta_epsilon.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np

from cluster_qc.analysis.measured import MeasuredTable, ascending, read_table
from cluster_qc.analysis.photon_axis import AxisUnit, axis_unit, photon_energies_ev
from cluster_qc.errors import InputError
from cluster_qc.model import MeasuredSpectrum
from cluster_qc.units import electronvolt

CDUnit = Literal["delta_epsilon", "mdeg", "molar_ellipticity", "relative"]
AbsorptionUnit = Literal["epsilon", "absorbance", "relative"]

mdeg_per_absorbance: float = 1e3 * float(np.rad2deg(np.log(10) / 4))
"""Ellipticity in mdeg for A_L - A_R = 1: 32982."""

molar_ellipticity_per_delta_epsilon: float = mdeg_per_absorbance / 10
"""deg cm^2/dmol for one L/(mol cm): 3298.2; [theta] = 100 theta_deg / (c l)."""

_MOLAR_UNITS = {
    "delta_epsilon": 1.0,
    "epsilon": 1.0,
    "molar_ellipticity": 1 / molar_ellipticity_per_delta_epsilon,
}
"""L/(mol cm) for one of each."""
_OF_THE_SAMPLE = {"mdeg": 1 / mdeg_per_absorbance, "absorbance": 1.0}
"""L/(mol cm) for one of each, times concentration (mol/L) and path length (cm)."""
_FEWEST_POINTS = 5
_AXIS_UNITS: dict[str, AxisUnit] = {"nm": "nm", "ev": "eV"}
_MOLAR = r"lmolcm|l/\(?mol|l ?mol|m[-\u2212^]+1 ?[·*.]? ?cm[-\u2212^]+1|1/\(?m cm"
_DELTA_EPSILON = r"(delta|Δ|∆|\bd)[ _]?(eps|ε)"
_Y_UNITS = {
    "cd": (
        ("molar_ellipticity", r"dmol|molar ellipticity"),
        ("mdeg", r"mdeg|millideg"),
        ("delta_epsilon", rf"{_DELTA_EPSILON}|^(?!.*(eps|ε|absor)).*({_MOLAR})"),
        ("relative", r"\ba\.?u\b|arb|relative|normali[sz]ed"),
    ),
    "absorption": (
        ("epsilon", rf"^(?!.*({_DELTA_EPSILON})).*(eps|ε|{_MOLAR})"),
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

    Parameters
    ----------
    path
        A text table, see `read_table`, with wavelengths, energies or wavenumbers, which may run either way.
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
        As in `read_table`, and if a unit is unknown, the points are not in order, or only one of concentration and path
        length is given; with file and line.
    StorageError
        If the file cannot be read.
    """
    return _read(path, "cd", x_unit, y_unit, concentration_mol_l, path_length_cm)


def read_absorption_spectrum(
    path: str | Path,
    *,
    x_unit: Literal["nm", "ev"] | None = None,
    y_unit: AbsorptionUnit | None = None,
    concentration_mol_l: float | None = None,
    path_length_cm: float | None = None,
) -> MeasuredSpectrum:
    """Read a measured absorption curve: "epsilon" in L/(mol cm), "absorbance", or "relative"; as `read_cd_spectrum`."""
    return _read(path, "absorption", x_unit, y_unit, concentration_mol_l, path_length_cm)


def _read(
    path: str | Path,
    kind: Literal["cd", "absorption"],
    x_unit: str | None,
    y_unit: str | None,
    concentration: float | None,
    length: float | None,
) -> MeasuredSpectrum:
    known = [name for name, _ in _Y_UNITS[kind]]
    if x_unit is not None and x_unit not in _AXIS_UNITS:
        raise InputError(f"x_unit is {x_unit!r}; it is 'nm' or 'ev'")
    if y_unit is not None and y_unit not in known:
        raise InputError(f"y_unit is {y_unit!r}; it is one of {', '.join(known)}")
    table = read_table(path, rows=_FEWEST_POINTS)
    x, y, remarks = _columns(table, kind)
    unit, assumed = (_AXIS_UNITS[x_unit], ()) if x_unit else axis_unit(table.names[x])
    if unit is None:
        unit, assumed = axis_unit(table.header)
    if unit is None:
        raise InputError(
            f"{table.where(0)}: no unit for the first column",
            why="wavelengths and energies run opposite ways",
            fix="name the column in a header line above the data, e.g. wavelength_nm or energy_ev",
        )
    found = y_unit or _y_unit(kind, table.names[y]) or _y_unit(kind, table.header)
    if found is None:
        raise InputError(
            f"{table.where(0)}: no unit for the {kind} values",
            why="ellipticity and delta epsilon differ by a factor that no curve shows",
            fix=f"name the column in a header line above the data: {', '.join(known)}",
        )
    energies_ev, _ = photon_energies_ev(table, x, unit)
    energies_ev, values = ascending(table, energies_ev, table.values[:, y], x)
    factor = _factor(table.path, found, concentration, length)
    remarks = (*table.remarks, *assumed, *remarks)
    if factor is None and found in _OF_THE_SAMPLE:
        remarks += (
            f"{found} without concentration and path length, as of a film: only the shape is compared",
        )
    values = values if factor is None else values * factor
    return MeasuredSpectrum(kind, energies_ev * electronvolt, values, factor is None, str(path), remarks)


def _factor(path: Path, unit: str, concentration: float | None, length: float | None) -> float | None:
    """What makes L/(mol cm) of the values, None where only their shape counts."""
    if concentration is None and length is None:
        return _MOLAR_UNITS.get(unit)
    if concentration is None or length is None:
        missing = "concentration" if concentration is None else "path length"
        raise InputError(f"{path}: the {missing} is missing", fix="give both, in mol/L and in cm, or neither")
    if unit not in _OF_THE_SAMPLE:
        raise InputError(
            f"{path}: the values are {unit}, which concentration and path length do not change",
            fix=f"leave them out, or give the values in {' or '.join(_OF_THE_SAMPLE)}",
        )
    for name, value in (("concentration", concentration), ("path length", length)):
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"the {name} is {value}; it is positive", fix="give mol/L and cm")
    return _OF_THE_SAMPLE[unit] / (concentration * length)


def _columns(table: MeasuredTable, kind: str) -> tuple[int, int, tuple[str, ...]]:
    """The columns of the axis and of the values, by their names, and what was assumed."""
    x = next((i for i, name in enumerate(table.names) if axis_unit(name)[0]), 0)
    rest = [i for i in range(len(table.names)) if i != x]
    y = next((i for i in rest if _y_unit(kind, table.names[i])), rest[0])
    if len(rest) > 1 and not _y_unit(kind, table.names[y]):
        return x, y, (f"column {y + 1} of {len(table.names)} was taken for the {kind}",)
    return x, y, ()


def _y_unit(kind: str, text: str) -> str | None:
    return next((unit for unit, pattern in _Y_UNITS[kind] if re.search(pattern, text, re.IGNORECASE)), None)
