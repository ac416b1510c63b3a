"""Whole molecules out of a unit cell."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers, covalent_radii
from scipy.spatial import cKDTree

from cluster_qc.model.arrays import FloatArray, IntArray
from cluster_qc.model.elements import is_metal
from cluster_qc.structure.bonding import bonded_pairs, is_cluster_metal, longest_bond
from cluster_qc.structure.crystal import Crystal
from cluster_qc.structure.sites import Site

SAME_POSITION = 0.3
"""Symmetry copies of one site closer than this (angstrom) are one atom on a special position."""

_COINAGE = frozenset({"Cu", "Ag", "Au"})


@dataclass(frozen=True, eq=False)
class CellAtoms:
    """Every atom of one unit cell."""

    symbols: tuple[str, ...]
    fractional: FloatArray
    """(natom, 3), not reduced to [0, 1)."""
    site: IntArray
    """The site each atom comes from, (natom,)."""
    operation: IntArray
    """The first symmetry operation that made it, (natom,); 0 is the identity."""
    occupancy: FloatArray
    """(natom,)."""
    matrix: FloatArray
    """Cartesian (angstrom) = matrix @ fractional."""

    def subset(self, keep: Sequence[int], occupancy: FloatArray | None = None) -> CellAtoms:
        """Keep the atoms `keep`, with `occupancy` for all atoms replaced before if given."""
        index = np.asarray(keep, dtype=np.intp)
        weights = self.occupancy if occupancy is None else occupancy
        return CellAtoms(
            tuple(self.symbols[i] for i in index), self.fractional[index], self.site[index],
            self.operation[index], weights[index], self.matrix,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Molecule:
    """A connected set of atoms, assembled across cell boundaries."""

    symbols: tuple[str, ...]
    positions: FloatArray
    """Angstrom, (natom, 3)."""
    atoms: tuple[int, ...]
    """Indices into the cell's atoms."""
    infinite: bool
    """True if the bonds reach a translated image of the molecule itself: a polymer."""
    weight: float
    """Mean occupancy."""

    @property
    def nmetal(self) -> int:
        """Number of metal atoms that bind ligands."""
        return sum(map(is_cluster_metal, self.symbols))

    @property
    def formula(self) -> str:
        """Hill formula."""
        return hill_formula(self.symbols)


def hill_formula(symbols: Sequence[str]) -> str:
    """Hill formula, as `Cluster.formula` writes it."""
    counts = Counter(symbols)
    first = [s for s in ("C", "H") if s in counts] if "C" in counts else []
    return "".join(
        f"{s}{counts[s] if counts[s] > 1 else ''}" for s in first + sorted(set(counts) - set(first))
    )


_SHORT = 4.0
"""Lengths below this (angstrom) are found exactly among the images of any cell, however skew."""


def _image_shifts(matrix: FloatArray) -> FloatArray:
    """Lattice vectors that bring a vector within half a cell to its nearest image, if that is `_SHORT` or less."""
    heights = np.floor(_SHORT * np.linalg.norm(np.linalg.inv(matrix), axis=1) + 0.5)
    reach = np.maximum(heights, 1).astype(int)
    return np.asarray(np.array(list(np.ndindex(*(2 * reach + 1))), dtype=float) - reach)


def shortest(delta: FloatArray, matrix: FloatArray) -> FloatArray:
    """Lengths (angstrom) of fractional vectors (..., 3) reduced to the nearest image."""
    reduced = (delta - np.round(delta)) @ matrix.T
    best = np.full(delta.shape[:-1], np.inf)
    for shift in _image_shifts(matrix) @ matrix.T:
        np.minimum(best, np.linalg.norm(reduced + shift, axis=-1), out=best)
    return best


def multiplicity(crystal: Crystal, site: Site) -> int:
    """Number of a site's images in the cell; those on a special position count once."""
    if site.general:
        return len(crystal.operations)
    images = np.array([op.apply_to_xyz(list(site.position)) for op in crystal.operations])
    together = shortest(images - images[0], crystal.orthogonalisation) < SAME_POSITION
    return len(images) // int(together.sum())


