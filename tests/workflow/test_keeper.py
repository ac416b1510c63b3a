"""The Slurm of the tests ends with their session, with every job in it, however the session ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PATIENCE_S = 300  # for a loaded machine
SESSION = """
import os, time
from pathlib import Path

def test_with_a_job_at_work(slurm):
    slurm.call("sbatch", "--output=/dev/null", "--wrap", "sleep 1000 & setsid sleep 1000")
    slurm.wait_until(lambda: "RUNNING" in slurm.call("squeue", "-h", "-o", "%T"), "the job")
    Path("new").write_text(str(slurm.configuration))
    Path("new").rename("ready")
    slurm.wait_until(Path("go").exists, "the word")
    assert not "a failed test"
"""


def processes(configuration):
    """Names of the processes that were started for this Slurm."""
    mark = f"SLURM_CONF={configuration}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (path / "environ").read_bytes().split(b"\0"):
                found.append((path / "comm").read_text().strip())
        except OSError:  # it ended meanwhile
            continue
    return sorted(found)


def wait_until(condition, what, process=None):
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        if process is not None and process.poll() is not None:
            told, _ = process.communicate()
            pytest.skip("no Slurm to start") if "1 skipped" in told else pytest.fail(told)
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(0.05)
    return value


@pytest.mark.parametrize("end", ["a failed test", "SIGINT", "SIGTERM", "SIGKILL"])
def test_no_process_of_slurm_outlives_the_session(tmp_path, end):
    (tmp_path / "test_session.py").write_text(SESSION)
    session = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "conftest", "-rs", "--basetemp=inner", "test_session.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}"},
        stdout=subprocess.PIPE,
        text=True,
        # The tests may run as a background job of a shell, which ignores Ctrl-C and hands that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  (one thread here)
    )
    try:
        wait_until((tmp_path / "ready").exists, "the job", session)
        configuration = (tmp_path / "ready").read_text()
        started = {"munged", "slurmctld", "slurmd", "slurmstepd", "sleep"}
        wait_until(lambda: processes(configuration).count("sleep") == 2, "both processes of the job")
        assert started < set(processes(configuration))
        if end == "a failed test":
            (tmp_path / "go").touch()
        else:
            session.send_signal(signal.Signals[end])
        told, _ = session.communicate(timeout=PATIENCE_S)
    finally:
        session.kill()
    assert session.returncode in (1, 2, -signal.SIGTERM, -signal.SIGKILL), told
    wait_until(lambda: not processes(configuration), "the end of all processes")
