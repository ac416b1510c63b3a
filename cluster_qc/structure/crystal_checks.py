"""What looks wrong with the molecule that came out of a crystal: refusals and warnings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from cluster_qc.errors import StructureError
from cluster_qc.model import Cluster
from cluster_qc.structure.bonding import is_cluster_metal
from cluster_qc.structure.charges import IonShare, may_be_open_shell
from cluster_qc.structure.contacts import nearly_bonded
from cluster_qc.structure.crystal import Crystal, formula_counts
from cluster_qc.structure.disorder import FULL
from cluster_qc.structure.hydrogens import whole_formula
from cluster_qc.structure.molecule import CellAtoms, Molecule
from cluster_qc.structure.sites import Site


def overlap_warnings(
    crystal: Crystal,
    cell: CellAtoms,
    molecules: Sequence[Molecule],
    sites: Sequence[Site],
    clashes: Sequence[tuple[int, int, float]],
) -> list[str]:
    """Warnings about atoms on top of each other; refused in a molecule with metals."""
    owner = {atom: molecule for molecule in molecules for atom in molecule.atoms}
    found: dict[str, str] = {}
    for i, j, distance in clashes:
        told = (
            f"{sites[cell.site[i]].label} and {sites[cell.site[j]].label} are {distance:.2f} angstrom apart"
        )
        if owner[i].nmetal or owner[j].nmetal:
            raise StructureError(
                f"{crystal.path}: {told} after the symmetry is applied",
                kind="overlap",
                why="two atoms cannot be there at once: unmarked disorder, or symmetry applied to a full cell",
                fix="mark alternatives with disorder groups, choose another disorder part, or correct the symmetry",
            )
        found.setdefault(owner[i].formula, told)
    return [
        f"{told}, both fully occupied: {formula} is no real species, its charge is not known"
        for formula, told in found.items()
    ]


def refuse_guess(
    crystal: Crystal,
    cell: CellAtoms,
    chosen: Molecule,
    sites: Sequence[Site],
    guessed: frozenset[tuple[int, int]],
) -> None:
    """Refuse a cluster with atoms that only a guess picked out of many overlapping ones."""
    labels = [
        sites[cell.site[i]].label
        for i in chosen.atoms
        if (int(cell.site[i]), int(cell.operation[i])) in guessed
    ]
    if labels:
        raise StructureError(
            f"{crystal.path}: many partly occupied atoms of the cluster overlap ({', '.join(labels)}) and no disorder "
            "groups tell them apart",
            kind="disorder",
            why="which of them belong together cannot be told, and a wrong mixture is a wrong molecule",
            fix="assign _atom_site_disorder_assembly and _atom_site_disorder_group in the CIF",
        )


def refuse_tie(crystal: Crystal, cell: CellAtoms, chosen: Molecule, tied: dict[int, str]) -> None:
    """Refuse a cluster with a site that two elements share in equal parts."""
    told = next((tied[site] for i in chosen.atoms if (site := int(cell.site[i])) in tied), None)
    if told is not None:
        raise StructureError(
            f"{crystal.path}: {told}",
            kind="disorder",
            why="neither element is the major one, and each is another molecule",
            fix="choose with disorder='A' (the first listed) or 'B' (the second)",
        )


def partial_warnings(cell: CellAtoms, chosen: Molecule, sites: Sequence[Site]) -> list[str]:
    """Atoms of the cluster that are only partly there and have no alternative."""
    partial = {
        sites[cell.site[i]].label: float(cell.occupancy[i]) for i in chosen.atoms if cell.occupancy[i] < FULL
    }
    told = ", ".join(f"{label} ({share:g})" for label, share in partial.items())
    return [f"partly occupied atoms of the cluster without an alternative were kept: {told}"] if told else []


def composition_warnings(
    crystal: Crystal, chosen: Molecule, whole: Molecule, missing: int, molecules: Sequence[Molecule]
) -> list[str]:
    """Compare the atoms of the cell with the sum formula; solvent left out of the model shows here, and lost atoms."""
    cell: dict[str, float] = defaultdict(float)
    for molecule in molecules:
        formula = (
            whole.formula if molecule.formula == chosen.formula else whole_formula(crystal.moiety, molecule)
        )
        for symbol, count in formula_counts(formula).items():
            cell[symbol] += count * molecule.weight
        if molecule.formula == chosen.formula:
            cell["H"] += missing * molecule.weight
    if not crystal.formula_sum:
        return ["the file states no sum formula: atoms that it lacks would not be noticed"]
    metals = [symbol for symbol in crystal.formula_sum if symbol in cell and is_cluster_metal(symbol)]
    if not metals:
        return []
    units = sum(cell[symbol] for symbol in metals) / sum(crystal.formula_sum[symbol] for symbol in metals)
    differences = []
    for symbol in sorted({*crystal.formula_sum, *cell}):
        stated, found = crystal.formula_sum.get(symbol, 0.0), cell.get(symbol, 0.0) / units
        if abs(found - stated) > max(0.3, 0.01 * stated):
            differences.append(f"{symbol} {found:.4g} instead of {stated:g}")
    if not differences:
        return []
    return [
        f"the atoms do not add up to _chemical_formula_sum: {', '.join(differences)} (a solvent left out, or atoms "
        "lost)"
    ]


def network_warnings(crystal: Crystal, cell: CellAtoms, chosen: Molecule) -> list[str]:
    """Tell contacts that make the molecule a part of a chain or net; refused for solids without carbon."""
    near = nearly_bonded(cell, chosen)
    if not near:
        return []
    pair, distance = near[0]
    told = f"{pair} {distance:.2f} angstrom to a neighbour is hardly longer than a bond"
    if "C" not in chosen.symbols:
        raise StructureError(
            f"{crystal.path}: {told}: {chosen.formula} is a piece of an extended solid",
            kind="polymer",
            why="an extended solid holds no finite molecule, and cutting it would invent one",
            fix="use a periodic program, or cut a model by hand and give it as an XYZ file",
        )
    return [f"{told} ({len(near)} such contacts): the molecule may be part of a chain or net"]


def multiplicity_warnings(cluster: Cluster, shares: Sequence[IonShare]) -> list[str]:
    """Tell where the multiplicity was assumed."""
    if cluster.multiplicity == 2:
        return [
            f"{cluster.formula} with charge {cluster.charge:+d} has an odd number of electrons: multiplicity 2 was "
            "assumed"
        ]
    metals = may_be_open_shell(shares)
    if not metals:
        return []
    return [f"{', '.join(metals)} may have unpaired electrons: multiplicity 1 was assumed"]
