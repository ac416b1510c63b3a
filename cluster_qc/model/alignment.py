"""A measured occupied level and its comparison with a computed one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UPSReference:
    """A HOMO measured by ultraviolet photoelectron spectroscopy, against the vacuum level."""

    homo: float
    """Hartree, negative."""
    uncertainty: float | None = None
    """One standard deviation, hartree; None if the source gives none."""
    reference_level: str = "vacuum"
    source: str = ""


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
