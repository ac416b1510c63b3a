"""Hydrogen atoms that a crystal structure lacks: how many, where, and added by geometry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from ase.data import atomic_numbers, covalent_radii

from cluster_qc.model.arrays import FloatArray
from cluster_qc.structure.bonding import bonded_pairs, is_cluster_metal, neighbour_lists
from cluster_qc.structure.charges import matching_moiety
from cluster_qc.structure.crystal import Crystal
from cluster_qc.structure.molecule import Molecule, hill_formula

_LENGTH = {"B": 1.19, "C": 1.09, "N": 1.01, "O": 0.97, "Si": 1.48, "P": 1.42, "S": 1.34}
_SINGLE_CN = 1.40
"""Angstrom; C-N single bonds are longer (1.47), amides and imines shorter (1.35, 1.28)."""
_IN_PLANE, _SIDEWAYS = 30.0, 75.0
"""Degrees between a metal and the axis of a carbon's two nonmetals: in their plane for aryl, acyl and carbene carbons,
tetrahedral for alkyl (CHR2), above the plane for pi-bound rings and alkenes."""
_AMIDE_CN, _NITRILE_CN = 1.30, 1.20
"""Angstrom; C-N is 1.33 in amides, 1.28 in imines, 1.14 in nitriles."""
_TETRAHEDRAL = np.deg2rad(109.47)
_WATER = np.deg2rad(104.5)
_SINGLE_O = {"C": 1.29, "N": 1.36, "P": 1.53, "S": 1.52, "B": 1.30, "Si": 1.58}
"""Angstrom; an oxygen's only bond to a nonmetal is longer in an acid, alcohol or phenol, shorter in their anions and
in carbonyls."""
_ALKOXIDE = 0.08
"""Angstrom by which an alcohol's bond at a metal is longer: C-O 1.43, phenolates and alkoxides 1.33 to 1.40."""
_OXO = 0.82
"""Bond length over the sum of covalent radii below which a metal's lone oxygen is an oxo ligand (V=O 1.6 angstrom)."""


_NEUTRON = {"C": 1.089, "N": 1.015, "O": 0.993}
"""Mean X-H bond lengths from neutron diffraction (angstrom), the defaults of the Cambridge database's programs: F. H.
Allen and I. J. Bruno, Acta Cryst. B 66, 380 (2010), 10.1107/S0108768110012048."""


def missing_hydrogens(crystal: Crystal, chosen: Molecule, molecules: Sequence[Molecule]) -> tuple[int, bool]:
    """Hydrogens of the cluster without sites, and whether a formula in the file says so.

    The moiety's formula decides. Without one, the sum formula does if it holds the atoms of the cell otherwise: what is
    left of its hydrogens belongs to the cluster if that has none, or has room for them and the other species have not.
    With neither, a molecule without any hydrogen lacks those that its carbons ask for.
    """
    have = chosen.symbols.count("H")
    matched = matching_moiety(crystal.moiety, chosen.symbols)
    if matched is not None:
        return max(0, matched[0].get("H", 0) - have), True
    left = _left_by_sum(crystal, chosen, molecules)
    carbon, nitrogen, oxygen = _rooms(chosen)
    fitting = (0, carbon, carbon + nitrogen, carbon + oxygen, carbon + nitrogen + oxygen)
    if left is not None and (have == 0 or left in fitting):
        return left, True
    return 0 if have else carbon, False


def _left_by_sum(crystal: Crystal, chosen: Molecule, molecules: Sequence[Molecule]) -> int | None:
    """Hydrogens a copy of the cluster lacks by the sum formula; None if that does not tell."""
    cell: dict[str, float] = defaultdict(float)
    copies = others = 0.0
    for molecule in molecules:
        for symbol in molecule.symbols:
            cell[symbol] += molecule.weight
        if molecule.formula == chosen.formula:
            copies += molecule.weight
        else:
            whole = completed(molecule)
            if has_room(whole):
                return None
            others += molecule.weight * (2 if whole.symbols == ("O",) else whole.symbols.count("H"))
    stated = crystal.formula_sum
    metals = [symbol for symbol in stated if symbol in cell and is_cluster_metal(symbol)]
    if not metals or not copies:
        return None
    units = sum(cell[symbol] for symbol in metals) / sum(stated[symbol] for symbol in metals)
    heavy = {*stated, *cell} - {"H"}
    if any(abs(cell[symbol] / units - stated.get(symbol, 0.0)) > 0.1 for symbol in heavy):
        return None
    left = (stated.get("H", 0.0) * units - others) / copies - chosen.symbols.count("H")
    return round(left) if left > -0.1 and abs(left - round(left)) < 0.1 else None


