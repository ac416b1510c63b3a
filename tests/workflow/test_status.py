"""`cluster-qc status`, on folders as runs leave them behind."""

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from cluster_qc.errors import InputError, StorageError
from cluster_qc.workflow.lock import Owner, folder_lock, owner_of
from cluster_qc.workflow.progress import monitor
from cluster_qc.workflow.status import run_status, run_statuses, status_json, status_text
from cluster_qc.workflow.stop import Stopped

HOLD = (
    "import sys\nfrom pathlib import Path\nfrom cluster_qc.workflow.lock import folder_lock\n"
    "with folder_lock(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
)


def run_that(folder, *lines, ends_with=None, steps=("scf",)):
    """What a run of these steps leaves that ends with an exception."""
    folder.mkdir(exist_ok=True)
    try:
        with folder_lock(folder), monitor(folder, quiet=True) as log:
            for step in steps:
                report = log.step(step)
            report(None, "cycle 7")
            for line in lines:
                log.note(line)
            if ends_with is not None:
                raise ends_with
    except (Stopped, KeyboardInterrupt, StorageError, ZeroDivisionError):
        pass
    return folder


def summary(folder, converged=True):
    content = {"schema_version": 1, "converged": converged, "timings_s": {"scf": 62.0, "analysis": 1.0}}
    (folder / "summary.json").write_text(json.dumps(content))


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_running_is_told_by_the_lock_and_killed_by_its_absence(holder, tmp_path):
    """The same files, read while the process lives and after it was killed."""
    begin = datetime.now(UTC) - timedelta(hours=1)
    (tmp_path / "run.log").write_text(
        f"{begin.isoformat()} started: process {holder.pid} on {socket.gethostname()}\n"
        f"{begin.isoformat()} scf: started\n"
        f"{(begin + timedelta(minutes=20)).isoformat()} scf: converged in 1200.0 s\n"
        f"{(begin + timedelta(minutes=20)).isoformat()} triplets: started\n"
        f"{(begin + timedelta(minutes=30)).isoformat()} triplets: 3 of 5 roots\n"
    )
    running = run_status(tmp_path)
    assert (running.state, running.step, running.timings_s) == ("running", "triplets", {"scf": 1200.0})
    assert running.owner.process == holder.pid
    assert running.owner.host == socket.gethostname()
    assert running.step_s == pytest.approx(
        40 * 60, abs=60
    )  # until now; a loaded machine may take seconds to ask
    holder.kill()
    holder.wait()
    killed = run_status(tmp_path)
    assert (killed.state, killed.step, killed.last_line) == (
        "interrupted", "triplets", "triplets: 3 of 5 roots",
    )  # fmt: skip
    assert killed.step_s == 10 * 60
    assert killed.since == (begin + timedelta(minutes=30)).isoformat()
    assert killed.owner is None


