import csv
from dataclasses import replace

import numpy as np
import pytest

from cluster_qc.analysis.broadening import line_shape, oscillator_prefactor, rotatory_prefactor_cgs
from cluster_qc.analysis.measured import read_table
from cluster_qc.analysis.spectra import (
    cotton_bands,
    simulate_absorption,
    simulate_cd,
    write_spectrum_csv,
)
from cluster_qc.errors import InputError, StorageError, UnavailableError
from cluster_qc.units import electronvolt, energy_from_nm, rotatory_strength_cgs, wavenumber

FWHM = 0.2 * electronvolt


def test_prefactors_are_the_known_numbers():
    assert rotatory_prefactor_cgs == pytest.approx(22.965, abs=5e-4)
    assert oscillator_prefactor == pytest.approx(4.319e-9, abs=5e-13)


@pytest.mark.parametrize("shape", ["gaussian", "lorentzian"])
def test_line_has_area_one_and_the_stated_width(shape):
    assert line_shape(0.5, 1.0, shape) / line_shape(0.0, 1.0, shape) == pytest.approx(0.5)
    x = np.linspace(-500.0, 500.0, 400_001)
    outside = 1 - 2 / np.pi * np.arctan(1000.0) if shape == "lorentzian" else 0.0
    assert np.trapezoid(line_shape(x, 1.0, shape), x) == pytest.approx(1.0 - outside, abs=1e-7)


@pytest.mark.parametrize(("shape", "reach", "error"), [("gaussian", 6, 1e-9), ("lorentzian", 12, 0.08)])
def test_area_under_the_curve_is_the_stick(fabricate, shape, reach, error):
    states = fabricate.excited_states(1, energies=[0.15])
    grid = 0.15 + np.linspace(-reach, reach, 4001) * FWHM
    cd = simulate_cd(states, fwhm=FWHM, shape=shape, energies=grid)
    strength = np.trapezoid(cd.values / grid, grid) * rotatory_prefactor_cgs * rotatory_strength_cgs
    assert strength == pytest.approx(cd.stick_strengths[0], rel=error)
    absorption = simulate_absorption(states, fwhm=FWHM, shape=shape, energies=grid)
    area = np.trapezoid(absorption.values, grid / wavenumber) * oscillator_prefactor
    assert area == pytest.approx(states.oscillator_strengths[0], rel=error)


def test_mirror_image_flips_the_curve(fabricate):
    states = fabricate.excited_states()
    mirrored = replace(states, magnetic=-states.magnetic)
    one, other = simulate_cd(states, fwhm=FWHM), simulate_cd(mirrored, fwhm=FWHM)
    np.testing.assert_allclose(other.values, -one.values, atol=1e-12)


def test_a_shift_moves_the_absorption_and_keeps_the_sticks(fabricate):
    states = fabricate.excited_states()
    shift = 0.25 * electronvolt
    plain, moved = (simulate_absorption(states, fwhm=FWHM, shift=s) for s in (0.0, shift))
    np.testing.assert_allclose(moved.energies, plain.energies + shift, atol=1e-12)
    np.testing.assert_allclose(moved.values, plain.values, rtol=1e-9)
    np.testing.assert_array_equal(moved.stick_energies, states.excitation_energies)
    assert any("shifted by +0.250 eV" in remark for remark in moved.remarks)


def test_a_shift_keeps_the_rotatory_strength_under_the_curve(fabricate):
    states = fabricate.excited_states()
    grid = np.linspace(0.5, 12.0, 20_001) * electronvolt
    areas = [
        np.trapezoid(simulate_cd(states, fwhm=FWHM, energies=grid, shift=s).values / grid, grid)
        for s in (0.0, 0.3 * electronvolt)
    ]
    assert areas[0] == pytest.approx(areas[1], rel=1e-9)


def test_curve_ends_one_width_below_the_last_root_and_says_so(fabricate):
    states = fabricate.excited_states()
    cd = simulate_cd(states, fwhm=FWHM)
    assert cd.energies[0] == pytest.approx(states.excitation_energies[0] - 3 * FWHM)
    assert cd.energies[-1] == pytest.approx(states.excitation_energies[-1] - FWHM)
    assert any("one width below the last of 6 roots" in remark for remark in cd.remarks)
    assert any("gauge origin (0.100, -0.200, 0.300)" in remark for remark in cd.remarks)
    beyond = simulate_cd(states, fwhm=FWHM, energies=np.linspace(2, 7, 50) * electronvolt)
    assert any("lacks roots" in remark for remark in beyond.remarks)


def test_cotton_bands_of_known_lines(fabricate):
    energies = np.array([energy_from_nm(nm) for nm in (420.0, 351.0, 299.0, 240.0)])
    states = fabricate.excited_states(4, energies=energies)
    electric = np.tile([1.0, 0.0, 0.0], (4, 1))
    magnetic = np.outer([0.001, 0.02, -0.03, 0.01], [1.0, 0.0, 0.0])
    cd = simulate_cd(replace(states, electric=electric, magnetic=magnetic), fwhm=FWHM)
    bands = cotton_bands(cd)
    assert [np.sign(band["delta_epsilon_lmolcm"]) for band in bands] == [-1, 1]
    assert [band["wavelength_nm"] for band in bands] == pytest.approx([299.0, 351.0], abs=1.0)
    assert cotton_bands(cd.with_values(np.zeros_like(cd.values))) == []


def test_csv_says_its_units_and_reads_back(fabricate, tmp_path):
    cd = simulate_cd(fabricate.excited_states(), fwhm=FWHM)
    write_spectrum_csv(cd, tmp_path / "cd.csv")
    lines = (tmp_path / "cd.csv").read_text().splitlines()
    comments = [line for line in lines if line.startswith("#")]
    assert "fwhm 0.2000 eV" in comments[1]
    table = list(csv.DictReader(lines[len(comments) :]))
    assert list(table[0]) == ["energy_ev", "wavelength_nm", "delta_epsilon_lmolcm"]
    values = np.array([float(row["delta_epsilon_lmolcm"]) for row in table])
    np.testing.assert_allclose(values, cd.values, rtol=1e-7)
    stored = read_table(tmp_path / "cd.csv")
    assert stored.names == ("energy ev", "wavelength nm", "delta epsilon lmolcm")
    with pytest.raises(StorageError):
        write_spectrum_csv(cd, tmp_path / "missing" / "cd.csv")


def test_nonsense_is_refused(fabricate):
    states = fabricate.excited_states()
    for keywords in (
        {"fwhm": 0.0},
        {"fwhm": 0.3},
        {"fwhm": FWHM, "shape": "box"},
        {"fwhm": FWHM, "shift": -1.0},
        {"fwhm": FWHM, "shift": 0.3},
    ):
        with pytest.raises(InputError):
            simulate_cd(states, **keywords)
    with pytest.raises(InputError, match="positive photon energies"):
        simulate_cd(states, fwhm=FWHM, energies=[-1.0, 1.0])
    below = fabricate.excited_states(2, energies=np.array([-0.02, 0.1]))
    with pytest.raises(InputError, match=r"lowest excitation energy is -0\.544 eV"):
        simulate_cd(below, fwhm=FWHM)
    with pytest.raises(UnavailableError):
        simulate_absorption(fabricate.excited_states(spin="triplet"), fwhm=FWHM)
    with pytest.raises(InputError, match="absorption"):
        cotton_bands(simulate_absorption(states, fwhm=FWHM))
