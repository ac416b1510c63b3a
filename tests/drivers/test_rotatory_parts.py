"""The parts of a rotatory strength of real molecules: sums, mirror image, rotation, origin."""

from dataclasses import replace

import numpy as np
import pytest

import cluster_qc as cqc
from cluster_qc.analysis.rotatory import transition_magnetic_dipoles
from cluster_qc.units import angstrom

H2O2 = cqc.Cluster(
    "h2o2",
    ("O", "O", "H", "H"),
    np.array([[0.0, 0.695, -0.0925], [0.0, -0.695, -0.0925], [-0.388, 0.895, 0.74], [0.388, -0.895, 0.74]])
    * angstrom,
    fragments=(cqc.Fragment("left", (0, 2)), cqc.Fragment("right", (1, 3))),
)
METHOD = cqc.DFTMethod("pbe0", basis="6-31g", grid_level=3, conv_tol=1e-10)
FAR = np.array([3.0, -5.0, 8.0])


def run(cluster):
    return cqc.run_tddft(cqc.run_scf(cluster, METHOD), cqc.TDDFTMethod(nstates=3, tolerance=1e-6))


def parts(states, gauge="velocity", origin=None):
    origin = states.gauge_origin if origin is None else origin
    shifted = transition_magnetic_dipoles(states, origin)
    moved = replace(states, magnetic=shifted, gauge_origin=origin)
    integrals = cqc.moment_integrals(states.ground, origin)
    return [cqc.rotatory_parts(state, integrals, gauge) for state in moved]


@pytest.fixture(scope="module")
def states():
    return run(H2O2)


@pytest.mark.parametrize("gauge", ["length", "velocity"])
def test_parts_sum_to_the_rotatory_strength(states, gauge):
    for part, total in zip(parts(states, gauge), cqc.rotatory_strengths(states, gauge), strict=True):
        assert part.total == pytest.approx(total, abs=1e-10)
        assert part.pairs.sum() == pytest.approx(part.total, abs=1e-10)
        assert part.orbital_pairs.sum() == pytest.approx(part.total, abs=1e-10)
        np.testing.assert_array_equal(part.pairs, part.pairs.T)
        leading = part.leading_orbital_pairs(part.orbital_pairs.size)
        assert sum(value for *_, value in leading) == pytest.approx(part.total, abs=1e-10)
        assert leading[0][2] == part.orbital_pairs.flat[np.abs(part.orbital_pairs).argmax()]


def test_equal_fragments_have_equal_parts(states):
    """The twofold axis of hydrogen peroxide swaps its halves; states converged to 1e-6, orbitals to 1e-10."""
    for part in parts(states):
        assert part.pairs[0, 0] == pytest.approx(part.pairs[1, 1], abs=1e-6)


def test_mirror_image_flips_every_part(states):
    mirrored = run(replace(H2O2, coords=H2O2.coords * [1, 1, -1]))
    for one, other in zip(parts(states), parts(mirrored), strict=True):
        np.testing.assert_allclose(other.pairs, -one.pairs, atol=1e-6)
        assert np.abs(one.pairs).max() > 1e-4


def test_rotation_and_translation_change_nothing(states):
    """The grid of the functional turns with no axis: 1e-4 of parts of up to 1e-1."""
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    moved = run(replace(H2O2, coords=H2O2.coords @ turn.T + FAR))
    for one, other in zip(parts(states), parts(moved), strict=True):
        np.testing.assert_allclose(other.pairs, one.pairs, atol=1e-4)


def test_origin_moves_the_parts_in_the_length_gauge_only(states):
    for one, other in zip(parts(states), parts(states, origin=FAR), strict=True):
        np.testing.assert_allclose(other.pairs, one.pairs, atol=1e-10)
        np.testing.assert_allclose(other.orbital_pairs, one.orbital_pairs, atol=1e-10)
        assert other.remarks == ()
    length = [(a.pairs, b.pairs, b.remarks) for a, b in zip(
        parts(states, "length"), parts(states, "length", FAR), strict=True
    )]  # fmt: skip
    assert max(np.abs(a - b).max() for a, b, _ in length) > 1e-3
    assert all("hold for the origin (3.000, -5.000, 8.000)" in remarks[0] for *_, remarks in length)


def test_without_fragments_the_atoms_are_the_parts(states):
    bare = replace(states, ground=replace(states.ground, cluster=replace(H2O2, fragments=())))
    one, whole = parts(bare)[0], parts(states)[0]
    assert one.fragments == ("O1", "O2", "H3", "H4")
    halves = [[0, 2], [1, 3]]
    summed = [[one.pairs[np.ix_(a, b)].sum() for b in halves] for a in halves]
    np.testing.assert_allclose(summed, whole.pairs, atol=1e-12)


def test_foreign_integrals_and_unconverged_states_are_refused(states):
    integrals = cqc.moment_integrals(states.ground, states.gauge_origin)
    with pytest.raises(cqc.InputError, match="do not give the moments"):
        cqc.rotatory_parts(states[0], cqc.moment_integrals(states.ground, FAR))
    small = cqc.MomentIntegrals(*(np.zeros((3, 2, 2)),) * 3, np.zeros(3))
    with pytest.raises(cqc.InputError, match="are of 2 AOs"):
        cqc.rotatory_parts(states[0], small)
    with pytest.raises(cqc.InputError, match="gauge is 'both'"):
        cqc.rotatory_parts(states[0], integrals, "both")
    unconverged = replace(states, converged=np.zeros(3, dtype=bool))
    with pytest.raises(cqc.NotConvergedError):
        cqc.rotatory_parts(unconverged[0], integrals)
    assert cqc.rotatory_parts(unconverged[0], integrals, allow_unconverged=True).label == "S1"
