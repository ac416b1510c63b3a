"""Built clusters, their handedness, CIP labels, fragments, ions and distances."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster
from cluster_qc.structure import (
    bonds,
    build_m2m2_cluster,
    cip_labels,
    core_handedness,
    find_fragments,
    inspect_cif,
    ionic_fragments,
    mean_distances,
    metal_metal_distances,
    split_ligands,
)
from cluster_qc.structure.bonding import neighbour_lists
from cluster_qc.structure.ions import ligand_charge
from cluster_qc.units import angstrom

R_BTT = "S=C1N[C@H](Cc2ccccc2)CS1"
S_BTT = "S=C1N[C@@H](Cc2ccccc2)CS1"
SMALL = "S=C1NCCS1"


@pytest.fixture(scope="module")
def r_btt() -> Cluster:
    return build_m2m2_cluster(R_BTT, handedness="P")


@pytest.mark.parametrize(("smiles", "label"), [(R_BTT, "R"), (S_BTT, "S")])
@pytest.mark.parametrize("hand", ["P", "M"])
def test_built_clusters_have_the_hands_that_were_asked_for(smiles, label, hand):
    cluster = build_m2m2_cluster(smiles, handedness=hand)
    other_label, other_hand = {"R": "S", "S": "R"}[label], {"P": "M", "M": "P"}[hand]
    assert cluster.formula == "C40H40Au2Cu2N4S8"
    assert core_handedness(cluster) == hand
    assert cip_labels(cluster) == [label] * 4
    assert core_handedness(cluster.mirrored()) == other_hand
    assert cip_labels(cluster.mirrored()) == [other_label] * 4


def test_hands_do_not_change_when_the_molecule_turns_or_its_atoms_are_reordered(r_btt):
    rng = np.random.default_rng(1)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    order = rng.permutation(r_btt.natom)
    turned = Cluster("", tuple(r_btt.symbols[i] for i in order), (r_btt.coords @ rotation + 3.0)[order])
    assert core_handedness(turned) == "P"
    assert cip_labels(turned) == ["R"] * 4


def test_handedness_as_it_is_defined_seen_from_a_ligand(r_btt):
    """The definition once more, by angles: from the ligand's side its edge runs Cu -> Au clockwise for "P"."""
    ligand = split_ligands(r_btt)[0]
    centre = r_btt.coords[:4].mean(axis=0)
    side = np.sign((r_btt.coords[list(ligand)] - centre).mean(axis=0)[2])
    seen = r_btt.coords[:, :2] - centre[:2]
    seen = seen * [side, 1.0]
    gaps = np.linalg.norm(r_btt.coords[:, None] - r_btt.coords[None, :4], axis=-1)
    nitrogen = next(i for i in ligand if r_btt.symbols[i] == "N")
    thione = min((i for i in ligand if r_btt.symbols[i] == "S"), key=lambda i: gaps[i, 2:].min())
    start, end = seen[gaps[nitrogen, :2].argmin()], seen[2 + gaps[thione, 2:].argmin()]
    turn = np.angle(complex(*end) / complex(*start))
    assert turn < 0


def test_symmetry_of_the_start_geometry(r_btt):
    turned = r_btt.coords * [-1, -1, 1]
    gaps = np.linalg.norm(turned[:, None] - r_btt.coords[None], axis=-1).min(axis=1)
    assert gaps.max() < 1e-6
    assert mean_distances(r_btt)["Au-Cu"] == pytest.approx(2.842, abs=1e-3)


def test_start_geometry_has_the_bonds_of_the_drawing(r_btt):
    neighbours = neighbour_lists(r_btt.natom, bonds(r_btt.symbols, r_btt.coords))
    for i, symbol in enumerate(r_btt.symbols):
        if symbol == "H":
            assert len(neighbours[i]) == 1
        if symbol == "N":
            assert sorted(r_btt.symbols[j] for j in neighbours[i]) == ["C", "C", "Cu"]
    donors = [sum(r_btt.symbols[j] in "NS" for j in neighbours[i]) for i in range(4)]
    assert donors == [2, 2, 2, 2]


