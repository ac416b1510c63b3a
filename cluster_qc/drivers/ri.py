"""The three-index tensor of the resolution of the identity.

It is kept in memory, in double precision while it is small and then in single, or in single on disk.

B[P, mu, nu] = sum_Q L^-1[P, Q] (Q | mu nu) with L the Cholesky factor of (P | Q), so that
(mu nu | kappa lambda) ~ sum_P B[P, mu, nu] B[P, kappa, lambda] (Whitten 1973, 10.1063/1.1679012; Vahtras et al.
1993, 10.1016/0009-2614(93)89151-7). The metric is applied in double precision; storing B in single precision
then costs about 1e-7 hartree per atom.

AOs are grouped into blocks of neighbours in the list. Pairs of blocks whose functions do not overlap are left out, the
others are kept once, (naux, rows, columns) each; a contraction gathers what one block of rows needs and is then a plain
matrix product.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from pyscf import df
from pyscf.scf import _vhf

from cluster_qc.drivers.memory import available_bytes
from cluster_qc.errors import InputError, StorageError
from cluster_qc.provenance import threads

Progress = Callable[[float | None, str], None]
Single = NDArray[np.float32]
Real = NDArray[Any]  # single on disk, double in memory
Double = NDArray[np.float64]

_ROWS = 48  # AOs in a block, at least
_BUILD_BYTES = 1200 * 2**20  # integrals in flight while building
_READ_BYTES = 300 * 2**20  # half-transformed tensor in flight while contracting
WORKING_BYTES = _BUILD_BYTES + 3 * _READ_BYTES
"""Memory beside the tensor while it is built or contracted."""
_DOUBLE_BYTES = 2 * 2**30
_MEMORY_SHARE = 0.3  # of the free memory
_NEGLIGIBLE = 1e-7  # Schwarz bound sqrt((mn|mn)) below which a pair of functions is left out
_DEPENDENT = 1e-7  # eigenvalue of the metric below which a fitting function is dropped, as in PySCF
_MAX_CHUNK = 48  # short single-precision sums; chunks are added up in double precision


@dataclass(frozen=True)
class Block:
    """A run of shells."""

    shells: tuple[int, int]
    aos: slice

    def __len__(self) -> int:
        return int(self.aos.stop - self.aos.start)


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
        self.auxiliary = _auxiliary_mole(mole, auxiliary_basis)
        self._metric = _Metric(mole, self.auxiliary, omega)
        self.naux = self._metric.rank
        self.nao = int(mole.nao)
        self._blocks = _blocks(mole)
        self._pairs = _overlapping(mole, self._blocks)
        self._partners = [
            [j for j in range(len(self._blocks)) if (max(i, j), min(i, j)) in self._pairs]
            for i in range(len(self._blocks))
        ]
        self._columns = [np.concatenate([_indices(self._blocks[j]) for j in p]) for p in self._partners]
        sizes = [len(self._blocks[i]) * len(self._blocks[j]) for i, j in self._pairs]
        self._offsets = dict(zip(self._pairs, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
        self._per_aux = sum(sizes)
        count = self._per_aux * self.naux
        double, in_memory = (True, True) if path is None else storage(count, available_bytes())
        self.dtype: Any = np.float64 if double else np.float32
        self.nbytes = np.dtype(self.dtype).itemsize * count
        self._path = None if in_memory else path
        self._memory: dict[tuple[int, int], Real] | None = {} if self._path is None else None
        if self._path is None:
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
        done = 0
        with self.mole.with_range_coulomb(self.omega), self.auxiliary.with_range_coulomb(self.omega):
            for i, rows in enumerate(self._blocks):
                for run in self._runs(i):
                    first, last = self._blocks[run[0]], self._blocks[run[-1]]
                    integrals = df.incore.aux_e2(
                        self.mole,
                        self.auxiliary,
                        intor="int3c2e",
                        aosym="s1",
                        shls_slice=(first.shells[0], last.shells[1], *rows.shells, 0, self.auxiliary.nbas),
                    )  # (columns, rows, naux), Fortran order
                    solved = self._metric.solve(integrals.reshape((-1, self.auxiliary.nao), order="F"))
                    values = solved.T.reshape(self.naux, len(rows), -1)
                    for j in run:
                        start = self._blocks[j].aos.start - first.aos.start
                        self._write((i, j), values[:, :, start : start + len(self._blocks[j])])
                    done += values.shape[1] * values.shape[2]
                    if progress is not None:
                        fraction = done / self._per_aux
                        progress(fraction, f"three-index integrals {math.floor(100 * fraction)} %")

    def _runs(self, i: int) -> Iterator[list[int]]:
        """Partners of block i up to itself, in runs of neighbours whose integrals fit in memory."""
        limit = max(1, _BUILD_BYTES // (8 * self.auxiliary.nao * len(self._blocks[i])))
        run: list[int] = []
        for j in (j for j in self._partners[i] if j <= i):
            size = sum(len(self._blocks[k]) for k in run) + len(self._blocks[j])
            if run and (j != run[-1] + 1 or size > limit):
                yield run
                run = []
            run.append(j)
        yield run

    # -- storage: one array (naux, rows, columns) for each pair, one after the other -------------------------------

    def _write(self, pair: tuple[int, int], values: Real) -> None:
        values = np.ascontiguousarray(values, dtype=self.dtype)
        if self._memory is not None:
            self._memory[pair] = values
            return
        data, position = memoryview(values.tobytes()), 4 * self.naux * self._offsets[pair]
        while data:
            written = os.pwrite(self._file, data, position)
            data, position = data[written:], position + written

    def _read(self, p0: int, p1: int, dtype: Any) -> dict[tuple[int, int], Real]:
        """All pairs for the fitting functions p0:p1."""
        if self._memory is not None:
            return {pair: values[p0:p1].astype(dtype, copy=False) for pair, values in self._memory.items()}
        assert self._path is not None
        found = {}
        with self._path.open("rb") as file:
            for (i, j), offset in self._offsets.items():
                shape = p1 - p0, len(self._blocks[i]), len(self._blocks[j])
                file.seek(4 * (self.naux * offset + p0 * shape[1] * shape[2]))
                data = np.fromfile(file, dtype=np.float32, count=math.prod(shape))
                found[i, j] = data.reshape(shape).astype(dtype, copy=False)
        return found

    def orthonormalised(self, matrix: Double) -> Double:
        """L^-1 M L^-T: a matrix between the fitting functions, (n, n), turned to the basis of B, (naux, naux)."""
        return self._metric.solve(self._metric.solve(np.asfortranarray(matrix)).T.copy(order="F"))

    def delete(self) -> None:
        """Remove the file, if there is one."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    # -- contractions ----------------------------------------------------------------------------------------------

    def half_transformed(self, orbitals: Double, *, precise: bool = False) -> Iterator[tuple[int, int, Real]]:
        """Yield (p0, p1, Y) with Y[mu, P, i] = sum_nu B[P, mu, nu] C[nu, i], shape (nao, p1 - p0, n).

        `precise` computes in double precision whatever B is stored in.
        """
        for p0, p1, half, _pairs, _pool in self._half_transformed(orbitals, precise):
            yield p0, p1, half

    def _half_transformed(
        self, orbitals: Double, precise: bool
    ) -> Iterator[tuple[int, int, Real, dict[tuple[int, int], Real], ThreadPoolExecutor]]:
        dtype = np.float64 if precise else self.dtype
        c = np.ascontiguousarray(orbitals, dtype=dtype)
        n = c.shape[1]
        workers = threads()
        with ThreadPoolExecutor(workers) as pool:
            for p0, p1, pairs in self._passes(n, dtype):
                half = np.empty((self.nao, p1 - p0, n), dtype=dtype)
                for i, rows in enumerate(self._blocks):
                    gathered = np.empty((p1 - p0, len(rows), len(self._columns[i])), dtype=dtype)
                    shares = [slice(k, None, workers) for k in range(workers)]
                    list(pool.map(partial(self._gather, gathered, pairs, i), shares))
                    product = gathered.reshape(-1, gathered.shape[2]) @ c[self._columns[i]]
                    turned = product.reshape(p1 - p0, len(rows), n).transpose(1, 0, 2)
                    list(pool.map(partial(_copy, half[rows.aos], turned), shares))
                yield p0, p1, half, pairs, pool

    def _gather(self, result: Real, pairs: dict[tuple[int, int], Real], i: int, share: slice) -> None:
        """What block i has of B beside all its partners, (p1 - p0, rows, columns), for a share of the first axis."""
        start = 0
        for j in self._partners[i]:
            stop = start + len(self._blocks[j])
            part = pairs[i, j] if j <= i else pairs[j, i].transpose(0, 2, 1)
            result[share, :, start:stop] = part[share]
            start = stop

    def _passes(self, n: int, dtype: Any) -> Iterator[tuple[int, int, dict[tuple[int, int], Real]]]:
        """Yield (p0, p1, B[p0:p1] by pairs of blocks); what is on disk is read while the last part is worked on."""
        chunks = list(self._chunks(n))
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(self._read, *chunks[0], dtype)
            for (p0, p1), following in zip(chunks, [*chunks[1:], None], strict=True):
                pairs = ahead.result()
                if following is not None:
                    ahead = reader.submit(self._read, *following, dtype)
                yield p0, p1, pairs

    def _chunks(self, n: int) -> Iterator[tuple[int, int]]:
        chunk = max(1, min(self.naux, _MAX_CHUNK, _READ_BYTES // (4 * self.nao * max(1, n))))
        for p0 in range(0, self.naux, chunk):
            yield p0, min(p0 + chunk, self.naux)

    def coulomb(self, density: Double) -> Double:
        """J[mu, nu] of a symmetric density matrix, (nao, nao), in double precision."""
        result = np.zeros((self.nao, self.nao))
        weights = self._weights(density)
        with ThreadPoolExecutor(threads()) as pool:
            for _, _, pairs in self._passes(1, self.dtype):
                self._add_coulomb(result, weights, pairs, pool)
        return _symmetric(result)

    def _weights(self, density: Double) -> dict[tuple[int, int], Double]:
        """The density by pairs of blocks, flat, both triangles in one."""
        return {
            (i, j): (1.0 if i == j else 2.0) * density[self._blocks[i].aos, self._blocks[j].aos].reshape(-1)
            for i, j in self._pairs
        }

    def _add_coulomb(
        self,
        result: Double,
        weights: dict[tuple[int, int], Double],
        pairs: dict[tuple[int, int], Real],
        pool: ThreadPoolExecutor,
    ) -> None:
        """Add these fitting functions' part to the lower triangle of blocks.

        In double precision: the Coulomb energy is so large that its rounding in single (1e-4 hartree at 44 atoms) would
        drown the convergence.
        """

        def double(pair: tuple[int, int]) -> Double:  # small enough to stay in the cache
            return pairs[pair].reshape(len(pairs[pair]), -1).astype(np.float64, copy=False)

        fitted = sum(pool.map(lambda pair: double(pair) @ weights[pair], self._pairs))

        def add(pair: tuple[int, int]) -> None:
            rows, columns = (self._blocks[k].aos for k in pair)
            result[rows, columns] += (fitted @ double(pair)).reshape(result[rows, columns].shape)

        list(pool.map(add, self._pairs))

    def coulomb_exchange(
        self, orbitals: Double, occupations: Double, *, precise: bool = False
    ) -> tuple[Double, Double]:
        """J and K of the density sum_i n_i C_i C_i^T in one pass over B; n may be negative.

        `orbitals` (nao, n), `occupations` (n,), `precise` as in `half_transformed`; J is always in double precision.
        """
        order = np.argsort(occupations < 0, kind="stable")  # positive ones first
        positive = int((occupations >= 0).sum())
        scaled = (orbitals * np.sqrt(np.abs(occupations)))[:, order]
        weights = self._weights((orbitals * occupations) @ orbitals.T)
        coulomb, exchange = np.zeros((self.nao, self.nao)), np.zeros((self.nao, self.nao))
        for _, _, half, pairs, pool in self._half_transformed(scaled, precise):
            self._add_coulomb(coulomb, weights, pairs, pool)
            for part, sign in ((half[:, :, :positive], 1.0), (half[:, :, positive:], -1.0)):
                if part.shape[2]:
                    flat = part.reshape(self.nao, -1)
                    exchange += sign * (
                        flat @ flat.T
                    )  # a syrk; SciPy's own BLAS would fight NumPy's for the cores
        return _symmetric(coulomb), exchange


def storage(count: int, free: int) -> tuple[bool, bool]:
    """Whether a tensor of `count` numbers is kept in double precision, and whether in memory (`free` bytes)."""
    double = 8 * count <= _DOUBLE_BYTES
    return double, double or 4 * count <= _MEMORY_SHARE * free


def tensor_size(mole: Any, auxiliary_basis: str) -> tuple[int, int]:
    """Numbers of fitting functions and of stored AO pairs."""
    blocks = _blocks(mole)
    pairs = sum(len(blocks[i]) * len(blocks[j]) for i, j in _overlapping(mole, blocks))
    return int(_auxiliary_mole(mole, auxiliary_basis).nao), pairs


def _symmetric(lower: Double) -> Double:
    """The whole matrix from its lower triangle."""
    lower = np.tril(lower)
    return lower + np.tril(lower, -1).T


def _auxiliary_mole(mole: Any, name: str) -> Any:
    try:
        with warnings.catch_warnings():  # PySCF's hint at other packages' basis sets
            warnings.simplefilter("ignore")
            return df.addons.make_auxmol(mole, name)
    except (KeyError, RuntimeError, OSError, AttributeError, ValueError) as error:
        raise InputError(
            f"the auxiliary basis {name!r} is unknown or lacks one of the cluster's elements",
            why="Coulomb and exchange integrals are fitted in it",
            fix='use "def2-universal-jkfit", which covers H to Rn',
        ) from error


class _Metric:
    """L^-1 of the Coulomb metric, or s^-1/2 V^T of its eigenvectors where it is nearly singular (erf integrals)."""

    def __init__(self, mole: Any, auxiliary: Any, omega: float) -> None:
        with mole.with_range_coulomb(omega), auxiliary.with_range_coulomb(omega):
            metric = auxiliary.intor("int2c2e", hermi=1)
        self._factor: Double | None = None
        self._inverse_root: Double | None = None
        try:
            self._factor = np.asfortranarray(scipy.linalg.cholesky(metric, lower=True))
            self.rank = len(metric)
        except scipy.linalg.LinAlgError:
            values, vectors = scipy.linalg.eigh(metric)
            keep = values > _DEPENDENT
            self._inverse_root = np.asfortranarray(vectors[:, keep] / np.sqrt(values[keep]))
            self.rank = int(keep.sum())

    def solve(self, integrals: Double) -> Double:
        """Integrals (npair, naux), Fortran order, overwritten, to (npair, rank)."""
        if self._factor is not None:
            return np.asarray(
                scipy.linalg.blas.dtrsm(
                    1.0, self._factor, integrals, side=1, lower=1, trans_a=1, overwrite_b=1
                )
            )
        assert self._inverse_root is not None
        return np.asfortranarray(integrals @ self._inverse_root)


def _blocks(mole: Any) -> list[Block]:
    """Consecutive atoms together until a block has enough functions."""
    offsets = mole.ao_loc_nr()
    blocks, start = [], 0
    for last in mole.aoslice_by_atom()[:, 1].tolist():
        if offsets[last] - offsets[start] >= _ROWS or last == mole.nbas:
            if start < last:
                blocks.append(Block((start, last), slice(int(offsets[start]), int(offsets[last]))))
            start = last
    return blocks


def _overlapping(mole: Any, blocks: list[Block]) -> list[tuple[int, int]]:
    """Pairs (i, j <= i) of blocks with at least one pair of functions above the Schwarz threshold."""
    bound = np.asarray(_vhf._VHFOpt(mole, "int2e", "CVHFnrs8_prescreen", "CVHFnr_int2e_q_cond").q_cond)
    return [
        (i, j)
        for i, rows in enumerate(blocks)
        for j, columns in enumerate(blocks[: i + 1])
        if i == j or bound[slice(*rows.shells), slice(*columns.shells)].max() > _NEGLIGIBLE
    ]


def _copy(target: Real, source: Real, share: slice) -> None:
    target[share] = source[share]


def _indices(block: Block) -> NDArray[np.intp]:
    return np.arange(block.aos.start, block.aos.stop)
