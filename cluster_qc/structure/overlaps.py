"""Atoms of a cell that cannot be there at once: one of them, by occupancy, or a refusal.

Sites shared by two elements are decided first and named. Of the symmetry copies of a group disordered about a symmetry
element (negative group number) those that overlap exclude each other. Other partly occupied atoms exclude each other
where they are too close; as many are kept as the occupancies add up to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from ase.data import atomic_numbers, covalent_radii, vdw_radii

from cluster_qc.model.elements import is_metal
from cluster_qc.structure.bonding import longest_bond, overlap_distance
from cluster_qc.structure.disorder import FULL, DisorderChoice, components
from cluster_qc.structure.molecule import CellAtoms, close_pairs, shortest
from cluster_qc.structure.sites import Site

_SHARED, _SHARED_METALS = 0.15, 0.6
"""Two elements closer than this (angstrom), both partly there, share one site; metals may be refined a little apart."""
_TIE = 0.005
_CLEARLY = 0.05
_PIECE = 3.0
"""Sites of one negative group closer than this (angstrom) are of one ion or molecule."""
_LARGEST_SEARCH = 16
_XH = 1.3
"""Angstrom; no bond of a hydrogen to C, N or O is longer."""
_TERMINAL = frozenset({"H", "F", "Cl", "Br", "I", "O"})
_RARE_PAIRS = frozenset({"Cl", "Br"})
"""Two partly occupied atoms of these at a bond's length are places of one disordered halide, not Cl2 or Br2."""

Pairs = dict[tuple[int, int], float]
"""Distance (angstrom) of pairs of atoms, the lower index first."""


def exclusive_distance(first: str, second: str) -> float:
    """Below this distance in angstrom two partly occupied atoms cannot both be there."""
    a, b = atomic_numbers[first], atomic_numbers[second]
    if first == second and first in _RARE_PAIRS:
        return longest_bond(first, second)
    if first in _TERMINAL and second in _TERMINAL and not (first != second and "H" in (first, second)):
        return float(0.55 * (vdw_radii[a] + vdw_radii[b]))
    return float(0.75 * (covalent_radii[a] + covalent_radii[b]))


@dataclass(frozen=True)
class Resolved:
    """A cell without atoms that exclude each other, and where the choice was none."""

    cell: CellAtoms
    notes: list[str]
    """What was dropped, in words."""
    tied: dict[int, str]
    """Sites that two elements share in equal parts, with the words for it: no choice for a cluster."""
    guessed: frozenset[tuple[int, int]]
    """(site, operation) of atoms where so many overlap that the choice is a guess, good enough for solvent only."""
    clashes: list[tuple[int, int, float]]
    """Fully occupied atoms on top of each other, with their distance (angstrom)."""


def resolve_overlaps(cell: CellAtoms, sites: Sequence[Site], choice: DisorderChoice = "major") -> Resolved:
    """Drop atoms that exclude each other."""
    cell, notes, tied = _shared_sites(cell, sites, choice)
    cell, removed = _symmetry_copies(cell, sites)
    if removed:
        notes.append(
            f"{removed} atoms of the cell left out: symmetry copies of groups disordered about a symmetry element"
        )
    cell, removed, guessed = _partial_atoms(cell)
    if removed:
        notes.append(
            f"{removed} partly occupied atoms of the cell left out: each too close to one that was kept"
        )
    cell, doubled, covered, clashes = _full_atoms(cell)
    if doubled:
        notes.append(f"{doubled} atoms of the cell left out: listed twice at the same position")
    if covered:
        notes.append(
            f"{covered} partly occupied atoms of the cell left out: each on top of a fully occupied one"
        )
    return Resolved(cell, notes, tied, guessed, clashes)


def _without(cell: CellAtoms, dropped: set[int], weights: np.ndarray | None = None) -> CellAtoms:
    return cell.subset([i for i in range(len(cell.symbols)) if i not in dropped], weights)


