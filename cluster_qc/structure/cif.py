"""Crystal structures: from a CIF to one whole molecule, with everything that was chosen on the way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from cluster_qc.errors import InputError, StructureError
from cluster_qc.model import Cluster
from cluster_qc.model.elements import atomic_number, is_metal
from cluster_qc.structure.absolute import absolute_structure
from cluster_qc.structure.bonding import is_cluster_metal, longest_bond
from cluster_qc.structure.charges import (
    crystal_charge,
    explain_charge,
    matching_moiety,
    parse_moieties,
)
from cluster_qc.structure.chirality import core_handedness, stereocentres
from cluster_qc.structure.contacts import metal_contacts, nearly_bonded
from cluster_qc.structure.crystal import Crystal, read_crystal
from cluster_qc.structure.crystal_checks import (
    composition_warnings,
    multiplicity_warnings,
    network_warnings,
    overlap_warnings,
    partial_warnings,
    refuse_guess,
    refuse_tie,
)
from cluster_qc.structure.crystal_report import CrystalReport
from cluster_qc.structure.disorder import DisorderChoice, check_choice, choose_groups
from cluster_qc.structure.hydrogens import (
    add_hydrogens,
    added_to_oxygen,
    completed,
    has_room,
    missing_hydrogens,
    normalised,
    whole_formula,
)
from cluster_qc.structure.ions import with_parts
from cluster_qc.structure.molecule import CellAtoms, Molecule, assemble, fill_cell
from cluster_qc.structure.overlaps import resolve_overlaps
from cluster_qc.structure.sites import Site
from cluster_qc.structure.xyz import readable_name
from cluster_qc.units import angstrom

__all__ = ["CrystalReport", "inspect_cif", "read_cif"]


def inspect_cif(
    path: str | Path,
    *,
    disorder: DisorderChoice = "major",
    block: str | None = None,
    long_bonds: bool | None = None,
    charge: int | None = None,
    multiplicity: int | None = None,
    normalise_hydrogens: bool = False,
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
    long_bonds
        Whether bonds of metals up to 0.15 angstrom longer than usual hold a molecule together, as on the long axis of
        copper(II); by default where the moieties name such a molecule, or the file names none.
    charge
        Total charge of the cluster; by default from the formula of the moieties, the other ions of the crystal, or the
        usual charges of metals and ligands, in this order, with a warning where it had to be guessed.
    multiplicity
        2S + 1; by default 1, or 2 with a warning for an odd number of electrons.
    normalise_hydrogens
        Move hydrogens along their bonds to C, N and O to the mean neutron lengths.
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
    sites, occupancies, groups, notes = choose_groups(crystal, disorder)
    warnings += notes
    resolved = resolve_overlaps(fill_cell(crystal, sites, occupancies), sites, disorder)
    cell = resolved.cell
    warnings += resolved.notes
    molecules = assemble(cell)
    warnings += overlap_warnings(crystal, cell, molecules, sites, resolved.clashes)
    chosen = _pick(crystal, molecules, warnings)
    molecules, chosen = _with_long_bonds(crystal, cell, molecules, chosen, warnings, long_bonds)
    molecules = _without_stray_hydrogens(molecules, warnings)
    refuse_tie(crystal, cell, chosen, resolved.tied)
    refuse_guess(crystal, cell, chosen, sites, resolved.guessed)
    warnings += partial_warnings(cell, chosen, sites)
    if parse_moieties(crystal.moiety) and matching_moiety(crystal.moiety, chosen.symbols) is None:
        warnings.append(f"{chosen.formula} is none of the moieties that the file names: {crystal.moiety}")
    copies, others = _count(chosen, molecules, crystal.moiety, warnings)
    whole, added, missing = _with_hydrogens(crystal, cell, chosen, molecules, sites, warnings)
    warnings += composition_warnings(crystal, chosen, whole, missing, molecules)
    if normalise_hydrogens:
        whole, moved = normalised(whole)
        warnings.append(f"{moved} C-H, N-H and O-H bonds were set to neutron lengths; other hydrogens stay")
    reason = "was given"
    if charge is None:
        rest = [completed(molecule) for molecule in molecules if molecule.formula != chosen.formula]
        charge, reason, stated = crystal_charge(crystal.moiety, whole, copies, rest)
        if not stated:
            warnings.append(f"charge {charge:+d} {reason}; give charge= if it is wrong")
    cluster = _cluster(crystal, whole, disorder if groups else None, charge, multiplicity, name)
    shares, notes = explain_charge(cluster)
    warnings += [] if missing else notes
    if multiplicity is None and not missing:
        warnings += multiplicity_warnings(cluster, shares)
    centres, no_labels = stereocentres(cluster)
    if no_labels:
        warnings.append(f"no CIP labels: {no_labels}")
    warnings += network_warnings(crystal, cell, chosen)
    contacts, no_radii = metal_contacts(cell, chosen)
    if no_radii:
        warnings.append(
            f"contacts of {', '.join(no_radii)} are not listed: Bondi gives no van der Waals radius"
        )
    handedness = core_handedness(cluster)
    verdict, verdict_reason = absolute_structure(crystal.hand, crystal.is_sohncke)
    if verdict != "as given" and (verdict != "both hands" or centres or handedness):
        warnings.append(verdict_reason)
    return CrystalReport(
        cluster=cluster,
        copies_in_cell=copies,
        others=others,
        block=crystal.block,
        choice=disorder,
        groups=groups,
        added_hydrogens=added,
        missing_hydrogens=missing,
        charge_reason=reason,
        charge_shares=shares,
        contacts=tuple(contacts),
        space_group=crystal.space_group,
        space_group_chiral=crystal.is_sohncke,
        hand=crystal.hand,
        absolute_structure=verdict,
        absolute_reason=verdict_reason,
        stereocentres=tuple(centres),
        core_handedness=handedness,
        warnings=tuple(warnings),
    )


def read_cif(
    path: str | Path,
    *,
    disorder: DisorderChoice = "major",
    block: str | None = None,
    long_bonds: bool | None = None,
    charge: int | None = None,
    multiplicity: int | None = None,
    normalise_hydrogens: bool = False,
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
        path,
        disorder=disorder,
        block=block,
        long_bonds=long_bonds,
        charge=charge,
        multiplicity=multiplicity,
        normalise_hydrogens=normalise_hydrogens,
        name=name,
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
            raise _polymer(
                f"{crystal.path}: {molecule.formula} is bonded to its own image in the next cell: a polymer"
            )
    if any(molecule.infinite for molecule in molecules):
        warnings.append("a species without metals is bonded to its own images; its formula is per cell")
    if all(is_metal(symbol) for molecule in molecules for symbol in molecule.symbols):
        raise _polymer(f"{crystal.path} holds metal atoms alone: a metal or an alloy, not molecules")
    metals = [molecule for molecule in molecules if any(map(is_metal, molecule.symbols))]
    if metals and all(len(molecule.symbols) == 1 for molecule in metals):
        raise _polymer(
            f"{crystal.path}: no metal atom has a bonded neighbour: an ionic or metallic solid, not molecules"
        )
    best = max(molecules, key=lambda molecule: (molecule.nmetal, len(molecule.symbols)))
    lost = [symbol for symbol in crystal.formula_sum if is_cluster_metal(symbol)]
    if not best.nmetal and lost:
        raise StructureError(
            f"{crystal.path}: the sum formula names {', '.join(lost)}, but the atom list has no such atom",
            kind="inconsistent",
            why="what is there is a part of the structure only",
            fix="take the complete CIF, or correct _atom_site_type_symbol or _chemical_formula_sum",
        )
    if not best.nmetal:
        dropped = [text for text in crystal.warnings if text.startswith("dropped")]
        raise StructureError(
            f"{crystal.path} holds no molecule with a metal; the largest is {best.formula}",
            kind="no-metal",
            why="; ".join(["this reader looks for metal clusters", *dropped]),
            fix="convert the file to XYZ and read that, if the organic molecule is meant",
        )
    return best


def _without_stray_hydrogens(molecules: Sequence[Molecule], warnings: list[str]) -> list[Molecule]:
    """Leave out hydrogens bonded to nothing, which a disordered solvent leaves behind: they are no ions."""
    kept = [molecule for molecule in molecules if molecule.symbols != ("H",)]
    if len(kept) < len(molecules):
        warnings.append(
            f"{len(molecules) - len(kept)} hydrogen atoms of the cell left out: bonded to no other atom"
        )
    return kept


def _polymer(
    what: str, fix: str = "use a periodic program, or cut a model by hand and give it as an XYZ file"
) -> StructureError:
    return StructureError(
        what,
        kind="polymer",
        why="an extended solid holds no finite molecule, and cutting it would invent one",
        fix=fix,
    )


def _with_long_bonds(
    crystal: Crystal,
    cell: CellAtoms,
    molecules: list[Molecule],
    chosen: Molecule,
    warnings: list[str],
    wanted: bool | None,
) -> tuple[list[Molecule], Molecule]:
    """The molecules with long bonds of the metals, if wanted, or the file names such a molecule or none at all."""
    if wanted is False or (wanted is None and matching_moiety(crystal.moiety, chosen.symbols) is not None):
        return molecules, chosen
    joined = assemble(cell, secondary=True)
    whole = next(molecule for molecule in joined if chosen.atoms[0] in molecule.atoms)
    if len(whole.symbols) == len(chosen.symbols) and not whole.infinite:
        return molecules, chosen
    named = parse_moieties(crystal.moiety)
    if wanted is None and named and matching_moiety(crystal.moiety, whole.symbols) is None:
        return molecules, chosen
    parts = [part for part in molecules if part.nmetal and set(part.atoms) <= set(whole.atoms)]
    long = [
        (distance, pair)
        for part in parts
        for pair, distance in nearly_bonded(cell, part)
        if distance < longest_bond(*pair.split("..."), secondary=True)
    ]
    distance, pair = min(long)
    told = f"{pair} of {distance:.2f} angstrom"
    if whole.infinite:
        raise _polymer(
            f"{crystal.path}: bonds such as {told} join {chosen.formula} to a chain or net",
            fix="use a periodic program, or leave these bonds out: structure --no-long-bonds -o FILE.xyz",
        )
    warnings.append(
        f"bonds such as {told} were counted: without them the molecule would be {chosen.formula} "
        "(structure --no-long-bonds leaves them out)"
    )
    return joined, _pick(crystal, joined, [])


def _with_hydrogens(
    crystal: Crystal,
    cell: CellAtoms,
    chosen: Molecule,
    molecules: Sequence[Molecule],
    sites: Sequence[Site],
    warnings: list[str],
) -> tuple[Molecule, int, int]:
    """The cluster with the hydrogens that have no sites, how many were added, and how many could not be."""
    lacking, checked = missing_hydrogens(crystal, chosen, molecules)
    if not lacking:
        return chosen, 0, 0
    whole = None
    if checked or not has_room(chosen):
        whole = add_hydrogens(chosen, lacking, [sites[cell.site[i]].attached_hydrogens for i in chosen.atoms])
    text = f"{lacking} hydrogen atoms of the cluster have no sites in the file; "
    if whole is None:
        warnings.append(text + "where they belong is not certain, none were added")
        return chosen, 0, lacking
    warnings.append(
        text
        + "they were added at ideal positions"
        + (
            ""
            if checked
            else ", by the geometry of the carbon atoms alone: no formula in the file tells their number"
        )
    )
    turned = added_to_oxygen(chosen, whole)
    if turned:
        warnings.append(
            f"{turned} of the added hydrogens are on oxygen; the direction of these O-H bonds is not known, they were "
            "turned to where most room is"
        )
    return whole, lacking, 0


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
) -> Cluster:
    source = (
        f"{readable_name(crystal.path)} (block {crystal.block}{f', disorder {choice}' if choice else ''})"
    )
    if multiplicity is None:
        odd = (sum(map(atomic_number, molecule.symbols)) - charge) % 2
        multiplicity = 2 if odd else 1
    try:
        cluster = Cluster(
            name=Path(readable_name(crystal.path)).stem if name is None else name,
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
