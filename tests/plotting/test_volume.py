from dataclasses import replace

import numpy as np
import pytest

import cluster_qc as cqc
from cluster_qc.drivers.mole import ao_atoms, build_mole
from cluster_qc.drivers.volume import orbital_volume, orbital_volumes, transition_densities, write_cube
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


@pytest.mark.parametrize("box", [3, 1000])
def test_boxes_do_not_change_the_values(ground, monkeypatch, box):
    """Nor do the AOs that are left out of a box: they are below 1e-10 there."""
    column = ground.coefficients[0][:, 3]
    monkeypatch.setattr("cluster_qc.drivers.volume._BOX", box)
    boxes = orbital_volume(ground, column, spacing=0.9, margin=12.0, label="x")
    points = boxes.origin + 0.9 * np.indices(boxes.values.shape).reshape(3, -1).T
    aos = build_mole(ground.cluster, ground.method).eval_gto("GTOval_sph", points)
    np.testing.assert_allclose(boxes.values.ravel(), aos @ column, atol=1e-9)
    assert boxes.label == "x"


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


# --- transition densities -----------------------------------------------------------------------------------

# Hydrogen peroxide, twisted, bohr. x reaches as far either way in binary fractions, so that the grid is its own mirror
# image.
H2O2 = Cluster(
    "h2o2",
    ("O", "O", "H", "H"),
    np.array([[0, 1.3125, 0], [0, -1.3125, 0], [-0.75, 1.6875, 1.5], [0.75, -1.6875, 1.5]]),
)
SPACING, MARGIN = 0.25, 5.0


def lowest(cluster):
    method = DFTMethod("pbe0", basis="def2-svp", grid_level=0)
    states = cqc.run_tddft(cqc.run_scf(cluster, method), cqc.TDDFTMethod(nstates=1, tolerance=1e-5))
    return states[0], cqc.natural_transition_orbitals(states[0])


@pytest.fixture(scope="module")
def excited():
    return lowest(H2O2)


def test_hole_and_electron_integrate_to_the_weights_and_the_difference_to_nothing(excited):
    state, ntos = excited
    hole, electron = transition_densities(state.states.ground, ntos, SPACING / 2, MARGIN)
    assert hole.values.min() >= 0
    assert electron.values.min() >= 0
    norm = 1.0 + 2.0 * (state.y**2).sum()  # not renormalised: 1, and the de-excitations of full TDDFT
    assert ntos.weights.sum() == pytest.approx(norm, abs=1e-6)
    # What a grid of this spacing makes of the cusps of oxygen's 1s parts; at SPACING itself 0.015.
    integrals = [density.values.sum() * density.voxel for density in (hole, electron)]
    assert integrals == pytest.approx([norm, norm], abs=0.01)
    assert integrals[1] - integrals[0] == pytest.approx(0.0, abs=0.01)


def test_densities_hold_every_pair_but_the_last_hundred_thousandth(excited):
    state, ntos = excited
    ground = state.states.ground
    hole, electron = transition_densities(ground, ntos, 0.5, 4.0)
    assert len(ntos.weights) > 1
    for density, columns in ((hole, ntos.hole), (electron, ntos.electron)):
        orbitals = orbital_volumes(ground, columns, 0.5, 4.0)
        total = sum(w * orbital.values**2 for w, orbital in zip(ntos.weights, orbitals, strict=True))
        missing = total - density.values
        assert missing.min() > -1e-12
        assert missing.sum() * density.voxel < 1.1e-5  # the grid's integrals are good to some per cent


def test_densities_of_the_mirror_image_are_mirror_images(excited):
    state, ntos = excited
    mirrored, mirrored_ntos = lowest(replace(H2O2, coords=H2O2.coords * [-1, 1, 1]))
    here = transition_densities(state.states.ground, ntos, SPACING, MARGIN)
    there = transition_densities(mirrored.states.ground, mirrored_ntos, SPACING, MARGIN)
    for density, image in zip(here, there, strict=True):
        largest = density.values.max()
        # as far as SCF and response are converged
        np.testing.assert_allclose(image.values[::-1], density.values, atol=1e-4 * largest)
        assert np.abs(image.values - density.values).max() > 0.01 * largest  # the molecule is chiral
