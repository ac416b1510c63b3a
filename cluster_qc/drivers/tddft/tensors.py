"""Three-index tensors in the basis of the active orbitals, in single precision.

Exchange is contracted with natural auxiliary functions (Kallay, J. Chem. Phys. 141, 244113 (2014), 10.1063/1.4905005),
the leading eigenvectors of sum_ij w_i^2 w_j^2 B[P,ij] B[Q,ij] for (ij|ab) and of sum_ia w_i^2 w_a^2 B[P,ia] B[Q,ia] for
(ib|ja). The weights, w_i = 1 / (e_LUMO - e_i) and w_a = 1 / (e_a - e_HOMO), are about what an orbital has in a low
excitation: without them most functions go to orbitals that hardly take part.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster_qc.drivers.ri import CHUNK, RITensor
from cluster_qc.errors import ResourceError

MODEL_RANK = (0.06, 0.03)
"""Shares of the auxiliary functions that the model keeps for (ij|ab) and (ib|ja)."""
_POWER_ITERATIONS = 3
_COLUMNS = 2048
_ROWS = 16  # occupied orbitals that are weighted at a time
_LEAST_GAP = 0.05  # hartree; of the weights
_FIRST_SHARE = 0.3  # of the time goes into the occupied orbitals, about
_CHUNK_COPIES = 3  # of the virtual pairs of a chunk of fitting functions

Single = NDArray[np.float32]
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Exchange:
    """B in the active orbitals: `crossed` for (ib|ja), `ij` and `ab` for (ij|ab)."""

    crossed: Single
    """(rank of its own, nocc, nvir)."""
    ij: Single
    """(rank, nocc, nocc)."""
    ab: Single
    """(rank, nvir, nvir)."""


@dataclass(frozen=True, eq=False)
class ResponseTensors:
    """What the operator and its model need of one kind of integral."""

    ia: Single
    """B in the active orbitals, for Coulomb, (naux, nocc, nvir)."""
    exchange: Exchange
    model: Exchange
    """A cheap approximation of `exchange`."""


def required_bytes(naux: int, nocc: int, nvir: int, share: float, kinds: int = 1) -> int:
    """Peak memory of `exchange_tensors`, called for so many kinds of integrals, and of the tensors it returns."""
    rank = int(np.ceil(max(share, MODEL_RANK[0]) * naux))
    kept = 4 * (naux * nocc * nvir + rank * (nocc**2 + nvir**2 + nocc * nvir))
    first = 4 * (naux + rank) * nocc * (nocc + nvir) + 3 * 8 * naux**2 + 4 * naux * _ROWS * nvir
    second = kept + 4 * rank * nvir * (nvir + 1) // 2 + _CHUNK_COPIES * 4 * CHUNK * nvir**2
    return (kinds - 1) * kept + max(first, second)


def exchange_tensors(
    tensor: RITensor,
    occupied: Double,
    virtual: Double,
    gaps: Double,
    *,
    share: float,
    memory_limit: float,
    progress: Callable[[float | None, str], None],
) -> ResponseTensors:
    """Transform the AO tensor to the active orbitals, (nao, nocc) and (nao, nvir), of energies e_a - e_i = `gaps`.

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

    def told(fraction: float) -> None:
        progress(fraction, f"response tensors {math.floor(100 * fraction)} %")

    c = np.hstack([occupied, virtual])[tensor.order].astype(tensor.dtype)
    ij = np.empty((naux, nocc, nocc), dtype=np.float32)
    ia = np.empty((naux, nocc, nvir), dtype=np.float32)
    for p0, p1, half in tensor.half_transformed(occupied):
        rows = np.tensordot(half, c, (0, 0))  # (p1 - p0, nocc, nocc + nvir)
        ij[p0:p1], ia[p0:p1] = rows[..., :nocc], rows[..., nocc:]
        told(_FIRST_SHARE * p1 / naux)
    progress(None, "natural auxiliary functions")
    direct_rank, crossed_rank = (math.ceil(x * naux) for x in MODEL_RANK)
    rank = math.ceil(share * naux)
    whole = share >= 1
    hole, particle = (1.0 / np.maximum(gaps.min(axis=axis), _LEAST_GAP) for axis in (1, 0))
    rotation = _natural_functions(ia, hole, particle, crossed_rank if whole else max(rank, crossed_rank))
    crossed = (rotation @ ia.reshape(naux, -1)).reshape(-1, nocc, nvir)
    rotation = _natural_functions(ij, hole, hole, direct_rank if whole else max(rank, direct_rank))
    small_ij = (rotation @ ij.reshape(naux, -1)).reshape(-1, nocc, nocc)
    ab = np.empty((naux if whole else 0, nvir, nvir), dtype=np.float32)
    if not whole:
        del ij
    lower = np.tril_indices(nvir)
    flat_lower = lower[0] * nvir + lower[1]
    packed = np.zeros((len(rotation), len(flat_lower)), dtype=np.float32)
    for p0, p1, half in tensor.half_transformed(virtual):
        square = np.tensordot(half, c[:, nocc:], (0, 0)).reshape(p1 - p0, -1)
        if whole:
            ab[p0:p1] = square.reshape(-1, nvir, nvir)
        _add_product(packed, rotation[:, p0:p1], square[:, flat_lower].astype(np.float32, copy=False))
        told(_FIRST_SHARE + (1 - _FIRST_SHARE) * p1 / naux)
    small_ab = _unpacked(packed, lower, nvir)
    model = Exchange(crossed[:crossed_rank], small_ij[:direct_rank], small_ab[:direct_rank])
    if whole:
        return ResponseTensors(ia, Exchange(ia, ij, ab), model)
    return ResponseTensors(ia, Exchange(crossed[:rank], small_ij[:rank], small_ab[:rank]), model)


