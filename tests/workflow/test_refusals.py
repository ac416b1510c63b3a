"""Wrong output names, foreign folders, hostile names and files: refused before any work, in one clear message."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from cluster_qc.analysis.measured import read_table
from cluster_qc.errors import ClusterQCError, InputError, StructureError
from cluster_qc.report.page import write_page
from cluster_qc.structure.cif import read_cif
from cluster_qc.structure.xyz import read_xyz
from cluster_qc.workflow.job import load_job
from cluster_qc.workflow.look import inspect_structure
from cluster_qc.workflow.run import read_structure

H2 = "2\n\nH 0 0 0\nH 0 0 0.74\n"
JOB = (
    'structure = "h2.xyz"\npreset = "quick"\noutput = "out"\n[method]\nfunctional = "hf"\nbasis = "sto-3g"\n'
    + ("[singlets]\nnstates = 1\n[triplets]\nnstates = 1\n")
)
OPTIONS = "--functional hf --basis 6-31g --states 1 --preset quick --no-pictures".split()
CIF_HEAD = """data_{name}
_cell_length_a 10
_cell_length_b 11
_cell_length_c 12
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
"""


@pytest.fixture(scope="module")
def finished(zygote, tmp_path_factory):
    """A folder with a finished run of H2 in `out`, and a text file where folders are wanted."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "h2.xyz").write_text(H2)
    (folder / "job.toml").write_text(JOB)
    (folder / "file").write_text("a file\n")
    (folder / "empty").mkdir()
    (folder / "uv.csv").write_text("nm,A\n" + "".join(f"{w},0.1\n" for w in range(300, 400)))
    done = zygote.run("run", "job.toml", "--no-pictures", cwd=folder)
    assert done.code == 0, done.err
    return folder


# --- -o is checked first ------------------------------------------------------------------------------------

WRONG_OUTPUT = {
    "run into a file": (("run", "job.toml", "-o", "file"), "it is a file, not a folder"),
    "run below a file": (("run", "job.toml", "-o", "file/x"), "a part of this path is a file"),
    "scratch": (("run", "job.toml", "-o", "new", "--scratch", "file"), "it is a file, not a folder"),
    "sbatch": (("sbatch", "job.toml", "-o", "file/x"), "a part of this path is a file"),
    "structure to a folder": (("structure", "h2.xyz", "-o", "empty.xyz"), "it is a folder, not a file"),
    "structure to another kind": (("structure", "h2.xyz", "-o", "h2.cif"), "unknown kind of file '.cif'"),
    "structure to itself": (("structure", "h2.xyz", "-o", "./h2.xyz"), "is the structure file itself"),
    "build": (("build", "--core", "cu2au2", "--ligand", "S=CN", "-o", "file"), "it is a file, not a folder"),
    "cd to another kind": (("cd", "out", "-o", "cd.txt"), "unknown kind of file '.txt'"),
    "cd of two as csv": (("cd", "out", "out", "-o", "cd.csv"), "a CSV holds one curve"),
    "cd below a file": (("cd", "out", "-o", "file/cd.png"), "a part of this path is a file"),
    "orbitals": (("orbitals", "out", "-o", "file"), "it is a file, not a folder"),
    "ups": (("ups", "uv.csv", "-o", "file/x.png"), "a part of this path is a file"),
    "tauc": (("tauc", "uv.csv", "-o", "x.txt"), "unknown kind of picture"),
    "stack": (("stack", "out", "-o", "file/x.png"), "a part of this path is a file"),
}


@pytest.mark.parametrize("case", WRONG_OUTPUT)
def test_wrong_output_is_refused_first(zygote, finished, case):
    arguments, message = WRONG_OUTPUT[case]
    (finished / "empty.xyz").mkdir(exist_ok=True)
    before = sorted(path.name for path in finished.iterdir())
    done = zygote.run(*arguments, cwd=finished)
    assert done.code == 2, done.err
    assert message in done.err
    assert "  fix: " in done.err
    assert done.out == ""
    assert sorted(path.name for path in finished.iterdir()) == before


@pytest.mark.parametrize("choice", [{"block": "one"}, {"disorder": "A"}])
def test_what_only_a_cif_has_is_not_chosen_of_an_xyz_file(tmp_path, choice):
    (tmp_path / "h2.xyz").write_text(H2)
    with pytest.raises(InputError, match="which has neither data blocks nor disorder"):
        read_structure(load_job(tmp_path / "h2.xyz", **choice))
    with pytest.raises(InputError, match="are for a CIF"):
        inspect_structure(tmp_path / "h2.xyz", **choice)
    assert read_structure(load_job(tmp_path / "h2.xyz", disorder="error"))[0].natom == 2


def test_structure_is_not_replaced_by_its_copy(zygote, tmp_path):
    """A run in the folder of its own structure.xyz leaves that file as it is."""
    text = "2\nmy own comment\nH 0 0 0.0000000001\nH 0 0 0.74\n"
    (tmp_path / "structure.xyz").write_text(text)
    done = zygote.run(
        "run", "structure.xyz", "-o", ".", *OPTIONS, "--quiet", cwd=tmp_path, at_line="scf: started"
    )
    assert done.code < 0
    assert (tmp_path / "structure.xyz").read_text() == text


