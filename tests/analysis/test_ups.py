import json
from dataclasses import replace

import numpy as np
import pytest

from cluster_qc.analysis.averaging import averaged, log_weight
from cluster_qc.analysis.edge import _all_models, _columns, _fit, _positions, fit_edge
from cluster_qc.analysis.noise import noise_variance
from cluster_qc.analysis.ups import evaluate_ups
from cluster_qc.analysis.ups_reading import read_ups, read_ups_spectrum
from cluster_qc.errors import InputError
from cluster_qc.units import electronvolt

HE_I = 21.218


def written(path, x, y, header, delimiter=","):
    rows = "\n".join(f"{a:.4f}{delimiter}{b:.1f}" for a, b in zip(x, y, strict=True))
    path.write_text(f"{header}\n{rows}\n" if header else f"{rows}\n")
    return path


@pytest.fixture
def spectrum(synthetic):
    return synthetic.ups(np.random.default_rng(5))


def test_levels_follow_from_the_two_edges(spectrum):
    found = evaluate_ups(*spectrum, HE_I)
    assert found.work_function_ev.value == pytest.approx(HE_I - found.cutoff_ev.value)
    width = found.cutoff_ev.value - found.onset_ev.value
    assert found.ionization_energy_ev.value == pytest.approx(HE_I - width)
    assert found.homo_ev.value == -found.ionization_energy_ev.value
    both = np.hypot(found.cutoff_ev.uncertainty, found.onset_ev.uncertainty)
    assert found.homo_ev.uncertainty == pytest.approx(both)


def test_a_common_shift_moves_the_work_function_and_not_the_ionization_energy(spectrum):
    x, y = spectrum
    here, there = evaluate_ups(x, y, HE_I), evaluate_ups(x + 0.3, y, HE_I)
    assert there.work_function_ev.value - here.work_function_ev.value == pytest.approx(-0.3, abs=1e-4)
    assert there.ionization_energy_ev.value == pytest.approx(here.ionization_energy_ev.value, abs=1e-4)


@pytest.mark.parametrize(
    ("sign", "bias", "fermi"), [(1, 0.0, 0.3), (-1, 0.0, 0.3), (1, -10.0, 0.0), (1, -2.0, 0.4)]
)
def test_bias_and_fermi_level_are_taken_off_with_their_sign(spectrum, tmp_path, sign, bias, fermi):
    """The same levels from the axis of the file, binding (sign 1) or E - EF (-1), displaced by bias and Fermi level."""
    x, y = spectrum
    header = "binding energy (eV),counts" if sign > 0 else "E-EF (eV),counts"
    file = written(tmp_path / "ups.csv", sign * (x + bias) + fermi, y, header)
    found = read_ups_spectrum(file, photon_energy_ev=HE_I, bias_v=bias, fermi_ev=fermi)
    true = evaluate_ups(x, y, HE_I)
    assert found.work_function_ev.value == pytest.approx(true.work_function_ev.value, abs=2e-3)
    assert found.onset_ev.value == pytest.approx(true.onset_ev.value, abs=2e-3)


def test_intensity_in_other_units_gives_the_same_levels(spectrum):
    x, y = spectrum
    counts, rate = evaluate_ups(x, y, HE_I), evaluate_ups(x, y / 37.0, HE_I)
    # The noise is then estimated from the curve, not known: the estimates differ by a part of their uncertainty.
    for name in ("cutoff_ev", "onset_ev"):
        a, b = getattr(counts, name), getattr(rate, name)
        assert abs(a.value - b.value) < 0.5 * a.uncertainty
        assert b.uncertainty == pytest.approx(a.uncertainty, rel=0.5)


def test_the_stated_uncertainty_is_honest(synthetic):
    # 95 % intervals of 24 spectra, cutoff and onset: 48 trials. At 95 % fewer than 41 hits have a chance of 0.4 %;
    # with an uncertainty half as large as it should be the hits would be about 32.
    hits, stated = 0, []
    for seed, kind in enumerate(("ramp", "peak") * 12):
        found = evaluate_ups(*synthetic.ups(np.random.default_rng(seed), onset=kind), HE_I)
        for estimate, true in ((found.cutoff_ev, synthetic.CUTOFF), (found.onset_ev, synthetic.ONSET)):
            hits += abs(estimate.value - true) < 1.96 * estimate.uncertainty
            stated.append(estimate.uncertainty)
    assert hits >= 41
    assert np.median(stated) < 0.05  # and not honest by being vague


