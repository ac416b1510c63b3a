"""A built cluster among its alternatives: other core handedness, other conformers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cluster_qc.model.cluster import Cluster


@dataclass(frozen=True, eq=False)
class Candidate:
    """One diastereomer and conformer."""

    cluster: Cluster
    core_handedness: Literal["P", "M"] | None
    level: str
    """Method of the geometry and the energy, and what was held."""
    energy: float | None
    """Hartree; None for a geometry that was not relaxed."""
    relative_energy: float | None
    """Above the lowest candidate, hartree."""
    weight: float | None
    """Boltzmann weight at 298.15 K by `energy` alone: no vibrations, no solvent."""
    largest_force: float | None
    """On an atom free to move, hartree/bohr."""
    converged: bool
    imaginary_modes: int | None = None
    """Imaginary vibrations below -20 1/cm at the level of the geometry; None if they were not computed."""
