"""Surfaces of orbitals and densities around the molecule, rendered off screen with pyvista (the extra "pictures")."""

from __future__ import annotations

import importlib
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cluster_qc.errors import InputError, UnavailableError
from cluster_qc.model import Cluster, Volume
from cluster_qc.model.arrays import FloatArray
from cluster_qc.model.volume import Mesh, OrbitalSurface
from cluster_qc.plotting import STYLE
from cluster_qc.plotting.figures import save_figure
from cluster_qc.plotting.molecule import (
    BALL,
    GAIN,
    LOSS,
    PHASES,
    covalent_radius,
    element_colour,
    neighbours,
    standard_view,
)

_PIXELS_PER_INCH = 300
_ROOM = 2.5  # bohr around the outermost nuclei, for balls and lobes
_LINE = 0.12  # inch, of a caption of 6 points
_LETTERS = 20  # of such a caption, an inch


def enclosing_isovalue(volume: Volume, share: float, *, power: int = 2) -> float:
    """Find the |value| whose isosurface encloses `share` of the sum of |value|^power on the grid.

    With the power 2 that is a share of an orbital's density, with 1 of a density itself.

    Raises
    ------
    InputError
        If the share is not between 0 and 1, or the volume is zero everywhere.
    """
    if not 0 < share < 1:
        raise InputError(f"share is {share}; it is the enclosed part of the density, between 0 and 1")
    values = np.sort(np.abs(volume.values), axis=None)[::-1]
    enclosed = np.cumsum(values**power)
    if not enclosed[-1] > 0:
        raise InputError("it is zero everywhere on the grid")
    return float(values[np.searchsorted(enclosed, share * enclosed[-1])])


