"""What to compute: the ground-state and the excited-state method."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Any, Literal

from cluster_qc.errors import InputError
from cluster_qc.units import electronvolt

WIDEST_WINDOW = 1.0
"""Hartree (27 eV), above the first excitation of every element, helium's at 0.8; eV in place of hartree are more."""


@dataclass(frozen=True)
class DFTMethod:
    """A Kohn-Sham (or Hartree-Fock) ground-state method.

    Raises
    ------
    InputError
        For a value of another type, or a threshold, cycle number or grid level out of range. Names of functionals,
        basis sets and ECPs are checked against the molecule when the calculation starts, before anything expensive.
    """

    functional: str
    """libxc/PySCF name, e.g. "pbe0", "cam-b3lyp"; "hf" for Hartree-Fock."""
    basis: str = "def2-svp"
    """A name that PySCF knows, or a file in NWChem's format, named with its folder ("./own.nw")."""
    basis_overrides: tuple[tuple[str, str], ...] = ()
    """(element, basis) pairs, e.g. (("Au", "def2-tzvp"), ("S", "def2-tzvp")), or a dict; kept in alphabetical order."""
    ecp: str | None = "auto"
    """Effective core potential: "auto" takes the one that belongs to the basis set (none for light elements),
    None asks for all electrons, a name asks for that ECP on every element that has it."""
    auxiliary_basis: str = "def2-universal-jkfit"
    """Fitting basis of Coulomb and exchange integrals, in the SCF and in the response."""
    omega: float | None = None
    """Range separation of a range-separated hybrid in 1/bohr; None takes the functional's own."""
    permittivity: float | None = None
    """Relative permittivity of a dielectric continuum around the molecule (IEF-PCM, see `drivers/continuum`), 1 or
    more; None is vacuum."""
    dispersion: Literal["d3bj", "d4"] | None = None
    """Dispersion correction of the energy; it does not touch orbitals or excitations."""
    grid_level: int = 3
    """PySCF grid level, 0 (coarse) to 9."""
    cartesian: bool = False
    conv_tol: float = 1e-8
    """SCF energy threshold in hartree."""
    max_cycle: int = 100
    """Of plain DIIS; if it does not converge, each fallback has as many again, and second-order SCF 30."""

    def __post_init__(self) -> None:
        for name in ("functional", "basis", "ecp", "auxiliary_basis"):
            value = getattr(self, name)
            if not isinstance(value, str) and not (name == "ecp" and value is None):
                raise InputError(
                    f"{name} is {value!r}",
                    why="it is one name, for all elements",
                    fix='e.g. basis="def2-svp"; other basis sets by element: basis_overrides={"Au": "def2-tzvp"}',
                )
        try:
            pairs = dict(self.basis_overrides)
            named = all(isinstance(text, str) for pair in pairs.items() for text in pair)
        except (TypeError, ValueError):
            named = False
        if not named:
            raise InputError(
                f"basis_overrides is {self.basis_overrides!r}",
                why="it holds pairs of an element and the name of a basis set",
                fix='e.g. (("Au", "def2-tzvp"),)',
            )
        object.__setattr__(self, "basis_overrides", tuple(sorted(pairs.items())))
        object.__setattr__(self, "functional", self.functional.strip())
        if not self.functional:
            raise InputError("the functional has no name", fix='give one, e.g. functional = "pbe0"')
        if self.omega is not None and not 0.01 <= self.omega <= 2:
            raise InputError(f"omega is {self.omega}; it is a range separation in 1/bohr from 0.01 to 2")
        if self.permittivity is not None and not 1 <= self.permittivity < math.inf:
            raise InputError(
                f"the permittivity is {self.permittivity}; it is relative to vacuum, so 1 or more",
                fix="give that of the film, about 3 for an organic one, or leave it away for vacuum",
            )
        if self.dispersion not in (None, "d3bj", "d4"):
            raise InputError(f"dispersion is {self.dispersion!r}; it is 'd3bj', 'd4' or None")
        _whole(self, "grid_level", 0, 9)
        if not 0 < self.conv_tol < 1e-3:
            raise InputError(f"conv_tol is {self.conv_tol}; it is an energy in hartree below 1e-3")
        _whole(self, "max_cycle", 1)

    @property
    def level(self) -> str:
        """Functional and basis set as one writes them, "pbe0/def2-svp"; of a basis set that is a file, its name."""
        return f"{self.functional}/{self.basis.rpartition('/')[2]}"


