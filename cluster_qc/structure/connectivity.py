"""What belongs to what in a finite cluster: ligands, rings, fragments."""

from __future__ import annotations

from collections import deque

from cluster_qc.model import Cluster, Fragment
from cluster_qc.structure.bonding import bonds, is_cluster_metal, neighbour_lists

__all__ = ["bonds", "find_fragments", "rings", "split_ligands"]

_LARGEST_RING = 8


def _ligand_graph(cluster: Cluster) -> tuple[list[list[int]], list[list[int]]]:
    """Neighbour lists with and without the metals."""
    full = neighbour_lists(cluster.natom, bonds(cluster.symbols, cluster.coords))
    metal = [is_cluster_metal(symbol) for symbol in cluster.symbols]
    bare = [[] if metal[i] else [j for j in full[i] if not metal[j]] for i in range(cluster.natom)]
    return full, bare


def split_ligands(cluster: Cluster) -> list[tuple[int, ...]]:
    """List the connected sets of atoms that remain when the metals are removed, in order of their first atom."""
    _, graph = _ligand_graph(cluster)
    seen: set[int] = set()
    ligands = []
    for start in range(cluster.natom):
        if start in seen or is_cluster_metal(cluster.symbols[start]):
            continue
        seen.add(start)
        queue, members = deque([start]), [start]
        while queue:
            for j in graph[queue.popleft()]:
                if j not in seen:
                    seen.add(j)
                    members.append(j)
                    queue.append(j)
        ligands.append(tuple(sorted(members)))
    return ligands


def rings(graph: list[list[int]]) -> set[frozenset[int]]:
    """Smallest rings through each bond of a graph (neighbour lists), up to eight members."""
    found = set()
    for i, neighbours in enumerate(graph):
        for j in neighbours:
            if j > i:
                path = _shortest_detour(graph, i, j)
                if path and len(path) <= _LARGEST_RING:
                    found.add(frozenset(path))
    return found


def _shortest_detour(graph: list[list[int]], start: int, end: int) -> list[int]:
    """Shortest path from start to end that avoids their direct bond; empty if there is none."""
    previous = {start: start}
    queue = deque([start])
    while queue:
        i = queue.popleft()
        if i == end:
            path = [end]
            while path[-1] != start:
                path.append(previous[path[-1]])
            return path
        for j in graph[i]:
            if j not in previous and not (i == start and j == end):
                previous[j] = i
                queue.append(j)
    return []


def find_fragments(cluster: Cluster) -> tuple[Fragment, ...]:
    """Metal core, donors, ligand backbone and periphery of a ligand-protected cluster.

    The backbone holds the atoms bonded to a donor, the rings (fused ones too) in which a donor or such an atom takes
    part, and the hydrogens on all of these; the periphery is what is left of the ligands. For
    4-benzylthiazolidine-2-thiolate that is the five-membered ring without its donor, and the benzyl group.

    Returns
    -------
    tuple of Fragment
        Disjoint, covering every atom, empty ones left out; () for a molecule without metals.
    """
    full, bare = _ligand_graph(cluster)
    metals = {i for i, symbol in enumerate(cluster.symbols) if is_cluster_metal(symbol)}
    if not metals:
        return ()
    donors = {i for i in range(cluster.natom) if i not in metals and any(j in metals for j in full[i])}
    backbone = {j for i in donors for j in bare[i]} - donors
    cycles = rings(bare)
    pending = {i for i in donors | backbone if cluster.symbols[i] != "H"}
    core_rings: set[int] = set()
    grown = True
    members = set(pending)
    while grown:
        grown = False
        for ring in list(cycles):
            shared = ring & members
            if shared and (ring & pending or len(shared) > 1):
                cycles.remove(ring)
                members |= ring
                core_rings |= ring
                grown = True
    backbone |= core_rings - donors
    backbone |= {j for i in backbone for j in bare[i] if cluster.symbols[j] == "H"} - donors
    periphery = set(range(cluster.natom)) - metals - donors - backbone
    named = (
        ("metal core", metals),
        ("donors", donors),
        ("ligand backbone", backbone),
        ("periphery", periphery),
    )
    return tuple(Fragment(name, tuple(sorted(atoms))) for name, atoms in named if atoms)
