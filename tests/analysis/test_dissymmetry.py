"""g along the curve: equal to that of a single line, of opposite sign in the mirror, absent where nothing absorbs."""

from dataclasses import replace

import numpy as np
import pytest

from cluster_qc.analysis.dissymmetry import dissymmetry_curve
from cluster_qc.analysis.rotatory import dissymmetry_factors
from cluster_qc.analysis.spectra import simulate_absorption, simulate_cd
from cluster_qc.errors import InputError
from cluster_qc.units import electronvolt

FWHM = 0.2 * electronvolt


def pair(states, **settings):
    return tuple(simulate(states, fwhm=FWHM, **settings) for simulate in (simulate_cd, simulate_absorption))


@pytest.mark.parametrize("gauge", ["length", "velocity"])
def test_a_single_line_has_the_factor_of_its_state(fabricate, gauge):
    """delta_epsilon / epsilon = 4 alpha R/D * E/E_0: the two spectra weigh a line's flanks differently."""
    states = fabricate.excited_states(1, energies=[0.15])
    grid = 0.15 + np.linspace(-1, 1, 41) * FWHM
    curve = dissymmetry_curve(*pair(states, gauge=gauge, energies=grid))
    np.testing.assert_allclose(
        curve.values, dissymmetry_factors(states, gauge)[0] * curve.energies / 0.15, rtol=1e-9
    )
    assert curve.at(0.15) == pytest.approx(dissymmetry_factors(states, gauge)[0], rel=1e-6)


def test_mirror_image_flips_it(fabricate):
    states = fabricate.excited_states()
    one, other = (dissymmetry_curve(*pair(s)) for s in (states, replace(states, magnetic=-states.magnetic)))
    np.testing.assert_allclose(other.values, -one.values, rtol=1e-12)


def test_it_is_absent_where_the_molecule_does_not_absorb(fabricate):
    states = fabricate.excited_states(2, energies=[0.10, 0.20])
    cd, absorption = pair(states, energies=np.linspace(0.05, 0.25, 401))
    curve = dissymmetry_curve(cd, absorption)
    kept = np.isin(cd.energies, curve.energies)
    assert (absorption.values[kept] > 0.01 * absorption.values.max()).all()
    assert (absorption.values[~kept] <= 0.01 * absorption.values.max()).all()
    assert curve.at(0.15) is None  # between the lines
    assert curve.at(0.05) is None
    assert curve.at(0.10) is not None


def test_only_spectra_made_alike_have_a_quotient(fabricate):
    states = fabricate.excited_states()
    cd, absorption = pair(states)
    for settings, name in (
        ({"fwhm": 2 * FWHM, "energies": cd.energies}, "fwhm"),
        ({"fwhm": FWHM, "gauge": "velocity"}, "gauge"),
        ({"fwhm": FWHM, "shift": 0.01, "energies": cd.energies}, "shift"),
    ):
        with pytest.raises(InputError, match=f"differ in their {name}"):
            dissymmetry_curve(cd, simulate_absorption(states, **settings))
    with pytest.raises(InputError, match="needs a CD and an absorption"):
        dissymmetry_curve(absorption, cd)
    with pytest.raises(InputError, match="floor is 2"):
        dissymmetry_curve(cd, absorption, floor=2)
