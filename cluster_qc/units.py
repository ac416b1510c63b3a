"""Units: bare names are Hartree atomic units, everything else carries its unit in its name.

Multiply on the way in, divide on the way out::

    distance = 1.35 * angstrom
    gap_in_ev = gap / electronvolt

All constants are derived from the CODATA values in `scipy.constants`.
"""

from scipy import constants as _si

_AU = _si.physical_constants

bohr_in_m: float = _AU["Bohr radius"][0]
hartree_in_j: float = _AU["Hartree energy"][0]

angstrom: float = _si.angstrom / bohr_in_m
"""One angstrom in bohr."""

electronvolt: float = _si.electron_volt / hartree_in_j
"""One electronvolt in hartree."""

kcalmol: float = _si.kilo * _si.calorie / _si.N_A / hartree_in_j
"""One kcal/mol in hartree."""

wavenumber: float = _si.h * _si.c / _si.centi / hartree_in_j
"""One reciprocal centimetre in hartree."""

kelvin: float = _si.k / hartree_in_j
"""One kelvin as an energy, k_B T, in hartree."""

debye: float = 1e-21 / _si.c / _AU["atomic unit of electric dipole mom."][0]
"""One debye in e a0."""

fine_structure: float = _si.alpha

# esu cm is 10/c (c in cm/s) coulomb metre scaled to CGS; erg/gauss is 1e-3 J/T.
_ESU_CM_PER_AU = _AU["atomic unit of electric dipole mom."][0] * _si.c * 1e3
_ERG_PER_GAUSS_PER_AU = _AU["atomic unit of mag. dipole mom."][0] * 1e3

rotatory_strength_cgs: float = 1e-40 / (_ESU_CM_PER_AU * _ERG_PER_GAUSS_PER_AU)
"""1e-40 esu^2 cm^2 (= 1e-40 erg esu cm / gauss) in atomic units of rotatory strength."""

_HC_EV_NM: float = _si.h * _si.c / _si.electron_volt / _si.nano


def wavelength_nm(energy: float) -> float:
    """Vacuum wavelength in nm of a photon of the given energy (hartree)."""
    return _HC_EV_NM / (energy / electronvolt)


def energy_from_nm(wavelength: float) -> float:
    """Photon energy in hartree of a vacuum wavelength given in nm."""
    return _HC_EV_NM / wavelength * electronvolt
