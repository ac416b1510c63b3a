"""The converged (or marked unconverged) Kohn-Sham ground state, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cluster_qc.errors import InputError, UnavailableError
from cluster_qc.model.arrays import FloatArray, IntArray, frozen
from cluster_qc.model.cluster import Cluster
from cluster_qc.model.history import SCFCycle
from cluster_qc.model.method import DFTMethod


@dataclass(frozen=True, eq=False)
class GroundState:
    """A self-consistent ground state. The leading axis of every orbital array is spin: 1 restricted, 2 unrestricted.

    Everything that later steps need is here as arrays, so that a calculation restarts without any program object.
    """

    cluster: Cluster
    method: DFTMethod
    energy: float
    """Total energy in hartree, dispersion included."""
    orbital_energies: FloatArray
    """(nspin, nmo), hartree."""
    coefficients: FloatArray
    """(nspin, nao, nmo), AO by MO."""
    occupations: FloatArray
    """(nspin, nmo): 2, 1 or 0."""
    overlap: FloatArray
    """AO overlap, (nao, nao)."""
    ao_atoms: IntArray
    """The atom of each AO, (nao,)."""
    core_electrons: IntArray
    """Electrons replaced by an effective core potential on each atom, (natom,)."""
    dipole: FloatArray
    """Dipole moment in e bohr, (3,); of a charged cluster about the coordinate origin."""
    s_squared: float
    converged: bool
    stable: bool | None = None
    """True if the internal stability analysis found a minimum, False if not, None if it was not made."""
    cycles: int = 0
    """SCF cycles, all attempts together."""
    remarks: tuple[str, ...] = ()
    """What a reader must know: fallbacks that were needed, approximations, failures."""
    history: tuple[SCFCycle, ...] = ()
    """Every cycle, those before an interruption included; empty in records of early versions, which kept none."""

    def __post_init__(self) -> None:
        nspin, nmo = np.shape(self.orbital_energies)
        nao = np.shape(self.overlap)[0]
        natom = self.cluster.natom
        if nspin not in (1, 2):
            raise InputError(f"orbital_energies has {nspin} spins; 1 or 2 are possible")
        for name, shape, dtype in (
            ("orbital_energies", (nspin, nmo), float),
            ("coefficients", (nspin, nao, nmo), float),
            ("occupations", (nspin, nmo), float),
            ("overlap", (nao, nao), float),
            ("ao_atoms", (nao,), np.intp),
            ("core_electrons", (natom,), np.intp),
            ("dipole", (3,), float),
        ):
            object.__setattr__(self, name, frozen(getattr(self, name), shape, name, dtype))

    def __repr__(self) -> str:
        state = "" if self.converged else ", not converged"
        return f"<ground state of {self.cluster.name}, {self.method.level}, {self.energy:.6f} hartree{state}>"

    @property
    def restricted(self) -> bool:
        """True for a closed-shell (spin-restricted) ground state."""
        return len(self.orbital_energies) == 1

    @property
    def has_ecp(self) -> bool:
        """True if any atom carries an effective core potential."""
        return bool(self.core_electrons.any())

    @property
    def nocc(self) -> int:
        """Number of doubly occupied orbitals.

        Raises
        ------
        UnavailableError
            For an unrestricted ground state.
        """
        self._need_restricted("nocc")
        return int(np.count_nonzero(self.occupations[0] > 0))

    @property
    def homo(self) -> float:
        """Energy of the highest occupied orbital, hartree."""
        return float(self.orbital_energies[self.occupations > 0].max())

    @property
    def lumo(self) -> float:
        """Energy of the lowest unoccupied orbital, hartree."""
        return float(self.orbital_energies[self.occupations == 0].min())

    @property
    def gap(self) -> float:
        """LUMO minus HOMO, hartree."""
        return self.lumo - self.homo

    def _need_restricted(self, what: str) -> None:
        if not self.restricted:
            raise UnavailableError(
                f"{what} is defined for a closed-shell ground state only",
                why="this one has unpaired electrons and separate alpha and beta orbitals",
                fix="use a cluster of multiplicity 1",
            )
