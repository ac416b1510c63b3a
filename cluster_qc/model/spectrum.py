"""Simulated spectra with the sticks they were made from, and measured ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cluster_qc.errors import InputError
from cluster_qc.model.arrays import FloatArray, frozen
from cluster_qc.units import electronvolt

WIDEST_BAND = 2.5 * electronvolt
LARGEST_SHIFT = 2.5 * electronvolt
"""Hartree, either way. A method that is off by more has other states than the molecule."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Absorption or circular dichroism against photon energy."""

    kind: Literal["absorption", "cd"]
    energies: FloatArray
    """Photon energies, hartree, ascending, (npoint,)."""
    values: FloatArray
    """epsilon (absorption) or delta_epsilon = epsilon_L - epsilon_R (cd), L/(mol cm), (npoint,)."""
    stick_energies: FloatArray
    """Excitation energies, hartree, the shift not applied, (nstates,)."""
    stick_strengths: FloatArray
    """Oscillator strengths (absorption, dimensionless) or rotatory strengths (cd, atomic units), (nstates,)."""
    shape: Literal["gaussian", "lorentzian"]
    fwhm: float
    """Full width at half maximum, hartree."""
    shift: float = 0.0
    """Added to every excitation energy before broadening, hartree."""
    shift_origin: str = "none"
    """Where the shift comes from: "none", "given", or what it was fitted on."""
    gauge: str = "length"
    remarks: tuple[str, ...] = ()
    uncertainty: FloatArray | None = None
    """One standard deviation of `values`, (npoint,); None if it was not estimated."""
    sample: str = "one geometry"
    """What the spectrum stands for, e.g. a film or a solution; see `conformers`."""

    def __post_init__(self) -> None:
        n = len(self.energies)
        m = len(self.stick_energies)
        for name, size in (
            ("energies", n),
            ("values", n),
            ("stick_energies", m),
            ("stick_strengths", m),
        ):
            object.__setattr__(self, name, frozen(getattr(self, name), (size,), name))
        if self.uncertainty is not None:
            object.__setattr__(self, "uncertainty", frozen(self.uncertainty, (n,), "uncertainty"))
        if self.fwhm <= 0:
            raise InputError(f"fwhm is {self.fwhm}; a width is positive")
        if n > 1 and not (np.diff(self.energies) > 0).all():
            raise InputError("the energies of a spectrum must ascend")

    def __repr__(self) -> str:
        width = f"fwhm {self.fwhm / electronvolt:.2f} eV"
        return f"<{self.kind} of {len(self.stick_energies)} lines, {width}, {self.sample}>"

    def with_values(self, values: FloatArray) -> Spectrum:
        """A copy with other values on the same energies."""
        return replace(self, values=values)


@dataclass(frozen=True, eq=False)
class MeasuredSpectrum:
    """A measured absorption or circular dichroism curve against photon energy."""

    kind: Literal["absorption", "cd"]
    energies: FloatArray
    """Photon energies, hartree, ascending, (npoint,)."""
    values: FloatArray
    """epsilon or delta_epsilon in L/(mol cm), or, if `relative`, something proportional to it, (npoint,)."""
    relative: bool = False
    """True if only the shape means something: a film, or a solution of unknown concentration or path length."""
    source: str = ""
    """The file, or a citation."""
    remarks: tuple[str, ...] = ()
    """Every assumption made when it was read."""

    def __post_init__(self) -> None:
        n = len(self.energies)
        for name in ("energies", "values"):
            object.__setattr__(self, name, frozen(getattr(self, name), (n,), name))
        if n < 2 or not self.energies[0] > 0 or not (np.diff(self.energies) > 0).all():
            raise InputError("the energies of a measured curve must be positive and ascend")

    def __repr__(self) -> str:
        return f"<measured {self.kind}, {len(self.energies)} points, {self.source or 'no source'}>"
