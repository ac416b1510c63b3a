"""Molden files, read again by PySCF's reader, which builds its own molecule and basis set."""

import numpy as np
import pytest
from pyscf.tools import molden

from cluster_qc.drivers.molden import write_molden
from cluster_qc.drivers.mole import ao_atoms, build_mole
from cluster_qc.model import Cluster, DFTMethod, GroundState


@pytest.fixture(scope="module")
def ground():
    """Gold sulfide with orthonormalised AOs as orbitals: an effective core potential and f functions, no SCF."""
    cluster = Cluster("aus", ("Au", "S"), np.array([[0, 0, 0], [0.5, 1.0, 4.2]]), charge=-1)
    method = DFTMethod("pbe0", basis="def2-svp")
    mole = build_mole(cluster, method)
    overlap = mole.intor("int1e_ovlp")
    values, vectors = np.linalg.eigh(overlap)
    nao = len(values)
    return GroundState(
        cluster, method, 0.0, np.linspace(-9, 1, nao)[None], (vectors / np.sqrt(values))[None],
        np.where(np.arange(nao) < 18, 2.0, 0.0)[None], overlap, ao_atoms(mole), np.array([60, 0]), np.zeros(3),
        0.0, True,
    )  # fmt: skip


def test_molden_file_reads_back_as_the_same_orthonormal_orbitals(ground, tmp_path, capsys):
    path = tmp_path / "all.molden"
    energies, occupations = ground.orbital_energies[0], ground.occupations[0]
    labels = [f"orbital_{i}" for i in range(len(energies))]
    write_molden(
        ground, path, ground.coefficients[0], energies=energies, occupations=occupations, labels=labels
    )
    mole, read_energies, coefficients, read_occupations, read_labels, _ = molden.load(str(path))
    capsys.readouterr()  # PySCF remarks that the potential itself is not in the file
    np.testing.assert_allclose(mole.atom_coords(), ground.cluster.coords, atol=1e-9)
    np.testing.assert_allclose(read_energies, energies, atol=1e-8)
    np.testing.assert_allclose(read_occupations, occupations)
    assert [label.lower() for label in read_labels] == labels  # that reader writes capitals
    overlap = mole.intor("int1e_ovlp")
    # the diffuse combinations are large differences: 14 digits are written
    np.testing.assert_allclose(coefficients.T @ overlap @ coefficients, np.eye(len(energies)), atol=1e-8)
    points = np.array([[0.3, -0.2, 1.0], [1.0, 1.5, 3.0], [-2.0, 0.7, 5.0]])
    there = mole.eval_gto("GTOval_sph", points) @ coefficients
    here = build_mole(ground.cluster, ground.method).eval_gto("GTOval_sph", points) @ ground.coefficients[0]
    np.testing.assert_allclose(there, here, atol=1e-8)


def test_gold_is_gold_and_its_core_is_told(ground, tmp_path):
    """Avogadro and Jmol read the third word as the atomic number; 79 less the 60 electrons of the core is potassium."""
    path = tmp_path / "one.molden"
    write_molden(
        ground, path, ground.coefficients[0][:, :1], energies=[-9.0], occupations=[2.0], labels=["x"]
    )
    lines = path.read_text().splitlines()
    first = lines.index("[Atoms] (AU)") + 1
    assert [line.split()[:3] for line in lines[first : first + 2]] == [["Au", "1", "79"], ["S", "2", "16"]]
    assert lines[lines.index("[Core]") + 1] == "1 : 60"
    assert {"[5D]", "[7F]", "[9G]"} <= set(lines)
    assert lines.index("[9G]") < lines.index("[MO]")
