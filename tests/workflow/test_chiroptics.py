"""The CD of several runs as one of a solution, and of one run taken apart, by the command line."""

import csv
import json

import numpy as np
import pytest

from cluster_qc.units import electronvolt, kelvin

# Mirror images cancel as far as both are converged: rotatory strengths are first order in orbitals and residuals.
JOB = """
structure = "{name}.xyz"
output = "{output}"
preset = "quick"
method = {{functional = "hf", basis = "{basis}", conv_tol = 1e-10}}
singlets = {{nstates = 5, tolerance = 1e-5, route = "reference"}}
"""
HYDROGENS = {"wide": (0.388, 0.740), "mirror": (-0.388, 0.740), "narrow": (0.600, 0.583)}  # x, z, angstrom


@pytest.fixture(scope="module")
def folder(zygote, tmp_path_factory):
    """Finished runs of hydrogen peroxide: two conformers, the mirror image of the first, and another basis set."""
    folder = tmp_path_factory.mktemp("conformers")
    for name, (x, z) in HYDROGENS.items():
        atoms = f"O 0 0.695 -0.0925\nO 0 -0.695 -0.0925\nH {-x} 0.895 {z}\nH {x} -0.895 {z}\n"
        (folder / f"{name}.xyz").write_text(f"4\n\n{atoms}")
    for name, basis, output in (*((name, "6-31g", name) for name in HYDROGENS), ("wide", "sto-3g", "other")):
        (folder / f"{output}.toml").write_text(JOB.format(name=name, basis=basis, output=output))
        done = zygote.run("run", f"{output}.toml", "--no-pictures", "--quiet", cwd=folder)
        assert done.code == 0, done.err
    (folder / "copy").symlink_to("wide")
    return folder


def curve(path):
    with open(path) as stream:
        rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    return {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}


def total_energy(folder, name):
    return json.loads((folder / name / "summary.json").read_text())["levels"]["total_energy_hartree"]


# --- the average over conformers ----------------------------------------------------------------------------


def test_average_is_the_weighted_sum_of_the_curves(zygote, folder):
    """At 2000 K, where both conformers count."""
    average = ("--average", "2000", "--energy-error", "0")
    done = zygote.run("cd", "wide", "narrow", *average, "-o", "solution.csv", cwd=folder)
    assert done.code == 0, done.err
    above = total_energy(folder, "wide") - total_energy(folder, "narrow")
    factor = np.exp(-above / (2000.0 * kelvin))
    assert 0.1 < factor < 0.9
    assert f"{above / electronvolt:+.3f} eV   {factor / (1 + factor):.2f} +- 0.00   wide" in done.out
    solution = curve(folder / "solution.csv")
    own = {}
    for name in ("wide", "narrow"):
        assert zygote.run("cd", name, "-o", f"{name}.csv", cwd=folder).code == 0
        alone = curve(folder / f"{name}.csv")
        own[name] = np.interp(solution["energy_ev"], alone["energy_ev"], alone["delta_epsilon_lmolcm"])
    expected = (factor * own["wide"] + own["narrow"]) / (1 + factor)
    scale = np.abs(own["wide"]).max()
    # A straight line between 40 points a width is off by up to ln 2 / 1600 = 4e-4 of a band.
    np.testing.assert_allclose(solution["delta_epsilon_lmolcm"], expected, atol=1e-3 * scale)
    np.testing.assert_array_equal(solution["uncertainty_lmolcm"], 0.0)


def test_mirror_images_cancel_within_an_uncertainty_that_is_told(zygote, folder):
    done = zygote.run("cd", "wide", "mirror", "--average", "298", "-o", "racemate.csv", cwd=folder)
    assert done.code == 0, done.err
    assert done.out.count("0.50 +- 0.") == 2
    assert "each energy uncertain by 0.04 eV (assumed" in done.out
    assert "no band" in done.out
    assert "wide and mirror have the same energy" in done.out
    racemate = curve(folder / "racemate.csv")
    assert np.abs(racemate["delta_epsilon_lmolcm"]).max() < 1e-3
    assert racemate["uncertainty_lmolcm"].max() > 1.0
    assert "solution (Boltzmann average of 2 conformers at 298 K)" in (folder / "racemate.csv").read_text()


