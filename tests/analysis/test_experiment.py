"""Measured curves: every way of writing the same table reads the same, and each broken one is refused with its line."""

import math

import numpy as np
import pytest

from cluster_qc.analysis.experiment import (
    mdeg_per_absorbance,
    molar_ellipticity_per_delta_epsilon,
    read_absorption_spectrum,
    read_cd_spectrum,
)
from cluster_qc.analysis.spectra import simulate_cd, write_spectrum_csv
from cluster_qc.errors import InputError
from cluster_qc.units import electronvolt, energy_from_nm

NM = [400.5, 380.5, 360.5, 340.5, 320.5, 300.5]
VALUES = [0.0, 1.5, -2.25, 3.0, 4.0, -5.5]
ENERGIES = [energy_from_nm(nm) for nm in NM]


def table(separator=",", comma=False, reverse=False, x=NM, extra=()):
    rows = list(zip(x, VALUES, strict=True))
    lines = [
        separator.join((f"{a}", f"{b}", *extra)).replace(".", "," if comma else ".")
        for a, b in (rows[::-1] if reverse else rows)
    ]
    return "\n".join(lines) + "\n"


JASCO = (
    "TITLE\tfilm\nDATA TYPE\tCD\nORIGIN\tJASCO\nDATE\t23/05/12\nSPECTROMETER/DATA SYSTEM\tJ-1500\nDELTAX\t-20\n"
    "XUNITS\tNANOMETERS\nYUNITS\tCD [mdeg]\nY2UNITS\tHT [V]\nFIRSTX\t400.5\nNPOINTS\t6\nXYDATA\n"
    f"{table(chr(9), extra=('350.1',))}\n##### Extended Information\n[Comments]\nSample name\t1\n1 2\n"
)


@pytest.mark.parametrize(
    "text",
    [
        "wavelength_nm,delta_epsilon_lmolcm\n" + table(),
        "wavelength (nm), Δε (M-1 cm-1)\n" + table(", "),
        "# measured in acetonitrile\n# wavelength / nm   delta epsilon / L mol-1 cm-1\n" + table(" "),
        "Wellenlänge [nm];delta epsilon\n" + table(";", comma=True),
        "nm\tΔε\n" + table("\t", comma=True, reverse=True),
        "x in nm, y = delta_epsilon\n" + table("  ", comma=True),
        "\ufeffnm;d_eps;HT\r\n" + table(";", extra=("420",)).replace("\n", "\r\n"),
        "HT (V),wavelength (nm),delta epsilon\n"
        + "".join(f"1,{a},{b}\n" for a, b in zip(NM, VALUES, strict=True)),
    ],
)
def test_every_way_of_writing_one_table_reads_the_same(tmp_path, text):
    (tmp_path / "cd.txt").write_text(text, encoding="utf-8")
    found = read_cd_spectrum(tmp_path / "cd.txt")
    assert found.energies == pytest.approx(ENERGIES)
    assert found.values == pytest.approx(VALUES)
    assert not found.relative


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("energy (eV)", [energy / electronvolt for energy in ENERGIES]),
        ("wavenumber (cm-1)", [1e7 / nm for nm in NM]),
    ],
)
def test_energies_and_wavenumbers_keep_their_order(tmp_path, name, x):
    (tmp_path / "cd.csv").write_text(f"{name},delta epsilon (L mol-1 cm-1)\n" + table(x=x))
    assert read_cd_spectrum(tmp_path / "cd.csv").energies == pytest.approx(ENERGIES)


def test_the_unit_of_epsilon_is_none_of_the_axis(tmp_path):
    (tmp_path / "cd.csv").write_text("x,delta epsilon (M-1 cm-1)\n" + table())
    with pytest.raises(InputError, match="no unit for the first column"):
        read_cd_spectrum(tmp_path / "cd.csv")


def test_ellipticity_by_the_exact_factor(tmp_path):
    """Small limit of tan(theta) = (e_R - e_L)/(e_R + e_L) with amplitudes e = 10^(-A/2)."""
    difference = 1e-6
    right, left = 10 ** (-(1.0 - difference / 2) / 2), 10 ** (-(1.0 + difference / 2) / 2)
    theta = math.degrees(math.atan((right - left) / (right + left))) * 1e3
    assert mdeg_per_absorbance == pytest.approx(theta / difference, rel=1e-9)
    assert mdeg_per_absorbance == pytest.approx(32980, rel=1e-4)  # the rounded number of the textbooks
    path = tmp_path / "jasco.txt"
    path.write_text(JASCO)
    solution = read_cd_spectrum(path, concentration_mol_l=2e-5, path_length_cm=0.5)
    assert solution.values == pytest.approx(np.array(VALUES) / (mdeg_per_absorbance * 1e-5))
    assert not solution.relative
    path.write_text(JASCO.replace("CD [mdeg]", "Mol. Ellip. [deg cm2 dmol-1]"))
    assert read_cd_spectrum(path).values == pytest.approx(
        np.array(VALUES) / molar_ellipticity_per_delta_epsilon
    )