def completed(molecule: Molecule) -> Molecule:
    """A species without any hydrogen with those that its carbons ask for."""
    if "H" in molecule.symbols or molecule.nmetal:
        return molecule
    wanted = _rooms(molecule)[0]
    whole = add_hydrogens(molecule, wanted, [None] * len(molecule.symbols)) if wanted else None
    return whole or molecule


def whole_formula(moiety: str, molecule: Molecule) -> str:
    """Hill formula of a species with the hydrogens that have no sites: from the moieties; a lone O is a water."""
    if molecule.symbols == ("O",):
        return "H2O"
    matched = matching_moiety(moiety, molecule.symbols)
    if matched is None:
        return completed(molecule).formula
    return hill_formula(
        molecule.symbols + ("H",) * max(0, matched[0].get("H", 0) - molecule.symbols.count("H"))
    )


def add_hydrogens(molecule: Molecule, wanted: int, attached: Sequence[int | None]) -> Molecule | None:
    """Add `wanted` hydrogens at ideal positions, or return None if their places are not certain.

    Parameters
    ----------
    molecule
        Positions in angstrom.
    wanted
        How many the formula asks for.
    attached
        Hydrogens on each atom as the file says (_atom_site_attached_hydrogens), None where it does not. If the file
        says nothing, the carbons' hydrogens follow from their bond lengths and angles; if the formula asks for more,
        and for as many as the nitrogens, the oxygens or both have room for, these take the rest, unless it could be
        either of them.
    """
    neighbours = _graph(molecule)
    counts = tuple(count or 0 for count in attached)
    if not any(counts):
        carbon = [_on_carbon(i, molecule, neighbours) for i in _all(molecule)]
        nitrogen = [_on_nitrogen(i, molecule, neighbours) for i in _all(molecule)]
        oxygen = [_on_oxygen(i, molecule, neighbours) for i in _all(molecule)]
        fitting = {
            tuple(c + n * a + o * b for c, a, b in zip(carbon, nitrogen, oxygen, strict=True))
            for n, o in ((0, 0), (1, 0), (0, 1), (1, 1))
        }
        fitting = {numbers for numbers in fitting if sum(numbers) == wanted}
        if len(fitting) != 1:
            return None
        counts = fitting.pop()
    if sum(counts) != wanted:
        return None
    added: list[FloatArray] = []
    for i, count in enumerate(counts):
        if count:
            others = np.vstack([np.delete(molecule.positions, [i, *neighbours[i]], axis=0), *added])
            places = _places(i, count, molecule, neighbours, others)
            if len(places) != count:
                return None
            added.extend(places)
    return replace(
        molecule,
        symbols=molecule.symbols + ("H",) * len(added),
        positions=np.vstack([molecule.positions, *added]),
    )


def added_to_oxygen(molecule: Molecule, whole: Molecule) -> int:
    """How many of the hydrogens that `whole` has in addition sit on an oxygen."""
    heavy, added = molecule.positions, whole.positions[len(molecule.symbols) :]
    parents = [int(np.linalg.norm(heavy - place, axis=1).argmin()) for place in added]
    return sum(molecule.symbols[parent] == "O" for parent in parents)


def normalised(molecule: Molecule) -> tuple[Molecule, int]:
    """Move hydrogens bonded to one C, N or O only along that bond to the mean neutron length; and how many moved.

    X-ray refinement puts them about 0.1 angstrom short: it sees the bond's electrons, not the nucleus.
    """
    positions = np.array(molecule.positions)
    moved = 0
    for i, bonded in enumerate(_graph(molecule)):
        length = _NEUTRON.get(molecule.symbols[bonded[0]]) if len(bonded) == 1 else None
        if molecule.symbols[i] == "H" and length is not None:
            bond = positions[i] - positions[bonded[0]]
            positions[i] = positions[bonded[0]] + length * bond / np.linalg.norm(bond)
            moved += 1
    return replace(molecule, positions=positions), moved


def has_room(molecule: Molecule) -> bool:
    """True if nitrogens or oxygens of a molecule could take hydrogens, by their neighbours."""
    return any(_rooms(molecule)[1:])


def _rooms(molecule: Molecule) -> tuple[int, int, int]:
    """Hydrogens that the carbons lack, and for which the nitrogens and the oxygens have room."""
    neighbours = _graph(molecule)
    return (
        sum(_on_carbon(i, molecule, neighbours) for i in _all(molecule)),
        sum(_on_nitrogen(i, molecule, neighbours) for i in _all(molecule)),
        sum(_on_oxygen(i, molecule, neighbours) for i in _all(molecule)),
    )


