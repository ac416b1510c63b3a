"""Sums over the whole space of single excitations, and what a complete basis makes of them.

With all roots sum_n (X+Y)(X-Y)^T is half the unit matrix, so that the sum over n of <0|A|n><0|B|n>, A symmetric and B
antisymmetric, is 2 sum_ia A_ia B_ia whatever the functional, in full TDDFT as in the Tamm-Dancoff approximation.
"""

import numpy as np
import pytest

import cluster_qc as cqc
from cluster_qc.drivers import transition
from cluster_qc.drivers.mole import build_mole
from cluster_qc.units import angstrom

H2O2 = cqc.Cluster(
    "h2o2",
    ("O", "O", "H", "H"),
    np.array([[0.0, 0.695, -0.0925], [0.0, -0.695, -0.0925], [-0.388, 0.895, 0.74], [0.388, -0.895, 0.74]])
    * angstrom,
)
AUH = cqc.Cluster("auh", ("Au", "H"), np.array([[0, 0, 0], [0, 0, 1.6]]) * angstrom)


def ground_state(cluster, functional, basis):
    return cqc.run_scf(cluster, cqc.DFTMethod(functional, basis=basis, grid_level=0, conv_tol=1e-10))


def all_singlets(ground, **settings):
    nocc = ground.nocc
    pairs = nocc * (ground.orbital_energies.shape[1] - nocc)
    return cqc.run_tddft(ground, cqc.TDDFTMethod(nstates=pairs, tolerance=1e-6, **settings))


def trace(ground, left, right):
    """2 sum_ia left_ia . right_ia of two vector operators between AOs."""
    occupied, virtual = np.split(ground.coefficients[0], [ground.nocc], axis=1)
    return 2 * np.sum((occupied.T @ left @ virtual) * (occupied.T @ right @ virtual))


@pytest.mark.parametrize("tda", [False, True])
def test_sums_over_all_states_are_occupied_virtual_traces(tda):
    ground = ground_state(H2O2, "pbe0", "sto-3g")
    states = all_singlets(ground, tda=tda)
    integrals = cqc.moment_integrals(ground, states.gauge_origin)
    total = cqc.rotatory_strengths(states).sum()
    # Single-precision products: some 1e-7 of each of 27 roots.
    assert total == pytest.approx(trace(ground, integrals.position, integrals.magnetic), abs=1e-5)
    assert np.abs(cqc.rotatory_strengths(states)).max() > 1e-2
    mixed = cqc.oscillator_strengths(states, "mixed").sum()
    assert mixed == pytest.approx(2 / 3 * trace(ground, integrals.position, integrals.velocity), abs=1e-5)


def test_sum_of_rotatory_strengths_vanishes_at_the_basis_limit_only():
    """Condon's sum rule: the trace falls with the basis set and is zero in none of them."""
    sums = []
    for basis in ("6-31g", "cc-pvdz", "cc-pvtz"):
        ground = ground_state(H2O2, "hf", basis)
        integrals = cqc.moment_integrals(ground)
        sums.append(abs(trace(ground, integrals.position, integrals.magnetic)))
    assert sums[1] < 0.5 * sums[0]
    assert sums[2] < 0.5 * sums[1]
    assert sums[2] > 1e-5


def test_mixed_oscillator_strengths_sum_to_the_number_of_electrons_at_the_basis_limit():
    sums = []
    for basis in ("6-31g", "cc-pvdz", "cc-pvtz"):
        ground = ground_state(H2O2, "hf", basis)
        integrals = cqc.moment_integrals(ground)
        sums.append(2 / 3 * trace(ground, integrals.position, integrals.velocity))
    missing = 18 - np.array(sums)
    assert (missing > 0).all()
    assert (np.diff(missing) < 0).all()


def test_sums_of_the_three_forms_meet_with_the_commutator_of_the_potential_in_them():
    """Toward the basis limit; leaving the commutator out of the velocity form keeps it away from the others."""
    apart, apart_without = [], []
    for basis in ("def2-svp", "def2-tzvpp"):
        ground = ground_state(AUH, "hf", basis)
        states = all_singlets(ground)
        length, mixed, velocity = (
            cqc.oscillator_strengths(states, form).sum() for form in ("length", "mixed", "velocity")
        )
        assert length > mixed > velocity
        mole = build_mole(AUH, ground.method)
        occupied, virtual = np.split(ground.coefficients[0], [ground.nocc], axis=1)
        bare = transition.velocity_dipoles(mole, occupied, virtual, states.x, states.y, {})
        apart.append(length - velocity)
        apart_without.append(length - np.sum(2 / 3 * (bare**2).sum(axis=1) / states.excitation_energies))
    assert apart[1] < 0.5 * apart[0]
    assert apart_without[1] > 0.5 * apart_without[0]
    assert apart[1] < 0.75 * apart_without[1]