def test_the_stated_uncertainty_is_honest_for_every_shape_of_the_cutoff(synthetic):
    # As above: 30 trials, of which fewer than 25 inside have a chance of 0.3 % if the interval is honest.
    hits, stated = 0, []
    for seed in range(30):
        kind = ("physical", "saturating", "narrow", "short ramp", "step")[seed % 5]
        x, y = synthetic.ups(np.random.default_rng(seed), cutoff=kind, counts=(3e3, 3e5)[seed % 2])
        found = evaluate_ups(x[x > 12], y[x > 12], HE_I).cutoff_ev
        hits += abs(found.value - synthetic.CUTOFF) < 1.96 * found.uncertainty
        stated.append(found.uncertainty)
    assert hits >= 25
    assert np.median(stated) < 0.05


def test_a_model_that_does_not_know_the_position_does_not_count(synthetic):
    x, y = synthetic.ups(np.random.default_rng(3), cutoff="physical")
    # 0.2 eV with it, 0.004 eV without.
    assert evaluate_ups(x[x > 12], y[x > 12], HE_I).cutoff_ev.uncertainty < 0.02


def test_few_counts_give_a_wide_interval_or_a_reason(synthetic):
    # A level of 3 counts a point at its maximum: known within the interval (3 sigma: 1 in 370) or not at all.
    for seed in range(12):
        x, y = synthetic.ups(np.random.default_rng(seed), counts=100)
        found = evaluate_ups(x, y, HE_I)
        if found.onset_ev is None:
            assert "onset" in found.reasons["onset_ev"] or "rise" in found.reasons["onset_ev"]
        else:
            assert abs(found.onset_ev.value - synthetic.ONSET) < 3 * found.onset_ev.uncertainty


def test_derivatives_of_the_shapes():
    x, h = np.linspace(-1, 1, 9), 1e-5
    for shape in ("ramp", "line", "step"):
        columns = [
            _columns(shape, x, np.array(0.1 + a * h), np.array(0.3 * np.exp(b * h)))
            for a, b in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
        ]
        for exact, plus, minus in ((columns[0][1], 1, 2), (columns[0][2], 3, 4)):
            numeric = (columns[plus][0] - columns[minus][0]) / (2 * h)
            np.testing.assert_allclose(exact, numeric, atol=1e-8)  # central differences: h^2


def test_the_onset_is_the_same_functional_of_every_shape(synthetic):
    # A line, the flank of a Gaussian and a bent foot; many counts, so that a shape's own idea of its onset, 10 to
    # 30 meV off, would show.
    for seed, kind in enumerate(("ramp", "peak", "bent")):
        x, y = synthetic.ups(np.random.default_rng(seed), onset=kind, counts=3e6)
        found = evaluate_ups(x[x < 8], y[x < 8], HE_I).onset_ev
        assert found.uncertainty < 0.006, kind
        assert abs(found.value - synthetic.tangent_onset(kind)) < 3 * found.uncertainty, kind


def test_derivatives_of_the_position_of_a_tangent():
    x = np.arange(0.0, 4.0, 0.02)
    rng = np.random.default_rng(0)
    y = 5 + 1000 * np.exp(-(((x - 2.5) / 0.4) ** 2)) + rng.normal(0, 5, len(x))
    models = _all_models(
        x,
        y,
        lambda y: 25 + 0 * y,
        ["line"],
        np.array([130]),
        0.5,
        0.1,
        2.4,
        np.zeros((200, 0)),
        np.zeros((0, 2)),
    )
    fits = _fit(models, np.tile([2.0, np.log(0.1)], (4, 1)), 12)
    _, gradients = _positions(models, fits)
    for parameter in range(fits.parameters.shape[1]):
        step = 1e-5 * np.maximum(np.abs(fits.parameters[:, parameter]), 1.0)
        moved = [fits.parameters.copy() for _ in range(2)]
        moved[0][:, parameter] += step
        moved[1][:, parameter] -= step
        there, here = (_positions(models, replace(fits, parameters=one))[0] for one in moved)
        numeric = (there - here) / (2 * step)
        if parameter < 4:  # threshold, width and background; the others are columns that not every model has
            np.testing.assert_allclose(gradients[:, parameter], numeric, rtol=0.05, atol=1e-4)
        else:
            used = models.used[:, parameter - 4] > 0
            np.testing.assert_allclose(gradients[used, parameter], numeric[used], rtol=0.05, atol=1e-4)


