"""A scalar field on a regular grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cluster_qc.model.arrays import FloatArray, frozen


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

    @property
    def voxel(self) -> float:
        """Volume of one grid cell, bohr^3."""
        return float(abs(np.linalg.det(self.axes)))
