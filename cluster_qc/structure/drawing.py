"""A ligand as its SMILES draws it; refused where the drawing leaves open which molecule it is."""

from __future__ import annotations

from collections.abc import Collection

from rdkit import Chem, rdBase
from rdkit.Chem import rdCIPLabeler

from cluster_qc.errors import InputError
from cluster_qc.model.elements import is_metal

_HELD_APART = 3
"""Substituents next to a bond between two rings, hydrogen and fluorine not counted, that stop the rings from turning at
room temperature (R. Adams, H. C. Yuan, Chem. Rev. 12, 261 (1933), 10.1021/cr60042a003); one more where both have five
members."""
_HANDED_AXES = (Chem.BondStereo.STEREOATROPCW, Chem.BondStereo.STEREOATROPCCW)


def read_ligand(smiles: str) -> Chem.Mol:
    """The molecule of a SMILES, or of a CXSMILES that draws a chiral axis; isotope labels are left out.

    Raises
    ------
    InputError
        For what is no SMILES or several molecules, metals, placeholders, unpaired electrons, and stereocentres or
        chiral axes left open.
    """
    words = smiles.split()
    extended = len(words) == 2 and words[1][0] == words[1][-1] == "|"
    with rdBase.BlockLogs():
        drawn = Chem.MolFromSmiles(smiles) if len(words) == 1 or extended else None
    if drawn is None or not drawn.GetNumAtoms():
        raise _unreadable(smiles)
    if "." in words[0]:
        raise InputError(
            f"{smiles!r} is more than one molecule",
            why="counter-ions and solvent are no part of the ligand",
            fix=f"give the ligand alone: {max(words[0].split('.'), key=len)}",
        )
    _check_atoms(drawn, smiles)
    if has_isotopes(drawn):
        for atom in drawn.GetAtoms():
            atom.SetIsotope(0)
        drawn = Chem.RemoveHs(drawn)
        Chem.AssignStereochemistry(drawn, cleanIt=True, force=True)
    _check_centres(drawn, smiles)
    _check_axes(drawn, smiles)
    return drawn


def has_isotopes(molecule: Chem.Mol) -> bool:
    """Whether an atom carries an isotope label."""
    return any(atom.GetIsotope() for atom in molecule.GetAtoms())


def _unreadable(smiles: str) -> InputError:
    """What is wrong with a SMILES that RDKit does not take."""
    with rdBase.BlockLogs():
        raw = Chem.MolFromSmiles(smiles, sanitize=False) if len(smiles.split()) == 1 else None
        problems = [] if raw is None else list(Chem.DetectChemistryProblems(raw))
    for problem in problems:
        if raw is not None and problem.GetType() == "AtomValenceException":
            atom = raw.GetAtomWithIdx(problem.GetAtomIdx())
            return InputError(
                f"{smiles!r} is not a valid SMILES: atom {atom.GetIdx() + 1} ({atom.GetSymbol()}) has too many bonds",
                fix="check its neighbours and ring numbers, or write its charge, as in [N+]",
            )
        if problem.GetType() == "KekulizeException":
            return InputError(
                f"{smiles!r} is not a valid SMILES: an aromatic ring has no alternating double bonds",
                fix="write the N-H of an imidazole, pyridone or thione ring as [nH]",
            )
    return InputError(
        f"{smiles!r} is not a valid SMILES",
        why="a name or a formula is none",
        fix="check brackets and ring numbers; drawing programs and PubChem give a SMILES to copy",
    )


def _check_atoms(molecule: Chem.Mol, smiles: str) -> None:
    for atom in molecule.GetAtoms():
        number = atom.GetIdx() + 1
        if not atom.GetAtomicNum():
            raise InputError(
                f"{smiles} has a placeholder ({atom.GetSmarts()}) as atom {number}",
                fix="draw the whole group",
            )
        if is_metal(atom.GetSymbol()):
            raise InputError(
                f"{smiles} contains a metal, {atom.GetSymbol()}",
                why="the metals come from the core",
                fix="draw the free ligand without it",
            )
        radicals = atom.GetNumRadicalElectrons()
        if radicals and not is_carbene(atom):
            raise InputError(
                f"{smiles} has {radicals} unpaired electron(s) at atom {number}, {atom.GetSmarts()}",
                why="an atom in brackets has the hydrogens written there and no others",
                fix="write its hydrogens or its charge, as in [CH2] or [N-], or take the brackets away",
            )


def is_carbene(atom: Chem.Atom) -> bool:
    """Whether an atom is a carbon with two bonds and no hydrogen, as drawn for a carbene."""
    return bool(atom.GetSymbol() == "C" and atom.GetNumRadicalElectrons() == 2)


def _check_centres(molecule: Chem.Mol, smiles: str) -> None:
    missing = [
        entry.centeredOn
        for entry in Chem.FindPotentialStereo(Chem.Mol(molecule))
        if entry.type == Chem.StereoType.Atom_Tetrahedral
        and entry.specified == Chem.StereoSpecified.Unspecified
    ]
    if missing:
        raise InputError(
            f"{smiles} leaves the hand of stereocentres open: atom {', '.join(str(i + 1) for i in missing)}",
            why="every ligand of the cluster is to be the same enantiomer",
            fix="write @ or @@ there, as in [C@H], [C@@H] or [P@]",
        )