def _add_product(total: Single, left: Single, right: Single) -> None:
    """Add left right to `total`, in blocks of columns whose product stays in the cache."""
    for start in range(0, total.shape[1], _COLUMNS):
        columns = slice(start, start + _COLUMNS)
        total[:, columns] += left @ right[:, columns]


def coulomb_tensor(tensor: RITensor, occupied: Double, virtual: Double) -> Single:
    """The `ia` tensor alone, (naux, nocc, nvir)."""
    ia = np.empty((tensor.naux, occupied.shape[1], virtual.shape[1]), dtype=np.float32)
    c = virtual[tensor.order].astype(tensor.dtype)
    for p0, p1, half in tensor.half_transformed(occupied):
        ia[p0:p1] = np.tensordot(half, c, (0, 0)).astype(np.float32)
    return ia


def _natural_functions(b: Single, left: Double, right: Double, rank: int) -> Single:
    """The leading eigenvectors, as rows, of the Gram matrix of B over weighted orbital pairs, by subspace iteration.

    The spectrum falls fast, so a few iterations on a somewhat larger random subspace suffice (Halko, Martinsson, Tropp,
    SIAM Rev. 53, 217 (2011), 10.1137/090771806).
    """
    naux = len(b)
    weights = np.outer(left, right).astype(np.float32)
    gram = np.zeros((naux, naux))
    for start in range(0, len(left), _ROWS):
        rows = slice(start, start + _ROWS)
        part = (b[:, rows] * weights[rows]).reshape(naux, -1)
        gram += part @ part.T
    width = min(naux, rank + max(20, rank // 8))
    basis = np.random.default_rng(0).normal(size=(naux, width))
    for _ in range(_POWER_ITERATIONS):
        basis = np.linalg.qr(gram @ basis)[0]
    vectors = np.linalg.eigh(basis.T @ gram @ basis)[1]
    return np.ascontiguousarray((basis @ vectors[:, ::-1][:, :rank]).T, dtype=np.float32)


def _unpacked(packed: Single, lower: tuple[NDArray[np.intp], NDArray[np.intp]], n: int) -> Single:
    result = np.empty((len(packed), n, n), dtype=np.float32)
    for p, row in enumerate(packed):
        result[p][lower] = row
        result[p].T[lower] = row
    return result