def orbital_surface(volume: Volume, *, share: float = 0.7, triangles: int = 12_000) -> OrbitalSurface:
    """Find the surfaces that `plot_orbital` draws, with about as many triangles as asked for; renders nothing.

    Raises
    ------
    UnavailableError
        If pyvista is not installed.
    InputError
        As in `enclosing_isovalue`.
    """
    volume = volume.with_fixed_phase()
    isovalue = enclosing_isovalue(volume, share)
    contours = _contours(_pyvista(), volume, isovalue)
    keep = triangles / max(1, sum(contour.n_cells for contour in contours))
    phases = []
    for contour in contours:
        # Quadric decimation takes the triangles away where the surface is flat.
        mesh = contour.decimate(1.0 - keep) if keep < 1.0 and contour.n_cells else contour
        faces = mesh.faces.reshape(-1, 4)[:, 1:] if mesh.n_cells else np.zeros((0, 3), dtype=int)
        phases.append(Mesh(np.asarray(mesh.points, dtype=float).reshape(-1, 3), faces))
    return OrbitalSurface(share, isovalue, phases[0], phases[1])


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

    Metal-metal contacts are dashed; the phases are those of `Volume.with_fixed_phase`. It renders off screen and needs
    no display.

    Parameters
    ----------
    volume
        The orbital.
    cluster
        The molecule.
    path
        PNG, SVG or PDF file to write, or None. In SVG and PDF the caption is text and the scene an image: shaded,
        translucent surfaces have no vector form.
    share
        Part of the density that the surfaces enclose.
    size
        Pixels, (width, height), 300 to the inch in the file.
    direction
        From where to look; None as `molecule.standard_view` says.
    caption
        Text below the picture in the file.

    Raises
    ------
    UnavailableError
        If pyvista is not installed, or finds no OpenGL library to render with.
    InputError
        As in `enclosing_isovalue`.
    StorageError
        If the file cannot be written.
    """
    isovalue = enclosing_isovalue(volume, share)
    image = _render(volume.with_fixed_phase(), cluster, isovalue, PHASES, size, direction)
    if path is not None:
        _save(path, image, caption)
    return image


def plot_density(
    volume: Volume,
    cluster: Cluster,
    path: str | Path | None = None,
    *,
    share: float = 0.7,
    size: tuple[int, int] = (900, 700),
    direction: tuple[float, float, float] | None = None,
    caption: str = "",
) -> NDArray[np.uint8]:
    """Draw a density: green where it is positive (electrons come to), purple where it is negative (electrons leave).

    Parameters
    ----------
    volume
        A density, or a difference of two.
    share
        Part of the integral of |density| that the surfaces enclose, both signs at one isovalue.
    cluster, path, size, direction, caption
        As in `plot_orbital`, as are the result and the errors.
    """
    image = _render(
        volume, cluster, enclosing_isovalue(volume, share, power=1), (GAIN, LOSS), size, direction
    )
    if path is not None:
        _save(path, image, caption)
    return image


def _render(
    volume: Volume,
    cluster: Cluster,
    isovalue: float,
    colours: tuple[str, str],
    size: tuple[int, int],
    direction: tuple[float, float, float] | None,
) -> NDArray[np.uint8]:
    pv = _pyvista()
    _check_rendering()
    with pv.vtk_verbosity("error"):  # without a display VTK warns about X before it takes EGL
        plotter = pv.Plotter(off_screen=True, window_size=list(size))
        try:
            plotter.set_background("white")
            _add_molecule(pv, plotter, cluster)
            towards = _aim(plotter, cluster, direction, size)
            _add_surfaces(pv, plotter, _contours(pv, volume, isovalue), colours, towards)
            plotter.reset_camera_clipping_range()
            plotter.enable_anti_aliasing("ssaa")
            return np.asarray(plotter.screenshot(None, return_img=True), dtype=np.uint8)
        finally:
            plotter.close()


def _save(path: str | Path, image: NDArray[np.uint8], caption: str) -> None:
    width, height = (pixels / _PIXELS_PER_INCH for pixels in (image.shape[1], image.shape[0]))
    lines = textwrap.wrap(caption, int(width * _LETTERS))
    strip = _LINE * (len(lines) + 0.5) if lines else 0.0
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(width, height + strip), dpi=_PIXELS_PER_INCH)
        figure.set_layout_engine("none")  # the style asks for another, which wants subplots
        ax = figure.add_axes((0.0, strip / (height + strip), 1.0, height / (height + strip)))
        ax.set_axis_off()
        ax.imshow(image, interpolation="none", aspect="auto")
        figure.text(
            0.5, 0.5 * strip / (height + strip), "\n".join(lines), ha="center", va="center", fontsize=6
        )
        save_figure(figure, path)


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
    for symbol in dict.fromkeys(cluster.symbols):
        atoms = [i for i, s in enumerate(cluster.symbols) if s == symbol]
        ball = pv.Sphere(radius=BALL * covalent_radius(symbol), theta_resolution=24, phi_resolution=24)
        glyphs = pv.PolyData(np.array(coords[atoms])).glyph(geom=ball, orient=False, scale=False)
        plotter.add_mesh(glyphs, color=element_colour(symbol), specular=0.3, smooth_shading=True)
    bonds, contacts = neighbours(cluster)
    tubes = [pv.Tube(pointa=coords[i], pointb=coords[j], radius=0.16, n_sides=12) for i, j in bonds]
    tubes += [
        pv.Tube(pointa=start, pointb=end, radius=0.09, n_sides=12)
        for i, j in contacts
        for start, end in _dashes(coords[i], coords[j])
    ]
    if tubes:
        plotter.add_mesh(pv.merge(tubes), color="#909090", smooth_shading=True)


def _dashes(start: FloatArray, end: FloatArray, count: int = 6) -> list[tuple[FloatArray, FloatArray]]:
    marks = np.linspace(0.0, 1.0, 2 * count)
    points = start + marks[:, None] * (end - start)
    return [(points[2 * k], points[2 * k + 1]) for k in range(count)]


def _add_surfaces(
    pv: Any, plotter: Any, contours: list[Any], colours: tuple[str, str], towards: FloatArray
) -> None:
    """Draw translucent surfaces from the back to the front, as one mesh: only so do nearer ones cover farther ones."""
    for contour, colour in zip(contours, colours, strict=True):
        rgb = np.array(pv.Color(colour).int_rgb, dtype=np.uint8)
        contour["colour"] = np.tile(rgb, (contour.n_points, 1))
    mesh = pv.merge([contour for contour in contours if contour.n_points])
    triangles = mesh.faces.reshape(-1, 4)
    depth = mesh.points[triangles[:, 1:]].mean(axis=1) @ towards
    mesh.faces = triangles[np.argsort(depth)].ravel()
    plotter.add_mesh(mesh, scalars="colour", rgb=True, opacity=0.6, specular=0.2, smooth_shading=True)


def _contours(pv: Any, volume: Volume, isovalue: float) -> list[Any]:
    """Where the volume is +isovalue and where it is -isovalue, empty if it is so nowhere."""
    indices = np.stack(np.meshgrid(*(np.arange(n) for n in volume.values.shape), indexing="ij"), axis=-1)
    points = indices @ volume.axes + volume.origin
    grid = pv.StructuredGrid(points[..., 0], points[..., 1], points[..., 2])
    grid["values"] = volume.values.ravel(order="F")
    inside = [volume.values.min() < level < volume.values.max() for level in (isovalue, -isovalue)]
    return [
        grid.contour([level], scalars="values") if there else pv.PolyData()
        for level, there in zip((isovalue, -isovalue), inside, strict=True)
    ]


def _aim(
    plotter: Any, cluster: Cluster, direction: tuple[float, float, float] | None, size: tuple[int, int]
) -> FloatArray:
    """Look from `direction`, or as `standard_view` says, without perspective; the molecule fills the picture.

    Returns the unit vector towards the viewer, (3,).
    """
    right, up, towards = standard_view(cluster)
    if direction is not None:
        towards = np.asarray(direction, dtype=float) / np.linalg.norm(direction)
        up = max((up, right), key=lambda axis: -abs(axis @ towards))
        up = up - (up @ towards) * towards
        up = up / np.linalg.norm(up)
        right = np.cross(up, towards)
    places = cluster.coords @ np.array([right, up, towards]).T
    low, high = places.min(axis=0), places.max(axis=0)
    centre = 0.5 * (low + high) @ np.array([right, up, towards])
    width, height, depth = high - low + 2 * _ROOM
    plotter.enable_parallel_projection()
    plotter.camera.focal_point = tuple(centre)
    plotter.camera.position = tuple(centre + depth * towards)
    plotter.camera.up = tuple(up)
    plotter.camera.parallel_scale = 0.5 * max(height, width * size[1] / size[0])
    return np.asarray(towards)
