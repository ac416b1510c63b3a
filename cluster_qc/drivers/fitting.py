"""The fitting basis of the resolution of the identity and its Coulomb metric."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from pyscf import df

from cluster_qc.drivers.mole import load_potential, refuse_ambiguous
from cluster_qc.errors import InputError

Double = NDArray[np.float64]

_DEPENDENT = 1e-7  # eigenvalue of the metric below which a fitting function is dropped, as in PySCF


def auxiliary_mole(mole: Any, name: str) -> Any:
    """The fitting functions of a molecule, as a PySCF molecule.

    Raises
    ------
    InputError
        If the fitting basis is unknown, also the name of a file here, has no functions for an element, or has only
        those for the electrons that the def2 potentials leave while the molecule has more.
    """
    refuse_ambiguous(name)
    if name.lower().startswith("def2"):
        _refuse_more_electrons(mole, name)
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


def _refuse_more_electrons(mole: Any, name: str) -> None:
    """Refuse the fit of cores that the def2 fitting sets leave to a potential (28 electrons of Ag, 60 of Au)."""
    for atom in range(mole.natm):
        element = mole.atom_pure_symbol(atom)
        potential = load_potential("def2-svp", element)
        if potential and mole.atom_nelec_core(atom) < potential[0]:
            raise InputError(
                f"{name} cannot fit all electrons of {element}",
                why=f"its functions are for the electrons outside a core of {potential[0]}; energies would be off by "
                "many hartree, excitations by tenths of an eV",
                fix="use a basis set with an effective core potential there, e.g. basis_overrides = "
                f'[["{element}", "def2-svp"]], or a fitting basis for all electrons',
            )


class Metric:
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
        """Integrals (npair, naux), C order, perhaps overwritten, to (npair, rank)."""
        if self._factor is not None:
            solved = scipy.linalg.blas.dtrsm(1.0, self._factor, integrals.T, lower=1, overwrite_b=1)
            return np.asarray(solved).T
        assert self._inverse_root is not None
        return np.asarray(integrals @ self._inverse_root)
