"""Orbitals in a Molden file, for Avogadro, Jmol, Multiwfn and others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from cluster_qc.drivers.mole import build_mole
from cluster_qc.errors import InputError
from cluster_qc.files import replaced
from cluster_qc.model import GroundState


def write_molden(
    ground: GroundState,
    path: str | Path,
    coefficients: ArrayLike,
    *,
    energies: ArrayLike,
    occupations: ArrayLike,
    labels: Sequence[str],
) -> None:
    """Write orbitals, (nao, n), with their energies (hartree), occupations and labels, (n,) each.

    Raises
    ------
    InputError
        If shapes do not fit.
    StorageError
        If the file cannot be written.
    """
    from pyscf.tools import molden

    columns = np.asarray(coefficients, dtype=float)
    nao, n = len(ground.ao_atoms), len(labels)
    if columns.shape != (nao, n) or np.shape(energies) != (n,) or np.shape(occupations) != (n,):
        raise InputError(
            f"{n} orbitals of {nao} AOs need coefficients ({nao}, {n}), energies and occupations"
        )
    with replaced(path) as temporary:
        molden.from_mo(
            build_mole(ground.cluster, ground.method), str(temporary), columns, symm=list(labels),
            ene=np.asarray(energies), occ=np.asarray(occupations),
        )  # fmt: skip
