"""Orbital isosurfaces around the molecule, rendered off screen with pyvista (the extra "pictures")."""

from __future__ import annotations

import importlib
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster_qc.errors import InputError, StorageError, UnavailableError
from cluster_qc.model import Cluster, Volume
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
    "S": "#e6c800", "Cl": "#1fbf1f", "Br": "#a62929", "I": "#940094", "Cu": "#c88033", "Ag": "#b0b0b8",
    "Au": "#f0b000", "Pd": "#006985", "Pt": "#a8a8b8", "Hg": "#9a9ab0",
}  # fmt: skip
_DEFAULT_COLOUR = "#d080c0"
_PHASES = ("#2166AC", "#B2182B")
_BOND_FACTOR = 1.25
_CONTACT_FACTOR = 1.25


def enclosing_isovalue(volume: Volume, share: float) -> float:
    """Find the |value| whose isosurface encloses `share` of the orbital's density on the grid, bohr^-3/2.

    Raises
    ------
    InputError
        If the share is not between 0 and 1, or the volume is zero everywhere.
    """
    if not 0 < share < 1:
        raise InputError(f"share is {share}; it is the enclosed part of the density, between 0 and 1")
    density = np.sort(volume.values.ravel() ** 2)[::-1]
    enclosed = np.cumsum(density)
    if not enclosed[-1] > 0:
        raise InputError("the orbital is zero everywhere on the grid")
    return float(np.sqrt(density[np.searchsorted(enclosed, share * enclosed[-1])]))


def plot_orbital(
    volume: Volume,
    cluster: Cluster,
    path: str | Path | None = None,
    *,
    share: float = 0.7,
    size: tuple[int, int] = (900, 700),
    direction: tuple[float, float, float] | None = None,
    caption: str = "",
) -> NDArray[np.uint8]:
    """Draw both phases of an orbital around the molecule; return the image, (height, width, 3), and save it to `path`.

    Metal-metal contacts are dashed. It renders off screen and needs no display.

    Parameters
    ----------
    volume
        The orbital.
    cluster
        The molecule.
    path
        PNG file to write, or None.
    share
        Part of the density that the surfaces enclose.
    size
        Pixels, (width, height).
    direction
        From where to look; None looks onto the plane in which the molecule is widest.
    caption
        Text at the lower edge.

    Raises
    ------
    UnavailableError
        If pyvista is not installed, or finds no OpenGL library to render with.
    InputError
        As in `enclosing_isovalue`.
    """
    isovalue = enclosing_isovalue(volume, share)
    pv = _pyvista()
    _check_rendering()
    with pv.vtk_verbosity("error"):  # without a display VTK warns about X before it takes EGL
        plotter = pv.Plotter(off_screen=True, window_size=list(size))
        try:
            plotter.set_background("white")
            _add_molecule(pv, plotter, cluster)
            _add_surfaces(pv, plotter, volume, isovalue)
            _aim(plotter, cluster, direction)
            if caption:
                plotter.add_text(caption, position="lower_edge", font_size=10, color="black")
            plotter.enable_anti_aliasing("ssaa")
            return np.asarray(
                plotter.screenshot(None if path is None else str(path), return_img=True), dtype=np.uint8
            )
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error}", fix="check the folder") from error
        finally:
            plotter.close()


def _pyvista() -> Any:
    try:
        return importlib.import_module("pyvista")
    except ImportError as error:
        raise UnavailableError(
            "pyvista is needed to draw orbitals and cannot be imported",
            why=str(error),
            fix='install the extra: pip install "cluster_qc[pictures]" (or write a cube file for another program)',
        ) from error


@cache
def _check_rendering() -> None:
    """Render one frame in a process of its own: without an OpenGL library VTK kills its process."""
    probe = "import pyvista; pyvista.Plotter(off_screen=True, window_size=[8, 8]).screenshot(None, return_img=True)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False)
    if done.returncode != 0:
        raise UnavailableError(
            "pyvista cannot render here",
            why="it found no OpenGL library that works without a display",
            fix="install Mesa's EGL (Debian: libegl1 libgl1 libgl1-mesa-dri), or write a cube file for another program",
        )


