"""Batch jobs in a real Slurm of one node, started here: its daemons need their packages and root."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from cluster_qc.cli import app
from cluster_qc.errors import ResourceError
from cluster_qc.workflow.lock import owner_of
from cluster_qc.workflow.status import run_status

PROGRAMS = ("sbatch", "scontrol", "slurmctld", "slurmd", "munged", "mungekey")
WATER = "3\n\nO 0.0 0.0 0.117\nH 0.0 0.757 -0.470\nH 0.0 -0.757 -0.470\n"
RUN = ("water.xyz", "--preset", "quick", "--basis", "sto-3g", "--states", "2", "--no-pictures")
PATIENCE_S = 300  # for a loaded machine; an idle one needs some seconds

CONFIGURATION = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=5,sched_interval=5,batch_sched_delay=0,sched_min_interval=200000
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
ReturnToService=2
KillWait=2
JobRequeue=1
MessageTimeout=5
SlurmdParameters=config_overrides
NodeName=localhost NodeHostname=localhost NodeAddr=127.0.0.1 CPUs=2 RealMemory=20000
PartitionName=main Nodes=localhost Default=YES MaxTime=60 DefaultTime=5
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(0.02)
    return value


def call(*words):
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def submit(folder, monkeypatch, **settings):
    """Submit a run of water on one core by the command line; the result of the command, and the job's number."""
    (folder / "node").mkdir(parents=True, exist_ok=True)
    (folder / "water.xyz").write_text(WATER)
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


def end(job):
    """State, exit code and restarts of a job when it has ended."""

    def ended():
        shown = dict(word.partition("=")[::2] for word in call("scontrol", "show", "job", job).split())
        done = shown["JobState"] in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
        return done and (shown["JobState"], shown["ExitCode"], int(shown["Restarts"]))

    return wait_until(ended, f"job {job}")


def process_in(results, step):
    """The process of the run that is in this step, halted so that it cannot end before a signal comes."""
    log = results / "run.log"
    wait_until(lambda: log.exists() and f"{step}: started" in log.read_text(), step)
    owner, alive = owner_of(results)
    assert alive
    os.kill(owner.process, signal.SIGSTOP)
    return owner.process


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin")))
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)} (Debian packages slurm-wlm and munge)")
        if os.geteuid() != 0:
            pytest.skip("the daemons of Slurm need root")
        folder = tmp_path_factory.mktemp("slurm")
        for name in ("state", "spool"):
            (folder / name).mkdir()
        configuration = folder / "slurm.conf"
        patch.setenv("SLURM_CONF", str(configuration))
        ports = {"controller_port": free_port(), "node_port": free_port()}
        configuration.write_text(CONFIGURATION.format(folder=folder, **ports))
        files = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
        try:
            call("mungekey", "--create", f"--keyfile={folder}/munge.key")
            call("munged", "--force", f"--socket={folder}/munge.socket", *files)
            call("slurmctld", "-f", configuration)
            call("slurmd", "-N", "localhost", "-f", configuration)
            wait_until(lambda: "idle" in call("sinfo", "-h", "-o", "%T"), "the node")
            yield
            call("scancel", "--user=root")
        finally:
            for name in ("slurmd.pid", "slurmctld.pid", "munge.pid"):
                if (folder / name).exists():
                    os.kill(int((folder / name).read_text()), signal.SIGTERM)


def numbers(folder):
    found = json.loads((folder / "summary.json").read_text())
    states = [row["energy_ev"] for row in found["singlets"] + found["triplets"]]
    strengths = [row["oscillator_strength"] for row in found["singlets"]]
    return found["levels"]["total_energy_hartree"], [*states, *strengths], found["provenance"]["threads"]


def test_a_job_that_is_requeued_in_mid_run_ends_as_a_local_one(slurm, tmp_path, monkeypatch):
    """The signal that comes before the time limit; the job stops, is queued again, goes on and ends."""
    _, job = submit(tmp_path, monkeypatch)
    results = tmp_path / "out"
    process = process_in(results, "triplets")
    assert run_status(results).state == "running"
    finished = {path: path.stat().st_ino for path in results.glob("*/record.json")}
    assert [path.parent.name.split("-")[0] for path in finished] == ["scf"]
    call("scancel", "--batch", "--signal=USR1", job)
    os.kill(process, signal.SIGCONT)
    local = subprocess.run(
        [sys.executable, "-m", "cluster_qc", "run", *RUN, "-o", "local"], capture_output=True, check=False
    )
    assert local.returncode == 0
    assert end(job) == ("COMPLETED", "0:0", 1)
    assert run_status(results).state == "done"
    assert "stopped by SIGUSR1" in (results / "run.log").read_text()
    assert "error: stopped by SIGUSR1" in (results / f"slurm-{job}.log").read_text()
    assert {path: path.stat().st_ino for path in finished} == finished
    energy, states, _ = numbers(tmp_path / "local")
    job_energy, job_states, threads = numbers(results)
    assert threads == 1  # of the allocation
    assert job_energy == pytest.approx(energy, abs=1e-6)  # conv_tol of the quick preset
    assert job_states == pytest.approx(states, abs=1e-4)  # eV; the solver's errors are smaller
    assert list((tmp_path / "node").iterdir()) == []


def test_a_cancelled_job_ends_and_is_not_queued_again(slurm, tmp_path, monkeypatch):
    _, job = submit(tmp_path, monkeypatch)
    process = process_in(tmp_path / "out", "scf")
    os.kill(process, signal.SIGCONT)
    call("scancel", job)
    state, _, restarts = end(job)
    assert (state, restarts) == ("CANCELLED", 0)
    wait_until(lambda: owner_of(tmp_path / "out")[1] is False, "the end of the process")
    status = run_status(tmp_path / "out")
    assert (status.state, status.step) == ("interrupted", "scf")
    wait_until(lambda: list((tmp_path / "node").iterdir()) == [], "an empty scratch folder")
    assert "Traceback" not in (tmp_path / "out" / f"slurm-{job}.log").read_text()


def test_a_refusal_of_slurm_is_told(slurm, tmp_path, monkeypatch):
    done, _ = submit(tmp_path, monkeypatch, partition="nowhere")
    assert isinstance(done.exception, ResourceError)
    assert "Slurm refused the job" in str(done.exception)
    assert "partition" in str(done.exception)
