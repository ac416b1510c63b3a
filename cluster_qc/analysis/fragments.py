"""Loewdin populations: how orbitals share out over fragments, elements and metal.

P. O. Loewdin, J. Chem. Phys. 18, 365 (1950), 10.1063/1.1747632.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster, GroundState
from cluster_qc.model.arrays import FloatArray
from cluster_qc.model.elements import is_metal

_REST = "rest"
_SQRT_OVERLAPS: WeakKeyDictionary[GroundState, FloatArray] = WeakKeyDictionary()


@dataclass(frozen=True)
class Shares:
    """Where an orbital, or a weighted set of orbitals, sits; each mapping sums to 1."""

    fragments: dict[str, float]
    """Share of every fragment in the cluster's order, then "rest" if an atom is in none; empty without fragments."""
    elements: dict[str, float]
    """Share of every element, in the order of first appearance in the cluster."""

    @property
    def metal(self) -> float:
        """Share of all metal atoms together."""
        return sum(share for symbol, share in self.elements.items() if is_metal(symbol))


def sqrt_overlap(ground: GroundState) -> FloatArray:
    """Return the symmetric square root of the AO overlap, (nao, nao), computed once per ground state.

    Raises
    ------
    InputError
        If the overlap has an eigenvalue that is clearly negative, which no set of functions has.
    """
    root = _SQRT_OVERLAPS.get(ground)
    if root is None:
        eigenvalues, vectors = np.linalg.eigh(ground.overlap)
        if eigenvalues[0] < -1e-8 * eigenvalues[-1]:
            raise InputError(
                f"the AO overlap has the eigenvalue {eigenvalues[0]:.1e}",
                why="an overlap matrix is never negative, so the stored arrays are damaged",
                fix="run the ground state again",
            )
        root = (vectors * np.sqrt(eigenvalues.clip(min=0.0))) @ vectors.T
        root.setflags(write=False)
        _SQRT_OVERLAPS[ground] = root
    return root


def fragment_names(cluster: Cluster) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """List the names of the fragments and, for each atom, the index of its own: ((nfragment,), (natom,)).

    Fragments of one name are one; atoms in none belong to a last one, "rest", which exists only where it is needed.
    """
    names = list(dict.fromkeys(fragment.name for fragment in cluster.fragments))
    owner = {atom: names.index(f.name) for f in cluster.fragments for atom in f.atoms}
    if len(owner) < cluster.natom and _REST not in names:
        names.append(_REST)
    return tuple(names), tuple(
        owner[atom] if atom in owner else names.index(_REST) for atom in range(cluster.natom)
    )


def shares_of_atoms(cluster: Cluster, populations: ArrayLike) -> Shares:
    """Add up atomic populations, (natom,), by fragment and by element, normalised to the sum 1.

    Raises
    ------
    InputError
        If the populations do not sum to a positive number.
    """
    atoms = np.asarray(populations, dtype=float)
    total = float(atoms.sum())
    if not total > 0:
        raise InputError("the populations sum to zero, so there are no shares; the orbitals are empty")
    atoms = atoms / total
    names, owner = fragment_names(cluster)
    by_fragment = np.bincount(owner, weights=atoms, minlength=len(names))
    symbols = np.array(cluster.symbols)
    return Shares(
        fragments=dict(zip(names, by_fragment.tolist(), strict=True)) if cluster.fragments else {},
        elements={s: float(atoms[symbols == s].sum()) for s in dict.fromkeys(cluster.symbols)},
    )


def atomic_populations(
    ground: GroundState, orbitals: ArrayLike, weights: ArrayLike | None = None
) -> FloatArray:
    """Compute Loewdin populations of the atoms, (natom,), summed over orbitals with their weights.

    Parameters
    ----------
    ground
        Gives the AO overlap and the atom of each AO.
    orbitals
        AO coefficients, (nao,) or (nao, n).
    weights
        One weight per orbital, (n,), not negative; None weighs all the same.

    Raises
    ------
    InputError
        If a shape does not fit, or a weight is negative.
    """
    columns = np.asarray(orbitals, dtype=float)
    columns = columns.reshape(-1, 1) if columns.ndim == 1 else columns
    nao = len(ground.ao_atoms)
    if columns.ndim != 2 or columns.shape[0] != nao:
        raise InputError(f"the orbitals have shape {columns.shape}; {nao} AOs need ({nao}, n)")
    weight = np.ones(columns.shape[1]) if weights is None else np.asarray(weights, dtype=float)
    if weight.shape != (columns.shape[1],):
        raise InputError(f"{columns.shape[1]} orbitals came with weights of shape {weight.shape}")
    if (weight < 0).any():
        raise InputError("a weight is negative, so the result would be no share")
    by_ao = (sqrt_overlap(ground) @ columns) ** 2 @ weight
    atoms = np.zeros(ground.cluster.natom)
    np.add.at(atoms, ground.ao_atoms, by_ao)
    return atoms


def orbital_shares(ground: GroundState, orbitals: ArrayLike, weights: ArrayLike | None = None) -> Shares:
    """Compute shares of a set of orbitals by fragment and by element; parameters as in `atomic_populations`."""
    return shares_of_atoms(ground.cluster, atomic_populations(ground, orbitals, weights))


def frontier_shares(ground: GroundState) -> dict[str, Shares]:
    """Compute shares of the highest occupied and the lowest unoccupied orbital: keys "homo" and "lumo".

    Of an unrestricted ground state the spin that holds the frontier orbital is taken.
    """
    energies, occupied = ground.orbital_energies, ground.occupations > 0
    homo = np.unravel_index(np.where(occupied, energies, -np.inf).argmax(), energies.shape)
    lumo = np.unravel_index(np.where(occupied, np.inf, energies).argmin(), energies.shape)
    return {
        name: orbital_shares(ground, ground.coefficients[spin][:, index])
        for name, (spin, index) in (("homo", homo), ("lumo", lumo))
    }
