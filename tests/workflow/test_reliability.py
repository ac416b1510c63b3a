"""Runs that are killed, starved or damaged: no finished work is lost, and the numbers are those of a quiet run.

CLUSTER_QC_KILLS=50 kills the run at that many random moments instead of a few.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from cluster_qc import store
from cluster_qc.workflow.status import run_status

JOB = """
structure = "h2o2.xyz"
preset = "quick"
output = "out"
[method]
functional = "pbe"
basis = "6-31g"
conv_tol = 1e-10
grid_level = 2
[singlets]
nstates = 4
tolerance = 1e-5
[triplets]
nstates = 2
tolerance = 1e-5
"""
H2O2 = "4\n\nO 0.0 0.7375 -0.0528\nO 0.0 -0.7375 -0.0528\nH 0.8190 0.8170 0.4220\nH -0.8190 -0.8170 0.4220\n"
RUN = ("run", "job.toml", "--no-pictures")
KILLS = int(os.environ.get("CLUSTER_QC_KILLS", "5"))
MOMENTS = random.Random(7)


def prepare(folder):
    folder.mkdir(exist_ok=True)
    (folder / "h2o2.xyz").write_text(H2O2)
    (folder / "job.toml").write_text(JOB)
    return folder


def finish(zygote, folder):
    done = zygote.run(*RUN, cwd=folder)
    assert done.code == 0, done.err
    hidden = [path.name for path in (folder / "out").rglob(".*")]
    assert sorted(hidden) == [".lock", ".made-of.json"]


def log(folder):
    """The lines of the last session, without their times."""
    text = (folder / "out" / "run.log").read_text().rsplit("started: process", 1)[1]
    return [line.split(" ", 1)[-1] for line in text.splitlines()]


def records(folder):
    return {path.parent.name: path.stat().st_ino for path in folder.glob("out/*/record.json")}


def same_numbers(folder, reference):
    first, second = (json.loads((f / "out" / "summary.json").read_text()) for f in (folder, reference))
    energies = [s["levels"]["total_energy_hartree"] for s in (first, second)]
    assert energies[0] == pytest.approx(energies[1], abs=1e-9)
    for kind in ("singlets", "triplets"):
        for row, other in zip(first[kind], second[kind], strict=True):
            # Residuals below 1e-5 hartree, and single precision: below the 0.3 meV estimated for the latter.
            assert row["energy_ev"] == pytest.approx(other["energy_ev"], abs=1e-4)
    for kind, ntos in first["ntos"].items():
        assert ntos["hole"] == pytest.approx(second["ntos"][kind]["hole"], abs=1e-3)
    assert [w for w in first["warnings"] if "RI" in w] == [w for w in second["warnings"] if "RI" in w]


@pytest.fixture(scope="module")
def quiet(zygote, tmp_path_factory):
    """An undisturbed run; a test that changes it takes a copy."""
    folder = prepare(tmp_path_factory.mktemp("quiet"))
    finish(zygote, folder)
    return folder


@pytest.fixture
def copied(quiet, tmp_path):
    return shutil.copytree(quiet, tmp_path / "copy")


# --- killed -------------------------------------------------------------------------------------------------


def test_killed_inside_every_step(zygote, quiet, tmp_path):
    """The step goes on from its last cycle, not from its first one."""
    folder = prepare(tmp_path / "killed")
    for line, told in (
        ("SCF coarse cycle 1", None),
        ("SCF final cycle 3", None),
        ("triplets: cycle 2", "goes on after cycle"),
        ("singlets: cycle 2", "vectors of the full operator, of an interrupted run"),
    ):
        before = records(folder)
        assert zygote.run(*RUN, cwd=folder, at_line=line).code == -signal.SIGKILL
        assert records(folder).items() >= before.items()
        assert told is None or any(told in entry for entry in log(folder)), line
    finish(zygote, folder)
    assert any("singlets: goes on from" in entry for entry in log(folder))
    same_numbers(folder, quiet)
    inside = json.loads((folder / "out" / "summary.json").read_text())["provenance"]["resumed_inside"]
    assert sorted(inside) == ["scf", "singlets", "triplets"]


def test_killed_at_random(zygote, quiet, tmp_path):
    """At a random time, or at a random flush or rename: the folder can be read, and the end is the same."""
    begin = time.monotonic()
    finish(zygote, prepare(tmp_path / "measure"))
    duration = time.monotonic() - begin
    rounds = 0
    folder = prepare(tmp_path / "0")
    for kill in range(KILLS):
        if kill % 2:
            process = zygote.start(*RUN, cwd=folder)
            time.sleep(MOMENTS.uniform(0, 0.8 * duration))
            os.kill(process, signal.SIGKILL)
            code = zygote.wait().code
        else:
            code = zygote.run(*RUN, cwd=folder, at_call=MOMENTS.randint(1, 40)).code
        assert code in (0, -signal.SIGKILL)
        for path in folder.glob("out/*/record.json"):
            store.load(path.parent)
        if (folder / "out").exists():
            assert run_status(folder / "out").state in ("done", "interrupted", "not started")
        if code == 0:
            same_numbers(folder, quiet)
            rounds += 1
            folder = prepare(tmp_path / str(rounds))
    finish(zygote, folder)
    same_numbers(folder, quiet)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stopped_while_it_reads_the_structure(zygote, tmp_path, number, code):
    folder = prepare(tmp_path / "stopped")
    done = zygote.run(*RUN, cwd=folder, in_reading=True, number=number)
    assert done.code == code
    assert "same command again" in done.err
    assert not (folder / "out").exists()


def test_force_that_was_interrupted(zygote, quiet, copied):
    """What was computed anew stays, what was not is not mixed with it, and --force is not to be given again."""
    before = records(copied)
    done = zygote.run(*RUN, "--force", cwd=copied, at_line="triplets: cycle 1", number=signal.SIGTERM)
    assert done.code == 143
    assert "without --force" in done.err
    told = zygote.run("report", "out", "--text", cwd=copied)
    assert told.code == 0
    assert "warning: the last run in out is interrupted" in told.err
    changed = [name for name, inode in records(copied).items() if before[name] != inode]
    assert [name.split("-")[0] for name in changed] == ["scf"]
    finish(zygote, copied)
    same_numbers(copied, quiet)


# --- starved ------------------------------------------------------------------------------------------------


def test_disk_that_fills_up(zygote, quiet, tmp_path, small_disk):
    folder = prepare(small_disk("size=36k"))
    seen = []
    for size in ("36k", "52k", "120k"):
        small_disk(f"size={size}")
        before = records(folder)
        done = zygote.run(*RUN, cwd=folder)
        assert done.code == 2, size
        assert "the disk is full" in done.err
        assert "free space" in done.err
        assert records(folder).items() >= before.items()
        seen.append(len(records(folder)))
        for name in records(folder):
            store.load(folder / "out" / name)
        assert not list(folder.glob("out/.unfinished*"))
    assert seen == sorted(seen)
    assert seen[-1] > 0
    small_disk("size=20m")
    before = records(folder)
    finish(zygote, folder)
    assert records(folder).items() >= before.items()
    same_numbers(folder, quiet)


def test_read_only_results(zygote, quiet, small_disk):
    """What only reads goes on; what writes says why it cannot."""
    folder = shutil.copytree(quiet, small_disk("size=20m") / "copy")
    small_disk("ro")
    for command in (("status", "out"), ("report", "out", "--text"), ("cd", "out")):
        done = zygote.run(*command, cwd=folder)
        assert (done.code, done.err) == (0, ""), command
    for command in (RUN, ("report", "out"), ("orbitals", "out"), ("cd", "out", "-o", "cd.png")):
        done = zygote.run(*command, cwd=folder)
        assert done.code == 2, command
        assert "the file system is read-only" in done.err
        assert done.out == ""


def test_memory_limit(zygote, tmp_path):
    folder = prepare(tmp_path / "small")
    done = zygote.run(*RUN, cwd=folder, spare_mib=600)
    assert done.code == 2
    assert "GiB of memory" in done.err
    assert "fix: " in done.err
    assert not (folder / "out").exists()


def test_memory_too_small_for_the_libraries():
    command = f"ulimit -v 250000; exec {sys.executable} -m cluster_qc doctor"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 2
    assert done.stderr == (
        "error: the memory limit of 244 MiB (ulimit -v) is too small to load the libraries\n"
        "  fix: raise it to 4 GiB or more\n"
    )


# --- damaged ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["cut", "flipped"])
@pytest.mark.parametrize("file", ["record.json", "arrays.npz"])
def test_damaged_record_is_named_and_computed_again(zygote, quiet, copied, damage, file):
    (path,) = copied.glob(f"out/triplets-*/{file}")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content if damage == "flipped" else content[: len(content) // 2])
    done = zygote.run(*RUN, cwd=copied)
    assert done.code == 2
    assert f"{path.relative_to(copied)} is damaged" in done.err
    assert f"delete the folder {path.parent.relative_to(copied)}" in done.err
    if damage == "cut":
        return
    shutil.rmtree(path.parent)
    finish(zygote, copied)
    same_numbers(copied, quiet)


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_record_of_a_newer_version_is_kept(zygote, copied, force):
    (path,) = copied.glob("out/scf-*/record.json")
    content = path.read_text().replace('"schema_version": 1', '"schema_version": 99')
    path.write_text(content)
    done = zygote.run(*RUN, *force, cwd=copied)
    assert done.code == 2
    assert "schema version 99" in done.err
    assert "update cluster_qc" in done.err
    assert path.read_text() == content


def test_deleted_ground_state(zygote, quiet, copied):
    (path,) = copied.glob("out/scf-*")
    shutil.rmtree(path)
    done = zygote.run("orbitals", "out", "--state", "S1", "--format", "molden", cwd=copied)
    assert done.code == 2
    assert path.name in done.err
    assert "give its run command again" in done.err
    finish(zygote, copied)
    same_numbers(copied, quiet)


def test_damaged_summary(zygote, quiet, copied):
    path = copied / "out" / "summary.json"
    text = path.read_text()
    for damaged, what in (
        (text[:500], "is damaged"),
        (text.replace('"converged": true', '"converged": null', 1), "its checksum differs"),
        ("[" * 100_000, "is damaged"),
        ('{"something": "else"}', "it is no summary of a run"),
        ('{"schema_version": 1, "levels": {"shares": {"homo": {"H": "<b>"}}}}', "is damaged"),
    ):
        path.write_text(damaged)
        done = zygote.run("report", "out", "--text", cwd=copied)
        assert done.code == 2, damaged[:60]
        assert what in done.err
        assert "run command again" in done.err
    assert zygote.run("status", "out", "--json", cwd=copied).code == 0
    finish(zygote, copied)
    same_numbers(copied, quiet)


def test_clock_that_jumps(zygote, quiet, copied):
    """Times of files and of the log may be in any order."""
    for path in copied.rglob("*"):
        os.utime(path, (4e9, 4e9))
    log_file = copied / "out" / "run.log"
    lines = log_file.read_text().replace("\n20", "\n29").splitlines()
    log_file.write_text("\n".join(line for line in lines if " done" not in line) + "\n")
    status = run_status(copied / "out")
    assert status.state == "interrupted"
    assert status.step_s is None or status.step_s >= 0
    before = records(copied)
    finish(zygote, copied)
    assert records(copied) == before
    same_numbers(copied, quiet)


# --- relaxations --------------------------------------------------------------------------------------------


def test_killed_relaxation_goes_on_from_its_last_geometry(zygote, tmp_path):
    command = (
        "build",
        "--core",
        "cu2au2",
        "--ligand",
        "S=CN",
        "--conformers",
        "1",
        "--relax",
        "full",
        "--quiet",
    )
    energies = []
    for name, kills in (("whole", ()), ("killed", ("step 12,",))):
        folder = tmp_path / name
        folder.mkdir()
        for line in kills:
            done = zygote.run(*command, "-o", "out", cwd=folder, at_line=line)
            assert done.code == -signal.SIGKILL, done.err
        done = zygote.run(*command, "-o", "out", cwd=folder)
        assert done.code == 0, done.err
        (entry,) = json.loads((folder / "out" / "candidates.json").read_text())["candidates"]
        energies.append(entry["energy_hartree"])
    told = [line for line in log(folder) if "goes on from an interrupted run: GFN2-xTB, step 10" in line]
    assert len(told) == 1
    assert not list((folder / "out" / ".work").glob("*.part.json"))
    # Two ways into one minimum, as far as the force threshold of 0.02 eV/angstrom tells: 2 meV.
    assert energies[1] == pytest.approx(energies[0], abs=7e-5)
