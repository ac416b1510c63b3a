"""How a molecule and what surrounds it are drawn: radii, colours, bonds and metal-metal contacts; numpy only."""

from __future__ import annotations

import numpy as np

from cluster_qc.model import Cluster
from cluster_qc.model.arrays import FloatArray
from cluster_qc.model.elements import is_metal
from cluster_qc.units import angstrom

# Covalent radii in angstrom: Cordero et al., Dalton Trans. 2008, 2832, 10.1039/b801115j.
_RADII = {
    "H": 0.31, "B": 0.84, "C": 0.76, "N": 0.71, "O": 0.66, "F": 0.57, "Si": 1.11, "P": 1.07, "S": 1.05,
    "Cl": 1.02, "Ni": 1.24, "Cu": 1.32, "Zn": 1.22, "Se": 1.20, "Br": 1.20, "Pd": 1.39, "Ag": 1.45,
    "Cd": 1.44, "I": 1.39, "Pt": 1.36, "Au": 1.36, "Hg": 1.32,
}  # fmt: skip
_DEFAULT_RADIUS = 1.4
_COLOURS = {
    "H": "#f2f2f2", "C": "#4d4d4d", "N": "#3050f8", "O": "#e02020", "F": "#70c040", "P": "#ff8000",
    "S": "#f5e642", "Cl": "#1fbf1f", "Br": "#a62929", "I": "#940094", "Cu": "#a4522a", "Ag": "#b0b0b8",
    "Au": "#e09a00", "Pd": "#006985", "Pt": "#a8a8b8", "Hg": "#9a9ab0",
}  # fmt: skip
_DEFAULT_COLOUR = "#d080c0"
PHASES = ("#2166AC", "#B2182B")
"""Colours of the positive and the negative phase of an orbital."""
GAIN, LOSS = "#1B7837", "#762A83"
"""Colours of where electrons come to and where they leave: no one takes them for phases."""
_BALL, _METAL_BALL = 0.25, 0.35  # radius of an atom's ball over its covalent radius
_SMALLEST = 0.13 * angstrom  # a hydrogen's ball stands out from its bond
_TILT = np.radians(20.0)
_BOND_FACTOR = 1.25
_CONTACT_FACTOR = 1.25


def covalent_radius(symbol: str) -> float:
    """Covalent radius in bohr; a usual one for elements that the table lacks."""
    return _RADII.get(symbol, _DEFAULT_RADIUS) * angstrom


def ball_radius(symbol: str) -> float:
    """Radius of the ball that an atom is drawn as, bohr."""
    return max(_SMALLEST, (_METAL_BALL if is_metal(symbol) else _BALL) * covalent_radius(symbol))


def element_colour(symbol: str) -> str:
    """Colour of an element's atoms, "#rrggbb"."""
    return _COLOURS.get(symbol, _DEFAULT_COLOUR)


def neighbours(cluster: Cluster) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Find bonds and metal-metal contacts, from distances against the sum of covalent radii."""
    radii = np.array([covalent_radius(symbol) for symbol in cluster.symbols])
    distances = np.linalg.norm(cluster.coords[:, None] - cluster.coords[None], axis=-1)
    metal = np.array([is_metal(s) for s in cluster.symbols])
    both = metal[:, None] & metal[None]
    reach = (radii[:, None] + radii[None]) * np.where(both, _CONTACT_FACTOR, _BOND_FACTOR)
    near = np.triu(distances < reach, k=1)
    bonds = [(int(i), int(j)) for i, j in np.argwhere(near & ~both)]
    return bonds, [(int(i), int(j)) for i, j in np.argwhere(near & both)]


def standard_view(cluster: Cluster) -> FloatArray:
    """Axes of a picture of the molecule: rows to the right, up, and towards the viewer, orthonormal, (3, 3).

    It looks onto the plane of the metals, or of all atoms if fewer than three metals or a row of them define none, with
    their longest extent across, from 20 degrees above: ligands upright on a metal would hide it. Up and towards the
    viewer the atoms reach farther (third moment), so that the picture of a mirror image is the mirrored picture.
    """
    metals = cluster.coords[[is_metal(symbol) for symbol in cluster.symbols]]
    spread = np.linalg.svd(metals - metals.mean(axis=0), compute_uv=False) if len(metals) > 2 else np.zeros(3)
    points = metals if spread[1] > 1.0 else cluster.coords
    _, up, towards = np.linalg.svd(points - points.mean(axis=0), full_matrices=True)[2]
    around = cluster.coords - cluster.coords.mean(axis=0)
    up, towards = (axis if ((around @ axis) ** 3).sum() >= 0 else -axis for axis in (up, towards))
    right = np.cross(up, towards)
    up, towards = np.cos(_TILT) * up - np.sin(_TILT) * towards, np.cos(_TILT) * towards + np.sin(_TILT) * up
    return np.array([right, up, towards])
