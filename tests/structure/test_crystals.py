"""Crystals built from known molecules: whatever symmetry, disorder and gaps the file has, they must come back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gemmi
import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem, rdCIPLabeler

from cluster_qc.errors import StructureError
from cluster_qc.model import Cluster
from cluster_qc.structure import inspect_cif, read_cif, stereocentres
from cluster_qc.structure.charges import parse_moieties, species_charge
from cluster_qc.structure.molecule import Molecule, hill_formula
from cluster_qc.structure.valence import lewis_structure
from cluster_qc.units import angstrom

Atoms = list[tuple[str, tuple[float, float, float]]]
"""Elements and Cartesian positions, angstrom."""

# Bent and chiral: nothing in it is a symmetry element.
GOLD: Atoms = [
    ("Au", (0, 0, 0)), ("Cl", (2.28, 0.1, 0)), ("P", (-2.2, 0.2, 0.1)), ("F", (-2.8, 1.6, 0.2)),
    ("Br", (-3.0, -0.7, 1.9)), ("I", (-3.1, -0.8, -1.9)),
]  # fmt: skip
RING: Atoms = [
    ("C", (1.39 * np.cos(angle), 1.39 * np.sin(angle), 0.0)) for angle in np.deg2rad(np.arange(0, 360, 60))
]
TOLUENE: Atoms = [*RING, ("C", (2.90, 0.0, 0.0))]


def rows(
    atoms: Atoms,
    cell: gemmi.UnitCell,
    shift: Sequence[float],
    tail: str = "1 . .",
    turn: np.ndarray | None = None,
) -> list[str]:
    """Rows of an atom list: element, fractional position, and what follows."""
    lines = []
    for symbol, place in atoms:
        at = cell.fractionalize(gemmi.Position(*(place if turn is None else turn @ np.array(place))))
        x, y, z = (value + move for value, move in zip(at.tolist(), shift, strict=True))
        lines.append(f"{symbol} {x:.6f} {y:.6f} {z:.6f} {tail}")
    return lines


def text(lines: list[str], cell: gemmi.UnitCell, group: str = "P 1", extra: str = "") -> str:
    operations = gemmi.find_spacegroup_by_name(group).operations()
    return "\n".join(
        ["data_test", extra]
        + [f"_cell_length_{n} {v}" for n, v in zip("abc", (cell.a, cell.b, cell.c), strict=True)]
        + [
            f"_cell_angle_{n} {v}"
            for n, v in zip(("alpha", "beta", "gamma"), cell.parameters[3:], strict=True)
        ]
        + ["loop_", "_space_group_symop_operation_xyz", *(f"'{op.triplet()}'" for op in operations)]
        + ["loop_", "_atom_site_type_symbol"]
        + [f"_atom_site_{n}" for n in ("fract_x", "fract_y", "fract_z")]
        + [f"_atom_site_{n}" for n in ("occupancy", "disorder_assembly", "disorder_group")]
        + [*lines, ""]
    )


@pytest.fixture
def save(tmp_path: Path):
    def write(content: str) -> Path:
        path = tmp_path / "test.cif"
        path.write_text(content)
        return path

    return write


P1 = gemmi.UnitCell(12, 13, 14, 85, 95, 100)
BOX = gemmi.UnitCell(15, 16, 17, 90, 90, 90)

SETTINGS = [
    ("P -1", (14, 15, 16, 80, 95, 105)), ("C 1 2 1", (25, 18, 19, 90, 105, 90)),
    ("P 1 21/c 1", (15, 18, 19, 90, 105, 90)),
    ("P 21 21 21", (15, 16, 17, 90, 90, 90)), ("F d d 2", (30, 32, 28, 90, 90, 90)),
    ("P b c a", (22, 23, 24, 90, 90, 90)), ("P 41", (17, 17, 18, 90, 90, 90)),
    ("I 41/a:2", (28, 28, 30, 90, 90, 90)), ("R -3:H", (30, 30, 25, 90, 90, 120)),
    ("R 3:R", (20, 20, 20, 75, 75, 75)), ("P 61", (20, 20, 30, 90, 90, 120)), ("P a -3", (28, 28, 28, 90, 90, 90)),
]  # fmt: skip


@pytest.mark.parametrize(("group", "cell"), SETTINGS, ids=[group for group, _ in SETTINGS])
def test_a_molecule_over_the_cell_edge_comes_back_whole_in_every_lattice(save, group, cell):
    unit = gemmi.UnitCell(*cell)
    report = inspect_cif(save(text(rows(GOLD, unit, (0.98, 0.11, 0.23)), unit, group)))
    assert report.cluster.formula == hill_formula([symbol for symbol, _ in GOLD])
    assert report.copies_in_cell == len(list(gemmi.find_spacegroup_by_name(group).operations()))
    assert report.others == ()
    known = np.array([place for _, place in GOLD])
    assert np.allclose(distances(report.cluster.coords / angstrom), distances(known), atol=1e-4)
    expected = np.linalg.det(known[1:4] - known[0])
    found = report.cluster.coords / angstrom
    assert np.linalg.det(found[1:4] - found[0]) == pytest.approx(expected, rel=1e-3)


def distances(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


@pytest.mark.parametrize("tail", ["0.5 . .", "0.5 . 1", "0.5 A -1"])
def test_toluene_about_an_inversion_centre_is_one_toluene(save, tail):
    shifted = [(symbol, (x - 0.7, y, z)) for symbol, (x, y, z) in TOLUENE]
    lines = rows(GOLD, P1, (0.2, 0.3, 0.25)) + rows(shifted, P1, (0.5, 0.5, 0.5), tail)
    report = inspect_cif(save(text(lines, P1, "P -1")))
    assert report.others == (("C7H8", 1),)
    assert report.copies_in_cell == 2


def test_each_place_has_its_own_major_where_neighbours_use_the_same_group_numbers(save):
    first = [("Cl", (2.28, 0, 0)), ("Cl", (2.0, 1.1, 0))]
    second = [("N", (1.1, -1.2, 1.2)), ("N", (0.2, -1.5, 1.6))]
    lines = rows([("Au", (0, 0, 0))], BOX, (0.3, 0.3, 0.3))
    for (one, two), (major, minor) in ((first, (0.6, 0.4)), (second, (0.3, 0.7))):
        lines += rows([one], BOX, (0.3, 0.3, 0.3), f"{major} . 1") + rows(
            [two], BOX, (0.3, 0.3, 0.3), f"{minor} . 2"
        )
    path = save(text(lines, BOX))
    for choice, kept in (("major", [(1, 1), (2, 2)]), ("A", [(1, 1), (2, 1)]), ("B", [(1, 2), (2, 2)])):
        report = inspect_cif(path, disorder=choice)
        assert [(group.place, group.group) for group in report.groups if group.kept] == kept
        assert sorted(report.cluster.symbols) == ["Au", "Cl", "N"]


def test_overlapping_solvent_is_told_and_does_not_refuse_the_cluster(save):
    solvent: Atoms = [("C", (0, 0, 0)), ("O", (1.2, 0, 0)), ("O", (0.7, 0, 0.3))]
    report = inspect_cif(
        save(text(rows(GOLD, P1, (0.2, 0.3, 0.25)) + rows(solvent, P1, (0.7, 0.7, 0.7)), P1))
    )
    assert report.cluster.formula == hill_formula([symbol for symbol, _ in GOLD])
    assert any("no real species" in warning for warning in report.warnings)
    assert "unknown" in report.charge_reason or "usual charges" in report.charge_reason


def test_a_partial_atom_on_top_of_a_full_one_is_left_out_and_told(save):
    lines = rows(GOLD, P1, (0.2, 0.3, 0.25)) + rows([("Cl", (2.2, 0.5, 0))], P1, (0.2, 0.3, 0.25), "0.1 . .")
    report = inspect_cif(save(text(lines, P1)))
    assert report.cluster.formula == hill_formula([symbol for symbol, _ in GOLD])
    assert any("on top of a fully occupied" in warning for warning in report.warnings)


def test_a_solid_without_carbon_is_no_molecule_and_a_long_contact_is_told(save):
    dimer: Atoms = [("Pb", (0, 0, 0)), ("F", (2.1, 0, 0)), ("F", (0, 2.1, 0))]
    lines = rows(dimer, BOX, (0.3, 0.3, 0.3)) + rows(
        [("F", (0, 0, 2.6)), ("B", (0, 0, 4.0))], BOX, (0.3, 0.3, 0.3)
    )
    with pytest.raises(StructureError, match="extended solid") as caught:
        inspect_cif(save(text(lines, BOX)))
    assert caught.value.kind == "polymer"
    lines += rows([("C", (0.0, -2.1, 0.0))], BOX, (0.3, 0.3, 0.3))
    extra = "_chemical_formula_sum 'C B F3 Pb'"  # no hydrogens, so that none are added
    assert any(
        "chain or net" in warning for warning in inspect_cif(save(text(lines, BOX, extra=extra))).warnings
    )


# --- hydrogens that have no sites ---------------------------------------------------------------------------

METHYL: Atoms = [("Au", (0, 0, 0)), ("Cl", (-2.28, 0, 0)), ("C", (2.03, 0, 0))]
AQUA: Atoms = [
    ("Zn", (0, 0, 0)), ("Cl", (1.3, 1.3, 1.3)), ("Cl", (-1.3, -1.3, 1.3)), ("O", (1.15, -1.15, -1.15)),
    ("O", (-1.15, 1.15, -1.15)),
]  # fmt: skip
ALCOHOL: Atoms = [*METHYL, ("O", (2.5, 1.35, 0))]


def written(atoms: Atoms, formula: str, save, more: Sequence[str] = ()) -> Path:
    lines = rows(atoms, P1, (0.3, 0.3, 0.3)) + list(more)
    return save(text(lines, P1, "P -1", f"_chemical_formula_sum '{formula}'"))


def test_the_sum_formula_of_a_solvate_tells_the_clusters_hydrogens(save):
    water = rows([("O", (0, 0, 0))], P1, (0.5, 0.8, 0.1))
    report = inspect_cif(written(METHYL, "C H5 Au Cl O", save, water))
    assert (report.cluster.formula, report.added_hydrogens, report.others) == ("CH3AuCl", 3, (("H2O", 2),))
    assert not any("add up" in warning for warning in report.warnings)
    with pytest.raises(StructureError) as caught:
        read_cif(written(METHYL, "C H4 Au Cl O", save, water))
    assert caught.value.kind == "hydrogens"


def test_a_metals_water_gets_two_hydrogens_where_the_formula_asks_for_them(save):
    report = inspect_cif(written(AQUA, "Cl2 H4 O2 Zn", save))
    assert (report.cluster.formula, report.added_hydrogens) == ("Cl2H4O2Zn", 4)
    points = report.cluster.coords / angstrom
    gaps = distances(points)
    for oxygen in (3, 4):
        bonded = np.flatnonzero((gaps[oxygen] < 1.1) & (gaps[oxygen] > 0))
        assert gaps[oxygen, bonded] == pytest.approx([0.97, 0.97])
        assert gaps[bonded[0], bonded[1]] == pytest.approx(1.53, abs=0.01)
    assert any("direction" in warning for warning in report.warnings)
    assert inspect_cif(written(AQUA, "Cl2 H2 O2 Zn", save)).missing_hydrogens == 2


def test_an_alcohols_hydrogen_is_added_and_a_choice_between_oxygen_and_nitrogen_is_refused(save):
    report = inspect_cif(written(ALCOHOL, "C H3 Au Cl O", save))
    assert (report.cluster.formula, report.added_hydrogens) == ("CH3AuClO", 3)
    both: Atoms = [*ALCOHOL, ("N", (2.5, -0.8, 1.1)), ("C", (3.9, -0.8, 1.4))]
    assert inspect_cif(written(both, "C2 H6 Au Cl N O", save)).added_hydrogens == 6
    assert inspect_cif(written(both, "C2 H5 Au Cl N O", save)).missing_hydrogens == 5


def test_an_amides_hydrogens_lie_in_its_plane_and_a_nitrile_has_none(save):
    amide: Atoms = [*METHYL, ("O", (2.7, 1.03, 0)), ("N", (2.75, -1.12, 0))]
    report = inspect_cif(written(amide, "C H2 Au Cl N O", save))
    assert (report.cluster.formula, report.added_hydrogens) == ("CH2AuClNO", 2)
    points = report.cluster.coords / angstrom
    assert np.linalg.svd(points - points.mean(axis=0))[1][2] == pytest.approx(0, abs=1e-4)
    nitrile: Atoms = [*METHYL, ("N", (3.17, 0, 0))]
    assert inspect_cif(written(nitrile, "C Au Cl N", save)).added_hydrogens == 0


def pentagon(elements: str, side: float, metal: tuple[str, float]) -> Atoms:
    """A ring, its first atom toward a metal in its plane, or a metal above it (negative distance from the plane)."""
    radius = side / (2 * np.sin(np.pi / 5))
    points = [(radius * np.cos(t), radius * np.sin(t), 0.0) for t in 2 * np.pi * np.arange(5) / 5]
    place = (radius + metal[1], 0.0, 0.0) if metal[1] > 0 else (0.0, 0.0, -metal[1])
    return [(metal[0], place), *zip(elements, points, strict=True)]


def test_hydrogens_of_carbenes_and_cyclopentadienyls_follow_from_the_carbons(save):
    carbene = pentagon("CNCCN", 1.37, ("Au", 2.0))
    for _, (x, y, _) in [carbene[2], carbene[5]]:
        carbene.append(("C", (x * 2.25, y * 2.25, 0.0)))
    carbene.append(("Cl", (carbene[0][1][0] + 2.28, 0, 0)))
    report = inspect_cif(save(text(rows(carbene, P1, (0.3, 0.3, 0.3)), P1)))
    assert report.cluster.formula == "C5H8AuClN2"
    sandwich = [*pentagon("CCCCC", 1.41, ("Cu", -1.85)), ("C", (0, 0, 3.65)), ("O", (0, 0, 4.78))]
    report = inspect_cif(save(text(rows(sandwich, P1, (0.3, 0.3, 0.3)), P1)))
    assert report.cluster.formula == "C6H5CuO"


# --- charges ------------------------------------------------------------------------------------------------

OCTAHEDRON = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
TETRAHEDRON = [(1, 1, 1), (-1, -1, 1), (1, -1, -1), (-1, 1, -1)]


def star(centre: str, outer: str, corners: Sequence[tuple[int, int, int]], length: float) -> Molecule:
    """An atom with others about it."""
    vectors = np.array(corners, dtype=float)
    points = np.vstack([[0, 0, 0], length * vectors / np.linalg.norm(vectors, axis=1)[:, None]])
    return Molecule((centre, *[outer] * len(corners)), points, tuple(range(len(points))), False, 1.0)


@pytest.mark.parametrize(
    ("ion", "charge"),
    [
        (star("Sb", "F", OCTAHEDRON, 1.87), -1),
        (star("P", "F", OCTAHEDRON, 1.59), -1),
        (star("Si", "F", OCTAHEDRON, 1.69), -2),
        (star("Sn", "Cl", OCTAHEDRON, 2.43), -2),
        (star("Au", "Cl", OCTAHEDRON[:4], 2.28), -1),
        (star("Au", "Cl", OCTAHEDRON[:2], 2.26), -1),
        (star("Pt", "Cl", OCTAHEDRON[:4], 2.31), -2),
        (star("Re", "O", TETRAHEDRON, 1.72), -1),
        (star("Cl", "O", TETRAHEDRON, 1.43), -1),
        (star("I", "I", OCTAHEDRON[:2], 2.92), -1),
        (star("N", "N", OCTAHEDRON[:2], 1.18), -1),
        (star("N", "H", TETRAHEDRON, 1.02), 1),
        (star("I", "I", OCTAHEDRON[:1], 2.7), 0),
        (star("O", "O", OCTAHEDRON[:1], 0.4), None),
    ],
    ids=lambda value: value.formula if isinstance(value, Molecule) else str(value),
)
def test_charges_of_counter_ions(ion, charge):
    assert species_charge(ion) == charge


def test_an_aryl_anion_keeps_its_charge_where_the_metal_was():
    ring = [(i, (i + 1) % 6) for i in range(6)]
    lewis = lewis_structure(["C"] * 6 + ["H"] * 5, ring + [(i + 1, 6 + i) for i in range(5)])
    assert lewis is not None
    assert lewis.charges == (-1, *[0] * 10)
    assert sorted(lewis.orders[:6]) == [1, 1, 1, 2, 2, 2]


# --- stereocentres ------------------------------------------------------------------------------------------


def on_gold(smiles: str, donor: str) -> Cluster:
    """The ligand with an AuCl at the free side of its donor."""
    ligand = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(ligand, randomSeed=7)
    points = ligand.GetConformer().GetPositions()
    atom = next(a for a in ligand.GetAtoms() if a.GetSymbol() == donor)
    near = [neighbour.GetIdx() for neighbour in atom.GetNeighbors()]
    outward = points[atom.GetIdx()] - points[near].mean(axis=0)
    outward /= np.linalg.norm(outward)
    gold = points[atom.GetIdx()] + np.outer((2.25, 4.53), outward)
    symbols = ("Au", "Cl", *(a.GetSymbol() for a in ligand.GetAtoms()))
    return Cluster("on gold", symbols, np.vstack([gold, points]) * angstrom)


@pytest.mark.parametrize(
    ("smiles", "donor", "elements"),
    [
        ("C[P@](CC)c1ccccc1", "P", ["P"]),
        ("C[P@@](CC)c1ccccc1", "P", ["P"]),
        ("C[S@](=O)CC", "S", ["S"]),
        ("C[S@@](=O)CC", "S", ["S"]),
        ("C[C@H](O)[P@](CC)c1ccccc1", "P", ["C", "P"]),
        ("CP(C)c1ccccc1", "P", []),
    ],
)
def test_phosphorus_and_sulfur_have_labels_and_the_mirror_image_the_opposite(smiles, donor, elements):
    free = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdCIPLabeler.AssignCIPLabels(free)
    expected = [atom.GetProp("_CIPCode") for atom in free.GetAtoms() if atom.HasProp("_CIPCode")]
    cluster = on_gold(smiles, donor)
    found, reason = stereocentres(cluster)
    assert reason == ""
    assert sorted(centre.element for centre in found) == sorted(elements)
    assert [centre.label for centre in found] == expected
    mirrored = Cluster("mirror", cluster.symbols, cluster.coords * [1, 1, -1])
    swapped = {"R": "S", "S": "R"}
    assert [centre.label for centre in stereocentres(mirrored)[0]] == [swapped[label] for label in expected]


# --- traps met in published structures ------------------------------------------------------------------------

# Half of a dimer about an inversion centre at its origin: Cu-Cl 2.25 and, on the long axis, 2.80 angstrom.
HALF_DIMER: Atoms = [
    ("Cu", (1.7, 0, 0)), ("Cl", (0.4085, 1.842, 0)), ("Cl", (2.9, -1.9, 0)), ("C", (3.0, 1.4, 0)),
    ("O", (3.77, 2.22, 0)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("moiety", "formula"),
    [
        ("?", "C2Cl4Cu2O2"),
        ("C2 Cl4 Cu2 O2", "C2Cl4Cu2O2"),
        ("C Cl2 Cu O", "CCl2CuO"),
        ("C3 Cl2 Cu O", "CCl2CuO"),
    ],
)
def test_a_long_bond_joins_the_molecule_that_the_file_names(save, moiety, formula):
    lines = rows(HALF_DIMER, P1, (0.5, 0.5, 0.5))
    report = inspect_cif(save(text(lines, P1, "P -1", f"_chemical_formula_moiety '{moiety}'")))
    assert report.cluster.formula == formula
    assert any("Cu...Cl" in told and "2.80" in told for told in report.warnings)


def test_long_bonds_are_counted_or_not_as_the_user_says(save):
    lines = rows(HALF_DIMER, P1, (0.5, 0.5, 0.5))
    monomer = save(text(lines, P1, "P -1", "_chemical_formula_moiety 'C Cl2 Cu O'"))
    assert read_cif(monomer, long_bonds=True).formula == "C2Cl4Cu2O2"
    unnamed = save(text(lines, P1, "P -1"))
    assert read_cif(unnamed, long_bonds=False).formula == "CCl2CuO"
    assert any("--no-long-bonds" in told for told in inspect_cif(unnamed).warnings)


def test_a_long_bond_from_the_metal_of_a_smaller_molecule_counts_too(save):
    gold: Atoms = [("Au", (0, 0, 0)), ("Au", (2.7, 0, 0)), ("Cl", (-2.28, 0, 0)), ("Br", (5.1, 0, 0))]
    zinc: Atoms = [
        ("Zn", (5.1, 2.9, 0)),
        ("Cl", (5.1, 4.0, 1.9)),
        ("Cl", (5.1, 4.0, -1.9)),
        ("C", (7.05, 2.9, 0)),
    ]
    lines = rows([*gold, *zinc], BOX, (0.2, 0.2, 0.2))
    report = inspect_cif(save(text(lines, BOX, extra="_chemical_formula_sum 'C Au2 Br Cl3 Zn'")))
    assert report.cluster.formula == "CAu2BrCl3Zn"
    assert any("Zn...Br of 2.90 angstrom" in told for told in report.warnings)


def test_long_bonds_without_end_are_a_polymer(save):
    chain: Atoms = [("Cu", (0, 0, 0)), ("Cl", (2.25, 0, 0)), ("C", (0, 1.9, 0)), ("O", (0, 3.03, 0))]
    cell = gemmi.UnitCell(5.05, 14, 15, 90, 90, 90)
    with pytest.raises(StructureError, match=r"Cu\.\.\.Cl of 2\.80 angstrom join CClCuO") as caught:
        inspect_cif(save(text(rows(chain, cell, (0, 0, 0)), cell)))
    assert caught.value.kind == "polymer"


def test_metal_atoms_alone_are_a_metal(save):
    pair = rows([("Ga", (0, 0, 0)), ("Ga", (2.5, 0, 0))], BOX, (0.1, 0.1, 0.1))
    with pytest.raises(StructureError, match="metal atoms alone") as caught:
        inspect_cif(save(text(pair, BOX)))
    assert caught.value.kind == "polymer"


def test_a_halide_beside_a_twofold_axis_is_one_ion(save):
    lines = rows(GOLD, BOX, (0.3, 0.3, 0.3)) + rows([("Cl", (1.0, 0, 0))], BOX, (0, 0.8, 0), "0.30 A 1")
    lines += rows([("Cl", (0, 0.5, 0))], BOX, (0, 0.8, 0), "0.20 A 2")
    report = inspect_cif(save(text(lines, BOX, "P 1 2 1")))
    assert (report.copies_in_cell, report.others) == (2, (("Cl", 1),))


def test_a_hydrogen_bonded_to_nothing_is_no_ion(save):
    lines = rows(GOLD, BOX, (0.3, 0.3, 0.3)) + rows([("H", (0, 0, 0))], BOX, (0, 0.8, 0), "0.30 . .")
    report = inspect_cif(save(text(lines, BOX)))
    assert (report.others, report.cluster.charge) == ((), 0)
    assert any("bonded to no other atom" in told for told in report.warnings)


@pytest.mark.parametrize(
    ("moiety", "parts"),
    [
        ("[(C2 H5 N5)6 (H2 O)6 Ni3] 6+, 3[S O4] 2-", [("C12H42N30Ni3O6", 6, 1.0), ("O4S", -2, 3.0)]),
        ("C3 H9 Au P +, 3(Si F6 2-), 0.5(C6 H14)", [("C3H9AuP", 1, 1.0), ("F6Si", -2, 3.0), ("C6H14", None, 0.5)]),
        ("(Au Cl2)-, (S O4)2-", [("AuCl2", -1, 1.0), ("O4S", -2, 1.0)]),
        ("Fe 3+, 2C2 H3 N", [("Fe", 3, 1.0), ("C2H3N", None, 2.0)]),
        ("C6H12Cu2, D2 O", [("C6H12Cu2", None, 1.0), ("H2O", None, 1.0)]),
        ("(C10 H8 Cu)n, Fe3+, C6 H4.5, C2 (H, ?", []),
    ],
)  # fmt: skip
def test_moieties_in_every_spelling(moiety, parts):
    found = [
        (hill_formula([s for s, number in counts.items() for _ in range(number)]), charge, count)
        for counts, charge, count in parse_moieties(moiety)
    ]
    assert found == parts
