"""Measured values that a run of the published cluster is held against, with their source.

H. Lu et al., J. Am. Chem. Soc. 2024, 146, 4144-4152, 10.1021/jacs.3c13065.
"""

from __future__ import annotations

from collections.abc import Sequence

from cluster_qc.model import Cluster, UPSReference
from cluster_qc.units import electronvolt

_FORMULA = "C40H40Au2Cu2N4S8"
_SOURCE = "UPS of the film, 10.1021/jacs.3c13065"

COTTON_SOURCE = "10.1021/jacs.3c13065"
FILM_COTTON_SIGNS_R = ((265.0, 1), (299.0, -1), (351.0, 1))
"""CD of the R enantiomer's film: wavelength in nm and sign; the S enantiomer shows the mirror image."""


def measured_homo(formula: str, charge: int) -> UPSReference | None:
    """The measured HOMO of Cu2Au2(BTT)4, None for any other molecule."""
    if formula != _FORMULA or charge:
        return None
    return UPSReference(homo=-6.0 * electronvolt, source=_SOURCE)


def measured_cotton_signs(cluster: Cluster, cip: Sequence[str]) -> tuple[tuple[float, int], ...] | None:
    """Wavelengths (nm) and signs of the measured CD of Cu2Au2(BTT)4 of this handedness, None for any other molecule."""
    kinds = set(cip)
    if cluster.formula != _FORMULA or cluster.charge or len(kinds) != 1 or not kinds <= {"R", "S"}:
        return None
    sign = 1 if kinds == {"R"} else -1
    return tuple((wavelength, sign * value) for wavelength, value in FILM_COTTON_SIGNS_R)
