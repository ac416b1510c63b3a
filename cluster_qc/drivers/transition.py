"""Transition moments between the ground state and singlet excitations.

With amplitudes normalised to sum(X^2) - sum(Y^2) = 1/2 and real orbitals,

    <0|O|n> = 2 sum_ia O_ia (X + Y)_ia   for symmetric real O (r),
    <0|O|n> = 2 sum_ia O_ia (X - Y)_ia   for antisymmetric real O (d/dr, r x d/dr).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cluster_qc.drivers import ecp
from cluster_qc.drivers.mole import build_mole
from cluster_qc.model import GroundState, MomentIntegrals
from cluster_qc.model.arrays import frozen

Double = NDArray[np.float64]
Commutators = dict[int, Double]


def charge_centre(mole: Any) -> Double:
    """Centre of the nuclear charges (full charges, cores of ECPs included), bohr, (3,): the default gauge origin."""
    charges = np.array([mole.atom_charge(i) + mole.atom_nelec_core(i) for i in range(mole.natm)], dtype=float)
    return np.asarray(charges @ mole.atom_coords() / charges.sum())


def moment_integrals(ground: GroundState, origin: ArrayLike | None = None) -> MomentIntegrals:
    """Compute the integrals of the moment operators between the AOs of a ground state.

    Parameters
    ----------
    ground
        Gives molecule and basis.
    origin
        Of the position and of the magnetic moment, bohr, (3,); None takes the centre of the nuclear charges.
    """
    mole = build_mole(ground.cluster, ground.method)
    where = charge_centre(mole) if origin is None else frozen(origin, (3,), "origin")
    potentials = ecp.commutators(mole)
    return MomentIntegrals(
        position=_position(mole, where),
        velocity=_velocity(mole, potentials),
        magnetic=_magnetic(mole, where, potentials),
        origin=where,
    )


def electric_dipoles(mole: Any, occupied: Double, virtual: Double, x: Double, y: Double) -> Double:
    """<0| r |n>, bohr, (nstates, 3). The origin does not matter: the transition density holds no charge."""
    return _contract(_position(mole, np.zeros(3)), occupied, virtual, x + y)


def velocity_dipoles(
    mole: Any, occupied: Double, virtual: Double, x: Double, y: Double, potentials: Commutators
) -> Double:
    """<0| d/dr + [r, V_ECP] |n>, 1/bohr, (nstates, 3); `potentials` from `ecp.commutators`."""
    return _contract(_velocity(mole, potentials), occupied, virtual, x - y)


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
    return _contract(_magnetic(mole, origin, potentials), occupied, virtual, x - y)


def _position(mole: Any, origin: Double) -> Double:
    with mole.with_common_orig(tuple(origin)):
        return np.asarray(mole.intor_symmetric("int1e_r", comp=3))


def _velocity(mole: Any, potentials: Commutators) -> Double:
    return np.asarray(-mole.intor("int1e_ipovlp", comp=3) + ecp.velocity_term(potentials))


def _magnetic(mole: Any, origin: Double, potentials: Commutators) -> Double:
    with mole.with_common_orig(tuple(origin)):
        integrals = 0.5 * mole.intor("int1e_cg_irxp", comp=3, hermi=2)
    return np.asarray(integrals + ecp.magnetic_term(mole, potentials, origin))


def _contract(integrals: Double, occupied: Double, virtual: Double, amplitudes: Double) -> Double:
    matrix = np.einsum("pi,xpq,qa->xia", occupied, integrals, virtual, optimize=True)
    return np.asarray(2.0 * np.einsum("xia,nia->nx", matrix, amplitudes, optimize=True))
