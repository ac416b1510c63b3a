"""Commutators of effective core potentials with the position, for velocity and magnetic transition moments.

A semilocal potential V does not commute with r, so that [r, H] = d/dr + [r, V]: the velocity form of a transition
moment needs the second term (A. F. Starace, Phys. Rev. A 3, 1242 (1971), 10.1103/PhysRevA.3.1242). V_A of an atom A
commutes with the angular momentum about A; in a magnetic field this leaves 1/2 (R_A - O) x [r, V_A] to add to
1/2 (r - O) x d/dr (C. J. Pickard and F. Mauri, Phys. Rev. Lett. 91, 196401 (2003), 10.1103/PhysRevLett.91.196401).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyscf import gto

Double = NDArray[np.float64]

# libcint's angular factors of Cartesian s and p functions; from d on there is none.
_ANGULAR = (np.sqrt(1 / (4 * np.pi)), np.sqrt(3 / (4 * np.pi)))


def commutators(mole: Any) -> dict[int, Double]:
    """[r, V_A] between AOs for each atom A with an ECP, {A: (3, nao, nao)}, real and antisymmetric, hartree bohr."""
    if not mole.has_ecp():
        return {}
    both, raising = _with_raised_shells(mole)
    shells = int(mole.nbas)
    to_ao = np.eye(mole.nao) if mole.cart else mole.cart2sph_coeff(normalized="sp")
    centres = np.repeat(_shell_centres(mole), _cartesian_sizes(mole._bas), axis=0)
    found = {}
    for atom in np.unique(mole._ecpbas[:, gto.ATOM_OF]):
        both._ecpbas = mole._ecpbas[mole._ecpbas[:, gto.ATOM_OF] == atom]
        plain = both.intor("ECPscalar", shls_slice=(0, shells, 0, shells))
        raised = both.intor("ECPscalar", shls_slice=(shells, 2 * shells, 0, shells))
        matrices = []
        for axis in range(3):
            moved = raising[axis] @ raised + centres[:, axis, None] * plain  # <x mu| V |nu>
            matrices.append(to_ao.T @ (moved - moved.T) @ to_ao)
        found[int(atom)] = np.array(matrices)
    return found


def velocity_term(parts: dict[int, Double]) -> Double | float:
    """Sum over atoms of [r, V_A], (3, nao, nao); 0 without ECPs."""
    return sum(parts.values())


def magnetic_term(mole: Any, parts: dict[int, Double], origin: Double) -> Double | float:
    """Sum over atoms of 1/2 (R_A - origin) x [r, V_A], (3, nao, nao); 0 without ECPs."""
    return sum(
        0.5 * np.cross((mole.atom_coord(atom) - origin)[:, None, None], matrices, axis=0)
        for atom, matrices in parts.items()
    )


def _with_raised_shells(mole: Any) -> tuple[Any, list[Double]]:
    """A Cartesian molecule with a second shell of l + 1 for each one of l, of the same radial part.

    With it the matrices that make (x - A_x) mu, (y - A_y) mu, (z - A_z) mu out of those, (ncartesian, nraised) each.
    """
    higher = mole._bas.copy()
    higher[:, gto.ANG_OF] += 1
    both = mole.copy()
    both.cart = True
    both._bas = np.vstack([mole._bas, higher])
    rows, columns = _cartesian_sizes(mole._bas), _cartesian_sizes(higher)
    raising = [np.zeros((rows.sum(), columns.sum())) for _ in range(3)]
    row = column = 0
    for momentum, contractions in mole._bas[:, [gto.ANG_OF, gto.NCTR_OF]].tolist():
        factor = _factor(momentum) / _factor(momentum + 1)
        powers = _powers(momentum)
        raised = {power: k for k, power in enumerate(_powers(momentum + 1))}
        for _ in range(contractions):
            for k, power in enumerate(powers):
                for axis in range(3):
                    target = tuple(n + (axis == m) for m, n in enumerate(power))
                    raising[axis][row + k, column + raised[target]] = factor
            row += len(powers)
            column += len(raised)
    return both, raising


def _factor(momentum: int) -> float:
    return float(_ANGULAR[momentum]) if momentum < len(_ANGULAR) else 1.0


def _powers(momentum: int) -> list[tuple[int, ...]]:
    """Exponents of x, y, z in libcint's order."""
    pairs = [(i, j) for i in range(momentum, -1, -1) for j in range(momentum - i, -1, -1)]
    return [(i, j, momentum - i - j) for i, j in pairs]


def _cartesian_sizes(bas: NDArray[np.int32]) -> NDArray[np.int64]:
    momentum = bas[:, gto.ANG_OF].astype(np.int64)
    return np.asarray((momentum + 1) * (momentum + 2) // 2 * bas[:, gto.NCTR_OF])


def _shell_centres(mole: Any) -> Double:
    return np.asarray(mole.atom_coords()[mole._bas[:, gto.ATOM_OF]])