def test_side_torsion_is_kept():
    torsions = []
    for angle in (180.0, -60.0):
        cluster = build_m2m2_cluster(R_BTT, handedness="P", side_torsion=angle)
        assert f"side torsion {angle:g}" in cluster.source
        neighbours = neighbour_lists(cluster.natom, bonds(cluster.symbols, cluster.coords))
        ligand = split_ligands(cluster)[0]
        nitrogen = next(i for i in ligand if cluster.symbols[i] == "N")
        for centre in neighbours[nitrogen]:
            for start in neighbours[centre]:
                for end in neighbours[start]:
                    aromatic = cluster.symbols[end] == "C" and len(neighbours[end]) == 3
                    if (
                        cluster.symbols[centre] == "C"
                        and len(neighbours[start]) == 4
                        and end != centre
                        and aromatic
                    ):
                        a, b, c, d = cluster.coords[[nitrogen, centre, start, end]]
                        n1, n2 = np.cross(b - a, c - b), np.cross(c - b, d - c)
                        sign = np.cross(n1, n2) @ (c - b)
                        torsions.append(np.degrees(np.arctan2(sign / np.linalg.norm(c - b), n1 @ n2)))
    assert abs(torsions[0]) == pytest.approx(180, abs=1e-3)
    assert torsions[1] == pytest.approx(-60, abs=1e-3)


@pytest.mark.parametrize(
    "arguments",
    [
        {"smiles": "S=C1N[C@H"},
        {"smiles": ""},
        {"smiles": "CCO"},
        {"smiles": SMALL, "handedness": "X"},
        {"smiles": SMALL, "side_torsion": 60.0},
        {"smiles": SMALL, "core": ("Au", "Cu")},
        {"smiles": SMALL, "core": ("Cu", "S")},
        {"smiles": SMALL, "diagonals": (4.77, -1.0)},
        {"smiles": SMALL, "diagonals": (2.0 * angstrom, 1.5 * angstrom)},
        {"smiles": SMALL, "pattern": "[S"},
    ],
)
def test_builds_that_make_no_sense_are_refused(arguments):
    with pytest.raises(InputError):
        build_m2m2_cluster(**arguments)


def test_silver_core():
    cluster = build_m2m2_cluster(SMALL, core=("Ag", "Au"), donor_distances=(2.15 * angstrom, 2.35 * angstrom))
    assert cluster.formula == "C12H16Ag2Au2N4S8"
    assert core_handedness(cluster) == "P"


def test_cores_of_one_metal():
    cluster = build_m2m2_cluster(
        SMALL,
        core=("Cu", "Cu"),
        diagonals=(3.8 * angstrom,) * 2,
        donor_distances=(2.0 * angstrom, 2.25 * angstrom),
    )
    assert cluster.formula == "C12H16Cu4N4S8"
    assert core_handedness(cluster) is None
    assert [charge for _, charge in ionic_fragments(cluster)] == [1] * 4 + [-1] * 4


def test_fragments_of_the_target(r_btt):
    sizes = {fragment.name: len(fragment.atoms) for fragment in find_fragments(r_btt)}
    assert sizes == {"metal core": 4, "donors": 8, "ligand backbone": 4 * 7, "periphery": 4 * 14}
    donors = next(fragment for fragment in r_btt.fragments if fragment.name == "donors")
    assert sorted(r_btt.symbols[i] for i in donors.atoms) == ["N"] * 4 + ["S"] * 4
    assert sum(sizes.values()) == r_btt.natom


def test_ions_of_the_target(r_btt):
    ions = ionic_fragments(r_btt)
    assert ions is not None
    assert [charge for _, charge in ions] == [1, 1, 1, 1, -1, -1, -1, -1]
    assert sorted(i for atoms, _ in ions for i in atoms) == list(range(r_btt.natom))
    wrong = Cluster("", r_btt.symbols, r_btt.coords, charge=2)
    assert ionic_fragments(wrong) is None


