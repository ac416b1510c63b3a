"""The three-index tensor of the resolution of the identity.

It is kept in memory, in double precision while it is small and then in single, or in single on disk.

B[P, mu, nu] = sum_Q L^-1[P, Q] (Q | mu nu) with L the Cholesky factor of (P | Q), so that
(mu nu | kappa lambda) ~ sum_P B[P, mu, nu] B[P, kappa, lambda] (Whitten 1973, 10.1063/1.1679012; Vahtras et al.
1993, 10.1016/0009-2614(93)89151-7). The metric is applied in double precision; storing B in single precision
then costs about 1e-7 hartree per atom.

Pairs of shells that do not overlap are left out, each other pair of AOs is kept once. A contraction takes a group of
AOs at a time (see `pairs`), unpacks what B has beside them, and is then a plain matrix product with those rows of the
orbitals. Fitting functions come in chunks, in each of which they run fastest.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyscf import df

from cluster_qc.drivers.fitting import Metric, auxiliary_mole
from cluster_qc.drivers.memory import available_bytes
from cluster_qc.drivers.pairs import GROUP, count_pairs, list_groups, list_tasks, overlapping, sort_shells
from cluster_qc.errors import StorageError
from cluster_qc.provenance import threads

Progress = Callable[[float | None, str], None]
Real = NDArray[Any]  # single on disk, double in memory
Double = NDArray[np.float64]

_BUILD_BYTES = 600 * 2**20  # integrals in flight while building
_DOUBLE_BYTES = 2 * 2**30
_MEMORY_SHARE = 0.3  # of the free memory
CHUNK = 48  # fitting functions at a time: short sums in single precision, added up in double
_TILE = 2048  # pairs that are turned to double precision at a time, and stay in the cache


class RITensor:
    """B for one molecule, one fitting basis and one range-separation parameter.

    Parameters
    ----------
    mole
        PySCF molecule.
    auxiliary_basis
        Name of the fitting basis.
    omega
        Range separation: 0 for 1/r, positive for the long-range erf(omega r)/r.
    path
        File for a tensor that is too large for memory; a finished one is used again. None keeps any size in memory,
        in double precision.
    progress
        Called with the finished fraction and a line of text.

    Raises
    ------
    InputError
        If the fitting basis is unknown or has no functions for an element.
    StorageError
        If the file cannot be written.
    """

    def __init__(
        self,
        mole: Any,
        auxiliary_basis: str,
        *,
        omega: float = 0.0,
        path: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.mole = mole
        self.omega = omega
        self.auxiliary = auxiliary_mole(mole, auxiliary_basis)
        self._metric = Metric(mole, self.auxiliary, omega)
        self.naux = self._metric.rank
        self.nao = int(mole.nao)
        self._mole, self.order, runs = sort_shells(mole)
        kept = overlapping(self._mole)
        limit = _BUILD_BYTES // (8 * self.auxiliary.nao)
        self._tasks, self._places, self.npair = list_tasks(self._mole, kept, runs, limit)
        self._groups = list_groups(self._mole, kept, runs, self._places)
        count = (self.npair + 1) * self.naux  # the last one is zero, for the pairs that are left out
        double, in_memory = (True, True) if path is None else storage(count, available_bytes())
        self.dtype: Any = np.float64 if double else np.float32
        self.nbytes = np.dtype(self.dtype).itemsize * count
        self._path = None if in_memory else path
        self._memory: list[Real] | None = None
        if self._path is None:
            self._memory = [
                np.zeros((self.npair + 1, p1 - p0), dtype=self.dtype) for p0, p1 in self._chunks()
            ]
            self._build(progress)
        elif not self._path.exists():
            self._build_on_disk(progress)

    # -- building ------------------------------------------------------------------------------------------------

    def _build_on_disk(self, progress: Progress | None) -> None:
        assert self._path is not None
        unfinished = self._path.with_suffix(".partial")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            try:
                os.posix_fallocate(self._file, 0, self.nbytes)
                self._build(progress)
                os.fsync(self._file)
            finally:
                os.close(self._file)
            unfinished.rename(self._path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise StorageError(
                f"cannot write the three-index tensor to {self._path}: {error.strerror}",
                why=f"it needs {self.nbytes / 2**30:.1f} GiB on disk",
                fix="free space there, or choose another scratch folder",
            ) from error

    def _build(self, progress: Progress | None) -> None:
        mole = self._mole
        with mole.with_range_coulomb(self.omega), self.auxiliary.with_range_coulomb(self.omega):
            for task in self._tasks:
                integrals = df.incore.aux_e2(
                    mole,
                    self.auxiliary,
                    intor="int3c2e",
                    aosym="s1",
                    shls_slice=(*task.shells, 0, self.auxiliary.nbas),
                )  # (columns, rows, naux), Fortran order
                flat = integrals.reshape((-1, self.auxiliary.nao), order="F")
                self._write(task.start, self._metric.solve(flat.take(task.kept, axis=0)))
                if progress is not None:
                    fraction = (task.start + len(task.kept)) / self.npair
                    progress(fraction, f"three-index integrals {math.floor(100 * fraction)} %")

    # -- storage: for each chunk of fitting functions an array (npair + 1, functions) --------------------------------

    def _chunks(self) -> list[tuple[int, int]]:
        return [(p, min(p + CHUNK, self.naux)) for p in range(0, self.naux, CHUNK)]

    def _write(self, start: int, values: Double) -> None:
        """Pairs from `start`, (pairs, naux)."""
        for number, (p0, p1) in enumerate(self._chunks()):
            if self._memory is not None:
                self._memory[number][start : start + len(values)] = values[:, p0:p1]
                continue
            data = memoryview(values[:, p0:p1].astype(np.float32).tobytes())
            position = 4 * (p0 * (self.npair + 1) + start * (p1 - p0))
            while data:
                written = os.pwrite(self._file, data, position)
                data, position = data[written:], position + written

    def _read(self, number: int) -> Real:
        """A chunk, with the zeros at the end."""
        if self._memory is not None:
            return self._memory[number]
        assert self._path is not None
        p0, p1 = self._chunks()[number]
        shape = self.npair + 1, p1 - p0
        with self._path.open("rb") as file:
            file.seek(4 * p0 * shape[0])
            return np.fromfile(file, dtype=np.float32, count=math.prod(shape)).reshape(shape)

    def orthonormalised(self, matrix: Double) -> Double:
        """L^-1 M L^-T: a matrix between the fitting functions, (n, n), turned to the basis of B, (naux, naux)."""
        return self._metric.solve(self._metric.solve(np.array(matrix)).T.copy())

    def projected(self, integrals: Double) -> Double:
        """(s | Q) L^-T: functions of the fitting basis, (n, naux functions), in the basis of B, (n, naux)."""
        return self._metric.solve(np.array(integrals))

    def delete(self) -> None:
        """Remove the file, if there is one."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    # -- contractions ----------------------------------------------------------------------------------------------

    def half_transformed(self, orbitals: Double, *, precise: bool = False) -> Iterator[tuple[int, int, Real]]:
        """Yield (p0, p1, Y) with Y[mu, P, i] = sum_nu B[P, mu, nu] C[nu, i], shape (nao, p1 - p0, n).

        mu runs in the order of `self.order`, nu in the molecule's. Y is overwritten by the next one. `precise` computes
        in double precision whatever B is stored in.
        """
        c = np.ascontiguousarray(orbitals[self.order], dtype=np.float64 if precise else self.dtype)
        work = self._workspace(c)
        for p0, p1, part in self._parts():
            yield p0, p1, self._half(part, c, work)

    def _workspace(self, c: Real) -> tuple[Real, Real]:
        """For `_half`: new memory costs as much as filling it."""
        beside = max(len(g.places) for g in self._groups) * CHUNK
        return np.empty(beside, dtype=self.dtype), np.empty(self.nao * CHUNK * c.shape[1], dtype=c.dtype)

    def _half(self, part: Real, c: Real, work: tuple[Real, Real]) -> Real:
        n, chunk = c.shape[1], part.shape[1]
        half = work[1][: self.nao * chunk * n].reshape(self.nao, chunk, n)
        for group in self._groups:
            beside = work[0][: len(group.places) * chunk].reshape(-1, chunk)
            part.take(group.places, axis=0, out=beside, mode="clip")
            rows = beside.reshape(len(group.partners), -1).astype(c.dtype, copy=False)
            np.matmul(rows.T, c[group.partners], out=half[group.aos].reshape(rows.shape[1], n))
        return half

    def _parts(self) -> Iterator[tuple[int, int, Real]]:
        """Yield (p0, p1, B of these functions); what is on disk is read while the last part is worked on."""
        chunks = self._chunks()
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(self._read, 0)
            for number, (p0, p1) in enumerate(chunks):
                part = ahead.result()
                if number + 1 < len(chunks):
                    ahead = reader.submit(self._read, number + 1)
                yield p0, p1, part

    def coulomb(self, density: Double) -> Double:
        """J[mu, nu] of a symmetric density matrix, (nao, nao), in double precision."""
        packed, weights = np.zeros(self.npair + 1), self._packed(density)
        with ThreadPoolExecutor(threads()) as pool:
            for _, _, part in self._parts():
                packed += _contracted(part, _fitted(part, weights, pool), pool)
        return self._unpacked(packed)

    def fitted(self, density: Double) -> Double:
        """sum_mn B[P, mu, nu] D[mu, nu] of a symmetric density matrix, (naux,), in double precision."""
        weights = self._packed(density)
        with ThreadPoolExecutor(threads()) as pool:
            return np.concatenate([_fitted(part, weights, pool) for _, _, part in self._parts()])

    def contracted(self, coefficients: Double) -> Double:
        """sum_P c[P] B[P, mu, nu], (nao, nao): the potential of the fitting functions with these coefficients."""
        packed = np.zeros(self.npair + 1)
        with ThreadPoolExecutor(threads()) as pool:
            for p0, p1, part in self._parts():
                packed += _contracted(part, coefficients[p0:p1], pool)
        return self._unpacked(packed)

    def _unpacked(self, packed: Double) -> Double:
        """A symmetric matrix from its pairs of AOs, in the molecule's order."""
        return self._original(packed[self._places])

    def _original(self, matrix: Double) -> Double:
        result = np.empty_like(matrix)
        result[np.ix_(self.order, self.order)] = matrix
        return result

    def _packed(self, density: Double) -> Double:
        """The density by pairs of AOs, both triangles in one, (npair + 1,)."""
        weights = np.zeros(self.npair + 1)
        weights[self._places] = density[np.ix_(self.order, self.order)]  # either triangle
        weights *= 2.0
        weights[self._places.diagonal()] *= 0.5
        weights[-1] = 0.0
        return weights

    def coulomb_exchange(
        self, densities: Double, factors: Sequence[tuple[Double, Double]], *, precise: bool = False
    ) -> tuple[Double, Double]:
        """J of densities, (ndensity, nao, nao), and K of factorised ones, (nfactors, nao, nao), in one pass over B.

        The factors of a density sum_i n_i C_i C_i^T are its orbitals C (nao, n) and occupations (n,), which may be
        negative; `precise` as in `half_transformed`. J is always in double precision: its energy is so large that its
        rounding in single (1e-4 hartree at 44 atoms) would drown the convergence.
        """
        scaled = [np.zeros((self.nao, 0))]
        shares: list[tuple[int, slice, float]] = []  # density, its columns of one sign, the sign
        start = 0
        for index, (orbitals, occupations) in enumerate(factors):
            for sign in (1.0, -1.0):
                chosen = sign * occupations > 0
                stop = start + int(chosen.sum())
                if stop > start:
                    scaled.append(orbitals[:, chosen] * np.sqrt(np.abs(occupations[chosen])))
                    shares.append((index, slice(start, stop), sign))
                start = stop
        weights = [self._packed(density) for density in densities]
        c = np.ascontiguousarray(np.hstack(scaled)[self.order], dtype=np.float64 if precise else self.dtype)
        packed = np.zeros((len(densities), self.npair + 1))
        exchange = np.zeros((len(factors), self.nao, self.nao))
        work = self._workspace(c)
        with ThreadPoolExecutor(threads()) as pool:
            for _, _, part in self._parts():
                for row, weight in zip(packed, weights, strict=True):
                    row += _contracted(part, _fitted(part, weight, pool), pool)
                half = self._half(part, c, work)
                for index, columns, sign in shares:
                    flat = half[:, :, columns].reshape(self.nao, -1)
                    # a syrk; SciPy's own BLAS would fight NumPy's for the cores
                    exchange[index] += sign * (flat @ flat.T)
        return np.stack([self._unpacked(row) for row in packed]), np.stack(
            [self._original(k) for k in exchange]
        )