# --- folders that are no finished run -----------------------------------------------------------------------


@pytest.mark.parametrize("command", ["report", "cd", "align", "orbitals", "stack", "status"])
@pytest.mark.parametrize("folder", ["empty", "nowhere", "file"])
def test_folder_without_a_run(zygote, finished, command, folder):
    done = zygote.run(command, folder, cwd=finished)
    assert done.code == 2, done.err
    assert done.err.startswith(f"error: {folder} ")
    assert "  fix: " in done.err
    assert done.out == ""
    assert list((finished / "empty").iterdir()) == []


def test_records_are_taken_from_the_folder_alone(zygote, finished, tmp_path):
    """A summary that names a record elsewhere is not followed."""
    folder = shutil.copytree(finished, tmp_path / "copy")
    summary = json.loads((folder / "out" / "summary.json").read_text())
    del summary["content_sha256"]
    name = summary["provenance"]["records"]["scf"]
    (folder / "out" / name).rename(folder / name)
    summary["provenance"]["records"]["scf"] = f"../{name}"
    (folder / "out" / "summary.json").write_text(json.dumps(summary))
    done = zygote.run("orbitals", "out", "--format", "molden", cwd=folder)
    assert done.code == 2
    assert "has no scf" in done.err


# --- the user's unit ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cd", "out", "--fwhm", "0"), "--fwhm is 0 eV"),
        (("cd", "out", "--fwhm", "nan"), "--fwhm is nan eV"),
        (("cd", "out", "--fwhm", "30"), "--fwhm is 30 eV"),
        (("cd", "out", "--shift", "inf"), "--shift is inf eV"),
        (("cd", "out", "--shift", "-30"), "--shift is -30 eV"),
        (("run", "job.toml", "-o", "new", "--window", "-2.5"), "--window is -2.5 eV"),
        (("run", "job.toml", "-o", "new", "--window", "500"), "--window is 500 eV"),
        (("align", "out", "--homo", "6"), "--homo is 6 eV"),
        (("align", "out", "--homo", "-600"), "--homo is -600 eV"),
        (("align", "out", "--homo", "nan"), "--homo is nan eV"),
    ],
)
def test_energies_are_refused_in_ev(zygote, finished, arguments, message):
    done = zygote.run(*arguments, cwd=finished)
    assert done.code == 2, done.err
    assert f"error: {message}" in done.err
    assert "hartree" not in done.err
    assert "fix: e.g. --" in done.err
    assert not (finished / "new").exists()


