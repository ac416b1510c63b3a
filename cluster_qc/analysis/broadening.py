"""Line shapes of area 1 and the prefactors between line strengths and molar absorption, derived from constants.

Gaussian-cgs definitions; both integrals run over the whole band:

    R = 3 h c 1000 ln 10 / (32 pi^3 N_A) * integral of (delta_epsilon / E) dE     = 22.965e-40 esu^2 cm^2 * ...
    f = 4 eps0 m_e c^2 ln 10 / (N_A e^2) * integral of epsilon d(wavenumber)      = 4.319e-9 * ... (L/(mol cm), 1/cm)

P. J. Stephens and N. Harada, Chirality 22, 229 (2010), 10.1002/chir.20733; L. Rosenfeld, Z. Phys. 52, 161 (1929),
10.1007/BF01342393; R. S. Mulliken, J. Chem. Phys. 7, 14 (1939), 10.1063/1.1750317.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import constants as si

from cluster_qc.errors import InputError
from cluster_qc.model.arrays import FloatArray
from cluster_qc.units import rotatory_strength_cgs, wavenumber

Shape = Literal["gaussian", "lorentzian"]

_ERG_CM_PER_J_M = 1e9
_CM3_PER_LITRE = 1e3

rotatory_prefactor_cgs: float = (
    3 * si.h * si.c * _ERG_CM_PER_J_M * _CM3_PER_LITRE * np.log(10) / (32 * np.pi**3 * si.N_A) / 1e-40
)
"""R in 1e-40 esu^2 cm^2 per integral of (delta_epsilon / E) dE in L/(mol cm): 22.965."""

oscillator_prefactor: float = (
    4 * si.epsilon_0 * si.m_e * si.c**2 * np.log(10) / (si.N_A * si.e**2) * (0.1 / si.centi)
)
"""f per integral of epsilon (L/(mol cm)) over the wavenumber (1/cm): 4.319e-9; 0.1 m^2/mol is one L/(mol cm)."""


def line_shape(offsets: ArrayLike, fwhm: float, shape: Shape = "gaussian") -> FloatArray:
    """Evaluate a line of area 1 at the given distances from its centre, in the inverse unit of `fwhm`.

    Parameters
    ----------
    offsets
        Distances from the line's centre, any shape.
    fwhm
        Full width at half maximum, in the same unit.
    shape
        "gaussian" (sigma = fwhm / sqrt(8 ln 2)) or "lorentzian" (half width fwhm / 2).

    Raises
    ------
    InputError
        For a width that is not positive, or an unknown shape.
    """
    if not (np.isfinite(fwhm) and fwhm > 0):
        raise InputError(f"fwhm is {fwhm}; a width is positive", fix="give hartree, e.g. 0.3 * electronvolt")
    x = np.asarray(offsets, dtype=float)
    if shape == "gaussian":
        sigma = fwhm / np.sqrt(8 * np.log(2))
        return np.asarray(np.exp(-0.5 * (x / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi)))
    if shape == "lorentzian":
        half = 0.5 * fwhm
        return np.asarray(half / np.pi / (x**2 + half**2))
    raise InputError(f"shape is {shape!r}; it is 'gaussian' or 'lorentzian'")


def broaden(
    energies: ArrayLike, positions: ArrayLike, strengths: ArrayLike, fwhm: float, shape: Shape = "gaussian"
) -> FloatArray:
    """Sum lines of strengths (nstates,) at positions (nstates,), seen at energies (npoint,): (npoint,)."""
    offsets = np.asarray(energies, dtype=float)[:, None] - np.asarray(positions, dtype=float)[None]
    return np.asarray(line_shape(offsets, fwhm, shape) @ np.asarray(strengths, dtype=float))


def delta_epsilon(energies: ArrayLike, density: ArrayLike) -> FloatArray:
    """Convert the rotatory strength per energy (atomic units) at photon energies in hartree to CD in L/(mol cm)."""
    return np.asarray(
        np.asarray(energies, dtype=float)
        * np.asarray(density, dtype=float)
        / (rotatory_prefactor_cgs * rotatory_strength_cgs)
    )


def epsilon(density: ArrayLike) -> FloatArray:
    """Convert to the molar absorption coefficient in L/(mol cm) from the oscillator strength per energy (1/hartree)."""
    return np.asarray(np.asarray(density, dtype=float) * wavenumber / oscillator_prefactor)
