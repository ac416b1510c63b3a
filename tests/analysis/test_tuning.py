"""The search for the range separation, on errors that are known in closed form."""

from types import SimpleNamespace

import pytest

import cluster_qc as cqc


def search(minimum, **settings):
    asked = []

    def states_at(omega):
        asked.append(omega)
        return SimpleNamespace(koopmans_error=abs(omega - minimum) + 0.01)

    return cqc.tune_range_separation(states_at, **settings), asked


@pytest.mark.parametrize("minimum", [0.13, 0.21, 0.5])
def test_finds_the_minimum_and_computes_each_omega_once(minimum):
    tuning, asked = search(minimum)
    assert tuning.omega == pytest.approx(minimum, abs=tuning.tolerance)
    assert tuning.states.koopmans_error == min(error for _, error in tuning.trials)
    assert sorted(asked) == [omega for omega, _ in tuning.trials]
    assert not tuning.at_bound
    assert len(asked) <= 15


def test_the_same_search_asks_the_same():
    """What a run stores under its omega is found again."""
    assert search(0.21)[1] == search(0.21)[1]


def test_a_minimum_outside_of_the_range_is_told():
    assert search(1.5)[0].at_bound
    assert search(0.01)[0].at_bound
