"""Distances and angles between the metals of a cluster; the superposition of two sets of points."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cluster_qc.model import Cluster
from cluster_qc.model.arrays import FloatArray
from cluster_qc.model.elements import is_metal
from cluster_qc.units import angstrom

METAL_CONTACT: float = 3.5 * angstrom
"""Two metals closer than this (bohr) count as a contact: metallophilic distances reach about 3.5 angstrom,
and the sum of Bondi's radii (2.80 angstrom for Cu...Cu) would leave accepted cuprophilic contacts out."""


@dataclass(frozen=True)
class MetalDistance:
    """One metal-metal contact."""

    pair: str
    """Both elements in alphabetical order, e.g. "Au-Cu"."""
    atoms: tuple[int, int]
    """Atom indices, ascending, counted from 0."""
    distance: float
    """Bohr."""


def metal_metal_distances(cluster: Cluster, cutoff: float = METAL_CONTACT) -> tuple[MetalDistance, ...]:
    """All metal-metal contacts of a cluster, by pair and then by length.

    Parameters
    ----------
    cluster
        The molecule.
    cutoff
        Longest distance listed, bohr.
    """
    metals = [i for i, symbol in enumerate(cluster.symbols) if is_metal(symbol)]
    found = []
    for k, i in enumerate(metals):
        for j in metals[k + 1 :]:
            distance = float(np.linalg.norm(cluster.coords[i] - cluster.coords[j]))
            if distance <= cutoff:
                first, second = sorted((cluster.symbols[i], cluster.symbols[j]))
                found.append(MetalDistance(f"{first}-{second}", (i, j), distance))
    return tuple(sorted(found, key=lambda contact: (contact.pair, contact.distance)))


def mean_distances(cluster: Cluster) -> dict[str, float]:
    """Mean metal-metal contact per pair of elements, in angstrom, e.g. {"Au-Cu": 2.84}.

    Only contacts up to `METAL_CONTACT` enter; a pair without one is absent.
    """
    lengths: dict[str, list[float]] = defaultdict(list)
    for contact in metal_metal_distances(cluster):
        lengths[contact.pair].append(contact.distance / angstrom)
    return {pair: float(np.mean(values)) for pair, values in sorted(lengths.items())}


@dataclass(frozen=True)
class MetalAngle:
    """The angle between two metal-metal contacts of one metal."""

    triple: str
    """Elements with the vertex in the middle, e.g. "Au-Cu-Au"; the outer ones in alphabetical order."""
    atoms: tuple[int, int, int]
    """Atom indices in that order, counted from 0."""
    degrees: float


def metal_angles(cluster: Cluster, cutoff: float = METAL_CONTACT) -> tuple[MetalAngle, ...]:
    """All angles between metal-metal contacts up to `cutoff` (bohr), by triple and then by size."""
    around: dict[int, list[int]] = defaultdict(list)
    for contact in metal_metal_distances(cluster, cutoff):
        first, second = contact.atoms
        around[first].append(second)
        around[second].append(first)
    found = []
    for vertex, neighbours in around.items():
        for a, b in combinations(sorted(neighbours, key=lambda i: (cluster.symbols[i], i)), 2):
            u, v = cluster.coords[a] - cluster.coords[vertex], cluster.coords[b] - cluster.coords[vertex]
            angle = float(np.rad2deg(np.arctan2(np.linalg.norm(np.cross(u, v)), u @ v)))
            triple = "-".join(cluster.symbols[i] for i in (a, vertex, b))
            found.append(MetalAngle(triple, (a, vertex, b), angle))
    return tuple(sorted(found, key=lambda angle: (angle.triple, angle.degrees)))


def superposition(moving: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Proper rotation and shift that bring points (n, 3) closest to others: moving @ rotation + shift.

    Kabsch, Acta Cryst. A 32, 922 (1976), 10.1107/S0567739476001873; never a reflection.
    """
    a, b = moving.mean(axis=0), target.mean(axis=0)
    u, _, vt = np.linalg.svd((moving - a).T @ (target - b))
    rotation = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
    return rotation, b - a @ rotation
