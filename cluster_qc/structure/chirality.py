"""Handedness of the metal core and CIP labels of the ligands."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdCIPLabeler
from rdkit.Geometry import Point3D

from cluster_qc.model import Cluster
from cluster_qc.model.elements import atomic_number
from cluster_qc.structure.bonding import bonds, is_cluster_metal, neighbour_lists
from cluster_qc.structure.connectivity import split_ligands
from cluster_qc.structure.valence import lewis_structure
from cluster_qc.units import angstrom

_SMALLEST_CHIRAL = 4
"""Atoms: three neighbours of a phosphorus or sulfur with its lone pair."""
_RANKING_STEPS = 1_000_000
"""Comparisons before the ranking of a ligand's branches gives up, some seconds."""


def core_handedness(cluster: Cluster) -> Literal["P", "M"] | None:
    """Handedness of an M2M'2 core whose four edges are bridged up-down-up-down.

    Look at the metal plane from the side of a ligand: if the edge that this ligand bridges runs clockwise about the
    core from the lighter metal to the heavier one (Cu -> Au), the core is "P", otherwise "M".

    Returns
    -------
    "P", "M" or None
        None for every other core: not two plus two metals, edges not bridged by one ligand each, neighbours on the
        same side.
    """
    metals = [i for i, symbol in enumerate(cluster.symbols) if is_cluster_metal(symbol)]
    kinds = sorted({cluster.symbols[i] for i in metals}, key=atomic_number)
    if len(metals) != 4 or len(kinds) != 2:
        return None
    light = [i for i in metals if cluster.symbols[i] == kinds[0]]
    heavy = [i for i in metals if cluster.symbols[i] == kinds[1]]
    if len(light) != 2:
        return None
    edges = _bridged_edges(cluster, set(metals))
    if edges is None or set(edges) != {(a, b) for a in light for b in heavy}:
        return None
    coords = cluster.coords
    centre = coords[metals].mean(axis=0)
    normal = np.linalg.svd(coords[metals] - centre)[2][2]
    turns = set()
    sides = defaultdict(list)
    for (a, b), donors in edges.items():
        side = float(np.sign((coords[donors].mean(axis=0) - centre) @ normal))
        counterclockwise = float(np.cross(coords[a] - centre, coords[b] - centre) @ (side * normal))
        turns.add("M" if counterclockwise > 0 else "P")
        sides[a].append(side)
        sides[b].append(side)
    if len(turns) != 1 or any(sum(pair) != 0 or 0 in pair for pair in sides.values()):
        return None
    return "P" if turns == {"P"} else "M"


def _bridged_edges(cluster: Cluster, metals: set[int]) -> dict[tuple[int, int], list[int]] | None:
    """Donors of the one ligand on each edge (lighter, heavier metal); None if a ligand does not bridge an edge."""
    neighbours = neighbour_lists(cluster.natom, bonds(cluster.symbols, cluster.coords))
    edges: dict[tuple[int, int], list[int]] = {}
    for ligand in split_ligands(cluster):
        held = {j: i for i in ligand for j in neighbours[i] if j in metals}
        if not held:
            continue
        if len(held) != 2:
            return None
        first, second = sorted(held, key=lambda metal: atomic_number(cluster.symbols[metal]))
        if (first, second) in edges:
            return None
        edges[first, second] = [held[first], held[second]]
    return edges