def _graph(molecule: Molecule) -> list[list[int]]:
    return neighbour_lists(len(molecule.symbols), bonded_pairs(molecule.symbols, molecule.positions))


def _all(molecule: Molecule) -> range:
    return range(len(molecule.symbols))


def _near(i: int, molecule: Molecule, neighbours: list[list[int]]) -> list[int]:
    """Neighbours that shape an atom: the nonmetals, and metals only where fewer than two of these are there."""
    light = [j for j in neighbours[i] if not is_cluster_metal(molecule.symbols[j])]
    return light if len(light) > 1 else light + [j for j in neighbours[i] if j not in light]


def _on_carbon(i: int, molecule: Molecule, neighbours: list[list[int]]) -> int:
    """Hydrogens that a carbon lacks, from its bond lengths and angles; 0 for other elements."""
    if molecule.symbols[i] != "C":
        return 0
    near = _near(i, molecule, neighbours)
    bound = len(near) < len(neighbours[i])
    vectors = molecule.positions[near] - molecule.positions[i]
    lengths = np.linalg.norm(vectors, axis=1)
    radii = covalent_radii[[atomic_numbers[molecule.symbols[j]] for j in near]] + covalent_radii[6]
    ratios = lengths / radii
    units = vectors / lengths[:, None]
    if len(near) == 3:
        return 0 if bound or np.linalg.norm(units.sum(axis=0)) < 0.35 else 1
    if len(near) == 2:
        angle = np.rad2deg(np.arccos(np.clip(units[0] @ units[1], -1, 1)))
        if angle > 155:
            return 0
        tilt = _metal_tilt(i, units, molecule, neighbours) if bound else None
        if tilt is not None and tilt < _IN_PLANE:
            return 0
        # In five-membered rings the angle tells nothing.
        sp2 = ratios.min() < (0.95 if angle > 112 else 0.945)
        return 1 if sp2 or (tilt is not None and tilt < _SIDEWAYS) else 2
    if len(near) == 1:
        if ratios[0] < 0.83:
            return 1 if molecule.symbols[near[0]] == "C" else 0
        return 2 if ratios[0] < 0.91 else 3
    return 0


def _metal_tilt(i: int, units: FloatArray, molecule: Molecule, neighbours: list[list[int]]) -> float:
    """Smallest angle (degrees) between a carbon's metals and the direction away from its two nonmetals."""
    metals = [j for j in neighbours[i] if is_cluster_metal(molecule.symbols[j])]
    away = -units.sum(axis=0)
    vectors = molecule.positions[metals] - molecule.positions[i]
    cosines = vectors @ away / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(away))
    return float(np.rad2deg(np.arccos(np.clip(cosines, -1, 1))).min())


def _on_nitrogen(i: int, molecule: Molecule, neighbours: list[list[int]]) -> int:
    """Room for hydrogens on a nitrogen, by its neighbours (metals included); whether they are there, it does not tell.

    An ammine has room for three, a metal's amine (C-N single) for two, any other nitrogen with two neighbours for one,
    a pyramidal one with three neighbours for one; at the end of a ligand, an amine or amide has room for two, an imine
    for one.
    """
    if molecule.symbols[i] != "N":
        return 0
    near = neighbours[i]
    vectors = molecule.positions[near] - molecule.positions[i]
    lengths = np.linalg.norm(vectors, axis=1)
    metal = [is_cluster_metal(molecule.symbols[j]) for j in near]
    if len(near) == 3:
        return int(np.linalg.norm((vectors / lengths[:, None]).sum(axis=0)) > 0.5)
    if len(near) == 2:
        return 2 if any(metal) and lengths[metal.index(False) if False in metal else 0] > _SINGLE_CN else 1
    if len(near) == 1:
        return 3 if metal[0] else 2 if lengths[0] > _AMIDE_CN else 1 if lengths[0] > _NITRILE_CN else 0
    return 0


