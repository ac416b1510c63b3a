"""Shapes of ligands on a core by a force field: conformers of one, then all of them together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers, rdMolAlign
from rdkit.Geometry import Point3D

from cluster_qc.errors import InputError
from cluster_qc.model.arrays import FloatArray
from cluster_qc.structure.geometry import superposition

_SEED = 7
_SAME_ANGSTROM = 0.5
_WINDOW_KCAL = 10.0
_MISFIT_ANGSTROM = 0.15
# Stands for every metal in the force field, without charge: 3.7 angstrom to carbon, 2.9 to hydrogen.
_METAL = "[Na+]"


@dataclass(frozen=True, eq=False)
class Conformer:
    """One shape of a ligand on its site."""

    positions: FloatArray
    """Of all atoms, (natom, 3), angstrom."""
    held: tuple[int, ...]
    """The anchors that are not loose."""
    energy_kcal: float
    """Force-field energy above the lowest shape with the same anchors, kcal/mol."""


def conformers(
    molecule: Chem.Mol,
    anchors: Mapping[int, FloatArray],
    metals: Sequence[FloatArray],
    *,
    trials: int,
    limit: int,
    loose: Collection[int] = (),
) -> list[Conformer]:
    """Shapes of the molecule with its anchors held, lowest force-field energy first.

    Distance geometry (ETKDG; Riniker and Landrum, J. Chem. Inf. Model. 55, 2562 (2015), 10.1021/acs.jcim.5b00654), then
    MMFF94 without charges (UFF where it has no parameters) with the anchors fixed. Shapes within 0.5 angstrom of one
    another count once, those more than 10 kcal/mol above the lowest are dropped.

    Parameters
    ----------
    molecule
        With all hydrogens.
    anchors
        Position (angstrom) of each held atom, donors first.
    metals
        For each donor the centre of the metals it binds, angstrom; turns a ligand with a single donor the right way.
    trials, limit
        Shapes tried, and at most returned.
    loose
        Anchors that turn the ligand the right way and are free to move then.

    Raises
    ------
    InputError
        If the molecule has no three-dimensional structure.
    """
    mol = Chem.Mol(molecule)
    fixed = [i for i in anchors if i not in loose]
    places = {i: Point3D(*map(float, anchors[i])) for i in fixed}
    with rdBase.BlockLogs():
        found = list(rdDistGeom.EmbedMultipleConfs(mol, trials, randomSeed=_SEED, coordMap=places))
        if not found:  # the anchors' distances may not suit this ligand
            found = list(rdDistGeom.EmbedMultipleConfs(mol, trials, randomSeed=_SEED))
    if not found:
        raise _no_structure(molecule)
    held = list(anchors)
    target = np.array([anchors[i] for i in held])
    placed = []
    for conformer_id in found:
        points = mol.GetConformer(conformer_id).GetPositions()
        if len(held) == 1:
            rotation, shift = superposition(
                np.array([points[held[0]], points[held[0]] + _open_side(mol, held[0], points)]),
                np.array([target[0], target[0] + _unit(metals[0] - target[0])]),
            )
        else:
            rotation, shift = superposition(points[held], target)
        points = points @ rotation + shift
        misfit = float(np.sqrt(((points[held] - target) ** 2).sum(axis=1).mean()))
        points[fixed] = [anchors[i] for i in fixed]
        placed.append((misfit, conformer_id, points))
    best = min(misfit for misfit, _, _ in placed)
    relaxed = [
        _settled(mol, conformer_id, points, fixed)
        for misfit, conformer_id, points in placed
        if misfit < best + _MISFIT_ANGSTROM
    ]
    relaxed.sort(key=lambda item: item[0])
    lowest = relaxed[0][0]
    heavy = Chem.RWMol(mol)  # hydrogens on carbon follow; those on N tell isomers apart
    for atom in reversed(list(mol.GetAtoms())):
        if atom.GetAtomicNum() == 1 and atom.GetNeighbors()[0].GetAtomicNum() == 6:
            heavy.RemoveAtom(atom.GetIdx())
    kept: list[int] = []
    result: list[Conformer] = []
    for energy, conformer_id in relaxed:
        if energy > lowest + _WINDOW_KCAL or len(result) == limit:
            break
        if any(
            rdMolAlign.CalcRMS(heavy, heavy, prbId=conformer_id, refId=other) < _SAME_ANGSTROM
            for other in kept
        ):
            continue
        kept.append(conformer_id)
        result.append(Conformer(mol.GetConformer(conformer_id).GetPositions(), tuple(fixed), energy - lowest))
    return result


def _no_structure(molecule: Chem.Mol) -> InputError:
    return InputError(
        f"no three-dimensional structure of {Chem.MolToSmiles(Chem.RemoveHs(molecule))} was found",
        fix="check its stereochemistry",
    )


def natural_distance(molecule: Chem.Mol, first: int, second: int) -> float:
    """Distance of two atoms (angstrom) in a molecule with all hydrogens, relaxed alone by the force field.

    Raises
    ------
    InputError
        If the molecule has no three-dimensional structure.
    """
    mol = Chem.Mol(molecule)
    with rdBase.BlockLogs():
        if rdDistGeom.EmbedMolecule(mol, randomSeed=_SEED) != 0:
            raise _no_structure(molecule)
    _minimise(mol, -1, [])
    points = mol.GetConformer().GetPositions()
    return float(np.linalg.norm(points[first] - points[second]))


def _unit(vector: FloatArray) -> FloatArray:
    return np.asarray(vector / np.linalg.norm(vector))


def _open_side(mol: Chem.Mol, atom: int, points: FloatArray) -> FloatArray:
    """Unit vector from an atom away from its neighbours."""
    away = -sum(
        (_unit(points[n.GetIdx()] - points[atom]) for n in mol.GetAtomWithIdx(atom).GetNeighbors()),
        start=np.zeros(3),
    )
    return _unit(away) if np.linalg.norm(away) > 1e-3 else np.array([0.0, 0.0, 1.0])


def settle(
    ligands: Sequence[Chem.Mol],
    positions: Sequence[FloatArray],
    held: Sequence[Sequence[int]],
    metals: FloatArray,
) -> tuple[list[FloatArray], float]:
    """Relax ligands on a core together: bonded terms and van der Waals contacts, no charges.

    Parameters
    ----------
    ligands, positions, held
        Molecules with all hydrogens, their positions (angstrom) and the atoms of each that stay.
    metals
        Positions of what else stays, (n, 3), angstrom.

    Returns
    -------
    positions, energy
        Of each ligand; kcal/mol.
    """
    whole = Chem.MolFromSmiles(".".join([_METAL] * len(metals)))
    whole.AddConformer(_conformer(metals), assignId=True)
    fixed = list(range(len(metals)))
    starts = []
    for molecule, points, stay in zip(ligands, positions, held, strict=True):
        part = Chem.Mol(molecule)
        part.RemoveAllConformers()
        part.AddConformer(_conformer(points), assignId=True)
        starts.append(whole.GetNumAtoms())
        fixed += [starts[-1] + i for i in stay]
        whole = Chem.CombineMols(whole, part)
    Chem.SanitizeMol(whole)
    energy = _minimise(whole, 0, fixed)
    points = whole.GetConformer().GetPositions()
    ends = [*starts[1:], len(points)]
    return [points[start:end] for start, end in zip(starts, ends, strict=True)], energy


def _conformer(points: FloatArray) -> Chem.Conformer:
    conformer = Chem.Conformer(len(points))
    for i, point in enumerate(points):
        conformer.SetAtomPosition(i, Point3D(*map(float, point)))
    return conformer


def _minimise(mol: Chem.Mol, conformer_id: int, held: Sequence[int]) -> float:
    """Relax a conformer in place with atoms held; energy in kcal/mol."""
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol)
    if properties is not None:
        properties.SetMMFFEleTerm(False)
        field = rdForceFieldHelpers.MMFFGetMoleculeForceField(
            mol, properties, confId=conformer_id, ignoreInterfragInteractions=False
        )
    else:
        with rdBase.BlockLogs():
            known = rdForceFieldHelpers.UFFHasAllMoleculeParams(mol)
        if not known:
            raise InputError(
                f"no force field knows every atom of {Chem.MolToSmiles(Chem.RemoveHs(mol))}",
                why="neither MMFF94 nor UFF has parameters for one of its elements in this bonding",
                fix="build the ligand with a like element (S for Se) and exchange it in the XYZ file",
            )
        field = rdForceFieldHelpers.UFFGetMoleculeForceField(
            mol, confId=conformer_id, ignoreInterfragInteractions=False
        )
    field.Initialize()
    for i in held:
        field.AddFixedPoint(i)
    field.Minimize(maxIts=1000)
    return float(field.CalcEnergy())


def _settled(mol: Chem.Mol, conformer_id: int, points: FloatArray, held: list[int]) -> tuple[float, int]:
    """Energy of one conformer, relaxed from `points` with the anchors held, and its number."""
    conformer = mol.GetConformer(conformer_id)
    for i, point in enumerate(points):
        conformer.SetAtomPosition(i, Point3D(*map(float, point)))
    return _minimise(mol, conformer_id, held), conformer_id
