"""A dielectric continuum around the molecule: IEF-PCM on a smooth cavity of atomic spheres.

Cances, Mennucci and Tomasi, J. Chem. Phys. 107, 3032 (1997), 10.1063/1.474659; Gaussian surface charges after Lange and
Herbert, J. Chem. Phys. 133, 244111 (2010), 10.1063/1.3511297. Unlike the conductor-like models it needs no scaling
function, which matters at the low permittivity of an organic film. The spheres are 1.2 times the van der Waals radii of
Bondi, 10.1021/j100785a001 (Cu 1.40, Ag 1.72, Au 1.66 angstrom; H 1.10), of the main group elements that he left out
those of Mantina et al., 10.1021/jp8111556.

The integral equation and the cavity are PySCF's. The potential of the electrons on the surface is that of the fitted
density which gives the Coulomb energy too: one more pass over the three-index tensor, where the exact integrals would
cost several times the rest of an SCF cycle.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyscf import gto
from pyscf.data import radii
from pyscf.solvent import pcm

from cluster_qc.drivers.integrals import TensorCache
from cluster_qc.errors import InputError
from cluster_qc.model.elements import atomic_number

Double = NDArray[np.float64]

_SCALE = 1.2
_LEBEDEV_ORDER = 17  # 110 points on a sphere; 302 change the energy of the water cation by 3 meV
_MATRICES = 18  # of (npoint, npoint), at most, while the integral equation is set up


def in_continuum(mf: Any, permittivity: float, tensors: TensorCache) -> Any:
    """The mean field with the polarisation of a continuum, in equilibrium with its density.

    Raises
    ------
    InputError
        For an element without a van der Waals radius.
    """
    check_radii(mf.mol)
    solvent = _FittedPCM(mf.mol, tensors)
    solvent.eps = permittivity
    return pcm.pcm_for_scf(mf, solvent)


def check_radii(mole: Any) -> None:
    """Refuse an element that has no radius in the table.

    Raises
    ------
    InputError
        For such an element.
    """
    unknown = [e for e in sorted(set(mole.elements)) if radii.VDW[atomic_number(e)] == radii.VDW[0]]
    if unknown:
        raise InputError(
            f"no van der Waals radius is known for {', '.join(unknown)}",
            why="the cavity of the continuum is made of atomic spheres",
            fix="compute in vacuum",
        )


def surface_bytes(mole: Any, naux: int) -> int:
    """Peak memory of the continuum."""
    points = len(_cavity(mole)["grid_coords"])
    return 8 * points * (_MATRICES * points + 3 * naux)


def _cavity(mole: Any) -> Any:
    return pcm.gen_surface(
        mole, ng=pcm.gen_grid.LEBEDEV_ORDER[_LEBEDEV_ORDER], rad=_SCALE * pcm.modified_Bondi
    )


class _FittedPCM(pcm.PCM):  # type: ignore[misc]
    """PySCF's PCM with the electrons' potential from the fitted density."""

    _keys = {"tensors"}

    def __init__(self, mole: Any, tensors: TensorCache) -> None:
        super().__init__(mole)
        self.method = "IEF-PCM"
        self.vdw_scale = _SCALE
        self.lebedev_order = _LEBEDEV_ORDER
        self.equilibrium_solvation = True  # in the orbital Hessian of second-order SCF
        self.tensors = tensors

    def build(self, ng: int | None = None) -> None:
        """Set up the integral equation, and the fitting functions' potential on the surface."""
        super().build(ng)
        tensor = self.tensors.get()
        charges = gto.fakemol_for_charges(self.surface["grid_coords"], expnt=self.surface["charge_exp"] ** 2)
        self._projection = tensor.projected(gto.intor_cross("int2c2e", charges, tensor.auxiliary))

    def _get_v(self, densities: Double) -> Double:
        tensor = self.tensors.get()
        return np.stack([self._projection @ tensor.fitted(density) for density in densities])

    def _get_vmat(self, charges: Double) -> Double:
        tensor = self.tensors.get()
        points = len(self._projection)
        return -np.stack([tensor.contracted(q @ self._projection) for q in charges.reshape(-1, points)])
