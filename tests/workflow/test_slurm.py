"""Batch jobs in a real Slurm of one node."""

import json
import os
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from cluster_qc.cli import app
from cluster_qc.errors import ResourceError
from cluster_qc.workflow.lock import owner_of
from cluster_qc.workflow.status import run_status

WATER = "3\n\nO 0.0 0.0 0.117\nH 0.0 0.757 -0.470\nH 0.0 -0.757 -0.470\n"
JOB = """
structure = "water.xyz"
preset = "quick"
method.basis = "sto-3g"
method.conv_tol = 1e-10
singlets.nstates = 2
singlets.tolerance = 1e-6
triplets.tolerance = 1e-6
"""
RUN = ("job.toml", "--no-pictures")


def submit(folder, monkeypatch, **settings):
    """Submit a run of water on one core by the command line; the result of the command, and the job's number."""
    (folder / "node").mkdir(parents=True, exist_ok=True)
    (folder / "water.xyz").write_text(WATER)
    (folder / "job.toml").write_text(JOB)
    settings = {
        "cores": 1,
        "scratch": str(folder / "node"),
        "sbatch": ["--export=ALL,OMP_NUM_THREADS=7"],  # of a login shell; the allocation goes before it
        **settings,
    }
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    (folder / "site.toml").write_text(text)
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, ["sbatch", *RUN, "-o", "out", "--submit", "--site", "site.toml"])
    return done, done.stdout.partition("submitted: job ")[2].strip()


def end(slurm, job):
    """State, exit code and restarts of a job when it has ended."""

    def ended():
        shown = dict(word.partition("=")[::2] for word in slurm.call("scontrol", "show", "job", job).split())
        done = shown["JobState"] in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
        return done and (shown["JobState"], shown["ExitCode"], int(shown["Restarts"]))

    return slurm.wait_until(ended, f"job {job}")


def process_in(slurm, results, step):
    """The process of the run that is in this step, halted so that it cannot end before a signal comes."""
    log = results / "run.log"
    slurm.wait_until(lambda: log.exists() and f"{step}: started" in log.read_text(), step)
    owner, alive = owner_of(results)
    assert alive
    os.kill(owner.process, signal.SIGSTOP)
    return owner.process


def numbers(folder):
    found = json.loads((folder / "summary.json").read_text())
    states = [row["energy_ev"] for row in found["singlets"] + found["triplets"]]
    strengths = [row["oscillator_strength"] for row in found["singlets"]]
    return found["levels"]["total_energy_hartree"], [*states, *strengths], found["provenance"]["threads"]


def test_a_job_that_is_requeued_in_mid_run_ends_as_a_local_one(slurm, tmp_path, monkeypatch):
    """The signal that comes before the time limit; the job stops, is queued again, goes on and ends."""
    _, job = submit(tmp_path, monkeypatch)
    results = tmp_path / "out"
    process = process_in(slurm, results, "triplets")
    assert run_status(results).state == "running"
    finished = {path: path.stat().st_ino for path in results.glob("*/record.json")}
    assert [path.parent.name.split("-")[0] for path in finished] == ["scf"]
    slurm.call("scancel", "--batch", "--signal=USR1", job)
    os.kill(process, signal.SIGCONT)
    local = subprocess.run(
        [sys.executable, "-m", "cluster_qc", "run", *RUN, "-o", "local"], capture_output=True, check=False
    )
    assert local.returncode == 0
    assert end(slurm, job) == ("COMPLETED", "0:0", 1)
    assert run_status(results).state == "done"
    assert "stopped by SIGUSR1" in (results / "run.log").read_text()
    assert "error: stopped by SIGUSR1" in (results / f"slurm-{job}.log").read_text()
    assert {path: path.stat().st_ino for path in finished} == finished
    energy, states, _ = numbers(tmp_path / "local")
    job_energy, job_states, threads = numbers(results)
    assert threads == 1  # of the allocation
    assert job_energy == pytest.approx(energy, abs=1e-9)
    assert job_states == pytest.approx(states, abs=1e-4)  # eV; the solver's errors are smaller
    assert list((tmp_path / "node").iterdir()) == []


def test_a_cancelled_job_ends_and_is_not_queued_again(slurm, tmp_path, monkeypatch):
    _, job = submit(tmp_path, monkeypatch)
    process = process_in(slurm, tmp_path / "out", "scf")
    os.kill(process, signal.SIGCONT)
    slurm.call("scancel", job)
    state, _, restarts = end(slurm, job)
    assert (state, restarts) == ("CANCELLED", 0)
    slurm.wait_until(lambda: owner_of(tmp_path / "out")[1] is False, "the end of the process")
    status = run_status(tmp_path / "out")
    assert (status.state, status.step) == ("interrupted", "scf")
    slurm.wait_until(lambda: list((tmp_path / "node").iterdir()) == [], "an empty scratch folder")
    assert "Traceback" not in (tmp_path / "out" / f"slurm-{job}.log").read_text()


def test_a_refusal_of_slurm_is_told(slurm, tmp_path, monkeypatch):
    done, _ = submit(tmp_path, monkeypatch, partition="nowhere")
    assert isinstance(done.exception, ResourceError)
    assert "Slurm refused the job" in str(done.exception)
    assert "partition" in str(done.exception)
