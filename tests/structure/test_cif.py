"""Crystals to molecules: every file is written here, small enough to know the answer by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cluster_qc.errors import InputError, StructureError
from cluster_qc.structure import inspect_cif, read_cif
from cluster_qc.units import angstrom

P21 = ("x,y,z", "-x,y+1/2,-z")
INVERSION = ("x,y,z", "-x,-y,-z")


def cif(
    rows: list[str],
    *,
    operations: tuple[str, ...] = ("x,y,z",),
    cell: tuple[float, ...] = (10, 11, 12, 90, 90, 90),
    columns: str = "label type_symbol fract_x fract_y fract_z",
    extra: str = "",
    block: str = "test",
) -> str:
    """A CIF; each row of atoms is written as given, one value per column."""
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = [f"data_{block}"]
    lines += [f"_cell_{name} {value}" for name, value in zip(names, cell, strict=True)]
    lines += extra.splitlines()
    if operations:
        lines += ["loop_", "_space_group_symop_operation_xyz"] + [f"'{op}'" for op in operations]
    lines += ["loop_"] + [f"_atom_site_{column}" for column in columns.split()] + rows
    return "\n".join(lines) + "\n"


@pytest.fixture
def save(tmp_path: Path):
    def write(text: str, name: str = "test.cif") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


# ClAuPH3-like, bent over the cell face x = 0; Au-Cl 2.3, Au-P 2.2 angstrom, four atoms that are chiral together.
AUCL = [
    "Au1 Au 0.05 0.2 0.2",
    "Cl1 Cl 0.82 0.2 0.2",
    "P1 P 0.27 0.2 0.2",
    "F1 F 0.32 0.33 0.2",
    "I1 I 0.33 0.2 0.4",
]


def test_molecule_across_the_cell_boundary_is_whole_and_keeps_its_hand(save):
    split = inspect_cif(save(cif(AUCL, operations=P21)))
    shifted = [row.replace("0.82", "-0.18") for row in AUCL]
    whole = inspect_cif(save(cif(shifted, operations=P21)))
    a, b = split.cluster, whole.cluster
    assert a.symbols == b.symbols == ("Au", "Cl", "P", "F", "I")
    assert np.allclose(a.coords - a.coords[0], b.coords - b.coords[0])
    assert np.linalg.norm(a.coords[1] - a.coords[0]) / angstrom == pytest.approx(2.3)
    assert np.linalg.det(a.coords[2:] - a.coords[0]) * np.linalg.det(b.coords[2:] - b.coords[0]) > 0
    assert split.copies_in_cell == 2
    assert split.space_group_chiral


def test_skew_cells_place_the_atoms_as_the_metric_says(save):
    cell = (8.0, 9.0, 10.0, 80.0, 95.0, 110.0)
    report = inspect_cif(save(cif(["Au1 Au 0.1 0.1 0.1", "Cl1 Cl 0.1 0.1 0.33"], cell=cell)))
    distance = np.linalg.norm(report.cluster.coords[0] - report.cluster.coords[1]) / angstrom
    assert distance == pytest.approx(2.3)


PT = [
    "Pt1 Pt 0 0 0",
    "Cl1 Cl 0.23 0 0",
    "N1 N 0 0.18 0",
    "H1 H 0.06 0.21 0.06",
    "H1 H -0.09 0.21 0",
    "H1 H 0.06 0.21 -0.06",
]


def test_inversion_centre_gives_the_whole_molecule_once_and_labels_may_repeat(save):
    report = inspect_cif(save(cif(PT, operations=INVERSION)))
    assert report.cluster.formula == "Cl2H6N2Pt"
    assert report.copies_in_cell == 1
    assert not report.space_group_chiral
    assert report.cluster.charge == 0


def test_special_position_with_rounded_coordinates_is_one_atom(save):
    rows = [PT[0].replace("0 0 0", "0.0004 -0.0003 0.0"), *PT[1:]]
    cluster = read_cif(save(cif(rows, operations=INVERSION)))
    assert cluster.symbols.count("Pt") == 1
    centre = cluster.coords[[i for i, s in enumerate(cluster.symbols) if s == "Cl"]].mean(axis=0)
    assert np.allclose(cluster.coords[cluster.symbols.index("Pt")], centre, atol=1e-6)


@pytest.mark.parametrize("operations", [("x,y,z", "2-x,-y+3,-z-1"), ("x, y, z", "-X, -Y, -Z")])
def test_operators_over_one_and_in_capitals(save, operations):
    assert read_cif(save(cif(PT, operations=operations))).formula == "Cl2H6N2Pt"


def test_only_a_space_group_name(save):
    report = inspect_cif(save(cif(PT, operations=(), extra="_symmetry_space_group_name_H-M 'P -1'")))
    assert report.cluster.formula == "Cl2H6N2Pt"
    assert any("no symmetry operators" in warning for warning in report.warnings)


def test_windows_line_ends_brackets_and_byte_order_mark(save):
    rows = [row.replace("0.2 ", "0.2000(3) ") for row in AUCL]
    path = save("\ufeff" + cif(rows, operations=P21).replace("\n", "\r\n"))
    assert read_cif(path).formula == "AuClFIP"


def test_polymer_is_refused(save):
    rows = ["Ag1 Ag 0 0 0", "C1 C 0.4 0 0", "N1 N 0.62 0 0"]
    with pytest.raises(StructureError, match="polymer") as caught:
        read_cif(save(cif(rows, cell=(5.2, 11, 12, 90, 90, 90))))
    assert caught.value.kind == "polymer"


def test_metallophilic_contact_does_not_join_molecules(save):
    rows = [
        "Au1 Au 0 0 0",
        "Cl1 Cl 0 0.2 0",
        "Cl2 Cl 0 -0.2 0",
        "Au2 Au 0.31 0 0",
        "I1 I 0.31 0 0.21",
        "I2 I 0.31 0 -0.21",
    ]
    report = inspect_cif(save(cif(rows)))
    assert report.cluster.natom == 3
    assert sum(count for _, count in report.others) == 1


def test_sodium_is_an_ion_of_its_own_and_gives_the_charge(save):
    rows = ["Na1 Na 0.25 0.25 0", "Au1 Au 0 0 0", "Cl1 Cl 0 0.2 0", "Cl2 Cl 0 -0.2 0"]
    report = inspect_cif(save(cif(rows)))
    assert (report.cluster.formula, report.cluster.charge) == ("AuCl2", -1)
    assert report.others == (("Na", 1),)
    assert any("balances" in warning for warning in report.warnings)


def test_charge_of_the_moiety(save):
    extra = "_chemical_formula_moiety 'Au Cl2 -, 2(H2 O), Na +'"
    rows = ["Na1 Na 0.25 0.25 0", "Au1 Au 0 0 0", "Cl1 Cl 0 0.2 0", "Cl2 Cl 0 -0.2 0"]
    report = inspect_cif(save(cif(rows, extra=extra)))
    assert report.cluster.charge == -1
    assert report.charge_reason == "is stated in _chemical_formula_moiety"
    assert [(share.formula, share.count, share.charge) for share in report.charge_shares] == [
        ("Au", 1, 1),
        ("Cl", 2, -1),
    ]
    assert len(report.warnings) == 1
    assert "Flack" in report.warnings[0]


DISORDERED = "label type_symbol fract_x fract_y fract_z occupancy disorder_assembly disorder_group"
METHYL = [
    "Au1 Au 0 0 0 1 . .",
    "Cl1 Cl -0.23 0 0 1 . .",
    "C1A C 0.20 0.02 0 0.6 A 1",
    "C1B C 0.19 -0.06 0 0.4 A 2",
]


@pytest.mark.parametrize(("choice", "y"), [("major", 0.02), ("A", 0.02), ("B", -0.06)])
def test_one_of_two_alternatives_stays(save, choice, y):
    extra = "_chemical_formula_sum 'C Au Cl'"  # no hydrogens, so that none are added
    report = inspect_cif(save(cif(METHYL, columns=DISORDERED, extra=extra)), disorder=choice)
    assert report.cluster.formula == "CAuCl"
    assert report.cluster.coords[2, 1] / angstrom == pytest.approx(11 * y)
    assert [(g.assembly, g.group, g.occupancy) for g in report.groups] == [("A", 1, 0.6), ("A", 2, 0.4)]


def test_major_follows_the_occupancy_of_each_place_not_the_number(save):
    rows = [
        "Au1 Au 0 0 0 1 . .", "Cl1 Cl 0.23 0 0 0.3 A 1", "Cl2 Cl 0.21 0.08 0 0.7 A 2",
        "Br1 Br -0.24 0 0 0.8 A 1", "Br2 Br -0.22 0.08 0 0.2 A 2",
    ]  # fmt: skip
    cluster = read_cif(save(cif(rows, columns=DISORDERED)))
    assert cluster.formula == "AuBrCl"
    assert cluster.coords[1, 1] / angstrom == pytest.approx(0.88)
    assert cluster.coords[2, 1] == pytest.approx(0)


def test_disorder_error_and_an_unknown_choice(save):
    path = save(cif(METHYL, columns=DISORDERED))
    with pytest.raises(StructureError) as caught:
        inspect_cif(path, disorder="error")
    assert caught.value.kind == "disorder"
    with pytest.raises(InputError, match="minor"):
        inspect_cif(path, disorder="minor")  # type: ignore[arg-type]
    assert not inspect_cif(save(cif(AUCL)), disorder="error").groups


def test_groups_without_occupancies(save):
    rows = [" ".join([*row.split()[:5], "?", *row.split()[6:]]) for row in METHYL]
    extra = "_chemical_formula_sum 'C Au Cl'"
    assert read_cif(save(cif(rows, columns=DISORDERED, extra=extra))).formula == "CAuCl"


def test_negative_group_keeps_one_of_its_symmetry_copies(save):
    rows = [
        "Pt1 Pt 0 0 0 1 . .",
        "Cl1 Cl 0.23 0 0 1 . .",
        "N1 N 0 0.5 0.02 0.5 . -1",
        "O1 O 0 0.5 -0.08 0.5 . -1",
    ]
    report = inspect_cif(save(cif(rows, operations=INVERSION, columns=DISORDERED)))
    assert report.cluster.formula == "Cl2Pt"
    assert report.others == (("NO", 1),)
    assert [g.group for g in report.groups] == [-1]


def test_anion_turning_about_a_threefold_axis_is_not_twelve_fluorines(save):
    extra = "_symmetry_space_group_name_H-M 'P 3'"
    rows = [
        "Ag1 Ag 0 0 0 1 . .", "Cl1 Cl 0 0 0.24 1 . .", "B1 B 0.3333 0.6667 0.5 1 . .",
        "F1 F 0.3333 0.6667 0.64 1 . .", "F2 F 0.4603 0.6667 0.453 0.5 . .", "F3 F 0.3333 0.7937 0.453 0.5 . .",
    ]  # fmt: skip
    report = inspect_cif(
        save(cif(rows, operations=(), cell=(10, 10, 10, 90, 90, 120), columns=DISORDERED, extra=extra))
    )
    assert dict(report.others) == {"BF4": 1}


def test_overlapping_full_atoms_are_not_merged_silently(save):
    rows = [*AUCL, "Cl9 Cl 0.85 0.2 0.2"]
    with pytest.raises(StructureError) as caught:
        read_cif(save(cif(rows)))
    assert caught.value.kind == "overlap"
    assert all(label in str(caught.value) for label in ("Cl1", "Cl9"))


def test_a_site_listed_twice_counts_once(save):
    report = inspect_cif(save(cif([*AUCL, AUCL[1]])))
    assert report.cluster.natom == 5
    assert any("twice" in warning for warning in report.warnings)


def test_dummies_deuterium_and_unplaced_sites(save):
    columns = "label type_symbol fract_x fract_y fract_z calc_flag"
    rows = [f"{row} d" for row in PT] + ["Cg1 . 0.5 0.5 0.5 dum", "H9 H ? ? ? calc"]
    rows[3] = rows[3].replace(" H ", " D ")
    report = inspect_cif(save(cif(rows, operations=INVERSION, columns=columns)))
    assert report.cluster.formula == "Cl2H6N2Pt"
    text = " ".join(report.warnings)
    assert all(word in text for word in ("Cg1", "H9", "deuterium"))


def test_elements_from_labels_when_there_is_no_type(save):
    rows = [" ".join([row.split()[0], *row.split()[2:]]) for row in AUCL]
    assert read_cif(save(cif(rows, columns="label fract_x fract_y fract_z"))).formula == "AuClFIP"
    extra = "_chemical_formula_sum 'Au Cl F I P'"
    upper = [row.upper() for row in rows]
    assert (
        read_cif(save(cif(upper, columns="label fract_x fract_y fract_z", extra=extra))).formula == "AuClFIP"
    )


def test_several_blocks_need_a_choice(save):
    path = save(cif(AUCL, block="one") + cif(PT, block="two", operations=INVERSION))
    with pytest.raises(StructureError, match="one, two") as caught:
        read_cif(path)
    assert caught.value.kind == "ambiguous"
    assert read_cif(path, block="two").formula == "Cl2H6N2Pt"
    with pytest.raises(StructureError, match="no data block"):
        read_cif(path, block="three")
    assert read_cif(save("data_global\n_journal_year 2024\n" + cif(AUCL))).natom == 5


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "malformed"),
        ("hello world\n", "malformed"),
        ("data_x\n_cell_length_a 5\n", "missing"),
        (cif(AUCL, operations=()), "symmetry"),
        (cif(PT, operations=("x,y,z", "-x,-y+1/3,-z", "x+1/4,y,z")), "symmetry"),
        (cif(PT, operations=("x,y,z", "-x,-y,-q")), "malformed"),
        (
            cif([row.rsplit(" ", 1)[0] for row in AUCL], columns="label type_symbol fract_x fract_y"),
            "malformed",
        ),
        (cif([*AUCL, "Cl2 Cl 0.1 0.2"]), "malformed"),
        (cif([*AUCL, "Cl2 Cl 0.5 abc 0.2"]), "malformed"),
        (cif(AUCL).replace("_cell_length_b 11", "_cell_length_b ?"), "malformed"),
        (cif(["C1 C 0 0 0", "O1 O 0.12 0 0"]), "no-metal"),
    ],
)
def test_refusals_say_why(save, text, kind):
    with pytest.raises(StructureError) as caught:
        read_cif(save(text))
    assert caught.value.kind == kind
    assert "test.cif" in caught.value.what


def test_line_numbers_of_bad_values(save):
    text = cif([*AUCL, "Cl2 Cl 0.5 abc 0.2"])
    with pytest.raises(StructureError) as caught:
        read_cif(save(text))
    assert caught.value.line == len(text.splitlines())


def test_missing_file_and_directory(tmp_path):
    for path in (tmp_path / "none.cif", tmp_path):
        with pytest.raises(StructureError) as caught:
            read_cif(path)
        assert caught.value.kind == "missing"


def test_missing_hydrogens_are_added_and_counted_or_refused(save):
    rows = ["Au1 Au 0 0 0", "Cl1 Cl -0.23 0 0", "C1 C 0.203 0 0"]
    extra = "_chemical_formula_sum 'C H3 Au Cl'\n_chemical_formula_moiety 'C H3 Au Cl'"
    path = save(cif(rows, extra=extra))
    with pytest.raises(StructureError) as caught:
        read_cif(save(cif(rows, extra=extra.replace("H3", "H2")), "two.cif"))
    assert caught.value.kind == "hydrogens"
    report = inspect_cif(path)
    assert (report.cluster.formula, report.added_hydrogens) == ("CH3AuCl", 3)
    hydrogen = report.cluster.coords[3:] / angstrom
    carbon = report.cluster.coords[2] / angstrom
    assert np.allclose(np.linalg.norm(hydrogen - carbon, axis=1), 1.09)
    assert np.linalg.norm(hydrogen[0] - hydrogen[1]) == pytest.approx(1.78, abs=0.01)


def test_hydrogens_of_other_species_are_counted_in_their_formulae(save):
    rows = [*AUCL, "O1 O 0.5 0.7 0.7", "C1 C 0.5 0.5 0.8", "Cl2 Cl 0.66 0.53 0.8", "Cl3 Cl 0.34 0.53 0.8"]
    report = inspect_cif(save(cif(rows, extra="_chemical_formula_moiety 'Au Cl F I P, C H2 Cl2, H2 O'")))
    assert dict(report.others) == {"H2O": 1, "CH2Cl2": 1}
    assert report.added_hydrogens == 0
    assert any("without sites" in warning for warning in report.warnings)


def test_odd_electrons_give_a_doublet_with_a_warning(save):
    report = inspect_cif(save(cif(["Cu1 Cu 0 0 0", "Cl1 Cl 0.21 0 0", "Cl2 Cl -0.21 0 0"])))
    assert report.cluster.multiplicity == 2
    assert any("multiplicity 2" in warning for warning in report.warnings)
    assert inspect_cif(save(cif(["Cu1 Cu 0 0 0", "Cl1 Cl 0.21 0 0"])), charge=2).cluster.charge == 2


def test_report_as_json_has_the_documented_shape(save):
    extra = "_refine_ls_abs_structure_Flack 0.01(2)"
    report = inspect_cif(save(cif(AUCL, operations=P21, extra=extra)))
    data = json.loads(json.dumps(report.as_json()))
    assert {"cluster", "others", "disorder", "added_hydrogens", "chirality", "warnings"} <= set(data)
    assert {"formula", "natom", "charge", "copies_in_cell", "metal_metal_angstrom"} <= set(data["cluster"])
    assert {"present", "choice", "groups"} <= set(data["disorder"])
    assert data["chirality"] == {
        "space_group": "P 1 21 1",
        "space_group_chiral": True,
        "flack": 0.01,
        "flack_uncertainty": 0.02,
        "parameter": "Flack 0.01(2)",
        "absolute_structure": "as given",
        "absolute_structure_reason": "the Flack parameter 0.01(2) confirms the hand of the file",
        "cip": [],
        "core_handedness": None,
    }
