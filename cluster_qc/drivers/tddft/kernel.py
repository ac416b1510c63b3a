"""The exchange-correlation kernel on a grid, for trial vectors in the active orbitals.

For a trial vector u the first-order density is rho1 = 2 sum_ia u_ia phi_i phi_a (real orbitals, both spins); the
result is the matrix element of f_xc rho1 between phi_i and phi_a. Products run in single precision on the AOs that
reach a block of the grid; f_xc itself is computed in double.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyscf import dft

from cluster_qc.drivers.grid import GridBlock, LocalGrid

Single = NDArray[np.float32]
Double = NDArray[np.float64]

_AO_CUTOFF = 1e-4  # see LocalGrid; costs 3e-5 of the kernel
_DENSITY_CUTOFF = 1e-7
_CRUDE_GRID = (20, 50)  # radial and angular points
_BATCH = 24  # vectors at a time


class GridKernel:
    """f_xc of a closed-shell density for singlet or triplet excitations.

    Parameters
    ----------
    mole, xc
        PySCF molecule and functional name.
    filled
        All doubly occupied orbitals, (nao, n).
    omega
        Range separation in 1/bohr; None takes the functional's own.
    grid_level
        PySCF grid level; None takes a crude grid of 20 x 50 points an atom, for a model.
    spin
        "singlet" or "triplet".
    memory_limit
        Bytes that stored AO values may take.
    """

    def __init__(
        self,
        mole: Any,
        xc: str,
        filled: Double,
        *,
        omega: float | None = None,
        grid_level: int | None,
        spin: str,
        memory_limit: float = 0.0,
    ) -> None:
        self._numint = dft.numint.NumInt()
        self._numint.omega = omega
        self._kind = self._numint._xc_type(xc)
        grids = dft.gen_grid.Grids(mole)
        if grid_level is None:
            grids.atom_grid = _CRUDE_GRID
        else:
            grids.level = grid_level
        grids.verbose = 0
        grids.build(with_non0tab=False)
        self.grid = LocalGrid(
            mole,
            grids,
            kind=self._kind,
            dtype=np.float32,
            cutoff=_AO_CUTOFF,
            memory_limit=memory_limit,
        )
        density = 2.0 * filled @ filled.T
        self.fxc = [self._fxc(xc, block, density, spin) for block in self.grid.blocks]
        """f_xc times the weights at each block, (npoint, ncomponent, ncomponent)."""

    @property
    def npoint(self) -> int:
        """Grid points in use."""
        return sum(len(block.points) for block in self.grid.blocks)

    def _fxc(self, xc: str, block: GridBlock, density: Double, spin: str) -> Single:
        rho = self.grid.density(block, density, self.grid.values(block))
        fxc = np.zeros((len(rho), len(rho), len(block.points)))
        keep = rho[0] > _DENSITY_CUTOFF
        if keep.any():
            fxc[:, :, keep] = self._second_derivatives(xc, rho[:, keep], spin) * block.weights[keep]
        return np.ascontiguousarray(fxc.transpose(2, 0, 1), dtype=np.float32)

    def _second_derivatives(self, xc: str, rho: Double, spin: str) -> Double:
        """f_xc of one spin case, (ncomponent, ncomponent, npoint)."""
        if spin == "singlet":
            fxc = self._numint.eval_xc_eff(xc, rho, deriv=2, xctype=self._kind, spin=0)[2]
        else:
            half = np.stack([rho, rho]) * 0.5
            fxc = self._numint.eval_xc_eff(xc, half, deriv=2, xctype=self._kind, spin=1)[2]
            fxc = 0.5 * (fxc[0, :, 0] - fxc[0, :, 1])
        return np.asarray(fxc)

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
        kinetic = self._kind == "MGGA"
        half = (u.reshape(n * nocc, nvir) @ cv.T).reshape(n, nocc, nao).transpose(1, 2, 0)
        density = (co @ np.ascontiguousarray(half).reshape(nocc, nao * n)).reshape(nao, nao, n)
        density += density.transpose(1, 0, 2).copy()  # twice the symmetric part: both spins
        response = np.zeros((nao, nao, n), dtype=np.float32)
        for block, fxc in zip(self.grid.blocks, self.fxc, strict=True):
            phi = self.grid.values(block)
            ncomponent, ng, nl = phi.shape
            local = np.ix_(block.aos, block.aos)
            flat = density[local].reshape(nl, nl * n)
            rho1 = np.empty((ng, fxc.shape[1], n), dtype=np.float32)
            t = (phi[0] @ flat).reshape(ng, nl, n)
            rho1[:, :ncomponent] = np.matmul(phi.transpose(1, 0, 2), t)
            rho1[:, 1:ncomponent] *= 2.0
            if kinetic:
                t = (phi[1:] @ flat).reshape(3, ng, nl, n)
                rho1[:, -1] = 0.5 * np.matmul(phi[1:, :, None], t).sum(axis=0)[:, 0]
            weighted = np.matmul(fxc, rho1)
            weighted[:, 0] *= 0.5  # the sum with the transpose doubles it, and the last
            q = np.matmul(phi.transpose(1, 2, 0), weighted[:, :ncomponent])  # (ng, nl, n)
            change = phi[0].T @ q.reshape(ng, nl * n)
            if kinetic:
                tau = 0.25 * weighted[:, -1]
                for gradient in phi[1:]:
                    q = gradient[:, :, None] * tau[:, None]
                    change += gradient.T @ q.reshape(ng, nl * n)
            response[local] += change.reshape(nl, nl, n)
        response += response.transpose(1, 0, 2).copy()
        half = (co.T @ response.reshape(nao, nao * n)).reshape(nocc, nao, n).transpose(2, 0, 1)
        return np.asarray(np.matmul(np.ascontiguousarray(half), cv))