# --- job files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("structure = 5", "structure: "),
        ('structure = "h2.xyz"\n[spectrum]\nfwhm_ev = 30', "spectrum.fwhm_ev: "),
        ('structure = "h2.xyz"\n[experiment]\nhomo_ev = -600', "experiment.homo_ev: "),
        ('structure = "h2.xyz"\nsinglets = 3', "singlets: "),
        ('structure = "h2.xyz"\n[singlets]\nnstates = "5"', "singlets.nstates: "),
        ('structure = "h2.xyz"\n[singlets]\nnstates = 1.0', "singlets.nstates: "),
        ('structure = "h2.xyz"\n[singlets]\ntda = "yes"', "singlets.tda: "),
        ('structure = "h2.xyz"\n[singlets]\nwindow_ev = 95', "singlets.window_ev: "),
        ('structure = "h2.xyz"\n[spectrum]\nshift_ev = nan', "spectrum.shift_ev: "),
        ('structure = "h2.xyz"\n[spectrum]\nshift_ev = 30', "spectrum.shift_ev: "),
        ('structure = "h2.xyz"\n[spectrum]\nfwhm_ev = inf', "spectrum.fwhm_ev: "),
        ('structure = "h2.xyz"\n[molecule]\ncharge = 1979-05-27', "molecule.charge: "),
        ('structure = "h2.xyz"\n[molecule]\ncharge = true', "molecule.charge: "),
        ('structure = "h2.xyz"\nname = ["a", "b"]', "name: "),
        ("structure = " + "[" * 10_000, "not a TOML file"),
        ("#" * 2_000_000, "larger than 1 MiB"),
    ],
)
def test_wrong_types_in_a_job(tmp_path, text, message):
    (tmp_path / "h2.xyz").write_text(H2)
    (tmp_path / "job.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        load_job(tmp_path / "job.toml")
    assert message in caught.value.what
    assert str(tmp_path / "job.toml") in caught.value.what
    assert caught.value.fix


# --- names --------------------------------------------------------------------------------------------------

NAMES = [
    "two words ü 名.xyz",
    "-dash & <i>\"quotes'.xyz",
    os.fsdecode(b"not-utf8-\xff.xyz"),
    "x" * 240 + ".xyz",
]


@pytest.mark.parametrize("name", NAMES, ids=["unicode", "dash", "bytes", "long"])
def test_names_of_files(zygote, tmp_path, name):
    (tmp_path / name).write_text(H2)
    done = zygote.run("run", *OPTIONS, "--", name, cwd=tmp_path)
    assert done.code == 0, done.err
    (folder,) = (tmp_path / "results").iterdir()
    assert (folder / "summary.json").exists()
    assert "<i>" not in (folder / "report.html").read_text()
    assert zygote.run("report", folder, "--text", cwd=tmp_path).code == 0


def test_folder_with_a_leading_dash(zygote, finished, tmp_path):
    shutil.copytree(finished / "out", tmp_path / "-out dir")
    (tmp_path / "h2.xyz").write_text(H2)
    (tmp_path / "job.toml").write_text(JOB)
    done = zygote.run("run", "job.toml", "--no-pictures", "-o", "-out dir", cwd=tmp_path)
    assert done.code == 0, done.err
    assert zygote.run("status", "--", "-out dir", cwd=tmp_path).code == 0


@pytest.mark.parametrize(
    "name", ["../../outside", "/tmp/outside", "..", ".hidden", "a/b", "~root", "$HOME", "a\nb"]
)
def test_a_name_cannot_leave_the_results(tmp_path, name):
    (tmp_path / "h2.xyz").write_text(H2)
    (tmp_path / "job.toml").write_text(f'structure = "h2.xyz"\nname = {json.dumps(name)}\n')
    job = load_job(tmp_path / "job.toml")
    assert job.directory.parts == ("results", job.name)
    assert job.name.strip("._") == job.name
    assert "/" not in job.name
    assert "\n" not in job.name


def test_hostile_text_is_escaped_on_the_page(tmp_path):
    hostile = '<script>alert("1")</script>'
    summary = {
        "name": hostile,
        "structure": {"formula": hostile, "source": hostile, "charge": hostile},
        "levels": {"homo_ev": hostile, "shares": {"homo": {hostile: 0.5}}},
        "singlets": [{"label": hostile, "energy_ev": hostile, "route": hostile}],
        "alignment": {"homo_ev": hostile, "deviation_ev": hostile, "tolerance_ev": hostile, "source": hostile},
        "ntos": {hostile: {"weights": [hostile], "character": hostile, "hole": {hostile: 0.1}}},
        "cd": {"bands": [{"wavelength_nm": hostile, "delta_epsilon_lmolcm": hostile}], "csv": hostile},
        "method": {hostile: hostile},
        "warnings": [hostile],
        "reasons": {"lumo_ev": hostile},
        "provenance": {hostile: [hostile]},
    }  # fmt: skip
    write_page(summary, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "<script>alert" not in text  # neither as HTML nor in the data of the page's own scripts
    assert text.count("&lt;script&gt;") > 15


# --- files that are too large, endless or programs ----------------------------------------------------------


def sparse(path, size):
    with path.open("wb") as file:
        file.truncate(size)
    return path


def test_huge_files_are_refused(tmp_path):
    """By their size alone, however large: no more than the limit is read."""
    size = 10 * 2**40
    for read, name in ((read_xyz, "a.xyz"), (read_cif, "a.cif"), (read_table, "a.csv"), (load_job, "a.toml")):
        with pytest.raises(InputError, match="is larger than") as caught:
            read(sparse(tmp_path / name, size))
        assert caught.value.fix
        (tmp_path / name).unlink()


def test_endless_file_is_refused(tmp_path):
    (tmp_path / "zero.cif").symlink_to("/dev/zero")
    with pytest.raises(StructureError, match="larger than 64 MiB"):
        read_cif(tmp_path / "zero.cif")
    with pytest.raises(InputError, match="no regular file"):
        load_job(tmp_path / "zero.cif")


def test_too_many_atoms_are_refused(tmp_path):
    (tmp_path / "big.xyz").write_text("1000000000\n\nH 0 0 0\n")
    with pytest.raises(StructureError, match=r"big\.xyz:1: 1000000000 atoms"):
        read_xyz(tmp_path / "big.xyz")
    (tmp_path / "big.cif").write_text(CIF_HEAD.format(name="big") + "C1 0.1 0.1 0.1\n" * 100_001)
    with pytest.raises(StructureError, match="100001 sites under 1 symmetry operations") as caught:
        read_cif(tmp_path / "big.cif")
    assert caught.value.line


def test_name_of_a_block_is_only_text(tmp_path):
    (tmp_path / "x.cif").write_text(CIF_HEAD.format(name="../../<script>") + "Au1 0 0 0\nH1 0.152 0 0\n")
    try:
        cluster = read_cif(tmp_path / "x.cif")
    except ClusterQCError:
        return
    assert cluster.name == "x"


def test_nothing_in_the_working_folder_is_executed(tmp_path):
    """PySCF runs a .pyscf_conf.py there as a program, unless it is kept from it."""
    (tmp_path / ".pyscf_conf.py").write_text("open('executed', 'w').close()\nUNIT = 'bohr'\n")
    done = subprocess.run(
        [sys.executable, "-c", "import cluster_qc.drivers, pyscf, os; print(pyscf.__config__.UNIT, len(os.environ))"],
        cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("angstrom")
    assert not (tmp_path / "executed").exists()
