"""The real command line in a subprocess: exit codes, messages, and that bad input leaves nothing behind."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

WATER = "3\n\nO 0.0 0.0 0.117\nH 0.0 0.757 -0.470\nH 0.0 -0.757 -0.470\n"
SMALL = ("--basis", "sto-3g", "--preset", "quick", "--states", "2", "--no-pictures")


def cli(*arguments, cwd, check=None):
    done = subprocess.run(
        [sys.executable, "-m", "cluster_qc", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    if check is not None:
        assert done.returncode == check, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "water.xyz").write_text(WATER)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of water."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "water.xyz").write_text(WATER)
    cli("run", "water.xyz", *SMALL, "-o", "out", cwd=folder, check=0)
    return folder / "out"


# --- bad input: exit 2, one clear message, nothing written --------------------------------------------------

BAD = {
    "too many states": (
        ["run", "water.xyz", *SMALL[:-2], "1000"],
        "1000 states were asked for; the orbitals allow 10",
    ),
    "missing file": (["run", "watr.xyz"], "no such file: watr.xyz; water.xyz exists"),
    "directory": (["run", "."], "is a folder, not a file"),
    "kind of file": (["run", "notes.txt"], "unknown kind of file '.txt'"),
    "empty file": (["run", "empty.xyz"], "empty.xyz"),
    "unknown element": (["run", "element.xyz"], "Xx"),
    "odd electrons": (["run", "water.xyz", "--charge", "1"], "9 electrons, which cannot have multiplicity 1"),
    "open shell": (["run", "water.xyz", "--multiplicity", "3"], "multiplicity 3"),
    "functional": (["run", "water.xyz", "--functional", "pbeO"], "unknown functional 'pbeO'"),
    "basis": (["run", "water.xyz", "--basis", "def3-svp"], "unknown basis set 'def3-svp'"),
    "basis without element": (["run", "gold.xyz", "--basis", "6-31g"], "'6-31g' has no functions for Au"),
    "ecp": (["run", "ecp.toml"], "ECP 'nonsense' exists for none"),
    "negative states": (["run", "water.xyz", "--states", "-3"], "--states is -3"),
    "number and window": (["run", "water.xyz", "--states", "3", "--window", "5"], "--states and --window"),
    "window": (["run", "water.xyz", "--window", "0"], "window is 0"),
    "preset": (["run", "water.xyz", "--preset", "quik"], "did you mean 'quick'"),
    "unwritable folder": (["run", "water.xyz", *SMALL, "-o", "notes.txt/out"], "a file, not a folder"),
    "toml key": (["run", "key.toml"], "unknown key method.functionl; did you mean 'functional'"),
    "toml syntax": (["run", "syntax.toml"], "not a TOML file"),
    "unknown option": (["run", "water.xyz", "--stats", "3"], "--stats"),
    "unknown command": (["runn"], "runn"),
    "no run there": (["report", "."], "no finished run"),
    "gauge without sense": (["cd", "."], "no finished run"),
    "measured CD missing": (["cd", "out", "--experiment", "cd.csv"], "cd.csv: there is no such file"),
    "measured CD of two points": (
        ["cd", "out", "--experiment", "two.csv"],
        "two.csv:3: the file has only 2 rows",
    ),
    "path length alone": (["cd", "out", "--path-length", "1"], "belong to --experiment"),
    "structure of a folder": (["structure", "."], "is a folder"),
}


@pytest.fixture
def bad_folder(folder):
    for name, text in {
        "notes.txt": "not a structure\n",
        "two.csv": "nm,mdeg\n400,1\n390,2\n",
        "empty.xyz": "",
        "element.xyz": "1\n\nXx 0 0 0\n",
        "gold.xyz": "2\n\nAu 0 0 0\nH 0 0 1.52\n",
        "ecp.toml": 'structure = "water.xyz"\n[method]\necp = "nonsense"\n',
        "key.toml": 'structure = "water.xyz"\n[method]\nfunctionl = "pbe0"\n',
        "syntax.toml": "structure = \n",
    }.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("case", BAD)
def test_bad_input(bad_folder, case):
    arguments, message = BAD[case]
    before = sorted(path.name for path in bad_folder.rglob("*"))
    done = cli(*arguments, cwd=bad_folder, check=2)
    assert message in done.stderr
    assert done.stdout == ""
    assert sorted(path.name for path in bad_folder.rglob("*")) == before


@pytest.fixture
def tmpfs(tmp_path):
    """A file system of 24 KiB."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    done = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(mounted)],
            capture_output=True,
            check=False,
        )
        if os.geteuid() == 0
        else None
    )
    if done is None or done.returncode:
        pytest.skip("mounting a small file system needs root and the right to mount")
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True)


