"""Velocity and magnetic moments with effective core potentials: integrals, then laws."""

from dataclasses import replace

import numpy as np
import pytest
from pyscf import gto

import cluster_qc as cqc
from cluster_qc.analysis.rotatory import transition_magnetic_dipoles
from cluster_qc.drivers import ecp, transition
from cluster_qc.drivers.mole import build_mole
from cluster_qc.units import angstrom, rotatory_strength_cgs

# Chiral, with two ECP atoms of different kinds off every axis.
AUAGH2 = cqc.Cluster(
    "auagh2",
    ("Au", "Ag", "H", "H"),
    np.array([[0.0, 0.0, 0.0], [2.7, 0.0, 0.0], [-0.5, 1.5, 0.0], [3.2, 0.3, 1.5]]) * angstrom,
)
METHOD = cqc.DFTMethod("pbe0", basis="def2-svp", grid_level=2, conv_tol=1e-10)
STATES = cqc.TDDFTMethod(nstates=6, tolerance=1e-5)


@pytest.fixture(scope="module")
def states():
    return cqc.run_tddft(cqc.run_scf(AUAGH2, METHOD), STATES)


@pytest.mark.parametrize("cart", [True, False])
def test_raised_shells_make_the_position_operator(cart):
    mole = gto.M(
        atom="Au 0.1 0.2 -0.1; H 0.3 0.2 1.5",
        basis="def2-tzvp",
        ecp={"Au": "def2-tzvp"},
        cart=cart,
        verbose=0,
    )
    both, raising = ecp._with_raised_shells(mole)
    overlap = both.intor("int1e_ovlp")
    n = raising[0].shape[0]
    sizes = ecp._cartesian_sizes(mole._bas)
    centres = np.repeat(ecp._shell_centres(mole), sizes, axis=0)
    with mole.with_common_orig((0, 0, 0)):
        position = mole.intor("int1e_r_cart", comp=3)
    for axis in range(3):
        made = raising[axis] @ overlap[n:, :n] + centres[:, axis, None] * overlap[:n, :n]
        assert made == pytest.approx(position[axis], abs=1e-12)


def test_commutator_against_numerical_differentiation():
    """(x - A_x) s = 1/(2 alpha) ds/dA_x for a primitive s function: displace its centre."""
    alpha, beta = 0.7, 0.4
    centres = np.array([[0.4, -0.3, 0.9], [-0.8, 0.5, 0.3]])

    def potential(moved):
        mole = gto.M(
            atom=[("Au", (0.1, -0.2, 0.3)), ("ghost-H1", moved[0]), ("ghost-H2", moved[1])],
            unit="Bohr",
            basis={
                "Au": gto.parse("H S\n 1.0 1.0"),
                "ghost-H1": gto.parse(f"H S\n {alpha} 1.0"),
                "ghost-H2": gto.parse(f"H S\n {beta} 1.0"),
            },
            ecp={"Au": "def2-svp"},
            spin=1,
            verbose=0,
        )
        return mole, mole.intor("ECPscalar")[1, 2]

    mole, value = potential(centres)
    (commutator,) = ecp.commutators(mole).values()
    step = 1e-3
    for axis in range(3):
        slopes = []
        for which in range(2):
            forward, backward = centres.copy(), centres.copy()
            forward[which, axis] += step
            backward[which, axis] -= step
            slopes.append((potential(forward)[1] - potential(backward)[1]) / (2 * step))
        left = slopes[0] / (2 * alpha) + centres[0, axis] * value
        right = slopes[1] / (2 * beta) + centres[1, axis] * value
        # Central differences leave step^2 times a third derivative.
        assert commutator[axis, 1, 2] == pytest.approx(left - right, abs=1e-5)


def test_without_an_ecp_there_is_nothing():
    mole = gto.M(atom="O 0 0 0; H 0 0 1; H 0 1 0", basis="def2-svp", verbose=0)
    assert ecp.commutators(mole) == {}


def test_commutators_are_antisymmetric_and_one_for_each_ecp_atom(states):
    parts = ecp.commutators(gto.M(atom="Au 0 0 0; Ag 0 0 2.6", basis="def2-svp", ecp="def2-svp", verbose=0))
    assert set(parts) == {0, 1}
    for matrices in parts.values():
        assert matrices == pytest.approx(-matrices.transpose(0, 2, 1), abs=1e-12)
        assert np.abs(matrices).max() > 1e-2


def test_velocity_rotatory_strength_does_not_depend_on_the_origin(states):
    """It would, by several units, without the ECP's term in the magnetic moment or in the velocity."""
    moved = AUAGH2.with_coords(AUAGH2.coords + np.array([5.0, -3.0, 4.0]))
    other = cqc.run_tddft(cqc.run_scf(moved, METHOD), STATES)
    velocity, velocity_moved = (
        cqc.rotatory_strengths(s, gauge="velocity") / rotatory_strength_cgs for s in (states, other)
    )
    assert np.abs(velocity).max() > 5
    assert velocity_moved == pytest.approx(velocity, abs=0.02)


def test_moments_about_another_origin_follow_the_shift_law(states):
    """magnetic(O') by new integrals against magnetic(O) - 1/2 (O' - O) x velocity."""
    mole = build_mole(AUAGH2, METHOD)
    c = states.ground.coefficients[0]
    orbitals = c[:, states.occupied], c[:, states.virtual]
    origin = np.array([4.0, -6.0, 2.0])
    direct = transition.magnetic_dipoles(mole, *orbitals, states.x, states.y, origin, ecp.commutators(mole))
    shifted = states.magnetic - 0.5 * np.cross(origin - states.gauge_origin, states.velocity)
    assert direct == pytest.approx(shifted, abs=1e-9)


def test_velocity_equals_length_toward_the_basis_limit():
    """velocity = E electric in a complete basis, with the commutator only: 3 % apart in def2-TZVPP, 1.5 % here."""
    hydride = cqc.Cluster("auh", ("Au", "H"), np.array([[0, 0, 0], [0, 0, 1.6]]) * angstrom)
    method = replace(METHOD, basis="def2-qzvpp")
    found = cqc.run_tddft(cqc.run_scf(hydride, method), STATES)
    mole = build_mole(hydride, method)
    c = found.ground.coefficients[0]
    orbitals = c[:, found.occupied], c[:, found.virtual]
    without = transition.velocity_dipoles(mole, *orbitals, found.x, found.y, {})
    length = found.excitation_energies[:, None] * found.electric
    norm = np.linalg.norm
    assert norm(found.velocity - length) < 0.02 * norm(length)
    assert norm(without - length) > 0.06 * norm(length)


def test_parts_of_the_rotatory_strength_hold_the_terms_of_the_potentials(states):
    """They sum to R and, in the velocity gauge, stay where they are when the origin moves."""
    far = np.array([4.0, -3.0, 7.0])
    moved = replace(states, magnetic=transition_magnetic_dipoles(states, far), gauge_origin=far)
    one, other = (
        cqc.rotatory_parts(s[1], cqc.moment_integrals(s.ground, s.gauge_origin)) for s in (states, moved)
    )
    assert one.pairs.sum() == pytest.approx(cqc.rotatory_strengths(states, "velocity")[1], abs=1e-10)
    np.testing.assert_allclose(other.pairs, one.pairs, atol=1e-9)
