"""JCAMP-DX files: the curve comes back, and the file keeps the format's rules."""

import numpy as np
import pytest

from cluster_qc.analysis.experiment import read_cd_spectrum
from cluster_qc.analysis.jcamp import jcamp_text
from cluster_qc.analysis.spectra import simulate_absorption, simulate_cd
from cluster_qc.errors import InputError
from cluster_qc.units import electronvolt, wavelength_nm

FWHM = 0.2 * electronvolt
# Required of a spectrum by JCAMP-DX 4.24; TITLE first, END last.
REQUIRED = (
    "TITLE", "JCAMP-DX", "DATA TYPE", "ORIGIN", "OWNER", "XUNITS", "YUNITS", "XFACTOR", "YFACTOR", "FIRSTX", "LASTX",
    "FIRSTY", "NPOINTS", "XYPOINTS", "END",
)  # fmt: skip


def labels(text):
    records = [line[2:].partition("=") for line in text.splitlines() if line.startswith("##")]
    return {name: value.strip() for name, _, value in records}


def test_curve_comes_back(fabricate, tmp_path):
    cd = simulate_cd(fabricate.excited_states(), fwhm=FWHM)
    (tmp_path / "cd.jdx").write_text(jcamp_text([cd], ["R"]))
    found = read_cd_spectrum(tmp_path / "cd.jdx")
    np.testing.assert_allclose(found.energies, cd.energies, rtol=1e-8)  # 1e-6 nm of some hundred
    np.testing.assert_allclose(found.values, cd.values, rtol=1e-8)


def test_file_keeps_the_rules(fabricate):
    states = fabricate.excited_states()
    for spectrum in (
        simulate_cd(states, fwhm=FWHM, shift=0.01, shift_origin="Δ of a very long origin " * 10),
        simulate_absorption(states, fwhm=FWHM),
    ):
        text = jcamp_text([spectrum], ["Cu₂Au₂ " * 30])
        assert text.isascii()
        assert max(map(len, text.splitlines())) <= 80
        found = labels(text)
        assert set(REQUIRED) <= set(found)
        assert text.startswith("##TITLE=")
        assert text.endswith("##END=\n")
        assert int(found["NPOINTS"]) == len(spectrum.energies)
        assert float(found["FIRSTX"]) == pytest.approx(wavelength_nm(spectrum.energies[-1]), abs=1e-6)
        assert float(found["LASTX"]) == pytest.approx(wavelength_nm(spectrum.energies[0]), abs=1e-6)
        assert float(found["FIRSTY"]) == pytest.approx(spectrum.values[-1], rel=1e-8)
        assert found["XYPOINTS"] == "(XY..XY)"


def test_several_curves_are_blocks_of_a_link(fabricate):
    cd = simulate_cd(fabricate.excited_states(), fwhm=FWHM)
    text = jcamp_text([cd, cd], ["R", "S"])
    assert labels(text.partition("##ORIGIN")[0]) == {
        "TITLE": "R, S", "JCAMP-DX": "4.24", "DATA TYPE": "LINK", "BLOCKS": "2",
    }  # fmt: skip
    assert text.count("##TITLE=") == text.count("##END=") == 3
    with pytest.raises(InputError, match="one each"):
        jcamp_text([cd, cd], ["R"])


def test_packed_files_are_not_misread(tmp_path):
    packed = "##XUNITS= NANOMETERS\n##YUNITS= MDEG\n##XYDATA= (X++(Y..Y))\n"
    scaled = "##XUNITS= NANOMETERS\n##YUNITS= MDEG\n##YFACTOR= 0.001\n##XYPOINTS= (XY..XY)\n"
    for head in (packed, scaled):
        (tmp_path / "cd.jdx").write_text(head + "".join(f"{nm} 1 2\n" for nm in range(300, 310)))
        with pytest.raises(InputError, match=r"JCAMP-DX with (packed|scaled) data"):
            read_cd_spectrum(tmp_path / "cd.jdx")
