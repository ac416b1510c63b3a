"""New ligands on a core: donors, protons, hands, places; and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster
from cluster_qc.structure import cip_labels, core_handedness, mean_distances, read_xyz
from cluster_qc.structure.binding import bind, find_sites
from cluster_qc.structure.bonding import bonds
from cluster_qc.structure.builder import start_geometries
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


def test_neutral_bridges_keep_the_charge_of_the_core(gold_diphosphine):
    cluster = start_geometries(gold_diphosphine, "CP(C)CP(C)C", limit=1)[0].cluster
    assert (cluster.formula, cluster.charge) == ("C10H28Au2P4", 2)


@pytest.mark.parametrize(
    ("ligand", "message"),
    [
        ("S=C1N[C@H", "not a valid SMILES"),
        ("", "not a valid SMILES"),
        ("S=C1NCCS1.O", "more than one molecule"),
        ("S=C1NC(C)CS1", "leaves the hand of stereocentres open: atom 4"),
        ("CCO", "no N-C-S group"),
        ("CN=C=S", "no N-C-S group that can lose"),
        ("O=C1NCCS1", "no N-C-S group"),  # a thioether's S
        ("CCN(CC)C(=S)S", "no N-C-S group"),  # a tertiary amine's N
        ("S=C1NCCS1 C", "not a valid SMILES"),
        ("S=C1N[C@H](CC=CC)CS1", "double bond between atoms 6 and 7"),
        ("[NH-]C=[S-]", "have charge -2"),
        ("c1ccccc1P(c1ccccc1)c1ccccc1", "no N-C-S group"),
        ("[Se:2]=C[NH2:1]", "no force field"),
        ("S=C(N)NC(=S)NC", "ways"),
        ("[S:3]=C1[NH:1]CCS1", "marks the donors"),
        ("S=C1[NH:1]CCS1", "marks the donors"),
        ("[SH:2]CC[NH2:1]", "atom.s. between its donors"),
        (["S=CN", "S=CN"], "2 ligands were given"),
        ([None] * 4, "nothing to build"),
    ],
)
def test_ligands_that_make_no_cluster_are_refused(core, ligand, message):
    with pytest.raises(InputError, match=message):
        start_geometries(core, ligand)


def test_ligands_without_room_and_cores_without_ligands_are_refused(core):
    with pytest.raises(InputError, match="do not fit"):
        start_geometries(core, "S=C(NC(C)(C)C)C(C)(C)C")
    water = Cluster("water", ("O", "H", "H"), np.array([[0, 0, 0], [1.8, 0, 0], [-0.45, 1.75, 0]]))
    with pytest.raises(InputError, match="binds no metal"):
        start_geometries(water, "S=CN")
    with pytest.raises(InputError, match="handedness"):
        start_geometries(core, "S=CN", handedness="P")  # type: ignore[arg-type]
