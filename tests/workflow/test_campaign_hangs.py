"""Nothing waits forever: workers that die or lie, programs of Slurm that do not return, readers that go, Ctrl-C."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

from cluster_qc.errors import ResourceError
from cluster_qc.workflow import slurm
from cluster_qc.workflow.campaign.local import LocalExecutor

CAMPAIGN = """
structures = ["h2.xyz"]
preset = "quick"
method.basis = "sto-3g"
pictures = false
singlets.nstates = 1
triplets.nstates = 1
"""
pytestmark = pytest.mark.filterwarnings(
    "ignore::pydantic.warnings.PydanticDeprecatedSince20"
)  # of executorlib
PATIENCE_S = 300  # for a loaded machine
# The command line with other patience, and with a job that is a shell script.
IMPATIENT = """
import sys
from cluster_qc.cli import main
from cluster_qc.workflow import slurm
from cluster_qc.workflow.campaign import driver
driver._PROBE_S, driver._STUCK_S, slurm._ANSWER_S = 0.1, 1.0, 1.0
driver.RUN = ("sh", "-c", sys.argv.pop(1))
main()
"""
WAITING = "echo $$ > pid.new; mv pid.new pid; exec sleep 1000"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "h2.xyz").write_text("2\n\nH 0 0 0\nH 0 0 0.74\n")
    (tmp_path / "campaign.toml").write_text(CAMPAIGN)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def start(folder, job, *options, **how):
    """A driver in a group of processes of its own, as a terminal makes one."""
    return subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, job, "campaign", "campaign.toml", "-o", "out", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # The tests may run as a background job of a shell, which ignores Ctrl-C and hands that down.
        preexec_fn=lambda: (signal.signal(signal.SIGINT, signal.SIG_DFL), os.setsid()),  # noqa: PLW1509
        **how,
    )


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(0.02)
    return value


# --- workers -------------------------------------------------------------------------------------------------


def worker(tmp_path, monkeypatch, text):
    """Put a script in the place of the engine's worker, and hand it a job."""
    (tmp_path / "worker.py").write_text(text)
    monkeypatch.setattr(
        import_module("executorlib.api"), "get_command_path", lambda _name: str(tmp_path / "worker.py")
    )
    return LocalExecutor().submit(time.sleep, 0, resource_dict={"cwd": str(tmp_path)})


@pytest.mark.parametrize(
    ("text", "told"),
    [("import os; os.kill(os.getpid(), 9)", "SIGKILL"), ("raise SystemExit(7)", "exit code 7")],
)
def test_a_worker_that_dies_before_it_calls_is_told(tmp_path, monkeypatch, text, told):
    future = worker(tmp_path, monkeypatch, text)
    assert told in str(future.exception(timeout=PATIENCE_S))


def test_what_a_stranger_sends_to_the_port_is_not_unpickled(tmp_path, monkeypatch):
    class Bomb:
        def __reduce__(self):
            return open, (str(tmp_path / "owned"), "w")

    text = (
        "import sys, zmq\nsocket = zmq.Context().socket(zmq.PAIR)\n"
        "socket.connect('tcp://127.0.0.1:' + sys.argv[-1])\n"
        f"socket.send({pickle.dumps(Bomb())!r})\nsocket.recv()\n"
    )
    assert worker(tmp_path, monkeypatch, text).result(timeout=PATIENCE_S) is None
    assert not (tmp_path / "owned").exists()


def test_the_port_is_open_to_this_machine_only(tmp_path):
    future = LocalExecutor().submit(time.sleep, 1, resource_dict={"cwd": str(tmp_path)})

    def listening():
        """Addresses of the listening sockets of this process, as Linux writes them: 0100007F is 127.0.0.1."""
        ours = set()
        for path in Path("/proc/self/fd").iterdir():
            try:
                ours.add(os.readlink(path))
            except OSError:  # the one that lists them
                continue
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return {row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in ours}

    assert wait_until(listening, "a port") == {"0100007F"}
    assert future.result(timeout=PATIENCE_S) is None


# --- Slurm ---------------------------------------------------------------------------------------------------


def fake(folder, **programs):
    """Programs of Slurm that are shell scripts; those that hang write their number."""
    (folder / "bin").mkdir()
    for name, text in programs.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / "bin" / name).chmod(0o755)
    return f"{folder / 'bin'}:{os.environ['PATH']}"


