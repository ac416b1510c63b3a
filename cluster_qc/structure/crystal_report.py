"""What a crystal holds and what was chosen in it, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cluster_qc.model import Cluster
from cluster_qc.structure.absolute import AbsoluteStructure, HandParameter
from cluster_qc.structure.charges import IonShare
from cluster_qc.structure.chirality import Stereocentre
from cluster_qc.structure.contacts import RADII_SOURCE, MetalContact
from cluster_qc.structure.disorder import DisorderChoice, DisorderGroup
from cluster_qc.structure.geometry import metal_angles, metal_metal_distances
from cluster_qc.units import angstrom


@dataclass(frozen=True, eq=False)
class CrystalReport:
    """What is in a crystal, what was chosen and why."""

    cluster: Cluster
    """The molecule with the most metal atoms, positions in bohr in the crystal's Cartesian axes."""
    copies_in_cell: int
    """Molecules of the cluster's formula in one cell, mirror images included."""
    others: tuple[tuple[str, int], ...]
    """(Hill formula, count in the cell, weighted by occupancy) of every other species."""
    block: str
    """Name of the data block."""
    choice: DisorderChoice
    groups: tuple[DisorderGroup, ...]
    """The disordered alternatives; empty for an ordered structure."""
    added_hydrogens: int
    """Hydrogen atoms of the cluster that the file has no sites for, added at ideal positions."""
    missing_hydrogens: int
    """Hydrogen atoms that the cluster should have and that could not be placed."""
    charge_reason: str
    """Where the charge comes from, a clause without its subject."""
    charge_shares: tuple[IonShare, ...]
    """The charge by metal ions and ligands."""
    contacts: tuple[MetalContact, ...]
    """Contacts of the metals below the sum of van der Waals radii."""
    space_group: str
    space_group_chiral: bool
    """True if the space group has no mirror, inversion or glide: all molecules of the crystal have one hand."""
    hand: HandParameter | None
    """Flack parameter, or Hooft's or Rogers', as the file gives it."""
    absolute_structure: AbsoluteStructure
    """How far the data fix the hand."""
    absolute_reason: str
    stereocentres: tuple[Stereocentre, ...]
    """Stereocentres of the ligands, in the molecule as it is written."""
    core_handedness: str | None
    """P or M of the core, in the molecule as it is written."""
    warnings: tuple[str, ...]

    @property
    def cip(self) -> tuple[str, ...]:
        """R or S of each stereocentre of the ligands."""
        return tuple(centre.label for centre in self.stereocentres)

    @property
    def flack(self) -> str | None:
        """Flack parameter with its uncertainty as the file writes it."""
        return self.hand.text if self.hand is not None and self.hand.name == "Flack" else None

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values (distances in angstrom)."""
        flack = self.hand if self.hand is not None and self.hand.name == "Flack" else None
        return {
            "cluster": cluster_json(self.cluster, self.copies_in_cell)
            | {
                "charge_reason": self.charge_reason,
                "charge_shares": [vars(share) for share in self.charge_shares],
                "metal_contacts": {
                    "radii": RADII_SOURCE,
                    "contacts": [
                        {
                            "pair": contact.pair,
                            "where": contact.where,
                            "distance_angstrom": round(contact.distance_angstrom, 4),
                            "radii_sum_angstrom": round(contact.radii_sum_angstrom, 2),
                        }
                        for contact in self.contacts
                    ],
                },
            },
            "others": [{"formula": formula, "count_in_cell": count} for formula, count in self.others],
            "block": self.block,
            "disorder": {
                "present": bool(self.groups),
                "choice": self.choice,
                "groups": [vars(group) | {"labels": list(group.labels)} for group in self.groups],
            },
            "added_hydrogens": self.added_hydrogens,
            "missing_hydrogens": self.missing_hydrogens,
            "chirality": {
                "space_group": self.space_group or None,
                "space_group_chiral": self.space_group_chiral,
                "flack": flack.value if flack else None,
                "flack_uncertainty": flack.uncertainty if flack else None,
                "parameter": f"{self.hand.name} {self.hand.text}" if self.hand else None,
                "absolute_structure": self.absolute_structure,
                "absolute_structure_reason": self.absolute_reason,
                "cip": list(self.cip),
                "stereocentres": stereocentre_json(self.stereocentres),
                "core_handedness": self.core_handedness,
            },
            "warnings": list(self.warnings),
        }


def stereocentre_json(centres: Sequence[Stereocentre]) -> list[dict[str, Any]]:
    """Stereocentres as plain JSON values, atoms counted from 1."""
    return [{"atom": c.atom + 1, "element": c.element, "label": c.label} for c in centres]


def cluster_json(cluster: Cluster, copies_in_cell: int | None) -> dict[str, Any]:
    """The molecule itself as plain JSON values (distances in angstrom, angles in degrees, atoms counted from 1)."""
    return {
        "formula": cluster.formula,
        "natom": cluster.natom,
        "charge": cluster.charge,
        "multiplicity": cluster.multiplicity,
        "electrons": cluster.nelectron,
        "copies_in_cell": copies_in_cell,
        "metal_metal_angstrom": [
            {
                "pair": contact.pair,
                "distance": round(contact.distance / angstrom, 4),
                "atoms": [i + 1 for i in contact.atoms],
            }
            for contact in metal_metal_distances(cluster)
        ],
        "metal_angles_degrees": [
            {"triple": angle.triple, "angle": round(angle.degrees, 2), "atoms": [i + 1 for i in angle.atoms]}
            for angle in metal_angles(cluster)
        ],
    }
