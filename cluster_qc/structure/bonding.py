"""When two atoms are bonded: one rule for molecules and for crystals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import atomic_numbers, covalent_radii
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from cluster_qc.model.arrays import FloatArray
from cluster_qc.model.elements import is_metal
from cluster_qc.units import angstrom

TOLERANCE: float = 0.4
"""Added to the sum of two covalent radii (angstrom), as the Cambridge database does."""

METAL_FACTOR: float = 1.1
"""Two metals are bonded below this multiple of the sum of their covalent radii: Au-Cu 2.85 is a bond, an
aurophilic Au...Au 3.1 or Ag...Pt 3.2 angstrom alone is not and never joins two molecules. A cluster whose metals are
further apart is still one molecule through the ligands that bridge them."""

_SECONDARY = 0.15
_SECONDARY_DONORS = frozenset({"N", "O", "F", "Cl", "Br"})
"""Long bonds of metals to these, such as those along the axis of copper(II), count where the file does not say
otherwise: the Cambridge database, whose radii of the later transition metals are larger, draws them too."""

_COUNTER_IONS = frozenset({"Na", "K", "Rb", "Cs"})
_HH_BOND = 0.9
_HYDROGEN_BOND = 1.15
"""A hydrogen's second nonmetal this many times further than its first is a hydrogen bond; boranes bridge by more."""


def is_cluster_metal(symbol: str) -> bool:
    """Tell whether a metal binds ligands; Na, K, Rb and Cs count as free ions and never bind."""
    return is_metal(symbol) and symbol not in _COUNTER_IONS


def longest_bond(first: str, second: str, *, secondary: bool = False) -> float:
    """Longest bonded distance of two elements in angstrom, 0 if they never bond; `secondary` counts long bonds too."""
    if first in _COUNTER_IONS or second in _COUNTER_IONS:
        return 0.0
    if first == second == "H":
        return _HH_BOND
    radii = float(covalent_radii[atomic_numbers[first]] + covalent_radii[atomic_numbers[second]])
    if is_metal(first) and is_metal(second):
        return METAL_FACTOR * radii
    pair = {first, second}
    long = secondary and pair & _SECONDARY_DONORS and any(map(is_metal, pair))
    return radii + TOLERANCE + (_SECONDARY if long else 0.0)


def overlap_distance(first: str, second: str) -> float:
    """Below this distance in angstrom two atoms are on top of each other."""
    return 0.55 * float(covalent_radii[atomic_numbers[first]] + covalent_radii[atomic_numbers[second]])


def bonded_pairs(
    symbols: Sequence[str], positions: FloatArray, *, secondary: bool = False
) -> list[tuple[int, int]]:
    """Bonded pairs (i < j) among points in angstrom; `secondary` as for `longest_bond`.

    A hydrogen next to a nonmetal does not bind a metal too, and of two nonmetals only the nearer, unless it lies midway
    or one of them is boron.
    """
    if len(symbols) < 2:
        return []
    kinds = sorted(set(symbols))
    limit = {(a, b): longest_bond(a, b, secondary=secondary) for a in kinds for b in kinds}
    reach = max(limit.values())
    if not reach:
        return []
    pairs = cKDTree(positions).query_pairs(reach, output_type="ndarray")
    distances = np.linalg.norm(positions[pairs[:, 0]] - positions[pairs[:, 1]], axis=1)
    metal = {kind: is_metal(kind) for kind in kinds}
    found: list[tuple[int, int, float]] = []
    nearest: dict[int, float] = {}
    for (i, j), distance in zip(pairs.tolist(), distances.tolist(), strict=True):
        if distance <= limit[symbols[i], symbols[j]]:
            found.append((min(i, j), max(i, j), distance))
            for a, b in ((i, j), (j, i)):
                if symbols[a] == "H" and not metal[symbols[b]]:
                    nearest[a] = min(distance, nearest.get(a, distance))

    def holds(hydrogen: int, other: int, distance: float) -> bool:
        if symbols[hydrogen] != "H" or hydrogen not in nearest:
            return True
        if metal[symbols[other]]:
            return False
        return symbols[other] == "B" or distance <= _HYDROGEN_BOND * nearest[hydrogen]

    return sorted((i, j) for i, j, distance in found if holds(i, j, distance) and holds(j, i, distance))


def bonds(symbols: Sequence[str], coords: ArrayLike) -> list[tuple[int, int]]:
    """Bonds of a finite molecule.

    Two atoms are bonded below the sum of their covalent radii plus 0.4 angstrom, two metals below 1.1 times that sum,
    two hydrogens below 0.9 angstrom; Na, K, Rb and Cs never bond.

    Parameters
    ----------
    symbols
        Element symbols.
    coords
        Positions in bohr, (natom, 3).

    Returns
    -------
    list of tuple
        Pairs of atom indices (i < j), sorted.
    """
    return bonded_pairs(symbols, np.asarray(coords, dtype=float) / angstrom)


def neighbour_lists(natom: int, pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """For each atom the atoms bonded to it, ascending."""
    neighbours: list[list[int]] = [[] for _ in range(natom)]
    for i, j in pairs:
        neighbours[i].append(j)
        neighbours[j].append(i)
    return [sorted(atoms) for atoms in neighbours]
