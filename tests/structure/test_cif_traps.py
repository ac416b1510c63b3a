"""Traps of published files, each in a small crystal: the molecule and the counts of a cell must come out of them."""

from __future__ import annotations

from pathlib import Path

import gemmi
import pytest

from cluster_qc.errors import StructureError
from cluster_qc.structure import inspect_cif
from cluster_qc.structure.crystal import formula_counts

COLUMNS = "label fract_x fract_y fract_z occupancy disorder_group"
HEXAGONAL = (20, 20, 14, 90, 90, 120)
CHLORIDE = ["Au1 0 0 0.2 1 .", "Cl1 0 0 0.36 1 ."]
"""On the sixfold axis: two molecules in a cell of P 6 2 2."""


@pytest.fixture
def save(tmp_path: Path):
    def write(
        rows: list[str],
        *,
        group: str = "P 1",
        cell: tuple[float, ...] = (12, 12, 12, 90, 90, 90),
        operations: list[str] | None = None,
        columns: str = COLUMNS,
        extra: str = "",
    ) -> Path:
        if operations is None:
            operations = [op.triplet() for op in gemmi.find_spacegroup_by_name(group).operations()]
        names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
        lines = [f"data_trap\n_space_group_name_H-M_alt '{group}'\n{extra}"]
        lines += [f"_cell_{name} {value}" for name, value in zip(names, cell, strict=True)]
        if operations:
            lines += ["loop_", "_space_group_symop_operation_xyz", *(f"'{op}'" for op in operations)]
        lines += ["loop_", *(f"_atom_site_{name}" for name in columns.split()), *rows, ""]
        path = tmp_path / "trap.cif"
        path.write_text("\n".join(lines))
        return path

    return write


# --- counts by occupancy ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "count"), [(0.5, 6), (0.3333, 4), (0.1667, 2)])
@pytest.mark.parametrize("group", ["-1", "."])
def test_a_water_beside_a_twofold_axis_counts_by_its_occupancy(save, share, count, group):
    water = f"O1 0.35 0.35 0.03 {share} {group}"  # twelve places, two on each axis exclude each other
    report = inspect_cif(save([*CHLORIDE, water], group="P 6 2 2", cell=HEXAGONAL))
    assert report.cluster.formula == "AuCl"
    assert report.others == (("H2O", count),)


def test_alternatives_on_and_beside_an_axis_count_by_their_places(save):
    rows = [*CHLORIDE, "Cl2 0.35 0.35 0.03 0.25 1", "Cl3 0.38 0.38 0 0.1667 2"]  # 12 * 0.25 + 6 / 6
    report = inspect_cif(save(rows, group="P 6 2 2", cell=HEXAGONAL))
    assert report.others == (("Cl", 4),)


@pytest.mark.parametrize(("share", "order"), [(0.25, 1), (0.5, 2)])
def test_a_general_site_beside_an_axis_counts_twice_and_one_on_it_once(save, share, order):
    rows = ["Au1 0 0 0.2 1 6", "Cl1 0 0 0.36 1 6", f"Cl2 0.35 0.35 0.005 {share} {order}"]
    columns = "label fract_x fract_y fract_z occupancy site_symmetry_order"
    report = inspect_cif(save(rows, group="P 6 2 2", cell=HEXAGONAL, columns=columns))
    assert report.others == (("Cl", 3),)


@pytest.mark.parametrize(("choice", "formula"), [("major", "AuBrP"), ("A", "AuBrP"), ("B", "AuClP")])
@pytest.mark.parametrize("groups", [(1, 2), (-1, -2), (-3, -4)])
def test_alternatives_with_negative_numbers_are_chosen_like_others(save, groups, choice, formula):
    rows = ["Au1 0.2 0.2 0.2 1 . .", "P1 0.39 0.2 0.2 1 . ."]
    rows += [f"Br1 0.01 0.15 0.2 0.6 A {groups[0]}", f"Cl1 0.02 0.27 0.2 0.4 A {groups[1]}"]
    columns = "label fract_x fract_y fract_z occupancy disorder_assembly disorder_group"
    report = inspect_cif(save(rows, columns=columns), disorder=choice)
    assert report.cluster.formula == formula
    assert [(group.group, group.kept) for group in report.groups] == [
        (groups[0], formula == "AuBrP"),
        (groups[1], formula == "AuClP"),
    ]


