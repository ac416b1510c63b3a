"""One ordered model out of a disordered structure, by an explicit choice.

Three kinds are told apart. Alternatives marked with disorder groups are chosen site by site: groups of one assembly
that lie close together form one place, and every place takes its own group. A group with a negative number is
disordered about a symmetry element: of its symmetry copies, those that overlap exclude each other. Partly occupied
atoms without a group (or with one group only) exclude each other where they are too close; as many are kept as the
occupancies add up to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from ase.data import atomic_numbers, covalent_radii, vdw_radii

from cluster_qc.errors import InputError, StructureError
from cluster_qc.structure.bonding import longest_bond
from cluster_qc.structure.crystal import Crystal, Site
from cluster_qc.structure.molecule import CellAtoms, close_pairs, shortest

DisorderChoice = Literal["major", "A", "B", "error"]
CHOICES: tuple[DisorderChoice, ...] = ("major", "A", "B", "error")

_PLACE = 2.4
_FULL = 0.99
_LARGEST_SEARCH = 16
_TERMINAL = frozenset({"H", "F", "Cl", "Br", "I", "O"})


@dataclass(frozen=True)
class DisorderGroup:
    """One alternative of a disordered place."""

    assembly: str
    group: int | None
    """None for partly occupied atoms outside any group."""
    occupancy: float | None
    """Mean occupancy, None if the file gives none."""
    atoms: int
    """Sites in the asymmetric unit."""
    kept: bool
    """For negative groups and atoms outside any: True, a part of their symmetry copies or alternatives stays."""


def check_choice(choice: str) -> None:
    """Refuse an unknown disorder choice."""
    if choice not in CHOICES:
        raise InputError(
            f"disorder is {choice!r}", why="it says which alternative of a disordered group is kept",
            fix=f"choose one of {', '.join(CHOICES)}",
        )  # fmt: skip


def choose_groups(
    crystal: Crystal, choice: DisorderChoice
) -> tuple[list[Site], list[float], tuple[DisorderGroup, ...]]:
    """Keep one disorder group per place.

    Parameters
    ----------
    crystal
        The data block.
    choice
        "major": the group of highest mean occupancy, the lowest number if equal; "A" or "B": the first or second group
        (groups 1 and 2 in most files); "error": refuse any disorder.

    Returns
    -------
    sites, occupancies, groups
        What stays, with occupancy 1 where other groups were dropped for it, and what there was.

    Raises
    ------
    StructureError
        kind "disorder" for the choice "error" on a disordered structure.
    """
    groups: list[DisorderGroup] = []
    full: dict[int, bool] = {}
    dropped: set[int] = set()
    for place in _places(crystal):
        by_group: dict[int, list[int]] = defaultdict(list)
        for index in place:
            by_group[crystal.sites[index].group].append(index)
        ranked = sorted(by_group)
        means = {group: _mean([crystal.sites[i].occupancy for i in by_group[group]]) for group in ranked}
        if choice == "B" and len(ranked) > 1:
            kept = ranked[1]
        elif choice == "A":
            kept = ranked[0]
        else:
            kept = max(ranked, key=lambda group: (means[group] or 0.0, -group))
        for group in ranked:
            members = by_group[group]
            groups.append(
                DisorderGroup(
                    crystal.sites[members[0]].assembly, group, means[group], len(members), group == kept
                )
            )
            if group == kept:
                full.update(dict.fromkeys(members, len(ranked) > 1))
            else:
                dropped.update(members)
    negative: dict[tuple[str, int], list[int]] = defaultdict(list)
    loose = []
    for index, site in enumerate(crystal.sites):
        if site.group < 0:
            negative[site.assembly, site.group].append(index)
        elif site.group == 0 and (site.occupancy or 1.0) < _FULL:
            loose.append(index)
    for (assembly, group), members in negative.items():
        mean = _mean([crystal.sites[i].occupancy for i in members])
        groups.append(DisorderGroup(assembly, group, mean, len(members), True))
    if loose:
        mean = _mean([crystal.sites[i].occupancy for i in loose])
        groups.append(DisorderGroup("", None, mean, len(loose), True))
    if groups and choice == "error":
        raise StructureError(
            f"{crystal.path}: the structure is disordered ({len(groups)} groups of atoms)",
            kind="disorder",
            why="disorder='error' asks for ordered structures only",
            fix="choose disorder='major', 'A' or 'B'",
        )
    kept_sites = [i for i in range(len(crystal.sites)) if i not in dropped]
    occupancies = []
    for i in kept_sites:
        own = crystal.sites[i].occupancy
        occupancies.append(1.0 if own is None or full.get(i, False) else own)
    return [crystal.sites[i] for i in kept_sites], occupancies, tuple(groups)


def _mean(values: Sequence[float | None]) -> float | None:
    given = [value for value in values if value is not None]
    return float(np.mean(given)) if given else None


def _places(crystal: Crystal) -> list[list[int]]:
    """Sites with positive groups, split by assembly and then into sets that lie close together."""
    matrix = crystal.orthogonalisation
    by_assembly: dict[str, list[int]] = defaultdict(list)
    for index, site in enumerate(crystal.sites):
        if site.group > 0:
            by_assembly[site.assembly].append(index)
    places = []
    for members in by_assembly.values():
        points = np.array([crystal.sites[i].position for i in members])
        close = shortest(points[:, None] - points[None], matrix) < _PLACE
        places.extend([[members[k] for k in part] for part in _components(close)])
    return places


def _components(linked: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> list[list[int]]:
    """List the connected sets of a symmetric boolean matrix, ascending."""
    seen: set[int] = set()
    parts = []
    for start in range(len(linked)):
        if start in seen:
            continue
        seen.add(start)
        part = [start]
        for i in part:
            for j in np.flatnonzero(linked[i]):
                if int(j) not in seen:
                    seen.add(int(j))
                    part.append(int(j))
        parts.append(sorted(part))
    return parts


def exclusive_distance(first: str, second: str) -> float:
    """Below this distance in angstrom two partly occupied atoms cannot both be there."""
    a, b = atomic_numbers[first], atomic_numbers[second]
    if first in _TERMINAL and second in _TERMINAL and not (first != second and "H" in (first, second)):
        return float(0.55 * (vdw_radii[a] + vdw_radii[b]))
    return float(0.75 * (covalent_radii[a] + covalent_radii[b]))


def resolve_overlaps(cell: CellAtoms, sites: Sequence[Site], where: str) -> tuple[CellAtoms, list[str]]:
    """Drop symmetry copies and partly occupied atoms that exclude each other.

    Raises
    ------
    StructureError
        kind "disorder" if there is no simple choice, kind "overlap" if fully occupied atoms lie on top of each other.
    """
    notes: list[str] = []
    cell, removed = _symmetry_copies(cell, sites)
    if removed:
        notes.append(
            f"{removed} atoms of the cell left out: symmetry copies of groups disordered about a symmetry element"
        )
    cell, removed = _partial_atoms(cell, where)
    if removed:
        notes.append(
            f"{removed} partly occupied atoms of the cell left out: each too close to one that was kept"
        )
    cell, removed = _full_atoms(cell, sites, where)
    if removed:
        notes.append(f"{removed} atoms of the cell left out: listed twice at the same position")
    return cell, notes


def _symmetry_copies(cell: CellAtoms, sites: Sequence[Site]) -> tuple[CellAtoms, int]:
    units: dict[tuple[str, int, int], list[int]] = defaultdict(list)
    for i, site_index in enumerate(cell.site):
        site = sites[site_index]
        if site.group < 0:
            units[site.assembly, site.group, int(cell.operation[i])].append(i)
    kept: list[list[int]] = []
    dropped: set[int] = set()
    weights = cell.occupancy.copy()
    for key in sorted(units):
        unit = units[key]
        if any(_exclude(cell, i, j) for other in kept for i in unit for j in other):
            dropped.update(unit)
        else:
            kept.append(unit)
            weights[unit] = 1.0
    if not units:
        return cell, 0
    return cell.subset([i for i in range(len(cell.symbols)) if i not in dropped], weights), len(dropped)


def _exclude(cell: CellAtoms, i: int, j: int) -> bool:
    return cell.distance(i, j) < exclusive_distance(cell.symbols[i], cell.symbols[j])


def _partial_atoms(cell: CellAtoms, where: str) -> tuple[CellAtoms, int]:
    partial = np.flatnonzero(cell.occupancy < _FULL)
    if len(partial) < 2:
        return cell, 0
    symbols = [cell.symbols[i] for i in partial]
    gaps = shortest(cell.fractional[partial][:, None] - cell.fractional[partial][None], cell.matrix)
    limit = np.array([[exclusive_distance(a, b) for b in symbols] for a in symbols])
    clash = gaps < limit
    np.fill_diagonal(clash, False)
    linked = clash | _share_a_parent(cell, partial, clash)
    weights = cell.occupancy.copy()
    dropped: set[int] = set()
    for part in _components(linked):
        if not clash[np.ix_(part, part)].any():
            continue
        if len(part) > _LARGEST_SEARCH:
            raise StructureError(
                f"{where}: {len(part)} partly occupied atoms overlap and no disorder groups tell them apart",
                kind="disorder",
                why="which of them belong together cannot be told, and a wrong mixture is a wrong molecule",
                fix="assign _atom_site_disorder_assembly and _atom_site_disorder_group in the CIF",
            )
        chosen = _best_subset(cell, partial, part, clash, gaps)
        total = float(weights[partial[part]].sum())
        weights[partial[chosen]] = min(1.0, total / len(chosen))
        dropped.update(int(partial[k]) for k in part if k not in chosen)
    return cell.subset([i for i in range(len(cell.symbols)) if i not in dropped], weights), len(dropped)


def _share_a_parent(
    cell: CellAtoms,
    partial: np.ndarray[tuple[int, ...], np.dtype[np.intp]],
    clash: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Pairs of clashing partial atoms of like element bonded to one fully occupied atom, as F's of a turning BF4."""
    linked = np.zeros_like(clash)
    restless = clash.any(axis=1)
    gaps = shortest(cell.fractional[partial][:, None] - cell.fractional[None], cell.matrix)
    for i in np.flatnonzero(cell.occupancy >= _FULL):
        around = [
            k
            for k in np.flatnonzero(restless)
            if gaps[k, i] < longest_bond(cell.symbols[partial[k]], cell.symbols[i])
        ]
        for a, b in combinations(around, 2):
            if cell.symbols[partial[a]] == cell.symbols[partial[b]]:
                linked[a, b] = linked[b, a] = True
    return linked


