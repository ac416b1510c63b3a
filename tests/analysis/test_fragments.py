import numpy as np
import pytest

from cluster_qc.analysis.fragments import frontier_shares, orbital_shares, sqrt_overlap
from cluster_qc.errors import InputError
from cluster_qc.model import Fragment


def test_shares_sum_to_one_by_fragment_and_by_element(fabricate):
    ground = fabricate.ground_state()
    shares = orbital_shares(ground, ground.coefficients[0][:, :4], [0.1, 2.0, 0.0, 0.7])
    assert sum(shares.fragments.values()) == pytest.approx(1.0, abs=1e-12)
    assert sum(shares.elements.values()) == pytest.approx(1.0, abs=1e-12)
    assert min(shares.fragments.values()) >= 0
    assert list(shares.fragments) == ["core", "donors", "backbone", "rest"]
    assert shares.metal == pytest.approx(shares.fragments["core"], abs=1e-12)


def test_all_orbitals_together_count_the_basis_functions(fabricate):
    ground = fabricate.ground_state()
    shares = orbital_shares(ground, ground.coefficients[0])
    assert shares.elements == pytest.approx(dict.fromkeys(fabricate.SYMBOLS, 1 / 6), abs=1e-12)


def test_shares_do_not_change_under_rotation_among_equal_orbitals(fabricate):
    ground = fabricate.ground_state()
    orbitals = ground.coefficients[0][:, :5]
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    assert orbital_shares(ground, orbitals @ turn).elements == pytest.approx(
        orbital_shares(ground, orbitals).elements, abs=1e-12
    )


def test_square_root_of_the_overlap_is_computed_once(fabricate):
    ground = fabricate.ground_state()
    root = sqrt_overlap(ground)
    np.testing.assert_allclose(root @ root, ground.overlap, atol=1e-12)
    assert sqrt_overlap(ground) is root


def test_without_fragments_only_elements(fabricate):
    ground = fabricate.ground_state(fragments=())
    shares = frontier_shares(ground)
    assert shares["homo"].fragments == {}
    assert sum(shares["lumo"].elements.values()) == pytest.approx(1.0)


def test_complete_fragments_have_no_rest(fabricate):
    ground = fabricate.ground_state(fragments=(Fragment("a", (0, 1, 2)), Fragment("b", (3, 4, 5))))
    assert list(frontier_shares(ground)["homo"].fragments) == ["a", "b"]


def test_frontier_orbitals_are_those_of_the_gap(fabricate):
    ground = fabricate.ground_state()
    shares = frontier_shares(ground)
    assert shares["homo"] == orbital_shares(ground, ground.coefficients[0][:, 7])
    assert shares["lumo"] == orbital_shares(ground, ground.coefficients[0][:, 8])


@pytest.mark.parametrize(
    ("orbitals", "weights", "match"),
    [
        (np.ones((5, 2)), None, "18 AOs need"),
        (np.ones((18, 2)), [1.0], "weights of shape"),
        (np.ones((18, 2)), [1.0, -1.0], "negative"),
        (np.zeros((18, 2)), None, "sum to zero"),
    ],
)
def test_nonsense_is_refused(fabricate, orbitals, weights, match):
    with pytest.raises(InputError, match=match):
        orbital_shares(fabricate.ground_state(), orbitals, weights)
