"""Densities to start an SCF from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyscf import dft, scf

from cluster_qc.drivers.mole import build_mole, mean_field_functional
from cluster_qc.errors import InputError
from cluster_qc.model import Cluster, DFTMethod, GroundState

Progress = Callable[[float | None, str], None]
Matrix = NDArray[np.float64]
Ions = tuple[tuple[tuple[int, ...], int], ...]


def transferred_density(guess: GroundState, overlap: Matrix, mole: Any) -> Matrix:
    """Density of the guess's lowest orbitals, as many as this molecule fills, orthonormalised again in its overlap.

    (nao, nao) of a closed shell, (2, nao, nao) of alpha and beta otherwise.

    Raises
    ------
    InputError
        If the guess has other basis functions, or is unrestricted for a closed shell.
    """
    if guess.coefficients.shape[1] != mole.nao or (mole.spin == 0 and not guess.restricted):
        raise InputError(
            "the guess has other basis functions or another spin than the molecule",
            why=f"{guess.coefficients.shape[1]} functions against {mole.nao}",
            fix="take a ground state of the same atoms and basis, closed-shell for a closed shell, or leave guess away",
        )
    densities = []
    for spin, count in enumerate(mole.nelec):
        row = 0 if guess.restricted else spin
        order = np.argsort(guess.orbital_energies[row], kind="stable")
        filled = guess.coefficients[row][:, order[:count]]
        values, vectors = np.linalg.eigh(filled.T @ overlap @ filled)
        filled = filled @ (vectors / np.sqrt(values)) @ vectors.T
        densities.append(filled @ filled.T)
    return np.asarray(densities) if mole.spin else densities[0] + densities[1]


def ion_density(mole: Any, method: DFTMethod, ions: Ions, report: Progress) -> Matrix:
    """Block-diagonal density of closed-shell ions: the right charges at once, so HOMO and LUMO do not cross."""
    density = np.zeros((mole.nao, mole.nao))
    slices = mole.aoslice_by_atom()[:, 2:]
    bohr = mole.atom_coords()
    seen: dict[bytes, Matrix] = {}
    for number, (atoms, charge) in enumerate(ions, start=1):
        report(None, f"guess: ion {number} of {len(ions)}")
        symbols = [mole.atom_pure_symbol(a) for a in atoms]
        coords = bohr[list(atoms)]
        key = repr((symbols, charge, len(atoms) == 1 or coords.tolist())).encode()
        if key not in seen:
            fragment = Cluster("ion", tuple(symbols), coords, charge=charge)
            part = build_mole(fragment, method)
            ion = scf.RHF(part).density_fit(auxbasis=method.auxiliary_basis)
            if method.functional.lower() != "hf":
                ion = dft.RKS(part).density_fit(auxbasis=method.auxiliary_basis)
                ion.xc = mean_field_functional(method.functional)
                ion.grids.level = 0
            ion.chkfile = None
            ion.conv_tol = 1e-5
            ion.max_cycle = 30
            ion.kernel(dm0=ion.get_init_guess(key="minao"))
            seen[key] = np.asarray(ion.make_rdm1())
        index = np.concatenate([np.arange(*slices[a]) for a in atoms])
        density[np.ix_(index, index)] = seen[key]
    return density