def _on_oxygen(i: int, molecule: Molecule, neighbours: list[list[int]]) -> int:
    """Room for hydrogens on an oxygen that has none: two on a metal's water, one between metals or at a single bond."""
    near = neighbours[i]
    if molecule.symbols[i] != "O" or not near or "H" in [molecule.symbols[j] for j in near]:
        return 0
    light = [j for j in near if not is_cluster_metal(molecule.symbols[j])]
    radii = covalent_radii[8] + covalent_radii[[atomic_numbers[molecule.symbols[j]] for j in near]]
    lengths = np.linalg.norm(molecule.positions[near] - molecule.positions[i], axis=1)
    if not light:
        if len(near) == 1:
            return 0 if lengths[0] < _OXO * radii[0] else 2
        return 1 if len(near) < 4 else 0
    if len(light) > 1 or molecule.symbols[light[0]] not in _SINGLE_O:
        return 0
    longer = _ALKOXIDE if len(near) > 1 else 0.0
    return int(lengths[near.index(light[0])] > _SINGLE_O[molecule.symbols[light[0]]] + longer)


def _places(
    i: int, count: int, molecule: Molecule, neighbours: list[list[int]], others: FloatArray
) -> list[FloatArray]:
    """Positions (angstrom) of `count` hydrogens on atom i; fewer if the geometry is not one of the usual ones.

    Hydrogens on an oxygen turn as far from the `others`, (n, 3), as they can.
    """
    symbol, here = molecule.symbols[i], molecule.positions[i]
    near = _near(i, molecule, neighbours) if symbol == "C" else neighbours[i]
    length = _LENGTH.get(symbol, 0.0)
    if not near or not length:
        return []
    units = molecule.positions[near] - here
    units /= np.linalg.norm(units, axis=1)[:, None]
    back = -units.sum(axis=0)
    if len(near) >= 2 and count == 1 and np.linalg.norm(back) > 0.1:
        return [here + length * back / np.linalg.norm(back)]
    if len(near) == 2 and count == 2:
        middle = back / np.linalg.norm(back)
        across = np.cross(units[0], units[1])
        across /= np.linalg.norm(across)
        half = _TETRAHEDRAL / 2
        return [here + length * (np.cos(half) * middle + sign * np.sin(half) * across) for sign in (1, -1)]
    if len(near) == 1:
        if count == 1 and symbol == "C":
            return [here - length * units[0]]
        if symbol == "O":
            return _away(i, count, molecule.positions[near[0]] - here, molecule, others)
        torsions = {1: (180.0,), 2: (0.0, 180.0), 3: (60.0, 180.0, -60.0)}.get(count, ())
        angle = np.deg2rad(120.0) if count == 2 else _TETRAHEDRAL
        if symbol == "N" and count == 2 and np.linalg.norm(molecule.positions[near[0]] - here) > _SINGLE_CN:
            angle, torsions = _TETRAHEDRAL, (60.0, -60.0)
        reference = _reference(i, near[0], molecule, neighbours)
        return [here + length * _turned(units[0], reference, angle, torsion) for torsion in torsions]
    return []


def _away(i: int, count: int, bond: FloatArray, molecule: Molecule, others: FloatArray) -> list[FloatArray]:
    """One hydrogen of a hydroxyl or two of a metal's water, turned about the bond to where most room is."""
    here, unit = molecule.positions[i], bond / np.linalg.norm(bond)
    angle = _TETRAHEDRAL if count == 1 else np.pi - _WATER / 2
    best: tuple[float, list[FloatArray]] = (-1.0, [])
    for turn in range(0, 360, 15):
        places = [
            here + _LENGTH["O"] * _turned(unit, np.array([0.34, 0.81, 0.47]), angle, turn + 180.0 * k)
            for k in range(count)
        ]
        room = min(
            (float(np.linalg.norm(others - place, axis=1).min()) for place in places if len(others)),
            default=0,
        )
        if room > best[0] + 1e-6:
            best = (room, places)
    return best[1]


def _reference(i: int, neighbour: int, molecule: Molecule, neighbours: list[list[int]]) -> FloatArray:
    """Find a direction from the neighbour to another of its atoms, to count torsions from."""
    for j in neighbours[neighbour]:
        if j != i:
            return np.asarray(molecule.positions[j] - molecule.positions[neighbour])
    return np.array([0.34, 0.81, 0.47])


def _turned(unit: FloatArray, reference: FloatArray, angle: float, torsion: float) -> FloatArray:
    """Make the unit vector at `angle` (radian) to `unit` and at `torsion` (degrees) to the reference along the bond."""
    side = reference - (reference @ unit) * unit
    if np.linalg.norm(side) < 1e-3:
        side = np.cross(unit, [0.34, 0.81, 0.47])
    side /= np.linalg.norm(side)
    other = np.cross(unit, side)
    phi = np.deg2rad(torsion)
    return np.asarray(np.cos(angle) * unit + np.sin(angle) * (np.cos(phi) * side + np.sin(phi) * other))
