"""Damaged files: an answer, or a refusal that says why; never another exception, never a silently other molecule."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cluster_qc.errors import InputError
from cluster_qc.structure import inspect_cif

ROUNDS = int(os.environ.get("CLUSTER_QC_DAMAGED_CIFS", "150"))
"""Damaged files for each whole one; thousands by hand, as many as a few seconds allow in the suite."""

HALF = """data_half
_audit_creation_method 'by hand; "quoted" words'
_chemical_formula_sum 'Cl2 H6 N2 Pt'
_cell_length_a 10.0
_cell_length_b 11.0
_cell_length_c 12.0
_cell_angle_alpha 80
_cell_angle_beta 85.5(2)
_cell_angle_gamma 95
_symmetry_space_group_name_H-M 'P -1'
loop_
_symmetry_equiv_pos_as_xyz
'x, y, z'
'-x, -y, -z'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Pt1 Pt 0 0 0
Cl1 Cl 0.23 0 0
N1 N 0.02 0.185 0
H1 H 0.06 0.21 0.06
H2 H -0.07 0.21 0
H3 H 0.06 0.21 -0.06
"""

DISORDERED = """data_salt
_chemical_formula_moiety 'Au Cl2 -, Na +, H2 O'
_cell_length_a 10.0
_cell_length_b 11.0
_cell_length_c 12.0
_cell_angle_alpha 90
_cell_angle_beta 95.0
_cell_angle_gamma 90
_space_group_IT_number 4
_refine_ls_abs_structure_Flack 0.02(3)
loop_
_space_group_symop_operation_xyz
'x,y,z'
'-x,1/2+y,-z'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
_atom_site_disorder_assembly
_atom_site_disorder_group
Au1 Au 0.1 0.1 0.1 1 . .
Cl1 Cl 0.1 0.3 0.1 1 . .
Cl2A Cl 0.1 -0.1 0.1 0.6 A 1
Cl2B Cl 0.13 -0.1 0.1 0.4 A 2
Na1 Na 0.4 0.3 0.5 1 . .
O1 O 0.7 0.3 0.3 0.5 . .
_shelx_res_file
;
TITL salt
REM it's "all" here # still text
;
# the end
"""

CHARACTERS = [
    *"0123456789.-+()'\";#_?xyz, \t\n",
    "\ufffd",
    "\x01",
    "\u2212",
    "[",
    "{",
    "$",
    "nan",
    "1e400",
    "9" * 400,
]


def damaged(text: str, rng: np.random.Generator) -> str:
    """One to three lines deleted, doubled, exchanged or cut, words replaced, characters put in."""
    lines = text.split("\n")
    for _ in range(rng.integers(1, 4)):
        k, other = (int(i) for i in rng.integers(0, len(lines), 2))
        line = lines[k]
        match int(rng.integers(0, 9)):
            case 0:
                del lines[k]
                lines = lines or [""]
            case 1:
                lines.insert(other, line)
            case 2:
                lines[k], lines[other] = lines[other], line
            case 3:
                lines[k] = line[: int(rng.integers(0, len(line) + 1))]
            case 4:
                lines = lines[: k + 1]
            case 5 | 6:
                place = int(rng.integers(0, len(line) + 1))
                lines[k] = (
                    line[:place] + str(rng.choice(CHARACTERS)) + line[place + int(rng.integers(0, 2)) :]
                )
            case 7:
                words = line.split(" ")
                words[int(rng.integers(0, len(words)))] = str(
                    rng.choice(
                        [
                            "?",
                            ".",
                            "nan",
                            "inf",
                            "-1e9",
                            "1e308",
                            "0.5.5",
                            "Xx",
                            "loop_",
                            "data_",
                            "D",
                            "'",
                            ";",
                            "0",
                        ]
                    )
                )
                lines[k] = " ".join(words)
            case 8:
                words = line.split(" ")
                a, b = (int(i) for i in rng.integers(0, len(words), 2))
                words[a], words[b] = words[b], words[a]
                lines[k] = " ".join(words)
    return "\n".join(lines)


@pytest.mark.parametrize("whole", [HALF, DISORDERED], ids=["half", "salt"])
def test_a_damaged_file_gives_an_answer_or_a_reason(tmp_path: Path, whole: str):
    rng = np.random.default_rng(20)
    path = tmp_path / "damaged.cif"
    answers = 0
    for _ in range(ROUNDS):
        text = damaged(whole, rng)
        path.write_bytes(text.encode())
        try:
            report = inspect_cif(path)
        except InputError as error:
            told = error.what
        else:
            told = f"{path.name} {report.as_json()}"
            answers += 1
        assert path.name in told, text
    assert 0.1 * ROUNDS < answers < 0.9 * ROUNDS


UNRELATED = (
    "# a comment\n",
    "_exptl_crystal_colour 'pale yellow'\n",
    "_publ_section_comment\n;\n data_x loop_ _cell_length_a 3 'open\n;\n",
    "loop_\n_geom_bond_atom_site_label_1\n_geom_bond_distance\nPt1 9.99\nAu1 nan\n",
    "_diffrn_ambient_temperature ?\n",
)


@pytest.mark.parametrize("whole", [HALF, DISORDERED], ids=["half", "salt"])
@pytest.mark.parametrize("extra", UNRELATED)
def test_what_is_no_structure_changes_no_answer(tmp_path: Path, whole: str, extra: str):
    path = tmp_path / "same.cif"
    path.write_text(whole)
    expected = inspect_cif(path)
    head, rest = whole.split("\n", 1)
    for text in (f"{head}\n{extra}{rest}", whole + extra, extra * extra.startswith("#") + whole):
        path.write_text(text)
        report = inspect_cif(path)
        assert report.as_json() == expected.as_json()
        assert np.array_equal(report.cluster.coords, expected.cluster.coords)


@pytest.mark.parametrize(
    ("row", "told"), [("Cl1 Cl", "do not add up"), ("N1 N", "do not add up"), ("H2 H", "were added at ideal")]
)
def test_a_lost_atom_is_told(tmp_path: Path, row: str, told: str):
    lines = [line for line in HALF.split("\n") if not line.startswith(row)]
    path = tmp_path / "lost.cif"
    path.write_text("\n".join(lines))
    assert any(told in warning for warning in inspect_cif(path).warnings)
