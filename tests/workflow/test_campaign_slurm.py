"""Campaigns in a real Slurm of one node, with real runs of hydrogen."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from cluster_qc.store import load as load_record
from cluster_qc.workflow.campaign.results import campaign_statuses
from cluster_qc.workflow.campaign.tether import tied_to
from cluster_qc.workflow.lock import owner_of
from cluster_qc.workflow.slurm import batch_name
from cluster_qc.workflow.status import run_status

H2 = "2\n\nH 0 0 0\nH 0 0 0.74\n"
THREE = """
structures = ["h2.xyz"]
functionals = ["hf", "pbe", "pbe0"]
preset = "quick"
pictures = false
singlets.nstates = 1
triplets.nstates = 1
"""
SIX = THREE + '[vary]\n"method.basis" = ["sto-3g", "3-21g"]\n'
TWENTY = SIX.replace('"pbe0"', '"pbe0", "b3lyp", "blyp"').replace('"3-21g"', '"3-21g", "6-31g", "6-311g"')
# Twenty jobs as asked for; a few of them do the same in a minute.
slow = [pytest.mark.slow, pytest.mark.timeout(3600)]
NOTICED_S = 60  # how soon a job that someone cancelled is told
AWAY_S = 30
WATCHDOG_S = 120  # how soon a driver ends that can no longer ask Slurm
DRIVERS = []


@pytest.fixture
def folder(slurm, tmp_path, monkeypatch):
    (tmp_path / "node").mkdir()
    (tmp_path / "h2.xyz").write_text(H2)
    (tmp_path / "campaign.toml").write_text(THREE)
    (tmp_path / "site.toml").write_text(f'cores = 1\nscratch = "{tmp_path}/node"\n')
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield tmp_path
    while DRIVERS:
        DRIVERS.pop().kill()
    slurm.call("scancel", "--user=root")


def start(folder, *options):
    site = ("--on", "slurm", "--site", "site.toml")
    driver = subprocess.Popen(
        [sys.executable, "-m", "cluster_qc", "campaign", "campaign.toml", "-o", "out", *site, *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=tied_to(os.getpid()),  # noqa: PLW1509  (one system call, looked up before the fork)
    )
    DRIVERS.append(driver)
    return driver


def records(folder):
    return sorted((folder / "out").glob("*/task-*.json"))


def torn(folder):
    """Files that are not whole, and temporary ones that were left."""
    found = list(folder.glob("out/**/.unfinished*"))
    for path in folder.glob("out/*/*/record.json"):
        load_record(path.parent)  # checks both files against their sums
    for path in [*folder.glob("out/*/task-*.json"), *folder.glob("out/*/summary.json")]:
        json.loads(path.read_text())
    return found


def states(folder):
    return {status.name: status.state for status in campaign_statuses(folder / "out")[1]}


def starts(folder):
    """How often each run was started and how often it ended, by its own log."""
    logs = {path.parent.name: path.read_text() for path in (folder / "out").glob("*/run.log")}
    return {
        name: (log.count(" started: process "), log.count(" done, converged")) for name, log in logs.items()
    }


def in_queue(slurm):
    return set(slurm.call("squeue", "-h", "-o", "%j").split())


def energies(folder):
    return {
        path.parent.name: json.loads(path.read_text())["levels"]["total_energy_hartree"]
        for path in (folder / "out").glob("*/summary.json")
    }


def halted_run(slurm, folder):
    """The name of a running job, and its process, which waits until it is continued."""

    def halted():
        for path in (folder / "out").glob("*/run.log"):
            owner, alive = owner_of(path.parent)
            if alive and owner:
                os.kill(owner.process, signal.SIGSTOP)
                if " done, " not in path.read_text():
                    return path.parent.name, owner.process
                os.kill(owner.process, signal.SIGCONT)
        return None

    return slurm.wait_until(halted, "a running job")


def processes_of_jobs(slurm):
    """Every process that this Slurm has on its node, but for slurmd."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environment = (path / "environ").read_bytes().split(b"\0")
            command = (path / "cmdline").read_bytes()
        except OSError:
            continue
        ours = f"SLURM_CONF={slurm.configuration}".encode() in environment
        if ours and (b"slurmstepd" in command or any(e.startswith(b"SLURM_JOB_ID=") for e in environment)):
            found.append(int(path.name))
    return found


