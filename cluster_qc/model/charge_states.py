"""One cluster with an electron more and one less, and the range separation tuned on the three."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cluster_qc.errors import InputError, NotConvergedError
from cluster_qc.model.cluster import Cluster
from cluster_qc.model.ground_state import GroundState


def ion_of(cluster: Cluster, charge: int) -> Cluster:
    """The doublet with one electron less (`charge` 1) or one more (-1) at the same geometry.

    Raises
    ------
    InputError
        If the cluster is no closed shell.
    """
    if cluster.multiplicity != 1:
        raise InputError(
            f"{cluster.name} has multiplicity {cluster.multiplicity}",
            why="the spin of its ions is only known for a closed shell",
            fix="give a cluster of multiplicity 1, or build the ions as clusters of their own",
        )
    return replace(cluster, charge=cluster.charge + charge, multiplicity=2, ions=())


@dataclass(frozen=True, eq=False)
class ChargeStates:
    """A closed-shell cluster and its vertical ions, all three by one method.

    "Cation" and "anion" mean one electron less and one more than `ground`, whatever its own charge is.

    Raises
    ------
    InputError
        If the three differ in method or geometry, or if their charges do not.
    """

    ground: GroundState
    cation: GroundState
    anion: GroundState

    def __post_init__(self) -> None:
        charge = self.ground.cluster.charge
        for name, ion, expected in (("cation", self.cation, charge + 1), ("anion", self.anion, charge - 1)):
            if ion.cluster.charge != expected:
                raise InputError(
                    f"the {name} has the charge {ion.cluster.charge:+d} instead of {expected:+d}"
                )
            if ion.method != self.ground.method:
                raise InputError(
                    f"the {name} was computed by another method than the ground state",
                    why="the difference of their energies would mean nothing",
                )
            if not np.array_equal(ion.cluster.coords, self.ground.cluster.coords):
                raise InputError(f"the {name} has another geometry", why="the energies here are vertical")

    @property
    def ionization_energy(self) -> float:
        """E(N - 1) - E(N), vertical, hartree.

        Raises
        ------
        NotConvergedError
            If one of the two SCFs did not converge.
        """
        return _energy(self.cation, "cation") - _energy(self.ground, "ground state")

    @property
    def electron_affinity(self) -> float:
        """E(N) - E(N + 1), vertical, hartree; negative if the anion is not bound in this basis.

        Raises
        ------
        NotConvergedError
            If one of the two SCFs did not converge.
        """
        return _energy(self.ground, "ground state") - _energy(self.anion, "anion")

    @property
    def fundamental_gap(self) -> float:
        """Ionization energy minus electron affinity, hartree."""
        return self.ionization_energy - self.electron_affinity

    @property
    def koopmans_error(self) -> float:
        """J = sqrt((e_HOMO(N) + IE)^2 + (e_HOMO(N + 1) + EA)^2), hartree; 0 for the exact functional.

        Stein, Kronik and Baer, J. Am. Chem. Soc. 131, 2818 (2009), 10.1021/ja8087482.
        """
        of_ground = self.ground.homo + self.ionization_energy
        of_anion = self.anion.homo + self.electron_affinity
        return float(np.hypot(of_ground, of_anion))


def _energy(state: GroundState, name: str) -> float:
    if not state.converged:
        raise NotConvergedError(
            f"the SCF of the {name} did not converge",
            why="the energy of an unconverged density is no total energy",
            fix="run it with more cycles",
        )
    return state.energy


StatesAt = Callable[[float], ChargeStates]
"""The three charge states with a range separation in 1/bohr."""


@dataclass(frozen=True, eq=False)
class Tuning:
    """The range separation for which HOMO energies come closest to the differences of total energies."""

    omega: float
    """1/bohr."""
    states: ChargeStates
    """With this omega."""
    trials: tuple[tuple[float, float], ...]
    """(omega, `koopmans_error`), sorted by omega."""
    bounds: tuple[float, float]
    tolerance: float
    """Of omega, 1/bohr."""

    @property
    def at_bound(self) -> bool:
        """Whether the minimum lies at the end of the range searched, so that it is none."""
        return min(abs(self.omega - end) for end in self.bounds) <= 2 * self.tolerance
