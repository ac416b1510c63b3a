"""Start geometries of M2M'2 and M4 clusters from nothing: a ligand drawn as SMILES, placed on a planar rhombic core.

The core lies in the plane z = 0 with the first metals on the x axis and the second on the y axis. The ligand bridges
one edge and the operations of D2 make the other three, which leaves opposite ligands on the same side and neighbours on
opposite sides of the plane. The geometry is made to be relaxed, not to be used as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from ase.data import atomic_numbers, vdw_radii
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers, rdMolTransforms
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster
from cluster_qc.model.arrays import FloatArray, IntArray
from cluster_qc.model.elements import atomic_number, is_metal
from cluster_qc.structure.binding_sites import find_sites
from cluster_qc.structure.chirality import core_handedness
from cluster_qc.structure.ions import with_parts
from cluster_qc.structure.molecule import hill_formula
from cluster_qc.units import angstrom

THIONE_PATTERN = "[SX1]=[#6]-[#7X3;H1,H2]"
"""Donor to the second metal, the atom between, donor to the first metal, whose hydrogen is removed."""

_CLASH = 0.65
_COMFORT = 0.75
_METAL_RADIUS = 2.4
_SEED = 7
_D2 = tuple(np.diag(signs) for signs in ((1, 1, 1), (-1, -1, 1), (1, -1, -1), (-1, 1, -1)))
_TILTS = tuple(
    sorted(((a, b) for a in range(-40, 41, 10) for b in range(-20, 21, 10)), key=lambda ab: sum(map(abs, ab)))
)
_END_TURNS = (0.0, 30.0, -30.0, 60.0, -60.0, 90.0)
_TRIALS = tuple(float(angle) for angle in range(-180, 180, 15))


def build_m2m2_cluster(
    smiles: str,
    *,
    core: tuple[str, str] = ("Cu", "Au"),
    handedness: Literal["P", "M"] = "P",
    side_torsion: float | None = None,
    name: str | None = None,
    pattern: str = THIONE_PATTERN,
    diagonals: tuple[float, float] = (4.77 * angstrom, 3.09 * angstrom),
    donor_distances: tuple[float, float] = (1.94 * angstrom, 2.37 * angstrom),
) -> Cluster:
    """Put four equal ligands on the edges of a rhombic M2M'2 core, with D2 symmetry.

    Parameters
    ----------
    smiles
        The free (protonated) ligand, one enantiomer, e.g. "S=C1N[C@H](Cc2ccccc2)CS1".
    core
        First and second metal, the same twice for M4; the ring N of a thione ligand binds the first, its exocyclic S
        the second.
    handedness
        Of the core as `core_handedness` defines it; with one metal only, counted from its N to its S as from Cu to Au.
    side_torsion
        Torsion in degrees N-C-C-X about the bond from the carbon next to the ring N to its side chain; None takes
        the one of a 15 degree scan that keeps different ligands farthest apart.
    name
        Name of the cluster; by default its formula and handedness.
    pattern
        SMARTS of three atoms: donor to the second metal, bridge, donor to the first metal (with one H, removed).
    diagonals
        Distances M...M of the first and M'...M' of the second metals, bohr.
    donor_distances
        Distances from the first metal to its donor and from the second to its donor, bohr.

    Returns
    -------
    Cluster
        Neutral, closed shell, positions in bohr, with fragments. Order: metals, then ligand by ligand.

    Raises
    ------
    InputError
        For a SMILES or pattern that does not fit, a missing side chain, a core that is not two metals, or atoms that
        are not bonded closer than 0.65 times their van der Waals distance (1.56 angstrom for H...H).
    """
    _check(core, handedness, diagonals, donor_distances)
    ligand = _Ligand(smiles, pattern)
    cu = np.array([diagonals[0] / 2, 0.0, 0.0]) / angstrom
    au = np.array([0.0, diagonals[1] / 2, 0.0]) / angstrom
    side = -1.0 if handedness == "P" else 1.0
    target = _targets(cu, au, side, donor_distances[0] / angstrom, donor_distances[1] / angstrom)
    metals = np.array([cu, -cu, au, -au])
    torsions: Sequence[float | None]
    if side_torsion is not None:
        if ligand.torsion is None:
            raise InputError(
                f"side_torsion is {side_torsion}, but {smiles} has no side chain on the carbon next to its donor",
                fix="leave side_torsion out",
            )
        torsions = (float(side_torsion),)
    else:
        torsions = _TRIALS if ligand.torsion is not None else (None,)
    gap, placed, torsion = _best_placement(ligand, torsions, target, metals)
    if gap < _CLASH:
        raise InputError(
            f"ligands {smiles} overlap on the core: two atoms come within {gap:.2f} of their van der Waals distance",
            why="a start geometry with overlapping ligands relaxes into nonsense",
            fix="choose another side_torsion (None scans them), or a ligand with a smaller side chain",
        )
    symbols = [core[0], core[0], core[1], core[1]] + [ligand.symbols[i] for i in ligand.kept] * 4
    positions = np.vstack([metals] + [placed @ operation for operation in _D2])
    source = f"built from SMILES {smiles} on a {core[0]}2{core[1]}2 core, handedness {handedness}"
    if torsion is not None:
        source += f", side torsion {torsion:g} degrees"
    cluster = Cluster(
        name=f"{hill_formula(symbols)}_{handedness}" if name is None else name,
        symbols=tuple(symbols),
        coords=positions * angstrom,
        source=f"{source}; not relaxed",
    )
    sites = find_sites(cluster)[0]
    bridged = len(sites) == 4 and all([len(metals) for metals in site.metals] == [1, 1] for site in sites)
    if not bridged or (core[0] != core[1] and core_handedness(cluster) != handedness):
        raise InputError(
            f"the ligand {smiles} does not bridge the edges of the core one by one",
            why="another of its atoms comes within bonding distance of a metal, or a donor is out of reach",
            fix="check the pattern, diagonals and donor_distances",
        )
    return with_parts(cluster)


def _check(
    core: tuple[str, str],
    handedness: str,
    diagonals: tuple[float, float],
    donor_distances: tuple[float, float],
) -> None:
    if handedness not in ("P", "M"):
        raise InputError(f"handedness is {handedness!r}", fix="choose 'P' or 'M'")
    if len(core) != 2 or not all(map(is_metal, core)):
        raise InputError(
            f"core is {core!r}", why="the core has twice two metals", fix='give e.g. ("Cu", "Au")'
        )
    if atomic_number(core[0]) > atomic_number(core[1]):
        raise InputError(
            f"core is {core!r}",
            why="handedness runs from the lighter metal to the heavier one, so the lighter comes first",
            fix=f"give {(core[1], core[0])!r} and a pattern with the donors exchanged",
        )
    if not all(0.5 < value / angstrom < 20 for value in (*diagonals, *donor_distances)):
        raise InputError(
            "diagonals and donor_distances must lie between 0.5 and 20 angstrom",
            fix="give them in bohr: 4.77 * angstrom",
        )


class _Ligand:
    """The free ligand in 3D: donors, the proton to remove and the torsion of its side chain."""

    def __init__(self, smiles: str, pattern: str) -> None:
        bare = Chem.MolFromSmiles(smiles)
        query = Chem.MolFromSmarts(pattern)
        if bare is None or bare.GetNumAtoms() == 0:
            raise InputError(f"{smiles!r} is not a valid SMILES", fix="check brackets and ring numbers")
        if query is None or query.GetNumAtoms() != 3:
            raise InputError(f"the pattern {pattern!r} is not a SMARTS of three atoms")
        matches = bare.GetSubstructMatches(query)
        if len(matches) != 1:
            raise InputError(
                f"the donor pattern {pattern} fits {smiles} {len(matches)} times, not once",
                why="it says which atoms bind the two metals",
                fix="draw the free ligand with its N-H (the thione form), or give another pattern",
            )
        self.molecule = Chem.AddHs(bare)
        if rdDistGeom.EmbedMolecule(self.molecule, randomSeed=_SEED) != 0:
            raise InputError(
                f"no three-dimensional structure of {smiles} was found", fix="check its stereochemistry"
            )
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(self.molecule):
            rdForceFieldHelpers.MMFFOptimizeMolecule(self.molecule, maxIters=2000)
        else:
            rdForceFieldHelpers.UFFOptimizeMolecule(self.molecule, maxIters=2000)
        second, bridge, first = matches[0]
        self.anchors: IntArray = np.array([first, bridge, second], dtype=np.intp)
        self.symbols: list[str] = [atom.GetSymbol() for atom in self.molecule.GetAtoms()]
        self.radii: FloatArray = np.array([vdw_radii[atomic_numbers[symbol]] for symbol in self.symbols])
        positions = self.molecule.GetConformer().GetPositions()
        hydrogens = [
            atom.GetIdx()
            for atom in self.molecule.GetAtomWithIdx(first).GetNeighbors()
            if atom.GetSymbol() == "H"
        ]
        # Of an NH2 group the proton on the other donor's side makes room for the metal.
        self.acid: int = min(hydrogens, key=lambda h: float(np.linalg.norm(positions[h] - positions[second])))
        self.kept: IntArray = np.array([i for i in range(len(self.symbols)) if i != self.acid], dtype=np.intp)
        self.remote = np.asarray(Chem.GetDistanceMatrix(self.molecule))[np.ix_(self.kept, self.kept)] > 3
        self.torsion = self._side_chain(first, bridge)

    def _side_chain(self, first: int, bridge: int) -> tuple[int, int, int, int] | None:
        """Donor, its other neighbour, the side chain's first atom and that atom's first heavy neighbour."""
        for centre in self._heavy(first, bridge):
            for start in self._heavy(centre, first):
                if self.molecule.GetBondBetweenAtoms(centre, start).IsInRing():
                    continue
                for end in self._heavy(start, centre):
                    return first, centre, start, end
        return None

    def _heavy(self, atom: int, excluded: int) -> list[int]:
        return sorted(
            other.GetIdx()
            for other in self.molecule.GetAtomWithIdx(atom).GetNeighbors()
            if other.GetSymbol() != "H" and other.GetIdx() != excluded
        )

    def positions(self, torsion: float | None, end_turn: float) -> FloatArray:
        """Positions in angstrom, the side chain's torsion set and its end group turned by `end_turn` (degrees)."""
        conformer = Chem.Conformer(self.molecule.GetConformer())
        if torsion is not None and self.torsion is not None:
            rdMolTransforms.SetDihedralDeg(conformer, *self.torsion, torsion)
            first = self.torsion[2:]
            beyond = self._heavy(first[1], first[0])
            if beyond and end_turn and not self.molecule.GetBondBetweenAtoms(*first).IsInRing():
                dihedral = (self.torsion[1], *first, beyond[0])
                now = rdMolTransforms.GetDihedralDeg(conformer, *dihedral)
                rdMolTransforms.SetDihedralDeg(conformer, *dihedral, now + end_turn)
        return np.array(conformer.GetPositions())


