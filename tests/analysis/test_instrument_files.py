"""Photoelectron spectra as instruments and spreadsheets write them: read right, or refused with file and line."""

import numpy as np
import pytest

from cluster_qc.analysis import ups_reading
from cluster_qc.analysis.ups_reading import read_ups_spectrum
from cluster_qc.errors import InputError

HE_I = 21.218
BINDING = np.arange(-1.0, 18.0, 0.1)
COUNTS = np.round(2000 + 1500 * np.sin(BINDING) + 20000 * np.exp(-(((BINDING - 16) / 0.5) ** 2)))
KINETIC = HE_I - BINDING


def rows(x=BINDING, y=COUNTS, between="\t", form="{:.3f}{}{:.0f}"):
    return "\n".join(form.format(a, between, b) for a, b in zip(x, y, strict=True)) + "\n"


def german(text):
    return text.translate(str.maketrans(".,", ",."))


def casa():
    names = (
        "Cycle 0:UPS\nCharacteristic Energy eV\t21.218\tAcquisition Time s\t60\nK.E.\tCounts\t\tB.E.\tCPS\t\n"
    )
    lines = [
        f"{k:.3f}\t{c:.0f}\t\t{b:.3f}\t{c / 60:.4f}\t"
        for k, c, b in zip(KINETIC, COUNTS, BINDING, strict=True)
    ]
    return names + "\n".join(lines) + "\n"


def scienta():
    scale = " ".join(f"{k:.5f}" for k in KINETIC[::-1])
    return (
        "[Info]\nNumber of Regions=1\nVersion=1.3.1\n\n[Region 1]\nRegion Name=UPS\n"
        "Dimension 1 name=Kinetic Energy [eV]\n"
        f"Dimension 1 size={len(KINETIC)}\nDimension 1 scale={scale * 10}\n\n[Info 1]\nLens Mode=Transmission\n"
        "Pass Energy=5\nExcitation Energy=21.218\nEnergy Scale=Kinetic\n\n[Data 1]\n"
        + rows(KINETIC[::-1], COUNTS[::-1], "  ", " {:.7E}{}{:.7E}")
        + "\n"
    )


