"""Measured Cotton bands held against the extrema of a computed CD curve, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from cluster_qc.analysis.spectra import extrema
from cluster_qc.errors import InputError
from cluster_qc.model import MeasuredSpectrum, Spectrum
from cluster_qc.units import electronvolt, energy_from_nm, wavelength_nm

TOLERANCE = 0.3 * electronvolt
"""Allowed distance of a band, hartree: the usual error of vertical energies from hybrid functionals (assumed)."""
_COMPUTED_PROMINENCE = 0.05
_MEASURED_PROMINENCE = 0.1


@dataclass(frozen=True)
class CottonMatch:
    """One measured band and what was computed there."""

    measured_nm: float
    measured_sign: int
    computed_nm: float | None
    """The partner's position; None without one."""
    computed_sign: int | None
    deviation: float | None
    """Computed minus measured energy, hartree."""
    outcome: Literal["agrees", "disagrees", "not computed"]
    reason: str


def match_cotton_bands(
    computed: Spectrum, measured: Sequence[tuple[float, int]], tolerance: float = TOLERANCE
) -> tuple[CottonMatch, ...]:
    """Pair measured bands with computed extrema, by descending wavelength.

    Each extremum serves one band; the pairs have the smallest sum of distances, signs disregarded, so that no band can
    pick a partner for its sign. Farther than twice the tolerance is no partner. A band agrees if its partner has the
    same sign and lies within the tolerance. Bands outside the computed curve are "not computed".

    Parameters
    ----------
    computed
        CD curve.
    measured
        (wavelength in nm, sign +1 or -1) of each band.
    tolerance
        Hartree.

    Raises
    ------
    InputError
        If the spectrum is no CD, or a sign or wavelength makes no sense.
    """
    if computed.kind != "cd":
        raise InputError(f"Cotton bands belong to a CD spectrum; this one is {computed.kind}")
    for nm, sign in measured:
        if sign not in (1, -1) or not nm > 0:
            raise InputError(f"a Cotton band is (wavelength in nm, +1 or -1), not ({nm}, {sign})")
    bands = sorted(measured, reverse=True)
    first, last = computed.energies[0], computed.energies[-1]
    positions = [energy_from_nm(nm) for nm, _ in bands]
    inside = [i for i, energy in enumerate(positions) if first <= energy <= last]
    found = extrema(computed.energies, computed.values, _COMPUTED_PROMINENCE)
    distance = np.array([[energy - positions[i] for energy, _ in found] for i in inside]).reshape(
        len(inside), len(found)
    )
    far = 2 * tolerance
    rows, columns = linear_sum_assignment(np.where(np.abs(distance) <= far, np.abs(distance), 1e3 * far))
    partner = {
        inside[row]: found[column]
        for row, column in zip(rows, columns, strict=True)
        if abs(distance[row, column]) <= far
    }
    return tuple(
        _match(nm, sign, partner.get(i), i in inside, (first, last), tolerance)
        for i, (nm, sign) in enumerate(bands)
    )


def _match(
    nm: float,
    sign: int,
    partner: tuple[float, float] | None,
    inside: bool,
    covered: tuple[float, float],
    tolerance: float,
) -> CottonMatch:
    if not inside:
        reason = (
            f"the computed curve covers {wavelength_nm(covered[1]):.0f} to {wavelength_nm(covered[0]):.0f} nm"
        )
        return CottonMatch(nm, sign, None, None, None, "not computed", reason)
    if partner is None:
        reason = f"no computed extremum within {2 * tolerance / electronvolt:.2f} eV is left for it"
        return CottonMatch(nm, sign, None, None, None, "disagrees", reason)
    energy, value = partner
    deviation = energy - energy_from_nm(nm)
    faults = []
    if np.sign(value) != sign:
        faults.append("opposite sign")
    if abs(deviation) > tolerance:
        faults.append(f"farther than {tolerance / electronvolt:.2f} eV")
    return CottonMatch(
        nm,
        sign,
        wavelength_nm(energy),
        1 if value > 0 else -1,
        deviation,
        "disagrees" if faults else "agrees",
        ", ".join(faults) or f"same sign, within {tolerance / electronvolt:.2f} eV",
    )


def measured_cotton_bands(measured: MeasuredSpectrum) -> tuple[tuple[float, int], ...]:
    """Find the bands of a measured CD curve: (wavelength in nm, sign), by ascending wavelength.

    An extremum counts if it stands out by a tenth of the largest value; noise above that must be smoothed before.

    Raises
    ------
    InputError
        If the curve is no CD.
    """
    if measured.kind != "cd":
        raise InputError(
            f"Cotton bands belong to a CD curve; {measured.source or 'this one'} is {measured.kind}"
        )
    found = extrema(measured.energies, measured.values, _MEASURED_PROMINENCE)
    return tuple((wavelength_nm(energy), 1 if value > 0 else -1) for energy, value in reversed(found))