def _shared_sites(
    cell: CellAtoms, sites: Sequence[Site], choice: DisorderChoice
) -> tuple[CellAtoms, list[str], dict[int, str]]:
    """One element for each site that several share."""
    linked: dict[int, set[int]] = defaultdict(set)
    for i, j, distance in close_pairs(cell, _SHARED_METALS):
        a, b = int(cell.site[i]), int(cell.site[j])
        kinds = {cell.symbols[i], cell.symbols[j]}
        if len(kinds) < 2 or "H" in kinds or not (distance < _SHARED or all(map(is_metal, kinds))):
            continue
        if max(cell.occupancy[i], cell.occupancy[j]) < FULL:
            linked[a].add(b)
            linked[b].add(a)
    weights = cell.occupancy.copy()
    notes: list[str] = []
    tied: dict[int, str] = {}
    lost: set[int] = set()
    for part in components(linked):
        shares = {index: float(weights[cell.site == index][0]) for index in part}
        told = " and ".join(
            f"{sites[index].label} ({sites[index].symbol}, {shares[index]:g})" for index in part
        )
        ranked = sorted(part, key=lambda index: (-shares[index], index))
        taken = ranked[0]
        if choice in ("A", "B"):
            taken = part[0 if choice == "A" else 1]
        elif shares[ranked[0]] - shares[ranked[1]] < _TIE:
            tied[taken] = f"{told} share one site in equal parts"
        notes.append(
            tied.get(taken, f"{told} share one site")
            + f": {sites[taken].symbol} was taken (disorder {choice}); the crystal is a mixture of compositions"
        )
        weights[cell.site == taken] = min(1.0, sum(shares.values()))
        lost.update(index for index in part if index != taken)
    dropped = {i for i in range(len(weights)) if int(cell.site[i]) in lost}
    return _without(cell, dropped, weights), notes, tied


def _close(cell: CellAtoms, atoms: Iterable[int]) -> Pairs:
    """Pairs among these atoms that are bonded or closer."""
    wanted = set(atoms)
    kinds = {cell.symbols[i] for i in wanted}
    if len(wanted) < 2:
        return {}
    reach = max(max(exclusive_distance(a, b), longest_bond(a, b)) for a in kinds for b in kinds)
    return {(i, j): distance for i, j, distance in close_pairs(cell, reach) if i in wanted and j in wanted}


def _clashes(cell: CellAtoms, atoms: Iterable[int]) -> Pairs:
    """Pairs among these atoms that cannot both be there."""
    return {
        (i, j): distance
        for (i, j), distance in _close(cell, atoms).items()
        if distance < exclusive_distance(cell.symbols[i], cell.symbols[j])
    }


def _symmetry_copies(cell: CellAtoms, sites: Sequence[Site]) -> tuple[CellAtoms, int]:
    """Of the symmetry copies of one disordered set of atoms, those that cannot be there beside a copy that is kept.

    A set is a negative group, whose copies never bind each other, or partly occupied atoms bonded to each other, as in
    a toluene about an inversion centre. Of sets that overlap, one with the next, as many are kept as their occupancies
    add up to, those of highest occupancy first.
    """
    set_of = _disordered_sets(cell, sites)
    units: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, index in enumerate(cell.site):
        if int(index) in set_of:
            units[set_of[int(index)], int(cell.operation[i])].append(i)
    if not units:
        return cell, 0
    unit_of = {i: key for key, unit in units.items() for i in unit}
    rivals: dict[tuple[int, int], set[tuple[int, int]]] = defaultdict(set)
    for (i, j), distance in _close(cell, unit_of).items():
        a, b = unit_of[i], unit_of[j]
        negative = sites[cell.site[i]].group < 0 and sites[cell.site[j]].group < 0
        copies = a[0] == b[0]
        limit = exclusive_distance(cell.symbols[i], cell.symbols[j])
        if copies and negative:
            limit = max(limit, longest_bond(cell.symbols[i], cell.symbols[j]))
        if a != b and (copies or negative) and distance < limit:
            rivals[a].add(b)
            rivals[b].add(a)
    share = {key: float(cell.occupancy[unit].mean()) for key, unit in units.items()}
    ranked = sorted(units, key=lambda key: (-round(share[key], 3), key[1], key[0]))
    number = {key: place for place, key in enumerate(ranked)}
    weights = cell.occupancy.copy()
    lost: set[tuple[int, int]] = set()
    for part in components({number[key]: {number[other] for other in rivals[key]} for key in ranked}):
        keys = [ranked[place] for place in part]
        total = sum(share[key] for key in keys)
        kept: list[tuple[int, int]] = []
        for key in keys:
            if len(kept) < max(1, round(total)) and not rivals[key].intersection(kept):
                kept.append(key)
        lost.update(set(keys) - set(kept))
        for key in kept:
            weights[units[key]] = np.maximum(weights[units[key]], min(1.0, total / len(kept)))
    dropped = {i for key in lost for i in units[key]}
    return _without(cell, dropped, weights), len(dropped)


