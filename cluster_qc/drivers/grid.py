"""A numerical integration grid cut into compact blocks, each with the few AOs that reach it.

The work of a grid point then depends on its neighbourhood, not on the size of the molecule (Stratmann, Scuseria and
Frisch, Chem. Phys. Lett. 257, 213 (1996), 10.1016/0009-2614(96)00600-8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyscf import dft

Double = NDArray[np.float64]
Real = NDArray[Any]
Index = NDArray[np.intp]

_BLOCK = 700  # grid points at a time
_CUTOFF = 1e-9  # of AO values for the potential


@dataclass(frozen=True, eq=False)
class GridBlock:
    """Neighbouring grid points."""

    points: Double
    """(npoint, 3), bohr."""
    weights: Double
    aos: Index
    """Those that reach the block."""
    values: Real | None
    """(ncomponent, npoint, naos); None where they are computed again each time, for lack of memory."""


class LocalGrid:
    """Blocks of a molecular grid.

    Parameters
    ----------
    mole
        PySCF molecule.
    grids
        PySCF grid, built.
    kind
        Of the functional, as PySCF names it: "LDA", "GGA" or "MGGA". It says what of the density is needed: itself; its
        gradient too; the kinetic energy density of the orbitals, tau = 1/2 sum |grad phi|^2, too.
    dtype
        Precision of the AO values.
    cutoff
        An AO smaller than this at every point of a block is left out there.
    memory_limit
        Bytes that kept AO values may take.
    """

    def __init__(
        self,
        mole: Any,
        grids: Any,
        *,
        kind: str,
        dtype: Any,
        cutoff: float,
        memory_limit: float = 0.0,
    ) -> None:
        self.mole = mole
        self._derivatives = 0 if kind == "LDA" else 1
        self._kinetic = kind == "MGGA"
        self._dtype = dtype
        self._cutoff = cutoff
        self._numint = dft.numint.NumInt()
        self.blocks = list(self._cut(grids.coords, grids.weights, memory_limit))

    def _cut(self, coords: Double, weights: Double, memory_limit: float) -> Iterator[GridBlock]:
        for index in _compact(coords, np.flatnonzero(np.abs(weights) > 1e-14)):
            points = coords[index]
            aos, values = self.functions(self.mole, points)
            reach = np.abs(values[0]).max(axis=0, initial=0.0) > self._cutoff
            kept = values[:, :, reach].astype(self._dtype)
            memory_limit -= kept.nbytes
            yield GridBlock(points, weights[index], aos[reach], kept if memory_limit > 0 else None)

    def functions(self, mole: Any, points: Double, among: Index | None = None) -> tuple[Index, Double]:
        """Basis functions of `mole`, perhaps an auxiliary one, in the shells that reach the points.

        Returns their numbers, (n,), and values, (ncomponent, npoint, n). `among`: only shells of these functions.
        """
        shell_of = np.repeat(np.arange(mole.nbas), np.diff(mole.ao_loc_nr()))
        mask = None
        if among is None:
            mask = dft.gen_grid.make_mask(mole, points)
            shells = mask.any(axis=0)
            mask = np.ascontiguousarray(mask[:, shells])
        else:
            shells = np.zeros(mole.nbas, dtype=bool)
            shells[shell_of[among]] = True
        near = mole.copy(deep=False)
        near._bas = mole._bas[shells]
        values = self._numint.eval_ao(near, points, deriv=self._derivatives, non0tab=mask)
        return np.flatnonzero(shells[shell_of]), np.asarray(values if self._derivatives else values[None])

    def values(self, block: GridBlock) -> Real:
        """AO values of a block, (ncomponent, npoint, naos)."""
        if block.values is not None:
            return block.values
        aos, values = self.functions(self.mole, block.points, block.aos)
        return values[:, :, np.isin(aos, block.aos)].astype(self._dtype)

    def density(self, block: GridBlock, matrix: Real, values: Real) -> Double:
        """What `kind` needs of the density of a symmetric density matrix, (1, 4 or 5, npoint)."""
        local = matrix[np.ix_(block.aos, block.aos)].astype(self._dtype)
        t = values[0] @ local
        rho = np.empty((len(values) + self._kinetic, len(block.points)))
        for k, phi in enumerate(values):
            rho[k] = (2.0 if k else 1.0) * np.einsum("gm,gm->g", phi, t)
        if self._kinetic:
            rho[-1] = sum(0.5 * np.einsum("gm,gm->g", phi, phi @ local) for phi in values[1:])
        return rho


class LocalXC:
    """The exchange-correlation potential, in place of PySCF's `nr_rks` and `nr_uks`.

    All in double precision: inside an effective core the density is a small difference of large terms.
    """

    def __init__(self, mole: Any, *, omega: float | None = None, memory_limit: float) -> None:
        self._mole = mole
        self._memory_limit = memory_limit
        self._numint = dft.numint.NumInt()
        self._numint.omega = omega
        self._grid: tuple[Any, LocalGrid] | None = None

    def __call__(
        self, _mole: Any, grids: Any, xc: str, density: Double, *_args: Any, **_settings: Any
    ) -> tuple[Any, float, Double]:
        """Electrons (by spin, if there are two), energy and matrices of the potential, as PySCF returns them."""
        kind = self._numint._xc_type(xc)
        if self._grid is None or self._grid[0] is not grids.coords:
            grid = LocalGrid(
                self._mole,
                grids,
                kind=kind,
                dtype=np.float64,
                cutoff=_CUTOFF,
                memory_limit=self._memory_limit,
            )
            self._grid = grids.coords, grid
        grid = self._grid[1]
        densities = np.asarray(density).reshape(-1, *density.shape[-2:])
        nspin = len(densities)
        rho = np.concatenate([self._densities(grid, block, densities) for block in grid.blocks], axis=2)
        weights = np.concatenate([b.weights for b in grid.blocks])
        energy, potential = self._numint.eval_xc_eff(
            xc, rho if nspin == 2 else rho[0], deriv=1, xctype=kind, spin=nspin - 1
        )[:2]
        charges = rho[:, 0] * weights
        factors = np.asarray(potential).reshape(rho.shape) * weights
        factors[:, 0] *= 0.5
        matrices = np.zeros(densities.shape)
        start = 0
        for block in grid.blocks:
            stop = start + len(block.points)
            values = grid.values(block)
            for matrix, factor in zip(matrices, factors, strict=True):
                here = factor[:, start:stop]
                weighted = np.einsum("kgm,kg->gm", values, here[: len(values)])
                local = values[0].T @ weighted
                if kind == "MGGA":
                    local += sum(phi.T @ (phi * (0.25 * here[-1])[:, None]) for phi in values[1:])
                matrix[np.ix_(block.aos, block.aos)] += local
            start = stop
        matrices += matrices.transpose(0, 2, 1).copy()
        electrons = charges.sum(axis=1)
        shaped = matrices.reshape(density.shape)
        return electrons if nspin == 2 else float(electrons[0]), float((charges @ energy).sum()), shaped

    @staticmethod
    def _densities(grid: LocalGrid, block: GridBlock, densities: Double) -> Double:
        values = grid.values(block)
        return np.stack([grid.density(block, density, values) for density in densities])


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