def _fitted(part: Real, weights: Double, pool: ThreadPoolExecutor) -> Double:
    """Of a chunk (npair + 1, functions): B . weights, (functions,)."""
    return np.asarray(sum(pool.map(lambda tile: weights[tile] @ _double(part, tile), _tiles(part))))


def _contracted(part: Real, coefficients: Double, pool: ThreadPoolExecutor) -> Double:
    """Of a chunk (npair + 1, functions): B . coefficients, (npair + 1,)."""
    return np.concatenate(list(pool.map(lambda tile: _double(part, tile) @ coefficients, _tiles(part))))


def _tiles(part: Real) -> list[slice]:
    return [slice(k, k + _TILE) for k in range(0, len(part), _TILE)]


def _double(part: Real, tile: slice) -> Double:
    return part[tile].astype(np.float64, copy=False)


def working_bytes(nao: int, naux: int, pairs: int, orbitals: int) -> float:
    """Memory beside the tensor: the integrals while it is built, or what a contraction with orbitals holds."""
    return max(2.0 * _BUILD_BYTES + 2 * 8 * naux**2, contraction_bytes(nao, pairs, orbitals))


def contraction_bytes(nao: int, pairs: int, orbitals: int) -> float:
    """Memory that a contraction with orbitals holds beside the tensor."""
    return float(CHUNK * (2 * 4 * pairs + (4 + 8) * GROUP * nao + 8 * nao * orbitals))


def storage(count: int, free: int) -> tuple[bool, bool]:
    """Whether a tensor of `count` numbers is kept in double precision, and whether in memory (`free` bytes)."""
    double = 8 * count <= _DOUBLE_BYTES
    return double, double or 4 * count <= _MEMORY_SHARE * free


def tensor_size(mole: Any, auxiliary_basis: str) -> tuple[int, int]:
    """Numbers of fitting functions and of stored AO pairs."""
    return int(auxiliary_mole(mole, auxiliary_basis).nao), count_pairs(mole)