def _disordered_sets(cell: CellAtoms, sites: Sequence[Site]) -> dict[int, int]:
    """Number of the set of each site in a negative group, and of each partly occupied one bonded to others of its kind.

    The sites of a negative group belong together where they lie within one ion or molecule.
    """
    partial = {int(index) for index, share in zip(cell.site, cell.occupancy, strict=True) if share < FULL}
    members = sorted(partial | {int(index) for index in cell.site if sites[index].group < 0})
    points = np.array([sites[index].position for index in members]).reshape(-1, 3)
    gaps = shortest(points[:, None] - points[None], cell.matrix)
    linked: dict[int, set[int]] = {index: set() for index in members}
    for a, b in zip(*np.nonzero(np.triu(gaps < _PIECE, k=1)), strict=True):
        one, two = sites[members[a]], sites[members[b]]
        if (one.assembly, one.group, one.occupancy) != (two.assembly, two.group, two.occupancy):
            continue
        if one.group < 0 or gaps[a, b] < longest_bond(one.symbol, two.symbol):
            linked[members[a]].add(members[b])
            linked[members[b]].add(members[a])
    found = {}
    for number, part in enumerate(components(linked)):
        if len(part) > 1 or sites[part[0]].group < 0:
            found.update(dict.fromkeys(part, number))
    return found


def _partial_atoms(cell: CellAtoms) -> tuple[CellAtoms, int, frozenset[tuple[int, int]]]:
    partial = [int(i) for i in np.flatnonzero(cell.occupancy < FULL)]
    clash = _clashes(cell, partial)
    linked: dict[int, set[int]] = defaultdict(set)
    for i, j in [*clash, *_share_a_parent(cell, {i for pair in clash for i in pair})]:
        linked[i].add(j)
        linked[j].add(i)
    weights = cell.occupancy.copy()
    dropped: set[int] = set()
    guessed: set[tuple[int, int]] = set()
    for part in components(linked):
        if len(part) > _LARGEST_SEARCH:
            chosen = _greedy(cell, part, clash)
            if not _settled(cell, part, chosen, clash):
                guessed.update((int(cell.site[i]), int(cell.operation[i])) for i in part)
        else:
            chosen = _best_subset(cell, part, clash)
        weights[chosen] = min(1.0, float(weights[part].sum()) / len(chosen))
        dropped.update(i for i in part if i not in chosen)
    dropped |= _orphans(cell, dropped)
    return _without(cell, dropped, weights), len(dropped), frozenset(guessed)


def _orphans(cell: CellAtoms, dropped: set[int]) -> set[int]:
    """Partly occupied hydrogens whose own atom, the nearest, is left out."""
    own: dict[int, tuple[float, int]] = {}
    for i, j, distance in close_pairs(cell, _XH) if dropped else []:
        for hydrogen, atom in ((i, j), (j, i)):
            if cell.symbols[hydrogen] == "H" != cell.symbols[atom] and cell.occupancy[hydrogen] < FULL:
                own[hydrogen] = min((distance, atom), own.get(hydrogen, (distance, atom)))
    return {hydrogen for hydrogen, (_, atom) in own.items() if atom in dropped}


