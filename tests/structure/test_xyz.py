"""XYZ files: a round trip, and every way to be wrong says so with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cluster_qc.errors import InputError, StorageError, StructureError
from cluster_qc.model import Cluster
from cluster_qc.structure import read_xyz, write_xyz
from cluster_qc.structure.xyz import label_warnings, stated_charge
from cluster_qc.units import angstrom

WATER = "3\nwater\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n"


@pytest.fixture
def save(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "test.xyz"
        path.write_bytes(text.encode())
        return path

    return write


def test_reads_angstrom_into_bohr(save):
    cluster = read_xyz(save(WATER))
    assert cluster.name == "test"
    assert cluster.symbols == ("O", "H", "H")
    assert cluster.coords[1, 0] == pytest.approx(0.96 * angstrom)
    assert cluster.fragments == ()


def test_round_trip_with_a_comment_of_several_lines(tmp_path):
    start = Cluster("a", ("Au", "Cl"), np.array([[0, 0, 0], [0.1, -0.2, 4.3]]))
    path = tmp_path / "a.xyz"
    write_xyz(start, path, comment="first\nsecond\r\nthird")
    assert path.read_text().splitlines()[1] == "first second third"
    again = read_xyz(path, charge=start.charge, name="b")
    assert again.name == "b"
    assert np.allclose(again.coords, start.coords, atol=1e-7)
    assert {f.name for f in again.fragments} == {"metal core", "donors"}


def test_extra_columns_fortran_exponents_case_and_blank_end(save):
    cluster = read_xyz(save("2\n\nau 0 0 0 0.1 0.2\nCL 0 0 2.3D0 -0.1\n\n\n"))
    assert cluster.symbols == ("Au", "Cl")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", None),
        ("water\n\nO 0 0 0\n", 1),
        ("0\n\n", 1),
        (WATER.replace("3\n", "4\n"), 5),
        (WATER.replace("3\n", "2\n"), 5),
        (WATER + WATER, 6),
        (WATER.replace("0.96", "x"), 4),
        (WATER.replace("0.96", "nan"), 4),
        (WATER.replace("0.96", "inf"), 4),
        (WATER.replace("H 0.96 0 0", "H 0.96 0"), 4),
        (WATER.replace("H 0.96", "Xx 0.96"), 4),
        (WATER.replace("H 0.96 0 0", ""), 4),
    ],
)
def test_bad_files_name_the_line(save, text, line):
    with pytest.raises(StructureError) as caught:
        read_xyz(save(text))
    assert caught.value.kind == "malformed"
    assert caught.value.line == line


def test_missing_directory_binary_and_wrong_charge(save, tmp_path):
    for path in (tmp_path / "none.xyz", tmp_path):
        with pytest.raises(StructureError):
            read_xyz(path)
    with pytest.raises(StructureError, match="binary"):
        read_xyz(save("3\n\0\n"))
    with pytest.raises(InputError, match="multiplicity"):
        read_xyz(save(WATER), charge=1)
    with pytest.raises(StorageError, match="cannot write"):
        write_xyz(read_xyz(save(WATER)), tmp_path / "no" / "folder.xyz")


def test_charge_and_multiplicity_survive_a_file(tmp_path):
    ion = Cluster("ion", ("N", "O"), np.array([[0.0, 0, 0], [0, 0, 2.0]]), charge=1)
    write_xyz(ion, tmp_path / "ion.xyz")
    back = read_xyz(tmp_path / "ion.xyz")
    assert (back.charge, back.multiplicity) == (1, 1)
    assert stated_charge(tmp_path / "ion.xyz") == (1, 1)
    assert read_xyz(tmp_path / "ion.xyz", charge=-1).charge == -1
    (tmp_path / "plain.xyz").write_text("1\nhelium\nHe 0 0 0\n")
    assert stated_charge(tmp_path / "plain.xyz") == (None, None)
    assert read_xyz(tmp_path / "plain.xyz").charge == 0
    (tmp_path / "odd.xyz").write_text("1\ncharge=0.5 discharge=3\nHe 0 0 0\n")
    assert stated_charge(tmp_path / "odd.xyz") == (None, None)


def test_a_label_in_capitals_that_names_two_elements_is_told(tmp_path):
    path = tmp_path / "capitals.xyz"
    path.write_text("3\ncharge=1\nCU 0 0 0\nHO 0 0 2\nH 0 1 2\n")
    assert read_xyz(path).symbols == ("Cu", "Ho", "H")
    told = label_warnings(path)
    assert [warning.split(";")[0] for warning in told] == [
        "line 3: the label CU was read as Cu, not as C",
        "line 4: the label HO was read as Ho, not as H",
    ]
    path.write_text("2\ncharge=0\nCu 0 0 0\nH 0 0 1.5\n")
    assert label_warnings(path) == []