@pytest.mark.parametrize(
    ("text", "number", "kill_at"), [(SIX, 6, 2), pytest.param(TWENTY, 20, 7, marks=slow)]
)
def test_a_queue_outlives_its_driver_and_a_cancelled_job_is_started_once_more(
    slurm, folder, text, number, kill_at
):
    """The driver is killed, the jobs stay and are found again; one is cancelled; all end, the others started once."""
    (folder / "campaign.toml").write_text(text)
    driver = start(folder)
    slurm.wait_until(lambda: len(records(folder)) >= kill_at, f"{kill_at} records")
    driver.kill()
    driver.communicate()
    waiting = in_queue(slurm)
    assert waiting
    victim, process = halted_run(slurm, folder)  # now, or they all could end before the second driver works
    log = folder / "out" / "run.log"
    second = start(folder)
    slurm.wait_until(lambda: log.read_text().count(" to run, on slurm") == 2, "the second driver")
    time.sleep(2)  # until it has found the jobs in the queue: what is lost before is run again without a word
    begin = time.monotonic()
    slurm.call("scancel", "--name", batch_name(victim, folder / "out" / victim))
    slurm.wait_until(
        lambda: not Path(f"/proc/{process}").exists(), "the end of the halted run"
    )  # it could end well
    slurm.wait_until(lambda: f"{victim}: lost" in log.read_text(), "the loss")
    assert time.monotonic() - begin < NOTICED_S
    output, told = second.communicate()
    assert second.returncode == 0, told
    assert "started once more" in told
    assert f"{number} done" in output
    begun = starts(folder)
    assert len(begun) == number
    assert begun.pop(victim) == (2, 1)
    assert begun == dict.fromkeys(begun, (1, 1))
    assert not in_queue(slurm)
    name = "h2_pbe_sto-3g"
    job = folder / "out" / name / "job.toml"
    run = [sys.executable, "-m", "cluster_qc", "run", str(job), "-o", "plain", "--no-pictures", "--quiet"]
    assert subprocess.run(run, cwd=folder, check=False).returncode == 0
    plain = json.loads((folder / "plain" / "summary.json").read_text())["levels"]["total_energy_hartree"]
    assert energies(folder)[name] == pytest.approx(plain, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "number", "kill_at"), [(THREE, 3, 1), pytest.param(TWENTY, 20, 7, marks=slow)]
)
def test_when_all_is_cancelled_only_the_missing_jobs_run_again(slurm, folder, text, number, kill_at):
    (folder / "campaign.toml").write_text(text)
    driver = start(folder)
    slurm.wait_until(lambda: len(records(folder)) >= kill_at, f"{kill_at} records")
    driver.kill()
    driver.communicate()
    slurm.call("scancel", "--user=root")
    slurm.wait_until(lambda: not in_queue(slurm), "an empty queue")
    finished = {path: path.stat().st_ino for path in records(folder)}
    found = states(folder)
    assert [found[path.parent.name] for path in finished] == ["done"] * len(finished)
    assert {state for state in found.values() if state != "done"} == {"lost"}
    before = sum(times for times, _ in starts(folder).values())
    again = start(folder)
    _, told = again.communicate()
    assert again.returncode == 0, told
    assert set(states(folder).values()) == {"done"}
    assert {path: path.stat().st_ino for path in finished} == finished
    begun = starts(folder)
    assert {begun[path.parent.name] for path in finished} == {(1, 1)}
    assert sum(times for times, _ in begun.values()) - before == number - len(finished)
    assert all(ended for _, ended in begun.values())