def _best_subset(
    cell: CellAtoms,
    partial: np.ndarray[tuple[int, ...], np.dtype[np.intp]],
    part: list[int],
    clash: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    gaps: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> list[int]:
    """As many atoms as the occupancies add up to: the highest occupancies, then the farthest apart."""
    weight = cell.occupancy[partial]
    wanted = max(1, min(len(part), round(float(weight[part].sum()))))
    for size in range(wanted, 0, -1):
        best: tuple[float, float, list[int]] | None = None
        for subset in combinations(part, size):
            pairs = list(combinations(subset, 2))
            if any(clash[a, b] for a, b in pairs):
                continue
            apart = min((float(gaps[a, b]) for a, b in pairs), default=0.0)
            score = (round(float(weight[list(subset)].sum()), 3), round(apart, 3), list(subset))
            if best is None or score[:2] > best[:2]:
                best = score
        if best is not None:
            return best[2]
    return part[:1]


def _full_atoms(cell: CellAtoms, sites: Sequence[Site], where: str) -> tuple[CellAtoms, int]:
    dropped: set[int] = set()
    natom = len(cell.symbols)
    for i, j, distance in close_pairs(cell, 1.6):
        if i in dropped or j in dropped:
            continue
        a, b = cell.symbols[i], cell.symbols[j]
        radii = float(covalent_radii[atomic_numbers[a]] + covalent_radii[atomic_numbers[b]])
        if distance < 0.05 and a == b:
            dropped.add(j)
        elif distance < 0.55 * radii:
            raise StructureError(
                f"{where}: {sites[cell.site[i]].label} and {sites[cell.site[j]].label} are {distance:.2f} angstrom "
                "apart after the symmetry is applied",
                kind="overlap",
                why="two atoms cannot be there at once: unmarked disorder, or symmetry applied to a full cell",
                fix="mark alternatives with disorder groups, choose another disorder part, or correct the symmetry",
            )
    return cell.subset([i for i in range(natom) if i not in dropped]), len(dropped)