def hang(folder, name):
    return f"echo $$ >> {folder}/{name}.pids; exec sleep 1000"


@pytest.fixture
def hanging(folder):
    yield folder
    for path in folder.glob("*.pids"):
        for number in path.read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(number), signal.SIGKILL)


@pytest.mark.parametrize(
    ("name", "told"),
    [("sbatch", "1 job neither in the queue nor told as ended"), ("squeue", "squeue did not answer")],
)
def test_a_driver_ends_when_a_program_of_slurm_hangs(hanging, name, told):
    programs = {"sbatch": "echo 17", "squeue": 'echo "17 user PENDING name"', name: hang(hanging, name)}
    if name == "sbatch":
        programs["squeue"] = "exit 0"
    path = fake(hanging, **programs)
    driver = start(hanging, "exit 0", "--on", "slurm", env={**os.environ, "PATH": path})
    _, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 2, err
    assert told in err
    assert "same command again" in err or "try again" in err
    assert "Traceback" not in err


def test_a_submission_that_hangs_is_told(hanging, monkeypatch):
    monkeypatch.setenv("PATH", fake(hanging, sbatch="exec sleep 1000"))
    monkeypatch.setattr(slurm, "_SUBMIT_S", 0.2)
    batch = slurm.BatchJob(hanging / "job.sbatch", cores=1, memory_gib=1.0, hours=1.0)
    with pytest.raises(ResourceError, match="sbatch did not answer") as refusal:
        slurm.submit_job(batch)
    assert "squeue" in refusal.value.fix


# --- Ctrl-C and closed pipes ---------------------------------------------------------------------------------


def gone(pid):
    """Ended, be it that nobody has asked for its exit code yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_in_a_terminal_ends_driver_worker_and_job(folder, times):
    """It goes to all of them at once, and a hurried user gives it twice."""
    driver = start(folder, WAITING)
    job = folder / "out" / "h2" / "pid"
    wait_until(job.exists, "the job")
    for _ in range(times):
        os.killpg(driver.pid, signal.SIGINT)
    _, told = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 130
    assert "Traceback" not in told
    wait_until(lambda: gone(int(job.read_text())), "the end of the job")


def test_ctrl_c_while_a_worker_starts_shows_no_traceback(folder):
    driver = start(folder, WAITING)

    def child():
        return Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text() or any(
            path.read_text() for path in Path(f"/proc/{driver.pid}/task").glob("*/children")
        )

    wait_until(child, "a worker")
    os.killpg(driver.pid, signal.SIGINT)
    _, told = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 130
    assert "Traceback" not in told


def test_the_second_ctrl_c_ends_a_process_that_does_not_come_to_its_end():
    code = (
        "import time\nfrom cluster_qc.workflow.stop import stop_on_signals\nstop_on_signals()\ntry:\n"
        "    print('ready', flush=True)\n    time.sleep(1000)\nexcept KeyboardInterrupt:\n"
        "    print('first', flush=True)\n    time.sleep(1000)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    for line in ("ready\n", "first\n"):
        assert process.stdout.readline() == line
        process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE_S) == 130


def test_a_campaign_goes_on_when_nobody_reads_its_progress(folder):
    """As `cluster-qc campaign ... 2>&1 | tee log` when tee is killed."""
    go = folder / "go"
    driver = start(folder, f"touch begun; while [ ! -e {go} ]; do sleep 0.1; done; exit 3")
    wait_until((folder / "out" / "h2" / "begun").exists, "the job")
    driver.stderr.close()
    driver.stdout.close()
    go.touch()
    assert driver.wait(timeout=PATIENCE_S) == 141  # it could not tell that the job failed
    (record,) = (folder / "out" / "h2").glob("task-*.json")
    assert json.loads(record.read_text())["state"] == "failed"
    assert "0 of 1 job done" in (folder / "out" / "run.log").read_text()


@pytest.mark.parametrize(
    ("closed", "code"), [(">&- 2>&- <&-", 0), ("| head -c0; exit ${PIPESTATUS[0]}", 141)]
)
def test_closed_streams_are_no_error_of_the_program(folder, closed, code):
    command = f"{sys.executable} -m cluster_qc --version {closed}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONUNBUFFERED": "1"}, timeout=PATIENCE_S,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, "")
