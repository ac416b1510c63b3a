"""Populations and averages: sums, limits, and the linear propagation where it holds."""

from dataclasses import replace

import numpy as np
import pytest

from cluster_qc.analysis.conformers import FILM, average_spectra, boltzmann_weights, film_spectrum
from cluster_qc.analysis.spectra import simulate_cd, write_spectrum_csv
from cluster_qc.errors import InputError
from cluster_qc.units import electronvolt, kelvin

FWHM = 0.2 * electronvolt
ENERGIES = np.array([0.0, 0.01, 0.03]) * electronvolt
GRID = np.linspace(2.0, 6.0, 300) * electronvolt


def spectra(fabricate, n=3):
    return [simulate_cd(fabricate.excited_states(seed=seed), fwhm=FWHM, energies=GRID) for seed in range(n)]


def test_populations_follow_boltzmann_and_forget_the_zero_of_energy():
    found = boltzmann_weights(ENERGIES, 300.0)
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-14)
    ratio = np.log(found.weights[0] / found.weights[2])
    assert ratio == pytest.approx(ENERGIES[2] / (300.0 * kelvin), rel=1e-12)
    assert 300.0 * kelvin / electronvolt == pytest.approx(0.025852, abs=1e-6)
    moved = boltzmann_weights(ENERGIES - 1000.0, 300.0)
    np.testing.assert_allclose(moved.weights, found.weights, rtol=1e-8)  # 1e-13 of 1000 hartree
    np.testing.assert_array_equal(found.covariance, 0.0)


def test_limits_of_temperature():
    np.testing.assert_allclose(boltzmann_weights(ENERGIES, 1e9).weights, 1 / 3, rtol=1e-6)
    np.testing.assert_allclose(boltzmann_weights(ENERGIES, 1.0).weights, [1, 0, 0], atol=1e-12)


def test_small_errors_propagate_linearly():
    """dw_i/dE_j = -w_i (delta_ij - w_j)/kT; 20,000 draws give a variance within 1 % (1 sigma), three allowed."""
    temperature, error = 300.0, 1e-3 * electronvolt
    found = boltzmann_weights(ENERGIES, temperature, error)
    w = found.weights
    slope = -(np.diag(w) - np.outer(w, w)) / (temperature * kelvin)
    linear = slope @ slope.T * error**2
    np.testing.assert_allclose(found.covariance, linear, atol=0.03 * np.abs(linear).max())


def test_deviations_cancel_and_stay_within_what_populations_can_do():
    found = boltzmann_weights(ENERGIES, 300.0, [0.1 * electronvolt, 0.0, 0.2 * electronvolt])
    np.testing.assert_allclose(found.covariance.sum(axis=1), 0.0, atol=1e-14)
    assert (found.uncertainties > 0).all()
    assert (found.uncertainties < 1).all()
    np.testing.assert_array_equal(
        boltzmann_weights(ENERGIES, 300.0, 0.01).covariance,
        boltzmann_weights(ENERGIES, 300.0, 0.01).covariance,
    )


def test_average_of_equal_spectra_is_that_spectrum_without_a_band(fabricate):
    one = spectra(fabricate, 1)[0]
    found = average_spectra([one] * 3, boltzmann_weights(ENERGIES, energy_uncertainty=0.05 * electronvolt))
    np.testing.assert_allclose(found.values, one.values, rtol=1e-12)
    assert found.uncertainty.max() < 1e-6 * np.abs(one.values).max()  # root of a cancelling sum


def test_mirror_images_of_equal_energy_cancel_within_their_band(fabricate):
    states = fabricate.excited_states()
    pair = [
        simulate_cd(s, fwhm=FWHM, energies=GRID) for s in (states, replace(states, magnetic=-states.magnetic))
    ]
    found = average_spectra(pair, boltzmann_weights([0.0, 0.0], energy_uncertainty=0.01 * electronvolt))
    np.testing.assert_allclose(found.values, 0.0, atol=1e-12)
    assert (found.uncertainty > 0.1 * np.abs(pair[0].values)).all()


def test_average_is_the_spectrum_of_its_sticks_and_says_what_it_is(fabricate, tmp_path):
    found = average_spectra(spectra(fabricate), boltzmann_weights(ENERGIES, 298.15, 0.01 * electronvolt))
    weights = boltzmann_weights(ENERGIES, 298.15).weights
    total = sum(w * s.stick_strengths.sum() for w, s in zip(weights, spectra(fabricate), strict=True))
    assert found.stick_strengths.sum() == pytest.approx(total)
    assert found.sample == "solution (Boltzmann average of 3 conformers at 298 K)"
    assert any(remark.startswith("populations 0.") for remark in found.remarks)
    film = film_spectrum(spectra(fabricate, 1)[0])
    assert film.sample == FILM != found.sample
    assert any("without its neighbours" in remark for remark in film.remarks)
    write_spectrum_csv(found, tmp_path / "cd.csv")
    text = (tmp_path / "cd.csv").read_text()
    assert "solution (Boltzmann" in text
    assert "delta_epsilon_lmolcm,uncertainty_lmolcm\n" in text


def test_nonsense_is_refused(fabricate):
    for arguments in (
        ([],),
        ([0.0, np.nan],),
        ([0.0], -1.0),
        ([0.0, 0.0], 300.0, -0.1),
        ([0.0, 0.0], 300.0, [1.0] * 3),
    ):
        with pytest.raises(InputError):
            boltzmann_weights(*arguments)
    with pytest.raises(InputError, match="3 spectra came with 2 weights"):
        average_spectra(spectra(fabricate), boltzmann_weights([0.0, 0.0]))
    other = simulate_cd(fabricate.excited_states(), fwhm=2 * FWHM, energies=GRID)
    with pytest.raises(InputError, match="spectrum 2 differs from the first in its fwhm"):
        average_spectra([spectra(fabricate, 1)[0], other], boltzmann_weights([0.0, 0.0]))
