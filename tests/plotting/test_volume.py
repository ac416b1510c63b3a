import numpy as np
import pytest

from cluster_qc.drivers.mole import ao_atoms, build_mole
from cluster_qc.drivers.volume import orbital_volume, orbital_volumes, write_cube
from cluster_qc.errors import InputError, ResourceError, StorageError
from cluster_qc.model import Cluster, DFTMethod, GroundState
from cluster_qc.units import angstrom


@pytest.fixture(scope="module")
def ground():
    """Water with orthonormalised AOs as orbitals: enough to test the grid, without an SCF."""
    coords = np.array([[0, 0, 0.117], [0, 0.757, -0.467], [0, -0.757, -0.467]]) * angstrom
    cluster = Cluster("water", ("O", "H", "H"), coords)
    method = DFTMethod("pbe0", basis="def2-svp")
    mole = build_mole(cluster, method)
    overlap = mole.intor("int1e_ovlp")
    values, vectors = np.linalg.eigh(overlap)
    nao = len(values)
    return GroundState(
        cluster, method, 0.0, np.arange(nao)[None] * 1.0, (vectors / np.sqrt(values))[None, :, ::-1],
        np.where(np.arange(nao) < 5, 2.0, 0.0)[None], overlap, ao_atoms(mole), np.zeros(3), np.zeros(3), 0.0, True,
    )  # fmt: skip


def test_orbitals_on_the_grid_are_orthonormal(ground):
    # the steepest combinations are left out: a grid does not resolve the 1s of oxygen
    volumes = orbital_volumes(ground, ground.coefficients[0][:, :4], spacing=0.25)
    values = np.stack([v.values.ravel() for v in volumes])
    np.testing.assert_allclose(values @ values.T * volumes[0].voxel, np.eye(4), atol=0.01)


def test_chunks_do_not_change_the_values(ground, monkeypatch):
    whole = orbital_volume(ground, ground.coefficients[0][:, 3], spacing=0.9, label="x")
    monkeypatch.setattr("cluster_qc.drivers.volume._CHUNK_BYTES", 8 * len(ground.ao_atoms) * 37)
    pieces = orbital_volume(ground, ground.coefficients[0][:, 3], spacing=0.9, label="x")
    np.testing.assert_allclose(pieces.values, whole.values, atol=1e-14)
    assert pieces.label == "x"


def test_cube_file_reads_back(ground, tmp_path):
    from ase.io.cube import read_cube

    volume = orbital_volume(ground, ground.coefficients[0][:, 3], spacing=0.9, label="HOMO")
    write_cube(volume, ground.cluster, tmp_path / "homo.cube")
    with open(tmp_path / "homo.cube") as stream:
        content = read_cube(stream)
    np.testing.assert_allclose(content["data"], volume.values, atol=1e-5)
    np.testing.assert_allclose(content["atoms"].positions * angstrom, ground.cluster.coords, atol=1e-4)
    np.testing.assert_allclose(content["origin"] * angstrom, volume.origin, atol=1e-4)
    with pytest.raises(StorageError):
        write_cube(volume, ground.cluster, tmp_path / "missing" / "homo.cube")


def test_nonsense_is_refused(ground):
    with pytest.raises(InputError, match="one axis"):
        orbital_volume(ground, ground.coefficients[0])
    with pytest.raises(InputError, match="AOs need"):
        orbital_volume(ground, np.ones(3))
    with pytest.raises(InputError, match="positive"):
        orbital_volume(ground, ground.coefficients[0][:, 0], spacing=0.0)
    with pytest.raises(ResourceError, match="coarser"):
        orbital_volume(ground, ground.coefficients[0][:, 0], spacing=0.01)