def test_a_hydrogen_of_an_alternative_left_out_goes_with_it(save):
    def place(x: float, y: float, share: float) -> str:
        return f"{x / 12:.4f} {y / 12:.4f} 0.6 {share} ."

    solvent = [f"C1 {place(7, 7, 0.7)}", f"H1 {place(6, 7, 0.7)}"]
    solvent += [f"C2 {place(7.6, 7, 0.3)}", f"H2 {place(7.6, 7.95, 0.3)}"]  # 1.12 angstrom from C1 too
    report = inspect_cif(save(["Au1 0.2 0.2 0.2 1 .", "Cl1 0.39 0.2 0.2 1 .", *solvent]))
    assert report.others == (("CH", 1),)


# --- sites shared in equal parts ----------------------------------------------------------------------------


def test_a_counter_ion_of_two_elements_in_equal_parts_does_not_refuse_the_cluster(save):
    rows = ["Au1 0.2 0.2 0.2 1 .", "P1 0.39 0.2 0.2 1 .", "Cl1 0.7 0.7 0.7 0.5 .", "Br1 0.7 0.7 0.7 0.5 ."]
    report = inspect_cif(save(rows))
    assert report.cluster.formula == "AuP"
    assert report.others == (("Cl", 1),)
    assert any("share one site in equal parts" in warning for warning in report.warnings)


def test_a_solid_with_a_shared_site_is_refused_as_a_solid(save):
    rows = ["U1 0 0 0 0.5 .", "Ca1 0 0 0 0.5 .", "O1 0.25 0.25 0.25 1 ."]
    with pytest.raises(StructureError) as caught:
        inspect_cif(save(rows, group="F m -3 m", cell=(5.4, 5.4, 5.4, 90, 90, 90)))
    assert caught.value.kind == "polymer"


@pytest.mark.parametrize(("pair", "told"), [("Tl Au", True), ("Ag Au", False)])
def test_metals_hardly_further_from_the_next_molecule_than_a_bond_are_told(save, pair, told):
    first, second = pair.split()
    a = 6.18 if told else 6.14  # bonds of 3.03 and 2.99, contacts of 3.15 angstrom to the next cell
    rows = [
        f"{first}1 0 0 0 1 .",
        f"{second}1 {1 - 3.15 / a:.5f} 0 0 1 .",
        f"C1 {1 - 3.15 / a:.5f} 0.17 0 1 .",
    ]
    warnings = inspect_cif(save(rows, cell=(a, 12, 12, 90, 90, 90))).warnings
    assert (
        any("3.15 angstrom to a neighbour is hardly longer than a bond" in text for text in warnings) == told
    )


# --- operators ----------------------------------------------------------------------------------------------


def test_centring_left_out_of_the_operators_is_added(save):
    group = gemmi.find_spacegroup_by_name("C 1 2/c 1")
    cell = (16, 14, 18, 90, 100, 90)
    rows = ["Au1 0.35 0.25 0 1 .", "Cl1 0.25 0.371 0 1 ."]  # half of Au2Cl2 about (1/4, 1/4, 0)
    primitive = [op.triplet() for op in group.operations().sym_ops]
    assert len(primitive) == 4
    report = inspect_cif(save(rows, group=group.hm, cell=cell, operations=primitive))
    whole = inspect_cif(save(rows, group=group.hm, cell=cell))
    assert report.cluster.formula == whole.cluster.formula == "Au2Cl2"
    assert report.copies_in_cell == whole.copies_in_cell == 4
    assert any("leaves out the centring of C 1 2/c 1" in warning for warning in report.warnings)
    assert not any("centring" in warning for warning in whole.warnings)


