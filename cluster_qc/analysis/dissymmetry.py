"""The dissymmetry factor along a spectrum, g = delta_epsilon / epsilon = 2 (eps_L - eps_R) / (eps_L + eps_R)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cluster_qc.errors import InputError
from cluster_qc.model import Spectrum
from cluster_qc.model.arrays import FloatArray, frozen

_FLOOR = 0.01


@dataclass(frozen=True, eq=False)
class DissymmetryCurve:
    """g_abs where the molecule absorbs; elsewhere it does not exist, and there is no point."""

    energies: FloatArray
    """Photon energies, hartree, ascending, (npoint,); with gaps."""
    values: FloatArray
    """Dimensionless, (npoint,)."""
    floor: float
    """Least epsilon that counts as absorption, L/(mol cm)."""

    def __post_init__(self) -> None:
        for name in ("energies", "values"):
            object.__setattr__(self, name, frozen(getattr(self, name), (len(self.energies),), name))

    def at(self, energy: float) -> float | None:
        """G at a photon energy in hartree, between the points beside it; None where one of them is missing."""
        after = int(np.searchsorted(self.energies, energy))
        if after in (0, len(self.energies)):
            return None
        gap = self.energies[after] - self.energies[after - 1]
        if gap > 1.5 * np.diff(self.energies).min():
            return None
        return float(np.interp(energy, self.energies, self.values))


def dissymmetry_curve(cd: Spectrum, absorption: Spectrum, floor: float = _FLOOR) -> DissymmetryCurve:
    """Divide a CD by the absorption of the same states, lines, shift, gauge and energies.

    Parameters
    ----------
    cd, absorption
        From `simulate_cd` and `simulate_absorption`.
    floor
        Where epsilon is below this share of its maximum, g has no value: a quotient of two tails says how the lines
        were drawn, not what the molecule does.

    Raises
    ------
    InputError
        If the two differ in anything but the kind, or the share is not between 0 and 1.
    """
    if (cd.kind, absorption.kind) != ("cd", "absorption"):
        raise InputError(f"g needs a CD and an absorption spectrum, not {cd.kind} and {absorption.kind}")
    if not 0 < floor < 1:
        raise InputError(f"floor is {floor}; it is a share of the largest epsilon, between 0 and 1")
    for name in ("energies", "stick_energies", "shape", "fwhm", "shift", "gauge"):
        if not np.array_equal(getattr(cd, name), getattr(absorption, name)):
            raise InputError(
                f"CD and absorption differ in their {name}",
                why="their quotient is a dissymmetry factor only if both are made alike",
                fix="simulate both with the same settings",
            )
    least = floor * float(absorption.values.max(initial=0.0))
    absorbs = absorption.values > least
    return DissymmetryCurve(cd.energies[absorbs], cd.values[absorbs] / absorption.values[absorbs], least)