def ligand_molecule(cluster: Cluster, ligand: tuple[int, ...]) -> Chem.Mol | None:
    """One ligand as an RDKit molecule with its 3D positions, without the metals; None if no Lewis structure fits."""
    place = {atom: k for k, atom in enumerate(ligand)}
    pairs = [
        (place[i], place[j]) for i, j in bonds(cluster.symbols, cluster.coords) if i in place and j in place
    ]
    symbols = [cluster.symbols[i] for i in ligand]
    lewis = lewis_structure(symbols, pairs)
    if lewis is None:
        return None
    editable = Chem.RWMol()
    for symbol, charge in zip(symbols, lewis.charges, strict=True):
        atom = Chem.Atom(symbol)
        atom.SetFormalCharge(charge)
        atom.SetNoImplicit(True)
        editable.AddAtom(atom)
    kinds = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
    for (i, j), order in zip(pairs, lewis.orders, strict=True):
        editable.AddBond(i, j, kinds[order])
    conformer = Chem.Conformer(len(symbols))
    for k, atom_index in enumerate(ligand):
        x, y, z = cluster.coords[atom_index] / angstrom
        conformer.SetAtomPosition(k, Point3D(float(x), float(y), float(z)))
    molecule = editable.GetMol()
    molecule.AddConformer(conformer, assignId=True)
    return molecule


@dataclass(frozen=True)
class Stereocentre:
    """A stereocentre of a ligand."""

    atom: int
    """Index in the cluster, counted from 0."""
    element: str
    label: str
    """R or S; r or s if only mirror images of each other tell its neighbours apart."""


def stereocentres(cluster: Cluster) -> tuple[list[Stereocentre], str]:
    """Stereocentres of the ligands (carbon, phosphorus, sulfur, ...), and why there are none if they were not assigned.

    Each ligand is labelled as it is without its metals, in the order of the atoms: a phosphine's lone pair ranks below
    its other three neighbours, where the metal itself would rank above them and turn R into S. An atom that is a centre
    only because it binds a metal (a thioether's sulfur) has no label. The rules are those of the recommendations of
    2013 as programmed by R. M. Hanson et al., J. Chem. Inf. Model. 58, 1755 (2018), 10.1021/acs.jcim.8b00324.
    """
    found: list[Stereocentre] = []
    for ligand in split_ligands(cluster):
        if len(ligand) < _SMALLEST_CHIRAL:
            continue
        molecule = ligand_molecule(cluster, ligand)
        if molecule is None:
            return [], "the valences of a ligand could not be counted"
        try:
            with rdBase.BlockLogs():
                Chem.SanitizeMol(molecule)
                _read_chirality(molecule)
                rdCIPLabeler.AssignCIPLabels(molecule, maxRecursiveIterations=_RANKING_STEPS)
        except (ValueError, RuntimeError) as error:
            return [], f"the bond orders of a ligand do not fit ({str(error).strip().splitlines()[0]})"
        found.extend(
            Stereocentre(ligand[atom.GetIdx()], atom.GetSymbol(), atom.GetProp("_CIPCode"))
            for atom in molecule.GetAtoms()
            if atom.HasProp("_CIPCode")
        )
    return sorted(found, key=lambda centre: centre.atom), ""


def _read_chirality(molecule: Chem.Mol) -> None:
    """Set the chiral tags from the positions.

    RDKit passes over pnictogens with three neighbours and a lone pair; as sulfonium ions, which have the same shape, it
    reads them.
    """
    Chem.AssignStereochemistryFrom3D(molecule)
    pyramids = [
        a.GetIdx() for a in molecule.GetAtoms() if a.GetSymbol() in ("P", "As") and a.GetDegree() == 3
    ]
    if not pyramids:
        return
    probe = Chem.RWMol(molecule)
    for i in pyramids:
        probe.GetAtomWithIdx(i).SetAtomicNum(16)
        probe.GetAtomWithIdx(i).SetFormalCharge(1)
    Chem.SanitizeMol(probe)
    Chem.AssignStereochemistryFrom3D(probe)
    for i in pyramids:
        molecule.GetAtomWithIdx(i).SetChiralTag(probe.GetAtomWithIdx(i).GetChiralTag())


def cip_labels(cluster: Cluster) -> list[str]:
    """R or S for each stereocentre of the ligands, in the order of the atoms; [] if they cannot be assigned."""
    return [centre.label for centre in stereocentres(cluster)[0]]
