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
    assert ["sum formula" in report.warnings[0], "Flack" in report.warnings[1]] == [True, True]
    assert len(report.warnings) == 2


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
        "stereocentres": [],
        "core_handedness": None,
    }


# --- dialects -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r"),
        lambda text: "#\\#CIF_2.0\n" + text,
        lambda text: text.rstrip("\n"),
        lambda text: text + "\x1a",
        lambda text: text.replace("_cell_", "_CELL_").replace("loop_", "LOOP_"),
        lambda text: text.replace("_cell_", "_cell.").replace("_atom_site_", "_atom_site.").replace("symop_", "symop."),
        lambda text: text.replace("'-x,-y,-z'", "'-X, 1.0-Y , -z'"),
        lambda text: text + "_shelx_hkl_file\n;\n   1   0   0    3.14    0.10\ndata_x loop_ 'open\n;\n",
        lambda text: text + "_publ_author_name 'M\u00fcller'\n_journal_name Zeitschrift_f\u00fcr\n",
        lambda text: text.replace("data_test", "data_my compound 1"),
    ],
)  # fmt: skip
def test_every_dialect_gives_the_same_molecule(save, change):
    expected = read_cif(save(cif(PT, operations=INVERSION)))
    path = save("")
    for encoding in ("utf-8", "utf-8-sig", "latin-1"):
        path.write_bytes(change(cif(PT, operations=INVERSION)).encode(encoding))
        cluster = read_cif(path)
        assert cluster.symbols == expected.symbols
        assert np.array_equal(cluster.coords, expected.coords)


def test_blocks_with_blanks_in_their_names_are_chosen_by_name(save):
    path = save(cif(AUCL, block="one a") + cif(PT, block="Two", operations=INVERSION))
    with pytest.raises(StructureError, match="one_a, Two"):
        read_cif(path)
    report = inspect_cif(path, block="one a")
    assert report.cluster.natom == 5
    assert any("blanks" in warning for warning in report.warnings)
    assert read_cif(path, block="two").formula == "Cl2H6N2Pt"


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("P2(1)/c", "P 1 21/c 1"), ("P 1 21/n 1", "P 1 21/n 1"), ("p 21 21 21", "P 21 21 21"),
        ("P 2_1 2_1 2_1", "P 21 21 21"),
        ("P n n n:2", "P n n n:2"), ("P n n n (origin 2)", "P n n n:2"), ("P n n n Z", "P n n n:2"),
        ("P-1 (No. 2)", "P -1"),
    ],
)  # fmt: skip
def test_operators_from_names_in_every_spelling(save, name, group):
    extra = f"_symmetry_space_group_name_H-M '{name}'"
    rows = ["Au1 Au 0.1 0.1 0.1", "Cl1 Cl 0.1 0.1 0.172"]
    report = inspect_cif(save(cif(rows, operations=(), cell=(30, 31, 32, 90, 90, 90), extra=extra)))
    assert report.space_group == group


@pytest.mark.parametrize(("setting", "cell", "copies"), [
    (":H", (30, 30, 30, 90, 90, 120), 9), (" H", (30, 30, 30, 90, 90, 120), 9), (":R", (30, 30, 30, 70, 70, 70), 3),
    ("", (30, 30, 30, 90, 90, 120), 9), ("", (30, 30, 30, 70, 70, 70), 3),
])  # fmt: skip
def test_rhombohedral_settings(save, setting, cell, copies):
    rows = ["Au1 Au 0.1 0.2 0.2", "Cl1 Cl 0.1 0.2 0.275"]
    report = inspect_cif(
        save(cif(rows, operations=(), cell=cell, extra=f"_symmetry_space_group_name_H-M 'R 3{setting}'"))
    )
    assert report.copies_in_cell == copies


@pytest.mark.parametrize(
    ("extra", "operations"),
    [
        ("_symmetry_space_group_name_H-M 'P n n n'", ()),  # which of two origins
        ("_symmetry_Int_Tables_number 14", ()),  # P21/c, P21/n, P21/a
        ("_symmetry_Int_Tables_number 999", ()),
        ("", ("x,y,z", "-y,x,z", "-x,-y,z", "y,-x,z")),  # a is not b
        ("", ("-x,-y,-z",)),
    ],
)
def test_symmetry_that_is_not_certain_is_refused(save, extra, operations):
    with pytest.raises(StructureError) as caught:
        read_cif(save(cif(AUCL, operations=operations, extra=extra)))
    assert caught.value.kind == "symmetry"


