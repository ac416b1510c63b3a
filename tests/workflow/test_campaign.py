"""Campaigns on this machine, with real runs of hydrogen and water; the task body alone with shell commands."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import ase.db
import pytest
from typer.testing import CliRunner

from cluster_qc.cli import app
from cluster_qc.errors import InputError, StorageError
from cluster_qc.workflow.campaign.driver import drive
from cluster_qc.workflow.campaign.expand import expand
from cluster_qc.workflow.campaign.plan import load, plan_text, save
from cluster_qc.workflow.campaign.results import Results, campaign_statuses, time_left_s
from cluster_qc.workflow.campaign.task import TaskRecord, read_records, verdict
from cluster_qc.workflow.lock import folder_lock

H2 = "2\n\nH 0 0 0\nH 0 0 0.74\n"
WATER = "3\n\nO 0.0 0.0 0.117\nH 0.0 0.757 -0.470\nH 0.0 -0.757 -0.470\n"
SETTINGS = """
preset = "quick"
pictures = false
singlets.nstates = 1
triplets.nstates = 1
"""
EIGHT = (
    'structures = ["h2.xyz"]\nfunctionals = ["hf", "pbe", "pbe0", "b3lyp"]\n'
    + SETTINGS
    + '[vary]\n"method.basis" = ["sto-3g", "3-21g"]\n'
)
TWENTY = EIGHT.replace('"b3lyp"', '"b3lyp", "blyp"').replace('"3-21g"', '"3-21g", "6-31g", "6-311g"')
ONE = 'structures = ["h2.xyz"]\nmethod.basis = "sto-3g"\n' + SETTINGS
PATIENCE_S = 300  # for a loaded machine; an idle one needs some seconds
MARK = "CAMPAIGN_TEST"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "h2.xyz").write_text(H2)
    (tmp_path / "water.xyz").write_text(WATER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield tmp_path
    for process in alive(tmp_path):  # of a test that failed
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def write(folder, text):
    (folder / "campaign.toml").write_text(text)
    return folder / "campaign.toml"


def planned(folder, text, **options):
    return expand(write(folder, text), folder / "out", on="local", **options)


def start(folder, *options):
    """The driver as a process that can be killed; its children carry the folder in their environment."""
    return subprocess.Popen(
        [sys.executable, "-m", "cluster_qc", "campaign", "campaign.toml", "-o", "out", *options],
        cwd=folder,
        env={**os.environ, MARK: str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # The tests may run as a background job of a shell, which ignores Ctrl-C and hands that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  (one thread here)
    )


def alive(folder):
    """Processes that a driver of this folder left."""
    mark = f"{MARK}={folder}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            environment = path.read_bytes()
        except OSError:
            continue
        if mark in environment.split(b"\0"):
            found.append(int(path.parent.name))
    return found


def wait_until(condition, what, patience_s=PATIENCE_S):
    deadline = time.monotonic() + patience_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(0.05)
    return value


def records(folder):
    return sorted((folder / "out").glob("*/task-*.json"))


def starts(folder, name):
    return (folder / "out" / name / "run.log").read_text().count(" started: process ")


def total_starts(folder):
    return sum(starts(folder, path.parent.name) for path in (folder / "out").glob("*/run.log"))


def rows(folder):
    with open(folder / "out" / "campaign.csv", newline="") as stream:
        return {row["name"]: row for row in csv.DictReader(stream)}


def energy(results):
    return json.loads((results / "summary.json").read_text())["levels"]["total_energy_hartree"]


# --- the file ------------------------------------------------------------------------------------------------


def test_every_combination_is_a_job_with_a_name_and_a_job_file_of_its_own(folder):
    campaign = planned(folder, EIGHT.replace('"h2.xyz"', f'"[hw]*.xyz", "{folder}/w*.xyz"'))
    names = [task.name for task in campaign.tasks]
    assert len(names) == len(set(names)) == 16
    assert names[:2] == ["h2_hf_sto-3g", "h2_hf_3-21g"]
    assert {task.functional for task in campaign.tasks} == {"hf", "pbe", "pbe0", "b3lyp"}
    assert campaign.tasks[0].digest != campaign.tasks[1].digest
    assert 'basis = "3-21g"' in campaign.tasks[1].job_file
    assert campaign.core_hours > 0
    again = planned(folder, EIGHT)
    assert [task.digest for task in again.tasks] == [task.digest for task in campaign.tasks[:8]]
    (folder / "h2.xyz").write_text(H2.replace("0.74", "0.75"))
    moved = planned(folder, EIGHT)
    assert not {task.digest for task in moved.tasks} & {task.digest for task in again.tasks}


def test_a_basis_set_of_ones_own_is_relative_to_the_campaign(folder, monkeypatch):
    (folder / "own.nw").write_text("H    S\n      0.3   1.0\n")
    write(folder, ONE.replace('"sto-3g"', '"./own.nw"'))
    monkeypatch.chdir(folder.parent)
    (task,) = expand(folder / "campaign.toml", folder / "out", on="local").tasks
    assert task.plan["nao"] == 2
    assert f'basis = "{folder / "own.nw"}"' in task.job_file  # which lies in another folder


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'structures = ["h2.xyz"]\nfunctonals = ["pbe"]\n',
            r"campaign\.toml:2: unknown key functonals.*functionals",
        ),
        (
            'structures = ["h2.xyz"]\n[method]\nbasiss = "x"\n',
            r"campaign\.toml:3: unknown key method\.basiss",
        ),
        ('structures = ["none*.xyz"]\n', r"nothing is called none\*\.xyz"),
        ('structures = [""]\n', "nothing is called"),
        ("structures = []\n", "no structures"),
        (
            'structures = ["h2.xyz"]\n[vary]\n"metod.basis" = ["x"]\n',
            r"campaign\.toml:3: .*did you mean 'method'",
        ),
        ('structures = ["h2.xyz"]\n[vary]\n"method.basis" = []\n', "has no values"),
        (
            'structures = ["h2.xyz"]\nfunctionals = ["pbe"]\nmethod.functional = "hf"\n',
            "one value for all jobs too",
        ),
        ('structures = ["h2.xyz"]\nfunctionals = ["pbe", "pbe"]\n' + SETTINGS, "two jobs are called h2_pbe"),
        ('structures = ["h2.xyz"]\nfunctionals = ["pbx0"]\n', r"job h2_pbx0: .*pbx0"),
        ('[ligands]\ncore = "nothing.xyz"\nsmiles.a = "S=C1NCCS1"\n', "ligands.core: no such file"),
        ('structures = "h2.xyz\n', "not a TOML file.*line 1"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(folder, text, message):
    with pytest.raises(InputError, match=f"(?s){message}"):
        planned(folder, text)
    assert not (folder / "out").exists()


BAD = {"open.xyz": "1\n\nH 0 0 0\n", "torn.xyz": "2\n\nH 0 0 0\n"}


def test_all_bad_structures_are_told_at_once_or_left_out_with_their_reasons(folder):
    text = 'structures = ["*.xyz"]\nfunctionals = ["hf", "pbe"]\nmethod.basis = "sto-3g"\n' + SETTINGS
    for name, content in BAD.items():
        (folder / name).write_text(content)
    with pytest.raises(InputError, match="4 of 8 jobs cannot be computed") as refusal:
        planned(folder, text)
    lines = refusal.value.what.splitlines()[1:]
    assert [line.split(": ")[0] for line in lines] == ["  open_hf and 1 more", "  torn_hf and 1 more"]
    assert "torn.xyz" in lines[1]
    assert "--skip-bad" in refusal.value.fix
    campaign = planned(folder, text, skip_bad=True)
    assert [task.name for task in campaign.tasks] == ["h2_hf", "h2_pbe", "water_hf", "water_pbe"]
    assert list(campaign.left_out) == ["open_hf", "open_pbe", "torn_hf", "torn_pbe"]
    assert "torn_pbe  left out: " in plan_text(campaign)
    save(campaign, folder / "out")
    assert load(folder / "out") == campaign
    Results(folder / "out", campaign).write()
    assert {name: row["state"] for name, row in rows(folder).items()} == {
        **dict.fromkeys(["h2_hf", "h2_pbe", "water_hf", "water_pbe"], "waiting"),
        **dict.fromkeys(campaign.left_out, "left out"),
    }
    assert rows(folder)["torn_hf"]["reason"]
    (folder / "h2.xyz").unlink()
    (folder / "water.xyz").unlink()
    with pytest.raises(InputError, match="4 of 4 jobs"):
        planned(folder, text, skip_bad=True)


def test_ligands_become_jobs_of_their_lowest_candidates(folder):
    text = SETTINGS + '[ligands]\ncore = "cu2au2"\nconformers = 1\nrelax = "none"\nstart_geometries = 1\n'
    text += '[ligands.smiles]\ntt = "S=C1NCCS1"\n'
    campaign = planned(folder, text)
    (task,) = campaign.tasks
    assert task.name.startswith("tt_01")
    assert task.natom == 44
    assert Path(task.structure).is_relative_to(folder / "out" / "ligands")


def test_a_plan_tells_jobs_and_core_hours_and_runs_nothing(folder):
    write(folder, EIGHT)
    done = CliRunner().invoke(app, ["campaign", "campaign.toml", "-o", "out", "--plan", "--workers", "2"])
    assert done.exit_code == 0, done.output
    assert "8 jobs, at most 2 at once on this machine" in done.stdout
    assert "core-hours" in done.stdout
    assert "fitted to" in done.stdout
    assert not (folder / "out").exists()


# --- one job -------------------------------------------------------------------------------------------------

BODY = (
    "import json, sys\nfrom cluster_qc.workflow.campaign.task import run_task\n"
    "run_task(sys.argv[1], 'd' * 64, 1, json.loads(sys.argv[2]), False)\n"
)


def body(folder, command):
    return subprocess.Popen([sys.executable, "-c", BODY, str(folder), json.dumps(command)])


@pytest.mark.parametrize(
    ("script", "state", "message"),
    [
        ("exit 0", "done", None),
        ("echo 'not converged: see above\n  fix: wait'; exit 1", "not converged", "not converged: see above"),
        ("echo 'error: no basis\n  fix: take one' >&2; exit 2", "failed", "no basis; fix: take one"),
        ("kill -KILL $$", "failed", "killed by SIGKILL"),
        ("exit 7", "failed", "exit code 7"),
    ],
)  # fmt: skip
def test_however_a_job_ends_there_is_a_record_of_it(tmp_path, script, state, message):
    assert body(tmp_path, ["sh", "-c", script]).wait() == 0
    (record,) = read_records(tmp_path, "d" * 64)
    assert (record.state, record.attempt) == (state, 1)
    assert message in record.message if message else record.message is None


def test_a_program_that_is_not_there_is_recorded_too(tmp_path):
    assert body(tmp_path, ["no-such-program"]).wait() == 0
    (record,) = read_records(tmp_path, "d" * 64)
    assert record.state == "failed"
    assert "no-such-program" in record.message


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_stopped_job_stops_its_run_and_leaves_no_record(tmp_path, number):
    trap = f"trap 'exit 143' {signal.Signals(number).name[3:]}; touch ready; while :; do sleep 0.05; done"
    process = body(tmp_path, ["sh", "-c", trap])
    wait_until((tmp_path / "ready").exists, "the command")
    process.send_signal(number)
    assert process.wait() == 143
    assert read_records(tmp_path, "d" * 64) == []


def test_a_killed_body_takes_its_run_with_it(tmp_path):
    process = body(tmp_path, ["sh", "-c", "echo $$ > pid.new; mv pid.new pid; exec sleep 1000"])
    wait_until((tmp_path / "pid").exists, "the command")
    process.kill()
    process.wait()
    child = int((tmp_path / "pid").read_text())
    wait_until(lambda: not Path(f"/proc/{child}").exists(), "the end of the command", patience_s=30)


def test_the_record_that_is_done_counts_over_later_ones():
    lost, done, failed = (TaskRecord(n, s) for n, s in ((1, "lost"), (2, "done"), (3, "failed")))
    assert verdict([]) is None
    assert verdict([lost, done, failed]) is done
    assert verdict([lost, failed]) is failed


# --- the driver ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number", "kill_at"),
    [
        (EIGHT, 8, 3),  # the same in half a minute
        pytest.param(TWENTY, 20, 7, marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
    ],
)
def test_a_killed_driver_leaves_no_process_and_the_next_one_runs_the_rest(folder, text, number, kill_at):
    """SIGKILL at 7 of 20; then two drivers at once, of which one is refused; at last the same numbers as `run`."""
    write(folder, text)
    driver = start(folder, "--workers", "2")
    wait_until(lambda: len(records(folder)) >= kill_at, f"{kill_at} records")
    driver.kill()
    driver.communicate()
    wait_until(lambda: not alive(folder), "the end of the workers", patience_s=30)
    finished = {path: path.stat().st_ino for path in records(folder)}
    assert len(finished) < number
    campaign, statuses = campaign_statuses(folder / "out")
    assert sum(status.state == "done" for status in statuses) == len(finished)
    assert time_left_s(campaign, statuses) > 0
    begun = total_starts(folder)

    second = start(folder, "--workers", "2")
    wait_until(lambda: len(records(folder)) > len(finished), "the first job of the second driver")
    third = start(folder)
    _, told = third.communicate()
    assert third.returncode == 2
    assert "another run is working" in told
    assert second.wait() == 0, second.communicate()
    assert {path: path.stat().st_ino for path in finished} == finished
    assert len(records(folder)) == number
    assert total_starts(folder) - begun == number - len(finished)
    assert all(starts(folder, path.parent.name) == 1 for path in finished)
    wait_until(lambda: not alive(folder), "the end of the workers", patience_s=30)

    table = rows(folder)
    assert list(table) == [task.name for task in campaign.tasks]
    assert {row["state"] for row in table.values()} == {"done"}
    assert float(table["h2_pbe_sto-3g"]["gap_ev"]) > 0
    assert (folder / "out" / "campaign.html").exists()
    with ase.db.connect(folder / "out" / "campaign.db") as database:
        stored = {row.name: row for row in database.select(preset="quick")}
    assert stored["h2_pbe_sto-3g"].s1_ev == float(table["h2_pbe_sto-3g"]["s1_ev"])
    job = folder / "out" / "h2_pbe_sto-3g" / "job.toml"
    run = [sys.executable, "-m", "cluster_qc", "run", str(job), "-o", "plain", "--no-pictures", "--quiet"]
    assert subprocess.run(run, cwd=folder, check=False).returncode == 0
    assert energy(folder / "plain") == pytest.approx(energy(job.parent), abs=1e-9)
    shown = CliRunner().invoke(app, ["status", "out", "--json"])
    assert [row["state"] for row in json.loads(shown.stdout)["jobs"]] == ["done"] * number


def test_a_driver_killed_while_a_worker_starts_leaves_no_process(folder):
    """The worker has no order yet, and would wait for one forever; it also holds the driver's output open."""
    write(folder, ONE)
    driver = start(folder)
    wait_until(lambda: len(alive(folder)) > 1, "a worker")
    driver.kill()
    driver.communicate(timeout=30)
    wait_until(lambda: not alive(folder), "the end of the worker", patience_s=30)


