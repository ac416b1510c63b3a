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
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from cluster_qc.errors import InputError, UnavailableError
from cluster_qc.model import Cluster, Volume
from cluster_qc.model.arrays import FloatArray
from cluster_qc.model.volume import Mesh, OrbitalSurface
from cluster_qc.plotting import STYLE
from cluster_qc.plotting.figures import save_figure
from cluster_qc.plotting.molecule import (
    GAIN,
    LOSS,
    PHASES,
    ball_radius,
    covalent_radius,
    element_colour,
    neighbours,
    standard_view,
)

_PIXELS_PER_INCH = 300
_LONGER = 900  # pixels of a picture's longer edge
_FLATTEST = 0.5  # shorter edge over the longer one
_ROOM = (
    1.5  # bohr beyond covalent radii: lobes of 70 % fit in, so that pictures of one molecule have one scale
)
_EDGE = 0.3  # bohr around surfaces
_LINE = 0.12  # inch, of a caption of 6 points
_LETTERS = 20  # of such a caption, an inch
_ENTRY, _WORD = 0.36, 0.46  # inch, of the key of colours, of symbols and with words


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
    size: tuple[int, int] | None = None,
    direction: tuple[float, float, float] | None = None,
    caption: str = "",
) -> NDArray[np.uint8]:
    """Draw both phases of an orbital around the molecule; return the image, (height, width, 3), and save it to `path`.

    Metal-metal contacts are dashed; the phases are those of `Volume.with_fixed_phase`. Nothing is cut off: the molecule
    fills the picture, and where surfaces reach far beyond it, they do. It renders off screen and needs no display.

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
        Pixels, (width, height), 300 to the inch in the file; None as the molecule needs, 900 along the longer edge.
    direction
        From where to look; None as `molecule.standard_view` says.
    caption
        Text below the picture in the file, after a key of the colours.

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
    volume = volume.with_fixed_phase()
    image = _render(volume, cluster, isovalue, PHASES, size, direction)
    if path is not None:
        _save(path, image, caption, _key(cluster, volume, isovalue, ("+", "\N{MINUS SIGN}"), PHASES))
    return image


def plot_density(
    volume: Volume,
    cluster: Cluster,
    path: str | Path | None = None,
    *,
    share: float = 0.7,
    size: tuple[int, int] | None = None,
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
    isovalue = enclosing_isovalue(volume, share, power=1)
    image = _render(volume, cluster, isovalue, (GAIN, LOSS), size, direction)
    if path is not None:
        _save(path, image, caption, _key(cluster, volume, isovalue, ("gain", "loss"), (GAIN, LOSS)))
    return image


def _render(
    volume: Volume,
    cluster: Cluster,
    isovalue: float,
    colours: tuple[str, str],
    size: tuple[int, int] | None,
    direction: tuple[float, float, float] | None,
) -> NDArray[np.uint8]:
    pv = _pyvista()
    _check_rendering()
    contours = _contours(pv, volume, isovalue)
    view = standard_view(cluster) if direction is None else _view_from(direction, cluster)
    low, high = _extent(cluster, contours, view)
    with pv.vtk_verbosity("error"):  # without a display VTK warns about X before it takes EGL
        plotter = pv.Plotter(off_screen=True, window_size=list(size or _fitting(high - low)))
        try:
            plotter.set_background("white")
            _add_molecule(pv, plotter, cluster)
            _add_surfaces(pv, plotter, contours, colours, view[2])
            _aim(plotter, view, low, high)
            plotter.enable_anti_aliasing("ssaa")
            return np.asarray(plotter.screenshot(None, return_img=True), dtype=np.uint8)
        finally:
            plotter.close()


def _key(
    cluster: Cluster, volume: Volume, isovalue: float, names: tuple[str, str], colours: tuple[str, str]
) -> dict[str, str]:
    """Colours by what they stand for: the surfaces that there are, and the elements."""
    there = (volume.values.max() > isovalue, volume.values.min() < -isovalue)
    surfaces = {name: colour for name, colour, shown in zip(names, colours, there, strict=True) if shown}
    return surfaces | {symbol: element_colour(symbol) for symbol in dict.fromkeys(cluster.symbols)}


def _save(path: str | Path, image: NDArray[np.uint8], caption: str, key: dict[str, str]) -> None:
    width, height = (pixels / _PIXELS_PER_INCH for pixels in (image.shape[1], image.shape[0]))
    lines = textwrap.wrap(caption, int(width * _LETTERS))
    columns = max(1, int(width / (_ENTRY if max(map(len, key)) < 3 else _WORD)))
    rows = -(-len(key) // columns)
    text, strip = _LINE * (len(lines) + 0.5) if lines else 0.0, 1.3 * _LINE * rows
    whole = height + strip + text
    dots = [
        Line2D([], [], ls="", marker="o", ms=4, mfc=colour, mec="0.3", mew=0.4) for colour in key.values()
    ]
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(width, whole), dpi=_PIXELS_PER_INCH)
        figure.set_layout_engine("none")  # the style asks for another, which wants subplots
        ax = figure.add_axes((0.0, 1.0 - height / whole, 1.0, height / whole))
        ax.set_axis_off()
        ax.imshow(image, interpolation="none", aspect="auto")
        figure.legend(
            dots, list(key), ncols=min(columns, len(key)), loc="center", fontsize=6, handletextpad=0.0,
            columnspacing=0.7, bbox_to_anchor=(0.5, (text + 0.5 * strip) / whole), borderpad=0.0, handlelength=1.2,
        )  # fmt: skip
        figure.text(0.5, 0.5 * text / whole, "\n".join(lines), ha="center", va="center", fontsize=6)
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
    coords, symbols = cluster.coords, cluster.symbols
    bonds, contacts = neighbours(cluster)
    middles = {bond: coords[list(bond)].mean(axis=0) for bond in bonds}
    for symbol in dict.fromkeys(symbols):
        parts = [
            pv.Sphere(radius=ball_radius(symbol), center=coords[i], theta_resolution=24, phi_resolution=24)
            for i, other in enumerate(symbols)
            if other == symbol
        ]
        parts += [
            pv.Tube(pointa=coords[i], pointb=middle, radius=0.18, n_sides=12)
            for bond, middle in middles.items()
            for i in bond
            if symbols[i] == symbol
        ]
        _add_solid(pv, plotter, parts, element_colour(symbol))
    dashes = [
        pv.Tube(pointa=start, pointb=end, radius=0.11, n_sides=12)
        for i, j in contacts
        for start, end in _dashes(coords[i], coords[j])
    ]
    if dashes:
        _add_solid(pv, plotter, dashes, "#707070")


def _add_solid(pv: Any, plotter: Any, parts: list[Any], colour: str) -> None:
    plotter.add_mesh(pv.merge(parts), color=colour, ambient=0.25, specular=0.2, smooth_shading=True)


def _dashes(start: FloatArray, end: FloatArray, count: int = 6) -> list[tuple[FloatArray, FloatArray]]:
    marks = np.linspace(0.0, 1.0, 2 * count)
    points = start + marks[:, None] * (end - start)
    return [(points[2 * k], points[2 * k + 1]) for k in range(count)]


def _add_surfaces(
    pv: Any, plotter: Any, contours: list[Any], colours: tuple[str, str], towards: FloatArray
) -> None:
    """Draw translucent surfaces from the back to the front, as one mesh: only so do nearer ones cover farther ones."""
    there = [(contour, colour) for contour, colour in zip(contours, colours, strict=True) if contour.n_points]
    for contour, colour in there:
        rgb = np.array(pv.Color(colour).int_rgb, dtype=np.uint8)
        contour["colour"] = np.tile(rgb, (contour.n_points, 1))
    mesh = pv.merge([contour for contour, _ in there])
    triangles = mesh.faces.reshape(-1, 4)
    depth = mesh.points[triangles[:, 1:]].mean(axis=1) @ towards
    mesh.faces = triangles[np.argsort(depth)].ravel()
    plotter.add_mesh(
        mesh, scalars="colour", rgb=True, opacity=0.6, ambient=0.2, specular=0.2, smooth_shading=True
    )


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


def _view_from(direction: tuple[float, float, float], cluster: Cluster) -> FloatArray:
    """Axes of a picture as `standard_view` has them, but looked at from there."""
    right, up, _ = standard_view(cluster)
    towards = np.asarray(direction, dtype=float) / np.linalg.norm(direction)
    up = max((up, right), key=lambda axis: -abs(axis @ towards))
    up = up - (up @ towards) * towards
    up = up / np.linalg.norm(up)
    return np.array([np.cross(up, towards), up, towards])


def _extent(cluster: Cluster, contours: list[Any], view: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest coordinate along the axes of the view of what is drawn, (3,) each."""
    rooms = np.array([[_ROOM + covalent_radius(symbol)] for symbol in cluster.symbols])
    places: list[tuple[FloatArray, Any]] = [(cluster.coords @ view.T, rooms)]
    places += [(np.asarray(contour.points) @ view.T, _EDGE) for contour in contours if contour.n_points]
    low = np.min([(points - room).min(axis=0) for points, room in places], axis=0)
    high = np.max([(points + room).max(axis=0) for points, room in places], axis=0)
    return low, high


def _fitting(extent: FloatArray) -> tuple[int, int]:
    """Pixels of a picture of that extent."""
    shape = np.maximum(extent[:2] / extent[:2].max(), _FLATTEST)
    width, height = np.round(_LONGER * shape).astype(int).tolist()
    return width, height


def _aim(plotter: Any, view: FloatArray, low: FloatArray, high: FloatArray) -> None:
    """Look along the view without perspective, at all between `low` and `high`."""
    _, up, towards = view
    centre = 0.5 * (low + high) @ view
    width, height, depth = high - low
    across, down = plotter.window_size
    plotter.enable_parallel_projection()
    plotter.camera.focal_point = tuple(centre)
    plotter.camera.position = tuple(centre + depth * towards)
    plotter.camera.up = tuple(up)
    plotter.camera.parallel_scale = 0.5 * max(height, width * down / across)
    plotter.reset_camera_clipping_range()