def test_film_beside_the_solution_and_both_beside_a_measurement(zygote, folder):
    """The film of the other hand, and its own curve as the measured one."""
    assert zygote.run("cd", "mirror", "-o", "film.csv", cwd=folder).code == 0
    command = ("cd", "wide", "narrow", "--average", "298", "--film", "mirror", "--experiment", "film.csv")
    done = zygote.run(*command, "-o", "both.jdx", cwd=folder)
    assert done.code == 1, done.err
    assert "mirror: film (crystal geometry) and film.csv\n  agrees" in done.out
    assert "solution (Boltzmann average of 2 conformers at 298 K) and film.csv\n  disagrees" in done.out
    assert "##BLOCKS= 2" in (folder / "both.jdx").read_text()
    assert "a CSV holds one curve" in zygote.run(*command, "-o", "both.csv", cwd=folder).err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("wide", "--average", "298"), "two conformers or more"),
        (("wide", "copy", "--average", "298"), "a run is given twice"),
        (("wide", "other", "--average", "298"), "populations of the conformers are not known"),
        (("wide", "narrow", "--average", "-3"), "--average is -3 K"),
        (("wide", "narrow", "--average", "298", "--energy-error", "3"), "--energy-error is 3 eV"),
        (("wide", "narrow", "--average", "298", "--assign"), "--assign chooses between them"),
        (("wide", "narrow", "--average", "298", "--absorption", "uv.csv"), "give it with --shift"),
        (("wide", "--film", "wide"), "belong to --average"),
    ],
)
def test_averages_that_make_no_sense_are_refused(zygote, folder, arguments, message):
    done = zygote.run("cd", *arguments, cwd=folder)
    assert done.code == 2, done.err
    assert message in done.err
    assert "  fix: " in done.err
    assert done.out == ""


# --- the parts of one run -----------------------------------------------------------------------------------


def parts(zygote, folder, *arguments):
    done = zygote.run("parts", *arguments, "--json", cwd=folder)
    assert done.code == 0, done.err
    return json.loads(done.out)


@pytest.mark.parametrize("gauge", ["length", "velocity"])
def test_parts_sum_to_states_and_bands(zygote, folder, gauge):
    table = parts(zygote, folder, "wide", "--gauge", gauge)
    singlets = json.loads((folder / "wide" / "summary.json").read_text())["singlets"]
    for state, known in zip(table["states"], singlets, strict=True):
        assert (state["label"], state["energy_ev"]) == (known["label"], pytest.approx(known["energy_ev"]))
        assert state["rotatory_strength_cgs"] == pytest.approx(known[f"rotatory_strength_{gauge}_cgs"])
        assert sum(state["parts_cgs"].values()) == pytest.approx(state["rotatory_strength_cgs"])
        assert len(state["parts_cgs"]) == 4 + 6  # atoms, and pairs of them
    assert zygote.run("cd", "wide", "--gauge", gauge, "-o", "cd.csv", cwd=folder).code == 0
    drawn = curve(folder / "cd.csv")
    assert table["bands"]
    for band in table["bands"]:
        nearest = np.abs(drawn["wavelength_nm"] - band["wavelength_nm"]).argmin()
        value = band["delta_epsilon_lmolcm"]
        assert value == pytest.approx(drawn["delta_epsilon_lmolcm"][nearest], rel=1e-3)  # between two points
        assert sum(band["parts_lmolcm"].values()) == pytest.approx(value)
    assert ("length gauge: the parts hold" in " ".join(table["remarks"])) == (gauge == "length")


def test_mirror_image_flips_every_part(zygote, folder):
    """The molecules are mirrored exactly; states are converged to 3e-3 hartree, their moments to some 1e-3."""
    one, other = (parts(zygote, folder, name) for name in ("wide", "mirror"))
    for state, mirrored in zip(one["states"], other["states"], strict=True):
        values, flipped = (np.array(list(s["parts_cgs"].values())) for s in (state, mirrored))
        np.testing.assert_allclose(flipped, -values, atol=0.01 * np.abs(values).max())


def test_parts_as_text_and_table(zygote, folder):
    done = zygote.run("parts", "wide", "-o", "parts.csv", cwd=folder)
    assert done.code == 0, done.err
    assert "O1 x O2" in done.out
    assert "HOMO -> LUMO" in done.out
    assert done.out.endswith("written: parts.csv\n")
    assert max(map(len, done.out.split("! ")[0].splitlines())) <= 100
    text = (folder / "parts.csv").read_text()
    assert "velocity gauge" in text.splitlines()[0]
    assert "\nstate,energy_ev,part,rotatory_strength_cgs\nS1," in text
    assert text.count("\nS3,") == 10
    refused = zygote.run("parts", "wide", "-o", "parts.txt", cwd=folder)
    assert refused.code == 2
    assert "unknown kind of file '.txt'" in refused.err
