"""A scalar field on a regular grid, and surfaces of equal value in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cluster_qc.model.arrays import FloatArray, IntArray, frozen

_NO_PHASE = 1e-6  # of the sum of |cubes|: rounding


@dataclass(frozen=True, eq=False)
class Volume:
    """An orbital or a density on a regular grid, in atomic units."""

    origin: FloatArray
    """Position of values[0, 0, 0], bohr, (3,)."""
    axes: FloatArray
    """Step vectors in bohr, one a row, (3, 3)."""
    values: FloatArray
    """(nx, ny, nz): orbital in bohr^-3/2 or density in bohr^-3."""
    label: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin", frozen(self.origin, (3,), "origin"))
        object.__setattr__(self, "axes", frozen(self.axes, (3, 3), "axes"))
        object.__setattr__(self, "values", frozen(self.values, (None, None, None), "values"))

    def __repr__(self) -> str:
        return f"<volume {self.label!r}, {' x '.join(map(str, self.values.shape))} points>"

    @property
    def voxel(self) -> float:
        """Volume of one grid cell, bohr^3."""
        return float(abs(np.linalg.det(self.axes)))

    def with_fixed_phase(self) -> Volume:
        """The orbital with the sign that makes the integral of its cube positive.

        The sign of an orbital is arbitrary; this choice turns and mirrors with the molecule, so that pictures of the
        same orbital match. Where symmetry makes the integral vanish the sign stays: there both are the same picture.
        """
        cubes = self.values**3
        if cubes.sum() >= -_NO_PHASE * np.abs(cubes).sum():
            return self
        return replace(self, values=-self.values)


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in space."""

    vertices: FloatArray
    """Positions in bohr, (nvertex, 3)."""
    triangles: IntArray
    """Indices of vertices, (ntriangle, 3)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", frozen(self.vertices, (None, 3), "vertices"))
        object.__setattr__(self, "triangles", frozen(self.triangles, (None, 3), "triangles", dtype=np.intp))


@dataclass(frozen=True, eq=False)
class OrbitalSurface:
    """Both phases of an orbital where its absolute value is `isovalue`."""

    share: float
    """Part of the density on the grid that they enclose."""
    isovalue: float
    """bohr^-3/2."""
    positive: Mesh
    negative: Mesh