def test_no_fragments_without_metals_and_no_handedness_for_other_cores():
    water = Cluster("", ("O", "H", "H"), np.array([[0, 0, 0], [1.8, 0, 0], [-0.45, 1.75, 0]]))
    assert find_fragments(water) == ()
    assert core_handedness(water) is None
    assert cip_labels(water) == []
    assert split_ligands(water) == [(0, 1, 2)]


@pytest.mark.parametrize(
    ("symbols", "pairs", "charge"),
    [
        ("Cl", [], -1),
        ("OH", [(0, 1)], -1),
        ("CN", [(0, 1)], -1),
        ("CO", [(0, 1)], 0),
        ("NOOO", [(0, 1), (0, 2), (0, 3)], -1),
        ("ClOOOO", [(0, 1), (0, 2), (0, 3), (0, 4)], -1),
        ("BFFFF", [(0, 1), (0, 2), (0, 3), (0, 4)], -1),
        ("PFFFFFF", [(0, i) for i in range(1, 7)], -1),
        ("SOOOO", [(0, 1), (0, 2), (0, 3), (0, 4)], -2),
        ("NHHHH", [(0, 1), (0, 2), (0, 3), (0, 4)], 1),
        ("COO", [(0, 1), (0, 2)], 0),
        ("CHOO", [(0, 1), (0, 2), (0, 3)], -1),
        ("CNHHHCHHH", [(0, 1), (1, 5), (5, 6), (5, 7), (5, 8), (0, 2), (0, 3), (0, 4)], -1),
        ("CCCCCHHHHH", [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), *((i, i + 5) for i in range(5))], -1),
    ],
)
def test_charges_of_common_ions(symbols, pairs, charge):
    assert ligand_charge(re.findall("[A-Z][a-z]?", symbols), pairs) == charge


def test_distances_are_sorted_and_named_by_the_alphabet(r_btt):
    contacts = metal_metal_distances(r_btt)
    assert [contact.pair for contact in contacts] == ["Au-Au"] + ["Au-Cu"] * 4
    assert "Cu-Cu" in {contact.pair for contact in metal_metal_distances(r_btt, cutoff=5 * angstrom)}
    assert "Cu-Cu" not in mean_distances(r_btt)


def test_the_target_survives_a_crystal(r_btt, tmp_path):
    """The whole cluster through a P2_1 cell, its atoms folded into the cell: same bonds, hands and distances."""
    edges = np.array([21.0, 23.0, 19.0])
    fractional = (r_btt.coords / angstrom / edges + [0.02, 0.25, 0.97]) % 1.0
    lines = ["data_target", "_symmetry_space_group_name_H-M 'P 1 21 1'"]
    lines += [f"_cell_length_{axis} {length}" for axis, length in zip("abc", edges, strict=True)]
    lines += [f"_cell_angle_{angle} 90" for angle in ("alpha", "beta", "gamma")]
    lines += ["loop_"] + [f"_atom_site_{name}" for name in ("type_symbol", "fract_x", "fract_y", "fract_z")]
    lines += [f"{s} {x:.6f} {y:.6f} {z:.6f}" for s, (x, y, z) in zip(r_btt.symbols, fractional, strict=True)]
    path = tmp_path / "target.cif"
    path.write_text("\n".join(lines) + "\n")
    report = inspect_cif(path)
    assert (report.cluster.formula, report.copies_in_cell, report.others) == (r_btt.formula, 2, ())
    assert (report.core_handedness, report.cip) == ("P", ("R",) * 4)
    assert (report.cluster.charge, report.cluster.multiplicity, report.space_group_chiral) == (0, 1, True)
    assert len(bonds(report.cluster.symbols, report.cluster.coords)) == 108
    assert report.cluster.fragments == r_btt.fragments
    assert mean_distances(report.cluster) == pytest.approx(mean_distances(r_btt), abs=1e-4)