def _share_a_parent(cell: CellAtoms, restless: set[int]) -> list[tuple[int, int]]:
    """Pairs of clashing atoms of like element bonded to one fully occupied atom, as F's of a turning BF4."""
    if not restless:
        return []
    kinds = set(cell.symbols)
    around: dict[int, list[int]] = defaultdict(list)
    for i, j, distance in close_pairs(cell, max(longest_bond(a, b) for a in kinds for b in kinds)):
        for parent, child in ((i, j), (j, i)):
            if (
                child in restless
                and cell.occupancy[parent] >= FULL
                and distance < longest_bond(cell.symbols[i], cell.symbols[j])
            ):
                around[parent].append(child)
    return [
        (a, b)
        for children in around.values()
        for a, b in combinations(children, 2)
        if cell.symbols[a] == cell.symbols[b]
    ]


def _best_subset(cell: CellAtoms, part: list[int], clash: Pairs) -> list[int]:
    """As many atoms as the occupancies add up to: the highest occupancies, then the farthest apart."""
    weight = cell.occupancy
    points = cell.fractional[part]
    gaps = shortest(points[:, None] - points[None], cell.matrix)
    place = {atom: k for k, atom in enumerate(part)}
    wanted = max(1, min(len(part), round(float(weight[part].sum()))))
    for size in range(wanted, 0, -1):
        best: tuple[float, float, list[int]] | None = None
        for subset in combinations(part, size):
            pairs = list(combinations(subset, 2))
            if any(pair in clash for pair in pairs):
                continue
            apart = min((float(gaps[place[a], place[b]]) for a, b in pairs), default=0.0)
            score = (round(float(weight[list(subset)].sum()), 3), round(apart, 3), list(subset))
            if best is None or score[:2] > best[:2]:
                best = score
        if best is not None:
            return best[2]
    return part[:1]


def _greedy(cell: CellAtoms, part: list[int], clash: Pairs) -> list[int]:
    """The highest occupancies one after the other, each if it clashes with none that is kept."""
    kept: list[int] = []
    for i in sorted(part, key=lambda atom: (-cell.occupancy[atom], atom)):
        if not any((min(i, j), max(i, j)) in clash for j in kept):
            kept.append(i)
    return kept


def _settled(cell: CellAtoms, part: list[int], chosen: list[int], clash: Pairs) -> bool:
    """True if each atom left out clashes with one of clearly higher occupancy that was chosen."""
    weight = cell.occupancy
    return all(
        any((min(i, j), max(i, j)) in clash and weight[j] > weight[i] + _CLEARLY for j in chosen)
        for i in part
        if i not in chosen
    )


def _full_atoms(cell: CellAtoms) -> tuple[CellAtoms, int, int, list[tuple[int, int, float]]]:
    """Drop atoms listed twice and partly occupied ones on top of full ones; return what still overlaps."""
    doubled: set[int] = set()
    covered: set[int] = set()
    overlapping = [
        (i, j, distance)
        for i, j, distance in close_pairs(cell, 1.6)
        if distance < overlap_distance(cell.symbols[i], cell.symbols[j])
    ]
    for i, j, distance in overlapping:
        if {i, j} & (doubled | covered):
            continue
        less, more = sorted((i, j), key=lambda atom: cell.occupancy[atom])
        if distance < 0.05 and cell.symbols[i] == cell.symbols[j]:
            doubled.add(j)
        elif cell.occupancy[less] < FULL <= cell.occupancy[more]:
            covered.add(less)
    dropped = doubled | covered
    place = {old: new for new, old in enumerate(k for k in range(len(cell.symbols)) if k not in dropped)}
    clashes = [(place[i], place[j], distance) for i, j, distance in overlapping if i in place and j in place]
    return _without(cell, dropped), len(doubled), len(covered), clashes