def test_a_noiseless_ramp_is_found_where_it_starts():
    x = np.arange(0.0, 4.0, 0.02)
    y = 5 + 0.5 * x + 100 * np.maximum(x - 2, 0)
    fit = fit_edge(x, y, np.ones_like, ["ramp"], 0.5, [2.5, 3.0], (1.9, 0.1), (1.5, 2.5), 3.0)
    assert fit.position == pytest.approx(2.0, abs=fit.uncertainty)
    assert fit.uncertainty < 0.02


def test_the_noise_of_an_average_over_models():
    # Lines and parabolas through a part and the whole of some points; the value at x = 1.2.
    x = np.linspace(0, 1, 20)
    y = np.sin(3 * x) * 5 + np.random.default_rng(0).normal(0, 1, 20)

    def average(y):
        values, responses, residuals, sizes = [], [], [], []
        for order, end in ((1, 12), (2, 12), (1, 20), (2, 20)):
            matrix = np.vander(x, order + 1) * (np.arange(20) < end)[:, None]
            inverse = np.linalg.pinv(matrix)
            at = np.vander([1.2], order + 1)[0]
            values.append(at @ inverse @ y)
            responses.append(at @ inverse)
            residuals.append((np.arange(20) < end) * (y - matrix @ inverse @ y))
            sizes.append((order + 1, 20 - end))
        residuals = np.array(residuals)
        weights = log_weight((residuals**2).sum(-1), *np.array(sizes).T)
        return averaged(np.array(values), weights, np.array(responses), residuals)

    _, uncertainty = average(y)
    steps = 1e-5 * np.eye(20)
    numeric = [(average(y + step)[0] - average(y - step)[0]) / 2e-5 for step in steps]
    assert uncertainty == pytest.approx(np.linalg.norm(numeric), rel=1e-6)


def test_noise_is_recognised_as_counting_or_constant():
    rng = np.random.default_rng(0)
    x = np.linspace(0, 10, 600)
    expected = 50 + 40 * np.sin(x)
    assert noise_variance(x, rng.poisson(expected).astype(float)) == (0.0, 1.0)
    constant, proportional = noise_variance(x, expected + rng.normal(0, 3.0, 600))
    # 600 second differences give the variance to about 10 %; twice that is allowed.
    assert constant + 50 * proportional == pytest.approx(9.0, rel=0.2)


# --- reading ------------------------------------------------------------------------------------------------


def test_every_way_of_writing_a_spectrum_gives_the_same_levels(spectrum, tmp_path):
    x, y = spectrum
    ways = {
        "binding": (x, y, "binding energy (eV),counts", {}),
        "reversed": (x[::-1], y[::-1], "Binding Energy / eV,counts", {}),
        "negative": (-x, y, "E-EF (eV),counts", {}),
        "kinetic": (HE_I - x, y, "kinetic energy (eV),counts", {}),
        "biased": (HE_I - x + 5, y, "kinetic energy (eV),counts", {"bias_v": -5.0}),
        "biased, binding": (x - 5, y, "binding energy (eV),counts", {"bias_v": -5.0}),
        "Fermi edge elsewhere": (HE_I - 0.2 - x, y, "Ek (eV),counts", {"fermi_ev": HE_I - 0.2}),
        "told": (HE_I - x, y, "energy,counts", {"axis": "kinetic"}),
        "no names": (x, y, "", {}),
    }
    wanted = evaluate_ups(x, y, HE_I)
    for name, (axis, values, header, options) in ways.items():
        file = written(tmp_path / f"{name}.csv", axis, values, header)
        found = read_ups_spectrum(file, photon_energy_ev=HE_I, **options)
        for level in ("homo_ev", "work_function_ev"):
            a, b = getattr(found, level), getattr(wanted, level)
            # Four decimals in the file can move a point across the end of a window.
            assert a.value == pytest.approx(b.value, abs=0.2 * b.uncertainty), (name, level)


@pytest.mark.parametrize("header", ["# He I\n", "photon energy: 21.218 eV\n", "hv = 21,218\n"])
def test_photon_energy_from_the_header_is_told(spectrum, tmp_path, header):
    file = written(tmp_path / "s.csv", *spectrum, f"{header}binding energy (eV),counts")
    found = read_ups_spectrum(file)
    assert found.photon_energy_ev == pytest.approx(HE_I)
    assert any("photon energy" in warning for warning in found.warnings)


