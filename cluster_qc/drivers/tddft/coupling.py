"""The Hartree and exchange-correlation part of the response: on the grid, or fitted for the model.

Either form returns, for trial vectors u (n, nocc, nvir), 2 (ia|jb) u_jb (singlets only) + 2 <ia|f_xc|jb> u_jb.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cluster_qc.drivers.ri import RITensor
from cluster_qc.drivers.tddft.kernel import GridKernel

Single = NDArray[np.float32]
Double = NDArray[np.float64]

_AUXILIARY_CUTOFF = 1e-5


class Coupling(Protocol):
    """What the operator needs of it."""

    def apply(self, vectors: Single) -> Single:
        """The response to (n, nocc, nvir) vectors, same shape."""

    def diagonal(self) -> Double | float:
        """Its diagonal, (nocc, nvir), as far as it is cheap."""


@dataclass(frozen=True, eq=False)
class GridCoupling:
    """Hartree term by three-index integrals, kernel on the grid."""

    coulomb: Single | None
    """`ia` tensor, (naux, nocc, nvir); None for triplets."""
    kernel: GridKernel | None
    """None for Hartree-Fock."""
    occupied: Double
    virtual: Double

    def apply(self, vectors: Single) -> Single:
        """See `Coupling`."""
        result = np.zeros_like(vectors)
        if self.coulomb is not None:
            flat = self.coulomb.reshape(len(self.coulomb), -1)
            fitted = flat @ vectors.reshape(len(vectors), -1).T
            result += 2.0 * (fitted.T @ flat).reshape(vectors.shape)
        if self.kernel is not None:
            result += self.kernel.apply(vectors, self.occupied, self.virtual)
        return result

    def diagonal(self) -> Double | float:
        """Of the Hartree term only."""
        if self.coulomb is None:
            return 0.0
        return np.asarray(2.0 * np.einsum("pia,pia->ia", self.coulomb, self.coulomb), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class FittedCoupling:
    """Both terms as one matrix between fitting functions, so that a product costs what the Hartree term costs."""

    coulomb: Single
    """`ia` tensor, (naux, nocc, nvir)."""
    matrix: Single
    """(naux, naux): `hartree` times one + 2 F of `fitted_kernel`."""
    hartree: float
    """2 for singlets, 0 for triplets."""

    def apply(self, vectors: Single) -> Single:
        """See `Coupling`."""
        flat = self.coulomb.reshape(len(self.coulomb), -1)
        fitted = self.matrix @ (flat @ vectors.reshape(len(vectors), -1).T)
        return np.asarray((fitted.T @ flat).reshape(vectors.shape))

    def diagonal(self) -> Double | float:
        """Of the Hartree term only: the kernel's own would need the whole matrix for each orbital pair."""
        if not self.hartree:
            return 0.0
        return np.asarray(
            self.hartree * np.einsum("pia,pia->ia", self.coulomb, self.coulomb), dtype=np.float64
        )


def fitted_kernel(kernel: GridKernel, tensor: RITensor) -> Double:
    """F[P, Q] = integral of chi_P f_xc chi_Q over the grid, between the orthonormal functions of `tensor`."""
    auxiliary: Any = tensor.auxiliary
    total = np.zeros((auxiliary.nao, auxiliary.nao))
    for block, fxc in zip(kernel.grid.blocks, kernel.fxc, strict=True):
        functions, values = kernel.grid.functions(auxiliary, block.points)
        reach = np.abs(values).max(axis=(0, 1), initial=0.0) > _AUXILIARY_CUTOFF
        functions = functions[reach]
        chi = np.ascontiguousarray(values[:, :, reach].transpose(1, 0, 2), dtype=np.float32)
        nlocal = chi.shape[2]
        weighted = np.matmul(fxc, chi).reshape(-1, nlocal)
        total[np.ix_(functions, functions)] += chi.reshape(-1, nlocal).T @ weighted
    return tensor.orthonormalised(0.5 * (total + total.T))
