"""The three-index tensor of the resolution of the identity, in memory (double precision) or on disk (single).

B[P, mu, nu] = sum_Q L^-1[P, Q] (Q | mu nu) with L the Cholesky factor of (P | Q), so that
(mu nu | kappa lambda) ~ sum_P B[P, mu, nu] B[P, kappa, lambda] (Whitten 1973, 10.1063/1.1679012; Vahtras et al.
1993, 10.1016/0009-2614(93)89151-7). The metric is applied in double precision; storing B in single precision
then costs about 1e-7 hartree per atom.

AO pairs are kept as rectangles of rows m0:m1 and columns 0:m1, so that every contraction is a plain matrix product.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from pyscf import df, lib

from cluster_qc.errors import InputError, StorageError
from cluster_qc.model import DFTMethod

Progress = Callable[[float | None, str], None]
Single = NDArray[np.float32]
Real = NDArray[Any]  # single on disk, double in memory
Double = NDArray[np.float64]

_ROWS = 160  # AO rows a stored rectangle has, about
_BUILD_BYTES = 1200 * 2**20  # integrals in flight while building
_READ_BYTES = 300 * 2**20  # half-transformed tensor in flight while contracting
_IN_MEMORY_BYTES = 2 * 2**30
_DEPENDENT = 1e-7  # eigenvalue of the metric below which a fitting function is dropped, as in PySCF
_MAX_CHUNK = 48  # short single-precision sums; chunks are added up in double precision


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
        File for a tensor of more than 2 GiB in double precision; a finished one is used again.
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
        self._shell_blocks = _shell_blocks(mole)
        self._rows = [(m0, m1) for _, _, m0, m1 in self._shell_blocks]
        per_aux = sum((m1 - m0) * m1 for m0, m1 in self._rows)
        in_memory = path is None or 8 * per_aux * self.naux <= _IN_MEMORY_BYTES
        self.dtype: Any = np.float64 if in_memory else np.float32
        self.nbytes = np.dtype(self.dtype).itemsize * per_aux * self.naux
        self._path = None if in_memory else path
        self._memory: list[Real] | None = None
        self._per_aux = per_aux
        if self._path is None:
            self._memory = [np.empty((self.naux, m1 - m0, m1)) for m0, m1 in self._rows]
            self._build(progress)
        elif not self._path.exists():
            self._build_on_disk(progress)

    # -- building ------------------------------------------------------------------------------------------------

    def _build_on_disk(self, progress: Progress | None) -> None:
        assert self._path is not None
        partial = self._path.with_suffix(".partial")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            try:
                os.posix_fallocate(self._file, 0, self.nbytes)
                self._build(progress)
                os.fsync(self._file)
            finally:
                os.close(self._file)
            partial.rename(self._path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise StorageError(
                f"cannot write the three-index tensor to {self._path}: {error.strerror}",
                why=f"it needs {self.nbytes / 2**30:.1f} GiB on disk",
                fix="free space there, or choose another scratch folder",
            ) from error

    def _build(self, progress: Progress | None) -> None:
        with self.mole.with_range_coulomb(self.omega), self.auxiliary.with_range_coulomb(self.omega):
            done, total = 0, self._per_aux
            for index, (shell0, shell1, m0, m1) in enumerate(self._shell_blocks):
                columns = (0, shell1)
                for s0, s1, r0, r1 in self._sub_blocks(shell0, shell1, m1):
                    integrals = df.incore.aux_e2(
                        self.mole,
                        self.auxiliary,
                        intor="int3c2e",
                        aosym="s1",
                        shls_slice=(*columns, s0, s1, 0, self.auxiliary.nbas),
                    )  # (m1, rows, naux), Fortran order
                    solved = self._metric.solve(integrals.reshape((-1, self.auxiliary.nao), order="F"))
                    rows = solved.T.reshape(self.naux, r1 - r0, m1).astype(self.dtype)
                    self._write(index, r0 - m0, rows)
                    done += (r1 - r0) * m1
                    if progress is not None:
                        progress(done / total, f"three-index integrals {100 * done // total} %")

    def _sub_blocks(self, shell0: int, shell1: int, columns: int) -> Iterator[tuple[int, int, int, int]]:
        offsets = self.mole.ao_loc_nr()
        limit = max(1, _BUILD_BYTES // (8 * self.auxiliary.nao * columns))
        start = shell0
        for shell in range(shell0, shell1):
            if offsets[shell + 1] - offsets[start] > limit and shell > start:
                yield start, shell, int(offsets[start]), int(offsets[shell])
                start = shell
        yield start, shell1, int(offsets[start]), int(offsets[shell1])

    # -- storage: per rectangle (naux, rows, columns), rectangles one after the other ------------------------------

    def _offset(self, index: int) -> int:
        return 4 * self.naux * sum((m1 - m0) * m1 for m0, m1 in self._rows[:index])

    def _write(self, index: int, row: int, values: Real) -> None:
        m0, m1 = self._rows[index]
        if self._memory is not None:
            self._memory[index][:, row : row + values.shape[1]] = values
            return
        base = self._offset(index)
        stride = 4 * (m1 - m0) * m1
        for p in range(self.naux):
            os.pwrite(self._file, values[p].tobytes(), base + p * stride + 4 * row * m1)

    def _read(self, index: int, p0: int, p1: int) -> Real:
        if self._memory is not None:
            return self._memory[index][p0:p1]
        assert self._path is not None
        m0, m1 = self._rows[index]
        size = (m1 - m0) * m1
        with self._path.open("rb") as file:
            file.seek(self._offset(index) + 4 * p0 * size)
            data = np.fromfile(file, dtype=np.float32, count=(p1 - p0) * size)
        return data.reshape(p1 - p0, m1 - m0, m1)

    def orthonormalised(self, matrix: Double) -> Double:
        """L^-1 M L^-T: a matrix between the fitting functions, (n, n), turned to the basis of B, (naux, naux)."""
        return self._metric.solve(self._metric.solve(np.asfortranarray(matrix)).T.copy(order="F"))

    def delete(self) -> None:
        """Remove the file, if there is one."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    # -- contractions ----------------------------------------------------------------------------------------------

    def half_transformed(self, orbitals: Double, *, precise: bool = False) -> Iterator[tuple[int, int, Real]]:
        """Yield (p0, p1, Y) with Y[P, mu, i] = sum_nu B[P, mu, nu] C[nu, i], shape (p1 - p0, nao, n).

        `precise` computes in double precision whatever B is stored in.
        """
        dtype = np.float64 if precise else self.dtype
        c = np.ascontiguousarray(orbitals, dtype=dtype)
        n = c.shape[1]
        chunk = max(1, min(self.naux, _MAX_CHUNK, _READ_BYTES // (4 * self.nao * max(1, n))))
        for p0 in range(0, self.naux, chunk):
            p1 = min(p0 + chunk, self.naux)
            half = np.zeros((p1 - p0, self.nao, n), dtype=dtype)
            for index, (m0, m1) in enumerate(self._rows):
                block = self._read(index, p0, p1).astype(dtype, copy=False)
                rows = block.reshape(-1, m1) @ c[:m1]
                half[:, m0:m1] += rows.reshape(p1 - p0, m1 - m0, n)
                if m0:
                    turned = np.ascontiguousarray(block[:, :, :m0].transpose(0, 2, 1))
                    half[:, :m0] += (turned.reshape(-1, m1 - m0) @ c[m0:m1]).reshape(p1 - p0, m0, n)
            yield p0, p1, half

    def coulomb(self, density: Double, *, precise: bool = False) -> Double:
        """J[mu, nu] of a symmetric density matrix, (nao, nao); `precise` as in `half_transformed`."""
        dtype = np.float64 if precise else self.dtype
        fitted = np.zeros(self.naux)
        weights = []
        for m0, m1 in self._rows:
            weight = density[m0:m1, :m1].copy()
            weight[:, :m0] *= 2.0
            weights.append(weight.reshape(-1).astype(dtype))
        for index, p0, p1, block in self._flat_blocks(dtype):
            fitted[p0:p1] += block @ weights[index]
        result = np.zeros((self.nao, self.nao))
        for index, p0, p1, block in self._flat_blocks(dtype):
            m0, m1 = self._rows[index]
            result[m0:m1, :m1] += (fitted[p0:p1].astype(dtype) @ block).reshape(m1 - m0, m1)
        lower = np.tril(result)
        return lower + np.tril(lower, -1).T

    def _flat_blocks(self, dtype: Any) -> Iterator[tuple[int, int, int, Real]]:
        for index, (m0, m1) in enumerate(self._rows):
            size = (m1 - m0) * m1
            step = max(1, _READ_BYTES // (8 * size))
            for p0 in range(0, self.naux, step):
                p1 = min(p0 + step, self.naux)
                yield (
                    index,
                    p0,
                    p1,
                    self._read(index, p0, p1).reshape(p1 - p0, size).astype(dtype, copy=False),
                )

    def exchange(self, orbitals: Double, *, precise: bool = False) -> Double:
        """K of the density sum_i C_i C_i^T (occupations folded into the columns of C), (nao, nao)."""
        result = np.zeros((self.nao, self.nao))
        for p0, p1, half in self.half_transformed(orbitals, precise=precise):
            rows = half.transpose(1, 0, 2).reshape(self.nao, (p1 - p0) * half.shape[2])
            result += rows @ rows.T  # a syrk; SciPy's own BLAS would fight NumPy's for the cores
        return result


class TensorCache:
    """The three-index tensors of one molecule, one for each range-separation parameter, built when first needed.

    Hand one cache to `run_scf` and `response_tensors` to compute the integrals once.
    """

    def __init__(self, mole: Any, method: DFTMethod, scratch: Path | None, report: Progress) -> None:
        self._mole = mole
        self._method = method
        self._scratch = scratch
        self._report = report
        self._tensors: dict[float, RITensor] = {}

    def get(self, omega: float = 0.0) -> RITensor:
        """The tensor of erf(omega r)/r, or of 1/r for omega = 0."""
        if omega not in self._tensors:
            if omega < 0:
                raise InputError(
                    f"the functional {self._method.functional!r} needs short-range exchange integrals",
                    why="only full-range and long-range (erf) exchange is available",
                    fix='use a global hybrid or a long-range corrected one, e.g. "pbe0" or "cam-b3lyp"',
                )
            path = None
            if self._scratch is not None:
                path = self._scratch / f"ri-{tensor_key(self._mole, self._method, omega)}.f32"
            self._tensors[omega] = RITensor(
                self._mole,
                self._method.auxiliary_basis,
                omega=omega,
                path=path or Path(lib.param.TMPDIR) / f"ri-{os.getpid()}-{omega}.f32",
                progress=self._report,
            )
        return self._tensors[omega]


def tensor_key(mole: Any, method: DFTMethod, omega: float) -> str:
    """Identify a tensor file: geometry, basis sets and range separation."""
    digest = hashlib.sha256()
    digest.update(np.ascontiguousarray(mole.atom_coords()).tobytes())
    digest.update(np.ascontiguousarray(mole._bas).tobytes())
    digest.update(np.ascontiguousarray(mole._env[20:]).tobytes())
    digest.update(f"{method.auxiliary_basis} {omega} {mole.cart} 1".encode())
    return digest.hexdigest()[:16]


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


def _shell_blocks(mole: Any) -> list[tuple[int, int, int, int]]:
    """(first shell, last shell, first AO, last AO) of each stored rectangle's rows."""
    offsets = mole.ao_loc_nr()
    blocks = []
    start = 0
    for shell in range(1, mole.nbas + 1):
        if shell == mole.nbas or offsets[shell + 1] - offsets[start] > _ROWS:
            blocks.append((start, shell, int(offsets[start]), int(offsets[shell])))
            start = shell
    return blocks
