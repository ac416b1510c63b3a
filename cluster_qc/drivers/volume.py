"""Orbitals and densities on a regular grid, in slabs of bounded memory, and the cube file that holds them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from cluster_qc.drivers.mole import build_mole
from cluster_qc.errors import InputError, ResourceError, StorageError
from cluster_qc.model import Cluster, GroundState, NaturalTransitionOrbitals, Volume
from cluster_qc.model.arrays import FloatArray
from cluster_qc.model.elements import atomic_number

_CHUNK_BYTES = 64 * 2**20
_MAX_POINTS = 50_000_000


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
        lambda aos: (aos @ columns).T,
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

    Each is the sum of w |orbital|^2 over all pairs, so each integrates to the sum of the weights: 1 in the Tamm-Dancoff
    approximation, 1 + 2|Y|^2 otherwise, as `ntos` is not renormalised. Their difference, electron minus hole,
    integrates to 0. It is the unrelaxed density difference: the other electrons stay as they were, where in truth they
    follow and screen the charge; the response density (Furche and Ahlrichs, J. Chem. Phys. 117, 7433 (2002),
    10.1063/1.1508368) adds that, and the de-excitations Y Y^T to either side.

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

    def densities(aos: FloatArray) -> FloatArray:
        return np.stack([(aos @ columns) ** 2 @ ntos.weights for columns in (ntos.hole, ntos.electron)])

    labels = (f"{ntos.label} hole density", f"{ntos.label} electron density")
    hole, electron = _on_grid(ground, densities, labels, spacing, margin)
    return hole, electron


def _check_columns(ground: GroundState, columns: FloatArray, what: str) -> None:
    nao = len(ground.ao_atoms)
    if columns.ndim != 2 or columns.shape[0] != nao:
        raise InputError(f"{what} have shape {columns.shape}; {nao} AOs need ({nao}, n)")


def _on_grid(
    ground: GroundState,
    fields: Callable[[FloatArray], FloatArray],
    labels: tuple[str, ...],
    spacing: float,
    margin: float,
) -> list[Volume]:
    """Fields of AO values, (npoint, nao) -> (nlabel, npoint), on one grid."""
    if not (spacing > 0 and margin > 0):
        raise InputError(f"spacing is {spacing} and margin {margin} bohr; both must be positive")
    origin = ground.cluster.coords.min(axis=0) - margin
    extent = ground.cluster.coords.max(axis=0) + margin - origin
    shape = np.ceil(extent / spacing).astype(int) + 1
    npoint = int(shape.prod())
    if npoint * len(labels) > _MAX_POINTS:
        raise ResourceError(
            f"{len(labels)} fields on a grid of {shape[0]} x {shape[1]} x {shape[2]} points are too many",
            why=f"they would take {8 * npoint * len(labels) / 2**30:.1f} GiB",
            fix=f"use a coarser spacing than {spacing} bohr, a smaller margin, or fewer orbitals at once",
        )
    mole = build_mole(ground.cluster, ground.method)
    evaluator = "GTOval_cart" if mole.cart else "GTOval_sph"
    steps = [origin[k] + spacing * np.arange(shape[k]) for k in range(3)]
    values = np.empty((len(labels), npoint))
    chunk = max(1, _CHUNK_BYTES // (8 * len(ground.ao_atoms)))
    for start in range(0, npoint, chunk):
        index = np.unravel_index(np.arange(start, min(start + chunk, npoint)), tuple(shape))
        points = np.stack([steps[k][index[k]] for k in range(3)], axis=1)
        values[:, start : start + len(points)] = fields(mole.eval_gto(evaluator, points))
    axes = spacing * np.eye(3)
    return [
        Volume(origin, axes, v.reshape(tuple(shape)), label=label)
        for v, label in zip(values, labels, strict=True)
    ]


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