def fill_cell(crystal: Crystal, sites: Sequence[Site], occupancies: Sequence[float]) -> CellAtoms:
    """Apply every symmetry operation to the sites; copies on special positions are merged at their mean.

    Occupancies are those of the merged atom, but for general sites beside a symmetry element, whose copies add up.
    """
    matrix = crystal.orthogonalisation
    rotations = np.array([op.rot for op in crystal.operations], dtype=float) / crystal.operations[0].DEN
    translations = np.array([op.tran for op in crystal.operations], dtype=float) / crystal.operations[0].DEN
    positions = np.array([site.position for site in sites])
    images = np.einsum("kab,nb->nka", rotations, positions) + translations
    special = (shortest(images - images[:, :1], matrix) < SAME_POSITION).sum(axis=1) > 1
    symbols: list[str] = []
    rows: list[FloatArray] = []
    origin: list[tuple[int, int]] = []
    weights: list[float] = []
    for index, site in enumerate(sites):
        copies = images[index]
        free = np.ones(len(copies), dtype=bool)
        for k in range(len(copies)):
            if not free[k]:
                continue
            place, weight = copies[k], occupancies[index]
            if special[index]:
                delta = copies - place
                same = free & (shortest(delta, matrix) < SAME_POSITION)
                free &= ~same
                place = place + _nearest(delta[same], matrix).mean(axis=0)
                weight = min(1.0, weight * int(same.sum())) if site.general else weight
            symbols.append(site.symbol)
            rows.append(place)
            origin.append((index, k))
            weights.append(weight)
    table = np.array(origin, dtype=np.intp)
    return CellAtoms(tuple(symbols), np.array(rows), table[:, 0], table[:, 1], np.array(weights), matrix)


def _nearest(delta: FloatArray, matrix: FloatArray) -> FloatArray:
    """Fractional vectors (n, 3) moved to their shortest images."""
    images = (delta - np.round(delta))[:, None, :] + _image_shifts(matrix)
    best = np.linalg.norm(images @ matrix.T, axis=-1).argmin(axis=-1)
    return np.asarray(images[np.arange(len(delta)), best])


@dataclass(frozen=True, eq=False)
class _Neighbourhood:
    """The atoms of the cell, wrapped, and their images close to it."""

    wrap: IntArray
    atom: IntArray
    shift: IntArray
    positions: FloatArray


def _neighbourhood(cell: CellAtoms, reach: float) -> _Neighbourhood:
    wrap = np.floor(cell.fractional + 1e-9).astype(np.intp)
    inside = cell.fractional - wrap
    margin = reach * np.linalg.norm(np.linalg.inv(cell.matrix), axis=1)
    span = [range(-math.ceil(m), math.ceil(m) + 1) for m in margin]
    shifts = [(i, j, k) for i in span[0] for j in span[1] for k in span[2]]
    shifts.sort(key=lambda shift: shift != (0, 0, 0))
    atom, shift, points = [], [], []
    for vector in shifts:
        moved = inside + np.array(vector)
        near = np.flatnonzero(((moved >= -margin) & (moved <= 1 + margin)).all(axis=1))
        atom.append(near)
        shift.append(np.tile(vector, (len(near), 1)))
        points.append(moved[near])
    return _Neighbourhood(
        wrap,
        np.concatenate(atom),
        np.concatenate(shift).astype(np.intp),
        np.concatenate(points) @ cell.matrix.T,
    )


def close_pairs(cell: CellAtoms, reach: float) -> list[tuple[int, int, float]]:
    """Find all pairs i < j of the cell's atoms with images within `reach`, and their shortest distance, angstrom."""
    near = _neighbourhood(cell, reach)
    found: dict[tuple[int, int], float] = {}
    pairs = cKDTree(near.positions).query_pairs(reach, output_type="ndarray")
    distances = np.linalg.norm(near.positions[pairs[:, 0]] - near.positions[pairs[:, 1]], axis=1)
    ends = np.sort(near.atom[pairs], axis=1)
    for (i, j), distance in zip(ends.tolist(), distances.tolist(), strict=True):
        if i != j:
            found[i, j] = min(distance, found.get((i, j), distance))
    return [(i, j, distance) for (i, j), distance in sorted(found.items())]


