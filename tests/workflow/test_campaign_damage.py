"""A job whose results or records were damaged after it ended: told, the others go on, and a retry mends it."""

import csv
import json
import shutil
from pathlib import Path

import ase.db
import pytest
from typer.testing import CliRunner

from cluster_qc.cli import app
from cluster_qc.workflow.campaign import driver
from cluster_qc.workflow.campaign.expand import expand
from cluster_qc.workflow.campaign.plan import load, save
from cluster_qc.workflow.campaign.results import DATABASE, TABLE, campaign_statuses
from cluster_qc.workflow.campaign.task import TaskRecord, read_records, record_path, write_record

H2 = "2\n\nH 0 0 0\nH 0 0 0.74\n"
THREE = """
structures = ["h2.xyz"]
functionals = ["hf", "pbe", "pbe0"]
preset = "quick"
method.basis = "sto-3g"
pictures = false
singlets.nstates = 1
triplets.nstates = 1
"""
SUMMARY = (
    Path(__file__).parents[2] / "examples" / "results" / "cu2au2_tfa_quick" / "summary.json"
).read_text()
pytestmark = pytest.mark.filterwarnings(
    "ignore::pydantic.warnings.PydanticDeprecatedSince20"
)  # of executorlib


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "h2.xyz").write_text(H2)
    (tmp_path / "campaign.toml").write_text(THREE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def ended(folder, monkeypatch):
    """A campaign of three jobs that ended, and what a retry runs in place of a calculation."""
    campaign = expand(folder / "campaign.toml", folder / "out", on="local")
    save(campaign, folder / "out")
    for task in campaign.tasks:
        results = folder / "out" / task.name
        (results / "summary.json").write_text(SUMMARY)
        (results / "structure.xyz").write_text(H2)
        write_record(results, task.digest, TaskRecord(1, "done", wall_time_s=1.0))
    shutil.copytree(folder / "out" / "h2_hf", folder / "whole")
    monkeypatch.setattr(driver, "RUN", ("sh", "-c", 'rm -f cd.csv; cp "$0"/s* .', str(folder / "whole")))
    return campaign


def cut(path):
    path.write_text(path.read_text()[:100])


DAMAGE = {
    "a summary that was cut": lambda job, task: cut(job / "summary.json"),
    "a summary that was changed": lambda job, task: (job / "summary.json").write_text('{"schema_version": 1}'),
    "no summary": lambda job, task: (job / "summary.json").unlink(),
    "no molecule": lambda job, task: (job / "structure.xyz").unlink(),
    "a curve that is none": lambda job, task: (job / "cd.csv").write_text("a,b\n1,x\n"),
    "a record that was cut": lambda job, task: cut(record_path(job, task.digest, 1)),
    "a record of something else": lambda job, task: record_path(job, task.digest, 1).write_text('{"state": 5}'),
    "a record of no known state": lambda job, task: write_record(job, task.digest, TaskRecord(1, "odd")),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_job_is_told_the_others_stand_and_retry_runs_it(folder, monkeypatch, damage):
    campaign = ended(folder, monkeypatch)
    task = campaign.tasks[1]
    DAMAGE[damage](folder / "out" / task.name, task)

    statuses = campaign_statuses(folder / "out")[1]
    assert [status.state for status in statuses] == ["done", "damaged", "done"]
    message = statuses[1].message
    assert str(folder / "out" / task.name) in message
    shown = CliRunner().invoke(app, ["status", str(folder / "out")])
    assert shown.exit_code == 0
    assert f"damaged: {message}" in shown.stdout

    assert not driver.drive(campaign, folder / "out", quiet=True)
    assert [len(read_records(folder / "out" / task.name, task.digest)) for task in campaign.tasks] == [1] * 3
    with open(folder / "out" / TABLE, newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["state"] for row in rows] == ["done", "damaged", "done"]
    assert (rows[1]["reason"], rows[1]["gap_ev"]) == (message, "")
    with ase.db.connect(folder / "out" / DATABASE) as database:
        assert [row.name for row in database.select()] == ["h2_hf", "h2_pbe0"]
    log = (folder / "out" / "run.log").read_text()
    assert "3 jobs, 0 to run" in log
    assert f"{message}; cluster-qc retry" in log

    assert driver.drive(load(folder / "out"), folder / "out", retry=True, quiet=True)
    assert {status.state for status in campaign_statuses(folder / "out")[1]} == {"done"}
    assert [record.attempt for record in read_records(folder / "out" / task.name, task.digest)] == [1, 2]


def test_the_plan_names_damaged_jobs(folder, monkeypatch):
    ended(folder, monkeypatch)
    cut(folder / "out" / "h2_pbe" / "summary.json")
    planned = CliRunner().invoke(app, ["campaign", "campaign.toml", "-o", "out", "--plan"])
    assert planned.exit_code == 0
    assert planned.stdout.splitlines()[-1].startswith("h2_pbe  damaged: ")


def test_a_later_attempt_says_more_than_damaged_results(folder, monkeypatch):
    campaign = ended(folder, monkeypatch)
    task = campaign.tasks[0]
    write_record(folder / "out" / task.name, task.digest, TaskRecord(2, "failed", "no memory"))
    assert campaign_statuses(folder / "out")[1][0].state == "done"
    cut(folder / "out" / task.name / "summary.json")
    status = campaign_statuses(folder / "out")[1][0]
    assert (status.state, status.message) == ("failed", "no memory")


def test_a_retry_keeps_good_records_and_computes_damaged_ones_anew(folder):
    (folder / "campaign.toml").write_text(THREE.replace('"hf", "pbe", "pbe0"', '"hf"'))
    campaign = expand(folder / "campaign.toml", folder / "out", on="local")
    assert driver.drive(campaign, folder / "out", quiet=True)
    job = folder / "out" / "h2_hf"
    before = {path.parent.name.split("-")[0]: path.stat().st_ino for path in job.glob("*/record.json")}
    numbers = json.loads((job / "summary.json").read_text())["singlets"]
    cut(job / "summary.json")
    (singlets,) = job.glob("singlets-*/record.json")
    cut(singlets)
    (triplets,) = job.glob("triplets-*/arrays.npz")
    triplets.unlink()

    newer = shutil.copytree(job, folder / "newer")
    (ground,) = newer.glob("scf-*/record.json")
    ground.write_text(ground.read_text().replace('"schema_version": 1', '"schema_version": 99'))
    (newer / "scf-notes").write_text("of the user")
    driver._drop_bad_steps(newer)
    assert sorted(path.name for path in newer.glob("s*-*")) == [ground.parent.name, "scf-notes"]

    assert driver.drive(campaign, folder / "out", retry=True, quiet=True)
    after = {path.parent.name.split("-")[0]: path.stat().st_ino for path in job.glob("*/record.json")}
    assert sorted(after) == ["scf", "singlets", "triplets"]
    assert after["scf"] == before["scf"]
    again = json.loads((job / "summary.json").read_text())["singlets"]
    # From the same orbitals, within the residual of the solver: below 1e-4 eV.
    assert again[0]["energy_ev"] == pytest.approx(numbers[0]["energy_ev"], abs=1e-4)
    log = (job / "run.log").read_text().rsplit("started: process", 1)[1]
    assert "scf: converged, taken from" in log
    assert "singlets: started" in log
