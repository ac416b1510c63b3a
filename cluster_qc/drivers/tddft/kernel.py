"""The exchange-correlation kernel on a grid, contracted in the basis of the active orbitals.

For a trial vector u the first-order density is rho1 = 2 sum_ia u_ia phi_i phi_a (real orbitals, both spins); the
result is the matrix element of f_xc rho1 between phi_i and phi_a. Orbitals are evaluated in blocks of grid points
and used in single precision; the kernel itself is computed in double precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster_qc.errors import InputError

Single = NDArray[np.float32]
Double = NDArray[np.float64]

_BLOCK = 4000  # grid points at a time
_DENSITY_CUTOFF = 1e-9
_CRUDE_GRID = (20, 50)  # radial and angular points


class GridKernel:
    """f_xc of a closed-shell density for singlet or triplet excitations.

    Parameters
    ----------
    mole, xc
        PySCF molecule and functional name.
    density
        AO density matrix of the ground state, (nao, nao).
    occupied, virtual
        Active orbitals, (nao, nocc) and (nao, nvir).
    grid_level
        PySCF grid level; None takes a crude grid of 20 x 50 points an atom, for a model.
    spin
        "singlet" or "triplet".

    Raises
    ------
    InputError
        For a meta-GGA, whose kernel is not available.
    """

    def __init__(
        self,
        mole: Any,
        xc: str,
        density: Double,
        occupied: Double,
        virtual: Double,
        *,
        grid_level: int | None,
        spin: str,
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
        self._occupied = occupied
        self._virtual = virtual
        grids = dft.gen_grid.Grids(mole)
        if grid_level is None:
            grids.atom_grid = _CRUDE_GRID
        else:
            grids.level = grid_level
        grids.verbose = 0
        grids.build(with_non0tab=False)
        self._coords, self._kernel = self._second_derivatives(xc, density, grids, spin)

    @property
    def npoint(self) -> int:
        """Grid points in use."""
        return len(self._coords)

    def _second_derivatives(self, xc: str, density: Double, grids: Any, spin: str) -> tuple[Double, Single]:
        coords, kernels = [], []
        occupations, orbitals = _natural(density, self._mole)
        for start in range(0, len(grids.coords), 4 * _BLOCK):
            points = grids.coords[start : start + 4 * _BLOCK]
            weights = grids.weights[start : start + 4 * _BLOCK]
            ao = self._numint.eval_ao(self._mole, points, deriv=self._derivatives)
            rho = self._numint.eval_rho2(
                self._mole, ao, orbitals, occupations, xctype=self._kind, with_lapl=False
            )
            rho = np.atleast_2d(rho)
            keep = rho[0] > _DENSITY_CUTOFF
            rho, weights = rho[:, keep], weights[keep]
            if spin == "singlet":
                fxc = self._numint.eval_xc_eff(xc, rho, deriv=2, xctype=self._kind, spin=0)[2]
            else:
                half = np.stack([rho, rho]) * 0.5
                fxc = self._numint.eval_xc_eff(xc, half, deriv=2, xctype=self._kind, spin=1)[2]
                fxc = 0.5 * (fxc[0, :, 0] - fxc[0, :, 1])
            coords.append(points[keep])
            kernels.append((fxc * weights).astype(np.float32))
        return np.concatenate(coords), np.concatenate(kernels, axis=-1)

    def apply(self, vectors: Single) -> Single:
        """sum_jb <ia| f_xc |jb> u_jb times 2 for the two spins of the density, (n, nocc, nvir)."""
        n, nocc, nvir = vectors.shape
        by_occupied = np.ascontiguousarray(vectors.transpose(1, 0, 2)).reshape(nocc, n * nvir)
        by_virtual = np.ascontiguousarray(vectors.reshape(n * nocc, nvir).T)
        first = np.zeros((nocc, n * nvir), dtype=np.float32)
        second = np.zeros((n * nocc, nvir), dtype=np.float32)
        block = max(200, min(_BLOCK, 2**27 // (4 * n * nvir)))
        for start in range(0, len(self._coords), block):
            phi_i, phi_a = self._orbitals(self._coords[start : start + block])
            fxc = self._kernel[:, :, start : start + block]
            ng = phi_i.shape[1]
            t = (phi_a[0] @ by_virtual).reshape(ng, n, nocc)
            rho1 = np.matmul(t, phi_i.transpose(1, 2, 0))  # (ng, n, ncomponent)
            if self._derivatives:
                s = (phi_i[0] @ by_occupied).reshape(ng, n, nvir)
                rho1[:, :, 1:] += np.matmul(s, phi_a[1:].transpose(1, 2, 0))
            weighted = 2.0 * np.matmul(rho1, fxc.transpose(2, 0, 1))  # (ng, n, ncomponent)
            q = np.matmul(weighted, phi_a.transpose(1, 0, 2)).reshape(ng, n * nvir)
            first += phi_i[0].T @ q
            if self._derivatives:
                p = np.matmul(weighted[:, :, 1:], phi_i[1:].transpose(1, 0, 2)).reshape(ng, n * nocc)
                second += p.T @ phi_a[0]
        result = first.reshape(nocc, n, nvir).transpose(1, 0, 2) + second.reshape(n, nocc, nvir)
        return np.ascontiguousarray(result)

    def _orbitals(self, points: Double) -> tuple[Single, Single]:
        ao = self._numint.eval_ao(self._mole, points, deriv=self._derivatives).astype(np.float32)
        if self._derivatives == 0:
            ao = ao[None]
        c = np.hstack([self._occupied, self._virtual]).astype(np.float32)
        mo = np.matmul(ao, c)
        nocc = self._occupied.shape[1]
        return np.ascontiguousarray(mo[:, :, :nocc]), np.ascontiguousarray(mo[:, :, nocc:])


def _natural(density: Double, mole: Any) -> tuple[Double, Double]:
    """Occupations and orbitals of a closed-shell density matrix."""
    overlap = mole.intor_symmetric("int1e_ovlp")
    values, vectors = np.linalg.eigh(overlap)
    root, inverse = (vectors * np.sqrt(values)) @ vectors.T, (vectors / np.sqrt(values)) @ vectors.T
    occupations, orbitals = np.linalg.eigh(root @ density @ root)
    keep = occupations > 1e-8
    return occupations[keep], inverse @ orbitals[:, keep]
