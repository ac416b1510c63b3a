"""SIGKILL at any moment, then the same command: finished steps are not run again and the result is the same."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from cluster_qc import store

H2O2 = "4\n\nO 0.0 0.7375 -0.0528\nO 0.0 -0.7375 -0.0528\nH 0.8190 0.8170 0.4220\nH -0.8190 -0.8170 0.4220\n"
COMMAND = [
    *(sys.executable, "-m", "cluster_qc", "run", "h2o2.xyz", "-o", "out", "--preset", "quick"),
    *("--basis", "sto-3g", "--states", "3", "--no-pictures"),
]
SOME_TIMES = [random.Random(20).uniform(0.2, 3.0) for _ in range(2)]
MOMENTS = (
    0.0,
    *SOME_TIMES,
    "scf: started",
    "scf: converged",
    "triplets: started",
    "singlets: started",
    "analysis: started",
)


def start(folder):
    return subprocess.Popen(
        COMMAND,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # The tests may run as a background job of a shell, which ignores Ctrl-C and hands that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  (one thread here)
    )


def finish(folder):
    process = start(folder)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


def numbers(folder):
    summary = json.loads((folder / "out" / "summary.json").read_text())
    return {
        key: summary[key] for key in ("structure", "method", "levels", "singlets", "triplets", "ntos", "cd")
    }


def flat(value, path=""):
    if isinstance(value, dict):
        return [item for key, inner in value.items() for item in flat(inner, f"{path}/{key}")]
    if isinstance(value, list):
        return [item for index, inner in enumerate(value) for item in flat(inner, f"{path}/{index}")]
    return [(path, value)]


def assert_same_numbers(folder, other):
    got, expected = flat(numbers(folder)), flat(numbers(other))
    assert [path for path, _ in got] == [path for path, _ in expected]
    for (path, value), (_, reference) in zip(got, expected, strict=True):
        if isinstance(reference, float):
            assert value == pytest.approx(reference, rel=1e-5, abs=1e-4), path
        else:
            assert value == reference, path


def records(folder):
    return {p.parent.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in folder.glob("out/*/record.json")}


def kill_at(folder, moment):
    """Start a run and kill it when its log of this run shows `moment` (or after that many seconds)."""
    log = folder / "out" / "run.log"
    seen = log.stat().st_size if log.exists() else 0
    process = start(folder)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if isinstance(moment, float):
            time.sleep(moment)
            break
        if log.exists() and moment in log.read_text()[seen:]:
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "h2o2.xyz").write_text(H2O2)
    finish(folder)
    return folder


def test_killed_again_and_again(undisturbed, tmp_path):
    (tmp_path / "h2o2.xyz").write_text(H2O2)
    known = {}
    for moment in MOMENTS:
        kill_at(tmp_path, moment)
        for path in tmp_path.glob("out/*/record.json"):
            store.load(path.parent)  # whole, or it would raise
        now = records(tmp_path)
        assert now.items() >= known.items(), f"a finished step was run again after the kill at {moment!r}"
        known = now
    finish(tmp_path)
    assert records(tmp_path).items() >= known.items()
    assert_same_numbers(tmp_path, undisturbed)
    hidden = [p.name for p in (tmp_path / "out").glob(".*") if p.name != ".lock"]
    assert hidden == []


def test_finished_run_is_not_run_again(undisturbed):
    before, first = records(undisturbed), numbers(undisturbed)
    begin = time.monotonic()
    finish(undisturbed)
    assert records(undisturbed) == before
    assert numbers(undisturbed) == first
    assert time.monotonic() - begin < 60


def test_changed_input_is_computed_beside_the_old(undisturbed):
    before = records(undisturbed)
    process = subprocess.run(
        [*COMMAND, "--states", "2"], cwd=undisturbed, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    new = records(undisturbed)
    assert new.items() > before.items()
    assert [name.split("-")[0] for name in sorted(set(new) - set(before))] == ["singlets"]


def test_force_computes_again(undisturbed):
    before = records(undisturbed)
    process = subprocess.run(
        [*COMMAND, "--force"], cwd=undisturbed, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    after = records(undisturbed)
    assert set(after) == set(before)
    assert sum(after[name] != before[name] for name in before) == 3


def test_second_run_at_once_is_refused(tmp_path):
    (tmp_path / "h2o2.xyz").write_text(H2O2)
    first = start(tmp_path)
    log = tmp_path / "out" / "run.log"
    while not log.exists() and first.poll() is None:
        time.sleep(0.002)
    first.send_signal(signal.SIGSTOP)
    try:
        second = subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, check=False)
    finally:
        first.send_signal(signal.SIGCONT)
    assert second.returncode == 2
    assert f"another run is working in out (process {first.pid}" in second.stderr
    first.communicate(timeout=300)
    assert first.returncode == 0


def test_interrupt_says_how_to_resume(tmp_path):
    (tmp_path / "h2o2.xyz").write_text(H2O2)
    process = start(tmp_path)
    log = tmp_path / "out" / "run.log"
    while not (log.exists() and "scf: started" in log.read_text()) and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "same command" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_stopped_by_a_batch_system(undisturbed, tmp_path, number):
    """The step that was finished is kept, the signal may come twice, and the same command goes on."""
    (tmp_path / "h2o2.xyz").write_text(H2O2)
    process = start(tmp_path)
    log = tmp_path / "out" / "run.log"
    while not (log.exists() and "triplets: started" in log.read_text()) and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(number)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert f"error: stopped by {number.name}\n  fix: give the same command again" in err
    assert "Traceback" not in err
    known = records(tmp_path)
    assert [name.split("-")[0] for name in known] == ["scf"]
    finish(tmp_path)
    assert records(tmp_path).items() > known.items()
    assert_same_numbers(tmp_path, undisturbed)
