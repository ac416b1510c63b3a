import numpy as np
import pytest

from cluster_qc.analysis.measured import read_table
from cluster_qc.analysis.tauc import evaluate_tauc
from cluster_qc.analysis.tauc_reading import _absorption, read_tauc
from cluster_qc.errors import InputError

HC = 1239.8419843


def written(path, columns, header):
    rows = "\n".join(",".join(f"{value:.7g}" for value in row) for row in np.column_stack(columns))
    path.write_text(f"{header}\n{rows}\n")
    return path


@pytest.mark.parametrize("kind", ["direct", "indirect"])
def test_the_stated_uncertainty_is_honest(synthetic, kind):
    # 30 trials at 95 %: fewer than 25 hits have a chance of 0.3 %.
    hits = 0
    for seed in range(30):
        noise = (1e-3, 2e-3, 5e-3)[seed % 3]
        found = evaluate_tauc(*synthetic.absorption(np.random.default_rng(seed), kind=kind, noise=noise))
        gap = found.direct_gap_ev if kind == "direct" else found.indirect_gap_ev
        hits += abs(gap.value - synthetic.GAP) < 1.96 * gap.uncertainty
        assert gap.uncertainty < 0.15
    assert hits >= 25


def test_the_thickness_scales_the_absorption_and_not_the_gap(synthetic, tmp_path):
    x, y = synthetic.absorption(np.random.default_rng(1))
    file = written(tmp_path / "a.csv", (HC / x, y), "wavelength (nm),absorbance")
    thin, none = read_tauc(file, thickness_nm=60.0), read_tauc(file)
    assert thin.unit == "1/cm"
    np.testing.assert_allclose(thin.absorption, none.absorption * np.log(10) / 60e-7)
    assert thin.direct_gap_ev.value == pytest.approx(none.direct_gap_ev.value, abs=1e-5)


def test_transmittance_and_reflectance_give_the_same_gap(synthetic, tmp_path):
    x, y = synthetic.absorption(np.random.default_rng(1))
    r = 0.1 + 0.01 * x
    t = (1 - r) * np.exp(-y)
    wanted = evaluate_tauc(x, y).direct_gap_ev
    share = read_tauc(written(tmp_path / "s.csv", (x, t, r), "energy (eV),T,R"))
    percent = read_tauc(written(tmp_path / "p.csv", (x, 100 * t, 100 * r), "energy (eV),T (%),R (%)"))
    for found in (share, percent):  # seven digits in the file can move the ends of the windows by a point
        assert abs(found.direct_gap_ev.value - wanted.value) < 0.5 * wanted.uncertainty
    alone = read_tauc(written(tmp_path / "t.csv", (x, t), "energy (eV),transmittance"))
    assert any("no reflectance" in warning for warning in alone.warnings)


def test_bad_spectra(synthetic, tmp_path):
    x, y = synthetic.absorption(np.random.default_rng(1))
    with pytest.raises(InputError, match="no absorption edge"):
        evaluate_tauc(x, np.random.default_rng(0).normal(0.1, 0.01, len(x)))
    t = np.exp(-y)
    t[7] = -0.1
    with pytest.raises(InputError, match=r"t\.csv:9: transmittance -0\.1"):
        read_tauc(written(tmp_path / "t.csv", (x, t), "energy (eV),transmittance"))
    with pytest.raises(InputError, match="thickness"):
        read_tauc(tmp_path / "t.csv", thickness_nm=-5.0)


def test_the_assumption_is_told(synthetic):
    found = evaluate_tauc(*synthetic.absorption(np.random.default_rng(1)))
    assert any("band-to-band" in warning for warning in found.as_json()["warnings"])
    assert found.onset_ev is not None


def test_every_way_of_writing_an_absorption_gives_the_same_curve(synthetic, tmp_path):
    x, y = synthetic.absorption(np.random.default_rng(1))
    y = y - y.min() + 0.01
    r = 0.1 + 0.01 * x
    t = (1 - r) * np.exp(-y)
    diffuse = 1 + y - np.sqrt(y**2 + 2 * y)  # the inverse of Kubelka and Munk's function
    ways = {
        "absorptance,R": (x, 1 - r - t, r),
        "absorptance (%),R (%)": (x, 100 * (1 - r - t), 100 * r),
        "1-T": (x, 1 - np.exp(-y)),
        "R (%)": (x, 100 * diffuse),
        "diffuse reflectance": (x, diffuse),
        "F(R)": (x, y),
        "Kubelka-Munk": (x, y),
    }
    for name, columns in ways.items():
        table = read_table(written(tmp_path / "t.csv", columns, f"energy (eV),{name}"))
        warnings = []
        absorption, _ = _absorption(table, None, warnings)
        # The file has seven digits, and y is made of differences of them.
        np.testing.assert_allclose(absorption, y, rtol=2e-5, err_msg=name)
        assert any("diffuse" in w for w in warnings) == (name in ("R (%)", "diffuse reflectance"))
    with pytest.raises(InputError, match=r"r\.csv:5: reflectance -0\.1"):
        read_tauc(
            written(tmp_path / "r.csv", (x, np.where(np.arange(len(x)) == 3, -0.1, diffuse)), "energy (eV),R")
        )


def test_text_behind_the_numbers_is_left_out_and_told(synthetic, tmp_path):
    x, y = synthetic.absorption(np.random.default_rng(1))
    file = written(tmp_path / "cary.csv", (HC / x, y), "film,\nWavelength (nm),Abs")
    table = read_table(file)
    with file.open("a") as stream:
        stream.write("\nfilm\nCollection Time: 3/4/2021\nScan Rate (nm/min) 600\n")
    again = read_table(file)
    np.testing.assert_array_equal(again.values, table.values)
    assert again.remarks == ("the text from line 304 on, behind the numbers, was left out",)


@pytest.mark.parametrize("name", ["CD (mdeg)", "sample (%)", "photoluminescence"])
def test_what_is_no_absorbance_is_not_taken_for_one(synthetic, tmp_path, name):
    x, y = synthetic.absorption(np.random.default_rng(1))
    y = y * 100 if name == "photoluminescence" else y
    with pytest.raises(InputError, match="is no absorbance"):
        read_tauc(written(tmp_path / "t.csv", (x, y), f"energy (eV),{name}"))


def test_of_two_films_the_one_that_was_taken_is_told(synthetic, tmp_path):
    x, y = synthetic.absorption(np.random.default_rng(1))
    found = read_tauc(written(tmp_path / "t.csv", (x, y, y), "energy (eV),abs film 1,abs film 2"))
    assert any("columns 2 ('abs film 1') and 3" in warning for warning in found.warnings)
