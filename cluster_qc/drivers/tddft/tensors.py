"""Three-index tensors in the basis of the active orbitals, in single precision.

Exchange is contracted with natural auxiliary functions, the leading eigenvectors of sum_ij B[P,ij] B[Q,ij] for
(ij|ab) and of sum_ia B[P,ia] B[Q,ia] for (ib|ja) (Kallay, J. Chem. Phys. 141, 244113 (2014), 10.1063/1.4905005).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cluster_qc.drivers.ri import RITensor
from cluster_qc.errors import ResourceError

Single = NDArray[np.float32]
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ResponseTensors:
    """B in the active orbitals: `ia` for Coulomb, `crossed` for the exchange (ib|ja), `ij` and `ab` for (ij|ab)."""

    ia: Single
    """(naux, nocc, nvir)."""
    crossed: Single
    """(rank of its own, nocc, nvir)."""
    ij: Single
    """(rank, nocc, nocc)."""
    ab: Single
    """(rank, nvir, nvir)."""

    def truncated(self, share: float) -> ResponseTensors:
        """A view with only the leading natural auxiliary functions."""
        rank = max(1, int(np.ceil(share * len(self.ia))))
        return ResponseTensors(self.ia, self.crossed[:rank], self.ij[:rank], self.ab[:rank])


def required_bytes(naux: int, nocc: int, nvir: int, share: float) -> int:
    """Peak memory of `response_tensors` and of the tensors it returns."""
    rank = int(np.ceil(share * naux))
    packed = 4 * naux * nvir * (nvir + 1) // 2
    kept = 4 * (naux * nocc * nvir + rank * (nocc**2 + nvir**2 + nocc * nvir))
    return max(packed + 4 * naux * nocc * (nocc + nvir) + 3 * 8 * naux**2, packed + kept)


def response_tensors(
    tensor: RITensor,
    occupied: Double,
    virtual: Double,
    *,
    share: float,
    memory_limit: float,
    progress: Callable[[float | None, str], None],
) -> ResponseTensors:
    """Transform the AO tensor to the active orbitals, (nao, nocc) and (nao, nvir).

    Raises
    ------
    ResourceError
        If `memory_limit` (bytes) is too small.
    """
    nocc, nvir, naux = occupied.shape[1], virtual.shape[1], tensor.naux
    need = required_bytes(naux, nocc, nvir, share)
    if need > memory_limit:
        raise ResourceError(
            f"the response tensors need {need / 2**30:.1f} GiB; {memory_limit / 2**30:.1f} GiB are free",
            why=f"{nocc} occupied and {nvir} virtual orbitals with {naux} auxiliary functions",
            fix="lower virtual_above, raise frozen_below, lower exchange_rank, or use a machine with more memory",
        )
    lower = np.tril_indices(nvir)
    ij = np.empty((naux, nocc, nocc), dtype=np.float32)
    ia = np.empty((naux, nocc, nvir), dtype=np.float32)
    ab = np.empty((naux, len(lower[0])), dtype=np.float32)
    both = np.hstack([occupied, virtual])
    c = both.astype(tensor.dtype)
    flat_lower = lower[0] * nvir + lower[1]
    for p0, p1, half in tensor.half_transformed(both):
        full = np.matmul(c.T, half)  # (p, all, all)
        ij[p0:p1] = full[:, :nocc, :nocc]
        ia[p0:p1] = full[:, :nocc, nocc:]
        square = np.ascontiguousarray(full[:, nocc:, nocc:]).reshape(p1 - p0, -1)
        ab[p0:p1] = square[:, flat_lower]
        progress(p1 / naux, f"response tensors {100 * p1 // naux} %")
    if share >= 1:
        return ResponseTensors(ia, ia, ij, _unpacked(ab, lower, nvir))
    progress(None, "natural auxiliary functions")
    rotation = _natural_functions(ij, share)
    new_ij = (rotation @ ij.reshape(naux, -1)).reshape(-1, nocc, nocc)
    del ij
    new_ab = _unpacked(rotation @ ab, lower, nvir)
    del ab
    crossed = (_natural_functions(ia, share) @ ia.reshape(naux, -1)).reshape(-1, nocc, nvir)
    return ResponseTensors(ia, crossed, new_ij, new_ab)


def _natural_functions(b: Single, share: float) -> Single:
    """The leading eigenvectors, as rows, of the Gram matrix of B over its orbital pairs."""
    naux = len(b)
    flat = b.reshape(naux, -1)
    rank = max(1, int(np.ceil(share * naux)))
    gram = (flat @ flat.T).astype(np.float64)
    vectors = scipy.linalg.eigh(gram, overwrite_a=True, subset_by_index=(naux - rank, naux - 1))[1]
    return np.ascontiguousarray(vectors[:, ::-1].T, dtype=np.float32)


def _unpacked(packed: Single, lower: tuple[NDArray[np.intp], NDArray[np.intp]], n: int) -> Single:
    result = np.empty((len(packed), n, n), dtype=np.float32)
    for p, row in enumerate(packed):
        result[p][lower] = row
        result[p].T[lower] = row
    return result
