"""A measured occupied level and its comparison with a computed one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cluster_qc.errors import InputError
from cluster_qc.units import electronvolt

DEEPEST_HOMO = -25.0 * electronvolt
"""The largest first ionization energy is helium's, 24.6 eV."""


@dataclass(frozen=True)
class UPSReference:
    """A HOMO measured by ultraviolet photoelectron spectroscopy, against the vacuum level.

    Raises
    ------
    InputError
        For a HOMO that is not negative or deeper than that of any element, or an uncertainty that is not positive.
    """

    homo: float
    """Hartree, negative."""
    uncertainty: float | None = None
    """One standard deviation, hartree; None if the source gives none."""
    reference_level: str = "vacuum"
    source: str = ""

    def __post_init__(self) -> None:
        if not DEEPEST_HOMO < self.homo < 0:
            raise InputError(
                f"the measured HOMO is {self.homo:g} hartree, which is {self.homo / electronvolt:.2f} eV",
                why=f"a valence level lies between {DEEPEST_HOMO / electronvolt:g} and 0 eV",
                fix="give it in hartree, e.g. -6.0 * electronvolt",
            )
        if self.uncertainty is not None and not 0 < self.uncertainty < math.inf:
            raise InputError(
                f"the uncertainty of the measured HOMO is {self.uncertainty:g}",
                why="it is one standard deviation in hartree",
                fix="give a positive number, or None if the source gives none",
            )


@dataclass(frozen=True)
class BandAlignment:
    """The computed level beside the measured one; `tolerance` is fixed before the comparison."""

    homo: float
    """Computed HOMO, hartree."""
    lumo: float
    """Computed LUMO, hartree."""
    ionization_energy: float
    """-HOMO (Koopmans-like), hartree."""
    reference: UPSReference
    deviation: float
    """Computed minus measured HOMO, hartree."""
    tolerance: float
    """Hartree."""
    agrees: bool
    caveat: str
