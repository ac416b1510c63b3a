"""Orbitals and densities on a regular grid, box by box with the AOs that reach it, and the cube file for them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyscf import dft

from cluster_qc.drivers.mole import build_mole
from cluster_qc.errors import InputError, ResourceError, StorageError
from cluster_qc.model import Cluster, GroundState, NaturalTransitionOrbitals, Volume
from cluster_qc.model.arrays import FloatArray
from cluster_qc.model.elements import atomic_number

_BOX = 14  # points along the edge of a box
_CUTOFF = 1e-10  # an AO smaller than this throughout a box is left out there
_REST = 1e-5  # weight of the pairs that a density may lack, all together
_MAX_POINTS = 50_000_000

Index = NDArray[np.intp]


def orbital_volumes(
    ground: GroundState,
    coefficients: ArrayLike,
    spacing: float = 0.35,
    margin: float = 7.0,
    labels: tuple[str, ...] = (),
) -> list[Volume]:
    """Evaluate orbitals on one grid along the coordinate axes; the AOs are evaluated once for all of them.

    Parameters
    ----------
    ground
        Gives the molecule and the basis set.
    coefficients
        AO coefficients, (nao, n).
    spacing
        Step of the grid, bohr.
    margin
        Room around the outermost nuclei, bohr.
    labels
        One per orbital, or none.

    Raises
    ------
    InputError
        If shapes do not fit, or spacing or margin is not positive.
    ResourceError
        If the grid has more than 50 million points.
    """
    columns = np.asarray(coefficients, dtype=float)
    _check_columns(ground, columns, "the orbitals")
    if labels and len(labels) != columns.shape[1]:
        raise InputError(f"{columns.shape[1]} orbitals came with {len(labels)} labels")
    return _on_grid(
        ground,
        lambda near, aos: (aos @ columns[near]).T,
        labels or ("",) * columns.shape[1],
        spacing,
        margin,
    )


def orbital_volume(
    ground: GroundState,
    coefficients: ArrayLike,
    spacing: float = 0.35,
    margin: float = 7.0,
    label: str = "",
) -> Volume:
    """Evaluate one orbital on a grid; coefficients (nao,), the rest as in `orbital_volumes`."""
    column = np.asarray(coefficients, dtype=float)
    if column.ndim != 1:
        raise InputError(f"one orbital has coefficients of one axis, these have shape {column.shape}")
    return orbital_volumes(ground, column[:, None], spacing, margin, (label,))[0]


def transition_densities(
    ground: GroundState,
    ntos: NaturalTransitionOrbitals,
    spacing: float = 0.35,
    margin: float = 7.0,
) -> tuple[Volume, Volume]:
    """Where an excitation takes its electron from and where it puts it, bohr^-3: hole and electron density.

    Each is the sum of w |orbital|^2 over the pairs, without the last ones that weigh 1e-5 together. So it integrates to
    the sum of the weights: 1 in the Tamm-Dancoff approximation, 1 + 2|Y|^2 otherwise, as `ntos` is not renormalised.
    Their difference, electron minus hole, integrates to 0. It is the unrelaxed density difference: the other electrons
    stay as they were, where in truth they follow and screen the charge; the response density (Furche and Ahlrichs,
    J. Chem. Phys. 117, 7433 (2002), 10.1063/1.1508368) adds that, and the de-excitations Y Y^T to either side.

    Parameters
    ----------
    ground
        Gives the molecule and the basis set.
    ntos
        The pairs of one state.
    spacing, margin
        As in `orbital_volumes`, errors too.
    """
    for name, columns in (("hole", ntos.hole), ("electron", ntos.electron)):
        _check_columns(ground, columns, f"the {name} orbitals of {ntos.label}")

    last = int(np.searchsorted(np.cumsum(ntos.weights), ntos.weights.sum() - _REST)) + 1
    weights, pairs = ntos.weights[:last], (ntos.hole[:, :last], ntos.electron[:, :last])

    def densities(near: Index, aos: FloatArray) -> FloatArray:
        return np.stack([(aos @ columns[near]) ** 2 @ weights for columns in pairs])

    labels = (f"{ntos.label} hole density", f"{ntos.label} electron density")
    hole, electron = _on_grid(ground, densities, labels, spacing, margin)
    return hole, electron


def _check_columns(ground: GroundState, columns: FloatArray, what: str) -> None:
    nao = len(ground.ao_atoms)
    if columns.ndim != 2 or columns.shape[0] != nao:
        raise InputError(f"{what} have shape {columns.shape}; {nao} AOs need ({nao}, n)")


def _on_grid(
    ground: GroundState,
    fields: Callable[[Index, FloatArray], FloatArray],
    labels: tuple[str, ...],
    spacing: float,
    margin: float,
) -> list[Volume]:
    """Fields on one grid, of the numbers (n,) and values (npoint, n) of the AOs at some points: (nlabel, npoint)."""
    if not (spacing > 0 and margin > 0):
        raise InputError(f"spacing is {spacing} and margin {margin} bohr; both must be positive")
    origin = ground.cluster.coords.min(axis=0) - margin
    extent = ground.cluster.coords.max(axis=0) + margin - origin
    shape = tuple(int(n) for n in np.ceil(extent / spacing).astype(int) + 1)
    if np.prod(shape, dtype=float) * len(labels) > _MAX_POINTS:
        raise ResourceError(
            f"{len(labels)} fields on a grid of {shape[0]} x {shape[1]} x {shape[2]} points are too many",
            why=f"they would take {8 * np.prod(shape, dtype=float) * len(labels) / 2**30:.1f} GiB",
            fix=f"use a coarser spacing than {spacing} bohr, a smaller margin, or fewer orbitals at once",
        )
    mole = build_mole(ground.cluster, ground.method)
    ranges = [origin[k] + spacing * np.arange(shape[k]) for k in range(3)]
    values = np.empty((len(labels), *shape))
    for corner in product(*(range(0, n, _BOX) for n in shape)):
        box = tuple(slice(start, start + _BOX) for start in corner)
        x, y, z = np.meshgrid(*(steps[part] for steps, part in zip(ranges, box, strict=True)), indexing="ij")
        found = fields(*_reaching(mole, np.stack([x, y, z], axis=-1).reshape(-1, 3)))
        values[(slice(None), *box)] = found.reshape(-1, *x.shape)
    axes = spacing * np.eye(3)
    return [Volume(origin, axes, v, label=label) for v, label in zip(values, labels, strict=True)]


def _reaching(mole: Any, points: FloatArray) -> tuple[Index, FloatArray]:
    """Numbers and values of the AOs in the shells that reach the points, (n,) and (npoint, n)."""
    mask = dft.gen_grid.make_mask(mole, points, cutoff=_CUTOFF)
    shells = mask.any(axis=0)
    if not shells.any():
        return np.zeros(0, dtype=np.intp), np.zeros((len(points), 0))
    near = mole.copy(deep=False)
    near._bas = mole._bas[shells]
    evaluator = "GTOval_cart" if mole.cart else "GTOval_sph"
    values = near.eval_gto(evaluator, points, non0tab=np.ascontiguousarray(mask[:, shells]))
    return np.flatnonzero(np.repeat(shells, np.diff(mole.ao_loc_nr()))), values


def write_cube(volume: Volume, cluster: Cluster, path: str | Path) -> None:
    """Write a Gaussian cube file, all in bohr.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    title = " ".join(volume.label.split()) or "orbital"
    lines = [f"{title} of {' '.join(cluster.name.split())}", "atomic units; x outermost, z innermost"]
    lines.append(f"{cluster.natom:5d}" + "".join(f"{x:13.6f}" for x in volume.origin))
    for n, axis in zip(volume.values.shape, volume.axes, strict=True):
        lines.append(f"{n:5d}" + "".join(f"{x:13.6f}" for x in axis))
    for symbol, position in zip(cluster.symbols, cluster.coords, strict=True):
        number = atomic_number(symbol)
        lines.append(f"{number:5d}{number:13.6f}" + "".join(f"{x:13.6f}" for x in position))
    try:
        with open(path, "w", encoding="ascii", errors="replace") as stream:
            stream.write("\n".join(lines) + "\n")
            values = np.where(np.abs(volume.values) < 1e-90, 0.0, volume.values)
            for row in values.reshape(-1, values.shape[2]):
                for start in range(0, len(row), 6):
                    stream.write("".join(f"{x:13.5E}" for x in row[start : start + 6]) + "\n")
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror}", fix="check the folder and the free space"
        ) from error