def test_a_refusal_ends_the_driver_with_its_reason(slurm, folder):
    with open(folder / "site.toml", "a") as stream:
        stream.write('partition = "nowhere"\n')
    driver = start(folder)
    _, told = driver.communicate(timeout=WATCHDOG_S)
    assert driver.returncode == 2
    assert "partition" in told
    assert "Traceback" not in told
    assert records(folder) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_driver_ends_when_the_controller_is_away_and_the_next_one_goes_on(slurm, folder):
    driver = start(folder)
    slurm.wait_until(lambda: records(folder), "a record")
    slurm.stop("slurmctld")
    begin = time.monotonic()
    try:
        _, told = driver.communicate(timeout=WATCHDOG_S)
    finally:
        time.sleep(max(0.0, 40 - (time.monotonic() - begin)))
        slurm.start_controller()
    assert driver.returncode == 2
    assert "squeue" in told or "Slurm" in told
    assert "Traceback" not in told
    slurm.wait_until(
        lambda: "idle" in slurm.call("sinfo", "-h", "-o", "%T") or in_queue(slurm), "the controller"
    )
    again = start(folder)
    _, told = again.communicate()
    assert again.returncode == 0, told
    assert set(states(folder).values()) == {"done"}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_job_whose_node_dies_is_queued_again_and_ends(slurm, folder):
    (folder / "campaign.toml").write_text(TWENTY)
    driver = start(folder)
    halted_run(slurm, folder)
    slurm.stop("slurmd", signal.SIGKILL)
    for process in processes_of_jobs(slurm):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    slurm.wait_until(lambda: not processes_of_jobs(slurm), "the end of the node's processes")
    time.sleep(AWAY_S)
    slurm.start_node()
    _, told = driver.communicate()
    assert driver.returncode == 0, told
    assert list(states(folder).values()) == ["done"] * 20
    assert torn(folder) == []


def test_one_job_local_in_a_campaign_and_in_a_plain_script(slurm, folder):
    """Three ways, one result; and a job that Slurm queues again after its end runs nothing."""
    (folder / "campaign.toml").write_text(THREE.replace('"hf", "pbe", "pbe0"', '"hf"'))
    driver = start(folder)
    name = "h2_hf"
    results = folder / "out" / name
    (number,) = slurm.wait_until(
        lambda: slurm.call("squeue", "-h", "-o", "%i", "--name", batch_name(name, results)).split(), "the job"
    )
    _, told = driver.communicate()
    assert driver.returncode == 0, told
    slurm.call("scontrol", "requeue", number)

    def ended_again():
        shown = slurm.call("scontrol", "show", "job", number)
        return "Restarts=1" in shown and "JobState=COMPLETED" in shown

    slurm.wait_until(ended_again, "the end of the job that was queued again")
    assert starts(folder)[name] == (1, 1)
    assert [path.name[-8:] for path in records(folder)] == ["001.json"]

    command = [sys.executable, "-m", "cluster_qc"]
    local = "campaign campaign.toml -o local --quiet"
    plain = f"sbatch out/{name}/job.toml -o plain --no-pictures --submit --site site.toml"
    for arguments in (local, plain):
        done = subprocess.run(
            [*command, *arguments.split()], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    slurm.wait_until(lambda: run_status(folder / "plain").state == "done", "the plain job")
    results = [folder / "local" / name, results, folder / "plain"]
    first, *others = (json.loads((path / "summary.json").read_text()) for path in results)
    for other in others:
        for key in ("homo_ev", "lumo_ev", "total_energy_hartree"):
            assert other["levels"][key] == pytest.approx(first["levels"][key], abs=1e-9)
        for kind in ("singlets", "triplets"):
            energies = [[row["energy_ev"] for row in summary[kind]] for summary in (first, other)]
            assert energies[1] == pytest.approx(energies[0], abs=1e-9)
