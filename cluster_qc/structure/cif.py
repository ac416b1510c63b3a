"""Crystal structures: from a CIF to one whole molecule, with everything that was chosen on the way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gemmi

from cluster_qc.errors import InputError, StructureError
from cluster_qc.model import Cluster
from cluster_qc.structure.charges import crystal_charge
from cluster_qc.structure.chirality import cip_report, core_handedness
from cluster_qc.structure.crystal import Crystal, read_crystal
from cluster_qc.structure.disorder import (
    DisorderChoice,
    DisorderGroup,
    check_choice,
    choose_groups,
    resolve_overlaps,
)
from cluster_qc.structure.geometry import metal_metal_distances
from cluster_qc.structure.hydrogens import add_hydrogens, missing_hydrogens, whole_formula
from cluster_qc.structure.ions import with_parts
from cluster_qc.structure.molecule import Molecule, assemble, fill_cell
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
    choice: DisorderChoice
    groups: tuple[DisorderGroup, ...]
    """The disordered alternatives; empty for an ordered structure."""
    added_hydrogens: int
    """Hydrogen atoms of the cluster that the file has no sites for, added at ideal positions."""
    missing_hydrogens: int
    """Hydrogen atoms that the cluster should have and that could not be placed."""
    space_group: str
    space_group_chiral: bool
    """True if the space group has no mirror, inversion or glide: all molecules of the crystal have one hand."""
    flack: str | None
    """Flack parameter with its uncertainty as the file writes it."""
    cip: tuple[str, ...]
    """R or S of each carbon stereocentre of the ligands."""
    core_handedness: str | None
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values (distances in angstrom)."""
        return {
            "cluster": {
                "formula": self.cluster.formula,
                "natom": self.cluster.natom,
                "charge": self.cluster.charge,
                "copies_in_cell": self.copies_in_cell,
                "metal_metal_angstrom": [
                    {"pair": contact.pair, "distance": round(contact.distance / angstrom, 4)}
                    for contact in metal_metal_distances(self.cluster)
                ],
            },
            "others": [{"formula": formula, "count_in_cell": count} for formula, count in self.others],
            "disorder": {
                "present": bool(self.groups),
                "choice": self.choice,
                "groups": [
                    {
                        "assembly": group.assembly,
                        "group": group.group,
                        "occupancy": group.occupancy,
                        "atoms": group.atoms,
                        "kept": group.kept,
                    }
                    for group in self.groups
                ],
            },
            "added_hydrogens": self.added_hydrogens,
            "chirality": {
                "space_group_chiral": self.space_group_chiral,
                "flack": gemmi.cif.as_number(self.flack) if self.flack else None,
                "cip": list(self.cip),
                "core_handedness": self.core_handedness,
            },
            "warnings": list(self.warnings),
        }


def inspect_cif(
    path: str | Path,
    *,
    disorder: DisorderChoice = "major",
    block: str | None = None,
    charge: int | None = None,
    multiplicity: int | None = None,
    name: str | None = None,
) -> CrystalReport:
    """Read a CIF and report what is in the crystal.

    Parameters
    ----------
    path
        The CIF.
    disorder
        Which alternative of disordered groups is kept: "major", "A" (first), "B" (second), or "error" to refuse them.
    block
        Data block, needed if the file holds several structures.
    charge
        Total charge of the cluster; by default from the formula of the moieties, the other ions of the crystal, or the
        usual charges of metals and ligands, in this order, with a warning where it had to be guessed.
    multiplicity
        2S + 1; by default 1, or 2 with a warning for an odd number of electrons.
    name
        Name of the cluster; by default the file's name without its suffix.

    Raises
    ------
    StructureError
        If the file gives no finite molecule with metals, for the reasons in its `kind`.
    """
    check_choice(disorder)
    crystal = read_crystal(path, block)
    warnings = list(crystal.warnings)
    sites, occupancies, groups = choose_groups(crystal, disorder)
    cell, notes = resolve_overlaps(fill_cell(crystal, sites, occupancies), sites, str(crystal.path))
    warnings += notes
    molecules = assemble(cell)
    chosen = _pick(crystal, molecules, warnings)
    copies, others = _count(chosen, molecules, crystal.moiety, warnings)
    lacking = missing_hydrogens(crystal, chosen, molecules)
    whole = None
    if lacking:
        attached = [sites[cell.site[i]].attached_hydrogens for i in chosen.atoms]
        whole = add_hydrogens(chosen, lacking, attached)
        warnings.append(
            f"{lacking} hydrogen atoms of the cluster have no sites in the file; "
            + (
                "they were added at ideal positions"
                if whole
                else "where they belong is not certain, none were added"
            )
        )
    if charge is None:
        charge, reason = crystal_charge(crystal.moiety, chosen, copies, molecules)
        if reason:
            warnings.append(f"charge {charge:+d} {reason}; give charge= if it is wrong")
    added = lacking if whole else 0
    cluster = _cluster(
        crystal, whole or chosen, disorder if groups else None, charge, multiplicity, name, warnings
    )
    labels, reason = cip_report(cluster)
    if reason:
        warnings.append(f"no CIP labels: {reason}")
    _judge_flack(crystal.flack, warnings)
    return CrystalReport(
        cluster=cluster,
        copies_in_cell=copies,
        others=others,
        choice=disorder,
        groups=groups,
        added_hydrogens=added,
        missing_hydrogens=lacking - added,
        space_group=crystal.space_group,
        space_group_chiral=crystal.is_sohncke,
        flack=crystal.flack,
        cip=tuple(labels),
        core_handedness=core_handedness(cluster),
        warnings=tuple(warnings),
    )


