"""Orbitals in a Molden file, for Avogadro, Jmol, Multiwfn and others."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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

    Atoms have their atomic numbers, as viewers expect; how many electrons an effective core potential stands for is
    told in the section [Core].

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
    mole = build_mole(ground.cluster, ground.method)
    with replaced(path) as temporary, open(temporary, "w", encoding="ascii", errors="replace") as stream:
        stream.write(_header(mole))
        molden.orbital_coeff(
            mole, stream, columns, symm=list(labels), ene=np.asarray(energies), occ=np.asarray(occupations)
        )


def _header(mole: Any) -> str:
    """Write atoms and basis set as PySCF does, with two corrections for other readers.

    PySCF writes the charge that an effective core potential leaves in place of the atomic number, which makes gold
    potassium in Avogadro and Jmol, and the section names in lower case, unlike the format.
    """
    from pyscf.gto import charge
    from pyscf.tools import molden

    stream = io.StringIO()
    molden.header(mole, stream)
    text = re.sub(r"^\[(core|\d+[dfg])\]", lambda tag: tag[0].title(), stream.getvalue(), flags=re.MULTILINE)
    return re.sub(
        r"^([A-Z][a-z]?) +(\d+) +\d+ ",
        lambda atom: f"{atom[1]:2s} {atom[2]:>4s} {charge(atom[1]):3d}",
        text,
        flags=re.MULTILINE,
    )