def test_asking_does_not_turn_a_starting_run_away(tmp_path):
    """The reader holds the lock for a moment; a run that starts then waits for it."""
    (tmp_path / ".lock").touch()
    reader = subprocess.Popen(
        [
            sys.executable, "-c",
            "import fcntl, sys, time\nf = open(sys.argv[1])\nfcntl.flock(f, fcntl.LOCK_SH)\n"
            "print('held', flush=True)\ntime.sleep(0.2)\n",
            str(tmp_path / ".lock"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert reader.stdout.readline() == "held\n"
    with folder_lock(tmp_path) as held:
        assert held
    reader.communicate()


def test_the_lock_names_its_process_until_it_is_given_back(tmp_path):
    with folder_lock(tmp_path):
        owner, alive = owner_of(tmp_path)
        assert (owner.process, owner.host, alive) == (os.getpid(), socket.gethostname(), True)
    assert owner_of(tmp_path) == (None, False)
    with pytest.raises(Stopped), folder_lock(tmp_path):
        raise Stopped
    assert owner_of(tmp_path) == (None, False)


def test_a_run_on_another_machine_without_common_locks_is_unclear(tmp_path):
    """A free lock says nothing there; the run may be alive."""
    run_that(tmp_path)
    (tmp_path / ".lock").write_text(f"{Owner(17, 'node7', '2026-01-01T00:00:00+00:00')}\n")
    status = run_status(tmp_path)
    assert (status.state, status.owner.host) == ("unclear", "node7")
    assert "node7" in status_text([status])
    assert "cannot be seen" in status_text([status])


@pytest.mark.parametrize(
    ("ending", "state", "words"),
    [
        (Stopped("SIGUSR1"), "interrupted", "last line: stopped by SIGUSR1"),
        (KeyboardInterrupt(), "interrupted", "last line: interrupted"),
        (StorageError("cannot write x: the disk is full", fix="free space"), "failed", "disk is full; fix: free space"),
        (ZeroDivisionError("division"), "failed", "ZeroDivisionError: division"),
    ],
)  # fmt: skip
def test_how_a_run_ended(tmp_path, ending, state, words):
    status = run_status(run_that(tmp_path, ends_with=ending))
    assert (status.state, status.step) == (state, "scf")
    assert words in status_text([status])


@pytest.mark.parametrize(("line", "state"), [("converged", "done"), ("NOT converged", "not converged")])
def test_a_finished_run_has_the_times_of_its_summary(tmp_path, line, state):
    run_that(tmp_path, f"done, {line}: report.html")
    summary(tmp_path, line == "converged")
    status = run_status(tmp_path)
    assert (status.state, status.step) == (state, None)
    assert status.timings_s == {"scf": 62.0, "analysis": 1.0}
    assert "scf 0:01:02" in status_text([status])
    (tmp_path / "run.log").unlink()  # as a result that was copied
    assert run_status(tmp_path).state == state


def test_the_last_run_of_a_folder_counts(tmp_path):
    """A finished run, then one with other settings that was stopped; its reused step has the time of its record."""
    run_that(tmp_path, "done, converged: report.html")
    summary(tmp_path)
    (tmp_path / "scf-01234567").mkdir()
    (tmp_path / "scf-01234567" / "record.json").write_text('{"wall_time_s": 62.0}')
    run_that(
        tmp_path, "scf: converged, taken from scf-01234567", "singlets: started", ends_with=Stopped("SIGTERM")
    )
    status = run_status(tmp_path)
    assert (status.state, status.step, status.timings_s) == ("interrupted", "singlets", {"scf": 62.0})


def test_a_batch_job_that_failed_before_it_wrote_anything(tmp_path):
    (tmp_path / "job.sbatch").touch()
    assert run_status(tmp_path).state == "not started"
    (tmp_path / "slurm-7.log").write_text(
        "error: the job needs 9 GiB\n  why: so\n  fix: ask for more\nslurmstepd: x\n\n"
    )
    status = run_status(tmp_path)
    assert (status.state, status.message) == ("failed", "the job needs 9 GiB; why: so; fix: ask for more")
    assert status.batch_line == "slurmstepd: x"


def test_a_folder_of_runs(tmp_path):
    run_that(tmp_path / "b", "done, converged: report.html")
    summary(tmp_path / "b")
    run_that(tmp_path / "a", ends_with=Stopped("SIGTERM"))
    (tmp_path / "notes").mkdir()
    runs = run_statuses(tmp_path)
    assert [(os.path.basename(run.directory), run.state) for run in runs] == [
        ("a", "interrupted"),
        ("b", "done"),
    ]
    told = json.loads(json.dumps(status_json(runs), allow_nan=False))
    assert [run["state"] for run in told["runs"]] == ["interrupted", "done"]
    assert told["runs"][1]["timings_s"] == {"scf": 62.0, "analysis": 1.0}


def test_no_run_there(tmp_path):
    run_that(tmp_path / "built")
    (tmp_path / "built" / "candidates.json").touch()
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match=r"has no run|is no folder"):
            run_statuses(folder)