def check_double_bonds(molecule: Chem.Mol, frame: Collection[int], smiles: str) -> None:
    """Refuse double bonds whose arrangement is not drawn.

    Those of N at the donors and the atoms between them (`frame`) take the one that the core asks for; those of N-H
    turn about by themselves.
    """
    for entry in Chem.FindPotentialStereo(Chem.Mol(molecule)):
        if entry.type != Chem.StereoType.Bond_Double or entry.specified != Chem.StereoSpecified.Unspecified:
            continue
        bond = molecule.GetBondWithIdx(entry.centeredOn)
        ends = (bond.GetBeginAtom(), bond.GetEndAtom())
        if any(end.GetSymbol() == "N" for end in ends) and any(
            end.GetIdx() in frame or (end.GetSymbol() == "N" and end.GetTotalNumHs()) for end in ends
        ):
            continue
        first, second = (end.GetIdx() + 1 for end in ends)
        raise InputError(
            f"{smiles} leaves open how the double bond between atoms {first} and {second} is arranged",
            why="every ligand of the cluster is to be the same isomer",
            fix="write C/C=C/C for trans (E) or C/C=C\\C for cis (Z) there, with N likewise",
        )


def _check_axes(molecule: Chem.Mol, smiles: str) -> None:
    """Refuse a chiral axis between two crowded rings whose hand is not drawn."""
    ranks = list(Chem.CanonicalRankAtoms(molecule, breakTies=False))
    for bond in molecule.GetBonds():
        if bond.GetStereo() in _HANDED_AXES or bond.IsInRing() or bond.GetBondType() != Chem.BondType.SINGLE:
            continue
        ends = (bond.GetBeginAtom(), bond.GetEndAtom())
        sides = [
            [other for other in end.GetNeighbors() if other.GetIdx() != bond.GetOtherAtomIdx(end.GetIdx())]
            for end in ends
        ]
        if not all(end.IsInRing() and end.GetHybridization() == Chem.HybridizationType.SP2 for end in ends):
            continue
        if any(len(side) != 2 or len({ranks[atom.GetIdx()] for atom in side}) < 2 for side in sides):
            continue
        crowding = sum(_is_crowded(atom, end) for end, side in zip(ends, sides, strict=True) for atom in side)
        if crowding < _HELD_APART + all(end.IsInRingSize(5) for end in ends):
            continue
        first, second = (end.GetIdx() + 1 for end in ends)
        raise InputError(
            f"{smiles} leaves the hand of a chiral axis open: the rings joined by atoms {first} and {second} are too "
            "crowded to turn",
            why="every ligand of the cluster is to be the same atropisomer",
            fix=_both_axes(smiles, ends[0].GetIdx(), ends[1].GetIdx()),
        )


def _is_crowded(atom: Chem.Atom, end: Chem.Atom) -> bool:
    """Whether a ring neighbour of the axis' end carries a group that the other ring would have to pass."""
    rings = [ring for ring in atom.GetOwningMol().GetRingInfo().AtomRings() if end.GetIdx() in ring]
    inside = {i for ring in rings for i in ring}
    return any(
        other.GetIdx() not in inside and other.GetSymbol() not in ("H", "F") for other in atom.GetNeighbors()
    )


def _both_axes(smiles: str, first: int, second: int) -> str:
    """How to draw each hand of the axis between two atoms, to copy."""
    bare = smiles.split()[0]
    molecule = Chem.MolFromSmiles(bare)
    found: dict[str, str] = {}
    for atom in (first, second):
        for bond in molecule.GetAtomWithIdx(atom).GetBonds():
            for wedge in ("wU", "wD"):
                text = f"{bare} |{wedge}:{atom}.{bond.GetIdx()}|"
                with rdBase.BlockLogs():
                    trial = Chem.MolFromSmiles(text)
                axis = None if trial is None else trial.GetBondBetweenAtoms(first, second)
                if axis is None or axis.GetStereo() not in _HANDED_AXES:
                    continue
                rdCIPLabeler.AssignCIPLabels(trial)
                if axis.HasProp("_CIPCode"):
                    found.setdefault(axis.GetProp("_CIPCode"), text)
    if set(found) != {"P", "M"}:
        return "draw it as CXSMILES with a wedged bond at the axis, as drawing programs export it"
    return f"write '{found['P']}' for P or '{found['M']}' for M, with the quotes"


def mirrored(molecule: Chem.Mol) -> Chem.Mol:
    """The enantiomer, its atoms in the same order."""
    other = Chem.Mol(molecule)
    for atom in other.GetAtoms():
        atom.InvertChirality()
    swapped = dict(zip(_HANDED_AXES, reversed(_HANDED_AXES), strict=True))
    for bond in other.GetBonds():
        if bond.GetStereo() in swapped:
            bond.SetStereo(swapped[bond.GetStereo()])
    return other
