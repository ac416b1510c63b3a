"""Photon energies of measured curves, from columns in nm, eV or 1/cm."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

from cluster_qc.analysis.measured import MeasuredTable
from cluster_qc.errors import InputError
from cluster_qc.model.arrays import FloatArray
from cluster_qc.units import electronvolt, energy_from_nm, wavenumber

AxisUnit = Literal["nm", "cm-1", "eV"]

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