def test_a_film_gives_a_shape_only_and_says_so(tmp_path):
    (tmp_path / "film.txt").write_text(JASCO)
    film = read_cd_spectrum(tmp_path / "film.txt")
    assert film.relative
    assert any("only the shape" in remark for remark in film.remarks)
    assert film.values == pytest.approx(VALUES)


def test_a_wavelength_without_unit_is_an_assumption_that_is_told(tmp_path):
    (tmp_path / "cd.csv").write_text("Wavelength,CD (mdeg)\n" + table())
    assert any("nm is assumed" in remark for remark in read_cd_spectrum(tmp_path / "cd.csv").remarks)


def test_units_can_be_told(tmp_path):
    (tmp_path / "cd.csv").write_text(table())
    found = read_cd_spectrum(tmp_path / "cd.csv", x_unit="nm", y_unit="delta_epsilon")
    assert found.values == pytest.approx(VALUES)
    (tmp_path / "uv.csv").write_text("nm,Abs\n" + table())
    uv = read_absorption_spectrum(tmp_path / "uv.csv", concentration_mol_l=1e-4, path_length_cm=1.0)
    assert uv.values == pytest.approx(np.array(VALUES) * 1e4)
    assert read_absorption_spectrum(tmp_path / "uv.csv").relative


def test_own_output_reads_back(fabricate, tmp_path):
    cd = simulate_cd(fabricate.excited_states(), fwhm=0.2 * electronvolt)
    write_spectrum_csv(cd, tmp_path / "cd.csv")
    found = read_cd_spectrum(tmp_path / "cd.csv")
    np.testing.assert_allclose(found.energies, cd.energies, rtol=1e-6)  # written with 1e-6 eV
    np.testing.assert_allclose(found.values, cd.values, rtol=1e-7)


HEAD = "wavelength_nm,delta_epsilon\n"
BROKEN = {
    "empty": ("", r"the file is empty"),
    "words": ("to be\nor not\n", r":1: no line of the file holds two numbers"),
    "two lines": (HEAD + "400,1\n399,2\n", r":3: the file has only 2 rows"),
    "NaN": (HEAD + table().replace("-2.25", "NaN"), r":4: a value is missing"),
    "hole": (HEAD + table().replace("-2.25", ""), r":4: a value is missing"),
    "word": (HEAD + table().replace("-2.25", "--"), r":4: a value is missing"),
    "turns": (HEAD + table() + "310.5,1\n", r":8: the axis goes from 300.5 to 310.5"),
    "repeats": (HEAD + table() + "300.5,1\n", r":8: the axis goes from 300.5 to 300.5"),
    "ragged": (HEAD + table() + "290.5,1,2\n", r":8: 3 columns"),
    "no x unit": ("x,delta_epsilon\n" + table(), r":2: no unit for the first column"),
    "wavenumbers": ("cm-1,delta_epsilon\n" + table(), r":2: the axis is said to be in cm-1"),
    "no y unit": ("wavelength_nm,CD\n" + table(), r":2: no unit for the cd values"),
    "bare numbers": (table(), r":1: no unit"),
    "two meanings of the comma": (HEAD + "400,5,1,5\n390,5,1,6\n380,5,2,6\n370,5,2,7\n360,5,3,8\n", r":2: 4 whole"),
    "wrong unit": ("energy_ev,delta_epsilon\n" + table(), r":2: the axis is said to be in eV"),
    "negative": (HEAD + table().replace("320.5", "-320.5"), r":6: the axis is said to be in nm and runs from -320.5"),
    "binary": ("\0\1\2", "not a text file"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_refused_with_file_and_line(tmp_path, case):
    text, message = BROKEN[case]
    (tmp_path / "cd.csv").write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read_cd_spectrum(tmp_path / "cd.csv")
    assert str(tmp_path / "cd.csv") in str(error.value)


def test_concentration_and_path_length_belong_together_and_to_mdeg(tmp_path):
    path = tmp_path / "cd.txt"
    path.write_text(JASCO)
    with pytest.raises(InputError, match="path length is missing"):
        read_cd_spectrum(path, concentration_mol_l=1e-4)
    with pytest.raises(InputError, match="concentration is -1"):
        read_cd_spectrum(path, concentration_mol_l=-1, path_length_cm=1)
    path.write_text(HEAD + table())
    with pytest.raises(InputError, match="do not change"):
        read_cd_spectrum(path, concentration_mol_l=1e-4, path_length_cm=1)
    with pytest.raises(InputError, match="y_unit is 'barn'"):
        read_cd_spectrum(path, y_unit="barn")
    with pytest.raises(InputError, match="no such file"):
        read_cd_spectrum(tmp_path / "missing.csv")


def test_absorption_is_no_cd_and_cd_no_absorption(tmp_path):
    """Both are in L/(mol cm); only the name of the quantity tells them apart."""
    path = tmp_path / "curve.csv"
    path.write_text("wavelength_nm,epsilon_lmolcm\n" + table())
    with pytest.raises(InputError, match="no unit for the cd values"):
        read_cd_spectrum(path)
    path.write_text("wavelength_nm,delta_epsilon_lmolcm\n" + table())
    with pytest.raises(InputError, match="no unit for the absorption values"):
        read_absorption_spectrum(path)
    assert read_cd_spectrum(path).kind == "cd"
