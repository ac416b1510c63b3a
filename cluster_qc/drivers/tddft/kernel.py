"""The exchange-correlation kernel on a grid, for trial vectors in the active orbitals.

For a trial vector u the first-order density is rho1 = 2 sum_ia u_ia phi_i phi_a (real orbitals, both spins); the
result is the matrix element of f_xc rho1 between phi_i and phi_a. The grid is cut into compact blocks of points,
and each block works with the few AOs that reach it, in single precision; f_xc itself is computed in double.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster_qc.errors import InputError

Single = NDArray[np.float32]
Double = NDArray[np.float64]
Index = NDArray[np.intp]

_BLOCK = 700  # grid points at a time
_AO_CUTOFF = 1e-4  # an AO smaller than this at every point of a block is left out there
_DENSITY_CUTOFF = 1e-7
_CRUDE_GRID = (20, 50)  # radial and angular points
_BATCH = 24  # vectors at a time


@dataclass(frozen=True, eq=False)
class GridBlock:
    """Neighbouring grid points, f_xc times the weights there, and the AOs that reach them."""

    points: Double
    """(npoint, 3), bohr."""
    fxc: Single
    """(npoint, ncomponent, ncomponent); components are the density and, for a GGA, its gradient."""
    aos: Index
    values: Single | None
    """(ncomponent, npoint, naos); None where they are computed again each time, for lack of memory."""


class GridKernel:
    """f_xc of a closed-shell density for singlet or triplet excitations.

    Parameters
    ----------
    mole, xc
        PySCF molecule and functional name.
    filled
        All doubly occupied orbitals, (nao, n).
    grid_level
        PySCF grid level; None takes a crude grid of 20 x 50 points an atom, for a model.
    spin
        "singlet" or "triplet".
    memory_limit
        Bytes that stored AO values may take.

    Raises
    ------
    InputError
        For a meta-GGA, whose kernel is not available.
    """

    def __init__(
        self,
        mole: Any,
        xc: str,
        filled: Double,
        *,
        grid_level: int | None,
        spin: str,
        memory_limit: float = 0.0,
    ) -> None:
        from pyscf import dft

        self._mole = mole
        self._numint = dft.numint.NumInt()
        self._kind = self._numint._xc_type(xc)
        if self._kind == "MGGA":
            raise InputError(
                f"the response kernel of the meta-GGA {xc!r} is not available",
                why="excited states need the second derivative of the functional",
                fix="use an LDA, GGA or hybrid functional such as pbe0, b3lyp or cam-b3lyp",
            )
        self._derivatives = 0 if self._kind == "LDA" else 1
        grids = dft.gen_grid.Grids(mole)
        if grid_level is None:
            grids.atom_grid = _CRUDE_GRID
        else:
            grids.level = grid_level
        grids.verbose = 0
        grids.build(with_non0tab=False)
        self.blocks = list(self._blocks(xc, filled, grids, spin, memory_limit))

    @property
    def npoint(self) -> int:
        """Grid points in use."""
        return sum(len(block.points) for block in self.blocks)

    def _blocks(
        self, xc: str, filled: Double, grids: Any, spin: str, memory_limit: float
    ) -> Iterator[GridBlock]:
        for index in _compact(grids.coords, np.arange(len(grids.coords))):
            points, weights = grids.coords[index], grids.weights[index]
            ao = self.orbitals(self._mole, points)
            aos = np.flatnonzero(np.abs(ao[0]).max(axis=0) > _AO_CUTOFF)
            ao = ao[:, :, aos]
            psi = ao[0] @ filled[aos]
            rho = np.empty((len(ao), len(points)))
            rho[0] = 2.0 * np.einsum("gi,gi->g", psi, psi)
            back = psi @ filled[aos].T
            for k in range(1, len(ao)):
                rho[k] = 4.0 * np.einsum("gm,gm->g", ao[k], back)
            keep = rho[0] > _DENSITY_CUTOFF
            if not keep.any():
                continue
            fxc = self._second_derivatives(xc, rho[:, keep], spin) * weights[keep]
            values = ao[:, keep].astype(np.float32)
            memory_limit -= values.nbytes
            yield GridBlock(
                points[keep],
                np.ascontiguousarray(fxc.transpose(2, 0, 1), dtype=np.float32),
                aos,
                values if memory_limit > 0 else None,
            )

    def _second_derivatives(self, xc: str, rho: Double, spin: str) -> Double:
        """f_xc of one spin case, (ncomponent, ncomponent, npoint)."""
        if spin == "singlet":
            fxc = self._numint.eval_xc_eff(xc, rho, deriv=2, xctype=self._kind, spin=0)[2]
        else:
            half = np.stack([rho, rho]) * 0.5
            fxc = self._numint.eval_xc_eff(xc, half, deriv=2, xctype=self._kind, spin=1)[2]
            fxc = 0.5 * (fxc[0, :, 0] - fxc[0, :, 1])
        return np.asarray(fxc)

    def orbitals(self, mole: Any, points: Double) -> Double:
        """Basis functions of `mole` (and their gradients for a GGA), (ncomponent, npoint, nao)."""
        from pyscf import dft

        mask = dft.gen_grid.make_mask(mole, points)
        ao = self._numint.eval_ao(mole, points, deriv=self._derivatives, non0tab=mask)
        return np.asarray(ao if self._derivatives else ao[None])

    def apply(self, vectors: Single, occupied: Double, virtual: Double) -> Single:
        """sum_jb <ia| f_xc |jb> u_jb times 2 for the two spins of the density, (n, nocc, nvir).

        `occupied` and `virtual` are the active orbitals, (nao, nocc) and (nao, nvir).
        """
        co, cv = occupied.astype(np.float32), virtual.astype(np.float32)
        result = np.empty_like(vectors)
        for start in range(0, len(vectors), _BATCH):
            part = vectors[start : start + _BATCH]
            result[start : start + _BATCH] = self._response(part, co, cv)
        return result

    def _response(self, u: Single, co: Single, cv: Single) -> Single:
        n, nocc, nvir = u.shape
        nao = len(co)
        half = (u.reshape(n * nocc, nvir) @ cv.T).reshape(n, nocc, nao).transpose(1, 2, 0)
        density = (co @ np.ascontiguousarray(half).reshape(nocc, nao * n)).reshape(nao, nao, n)
        density += density.transpose(1, 0, 2).copy()  # twice the symmetric part: both spins
        response = np.zeros((nao, nao, n), dtype=np.float32)
        for block in self.blocks:
            phi = block.values
            if phi is None:
                phi = self.orbitals(self._mole, block.points)[:, :, block.aos].astype(np.float32)
            ng, nl = phi.shape[1:]
            local = np.ix_(block.aos, block.aos)
            t = (phi[0] @ density[local].reshape(nl, nl * n)).reshape(ng, nl, n)
            rho1 = np.matmul(phi.transpose(1, 0, 2), t)  # (ng, ncomponent, n)
            rho1[:, 1:] *= 2.0
            weighted = np.matmul(block.fxc, rho1)
            weighted[:, 0] *= 0.5
            q = np.matmul(phi.transpose(1, 2, 0), weighted)  # (ng, nl, n)
            response[local] += (phi[0].T @ q.reshape(ng, nl * n)).reshape(nl, nl, n)
        response += response.transpose(1, 0, 2).copy()
        half = (co.T @ response.reshape(nao, nao * n)).reshape(nocc, nao, n).transpose(2, 0, 1)
        return np.asarray(np.matmul(np.ascontiguousarray(half), cv))


def _compact(coords: Double, index: Index) -> Iterator[Index]:
    """Cut points into blocks of neighbours, halving along the longest side."""
    if len(index) <= _BLOCK:
        yield index
        return
    points = coords[index]
    axis = int(np.argmax(np.ptp(points, axis=0)))
    order = np.argsort(points[:, axis], kind="stable")
    middle = len(order) // 2
    yield from _compact(coords, index[order[:middle]])
    yield from _compact(coords, index[order[middle:]])