@pytest.mark.parametrize("text", ["x+0.1234,y,z", "2*x,y,z", "x,y", "x+1/5,y,z"])
def test_operators_that_are_none_are_refused_with_line_and_tag(save, text):
    with pytest.raises(StructureError, match="_space_group_symop_operation_xyz") as caught:
        read_cif(save(cif(AUCL, operations=("x,y,z", text))))
    assert caught.value.line == 11


def test_operators_and_name_that_disagree_are_told(save):
    report = inspect_cif(save(cif(PT, operations=INVERSION, extra="_symmetry_space_group_name_H-M 'P 21/c'")))
    assert report.space_group == "P -1"
    assert any("names the space group" in warning for warning in report.warnings)


def test_a_tag_given_twice_matters_only_for_the_structure(save):
    assert any("twice" in w for w in inspect_cif(save(cif(AUCL, extra="_a 1\n_a 2"))).warnings)
    with pytest.raises(StructureError, match="_cell_length_a is given twice") as caught:
        inspect_cif(save(cif(AUCL, extra="_cell_length_a 12")))
    assert caught.value.line == 2


def test_labels_that_name_two_elements_are_refused_and_centroids_dropped(save):
    rows = ["CU1 0 0 0", "CL1 0.21 0 0"]
    with pytest.raises(StructureError, match="C or Cu"):
        read_cif(save(cif(rows, columns="label fract_x fract_y fract_z")))
    report = inspect_cif(save(cif([*AUCL, "Cg1 . 0.5 0.5 0.5"])))
    assert any("Cg1" in warning for warning in report.warnings)


@pytest.mark.parametrize(("row", "tag"), [
    ("Cl2 Cl 0.5 1e300 0.2 1", "fract_y"), ("Cl2 Cl 0.5 . 0.2 1", "fract_y"), ("Cl2 Cl 0.5 0.2 0.2 1.4", "occupancy"),
    ("Cl2 Cl 0.5 0.2 0.2 nan", "occupancy"),
])  # fmt: skip
def test_bad_numbers_name_line_and_tag(save, row, tag):
    text = cif(
        [*(f"{row} 1" for row in AUCL), row], columns="label type_symbol fract_x fract_y fract_z occupancy"
    )
    with pytest.raises(StructureError, match=tag) as caught:
        read_cif(save(text))
    assert caught.value.line == len(text.splitlines())


# --- molecules, ions, solids --------------------------------------------------------------------------------


@pytest.mark.parametrize("distance", [2.95, 3.05, 3.15])
def test_argentophilic_contacts_do_not_merge_ions(save, distance):
    x = distance / 10
    rows = [
        f"{label} {label[:2]} {place} {y} 0"
        for place in (0, x)
        for label, y in (("Ag", 0), ("Cl1", 0.22), ("Cl2", -0.22))
    ]
    report = inspect_cif(save(cif(rows)))
    assert report.cluster.formula == "AgCl2"
    assert [(c.pair, c.where) for c in report.contacts if "Ag...Ag" in c.pair] == [
        ("Ag...Ag", "to a neighbour")
    ]


def test_metals_without_ligands_of_their_own_stay_in_the_cluster(save):
    rows = [
        "Au1 Au 0 0 0",
        "Au2 Au 0.27 0 0",
        "Au3 Au -0.27 0 0",
        "Cl1 Cl 0.27 0.21 0",
        "Cl2 Cl -0.27 0.21 0",
    ]
    assert read_cif(save(cif(rows))).formula == "Au3Cl2"


@pytest.mark.parametrize(
    ("rows", "cell"),
    [
        (["Au1 Au 0 0 0", "Au2 Au 0.5 0.5 0", "Au3 Au 0.5 0 0.5", "Au4 Au 0 0.5 0.5"], (4.08,) * 3),
        (["Na1 Na 0 0 0", "Cl1 Cl 0.5 0.5 0.5"], (4.1,) * 3),
        (["Pb1 Pb 0 0 0", "S1 S 0.5 0.5 0.5"], (4.2,) * 3),
        (["Cu1 Cu 0 0 0", "O1 O 0.5 0 0", "O2 O 0 0.5 0", "S1 S 0 0 0.5"], (3.8, 3.8, 9)),
    ],
    ids=["metal", "salt", "sulphide", "layer"],
)
def test_extended_solids_are_refused(save, rows, cell):
    with pytest.raises(StructureError) as caught:
        inspect_cif(save(cif(rows, cell=(*cell, 90, 90, 90))))
    assert caught.value.kind == "polymer"


