"""Three-index tensors in the basis of the active orbitals, in single precision.

Exchange of the kind (ij|ab) is contracted with natural auxiliary functions: the eigenvectors of
sum_ij B[P,ij] B[Q,ij] with the largest eigenvalues (Kallay, J. Chem. Phys. 141, 244113 (2014), 10.1063/1.4905005).
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
    """B in the active orbitals: `ia` for Coulomb and the exchange (ib|ja), `ij` and `ab` for the exchange (ij|ab)."""

    ia: Single
    """(naux, nocc, nvir)."""
    ij: Single
    """(rank, nocc, nocc)."""
    ab: Single
    """(rank, nvir, nvir)."""
    discarded: float
    """Share of sum_ij B^2 that the truncation of the rank left out."""
    eigenvalues: Double
    """Descending eigenvalues of the natural auxiliary functions."""

    def truncated(self, share: float) -> ResponseTensors:
        """A view with only the leading natural auxiliary functions."""
        rank = max(1, int(np.ceil(share * len(self.eigenvalues))))
        return ResponseTensors(self.ia, self.ij[:rank], self.ab[:rank], self.discarded, self.eigenvalues)


def required_bytes(naux: int, nocc: int, nvir: int, share: float) -> int:
    """Peak memory of `response_tensors` and of the tensors it returns."""
    rank = int(np.ceil(share * naux))
    packed = 4 * naux * nvir * (nvir + 1) // 2
    kept = 4 * (naux * nocc * nvir + rank * (nocc**2 + nvir**2))
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
        return ResponseTensors(ia, ij, _unpacked(ab, lower, nvir), 0.0, np.ones(naux))
    progress(None, "natural auxiliary functions")
    flat = ij.reshape(naux, -1)
    gram = (flat @ flat.T).astype(np.float64)
    values, vectors = scipy.linalg.eigh(gram, overwrite_a=True)
    rank = max(1, int(np.ceil(share * naux)))
    values, vectors = values[::-1], vectors[:, ::-1]
    rotation = np.ascontiguousarray(vectors[:, :rank].T, dtype=np.float32)
    discarded = float(np.clip(values[rank:], 0, None).sum() / values.sum())
    new_ij = (rotation @ flat).reshape(rank, nocc, nocc)
    del ij, flat
    new_ab = rotation @ ab
    del ab
    return ResponseTensors(ia, new_ij, _unpacked(new_ab, lower, nvir), discarded, np.asarray(values))


def _unpacked(packed: Single, lower: tuple[NDArray[np.intp], NDArray[np.intp]], n: int) -> Single:
    result = np.empty((len(packed), n, n), dtype=np.float32)
    for p, row in enumerate(packed):
        result[p][lower] = row
        result[p].T[lower] = row
    return result
