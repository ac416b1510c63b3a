"""Transition moments between the ground state and singlet excitations.

With amplitudes normalised to sum(X^2) - sum(Y^2) = 1/2 and real orbitals,

    <0|O|n> = 2 sum_ia O_ia (X + Y)_ia   for symmetric real O (r),
    <0|O|n> = 2 sum_ia O_ia (X - Y)_ia   for antisymmetric real O (d/dr, r x d/dr).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster_qc.drivers import ecp

Double = NDArray[np.float64]
Commutators = dict[int, Double]


def charge_centre(mole: Any) -> Double:
    """Centre of the nuclear charges (full charges, cores of ECPs included), bohr, (3,): the default gauge origin."""
    charges = np.array([mole.atom_charge(i) + mole.atom_nelec_core(i) for i in range(mole.natm)], dtype=float)
    return np.asarray(charges @ mole.atom_coords() / charges.sum())


def electric_dipoles(mole: Any, occupied: Double, virtual: Double, x: Double, y: Double) -> Double:
    """<0| r |n>, bohr, (nstates, 3). The origin does not matter: the transition density holds no charge."""
    with mole.with_common_orig((0.0, 0.0, 0.0)):
        integrals = mole.intor_symmetric("int1e_r", comp=3)
    return _contract(integrals, occupied, virtual, x + y)


def velocity_dipoles(
    mole: Any, occupied: Double, virtual: Double, x: Double, y: Double, potentials: Commutators
) -> Double:
    """<0| d/dr + [r, V_ECP] |n>, 1/bohr, (nstates, 3); `potentials` from `ecp.commutators`."""
    integrals = -mole.intor("int1e_ipovlp", comp=3) + ecp.velocity_term(potentials)
    return _contract(integrals, occupied, virtual, x - y)


def magnetic_dipoles(
    mole: Any,
    occupied: Double,
    virtual: Double,
    x: Double,
    y: Double,
    origin: Double,
    potentials: Commutators,
) -> Double:
    """1/2 <0| (r - origin) x d/dr |n> with the term of each ECP, (nstates, 3)."""
    with mole.with_common_orig(tuple(origin)):
        integrals = 0.5 * mole.intor("int1e_cg_irxp", comp=3, hermi=2)
    integrals = integrals + ecp.magnetic_term(mole, potentials, origin)
    return _contract(integrals, occupied, virtual, x - y)


def _contract(integrals: Double, occupied: Double, virtual: Double, amplitudes: Double) -> Double:
    matrix = np.einsum("pi,xpq,qa->xia", occupied, integrals, virtual, optimize=True)
    return np.asarray(2.0 * np.einsum("xia,nia->nx", matrix, amplitudes, optimize=True))
