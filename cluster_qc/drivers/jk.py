"""Coulomb and exchange matrices for PySCF's self-consistent field, from the three-index tensors.

On the way to convergence two shortcuts are taken, and none once `precise` is set. Products for exchange run in the
precision in which the tensor is stored. And the exchange of the core orbitals, which hardly turn from one cycle to the
next, is kept, and computed again when they have turned by more than a tenth of the orbital gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster_qc.drivers.integrals import TensorCache

Matrix = NDArray[np.float64]
Factors = tuple[Matrix, Matrix]
"""Orbitals (nao, n) and occupations (n,) of a density."""

_CORE_BELOW = -2.0  # hartree
_DEPENDENT = 1e-8  # eigenvalue of the overlap; PySCF drops combinations of functions below 1e-6
_TURNED = 0.1  # of the orbital gradient; exchange between core and valence is well below 1 hartree


@dataclass(frozen=True, eq=False)
class _Core:
    orbitals: list[Matrix]
    """By spin, (nao, ncore)."""
    exchange: Matrix
    """(nspin, nao, nao)."""


@dataclass(frozen=True, eq=False)
class _Known:
    densities: Matrix
    precise: bool
    coulomb: Matrix
    exchange: Matrix


class CoulombExchange:
    """J and K of density matrices.

    Parameters
    ----------
    overlap
        Of the atomic orbitals, (nao, nao).
    tensors
        Three-index tensors, one for each range separation.
    """

    def __init__(self, overlap: Matrix, tensors: TensorCache) -> None:
        values, vectors = np.linalg.eigh(overlap)
        values, vectors = values[values > _DEPENDENT], vectors[:, values > _DEPENDENT]
        self._overlap = overlap
        self._root = (vectors * np.sqrt(values)) @ vectors.T
        self._inverse_root = (vectors / np.sqrt(values)) @ vectors.T
        self._tensors = tensors
        self._core_orbitals: list[Matrix] = []
        self._gradient = 0.0
        self._core: dict[float, _Core] = {}
        self._last: dict[float, _Known] = {}
        self.precise = False
        """Everything in double precision, without shortcuts."""

    def see(self, energies: Any, coefficients: Any, gradient: float) -> None:
        """Take notice of the orbitals of a cycle, and of its orbital gradient."""
        nao, norb = np.shape(coefficients)[-2:]
        by_spin = zip(
            np.reshape(energies, (-1, norb)), np.reshape(coefficients, (-1, nao, norb)), strict=True
        )
        self._core_orbitals = [c[:, e < _CORE_BELOW] for e, c in by_spin]
        self._gradient = gradient

    def coulomb(self, densities: Matrix, omega: float = 0.0) -> Matrix:
        """J, in the shape of the densities, (..., nao, nao)."""
        tensor = self._tensors.get(omega)
        flat = densities.reshape(-1, *densities.shape[-2:])
        return np.asarray([tensor.coulomb(d) for d in flat]).reshape(densities.shape)

    def coulomb_exchange(self, densities: Matrix, omega: float = 0.0) -> tuple[Matrix, Matrix]:
        """J and K, each in the shape of the densities, (..., nao, nao)."""
        last = self._last.get(omega)
        # On a new grid the last density comes once more.
        if last is None or last.precise != self.precise or not np.array_equal(last.densities, densities):
            coulomb, exchange = self._compute(densities.reshape(-1, *densities.shape[-2:]), omega)
            last = self._last[omega] = _Known(
                densities.copy(),
                self.precise,
                coulomb.reshape(densities.shape),
                exchange.reshape(densities.shape),
            )
        return last.coulomb.copy(), last.exchange.copy()  # PySCF scales them in place

    def _compute(self, densities: Matrix, omega: float) -> tuple[Matrix, Matrix]:
        tensor = self._tensors.get(omega)
        factors = [self._factors(d) for d in densities]
        if self.precise or len(self._core_orbitals) != len(densities) or not all(map(_is_filled, factors)):
            return tensor.coulomb_exchange(densities, factors, precise=self.precise)
        core = self._core.get(omega)
        if core is not None:
            parts = [self._split(*pair) for pair in zip(factors, core.orbitals, strict=True)]
            if max(turned for _, _, turned in parts) < _TURNED * self._gradient:
                coulomb, valence = tensor.coulomb_exchange(densities, [part[1] for part in parts])
                return coulomb, valence + core.exchange
        parts = [self._split(*pair) for pair in zip(factors, self._core_orbitals, strict=True)]
        cores, valences, _ = zip(*parts, strict=True)
        coulomb, exchange = tensor.coulomb_exchange(densities, [*cores, *valences])
        held, rest = exchange[: len(cores)], exchange[len(cores) :]
        self._core[omega] = _Core([orbitals for orbitals, _ in cores], held)
        return coulomb, held + rest

    def _factors(self, density: Matrix) -> Factors:
        """Of a symmetric density, which may be a difference with negative occupations."""
        occupations, orbitals = np.linalg.eigh(self._root @ density @ self._root)
        keep = np.abs(occupations) > 1e-9
        return self._inverse_root @ orbitals[:, keep], occupations[keep]

    def _split(self, factors: Factors, core: Matrix) -> tuple[Factors, Factors, float]:
        """The filled orbitals nearest to `core`, the others, and the sine of the largest angle to `core`."""
        orbitals, occupations = factors
        turn, cosines, _ = np.linalg.svd(orbitals.T @ self._overlap @ core)
        turned = float(np.sqrt(max(0.0, 1.0 - cosines.min(initial=1.0) ** 2)))
        rotated, ncore = orbitals @ turn, core.shape[1]
        return (
            (rotated[:, :ncore], occupations[:ncore]),
            (rotated[:, ncore:], occupations[ncore:]),
            turned,
        )


def _is_filled(factors: Factors) -> bool:
    """Whether all orbitals are filled alike."""
    occupations = factors[1]
    return bool(len(occupations) and occupations.min() > 0 and np.ptp(occupations) < 1e-6)
