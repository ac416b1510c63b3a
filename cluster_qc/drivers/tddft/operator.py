"""Products of the response matrices with trial vectors.

For a closed shell and real orbitals, with Delta the orbital energy differences and u, v trial vectors (nocc, nvir),

    (A + B) u = Delta u + 4 J u + 2 f_xc u - K(ij|ab) u - K(ib|ja) u     (J only for singlets)
    (A - B) v = Delta v                    - K(ij|ab) v + K(ib|ja) v

where K carries the share of exact exchange (Casida 1995; Bauernschmitt and Ahlrichs 1996,
10.1016/0009-2614(96)00440-X). Products run in single precision; sums over them and everything in the reduced space
in double precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cluster_qc.drivers.tddft.coupling import Coupling
from cluster_qc.drivers.tddft.tensors import Exchange

Single = NDArray[np.float32]
Double = NDArray[np.float64]

# One BLAS library for the inner loops: NumPy's and SciPy's own threads would fight for the cores.
_gemm = scipy.linalg.blas.sgemm
_BATCH_BYTES = 600 * 2**20


@dataclass(frozen=True, eq=False)
class ResponseOperator:
    """A + B and A - B of one spin, as operators.

    `exchange` lists (share, tensors): one for a global hybrid, two for a range-separated one, none for a pure
    functional.
    """

    gaps: Double
    """Orbital energy differences e_a - e_i, (nocc, nvir)."""
    exchange: Sequence[tuple[float, Exchange]]
    coupling: Coupling

    @cached_property
    def diagonal(self) -> Double:
        """Diagonal of A, without a kernel on the grid, (nocc, nvir)."""
        diagonal = self.gaps + self.coupling.diagonal()
        for share, tensors in self.exchange:
            ii = np.einsum("pii->pi", tensors.ij)
            aa = np.einsum("paa->pa", tensors.ab)
            diagonal -= share * (ii.T @ aa)
        return np.asarray(np.maximum(diagonal, 0.05))

    def plus(self, vectors: Double) -> Double:
        """(A + B) on (n, nocc, nvir) vectors."""
        return self._apply(vectors, +1.0)

    def minus(self, vectors: Double) -> Double:
        """(A - B) on (n, nocc, nvir) vectors."""
        return self._apply(vectors, -1.0)

    def tamm_dancoff(self, vectors: Double) -> Double:
        """A on (n, nocc, nvir) vectors."""
        return self._apply(vectors, 0.0)

    def _apply(self, vectors: Double, sign: float) -> Double:
        n, nocc, nvir = vectors.shape
        batch = max(1, _BATCH_BYTES // (4 * 6 * nocc * nvir))
        result = self.gaps * vectors
        for start in range(0, n, batch):
            z = vectors[start : start + batch].astype(np.float32)
            part = result[start : start + batch]
            if sign >= 0:
                part += (1.0 + sign) * self.coupling.apply(z)
            for share, tensors in self.exchange:
                part -= share * _exchange_direct(tensors, z)
                if sign:
                    part -= (share * sign) * _exchange_crossed(tensors, z)
        return result


def _exchange_direct(tensors: Exchange, z: Single) -> Single:
    """sum_jb (ij|ab) z_jb, (n, nocc, nvir)."""
    n, nocc, nvir = z.shape
    stacked = np.ascontiguousarray(z.transpose(1, 0, 2)).reshape(nocc * n, nvir)
    # Fortran-order views let BLAS add into `total` in place: total.T += half.T ij.T.
    total = np.zeros((nocc, n * nvir), dtype=np.float32)
    half = np.empty((nocc * n, nvir), dtype=np.float32)
    for ij, ab in zip(tensors.ij, tensors.ab, strict=True):
        _gemm(1.0, ab.T, stacked.T, c=half.T, overwrite_c=1)
        _gemm(1.0, half.reshape(nocc, n * nvir).T, ij.T, beta=1.0, c=total.T, overwrite_c=1)
    return np.ascontiguousarray(total.reshape(nocc, n, nvir).transpose(1, 0, 2))


def _exchange_crossed(tensors: Exchange, z: Single) -> Single:
    """sum_jb (ib|ja) z_jb, (n, nocc, nvir)."""
    n, nocc, nvir = z.shape
    columns = np.ascontiguousarray(z.reshape(n * nocc, nvir).T)
    total = np.zeros((nocc * n, nvir), dtype=np.float32)
    half = np.empty((nocc, n * nocc), dtype=np.float32)
    for ia in tensors.crossed:
        _gemm(1.0, columns.T, ia.T, c=half.T, overwrite_c=1)
        _gemm(1.0, ia.T, half.reshape(nocc * n, nocc).T, beta=1.0, c=total.T, overwrite_c=1)
    return np.ascontiguousarray(total.reshape(nocc, n, nvir).transpose(1, 0, 2))