def _add_molecule(pv: Any, plotter: Any, cluster: Cluster) -> None:
    coords = cluster.coords
    radii = np.array([_RADII.get(s, _DEFAULT_RADIUS) for s in cluster.symbols]) * angstrom
    for symbol in dict.fromkeys(cluster.symbols):
        atoms = [i for i, s in enumerate(cluster.symbols) if s == symbol]
        scale = 0.25 * _RADII.get(symbol, _DEFAULT_RADIUS) * angstrom
        ball = pv.Sphere(radius=scale, theta_resolution=24, phi_resolution=24)
        glyphs = pv.PolyData(np.array(coords[atoms])).glyph(geom=ball, orient=False, scale=False)
        plotter.add_mesh(
            glyphs, color=_COLOURS.get(symbol, _DEFAULT_COLOUR), specular=0.3, smooth_shading=True
        )
    bonds, contacts = _neighbours(cluster, radii)
    tubes = [pv.Tube(pointa=coords[i], pointb=coords[j], radius=0.16, n_sides=12) for i, j in bonds]
    tubes += [
        pv.Tube(pointa=start, pointb=end, radius=0.09, n_sides=12)
        for i, j in contacts
        for start, end in _dashes(coords[i], coords[j])
    ]
    if tubes:
        plotter.add_mesh(pv.merge(tubes), color="#909090", smooth_shading=True)


def _neighbours(cluster: Cluster, radii: FloatArray) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Find bonds and metal-metal contacts, from distances against the sum of covalent radii."""
    distances = np.linalg.norm(cluster.coords[:, None] - cluster.coords[None], axis=-1)
    metal = np.array([is_metal(s) for s in cluster.symbols])
    both = metal[:, None] & metal[None]
    reach = (radii[:, None] + radii[None]) * np.where(both, _CONTACT_FACTOR, _BOND_FACTOR)
    near = np.triu(distances < reach, k=1)
    bonds = [(int(i), int(j)) for i, j in np.argwhere(near & ~both)]
    return bonds, [(int(i), int(j)) for i, j in np.argwhere(near & both)]


def _dashes(start: FloatArray, end: FloatArray, count: int = 6) -> list[tuple[FloatArray, FloatArray]]:
    marks = np.linspace(0.0, 1.0, 2 * count)
    points = start + marks[:, None] * (end - start)
    return [(points[2 * k], points[2 * k + 1]) for k in range(count)]


def _add_surfaces(pv: Any, plotter: Any, volume: Volume, isovalue: float) -> None:
    indices = np.stack(np.meshgrid(*(np.arange(n) for n in volume.values.shape), indexing="ij"), axis=-1)
    points = indices @ volume.axes + volume.origin
    grid = pv.StructuredGrid(points[..., 0], points[..., 1], points[..., 2])
    grid["orbital"] = volume.values.ravel(order="F")
    for level, colour in zip((isovalue, -isovalue), _PHASES, strict=True):
        if volume.values.min() < level < volume.values.max():
            surface = grid.contour([level], scalars="orbital")
            if surface.n_points:
                plotter.add_mesh(surface, color=colour, opacity=0.6, specular=0.2, smooth_shading=True)


def _aim(plotter: Any, cluster: Cluster, direction: tuple[float, float, float] | None) -> None:
    """Look along `direction`, or along the shortest principal axis, with the longest one across the picture."""
    centre = cluster.coords.mean(axis=0)
    axes = np.linalg.svd(cluster.coords - centre, full_matrices=True)[2]
    view = axes[2] if direction is None else np.asarray(direction, dtype=float)
    up = axes[1] if direction is None else (axes[1] if abs(view @ axes[1]) < abs(view @ axes[0]) else axes[0])
    plotter.camera.focal_point = tuple(centre)
    plotter.camera.position = tuple(centre + 100.0 * view / np.linalg.norm(view))
    plotter.camera.up = tuple(up)
    plotter.reset_camera()
    plotter.camera.zoom(1.3)