def test_a_job_that_does_not_converge_is_recorded_and_retried_anew(folder):
    text = 'structures = ["water.xyz"]\nmethod.basis = "sto-3g"\nmethod.max_cycle = 2\n' + SETTINGS
    write(folder, text + '[vary]\n"method.conv_tol" = [1e-30, 1e-6]\n')
    first = start(folder)
    output, _ = first.communicate()
    assert first.returncode == 1
    assert "1 done" in output
    table = rows(folder)
    assert table["water_1e-30"]["state"] == "not converged"
    assert table["water_1e-30"]["reason"].startswith("not converged")
    assert table["water_1e-30"]["s1_ev"] == ""  # nothing, not zero
    assert table["water_1e-06"]["state"] == "done"
    log = (folder / "out" / "water_1e-30" / "run.log").read_text()
    assert log.count("scf: started") == 1

    assert start(folder).wait() == 1  # the same command leaves it as it is
    assert (folder / "out" / "water_1e-30" / "run.log").read_text() == log
    done = subprocess.run(
        [sys.executable, "-m", "cluster_qc", "retry", "out", "--failed", "--quiet"], cwd=folder, check=False
    )
    assert done.returncode == 1
    assert starts(folder, "water_1e-30") == 2
    assert starts(folder, "water_1e-06") == 1
    assert (folder / "out" / "water_1e-30" / "run.log").read_text().count(
        "scf: started"
    ) == 2  # computed, not taken
    assert [path.name[-8:] for path in records(folder) if "water_1e-30" in str(path)] == [
        "001.json",
        "002.json",
    ]


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")  # of executorlib
def test_a_job_that_fails_is_told_the_others_go_on_and_retry_runs_it(folder):
    text = 'structures = ["*.xyz"]\nmethod.basis = "sto-3g"\n' + SETTINGS
    campaign = planned(folder, text)
    (folder / "h2.xyz").rename(folder / "away")
    assert not drive(campaign, folder / "out", quiet=True)
    found = {status.name: status for status in campaign_statuses(folder / "out")[1]}
    assert [found[name].state for name in ("h2", "water")] == ["failed", "done"]
    assert "h2.xyz" in found["h2"].message
    assert rows(folder)["h2"]["reason"] == found["h2"].message
    (folder / "away").rename(folder / "h2.xyz")
    assert drive(load(folder / "out"), folder / "out", retry=True, quiet=True)
    assert (starts(folder, "h2"), starts(folder, "water")) == (1, 1)


