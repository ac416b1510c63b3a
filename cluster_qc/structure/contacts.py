"""Contacts of a cluster's metals closer than van der Waals: within the cluster, and to what surrounds it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers, vdw_radii
from scipy.spatial import cKDTree

from cluster_qc.structure.bonding import bonded_pairs, is_cluster_metal, longest_bond, neighbour_lists
from cluster_qc.structure.molecule import CellAtoms, Molecule, images_near

_BONDS_APART = 3
"""A ligand atom this many bonds from a metal or fewer is close because of the bonds."""

_SECONDARY = 0.35
_DONORS = frozenset({"N", "O", "F", "P", "S", "Cl", "As", "Se", "Br", "Te", "I"})
"""Atoms that join metals to chains and nets where they are less than this beyond a bond (angstrom), as the long axes
of copper(II) and the secondary bonds of lead do."""

_BONDI = frozenset(
    "H He C N O F Ne Si P S Cl Ar As Se Br Kr Te I Xe Ni Cu Zn Pd Ag Cd Pt Au Hg Ga In Tl Sn Pb Li Na K Mg U".split()
)
RADII_SOURCE = "van der Waals radii of A. Bondi, J. Phys. Chem. 68, 441 (1964), 10.1021/j100785a001"


@dataclass(frozen=True)
class MetalContact:
    """A metal and an atom not bonded to it, closer than the sum of their van der Waals radii."""

    pair: str
    """The metal first, e.g. "Au...S"; two metals by the alphabet."""
    distance_angstrom: float
    radii_sum_angstrom: float
    where: str
    """Inside the cluster, or to a neighbouring molecule or ion."""


_NEAR_METAL = 0.15
"""The same for two metals of a kind that is bonded within the molecule. Between Cu, Ag and Au such distances are
metallophilic contacts, common between molecules."""
_COINAGE = frozenset({"Cu", "Ag", "Au"})


def vdw_sum(first: str, second: str) -> float:
    """Sum of two van der Waals radii in angstrom, nan where Bondi gives none."""
    if first not in _BONDI or second not in _BONDI:
        return math.nan
    return float(vdw_radii[atomic_numbers[first]] + vdw_radii[atomic_numbers[second]])


def nearly_bonded(cell: CellAtoms, molecule: Molecule) -> list[tuple[str, float]]:
    """Contacts of metals to neighbours hardly longer than a bond, shortest first: (pair, distance in angstrom)."""
    metals = [i for i, symbol in enumerate(molecule.symbols) if is_cluster_metal(symbol)]
    limits = {
        (m, d): longest_bond(m, d) + _SECONDARY
        for m in {molecule.symbols[i] for i in metals}
        for d in _DONORS
    }
    for i, j in bonded_pairs(molecule.symbols, molecule.positions):
        pair = (molecule.symbols[i], molecule.symbols[j])
        if all(map(is_cluster_metal, pair)) and not _COINAGE.issuperset(pair):
            limits[pair] = limits[pair[::-1]] = longest_bond(*pair) + _NEAR_METAL
    atoms, points = images_near(cell, molecule.positions[metals], max(limits.values()))
    outside = cKDTree(molecule.positions).query(points, distance_upper_bound=0.01)[0] > 0.01
    found = []
    for i in metals:
        distances = np.linalg.norm(points - molecule.positions[i], axis=1)
        for k in np.flatnonzero(outside):
            pair = (molecule.symbols[i], cell.symbols[atoms[k]])
            if distances[k] < limits.get(pair, 0.0):
                found.append(("...".join(pair), float(distances[k])))
    return sorted(found, key=lambda contact: contact[1])


def metal_contacts(cell: CellAtoms, molecule: Molecule) -> tuple[list[MetalContact], list[str]]:
    """Contacts of the metals of a molecule in its crystal, shortest first of each kind, and elements without radius.

    Within the molecule, bonded atoms are left out, and other atoms than metals at three bonds or fewer.
    """
    metals = [i for i, symbol in enumerate(molecule.symbols) if is_cluster_metal(symbol)]
    pairs = bonded_pairs(molecule.symbols, molecule.positions)
    graph = neighbour_lists(len(molecule.symbols), pairs)
    reach = 2 * max(float(vdw_radii[atomic_numbers[symbol]]) for symbol in _BONDI)
    atoms, points = images_near(cell, molecule.positions[metals], reach)
    own = cKDTree(molecule.positions)
    inside, partner = own.query(points, distance_upper_bound=0.01)
    tree = cKDTree(points)
    found: dict[tuple[int, int], MetalContact] = {}
    for i in metals:
        near = _near(graph, i)
        for k in tree.query_ball_point(molecule.positions[i], reach):
            symbol, is_own = cell.symbols[atoms[k]], math.isfinite(inside[k])
            j = int(partner[k])
            if is_own and (j in graph[i] or j == i or (j < i if j in metals else j in near)):
                continue
            distance = float(np.linalg.norm(points[k] - molecule.positions[i]))
            limit = vdw_sum(molecule.symbols[i], symbol)
            if distance < limit:
                ends = [molecule.symbols[i], symbol]
                pair = "...".join(sorted(ends) if is_cluster_metal(symbol) else ends)
                where = "within the cluster" if is_own else "to a neighbour"
                found[i, k] = MetalContact(pair, distance, limit, where)
    lacking = sorted({molecule.symbols[i] for i in metals} - _BONDI)
    return sorted(found.values(), key=lambda c: (c.where, c.pair, c.distance_angstrom)), lacking


def _near(graph: list[list[int]], start: int) -> set[int]:
    """Atoms at most `_BONDS_APART` bonds from an atom, itself included."""
    reached, shell = {start}, {start}
    for _ in range(_BONDS_APART):
        shell = {j for i in shell for j in graph[i]} - reached
        reached |= shell
    return reached