def images_near(cell: CellAtoms, centres: FloatArray, reach: float) -> tuple[IntArray, FloatArray]:
    """Atoms of the crystal within `reach` (angstrom) of any centre (angstrom, (n, 3)).

    Returns
    -------
    atoms, positions
        Indices into the cell's atoms, one of them once for each of its images, and Cartesian positions, angstrom.
    """
    inverse = np.linalg.inv(cell.matrix)
    margin = reach * np.linalg.norm(inverse, axis=1)
    around = centres @ inverse.T
    low, high = around.min(axis=0) - margin, around.max(axis=0) + margin
    first = np.ceil(low - cell.fractional).astype(np.intp)
    span = np.floor(high - cell.fractional).astype(np.intp) - first
    atoms, points = [], []
    for step in np.ndindex(*(np.maximum(span.max(axis=0), 0) + 1)):
        inside = np.flatnonzero((np.array(step) <= span).all(axis=1))
        atoms.append(inside)
        points.append(cell.fractional[inside] + first[inside] + np.array(step))
    index, positions = np.concatenate(atoms), np.concatenate(points) @ cell.matrix.T
    close = np.isfinite(cKDTree(centres).query(positions, distance_upper_bound=reach)[0])
    return index[close], positions[close]


def periodic_bonds(
    cell: CellAtoms, *, secondary: bool = False
) -> list[tuple[int, int, tuple[int, int, int]]]:
    """Bonds (i, j, shift): atom i is bonded to atom j moved by `shift` lattice vectors; each listed both ways."""
    kinds = sorted(set(cell.symbols))
    reach = max(longest_bond(a, b, secondary=secondary) for a in kinds for b in kinds)
    near = _neighbourhood(cell, 2 * reach)
    symbols = [cell.symbols[i] for i in near.atom]
    natom = len(cell.symbols)
    found = []
    for p, q in bonded_pairs(symbols, near.positions, secondary=secondary):
        for a, b in ((p, q), (q, p)):
            if a < natom:
                i, j = int(near.atom[a]), int(near.atom[b])
                s = near.shift[b] - near.wrap[j] + near.wrap[i]
                found.append((i, j, (int(s[0]), int(s[1]), int(s[2]))))
    return found


def _holding(
    cell: CellAtoms, bonds: list[tuple[int, int, tuple[int, int, int]]]
) -> list[tuple[int, int, tuple[int, int, int]]]:
    """Bonds that hold molecules together: all but those between two coinage-metal ions that ligands saturate.

    A Cu, Ag or Au with two ligands or more is complete; another one beyond the sum of the covalent radii (Ag...Ag 3.0
    angstrom) is a metallophilic contact. Within a cluster their common ligands hold such atoms.
    """
    donors = Counter(i for i, j, _ in bonds if not is_metal(cell.symbols[j]))
    saturated = [symbol in _COINAGE and donors[i] > 1 for i, symbol in enumerate(cell.symbols)]

    def contact(i: int, j: int, shift: tuple[int, int, int]) -> bool:
        vector = cell.matrix @ (cell.fractional[j] + shift - cell.fractional[i])
        radii = (
            covalent_radii[atomic_numbers[cell.symbols[i]]] + covalent_radii[atomic_numbers[cell.symbols[j]]]
        )
        return bool(np.linalg.norm(vector) > radii)

    return [
        (i, j, shift) for i, j, shift in bonds if not (saturated[i] and saturated[j] and contact(i, j, shift))
    ]


def assemble(cell: CellAtoms, *, secondary: bool = False) -> list[Molecule]:
    """All molecules of a cell, each whole; those that contain the first sites come first.

    `secondary`: long bonds of metals hold molecules together too (see `bonding.longest_bond`).
    """
    natom = len(cell.symbols)
    neighbours: list[list[tuple[int, tuple[int, int, int]]]] = [[] for _ in range(natom)]
    for i, j, shift in _holding(cell, periodic_bonds(cell, secondary=secondary)):
        neighbours[i].append((j, shift))
    order = sorted(range(natom), key=lambda i: (int(cell.operation[i]), int(cell.site[i])))
    place: dict[int, tuple[int, int, int]] = {}
    molecules = []
    for start in order:
        if start in place:
            continue
        place[start] = (0, 0, 0)
        members, infinite = [start], False
        for i in members:
            for j, shift in neighbours[i]:
                here = place[i]
                there = (here[0] + shift[0], here[1] + shift[1], here[2] + shift[2])
                if j not in place:
                    place[j] = there
                    members.append(j)
                elif place[j] != there:
                    infinite = True
        members.sort(key=lambda i: (int(cell.site[i]), int(cell.operation[i])))
        points = cell.fractional[members] + np.array([place[i] for i in members])
        molecules.append(
            Molecule(
                tuple(cell.symbols[i] for i in members),
                points @ cell.matrix.T,
                tuple(members),
                infinite,
                float(cell.occupancy[members].mean()),
            )
        )
    return molecules
