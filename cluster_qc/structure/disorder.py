"""One ordered model out of a disordered structure, by an explicit choice.

Alternatives marked with disorder groups are chosen site by site: groups of one assembly that lie close together form
one place, and every place takes its own group. What the groups do not settle, `overlaps` does in the filled cell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from cluster_qc.errors import InputError, StructureError
from cluster_qc.structure.crystal import Crystal
from cluster_qc.structure.molecule import hill_formula, multiplicity, shortest
from cluster_qc.structure.sites import Site

DisorderChoice = Literal["major", "A", "B", "error"]
CHOICES: tuple[DisorderChoice, ...] = ("major", "A", "B", "error")

FULL = 0.99
"""Occupancy from which an atom counts as always there."""

_PLACE = 2.4
_SAME_SHARE = 0.03
"""Occupancies of one group differ by less, between atoms refined alone or rounded."""
_WHOLE = 0.95
"""Groups whose occupancies add up to this fill their place; the rest is rounding."""
_RIVALS = 1.3
"""Atoms of two groups closer than this (angstrom) make the groups alternatives of each other."""


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
    """For lone negative groups and atoms outside any: True, a part of their symmetry copies or alternatives stays."""
    labels: tuple[str, ...] = ()
    """Labels of its sites."""
    place: int | None = None
    """Number of the place, from 1, whose alternatives exclude each other; None as for `group`, and for a negative
    group without another beside it, whose symmetry copies exclude each other."""


def check_choice(choice: str) -> None:
    """Refuse an unknown disorder choice."""
    if choice not in CHOICES:
        raise InputError(
            f"disorder is {choice!r}", why="it says which alternative of a disordered group is kept",
            fix=f"choose one of {', '.join(CHOICES)}",
        )  # fmt: skip


def choose_groups(
    crystal: Crystal, choice: DisorderChoice
) -> tuple[list[Site], list[float], tuple[DisorderGroup, ...], list[str]]:
    """Keep one disorder group per place.

    Parameters
    ----------
    crystal
        The data block.
    choice
        "major": of each place the group of highest mean occupancy, the lowest number if equal; "A" or "B": of each
        place the first or second group by number (1 and 2 in most files, or -1 and -2); "error": refuse any disorder.

    Returns
    -------
    sites, occupancies, groups, notes
        What stays, with the occupancy of the whole place where other groups were dropped for it (less than 1 if
        they do not fill it, as beside a symmetry element); what there was; what to warn of.

    Raises
    ------
    StructureError
        kind "disorder" for the choice "error" on a disordered structure.
    """
    sites = crystal.sites
    groups: list[DisorderGroup] = []
    notes: list[str] = []
    raised: dict[int, float] = {}
    dropped: set[int] = set()

    def add(group: int | None, members: Sequence[int], kept: bool, place: int | None = None) -> None:
        mean = _mean([sites[i].occupancy for i in members])
        assembly = "" if group is None else sites[members[0]].assembly
        labels = tuple(sites[i].label for i in members)
        groups.append(DisorderGroup(assembly, group, mean, len(members), kept, labels, place))

    places = _places(crystal)
    for number, place in enumerate(places, start=1):
        by_group = _by_group(sites, place)
        ranked = sorted(by_group, key=abs)
        means = {group: _mean([sites[i].occupancy for i in by_group[group]]) or 0.0 for group in ranked}
        taken = max(ranked, key=lambda group: (means[group], -abs(group)))
        if choice in ("A", "B") and len(ranked) > 1:
            taken = ranked[0 if choice == "A" else 1]
        copies = {group: min(multiplicity(crystal, sites[i]) for i in by_group[group]) for group in ranked}
        filled = sum(means[group] * copies[group] for group in ranked) / copies[taken]
        filled = filled if 0 < filled < _WHOLE else 1.0
        for group in ranked:
            add(group, by_group[group], group == taken, number)
            if group != taken:
                dropped.update(by_group[group])
            elif len(ranked) > 1:
                raised.update(dict.fromkeys(by_group[group], filled))
        formulae = {group: _composition(sites, by_group[group]) for group in ranked}
        if len(set(formulae.values())) > 1:
            told = ", ".join(f"{group}: {formulae[group] or 'H only'} ({means[group]:g})" for group in ranked)
            notes.append(
                f"the disorder groups of {sites[place[0]].label} differ in composition ({told}): group {taken} was "
                f"taken (disorder {choice}), the crystal is a mixture"
            )
    placed = {i for place in places for i in place}
    negative = [i for i, site in enumerate(sites) if site.group < 0 and i not in placed]
    for group, members in _by_group(sites, negative).items():
        for assembly in sorted({sites[i].assembly for i in members}):
            add(group, [i for i in members if sites[i].assembly == assembly], True)
    loose = [i for i, site in enumerate(sites) if site.group == 0 and _occupancy(site) < FULL]
    if loose:
        add(None, loose, True)
    if groups and choice == "error":
        raise StructureError(
            f"{crystal.path}: the structure is disordered ({len(groups)} groups of atoms)",
            kind="disorder",
            why="disorder='error' asks for ordered structures only",
            fix="choose disorder='major', 'A' or 'B'",
        )
    stay = [i for i in range(len(sites)) if i not in dropped]
    occupancies = [raised.get(i, _occupancy(sites[i])) for i in stay]
    return [sites[i] for i in stay], occupancies, tuple(groups), notes


def _occupancy(site: Site) -> float:
    return 1.0 if site.occupancy is None else site.occupancy


def _mean(values: Sequence[float | None]) -> float | None:
    given = [value for value in values if value is not None]
    return float(np.mean(given)) if given else None


def _by_group(sites: Sequence[Site], members: Iterable[int]) -> dict[int, list[int]]:
    by_group: dict[int, list[int]] = defaultdict(list)
    for index in members:
        by_group[sites[index].group].append(index)
    return by_group


def _composition(sites: Sequence[Site], members: Iterable[int]) -> str:
    """Formula without hydrogens, which files often leave out."""
    return hill_formula([sites[i].symbol for i in members if sites[i].symbol != "H"])


def _places(crystal: Crystal) -> list[list[int]]:
    """Sites with groups, split by assembly and then into sets that lie close together.

    Of negative groups, those places where there are several of them to choose from.
    """
    sites = crystal.sites
    by_assembly: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for index, site in enumerate(sites):
        if site.group:
            by_assembly[site.assembly, site.group < 0].append(index)
    places: list[list[int]] = []
    for (_, negative), members in by_assembly.items():
        for place in _linked(crystal, members, _PLACE):
            by_group = _by_group(sites, place)
            if negative and len(by_group) < 2:
                continue
            total = sum(_mean([sites[i].occupancy for i in part]) or 0.0 for part in by_group.values())
            # Numbers may run on (1 and 2 here, 3 and 4 beside it): more than one atom's worth is more than one place.
            running = total > 1.05 and len(by_group) > 2
            for part in _rival_groups(crystal, by_group) if running else [place]:
                places.extend(_by_occupancy(sites, part))
    return places


def _by_occupancy(sites: Sequence[Site], place: list[int]) -> list[list[int]]:
    """Split places side by side that use the same two group numbers: 0.6 and 0.4 here, 0.3 and 0.7 there."""
    ranked = sorted({sites[i].group for i in place})
    occupancies = [sites[i].occupancy for i in place]
    if len(ranked) != 2 or None in occupancies:
        return [place]
    first = {i: value if sites[i].group == ranked[0] else 1 - value
             for i, value in zip(place, occupancies, strict=True) if value is not None}  # fmt: skip
    parts: list[list[int]] = []
    for i in sorted(place, key=lambda index: first[index]):
        if parts and first[i] - first[parts[-1][-1]] < _SAME_SHARE:
            parts[-1].append(i)
        else:
            parts.append([i])
    if any(len({sites[i].group for i in part}) < 2 for part in parts):
        return [place]
    return sorted(sorted(part) for part in parts)


def _linked(crystal: Crystal, members: Sequence[int], reach: float) -> list[list[int]]:
    """Sets of sites connected by distances below `reach` (angstrom)."""
    points = np.array([crystal.sites[i].position for i in members])
    close = shortest(points[:, None] - points[None], crystal.orthogonalisation) < reach
    return components(
        {i: {members[int(k)] for k in np.flatnonzero(row)} for i, row in zip(members, close, strict=True)}
    )


def _rival_groups(crystal: Crystal, by_group: Mapping[int, Sequence[int]]) -> list[list[int]]:
    points = {
        group: np.array([crystal.sites[i].position for i in members]) for group, members in by_group.items()
    }
    linked: dict[int, set[int]] = {group: set() for group in by_group}
    for a, b in combinations(sorted(by_group), 2):
        if shortest(points[a][:, None] - points[b][None], crystal.orthogonalisation).min() < _RIVALS:
            linked[a].add(b)
            linked[b].add(a)
    return [[i for group in part for i in by_group[group]] for part in components(linked)]


def components(linked: Mapping[int, set[int]]) -> list[list[int]]:
    """Connected sets of a graph given by the neighbours of each node, each ascending, in the order of their first."""
    seen: set[int] = set()
    parts = []
    for start in sorted(linked):
        if start in seen:
            continue
        seen.add(start)
        part = [start]
        for node in part:
            fresh = linked[node] - seen
            seen |= fresh
            part.extend(sorted(fresh))
        parts.append(sorted(part))
    return parts