def read_cif(
    path: str | Path,
    *,
    disorder: DisorderChoice = "major",
    block: str | None = None,
    charge: int | None = None,
    multiplicity: int | None = None,
    name: str | None = None,
) -> Cluster:
    """Read the cluster of a crystal: the whole molecule with the most metal atoms.

    Parameters are those of `inspect_cif`, which also tells what else is in the crystal.

    Raises
    ------
    StructureError
        As `inspect_cif`, and with kind "hydrogens" if hydrogen atoms of the cluster are missing and cannot be placed.
    """
    report = inspect_cif(
        path, disorder=disorder, block=block, charge=charge, multiplicity=multiplicity, name=name
    )
    if report.missing_hydrogens:
        raise StructureError(
            f"{path}: {report.missing_hydrogens} hydrogen atoms of the cluster have no sites in the file",
            kind="hydrogens",
            why=f"{report.cluster.formula} without them is another, wrong molecule",
            fix="add them in a structure editor; inspect_cif still shows what is in the crystal",
        )
    return report.cluster


def _pick(crystal: Crystal, molecules: Sequence[Molecule], warnings: list[str]) -> Molecule:
    """Choose the molecule with the most metals, then atoms; the first listed of equals."""
    for molecule in molecules:
        if molecule.infinite and molecule.nmetal:
            raise StructureError(
                f"{crystal.path}: {molecule.formula} is bonded to its own image in the next cell: a polymer",
                kind="polymer",
                why="an extended network holds no finite molecule, and cutting it would invent one",
                fix="use a periodic program, or cut a model by hand and give it as an XYZ file",
            )
    if any(molecule.infinite for molecule in molecules):
        warnings.append("a species without metals is bonded to its own images; its formula is per cell")
    best = max(molecules, key=lambda molecule: (molecule.nmetal, len(molecule.symbols)))
    if not best.nmetal:
        raise StructureError(
            f"{crystal.path} holds no molecule with a metal; the largest is {best.formula}",
            kind="no-metal",
            why="this reader looks for metal clusters",
            fix="convert the file to XYZ and read that, if the organic molecule is meant",
        )
    return best


def _count(
    chosen: Molecule, molecules: Sequence[Molecule], moiety: str, warnings: list[str]
) -> tuple[int, tuple[tuple[str, int], ...]]:
    """Count the cluster's copies and the other species in the cell, by occupancy; the latter with their hydrogens."""
    weights: dict[str, float] = defaultdict(float)
    completed = set()
    for molecule in molecules:
        formula = molecule.formula
        if formula != chosen.formula:
            formula = whole_formula(moiety, molecule)
            if formula != molecule.formula:
                completed.add(formula)
        weights[formula] += molecule.weight
    if completed:
        warnings.append(
            f"{', '.join(sorted(completed))}: hydrogen atoms without sites are counted in the formula"
        )
    copies = round(weights.pop(chosen.formula))
    ordered = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    return max(copies, 1), tuple((formula, max(1, round(weight))) for formula, weight in ordered)


def _cluster(
    crystal: Crystal,
    molecule: Molecule,
    choice: DisorderChoice | None,
    charge: int,
    multiplicity: int | None,
    name: str | None,
    warnings: list[str],
) -> Cluster:
    source = f"{Path(crystal.path).name} (block {crystal.block}{f', disorder {choice}' if choice else ''})"
    odd = (sum(gemmi.Element(symbol).atomic_number for symbol in molecule.symbols) - charge) % 2
    if multiplicity is None:
        multiplicity = 2 if odd else 1
        if odd:
            warnings.append(
                f"{molecule.formula} with charge {charge:+d} has an odd number of electrons: multiplicity 2 was assumed"
            )
    try:
        cluster = Cluster(
            name=crystal.path.stem if name is None else name,
            symbols=molecule.symbols,
            coords=molecule.positions * angstrom,
            charge=charge,
            multiplicity=multiplicity,
            source=source,
        )
    except InputError as error:
        raise StructureError(
            f"{crystal.path}: {error.what}", kind="inconsistent", why=error.why, fix=error.fix
        ) from None
    return with_parts(cluster)


def _judge_flack(flack: str | None, warnings: list[str]) -> None:
    if not flack:
        return
    value = gemmi.cif.as_number(flack)
    if value > 0.5:
        warnings.append(
            f"the Flack parameter {flack} says that the crystal has the opposite hand of the file"
        )
    elif "(" in flack:
        digits = flack.split("(")[1].rstrip(")")
        decimals = len(flack.split("(")[0].partition(".")[2])
        if digits.isdigit() and int(digits) * 10.0**-decimals > 0.3:
            warnings.append(f"the Flack parameter {flack} is too uncertain to fix the hand")