def _best_placement(
    ligand: _Ligand, torsions: Sequence[float | None], target: FloatArray, metals: FloatArray
) -> tuple[float, FloatArray, float | None]:
    """Clearance, positions and torsion of the roomiest trial; the end group turns only where it has to."""
    best: tuple[float, FloatArray, float | None] | None = None
    for torsion in torsions:
        for end_turn in _END_TURNS if torsion is not None else (0.0,):
            gap, placed = _place(ligand, ligand.positions(torsion, end_turn), target, metals)
            if best is None or gap > best[0] + 1e-6:
                best = (gap, placed, torsion)
            if gap >= _COMFORT:
                break
    if best is None:
        raise InputError("there is no torsion to try")
    return best


def _targets(cu: FloatArray, au: FloatArray, side: float, first: float, second: float) -> FloatArray:
    """Where the two donors and the atom between them should be, angstrom."""
    up = np.array([0.0, 0.0, side])
    outward = cu / np.linalg.norm(cu) + au / np.linalg.norm(au)
    donor_first, donor_second = cu + first * up, au + second * up
    bridge = (donor_first + donor_second) / 2 + 0.55 * up + 0.1 * outward / np.linalg.norm(outward)
    return np.array([donor_first, bridge, donor_second])


def _place(
    ligand: _Ligand, positions: FloatArray, target: FloatArray, metals: FloatArray
) -> tuple[float, FloatArray]:
    """Turn the ligand without its proton onto its targets.

    Its clearance comes first: the smallest distance of two atoms that do not belong together over the sum of their
    van der Waals radii (2.4 angstrom for metals).
    Pairs are those of two ligands, of metals and all but the three anchors, and those more than three bonds apart in
    one ligand. Where the ligand comes too close it is turned, as little as needed, by up to 40 degrees about the line
    of its donors and 20 degrees about the core's normal.
    """
    source = positions[ligand.anchors]
    rotation = _rotation(source - source.mean(axis=0), target - target.mean(axis=0))
    start = ((positions - source.mean(axis=0)) @ rotation + target.mean(axis=0))[ligand.kept]
    pivot = (target[0] + target[2]) / 2
    axis = (target[2] - target[0]) / np.linalg.norm(target[2] - target[0])
    radii = ligand.radii[ligand.kept]
    scale = radii[:, None] + radii[None]
    free = ~np.isin(ligand.kept, ligand.anchors)
    inner = float(min((cdist(start, start) / scale)[ligand.remote], default=np.inf))
    best = (-np.inf, start)
    for about_donors, about_normal in _TILTS:
        turn = Rotation.from_rotvec(about_normal * np.array([0.0, 0.0, 1.0]), degrees=True)
        tilt = Rotation.from_rotvec(about_donors * axis, degrees=True)
        placed = (turn * tilt).apply(start - pivot) + pivot
        gaps = [float((cdist(placed, placed @ operation) / scale).min()) for operation in _D2[1:]]
        metal_gap = float((cdist(placed[free], metals) / (radii[free, None] + _METAL_RADIUS)).min())
        gap = min(*gaps, metal_gap, inner)
        if gap > best[0]:
            best = (gap, placed)
        if gap >= min(_COMFORT, inner):
            break
    return best


def _rotation(source: FloatArray, target: FloatArray) -> FloatArray:
    """Proper rotation R that brings source @ R closest to target (Kabsch), never a reflection."""
    u, _, vt = np.linalg.svd(source.T @ target)
    sign = np.sign(np.linalg.det(u @ vt))
    return np.asarray(u @ np.diag([1.0, 1.0, sign]) @ vt)
