"""New ligands on a core: donors, protons, hands, places; and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster
from cluster_qc.structure import cip_labels, core_handedness, mean_distances, read_xyz
from cluster_qc.structure.binding import bind
from cluster_qc.structure.binding_sites import find_sites
from cluster_qc.structure.bonding import bonds, neighbour_lists
from cluster_qc.structure.builder import _combinations, start_geometries
from cluster_qc.structure.cores import core_template
from cluster_qc.structure.ions import expected_charge
from cluster_qc.units import angstrom

STRUCTURES = Path(__file__).parents[2] / "structures"
R_BTT = "S=C1N[C@H](Cc2ccccc2)CS1"


@pytest.fixture(scope="module")
def core() -> Cluster:
    """Benzyl -> H, 44 atoms."""
    return read_xyz(STRUCTURES / "cu2au2_tt.xyz", charge=0)


@pytest.fixture(scope="module")
def target() -> Cluster:
    return read_xyz(STRUCTURES / "cu2au2_r_btt.xyz", charge=0)


@pytest.fixture(scope="module")
def gold_chloride() -> Cluster:
    """Cl-Au-PH3, linear."""
    xyz = [[0, 0, -2.28], [0, 0, 0], [0, 0, 2.23], [1.2, 0, 2.9], [-0.6, 1.04, 2.9], [-0.6, -1.04, 2.9]]
    return Cluster("chloride", ("Cl", "Au", "P", "H", "H", "H"), np.array(xyz) * angstrom)


@pytest.fixture(scope="module")
def gold_diphosphine() -> Cluster:
    """Au2(PH2CH2PH2)2 2+, an eight-membered ring."""
    symbols, xyz = ["Au", "Au"], [[0, 0, 1.5], [0, 0, -1.5]]
    for side in (1, -1):
        symbols += ["P", "P", "C"]
        xyz += [[2.3 * side, 0, 1.5], [2.3 * side, 0, -1.5], [3.3 * side, 0, 0]]
        xyz += [[2.85 * side, 1.12 * y, 2.15 * z] for z in (1, -1) for y in (1, -1)]
        xyz += [[3.95 * side, 0.88 * y, 0] for y in (1, -1)]
        symbols += ["H"] * 6
    return Cluster("diphosphine", tuple(symbols), np.array(xyz) * angstrom, charge=2)


@pytest.fixture(scope="module")
def gold_thiolate_phosphine() -> Cluster:
    """CH3S-Au-PH3."""
    symbols = ("Au", "S", "C", "H", "H", "H", "P", "H", "H", "H")
    xyz = [[0, 0, 0], [0, 0, -2.28], [1.75, 0, -2.7], [2.3, 0.9, -2.4], [2.3, -0.9, -2.4], [1.8, 0, -3.8],
           [0, 0, 2.23], [1.2, 0, 2.9], [-0.6, 1.04, 2.9], [-0.6, -1.04, 2.9]]  # fmt: skip
    return Cluster("thiolate", symbols, np.array(xyz) * angstrom)


def metals(cluster: Cluster) -> np.ndarray:
    return cluster.coords[[i for i, s in enumerate(cluster.symbols) if s in ("Au", "Cu")]]


def nearest(points: np.ndarray, others: np.ndarray) -> float:
    """Largest distance from a point to the nearest of the others."""
    return float(np.linalg.norm(points[:, None] - others[None], axis=-1).min(axis=1).max())


def test_the_core_that_comes_along():
    core = core_template("cu2au2")
    assert (core.formula, core_handedness(core)) == ("C12H16Au2Cu2N4S8", "P")
    assert 2.7 < mean_distances(core)["Au-Cu"] < 2.9
    with pytest.raises(InputError, match="no core 'fe2'"):
        core_template("fe2")


def test_metals_and_donors_stay(core):
    start = start_geometries(core, R_BTT, limit=1)[0]
    np.testing.assert_allclose(metals(start.cluster), metals(core), atol=1e-10)
    assert nearest(start.cluster.coords[list(start.held)], core.coords) < 1e-10
    assert len(start.held) >= 12
    assert start.cluster.formula == "C40H40Au2Cu2N4S8"
    assert (start.cluster.charge, start.cluster.multiplicity) == (0, 1)
    assert expected_charge(start.cluster) == 0


@pytest.mark.parametrize(("smiles", "label"), [(R_BTT, "R"), (R_BTT.replace("@", "@@"), "S")])
def test_both_hands_of_the_core_with_one_hand_of_the_ligand(core, smiles, label):
    starts = start_geometries(core, smiles, handedness="both", limit=2)
    assert {core_handedness(start.cluster) for start in starts} == {"P", "M"}
    assert all(cip_labels(start.cluster) == [label] * 4 for start in starts)


def test_a_hand_of_the_core_without_room_is_left_out_and_told(target):
    """tert-Butyl groups next to the nitrogens meet on the mirror image of the core."""
    smiles = "S=C1N[C@H](C(C)(C)C)CS1"
    same = start_geometries(target, smiles, limit=1)
    with pytest.raises(InputError, match="do not fit"):
        start_geometries(target, smiles, handedness="other", limit=1)
    (both,) = start_geometries(target, smiles, handedness="both", limit=1)
    assert (
        both.cluster.source
        == f"{same[0].cluster.source}; none on the mirror image of the core, where they overlap"
    )


def test_other_is_the_mirror_image_of_the_core(core):
    (start,) = start_geometries(core, "S=CN", handedness="other", limit=1)
    np.testing.assert_allclose(metals(start.cluster), metals(core.mirrored()), atol=1e-10)


def test_the_shipped_cluster_is_rebuilt_from_its_smiles(target):
    """One of the conformers has every ring atom where the shipped structure has it."""
    starts = start_geometries(target, R_BTT, limit=6)
    whole = [start for start in starts if len(start.held) == 4 + 4 * 6]
    assert whole
    for start in whole:
        assert nearest(start.cluster.coords[list(start.held)], target.coords) < 0.1 * angstrom


@pytest.mark.parametrize("smiles", ["SC1=NCCS1", "[S-]C1=NCCS1", "S=C1[N-]CCS1", "[S:2]=C1[NH:1]CCS1"])
def test_every_way_to_draw_the_ligand_gives_one_cluster(core, smiles):
    drawn = start_geometries(core, smiles, limit=1)[0]
    thione = start_geometries(core, "S=C1NCCS1", limit=1)[0]
    assert drawn.cluster.formula == thione.cluster.formula == core.formula
    assert drawn.energy_kcal == pytest.approx(thione.energy_kcal, abs=0.1)  # where the search stops


@pytest.mark.parametrize(
    ("smiles", "charge"),
    [
        ("S=C1NCCS1", -1),
        ("Sc1nc2ccccc2[nH]1", -1),
        ("S=C1N[C@@H](C(=O)[O-])CS1", -2),
        ("S=C1N[C@H](C[N+](C)(C)C)CS1", 0),
        ("S=C1N[C@H](c2ccc(cc2)[N+](=O)[O-])CS1", -1),
    ],
)
def test_the_donors_lose_their_proton_whatever_charge_the_rest_of_the_ligand_has(core, smiles, charge):
    assert bind(smiles, find_sites(core)[0][0]).charge == charge


def test_charged_groups_of_the_ligands_change_the_charge_of_the_cluster(core):
    cluster = start_geometries(core, "S=C(N)C(=O)[O-]", limit=1)[0].cluster
    assert (cluster.formula, cluster.charge, expected_charge(cluster)) == ("C8H4Au2Cu2N4O8S4", -4, -4)


def test_donors_of_another_element_stand_at_their_own_distance(core):
    """The thioamide turned about: S on copper, N on gold, and no bond of the ligand torn."""
    cluster = start_geometries(core, "[S:1]=C[NH2:2]", limit=1)[0].cluster
    lengths: dict[str, list[float]] = {}
    for i, j in bonds(cluster.symbols, cluster.coords):
        pair = "-".join(sorted((cluster.symbols[i], cluster.symbols[j])))
        distance = float(np.linalg.norm(cluster.coords[i] - cluster.coords[j]) / angstrom)
        lengths.setdefault(pair, []).append(distance)
    assert len(lengths["Cu-S"]) == len(lengths["Au-N"]) == 4
    assert 2.2 < min(lengths["Cu-S"]) < max(lengths["Cu-S"]) < 2.35
    assert 1.95 < min(lengths["Au-N"]) < max(lengths["Au-N"]) < 2.1
    assert 1.6 < min(lengths["C-S"]) < max(lengths["C-S"]) < 1.85
    assert 1.25 < min(lengths["C-N"]) < max(lengths["C-N"]) < 1.45


def test_no_start_has_a_torn_ring(core):
    for start in start_geometries(core, "S=C1NCCN1"):
        for i, j in bonds(start.cluster.symbols, start.cluster.coords):
            if {start.cluster.symbols[i], start.cluster.symbols[j]} == {"C", "N"}:
                assert np.linalg.norm(start.cluster.coords[i] - start.cluster.coords[j]) < 1.6 * angstrom


def test_a_kept_ligand_counts_as_what_it_is(core):
    """Kept ligands press on the new ones as their own atoms do, not as metals."""
    new = start_geometries(core, "S=C1NCCS1", limit=1)[0]
    kept = start_geometries(core, ["S=C1NCCS1", None, "S=C1NCCS1", None], limit=1)[0]
    assert kept.energy_kcal == pytest.approx(
        new.energy_kcal, abs=40
    )  # the kept ones are not relaxed by MMFF94


def test_mixed_ligands_and_kept_ones(core):
    mixed = start_geometries(core, [R_BTT, None, R_BTT, None], limit=1)[0].cluster
    assert mixed.formula == "C26H28Au2Cu2N4S8"
    assert core_handedness(mixed) == core_handedness(core)
    assert cip_labels(mixed) == ["R", "R"]


def test_a_single_donor_points_its_lone_pair_at_the_metal(gold_chloride):
    """PMe3 on gold: the halide stays, every Au-P-C angle is that of a tetrahedral phosphorus."""
    cluster = start_geometries(gold_chloride, "CP(C)C", limit=1)[0].cluster
    assert cluster.formula == "C3H9AuClP"
    gold, phosphorus = cluster.symbols.index("Au"), cluster.symbols.index("P")
    assert np.linalg.norm(cluster.coords[gold] - cluster.coords[phosphorus]) / angstrom == pytest.approx(2.23)
    for i, symbol in enumerate(cluster.symbols):
        if symbol == "C":
            a, b = (cluster.coords[j] - cluster.coords[phosphorus] for j in (gold, i))
            angle = np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
            assert 105 < angle < 130


def test_a_carbene_takes_the_place_of_a_carbene():
    """1,3-dimethylimidazol-2-ylidene on gold, drawn as the carbene or as its zwitterion; another ring is told."""
    symbols = ("Au", "C", "N", "N", "C", "C", "H", "H", "H", "H", "Cl")
    xyz = [[0, 0, 0], [0, 0, 2], [1.07, 0, 2.85], [-1.07, 0, 2.85], [0.68, 0, 4.17], [-0.68, 0, 4.17],
           [2, 0, 2.5], [-2, 0, 2.5], [1.38, 0, 5], [-1.38, 0, 5], [0, 0, -2.28]]  # fmt: skip
    core = Cluster("carbene", symbols, np.array(xyz) * angstrom)
    (start,) = start_geometries(core, "[C]1N(C)C=CN1C", limit=1)
    assert (start.cluster.formula, start.cluster.charge) == ("C5H8AuClN2", 0)
    site = find_sites(core)[0][0]
    assert bind("C[n+]1ccn(C)[c-]1", site).charge == 0
    with pytest.raises(InputError, match=r"C3H4N2 \(C on Au\): it has no C\(N\)\(N\) group") as refusal:
        bind("CP(C)C", site)
    assert "acidic" not in refusal.value.fix


def test_neutral_bridges_keep_the_charge_of_the_core(gold_diphosphine):
    cluster = start_geometries(gold_diphosphine, "CP(C)CP(C)C", limit=1)[0].cluster
    assert (cluster.formula, cluster.charge) == ("C10H28Au2P4", 2)


@pytest.mark.parametrize(
    ("core_smiles", "smiles", "bound"),
    [
        ("[O:1]=C(C)[OH:2]", "O[C@H](C)C(=O)O", "lactate"),
        ("[O:1]=C(C)[OH:2]", "C[C@H]([NH3+])C(=O)[O-]", "alanine"),
        ("[S:1]=C(C)[SH:2]", "CN(C)C(=S)[S-]", "dithiocarbamate"),
        ("C[N:1]=C[NH:2]C", "CN=C(NC)N(C)C", "guanidinate"),
    ],
)
def test_ends_that_resonance_makes_the_same_are_one_way_to_bind(core, core_smiles, smiles, bound):
    """A carboxylate on a carboxylate core: which O is drawn with the double bond does not matter."""
    site = find_sites(start_geometries(core, core_smiles, limit=1)[0].cluster)[0][0]
    charge = 0 if bound == "alanine" else -1
    assert bind(smiles, site).charge == charge


def test_ends_that_differ_are_two_ways(core):
    site = find_sites(core)[0][0]
    with pytest.raises(InputError) as refusal:
        bind("O=c1cc[nH]c(=S)[nH]1", site)
    ways = re.findall(r"'(.*?)'", refusal.value.fix)
    assert len(ways) == 2
    for marked in ways:  # as proposed
        assert bind(marked, site).charge == -1


def test_an_amidine_loses_the_proton_of_its_amine(core):
    site = find_sites(start_geometries(core, "C[N:1]=C[NH:2]C", limit=1)[0].cluster)[0][0]
    for smiles in ("N=CN", "NC=N"):
        molecule = bind(smiles, site).molecule
        hydrogens = [
            a.GetTotalNumHs(includeNeighbors=True) for a in molecule.GetAtoms() if a.GetSymbol() == "N"
        ]
        assert hydrogens == [1, 1]


def test_marked_donors_are_as_far_apart_as_in_the_free_ligand(core):
    """Acetate where a thionate was: no C-O stretched to the old distance of N and S."""
    cluster = start_geometries(core, "[O:1]=C(C)[OH:2]", limit=1)[0].cluster
    for i, j in bonds(cluster.symbols, cluster.coords):
        if {cluster.symbols[i], cluster.symbols[j]} == {"C", "O"}:
            distance = np.linalg.norm(cluster.coords[i] - cluster.coords[j]) / angstrom
            assert distance == pytest.approx(1.26, abs=0.04)  # acetate in crystals


@pytest.mark.parametrize(("smiles", "other"), [("S=C1N[C@H](C)CS1", "S=C1N[C@@H](C)CS1"), ("S=CN", "S=CN")])
def test_enantiomers_are_mirror_images_atom_by_atom(core, smiles, other):
    starts = start_geometries(core, smiles)
    images = start_geometries(core.mirrored(), other)
    assert len(starts) == len(images)
    for start, image in zip(starts, images, strict=True):
        np.testing.assert_allclose(image.cluster.mirrored().coords, start.cluster.coords, atol=1e-8)
        assert image.held == start.held


def test_isotopes_are_left_out_and_told(core):
    plain = start_geometries(core, "S=C1NCCS1", limit=1)[0].cluster
    for smiles in ("S=C1N([2H])CCS1", "S=C1NC([2H])CS1", "S=[13C]1NCCS1"):
        labelled = start_geometries(core, smiles, limit=1)[0].cluster
        np.testing.assert_allclose(labelled.coords, plain.coords, atol=1e-8)
        assert "isotope labels left out" in labelled.source
    assert "bound as C1C[N:1]=C([S-:2])S1" in plain.source


def test_every_ligand_is_the_atropisomer_that_was_drawn(core):
    """The torsion about the N-aryl axis has one sign in all ligands, and the other for the other wedge."""
    signs = {}
    for wedge in ("wU", "wD"):
        cluster = start_geometries(core, f"Cc1cccc(Cl)c1N1C=CNC1=S |{wedge}:7.6|", limit=1)[0].cluster
        signs[wedge] = axis_signs(cluster)
        assert len(signs[wedge]) == 4
        assert len(set(signs[wedge])) == 1
    assert signs["wU"][0] == -signs["wD"][0]


def axis_signs(cluster: Cluster) -> list[float]:
    """Sign of each torsion C(Cl)-C-N-C(S)."""
    near = neighbour_lists(cluster.natom, bonds(cluster.symbols, cluster.coords))
    signs = []
    for chlorine in (i for i, symbol in enumerate(cluster.symbols) if symbol == "Cl"):
        (ortho,) = near[chlorine]
        ipso, ring = next((i, n) for i in near[ortho] for n in near[i] if cluster.symbols[n] == "N")
        thione = next(c for c in near[ring] if "S" in [cluster.symbols[s] for s in near[c]])
        chain = cluster.coords[[ortho, ipso, ring, thione]]
        a, b, c = np.diff(chain, axis=0)
        signs.append(float(np.sign(np.cross(a, b) @ c)))
    return signs


def test_a_mixture_tries_the_low_shapes_of_every_ligand_first():
    shapes = [["a", "b", "c"], ["d", "e"], ["f", "g", "h"]]
    found = list(_combinations(shapes))  # type: ignore[arg-type]
    assert len(found) == len(set(found)) == 18
    assert found[:4] == [("a", "d", "f"), ("a", "d", "g"), ("a", "e", "f"), ("b", "d", "f")]


def test_a_refusal_on_a_core_of_several_ligands_lists_them(gold_thiolate_phosphine):
    with pytest.raises(InputError) as refusal:
        start_geometries(gold_thiolate_phosphine, "CP(C)C")
    assert "1 CH3S (S on Au), 2 H3P (P on Au)" in refusal.value.fix
    (start,) = start_geometries(gold_thiolate_phosphine, [None, "CP(C)C"], limit=1)
    assert (start.cluster.formula, start.cluster.charge) == ("C4H12AuPS", 0)
    (start,) = start_geometries(gold_thiolate_phosphine, ["Sc1ccccc1", None], limit=1)
    assert (start.cluster.formula, start.cluster.charge) == ("C6H8AuPS", 0)


@pytest.mark.parametrize(
    ("ligand", "message"),
    [
        ("S=C1N[C@H", "not a valid SMILES"),
        ("", "not a valid SMILES"),
        ("S=C1NCCS1.O", "more than one molecule"),
        ("[Na+].[S-]C1=NCCS1", "more than one molecule"),
        ("S=C1NC(C)CS1", "leaves the hand of stereocentres open: atom 4"),
        ("CCO", "no N-C-S group"),
        ("CN=C=S", "no N-C-S group that can lose"),
        ("O=C1NCCS1", "no N-C-S group"),  # a thioether's S
        ("CCN(CC)C(=S)S", "no N-C-S group"),  # a tertiary amine's N
        ("S=C1NCCS1 C", "not a valid SMILES"),
        ("S=C1N[C@H](CC=CC)CS1", "double bond between atoms 6 and 7"),
        ("[NH-]C[S-]", "have charge -2"),
        ("c1ccccc1P(c1ccccc1)c1ccccc1", "no N-C-S group"),
        ("[Se:2]=C[NH2:1]", "no force field"),
        ("S=C(N)NC(=S)NC", "ways"),
        ("[S:3]=C1[NH:1]CCS1", "marks the donors"),
        ("S=C1[NH:1]CCS1", "marks the donors"),
        ("[SH:2]CC[NH2:1]", "atom.s. between its donors"),
        ("C[P:1](C)C[P:2](C)C", "charge 0, those of the ligand it replaces, C3H4NS2 .N on Cu, S on Au., -1"),
        ("S=C1N[C@H](CC=NO)CS1", "double bond between atoms 6 and 7"),
        ("S=C1N[C]CS1", "carbene carbon that is no donor, atom 4"),
        (["S=CN", "S=CN"], "2 ligands were given"),
        (["S=CN", "S=CN"], "1 to 4 C3H4NS2 .N on Cu, S on Au."),
        ([None] * 4, "nothing to build"),
    ],
)
def test_ligands_that_make_no_cluster_are_refused(core, ligand, message):
    with pytest.raises(InputError) as refusal:
        start_geometries(core, ligand)
    assert re.search(message, str(refusal.value))


def test_ligands_without_room_and_cores_without_ligands_are_refused(core):
    with pytest.raises(InputError, match="do not fit"):
        start_geometries(core, "S=C(NC(C)(C)C)C(C)(C)C")
    water = Cluster("water", ("O", "H", "H"), np.array([[0, 0, 0], [1.8, 0, 0], [-0.45, 1.75, 0]]))
    with pytest.raises(InputError, match="binds no metal"):
        start_geometries(water, "S=CN")
    with pytest.raises(InputError, match="handedness"):
        start_geometries(core, "S=CN", handedness="P")  # type: ignore[arg-type]