def test_what_is_not_known_is_asked_for(spectrum, tmp_path):
    x, y = spectrum
    file = written(tmp_path / "s.csv", x, y, "binding energy (eV),counts")
    with pytest.raises(InputError, match="photon energy is not known"):
        read_ups_spectrum(file)
    part = x < 6
    file = written(tmp_path / "part.csv", x[part], y[part], "energy,counts")
    with pytest.raises(InputError, match="binding or kinetic"):
        read_ups_spectrum(file, photon_energy_ev=HE_I)


def test_an_unknown_axis_is_refused(tmp_path):
    with pytest.raises(InputError, match="unknown axis 'energy'"):
        read_ups_spectrum(tmp_path / "s.csv", axis="energy")


def test_binding_taken_for_kinetic_and_nanometres_are_refused(spectrum, tmp_path):
    x, y = spectrum
    file = written(tmp_path / "k.csv", 500 + x, y, "kinetic energy (eV),counts")
    with pytest.raises(InputError, match="check the photon energy"):
        read_ups_spectrum(file, photon_energy_ev=HE_I)
    file = written(tmp_path / "nm.csv", 300 + 10 * x, y, "wavelength (nm),counts")
    with pytest.raises(InputError, match="not an electron energy"):
        read_ups_spectrum(file, photon_energy_ev=HE_I)


# --- what a spectrum cannot give ----------------------------------------------------------------------------


def test_a_part_of_a_spectrum_gives_its_part(spectrum):
    x, y = spectrum
    valence = evaluate_ups(x[x < 8], y[x < 8], HE_I)
    assert valence.onset_ev is not None
    assert valence.cutoff_ev is valence.work_function_ev is valence.homo_ev is None
    assert "does not reach" in valence.reasons["cutoff_ev"]
    secondary = evaluate_ups(x[x > 12], y[x > 12], HE_I)
    assert secondary.work_function_ev is not None
    assert secondary.onset_ev is secondary.homo_ev is None
    values = json.loads(json.dumps(secondary.as_json()))
    assert values["homo_ev"] is None
    assert any(warning.startswith("homo_ev is null: it needs the onset") for warning in values["warnings"])


def test_a_flat_spectrum_is_refused(spectrum):
    x, _ = spectrum
    counts = np.random.default_rng(1).poisson(50, len(x)).astype(float)
    with pytest.raises(InputError, match="neither a secondary-electron cutoff nor an onset"):
        evaluate_ups(x, counts, HE_I)


def test_a_fermi_edge_is_not_taken_for_a_homo(synthetic):
    x, y = synthetic.ups(np.random.default_rng(2))
    fermi = 1500 / (1 + np.exp(-x / 0.06))
    found = evaluate_ups(x, y + np.random.default_rng(3).poisson(fermi), HE_I)
    assert found.onset_ev is None
    assert "Fermi edge" in found.reasons["onset_ev"]


def test_a_charged_sample_is_warned_about(spectrum):
    x, y = spectrum
    assert any("charging" in w for w in evaluate_ups(x - 2.0, y, HE_I).warnings)
    assert any("unusual" in w for w in evaluate_ups(x + 2.0, y, HE_I).warnings)


def test_satellites_are_told_for_helium_only(spectrum):
    assert any("satellites of He I" in w for w in evaluate_ups(*spectrum, HE_I).warnings)
    assert not any("satellites" in w for w in evaluate_ups(*spectrum, 21.0).warnings)


def test_a_satellite_has_no_negative_intensity(synthetic):
    for seed in range(4):
        found = evaluate_ups(*synthetic.ups(np.random.default_rng(seed), satellite=0.0), HE_I)
        told = next(warning for warning in found.warnings if "satellites of He I" in warning)
        assert " -" not in told.replace("+-", "")


def test_read_ups_gives_a_reference_for_align(spectrum, tmp_path):
    file = written(tmp_path / "s.csv", *spectrum, "binding energy (eV),counts")
    reference = read_ups(file, photon_energy=HE_I * electronvolt)
    assert reference.homo == pytest.approx(-6.018 * electronvolt, abs=4 * reference.uncertainty)
    assert reference.reference_level == "vacuum"
    x, y = spectrum
    part = written(tmp_path / "part.csv", x[x < 8], y[x < 8], "binding energy (eV),counts")
    with pytest.raises(InputError, match="does not give the HOMO"):
        read_ups(part, photon_energy=HE_I * electronvolt)