def test_a_hydrogen_bond_does_not_join_molecules(save):
    rows = [*AUCL, "O1 O 0.5 0.6 0.6", "H1 H 0.6 0.6 0.6", "O2 O 0.73 0.6 0.6", "H2 H 0.8 0.66 0.6"]
    assert dict(inspect_cif(save(cif(rows))).others) == {"HO": 2}


# --- sites shared by elements -------------------------------------------------------------------------------

OCCUPIED = "label type_symbol fract_x fract_y fract_z occupancy"


@pytest.mark.parametrize(("choice", "formula"), [("major", "Br2Cu"), ("A", "Br2Cu"), ("B", "AgBr2")])
def test_a_site_shared_by_two_metals_is_chosen_and_told(save, choice, formula):
    rows = ["Cu1 Cu 0.01 0 0 0.7", "Ag1 Ag -0.01 0 0 0.3", "Br1 Br 0 0.2 0 1"]
    report = inspect_cif(save(cif(rows, operations=INVERSION, columns=OCCUPIED)), disorder=choice)
    assert report.cluster.formula == formula
    assert any("Cu1 (Cu, 0.7) and Ag1 (Ag, 0.3)" in warning for warning in report.warnings)


def test_a_site_shared_in_equal_parts_is_refused_unless_chosen(save):
    path = save(
        cif(
            ["Cu1 Cu 0 0 0 0.5", "Ag1 Ag 0 0 0 .5", "Br1 Br 0 0.2 0 1", "Br2 Br 0 -0.2 0 1"], columns=OCCUPIED
        )
    )
    with pytest.raises(StructureError, match="equal parts") as caught:
        read_cif(path)
    assert caught.value.kind == "disorder"
    assert read_cif(path, disorder="B").formula == "AgBr2"


def test_groups_of_different_composition_and_lonely_partial_atoms_are_told(save):
    rows = [
        "Au1 Au 0 0 0 0.7 A 1",
        "Ag1 Ag 0 0.01 0 0.3 A 2",
        "Cl1 Cl 0.23 0 0 0.8 . .",
        "Cl2 Cl -0.23 0 0 1 . .",
    ]
    text = " ".join(inspect_cif(save(cif(rows, columns=DISORDERED))).warnings)
    assert "1: Au (0.7), 2: Ag (0.3)" in text
    assert "Cl1 (0.8)" in text


def test_two_disordered_places_with_running_group_numbers_both_stay(save):
    rows = [
        "Au1 Au 0 0 0 1 . .", "Cl1 Cl 0.19 0.12 0 0.6 . 1", "Cl2 Cl 0.21 0.07 0 0.4 . 2",
        "Br1 Br 0.03 0.2 0 0.7 . 3", "Br2 Br -0.05 0.21 0 0.3 . 4",
    ]  # fmt: skip
    report = inspect_cif(save(cif(rows, columns=DISORDERED)))
    assert report.cluster.formula == "AuBrCl"
    assert [group.labels for group in report.groups if group.kept] == [("Cl1",), ("Br1",)]


# --- charge, hydrogens, hand --------------------------------------------------------------------------------


def test_charge_shares_add_up_and_a_wrong_sum_is_told(save):
    rows = ["Na1 Na 0.25 0.25 0", "Au1 Au 0 0 0", "Cl1 Cl 0 0.2 0", "Cl2 Cl 0 -0.2 0"]
    path = save(cif(rows))
    report = inspect_cif(path)
    assert sum(share.count * share.charge for share in report.charge_shares) == report.cluster.charge
    assert not any("oxidation" in warning for warning in report.warnings)
    wrong = inspect_cif(path, charge=3)
    assert any("oxidation" in warning for warning in wrong.warnings)
    assert report.cluster.nelectron == wrong.cluster.nelectron + 4


