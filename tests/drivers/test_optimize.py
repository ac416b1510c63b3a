"""Relaxed geometries and vibrations: laws on small molecules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cluster_qc.drivers import optimize
from cluster_qc.drivers.optimize import (
    gradient,
    relax_dft,
    relax_xtb,
    vibrational_wavenumbers,
    xtb_energy,
    xtb_hessian,
)
from cluster_qc.drivers.scf import run_scf
from cluster_qc.errors import InputError, NotConvergedError
from cluster_qc.model import Cluster, DFTMethod
from cluster_qc.units import angstrom, electronvolt, wavenumber

METHOD = DFTMethod("pbe", "sto-3g", auxiliary_basis="def2-universal-jfit", grid_level=2, conv_tol=1e-9)
FORCE = electronvolt / angstrom


@pytest.fixture
def water() -> Cluster:
    xyz = np.array([[0, 0, 0.12], [0, 0.80, -0.48], [0, -0.75, -0.50]])
    return Cluster("water", ("O", "H", "H"), xyz * angstrom)


def test_a_spring_between_two_atoms():
    """H2 with the force constant k vibrates at sqrt(2 k / m)."""
    h2 = Cluster("h2", ("H", "H"), np.array([[0.0, 0, 0], [0, 0, 1.4]]))
    k, mass = 0.37, 1.008 * 1822.888
    hessian = np.zeros((6, 6))
    hessian[2, 2] = hessian[5, 5] = k
    hessian[2, 5] = hessian[5, 2] = -k
    (found,) = vibrational_wavenumbers(h2, hessian)
    assert found == pytest.approx(np.sqrt(2 * k / mass) / wavenumber, rel=1e-5)
    assert vibrational_wavenumbers(h2, -hessian)[0] == pytest.approx(-found)


def test_xtb_relaxes_to_a_minimum_that_vibrates_everywhere(water):
    lines: list[str] = []
    relaxed = relax_xtb(water, force=1e-3 * FORCE, progress=lambda _, line: lines.append(line))
    assert relaxed.converged
    assert relaxed.largest_force < 1e-3 * FORCE
    assert relaxed.energy < xtb_energy(water)[0]
    assert len(lines) > 1
    wavenumbers = vibrational_wavenumbers(relaxed.cluster, xtb_hessian(relaxed.cluster))
    assert len(wavenumbers) == 3
    # A bend and two stretches, where every method has them.
    assert 1200 < wavenumbers[0] < 2000
    assert 3000 < wavenumbers[1] < wavenumbers[2] < 4500


def test_held_atoms_stay_and_a_mirror_image_has_the_same_energy(water):
    kept: list[Cluster] = []
    relaxed = relax_xtb(water, held=[0, 1], keep=lambda cluster, _: kept.append(cluster))
    np.testing.assert_allclose(relaxed.cluster.coords[:2], water.coords[:2], atol=1e-12)
    assert not np.allclose(relaxed.cluster.coords[2], water.coords[2], atol=1e-3)
    np.testing.assert_allclose(kept[0].coords, water.coords)
    assert xtb_energy(water.mirrored())[0] == pytest.approx(xtb_energy(water)[0], abs=1e-10)


def test_gradient_is_the_slope_of_the_energy(water):
    """The grid moves with the atoms and its weights are not differentiated: 1e-4 at this grid."""
    slope = gradient(run_scf(water, METHOD))
    step = 0.01
    for atom, axis in ((0, 2), (1, 1)):
        energies = []
        for sign in (1, -1):
            moved = np.array(water.coords)
            moved[atom, axis] += sign * step
            energies.append(run_scf(water.with_coords(moved), METHOD).energy)
        assert slope[atom, axis] == pytest.approx((energies[0] - energies[1]) / (2 * step), abs=1e-4)


def test_dft_relaxes_with_atoms_held_and_says_nothing(water, capfd):
    kept: list[str] = []
    relaxed = relax_dft(water, METHOD, held=[0], keep=lambda _, line: kept.append(line))
    assert relaxed.converged
    assert relaxed.level == "PBE/sto-3g"
    assert len(kept) == relaxed.steps
    np.testing.assert_allclose(
        relaxed.cluster.coords[0], water.coords[0], atol=1e-4
    )  # geomeTRIC's own tolerance
    bonds = np.linalg.norm(relaxed.cluster.coords[1:] - relaxed.cluster.coords[0], axis=1)
    assert bonds[0] == pytest.approx(bonds[1], abs=5e-3)
    assert relax_dft(water, METHOD, max_steps=1).converged is False
    assert capfd.readouterr() == ("", "")


def test_an_scf_without_convergence_has_no_gradient(water, monkeypatch):
    ground = replace(run_scf(water, METHOD), converged=False)
    monkeypatch.setattr(optimize, "run_scf", lambda *_, **__: ground)
    with pytest.raises(NotConvergedError, match="SCF of step 1"):
        relax_dft(water, METHOD)


def test_open_shells_are_refused():
    oxygen = Cluster("o2", ("O", "O"), np.array([[0.0, 0, 0], [0, 0, 2.3]]), multiplicity=3)
    with pytest.raises(InputError, match="closed shells"):
        relax_dft(oxygen, METHOD)