@dataclass(frozen=True)
class TDDFTMethod:
    """A linear-response method for vertical excitations of a closed-shell ground state.

    Raises
    ------
    InputError
        For a number of states, a window or a threshold out of range, or if both or neither of `nstates` and
        `window` are given.
    """

    nstates: int | None = None
    """Number of lowest states; give this or `window`."""
    window: float | None = None
    """All states up to this excitation energy, hartree; the lowest one in any case."""
    spin: Literal["singlet", "triplet"] = "singlet"
    tda: bool = False
    """Tamm-Dancoff approximation; the default is full TDDFT (RPA)."""
    route: Literal["fast", "reference"] = "reference"
    """The reference route iterates the residual of every root below `tolerance`; the fast one does so for the lowest
    root only and takes the others from a cheap model and, as a rule, one pass of the full operator: iteration ends
    where the estimated error of the energy is below 5 meV."""
    tolerance: float = 1e-4
    """Residual norm of each root in hartree. The error of an excitation energy is second order in it, that of a moment
    first order: with 1e-3 rotatory strengths of 20 states of methyloxirane (HF/6-31+G*) are off by up to 0.29 of 14.8
    (1e-40 esu^2 cm^2) from those with 1e-5, the energies by 0.02 meV. The presets of a run have their own."""
    frozen_below: float | None = None
    """Occupied orbitals below this energy (hartree) stay frozen; None correlates them all."""
    virtual_above: float | None = None
    """Virtual orbitals above this energy (hartree) are left out; None takes them all."""
    exchange_rank: float = 1.0
    """Share of auxiliary functions kept for the exchange (natural auxiliary functions); 1 keeps them all."""
    grid_level: int | None = None
    """PySCF grid level of the response kernel; None takes the ground state's. That of a meta-GGA is always on the
    ground state's: level 1 would cost 4 meV (SCAN 46)."""
    max_cycle: int = 60

    def __post_init__(self) -> None:
        if (self.nstates is None) == (self.window is None):
            raise InputError(
                "give either nstates or window" + ("" if self.nstates is None else ", not both"),
                why="one of them says how many excited states to compute",
                fix="e.g. nstates=20, or window=5.5 * electronvolt",
            )
        if self.window is not None and not 0 < self.window < WIDEST_WINDOW:
            raise InputError(
                f"window is {self.window:g} hartree, which is {self.window / electronvolt:.1f} eV",
                why=f"it is an excitation energy between 0 and {WIDEST_WINDOW / electronvolt:.1f} eV, in hartree",
                fix="give hartree, e.g. 5.5 * electronvolt",
            )
        if self.nstates is not None:
            _whole(self, "nstates", 1)
        if self.grid_level is not None:
            _whole(self, "grid_level", 0, 9)
        if self.spin not in ("singlet", "triplet"):
            raise InputError(f"spin is {self.spin!r}; it is 'singlet' or 'triplet'")
        if self.route not in ("fast", "reference"):
            raise InputError(f"route is {self.route!r}; it is 'fast' or 'reference'")
        if not 0 < self.tolerance < 0.1:
            raise InputError(f"tolerance is {self.tolerance}; it is a residual in hartree between 0 and 0.1")
        if not 0 < self.exchange_rank <= 1:
            raise InputError(f"exchange_rank is {self.exchange_rank}; it is a share between 0 and 1")
        _whole(self, "max_cycle", 1)


def _whole(method: DFTMethod | TDDFTMethod, name: str, least: int, most: int | None = None) -> None:
    """Refuse a setting that is no whole number in its range."""
    value: Any = getattr(method, name)
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or (most is not None and number > most):
        raise InputError(
            f"{name} is {value!r}",
            why="it is a whole number",
            fix=f"give {least} or more" if most is None else f"give {least} to {most}",
        )
    object.__setattr__(method, name, number)  # of NumPy's integers, that of Python