def test_free_electrons_of_the_core_are_told(save):
    rows = ["Au1 Au 0 0 0", "Au2 Au 0.26 0 0", "Au3 Au 0.13 0.21 0", "Cl1 Cl -0.14 -0.15 0"]
    text = " ".join(inspect_cif(save(cif(rows))).warnings)
    assert "2 valence electron(s)" in text


def test_neutron_lengths_move_hydrogens_along_their_bonds_only(save):
    path = save(cif(PT, operations=INVERSION))
    plain, moved = read_cif(path), read_cif(path, normalise_hydrogens=True)
    heavy = [i for i, symbol in enumerate(plain.symbols) if symbol != "H"]
    assert np.array_equal(plain.coords[heavy], moved.coords[heavy])
    nitrogen = plain.symbols.index("N")
    for i, symbol in enumerate(plain.symbols):
        before, after = plain.coords[i] - plain.coords[nitrogen], moved.coords[i] - moved.coords[nitrogen]
        if symbol == "H" and np.linalg.norm(before) < 1.3 * angstrom:
            assert np.linalg.norm(after) / angstrom == pytest.approx(1.015)
            assert np.linalg.norm(np.cross(before, after)) == pytest.approx(0, abs=1e-9)
    assert any("neutron" in w for w in inspect_cif(path, normalise_hydrogens=True).warnings)


def test_ammine_hydrogens_are_added_where_the_formula_asks_for_all_of_them(save):
    heavy = [row for row in PT if not row.startswith("H")]
    formula = "_chemical_formula_sum 'Cl2 H6 N2 Pt'"
    report = inspect_cif(save(cif(heavy, operations=INVERSION, extra=formula)))
    assert (report.cluster.formula, report.added_hydrogens) == ("Cl2H6N2Pt", 6)
    for other in ("H5", "H4"):
        refused = inspect_cif(save(cif(heavy, operations=INVERSION, extra=formula.replace("H6", other))))
        assert refused.added_hydrogens == 0
        assert refused.missing_hydrogens


@pytest.mark.parametrize(
    ("items", "operations", "verdict"),
    [
        ("_refine_ls_abs_structure_Flack 0.02(3)", P21, "as given"),
        ("_refine_ls_abs_structure_Flack -0.012(3)", P21, "as given"),
        ("_refine_ls_abs_structure_Flack 1.02(4)", P21, "inverted"),
        ("_refine_ls_abs_structure_Flack 0.48(4)", P21, "twinned"),
        ("_refine_ls_abs_structure_Flack 0.1(4)", P21, "uncertain"),
        ("_refine_ls_abs_structure_Flack 0.0", P21, "uncertain"),
        ("_refine_ls_abs_structure_Flack ?", P21, "unknown"),
        ("", P21, "unknown"),
        ("_refine_ls_abs_structure_Rogers 1.02(4)", P21, "as given"),
        ("_refine_ls_abs_structure_Rogers -0.98(4)", P21, "inverted"),
        (
            "_refine_ls_abs_structure_Flack ?\n_refine_ls_abs_structure_details 'Hooft y = 0.01(2)'",
            P21,
            "as given",
        ),
        ("_refine_ls_abs_structure_Flack 0.02(3)", INVERSION, "both hands"),
    ],
)
def test_how_far_the_data_fix_the_hand(save, items, operations, verdict):
    report = inspect_cif(save(cif(AUCL, operations=operations, extra=items)))
    assert report.absolute_structure == verdict
    assert report.as_json()["chirality"]["absolute_structure"] == verdict
    assert (report.absolute_reason in report.warnings) == (verdict not in ("as given", "both hands"))


def test_metal_angles_of_a_triangle_add_up_to_a_half_turn(save):
    rows = ["Au1 Au 0 0 0", "Cu1 Cu 0.28 0 0", "Au2 Au 0.12 0.23 0.02", "Cl1 Cl -0.23 0 0"]
    data = inspect_cif(save(cif(rows))).as_json()["cluster"]
    assert sum(angle["angle"] for angle in data["metal_angles_degrees"]) == pytest.approx(180, abs=0.02)
    assert {angle["triple"] for angle in data["metal_angles_degrees"]} == {"Au-Au-Cu", "Au-Cu-Au"}
