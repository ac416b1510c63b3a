"""Oscillator strengths, rotatory strengths and dissymmetry factors.

The moments of `ExcitedStates` are <0| r |n>, <0| d/dr |n> and 1/2 <0| (r - O) x d/dr |n>, real. With the electron's
charge -1 the electric moment is mu = -r, the magnetic one m = -1/2 (r - O) x p, p = -i d/dr, and Rosenfeld's

    R = Im <0|mu|n> . <n|m|0> = + electric . magnetic                 (length)
      = + velocity . magnetic / E,   since velocity = E electric      (velocity; exact states)

L. Rosenfeld, Z. Phys. 52, 161 (1929), 10.1007/BF01342393; A. E. Hansen and T. D. Bouman, Adv. Chem. Phys. 44, 545
(1980), 10.1002/9780470142646.ch4. PySCF's `transition_magnetic_dipole` is the transposed element <n| r x d/dr |0>
without the 1/2, hence -2 times `magnetic` here, and there
R(length) = -1/2 transition_dipole . transition_magnetic_dipole.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cluster_qc.errors import InputError, NotConvergedError, UnavailableError
from cluster_qc.model import ExcitedStates
from cluster_qc.model.arrays import FloatArray, frozen
from cluster_qc.units import fine_structure

Gauge = Literal["length", "velocity"]

_DARK = 1e-10
"""Dipole strength (atomic units) below which a dissymmetry factor is numerical noise."""


def transition_magnetic_dipoles(states: ExcitedStates, origin: ArrayLike | None = None) -> FloatArray:
    """Return 1/2 <0| (r - O) x d/dr |n> about `origin`, atomic units, (nstates, 3).

    Parameters
    ----------
    states
        Singlet excitations.
    origin
        O in bohr, (3,); None keeps the origin the moments were computed with, `states.gauge_origin`.
        Another one follows from the exact law magnetic(O') = magnetic(O) - 1/2 (O' - O) x velocity.

    Raises
    ------
    UnavailableError
        For triplets, and for another origin when the velocity moments are missing (E times the length moment is not
        a substitute: it differs in a finite basis, which is what an origin test is there to show).
    """
    magnetic = states.require("magnetic")
    if origin is None:
        return magnetic
    target = frozen(origin, (3,), "origin")
    if states.gauge_origin is None:
        raise UnavailableError("the magnetic moments came without their origin, so it cannot be moved")
    step = target - states.gauge_origin
    if not np.abs(step).max() > 1e-12:
        return magnetic
    if states.velocity is None:
        raise UnavailableError(
            "the origin of the magnetic transition dipoles cannot be moved for these states",
            why="the shift needs the velocity transition dipoles, which are missing",
            fix="leave origin out, or compute the states with that origin",
        )
    return np.asarray(magnetic - 0.5 * np.cross(step, states.velocity))


def rotatory_strengths(
    states: ExcitedStates,
    gauge: Gauge = "length",
    origin: ArrayLike | None = None,
    *,
    allow_unconverged: bool = False,
) -> FloatArray:
    """Compute rotatory strengths, atomic units, (nstates,); divide by `units.rotatory_strength_cgs` for 1e-40 cgs.

    Positive means that left circularly polarised light is absorbed more.

    Parameters
    ----------
    states
        Singlet excitations.
    gauge
        "length" depends on the origin in a finite basis, "velocity" does not.
    origin
        Origin of the magnetic moment in bohr, (3,); None takes the stored one. It changes the length form only.
    allow_unconverged
        Take unconverged states along.

    Raises
    ------
    UnavailableError
        For triplets, and for moments that were not computed.
    NotConvergedError
        If a state did not converge, unless `allow_unconverged`.
    InputError
        For an unknown gauge.
    """
    _check(states, gauge, allow_unconverged)
    magnetic = transition_magnetic_dipoles(states, origin)
    return np.asarray((electric_dipoles(states, gauge) * magnetic).sum(axis=1))


def dissymmetry_factors(
    states: ExcitedStates,
    gauge: Gauge = "length",
    origin: ArrayLike | None = None,
    *,
    allow_unconverged: bool = False,
) -> FloatArray:
    """Compute dissymmetry factors g = (eps_L - eps_R)/(eps_L + eps_R) * 2 = 4 R/D, dimensionless, (nstates,).

    R and D are in the same gauge; in atomic units g = 4 alpha R/D, since a Gaussian magnetic moment is alpha times
    the one in atomic units used here. Where the state is dark (D below 1e-10 a.u.) g has no value and is NaN.
    Parameters and errors as in `rotatory_strengths`.
    """
    strengths = rotatory_strengths(states, gauge, origin, allow_unconverged=allow_unconverged)
    dipole = (electric_dipoles(states, gauge) ** 2).sum(axis=1)
    factors = np.full(len(states), np.nan)
    bright = dipole > _DARK
    factors[bright] = 4.0 * fine_structure * strengths[bright] / dipole[bright]
    return factors


def oscillator_strengths(
    states: ExcitedStates,
    form: Literal["length", "velocity", "mixed"] = "length",
    *,
    allow_unconverged: bool = False,
) -> FloatArray:
    """Compute oscillator strengths with `velocity` for d/dr, dimensionless, (nstates,).

    "length" is 2/3 E |<0|r|n>|^2, "velocity" 2/3 |<0|d/dr|n>|^2 / E, "mixed" 2/3 <0|r|n> . <0|d/dr|n>, which needs no
    energy and may be negative. They agree in full TDDFT with a complete basis; how far they are apart tells how good
    the moments of a state are.

    Raises
    ------
    UnavailableError
        For triplets, and for moments that were not computed.
    NotConvergedError
        If a state did not converge, unless `allow_unconverged`.
    InputError
        For an unknown form.
    """
    if form not in ("length", "velocity", "mixed"):
        raise InputError(f"form is {form!r}; it is 'length', 'velocity' or 'mixed'")
    check_converged(states, allow_unconverged)
    left = electric_dipoles(states, "velocity" if form == "velocity" else "length")
    right = electric_dipoles(states, "length" if form == "length" else "velocity")
    return np.asarray(2 / 3 * states.excitation_energies * (left * right).sum(axis=1))


def electric_dipoles(states: ExcitedStates, gauge: Gauge = "length") -> FloatArray:
    """Return <0| r |n>, or its velocity form <0| d/dr |n>/E, bohr, (nstates, 3).

    Raises
    ------
    UnavailableError
        For triplets, and for moments that were not computed.
    """
    if gauge == "length":
        return states.require("electric")
    return np.asarray(states.require("velocity") / states.excitation_energies[:, None])


def check_converged(states: ExcitedStates, allow_unconverged: bool = False) -> None:
    """Refuse states that did not converge.

    Raises
    ------
    NotConvergedError
        If a state, or the ground state below it, did not converge, unless `allow_unconverged`.
    """
    if allow_unconverged:
        return
    if not states.ground.converged:
        raise NotConvergedError(
            "the ground state of these excitations did not converge",
            why="nothing computed on top of it means anything",
            fix="converge the ground state first, or pass allow_unconverged=True to look all the same",
        )
    if not states.converged.all():
        labels = ", ".join(state.label for state in states if not state.converged)
        raise NotConvergedError(
            f"{labels} did not converge",
            why="an unconverged root can have the moments of another state, of either sign",
            fix="run with more cycles, or pass allow_unconverged=True to look all the same",
        )


def _check(states: ExcitedStates, gauge: str, allow_unconverged: bool) -> None:
    if gauge not in ("length", "velocity"):
        raise InputError(f"gauge is {gauge!r}; it is 'length' or 'velocity'")
    check_converged(states, allow_unconverged)