def test_full_disk(folder, tmpfs):
    done = cli("run", "water.xyz", *SMALL, "-o", tmpfs / "out", cwd=folder, check=2)
    assert "the disk is full" in done.stderr
    assert "free space" in done.stderr
    names = [path.name for path in (tmpfs / "out").iterdir()]
    assert not [name for name in names if name.startswith(".unfinished")]
    assert "summary.json" not in names


def test_read_only_folder(folder, tmpfs):
    subprocess.run(["mount", "-o", "remount,ro", str(tmpfs)], check=True)
    done = cli("run", "water.xyz", *SMALL, "-o", tmpfs / "out", cwd=folder, check=2)
    assert "read-only" in done.stderr


def test_error_message_has_what_why_fix(folder):
    err = cli("run", "water.xyz", "--charge", "1", cwd=folder, check=2).stderr
    assert err.startswith("error: ")
    assert "\n  why: " in err
    assert "\n  fix: " in err


def test_debug_shows_the_traceback_wherever_it_stands(folder):
    for arguments in (["--debug", "run", "no.xyz"], ["run", "no.xyz", "--debug"]):
        done = subprocess.run(
            [sys.executable, "-m", "cluster_qc", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "Traceback" in done.stderr


# --- structure ----------------------------------------------------------------------------------------------


def test_structure_json(folder):
    report = json.loads(cli("structure", "water.xyz", "--json", cwd=folder, check=0).stdout)
    assert report["cluster"]["formula"] == "H2O"
    assert set(report) == {"cluster", "others", "disorder", "added_hydrogens", "chirality", "warnings"}


def test_structure_refusal_as_json(folder):
    (folder / "broken.cif").write_text("data_x\n_cell_length_a ?\nloop_\n")
    done = cli("structure", "broken.cif", "--json", cwd=folder, check=2)
    error = json.loads(done.stdout)["error"]
    assert set(error) == {"kind", "message", "line"}
    assert error["message"] in done.stderr


def test_structure_writes_xyz(folder):
    text = cli("structure", "water.xyz", "-o", "copy.xyz", cwd=folder, check=0).stdout
    assert "H2O: 3 atoms" in text
    assert (folder / "copy.xyz").read_text().startswith("3\n")


CRYSTAL = """data_{name}
_cell_length_a 10
_cell_length_b 11
_cell_length_c 12
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P -1'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
{metal}1 0 0 0
Cl1 0.23 0 0
N1 0.02 0.185 0
H1 0.06 0.21 0.06
H2 -0.07 0.21 0
H3 0.06 0.21 -0.06
"""


def test_structure_of_one_block_in_words(folder):
    text = CRYSTAL.format(name="one", metal="Pt") + CRYSTAL.format(name="two", metal="Pd")
    (folder / "my two crystals.cif").write_text(text)
    done = cli("structure", "my two crystals.cif", "--json", cwd=folder, check=2)
    assert "one, two" in json.loads(done.stdout)["error"]["message"]
    arguments = ("--block", "two", "--normalise-hydrogens", "-o", "two.xyz")
    text = cli("structure", "my two crystals.cif", *arguments, cwd=folder, check=0).stdout
    assert "Cl2H6N2Pd: 11 atoms, charge 0" in text
    assert "1 x Pd +2: usual ion" in text
    assert "2 x Cl -1" in text
    assert "P -1, both hands" in text
    assert "neutron lengths" in text
    assert (folder / "two.xyz").read_text().startswith("11\n")
    cli("structure", "water.xyz", "--block", "two", cwd=folder, check=2)
    cli("structure", "water.xyz", "--no-long-bonds", cwd=folder, check=2)
    cli("structure", "my two crystals.cif", "--block", "two", "--no-long-bonds", cwd=folder, check=0)


# --- a finished run -----------------------------------------------------------------------------------------


def test_summary_has_the_documented_keys(finished):
    summary = json.loads((finished / "summary.json").read_text())
    documented = {
        "schema_version", "structure", "method", "levels", "singlets", "triplets", "ntos", "cd", "alignment",
        "converged", "timings_s", "peak_memory_gib", "provenance",
    }  # fmt: skip
    assert documented <= set(summary)
    assert summary["schema_version"] == 1
    assert summary["converged"] is True
    assert summary["alignment"] is None
    assert {
        "formula",
        "natom",
        "charge",
        "multiplicity",
        "cip",
        "core_handedness",
        "mean_distance_angstrom",
    } <= set(summary["structure"])
    assert {"homo_ev", "lumo_ev", "gap_ev", "shares"} <= set(summary["levels"])
    state = {"label", "energy_ev", "wavelength_nm", "error_estimate_ev", "route"}
    strengths = {"oscillator_strength", "rotatory_strength_length_cgs", "rotatory_strength_velocity_cgs"}
    assert [row["label"] for row in summary["singlets"]] == ["S1", "S2"]
    assert all(state | strengths <= set(row) for row in summary["singlets"])
    assert all(state <= set(row) and not strengths & set(row) for row in summary["triplets"])
    assert set(summary["ntos"]) == {"S1", "T1"}
    assert {"weights", "hole", "electron", "homo_lumo_weight", "character"} <= set(summary["ntos"]["S1"])
    assert {"fwhm_ev", "shift_ev", "bands", "csv"} <= set(summary["cd"])
    assert set(summary["timings_s"]) == {"scf", "triplets", "singlets", "analysis"}
    assert (finished / summary["cd"]["csv"]).is_file()
    assert (finished / "report.html").is_file()
    assert (finished / "structure.xyz").is_file()
    assert {"levels.png", "cd.png"} <= {path.name for path in (finished / "figures").iterdir()}
    assert str(finished) not in (finished / "summary.json").read_text()


def test_nothing_unfinished_stays(finished):
    leftovers = [p.name for p in finished.rglob(".*") if p.name not in (".lock", ".made-of.json")]
    assert leftovers == []


def test_report(finished):
    assert "HOMO" in cli("report", finished, "--text", cwd=finished, check=0).stdout
    cli("report", finished, cwd=finished, check=0)
    page = (finished / "report.html").read_text(encoding="utf-8")
    for orbital in ("homo", "lumo", "s1_hole", "t1_electron"):
        assert f'data-orbital="{orbital}"' in page  # evaluated now: the run drew no pictures
    assert 'download="cd.csv"' in page


def test_report_of_two_runs_compares_them(finished, tmp_path):
    cli("report", finished, finished, "-o", "both.html", cwd=tmp_path, check=0)
    assert "In brackets: difference from out (1)." in (tmp_path / "both.html").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["both.html"]
    done = cli("report", finished, finished, "-o", "both.txt", cwd=tmp_path, check=2)
    assert "give a .html file" in done.stderr
    assert "leave it out" in cli("report", finished, "-o", "one.html", cwd=tmp_path, check=2).stderr


def test_align(finished):
    homo = json.loads((finished / "summary.json").read_text())["levels"]["homo_ev"]
    assert "agrees" in cli("align", finished, "--homo", f"{homo + 0.1}", cwd=finished, check=0).stdout
    assert "disagrees" in cli("align", finished, "--homo", f"{homo - 2}", cwd=finished, check=1).stdout
    assert "no measured HOMO is known for H2O" in cli("align", finished, cwd=finished, check=2).stderr


def test_a_summary_without_its_records(finished, tmp_path):
    shutil.copy(finished / "summary.json", tmp_path)
    homo = json.loads((finished / "summary.json").read_text())["levels"]["homo_ev"]
    assert "agrees" in cli("align", ".", "--homo", f"{homo + 0.1}", cwd=tmp_path, check=0).stdout
    refused = cli("cd", ".", cwd=tmp_path, check=2).stderr
    assert re.search(
        r"error: \. has no singlets: the record singlets-\w+ is not there\n  why: .*arrays", refused
    )
    assert "  fix: use the folder in which the run was made" in refused


def test_cd(finished, tmp_path):
    done = cli("cd", finished, finished, "-o", tmp_path / "both.png", cwd=tmp_path, check=0)
    assert done.stdout.count("fwhm 0.30 eV") == 2
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")
    cli("cd", finished, "-o", tmp_path / "one.csv", cwd=tmp_path, check=0)
    assert "one curve" in cli("cd", finished, finished, "-o", "two.csv", cwd=tmp_path, check=2).stderr
    assert "gauge is 'both'" in cli("cd", finished, "--gauge", "both", cwd=tmp_path, check=2).stderr
    assert "no measured CD to assign by" in cli("cd", finished, "--assign", cwd=tmp_path, check=2).stderr


def test_figures_as_vectors(finished):
    arguments = ("run", "../water.xyz", *SMALL, "-o", ".", "--format")
    cli(*arguments, "svg,pdf", cwd=finished, check=0)
    for name, word in (("levels", "HOMO"), ("cd", "wavelength / nm"), ("absorption", "oscillator strength")):
        svg = (finished / "figures" / f"{name}.svg").read_text()
        assert f">{word}" in svg  # letters, not outlines
        assert "<image" not in svg
        assert (finished / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert (finished / "figures" / f"{name}.png").exists()
    assert "the format is eps" in cli(*arguments, "eps", cwd=finished, check=2).stderr


def test_densities_as_cubes(finished, tmp_path):
    from ase.io.cube import read_cube

    done = cli(
        "orbitals", finished, "--state", "T1", "--densities", "--format", "cube", "-o", tmp_path / "t1", cwd=tmp_path,
        check=0,
    )  # fmt: skip
    assert "electron minus hole density, unrelaxed" in done.stdout
    integrals = {}
    for name in ("hole_density", "electron_density", "density_difference"):
        with open(tmp_path / "t1" / f"t1_{name}.cube") as stream:
            cube = read_cube(stream)
        integrals[name] = cube["data"].sum() * 0.35**3  # bohr: the step of the grid
    told = float(re.search(r"pairs sum to (\d\.\d+)", done.stdout)[1])
    # what a grid of 0.35 bohr makes of the cusps at oxygen
    assert integrals["hole_density"] == pytest.approx(told, abs=0.05)
    assert integrals["electron_density"] == pytest.approx(told, abs=0.05)
    assert integrals["density_difference"] == pytest.approx(
        integrals["electron_density"] - integrals["hole_density"], abs=1e-4
    )


def test_orbitals_as_cube_and_molden(finished, tmp_path):
    done = cli("orbitals", finished, "--format", "cube,molden", "-o", tmp_path / "new", cwd=tmp_path, check=0)
    assert "homo: HOMO -" in done.stdout
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "homo.cube",
        "lumo.cube",
        "frontier.molden",
    }
    done = cli(
        "orbitals", finished, "--state", "s1", "--pairs", "2", "--format", "molden", "-o", tmp_path / "s1",
        cwd=tmp_path, check=0,
    )  # fmt: skip
    text = (tmp_path / "s1" / "s1.molden").read_text()
    assert text.count("Sym=") == 2  # symmetry leaves this state one pair
    assert "s1_hole_1" in text
    from pyscf.tools import molden

    energies = molden.load(str(tmp_path / "new" / "frontier.molden"))[1]
    assert energies[0] < energies[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--state", "S99"], "has no S99"),
        (["--state", "X1"], "the state is"),
        (["--format", "jpg"], "the format is jpg"),
        (["--share", "2"], "share is 2"),
        (["--densities"], "densities belong to an excited state"),
        (["--state", "S1", "--densities", "--format", "molden"], "no densities"),
    ],
)
def test_orbitals_that_are_not_there(finished, tmp_path, arguments, message):
    done = cli("orbitals", finished, *arguments, "-o", tmp_path / "new", cwd=tmp_path, check=2)
    assert message in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.fixture(scope="module")
def chiral(tmp_path_factory):
    """A finished run of twisted hydrogen peroxide."""
    folder = tmp_path_factory.mktemp("chiral")
    (folder / "h2o2.xyz").write_text(
        "4\n\nO 0 0.695 -0.0925\nO 0 -0.695 -0.0925\nH -0.388 0.895 0.740\nH 0.388 -0.895 0.740\n"
    )
    cli("run", "h2o2.xyz", *SMALL[:-2], "5", "--no-pictures", "-o", "out", cwd=folder, check=0)
    return folder / "out"


def test_cd_against_a_measured_curve(chiral, tmp_path):
    """The computed curve as the experiment agrees, its mirror image disagrees."""
    cli("cd", chiral, "-o", "own.csv", cwd=tmp_path, check=0)
    done = cli("cd", chiral, "--experiment", "own.csv", "-o", "both.png", cwd=tmp_path, check=0)
    assert "similarity +1.00, of the mirror image -1.00" in done.stdout
    assert "(none is applied)" in done.stdout
    assert "| agrees" in done.stdout
    assert "g_abs" in done.stdout
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")
    mirror = ["nm;mdeg"]
    for line in (tmp_path / "own.csv").read_text().splitlines():
        if line[0].isdigit():
            _, nm, value = line.split(",")
            mirror.append(f"{nm};{-float(value)}".replace(".", ","))
    (tmp_path / "mirror.csv").write_text("\n".join(mirror) + "\n")
    sample = ("--concentration", "1e-4", "--path-length", "1")
    done = cli("cd", chiral, "--experiment", "mirror.csv", *sample, cwd=tmp_path, check=1)
    assert "mirror image fits" in done.stdout
    assert "measured amplitude 0.3 times" in done.stdout  # 1 / (32982 mdeg * 1e-4 mol/L * 1 cm)


def test_cd_with_the_shift_from_the_uv(chiral, tmp_path):
    uv = chiral / "absorption.csv"
    done = cli("cd", chiral, chiral, "--absorption", uv, "-o", "both.jdx", cwd=tmp_path, check=0)
    assert f"fitted on the UV absorption {uv}" in done.stdout
    assert "##BLOCKS= 2" in (tmp_path / "both.jdx").read_text()


def test_damaged_record_is_named(finished, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    arrays = next(copy.glob("scf-*/arrays.npz"))
    content = bytearray(arrays.read_bytes())
    content[len(content) // 2] ^= 1
    arrays.write_bytes(content)
    done = cli("cd", copy, cwd=tmp_path, check=2)
    assert str(arrays) in done.stderr
    assert "delete the folder" in done.stderr


def test_unconverged_is_marked_stored_and_exit_1(folder):
    (folder / "job.toml").write_text(
        'structure = "water.xyz"\npreset = "quick"\n[method]\nbasis = "sto-3g"\nmax_cycle = 1\nconv_tol = 1e-30\n'
    )
    for _ in range(2):  # computed, then taken from its record
        done = cli("run", "job.toml", "-o", "out", "--no-pictures", cwd=folder, check=1)
        assert "not converged" in done.stderr
        summary = json.loads((folder / "out" / "summary.json").read_text())
        assert summary["converged"] is False
        assert summary["singlets"] == []
        assert any("did not converge" in warning for warning in summary["warnings"])


def test_doctor(folder):
    text = cli("doctor", cwd=folder, check=0).stdout
    for word in ("processor", "cores", "memory", "GFLOP/s", "numpy", "pyscf", "tblite"):
        assert word in text


# --- measured spectra ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spectra(tmp_path_factory):
    """A photoelectron and an absorption spectrum without noise worth mentioning."""
    folder = tmp_path_factory.mktemp("spectra")
    rows = []
    for i in range(-100, 1820, 3):
        x = i / 100
        secondary = 3e4 * min(max(16.7 - x, 0.0), 0.5) if x > 12 else 1.5e4
        rows.append(f"{x},{round(20 + 3000 * min(max(x - 1.5, 0.0), 1.0) + (secondary if x > 10 else 0))}")
    (folder / "ups.csv").write_text("binding energy (eV),counts\n" + "\n".join(rows) + "\n")
    rows = [
        f"{nm},{max(1239.842 / nm - 2.9, 0.0) ** 0.5 / (1239.842 / nm) + (nm % 7) * 1e-4:.5f}"
        for nm in range(300, 700)
    ]
    (folder / "uv.csv").write_text("wavelength (nm),absorbance\n" + "\n".join(rows) + "\n")
    return folder


def test_ups(spectra, tmp_path):
    done = cli(
        "ups",
        "ups.csv",
        "--photon-energy",
        "21.218",
        "--json",
        "-o",
        tmp_path / "f.png",
        cwd=spectra,
        check=0,
    )
    values = json.loads(done.stdout)
    assert set(values) == {
        "cutoff_ev",
        "onset_ev",
        "work_function_ev",
        "ionization_energy_ev",
        "homo_ev",
        "warnings",
    }
    assert values["homo_ev"]["value"] == -values["ionization_energy_ev"]["value"]
    assert set(values["homo_ev"]) == {"value", "uncertainty"}
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")
    assert "photon energy is not known" in cli("ups", "ups.csv", cwd=spectra, check=2).stderr
    assert "HOMO" in cli("ups", "ups.csv", "--photon-energy", "21.218", cwd=spectra, check=0).stdout


def test_tauc(spectra, tmp_path):
    done = cli("tauc", "uv.csv", "--json", "-o", tmp_path / "f.png", cwd=spectra, check=0)
    values = json.loads(done.stdout)
    assert set(values) == {"direct_gap_ev", "indirect_gap_ev", "onset_ev", "warnings"}
    assert values["direct_gap_ev"]["value"] == pytest.approx(2.9, abs=0.01)
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")
    assert "unknown kind of picture" in cli("tauc", "uv.csv", "-o", "f.txt", cwd=spectra, check=2).stderr


def test_align_with_a_spectrum(finished, spectra):
    file = spectra / "ups.csv"
    done = cli("align", finished, "--ups", file, "--photon-energy", "21.218", cwd=spectra)
    assert done.returncode in (0, 1)
    assert "fitted from" in done.stdout
    both = cli("align", finished, "--ups", file, "--homo", "-6", cwd=spectra, check=2)
    assert "both given" in both.stderr
    told = ("--photon-energy", "21.218", "--axis", "binding", "--fermi", "0.2")
    shifted = cli("align", finished, "--ups", file, *told, cwd=spectra)
    assert "fitted from" in shifted.stdout
    assert "without a spectrum" in cli("align", finished, "--axis", "binding", cwd=spectra, check=2).stderr


def test_levels(finished, tmp_path):
    """Once computed, then taken from its records; in the summary and on the page too."""
    folder = shutil.copytree(finished, tmp_path / "out")
    done = cli("levels", "out", "--continuum", "3", cwd=tmp_path, check=0)
    assert "-IE" in done.stdout
    assert "permittivity 3" in done.stdout
    assert "cation: converged in" in done.stderr
    again = cli("levels", "out", "--continuum", "3", "--json", "--quiet", cwd=tmp_path, check=0)
    table = json.loads(again.stdout)
    assert json.loads((folder / "summary.json").read_text())["levels_by_calculation"] == table
    s1 = json.loads((folder / "summary.json").read_text())["singlets"][0]["energy_ev"]
    values = {row["quantity"]: row["value_ev"] for row in table["rows"] if "vacuum" in row["calculation"]}
    assert values["optical_gap"] == pytest.approx(s1)
    assert values["exciton_binding"] == pytest.approx(values["fundamental_gap"] - s1)
    assert "Levels by calculation" in (folder / "report.html").read_text()
    # The run itself, given again, keeps the table.
    shutil.copy(finished.parent / "water.xyz", tmp_path)
    assert "-IE" in cli("run", "water.xyz", *SMALL, "-o", "out", cwd=tmp_path, check=0).stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--continuum", "0.5"], "permittivity is 0.5"), (["--continuum", "nan"], "permittivity is nan")],
)
def test_bad_levels_are_refused(finished, options, message, tmp_path):
    done = cli("levels", finished, *options, cwd=tmp_path, check=2)
    assert message in done.stderr
    assert not (finished / "levels").exists()


def test_stack(finished, tmp_path):
    done = cli("stack", finished, "--tcta", "--json", "-o", tmp_path / "f.png", cwd=tmp_path, check=0)
    found = json.loads(done.stdout)
    assert [layer["name"] for layer in found["layers"]][2:4] == ["cluster", "TCTA"]
    assert any(step["carrier"] == "electron" for step in found["offsets"])
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "mine.toml").write_text("[cluster]\nhomo = -6.0\n")
    text = cli("stack", finished, "--layers", "mine.toml", cwd=tmp_path, check=0).stdout
    assert "HOMO -6.00" in text
    (tmp_path / "device.toml").write_text('device = ["ITO", "NPB", "cluster", "Al"]\n[NPB]\nhomo = -5.4\n')
    own = cli("stack", finished, "--layers", "device.toml", "-o", "own.png", cwd=tmp_path, check=0).stdout
    assert "hole NPB -> cluster" in own
    assert own.endswith("written: own.png\n")
    cli("stack", finished, "--layers", "device.toml", "--tcta", cwd=tmp_path, check=2)
    assert re.search(r"electron Al -> TPBi +\+1\.50 eV\n", text)  # one value, not a range