@pytest.mark.parametrize(
    ("loop", "told"),
    [
        ("_space_group_symop_magn_operation.xyz\n'x,y,z,+1'\n'-x,-y,-z,-1'", "magnetic group"),
        ("_space_group_symop_ssg_operation_algebraic\n'x1,x2,x3,x4'", "superspace group"),
    ],
)
def test_operators_of_other_groups_are_refused_by_their_name(save, loop, told):
    path = save(
        ["Au1 0 0 0 1 .", "Cl1 0.2 0 0 1 ."], group="?", operations=[], extra=f"loop_\n{loop}\n_x_y 1"
    )
    with pytest.raises(StructureError, match=told) as caught:
        inspect_cif(path)
    assert caught.value.kind == "symmetry"


# --- messages ---------------------------------------------------------------------------------------------


def test_the_row_with_a_lost_value_is_named(save):
    path = save(["Au1 0.1 0.1 0.1 1 .", "Cl1 0.28 0.1 1 .", "Cl2 -0.08 0.1 0.1 1 ."])
    wanted = path.read_text().splitlines().index("Cl1 0.28 0.1 1 .") + 1
    with pytest.raises(StructureError, match="Wrong number of values") as caught:
        inspect_cif(path)
    assert caught.value.line == wanted
    assert f":{wanted}:" in caught.value.what


def test_unknown_elements_are_named_where_no_metal_is_left(save):
    with pytest.raises(StructureError) as caught:
        inspect_cif(save(["Zz1 0.1 0.1 0.1 1 .", "Cl1 0.28 0.1 0.1 1 ."]))
    assert "Zz1" in caught.value.why


# --- atoms and formulae -------------------------------------------------------------------------------------


def test_coordinates_written_as_fractions_are_read_and_other_words_refused(save):
    report = inspect_cif(save(["Au1 1/4 1/4 0 1 .", "Cl1 1/4 0.4417 0 1 ."]))
    assert report.cluster.formula == "AuCl"
    with pytest.raises(StructureError, match="'1/0'"):
        inspect_cif(save(["Au1 1/0 1/4 0 1 .", "Cl1 1/4 0.4417 0 1 ."]))


def test_alternatives_that_the_database_suppressed_are_left_out_and_told(save):
    rows = ["Au1 0.2 0.2 0.2 1 .", "P1 0.39 0.2 0.2 1 .", "Cl1 0.01 0.2 0.2 1 .", "Cl1? 0.02 0.24 0.2 1 ."]
    report = inspect_cif(save(rows))
    assert report.cluster.formula == "AuClP"
    assert "dropped 1 suppressed site(s): Cl1?" in report.warnings


def test_a_metal_of_the_formula_without_a_site_is_told(save):
    with pytest.raises(StructureError, match="names Pt, but the atom list has no such atom") as caught:
        inspect_cif(
            save(["C1 0.1 0.1 0.1 1 .", "O1 0.2 0.1 0.1 1 ."], extra="_chemical_formula_sum 'C O Pt'")
        )
    assert caught.value.kind == "inconsistent"


def test_a_cluster_without_its_hydrogens_is_not_called_a_radical(save):
    rows = ["Au1 0.2 0.2 0.2 1 .", "P1 0.39 0.2 0.2 1 ."]
    report = inspect_cif(save(rows, extra="_chemical_formula_sum 'Au H P'"))
    assert report.missing_hydrogens == 1
    assert not any("odd number of electrons" in warning for warning in report.warnings)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("C30 B2 Au1, 1.5 C7 H8", {"C": 40.5, "B": 2, "Au": 1, "H": 12}),
        ("C4 H8 Au, 2(C H2 Cl2)", {"C": 6, "H": 12, "Au": 1, "Cl": 4}),
        ("C17.5 H31 O0.5 Ru", {"C": 17.5, "H": 31, "O": 0.5, "Ru": 1}),
    ],
)
def test_sum_formulae_with_solvent_behind_a_comma(text, counts):
    assert formula_counts(text) == counts