def test_a_job_that_is_killed_is_told_and_started_once_more(folder):
    write(folder, ONE)
    driver = start(folder)
    log = folder / "out" / "h2" / "run.log"
    wait_until(log.exists, "the run")
    (worker,) = {
        int(line.split()[1])
        for path in Path("/proc").glob("[0-9]*/status")
        if int(path.parent.name) in alive(folder)
        and b"interactive_serial" in (path.parent / "cmdline").read_bytes()
        for line in path.read_text().splitlines()
        if line.startswith("Pid:")
    }
    os.kill(worker, signal.SIGKILL)
    _, told = driver.communicate()
    assert driver.returncode == 0
    assert "h2: lost" in told
    assert "started once more" in told
    assert [json.loads(path.read_text())["state"] for path in records(folder)] == ["lost", "done"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_driver_ends_with_its_jobs(folder, number, code):
    write(folder, ONE)
    driver = start(folder)
    wait_until((folder / "out" / "h2" / "run.log").exists, "the run")
    driver.send_signal(number)
    _, told = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == code
    assert "Traceback" not in told
    wait_until(lambda: not alive(folder), "the end of the workers", patience_s=30)
    assert records(folder) == []
    # A process that ends loses its environment, by which it is found, a moment before its lock.
    wait_until(lambda: campaign_statuses(folder / "out")[1][0].state == "lost", "the loss", patience_s=30)


def test_a_driver_that_finds_the_folder_in_use_or_no_campaign_refuses(folder):
    campaign = planned(folder, 'structures = ["h2.xyz"]\n' + SETTINGS)
    with folder_lock(folder / "out"), pytest.raises(StorageError, match="another run"):
        drive(campaign, folder / "out", quiet=True)
    with pytest.raises(StorageError, match="no campaign"):
        load(folder)
    for arguments, message in (
        (["campaign", "campaign.toml", "--on", "moon"], "--on is 'moon'"),
        (["retry", "out"], "nothing was named"),
    ):
        assert message in str(CliRunner().invoke(app, arguments).exception)