NAMED = "Binding Energy (eV)\tIntensity (counts)\n"
FILES = {
    "CasaXPS": casa(),
    "Scienta SES": scienta(),
    "SPECS": "# Region: valence\n# Excitation Energy: 21.218\n# Energy Axis: Kinetic Energy\n# Bias Voltage: 0 [V]\n"
    "# ColumnLabels: energy counts/s\n" + rows(KINETIC, COUNTS, "  "),
    "Kratos": "Dataset filename: 7\n21.218 5\nHe I\n" + NAMED + rows(),
    "units in their own row": "He I\nBinding Energy\tCounts\neV\ta.u.\n" + rows(),
    "decimal comma, semicolon": "He I;\nBindungsenergie (eV);Intensität\n" + german(rows(between=";")),
    "decimal comma, tab": "He I\n" + NAMED + german(rows()),
    "commas between thousands": "He I\n" + NAMED + rows(form="{:.3f}{}{:,.0f}"),
    "commas between thousands, quoted": "He I\nbinding energy,counts\n"
    + rows(between=",", form='"{:.3f}"{}"{:,.0f}"'),
    "points between thousands": "He I\n" + NAMED + german(rows(form="{:.3f}{}{:,.0f}")),
    "blanks between thousands": "He I\n" + NAMED + rows(form="{:.3f}{}{:,.0f}").replace(",", " "),
    "reversed": "He I\n" + NAMED + rows(BINDING[::-1], COUNTS[::-1]),
    "trailing separators": "He I;;\nbinding energy;counts;;\n" + rows(between=";").replace("\n", ";;\n"),
    "Igor": "IGOR He I\nWAVES/D\tBE_eV\tcounts\nBEGIN\n" + rows() + 'END\nX SetScale/P x 0,1,"", BE_eV\n',
    "typographic minus": "UPS_HeI_film\n" + NAMED + rows().replace("-", "\N{MINUS SIGN}"),
    "French": "Énergie des photons (eV) : 21,218\n"
    "Énergie cinétique (eV);Intensité\n" + german(rows(KINETIC, between=";")),
    "German": "Anregungsenergie: 21,218 eV\nBindungsenergie [eV];Zählrate\n" + german(rows(between=";")),
    "two settings of two numbers": "He I\n100 200\n1 2\nBinding Energy   Counts\n" + rows(between="  "),
}


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Binding energies, intensities and warnings, without the fits."""
    monkeypatch.setattr(ups_reading, "evaluate_ups", lambda *args, warnings, source: (*args, warnings))

    def reader(text, encoding="utf-8", **options):
        (tmp_path / "ups.txt").write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return read_ups_spectrum(tmp_path / "ups.txt", **options)

    return reader


@pytest.mark.parametrize("layout", FILES)
def test_exports_of_instruments_and_spreadsheets(read, layout):
    binding, counts, photon, _ = read(FILES[layout])
    assert photon == pytest.approx(HE_I)
    np.testing.assert_allclose(binding, BINDING, atol=1e-3)  # three decimals in the file
    np.testing.assert_allclose(counts, COUNTS)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(read, encoding, end):
    text = FILES["decimal comma, semicolon"].replace("\n", end)
    binding, counts, _, warnings = read(text, encoding)
    np.testing.assert_allclose(binding, BINDING, atol=1e-3)
    np.testing.assert_allclose(counts, COUNTS)
    assert any("decimal sign" in warning for warning in warnings)


def test_what_the_signs_in_numbers_were_taken_for_is_told(read):
    *_, warnings = read(FILES["commas between thousands"])
    assert any("between thousands" in warning for warning in warnings)
    assert not any("decimal" in warning for warning in warnings)


def test_a_later_region_is_told_not_mixed_in(read):
    binding, _, _, warnings = read(scienta() + "[Region 2]\n[Data 2]\n" + rows(between="  "))
    assert len(binding) == len(BINDING)
    assert any("later section" in warning for warning in warnings)


REFUSED = {
    "He I\n" + NAMED + rows().replace("2.000\t", "2.000\tNaN"): "ups.txt:",
    "He I\n" + NAMED + rows().replace("\n2.000\t", "\n1.900\t"): r"ups.txt:33: the axis goes from 1.9 to 1.9",
    "He I\n" + NAMED + "1.0\t2\n2.0\t3\n": "ups.txt:4: the file has only 2 rows",
    "He I\n" + NAMED + "1.0\t2\n": "ups.txt:3: the file has only 1 rows",
    "He I\nenergy\n" + "\n".join(f"{b:.2f}" for b in BINDING): "no line of the file holds two numbers",
    "": "the file is empty",
    "He I\nwavelength (nm)\tcounts\n" + rows(): "not an electron energy",
    "He I\n" + NAMED + rows() + NAMED + rows(): r"ups.txt:193: 'Binding Energy .* go on in line 194",
    "He I\nenergy (eV)\tA\tenergy (eV)\tB\n1\t2\t1\t2\n3\t4\t\t\n": "ups.txt:2: several columns are named 'energy",
    "He I\nBE cutoff\tcounts\tBE valence\tcounts\n" + "1\t2\t3\t4\n" * 30: "of one curve only",
    "He I\nindex\tBinding Energy\tcounts\n" + "1\t2\t3\n" * 30: "first is to be the energy",
    "He I\nBinding Energy (eV)\tlog10(counts)\n" + rows(): "not to its logarithm",
    "photon energy 58.43 nm\n" + NAMED + rows(): "photon energy is not known",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_read_is_refused(read, text):
    with pytest.raises(InputError, match=REFUSED[text]):
        read(text)


def test_an_axis_against_the_header_is_told(read):
    *_, warnings = read("He I\nkinetic energy\tcounts\n" + rows(), axis="binding")
    assert any("names a kinetic energy; it was read as binding" in warning for warning in warnings)
    *_, warnings = read(FILES["reversed"], axis="binding")
    assert not any("names a" in warning for warning in warnings)


# --- VAMAS --------------------------------------------------------------------------------------------------


def vamas(*blocks, scan="REGULAR"):
    """A file as of ISO 14976, with blocks of (name, technique, x label, energies, counts)."""
    lines = [
        "VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4",
        "lab",
        "spectrometer",
        "-",
        "-",
    ]
    lines += [0, "NORM", scan, len(blocks), 0, 0, 0, 0, 0, len(blocks)]
    for name, technique, label, x, y in blocks:
        lines += [
            name,
            "film",
            2024,
            1,
            2,
            3,
            4,
            5,
            0,
            0,
            technique,
            "He I",
            HE_I,
            1e37,
            1e37,
            1e37,
            0,
            0,
            "FAT",
            5,
        ]
        lines += [
            1e37,
            4.3,
            -5.0,
            0,
            0,
            0,
            0,
            "VB",
            "none",
            -1,
            label,
            "eV",
            x[0],
            x[1] - x[0],
            2,
            "Transmission",
        ]
        lines += [
            "d",
            "Intensity",
            "d",
            "pulse counting",
            0.1,
            3,
            0,
            0,
            0,
            0,
            0,
            2 * len(x),
            1,
            1,
            y.min(),
            y.max(),
        ]
        lines += [value for count in y for value in (1, count)]
    return "\n".join(map(str, [*lines, "end of experiment", ""])).encode()


UPS = ("valence", "UPS", "kinetic energy", KINETIC[::-1], COUNTS[::-1])
XPS = ("survey", "XPS", "kinetic energy", KINETIC[::-1], COUNTS[::-1] + 7)


def test_vamas(read):
    pytest.importorskip("vamas")
    for file in (vamas(UPS), vamas(XPS, UPS)):
        binding, counts, photon, warnings = read(file)
        assert photon == pytest.approx(HE_I)
        np.testing.assert_allclose(binding, BINDING, atol=1e-9)
        np.testing.assert_allclose(counts, COUNTS)
        assert any("bias, which was not taken off" in warning for warning in warnings)
    for block in ("survey", "1"):
        np.testing.assert_allclose(read(vamas(XPS, UPS), block=block)[1], COUNTS + 7)


def test_bad_vamas(read, capfd):
    pytest.importorskip("vamas")
    with pytest.raises(InputError, match=r"several blocks .* 1 'valence', 2 'valence'"):
        read(vamas(UPS, UPS))
    with pytest.raises(InputError, match="no single block 'x'"):
        read(vamas(UPS), block="x")
    with pytest.raises(InputError, match="uneven axis"):
        read(vamas(UPS, scan="IRREGULAR"))
    with pytest.raises(InputError, match="cannot be read"):
        read(vamas(UPS)[:1000])
    with pytest.raises(InputError, match="not VAMAS"):
        read(FILES["reversed"], block="1")
    assert capfd.readouterr() == ("", "")
